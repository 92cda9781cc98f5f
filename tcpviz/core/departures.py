"""What a segment shows of the end that sent it.

Each function is one kind of segment; resets have :mod:`tcpviz.core.resets`. The
receiver's side of the same segment is in :mod:`tcpviz.core.arrivals`; what needs
not be believed in :mod:`tcpviz.core.doubt`.

What proves what
----------------
``SEEN`` must hold whatever the capture missed. An end that has not sent its FIN
is shown only by a segment without data whose number is the next one of what was
captured (``at_next``): data may be a repetition, sent again behind a FIN that was
missed. An end that has not got the other end's FIN is shown by any
acknowledgement of no more than captured data. Both together are ESTABLISHED.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tcpviz.core import doubt, resets
from tcpviz.core import seq as seqno
from tcpviz.core.claims import Certainty
from tcpviz.core.halfconn import End, covers
from tcpviz.core.resets import BEFORE
from tcpviz.core.segment import ACK, FIN, RST, SYN, Segment
from tcpviz.core.states import Event, Opened, State

if TYPE_CHECKING:
    from tcpviz.core.connection import Moves

SEEN, INFERRED, UNKNOWN = Certainty.SEEN, Certainty.INFERRED, Certainty.UNKNOWN


_AT_ONCE_NS = 20_000_000
"""A SYN,ACK that leaves later than this after the SYN came was sent by a timer, of 1 s or more."""


def sent(moves: Moves, me: End, peer: End, segment: Segment) -> bool:
    """``me`` has sent ``segment``. Call before the ends' variables take it in.

    False where nobody needs to believe it, so that it must not move anybody.
    """
    bits = int(segment.flags)
    if segment.checksum_ok is not None and doubt.damaged(me, segment):
        if bits & (ACK | SYN | RST) == ACK:
            doubt.keep(me, segment)
        return False
    if bits & RST:
        return resets.sent(moves, me, peer, segment)
    if bits & SYN:
        return _syn(moves, me, peer, segment)
    if not bits & ACK:
        return False  # nobody in a connection sends that: a null, FIN or Xmas scan
    if moves.connection.watched:
        if bits & FIN:
            _fin(moves, me, peer, segment)
        return True
    if not doubt.believable(me, peer, segment) and not doubt.agree(me, peer, segment):
        doubt.keep(me, segment)
        return False
    if peer.doubted is not None:
        _believe_late(moves, peer, me, segment.ack)
    return _took_part(moves, me, peer, segment, bits)


def _believe_late(moves: Moves, me: End, peer: End, ack: int) -> None:
    """The other end acknowledges what was doubted of ``me``: it was taken after all."""
    frame = moves.frame
    for segment in doubt.vindicated(me, ack):
        moves.frame = segment.frame
        if _took_part(moves, me, peer, segment, int(segment.flags)):
            me.note_sent(segment, peer)
    moves.frame = frame


def _took_part(moves: Moves, me: End, peer: End, segment: Segment, bits: int) -> bool:
    """A segment of an end that takes part in the connection: with ACK, neither SYN nor RST.

    False if it turns out that the end does not take part, or no longer.
    """
    length = segment.payload_len
    pure = not length and not bits & FIN
    at_next = pure and segment.seq == me.solid and me.doubted is None
    state = me.claim.state
    if state in BEFORE and not _enters(moves, me, peer, segment, at_next):
        if state is not State.CLOSED and not bits & FIN:
            return True
        if not pure:
            # The reset may yet turn out to be forged; and a FIN that nobody has understood
            # must not be taken for data of which all was seen.
            doubt.keep(me, segment)
        return False
    if peer.fin is not None and not me.got_fin and seqno.gt(segment.ack, peer.fin):
        _got_fin(moves, me, peer, segment, at_next)
    elif me.claim.certainty is not SEEN:
        _confirm(moves, me, peer, segment, at_next)
    if pure and state is State.TIME_WAIT:
        me.time_wait_since = moves.time_ns  # it answers a repeated FIN (3.10.7.4, eighth)
    if length and me.fin is not None and not me.fin_acked:
        _beyond_fin(moves, me, segment)
    if bits & FIN:
        _fin(moves, me, peer, segment)
    return True


# -- the handshake ------------------------------------------------------------


def _syn(moves: Moves, me: End, peer: End, segment: Segment) -> bool:
    has_ack = segment.has_ack
    if me.iss is not None and me.iss != segment.seq:
        # Another number: forged, or of another connection, or of a listener that has forgotten.
        return has_ack and _answers_anew(moves, me, peer, segment)
    if not moves.connection.watched:
        stamps = segment.options.timestamps
        if has_ack and stamps is not None and not doubt.echoes(peer, stamps[1]):
            return False
        # What was inherited from the connection before says nothing of the SYN answered here.
        if has_ack and peer.segments and peer.iss is not None and not _acks_syn(peer, segment):
            return False
    if me.iss is not None:
        return _syn_again(moves, me, peer, segment)
    if me.claim.state not in BEFORE:
        return False  # into a connection that was found in mid-stream
    if not has_ack:
        me.opened = Opened.ACTIVE
        if me.claim.state is State.SYN_SENT:
            moves.confirm(me, "sends a SYN")
        else:
            _stand(moves, me, State.CLOSED)
            if segment.fin:
                why = "sends SYN with FIN, as no TCP does by itself"
                moves.move(me, Event.ACTIVE_OPEN, INFERRED, why)
            else:
                moves.move(me, Event.ACTIVE_OPEN, SEEN, "sends a SYN")
        if segment.seq != 0 and me.claim.certainty is SEEN and moves.connection.intrudes:
            moves.weaken(me, UNKNOWN, "sends a SYN into a connection: forged, or it has lost it")
    elif me.claim.state is State.SYN_SENT and me.opened is Opened.ACTIVE:
        # The crossing SYN was not captured, but only it explains this answer.
        moves.move(me, Event.RCV_SYN, SEEN, "answers a crossing SYN", peer.syn_frame)
    else:
        _stand(moves, me, State.LISTEN)
        me.opened = Opened.PASSIVE
        moves.move(me, Event.RCV_SYN, SEEN, "answers the SYN with SYN,ACK", peer.syn_frame)
        if peer.segments == 0 and peer.snd_nxt is None:
            peer.snd_nxt = peer.solid = segment.ack
            peer.solid_from = seqno.add(segment.ack, -1)
    return True


def _answers_anew(moves: Moves, me: End, peer: End, segment: Segment) -> bool:
    """A second SYN,ACK to the same SYN with another number counts while the first has not.

    Who keeps nothing (SYN cookies, RFC 4987 section 3.6), or not for long, answers a
    repeated SYN with a new number.
    """
    fits = peer.state is State.SYN_SENT and peer.iss is not None
    if not fits or segment.ack != peer.snd_nxt:
        return False
    received = me.received
    if me.state is State.SYN_RECEIVED and me.opened is Opened.PASSIVE:
        me.begin_again()
    elif me.state is State.SYN_SENT and not moves.connection.watched:
        # No crossing SYNs: its own was given up long ago, and it listens now.
        me.begin_again()
        why = "has given its own SYN up: it answers with another number"
        moves.correct(me, State.LISTEN, INFERRED, why, rule="3.10.7.2")
        moves.move(me, Event.RCV_SYN, SEEN, "answers the SYN with SYN,ACK", peer.syn_frame)
    else:
        return False
    me.opened, me.received = Opened.PASSIVE, received
    return True


def _stand(moves: Moves, me: End, state: State) -> None:
    """Where it must have been before its SYN, if that is not known."""
    claim = me.claim
    why = "what it must have been before its SYN"
    if me.segments <= 1:
        if claim.certainty is UNKNOWN:
            me.claim = replace(claim, state=state, certainty=INFERRED, because=why)
    elif claim.state is not state and claim.state in (State.CLOSED, State.LISTEN):
        moves.correct(me, state, INFERRED, why, rule="3.10.1")


def _syn_again(moves: Moves, me: End, peer: End, segment: Segment) -> bool:
    state = me.claim.state
    received = me.received
    if received is not None and moves.time_ns - received.syn_ns > _AT_ONCE_NS:
        received.timeouts += 1
    if _given_up(me):
        why = "repeats its SYN: it had not given up"
        state = State.SYN_RECEIVED if segment.has_ack else State.SYN_SENT
        moves.correct(me, state, SEEN, why, rule="3.8.1")
        return True
    if not segment.has_ack:
        if state is State.CLOSED and moves.connection.refused:
            # Refused, and tried once more with the same number (as Windows does it).
            moves.connection.refused = False
            moves.connection.reset_by = None
            moves.correct(peer, State.LISTEN, UNKNOWN, "no answer to this SYN yet", rule="3.10.7.1")
            moves.move(me, Event.ACTIVE_OPEN, SEEN, "sends its SYN once more after a refusal")
        elif me.opened is Opened.PASSIVE:
            me.opened = Opened.ACTIVE  # its SYN,ACK was captured first: crossing SYNs
        return True
    if state is State.SYN_SENT:
        return moves.move(me, Event.RCV_SYN, SEEN, "answers the crossing SYN", peer.syn_frame)
    if state is State.ESTABLISHED and me.assumed_from is State.SYN_RECEIVED:
        why = "repeats its SYN,ACK: the ACK had not reached it"
        moves.correct(me, State.SYN_RECEIVED, SEEN, why, rule="3.8.1")
    return True


def _given_up(me: End) -> bool:
    """Only a timer of ours has closed it, by what Linux does by default."""
    closed = me.claim.state is State.CLOSED and me.claim.certainty is INFERRED
    return closed and me.iss is not None and me.reset_ns is None and me.fin is None


def _acks_syn(peer: End, segment: Segment) -> bool:
    """Whether a SYN,ACK fits the other end's SYN: it has sent nothing else yet."""
    if peer.iss is None or not seqno.gt(segment.ack, peer.iss):
        return False
    waiting = peer.state in (State.SYN_SENT, State.SYN_RECEIVED)
    return not (waiting and peer.snd_nxt is not None and seqno.gt(segment.ack, peer.snd_nxt))


