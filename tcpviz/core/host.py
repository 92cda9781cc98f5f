"""The watched host's own word about the connections that a capture follows.

A capture begins in the middle of things. What was there before is known from
the kernel's table of sockets: such a connection is entered with its own end
*seen* (the kernel says so) and the other host's end *unknown*, and its segments
then tell the rest. Of every connection of this host the table tells who owns
it, and now and then what state it is really in.

A reading and the segments come by different ways, so that they cannot be held
against each other moment by moment. Two rules follow: a connection that the
table tells of is entered only if no segment has opened it by the next reading;
and a state is a disagreement only if nothing has moved on the connection for a
while on either side of the reading.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from tcpviz.core.claims import Certainty, Claim, Disagreement
from tcpviz.core.connection import Connection, Moves
from tcpviz.core.halfconn import End
from tcpviz.core.hosts import HostReading, HostSocket, Process
from tcpviz.core.records import KernelReading, KernelSocket, Side
from tcpviz.core.segment import Endpoint, FlowKey
from tcpviz.core.states import State

SOURCE = "inet_diag"

SETTLED_NS = 1_000_000_000
"""So long nothing must have been captured of a connection before its state is held against
the table's: what is on its way through queues and buffers is younger."""

AUDITED = 2_000
"""Connections whose claims are compared with the table at one reading, in turn."""

MOST_WAITING = 20_000
"""Sockets that may wait for their connection's first segment or the next reading."""

_BEFORE = "the kernel's table of sockets says so: it was there before the capture"
_SINCE = "the kernel's table of sockets says so: its opening was not captured"
_AWAY = "on another host; likely, as this end is where it is"
_SAYS = f"the kernel says so ({SOURCE})"

_LIKELY = {
    State.ESTABLISHED: State.ESTABLISHED,
    State.CLOSE_WAIT: State.FIN_WAIT_2,
    State.FIN_WAIT_1: State.ESTABLISHED,
    State.FIN_WAIT_2: State.CLOSE_WAIT,
    State.LAST_ACK: State.FIN_WAIT_2,
    State.CLOSING: State.CLOSING,
    State.SYN_SENT: State.LISTEN,
}
"""Where the other end is as a rule when this one is there."""

_UNLISTED = frozenset({State.CLOSED, State.LISTEN, State.TIME_WAIT, State.SYN_RECEIVED})
"""What an end may be without being in the table, which leaves the latter two out."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a reading did to one connection: ``moves`` as yet unseen by the timeline.

    ``found``  in words, what has been found, where the connection was entered because of it
    """

    connection: Connection
    moves: Moves
    disagreements: tuple[Disagreement, ...] = ()
    found: str = ""


