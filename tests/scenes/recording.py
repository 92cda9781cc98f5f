"""Recordings of the program in a real pseudo-terminal, as asciicasts: ``make recordings``.

Each is a real run with the keys that a person would press, no picture of it drawn by us: what
the program wrote to its terminal, and when. ``asciinema play demos/handshake.cast`` shows one.
The format is asciicast v2: a JSON header, then a line ``[seconds, "o", text]`` for each piece.
"""

from __future__ import annotations

import codecs
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.terminal.pseudo import ENVIRONMENT, Terminal

FOLDER = Path(__file__).resolve().parents[2] / "demos"

IDLE_S = 2.5
"""Longer silences are cut to this: nobody needs to wait for a timer twice."""

Player = Callable[["Recorder"], None]


class Recorder(Terminal):
    """A terminal that keeps what was written to it, and when; pieces never split a character."""

    def __init__(self, argv: list[str], size: tuple[int, int]) -> None:
        self.pieces: list[tuple[float, str]] = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._began = time.monotonic()
        super().__init__(argv, size)

    def pump(self, seconds: float) -> bool:
        before = len(self.written)
        more = super().pump(seconds)
        text = self._decoder.decode(self.written[before:])
        if text:
            self.pieces.append((time.monotonic() - self._began, text))
        return more

    def watch(self, seconds: float) -> None:
        """Let the audience look: so much time passes."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.pump(0.05)

    def press(self, keys: str, then: str = "", watch: float = 1.2) -> None:
        """Press, wait for what must come of it, and look at it."""
        self.type(keys)
        if then:
            self.wait_for(then)
        self.watch(watch)


@dataclass(frozen=True, slots=True)
class Recording:
    """``shows`` is what the last screen must have, ``play`` what the person does."""

    name: str
    title: str
    arguments: tuple[str, ...]
    shows: tuple[str, ...]
    play: Player
    size: tuple[int, int] = (120, 40)


def _handshake(terminal: Recorder) -> None:
    terminal.wait_for("SYN-SENT")
    terminal.wait_for(lambda shown: "end" in shown.splitlines()[-2] and "= fd" in shown)
    terminal.watch(3)


def _simultaneous(terminal: Recorder) -> None:
    terminal.wait_for("CLOSING")
    terminal.wait_for(lambda shown: "end" in shown.splitlines()[-2])
    terminal.watch(3)


def _lost(terminal: Recorder) -> None:
    """Let the handshake through, drop the data, and see what the client's kernel does."""
    for what in ("SYN 0", "SYN 0, ACK 1", "ACK 1"):
        terminal.wait_for(lambda shown, what=what: f"{what}  " in _hand(shown))  # type: ignore[misc]
        terminal.press(" ", watch=1.5)
    terminal.wait_for(lambda shown: "1:" in _hand(shown))
    terminal.watch(1.5)
    terminal.press("x", "dropped by you", 1)
    terminal.wait_for(lambda shown: "1:" in _hand(shown))  # the same bytes again
    terminal.watch(2.5)
    terminal.press(" ", watch=1.5)
    terminal.wait_for(lambda shown: "ACK" in _hand(shown))
    terminal.press(" ", watch=3)


def _hand(shown: str) -> str:
    """The line that says what is in the hand."""
    return next(
        (row + "  " for row in shown.splitlines() if "in your hand" in row and ":" in row), ""
    )


RECORDINGS = (
    Recording(
        "handshake",
        "tcpviz demo handshake: SYN, SYN ACK, ACK between two real kernels",
        ("handshake", "--pace", "1"),
        ("ESTABLISHED", "handshake", "3/3", "= fd"),
        _handshake,
    ),
    Recording(
        "simultaneous-close",
        "tcpviz demo simultaneous-close: two FINs cross, both ends pass CLOSING",
        ("simultaneous-close", "--pace", "0.8"),
        ("TIME-WAIT", "teardown", "4/4", "CLOSING"),
        _simultaneous,
    ),
    Recording(
        "lost-segment",
        "tcpviz demo --step: drop the data by hand, and the client's kernel sends it again",
        ("echo", "--step"),
        ("dropped by you", "retransmission"),
        _lost,
    ),
)


def record(one: Recording) -> str:
    """Play it on a real pseudo-terminal; the asciicast's text. AssertionError if it goes wrong."""
    terminal = Recorder(["-m", "tcpviz", "demo", *one.arguments], one.size)
    try:
        one.play(terminal)
    finally:
        pieces = list(terminal.pieces)
        terminal.close()
    header = {
        "version": 2,
        "width": one.size[0],
        "height": one.size[1],
        "timestamp": int(time.time()),
        "title": one.title,
        "idle_time_limit": IDLE_S,
        "env": {"TERM": ENVIRONMENT["TERM"], "SHELL": "/bin/sh"},
    }
    lines = [json.dumps(header)]
    at = last = 0.0
    for moment, text in pieces:
        at += min(moment - last, IDLE_S)
        last = moment
        lines.append(json.dumps([round(at, 3), "o", text], ensure_ascii=False))
    return "\n".join(lines) + "\n"


def main(names: list[str]) -> int:
    """Make the recordings; all where none is named."""
    for one in RECORDINGS:
        if names and one.name not in names:
            continue
        place = FOLDER / f"{one.name}.cast"
        place.write_text(record(one), "utf-8")
        print(place, f"{place.stat().st_size >> 10} kB", flush=True)
    return 0