def _enters(moves: Moves, me: End, peer: End, segment: Segment, at_next: bool) -> bool:
    """An end that was not yet in the connection talks. False where it still is not."""
    state, ack = me.claim.state, segment.ack
    open_peer = peer.not_closed_before(ack)
    if state is State.SYN_SENT:
        if peer.iss is None:
            intrudes = moves.connection.intrudes  # then two guesses might agree by chance
            if not _in_order(me, peer, segment) or (intrudes and segment.seq != me.snd_nxt):
                return False
            why = "goes on after its SYN: the SYN,ACK was not captured"
            moves.move(me, Event.RCV_SYN_ACK, INFERRED, why, me.syn_frame)
            _answered(moves, peer)
            return True
        if not seqno.gt(ack, peer.iss) or not _in_order(me, peer, segment):
            return False
        # After crossing SYNs an ACK may also come from SYN-RECEIVED.
        plain = me.iss is not None and peer.opened is Opened.PASSIVE
        sure = SEEN if plain and at_next and open_peer else INFERRED
        why = "acknowledges the SYN,ACK" if plain else "acknowledges the SYN"
        return moves.move(me, Event.RCV_SYN_ACK, sure, why, peer.syn_frame)
    if state is State.SYN_RECEIVED:
        beyond = peer.syn_end is None or seqno.gt(ack, peer.syn_end)
        # Fast Open: data of the SYN was taken, so the server may talk already.
        fast = peer.iss is not None and peer.syn_end != seqno.add(peer.iss, 1)
        talks = segment.payload_len or segment.fin
        if not beyond and (fast or not talks):
            return False
        sure = SEEN if at_next and open_peer and peer.syn_end is not None else INFERRED
        why = "talks: the ACK of its SYN has reached it"
        moves.move(me, Event.RCV_ACK_OF_SYN, sure, why, me.syn_frame)
        if not peer.segments:
            moves.correct(
                peer, State.ESTABLISHED, INFERRED, "has acknowledged the SYN,ACK", rule="3.10.7.3"
            )
        return True
    if me.claim.certainty is UNKNOWN:
        moves.correct(
            me, State.ESTABLISHED, INFERRED, "talks: its handshake was not captured", rule="3.3.2"
        )
        return True
    if _given_up(me):
        moves.correct(me, State.ESTABLISHED, INFERRED, "goes on: it had not given up", rule="3.8.3")
        return True
    if segment.fin and me.fin is not None:
        return True  # repeated, perhaps because the last ACK was lost
    return resets.went_on(moves, me, peer, segment)


