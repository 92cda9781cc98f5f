"""The tracker's clock, row by row, so that a connection can be followed without all the others."""

from __future__ import annotations

import copy
import itertools
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.icmp import Errors
from tcpviz.bulk.segments.reading import Lost
from tcpviz.core.timers import LEAP_NS

if TYPE_CHECKING:
    from tcpviz.core.tracker import Tracker

Array = NDArray[Any]

NEAR_NS = 1 << 46
"""Nanoseconds: what comes within so many behind another is no leap of the clock's."""

_STEP = 1 << 16

_REST = 1 << 18

_MOST = 1 << 16
"""Leaps that are noted; nobody wants so many."""


def _in_order(times: Array, rest: Callable[[], object]) -> bool:
    """Whether none is before 1970, or before the one before."""
    latest = 0
    for at in range(0, len(times), _STEP):
        if at % _REST == 0:
            rest()
        part = times[at : at + _STEP]
        if int(part[0]) < latest or not (part[1:] >= part[:-1]).all():
            return False
        latest = int(part[-1])
    return True


class Clock:
    """What :attr:`tcpviz.core.tracker.Tracker.now_ns` is when it takes each row.

    It never goes back. ``end`` is what it is after the last record. ``steady`` is
    the same clock without its leaps, by which timers run: a leap postpones them all.
    ``plain``: it is the segments' own times, without a leap.
    ``empty`` makes its arrays, ``rest`` is called now and then while times are gone through;
    what was ``lost`` was so at a moment, which moves it as an error's does.
    """

    def __init__(
        self,
        times: Array,
        errors: Errors | None = None,
        empty: Callable[[int, str], Array] = np.empty,
        rest: Callable[[], object] = bool,
        lost: Sequence[Lost] = (),
    ) -> None:
        count = len(times)
        # Where nothing goes back the rows' own times are the clock.
        same = not errors and not lost and _in_order(times, rest)
        self.now = now = times if same else empty(count, "i8")
        rows = np.array([one.row for one in lost], np.int64)
        told = np.array([one.gap.time_ns for one in lost], np.int64)
        if errors:
            rows = np.concatenate([rows, errors.column("row")])
            told = np.concatenate([told, errors.column("time")])
        order = np.argsort(rows, kind="stable")
        rows, told = rows[order], told[order]
        done = latest = 0
        places: list[int] = []
        for at in range(0, count, _STEP):
            if at % _REST == 0:
                rest()
            part = now[at : at + _STEP]
            if not same:
                part[:] = times[at : at + _STEP]
                until = int(np.searchsorted(rows, at + len(part)))
                np.maximum.at(part, rows[done:until] - at, told[done:until])
                done = until
            if not same:
                np.maximum.accumulate(part, out=part)
                np.maximum(part, latest, out=part)
            if at and int(part[0]) - latest > LEAP_NS:
                places.append(at)
            if len(places) < _MOST:
                places += (np.flatnonzero(part[1:] - part[:-1] > LEAP_NS) + at + 1).tolist()
            latest = int(part[-1])
        end = max(latest, int(told[done:].max(initial=0)))
        if end - latest > LEAP_NS:
            places.append(count)
        self.end = self.steady_end = end
        self.steady = now
        self.leaps = [
            (int(now[at - 1]) if at else 0, int(now[at]) if at < count else end) for at in places
        ]
        self._until = [leap_to for _, leap_to in self.leaps]
        self.plain = same and not self.leaps
        if self.leaps:
            self._smooth(places, empty)

    def _smooth(self, places: list[int], empty: Callable[[int, str], Array]) -> None:
        """Take the leaps out of ``steady``."""
        count = len(self.now)
        self.steady = steady = empty(count, "i8")
        lost = 0
        edges = [0, *places, count]
        for which, (begin, end) in enumerate(itertools.pairwise(edges)):
            if which:
                lost += self.leaps[which - 1][1] - self.leaps[which - 1][0]
            for at in range(begin, end, _STEP):
                span = slice(at, min(at + _STEP, end))
                np.subtract(self.now[span], lost, out=steady[span])
        self.steady_end = self.end - lost

    def grown(self, times: Array) -> Clock | None:
        """The same where more rows came: ``times`` are all; ``None`` if they are not as plain."""
        last = len(self.now) - 1
        part = times[max(last, 0) :]
        if not self.plain or last < 0 or not _in_order(part, bool):
            return None
        if (np.diff(part) > LEAP_NS).any():
            return None
        made = copy.copy(self)
        made.now = made.steady = times
        made.end = made.steady_end = int(times[-1])
        return made

    def of_rows(self, now: Array, steady: Array) -> Clock:
        """The same clock at some rows only, given what it is there."""
        made = copy.copy(self)
        made.now, made.steady = now, steady
        return made

    def lead(self, tracker: Tracker, before_ns: int, until_ns: int) -> None:
        """Let a tracker's time go on, as the capture's did; ``before_ns``: what it had come to."""
        if self.leaps or until_ns - before_ns > NEAR_NS:
            for stop in self.stops(before_ns, until_ns):
                tracker.tick(stop)
        tracker.tick(until_ns)

    def stops(self, before_ns: int, now_ns: int) -> list[int]:
        """The moments to which to tick on the way, so that it leaps where it did and nowhere else.

        Without the last one.
        """
        out: list[int] = []
        leaps = self.leaps
        for at in range(bisect_right(self._until, before_ns), len(leaps) + 1):
            leap_from, leap_to = leaps[at] if at < len(leaps) else (now_ns, now_ns)
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
