"""The scalar core on some rows of a capture, as if it had taken all of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.work import Work
from tcpviz.bulk.segments.reading import Reading
from tcpviz.core.connection import Connection
from tcpviz.core.records import Gap, Moment, SegmentRecord, Unreachable
from tcpviz.core.segment import SYN, Segment
from tcpviz.core.tracker import Tracker
from tcpviz.wire.decoder import Decoder

Array = NDArray[Any]


class Follower:
    """Follows whole flows, each by itself; ``segments`` counts the objects made for it."""

    def __init__(self, reading: Reading, clock: Clock) -> None:
        self._reading = reading
        self._clock = clock
        self._decoder = Decoder(verify=True)
        self.segments = 0

    def follow(
        self,
        rows: Sequence[int],
        errors: Iterable[tuple[int, Unreachable | Gap]] = (),
        *,
        tracker: Tracker | None = None,
        changed: Callable[[int, Segment], Segment] | None = None,
    ) -> tuple[Tracker, list[tuple[int, Connection]]]:
        """Feed these rows, in order; the tracker, and its connections with their first rows.

        ``changed`` may alter the segment that has the given place among ``rows``.
        """
        opened: list[tuple[int, Connection]] = []
        waiting = deque(sorted(errors, key=lambda each: each[0]))
        # Where nobody asks for its steps, and until there is a second connection.
        plain = tracker is None and not waiting
        tracker = Tracker(keep=False) if tracker is None else tracker
        only: Connection | None = None
        before = 0
        moments = self._clock.now[rows].tolist()
        self.segments += len(rows)
        segments = self._reading.segments(rows, self._decoder)
        for place, (row, moment, segment) in enumerate(zip(rows, moments, segments, strict=True)):
            while waiting and waiting[0][0] <= row:
                before = self._tell(tracker, waiting.popleft()[1], before)
            before = self._go_on(tracker, moment, before)
            if changed is not None:
                segment = changed(place, segment)
            if only is not None and not int(segment.flags) & SYN:
                tracker.take(only, segment)
                continue
            known = len(tracker.connections)
            tracker.feed(SegmentRecord(segment.time_ns, segment, Moment.SEEN))
            if len(tracker.connections) > known:
                opened.append((row, next(reversed(tracker.connections.values()))))
                only = opened[0][1] if plain and len(opened) == 1 else None
        for _, error in waiting:
            before = self._tell(tracker, error, before)
        self._clock.lead(tracker, before, self._clock.end)
        return tracker, opened

    def come_to(self, tracker: Tracker, row: int, before_ns: int) -> int:
        """Let time go on from ``before_ns`` to when the tracker of everything takes a row."""
        return self._go_on(tracker, int(self._clock.now[row]), before_ns)

    def _go_on(self, tracker: Tracker, moment: int, before_ns: int) -> int:
        self._clock.lead(tracker, before_ns, moment)
        return moment

    def same_data(self, work: Work, fine: Array) -> Array:
        """Fine only where what was sent again is what was sent before, as far as it is there."""
        again = np.flatnonzero(work.resent & fine[work.part])
        before = work.earlier_of(again)
        again, before = again[before >= 0], before[before >= 0]
        if not len(again):
            return fine
        fine = fine.copy()
        array, rows = self._reading.columns.array, work.rows
        whole = array["captured"][rows] >= array["wire"][rows]
        told = whole[again] | whole[before]
        for one, other in zip(again[told].tolist(), before[told].tolist(), strict=True):
            if not self.alike(int(rows[one]), int(rows[other])):
                fine[work.part[one]] = False
        return fine

    def alike(self, one: int, other: int) -> bool:
        """Whether two rows carry the same data, as far as both have it."""
        first, second = (self._reading.segment(row, self._decoder).payload for row in (one, other))
        both = min(len(first), len(second))
        return first[:both] == second[:both]

    def _tell(self, tracker: Tracker, error: Unreachable | Gap, before: int) -> int:
        for stop in self._clock.stops(before, error.time_ns):
            tracker.tick(stop)
        tracker.feed(error)
        return max(before, error.time_ns)
