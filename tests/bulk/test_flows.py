"""Rows are put together by flow, whichever end sent them, in their order."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tcpviz.bulk.segments import flows
from tcpviz.bulk.segments.columns import DTYPES, Columns

Row = tuple[int, int, int, int, int]

ONE: Row = (7, 9, 4000, 80, 0)
BACK: Row = (9, 7, 80, 4000, 0)


def columns_of(rows: list[Row]) -> Columns:
    columns = Columns()
    table = np.array(rows, np.int64).reshape(-1, 5)
    names = dict(zip(("src", "dst", "sport", "dport", "scope"), table.T, strict=True))
    columns.append({name: names.get(name, np.zeros(len(rows), np.int64)) for name in DTYPES})
    columns.close()
    return columns


def found(rows: list[Row]) -> set[tuple[int, ...]]:
    made = flows.flows_of(columns_of(rows))
    assert made.order.dtype == np.uint32
    return {tuple(made.rows(number).tolist()) for number in range(len(made))}


def expected(rows: list[Row]) -> set[tuple[int, ...]]:
    together: dict[tuple[object, ...], list[int]] = {}
    for place, (src, dst, sport, dport, scope) in enumerate(rows):
        key = (scope, *sorted([(src, sport), (dst, dport)]))
        together.setdefault(key, []).append(place)
    return {tuple(each) for each in together.values()}


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows, "_STEP", 8)


@pytest.mark.parametrize(
    "other",
    [
        *(ONE, BACK, (7, 9, 4000, 80, 1), (9, 7, 80, 4000, 1), (9, 7, 4000, 80, 0)),
        *((7, 9, 80, 4000, 0), (7, 9, 4000, 81, 0), (7, 9, 4001, 80, 0), (7, 8, 4000, 80, 0)),
        *((6, 9, 4000, 80, 0), (7, 7, 4000, 80, 0), (7, 9, 4000, 4000, 0)),
    ],
)
@pytest.mark.parametrize("place", [0, 3, 20, 29])
def test_of_one_flow_or_of_two(place: int, other: Row) -> None:
    dice = random.Random(place)
    rows = [dice.choice((ONE, BACK)) for _ in range(30)]
    rows[place] = other
    assert found(rows) == expected(rows)
    assert len(expected(rows)) == 1 + (other not in (ONE, BACK))


def test_of_many_flows_and_of_none() -> None:
    dice = random.Random(1)
    rows = [
        (dice.randrange(3), dice.randrange(3), dice.randrange(2), dice.randrange(2), 0)
        for _ in range(300)
    ]
    assert found(rows) == expected(rows)
    assert found([]) == set()
