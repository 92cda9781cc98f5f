"""How long a key takes to the screen: to the first byte of its answer, in a pseudo-terminal.

What is on its way when a key is pressed is not its answer. Tab gives the focus to another pane,
and the rule above a pane that has it is a heavy line before its number and name: until those
bytes come with another number than before the key has not been answered. A count in that line,
as in "2 379", is no pane. Nothing else is done with what comes, so that reading it costs next to
nothing; an emulator of a terminal would take longer than the program.
"""

from __future__ import annotations

import os
import re
import select
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import pyte

from tests.terminal.pseudo import Terminal

_FOCUSED = re.compile(rb"\xe2\x94\x81(?:\x1b\[[0-9;]*m)* (?:\x1b\[[0-9;]*m)*([123]) [A-Z]")
_PATIENCE_S = 2.0
_KEPT = 1 << 14


class Quick:
    """A terminal of which only the bytes are read. ``octets``: how many came.

    ``came``: when what came, for looking at it afterwards.
    """

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.octets = 0
        self.came: list[tuple[float, bytes]] = []
        self._latest = b""
        self.focus = b"?"
        self._tail = b""
        descriptor = terminal._master
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._descriptor = descriptor

    def read(self, seconds: float) -> bool:
        """What comes within so long; true if the focus went to another pane with it."""
        if not self._poll.poll(max(seconds, 0) * 1000):
            return False
        data = os.read(self._descriptor, 1 << 16)
        self.octets += len(data)
        self.came.append((time.perf_counter(), data))
        self._latest = (self._latest + data)[-_KEPT:]
        data = self._tail + data
        self._tail = data[-64:]
        told = _FOCUSED.findall(data)
        if not told or told[-1] == self.focus:
            return False
        self.focus = told[-1]
        return True

    def saw(self, wanted: bytes) -> bool:
        """It is among the latest bytes that came."""
        return wanted in self._latest

    def watch(self, seconds: float) -> None:
        """Read for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.read(left)

    def key(self, key: str = "\t") -> float:
        """Seconds from a key to its answer."""
        began = time.perf_counter()
        self.terminal.type(key)
        while not self.read(0.05):
            if time.perf_counter() - began > _PATIENCE_S:
                break
        return time.perf_counter() - began

    def keys(
        self,
        count: int,
        going: Callable[[], bool] = lambda: True,
        pressed: list[float] | None = None,
    ) -> list[float]:
        """Seconds of each of ``count`` keys, pressed at moments that keep no step.

        ``pressed`` takes the moment of each.
        """
        took = []
        self.key()  # from here on it is known which pane has the focus
        for number in range(count):
            if not going():
                break
            if pressed is not None:
                pressed.append(time.perf_counter())
            took.append(self.key())
            self.watch(0.03 + 0.007 * (number % 11))
        return took

    def gone_at(self, text: str, size: tuple[int, int]) -> float:
        """When this text stood on the screen for the last time, by an emulator, afterwards."""
        screen = pyte.Screen(*size)
        stream = pyte.ByteStream(screen)
        last = 0.0
        for when, data in self.came:
            stream.feed(data)
            if any(text in row for row in screen.display):
                last = when
        return last


@dataclass(frozen=True)
class Took:
    """Of many keys: milliseconds at the middle, of 99 in 100, at most; and how many they were."""

    middle: float
    most: float
    worst: float
    count: int

    @classmethod
    def of(cls, seconds: list[float]) -> Took:
        if not seconds:
            return cls(0, 0, 0, 0)
        sorted_ = sorted(1000 * each for each in seconds)
        at99 = sorted_[min(len(sorted_) - 1, int(0.99 * len(sorted_)))]
        return cls(statistics.median(sorted_), at99, sorted_[-1], len(sorted_))

    def __str__(self) -> str:
        return f"{self.middle:.0f} ms, 99 of 100 {self.most:.0f} ms ({self.count})"
