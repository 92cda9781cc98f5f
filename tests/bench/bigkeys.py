"""``make bench``, on the screen of a very large file: every key of the list and of the ladder.

The real program in a real pseudo-terminal of 120x40, with a file of very many connections and
with one of a single very long one. Of each key is told, in milliseconds:

- *answer*: from the key to the first change that it makes on the screen;
- *result*: to the last one, when what was asked for stands there; the marker's way through the
  diagram, 0.3 s that hold nothing up, is switched off, and a message of an earlier key waited for;
- *held*: the longest time for which nothing else could have been answered: a clock in the
  program's own loop, that should tick each five milliseconds, came so late;
- *CPU*: of the thread that draws, and of all threads, which hold on a busy machine, too.

``python -m tests.bench.bigkeys --many FILE --one FILE`` presses every key on files that are there
and prints each; without them smaller files are made, and fewer keys pressed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyte

from tests.bench import grow
from tests.bench.files import many
from tests.bench.keytime import Quick
from tests.bench.load import cpu_of, peak_mb
from tests.bench.report import Row, give, say
from tests.terminal.pseudo import Terminal

SIZE = (120, 40)
_TICK_S = 0.005
_QUIET_S = 0.25
_SAID_S = 5.0
_SAYING = ("O", "I")
"""Keys that put another message in the place of the one before."""
_CLOCK = """
import asyncio.base_events as b, os, sys, time
if os.environ.get('TCPVIZ_FIRST'):
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
out = open(os.environ['TCPVIZ_TICKS'], 'w', buffering=1)
run = b.BaseEventLoop.run_forever
def begin(loop):
    def tick(due):
        now = time.perf_counter()
        if now - due > 0.005:
            out.write(f'{now} {now - due}\\n')
        loop.call_later(0.005, tick, now + 0.005)
    loop.call_later(0.005, tick, time.perf_counter() + 0.005)
    run(loop)
b.BaseEventLoop.run_forever = begin
from tcpviz.cli import main
sys.exit(main(sys.argv[1:]))
"""


@dataclass
class Taken:
    """Milliseconds of each time that a key was pressed."""

    what: str
    answer: list[float] = field(default_factory=list)
    result: list[float] = field(default_factory=list)
    held: list[float] = field(default_factory=list)
    drawing: list[float] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"answer {_most(self.answer)}, result {_most(self.result)}, held {_most(self.held)}, "
            f"CPU {_most(self.drawing)} / {_most(self.spent)}"
        )


def _most(values: Sequence[float]) -> str:
    """The middle and the greatest."""
    return f"{statistics.median(values):.0f} to {max(values):.0f} ms"


def _ran_ms(pid: int, thread: int) -> float:
    """How long a thread has run, by its scheduler."""
    try:
        return int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0]) / 1e6
    except OSError:
        return 0.0


class Large:
    """The program with a large file on its screen; keys are pressed one after another."""

    def __init__(self, path: Path, ticks: Path) -> None:
        self._ticks = ticks
        env = {
            "TCPVIZ_TICKS": str(ticks),
            "TCPVIZ_FIRST": os.environ.get("TCPVIZ_FIRST", ""),
            "TEXTUAL_ANIMATIONS": "none",
        }
        self.terminal = Terminal(["-c", _CLOCK, "read", str(path)], SIZE, env=env)
        self.quick = Quick(self.terminal)
        self._screen = pyte.Screen(*SIZE)
        self._stream = pyte.ByteStream(self._screen)
        self.taken: dict[str, Taken] = {}

    @property
    def display(self) -> list[str]:
        """What stands on the screen."""
        self._feed()
        return self._screen.display

    def _feed(self) -> float:
        """All that has come onto the emulated screen; when it last changed one."""
        last = 0.0
        before = self._screen.display
        for when, data in self.quick.came:
            self._stream.feed(data.replace(b"\x1b[>", b"\x1b[?").replace(b"\x1b[<", b"\x1b[?"))
            after = self._screen.display
            if _told(after) != _told(before):
                last = when
            before = after
        self.quick.came = []
        return last

    def settle(self, patience_s: float = 60.0) -> None:
        """Until nothing comes and nothing is being worked out."""
        until = time.perf_counter() + patience_s
        while time.perf_counter() < until:
            before, octets = cpu_of(self.terminal.pid), self.quick.octets
            self.quick.watch(_QUIET_S)
            spent = cpu_of(self.terminal.pid) - before
            if self.quick.octets == octets and spent < 0.12 * _QUIET_S + 0.011:
                return

    def _unsaid(self) -> None:
        """Until no message stands that goes away by itself."""
        until = time.perf_counter() + _SAID_S
        while any("(Esc)" in row for row in self.display) and time.perf_counter() < until:
            self.quick.watch(_QUIET_S)

    def key(self, what: str, keys: str, wait: bool = True) -> None:
        """Press a key and write down how long it took."""
        if keys not in _SAYING:
            self._unsaid()
        self._feed()
        pid = self.terminal.pid
        threads = [int(each.name) for each in Path(f"/proc/{pid}/task").iterdir()]
        ran, all_ran = _ran_ms(pid, pid), sum(_ran_ms(pid, each) for each in threads)
        began = time.perf_counter()
        self.terminal.type(keys)
        if wait:
            self.settle()
        else:
            self.quick.watch(0.03)
        drawn, all_drawn = _ran_ms(pid, pid), sum(_ran_ms(pid, each) for each in threads)
        came = [when for when, _ in self.quick.came]
        last = self._feed()
        row = self.taken.setdefault(what, Taken(what))
        row.answer.append(1000 * (came[0] - began) if came else 0.0)
        row.result.append(1000 * max(last - began, 0.0))
        row.drawing.append(drawn - ran)
        row.spent.append(all_drawn - all_ran)
        row.held.append(1000 * self._held(began, time.perf_counter()))

    def _held(self, since: float, until: float) -> float:
        found = [0.0]
        for text in self._ticks.read_text().splitlines():
            when, late = map(float, text.split())
            if since <= when <= until:
                found.append(late)
        return max(found)

    def word(self, what: str, text: str) -> None:
        """Type a filter letter by letter, waiting for each one's result; then clear it."""
        self.key("/", "/")
        for letter in text:
            self.key(f"{what}, a letter", letter)
        self.key("Esc clears the filter", "\x1b")

    def rushed(self, what: str, text: str) -> None:
        """The same typed as people do, 80 ms a letter; the result counts from the last one."""
        self.key("/", "/")
        for letter in text[:-1]:
            self.terminal.type(letter)
            self.quick.watch(0.08)
        self.key(what, text[-1])
        self.key("Esc clears the filter", "\x1b")

    def close(self) -> None:
        self.terminal.close()