def _in_order(me: End, peer: End, segment: Segment) -> bool:
    nxt = me.snd_nxt
    return nxt is None or seqno.within(
        seqno.add(nxt, -1), segment.seq, seqno.add(nxt, doubt.reach(peer))
    )


def _answered(moves: Moves, peer: End) -> None:
    """An end that nobody saw is acknowledged, so it has sent what is acknowledged."""
    if peer.claim.state in (State.LISTEN, State.CLOSED) and peer.claim.certainty is UNKNOWN:
        peer.opened = Opened.PASSIVE
        why = "not captured, but what it must have sent is acknowledged"
        moves.correct(peer, State.ESTABLISHED, INFERRED, why, rule="3.10.7.4")


# -- data ---------------------------------------------------------------------


def _confirm(moves: Moves, me: End, peer: End, segment: Segment, at_next: bool) -> None:
    """What was inferred or unknown may be proved by now; the state stays."""
    claim = me.claim
    state, ack = claim.state, segment.ack
    if state is State.ESTABLISHED:
        if me.assumed_from is State.SYN_RECEIVED:
            beyond = peer.syn_end is None or seqno.gt(ack, peer.syn_end)
            if not beyond and not segment.payload_len:
                return
            if segment.payload_len and not beyond and peer.syn_end != seqno.add(peer.iss or 0, 1):
                return
            me.assumed_from = None
        taken = peer.syn_end is not None and seqno.gt(ack, peer.syn_end)
        past = taken or (me.opened is Opened.ACTIVE and peer.opened is Opened.PASSIVE)
        if past and at_next and me.iss is not None and peer.not_closed_before(ack):
            moves.confirm(me, "its number shows that it has sent all this and nothing else")
            return
    if claim.certainty is UNKNOWN and state not in BEFORE:
        moves.weaken(me, INFERRED, "talks")
    if not peer.segments and me.rcv_nxt is not None and seqno.gt(ack, me.rcv_nxt):
        _answered(moves, peer)


