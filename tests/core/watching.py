"""Records of a watched connection (the lab's cable): segments with both moments, and readings."""

from __future__ import annotations

from collections.abc import Iterable

from tcpviz.core.records import KernelReading, KernelSocket, Moment, Record, SegmentRecord, Side
from tcpviz.core.segment import Endpoint, Flags, Options, Segment
from tcpviz.core.states import State
from tcpviz.core.timeline import Step
from tcpviz.core.tracker import Tracker

A, B = Endpoint("10.0.0.1", 40001), Endpoint("10.0.0.2", 7777)
SYN, ACK, FIN, RST = Flags.SYN, Flags.ACK, Flags.FIN, Flags.RST


def made(time_ns, sender, flags, seq, ack=0, length=0, frame=0, **options):
    """A segment of ``sender``, which is A or B."""
    ends = (A, B) if sender is A else (B, A)
    more = {"options": Options(**options), "frame": frame or time_ns}
    return Segment(time_ns, *ends, seq, ack, flags, 64240, length, **more)


def at(moment: Moment, time_ns: int, segment: Segment) -> Record:
    return SegmentRecord(time_ns, segment, moment)


def passed(time_ns, *words, **more) -> list[Record]:
    """A segment that leaves and arrives."""
    one = made(time_ns, *words, **more)
    return [at(Moment.SENT, time_ns, one), at(Moment.ARRIVED, time_ns + 1, one)]


def opened(**options) -> list[Record]:
    """A handshake: A's number is 100, B's 500."""
    return [
        *passed(10, A, SYN, 100, **options),
        *passed(20, B, SYN | ACK, 500, 101, **options),
        *passed(30, A, ACK, 101, 501),
    ]


def closed(**options) -> list[Record]:
    """Opened, and closed by A, which is in TIME-WAIT."""
    return [
        *opened(**options),
        *passed(40, A, FIN | ACK, 101, 501),
        *passed(50, B, FIN | ACK, 501, 102),
        *passed(60, A, ACK, 102, 502),
    ]


def sock(side: Side, state: State | None, **more) -> KernelSocket:
    local, peer = (A, B) if side is Side.CLIENT else (B, A)
    return KernelSocket(side, local, peer, state, **more)


def listener(state: State | None = State.LISTEN) -> KernelSocket:
    return KernelSocket(Side.SERVER, B, None, state)


def read(time_ns: int, client: State | None, server: State | None, *more) -> KernelReading:
    """What both kernels say of the connection, and of other sockets."""
    return KernelReading(time_ns, (*more, sock(Side.CLIENT, client), sock(Side.SERVER, server)))


def fed(*records: Record) -> tuple[Tracker, list[Step]]:
    tracker = Tracker()
    return tracker, [step for record in records for step in tracker.feed(record)]


def wrong(steps: Iterable[Step]) -> list:
    """Where the kernel said otherwise."""
    return [one for step in steps for one in step.disagreements]


def states(tracker: Tracker, which: int = -1) -> tuple[State, State]:
    """Of the latest connection, or of another one."""
    one = list(tracker.connections.values())[which]
    return one.client.state, one.server.state