def _told(display: Sequence[str]) -> list[str]:
    """What counts as an answer: not the lower lines, where the memory and messages are."""
    return list(display[:-5])


def tell(large: Large, where: str) -> None:
    for row in large.taken.values():
        print(f"{row.what:40} {row}  ({len(row.answer)})", file=sys.stderr)
    print(f"{where}: peak {peak_mb(large.terminal.pid)} MB", file=sys.stderr)


def load(path: Path, ticks: Path) -> Large:
    """The file, all of it read."""
    large = Large(path, ticks)
    until = time.perf_counter() + 240
    while "■" not in large.display[-2] and time.perf_counter() < until:
        large.quick.watch(0.2)
    large.settle()
    return large


UP, DOWN = "\x1b[A", "\x1b[B"
PAGE_DOWN, PAGE_UP, HOME, END = "\x1b[6~", "\x1b[5~", "\x1b[H", "\x1b[F"
FILTERS = (
    ("state:", "state:time-wait"),
    ("port:", "port:3000"),
    ("host:", "host:10.0.0.7"),
    ("verdict~", "verdict~reset"),
    ("free text", "10.0.0.1"),
    ("bytes>, rtt<", "bytes>90 rtt<1ms"),
)


def the_list(path: Path, folder: Path) -> None:
    """Every key of the list."""
    large = load(path, folder / "ticks")
    try:
        for _ in range(2):
            for key, name in ((END, "End"), (HOME, "Home"), (PAGE_DOWN, "page down"),
                              (PAGE_UP, "page up"), (DOWN, "down"), (UP, "up")):  # fmt: skip
                large.key(name, key)
        for _ in range(13):
            large.key("sort by the next column (O)", "O")
            large.key("the other way round (I)", "I")
            large.key("End, sorted", END)
        for what, text in FILTERS:
            large.word(what, text)
            large.rushed(f"{text} in one go", text)
        large.key("End", END)
        large.key("Enter on the last one", "\r")
        large.key("1: the list", "1")
        large.key("mark", "m")
        large.key("export's sheet", "E")
        large.key("Esc", "\x1b")
        large.key("all connections by state (0)", "0")
        large.key("troubles (!)", "!")
        large.key("Esc", "\x1b")
        tell(large, path.name)
    finally:
        large.close()


