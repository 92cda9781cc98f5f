"""Which straight lines lie under some points and over others: the arithmetic of two clocks.

Points are ``(x, y)`` with x growing. A line ``a + b x`` is *possible* where it lies under
every upper point and over every lower one. Only the convex hulls matter for that, which
hold few of many points (Moon, Skelly, Towsley: "Estimation and removal of clock skew from
network delay measurements", INFOCOM 1999; Zhang, Liu, Xia: "Clock synchronization
algorithms for network measurements", INFOCOM 2002).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Point = tuple[float, float]

MOST = 512
"""Points of a hull that are kept. Of more every second one goes: what is possible only grows."""

_TURNS = 60
"""Halvings when a slope is looked for: from 1e-3 to about 1e-14."""


def lower_hull(points: Sequence[Point]) -> list[Point]:
    """The corners of the convex hull seen from below; the points come in order of x."""
    hull: list[Point] = []
    for x, y in points:
        if hull and hull[-1][0] == x:
            if hull[-1][1] <= y:
                continue
            hull.pop()
        while len(hull) > 1:
            (x1, y1), (x2, y2) = hull[-2], hull[-1]
            if (y2 - y1) * (x - x1) < (y - y1) * (x2 - x1):
                break
            hull.pop()
        hull.append((x, y))
    if len(hull) > MOST:
        hull = [*hull[:-1:2], hull[-1]]
    return hull


def upper_hull(points: Sequence[Point]) -> list[Point]:
    """The same seen from above."""
    return [(x, -y) for x, y in lower_hull([(x, -y) for x, y in points])]


class Lines:
    """The lines under ``above`` and over ``below`` with slopes of at most ``steepest``.

    Either may be empty: then one side sets no bound.
    """

    def __init__(self, above: Sequence[Point], below: Sequence[Point], steepest: float) -> None:
        self.above = above
        self.below = below
        self.steepest = steepest

    def highest(self, slope: float) -> float:
        """The largest a of a line with this slope."""
        return min((y - slope * x for x, y in self.above), default=math.inf)

    def lowest(self, slope: float) -> float:
        """The smallest a of a line with this slope."""
        return max((y - slope * x for x, y in self.below), default=-math.inf)

    def gap(self, slope: float) -> float:
        """How far apart those two are; below zero: no line with this slope is possible."""
        return self.highest(slope) - self.lowest(slope)

    def widest(self) -> float:
        """The slope with the widest gap, the smaller one of equally good ones."""
        low, high = -self.steepest, self.steepest
        if not self.above or not self.below:
            return 0.0
        best = _peak(self.gap, low, high)
        # Where nothing speaks against it, two clocks run alike.
        enough = self.gap(best) - 0.01 * abs(self.gap(best))
        if self.gap(0.0) >= enough:
            return 0.0
        return _edge(lambda slope: self.gap(slope) >= enough, best, 0.0)

    def slopes(self) -> tuple[float, float] | None:
        """The least and the greatest slope of a possible line; ``None``: there is none."""
        if not self.above or not self.below:
            return -self.steepest, self.steepest
        best = _peak(self.gap, -self.steepest, self.steepest)
        if self.gap(best) < 0:
            return None

        def possible(slope: float) -> bool:
            return self.gap(slope) >= 0

        return (
            _edge(possible, best, -self.steepest),
            _edge(possible, best, self.steepest),
        )

    def range_at(self, x: float, slopes: tuple[float, float]) -> tuple[float, float]:
        """The least and the greatest value at ``x`` of a possible line; ``slopes`` of all."""
        low, high = slopes
        top = _peak(lambda slope: self.highest(slope) + slope * x, low, high)
        bottom = _peak(lambda slope: -self.lowest(slope) - slope * x, low, high)
        return self.lowest(bottom) + bottom * x, self.highest(top) + top * x


def _peak(value: Callable[[float], float], low: float, high: float) -> float:
    """Where a concave function is greatest."""
    for _ in range(_TURNS):
        third = (high - low) / 3
        if third <= 0:
            break
        one, two = low + third, high - third
        if value(one) < value(two):
            low = one
        else:
            high = two
    return (low + high) / 2


def _edge(holds: Callable[[float], bool], inside: float, outside: float) -> float:
    """The last place on the way out at which something still holds."""
    if holds(outside):
        return outside
    for _ in range(_TURNS):
        middle = (inside + outside) / 2
        if holds(middle):
            inside = middle
        else:
            outside = middle
    return inside
