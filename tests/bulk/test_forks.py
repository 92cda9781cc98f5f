"""What forks make is what one process makes: in its order, with its exceptions, nothing lost."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tcpviz.bulk import forks
from tcpviz.bulk.connections import shares
from tcpviz.bulk.connections.building import Building
from tcpviz.bulk.segments.reading import Reading
from tcpviz.bulk.tables.table import Table
from tcpviz.export import table_columns
from tests.bench.generate import visits

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    # Of the test's own threads; what runs in the forks here needs none of their locks.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


@pytest.fixture(params=[1, 2, 4])
def hands(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(forks, "_hands", request.param)
    number: int = request.param
    return number


def children() -> int:
    """Processes that this one has begun and that have not been waited for."""
    return len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def files() -> int:
    """Descriptors that are open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_results_come_in_the_order_of_the_items(hands: int) -> None:
    assert list(forks.in_order(lambda n: n * n, range(200))) == [n * n for n in range(200)]


def test_who_has_least_to_do_makes_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "_hands", 3)
    costs = [9, 1, 1, 5, 5, 5, 1]
    made = list(forks.in_order(lambda _: os.getpid(), costs, costs=costs))
    mine, other, third = made[0], made[1], made[2]
    assert made == [mine, other, third, other, third, other, third]
    assert len({mine, other, third}) == 3


def test_an_exception_comes_after_the_results_before_it(hands: int) -> None:
    got: list[int] = []
    with pytest.raises(ZeroDivisionError):
        got.extend(forks.in_order(lambda n: 12 // (5 - n), range(9)))
    assert got == [2, 3, 4, 6, 12]


def test_who_goes_early_leaves_nothing_behind(hands: int) -> None:
    before = children(), files()
    for each in forks.in_order(abs, range(1000)):
        if each == 20:
            break
    assert (children(), files()) == before


def test_others_lend_a_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "_hands", 3)
    made = list(forks.in_order(lambda _: os.getpid(), range(9)))
    assert made[0] == os.getpid()
    assert made[:3] * 3 == made
    assert len(set(made)) == 3


def test_what_dies_is_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forks, "_hands", 3)
    here = os.getpid()

    def call(number: int) -> int:
        if number == 4 and os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    assert list(forks.in_order(call, range(20))) == list(range(20))


def no_fork() -> int:
    raise BlockingIOError(11, "Resource temporarily unavailable")


def test_where_there_is_no_room_for_another_all_is_made_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forks, "_hands", 3)
    monkeypatch.setattr(os, "fork", no_fork)
    before = files()
    assert list(forks.in_order(lambda _: os.getpid(), range(9))) == [os.getpid()] * 9
    with forks.Forks([os.getpid]) as others, pytest.raises(forks.Lost):
        others.take(0)
    assert files() == before


def test_arrays_come_back_whole() -> None:
    def made(number: int) -> dict[str, Any]:
        row = np.zeros(number, [("a", "u2"), ("b", "i8")])
        row["b"] = np.arange(number)
        return {"wide": np.arange(300_000), "row": row, "part": row["b"][::2], "text": "x" * number}

    calls: list[Callable[[], dict[str, Any]]] = [partial(made, number) for number in (0, 5, 70_000)]
    with forks.Forks(calls) as others:
        for place, call in enumerate(calls):
            mine, theirs = call(), others.take(place)
            assert mine.keys() == theirs.keys()
            assert all(np.array_equal(mine[name], theirs[name]) for name in mine)
            theirs["wide"][0] = 7  # they are ours
        with pytest.raises(forks.Lost):
            others.take(0)


_ASKED = """
import threading
from tcpviz.bulk import forks
forks.processors = lambda: 3
print(forks.hands(), forks.beside_screen())
with forks.shared():
    print(forks.hands(), forks.beside_screen())
    with forks.shared(2):
        print(forks.hands())
end = threading.Event()
thread = threading.Thread(target=end.wait)
thread.start()
with forks.shared():
    print(forks.hands(), forks.beside_screen())
end.set()
thread.join()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks are for Linux")
def test_it_is_asked_for_and_there_is_no_other_thread() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ASKED], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == ["1 True", "3 False", "2", "1 False"]


def test_a_table_is_the_same_whoever_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 2000, odd=0.02)
    monkeypatch.setattr(Building, "chunk", 1 << 10)
    monkeypatch.setattr(shares, "WORTH", 1 << 11)
    joined: list[int] = []
    join = Building._join

    def noted(building: Building, share: shares.Share) -> list[int]:
        joined.append(len(share.array["first"]))
        return join(building, share)

    monkeypatch.setattr(Building, "_join", noted)
    made: list[list[object]] = []
    for number in (1, 3):
        monkeypatch.setattr(forks, "_hands", number)
        read = Reading(str(path))
        read.read()
        # Flows of one stretch are sorted by a number that is drawn anew in each process only.
        building = Building(read)
        out = io.BytesIO()
        table_columns.write(Table(building), read.status, out)
        columns = {name: column.tolist() for name, column in building.array.items()}
        made.append(
            [columns, [row for row, _ in building.followed], len(building.shapes),
             building.kept.tolist(), out.getvalue()]
        )  # fmt: skip
        read.close()
    assert made[0] == made[1]
    assert len(made[0][0]["first"]) > 1500  # type: ignore[index]
    assert len(joined) == 2
    assert min(joined) > 400
