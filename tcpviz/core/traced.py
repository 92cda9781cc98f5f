"""The kernel's own events, held against what the segments imply.

An event and the segment that belongs to it are microseconds apart, on either side: close()
changes the state before the FIN leaves, an ACK is captured before it changes one. So an event
that says otherwise than the inference is no disagreement yet. It waits for
:data:`SETTLE_NS`; if the end still is not where the kernel has put it, and the kernel has said
nothing newer, that is one, and the kernel is right.

What Linux does otherwise than the RFC's picture must not be taken for a difference
(net/ipv4/tcp_minisocks.c, net/ipv4/inet_connection_sock.c):

* A passive end has no socket before the handshake's last segment: LISTEN to SYN-RECEIVED and
  SYN-RECEIVED to ESTABLISHED both fire when that comes.
* FIN-WAIT-2 of a closed socket and TIME-WAIT live in a time-wait socket, of which nothing is
  told; what is told is that the full socket is CLOSED.
* Events come from every network namespace, and do not say from which: only those of
  connections that were captured are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tcpviz.core.claims import Certainty, Disagreement
from tcpviz.core.connection import Connection, Moves
from tcpviz.core.halfconn import End
from tcpviz.core.host import note_caller
from tcpviz.core.kernel_events import KernelEvent, Told, is_call, may_be_call
from tcpviz.core.records import Side
from tcpviz.core.segment import FlowKey
from tcpviz.core.states import Event, State, find

SETTLE_NS = 200_000_000
"""So long after an event its segment must have come, or there is none."""

STALE_NS = 2_000_000_000
"""An event whose connection has not begun by then belongs to one that is not captured."""

MOST_WAITING = 10_000
"""Events that may wait for their connection's first segment, and ends in doubt."""

SAYS = "the kernel says so (sock:inet_sock_set_state)"

_OPENING = frozenset({State.SYN_SENT, State.SYN_RECEIVED})
_OVER = frozenset({State.CLOSED, State.LISTEN, State.TIME_WAIT})
_TAKEN_OVER = frozenset({State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING})
"""States that a time-wait socket may go on from when the full one is CLOSED."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an event, or its waiting's end, did: as yet unseen by the timeline.

    ``event`` ``None``: it was told before, and now it is clear what is to be made of it
    """

    connection: Connection
    side: Side
    time_ns: int
    moves: Moves
    event: KernelEvent | None = None
    disagreements: tuple[Disagreement, ...] = ()


