"""Who had a connection's addresses and ports before it: ``Connection.older``, in a table's numbers.

As :mod:`tcpviz.core.routing` has it: of two in a row that nobody answered the later one counts,
and one that was answered takes the place of the latest that had been answered, or came first.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.building import Building
from tcpviz.core.connection import Connection
from tcpviz.core.routing import MOST_OLDER

Array = NDArray[np.int64]


def number(followed: Iterable[tuple[int, Connection]], numbers: Iterable[int]) -> None:
    """Give connections that were followed their numbers in the table, and those before them theirs.

    They come as they were followed: those of one flow together, numbered from 1. A second time
    changes nothing.
    """
    both = [(one, now) for (_, one), now in zip(followed, numbers, strict=True)]
    if all(one.id == now for one, now in both):
        return
    known: dict[int, int] = {}
    for one, now in both:
        if one.id == 1:
            known = {}
        known[one.id] = now
        one.id, one.older = now, tuple(known[each] for each in one.older)


class Older:
    """Of regular connections. ``numbers``: in the table, of each in ``building.array``."""

    def __init__(self, building: Building, numbers: Array) -> None:
        self._building = building
        self._numbers = numbers
        self._order = building.by_place()

    def of(self, at: int) -> tuple[int, ...]:
        """Those before the one at ``at`` in the array, which was answered; the latest first."""
        array, begins = self._building.array, self._building.flows.begin
        mine = array["place"][at]  # of the column's own kind, which is searched as it is
        place = int(mine)
        lead = int(begins[np.searchsorted(begins, place, "right") - 1])
        turn = int(np.searchsorted(array["place"], mine, sorter=self._order))
        out: list[int] = []
        while place > lead and len(out) < MOST_OLDER:
            turn -= 1
            before = int(self._order[turn])
            place = int(array["place"][before])
            if array["answered"][before] or place == lead:
                out.append(int(self._numbers[before]))
        return tuple(out)
