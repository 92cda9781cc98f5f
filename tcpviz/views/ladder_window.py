"""The window of a chart: the part of a connection whose rows are made.

A connection of a million segments has as many rows; only those around what is
looked at are made, and made anew elsewhere when one goes there. Where the whole
connection fits in the window, its rows are made once and only added to.
"""

from __future__ import annotations

import bisect
from typing import Final

from tcpviz.core.records import Side
from tcpviz.core.timeline import StepKind
from tcpviz.views import digest as d
from tcpviz.views.ladder_folding import FoldingBuilder
from tcpviz.views.ladder_folds import Folds
from tcpviz.views.ladder_index import ChartIndex
from tcpviz.views.ladder_labels import Fins
from tcpviz.views.ladder_parts import Bar

WINDOW: Final = 600
"""Rows' steps that a window on the screen has before and behind what is looked at."""

_RUN_IN: Final = 48
"""Steps before the window that are read too: segments that left there may arrive in it."""

_LATEST: Final = 64
"""Steps at the end of a fold that are read for what is on its way there."""

_CALLS_BACK: Final = 256
"""Steps of calls that are looked through for those that have not returned."""


class ChartWindow:
    """Feeds a builder with what ``folds`` leaves of the index.

    ``reach``  steps to each side of what is looked at; ``None``: everything there is
    ``made``   goes up whenever the rows were made anew
    """

    def __init__(self, index: ChartIndex, folds: Folds, reach: int | None) -> None:
        self.index = index
        self.folds = folds
        self.reach = reach
        self.made = 0
        self.build = FoldingBuilder(index.connection)
        self._new = (1, True, 0, True)
        self._from = 0
        self._next = 0
        self._entries = 0
        self._shed = 0
        self._signature: tuple[object, ...] = ()

    @property
    def at_start(self) -> bool:
        """Nothing that is kept is before the rows."""
        return self._from <= self.index.floor

    @property
    def at_end(self) -> bool:
        """Nothing that was read is behind the rows."""
        return self._next >= len(self.index)

    @property
    def last_step(self) -> int:
        """Index of the last step that has been given a row, or passed over; -1: none."""
        return self.index.steps[self._next - 1] if self._next > 0 else -1

    @property
    def first_step(self) -> int:
        """Index of the first step whose row is made."""
        return self.index.steps[self._from] if self._from < len(self.index) else -1

    def start(self, travel: int, merge: bool, scale_ns: int, calls: bool = True) -> None:
        """Make the rows anew, by these rules, where they were."""
        self._new = (travel, merge, scale_ns, calls)
        self.remake()

    def remake(self) -> None:
        """Make the rows anew around the middle of where they were."""
        if self.reach is None or (self.at_start and self.at_end and self._entries < self.reach):
            self.look_at(0, whole=True)
        else:
            self.look_at((self._from + self._next) // 2)

    def extend(self, upto: int | None = None) -> None:
        """Read what is new; as long as the window reaches to the end, it gets rows."""
        index, build = self.index, self.build
        reached = self.at_end
        build.begin_batch()
        if index.timeline.first > 0:
            build.drop_before(index.timeline.first)
        index.extend(upto)
        gone, self._shed = index.shed - self._shed, index.shed
        if gone:
            self._from, self._next = max(self._from - gone, 0), max(self._next - gone, 0)
        if self.folds.signature(self._from, self._next) != self._signature:
            self.remake()
        elif reached:
            self._feed(len(index))

    def look_at(self, place: int, *, whole: bool = False) -> None:
        """Make the rows around this position."""
        index = self.index
        travel, merge, scale_ns, calls = self._new
        self.build = build = FoldingBuilder(index.connection, travel, merge, scale_ns, calls)
        self.made += 1
        self._entries = 0
        floor = index.floor
        self._from = start = floor
        if not whole and self.reach is not None:
            self._from = max(self._back(place, self.reach), floor)
            start = max(self._back(self._from, _RUN_IN), floor)
        if index.origin is not None:
            build.begin_life(index.origin)
        if start > floor:
            build.begin_at(index.step(start - 1), self._fins(start), self._bars(start))
        self._next = start
        self._feed(self._from)
        if start < self._from:
            build.drop_before(index.steps[self._from])
        self._entries = 0
        self._feed(len(index), place)
        self._signature = self.folds.signature(self._from, self._next)

    def _back(self, place: int, entries: int) -> int:
        """The position so many rows' steps before."""
        while place > 0 and entries > 0:
            fold = self.folds.at(place - 1)
            place = place - 1 if fold is None else fold[0]
            entries -= 1
        return place

    def _feed(self, end: int, middle: int | None = None) -> None:
        """Give the builder positions from where it stands up to ``end``, as many as may be."""
        index, folds, build = self.index, self.folds, self.build
        most = None if self.reach is None else 2 * self.reach
        behind = 0
        while self._next < end:
            if most is not None and (
                self._entries >= 2 * most
                if middle is None
                else behind >= most // 2 and self._entries >= most
            ):
                break
            place = self._next
            fold = folds.at(place)
            if fold is not None:
                self._fold(*fold)
                self._next = fold[1]
            else:
                if not folds.hidden(place):
                    build.add(index.step(place))
                self._next = place + 1
            self._entries += 1
            behind += middle is not None and place >= middle
        self._signature = folds.signature(self._from, self._next)

    def _fold(self, start: int, stop: int) -> None:
        index = self.index
        latest = range(max(stop - _LATEST, start), stop)
        among = set(latest)
        place = index.before(d.CALL, stop)
        for _ in range(_CALLS_BACK):
            if place is None or place < start:
                break
            among.add(place)
            place = index.before(d.CALL, place)
        steps = [index.step(each) for each in sorted(among)]
        self.build.fold(index.step(start), index.step(stop - 1), index.stretch(start, stop), steps)

    # -- what was before the window ---------------------------------------------

    def _fins(self, start: int) -> Fins:
        """The FINs that had been sent: they are where an end changed its state."""
        fins: dict[Side, tuple[int, int, str]] = {}
        place = self.index.after(d.STATE, -1)
        while place is not None and place < start:
            step = self.index.step(place)
            segment, side = step.segment, step.side
            left = step.kind in (StepKind.SEGMENT, StepKind.SENT)
            if segment is not None and segment.fin and left and side and side not in fins:
                letter = "N" if fins else "M"
                fins[side] = (step.index, step.relative[0] + segment.payload_len, letter)
            place = self.index.after(d.STATE, place)
        return fins

    def _bars(self, start: int) -> list[Bar]:
        """The calls that had not returned."""
        returned: set[int] = set()
        bars: list[Bar] = []
        place = self.index.before(d.CALL, start)
        for _ in range(_CALLS_BACK):
            if place is None:
                break
            step = self.index.step(place)
            call = step.call
            if call is not None and step.kind is StepKind.RETURN:
                returned.add(call.id)
            elif call is not None and call.id not in returned:
                track = sum(bar.side is call.side for bar in bars)
                bars.append(Bar(call, call.side, track, -1, step.index))
            place = self.index.before(d.CALL, place)
        return bars[::-1]

    def place_of(self, step: int) -> int:
        """The position of a step, or of the latest before it."""
        return bisect.bisect_right(self.index.steps, step) - 1
