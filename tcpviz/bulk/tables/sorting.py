"""A table's connections in the order of any column of the list, without making one of them.

The orders are those of :data:`tcpviz.views.table.SORTS`; a test holds both together.
"""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.narrowing import narrow
from tcpviz.bulk.segments.flows import grouped
from tcpviz.bulk.tables.by_end import by_end
from tcpviz.bulk.tables.headlines import headlines
from tcpviz.bulk.tables.table import Table
from tcpviz.core.connection import Connection
from tcpviz.core.segment import scope_text
from tcpviz.views.table import RETRANSMISSION

Array = NDArray[Any]

Occurring = tuple[Array, Array]
"""Different values, ascending, and of each connection which of them it has."""


class Keys:
    """Sort keys of one table at one moment, by column; each is worked out once.

    ``now_ns``  that moment; ``None``: of each connection up to when the table judges it
    ``judged``  the table with these moments
    """

    def __init__(self, table: Table, now_ns: int | None) -> None:
        self.table = table
        self.judged = table if now_ns is None else at_moment(table, now_ns)
        self._known: dict[str, Array] = {}
        self._told: tuple[Array, list[str]] | None = None
        self._both: tuple[tuple[Array, Array], tuple[Array, Array]] | None = None
        self._occurring: dict[tuple[int, int], Occurring] = {}
        self._by_end: tuple[dict[tuple[str, str], Array], Array] | None = None

    def ends(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """(address, port) of each client and of each server."""
        if self._both is None:
            self._both = self.table.ends()
        return self._both

    def occurring(self, which: int, part: int) -> Occurring:
        """The addresses (``part`` 0) or ports (1) of the clients (``which`` 0) or servers (1)."""
        made = self._occurring.get((which, part))
        if made is None:
            unique, _, back = grouped(self.ends()[which][part])
            made = self._occurring[which, part] = unique, narrow(back)
        return made

    def expect(self, enough: Callable[[], bool]) -> None:
        """Work out, as long as that is not ``enough``, what any word of a filter will ask."""
        steps: list[Callable[[], object]] = [self.sentences, self.ends]
        steps += [partial(self.occurring, which, part) for which in (0, 1) for part in (0, 1)]
        for step in steps:
            if enough():
                return
            step()

    def sentences(self) -> tuple[Array, list[str]]:
        """Of each connection the number of what the list says of it at that moment, and these."""
        if self._told is None:
            self._told = headlines(self.judged)
        return self._told

    def by_end(self, enough: Callable[[], bool]) -> tuple[dict[tuple[str, str], Array], Array]:
        """What :mod:`tcpviz.bulk.tables.by_end` tells; not all of it, if that was ``enough``."""
        if self._by_end is None:
            made = by_end(self.table, enough)
            if enough():
                return made
            self._by_end = made
        return self._by_end

    def order(self, column: str, *, reverse: bool = False) -> Array:
        """Places in the table, sorted. Raises KeyError for an unknown column."""
        count = len(self.table)
        if column == "id":
            order = np.arange(count)
            return order[::-1] if reverse else order
        key = self._known.get(column)
        if key is None:
            key = self._known[column] = _KEYS[column](self)
        # Ties keep their order either way.
        return np.argsort(-key if reverse else key, kind="stable")

    def _end(self, which: int) -> Array:
        address, port = self.ends()[which]
        long = address >> 32 > 0
        if long.any():  # IPv6: numbers in the order in which they were met
            unique, back = np.unique(address[long], return_inverse=True)
            packed = [ipaddress.ip_address(self.table.address(n)).packed for n in unique.tolist()]
            order = {each: place for place, each in enumerate(sorted(packed))}
            address = address.copy()
            address[long] = (np.array([order[each] for each in packed]) | 1 << 32)[back]
        return address << 16 | port

    def _text(self, of: Callable[[Connection], str]) -> Array:
        """The rank of a text that depends on a connection's shape only."""
        texts: dict[str, int] = {}

        def number(connection: Connection) -> int:
            return texts.setdefault(of(connection), len(texts))

        numbers = self.table.shaped(number)
        return _ranks(list(texts))[numbers] if texts else numbers

    def _inside(self) -> Array:
        numbers = self.table.scopes
        return _ranks([scope_text(names) for _, names in self.table.scope_names])[numbers]

    def _verdict(self) -> Array:
        numbers, texts = self.sentences()
        return _ranks(texts)[numbers] if texts else numbers


def at_moment(table: Table, now_ns: int) -> Table:
    """The same table, looked at at one moment rather than when its capture paused."""
    made = copy.copy(table)
    made.until_ns = np.full(len(table), now_ns, np.int64)
    return made


def _ranks(texts: list[str]) -> Array:
    order = {text: place for place, text in enumerate(sorted(set(texts)))}
    return np.array([order[text] for text in texts], np.int64)


_KEYS: dict[str, Callable[[Keys], Array]] = {
    "client": lambda k: k._end(0),
    "server": lambda k: k._end(1),
    "client_state": lambda k: k._text(lambda c: str(c.client.state)),
    "server_state": lambda k: k._text(lambda c: str(c.server.state)),
    "phase": lambda k: k._text(lambda c: f"{c.phase.name}\0{chr(c.phase.done)}"),
    "inside": lambda k: k._inside(),
    "process": lambda k: np.zeros(len(k.table), np.int64),  # a file does not tell
    "time": lambda k: k.table.first_ns - k.table.last_ns,
    "segments": lambda k: -k.table.segments,
    "bytes": lambda k: -k.table.bytes,
    "rtt": lambda k: -np.maximum(k.table.rtt, 0),
    "retransmissions": lambda k: -k.table.shaped(lambda c: (c.marks or {}).get(RETRANSMISSION, 0)),
    "verdict": lambda k: k._verdict(),
}
