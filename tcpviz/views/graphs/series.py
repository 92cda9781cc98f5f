"""Series: what a connection's steps say over time, for each direction apart.

A direction is its sender's: the data that it sends, and what comes back to it
(acknowledgements, the window, SACK blocks). Where only one capture point saw
the segments, moments are that point's. Where both are seen (the lab), data
stands at the moment at which it left and acknowledgements at that at which they
arrived: the graph is the sender's own.

Numbers are relative, as bytes of the stream: they go on beyond 2^32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tcpviz.core import seq as seqno
from tcpviz.core.connection import Connection
from tcpviz.core.marks import MarkName, Observation
from tcpviz.core.records import Side
from tcpviz.core.segment import Segment
from tcpviz.core.timeline import Step, StepKind, Timeline
from tcpviz.views import roles
from tcpviz.views.graphs.tracks import Track

MOST_WAITING = 10_000
"""Segments between leaving and arriving that are remembered."""

CHECK_EVERY = 256
"""Steps read between two looks at the clock."""

_AGAIN: Final = {
    MarkName.RETRANSMISSION,
    MarkName.FAST_RETRANSMISSION,
    MarkName.SPURIOUS_RETRANSMISSION,
}
_PROBES: Final = {MarkName.KEEP_ALIVE, MarkName.ZERO_WINDOW_PROBE}


@dataclass(frozen=True, slots=True)
class Sign:
    """A kind of point that is shown by a letter; ``rank``: which of two in one cell is seen."""

    letter: str
    plain: str
    role: str
    name: str
    rank: int = 0


SIGNS: Final = {
    "syn": Sign("S", "S", roles.FLAG_SYN, "SYN", 6),
    "fin": Sign("F", "F", roles.FLAG_FIN, "FIN", 6),
    "rst": Sign("!", "!", roles.FLAG_RST, "reset", 7),
    "lost": Sign("×", "x", roles.LOST, "lost", 5),
    "again": Sign("R", "R", roles.MARK_BAD, "again", 4),
    "order": Sign("O", "O", roles.MARK_WARNING, "out of order", 3),
    "probe": Sign("P", "P", roles.MARK_NOTE, "probe", 3),
    "zero": Sign("Z", "Z", roles.MARK_BAD, "window 0", 5),
    "double": Sign("D", "D", roles.MARK_WARNING, "dup ACK", 2),
}
"""Letters on the time-sequence graph, by kind."""


class Flow:
    """One direction, by its sender.

    ``data``    new data (and SYN, FIN): first number, number after the last one
    ``sacks``   stretches that the receiver says it has beyond a hole
    ``points``  for each kind of :data:`SIGNS`: its moments and numbers
    ``acks``, ``window``  the acknowledgement, and the end of the window it offers
    ``offered``  the window itself, bytes; ``flight``: bytes sent and not acknowledged
    ``rtt``     nanoseconds, of segments that were sent once (Karn's rule)
    ``sent``, ``got``  payload bytes so far: sent (repeats too), and acknowledged
    ``unscaled``  the windows are as in the header: the scale was not captured
    """

    def __init__(self) -> None:
        self.data = Track()
        self.again = Track()
        self.sacks = Track()
        self.points = {kind: Track() for kind in SIGNS}
        self.acks = Track()
        self.window = Track()
        self.offered = Track()
        self.flight = Track()
        self.rtt = Track()
        self.sent = Track()
        self.got = Track()
        self.unscaled = False
        self._near = 0
        self._top = 0
        self._sent = 0

    def number(self, relative: int) -> int:
        """A relative number without its turning over at 2^32: the one nearest to the latest."""
        away = (relative - self._near + 0x80000000) % 0x100000000 - 0x80000000
        return self._near + away

    def send(self, time_ns: int, step: Step, segment: Segment) -> None:
        """A segment of the direction's sender."""
        marks = _marks(step.observation)
        first = self.number(step.relative[0])
        last = first + segment.seq_len
        if segment.rst:
            self.points["rst"].add(time_ns, first)
            return
        if segment.seq_len:
            self._near = max(self._near, last)
        if marks & _PROBES:
            self.points["probe"].add(time_ns, first)
        elif segment.seq_len:
            if marks & _AGAIN:
                self.again.add(time_ns, first, last)
                self.points["again"].add(time_ns, first)
            elif MarkName.OUT_OF_ORDER in marks:
                self.again.add(time_ns, first, last)
                self.points["order"].add(time_ns, first)
            else:
                self.data.add(time_ns, first, last)
            if segment.syn:
                self.points["syn"].add(time_ns, first)
            if segment.fin:
                self.points["fin"].add(time_ns, last)
        if segment.payload_len:
            self._sent += segment.payload_len
            self.sent.add(time_ns, self._sent)
        if segment.seq_len and self.acks:
            self.flight.add(time_ns, max(self._near - self._top, 0))

    def lose(self, time_ns: int, step: Step) -> None:
        """A segment of the sender died on the way."""
        self.points["lost"].add(time_ns, self.number(step.relative[0]))

    def answer(
        self, time_ns: int, step: Step, segment: Segment, seen: Observation | None, window: int
    ) -> None:
        """A segment of the other end; ``window`` in bytes."""
        if segment.rst or step.relative[1] is None:
            return
        marks = _marks(seen)
        ack = self.number(step.relative[1])
        if not self.data and 0 < ack - self._near < 1 << 30:
            self._near = ack  # the data itself was not captured
        self._top = max(self._top, ack)
        self.acks.add(time_ns, self._top)
        self.window.add(time_ns, ack + window)
        self.offered.add(time_ns, window)
        self.got.add(time_ns, min(max(self._top - 1, 0), self._sent or self._top))
        if self.data:
            self.flight.add(time_ns, max(self._near - self._top, 0))
        for left, right in segment.options.sack:
            start = ack + seqno.diff(left, segment.ack)
            self.sacks.add(time_ns, start, start + seqno.diff(right, left))
        if window == 0:
            self.points["zero"].add(time_ns, ack)
        elif MarkName.DUPLICATE_ACK in marks:
            self.points["double"].add(time_ns, ack)


def _marks(seen: Observation | None) -> set[MarkName]:
    return set() if seen is None else {mark.name for mark in seen.marks}


class Series:
    """Both directions of one connection, read from the timeline bit by bit.

    ``first_ns``, ``last_ns``  times of its first and latest step, ``None`` before any
    """

    def __init__(self, timeline: Timeline, connection: Connection) -> None:
        self.flows = {side: Flow() for side in Side}
        self.connection = connection
        self.first_ns: int | None = None
        self.last_ns = 0
        self.moments = Track()
        self._timeline = timeline
        self._read = -1
        self._under_way: dict[tuple[Side, int], Observation] = {}

    @property
    def left(self) -> int:
        """Steps that have not been read."""
        return len(self._timeline.since(self._read, self.connection.id))

    def extend(self, enough: Callable[[], bool] | None = None) -> bool:
        """Read on, until ``enough()`` says so; false where something is left."""
        for number, at in enumerate(self._timeline.since(self._read, self.connection.id)):
            if enough is not None and number % CHECK_EVERY == CHECK_EVERY - 1 and enough():
                return False
            self._read = at
            step = self._timeline[at]
            if step.connection == self.connection.id and step.segment is not None:
                self._take(step, step.segment)
        return True

    def index_at(self, time_ns: int) -> int | None:
        """The step of the connection that is nearest to a moment."""
        after, last = self.moments.places(time_ns, 1 << 62)
        around = [place for place in (after - 1, after) if 0 <= place < last]
        if not around:
            return None
        nearest = min(around, key=lambda place: abs(self.moments.times[place] - time_ns))
        return self.moments.low[nearest]

    def _take(self, step: Step, segment: Segment) -> None:
        side = step.side
        if side is None or (
            step.observation is not None and step.observation.is_copy
        ):  # the capture's doing, nobody's segment
            return
        time_ns = step.time_ns
        if self.first_ns is None:
            self.first_ns = time_ns
        self.last_ns = max(self.last_ns, time_ns)
        self.moments.add(time_ns, step.index)
        key = (side, segment.frame)
        if step.kind in (StepKind.SEGMENT, StepKind.SENT):
            self.flows[side].send(time_ns, step, segment)
        if step.kind is StepKind.SENT and step.observation is not None:
            if len(self._under_way) >= MOST_WAITING:
                self._under_way.clear()
            self._under_way[key] = step.observation
        if step.kind is StepKind.LOST:
            self._under_way.pop(key, None)
            self.flows[side].lose(time_ns, step)
        elif step.kind in (StepKind.SEGMENT, StepKind.ARRIVED):
            arrived = step.kind is StepKind.ARRIVED
            seen = self._under_way.pop(key, None) if arrived else step.observation
            flow = self.flows[side.other]
            flow.answer(time_ns, step, segment, seen, self._window(side, segment, flow))
            if seen is not None and seen.ack_rtt_ns is not None and not seen.ack_ambiguous:
                way = time_ns - segment.time_ns if arrived else 0  # the ACK's own way back
                flow.rtt.add(time_ns, seen.ack_rtt_ns + way)

    def _window(self, side: Side, segment: Segment, flow: Flow) -> int:
        me, peer = self.connection.end(side), self.connection.end(side.other)
        if segment.syn:
            return segment.window
        if me.window_scale is None or peer.window_scale is None:
            missed = me.iss is None or peer.iss is None
            flow.unscaled = missed or me.scale_cut or peer.scale_cut
            return segment.window
        return segment.window << me.window_scale
