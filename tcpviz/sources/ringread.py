"""Who reads rings: mapped here, or as a capturing child hands their frames on through a pipe.

A *maker* makes of the frames of one pass what is wanted: :class:`FrameMaker` frames as any other
source gives them, :class:`tcpviz.bulk.live.ringmade.StretchMaker` columns. Both readers are asked
as those who parse captures are (:mod:`tcpviz.sources.parser`).
"""

from __future__ import annotations

import contextlib
import os
import select
import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tcpviz.sources.blockring import FRAME, chain
from tcpviz.sources.packets import begins_with_tag
from tcpviz.sources.parser import Interface
from tcpviz.sources.ring import (
    AT_ONCE_BYTES,
    COUNT,
    HEAD,
    HEADER,
    MAGIC,
    MAGIC_BLOCKS,
    PASS_S,
    PATIENT_S,
    WAKE,
    Ring,
)
from tcpviz.wire.frame import Frame

PATIENCE_S = 0.25
"""Seconds that the counters may take to come when packets were lost; later they are told later."""

RUSH = range(24, 1024)
"""With so many packets in one pass the next one is twice as far away; a flood is taken sooner."""

CROWD = 8192
"""Packets in one pass that are a crowd, where more are waiting."""

CROWDED = 1 / 3
"""Of a ring so much is left waiting where it is a crowd, ..."""

PRESSED = 1 / 16
"""... and so much where nobody should go on following what has come: at 200 000 packets a second
it has come in a tenth of a second, and to follow it takes two at least."""

SHARE = 0.25
"""Of a ring so much may fill between two passes, at the rate of the last one."""

PASSES = 1.75
"""Passes' worth of packets for which nobody who is patient wakes: the first one after a tenth of a
second of sleep, in which the caches have forgotten all, costs 2 to 3 ms more than one that follows
at once. A quarter is left for what varies."""

LEFT_S = 5.0
"""Seconds for which what still lies in the rings is read when the capture has ended."""

LOSING, VLAN_VALID, TPID_VALID = 0x04, 0x10, 0x40  # TP_STATUS_*
OUTGOING = 4  # PACKET_OUTGOING

Link = tuple[int, bool]
"""An interface's link type, and whether its frames are read without their link header (cooked)."""

_SLL2 = struct.Struct("!HHiHBB8s")  # LINKTYPE_LINUX_SLL2
_head = struct.Struct("=IIIHHIIHH")  # struct tpacket2_hdr


class Maker(Protocol):
    """Makes something of frames as they lie in rings of interfaces with these ``links``.

    ``most``  frames that are best made something of together
    """

    links: Sequence[Link]
    most: int
    losses: dict[int, int]

    def reading(self, ring: Ring) -> Ring:
        """The ring as it is best read by this maker."""
        ...

    def copied(self, views: Sequence[memoryview], /) -> Any:
        """The bytes of frames that lie in the ring, so that they can be given back there."""
        ...

    def part(self, number: int, /, data: Any, size: int, *, skip_outgoing: bool) -> Any:
        """What came in one ring: frames of ``size`` bytes, or blocks (0).

        ``skip_outgoing``: without what is on its way out.
        """
        ...

    def loses(self, part: Any) -> bool:
        """The kernel says in its last frame that something was lost."""
        ...

    def put(self, parts: list[tuple[int, Any]], lost: int, number: int) -> tuple[list[Any], int]:
        """All of one pass, in the order of time; and how many frames that is.

        ``lost`` packets among them or before them; ``number`` of the first frame.
        """
        ...


