"""The process that reads a large file beside the screen: nobody is left, whoever ends first."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("there are forerunners on Linux only", allow_module_level=True)

from tcpviz.bulk.processors import processors
from tcpviz.cli import AHEAD
from tests.bench import grow
from tests.bench.live import tree
from tests.terminal.pseudo import PATIENCE_S, Terminal

if processors() < 2:
    pytest.skip("there is one processor, and no forerunner", allow_module_level=True)

CONNECTIONS = 30_000


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("many") / "many.pcap"
    grow.many(path, CONNECTIONS)
    assert path.stat().st_size > AHEAD
    return path


class Beside:
    """The program with the process that reads for it, stopped in the midst of its work."""

    def __init__(self, path: Path) -> None:
        self.terminal = Terminal(["-m", "tcpviz", "read", str(path)], (120, 40))
        until = time.monotonic() + PATIENCE_S
        others: list[int] = []
        while not others and time.monotonic() < until:
            self.terminal.pump(0.001)
            others = tree(self.terminal.pid)[1:]
        self.pid = others[0]
        os.kill(self.pid, signal.SIGSTOP)
        self._ends = os.pidfd_open(self.pid)

    def gone(self) -> bool:
        return bool(select.select([self._ends], [], [], PATIENCE_S)[0])

    def close(self) -> None:
        self.terminal.close()
        os.close(self._ends)


@pytest.fixture
def beside(capture: Path) -> Iterator[Beside]:
    made = Beside(capture)
    yield made
    made.close()


@pytest.mark.parametrize("how", ["q", "\x03", signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_it_ends_with_the_screen(beside: Beside, how: str | signal.Signals) -> None:
    terminal = beside.terminal
    terminal.wait_for("q quit" if isinstance(how, str) else "Connections")
    if isinstance(how, str):
        terminal.type(how)
        assert terminal.ends() == 0
        assert terminal.restored
    else:
        terminal.signal(how)
        assert terminal.ends() in (-how, 128 + how)
    assert beside.gone()


def test_where_it_is_killed_the_screen_reads(beside: Beside) -> None:
    beside.terminal.wait_for("Connections")
    os.kill(beside.pid, signal.SIGKILL)
    beside.terminal.wait_for("30 000")
    assert beside.gone()
    beside.terminal.type("q")
    assert beside.terminal.ends() == 0
    assert "rror" not in beside.terminal.text


def test_what_it_has_read_is_shown(capture: Path) -> None:
    terminal = Terminal(["-m", "tcpviz", "read", str(capture), "tcp"], (120, 40))
    try:
        terminal.wait_for("30 000")
        assert len(tree(terminal.pid)) == 1
        terminal.type("q")
        assert terminal.ends() == 0
    finally:
        terminal.close()
