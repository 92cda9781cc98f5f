"""A file's connections as a sequence for the list: made one by one when they are looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.tables.growing import Snapshot, Unsuited
from tcpviz.bulk.tables.table import Table
from tcpviz.core.connection import Connection
from tcpviz.core.rows import ConnectionRows
from tcpviz.core.segment import FlowKey
from tcpviz.sources.feed import SourceError

Array = NDArray[Any]

KEPT = 4096
"""Connections that are kept as made; the oldest of them go first."""


class Until:
    """As :class:`tcpviz.core.watch.Watch`, of a table's connections."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def until(self, connection: Connection) -> int:
        """That moment, nanoseconds."""
        return int(self._table.until_ns[connection.id - 1])


class FileRows(ConnectionRows):
    """A snapshot's connections in an order; their numbers are their places in the table, from 1.

    ``order``  places in the table; ``None``: all of them as they are there
    """

    def __init__(
        self,
        snapshot: Snapshot,
        order: Array | None = None,
        made: dict[int, Connection] | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.order = order
        self._made: dict[int, Connection] = {} if made is None else made
        self._back: Array | None = None

    def arranged(self, order: Array) -> FileRows:
        """Some of the same connections, in another order."""
        return FileRows(self.snapshot, order, self._made)

    def __len__(self) -> int:
        return len(self.snapshot) if self.order is None else len(self.order)

    def row(self, place: int) -> Connection:
        return self.at(place if self.order is None else int(self.order[place]))

    def at(self, place: int) -> Connection:
        """The connection at a place of the table. Raises SourceError if the file is another."""
        made = self._made.get(place)
        if made is None:
            try:
                made = self.snapshot.connection(place)
            except Unsuited as why:
                raise SourceError(f"{why}: open it again") from None
            if len(self._made) >= KEPT:
                self._made.pop(next(iter(self._made)), None)
            self._made[place] = made
        return made

    def watch(self) -> Until:
        """Until when the capture went on after each of them."""
        return Until(self.snapshot.table)

    def get(self, ident: int) -> Connection | None:
        """The connection with that number, whether or not it is among these."""
        return self.at(ident - 1) if 1 <= ident <= len(self.snapshot) else None

    def place_of(self, ident: int) -> int | None:
        """Where the connection with that number is."""
        if not 1 <= ident <= len(self.snapshot):
            return None
        if self.order is None:
            return ident - 1
        if self._back is None:
            back = np.full(len(self.snapshot), -1, np.int64)
            back[self.order] = np.arange(len(self.order))
            self._back = back
        found = int(self._back[ident - 1])
        return None if found < 0 else found

    def ident_of(self, key: FlowKey) -> int | None:
        """Not asked of a file: its connections keep their numbers."""
        raise NotImplementedError(key)

    def refresh(self) -> bool:
        """Nothing comes to these; a later snapshot has others."""
        return False
