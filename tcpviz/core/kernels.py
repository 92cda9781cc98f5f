"""What both hosts' kernels said last, and what follows from it for the inference.

A kernel that can be asked (the lab's) is right. Where it says otherwise than the
inference, that is a disagreement, and is shown, unless its own former word
explains it: a timer that it told of has run out, the end still belongs to the
connection before this one, the answer to a SYN was a cookie, a FIN waits behind
data that has not left yet.
"""

from __future__ import annotations

from tcpviz.core import expiry, routing
from tcpviz.core import seq as seqno
from tcpviz.core.calls import Applications
from tcpviz.core.claims import Certainty, Claim
from tcpviz.core.connection import Connection, Moves
from tcpviz.core.halfconn import End
from tcpviz.core.records import KernelReading, KernelSocket, Side
from tcpviz.core.segment import Segment
from tcpviz.core.states import Event, Opened, State, find

_REPEATS = (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK)


class Kernels:
    """The latest reading's listening sockets, and the latest word about every end.

    ``listening``  ports at which somebody listens
    """

    def __init__(self) -> None:
        self.listening: set[int] = set()
        self._asked = False
        self._ended: set[int] = set()  # ports at which somebody listened once
        self._accept_full: set[int] = set()
        self._syn_full: set[int] = set()
        self._said: dict[tuple[int, Side], tuple[int, KernelSocket]] = {}
        self._cookies: set[int] = set()  # ports that answered a SYN and kept nothing of it
        self._hosts: dict[str, Side] = {}
        self._immune: set[str] = set()  # addresses whose TIME-WAIT takes no reset (RFC 1337)

    def read(self, reading: KernelReading) -> None:
        """Take the listening sockets of a reading, and whose the addresses are."""
        self._asked = True
        for sock in reading.sockets:
            self._hosts[sock.local.addr] = sock.side
        listening = [sock for sock in reading.sockets if sock.state is State.LISTEN]
        before, self.listening = self.listening, {one.local.port for one in listening}
        self._ended = (self._ended | before) - self.listening
        self._accept_full = {one.local.port for one in listening if one.recv_queue > one.send_queue}
        self._syn_full = {
            one.local.port
            for one in listening
            if one.syn_limit is not None and (one.syn_queue or 0) >= one.syn_limit
        }

    def forget(self, connection: Connection) -> None:
        """The connection is not followed any more."""
        for side in Side:
            self._said.pop((connection.id, side), None)

    def end_on(self, connection: Connection, host: Side) -> End:
        """The end that lives on a host.

        Which of two that both sent a SYN is the connection's client depends on whose was
        first, not on the host.
        """
        ends = (connection.client, connection.server)
        here = [one for one in ends if self._hosts.get(one.endpoint.addr) is host]
        return here[0] if len(here) == 1 else connection.end(host)

    def tells(self, connection: Connection, side: Side) -> bool:
        """The kernel has told of that end's socket, and will tell when it is gone.

        Linux's timers may be seconds late: over a minute they count in steps of some seconds
        (kernel/time/timer.c). So the inference's own must not run out before.
        """
        said = self._said.get((connection.id, side))
        return said is not None and said[1].timer is not None

    # -- segments that were watched arriving --------------------------------

    def ignores(self, connection: Connection, segment: Segment, applications: Applications) -> bool:
        """Whether a segment that arrives does nothing for this connection.

        A listener whose accept queue is full drops SYNs and the handshake's last ACK
        (tcp_conn_request() in net/ipv4/tcp_input.c, and tcp_check_req(), which leaves the
        connection in SYN-RECEIVED, unless net.ipv4.tcp_abort_on_overflow is set). One whose
        SYN queue is full drops the SYN, or answers with a cookie, and the answer will tell. A
        SYN that finds the former connection going on is challenged (RFC 9293 section 3.10.7.4,
        fourth), and so is one that finds it in TIME-WAIT when nobody listens there any more
        (TCP_TW_SYN in tcp_v4_rcv(), net/ipv4/tcp_ipv4.c).
        """
        end = connection.end(connection.side_of(segment).other)
        if segment.rst and end.state is State.TIME_WAIT and end.endpoint.addr in self._immune:
            return True
        former = connection.former
        if former is not None and routing.challenges(former, end, segment):
            return True
        if former is not None and segment.syn and self._asked and not self.listens(end):
            ends = (former.client, former.server)
            return any(
                one.endpoint == end.endpoint and one.state is State.TIME_WAIT for one in ends
            )
        if end.state not in (State.LISTEN, State.SYN_RECEIVED) or end.opened is Opened.ACTIVE:
            return False
        port = end.endpoint.port
        if end.state is State.LISTEN:
            full = self._syn_full | self._accept_full
            return segment.syn and port in full
        if segment.rst or self._has_socket(connection, end):
            return False
        timeouts = 0 if end.received is None else end.received.timeouts
        said = self._said.get((connection.id, end.side))
        cookie = said is not None and said[1].state is None
        if not cookie and not segment.seq_len and timeouts < applications.defers(port):
            return True  # TCP_DEFER_ACCEPT: data must come, or so many SYN,ACKs have gone
        return port in self._accept_full

    def _has_socket(self, connection: Connection, end: End) -> bool:
        """In SYN-RECEIVED with a socket already: Fast Open made it, and it stands in the queue."""
        said = self._said.get((connection.id, end.side))
        return said is not None and said[1].state is end.state and said[1].cwnd is not None

    def takes_old_syn(self, known: Connection, segment: Segment) -> bool:
        """Whether an old SYN arrives at a listening port when its connection is long over there.

        Its sender waits for nothing; the receiver cannot know that (RFC 9293 section 3.5,
        figure 8).
        """
        sender = known.end(known.side_of(segment))
        receiver = known.end(sender.side.other)
        return (
            segment.syn
            and not segment.has_ack
            and receiver.state is State.CLOSED
            and sender.state is not State.SYN_SENT
            and receiver.endpoint.port in self.listening
        )

    def opens(self, connection: Connection, segment: Segment, time_ns: int) -> Moves:
        """Somebody listens at the port, or no more, since the SYN that arrives now was sent."""
        moves = Moves(connection, segment.frame, time_ns)
        end = connection.end(connection.side_of(segment).other)
        waits = connection.end(end.side.other).state is State.SYN_SENT
        opens = waits and segment.syn and not segment.has_ack
        if opens and end.state is State.CLOSED and self.listens(end):
            why = "somebody listens at its port by now"
            moves.move(end, Event.PASSIVE_OPEN, Certainty.SEEN, why)
        if opens and end.state is State.LISTEN and end.endpoint.port in self._ended:
            why = "the socket that listened is gone by now"
            moves.move(end, Event.CLOSE, Certainty.SEEN, why)
        return moves

    # -- readings -----------------------------------------------------------

    def agree(
        self, moves: Moves, connection: Connection, end: End, sock: KernelSocket, listener: Claim
    ) -> bool:
        """Whether a reading's word about an end fits what is claimed of it.

        Makes the moves that only the kernel can tell. ``listener`` is what is claimed of the
        listening socket on that side.
        """
        place = (connection.id, end.side)
        read_ns, before = self._said.get(place, (0, None))
        self._said[place] = (moves.time_ns, sock)
        said, state = sock.state, end.state
        if state is said or _still_in_former(connection, end, said):
            return True
        if said is State.TIME_WAIT and state is State.CLOSED and end.assumed_from is said:
            self.stays(moves, end)
            return True
        gone = state in (State.CLOSED, State.LISTEN) and self.listens(end)
        if said is State.ESTABLISHED and gone and end.endpoint.port in self._cookies:
            why = "an ACK that fits a cookie opened it anew (RFC 4987 section 3.6)"
            moves.correct(end, said, Certainty.SEEN, why, rule="RFC 4987 section 3.6")
            return True
        if said is State.CLOSED:
            return _gave_up(moves, end, before, read_ns)  # the socket is there, and dead
        if said is not None:
            return _fin_waits(moves, end, sock)
        if state is State.CLOSED:
            return True
        if state is State.LISTEN:
            if self.listens(end):
                return True
            why = listener.because
            if self.listening:
                why = "the socket that listens does so at another port"
            elif end.endpoint.port in self._ended and listener.state is State.LISTEN:
                why = "the socket that listened is gone without a call: its program was killed"
            elif listener.state is not State.CLOSED:
                return False
            return moves.move(end, Event.CLOSE, Certainty.SEEN, why)
        never = before is None or before.state is None
        if state is State.SYN_RECEIVED and never and end.iss is not None and self.listens(end):
            # A cookie: it has answered and remembers nothing (RFC 4987 section 3.6).
            self._cookies.add(end.endpoint.port)
            return True
        if _reset_in_time_wait_socket(connection, end, before):
            why = "a RST in its window: closed and in FIN-WAIT-2, it asks for no exact number"
            connection.reset_by = connection.reset_by or end.side.other
            return moves.move(end, Event.RCV_RST, Certainty.SEEN, why)
        if state is State.SYN_SENT and never:
            why = "its kernel has never had such a socket: the SYN is somebody else's"
            moves.correct(end, State.CLOSED, Certainty.SEEN, why)
            return True
        return _gave_up(moves, end, before, read_ns)

    def at_port(self, port: int, listener: Claim) -> Claim:
        """What is claimed of a server at ``port`` before its first segment, from the listener's."""
        if port in self.listening and listener.state is not State.LISTEN:
            return Claim(State.LISTEN, Certainty.SEEN, "the kernel says so")
        if listener.state is not State.LISTEN or port in self.listening:
            return listener
        if self.listening:
            why = "the socket that listens does so at another port"
        elif port in self._ended:
            why = "nobody listens at its port any more"
        else:
            return listener
        return Claim(State.CLOSED, Certainty.INFERRED, why)

    def stays(self, moves: Moves, end: End) -> None:
        """An end was taken to be reset in TIME-WAIT, and its kernel says that it is there."""
        self._immune.add(end.endpoint.addr)
        moves.connection.reset_by = None
        why = "its kernel has net.ipv4.tcp_rfc1337 set: TIME-WAIT takes no reset (RFC 1337)"
        moves.correct(end, State.TIME_WAIT, Certainty.SEEN, why, rule="RFC 1337")

    def listens(self, end: End) -> bool:
        """Whether somebody listens at the end's port."""
        return end.endpoint.port in self.listening and end.side is Side.SERVER


