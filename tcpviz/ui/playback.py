"""Playback: when the cursor moves by itself, and when it does not.

It holds no clock: every call that needs one is given ``now``, seconds of any
clock that only goes forward.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace

from tcpviz.core.timeline import Cursor
from tcpviz.words import _

FACTORS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0)
"""Speeds at which time goes as it went: a hundredth of it, as it was, a hundred times."""

STALL_S = 0.25
"""Time that the program was not asked for longer than this has not passed for the story."""

SECONDS = (0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0, 3.0, 5.0, 8.0)
"""The paces that the keys go through, seconds a step."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long each step stays, in seconds; with a ``factor``: time goes so fast as it went."""

    seconds: float = 1.2
    factor: float = 0.0

    def faster(self) -> Pace:
        """The next quicker pace (the quickest, if it is that already)."""
        if self.factor:
            up = min((f for f in FACTORS if f > self.factor), default=FACTORS[-1])
            return replace(self, factor=up)
        return replace(self, seconds=max((s for s in SECONDS if s < self.seconds), default=0.1))

    def slower(self) -> Pace:
        if self.factor:
            down = max((f for f in FACTORS if f < self.factor), default=FACTORS[0])
            return replace(self, factor=down)
        return replace(self, seconds=min((s for s in SECONDS if s > self.seconds), default=8.0))

    def turned(self, factor: float = 1.0) -> Pace:
        """By steps, if time went as it was; as it was, times ``factor``, if by steps."""
        return replace(self, factor=0.0 if self.factor else factor)

    def __str__(self) -> str:
        return (
            f"{self.factor:g}x" if self.factor else _("{n} s a step").format(n=f"{self.seconds:g}")
        )


class Mode(enum.Enum):
    """What the cursor does when nobody touches a key.

    ``FOLLOWING``  it is at the end, wherever that goes
    ``PLAYING``    it goes on by a step at each pace
    ``PAUSED``     it stays
    """

    FOLLOWING = "following"
    PLAYING = "playing"
    PAUSED = "paused"


class Playback:
    """Moves ``cursor`` at ``pace``.

    ``story``  a scenario that is played back from its beginning (the demo);
               otherwise the cursor starts at the end and follows it.
    ``following``  a scenario too is followed as it happens
    ``leap``   not ``None``: tells the step at which playing stops next, after this one;
               ``None`` of it: there is none yet
    """

    def __init__(self, cursor: Cursor, pace: Pace, *, story: bool, following: bool = False) -> None:
        self.cursor = cursor
        self.pace = pace
        self.story = story
        played = story and not following
        self.mode = Mode.PLAYING if played else Mode.FOLLOWING
        self.leap: Callable[[int], int | None] | None = None
        self._due: float | None = None
        self._moment: tuple[int, float, int] | None = None
        if played:
            cursor.seek(-1)

    def advance(self, now: float) -> bool:
        """Take the step that is due by ``now``, if one is; true if the cursor moved.

        Never more than one: after a stall the story goes on where it was.
        """
        if self.mode is not Mode.PLAYING:
            return False
        if self.pace.factor:
            return self._advance_time(now)
        self._moment = None
        if self._due is None:
            self._due = now
        if now < self._due:
            return False
        if self.leap is not None:
            found = self.leap(self.cursor.index)
            if found is None or found <= self.cursor.index:
                return False
            self.cursor.seek(found)
        elif not self.cursor.forward():
            return False  # nothing there yet; the next one is shown as soon as it comes
        self._due = now + self.pace.seconds
        return True

    def _advance_time(self, now: float) -> bool:
        """Let time go on as it went, times the factor; true if the cursor moved."""
        timeline, index = self.cursor.timeline, self.cursor.index
        if not len(timeline):
            return False
        if self._moment is None or self._moment[0] != index:
            # The cursor was put here: time goes on from its step.
            at = timeline[max(index, timeline.first)].time_ns
            self._moment = (index, now, at - (index < timeline.first))
        _, before, at_ns = self._moment
        passed = min(max(now - before, 0.0), STALL_S)
        at_ns += int(passed * self.pace.factor * 1_000_000_000)
        last = timeline[len(timeline) - 1].time_ns
        if at_ns >= last:
            at_ns, found = last, len(timeline) - 1
        else:
            found = timeline.at_time(at_ns)
            if timeline[found].time_ns > at_ns:
                found = index
        moved = found > index
        if moved:
            self.cursor.seek(found)
        self._moment = (self.cursor.index, now, at_ns)
        return moved

    def next_in(self) -> float | None:
        """Seconds until the next step comes, where time goes as it went; ``None``: not so."""
        timeline, index = self.cursor.timeline, self.cursor.index
        if self.mode is not Mode.PLAYING or not self.pace.factor or self._moment is None:
            return None
        following = index + 1
        if following >= len(timeline):
            return None
        return max(timeline[following].time_ns - self._moment[2], 0) / 1e9 / self.pace.factor

    def toggle(self, now: float, *, live: bool) -> None:
        """Pause, or go on: a live view to the end again, a story or file at its pace."""
        if self.mode is Mode.PAUSED:
            if live:
                self.follow()
            else:
                self.mode = Mode.PLAYING
                self._due = now
        elif self.mode is Mode.FOLLOWING:
            self.hold()
        else:
            self.mode = Mode.PAUSED

    def play(self, now: float) -> None:
        """Go on by itself from where the cursor stands, also if that is the end."""
        self.cursor.seek(self.cursor.index)
        self.mode = Mode.PLAYING
        self._due = now

    def hold(self) -> None:
        """Stay at this step, also if more come."""
        if self.cursor.following:
            self.cursor.seek(self.cursor.index)
        self.mode = Mode.PAUSED

    def step(self) -> bool:
        """One step on, by hand, which pauses. False where there is none."""
        if self.mode is Mode.FOLLOWING:
            return False  # at the end already: what comes next is shown anyway
        self.hold()
        return self.cursor.forward()

    def back(self) -> bool:
        """One step back, by hand. False at the beginning."""
        self.hold()
        return self.cursor.back()

    def first(self) -> None:
        """To the first step of what is stepped through; a story: to before it."""
        self.hold()
        steps = self.cursor.timeline.of(self.cursor.connection)
        if self.story or not steps:
            self.cursor.seek(self.cursor.timeline.first - 1)
        else:
            self.cursor.seek(steps[0])

    def seek(self, index: int) -> None:
        self.hold()
        self.cursor.seek(index)

    def follow(self) -> None:
        self.cursor.follow()
        self.mode = Mode.FOLLOWING

    def replay(self, now: float) -> None:
        """Play from the very beginning."""
        self.cursor.seek(self.cursor.timeline.first - 1)
        self.mode = Mode.PLAYING
        self._due = now

    def turn_pace(self, now: float) -> None:
        """By steps, or as it was; a scenario, which is over in no time, slower than that."""
        self.pace = self.pace.turned(0.1 if self.story else 1.0)
        self._due, self._moment = now, None

    def hurry(self, faster: bool, now: float) -> None:
        """Another pace; what is shown now stays no longer than that."""
        self.pace = self.pace.faster() if faster else self.pace.slower()
        if self._due is not None:
            self._due = min(self._due, now + self.pace.seconds)
