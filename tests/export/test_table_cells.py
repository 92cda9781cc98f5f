"""Columns of the table as text: what is written for many at once is what is written for each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from tcpviz.bulk.tables.table import Table
from tcpviz.export import table_columns
from tcpviz.export.table_columns import Cells
from tcpviz.views import numbers
from tcpviz.wire.tcp import address


def written(cells: Cells, count: int) -> list[str]:
    """The rows of this one column."""
    layout = cells.layout(cells.width, b"\n")
    return table_columns._rows([layout], slice(0, count)).decode().splitlines()


def test_durations() -> None:
    edges = [10**power + near for power in range(15) for near in (-6, -5, -1, 0, 1, 4, 5)]
    edges += [second * 10**9 + near for second in (58, 59, 60, 61, 3600) for near in (-1, 0, 1)]
    edges += np.random.default_rng(1).integers(0, 1 << 40, 3000).tolist()
    values = np.array([max(each, 0) for each in edges])
    rows = written(table_columns._durations(values), len(values))
    assert [row.strip() for row in rows] == [numbers.duration(each) for each in values.tolist()]
    assert len({len(row) for row in rows}) == 1


@pytest.mark.parametrize("value", [0, 12_300, 3_600_000_000_000])
def test_durations_that_are_all_alike(value: int) -> None:
    values = np.full(5, value)
    assert written(table_columns._durations(values), 5) == [numbers.duration(value)] * 5
    none = np.ones(5, np.bool_)
    assert written(table_columns._durations(values, none), 5) == ["-"] * 5
    none[2] = False
    rows = [row.strip() for row in written(table_columns._durations(values, none), 5)]
    assert rows == ["-", "-", numbers.duration(value), "-", "-"]


@pytest.mark.parametrize("different", [1, 40, 5000])
def test_ends_few_and_many(different: int) -> None:
    drawn = np.random.default_rng(different)
    known = drawn.integers(0, 1 << 32, different), drawn.integers(0, 1 << 16, different)
    which = drawn.integers(0, different, 9000)
    addresses, ports = (column[which] for column in known)

    def told(number: int) -> str:
        return address(number.to_bytes(4, "big"))

    table = cast(Any, SimpleNamespace(address=told))
    cells = table_columns._endpoints(cast(Table, table), addresses, ports)
    # Eight letters are written at a time: there is always something behind this column.
    behind = table_columns._words(np.zeros(len(which), np.uint8), ["what follows"])
    fields = [cells.layout(cells.width, b"  "), behind.layout(0, b"\n")]
    text = table_columns._rows(fields, slice(0, len(which))).decode()
    rows = [row.removesuffix("what follows") for row in text.splitlines()]
    ends = zip(addresses.tolist(), ports.tolist(), strict=True)
    assert [row.rstrip() for row in rows] == [f"{told(a)}:{p}" for a, p in ends]


def test_the_last_column_is_padded_with_nothing() -> None:
    texts = ["short", "µs → …", "a longer one", ""]
    which = np.arange(400) % 4
    last = table_columns._words(which, texts).layout(0, b"\n")
    middle = table_columns._words(which, texts)
    fields = [middle.layout(middle.width, b"|"), last]
    text = table_columns._rows(fields, slice(0, 400)).decode()
    assert text.splitlines() == [
        f"{texts[each].ljust(12)}|{texts[each]}" for each in which.tolist()
    ]
