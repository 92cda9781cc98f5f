"""A live capture through a packet ring: every connection counted, as many as can be followed.

As long as whoever follows the segments keeps up, this feed gives every one of them, as any other
does. All the same each stretch goes through the :class:`~tcpviz.bulk.live.table.LiveTable`, which
costs a hundredth of that. When there is more than can be followed, :meth:`RingFeed.only`
leaves the following to one connection: its segments come from the beginning, as far back as the
latest stretches are kept, and all others are in the table, which misses none.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from tcpviz.bulk.live.blocks import StretchBlocks
from tcpviz.bulk.live.odd import FEW, NONE, Ends, look, of_segments
from tcpviz.bulk.live.ringmade import StretchMaker
from tcpviz.bulk.live.rows import LiveRows
from tcpviz.bulk.live.stretches import Columns, Ints, Stretch, merged
from tcpviz.bulk.live.table import ROWS, LiveTable, Taken
from tcpviz.bulk.live.waiting import Waiting
from tcpviz.core.hosts import HostReading
from tcpviz.core.kernel_events import KernelEvent
from tcpviz.core.records import Gap, Moment, Note, Record, SegmentRecord
from tcpviz.core.segment import Segment
from tcpviz.sources import ring
from tcpviz.sources.child import Child
from tcpviz.sources.live import LiveFeed
from tcpviz.sources.recent import Kept
from tcpviz.sources.ringread import Link, Maker
from tcpviz.wire.decoder import Decoder

KEPT = 64 << 20
"""Bytes of the latest stretches, so that a connection can be followed from some time ago."""

ROW = 410
"""Bytes of memory that a row of the table takes, about: 310 of columns, the rest to find it."""

MOST_TOLD = 20_000
"""Segments of one connection that are told at once when it begins to be followed."""


LAG_NS = 250_000_000
"""Nanoseconds since the latest packet of what is being read, from which on it is too many."""


FOLLOWED = 25_000.0
"""Segments a second that are followed at most; a fast machine follows about half as many."""

SMOOTHING = 0.12
"""Share of the latest pass in the rate: one great burst does not count as a rate."""

CALM = 3_000.0
"""Segments a second below which all are followed again: an eighth of what ends that."""

LEAST_S = 0.4
"""Seconds without a segment after which the rate is measured all the same."""

CALM_S = 3.0
"""Seconds for which there must be no more than that."""


class FollowedAgain(list[Record]):
    """From here on everything is followed; connections up to number ``since`` were counted."""

    def __init__(self, since: int) -> None:
        super().__init__()
        self.since = since


class Followed(list[Record]):
    """Records of one connection. ``fresh``: all that came before is told anew."""

    def __init__(self, records: Sequence[Record], ident: int, *, fresh: bool) -> None:
        super().__init__(records)
        self.ident = ident
        self.fresh = fresh


class RingFeed(LiveFeed):
    """A :class:`LiveFeed` that uses a ring where one is to be had, and else captures as that does.

    ``rows``    the table's connections; empty where there is no ring
    ``ring``    there is one; ``way`` tells how it captures, in a few words
    ``overwhelmed``  more comes than can be made segments of: they are counted only, and
                     whoever follows must choose one connection
    ``calm``  while they are counted: so little comes now that all can be followed again
    ``counted``  that has happened once
    """

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self.table = LiveTable()
        self.changing = threading.Lock()
        self._waiting = Waiting()
        self.rows = LiveRows(self.table, self.changing, self._count_waiting)
        self.overwhelmed = False
        self.calm = self.counted = False
        self._looked_at = self._rate = self._busy_at = 0.0
        self._asked_only: int | None = None
        self._serving: int | None = None
        self._fast = Decoder(verify=False)
        self._log: deque[tuple[Stretch, Taken]] = deque()
        self._logged = 0
        self._let_go = False
        self._kept = KEPT
        self._made: StretchMaker | None = None
        super().__init__(*arguments, **more)

    def spare(self, memory: int) -> None:
        """Take what fits into so many bytes for all processes; before it is opened.

        An eighth for the ring (a quarter, where packets are kept whole), an eighth for the rows
        (:data:`ROW` bytes each, with their place in the dictionary), a sixteenth for the latest
        stretches; the rest is the program's own.
        """
        self.table = LiveTable(max(min(ROWS, memory // 8 // ROW), 1 << 15))
        self.rows = LiveRows(self.table, self.changing, self._count_waiting)
        self._kept = min(KEPT, memory // 16)
        for config in self._configs:
            if config.get("ring"):
                share = memory // (4 if ring.in_blocks(self._snaplen) else 8)
                config["ring"] = min(config["ring"], 1 << share.bit_length() - 1)

    def _maker(self, links: Sequence[Link]) -> Maker:
        self._made = StretchMaker(links)
        return self._made

    @property
    def ring(self) -> bool:
        """There is a ring, and so a table that counts."""
        return self.ringed

    # -- what is given ------------------------------------------------------

    def only(self, ident: int) -> None:
        """From now on give only this connection's records; from any thread."""
        self._asked_only = ident
        self.counted, self.calm, self._busy_at = True, False, 0.0
        self._children.nudge()

    def follow_all(self) -> None:
        """Give everything again; a :class:`FollowedAgain` tells from where. From any thread."""
        self._asked_only = None
        self._children.nudge()

    def pressed(self) -> bool:
        """Asked between two segments by who follows them in the feed's own thread.

        True where more has come meanwhile than can be followed: the rest of what was given has
        been counted, and so will be all else.
        """
        if self._mapped is not None and self._serving is None and self._mapped.pressed:
            self.overwhelmed = True
        return self.overwhelmed

    @property
    def everything(self) -> bool:
        """Every connection's records are given."""
        return self._asked_only is None

    def batches(self) -> Iterator[list[Record]]:
        try:
            yield from self._batches()
        finally:
            with self.changing:
                self._count_waiting()

    def _batches(self) -> Iterator[list[Record]]:
        for batch in super().batches():
            wanted = self._asked_only
            if self._waiting.due or wanted is not None:
                with self.changing:
                    self._count_waiting()
            if self._mapped is not None:
                self._mapped.patient = wanted is not None
                self._kernel.be_patient(wanted is not None)
            self._look_for_calm()
            if wanted is None and self._serving is not None:
                yield Followed(batch, self._serving, fresh=False)
                self._serving, self.overwhelmed, self.calm = None, False, False
                yield FollowedAgain(self.table.born)
            elif wanted is None:
                yield batch
            elif wanted != self._serving:
                # All that came so far is in what is kept, this batch as well.
                self._serving = wanted
                self._kernel.forget()
                readings = [each for each in batch if isinstance(each, HostReading)]
                yield Followed([*self._again(wanted), *readings], wanted, fresh=True)
            else:
                batch = self._concerning(batch, wanted)
                yield Followed(batch, wanted, fresh=False) if batch else batch

    def _concerning(self, batch: list[Record], ident: int) -> list[Record]:
        """Without the kernel's events about others than that connection."""
        if not any(isinstance(record, KernelEvent) for record in batch):
            return batch
        one = self.rows.get(ident)
        ends = set() if one is None else {one.client.endpoint, one.server.endpoint}
        return [
            record
            for record in batch
            if not isinstance(record, KernelEvent) or {record.local, record.peer} == ends
        ]

    def _digest(self, child: Child, frames: list[Any]) -> list[Record]:
        if not self.ring:
            return super()._digest(child, frames)
        reader = self._mapped
        if reader is not None and reader.crowded and self._serving is None:
            self.overwhelmed = True
        records: list[Record] = []
        for stretch in frames:
            records += self._take(stretch)
        return records

    def _take(self, stretch: Stretch) -> list[Record]:
        if self._left is not None:
            if len(stretch) > self._left:
                stretch = stretch.head(self._left)
            self._left -= len(stretch)
        self._dropped += stretch.lost
        if not len(stretch) and not stretch.lost:
            return []
        self.status.frames += len(stretch)
        if self._keeping.writes:
            at = stretch.lost_before() if stretch.lost else -1
            batch = StretchBlocks(stretch, self._snaplen)
            self._keeping.save_many(batch, stretch.lost, at)
        follows = self._serving is None and not self.overwhelmed
        if follows and not self.counted and self._waiting.fits(stretch):
            return self._follow(stretch)
        return self._count(stretch)

    def _follow(self, stretch: Stretch) -> list[Record]:
        """Its segments at once; they are counted with others later, or now if they are too many."""
        segments = [self._decoder.decode(stretch.frame(place)) for place in range(len(stretch))]
        found = [segment for segment in segments if segment is not None]
        self.status.segments += len(found)
        if found:
            self._look_at_lag(len(found), found[-1].time_ns)
        with self.changing:
            self._waiting.add(stretch, segments)
            if self.overwhelmed:
                self._count_waiting()
        records: list[Record] = []
        if not self.overwhelmed:
            records += [SegmentRecord(each.time_ns, each, Moment.SEEN) for each in found]
        return records + self._others()

    def _count_waiting(self) -> None:
        """Whoever calls this has ``changing``."""
        waited = self._waiting.take()
        if waited is not None:
            stretch, segments = waited
            columns, odd = stretch.columns(self.table.mixer)
            known = ((place, segments[place]) for place in odd.tolist())
            slow = [(place, segment) for place, segment in known if segment is not None]
            self._enter(stretch, columns, slow)

    def _enter(
        self,
        stretch: Stretch,
        columns: Columns,
        slow: Sequence[tuple[int, Segment]],
        ends: Ends = NONE,
    ) -> tuple[Columns, Taken]:
        """Count it, and keep it. Whoever calls this has ``changing``."""
        if slow:
            others = Ends.of(slow)
            columns = merged(columns, of_segments(slow, others, self.table.mixer))
            ends = ends.with_others(others)
        taken = self.table.take(stretch, columns, ends)
        self._keep(stretch, taken)
        return columns, taken

    def _count(self, stretch: Stretch) -> list[Record]:
        """Count it, and tell of its segments those that are wanted."""
        wanted = self._serving
        columns, rest = stretch.columns(self.table.mixer)
        columns, ends, rest = self._at_once(stretch, columns, rest)
        slow = self._slowly(stretch, rest)
        with self.changing:
            self._count_waiting()
            if stretch.lost:
                self.table.note_gap()
            columns, taken = self._enter(stretch, columns, slow, ends)
        self.status.segments += len(columns)
        if wanted is None:
            if len(columns):
                self._look_at_lag(len(columns), int(columns.time_ns[-1]))
            chosen: Sequence[int] = () if self.overwhelmed else range(len(stretch))
        else:
            self._measure(len(columns))
            chosen = taken.of(wanted)
        return self._records(stretch, chosen, dict(slow))

    def _look_at_lag(self, count: int, last_ns: int) -> None:
        """What came so long ago that we will not catch up is counted, and not followed.

        Nor what comes so fast that we would not: to find that out by trying takes all of a core.
        """
        self._measure(count)
        if self._rate > FOLLOWED or time.time_ns() - last_ns > LAG_NS:
            self.overwhelmed = True

    def _measure(self, count: int) -> None:
        """So many more: how many a second that makes."""
        now = time.monotonic()
        passed = max(now - self._looked_at, ring.PASS_S)
        self._looked_at = now
        share = min(SMOOTHING * passed / ring.PASS_S, 1.0)
        if count and self._serving is None:
            share = SMOOTHING  # a pass that was held up is no great rate
        self._rate += share * (count / passed - self._rate)

    def _look_for_calm(self) -> None:
        """While connections are only counted: whether all could be followed for some seconds."""
        if self._serving is None:
            return
        if time.monotonic() - self._looked_at > LEAST_S:
            self._measure(0)
        if self._rate > CALM or self._busy_at == 0.0:
            self._busy_at = time.monotonic()
        self.calm = time.monotonic() - self._busy_at >= CALM_S

    def _at_once(
        self, stretch: Stretch, columns: Columns, rest: Ints
    ) -> tuple[Columns, Ends, Ints]:
        """With what is behind other headers, where it is much; and what is left of it."""
        if len(rest) <= FEW:
            return columns, NONE, rest
        found = look(stretch, rest, self.table.mixer)
        for alike in found.alike:
            self._decoder.skip_alike(stretch.frame(int(alike[0])), len(alike))
        return merged(columns, found.columns), found.ends, found.rest

    def _slowly(self, stretch: Stretch, places: Ints) -> list[tuple[int, Segment]]:
        """The segments among what the fast road could not take."""
        found = []
        for place in places.tolist():
            segment = self._decoder.decode(stretch.frame(place))
            if segment is not None:
                found.append((place, segment))
        return found

    def _records(
        self, stretch: Stretch, places: Sequence[int], slow: dict[int, Segment]
    ) -> list[Record]:
        """Those of the segments at these places, and of what was lost among them."""
        records: list[Record] = []
        gap_at = stretch.lost_before() if stretch.lost else -1
        decode = self._fast.decode
        for place in places:
            if 0 <= gap_at <= place:
                records.append(self._gap(stretch, gap_at))
                gap_at = -1
            segment = slow.get(place) or decode(stretch.frame(place))
            if segment is not None:
                records.append(SegmentRecord(segment.time_ns, segment, Moment.SEEN))
        if gap_at >= 0:
            records.append(self._gap(stretch, gap_at))
        return records + self._others()

    def _others(self) -> list[Record]:
        """What the decoder has found besides: given-up fragments, ICMP errors."""
        records: list[Record] = []
        for segment in self._decoder.extra:
            records.append(SegmentRecord(segment.time_ns, segment, Moment.SEEN))
        self._decoder.extra.clear()
        records.extend(self._decoder.errors)
        self._decoder.errors.clear()
        return records

    def _gap(self, stretch: Stretch, place: int) -> Gap:
        times = stretch.times()
        when = int(times[min(place, len(times) - 1)]) if len(times) else self.table.now_ns
        return Gap(when, stretch.lost, "the kernel")

    # -- what is kept -------------------------------------------------------

    def kept(self) -> Kept | None:
        """The frames of the latest stretches; from any thread."""
        if not self.ring:
            return super().kept()
        with self.changing:
            stretches = [*(stretch for stretch, _ in self._log), *self._waiting.stretches()]
            for stretch in stretches:
                stretch.lent = True
        frames = (frame for stretch in stretches for frame in stretch.frames())
        return Kept(frames, [self.interfaces[0].name], whole=not self._let_go)

    def _keep(self, stretch: Stretch, taken: Taken) -> None:
        self._log.append((stretch, taken))
        self._logged += stretch.nbytes + taken.nbytes
        while self._logged > self._kept and len(self._log) > 1:
            old, former = self._log.popleft()
            self._logged -= old.nbytes + former.nbytes
            self._let_go = True
            if not old.lent and self._made is not None:
                self._made.give_back(old)

    def _again(self, ident: int) -> list[Record]:
        """What is still kept of one connection; a note, if that is not all."""
        records: list[Record] = []
        decoder = Decoder(verify=False)
        for stretch, taken in self._log:
            for place in taken.of(ident):
                segment = decoder.decode(stretch.frame(place))
                if segment is not None:
                    records.append(SegmentRecord(segment.time_ns, segment, Moment.SEEN))
        del records[:-MOST_TOLD]
        connection = self.rows.get(ident)
        counted = 0
        if connection is not None:
            counted = connection.client.segments + connection.server.segments - len(records)
        if counted > 0:
            when = records[0].time_ns if records else self.table.now_ns
            text = f"{counted} earlier segments of this connection were counted, not followed"
            records.insert(0, Note(when, text))
        return records
