"""A table's connections as lines or rows: by kinds where they have one, else one by one.

A line with holes is made once for all connections that are told alike, from
one of them as it is written by itself, and must give just that when it is
filled in for it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk import forks
from tcpviz.bulk.connections.shares import hands
from tcpviz.bulk.tables.branches import Kind, Kinds
from tcpviz.bulk.tables.facts import Unfit
from tcpviz.bulk.tables.portions import Portion, portions
from tcpviz.bulk.tables.table import Table
from tcpviz.core.connection import Connection
from tcpviz.words import english

Array = NDArray[Any]
T = TypeVar("T")
R = TypeVar("R")
Filled = Callable[[Portion, Array], list[T]]
"""What some connections of a portion, given by their places in it, are written as."""


class ByKind(Generic[T]):
    """Writes connections of one table.

    ``one``   the line of a connection that is judged up to a moment
    ``form``  what gives the lines of a kind, and what its first one is written as by itself;
              raises Unfit where nothing does
    ``alone`` how many connections were written one by one
    """

    def __init__(
        self,
        table: Table,
        one: Callable[[Connection, int], T],
        form: Callable[[Kind], tuple[Filled[T], T]],
    ) -> None:
        self._table = table
        self._one = one
        self._form = form
        self._kinds = Kinds(table)
        self.alone = 0

    def lines(self, places: Array) -> Iterator[list[T]]:
        """The lines of the connections at these places, some thousand at a time."""
        for part in portions(self._table, places):
            yield self._made_of(part)

    def made(self, places: Array, of: Callable[[list[T]], R]) -> Iterator[R]:
        """The same, and ``of`` each time what it makes of them: where that is less, forks help."""

        def make(part: tuple[Array, Array]) -> R:
            return of(self._made_of(part))

        parts = list(portions(self._table, places))
        # Forms that are common are known from the first, and not made by each of them anew.
        yield from map(make, parts[:1])
        yield from forks.in_order(make, parts[1:], hands(self._table.building.reading))

    def _made_of(self, part: tuple[Array, Array]) -> list[T]:
        with english():
            return self._lines(*part)

    def _lines(self, places: Array, regular: Array) -> list[T]:
        """A line for each place, in their order."""
        lines: list[T] = []
        order: list[Array] = []
        rest = [np.flatnonzero(~regular)]
        if regular.any():
            among = np.flatnonzero(regular)
            portion = Portion(self._table, places[among])
            for kind, which in self._kinds.of(portion):
                form = self._form_of(kind, portion, which)
                if form is None:
                    rest.append(among[which])
                else:
                    lines += form(portion, which)
                    order.append(among[which])
        for at in np.concatenate(rest).tolist():
            place = int(places[at])
            lines.append(self._one(self._table.connection(place), int(self._table.until_ns[place])))
            self.alone += 1
        order += rest
        back = np.empty(len(places), np.int64)
        back[np.concatenate(order)] = np.arange(len(places))
        return [lines[at] for at in back.tolist()]

    def _form_of(self, kind: Kind, portion: Portion, which: Array) -> Filled[T] | None:
        if self not in kind.forms:
            kind.forms[self] = self._made(kind, portion, which)
        form: Filled[T] | None = kind.forms[self]
        return form

    def _made(self, kind: Kind, portion: Portion, which: Array) -> Filled[T] | None:
        """Its form, if that gives back what the kind was made of: the first of ``which``."""
        if not kind.fillable:
            return None
        try:
            form, first = self._form(kind)
        except Unfit:
            return None
        return form if form(portion, which[:1]) == [first] else None
