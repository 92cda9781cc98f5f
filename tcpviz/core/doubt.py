"""Which segments need not be believed: out of the window, stale, damaged, or answering nothing.

A segment in an end's name may be an old duplicate, damaged, or forged by a
third party. Its receiver drops it, so it must move neither end. The tests are
the receiver's, as far as an observer can make them:

* the sequence number lies in the window (RFC 9293 section 3.10.7.4, first);
* the acknowledgement is of something that was or may have been sent, and not
  older than a window (RFC 5961 section 5.2);
* the timestamp is not older than the last one taken (PAWS, RFC 7323 section
  5.3); to an end in SYN-SENT it must echo what that end sent, which is how
  Linux tells an answer from a guess (tcp_rcv_synsent_state_process());
* the checksum is right, where those of its sender are right at all: on the host
  that captures its own traffic the network card fills them in later.

The observer may be wrong: it does not see everything, and a middlebox may
rewrite what the ends never see so. So a doubted segment is kept for a while,
and believed when the other end acknowledges it.
"""

from __future__ import annotations

from tcpviz.core.halfconn import End, Sums
from tcpviz.core.segment import Segment
from tcpviz.core.states import State

KEPT = 8
"""How many doubted segments of one end are kept; the oldest go first."""

LEAST_REACH = 1 << 16
"""An observer never takes a window for smaller: the offer may not have been captured."""

UNKNOWN_REACH = 1 << 30
"""Where the window's scale is not known: the largest there can be (RFC 7323 section 2.3)."""

MANY_WRONG = 8
"""Wrong checksums from the first on after which a right one is right by chance, one in 65 536 is.

What is damaged on its way has right ones before it.
"""

_HALF = 1 << 31
_MASK = 0xFFFFFFFF


def reach(receiver: End) -> int:
    """How far beyond RCV.NXT a segment to ``receiver`` may lie, in bytes."""
    if receiver.iss is None or receiver.scale_cut:
        return UNKNOWN_REACH
    window = receiver.window
    return LEAST_REACH if window is None or window < LEAST_REACH else window


def damaged(me: End, segment: Segment) -> bool:
    """Whether its checksum is wrong in itself, where that was looked at (``checksum_ok``)."""
    if me.sums is Sums.UNTRIED:
        if not segment.checksum_ok:
            me.wrong_sums = min(me.wrong_sums + 1, MANY_WRONG)
        elif me.wrong_sums < MANY_WRONG:
            me.sums = Sums.RIGHT
        else:
            me.sums = Sums.OFFLOAD
    return not segment.checksum_ok and me.sums is Sums.RIGHT


def believable(me: End, peer: End, segment: Segment) -> bool:
    """Whether ``peer`` would take this segment (with ACK, without SYN and RST) for ``me``'s."""
    nxt = me.snd_nxt
    ahead = 0
    if nxt is not None:
        ahead = ((segment.seq - nxt + _HALF) & _MASK) - _HALF
        if ahead and peer.segments:
            room = reach(peer)
            if ahead > room or (ahead < -room and not _repeats(me, segment, room)):
                return False
    sent = peer.snd_nxt
    if sent is not None:
        beyond = ((segment.ack - sent + _HALF) & _MASK) - _HALF
        if beyond > 0:
            if peer.state is State.SYN_SENT and peer.iss is not None:
                return False  # it has sent nothing but its SYN
            # An ACK of much that was missed is doubted until its end is acknowledged, too.
            room = LEAST_REACH if me.iss is None or me.scale_cut else reach(me)
            if peer.segments and (beyond > room or peer.fin is not None):
                return False
            if ahead > 0 and me.iss is not None and peer.iss is not None:
                return False  # a hole, and an ACK of what nobody sent: missed, or made up
        elif beyond < 0 and beyond < -max(reach(peer), reach(me)):
            return False
    stamps = segment.options.timestamps
    if stamps is not None:
        if peer.state is State.SYN_SENT and not echoes(peer, stamps[1]):
            return False
        recent = peer.ts_recent
        if recent is not None and ((stamps[0] - recent) & _MASK) >= _HALF:
            return False
    # Nothing but a SYN,ACK brings a connection to one who waits for it.
    return not (peer.state is State.SYN_SENT and me.iss is None and peer.iss is not None)


def _repeats(me: End, segment: Segment, room: int) -> bool:
    """Old, but not older than a window before what is still unacknowledged."""
    una = me.snd_una
    return una is not None and ((segment.seq_end - una + room) & _MASK) < _HALF


def echoes(receiver: End, echo: int) -> bool:
    """Whether ``echo`` (TSecr) is a timestamp that ``receiver`` sent with its SYN."""
    if receiver.ts_sent is None or not echo:
        return True
    first, last = receiver.ts_sent
    return ((echo - first) & _MASK) <= ((last - first) & _MASK)


def keep(me: End, segment: Segment) -> None:
    """Remember a doubted segment: its receiver may yet acknowledge it."""
    if me.doubted is None:
        me.doubted = []
    elif len(me.doubted) >= KEPT:
        del me.doubted[0]
    me.doubted.append(segment)


def agree(me: End, peer: End, segment: Segment) -> bool:
    """Whether both ends agree on numbers that were doubted, as after a gap in the capture.

    That clears up doubts about numbers only: not a timestamp from the past at the number
    that is expected, and not what arrived damaged.
    """
    if peer.doubted is None or segment.seq == me.snd_nxt:
        return False
    return any(
        one.seq_end == segment.ack and one.ack == segment.seq and one.checksum_ok is not False
        for one in peer.doubted
    )


def vindicated(me: End, ack: int) -> list[Segment]:
    """The doubted segments of ``me`` that ``ack``, sent by its peer, shows to have been taken.

    Those that take up sequence numbers ending at or shortly before ``ack``; and one that
    takes up none where ``ack`` is its very number, for the ends agree on that.
    """
    if me.doubted is None:
        return []
    shown = [one for one in me.doubted if _counts(me, one, ack)]
    if not any(one.seq_end == ack for one in shown):
        # A damaged one is not shown by an ACK of more than it and its like.
        shown = [one for one in shown if one.checksum_ok is not False]
    if shown:
        me.doubted = [one for one in me.doubted if one not in shown] or None
        if any(one.checksum_ok is False for one in shown):
            me.sums = Sums.OFFLOAD
    return shown


def may_vindicate(me: End, ack: int) -> bool:
    """Whether ``ack`` may show that something doubted of ``me`` was taken."""
    return me.doubted is not None and any(_counts(me, one, ack) for one in me.doubted)


def _counts(me: End, segment: Segment, ack: int) -> bool:
    if not segment.seq_len:
        return segment.seq == ack != me.snd_nxt
    if ((ack - segment.seq_end) & _MASK) >= LEAST_REACH:
        return False
    # It must explain an ACK of more than is known to have been sent.
    return me.snd_nxt is None or ((segment.seq_end - me.snd_nxt - 1) & _MASK) < _HALF
