"""The chain of records in a capture file, walked a piece at a time and taken as columns.

The parsers of :mod:`tcpviz.sources` say what each format is, and take whatever
is unusual; here only the long runs of ordinary packet records are gathered at
once, which is nearly all of any file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.flows import distinct
from tcpviz.bulk.segments.pieces import at_every
from tcpviz.sources.parser import MAX_BLOCK
from tcpviz.sources.pcap import MAX_FRAME, PcapParser, header_size
from tcpviz.sources.pcapng import ENHANCED_PACKET, PcapngParser
from tcpviz.sources.stream import CaptureStream
from tcpviz.wire.frame import Frame

Longs = NDArray[Any]

_FAST_TICKS = 1 << 62
"""Ticks of pcapng up to which they are taken by columns; later ones lie far off any time."""


_SMALL = 250
"""Mean bytes of a record up to which it is sooner found than walked to."""

_TRIES = 64

_A_LITTLE = 256
"""Bytes that are looked at one block after the other where something unusual lies,"""

_MUCH = 1 << 16
"""and where nothing else has come for long."""

_WORTH = 16
"""Packet blocks in a row that are worth being taken as a batch of their own."""


PIECE = 1 << 20
"""Bytes of a capture at a time, unpacked: what is done once a piece is then little beside it."""

_ANYWHERE = 1 << 18
"""Bytes among which the beginning of a record is looked for: more than any packet has,"""

_SURE = 32
"""records of which one leads to the next: this is where they begin,"""

_GUESSES = 1 << 10
"""and what may look like one and is none."""


@dataclass(slots=True)
class Batch:
    """Packet records that lie in one buffer, in their order.

    ``data``      the buffer, ``origin`` where it begins in the unpacked capture, or -1
                  where the frames do not lie there as they are here
    ``first``     number of the first frame; they are numbered without gaps
    ``start``     where each frame's bytes begin in ``data``
    ``captured``  how many there are; ``wire`` how many there were on the wire
    ``time_ns``, ``link_type``, ``interface``  as in :class:`~tcpviz.wire.frame.Frame`
    """

    data: bytes
    origin: int
    first: int
    start: Longs
    captured: Longs
    wire: Longs
    time_ns: Longs
    link_type: Longs
    interface: Longs

    def __len__(self) -> int:
        return len(self.start)

    def frame(self, place: int) -> Frame:
        """The record at ``place`` as a frame of its own."""
        start = int(self.start[place])
        return Frame(
            int(self.time_ns[place]),
            int(self.link_type[place]),
            self.data[start : start + int(self.captured[place])],
            int(self.wire[place]),
            self.first + place,
            int(self.interface[place]),
        )


def batch_of(frames: list[Frame]) -> Iterator[Batch]:
    """Frames that were read one by one, as batches of gapless numbers."""
    begin = 0
    for place in range(1, len(frames) + 1):
        if place < len(frames) and frames[place].number == frames[place - 1].number + 1:
            continue
        run = frames[begin:place]
        begin = place
        if not run:
            continue
        captured = np.array([len(frame.data) for frame in run], np.int64)
        yield Batch(
            b"".join(frame.data for frame in run),
            -1,
            run[0].number,
            np.cumsum(captured) - captured,
            captured,
            np.array([min(frame.wire_len, 1 << 40) for frame in run], np.int64),
            np.array([frame.time_ns for frame in run], np.int64),
            np.array([frame.link_type for frame in run], np.int64),
            np.array([frame.interface for frame in run], np.int64),
        )


def _hand_over(batches: list[Batch]) -> list[Frame]:
    # They travel through CaptureStream, which does not look at what it hands on.
    return cast("list[Frame]", batches)


class BulkPcap(PcapParser):
    """pcap whose records are taken as batches."""

    _tries = 8

    def _take(self, data: bytes, frames: list[Frame]) -> tuple[int, int]:
        offset = 0
        if self._link_type is None:
            offset = header_size(data)
            if offset > len(data):
                return 0, offset
            self._read_header(data)
        if self._swapped != "no":
            read: list[Frame] = []
            rest, need = super()._take(data[offset:], read)
            frames += _hand_over(list(batch_of(read)))
            return offset + rest, need
        head = self._header_size
        length = Struct(self._record.format[0] + "I").unpack_from
        records, offset = self._found(data, offset)
        more = self._walk(data, offset)
        # The walk goes by what each record claims: the last one may reach past these bytes,
        # and one that claims too much ends the reading.
        need, over = head, None
        if more:
            offset = more[-1] + head + length(data, more[-1] + 8)[0]
        if offset > len(data):
            offset = more.pop()
            claimed = length(data, offset + 8)[0]
            need = head + claimed
            over = offset if claimed > MAX_FRAME else None
        records = np.concatenate([records, np.array(more, np.int64)])
        fields = self._gather(data, records)
        captured = fields[:, 2].astype(np.int64)
        wrong = np.flatnonzero(captured > MAX_FRAME)
        if len(wrong):
            offset = over = int(records[wrong[0]])
            records, fields, captured = (each[: wrong[0]] for each in (records, fields, captured))
        if len(records):
            batch = Batch(
                data,
                self._offset,
                self.number + 1,
                records + head,
                captured,
                np.maximum(fields[:, 3].astype(np.int64), captured),
                fields[:, 0].astype(np.int64) * 1_000_000_000
                + fields[:, 1].astype(np.int64) * self._tick_ns,
                np.broadcast_to(np.int64(self._link_type or 0), len(records)),
                np.broadcast_to(np.int64(0), len(records)),
            )
            frames += _hand_over([batch])
            self.number += len(records)
        if over is not None:
            self._stop(f"a record claims {length(data, over + 8)[0]} bytes", over)
            return over, 0
        return offset, need

    def find(self, data: bytes) -> int | None:
        """Where the first record begins in bytes from anywhere in the file, as it seems.

        Each record leads to the next one's heading; in anything else that ends soon.
        """
        if self._swapped != "no":
            return None
        places = np.arange(min(len(data) - 15, _ANYWHERE))
        first = at_every(data, 16)[places].view(self._record.format[0] + "u4").reshape(-1, 4)
        for begin in np.flatnonzero(self._like(first))[:_GUESSES].tolist():
            at, met = begin, 0
            while at + 16 <= len(data) and met < _SURE:
                fields = np.array([self._record.unpack_from(data, at)])
                if not self._like(fields)[0]:
                    break
                at += self._header_size + int(fields[0, 2])
                met += 1
            else:
                return int(begin) if met >= 2 else None
        return None

    def _like(self, fields: Longs) -> Longs:
        """Which of these may be headings: moments of a second, lengths that there are."""
        _, fraction, captured, wire = fields.T
        fine: Longs = fraction < 1_000_000_000 // self._tick_ns
        fine &= (captured > 0) & (captured <= wire) & (wire < MAX_FRAME)
        return fine

    def _walk(self, data: bytes, offset: int) -> list[int]:
        """Where records begin, from ``offset`` on, one behind the other."""
        head, last = self._header_size, len(data) - self._header_size
        length = Struct(self._record.format[0] + "I").unpack_from
        where: list[int] = []
        note = where.append
        while offset <= last:
            note(offset)
            offset += head + length(data, offset + 8)[0]
        return where

    def _found(self, data: bytes, offset: int) -> tuple[Longs, int]:
        """The front of the same, found by what all headings have in common; and where it ends.

        All that looks like a heading is looked up at once, and kept as far as each leads to
        the next: in small records that takes a fraction of the time. What only looks like
        one breaks the chain, and the rest is walked; too often, and it is not tried again.
        """
        none = np.zeros(0, np.int64), offset
        if self._tries < 0 or len(data) - offset < 1 << 12 or self._record.format[0] != "<":
            return none
        octets = np.frombuffer(data, np.uint8)[offset:]
        end = len(octets) - 16
        # The upper half of the seconds (18 hours): one byte everywhere, the other where that is.
        places = np.flatnonzero(octets[3 : end + 3] == octets[3])
        places = places[octets[2:].take(places) == octets[2]]
        if not len(places) or places[0] or len(octets) > _SMALL * len(places):
            self._tries -= 1
            return none
        # The lengths' upper halves are zero.
        places += offset
        words = at_every(data, 4)
        length, wire = (words[places + at].view("<u4") for at in (8, 12))
        like = np.flatnonzero((length | wire) < 1 << 16)
        if not len(like) or like[0] or len(octets) > _SMALL * len(like):
            self._tries -= 1
            return none
        places = places[like]
        follow = places + self._header_size
        follow += length[like]
        wrong = np.flatnonzero(follow[:-1] != places[1:])
        if len(wrong):
            places = places[: wrong[0] + 1]
        self._tries += 1 if len(places) * 2 > len(follow) else -4
        self._tries = min(self._tries, _TRIES)
        # The last one goes to the walk: it may reach past these bytes.
        return places[:-1], int(places[-1])

    def _gather(self, data: bytes, records: Longs) -> NDArray[Any]:
        kind = self._record.format[0] + "u4"
        if not len(records):
            return np.zeros((0, 4), kind)
        view = at_every(data, 16)
        return view[records].view(kind).reshape(-1, 4)


class BulkPcapng(PcapngParser):
    """pcapng whose enhanced packet blocks are taken as batches, if their options allow it."""

    def _take(self, data: bytes, frames: list[Frame]) -> tuple[int, int]:
        offset, size = 0, len(data)
        batches: list[Batch] = []
        little = _A_LITTLE
        while True:
            where = self._run(data, offset)
            if where:
                offset = self._take_blocks(data, where, batches)
                little = _A_LITTLE
            if self.ended:
                need = 0
                break
            if size - offset < 12:
                need = 12
                break
            # What comes now is no packet block, or not whole: the usual way, a little of it.
            room = little
            while True:
                used, need = self._usual(data, offset, offset + room, batches)
                if used or self.ended or offset + room >= size:
                    break
                room = max(need, 2 * room)
            # Where nothing else comes for long it is no use to look again and again.
            little = min(2 * little, _MUCH)
            offset += used
            if not used or self.ended:
                break
        frames += _hand_over(batches)
        return offset, need

    def find(self, data: bytes) -> int | None:
        """Where the first packet block begins in bytes from some multiple of four, as it seems.

        Each block ends in its length, too, and leads to the next one.
        """
        words = np.frombuffer(data[: len(data) & ~3], self._order + "u4")
        for place in np.flatnonzero(words[: _ANYWHERE // 4] == ENHANCED_PACKET).tolist():
            at, met = place * 4, 0
            while at + 8 <= len(data) and met < _SURE:
                length = self._block.unpack_from(data, at)[1]
                if length < 12 or length & 3 or length > MAX_BLOCK:
                    break
                at += length
                if at <= len(data) and self._word.unpack_from(data, at - 4)[0] != length:
                    break
                met += 1
            else:
                return place * 4 if met >= 2 else None
        return None

    def _usual(self, data: bytes, begin: int, end: int, batches: list[Batch]) -> tuple[int, int]:
        """What the parser itself makes of ``data[begin:end]``."""
        read: list[Frame] = []
        self._offset += begin
        used, need = super()._take(data[begin:end], read)
        self._offset -= begin
        batches += batch_of(read)
        return used, need

    def _run(self, data: bytes, offset: int) -> list[int]:
        """Where packet blocks begin, one behind the other from ``offset`` on; and their end."""
        where: list[int] = []
        if self._skip or not self._in_section:
            return where
        note, head = where.append, self._block.unpack_from
        last, size = len(data) - 32, len(data)
        while offset <= last:
            kind, length = head(data, offset)
            if kind != ENHANCED_PACKET or length & 3 or length < 32 or length > MAX_BLOCK:
                break
            if offset + length > size:
                break
            note(offset)
            offset += length
        if where:
            note(offset)
        return where

    def _take_blocks(self, data: bytes, where: list[int], batches: list[Batch]) -> int:
        """Take packet blocks and return where they end: many ordinary ones at once."""
        blocks = np.array(where, np.int64)
        kind = self._order + "u4"
        view = at_every(data, 28)
        fields = view[blocks[:-1]].view(kind).reshape(-1, 7)
        ordinary, lost = self._ordinary(data, blocks, fields)
        edges = np.flatnonzero(ordinary[1:] != ordinary[:-1]) + 1
        edges = np.concatenate([[0], edges, [len(ordinary)]])
        done = 0  # up to here they are taken
        for begin, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if not ordinary[begin] or (end - begin < _WORTH and len(edges) > 2):
                continue
            if not self._each(data, blocks[done : begin + 1], batches):
                return int(blocks[begin])
            self._lost_before(lost[begin:end])
            self._take_run(data, blocks[begin:end], fields[begin:end], batches)
            done = end
        self._each(data, blocks[done:], batches)
        return int(blocks[-1])

    def _each(self, data: bytes, blocks: Longs, batches: list[Batch]) -> bool:
        """Take these blocks one by one, up to the last place; false if the reading ends there."""
        if len(blocks) > 1:
            self._usual(data, int(blocks[0]), int(blocks[-1]), batches)
        return not self.ended

    def _ordinary(
        self, data: bytes, blocks: Longs, fields: NDArray[Any]
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Which blocks have nothing odd, and what was lost before each of them."""
        lost = np.zeros(len(fields), np.uint64)
        words = at_every(data, 4)
        again = words[blocks[1:] - 4].view(self._order + "u4").reshape(-1)
        captured = fields[:, 5].astype(np.int64)
        fine: NDArray[Any] = again == fields[:, 1]
        more = fields[:, 1].astype(np.int64) - 32 - ((captured + 3) & ~3)
        fine &= more >= 0
        fine &= fields[:, 2] < len(self._clocks)
        fine &= _ticks(fields) < _FAST_TICKS
        some = np.flatnonzero(fine & (more > 0))
        if len(some):
            from tcpviz.bulk.segments.blockoptions import silent  # few packets have options

            end = blocks[1:][some] - 4
            fine[some], lost[some] = silent(data, self._order, end - more[some], end)
        return fine, lost

    def _lost_before(self, lost: NDArray[Any]) -> None:
        """Note what was lost before the packets that come now."""
        for place in np.flatnonzero(lost).tolist():
            count, number = int(lost[place]), self.number + 1 + place
            self._seen_drops += count
            self.losses[number] = self.losses.get(number, 0) + count
        self._count_drops()

    def _take_run(
        self, data: bytes, blocks: Longs, fields: NDArray[Any], batches: list[Batch]
    ) -> None:
        """Take blocks that are all ordinary."""
        count = len(blocks)
        interface, captured = fields[:, 2].astype(np.int64), fields[:, 5].astype(np.int64)
        whole = _ticks(fields).astype(np.int64)
        time_ns = np.empty(count, np.int64)
        link_type = np.empty(count, np.int64)
        for index in distinct(interface):
            clock, mine = self._clocks[index], interface == index
            link_type[mine] = self.interfaces[self._base + index].link_type
            if clock.divide == 1 and abs(clock.offset_ns) < 1 << 61:
                top = int(whole[mine].max()) * clock.multiply
                if top < 1 << 61:
                    time_ns[mine] = whole[mine] * clock.multiply + clock.offset_ns
                    continue
            time_ns[mine] = [clock.time_ns(each) for each in whole[mine].tolist()]
        batches.append(
            Batch(
                data,
                self._offset,
                self.number + 1,
                blocks + 28,
                captured,
                np.maximum(fields[:, 6].astype(np.int64), captured),
                time_ns,
                link_type,
                interface + self._base,
            )
        )
        self.number += count
        self._last_ns = int(time_ns[-1])


def _ticks(fields: NDArray[Any]) -> NDArray[Any]:
    ticks: NDArray[Any] = fields[:, 3].astype(np.uint64) << np.uint64(32)
    ticks |= fields[:, 4]
    return ticks


def bulk_stream(name: str) -> CaptureStream:
    """A stream whose ``feed`` gives :class:`Batch` where others give frames."""
    return CaptureStream(name, pcap=BulkPcap, pcapng=BulkPcapng, piece=PIECE)