class Host:
    """The latest of what the host's kernel said.

    ``listeners``  by address and port
    ``latest``     the latest reading
    ``adopted``    connections that were entered because of the table alone
    ``waiting``    sockets that nothing was captured of yet; ``left_out`` were too many to wait
    """

    def __init__(self) -> None:
        self.listeners: dict[Endpoint, HostSocket] = {}
        self.latest: HostReading | None = None
        self.adopted = 0
        self.left_out = 0
        self._waiting: dict[FlowKey, list[HostSocket]] = {}
        self._doubtful: set[tuple[int, Side]] = set()
        self._rounds: Iterator[int] = iter(())

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def listens(self, endpoint: Endpoint) -> HostSocket | None:
        """Who listens at this address and port, or at every address."""
        anywhere = "::" if ":" in endpoint.addr else "0.0.0.0"  # noqa: S104
        for address in (endpoint.addr, anywhere, "::"):
            found = self.listeners.get(Endpoint(address, endpoint.port))
            if found is not None:
                return found
        return None

    def read(
        self,
        reading: HostReading,
        live: dict[FlowKey, Connection],
        connections: dict[int, Connection],
        enter: Callable[[FlowKey, Endpoint, Endpoint, Claim, Claim], Connection],
    ) -> list[Told]:
        """Take a reading; returns what it tells of which connection.

        ``enter`` makes a connection of that key, client, server, and their claims.
        """
        self.hear(reading)
        told: list[Told] = []
        due, self._waiting = self._waiting, {}
        for sock in reading.sockets:
            assert sock.peer is not None
            key = FlowKey.of(sock.local, sock.peer)
            connection = live.get(key)
            if connection is not None:
                told += self._tell(connection, sock, reading.time_ns)
            elif sock.state is None:
                due.pop(key, None)
            elif reading.first or key in due:
                due.setdefault(key, []).append(sock)
            elif len(self._waiting) < MOST_WAITING:
                self._waiting.setdefault(key, []).append(sock)
            else:
                self.left_out += 1
        for key, sockets in due.items():
            connection = live.get(key)
            if connection is None:
                connection = self._adopt(key, sockets[-1], reading.first, enter)
                moves = Moves(connection, 0, reading.time_ns)
                found = _found(sockets, first=reading.first)
                told.append(Told(connection, moves, (), found))
            for sock in sockets:
                told += self._tell(connection, sock, reading.time_ns)
        told += self._audit(connections, reading.time_ns)
        return told

    def hear(self, reading: HostReading) -> None:
        """Of a reading only what is no connection's: the listeners, the counters."""
        self.latest = reading
        if reading.listeners is not None:
            self.listeners = {each.local: each for each in reading.listeners}

    def as_read(self, connection: Connection, time_ns: int) -> KernelReading:
        """What it has of a connection's ends, in the form in which the lab's kernels tell it."""
        known = connection.sockets or {}
        return KernelReading(
            time_ns,
            tuple(
                KernelSocket(
                    side,
                    sock.local,
                    sock.peer,
                    sock.state,
                    recv_queue=sock.recv_queue,
                    send_queue=sock.send_queue,
                    retransmits=sock.retransmits,
                    rtt_us=sock.rtt_us,
                )
                for side, sock in known.items()
                if sock.listed
            ),
            SOURCE,
        )

    def claim(self, connection: Connection) -> None:
        """A segment has opened a connection that the table has told of already."""
        for sock in self._waiting.pop(connection.key, ()):
            note(connection, sock)

    # -- entering -----------------------------------------------------------

    def _adopt(
        self,
        key: FlowKey,
        sock: HostSocket,
        first: bool,
        enter: Callable[[FlowKey, Endpoint, Endpoint, Claim, Claim], Connection],
    ) -> Connection:
        assert sock.state is not None
        assert sock.peer is not None
        mine = Claim(sock.state, Certainty.SEEN, _BEFORE if first else _SINCE)
        likely = _LIKELY.get(sock.state, State.ESTABLISHED)
        theirs = Claim(likely, Certainty.UNKNOWN, _AWAY)
        self.adopted += 1
        if self._is_client(sock):
            return enter(key, sock.local, sock.peer, mine, theirs)
        return enter(key, sock.peer, sock.local, theirs, mine)

    def _is_client(self, sock: HostSocket) -> bool:
        """Whether it is this end that has opened it: nobody listens at its port."""
        assert sock.peer is not None
        if sock.state is State.SYN_SENT or self.listens(sock.local) is None:
            return True
        # Both have listeners: on this host the higher port is the passing one.
        return self.listens(sock.peer) is not None and sock.local.port > sock.peer.port

    # -- comparing ----------------------------------------------------------

    def _tell(self, connection: Connection, sock: HostSocket, time_ns: int) -> list[Told]:
        end = note(connection, sock)
        return self._compare(connection, end, sock.state, time_ns)

    def _compare(
        self, connection: Connection, end: End, said: State | None, time_ns: int
    ) -> list[Told]:
        """Hold one end's claim against what the table has of it."""
        place = (connection.id, end.side)
        if end.state is said or (said is None and end.state in _UNLISTED):
            self._doubtful.discard(place)
            if end.claim.certainty is Certainty.SEEN or said is None:
                return []
            moves = Moves(connection, 0, time_ns)
            moves.confirm(end, _SAYS)
            return [Told(connection, moves)]
        unknown = end.claim.certainty is Certainty.UNKNOWN
        segments = connection.client.segments + connection.server.segments
        if segments and connection.last_ns > time_ns - SETTLED_NS:
            if len(self._doubtful) < MOST_WAITING:
                self._doubtful.add(place)
            return []
        self._doubtful.discard(place)
        moves = Moves(connection, 0, time_ns)
        disagreements: tuple[Disagreement, ...] = ()
        if not unknown and segments:
            disagreements = (Disagreement(time_ns, end.side, end.claim, said),)
            connection.disagreements += 1
        moves.correct(end, said or State.CLOSED, Certainty.SEEN, _SAYS)
        return [Told(connection, moves, disagreements)]

    def _audit(self, connections: dict[int, Connection], time_ns: int) -> list[Told]:
        """Compare those in doubt again, and some of the others in turn."""
        told: list[Told] = []
        doubtful = list(self._doubtful)
        for ident, side in doubtful:
            connection = connections.get(ident)
            if connection is None:
                self._doubtful.discard((ident, side))
            else:
                told += self._again(connection, (side,), time_ns)
        for _ in range(AUDITED):
            number = next(self._rounds, None)
            if number is None:
                self._rounds = iter(list(connections))
                break
            connection = connections.get(number)
            if connection is not None and connection.sockets is not None:
                told += self._again(connection, connection.sockets, time_ns)
        return told

    def _again(self, connection: Connection, sides: Iterable[Side], time_ns: int) -> list[Told]:
        told: list[Told] = []
        for side in tuple(sides):
            sock = (connection.sockets or {}).get(side)
            if sock is not None and sock.listed:
                told += self._compare(connection, connection.end(side), sock.state, time_ns)
        return told


