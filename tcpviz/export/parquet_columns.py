"""A table's connections as rows of a Parquet file: what :mod:`parquet` has, many times as fast."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from tcpviz.bulk.tables.branches import Kind
from tcpviz.bulk.tables.table import Table
from tcpviz.export import alike
from tcpviz.export.by_kind import ByKind
from tcpviz.export.filling import Blank
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
    holes = alike.usual(kind, marked=counted, written=str, within=list)
    values = row(kind.connection, kind.now)
    return Blank(values, {_PLACES[name]: fill for name, fill in holes.items()}), values
