"""Which edges of the machine a run of the lab has really taken.

Most are the tracker's own moves. An edge that leads from a state back to itself
(an answer to what is not acceptable, RFC 9293 section 3.10.7.4) moves nobody, so
it is recognised here by its answer: the kernel said before that the end was in
that state, something arrived that its window, its SYN or its number make
unacceptable, and the next thing the end sent is the answer that the table asks
for. For the states the kernel's readings are taken, never the inference.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from tcpviz.core import seq as seqno
from tcpviz.core.records import KernelReading
from tcpviz.core.segment import Endpoint, Segment
from tcpviz.core.states import Event, State, Transition, find
from tcpviz.core.timeline import Step, StepKind


@dataclass(slots=True)
class _Number:
    """What one end of a four-tuple expects next, and how much room it last offered."""

    expected: int | None = None
    window: int = 0
    scale: int = 0


_Place = tuple[Endpoint, Endpoint]
"""An end: its own endpoint, then the other's."""


class Coverage:
    """Takes a run's steps, in order; ``taken`` are the edges so far."""

    def __init__(self) -> None:
        self.taken: set[Transition] = set()
        self._kernel: dict[_Place, State | None] = {}
        self._listening: set[Endpoint] = set()
        self._numbers: dict[_Place, _Number] = {}
        # What arrived last at an end and has had no answer yet, with the state it found.
        self._arrived: dict[_Place, tuple[Segment, State]] = {}

    def take(self, step: Step) -> None:
        """One step, after the tracker has made it."""
        self._moves(step)
        if step.reading is not None:
            self._read(step.reading)
        elif step.segment is not None and step.kind is StepKind.SENT:
            self._sent(step.segment)
        elif step.segment is not None and step.kind is StepKind.ARRIVED:
            self._arrives(step, step.segment)

    # -- the tracker's moves ------------------------------------------------

    def _moves(self, step: Step) -> None:
        for change in step.changes:
            if change.transition is not None:
                self.taken.add(change.transition)
        rows = [change.transition for change in step.changes]
        for first, second in itertools.pairwise(rows):
            if (
                first is not None
                and second is not None
                and first.event is Event.RCV_ACK_OF_SYN
                and second.event is Event.RCV_FIN
            ):
                # The table's row for it: "the FIN's own ACK completes the handshake first".
                self._add(State.SYN_RECEIVED, Event.RCV_FIN)

    def _add(self, state: State, event: Event) -> None:
        row = find(state, event)
        if row is not None:
            self.taken.add(row)

    # -- the kernel ---------------------------------------------------------

    def _read(self, reading: KernelReading) -> None:
        self._listening = {one.local for one in reading.sockets if one.state is State.LISTEN}
        for one in reading.sockets:
            if one.peer is not None:
                self._kernel[one.local, one.peer] = one.state

    def _state(self, place: _Place) -> State:
        known = self._kernel.get(place)
        if known is not None:
            return known
        return State.LISTEN if place[0] in self._listening else State.CLOSED

    # -- segments -----------------------------------------------------------

    def _arrives(self, step: Step, segment: Segment) -> None:
        place = (segment.dst, segment.src)
        state = self._state(place)
        if state is State.TIME_WAIT and segment.syn and not segment.has_ack:
            self._arrived[place] = (segment, state)
            return
        numbers = self._numbers.get(place)
        unacceptable = state in (State.CLOSED, State.LISTEN, State.SYN_SENT) or (
            numbers is not None and _unacceptable(numbers, segment)
        )
        if unacceptable and not (step.changes and state is State.SYN_SENT):
            self._arrived[place] = (segment, state)
        else:
            self._arrived.pop(place, None)

    def _sent(self, segment: Segment) -> None:
        place = (segment.src, segment.dst)
        answered = self._arrived.pop(place, None)
        if answered is not None:
            self._answer(*answered, segment)
        self._note(place, segment)

    def _answer(self, came: Segment, state: State, answer: Segment) -> None:
        if state is State.CLOSED or (state in (State.LISTEN, State.SYN_SENT) and came.has_ack):
            if answer.rst and not came.rst:
                self._add(state, Event.RCV_UNACCEPTABLE)
        elif state is State.TIME_WAIT and came.syn:
            if answer.syn and answer.has_ack and seqno.add(came.seq, 1) == answer.ack:
                self._add(state, Event.RCV_NEW_SYN)
            elif _only_acknowledges(answer):
                self._add(state, Event.RCV_UNACCEPTABLE)
        elif _only_acknowledges(answer):
            repeats = state is State.TIME_WAIT and came.fin
            self._add(state, Event.RCV_FIN if repeats else Event.RCV_UNACCEPTABLE)

    def _note(self, place: _Place, segment: Segment) -> None:
        numbers = self._numbers.setdefault(place, _Number())
        if segment.syn and not segment.has_ack:
            numbers.expected = None
        if segment.syn and segment.options.window_scale is not None:
            numbers.scale = segment.options.window_scale
        if segment.has_ack and not segment.rst:
            numbers.expected = segment.ack
            numbers.window = segment.window << (0 if segment.syn else numbers.scale)


def _unacceptable(numbers: _Number, segment: Segment) -> bool:
    """RFC 9293 section 3.10.7.4, first (the four cases), and RFC 5961 for SYN and RST."""
    if numbers.expected is None:
        return False
    if segment.syn:
        return True
    if segment.rst and segment.seq != numbers.expected:
        return seqno.within(numbers.expected, segment.seq, numbers.expected + numbers.window)
    reach = max(numbers.window, 1)
    ahead = seqno.diff(segment.seq, numbers.expected)
    if segment.seq_len == 0:
        return not (0 <= ahead < reach)
    if numbers.window == 0:
        return True
    last = ahead + segment.seq_len - 1
    return not (0 <= ahead < reach or 0 <= last < reach)


def _only_acknowledges(answer: Segment) -> bool:
    return (
        answer.has_ack and not answer.payload_len and not (answer.syn or answer.fin or answer.rst)
    )
