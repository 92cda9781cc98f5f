"""What a table's columns tell of a filter's fields: numbers, and what each of them stands for."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.tables.community_ids import community_ids
from tcpviz.bulk.tables.load import COUNTED
from tcpviz.bulk.tables.sorting import Keys, Occurring
from tcpviz.bulk.tables.table import Table
from tcpviz.core.segment import Endpoint
from tcpviz.views.filter import CONNECTIONS
from tcpviz.views.filter import values as read
from tcpviz.views.filter.kinds import Asked
from tcpviz.views.filter.syntax import Test

Array = NDArray[Any]
Mask = NDArray[np.bool_]

PIECE = 2048
"""Questions between two looks at whether somebody has typed on."""

ENDS = ("client", "server")


class Interrupted(Exception):  # noqa: N818 - it is no failure
    """Somebody wants something else now."""


class ByColumn:
    """Asks each different value of a column once; :class:`tcpviz.bulk.tables.sieve.Sieve`'s base.

    ``enough``  says whether to break off: :class:`Interrupted` is raised then
    """

    def __init__(self, keys: Keys, enough: Callable[[], bool]) -> None:
        self._keys = keys
        self._table: Table = keys.table
        self._judged = keys.judged
        self._enough = enough

    def _communities(self, test: Test) -> Mask:
        """Who has such a Community ID: it is made of the ends, by column."""
        fits = CONNECTIONS.fields[test.field].kind.asked(
            "=" if test.op == "!=" else test.op, test.values
        )
        found = np.zeros(len(self._table), np.bool_)
        client, server = self._keys.ends()
        long = self._table.building.reading.columns.tables.long
        for at in range(0, len(found), 4 * PIECE):
            if self._enough():
                raise Interrupted
            part = slice(at, at + 4 * PIECE)
            one, other = ((address[part], port[part]) for address, port in (client, server))
            rows = community_ids(one, other, long)
            text, size = rows.tobytes().decode("ascii"), rows.shape[1]
            found[part] = [bool(fits(text[at : at + size])) for at in range(0, len(text), size)]
        return ~found if test.op == "!=" else found

    def _within(self, test: Test) -> Mask | None:
        """Who is in the networks, where all is IPv4 and no port is asked; else ``None``."""
        wanted = [read.host(each.text) for each in test.values]
        if any(port is not None or network.version != 4 for network, port in wanted):
            return None
        side = test.field.rpartition(".")[0]
        found = np.zeros(len(self._table), np.bool_)
        for which in [0, 1] if not side else [ENDS.index(side)]:
            address = self._keys.ends()[which][0]
            if (address >> 32).any():  # an IPv6 address may stand for an IPv4 one
                return None
            for network, _ in wanted:
                low, high = int(network.network_address), int(network.broadcast_address)
                found |= (address >= low) & (address <= high)
        return found

    def _values(
        self, numbers: Array | Occurring, value: Callable[[int], Any], asked: Asked
    ) -> Mask:
        """Each value that occurs is asked once; ``value`` of a negative number is not known."""
        if isinstance(numbers, tuple):
            unique, back = numbers
        else:
            unique, back = np.unique(numbers, return_inverse=True)
        fits = np.zeros(len(unique), np.bool_)
        for at in range(0, len(unique), PIECE):
            if self._enough():
                raise Interrupted
            part = unique[at : at + PIECE].tolist()
            fits[at : at + PIECE] = [each >= 0 and bool(asked(value(each))) for each in part]
        out: Mask = fits[back]
        return out

    def _column(
        self, test: Test
    ) -> Callable[[], list[tuple[Array | Occurring, Callable[[int], Any]]]] | None:
        """Numbers of a field, and what each stands for; several where any may fit."""
        table, now = self._table, self._judged.until_ns
        side, _, name = test.field.rpartition(".")
        plain: dict[str, Callable[[], Array]] = {
            "rtt": lambda: table.rtt,
            "segments": lambda: table.segments,
            "bytes": lambda: table.bytes,
            "duration": lambda: np.maximum(table.last_ns - table.first_ns, 0),
            "idle": lambda: np.maximum(now - table.last_ns, 0),
            "age": self._ages,
            "id": lambda: np.arange(1, len(table) + 1),
        }
        counted = COUNTED.get(test.field.removeprefix("mark."))
        if counted is not None and test.field.startswith("mark."):
            return lambda: [(self._marks(test.field[5:], counted), int)]
        if test.field in plain:
            made = plain[test.field]
            return lambda: [(made(), int)]
        if side and name in ("segments", "bytes"):
            return lambda: [(self._of_end(side, name), int)]
        if name not in ("port", "host") or side not in ("", *ENDS):
            return None
        which = [0, 1] if not side else [ENDS.index(side)]
        if name == "port":
            return lambda: [(self._keys.occurring(one, 1), int) for one in which]
        if test.op != "~" and any(read.host(each.text)[1] is not None for each in test.values):
            return lambda: [(self._pairs(one), self._endpoint) for one in which]
        return lambda: [(self._keys.occurring(one, 0), self._address) for one in which]

    def _marks(self, name: str, column: str) -> Array:
        return self._table.column(
            self._table._array[column], lambda c: (c.marks or {}).get(name, 0)
        )

    def _of_end(self, side: str, name: str) -> Array:
        whose = operator.attrgetter(f"{side}.{name}")
        return self._table.column(self._table._array[f"{side}_{name}"], lambda c: int(whose(c)))

    def _ages(self) -> Array:
        table = self._table
        over = table.shaped(lambda c: int(c.over)) > 0
        end = np.where(over, table.last_ns, np.maximum(self._judged.until_ns, table.last_ns))
        out: Array = np.maximum(end - table.first_ns, 0)
        return out

    def _pairs(self, which: int) -> Array:
        address, port = self._keys.ends()[which]
        return address << 16 | port

    def _endpoint(self, pair: int) -> Endpoint:
        return Endpoint(self._table.address(pair >> 16), pair & 0xFFFF)

    def _address(self, number: int) -> Endpoint:
        return Endpoint(self._table.address(number), 0)
