"""Rows are put together by flow, whichever end sent them, in their order."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tcpviz.bulk import forks
from tcpviz.bulk.connections import building, lengthy, shares
from tcpviz.bulk.segments import flows
from tcpviz.bulk.segments.columns import DTYPES, Columns
from tests.bench.generate import visits
from tests.bulk.compare import built, differences

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
    columns = columns_of(rows)
    made = flows.flows_of(columns)
    assert made.order.dtype == np.uint32
    assert made.sure
    assert flows.unmixed(columns.array["row"][made.order], made.begin)
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


@pytest.mark.parametrize("place", [0, 3, 7, 8, 9, 29])
@pytest.mark.parametrize("other", [(7, 9, 80, 4000, 0), (7, 9, 4000, 80, 1), (7, 9, 4000, 81, 0)])
def test_what_is_mixed_is_found(place: int, other: Row) -> None:
    dice = random.Random(place)
    rows = [dice.choice((ONE, BACK)) for _ in range(30)]
    columns, order = columns_of(rows), np.arange(30, dtype=np.uint32)
    flows.check(columns, order)
    rows[place] = other
    columns = columns_of(rows)
    with pytest.raises(flows.Mixed):
        flows.check(columns, order)
    begin = np.unique([0, place, place + 1, 30])
    assert flows.unmixed(columns.array["row"], begin)


@pytest.mark.parametrize(("chunk", "hands"), [(300, 1), (20, 1), (300, 2)])
def test_flows_of_one_code_are_told_apart_by_who_looks_at_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, hands: int
) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 60, odd=0.02)
    monkeypatch.setattr(lengthy, "LEAST", 30)
    monkeypatch.setattr(building.Building, "chunk", chunk)
    monkeypatch.setattr(shares, "WORTH", 300)
    monkeypatch.setattr(forks, "_hands", hands)
    codes, asked = flows.codes, []

    def few(*ends: Any) -> Any:
        """Every eighth number stands for several."""
        code = codes(*ends)
        return np.where(code & np.uint64(7) == 0, code & np.uint64(8), code)

    def noted(columns: Columns, *, sure: bool = True) -> flows.Flows:
        asked.append(sure)
        return flows_of(columns, sure=sure)

    flows_of = flows.flows_of
    monkeypatch.setattr(flows, "codes", few)
    monkeypatch.setattr(building, "flows_of", noted)
    made = built(path)
    assert asked == [False, True]
    assert made.flows.sure
    assert differences(path, made) == []


@pytest.mark.parametrize("most", [1, 7, 100])
def test_spans_of_flows_and_how_many_go_together(most: int) -> None:
    dice = random.Random(most)
    for count in (0, 1, 2, 40):
        begin = np.array([dice.randrange(1 << 33) for _ in range(count)], np.int64)
        size = np.array([dice.choice((0, 1, 2, 9)) for _ in range(count)], np.int64)
        expected = [at + n for at, many in zip(begin, size, strict=True) for n in range(many)]
        assert flows.spans(begin, size).tolist() == expected
        parts = flows.together(size, most)
        assert np.concatenate([size[:0], *parts]).tolist() == list(range(count))
        assert all(size[part[1:]].sum() < most for part in parts)
        ended = [size[np.append(one, other[:1])].sum() for one, other in itertools.pairwise(parts)]
        assert all(many >= most for many in ended)
