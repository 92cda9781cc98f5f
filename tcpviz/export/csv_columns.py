"""A table's connections as CSV: the characters of :mod:`csv_table`, many times as fast."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from tcpviz.bulk.tables.branches import Kind
from tcpviz.bulk.tables.table import Table
from tcpviz.core.segment import scope_text
from tcpviz.export import alike
from tcpviz.export.by_kind import ByKind
from tcpviz.export.csv_table import COLUMNS, row, safe
from tcpviz.export.filling import Draft, Form

Array = NDArray[Any]


def heading() -> str:
    """The first line."""
    return _csv(COLUMNS)


def lines(table: Table) -> ByKind[str]:
    """What writes connections of ``table``."""
    return ByKind(table, lambda connection, now: _csv(row(connection, now)), _form)


def texts(table: Table, places: Array) -> Iterator[str]:
    """The rows of the connections at these places, some thousand in each text."""
    return map("".join, lines(table).lines(places))


def _csv(cells: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def _form(kind: Kind) -> tuple[Form, str]:
    draft = Draft(r"\x01(\d+)\x01")
    holes = alike.usual(kind, unit="_ns", marked=_named, written=_cell, within=_within)
    cells = row(kind.connection, kind.now)
    itself = _csv(cells)
    for name, fill in holes.items():
        cells[COLUMNS.index(name)] = draft.hole(fill)
    return draft.form(_csv(cells)), itself


def _cell(text: str) -> str:
    """A text as one cell of several."""
    return _csv([safe(text), 0])[: -len(",0\n")]


def _within(scope: tuple[str, ...]) -> str:
    return _cell(scope_text(scope))


def _named(counts: Mapping[str, int]) -> str:
    return " ".join(f"{name}={count}" for name, count in counts.items())