class Traced:
    """Takes events. ``strangers`` belonged to no captured connection, ``lost`` never came."""

    def __init__(self) -> None:
        self.strangers = 0
        self.lost = 0
        self.taken = 0
        self._said = 0
        self._waiting: dict[FlowKey, list[KernelEvent]] = {}
        self._doubtful: dict[tuple[int, Side], KernelEvent] = {}

    @property
    def doubtful(self) -> bool:
        """Some end is not where the kernel has put it: :meth:`due` may have something."""
        return bool(self._doubtful)

    def take(
        self, event: KernelEvent, find_connection: Callable[[FlowKey], Connection | None]
    ) -> list[Outcome]:
        """An event, with whatever is waiting so far."""
        key = FlowKey.of(event.local, event.peer)
        connection = find_connection(key)
        if connection is None or self._begins_anew(event, connection):
            self._wait(key, event)
            return []
        return [self._hold_against(event, connection, event.time_ns)]

    def lose(self, count: int) -> str:
        """Events that the kernel had no room for; what to say of it, and not each time."""
        self.lost += count
        if self.lost < 10 * self._said:
            return ""
        self._said = self.lost
        return (
            f"{self.lost} of the kernel's events lost, it had no room for them: "
            "what it did is not all told from here on"
        )

    def begins(self, connection: Connection, time_ns: int) -> list[Outcome]:
        """A connection's first segment has come: what the kernel said of it before."""
        if not self._waiting:
            return []
        events = self._waiting.pop(connection.key, ())
        recent = [event for event in events if time_ns - event.time_ns <= STALE_NS]
        self.strangers += len(events) - len(recent)
        return [self._hold_against(event, connection, time_ns) for event in recent]

    def due(self, now_ns: int, connections: dict[int, Connection]) -> Iterable[Outcome]:
        """Ends that are still not where the kernel has put them."""
        if not self._doubtful:
            return ()
        found = []
        for place, event in list(self._doubtful.items()):
            if now_ns < event.time_ns + SETTLE_NS:
                continue
            del self._doubtful[place]
            connection = connections.get(place[0])
            if connection is not None:
                outcome = self._decide(event, connection, connection.end(place[1]))
                if outcome is not None:
                    found.append(outcome)
        return found

    # -- how ----------------------------------------------------------------

    @staticmethod
    def _begins_anew(event: KernelEvent, connection: Connection) -> bool:
        """It is of a new connection between these ends, whose SYN has not come yet."""
        if event.told is not Told.STATE or event.after is not State.SYN_SENT:
            return False
        end = _end(connection, event)
        begun = connection.last_syn_ns or connection.first_ns
        return end.state not in _OPENING and event.time_ns > begun

    def _wait(self, key: FlowKey, event: KernelEvent) -> None:
        listens = event.told is Told.STATE and State.LISTEN in (event.before, event.after)
        if listens and event.after is not State.SYN_RECEIVED:
            return  # somebody listens, or no more: no connection's doing
        if len(self._waiting) >= MOST_WAITING:
            for old in [one for one, them in self._waiting.items() if _stale(them, event)]:
                self.strangers += len(self._waiting.pop(old))
        if len(self._waiting) >= MOST_WAITING:
            self.strangers += 1
            return
        self._waiting.setdefault(key, []).append(event)

    def _hold_against(self, event: KernelEvent, connection: Connection, time_ns: int) -> Outcome:
        self.taken += 1
        end = _end(connection, event)
        moves = Moves(connection, 0, time_ns)
        if event.process is not None and is_call(event):
            note_caller(connection, end, event.process)
        if event.told is Told.RESET_SENT:
            connection.reset_why = event.reason
        if event.told is Told.STATE and event.after is not None:
            self._doubtful.pop((connection.id, end.side), None)
            if not _agrees(moves, end, event) and len(self._doubtful) < MOST_WAITING:
                self._doubtful[(connection.id, end.side)] = event
        return Outcome(connection, end.side, time_ns, moves, event)

    @staticmethod
    def _decide(event: KernelEvent, connection: Connection, end: End) -> Outcome | None:
        """The time for its segment is over."""
        when = event.time_ns + SETTLE_NS
        moves = Moves(connection, 0, when)
        after = event.after
        assert after is not None
        if _agrees(moves, end, event) or (
            connection.last_ns > event.time_ns and _later(end, after)
        ):
            return Outcome(connection, end.side, when, moves) if moves.changes else None
        if after is State.CLOSED:
            why = "the kernel has closed it, and no segment says so"
            # In somebody's call it was close(), or the program's end; a timer's end is nobody's.
            called = may_be_call(event) and end.state is State.SYN_SENT
            way = Event.CLOSE if called else Event.USER_TIMEOUT
            if moves.move(end, way, Certainty.SEEN, why):
                return Outcome(connection, end.side, when, moves)
        wrong = Disagreement(when, end.side, end.claim, after)
        connection.disagreements += 1
        moves.correct(end, after, Certainty.SEEN, SAYS)
        return Outcome(connection, end.side, when, moves, None, (wrong,))


def _end(connection: Connection, event: KernelEvent) -> End:
    client = connection.client
    return client if event.local == client.endpoint else connection.server


def _stale(events: list[KernelEvent], latest: KernelEvent) -> bool:
    return latest.time_ns - events[-1].time_ns > STALE_NS


def _agrees(moves: Moves, end: End, event: KernelEvent) -> bool:
    """Whether the end is where the kernel says, or goes there now; what is proved is kept so."""
    after, state = event.after, end.state
    if state is after:
        if end.claim.certainty is not Certainty.SEEN:
            moves.confirm(end, SAYS)
        return True
    if after is State.CLOSED:
        return state in _OVER or event.before in _TAKEN_OVER
    peer = moves.connection.end(end.side.other)
    for way, fits in (
        (Event.CLOSE, end.fin is None),
        (Event.RCV_SYN_ACK, peer.iss is not None),
        (Event.RCV_ACK_OF_SYN, end.iss is not None and peer.iss is not None),
        (Event.RCV_FIN, peer.fin is not None),
        (Event.RCV_ACK_OF_FIN, end.fin is not None),
    ):
        row = find(state, way, end.opened) if fits else None
        if row is not None and row.after is after:
            end.closed_told = end.closed_told or way is Event.CLOSE
            return moves.move(end, way, Certainty.SEEN, SAYS)
    return after is not None and _passed(end, after)


def _passed(end: End, after: State) -> bool:
    """The segments have led it on from there already."""
    order = _ORDER.get(after)
    place = _ORDER.get(end.state)
    return order is not None and place is not None and place > order


_ORDER = {
    State.SYN_SENT: 0,
    State.SYN_RECEIVED: 1,
    State.ESTABLISHED: 2,
    State.CLOSE_WAIT: 3,
    State.FIN_WAIT_1: 3,
    State.LAST_ACK: 4,
    State.FIN_WAIT_2: 4,
    State.CLOSING: 4,
    State.TIME_WAIT: 5,
}
"""A connection's life goes one way; the two ways of closing share their places."""


def _later(end: End, after: State) -> bool:
    return end.state in _OVER and after is not State.CLOSED
