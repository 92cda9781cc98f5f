"""The tracker's clock, row by row, so that a connection can be followed without all the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.core.records import Unreachable
from tcpviz.core.timers import LEAP_NS

Array = NDArray[Any]


class Clock:
    """What :attr:`tcpviz.core.tracker.Tracker.now_ns` is when it takes each row.

    It never goes back. ``end`` is what it is after the last record. ``steady`` is
    the same clock without its leaps, by which timers run: a leap postpones them all.
    """

    def __init__(self, times: Array, errors: list[tuple[int, Unreachable]]) -> None:
        now = np.maximum.accumulate(times) if len(times) else times.copy()
        np.maximum(now, 0, out=now)
        end = int(now[-1]) if len(now) else 0
        for row, error in errors:
            later = now[row:]
            stop = int(np.searchsorted(later, error.time_ns))
            later[:stop] = error.time_ns
            end = max(end, error.time_ns)
        self.now = now
        self.end = end
        self._leaps = np.flatnonzero(now[1:] - now[:-1] > LEAP_NS) + 1
        if end - (int(now[-1]) if len(now) else 0) > LEAP_NS:
            self._leaps = np.append(self._leaps, len(now))
        self.leaps = [(int(now[at - 1]), int(now[at] if at < len(now) else end)) for at in
                      self._leaps.tolist()]  # fmt: skip
        self.steady, self.steady_end = now, end
        if self.leaps:
            lost = np.zeros(len(now) + 1, np.int64)
            lost[self._leaps] = [to - begun for begun, to in self.leaps]
            lost = np.cumsum(lost)
            self.steady, self.steady_end = now - lost[:-1], end - int(lost[-1])

    def stops(self, before_ns: int, now_ns: int) -> list[int]:
        """The moments to which to tick on the way, so that it leaps where it did and nowhere else.

        Without the last one.
        """
        out: list[int] = []
        for leap_from, leap_to in [*self.leaps, (now_ns, now_ns)]:
            if leap_to <= before_ns:
                continue
            until = min(leap_from, now_ns)
            while before_ns and until - before_ns > LEAP_NS:
                before_ns += LEAP_NS
                out.append(before_ns)
            if before_ns < until:
                out.append(until)
                before_ns = until
            if leap_to > now_ns or leap_from >= now_ns:
                break
            out.append(leap_to)
            before_ns = leap_to
        return out[:-1] if out and out[-1] == now_ns else out
