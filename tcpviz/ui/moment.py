"""The moment at the cursor: where it stands in the run, what time it is there, who stands how.

Properties only: nothing is changed here.
"""

from __future__ import annotations

import bisect
from time import time_ns

from tcpviz.core.claims import Phase
from tcpviz.core.timeline import Cursor, Step, Timeline
from tcpviz.ui.hand import Hand
from tcpviz.ui.playback import Mode, Playback
from tcpviz.ui.pump import Pump
from tcpviz.ui.stops import Stops
from tcpviz.views.held_time import HeldTime


class Moment:
    """Mixed into the session, which owns the cursor and moves it.

    ``live``      records happen now
    ``selected``  the connection that is shown
    """

    live: bool
    pump: Pump
    timeline: Timeline
    cursor: Cursor
    playback: Playback
    stops: Stops
    hand: Hand
    held: HeldTime
    selected: int | None
    _readings: list[int]

    @property
    def story(self) -> bool:
        return self.playback.story

    @property
    def acting(self) -> bool:
        """A scenario that is watched as it happens."""
        return self.story and self.live

    @property
    def at_latest(self) -> bool:
        """The cursor stands at what happened last, whether or not it follows."""
        return self.cursor.following or self.remaining == 0

    @property
    def mode(self) -> Mode:
        return self.playback.mode

    @property
    def ended(self) -> bool:
        """The source has ended and the cursor stands at its last step."""
        return self.pump.done and self.remaining == 0

    @property
    def remaining(self) -> int:
        """Stops after the cursor, in what is stepped through."""
        place, total = self.place
        return total - place

    @property
    def place(self) -> tuple[int, int]:
        """Step n of m; n is 0 before the first."""
        return self.stops.place(self.cursor.index, self.cursor.connection)

    @property
    def step(self) -> Step | None:
        """The step that is explained: the latest stop at the cursor, of what is stepped through.

        Quiet steps behind it (the kernel agreed) are part of it.
        """
        stop = self.stops.last(self.cursor.index, self.cursor.connection)
        return None if stop is None or stop < self.timeline.first else self.timeline[stop]

    @property
    def now_ns(self) -> int:
        """The moment at the cursor, by the source's clock; 0 before anything."""
        index = self.cursor.index
        return self.timeline[index].time_ns if index >= self.timeline.first else 0

    @property
    def real_ns(self) -> int:
        """How long everything so far took in reality."""
        if len(self.timeline) <= self.timeline.first:
            return 0
        first, last = self.timeline[self.timeline.first], self.timeline[len(self.timeline) - 1]
        return last.time_ns - first.time_ns

    @property
    def reading(self) -> Step | None:
        """The latest step at or before the cursor at which the kernels were asked."""
        place = bisect.bisect_right(self._readings, self.cursor.index)
        return self.timeline[self._readings[place - 1]] if place else None

    @property
    def held_ns(self) -> int:
        """For how long the person has had something in the hand, by the cursor (or by now)."""
        if self.cursor.following and self.hand.blocks:
            return self.held.by(time_ns())
        return self.held.at(self.cursor.index)

    @property
    def scenario_ns(self) -> int:
        """How long the scenario itself took up to the cursor: without what was held."""
        step = self.step
        if step is None:
            return 0
        first = self.timeline[self.timeline.first].time_ns
        return max(step.time_ns - first - self.held.at(step.index), 0)

    @property
    def latest_ns(self) -> int:
        """The moment that ages are counted to: now, where it is live and followed."""
        if self.live and not self.story and self.cursor.following and not self.pump.done:
            return max(time_ns(), self.now_ns)
        return self.now_ns

    @property
    def standing(self) -> Step | None:
        """The step after which both ends of the selected connection stand as they do now.

        Before the connection's first one: the latest that told of a listener.
        """
        index = self.cursor.index
        if self.selected is not None:
            step = self.timeline.at(index, self.selected)
            if step is not None:
                return step
        return self.timeline.common_at(index)

    @property
    def phase(self) -> Phase | None:
        """Of the selected connection at the cursor, ``None`` before it began."""
        step = self.standing
        return None if step is None or step.connection is None else step.phase
