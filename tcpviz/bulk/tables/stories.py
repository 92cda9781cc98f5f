"""One connection of a capture segment by segment, by the core, from its own packets only.

A connection that is not long is followed from its beginning, with whatever shares its ends, so
that states, marks and history are what they would be had everything been followed. Of a long
one a *window* is followed. It begins where the connection begins, or where it is joined: at a
moment at which each end had acknowledged everything that the other one had sent. There a stretch
can be left out: the core is given the opening, then what comes from the joint on with its
numbers moved up, and the steps get their own numbers back. Where nothing is quiet the core is
led there over what the columns tell (:mod:`tcpviz.bulk.tables.carried`); if that takes too long it
is told how many segments it does not see, as if they had not been captured.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.following import Follower
from tcpviz.bulk.segments.flows import changes
from tcpviz.bulk.tables.carried import led
from tcpviz.bulk.tables.growing import Snapshot
from tcpviz.core.connection import Connection
from tcpviz.core.records import Gap, Moment, SegmentRecord, Side, Unreachable
from tcpviz.core.segment import ACK, FIN, RST, Segment
from tcpviz.core.timeline import Step, Timeline
from tcpviz.core.tracker import Tracker
from tcpviz.wire.decoder import Decoder

Array = NDArray[Any]

MOST = 600
"""Segments of a connection that are followed at a time."""

OVERLAP = 40
"""Segments that two windows next to each other share."""

OPENING = 64
"""Segments at the beginning among which a joint is looked for."""

LEAD = 2048
"""Segments before a window among which one is looked for."""

SETTLE = 16
"""Segments between the joint and the window: what the core remembers is theirs."""

_MASK = 0xFFFFFFFF


@dataclass(slots=True)
class Story:
    """What the core told of ``ident``.

    ``begin``, ``end``  which of its ``total`` segments the timeline has
    ``joint``  from which segment on it was followed without a break up to the window; 0: from
               the beginning, ``None``: from ``begin``, what came before is not known
    """

    ident: int
    version: int
    tracker: Tracker
    begin: int
    end: int
    total: int
    joint: int | None = 0

    @property
    def whole(self) -> bool:
        """Nothing of the connection is outside."""
        return self.begin == 0 and self.end == self.total


class Stories:
    """Tells of a snapshot's connections; not from two threads at a time."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        building = snapshot.building
        self._flows, self._gaps = building.flows, building.gaps
        self._array = snapshot.reading.columns.array
        self._follower = Follower(snapshot.reading, building.clock)
        self._decoder = Decoder(verify=True)
        rows = [row for row, _ in building.followed]
        firsts = np.concatenate([building.array["first"].astype(np.int64), np.array(rows, int)])
        firsts.sort()
        self._firsts = firsts[changes(firsts)]  # some that were followed stand in both
        self._lost: deque[tuple[int, Gap]] = deque()
        self._too_far: dict[int, int] = {}  # connections, and where the core was not led to in time
        self._known: tuple[int, Array] | None = None  # whose segments were asked for last

    def known(self, ident: int) -> Array | None:
        """What :meth:`rows` gave last, if it was of this connection; from any thread."""
        known = self._known
        return known[1] if known is not None and known[0] == ident else None

    def rows(self, ident: int) -> Array:
        """The rows of a connection's segments; late ones of the one before are taken for its."""
        known = self._known
        if known is not None and known[0] == ident:
            return known[1]
        first = self.snapshot.table.first_row(ident - 1)
        _, rows = self._flow(first)
        # Numbers of the rows' own kind, or all of the rows would be made anew for the search.
        begin = int(np.searchsorted(rows, rows.dtype.type(first)))
        low, high = np.searchsorted(self._firsts, [first, int(rows[-1])], "right").tolist()
        others = self._firsts[low:high]
        if len(others) < len(rows) - begin:
            at = np.searchsorted(rows, others.astype(rows.dtype))
            places = at[rows[at] == others]
        else:
            later = np.searchsorted(others, rows[begin + 1 :])
            opens = others[np.minimum(later, len(others) - 1)] == rows[begin + 1 :]
            places = np.flatnonzero(opens) + begin + 1
        made = rows[begin : int(places[0]) if len(places) else len(rows)]
        self._known = (ident, made)
        return made

    def _flow(self, first: int) -> tuple[int, Array]:
        flow = self._flows.flow_of(first)
        return flow, self._flows.rows(flow)

    def tell(self, ident: int, begin: int = 0, most: int = MOST) -> Story:
        """Follow a connection, ``most`` segments from the ``begin``-th on if it has more."""
        flow, together = self._flow(self.snapshot.table.first_row(ident - 1))
        errors = self.snapshot.building.about(flow)
        if len(together) <= most:
            return self._all(ident, together, self._gaps.beside(errors))
        rows = self.rows(ident)
        total = len(rows)
        if total <= most:
            # What went before on the same ends, but not all of it.
            before = together[together < rows[0]][-most:]
            together = np.concatenate([before, rows])
            return self._all(ident, together, self._gaps.beside(errors))
        self._lost = deque(self._gaps.every)
        begin = min(max(begin, 0), total - 1)
        end = min(begin + most, total)
        if begin <= OPENING:
            return self._from_start(ident, rows, end)
        return self._window(ident, rows, begin, end)

    def _all(
        self, ident: int, rows: Array, errors: Sequence[tuple[int, Unreachable | Gap]]
    ) -> Story:
        tracker = Tracker()

        def numbered(at: int, segment: Segment) -> Segment:
            self._number(tracker, int(rows[at]))
            return segment

        if errors:
            tracker.followed.scopes |= self.snapshot.building.met
        self._follower.follow(rows.tolist(), errors, tracker=tracker, changed=numbered)
        connection = tracker.connections[ident]
        total = connection.client.segments + connection.server.segments
        return Story(ident, self.snapshot.version, tracker, 0, total, total)

    def _number(self, tracker: Tracker, row: int) -> None:
        """What begins here has the number that it has in the table."""
        place = int(np.searchsorted(self._firsts, row))
        if place < len(self._firsts) and self._firsts[place] == row:
            tracker.number_from(place + 1)

    # -- windows ------------------------------------------------------------

    def _from_start(self, ident: int, rows: Array, end: int) -> Story:
        tracker = Tracker()
        tracker.number_from(ident)
        self._feed(tracker, rows[:end])
        story = Story(ident, self.snapshot.version, tracker, 0, end, len(rows))
        self._ended(story, rows)
        self._sums(story)
        return story

    def _feed(
        self,
        tracker: Tracker,
        rows: Array,
        changed: Callable[[Segment], Segment] = lambda segment: segment,
    ) -> None:
        clock, reading = self.snapshot.building.clock, self.snapshot.reading
        for row in rows.tolist():
            self._lose(tracker, row)
            moment = int(clock.now[row])
            clock.lead(tracker, tracker.now_ns, moment)
            segment = changed(reading.segment(row, self._decoder))
            tracker.feed(SegmentRecord(segment.time_ns, segment, Moment.SEEN))

    def _lose(self, tracker: Tracker, row: int | None = None) -> None:
        """Tell of what was lost before a row, and not told of yet; of all without one."""
        while self._lost and (row is None or self._lost[0][0] <= row):
            gap = self._lost.popleft()[1]
            for stop in self.snapshot.building.clock.stops(tracker.now_ns, gap.time_ns):
                tracker.tick(stop)
            tracker.feed(gap)

    def _window(self, ident: int, rows: Array, begin: int, end: int) -> Story:
        tracker = Tracker()
        tracker.number_from(ident)
        timeline = tracker.timeline = _Window()
        low = max(begin - LEAD, 0)
        early = _quiet(self._part(rows[:OPENING]))
        late = _quiet(self._part(rows[low:begin])) if begin - low > SETTLE else None
        joint: int | None = None
        lost = (0, 0)
        if early is not None and late is not None:
            # The last quiet moment of each, and how far each end's numbers had come by then.
            start = int(early.places[-1])
            usable = late.places[late.places + low <= begin - SETTLE]
            if len(usable) and int(usable[-1]) + low > start:
                at = int(usable[-1])
                joint = at + low
                lost = early.between(start, late, at)
                self._feed(tracker, rows[:start])
        if joint is None and (story := self._led(ident, rows, begin, end)) is not None:
            return story
        if joint is None:
            self._feed(tracker, rows[:OPENING])
            skipped = begin - OPENING
            when = int(self._array["time"][rows[begin]])
            tracker.feed(Gap(when, skipped, "the window on this long connection"))
            mark = len(tracker.timeline)
            self._feed(tracker, rows[begin:end])
        else:
            side = self._client(rows)

            def moved(segment: Segment) -> Segment:
                mine = segment.src == side
                gone, other = (lost[0], lost[1]) if mine else (lost[1], lost[0])
                return _moved(segment, gone, other)

            timeline.lost = lost
            self._feed(tracker, rows[joint:begin], moved)
            mark = len(tracker.timeline)
            self._feed(tracker, rows[begin:end], moved)
        story = Story(ident, self.snapshot.version, tracker, begin, end, len(rows), joint)
        self._ended(story, rows)
        timeline.shorten(max(len(timeline) - mark, 1))
        self._sums(story)
        return story

    def _led(self, ident: int, rows: Array, begin: int, end: int) -> Story | None:
        """A window to which the core is led from the beginning, unless that takes too long."""
        if begin >= self._too_far.get(ident, begin + 1):
            return None
        snapshot, tracker = self.snapshot, Tracker()
        tracker.number_from(ident)
        clock, gaps = snapshot.building.clock, self._gaps.every
        made = led(snapshot.reading, clock, rows, gaps, tracker, begin, end)
        if made is None:
            self._too_far[ident] = begin
            return None
        self._lost = deque((row, gap) for row, gap in gaps if row > rows[end - 1])
        story = Story(ident, snapshot.version, tracker, begin, end, len(rows))
        self._ended(story, rows)
        tracker.timeline.shorten(max(len(tracker.timeline) - made, 1))
        self._sums(story)
        return story

    def _ended(self, story: Story, rows: Array) -> None:
        """At the connection's last segment time goes on as far as the capture does."""
        if story.end < len(rows):
            return
        clock, tracker = self.snapshot.building.clock, story.tracker
        self._lose(tracker)
        clock.lead(tracker, tracker.now_ns, clock.end)

    def _client(self, rows: Array) -> Any:
        """Who sent the connection's first segment."""
        return self.snapshot.reading.segment(int(rows[0]), self._decoder).src

    def _sums(self, story: Story) -> None:
        """The connection's totals are the whole connection's, not the window's."""
        connection = story.tracker.connections.get(story.ident)
        if connection is None or story.whole:
            return
        known: Connection = self.snapshot.connection(story.ident - 1)
        for side in (Side.CLIENT, Side.SERVER):
            mine, other = connection.end(side), known.end(side)
            mine.segments, mine.bytes = other.segments, other.bytes

    def _part(self, rows: Array) -> _Part:
        array = self._array
        columns = {
            name: array[name][rows].astype(np.int64)
            for name in ("seq", "ack", "length", "flags", "src", "sport", "time")
        }
        first = int(self._array["src"][rows[0]]), int(self._array["sport"][rows[0]])
        return _Part(columns, first)


