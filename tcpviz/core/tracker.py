"""The tracker: records in, steps out; it knows which connection each segment belongs to.

It has no clock. Time passes by the records' own timestamps and by
:meth:`Tracker.tick`, for the timers that move an end without a segment:
TIME-WAIT's end and giving up on a handshake.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tcpviz.core import routing
from tcpviz.core.beforehand import Beforehand
from tcpviz.core.calls import Applications, Shown, moves_silently
from tcpviz.core.claims import Certainty, Claim, Disagreement, Phase, PhaseName, StateChange
from tcpviz.core.connection import Connection, Moves
from tcpviz.core.followed import Followed
from tcpviz.core.host import Host
from tcpviz.core.hosts import HostReading
from tcpviz.core.kernel_events import EventsLost, KernelEvent
from tcpviz.core.kernels import Kernels, immune
from tcpviz.core.records import (
    Call,
    Gap,
    Handled,
    KernelReading,
    KernelSocket,
    Moment,
    Note,
    Rebooted,
    Record,
    SegmentRecord,
    Side,
    Unreachable,
)
from tcpviz.core.segment import Endpoint, FlowKey, Segment
from tcpviz.core.states import State
from tcpviz.core.timeline import Step, StepKind, Timeline
from tcpviz.core.timers import LEAP_NS, TIME_WAIT_NS, Timers
from tcpviz.core.traced import Outcome, Traced

_NOTHING = Phase(PhaseName.HANDSHAKE, 0, 3)
_KIND = {
    Moment.SEEN: StepKind.SEGMENT,
    Moment.SENT: StepKind.SENT,
    Moment.ARRIVED: StepKind.ARRIVED,
    Moment.LOST: StepKind.LOST,
}


class Tracker:
    """Follows every connection.

    ``timeline``     the steps so far (empty if ``keep`` is false)
    ``connections``  by id, in order of their first segment
    ``analyse``      also keep Wireshark's marks and Zeek's letters of each connection
    ``limit``        bounds the steps kept; ``max_connections`` the connections:
                     finished ones go first, then the oldest, counted in ``evicted``
    ``host``         what the watched host's own kernel says, where one is asked; another
                     tracker's may go on here
    ``traced``       its tracepoints, where they are told
    """

    def __init__(
        self,
        *,
        keep: bool = True,
        analyse: bool = True,
        limit: int | None = None,
        max_connections: int | None = None,
        time_wait_ns: int = TIME_WAIT_NS,
        host: Host | None = None,
    ) -> None:
        self.timeline = Timeline(limit)
        self.host = host or Host()
        self.traced = Traced()
        self.now_ns = 0
        self._keep = keep
        self._count = 0
        self._timers = Timers(time_wait_ns)
        self._gaps = 0
        self._before = Beforehand()
        self._applications = Applications()
        self._kernels = Kernels()
        self.followed = Followed(
            self._kernels, self.host, self._before, analyse=analyse, most=max_connections
        )
        self.connections = self.followed.connections
        self._live = self.followed.live

    @property
    def evicted(self) -> int:
        """How many connections are not followed any more, to make room."""
        return self.followed.evicted

    def number_from(self, ident: int) -> None:
        """The next connection gets this number: one that somebody else has counted."""
        self.followed.number_from(ident)

    def go_on(self, since: int, most: int, counted: Callable[[FlowKey], int | None]) -> None:
        """Follow everything from here on, up to ``most`` connections at a time.

        Those of which ``counted`` tells a number up to ``since`` were counted by somebody else
        before, and get that number; new ones get the next ones.
        """
        self.followed.keep(most, more=True)
        self.followed.number_from(since + 1)

        def known(key: FlowKey) -> int | None:
            ident = counted(key)
            return ident if ident is not None and ident <= since else None

        self.followed.counted = known

    def keep_connections(self, most: int) -> None:
        """Follow no more than so many from now on: finished ones go first, then the oldest."""
        self.followed.keep(most)

    # -- what goes in -------------------------------------------------------

    def feed(self, record: Record) -> list[Step]:
        """Take one record; returns the steps it made, timers that ran out before it first."""
        before = self.tick(record.time_ns)
        steps = _HANDLERS[type(record)](self, record)
        return before + steps if before else steps

    def take(self, connection: Connection, segment: Segment) -> None:
        """What :meth:`feed` does of a segment without SYN, without a step.

        It can be of no other connection than this one, the only one of its addresses and ports,
        and time has come to it.
        """
        self.moved(connection, connection.observe(segment, Moment.SEEN, segment.time_ns))

    def moved(self, connection: Connection, changes: tuple[StateChange, ...]) -> None:
        """Ends were moved by a segment of now: their timers run."""
        if changes:
            self._timers.note(connection, changes, self.now_ns)

    def tick(self, now_ns: int) -> list[Step]:
        """Time has come to ``now_ns`` (it never goes back); returns what timers moved."""
        if now_ns > self.now_ns:
            if now_ns - self.now_ns > LEAP_NS:
                self._timers.postpone(now_ns - self.now_ns)
            self.now_ns = now_ns
        steps: list[Step] = []
        if self._timers.soonest_ns > self.now_ns and not self.traced.doubtful:
            return steps
        for due, ident, side in self._timers.due(self.now_ns):
            connection = self.connections.get(ident)
            if connection is None or self._kernels.tells(connection, side):
                continue
            changes = self._timers.run_out(connection, connection.end(side), due)
            if changes:
                steps.append(self._step(due, StepKind.TIMER, connection, side, changes=changes))
        steps += map(self._told, self.traced.due(self.now_ns, self.connections))
        return steps

    # -- segments -----------------------------------------------------------

    def _segment(self, record: SegmentRecord) -> list[Step]:
        segment, moment = record.segment, record.moment
        connection = self.followed.of(segment, moment)
        changes: tuple[StateChange, ...] = ()
        if moment is not Moment.ARRIVED:
            changes = connection.observe(segment, moment, record.time_ns)
        elif not self._kernels.ignores(connection, segment, self._applications):
            changes = self._kernels.opens(connection, segment, record.time_ns).changes
            changes += connection.observe(segment, moment, record.time_ns)
        if segment.syn and moment is Moment.ARRIVED:
            connection.held_ns += record.held_ns
        if changes:
            self._timers.note(connection, changes, self.now_ns)
        if self._gaps:
            self.followed.touched[connection.id] = connection
        replaced = (
            self._replace(connection, record.time_ns)
            if connection.former is not None and routing.decided(connection)
            else []
        )
        client, server = connection.client, connection.server
        side = connection.side_of(segment)
        step = Step(
            self._next,
            record.time_ns,
            _KIND[moment],
            connection.id,
            side,
            client.claim,
            server.claim,
            connection.step_phase,
            segment,
            connection.relative(segment, side),
            observation=connection.observation,
            changes=changes,
            passage=record.passage,
        )
        self._add(step)
        steps = [*replaced, step] if replaced else [step]
        if client.segments + server.segments == 1:
            steps += map(self._told, self.traced.begins(connection, record.time_ns))
        return steps

    def _replace(self, connection: Connection, time_ns: int) -> list[Step]:
        former = connection.former
        changes = routing.replace(connection, time_ns)
        if former is not None:
            self._kernels.forget(former)  # its readings go to the new one from here on
        if not changes:
            return []
        note = Note(time_ns, f"connection {connection.id} took its addresses and ports")
        return [self._step(time_ns, StepKind.NOTE, former, None, note=note, changes=changes)]

    # -- calls, the kernel, notes -------------------------------------------

    def _call(self, call: Call) -> list[Step]:
        connection = None
        if call.local is not None and call.peer is not None:
            connection = self._live.get(FlowKey.of(call.local, call.peer))
        shown = self._applications.take(call)
        changes: tuple[StateChange, ...] = ()
        if shown is not None:
            connection, changes = self._shown(call, shown, connection)
        listens = call.name == "listen" and call.side is Side.SERVER
        if listens and call.returned and not call.failed and connection is None:
            changes = self._before.listens()
        kind = StepKind.RETURN if call.returned else StepKind.CALL
        return [self._step(call.time_ns, kind, connection, call.side, call=call, changes=changes)]

    def _shown(
        self, call: Call, shown: Shown, connection: Connection | None
    ) -> tuple[Connection | None, tuple[StateChange, ...]]:
        """Move an end that a call moved without a segment."""
        if shown.listener:
            return connection, self._before.called(call.side, shown.event, shown.because)
        if connection is None and shown.key is not None:
            connection = self._live.get(shown.key)
        if connection is None:
            return None, ()
        end = connection.client if call.local == connection.client.endpoint else connection.server
        if call.local is None:
            end = self._kernels.end_on(connection, call.side)
        if not moves_silently(shown.event, end.state):
            return connection, ()
        moves = Moves(connection, 0, call.time_ns)
        moves.move(end, shown.event, Certainty.SEEN, shown.because)
        return connection, moves.changes

    def _reading(self, reading: KernelReading) -> list[Step]:
        """Compare what the kernel says with what is claimed; the kernel is right."""
        by_key: dict[FlowKey, list[KernelSocket]] = {}
        for sock in reading.sockets:
            if sock.peer is not None:
                by_key.setdefault(FlowKey.of(sock.local, sock.peer), []).append(sock)
        self._kernels.read(reading)
        steps = []
        for key, sockets in by_key.items():
            connection = self._live.get(key)
            if connection is not None:
                steps += self._compare(connection, reading, sockets)
        if steps:
            return steps
        facts = {"reading": reading, "changes": self._before.read(reading)}
        return [self._step(reading.time_ns, StepKind.KERNEL, None, None, **facts)]

    def _compare(
        self,
        connection: Connection,
        reading: KernelReading,
        sockets: list[KernelSocket],
    ) -> list[Step]:
        moves = Moves(connection, 0, reading.time_ns)
        disagreements: list[Disagreement] = []
        steps = []
        for sock in sockets:
            end = (
                connection.client if sock.local == connection.client.endpoint else connection.server
            )
            side, said = end.side, sock.state
            former = connection.former
            old = immune(connection, end, said)
            if former is not None and old is not None:
                others = Moves(former, 0, reading.time_ns)
                self._kernels.stays(others, old)
                facts = {"reading": reading, "changes": others.changes}
                steps.append(self._step(reading.time_ns, StepKind.KERNEL, former, None, **facts))
            if self._kernels.agree(moves, connection, end, sock, self._before[sock.side]):
                told = said is None or said is end.state  # else of the connection before
                if told and end.claim.certainty is not Certainty.SEEN:
                    moves.confirm(end, f"the kernel says so ({reading.source})")
                continue
            truth = said or (State.LISTEN if self._kernels.listens(end) else State.CLOSED)
            disagreements.append(Disagreement(reading.time_ns, side, end.claim, said))
            connection.disagreements += 1
            moves.correct(end, truth, Certainty.SEEN, f"the kernel says so ({reading.source})")
        step = self._step(
            reading.time_ns,
            StepKind.KERNEL,
            connection,
            None,
            reading=reading,
            changes=moves.changes,
            disagreements=tuple(disagreements),
        )
        return [*steps, step]

    def _host_reading(self, reading: HostReading) -> list[Step]:
        """The watched host's table: whose its connections are, and those that were there before."""

        def enter(
            key: FlowKey, client: Endpoint, server: Endpoint, one: Claim, other: Claim
        ) -> Connection:
            connection = self.followed.enter(key, (client, server, one, other))
            connection.first_ns = connection.last_ns = reading.time_ns
            return connection

        return [
            self._step(
                reading.time_ns,
                StepKind.NOTE if told.found else StepKind.KERNEL,
                told.connection,
                None,
                note=Note(reading.time_ns, told.found) if told.found else None,
                reading=self.host.as_read(told.connection, reading.time_ns),
                changes=told.moves.changes,
                disagreements=told.disagreements,
            )
            for told in self.host.read(reading, self._live, self.connections, enter)
        ]

    def _event(self, event: KernelEvent) -> list[Step]:
        """A tracepoint of the watched host's kernel."""
        return [self._told(one) for one in self.traced.take(event, self._live.get)]

    def _told(self, outcome: Outcome) -> Step:
        connection, changes = outcome.connection, outcome.moves.changes
        if changes:
            self._timers.note(connection, changes, self.now_ns)
        return self._step(
            outcome.time_ns,
            StepKind.EVENT,
            connection,
            outcome.side,
            event=outcome.event,
            changes=changes,
            disagreements=outcome.disagreements,
        )

    def _events_lost(self, lost: EventsLost) -> list[Step]:
        told = self.traced.lose(lost.count)
        return self._note(Note(lost.time_ns, told)) if told else []

    def _handled(self, handled: Handled) -> list[Step]:
        """The cable's doing: nobody's state changes by it."""
        segment = handled.segment
        connection = self._live.get(segment.key)
        side = None if connection is None else connection.side_of(segment)
        relative = (0, None) if connection is None else connection.relative(segment)
        return [
            self._step(
                handled.time_ns,
                StepKind.CABLE,
                connection,
                side,
                relative=relative,
                handled=handled,
            )
        ]

    def _rebooted(self, record: Rebooted) -> list[Step]:
        """No segment tells of it: an end is gone, and its peer does not know."""
        steps = []
        why = "its host was switched off and on"
        beforehand = self._before.rebooted(record.side, why)
        for connection in self._live.values():
            end = self._kernels.end_on(connection, record.side)
            if end.state is not State.CLOSED:
                moves = Moves(connection, 0, record.time_ns)
                moves.correct(end, State.CLOSED, Certainty.SEEN, why)
                facts = {"changes": moves.changes}
                kind = StepKind.REBOOT
                steps.append(self._step(record.time_ns, kind, connection, end.side, **facts))
        if not steps:
            kind = StepKind.REBOOT
            steps = [self._step(record.time_ns, kind, None, record.side, changes=beforehand)]
        return steps

    def _note(self, note: Note) -> list[Step]:
        return [self._step(note.time_ns, StepKind.NOTE, None, None, note=note)]

    def _gap(self, gap: Gap) -> list[Step]:
        """What was missed may have moved any end: nothing is as sure as before."""
        for connection in (
            self.followed.touched.values() if self._gaps else self.connections.values()
        ):
            connection.doubt()
        self.followed.touched.clear()
        self._gaps += 1
        return [self._step(gap.time_ns, StepKind.GAP, None, None, gap=gap)]

    def _unreachable(self, error: Unreachable) -> list[Step]:
        """An ICMP error belongs to the connection it quotes; of unknown ones nothing is said."""
        connection = self.followed.quoted(error)
        if connection is None:
            return []
        side = Side.CLIENT if error.src == connection.client.endpoint else Side.SERVER
        if connection.analysis is not None:
            connection.analysis.take_error(error, connection.end(side))
        first = connection.end(side).first_seq
        seq = (error.seq - (first or 0)) & 0xFFFFFFFF
        facts = {"unreachable": error, "relative": (seq, None)}
        return [self._step(error.time_ns, StepKind.ICMP, connection, side, **facts)]

    # -- what comes out -----------------------------------------------------

    def _step(
        self,
        time_ns: int,
        kind: StepKind,
        connection: Connection | None,
        side: Side | None,
        **facts: Any,
    ) -> Step:
        if connection is None:
            client, server = self._before[Side.CLIENT], self._before[Side.SERVER]
            ident, phase = None, _NOTHING
        else:
            client, server = connection.client.claim, connection.server.claim
            ident, phase = connection.id, connection.step_phase
        step = Step(self._next, time_ns, kind, ident, side, client, server, phase, **facts)
        self._add(step)
        return step

    @property
    def _next(self) -> int:
        """The next step's index."""
        return len(self.timeline) if self._keep else self._count

    def _add(self, step: Step) -> None:
        self._count += 1
        if self._keep:
            self.timeline.append(step)


# Not each tracker's own: that would refer to it, and it would not be gone when nobody has it.
_HANDLERS: dict[type, Callable[[Tracker, Any], list[Step]]] = {
    SegmentRecord: Tracker._segment,
    Handled: Tracker._handled,
    Rebooted: Tracker._rebooted,
    Call: Tracker._call,
    KernelReading: Tracker._reading,
    HostReading: Tracker._host_reading,
    KernelEvent: Tracker._event,
    EventsLost: Tracker._events_lost,
    Note: Tracker._note,
    Gap: Tracker._gap,
    Unreachable: Tracker._unreachable,
}