def _got_fin(moves: Moves, me: End, peer: End, segment: Segment, at_next: bool) -> None:
    """It acknowledges the other end's FIN, which has therefore reached it."""
    me.got_fin = True
    why, frame = "acknowledges the other end's FIN", peer.fin_frame
    if me.state is State.FIN_WAIT_1 and not segment.fin:
        if peer.fin_second:
            moves.move(me, Event.RCV_FIN_AND_ACK_OF_FIN, SEEN, why, frame)
        elif peer.fin_ack is not None and covers(me.fin, peer.fin_ack):
            moves.move(me, Event.RCV_FIN_AND_ACK_OF_FIN, INFERRED, why, frame)
        else:
            moves.move(me, Event.RCV_FIN, INFERRED, why, frame)
            if me.fin_acked:
                # That ACK was sent after the FIN, so it is taken to have come after it.
                moves.move(me, Event.RCV_ACK_OF_FIN, INFERRED, "was sent the ACK of its FIN")
    elif me.state is State.FIN_WAIT_1:
        # It repeats its FIN, so that has not been acknowledged yet.
        sure = SEEN if me.fin_first and me.iss is not None else INFERRED
        moves.move(me, Event.RCV_FIN, sure, why, frame, me.fin_frame)
    elif me.state is State.FIN_WAIT_2:
        sure = SEEN if peer.fin_second and me.iss is not None else INFERRED
        moves.move(me, Event.RCV_FIN, sure, why, frame)
    else:
        sure = SEEN if at_next and me.iss is not None else INFERRED
        if me.may_have_closed and me.iss is None and me.solid is None:
            sure, why = UNKNOWN, why + "; whether it has closed before the capture, nobody saw"
        moves.move(me, Event.RCV_FIN, sure, why, frame)


def _beyond_fin(moves: Moves, me: End, segment: Segment) -> None:
    """Data beyond its FIN: that FIN was not its own (or this is not)."""
    fin = me.fin
    if fin is None or not seqno.gt(segment.seq_end, fin) or segment.fin:
        return
    back = {State.FIN_WAIT_1: State.ESTABLISHED, State.LAST_ACK: State.CLOSE_WAIT}
    state = back.get(me.state)
    if state is not None:
        me.fin = me.fin_ack = None
        me.fin_first = False
        moves.connection.closed_by = None
        moves.correct(
            me, state, INFERRED, "goes on: the FIN was not its own", me.fin_frame, rule="3.10.4"
        )