def the_ladder(path: Path, folder: Path) -> None:
    """Every key of the chart, and of the diagram beside it."""
    large = load(path, folder / "ticks")
    try:
        large.key("open (Enter)", "\r")
        for _ in range(2):
            for key, name in ((END, "End"), (HOME, "Home"), (PAGE_DOWN, "page down"),
                              (PAGE_UP, "page up"), (DOWN, "down"), (UP, "up"), ("n", "step"),
                              (".", "next problem"), (",", "problem before"), ("$", "teardown"),
                              ("^", "handshake"), ("}", "next state"), ("{", "state before"),
                              ("\x1b[1;2C", "a tenth on"), ("\x1b[1;2D", "a tenth back"),
                              ("@", "the prompt of @"), ("37%\r", "@ 37%"),
                              ("@", "the prompt of @"), ("5000000\r", "@ a frame"),
                              ("f", "fold"), ("F", "fold all"), ("T", "scale"), ("A", "ACKs"),
                              ("t", "times"), ("a", "numbers"), ("D", "detail"),
                              ("z", "maximise"), ("z", "maximise"), ("m", "mark"),
                              ("2", "the diagram"), ("3", "the chart"), ("4", "the segment"),
                              ("\x1b", "Esc"), ("5", "graphs"), ("\x1b", "Esc"),
                              ("E", "export's sheet"), ("\x1b", "Esc")):  # fmt: skip
                large.key(name, key)
        tell(large, path.name)
        print("\n".join(large.display), file=sys.stderr)
    finally:
        large.close()


def short(large: Large, what: str, ways: Sequence[tuple[str, str]]) -> None:
    """A few keys of each kind, as a row."""
    for keys, name in ways:
        large.key(name, keys)
    taken = list(large.taken.values())
    slowest = max(taken, key=lambda row: max(row.result))
    answers = [each for row in taken for each in row.answer]
    give(
        Row(
            f"a key, {what}",
            measured=f"answered after {_most(answers)}; "
            f"the last result, of {slowest.what}, after {max(slowest.result):.0f} ms; "
            f"other keys held up {max(max(row.held) for row in taken):.0f} ms at most; "
            f"{peak_mb(large.terminal.pid)} MB",
            goal="result 300 ms, 50 ms",
            short=True,
        )
    )


LIST_KEYS = (
    (END, "End"), (HOME, "Home"), (PAGE_DOWN, "a page"),
    *((("O", "sort"),) * 8), ("I", "the other way round"), (END, "End"),
    ("/", "/"), *((letter, "a letter of a filter") for letter in "port:1002"), ("\x1b", "Esc"),
    ("/", "/"), *((letter, "a letter of a filter") for letter in "10.0.0.3"), ("\x1b", "Esc"),
    (HOME, "Home"), ("\r", "Enter"),
)  # fmt: skip
LADDER_KEYS = (
    ("\r", "Enter"), (END, "End"), (HOME, "Home"), (PAGE_DOWN, "a page"), (".", "problem"),
    *((("\x1b[1;2C", "a tenth on"),) * 3), ("$", "teardown"), ("^", "handshake"),
    ("@", "@"), ("37%\r", "@ 37%"), ("f", "fold"), (END, "End"), ("T", "scale"),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--many", type=Path, help="a capture of many connections: every key")
    parser.add_argument("--one", type=Path, help="a capture of one long connection: every key")
    parser.add_argument("--connections", type=int, default=300_000)
    parser.add_argument("--segments", type=int, default=3_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.many:
            the_list(options.many, folder)
        if options.one:
            the_ladder(options.one, folder)
        if options.many or options.one:
            return 0
        path = folder / "large.pcap"
        for what, number, write, keys in (
            ("connections", options.connections, grow.many, LIST_KEYS),
            ("segments of one connection", options.segments, grow.one, LADDER_KEYS),
        ):
            say(f"keys: {many(number)} {what}")
            write(path, number)
            large = load(path, folder / "ticks")
            try:
                short(large, f"{many(number)} {what}", keys)
            finally:
                large.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
