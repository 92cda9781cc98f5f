"""ICMP errors about TCP as columns, some 60 bytes each; a record of any when it is asked for."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.columns import Tables, packed
from tcpviz.core.records import Unreachable
from tcpviz.core.segment import Endpoint
from tcpviz.wire.tcp import address

Array = NDArray[Any]
Piece = dict[str, Array]

KINDS: dict[str, str] = {
    "row": "i8",  # it came before this one
    "time": "i8",  # nanoseconds
    "frame": "i8",
    "reporter": "u4",  # this and the next three: addresses' numbers, as Tables has them
    "told": "u4",
    "src": "u4",
    "dst": "u4",
    "sport": "u2",
    "dport": "u2",
    "seq": "u4",
    "version": "u1",
    "type": "u1",
    "code": "u1",
    "ttl": "u1",
    "mtu": "u4",  # 0: it tells none
    "scope": "u4",  # which of Errors.scopes
}
"""What :class:`tcpviz.core.records.Unreachable` has, each error's ``row`` before it."""

SIZE = sum(np.dtype(kind).itemsize for kind in KINDS.values())
"""Bytes of an error."""

ADDRESSES = ("reporter", "told", "src", "dst")
"""Those that are numbers of addresses."""


class Errors(Sequence[tuple[int, Unreachable]]):
    """A capture's, in its order: ``(row, error)`` for each.

    ``scopes``  the VLANs and tunnels that they came in
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._pieces: list[Piece] = []
        self._count = 0
        self._scopes: dict[tuple[str, ...], int] = {}

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self._record(each) for each in range(*at.indices(self._count))]
        return self._record(range(self._count)[at])

    def __iter__(self) -> Iterator[tuple[int, Unreachable]]:
        return map(self._record, range(self._count))

    @property
    def scopes(self) -> list[tuple[str, ...]]:
        return list(self._scopes)

    def column(self, name: str) -> Array:
        """One of :data:`KINDS` of each."""
        if len(self._pieces) != 1:
            joined = {
                each: np.concatenate(
                    [piece[each] for piece in self._pieces] or [np.zeros(0, KINDS[each])]
                )
                for each in KINDS
            }
            self._pieces = [joined]
        return self._pieces[0][name]

    def scope(self, names: tuple[str, ...]) -> int:
        """The number of VLANs and tunnels."""
        return self._scopes.setdefault(names, len(self._scopes))

    def append(self, piece: Piece) -> None:
        """More of them."""
        self._pieces.append({name: piece[name].astype(kind) for name, kind in KINDS.items()})
        self._count += len(piece["row"])

    def of(self, count: int) -> Piece:
        """The first ones."""
        return {name: self.column(name)[:count] for name in KINDS}

    def piece(self, records: Sequence[Unreachable], rows: Sequence[int]) -> Piece:
        """Some that were read one by one, as columns."""
        made: dict[str, list[int]] = {name: [] for name in KINDS}
        for row, error in zip(rows, records, strict=True):
            number = self._tables.address
            told = {
                "row": row,
                "time": error.time_ns,
                "frame": error.frame,
                "reporter": number(packed(error.reporter)),
                "told": number(packed(error.told)),
                "src": number(packed(error.src.addr)),
                "dst": number(packed(error.dst.addr)),
                "sport": error.src.port,
                "dport": error.dst.port,
                "seq": error.seq,
                "version": error.version,
                "type": error.type,
                "code": error.code,
                "ttl": error.ttl,
                "mtu": error.mtu or 0,
                "scope": self.scope(error.scope),
            }
            for name, value in told.items():
                made[name].append(value)
        return {name: np.array(values, np.int64) for name, values in made.items()}

    def frozen(self) -> Errors:
        """Those that there are now, while more may come."""
        made = copy.copy(self)
        made._pieces, made._scopes = list(self._pieces), dict(self._scopes)
        return made

    def at(self, rows: Array) -> Errors:
        """The same, each before another row."""
        made = self.frozen()
        made._pieces = [{name: self.column(name) for name in KINDS} | {"row": rows}]
        return made

    def text(self, name: str, at: int) -> str:
        """An address of one of them."""
        return self._address(int(self.column(name)[at]), int(self.column("version")[at]))

    def _address(self, number: int, version: int) -> str:
        return address(number.to_bytes(4, "big") if version == 4 else self._tables.long[number])

    def _record(self, at: int) -> tuple[int, Unreachable]:
        told = {name: int(self.column(name)[at]) for name in KINDS}
        version = told["version"]
        reporter, to, src, dst = (self._address(told[name], version) for name in ADDRESSES)
        return told["row"], Unreachable(
            told["time"],
            reporter,
            to,
            Endpoint(src, told["sport"]),
            Endpoint(dst, told["dport"]),
            told["seq"],
            version,
            told["type"],
            told["code"],
            told["mtu"] or None,
            told["ttl"],
            told["frame"],
            self.scopes[told["scope"]],
        )
