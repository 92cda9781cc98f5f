"""Tracks: what was measured at which moments, kept so that a stretch of it is asked at once.

A million points are in columns of integers, with the least and the greatest of
each block of them aside: what a stretch of any length spans costs a few blocks,
so a graph costs as much as it has columns, not as it has points.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

BLOCK = 64
"""Points whose extremes are kept together."""


class Track:
    """Points in order: a time, a low and a high value (the same for a single value).

    Times never go back: a clock that was set back is held where it was, so that
    what came later stands further to the right.
    """

    __slots__ = ("_block_high", "_block_low", "high", "low", "times")

    def __init__(self) -> None:
        self.times = array("q")
        self.low = array("q")
        self.high = array("q")
        self._block_low = array("q")
        self._block_high = array("q")

    def __len__(self) -> int:
        return len(self.times)

    def add(self, time_ns: int, low: int, high: int | None = None) -> None:
        high = low if high is None else high
        if self.times and time_ns < self.times[-1]:
            time_ns = self.times[-1]
        if len(self.times) % BLOCK == 0:
            self._block_low.append(low)
            self._block_high.append(high)
        else:
            if low < self._block_low[-1]:
                self._block_low[-1] = low
            if high > self._block_high[-1]:
                self._block_high[-1] = high
        self.times.append(time_ns)
        self.low.append(low)
        self.high.append(high)

    def places(self, start_ns: int, end_ns: int) -> tuple[int, int]:
        """Places of the points from ``start_ns`` up to but not including ``end_ns``."""
        first = bisect_left(self.times, start_ns)
        return first, bisect_left(self.times, end_ns, first)

    def before(self, time_ns: int) -> int | None:
        """The last value (its high end) before a moment, ``None`` before the first."""
        place = bisect_left(self.times, time_ns)
        return self.high[place - 1] if place else None

    def at(self, time_ns: int) -> int | None:
        """The last value at or before a moment."""
        place = bisect_right(self.times, time_ns)
        return self.high[place - 1] if place else None

    def extent(self, first: int, last: int) -> tuple[int, int]:
        """The least and the greatest value of places ``first`` up to ``last`` (not empty)."""
        if last - first <= 2 * BLOCK:
            return min(self.low[first:last]), max(self.high[first:last])
        inner, outer = -(-first // BLOCK), last // BLOCK
        lows, highs = self._block_low[inner:outer], self._block_high[inner:outer]
        least, most = min(lows), max(highs)
        for start, end in ((first, inner * BLOCK), (outer * BLOCK, last)):
            if start < end:
                least = min(least, min(self.low[start:end]))
                most = max(most, max(self.high[start:end]))
        return least, most

    def span(self, start_ns: int, end_ns: int) -> tuple[int, int] | None:
        """The same between two moments, ``None`` where there is nothing."""
        first, last = self.places(start_ns, end_ns)
        return self.extent(first, last) if first < last else None