class _Part:
    """A stretch of one connection's segments: how far each end had come before each of them."""

    def __init__(self, columns: dict[str, Array], first: tuple[int, int]) -> None:
        src, sport = columns["src"], columns["sport"]
        flags = columns["flags"]
        self.first = first
        other = (src != first[0]) | (sport != first[1])
        took = columns["length"] + (flags & FIN) + (flags >> 1 & 1)
        self.places = np.zeros(0, np.int64)
        self.sent: list[Array] = []
        quiet = np.ones(len(flags), np.bool_)
        self.known = True
        for side in (False, True):
            mine = (other == side) & (flags & RST == 0)
            theirs = (other != side) & (flags & ACK != 0)
            if not mine.any() or not theirs.any():
                self.known = False
                return
            end = (columns["seq"] + took) & _MASK
            anchor = int(end[mine][0])
            sent = _far(np.where(mine, (end - anchor + (1 << 31) & _MASK) - (1 << 31), -(1 << 40)))
            ack = (columns["ack"] - anchor + (1 << 31) & _MASK) - (1 << 31)
            heard = _far(np.where(theirs, ack, -(1 << 40)))
            quiet &= sent == heard
            self.sent.append(np.where(sent > -(1 << 39), sent + anchor, -1))
        quiet[0] = False
        self.places = np.flatnonzero(quiet)

    def between(self, place: int, later: _Part, at: int) -> tuple[int, int]:
        """How far each end came from ``place`` here to ``at`` there; client first."""
        here = [int(self.sent[n][place]) for n in range(2)]
        there = [int(later.sent[n][at]) for n in range(2)]
        if later.first != self.first:
            there.reverse()
        return ((there[0] - here[0]) & _MASK, (there[1] - here[1]) & _MASK)


