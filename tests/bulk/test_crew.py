"""Work that other processes share: all of it is done, in order, whatever becomes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tcpviz.bulk import crew
from tests.bulk.hands import DIE, FAIL, FIND, MODULE, SAY, STOP

ROOT = Path(__file__).resolve().parents[2]

Made = tuple[int, int]
US = 0
Crew = crew.Crew[int, Made]


def crew_of(here: Callable[[int], Made], most: int = 2, files: tuple[int, ...] = ()) -> Crew:
    """Whose others multiply by ten. An item costs 1, and each is worth another process."""
    return crew.Crew(MODULE, files, 10, lambda item: item, here, most=most, each=1)


def ours(item: int) -> Made:
    return US, item * 10


def done(both: Crew) -> int:
    """How many items are, by whomsoever."""
    return sum(task.done for task in both._tasks)


def until(both: Crew, there: Callable[[], bool]) -> None:
    """Wait for others."""
    deadline = time.monotonic() + 120
    while not there():
        assert time.monotonic() < deadline
        both.turn(0.1)


class Patient:
    """Begins here only when another process has done something, or all are gone."""

    both: Crew

    def __call__(self, item: int) -> Made:
        until(self.both, lambda: done(self.both) > 0 or not self.both.pids)
        return ours(item)


@pytest.fixture
def both() -> Iterator[Crew]:
    """With two others, who begin."""
    here = Patient()
    with closing(crew_of(here)) as made:
        here.both = made
        yield made
    assert made.pids == []


@pytest.fixture
def one() -> Iterator[Crew]:
    """With one other, who has given something back."""
    with closing(crew_of(ours, most=1)) as made:
        made.add(7, 1)
        until(made, lambda: done(made) == 1)
        yield made
    assert made.pids == []


def test_results_come_in_the_order_of_the_items(both: Crew) -> None:
    for item in range(40):
        both.add(item, 1 + item % 3)
    made = both.results()
    assert [value for _, value in made] == [item * 10 for item in range(40)]
    makers = {maker for maker, _ in made}
    assert makers - {US}
    assert os.getpid() not in makers


def test_much_goes_both_ways(both: Crew) -> None:
    """More than a pipe holds, while another is busy."""
    items = [1 << (1 << 23), 2, 1 << (1 << 23), 3, 4, 1 << (1 << 22)]
    for item in items:
        both.add(item, 1)
    assert [value for _, value in both.results()] == [item * 10 for item in items]
    assert {maker for maker, _ in both.results()} - {US}


@pytest.mark.parametrize("what", [DIE, FAIL])
def test_what_another_cannot_do_is_done_here(what: int, both: Crew) -> None:
    items = what, 1, what, 2, 3, what
    for item in items:
        both.add(item, 1)
    made = both.results()
    assert [value for _, value in made] == [each * 10 for each in items]
    assert {maker for maker, value in made if value == what * 10} == {US}


def test_what_another_is_too_long_at_is_done_here(
    monkeypatch: pytest.MonkeyPatch, one: Crew
) -> None:
    monkeypatch.setattr(crew, "PATIENCE_S", 0.2)
    other = one.pids
    one.add(STOP, 1)
    assert one.results() == [(other[0], 70), (US, STOP * 10)]
    assert one.pids == other


def test_what_is_not_for_others_is_done_here(both: Crew) -> None:
    both.add(5, 9, alone=True)
    for item in range(4):
        both.add(item, 1)
    made = both.results()
    assert [value for _, value in made] == [50, 0, 10, 20, 30]
    assert made[0][0] == US


@pytest.mark.parametrize("where", ["/nobody/is/here", "", None])
def test_one_that_cannot_be_started_is_not_missed(
    monkeypatch: pytest.MonkeyPatch, where: str | None
) -> None:
    monkeypatch.setattr(sys, "executable", where)
    with closing(crew_of(ours)) as alone:
        alone.add(1, 1)
        alone.add(2, 1)
        assert alone.results() == [(US, 10), (US, 20)]


def test_an_error_here_is_an_error() -> None:
    def here(item: int) -> Made:
        raise KeyError(item)

    with closing(crew_of(here, most=0)) as alone:
        alone.add(1, 1)
        with pytest.raises(KeyError):
            alone.results()


def test_it_ends_where_it_is_enough(one: Crew) -> None:
    one.add(STOP, 1)
    looks = iter([False, True])
    assert one.results(lambda: next(looks)) == []


def test_it_neither_hears_ctrl_c_nor_says_anything(
    one: Crew, capfd: pytest.CaptureFixture[str]
) -> None:
    other = one.pids
    one.add(SAY, 1)
    until(one, lambda: done(one) == 2)
    assert one.results()[1] == (other[0], SAY * 10)
    assert capfd.readouterr() == ("", "")


def test_another_tcpviz_on_the_path_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the one that is installed, beside the one that runs."""
    (tmp_path / "tcpviz").mkdir()
    (tmp_path / "tcpviz" / "__init__.py").write_text("raise SystemExit\n")
    monkeypatch.setattr(sys, "path", [str(ROOT), str(tmp_path), *sys.path])
    with closing(crew_of(ours, most=1)) as made:
        made.add(7, 1)
        until(made, lambda: done(made) == 1 or not made.pids)
        assert made.pids


def test_what_lies_beside_a_part_of_another_tcpviz_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As numpy does where the demos of one that is used from elsewhere are installed."""
    (tmp_path / "tcpviz" / "demos").mkdir(parents=True)
    (tmp_path / "beside_tcpviz.py").touch()
    monkeypatch.setattr(sys, "path", [str(ROOT), str(tmp_path), *sys.path])
    with closing(crew_of(ours, most=1)) as made:
        made.add(FIND, 1)
        until(made, lambda: done(made) == 1 or not made.pids)
        assert made.pids


_PARENT = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.bulk.test_crew import crew_of, done, ours, until
both = crew_of(ours, 1, (int(sys.argv[1]),))
both.add(7, 1)
until(both, lambda: done(both))
print("there", flush=True)
sys.stdin.read()
"""


def test_it_ends_with_us() -> None:
    ends, held = os.pipe()
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(held)],
        pass_fds=(held,), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    os.close(held)
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"there\n"
        parent.send_signal(signal.SIGKILL)
    # It held the other end as well, and nobody else does.
    assert os.read(ends, 1) == b""
    os.close(ends)
