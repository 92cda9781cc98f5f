"""The recordings in demos/: valid asciicasts whose last screen shows what their title says."""

from __future__ import annotations

import json
from itertools import pairwise

import pyte
import pytest

from tcpviz.ui.keys import ACTIONS
from tests.scenes.recording import FOLDER, IDLE_S, RECORDINGS, Recorder, Recording, record

EVERY = pytest.mark.parametrize("one", RECORDINGS, ids=lambda one: one.name)


def played(text: str) -> tuple[dict[str, object], pyte.HistoryScreen, list[float]]:
    """Header, the last screen, and the times of an asciicast v2."""
    first, *rest = text.splitlines()
    header = json.loads(first)
    screen = pyte.Screen(header["width"], header["height"])
    stream = pyte.Stream(screen)
    times = []
    for row in rest:
        at, kind, data = json.loads(row)
        assert kind == "o"
        times.append(at)
        # pyte knows no private CSI with ">" or "<" (the keyboard protocol).
        stream.feed(data.replace("\x1b[>", "\x1b[?").replace("\x1b[<", "\x1b[?"))
    return header, screen, times


def holds(one: Recording, text: str) -> None:
    header, screen, times = played(text)
    assert header["version"] == 2
    assert (header["width"], header["height"]) == one.size
    assert header["title"] == one.title
    assert times == sorted(times)
    assert times[-1] > 3
    assert max(b - a for a, b in pairwise(times)) <= IDLE_S + 0.001
    shown = "\n".join(screen.display)
    for words in one.shows:
        assert words in shown, words


@EVERY
def test_a_recording_is_valid_and_ends_as_its_title_says(one):
    holds(one, (FOLDER / f"{one.name}.cast").read_text("utf-8"))


@EVERY
def test_a_recording_is_of_the_program_as_it_is(one):
    """The key hints on its last screen are those that there are; else: make recordings."""
    _, screen, _ = played((FOLDER / f"{one.name}.cast").read_text("utf-8"))
    hints = screen.display[-1].split()
    known = {word for action in ACTIONS for word in action.shown.split()}
    keys = [word for word in hints if len(word) == 1 or word in ("Space", "Enter", "Tab", "End")]
    assert len(keys) > 4
    assert set(keys) <= known, set(keys) - known
    assert "2 States" in "\n".join(screen.display)


def test_recording_keeps_what_a_program_writes_when_it_writes_it():
    def play(terminal: Recorder) -> None:
        terminal.wait_for("echo")
        assert terminal.ends() == 0

    one = Recording("list", "t", ("--list",), ("echo",), play, (120, 90))
    header, screen, times = played(record(one))
    assert header["title"] == "t"
    assert times
    assert any("echo" in row for row in screen.display)
