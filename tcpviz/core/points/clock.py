"""What the second capture point's clock shows when the first one's shows a given time.

Nobody compares the clocks but the traffic. A segment that goes from the first point to
the second cannot arrive before it has left, so the second clock is ahead by *at most* the
difference of its two stamps; one that goes back tells that it is ahead by *at least* that.
Between all those bounds lie the possible lines (:mod:`tcpviz.core.points.hull`).

What is certain, as long as both clocks run evenly: the truth is one of those lines.
Where it lies between them nobody can tell from stamps. The estimate is the middle, which
is right if the quickest segment took equally long both ways (RFC 5905 assumes the same),
and wrong by half the least round trip at most.

A clock that is set, or changes its pace, leaves no line: then a new piece begins.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass

from tcpviz.core.points.hull import Lines, Point, lower_hull, upper_hull

STEEPEST = 500e-6
"""The most that one clock is taken to run faster than the other: what adjtimex(2) allows."""

REBELS = 8
"""So many segments that no line allows, and the clock was set; fewer are mistaken pairs."""

LOYAL = 64
"""After so many of their kind that fit again, those that did not were mistakes."""

PIECES = 64
"""Pieces that are kept; of more, the oldest go."""

_COMPRESS = 256
_KNOTS = 9


@dataclass(frozen=True, slots=True)
class Reading:
    """How far the second clock is ahead of the first one at one moment, nanoseconds.

    ``ahead``  the estimate; ``low`` and ``high`` what is possible, infinite where one
               direction only has bounded it
    """

    ahead: float
    low: float
    high: float

    @property
    def uncertainty(self) -> float:
        """The estimate is wrong by no more than this; infinite if one direction only was seen."""
        return max(self.high - self.ahead, self.ahead - self.low)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of time in which one line holds.

    ``first_ns``, ``last_ns``  of the segments that it rests on, by the first clock
    ``slope``     how much faster the second clock runs (1e-6 is one ppm); ``slopes`` the
                  least and the most that is possible
    ``forward``, ``backward``  how many segments bound it, by direction
    ``round_trip``  the least time there and back, ns; ``None`` from one direction alone
    ``knots``     moments and what is possible at them: between them it is less than a
                  straight line from one to the next allows
    """

    first_ns: int
    last_ns: int
    base_ns: int
    ahead: float
    slope: float
    slopes: tuple[float, float]
    forward: int
    backward: int
    round_trip: float | None
    knots: tuple[tuple[float, float, float], ...]

    def at(self, time_ns: int) -> Reading:
        x = float(time_ns - self.base_ns)
        ahead = self.ahead + self.slope * x
        if self.round_trip is None:
            known = math.inf
            high = ahead if self.forward else known
            low = ahead if self.backward else -known
            return Reading(ahead, low, high)
        low, high = self._possible(x)
        return Reading(ahead, min(low, ahead), max(high, ahead))

    def _possible(self, x: float) -> tuple[float, float]:
        knots = self.knots
        place = bisect.bisect_right(knots, x, key=lambda knot: knot[0])
        if 0 < place < len(knots):
            (x1, low1, high1), (x2, low2, high2) = knots[place - 1], knots[place]
            part = (x - x1) / (x2 - x1)
            return low1 + part * (low2 - low1), high1 + part * (high2 - high1)
        edge, low, high = knots[0] if place == 0 else knots[-1]
        away = x - edge
        least, most = self.slopes if away >= 0 else self.slopes[::-1]
        return low + least * away, high + most * away


