"""Thrift: a live capture keeps within the memory that it was given, whatever comes.

What is kept for looking back is what gives way: the oldest steps of the
timeline first, then connections (finished ones first), down to a few. What has
been counted stays counted. Memory that Python has freed is often used again
rather than given back, so the limits that were found to be needed stay: what
comes later then lives in the room of what went.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from typing import Final

from tcpviz.core.timeline import Timeline
from tcpviz.core.tracker import Tracker

BUDGET: Final = 256 << 20
"""Bytes for a capture, unless told: the resident memory of all its processes together."""

LEAST_BUDGET: Final = 96 << 20
"""The program itself takes some 60 MB, its helpers 15 MB each."""

FROM: Final = 0.85
"""Of the budget: from here on old things go."""

AGAIN: Final = 1.01
"""By so much memory must have grown since the last time before more goes."""

LEAST_STEPS: Final = 2_000
LEAST_CONNECTIONS: Final = 200


AGAIN_S: Final = 0.25
"""Seconds between two looks at least: asking the system of every process takes half a ms."""


class Thrift:
    """Holds a session's tracker to ``budget`` bytes. ``times`` is how often something had to go."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.budget = budget
        self.times = 0
        self._last = 0
        self._due = 0.0

    def due(self, now: float) -> bool:
        """Whether to look again by now, seconds of any clock; then not for a while."""
        if now < self._due:
            return False
        self._due = now + AGAIN_S
        return True

    def mind(self, tracker: Tracker, used: int) -> bool:
        """``used`` bytes are taken now; true if something was forgotten because of it."""
        if used < self.budget * FROM:
            self._last = 0
            return False
        if used < self._last * AGAIN:
            return False
        before = (tracker.timeline.first, len(tracker.connections))
        over = used / self.budget > 0.95
        _shorten(tracker.timeline, 0.5 if over else 0.8)
        if over or len(tracker.timeline) - tracker.timeline.first <= LEAST_STEPS:
            keep = max(int(len(tracker.connections) * 0.8), LEAST_CONNECTIONS)
            tracker.keep_connections(keep)
        _give_back()
        self._last = used
        forgotten = before != (tracker.timeline.first, len(tracker.connections))
        self.times += forgotten
        return forgotten


def _shorten(timeline: Timeline, share: float) -> None:
    kept = len(timeline) - timeline.first
    timeline.shorten(max(int(kept * share), LEAST_STEPS))


def _give_back() -> None:
    """What the C library holds and does not use goes back to the system (glibc has a call)."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