class FrameMaker:
    """Frames, one by one. ``losses``: by the number of a frame, what was lost before it."""

    most = 1 << 11  # to tell of so many takes a second at most: Ctrl-C is not to wait for more

    def __init__(self, links: Sequence[Link]) -> None:
        self.links = links
        self.losses: dict[int, int] = {}

    def reading(self, ring: Ring) -> Ring:
        return ring

    def copied(self, views: Sequence[memoryview], /) -> bytes:
        return b"".join(views)

    def part(
        self, number: int, /, data: bytes, size: int, *, skip_outgoing: bool
    ) -> list[tuple[int, int, bytes, int, int]]:
        """(time, link type, data, length on the wire, status) of each."""
        if not size:
            return self._of_blocks(number, data, skip_outgoing=skip_outgoing)
        link_type, is_cooked = self.links[number]
        made = []
        for at in range(0, len(data), size):
            status, length, captured, mac, _, seconds, fraction, tci, tpid = _head.unpack_from(
                data, at
            )
            if skip_outgoing and data[at + HEADER + 10] == OUTGOING:
                continue
            start = at + mac
            packet = data[start : min(start + captured, at + size)]
            tag = b""
            if status & VLAN_VALID:
                tpid = tpid if status & TPID_VALID else 0x8100
                tag = tpid.to_bytes(2, "big") + tci.to_bytes(2, "big")
            address = data[at + HEADER : at + HEADER + 20] if is_cooked else b""
            packet, length = whole(packet, length, tag, address)
            made.append((seconds * 1_000_000_000 + fraction, link_type, packet, length, status))
        return made

    def _of_blocks(
        self, number: int, data: bytes, *, skip_outgoing: bool
    ) -> list[tuple[int, int, bytes, int, int]]:
        link_type, is_cooked = self.links[number]
        made = []
        places, losing = chain(data)
        lost = 0
        for place, at in enumerate(places):
            row = FRAME.unpack_from(data, at)
            _, seconds, fraction, captured, length, status, mac, _, _, tci, tpid, _ = row
            # What is left out may have been the first after a loss.
            lost |= LOSING if place in losing else 0
            if skip_outgoing and data[at + FRAME.size + 10] == OUTGOING:
                continue
            packet = data[at + mac : at + mac + captured]
            tag = b""
            if status & VLAN_VALID:
                tpid = tpid if status & TPID_VALID else 0x8100
                tag = tpid.to_bytes(2, "big") + (tci & 0xFFFF).to_bytes(2, "big")
            address = data[at + FRAME.size : at + FRAME.size + 20] if is_cooked else b""
            packet, length = whole(packet, length, tag, address)
            time_ns = seconds * 1_000_000_000 + fraction
            made.append((time_ns, link_type, packet, length, status & ~LOSING | lost))
            lost = 0
        return made

    def loses(self, part: list[tuple[int, int, bytes, int, int]]) -> bool:
        return any(row[4] & LOSING for row in part)

    def put(self, parts: list[tuple[int, Any]], lost: int, number: int) -> tuple[list[Any], int]:
        rows = [(ring, row) for ring, part in parts for row in part]
        if len(parts) > 1:
            rows.sort(key=lambda entry: entry[1][0])
        self.losses = {}
        made: list[Frame] = []
        for ring, (time_ns, link_type, data, length, status) in rows:
            if lost and status & LOSING:
                self.losses[number + len(made)] = lost
                lost = 0
            wire = max(length, len(data))
            made.append(Frame(time_ns, link_type, data, wire, number + len(made), ring))
        return made, len(made)


def whole(data: bytes, length: int, tag: bytes, address: bytes) -> tuple[bytes, int]:
    """A packet with the VLAN tag that Linux took, and its length.

    ``address``: of a cooked one its ``struct sockaddr_ll``, which becomes its link header.
    """
    if not address:
        if tag and len(data) >= 12:
            data, length = data[:12] + tag + data[12:], length + 4
        return data, length
    protocol = int.from_bytes(address[2:4], "big")
    # Two tags, of which Linux took one: see PacketSocket.
    if tag and begins_with_tag(data, protocol):
        protocol = 0x8100
    if tag:  # it goes where the protocol was, and the protocol behind it
        data = tag[2:] + protocol.to_bytes(2, "big") + data
        protocol = int.from_bytes(tag[:2], "big")
        length += 4
    index, hardware, kind, halen = struct.unpack_from("=iHBB", address, 4)
    head = _SLL2.pack(protocol, 0, index, hardware, kind, min(halen, 8), address[12:20])
    return head + data, length + len(head)


def told_unread(count: int) -> str:
    """How many packets nobody reads any more, as a line for the person."""
    packets = f"{count:,}".replace(",", " ")
    return f"{packets} packets had come and were not read any more when the capture ended"