class PairClock:
    """Takes what segments tell of two clocks, in about the order of time.

    ``guess``     how far the second one is ahead, nanoseconds, before anything is known
    ``frozen``    it is known well enough, and takes nothing more
    ``mistakes``  segments that no line allowed although those around them fit: they were
                  taken for the same and were not, or a stamp was wrong
    """

    def __init__(self) -> None:
        self.mistakes = 0
        self.frozen = False
        self.guess = 0.0
        self._open = _Bounds()
        self._rebels: list[tuple[bool, int, int]] = []
        self._since: list[tuple[bool, int, int]] = []
        self._loyal = 0
        self._pieces: list[Piece] = []
        self._latest: Piece | None = None
        self._stale = False

    @property
    def known(self) -> bool:
        """Both directions have bounded it."""
        return bool(self._pieces) or self._open.both

    @property
    def begun(self) -> bool:
        """Anything has bounded it."""
        return bool(self._pieces) or self._open.count > 0

    def add(self, forward: bool, time_ns: int, ahead_ns: int) -> None:
        """A segment passed the first point at ``time_ns``, by its clock.

        ``forward``: on its way to the second. ``ahead_ns``: the second's stamp less that.
        """
        if self.frozen:
            return
        if self._open.admits(forward, time_ns, ahead_ns):
            self._take(forward, time_ns, ahead_ns)
            if self._rebels and forward is self._rebels[0][0]:
                self._loyal += 1
                if self._loyal >= LOYAL:
                    self._forgive()
            return
        self._rebels.append((forward, time_ns, ahead_ns))
        if len(self._rebels) >= REBELS:
            self._break()

    def _take(self, forward: bool, time_ns: int, ahead_ns: int) -> None:
        self._open.take(forward, time_ns, ahead_ns)
        self._stale = True
        if self._rebels:
            self._since.append((forward, time_ns, ahead_ns))

    def _forgive(self) -> None:
        self.mistakes += len(self._rebels)
        self._rebels, self._since, self._loyal = [], [], 0

    def _break(self) -> None:
        """The clock was set: what came since the first that did not fit begins a new piece."""
        anew = sorted(self._rebels + self._since, key=lambda one: one[1])
        self._pieces.append(self._open.piece())
        del self._pieces[:-PIECES]
        self._rebels, self._since, self._loyal = [], [], 0
        self._open, self._latest, self._stale = _Bounds(), None, True
        for forward, time_ns, ahead_ns in anew:
            if self._open.admits(forward, time_ns, ahead_ns):
                self._open.take(forward, time_ns, ahead_ns)
            else:
                self.mistakes += 1

    @property
    def pieces(self) -> list[Piece]:
        """The pieces so far, of all that was taken; the last one still grows."""
        self.settle()
        return self._all()

    def settle(self) -> None:
        """From here on :meth:`at` counts with everything that was taken."""
        if self._stale and self._open.count:
            self._latest, self._stale = self._open.piece(), False

    @property
    def latest(self) -> Piece | None:
        """The piece that still grows, as it was when it was last settled."""
        return self._latest or (self._pieces[-1] if self._pieces else None)

    def _all(self) -> list[Piece]:
        return [*self._pieces, *([self._latest] if self._latest else [])]

    def at(self, time_ns: int) -> Reading:
        """At a moment by the first clock; before and after the pieces, the next one goes on.

        By what was known when it was last settled, for that takes some milliseconds.
        """
        if self._latest is None:
            self.settle()
        pieces = self._all()
        if not pieces:
            return Reading(self.guess, -math.inf, math.inf)
        place = bisect.bisect_right(pieces, time_ns, key=lambda one: one.first_ns)
        return pieces[max(place - 1, 0)].at(time_ns)

    def first_clock(self, time_ns: int) -> int:
        """What the first clock showed when the second one showed ``time_ns``."""
        latest = self._latest
        if latest is None or self._pieces:
            guess = time_ns
            for _ in range(3):  # the pace differs by so little that it is there at once
                guess = time_ns - round(self.at(guess).ahead)
            return guess
        # One line only, and so the usual case at once: time = first + ahead + slope * x.
        x = (time_ns - latest.base_ns - latest.ahead) / (1.0 + latest.slope)
        return latest.base_ns + round(x)


class _Bounds:
    """The bounds of one piece: upper ones from what goes forward, lower ones from the rest."""

    def __init__(self) -> None:
        self._base: tuple[int, int] | None = None
        self._above: list[Point] = []
        self._below: list[Point] = []
        self._line: tuple[float, float] | None = None
        self._counts = [0, 0]
        self._span = (0, 0)

    @property
    def both(self) -> bool:
        return all(self._counts)

    @property
    def count(self) -> int:
        return sum(self._counts)

    def _point(self, time_ns: int, ahead_ns: int) -> Point:
        if self._base is None:
            self._base = (time_ns, ahead_ns)
        return float(time_ns - self._base[0]), float(ahead_ns - self._base[1])

    def admits(self, forward: bool, time_ns: int, ahead_ns: int) -> bool:
        """Whether a line remains possible with it."""
        others = self._below if forward else self._above
        x, y = self._point(time_ns, ahead_ns)
        if not others:
            return True
        if self._line is not None:
            value = self._line[0] + self._line[1] * x
            if value <= y if forward else value >= y:
                return True
        above = [*self._above, (x, y)] if forward else self._above
        below = self._below if forward else [*self._below, (x, y)]
        lines = _lines(above, below)
        slope = lines.widest()
        if lines.gap(slope) < 0:
            return False
        self._line = ((lines.highest(slope) + lines.lowest(slope)) / 2, slope)
        return True

    def take(self, forward: bool, time_ns: int, ahead_ns: int) -> None:
        point = self._point(time_ns, ahead_ns)
        points = self._above if forward else self._below
        points.append(point)
        if len(points) > _COMPRESS:
            hull = (lower_hull if forward else upper_hull)(sorted(points))
            # A hull of many corners is kept until it has doubled.
            points[:] = hull
        self._counts[not forward] += 1
        first, last = self._span if self.count > 1 else (time_ns, time_ns)
        self._span = (min(first, time_ns), max(last, time_ns))

    def piece(self) -> Piece:
        assert self._base is not None
        lines = _lines(self._above, self._below)
        base_ns, base = self._base
        slope, slopes = 0.0, (-STEEPEST, STEEPEST)
        round_trip: float | None = None
        knots: list[tuple[float, float, float]] = []
        if not self.both:
            ahead = lines.highest(0.0) if self._above else lines.lowest(0.0)
        else:
            slope = lines.widest()
            ahead = (lines.highest(slope) + lines.lowest(slope)) / 2
            slopes = lines.slopes() or (slope, slope)
            round_trip = lines.gap(slope)
            first, last = (float(one - base_ns) for one in self._span)
            places = (first + (last - first) * n / (_KNOTS - 1) for n in range(_KNOTS))
            for x in dict.fromkeys(places):
                low, high = lines.range_at(x, slopes)
                knots.append((x, base + low, base + high))
        return Piece(
            first_ns=self._span[0],
            last_ns=self._span[1],
            base_ns=base_ns,
            ahead=base + ahead,
            slope=slope,
            slopes=slopes,
            forward=self._counts[0],
            backward=self._counts[1],
            round_trip=round_trip,
            knots=tuple(knots),
        )


def _lines(above: Sequence[Point], below: Sequence[Point]) -> Lines:
    return Lines(lower_hull(sorted(above)), upper_hull(sorted(below)), STEEPEST)
