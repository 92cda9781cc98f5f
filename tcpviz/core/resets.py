"""Resets: whether one is its sender's word, and what follows if its sender goes on all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpviz.core import doubt
from tcpviz.core import seq as seqno
from tcpviz.core.claims import Certainty
from tcpviz.core.halfconn import End, covers
from tcpviz.core.segment import Segment
from tcpviz.core.states import Event, State

if TYPE_CHECKING:
    from tcpviz.core.connection import Moves

SEEN, INFERRED, UNKNOWN = Certainty.SEEN, Certainty.INFERRED, Certainty.UNKNOWN

BEFORE = frozenset((State.CLOSED, State.LISTEN, State.SYN_SENT, State.SYN_RECEIVED))
"""States of an end that does not take part in a connection yet, or no longer."""

LATE_NS = 1_000_000_000
"""What an end sends so long after a reset was not under way when the reset came."""


def sent(moves: Moves, me: End, peer: End, segment: Segment) -> bool:
    """A reset is its sender's word only if its number is one the sender would use.

    RFC 9293 section 3.5.2: in answer to an ACK its number is that ACK, else 0
    with an ACK of what it answers. Anything else may come from a third party
    (RFC 5961) and moves nobody.
    """
    claim = me.claim
    if peer.state is State.SYN_SENT and peer.iss is not None and me.iss is None:
        return _refusal(moves, me, peer, segment)
    if claim.state is State.SYN_SENT and not _leaves_syn_sent(me, peer, segment):
        return False
    watched = moves.connection.watched
    answers = segment.seq != me.snd_nxt and not segment.has_ack
    if watched and answers and claim.state is State.SYN_RECEIVED:
        return False  # an ACK that does not fit, and it waits on (3.10.7.4, fifth)
    if claim.certainty is UNKNOWN and me.iss is None:
        fits = me.snd_nxt is None or within_sent(me, peer, segment)
        if fits and claim.state in BEFORE:
            moves.correct(me, State.CLOSED, INFERRED, "sends a RST", rule="3.5.2")
            return True
    if claim.state in (State.CLOSED, State.LISTEN):
        return not watched and within_sent(me, peer, segment)
    if not watched and not within_sent(me, peer, segment):
        return False
    if segment.has_ack and covers(peer.fin, segment.ack):
        me.got_fin = True
    before = claim.state
    exact = watched or (me.iss is not None and segment.seq in (me.snd_nxt, peer.rcv_nxt))
    sure = SEEN if exact else INFERRED
    if moves.move(me, Event.ABORT, sure, "sends a RST"):
        me.assumed_from = before
        me.reset_ns = moves.time_ns
    return True


def _refusal(moves: Moves, me: End, peer: End, segment: Segment) -> bool:
    """A reset in answer to a SYN."""
    if not segment.has_ack or peer.iss is None or peer.snd_nxt is None:
        return False
    if not seqno.within(seqno.add(peer.iss, 1), segment.ack, peer.snd_nxt):
        return False
    stamps = segment.options.timestamps
    if stamps is not None and not doubt.echoes(peer, stamps[1]):
        return False
    moves.connection.refused = True
    why = "answers the SYN with a RST: nobody listens"
    moves.correct(me, State.CLOSED, SEEN, why, peer.syn_frame, rule="3.10.7.1")
    return True


def _leaves_syn_sent(me: End, peer: End, segment: Segment) -> bool:
    """Whether this is the end of an attempt, not its answer to an ACK that does not fit.

    RFC 9293 section 3.10.7.3: such an ACK is answered with a RST, and the end
    stays in SYN-SENT. Who refuses a SYN,ACK that does fit has never sent that SYN
    (its host does not know of it), or gives it up.
    """
    if me.iss is None:
        return True
    return (
        peer.iss is not None
        and me.snd_nxt is not None
        and seqno.within(me.iss, segment.seq, me.snd_nxt)
    )


def within_sent(me: End, peer: End, segment: Segment) -> bool:
    """Its number lies among those that the end uses: unacknowledged, or the next one."""
    nxt = me.snd_nxt
    if nxt is None:
        return True
    low = nxt if me.snd_una is None else me.snd_una
    if me.state is State.SYN_SENT and me.iss is not None:
        low = me.iss
    if seqno.gt(low, nxt):
        low = nxt
    if peer.segments == 0:
        return seqno.within(low, segment.seq, seqno.add(nxt, doubt.reach(peer)))
    return seqno.within(low, segment.seq, nxt)


def went_on(moves: Moves, me: End, peer: End, segment: Segment) -> bool:
    """Who was reset and then goes on talking in sequence was not.

    A reset's sender that goes on did not send that reset; what its receiver sends
    may have been under way, so that one must go on for a while.
    """
    back, when = me.assumed_from, me.reset_ns
    if back is None or when is None or back in BEFORE:
        return False
    if me.snd_nxt is None or segment.seq != me.snd_nxt:
        return False
    mine = moves.connection.reset_by is me.side
    late = moves.time_ns - when >= LATE_NS
    more = me.rcv_nxt is not None and seqno.gt(segment.ack, me.rcv_nxt)
    if not late and not (mine and (segment.seq_len or more)):
        return False
    if not mine:
        moves.correct(
            me,
            back,
            INFERRED,
            "goes on: the reset did not reach it, or did not count",
            rule="RFC 5961 section 3.2",
        )
        return True
    why = "goes on: the reset was not its own"
    moves.correct(me, back, INFERRED, why, rule="RFC 5961 section 3")
    if peer.assumed_from is not None and peer.reset_ns is not None:
        moves.correct(peer, peer.assumed_from, INFERRED, why, rule="RFC 5961 section 3")
        peer.reset_ns = None
    moves.connection.reset_by = None
    me.reset_ns = None
    return True