# -- closing ------------------------------------------------------------------


def _fin(moves: Moves, me: End, peer: End, segment: Segment) -> None:
    place = seqno.add(segment.seq, segment.payload_len)
    watched = moves.connection.watched
    if me.fin is None:
        if not watched and me.solid is not None and seqno.lt(place, me.solid):
            una = me.snd_una
            forged = seqno.gt(me.solid_from, place) and una is not None and seqno.ge(place, una)
            if not forged:
                return  # it has sent more than that: not its FIN
        _first_fin(moves, me, peer, segment, place)
    elif me.fin == place and not watched:
        _fin_again(moves, me, peer, segment)
    if me.fin == place and not watched and not me.fin_acked:
        _acked_already(moves, me, peer)
    if segment.has_ack and me.fin == place:
        me.fin_ack = segment.ack if me.fin_ack is None else seqno.later(segment.ack, me.fin_ack)


def _acked_already(moves: Moves, me: End, peer: End) -> None:
    """The acknowledgement of its FIN was captured before the FIN itself."""
    if me.snd_una is None or not covers(me.fin, me.snd_una):
        return
    me.fin_acked = True
    why = "has acknowledged it already: the capture has them in another order"
    if not peer.got_fin:
        peer.got_fin = True
        moves.move(peer, Event.RCV_FIN, INFERRED, why)
    moves.move(me, Event.RCV_ACK_OF_FIN, INFERRED, "was sent the ACK of its FIN", assumed=True)


def _first_fin(moves: Moves, me: End, peer: End, segment: Segment, place: int) -> None:
    me.fin, me.fin_frame = place, segment.frame
    if moves.connection.closed_by is None:
        moves.connection.closed_by = me.side
    why = "sends its FIN"
    if me.closed_told and me.state in (State.FIN_WAIT_1, State.LAST_ACK):
        me.fin_first, me.fin_second = me.state is State.FIN_WAIT_1, me.state is State.LAST_ACK
        return
    if moves.connection.watched:
        # Its kernel may have told that it was closed before there was room for the FIN.
        closed = me.state in (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK)
        if not closed and not moves.move(me, Event.CLOSE, SEEN, why):
            moves.correct(me, State.FIN_WAIT_1, INFERRED, why, rule="3.10.4")
        return
    open_peer = peer.not_closed_before(segment.ack)
    # Behind a hole it may be a guess; its acknowledgement will tell.
    known = me.iss is not None and me.solid is not None and seqno.le(segment.seq, me.solid)
    if me.state is State.CLOSE_WAIT:
        proved = me.claim.certainty is SEEN
        me.fin_second = proved and known
        sure = me.claim.certainty if me.claim.certainty is not UNKNOWN else INFERRED
        moves.move(me, Event.CLOSE, sure if known else INFERRED, why, peer.fin_frame)
        return
    me.fin_first = open_peer
    if open_peer:
        sure = SEEN if known else INFERRED
    else:
        sure = INFERRED if peer.solid is not None else UNKNOWN
        if sure is UNKNOWN:
            why += "; whether the other end has closed before, nobody saw"
    if not moves.move(me, Event.CLOSE, sure, why):
        moves.correct(me, State.FIN_WAIT_1, INFERRED, why, rule="3.10.4")


def _fin_again(moves: Moves, me: End, peer: End, segment: Segment) -> None:
    answers = covers(peer.fin, segment.ack)
    alone = peer.not_closed_before(segment.ack)
    if alone:
        me.fin_first = True
    if me.claim.certainty is SEEN:
        return
    why = "repeats its FIN: the ACK had not reached it"
    known = me.iss is not None
    state = me.state
    if state is State.FIN_WAIT_2 and not answers:
        sure = SEEN if known and alone else INFERRED
        moves.correct(me, State.FIN_WAIT_1, sure, why, me.fin_frame, rule="3.8.1")
    elif state is State.TIME_WAIT and answers and not me.fin_second:
        sure = SEEN if known and me.fin_first else INFERRED
        moves.correct(me, State.CLOSING, sure, why, me.fin_frame, rule="3.8.1")
    elif state is State.CLOSED and answers and me.assumed_from is State.LAST_ACK:
        sure = SEEN if known and me.fin_second else INFERRED
        moves.correct(me, State.LAST_ACK, sure, why, me.fin_frame, rule="3.8.1")
