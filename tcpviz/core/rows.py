"""Connections in an order, each made when it is looked at: what a list of very many rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from tcpviz.core.connection import Connection


class ConnectionRows(Sequence[Connection]):
    """A sequence of which only :meth:`row` and the length are to be told."""

    def row(self, place: int) -> Connection:
        """The connection at a place, which is from 0 on and below the length."""
        raise NotImplementedError

    def some(self, places: range) -> list[Connection]:
        """The connections at these places, each as :meth:`row` makes it."""
        return [self.row(place) for place in places]

    def last_id(self) -> int:
        """The number of the connection at the last place; there must be one."""
        return self[-1].id

    def __iter__(self) -> Iterator[Connection]:
        return (self[place] for place in range(len(self)))

    @overload
    def __getitem__(self, place: int) -> Connection: ...
    @overload
    def __getitem__(self, place: slice) -> list[Connection]: ...
    def __getitem__(self, place: int | slice) -> Connection | list[Connection]:
        if isinstance(place, slice):
            return self.some(range(*place.indices(len(self))))
        if place < 0:
            place += len(self)
        if not 0 <= place < len(self):
            raise IndexError(place)
        return self.row(place)