def immune(connection: Connection, end: End, said: State | None) -> End | None:
    """The former connection's end that was taken to be reset in TIME-WAIT, and was not."""
    former = connection.former
    if former is None or said is not State.TIME_WAIT or end.iss is not None:
        return None
    ends = (former.client, former.server)
    old = next(one for one in ends if one.endpoint == end.endpoint)
    return old if old.state is State.CLOSED and old.assumed_from is said else None


def _still_in_former(connection: Connection, end: End, said: State | None) -> bool:
    """The kernel still tells of the connection before this one, of which the end knows nothing."""
    former = connection.former
    if former is None or end.iss is not None or end.received is not None:
        return False
    return any(
        one.endpoint == end.endpoint and one.state is said for one in (former.client, former.server)
    )


def _gave_up(moves: Moves, end: End, before: KernelSocket | None, read_ns: int) -> bool:
    """Move an end whose kernel told of a timer that has run out since."""
    expired = expiry.ran_out(before, read_ns, moves.time_ns)
    why = "the timer that the kernel told of has run out, and the connection is gone"
    moved_on = before is not None and before.state is not end.state
    if expired is None and moved_on and end.state in _REPEATS and end.fins > 1:
        # Of the timer that it has had since that reading nothing was told.
        expired, why = Event.USER_TIMEOUT, "repeated its FIN in vain, and is gone"
    return expired is not None and moves.move(end, expired, Certainty.SEEN, why)


