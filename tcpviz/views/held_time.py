"""Real time and held time: how much of what the clock says passed with a segment in a hand.

While a person holds a segment nothing else can happen on the cable, and the
seconds that pass are the person's, not TCP's. Taken off, what is left is the
time that the scenario itself took.
"""

from __future__ import annotations

import bisect

from tcpviz.core.timeline import Step


class HeldTime:
    """Is told a timeline's steps in order; answers for any of them."""

    def __init__(self) -> None:
        self._indexes: list[int] = []
        self._paused: list[int] = []
        self._real: int | None = None
        self._last_ns = 0

    def add(self, step: Step) -> None:
        """Take the next step."""
        if not self._paused and step.segment is not None and step.handled is None:
            self._real = step.time_ns
            return  # nearly all there is, where nobody has anything in the hand
        paused = self._paused[-1] if self._paused else 0
        if step.handled is not None:
            paused = step.handled.paused_ns
            if self._real is not None:
                # The hand is counted as empty a moment late: time must not run backwards.
                paused = min(paused, step.time_ns - self._real)
            self._last_ns = step.time_ns
            self._indexes.append(step.index)
            self._paused.append(paused)
        if step.handled is not None or not step.quiet:
            self._real = step.time_ns - paused

    def at(self, index: int | None) -> int:
        """Nanoseconds for which the person had held something by step ``index`` (or by now)."""
        place = len(self._indexes)
        if index is not None:
            place = bisect.bisect_right(self._indexes, index)
        return self._paused[place - 1] if place else 0

    def by(self, now_ns: int) -> int:
        """The same by a moment at which something is still in the hand."""
        return self.at(None) + max(now_ns - self._last_ns, 0) if self._indexes else 0
