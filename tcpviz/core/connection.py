"""A connection: two ends, where each stands, and what moved it there.

Theory of operation
-------------------
An observer sees segments, not states. What an end *sends* shows where it is: a
SYN comes from SYN-SENT, a FIN from FIN-WAIT-1 or LAST-ACK. What is *sent to
it* moves it only if it arrives, and a capture taken at one place cannot see
that. So:

* A segment that takes up sequence space (SYN, FIN) moves its receiver when the
  receiver acknowledges it. That is proof.
* A segment that takes up none (an ACK, a RST) is never acknowledged. It is
  assumed to arrive, the new state is *inferred*, and the old one is remembered
  in ``End.assumed_from``: an end that repeats its SYN,ACK or its FIN had not
  got the acknowledgement, and goes back.
* Where arrivals are watched (the lab's cable), nothing is assumed.

Every move goes through :func:`tcpviz.core.states.find`, that is through the
RFC's table, except for ends found in mid-stream and corrections.
"""

from __future__ import annotations

from dataclasses import replace

from tcpviz.core import arrivals, departures, late
from tcpviz.core.analysis import Analysis
from tcpviz.core.claims import Certainty, Claim, Phase, PhaseName, StateChange
from tcpviz.core.crowds import Crowd
from tcpviz.core.halfconn import End
from tcpviz.core.hosts import HostSocket
from tcpviz.core.marks import Observation
from tcpviz.core.records import Moment, Side
from tcpviz.core.segment import ACK, RST, SYN, Endpoint, FlowKey, Segment
from tcpviz.core.states import SYNCHRONIZED, Event, State, find

_SINCE = "; packets were missed since"

_DATA, _RESET = Phase(PhaseName.DATA), Phase(PhaseName.TEARDOWN, 1, 1)
_HANDSHAKE = tuple(Phase(PhaseName.HANDSHAKE, done, 3) for done in range(4))
_TEARDOWN = tuple(Phase(PhaseName.TEARDOWN, done, 4) for done in range(5))
_AWAITS_ACK = frozenset({State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK})
_FIN_SENT = _AWAITS_ACK | {State.FIN_WAIT_2, State.TIME_WAIT}
_FIN_CAME = frozenset({State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT})
_FIN_HEARD = frozenset({State.FIN_WAIT_2, State.TIME_WAIT})


