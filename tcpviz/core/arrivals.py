"""What a segment does to the end that it was sent to (RFC 9293 section 3.10.7).

:func:`assumed` is for captures taken at one place, where arrival is not seen;
:func:`watched` for the lab, where every arrival is. The sender's side of the
same segment is in :mod:`tcpviz.core.departures`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpviz.core import doubt
from tcpviz.core import seq as seqno
from tcpviz.core.claims import Certainty
from tcpviz.core.halfconn import End, Received
from tcpviz.core.segment import ACK, FIN, RST, SYN, Segment
from tcpviz.core.states import Event, Opened, State

if TYPE_CHECKING:
    from tcpviz.core.connection import Moves

SEEN, INFERRED = Certainty.SEEN, Certainty.INFERRED

_RESET_BY_FIN_NUMBER = frozenset({State.CLOSE_WAIT, State.LAST_ACK, State.CLOSING})
"""States in which Linux also takes a reset with the number of the FIN that it has received.

tcp_reset_check() in net/ipv4/tcp_input.c. TIME-WAIT is none of them.
"""

_OLD_ACK = 1 << 20
"""Bytes: an acknowledgement older than the largest window is not looked at (RFC 5961 section 5.2).

How large that was is not kept; what is known to be acknowledged may not have arrived yet.
"""


def assumed(moves: Moves, me: End, peer: End, segment: Segment) -> None:
    """``segment`` was sent to ``me``; take it as arrived where no proof can ever come."""
    bits = int(segment.flags)
    if bits & RST:
        if _reset_counts(me, peer, segment):
            moves.move(me, Event.RCV_RST, INFERRED, "was sent a RST", assumed=True)
        return
    waits = me.fin is not None or me.claim.state is State.SYN_RECEIVED
    if not waits or not bits & ACK:
        return
    if bits & SYN:
        if me.claim.state is State.SYN_RECEIVED:  # crossing SYNs
            _acknowledged(moves, me, segment, INFERRED)
        return  # else its receiver's acknowledgement will prove it
    if bits & FIN and not me.got_fin:
        return  # so too
    if peer.fin is not None and not me.got_fin and seqno.gt(segment.seq, peer.fin):
        return  # sent after a FIN that nothing shows to have arrived yet
    if (
        me.rcv_nxt is None
        or seqno.ge(segment.seq_end, me.rcv_nxt)
        or (segment.seq == peer.solid)  # the latest of what was captured
    ):
        _acknowledged(moves, me, segment, INFERRED)


def _reset_counts(me: End, peer: End, segment: Segment) -> bool:
    """RFC 5961 section 3.2: the number must be exactly what the receiver expects.

    The observer knows only what the receiver has acknowledged; data that the
    reset's sender sent just before may have arrived too, so anything from there
    up to the last byte sent is taken; and see :data:`_RESET_BY_FIN_NUMBER`.
    """
    if me.state is State.SYN_SENT:
        return segment.has_ack or peer.iss is not None  # looked at already
    if me.state in (State.CLOSED, State.LISTEN):
        return False
    expected = me.rcv_nxt
    if expected is None:
        return True
    last = peer.snd_nxt if peer.snd_nxt is not None else expected
    if seqno.lt(last, expected):
        last = expected
    first = seqno.add(expected, -1) if _takes_fin_number(me) else expected
    return seqno.within(first, segment.seq, last)


def _takes_fin_number(me: End) -> bool:
    return me.got_fin and me.state in _RESET_BY_FIN_NUMBER


def _acknowledged(moves: Moves, me: End, segment: Segment, certainty: Certainty) -> None:
    ack = segment.ack
    if me.snd_nxt is not None and seqno.gt(ack, me.snd_nxt):
        return  # of something it never sent: ignored (section 3.10.7.4, fifth)
    assumed = certainty is INFERRED
    if me.state is State.SYN_RECEIVED and me.iss is not None and seqno.gt(ack, me.iss):
        why = "was sent the ACK of its SYN"
        moves.move(me, Event.RCV_ACK_OF_SYN, certainty, why, me.syn_frame, assumed=assumed)
    if me.fin is not None and seqno.gt(ack, me.fin):
        why = "was sent the ACK of its FIN"
        doubtful = assumed and me.claim.certainty is Certainty.UNKNOWN
        sure = Certainty.UNKNOWN if doubtful else certainty
        moves.move(me, Event.RCV_ACK_OF_FIN, sure, why, me.fin_frame, assumed=assumed)


def watched(moves: Moves, me: End, segment: Segment) -> None:
    """``segment`` was handed to ``me``: process it as section 3.10.7 says."""
    if segment.checksum_ok is False:
        return
    if segment.rst:
        _reset_arrived(moves, me, segment)
    elif me.state is State.LISTEN:
        if segment.syn and not segment.has_ack:
            if me.iss is not None:
                me.begin_again()  # its former answer was to another SYN
            me.opened = Opened.PASSIVE
            me.received = Received(segment.seq_end, segment)
            me.received.syn_ns = moves.time_ns
            moves.move(me, Event.RCV_SYN, SEEN, "received the SYN")
    elif me.state is State.SYN_SENT:
        _arrived_in_syn_sent(moves, me, segment)
    elif segment.syn:
        if segment.has_ack and me.state is State.SYN_RECEIVED:
            # A simultaneous open's second half: RFC 9293 figure 7.
            _acknowledged(moves, me, segment, SEEN)
        elif me.received is not None:
            me.received.syn_ns = moves.time_ns
    elif me.state is not State.CLOSED:
        _arrived_in_order(moves, me, segment)


def _arrived_in_syn_sent(moves: Moves, me: End, segment: Segment) -> None:
    if not segment.syn or me.iss is None:
        return
    if not segment.has_ack:
        me.received = Received(segment.seq_end, segment)
        moves.move(me, Event.RCV_SYN, SEEN, "received the crossing SYN")
    elif me.snd_nxt is not None and seqno.within(seqno.add(me.iss, 1), segment.ack, me.snd_nxt):
        me.received = Received(segment.seq_end, segment)
        moves.move(me, Event.RCV_SYN_ACK, SEEN, "received the SYN,ACK")


def _reset_arrived(moves: Moves, me: End, segment: Segment) -> None:
    if me.state is State.SYN_SENT:
        if segment.has_ack and segment.ack == me.snd_nxt:
            moves.move(me, Event.RCV_RST, SEEN, "received a RST in answer to its SYN")
        return
    if me.received is not None:
        expected = me.received.next
        of_fin = _takes_fin_number(me) and segment.seq == seqno.add(expected, -1)
        if segment.seq != expected and not of_fin and not _ends_sack(moves, me, segment):
            return
    if me.state is State.TIME_WAIT:
        # Nothing tells of that setting before: RFC 1337 asks that it take none.
        why = "received a RST, which Linux takes unless net.ipv4.tcp_rfc1337 is set"
        moves.move(me, Event.RCV_RST, INFERRED, why, assumed=True)
        return
    moves.move(me, Event.RCV_RST, SEEN, "received a RST")


def _right_edge(me: End, received: Received) -> int:
    """The last number that lies in the window it offered."""
    base = received.next if me.last_ack is None else me.last_ack
    return seqno.add(base, doubt.UNKNOWN_REACH if me.window is None else me.window)


def _ends_sack(moves: Moves, me: End, segment: Segment) -> bool:
    """Whether a reset has the number behind everything that lies beyond a hole.

    What has told the other end so with SACK takes it (tcp_validate_incoming() in
    net/ipv4/tcp_input.c): a reset that follows lost data still counts.
    """
    if me.received is None or not me.received.beyond:
        return False
    if not me.sack or not moves.connection.end(me.side.other).sack:
        return False
    first, *rest = (end for _, end in me.received.beyond)
    last = first
    for one in rest:
        last = seqno.later(one, last)
    return segment.seq == last


def _arrived_in_order(moves: Moves, me: End, segment: Segment) -> None:
    received = me.received
    if received is None:
        received = me.received = Received(segment.seq, segment)
    if not _acceptable(me, received, segment):
        return
    acks_my_fin = (
        me.fin is not None and seqno.gt(segment.ack, me.fin) and me.state is State.FIN_WAIT_1
    )
    before = received.next
    received.note_stamps(me.last_ack, segment)
    if segment.payload_len or segment.fin:
        received.add(segment.seq, segment.seq_end)
    place = seqno.add(segment.seq, segment.payload_len)
    if segment.fin and seqno.ge(place, before):
        # Where the FIN lies beyond a hole it counts when the hole has been filled.
        me.peer_fin = place
    fin_now = not me.got_fin and me.peer_fin is not None and seqno.gt(received.next, me.peer_fin)
    if fin_now and acks_my_fin:
        me.got_fin = True
        moves.move(me, Event.RCV_FIN_AND_ACK_OF_FIN, SEEN, "received FIN and the ACK of its own")
        return
    _acknowledged(moves, me, segment, SEEN)
    if fin_now:
        me.got_fin = True
        moves.move(me, Event.RCV_FIN, SEEN, "received the FIN")
    elif segment.fin and me.state is State.TIME_WAIT and before == received.next:
        me.time_wait_since = moves.time_ns


def _acceptable(me: End, received: Received, segment: Segment) -> bool:
    """Whether the receiver looks into a segment at all (RFC 9293 section 3.10.7.4).

    As Linux does: the timestamp (RFC 7323 section 5.3), the sequence number
    (tcp_validate_incoming() in net/ipv4/tcp_input.c), the acknowledgement (tcp_ack();
    in SYN-RECEIVED it must be of the SYN: tcp_check_req() in net/ipv4/tcp_minisocks.c).
    """
    if not segment.has_ack:
        return False
    stamps = segment.options.timestamps
    if stamps is not None and received.recent is not None and seqno.lt(stamps[0], received.recent):
        return False
    if me.last_ack is not None and seqno.lt(segment.seq_end, me.last_ack):
        return False
    if seqno.gt(segment.seq, _right_edge(me, received)):
        return False
    if me.state is State.SYN_RECEIVED:
        if stamps is not None and me.opened is Opened.PASSIVE and not doubt.echoes(me, stamps[1]):
            return False  # it must echo one of the SYN,ACKs, and nothing later
        acked = me.iss is not None and seqno.gt(segment.ack, me.iss)
        return acked and me.snd_nxt is not None and seqno.le(segment.ack, me.snd_nxt)
    if me.snd_nxt is not None and seqno.gt(segment.ack, me.snd_nxt):
        return False
    return me.snd_una is None or seqno.ge(segment.ack, seqno.add(me.snd_una, -_OLD_ACK))
