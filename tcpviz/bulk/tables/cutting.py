"""A table a stretch at a time: for what is worked out of many connections and soon let go of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.tables.table import FOLLOWED, Table
from tcpviz.core.connection import Connection

Array = NDArray[Any]

STRETCH = 1 << 16
"""Connections of a stretch: some 200 bytes each while they are written as text."""


def stretches(table: Table) -> Iterator[Table]:
    """All of it; in several pieces where its packets lie on disk, because memory is short."""
    windows = table.building.reading.columns.windows
    if windows is None or not windows.on_disk or len(table) <= STRETCH:
        yield table
        return
    for begin in range(0, len(table), STRETCH):
        yield Cut(table, begin, min(begin + STRETCH, len(table)))
    windows.trim()


class Cut(Table):
    """Connections ``begin`` to ``end`` of a table, as one of their own.

    They are the whole one's, and keep their numbers.
    """

    def __init__(self, whole: Table, begin: int, end: int) -> None:
        part = slice(begin, end)
        self._whole, self.begin, self.origin = whole, begin, whole.origin
        self._building, self._columns = whole._building, whole._columns
        self._source = whole._source[part]
        self._regular = self._source < FOLLOWED
        # Both kinds stand in the order of their first segments.
        at = self._source[self._regular].astype(np.int64)
        low = int(at[0]) if len(at) else 0
        among = len(at) > 0 and int(at[-1]) - low + 1 > len(at)  # of those that stand there, too
        self._span: Array | slice = at if among else slice(low, low + len(at))
        followed = self._source[~self._regular] - np.uint32(FOLLOWED)
        self._others = [whole._building.followed[each][1] for each in followed.tolist()]
        self._array = {name: column[self._span] for name, column in whole._array.items()}
        self._shapes = whole._shapes[0], whole._shapes[1][self._span]
        self.first_ns, self.last_ns = whole.first_ns[part], whole.last_ns[part]
        self.until_ns, self.rtt = whole.until_ns[part], whole.rtt[part]
        self.crowds, self.crowd = whole.crowds, whole.crowd[part]

    def column(self, regular: Array, of: Callable[[Connection], int]) -> Array:
        if not self._others:
            return regular.astype(np.int64, copy=False)
        both = np.empty(len(self), np.int64)
        both[self._regular] = regular
        both[~self._regular] = [of(each) for each in self._others]
        return both

    def _first(self, name: str) -> Array:
        return self._whole._first(name)[self._span]

    def connection(self, place: int, *, counted: bool = True) -> Connection:
        return self._whole.connection(self.begin + place, counted=counted)

    def first_row(self, place: int) -> int:
        return self._whole.first_row(self.begin + place)

    def formers(self, at: Array) -> Array:
        return self._whole.formers(at)

    def successors(self, at: Array) -> Array:
        return self._whole.successors(at)

    def examples(self) -> Iterator[Connection]:
        return self._whole.examples()
