"""Work that other processes share: all of it is done, in order, whatever becomes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tcpviz.bulk import crew
from tests.bulk.hands import DIE, FAIL, MODULE, SAY, STOP

ROOT = Path(__file__).resolve().parents[2]

Made = tuple[int, int]
US = 0
Crew = crew.Crew[int, Made]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set once another process has given something back."""
    event = threading.Event()
    give = Crew._give

    def told(self: Crew, *facts: object) -> None:
        give(self, *facts)  # type: ignore[arg-type]
        event.set()

    monkeypatch.setattr(crew.Crew, "_give", told)
    return event


def crew_of(here: Callable[[int], Made], most: int = 2, files: tuple[int, ...] = ()) -> Crew:
    """Whose others multiply by ten. An item costs 1, and each is worth another process."""
    return crew.Crew(MODULE, files, 10, lambda item: item, here, most=most, each=1)


def ours(item: int) -> Made:
    return US, item * 10


def after(event: threading.Event) -> Callable[[int], Made]:
    """Begins here only then."""

    def here(item: int) -> Made:
        assert event.wait(120)
        return ours(item)

    return here


def test_results_come_in_the_order_of_the_items(given: threading.Event) -> None:
    with closing(crew_of(after(given))) as both:
        for item in range(40):
            both.add(item, 1 + item % 3)
        made = both.results()
    assert [value for _, value in made] == [item * 10 for item in range(40)]
    makers = {maker for maker, _ in made}
    assert makers - {US}
    assert os.getpid() not in makers


@pytest.mark.parametrize("what", [DIE, FAIL])
def test_what_another_cannot_do_is_done_here(what: int, given: threading.Event) -> None:
    given.set()
    with closing(crew_of(after(given), most=3)) as both:
        for item in (what, 1, what, 2, 3, what):
            both.add(item, 1)
        made = both.results()
    assert [value for _, value in made] == [each * 10 for each in (what, 1, what, 2, 3, what)]
    assert {maker for maker, value in made if value == what * 10} == {US}
    assert both.pids == []


def test_what_another_is_too_long_at_is_done_here(
    monkeypatch: pytest.MonkeyPatch, given: threading.Event
) -> None:
    monkeypatch.setattr(crew, "PATIENCE_S", 0.2)
    with closing(crew_of(ours, most=1)) as both:
        both.add(7, 1)
        assert given.wait(120)  # it is there, and takes the next one
        both.add(STOP, 1)
        while not both._out:
            assert both.pids
        assert both.results() == [(both.pids[0], 70), (US, STOP * 10)]
    assert both.pids == []


def test_one_that_cannot_be_started_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nobody/is/here")
    with closing(crew_of(ours)) as both:
        both.add(1, 1)
        both.add(2, 1)
        assert both.results() == [(US, 10), (US, 20)]


def test_an_error_here_is_an_error() -> None:
    def here(item: int) -> Made:
        raise KeyError(item)

    with closing(crew_of(here, most=0)) as both:
        both.add(1, 1)
        with pytest.raises(KeyError):
            both.results()


def test_it_ends_where_it_is_enough(given: threading.Event) -> None:
    with closing(crew_of(ours, most=1)) as both:
        both.add(7, 1)
        assert given.wait(120)
        both.add(STOP, 1)
        while not both._out:
            assert both.pids
        looks = iter([False, True])
        assert both.results(lambda: next(looks)) == []
    assert both.pids == []


def test_it_neither_hears_ctrl_c_nor_says_anything(
    given: threading.Event, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(crew_of(after(given), most=1)) as both:
        both.add(SAY, 1)
        assert given.wait(120)
        assert both.results() == [(both.pids[0], SAY * 10)]
    assert capfd.readouterr() == ("", "")


_PARENT = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.bulk.test_crew import crew_of, ours
both = crew_of(ours, 1, (int(sys.argv[1]),))
both.add(7, 1)
while not (both._tasks[0].done):
    pass
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