def _found(sockets: Iterable[HostSocket], *, first: bool) -> str:
    """What the table had of a connection when it was entered, in a line."""
    parts = []
    for sock in sockets:
        process = sock.process
        whose = f" ({process.name}, process {process.pid})" if process and process.pid else ""
        parts.append(f"{sock.local} is {sock.state}{whose}")
    when = "there before the capture began" if first else "its opening was not captured"
    return f"{when}; the kernel says: {', '.join(parts)}"


def note(connection: Connection, sock: HostSocket) -> End:
    """Keep with the connection what the table says of one of its ends; returns that end."""
    end = connection.client if sock.local == connection.client.endpoint else connection.server
    if connection.sockets is None:
        connection.sockets = {}
    before = connection.sockets.get(end.side)
    if sock.state is None and before is not None:
        # Whose it was stays known.
        sock = HostSocket(
            sock.local, sock.peer, None, 0, 0, before.user, before.process, before.unit,
            before.container, retransmits=before.retransmits, rtt_us=before.rtt_us,
        )  # fmt: skip
    elif before is not None and _surer(before.process, sock.process):
        sock = replace(sock, process=before.process)  # it was told of in a call
    connection.sockets[end.side] = sock
    return end


def _surer(one: Process | None, other: Process | None) -> bool:
    return one is not None and one.certain and (other is None or not other.certain)


def note_caller(connection: Connection, end: End, process: Process) -> None:
    """A call on this end's socket was that process's: it has the socket, whoever else does."""
    if connection.sockets is None:
        connection.sockets = {}
    known = connection.sockets.get(end.side)
    if known is None:
        peer = connection.end(end.side.other).endpoint
        made = HostSocket(end.endpoint, peer, None, process=process, listed=False)
        connection.sockets[end.side] = made
    elif known.process is None or not known.process.certain:
        connection.sockets[end.side] = replace(known, process=process)