class Connection:
    """One connection, from its first segment on.

    ``id``            1, 2, 3 ... in order of the first segment
    ``first_ns``, ``last_ns``  times of its first and latest segment, in the order in
                      which they were captured: a clock that was set back makes the
                      second smaller than the first
    ``opened_by``     who sent the first SYN; ``None`` for mid-stream finds
    ``closed_by``     who sent the first FIN
    ``reset_by``      who sent a reset that counted
    ``refused``       a SYN was answered by a reset
    ``midstream``     no SYN of either end was seen
    ``watched``       both moments of its segments are seen: nothing is assumed
    ``handshake_rtt_ns``  from the (last) SYN to the ACK that completed the handshake,
                      Wireshark's ``tcp.analysis.initial_rtt``; ``None`` if not seen
    ``held_ns``       for so long its SYNs lay in somebody's hand (the lab's), nanoseconds
    ``analysis``      the views of Wireshark and Zeek, ``None`` where nobody asked for them
    ``observation``   what analysis found at the latest segment
    ``disagreements`` how often the kernel said otherwise than the inference
    ``former``        the connection of the same addresses and ports before it, while it is
                      not decided which of the two lives (see :mod:`tcpviz.core.routing`)
    ``intrudes``      its SYN came into a connection that was going on
    ``older``         ids of the connections that had these addresses and ports before it,
                      the latest first: late segments of theirs may still come
    ``inherits``      one of its ends stands where the connection before it left it, for an
                      old duplicate SYN began it
    ``superseded``    another connection has its addresses and ports: what still comes of
                      its segments moves nobody
    ``crowd``         the many of which it is one, where somebody has counted them
    ``sockets``       what the watched host's table of sockets has of its ends, and whose they
                      are; ``None`` where it was not asked or has neither
    ``reset_in``      where the end stood that sent a reset, right before it
    ``reset_why``     why, in its kernel's own word, where that was told
    """

    def __init__(
        self,
        ident: int,
        key: FlowKey,
        client: Endpoint,
        server: Endpoint,
        client_claim: Claim,
        server_claim: Claim,
        analysis: Analysis | None = None,
    ) -> None:
        self.id = ident
        self.key = key
        self.client = End(Side.CLIENT, client, client_claim)
        self.server = End(Side.SERVER, server, server_claim)
        self.first_ns = 0
        self.last_ns = 0
        self.opened_by: Side | None = None
        self.closed_by: Side | None = None
        self.reset_by: Side | None = None
        self.refused = False
        self.watched = False
        self.handshake_rtt_ns: int | None = None
        self.held_ns = 0
        self.analysis = analysis
        self.observation: Observation | None = None
        self.disagreements = 0
        self.last_syn_ns: int | None = None
        self.former: Connection | None = None
        self.intrudes = False
        self.older: tuple[int, ...] = ()
        self.superseded = False
        self.inherits = False
        self.crowd: Crowd | None = None
        self.sockets: dict[Side, HostSocket] | None = None
        self.reset_in: State | None = None
        self.reset_why = ""
        self._third = False
        self._data_began = False

    # -- who is who ---------------------------------------------------------

    @property
    def only_told(self) -> bool:
        """Nothing of it was captured so far: the host's table of sockets has told of it."""
        return self.sockets is not None and not (self.client.segments or self.server.segments)

    def end(self, side: Side) -> End:
        return self.client if side is Side.CLIENT else self.server

    def side_of(self, segment: Segment) -> Side:
        """Who sent the segment."""
        return Side.CLIENT if segment.src == self.client.endpoint else Side.SERVER

    @property
    def midstream(self) -> bool:
        return self.client.iss is None and self.server.iss is None

    @property
    def established(self) -> bool:
        """Both ends have come to a synchronized state at some time."""
        return self._third or self.midstream

    @property
    def over(self) -> bool:
        """Neither end can send data any more: closed, refused, reset, or in TIME-WAIT."""
        done = (State.CLOSED, State.LISTEN, State.TIME_WAIT)
        ends = (self.client, self.server)
        return all(
            end.state in done and end.claim.certainty is not Certainty.UNKNOWN for end in ends
        ) or (self.reset_by is not None)

    @property
    def complete(self) -> bool:
        """Opened by a handshake and closed by both ends' FINs, each acknowledged."""
        return self._third and self.client.fin_acked and self.server.fin_acked

    def fin_heard(self, end: End) -> bool:
        """The ACK of that end's FIN was captured; where arrivals are watched: it has come."""
        return end.fin_acked and not (self.watched and end.state in _AWAITS_ACK)

    # -- what others would say ----------------------------------------------

    @property
    def completeness(self) -> int | None:
        """Wireshark's ``tcp.completeness``, 0 to 63."""
        return None if self.analysis is None else self.analysis.completeness.value

    @property
    def marks(self) -> dict[str, int] | None:
        """How often each mark was given to a segment of either end."""
        return None if self.analysis is None else self.analysis.marks.totals

    @property
    def conn_state(self) -> str | None:
        """Zeek's ``conn_state``."""
        return None if self.analysis is None else self.analysis.zeek.conn_state

    @property
    def history(self) -> str | None:
        """Zeek's ``history``."""
        return None if self.analysis is None else self.analysis.zeek.history

    # -- segments -----------------------------------------------------------

    def observe(self, segment: Segment, moment: Moment, time_ns: int) -> tuple[StateChange, ...]:
        """Take a segment at one of its moments; returns how the ends moved."""
        side = self.side_of(segment)
        me, peer = self.client, self.server
        if side is Side.SERVER:
            me, peer = peer, me
        bits = int(segment.flags)
        moves = Moves(self, segment.frame, time_ns)
        self.observation = None
        if moment is Moment.ARRIVED:
            if self.superseded:
                return ()
            arrivals.watched(moves, peer, segment)
            self._complete_handshake()
            if bits & RST and self.reset_by is None and moves.reset:
                self.reset_by = side
            return moves.changes
        if moment is Moment.LOST:
            return ()
        if moment is Moment.SENT:
            self.watched = True
        if not (self.client.segments or self.server.segments):
            self.first_ns = time_ns
        self.last_ns = time_ns
        me.count(segment)
        if self.analysis is not None:
            self.observation = self.analysis.observe(segment, side)
            if self.observation is not None and self.observation.is_copy:
                return ()  # the capture saw one packet twice; the ends did not
        if self.superseded:
            late.take(moves, me, peer, segment)
            return moves.changes
        self._note_phase(bits, me, time_ns)
        if bits & RST and self.reset_by is None:
            self.reset_in = me.state
        if not departures.sent(moves, me, peer, segment):
            return moves.changes
        if not bits & RST:
            me.note_sent(segment, peer)
        if moment is Moment.SEEN:
            arrivals.assumed(moves, peer, me, segment)
        if moves.reset and self.reset_by is None:
            self.reset_by = side
        if not self._third:
            self._measure_handshake(segment, me, peer, time_ns)
        return moves.changes

    def doubt(self) -> None:
        """Packets were missed: what was proved may no longer hold, and what was implied less."""
        for end in (self.client, self.server):
            claim = end.claim
            if claim.state is State.CLOSED or claim.certainty is Certainty.UNKNOWN:
                continue
            sure = Certainty.INFERRED if claim.certainty is Certainty.SEEN else Certainty.UNKNOWN
            why = claim.because.removesuffix(_SINCE) + _SINCE
            end.claim = replace(claim, certainty=sure, because=why)

    def relative(self, segment: Segment, side: Side | None = None) -> tuple[int, int | None]:
        """(seq, ack) of a segment of this connection, counted from each end's first number.

        ``side``: who sent it, where that is known.
        """
        mine, theirs = self.client.first_seq, self.server.first_seq
        if (side or self.side_of(segment)) is Side.SERVER:
            mine, theirs = theirs, mine
        seq = 0 if mine is None else (segment.seq - mine) & 0xFFFFFFFF
        if not int(segment.flags) & ACK:
            return seq, None
        return seq, (segment.ack - (segment.ack if theirs is None else theirs)) & 0xFFFFFFFF

    # -- phases -------------------------------------------------------------

    def _note_phase(self, bits: int, me: End, time_ns: int) -> None:
        if not bits & SYN:
            self._data_began = self._data_began or self._third
        elif not bits & ACK:
            if self.opened_by is None:
                self.opened_by = me.side
            self.last_syn_ns = time_ns

    def _measure_handshake(self, segment: Segment, me: End, peer: End, time_ns: int) -> None:
        if (
            self.handshake_rtt_ns is None
            and not self._third
            and not segment.syn
            and self.last_syn_ns is not None
            and me.side is self.opened_by
            and peer.iss is not None
            and me.state in SYNCHRONIZED
        ):
            self.handshake_rtt_ns = time_ns - self.last_syn_ns
        self._complete_handshake()

    def _complete_handshake(self) -> None:
        if not self._third and self.client.iss is not None and self.server.iss is not None:
            self._third = self.client.state in SYNCHRONIZED and self.server.state in SYNCHRONIZED

    @property
    def step_phase(self) -> Phase:
        """The phase that the latest segment belongs to: the third one is still handshake 3/3."""
        client, server = self.client, self.server
        if self.reset_by is not None or self.refused:
            return _RESET
        fins = (client.fin is not None) + (server.fin is not None)
        if fins:
            return _TEARDOWN[fins + self.fin_heard(client) + self.fin_heard(server)]
        if self.midstream and self.sockets is not None:
            return self._told_phase()
        if self._data_began or self.midstream:
            return _DATA
        syns = (client.iss is not None) + (server.iss is not None)
        return _HANDSHAKE[3 if self._third else syns]

    def _told_phase(self) -> Phase:
        """By the states, where neither SYN nor FIN was captured and the kernel tells them."""
        done = 0
        client, server = self.client.state, self.server.state
        for me, peer in ((client, server), (server, client)):
            done += (me in _FIN_SENT or peer in _FIN_CAME) + (me in _FIN_HEARD)
        if done:
            return _TEARDOWN[done]
        if State.SYN_RECEIVED in (client, server):
            return _HANDSHAKE[2]
        return _HANDSHAKE[1] if State.SYN_SENT in (client, server) else _DATA

    @property
    def phase(self) -> Phase:
        """Where the connection is now; an open one without data is in its data phase."""
        phase = self.step_phase
        if phase.name is PhaseName.HANDSHAKE and phase.done == phase.of:
            ends = (self.client, self.server)
            if all(end.state in SYNCHRONIZED for end in ends):
                return _DATA
        return phase


