"""Large files in a real pseudo-terminal: the first rows, the way out, and what is said instead."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if not sys.platform.startswith("linux"):
    pytest.skip("pseudo-terminals are tested on Linux", allow_module_level=True)

from tcpviz.ui.bulkfeed import LARGE
from tests.bench import generate
from tests.terminal.pseudo import Terminal

MOUSE = b"\x1b[?1000h"
ALTERNATE = b"\x1b[?1049h"


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "large.pcap"
    generate.syns(path, 13_000)
    assert path.stat().st_size > LARGE
    return path


def test_the_first_rows_stand_there_before_the_screen_takes_over(capture: Path) -> None:
    terminal = Terminal(["-m", "tcpviz", "read", str(capture)], (120, 40))
    try:
        terminal.wait_for("10.128.0.1:80")
        assert MOUSE not in terminal.written  # Textual has not begun
        # Keys of that time are the screen's, and do not stand on it.
        terminal.type("z")
        terminal.wait_for("z: all panes")
        terminal.wait_for("13 000")
        assert terminal.written.count(ALTERNATE) == 1
        assert "SYN flood" in terminal.text
        terminal.type("q")
        assert terminal.ends() == 0
        assert terminal.restored
    finally:
        terminal.close()


def test_what_is_wrong_is_said_where_it_can_be_read(tmp_path: Path, capture: Path) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(b"no capture at all" * 100_000)
    for words, said in (
        ([str(cut)], "not a capture"),
        ([str(tmp_path / "none.pcap")], "no such file"),
        ([str(capture), "--theme", "pink"], "pink"),
    ):
        terminal = Terminal(["-m", "tcpviz", "read", *words], (80, 24))
        try:
            assert terminal.ends() in (1, 2)
            assert said in terminal.text
            assert terminal.restored or ALTERNATE not in terminal.written
        finally:
            terminal.close()
