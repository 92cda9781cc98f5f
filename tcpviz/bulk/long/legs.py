"""What one end does in a run of plain segments, in numbers: where it stood before, and behind.

Of the runs between two segments that are not plain they are looked up together, since of a
connection that loses much there are thousands; of any other run by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.long.inorder import Stretch

Array = NDArray[Any]


@dataclass(slots=True)
class Leg:
    """One end in a run; numbers as the stretch counts them.

    ``start``, ``stop``     which of its segments are in the run
    ``low``, ``high``       which of its data, ``first``, ``last`` which of its ACKs of more
    ``number``, ``reached``  its furthest before the run, and behind it
    ``said``, ``told``      the furthest that it acknowledged before, and behind
    ``acked``, ``window``, ``value``, ``longest``  its latest acknowledgement, window and timestamp,
    and its longest data, before the run; ``stamp`` the first timestamp in it
    """

    start: int
    stop: int
    low: int
    high: int
    first: int
    last: int
    number: int
    reached: int
    said: int
    told: int
    acked: int
    window: int
    value: int
    longest: int
    stamp: int


Legs = tuple[Leg, Leg]


def legs_of(stretch: Stretch, begins: Array, ends: Array) -> list[Legs]:
    """Both ends in these runs."""
    one, two = (_legs(stretch, side, begins, ends) for side in (0, 1))
    return list(zip(one, two, strict=True))


def _legs(stretch: Stretch, side: int, begins: Array, ends: Array) -> list[Leg]:
    at, data, moved = stretch.at[side], stretch.data[side], stretch.moved[side]
    start, stop = at.searchsorted(begins), at.searchsorted(ends)
    reached, said = stretch.reached[side], stretch.said[side]
    stamp = stretch.value[np.append(at, 0)[start]]
    columns = (
        start, stop, data.searchsorted(begins), data.searchsorted(ends),
        moved.searchsorted(begins), moved.searchsorted(ends),
        reached[start], reached[stop], said[start], said[stop],
        stretch.latest_ack[side][start], stretch.windows[side][start],
        stretch.values[side][start], stretch.longest[side][start], stamp,
    )  # fmt: skip
    return list(map(Leg, *(column.tolist() for column in columns)))


class Between:
    """The runs between what is not plain in a stretch, and any others."""

    def __init__(self, stretch: Stretch) -> None:
        self._stretch = stretch
        begins = np.append(0, stretch.stops + 1)
        ends = np.append(stretch.stops, stretch.count)
        long = np.flatnonzero(ends - begins >= 2)
        begins, ends = begins[long], ends[long]
        runs = zip(begins.tolist(), ends.tolist(), strict=True)
        self._known = dict(zip(runs, legs_of(stretch, begins, ends), strict=True))

    def legs(self, begin: int, end: int) -> Legs:
        """Both ends from a place up to another."""
        known = self._known.get((begin, end))
        if known is not None:
            return known
        return legs_of(self._stretch, np.array([begin]), np.array([end]))[0]