class Moves:
    """The moves that one record causes, collected; every move is looked up in the table."""

    __slots__ = ("changes", "connection", "frame", "reset", "time_ns")

    def __init__(self, connection: Connection, frame: int, time_ns: int) -> None:
        self.connection = connection
        self.frame = frame
        self.time_ns = time_ns
        self.reset = False
        self.changes: tuple[StateChange, ...] = ()

    def move(
        self,
        end: End,
        event: Event,
        certainty: Certainty,
        because: str,
        *others: int,
        assumed: bool = False,
    ) -> bool:
        """Follow the table's edge for ``event``. False, and no move, where there is none.

        ``others`` are further frames that it rests on; ``assumed``: an arrival that
        nothing has proved.
        """
        row = find(end.claim.state, event, end.opened)
        if row is None:
            return False
        before = end.claim
        rule = f"RFC 9293 section {row.section}"
        end.claim = Claim(row.after, certainty, because, self.frame, rule, others)
        end.assumed_from = before.state if assumed else None
        if row.after is State.TIME_WAIT:
            end.time_wait_since = self.time_ns
        if event is Event.RCV_RST:
            self.reset = True
            end.reset_ns = self.time_ns
        if row.after is not before.state:
            self.changes += (StateChange(end.side, before, end.claim, row),)
        return True

    def correct(
        self,
        end: End,
        state: State,
        certainty: Certainty,
        because: str,
        *others: int,
        rule: str = "",
    ) -> None:
        """Put an end where no edge leads: mid-stream, or what it does contradicts the claim.

        ``rule``: a section of RFC 9293 by its number, or any document's in full; empty where
        a kernel or a call is the only witness.
        """
        before = end.claim
        if rule[:1].isdigit():
            rule = f"RFC 9293 section {rule}"
        end.claim = Claim(state, certainty, because, self.frame, rule, others)
        end.assumed_from = None
        if state is State.TIME_WAIT and before.state is not State.TIME_WAIT:
            end.time_wait_since = self.time_ns
        if state is not before.state:
            self.changes += (StateChange(end.side, before, end.claim, None),)

    def confirm(self, end: End, because: str) -> None:
        """What was inferred is now proved; the state stays."""
        end.claim = replace(
            end.claim, certainty=Certainty.SEEN, because=because, frame=self.frame, others=()
        )
        end.assumed_from = None

    def weaken(self, end: End, certainty: Certainty, because: str) -> None:
        """The state stays, and is known less well, or for another reason."""
        end.claim = replace(end.claim, certainty=certainty, because=because, frame=self.frame)