class Reader:
    """What both have in common.

    ``dropped``   by the kernel, in all so far; ``accepted`` by the filter
    ``unread``    packets that lay in the rings when nobody would read them any more
    ``interfaces``, ``notes``, ``losses``  what else is asked of those who parse captures
    """

    def __init__(self, descriptor: int, begun: bytes, names: Sequence[str], maker: Maker) -> None:
        self._descriptor = descriptor
        self._begun = begun
        self._maker = maker
        pairs = zip(names, maker.links, strict=True)
        self.interfaces = [Interface(name, link_type) for name, (link_type, _) in pairs]
        self.notes: list[str] = []
        self.dropped = 0
        self.accepted = 0
        self.frames = 0
        self.unread = 0
        self.ended = False
        self._told = 0

    @property
    def losses(self) -> dict[int, int]:
        return self._maker.losses

    def read(self) -> list[Any] | None:
        """What is made of what can be read now (there may be nothing); None at the end."""
        raise NotImplementedError

    def finish(self) -> None:
        """Nothing more will come."""
        self.ended = True

    def close(self) -> None:
        """Let go of what is held; from any thread."""

    def _put(self, parts: list[tuple[int, Any]]) -> list[Any]:
        lost, self._told = self.dropped - self._told, self.dropped
        if not parts and not lost:
            return []
        made, count = self._maker.put(parts, lost, self.frames + 1)
        self.frames += count
        return made