class _Window(Timeline):
    """A timeline whose steps get back the numbers that their segments have in the capture."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = (0, 0)

    def append(self, step: Step) -> None:
        super().append(step if self.lost == (0, 0) else _back(step, self.lost))


def _far(what: Array) -> Array:
    """The greatest before each."""
    highest = np.maximum.accumulate(what)
    out = np.empty_like(highest)
    out[:1], out[1:] = -(1 << 40), highest[:-1]
    return out


def _quiet(part: _Part) -> _Part | None:
    return part if part.known and len(part.places) else None


def _moved(segment: Segment, mine: int, theirs: int) -> Segment:
    """The segment as if so much less had been sent before it."""
    options = segment.options
    if options.sack:
        blocks = tuple(
            ((left - theirs) & _MASK, (right - theirs) & _MASK) for left, right in options.sack
        )
        options = replace(options, sack=blocks)
    ack = (segment.ack - theirs) & _MASK if segment.has_ack else segment.ack
    return replace(segment, seq=(segment.seq - mine) & _MASK, ack=ack, options=options)


def _back(step: Step, lost: tuple[int, int]) -> Step:
    """A step with the numbers that its segment has in the capture."""
    if step.segment is None or step.side is None:
        return step
    mine, theirs = lost if step.side is Side.CLIENT else (lost[1], lost[0])
    seq, ack = step.relative
    return replace(
        step,
        segment=_moved(step.segment, -mine, -theirs),
        relative=(seq + mine, None if ack is None else ack + theirs),
    )
