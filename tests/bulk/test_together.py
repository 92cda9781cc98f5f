"""What several threads make is what one makes: in its order, with its exceptions."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tcpviz.bulk import together
from tcpviz.bulk.connections.building import Building
from tcpviz.bulk.segments import reading
from tcpviz.bulk.tables.table import Table
from tcpviz.export import table_columns
from tests.bench.generate import visits


@pytest.fixture(params=[1, 2, 4])
def hands(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(together, "_hands", request.param)
    number: int = request.param
    return number


def test_results_come_in_the_order_of_the_items(hands: int) -> None:
    assert list(together.in_order(lambda n: n * n, range(200))) == [n * n for n in range(200)]


def test_an_exception_comes_after_the_results_before_it(hands: int) -> None:
    got: list[int] = []
    with pytest.raises(ZeroDivisionError):
        got.extend(together.in_order(lambda n: 12 // (5 - n), range(9)))
    assert got == [2, 3, 4, 6, 12]


def test_what_the_items_raise_comes_after_all_results_before_it(hands: int) -> None:
    def items() -> Iterator[int]:
        yield from range(7)
        raise OSError("cut")

    got: list[int] = []
    with pytest.raises(OSError, match="cut"):
        got.extend(together.in_order(abs, items()))
    assert got == list(range(7))


def test_few_are_under_way_and_who_goes_early_leaves_nothing_behind(hands: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for n in range(1000):
            taken.append(n)
            yield n

    before = threading.active_count()
    for each in together.in_order(abs, items()):
        if each == 20:
            break
    assert len(taken) <= 21 + hands
    assert threading.active_count() == before


def test_others_lend_a_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "_hands", 3)
    met = threading.Barrier(3)

    def call(_: int) -> int:
        met.wait(60)  # breaks unless all three are here at once
        return threading.get_ident()

    assert len(set(together.in_order(call, range(3)))) == 3


def test_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "_hands", 1)
    monkeypatch.setattr(together.sys, "setswitchinterval", lambda _: None)
    monkeypatch.setattr(together, "processors", lambda: 3)
    with together.shared():
        assert together.hands() == 3
        with together.shared(2):
            assert together.hands() == 2
        assert together.hands() == 3
    assert together.hands() == 1


def test_a_table_is_the_same_whoever_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 2000, odd=0.02)
    monkeypatch.setattr(Building, "chunk", 1 << 10)
    monkeypatch.setattr(reading, "PIECE", 1 << 16)
    made: list[list[object]] = []
    for number in (1, 3):
        monkeypatch.setattr(together, "_hands", number)
        read = reading.Reading(str(path))
        read.read()
        # Flows of one stretch are sorted by a number that is drawn anew in each process only.
        building = Building(read)
        out = io.BytesIO()
        table_columns.write(Table(building), read.status, out)
        columns = {name: column.tolist() for name, column in building.array.items()}
        rows = {name: column.tolist() for name, column in read.columns.array.items()}
        made.append(
            [columns, rows, [row for row, _ in building.followed], len(building.shapes),
             out.getvalue()]
        )  # fmt: skip
        read.close()
    assert made[0] == made[1]
    assert len(made[0][0]["first"]) > 1500  # type: ignore[index]