class PipedReader(Reader):
    """Headings and frames from the descriptor of a child that reads its rings itself."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._parts: list[tuple[int, Any]] = []

    def read(self) -> list[Any] | None:
        head = bytearray(HEAD.size)
        head[: len(self._begun)] = self._begun
        if not self._fill(head, len(self._begun)):
            return None
        self._begun = b""
        magic, count, size, which, self.accepted, self.dropped = HEAD.unpack(head)
        number, rings = which >> 1, len(self._maker.links)
        if magic not in (MAGIC, MAGIC_BLOCKS) or count * size > 1 << 28 or number >= rings:
            self.ended = True
            return None
        if count:
            data = bytearray(count * size)
            if not self._fill(data, 0):
                return None
            skip = bool(which & 1)
            if magic == MAGIC_BLOCKS:
                size = 0
            part = self._maker.part(number, bytes(data), size, skip_outgoing=skip)
            self._parts.append((number, part))
            if rings > 1:
                return []  # until those of the other rings have come as well
        parts, self._parts = self._parts, []
        return self._put(parts)

    def _fill(self, data: bytearray, done: int) -> bool:
        view = memoryview(data)
        while done < len(data):
            got = os.readv(self._descriptor, [view[done:]])
            if not got:
                self.ended = True
                return False
            done += got
        return True


class MappedReader(Reader):
    """Rings mapped into this process; ``ask`` tells the child what it is to do.

    ``due``  when the next pass is, by time.monotonic(); None: when the child says that something
             has come
    ``crowded``  at the last pass a third of a ring was left waiting, or more than CROWD packets
             had come and were not all: to follow them all would take longer than the ring lasts
    ``patient``  nobody waits for each packet: passes are as large as they may be, at most
             PATIENT_S apart, but for a glance as often as a flood might fill the ring. A packet
             costs a third less in five times as large a pass
    """

    def __init__(
        self,
        descriptor: int,
        begun: bytes,
        names: Sequence[str],
        maker: Maker,
        rings: Sequence[Ring],
        ask: Callable[[bytes], None],
    ) -> None:
        super().__init__(descriptor, begun, names, maker)
        self._rings = [maker.reading(ring) for ring in rings]
        self._ask = ask
        self._lock = threading.Lock()
        self.due: float | None = 0.0
        self.patient = self.crowded = False
        # Frames of a pass; of several rings each has its share.
        longest = max(1, *(ring.size for ring in rings))
        self._most = max(min(maker.most, AT_ONCE_BYTES // longest), 2)
        self._lasts = min(ring.lasts_s for ring in rings)
        self._began = self._until = self._share = self._next = 0.0
        self._rest = -1
        self._passed = self._before = 0
        self._full = False

    def read(self) -> list[Any] | None:
        if self._rest < 0 and self._listen():
            self.due = self.due or 0.0
            return []
        # The child has ended, and has let nothing more in before that, if it could.
        now = time.monotonic()
        if self._rest < 0:
            self.due, self._until = None, now + LEFT_S
            for ring in self._rings:
                ring.over = True
            self._rest = sum(ring.waiting() for ring in self._rings)
        if self._rest > 0 and now < self._until:
            before = self._rest
            made = self._take(self._rest, asks=False)
            if self._rest < before:
                return made
        made = self._put([])
        self.unread, self._rest = self._rest, 0
        self.ended = not made
        return made or None

    def pull(self) -> list[Any]:
        """One pass: what has come since the last one. It says when the next one is due."""
        began = time.monotonic()
        if began < self._next and not self._fuller(SHARE):
            self.due = min(self._next, began + (1 - SHARE) * self._lasts)
            return []
        made = self._take(self._most if self.patient else self._most // 2, asks=True)
        if self._full:
            self._next = self.due = began  # more has come already
            return made
        count, since = self._passed - self._before, began - self._began
        self._began, self._before = began, self._passed
        share, self._share = self._share, 0.0
        if count:
            self._next = began + min(self._pause(count, since), SHARE * since / share)
            # In the meantime it is only looked whether a flood has begun.
            self.due = min(self._next, began + self._lasts) if self.patient else self._next
        elif self.due is not None:
            self.due, self._next = None, 0.0
            self._ask(WAKE)
        return made

    @property
    def pressed(self) -> bool:
        """So much waits that whoever follows had better leave it at counting."""
        return self._fuller(PRESSED)

    def _fuller(self, share: float) -> bool:
        """More than so much of a ring waits."""
        with self._lock:
            return any(ring.fuller(share) for ring in self._rings)

    def _pause(self, count: int, since: float) -> float:
        """Seconds until the next pass, when ``count`` frames have come in ``since`` seconds."""
        if not self.patient:
            # Of a rush nobody looks at each: the screen's own beat takes several passes together.
            return 2 * PASS_S if count in RUSH else PASS_S
        return max(min(PASSES * self._most * since / count, PATIENT_S), PASS_S)

    def _take(self, most: int, *, asks: bool) -> list[Any]:
        with self._lock:
            parts = []
            before = self._passed
            self._full = self.crowded = False
            share = 0.0
            most = max(min(most, self._most) // max(len(self._rings), 1), 1)
            for number, ring in enumerate(self._rings):
                count = ring.ready(most)
                self._full = self._full or ring.more or count == most
                if count:
                    share = max(share, ring.share(count))
                    data = self._maker.copied(ring.stretches(count))
                    ring.release(count)
                    self.crowded = self.crowded or ring.fuller(CROWDED)
                    self._passed += count
                    self._rest = max(self._rest - count, 0) if self._rest > 0 else self._rest
                    skip = ring.skip_outgoing
                    part = self._maker.part(number, data, ring.size, skip_outgoing=skip)
                    parts.append((number, part))
            self._share += share
            taken = self._passed - before
            self.crowded = self.crowded or (self._full and taken >= CROWD)
        if asks and any(self._maker.loses(part) for _, part in parts):
            self._ask(COUNT)
            if select.select([self._descriptor], [], [], PATIENCE_S)[0]:
                self._listen()
        return self._put(parts)

    def _listen(self) -> bool:
        """Take what the child has written; False at its end."""
        data = os.read(self._descriptor, 64 * HEAD.size)
        if not data:
            return False
        data = self._begun + data
        whole_ones = len(data) // HEAD.size * HEAD.size
        self._begun = data[whole_ones:]
        for magic, _, _, _, accepted, dropped in HEAD.iter_unpack(data[:whole_ones]):
            if magic == MAGIC:
                self.accepted, self.dropped = accepted, dropped
        return True

    def close(self) -> None:
        """What still lies in the rings is counted as unread, and they are let go of."""
        with self._lock:
            rings, self._rings = self._rings, []
            if not self.ended:
                with contextlib.suppress(ValueError):
                    for ring in rings:
                        ring.over = True  # the child is gone
                    self.unread += sum(ring.waiting() for ring in rings)
            for ring in rings:
                ring.close()