def _fin_waits(moves: Moves, end: End, sock: KernelSocket) -> bool:
    """Move an end whose application has closed it while the FIN cannot leave yet.

    The FIN stands in the queue behind data for which there is no room in a window. Linux
    changes the state at once (tcp_close_state() in net/ipv4/tcp.c), as RFC 9293 section
    3.10.4 wants it in ESTABLISHED; in CLOSE-WAIT the RFC waits until the FIN is sent.
    """
    closing = (State.FIN_WAIT_1, State.LAST_ACK)
    if sock.state not in closing or end.fin is not None or end.snd_nxt is None:
        return False
    row = find(end.state, Event.CLOSE, end.opened)
    if row is None or row.after is not sock.state:
        return False
    under_way = 0 if end.snd_una is None else seqno.diff(end.snd_nxt, end.snd_una)
    why = "closed; its FIN waits behind data that has not left yet"
    return sock.send_queue > under_way and moves.move(end, Event.CLOSE, Certainty.SEEN, why)


def _reset_in_time_wait_socket(
    connection: Connection, end: End, before: KernelSocket | None
) -> bool:
    """Whether a reset that need not fit exactly has ended a FIN-WAIT-2 that nobody owns.

    Once its application has closed it, Linux keeps FIN-WAIT-2 in a time-wait socket, and
    that takes any reset in the window (tcp_timewait_state_process() in
    net/ipv4/tcp_minisocks.c), not only the exact one of RFC 5961 section 3.2.
    """
    if end.state is not State.FIN_WAIT_2 or before is None or before.timer != "time-wait":
        return False
    peer = connection.end(end.side.other)
    return before.state is State.FIN_WAIT_2 and peer.reset_ns is not None
