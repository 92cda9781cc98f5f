"""A table's connections as rows of a Parquet file: what :mod:`parquet` has, many times as fast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from tcpviz.bulk.tables.branches import Kind
from tcpviz.bulk.tables.portions import CLIENT, SERVER
from tcpviz.bulk.tables.table import Table
from tcpviz.export import alike
from tcpviz.export.by_kind import ByKind
from tcpviz.export.filling import Blank, Fill, number
from tcpviz.export.parquet import COLUMNS, Row, counted, row

Array = NDArray[Any]

_PLACES = {name: place for place, (name, *_) in enumerate(COLUMNS)}


def lines(table: Table) -> ByKind[Row]:
    """What makes rows of ``table``'s connections."""
    return ByKind(table, row, _form)


def rows(table: Table, places: Array) -> Iterator[list[Row]]:
    """The rows of the connections at these places, some thousand at a time."""
    return lines(table).lines(places)


def _form(kind: Kind) -> tuple[Blank, Row]:
    holes: dict[str, Fill] = {
        "id": number(lambda p: p.places + 1),
        "first": number(lambda p: p.first_ns),
        "last": number(lambda p: p.last_ns),
        "marks": alike.marks(kind, counted),
        "community_id": alike.community,
    }
    for side, name in ((CLIENT, "client"), (SERVER, "server")):
        holes[f"{name}_addr"] = alike.address(side)
        holes[f"{name}_port"] = number(alike.port(side))
        for what in ("segments", "bytes"):
            column = f"{name}_{what}"
            holes[column] = number(alike.column(column))
    if kind.connection.handshake_rtt_ns is not None:
        holes["handshake_rtt"] = number(lambda p: p.rtt)
    text = alike.text(kind, kind.said[0], str)
    if text is not None:
        holes["verdict"] = text
    values = row(kind.connection, kind.now)
    return Blank(values, {_PLACES[name]: fill for name, fill in holes.items()}), values
