"""The timeline: what happened, in order, and the cursor that stands in it.

One timeline serves every pane. It only grows at its end (and, where a limit is
set, loses its oldest steps, counted in :attr:`Timeline.dropped`). A step's
``index`` is its number since the beginning and never changes. Live, paused,
stepping back and replaying are positions of a :class:`Cursor`.
"""

from __future__ import annotations

import bisect
import enum
from collections.abc import Iterator, Sequence
from heapq import merge

from tcpviz.core.claims import Claim, Disagreement, Phase, StateChange
from tcpviz.core.facts import dataclass
from tcpviz.core.kernel_events import KernelEvent
from tcpviz.core.marks import Observation
from tcpviz.core.passages import Passage
from tcpviz.core.records import (
    Act,
    Call,
    Gap,
    Handled,
    KernelReading,
    Note,
    Side,
    Unreachable,
)
from tcpviz.core.segment import Segment


class StepKind(enum.Enum):
    """What kind of thing happened.

    ``SEGMENT``  seen at the one capture point (sent, and perhaps arrived)
    ``SENT``, ``ARRIVED``, ``LOST``  a segment's moments where both ends are watched
    ``CALL``, ``RETURN``  a socket call was made; returned
    ``KERNEL``   the kernel's sockets were read
    ``EVENT``    the kernel told of an end at the very moment (a tracepoint)
    ``TIMER``    the protocol's own clock moved an end (TIME-WAIT's end, giving up)
    ``CABLE``    the lab's cable, or whoever has it in the hand, did something to a segment
    ``REBOOT``   a host was switched off and on
    ``ICMP``     somebody says that a segment could not be delivered
    ``NOTE``, ``GAP``  the source has something to say; something is missing
    """

    SEGMENT = "segment"
    SENT = "sent"
    ARRIVED = "arrived"
    LOST = "lost"
    CALL = "call"
    RETURN = "return"
    KERNEL = "kernel"
    EVENT = "event"
    TIMER = "timer"
    CABLE = "cable"
    REBOOT = "reboot"
    ICMP = "icmp"
    NOTE = "note"
    GAP = "gap"

    __hash__ = object.__hash__  # the standard one is a call of Python, many times a segment


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, and how both ends stood right after it.

    ``connection``  the connection's id, ``None`` for what belongs to no one
                    connection (a listener's calls, notes, gaps)
    ``side``        whose doing it was: the segment's sender, the caller; for ``ICMP``
                    the end whose segment was not delivered
    ``relative``    the segment's (seq, ack) counted from each end's initial
                    sequence number; ack is ``None`` without the ACK bit
    ``client``, ``server``, ``phase``  after the step
    ``observation`` the segment's marks, round-trip time and so on
    ``passage``     the segment's way between two capture points
    """

    index: int
    time_ns: int
    kind: StepKind
    connection: int | None
    side: Side | None
    client: Claim
    server: Claim
    phase: Phase
    segment: Segment | None = None
    relative: tuple[int, int | None] = (0, None)
    call: Call | None = None
    reading: KernelReading | None = None
    note: Note | None = None
    gap: Gap | None = None
    unreachable: Unreachable | None = None
    handled: Handled | None = None
    observation: Observation | None = None
    changes: tuple[StateChange, ...] = ()
    disagreements: tuple[Disagreement, ...] = ()
    event: KernelEvent | None = None
    passage: Passage | None = None

    @property
    def quiet(self) -> bool:
        """Nothing to stop at when stepping: the kernel was asked and agreed, a hand moved."""
        if self.handled is not None:
            return self.handled.act in (Act.HELD, Act.RELEASED, Act.DROPPED)
        told = self.kind in (StepKind.KERNEL, StepKind.EVENT)
        return told and not self.disagreements and not self.changes

    def claim(self, side: Side) -> Claim:
        return self.client if side is Side.CLIENT else self.server


class Timeline:
    """Steps in order. ``limit`` bounds how many are kept; the oldest go first."""

    def __init__(self, limit: int | None = None) -> None:
        self._steps: list[Step] = []
        self._of: dict[int, list[int]] = {}
        self._common: list[int] = []
        self.limit = limit
        self.dropped = 0

    def __len__(self) -> int:
        """How many steps there have been, dropped ones included: the next index."""
        return self.dropped + len(self._steps)

    @property
    def first(self) -> int:
        """Index of the oldest step that is still kept."""
        return self.dropped

    def __getitem__(self, index: int) -> Step:
        """The step with this index. Raises IndexError for dropped or future ones."""
        if index < self.dropped:
            raise IndexError(index)
        return self._steps[index - self.dropped]

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps)

    def append(self, step: Step) -> None:
        steps, index = self._steps, step.index
        if index != self.dropped + len(steps):
            raise ValueError(f"step {index} appended where {len(self)} is next")
        steps.append(step)
        if step.connection is None:
            self._common.append(index)
        else:
            own = self._of.get(step.connection)
            if own is None:
                self._of[step.connection] = [index]
            else:
                own.append(index)
        if self.limit is not None and len(steps) > self.limit + self.limit // 8:
            self._drop(len(steps) - self.limit)

    def shorten(self, limit: int) -> None:
        """Keep no more than so many from now on."""
        self.limit = limit if self.limit is None else min(limit, self.limit)
        if len(self._steps) > self.limit:
            self._drop(len(self._steps) - self.limit)

    def _drop(self, count: int) -> None:
        touched = {step.connection for step in self._steps[:count]}
        del self._steps[:count]
        self.dropped += count
        for connection in touched:
            indexes = self._common if connection is None else self._of[connection]
            del indexes[: bisect.bisect_left(indexes, self.dropped)]
            if connection is not None and not indexes:
                del self._of[connection]

    def of(self, connection: int | None) -> Sequence[int]:
        """Indexes of a connection's steps with the common ones between them, in order.

        ``None`` asks for every step.
        """
        if connection is None:
            return range(self.first, len(self))
        own = self._of.get(connection, [])
        if not self._common:
            return own
        return list(merge(own, self._common))

    def since(self, index: int, connection: int) -> list[int]:
        """What :meth:`of` has after ``index``, in time proportional to what is new."""
        own = self._of.get(connection, [])
        own = own[bisect.bisect_right(own, index) :]
        common = self._common[bisect.bisect_right(self._common, index) :]
        return list(merge(own, common)) if common else own

    def at(self, index: int, connection: int) -> Step | None:
        """The latest step of ``connection`` at or before ``index``."""
        own = self._of.get(connection, [])
        place = bisect.bisect_right(own, index) - 1
        return self[own[place]] if place >= 0 else None

    def common_at(self, index: int) -> Step | None:
        """The latest step of no connection at or before ``index``."""
        place = bisect.bisect_right(self._common, index) - 1
        return self[self._common[place]] if place >= 0 else None

    def at_time(self, time_ns: int) -> int:
        """Index of the last step not later than ``time_ns`` (the first one, if all are)."""
        place = bisect.bisect_right(self._steps, time_ns, key=lambda step: step.time_ns) - 1
        return self.dropped + max(place, 0)


class Cursor:
    """A place in a timeline: the index of the step that happened last, -1 before any.

    While ``following``, it is always at the end. ``connection`` restricts
    stepping to one connection's steps (and the common ones).
    """

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.following = True
        self.connection: int | None = None
        self._index = -1

    @property
    def index(self) -> int:
        if self.following:
            return len(self.timeline) - 1
        return max(self._index, self.timeline.first - 1)

    @property
    def step(self) -> Step | None:
        """The step at the cursor, or ``None`` before the first."""
        index = self.index
        return self.timeline[index] if index >= self.timeline.first else None

    @property
    def at_end(self) -> bool:
        return self.index >= len(self.timeline) - 1

    def follow(self) -> None:
        self.following = True

    def seek(self, index: int) -> None:
        """Stand right after step ``index``; clipped to what is kept."""
        self.following = False
        self._index = min(max(index, self.timeline.first - 1), len(self.timeline) - 1)

    def forward(self) -> bool:
        """On to the next step worth stopping at, and over quiet ones behind it.

        False where there is none yet.
        """
        steps = self.timeline.of(self.connection)
        place = bisect.bisect_right(steps, self.index)
        while place < len(steps) and self.timeline[steps[place]].quiet:
            place += 1
        if place >= len(steps):
            return False
        while place + 1 < len(steps) and self.timeline[steps[place + 1]].quiet:
            place += 1
        self.seek(steps[place])
        return True

    def back(self) -> bool:
        """Back to just before the step at the cursor. False at the beginning."""
        steps = self.timeline.of(self.connection)
        place = bisect.bisect_right(steps, self.index) - 1
        while place >= 0 and self.timeline[steps[place]].quiet:
            place -= 1
        if place < 0:
            return False
        self.seek(steps[place - 1] if place else self.timeline.first - 1)
        return True
