"""The core taken past what lies elsewhere than where its sender stands, in an open connection.

Data sent again, data that others have overtaken or that comes behind a hole, what fills a hole and
what acknowledges it, ACKs in another order; windows that close, what is sent while they are closed,
keep-alives. As :mod:`tcpviz.bulk.brief.past`, of more kinds: here,
too, it is asked of the core as it stands whether it would do only what is done, and each part is as
the core's module that it names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tcpviz.bulk.brief.rows import ECHOED, MARKED, RIGHT, SELECTIVE, SHUT, TIMED, WRONG, Row
from tcpviz.core.analysis import Analysis
from tcpviz.core.connection import Connection
from tcpviz.core.doubt import LEAST_REACH, MANY_WRONG, may_vindicate, reach
from tcpviz.core.flow import Flow
from tcpviz.core.halfconn import REMEMBERED, End, Sums
from tcpviz.core.marks import FAST_NS, REORDER_NS, MarkAnalyzer, MarkName
from tcpviz.core.vitals import MAX_TTLS, STRANGE_TICKS, Signs
from tcpviz.core.zeek_end import ZeekState

if TYPE_CHECKING:
    from collections.abc import Callable

    from tcpviz.bulk.brief.half import Half

_MASK, _HALF = 0xFFFFFFFF, 1 << 31

Blocks = tuple[tuple[int, int], ...]
"""SACK blocks."""


def stays(me: Half, peer: Half, told: Row) -> bool:
    """Whether the core does nothing of a segment but what :func:`go` does. Both ends stand."""
    kind, _, _, seq, ack, length, _, _, value, echo, _ = told
    fwd, rev, mine, theirs = me.flow, peer.flow, me.end, peer.end
    if me.knows < (1 if length else 2):
        return False
    sent, captured, heard, nxt = theirs.snd_nxt, rev.next_seq, peer.signs.next, mine.snd_nxt
    if sent is None or captured is None or nxt is None or fwd.next_seq is None:
        return False
    # doubt.believable
    behind = (sent - ack) & _MASK
    if behind > LEAST_REACH and behind > max(reach(theirs), reach(mine)):
        return False
    if theirs.doubted is not None and may_vindicate(theirs, ack):
        return False
    if (captured - ack) & _MASK >= _HALF:
        return False
    if heard is not None and (heard - ack) & _MASK >= _HALF:
        return False
    ahead = ((seq - nxt + _HALF) & _MASK) - _HALF
    if not -LEAST_REACH <= ahead <= LEAST_REACH:
        room = reach(theirs)
        if not -room <= ahead <= room:
            return False
    if kind & TIMED:
        recent = theirs.ts_recent
        if (recent is not None and (value - recent) & _MASK >= _HALF) or strange(peer, echo):
            return False
    if kind & RIGHT and mine.sums is Sums.UNTRIED:
        return False
    if kind >= MARKED and not counted(me, kind):
        return False
    before = (fwd.next_seq - seq) & _MASK
    # What may have come with other data before is compared with it, if it is not damaged.
    return (
        not 0 < before < _HALF
        or (before == 1 >= length)  # a keep-alive's is anything
        or not length
        or kind & WRONG != 0
        or not me.data.near(seq, length)
    )


def fits(me: Half, peer: Half, told: Row, fin: int) -> bool:
    """Whether the views do nothing of it but what :func:`views` does; wherever the ends stand."""
    kind, _, _, seq, ack, length, _, _, _, echo, _ = told
    fwd, rev = me.flow, peer.flow
    captured, heard = rev.next_seq, peer.signs.next
    if captured is None or fwd.next_seq is None:
        return False
    if (captured - ack) & _MASK >= _HALF:
        return False
    if heard is not None and (heard - ack) & _MASK >= _HALF:
        return False
    if kind & TIMED and strange(peer, echo):
        return False
    before = (fwd.next_seq - seq) & _MASK
    if not length or not 0 < before < _HALF or (before == 1 == length and not fin):
        return True
    return not me.data.near(seq, length)


def newest(me: Half, peer: Half, told: Row) -> bool:
    """Whether it can be of no connection before this one on the same ends (``late.belongs``)."""
    mine, theirs = me.end, peer.end
    nxt, sent = mine.snd_nxt, theirs.snd_nxt
    if nxt is None or sent is None:
        return False
    began = mine.ts_sent
    if told[0] & TIMED and began is not None and (told[8] - began[0]) & _MASK >= _HALF:
        return False
    ahead = abs(((told[3] - nxt + _HALF) & _MASK) - _HALF)
    if ahead > LEAST_REACH and ahead > reach(theirs):
        return False
    beyond = abs(((told[4] - sent + _HALF) & _MASK) - _HALF)
    return beyond <= LEAST_REACH or beyond <= reach(mine)


def strange(peer: Half, echo: int) -> bool:
    """Whether an echo is far from what the other end's clock has shown (``vitals.Signs``)."""
    ticks = peer.signs.ticks
    if ticks is None or not echo:
        return False
    return (echo - ticks + STRANGE_TICKS) & _MASK > 2 * STRANGE_TICKS


def counted(me: Half, kind: int) -> bool:
    """Whether a mark of congestion, its echo and a wrong checksum are only counted.

    The first one is shown; and what checksums are worth is known, or nobody asks any more.
    """
    signs, end = me.signs, me.end
    if (kind & MARKED and not signs.marked) or (kind & ECHOED and not signs.echoed):
        return False
    if not kind & WRONG:
        return True
    known = end.sums is Sums.OFFLOAD or (end.sums is Sums.UNTRIED and end.wrong_sums >= MANY_WRONG)
    return known and signs.frames is not None and "sum" in signs.frames


def go(
    connection: Connection,
    analysis: Analysis,
    me: Half,
    peer: Half,
    told: Row,
    sack: Callable[[Half], Blocks],
) -> bool:
    """All views take the segment; ``sack`` tells what an end has said of that latest.

    As :func:`views` it tells whether its data is anything.
    """
    in_zeek(analysis, me, peer, told)
    anything = views(analysis, me, peer, told, sack)
    # halfconn.End, connection.Connection
    in_end(me.end, peer.end, told)
    connection.last_ns = told[1]
    if connection._third:
        connection._data_began = True
    return anything


def views(
    analysis: Analysis,
    me: Half,
    peer: Half,
    told: Row,
    sack: Callable[[Half], Blocks],
    fin: int = 0,
) -> bool:
    """The marks, the vital signs and the completeness take it; ``fin``: it is a FIN, too (1).

    Whether it probes a window or keeps the connection alive, so that its data is anything.
    """
    _, time, frame, seq, ack, length, window, *_ = told
    end, takes = (seq + length + fin) & _MASK, length + fin
    # marks.MarkAnalyzer
    fwd, rev, marks = me.flow, peer.flow, analysis.marks
    rev.flight_known = True
    probe, alive = _say(marks, me, rev, told, fin)
    if ack != fwd.last_ack:
        fwd.dup_frame, fwd.dup_acks = frame, 0
    if rev.vouched is None or (rev.vouched - ack) & _MASK > _HALF:
        hole = rev.log.first_hole
        if hole is not None and (ack - hole - 1) & _MASK < _HALF - 1:
            _count(marks, me, MarkName.ACK_LOST_SEGMENT)
            rev.vouched = ack
            analysis.vitals._show("gap", frame)
    known = fwd.next_seq
    assert known is not None
    before = (known - seq) & _MASK
    old, again, spurious = 0, False, False
    if 0 < before <= _HALF:
        # Of what is as far behind as ahead nothing was captured, as the core has it.
        old = min(takes, before if before < _HALF else -_HALF) - fwd.log.fill(seq, end)
    if takes and not alive:
        last = rev.last_ack
        spurious = length > 0 and last is not None and (last - seq - length) & _MASK <= _HALF
        if spurious:
            _count(marks, me, MarkName.SPURIOUS_RETRANSMISSION)
            _count(marks, me, MarkName.RETRANSMISSION)
        elif 0 < before <= _HALF and (before > 1 or length < 2):
            again = _again(marks, me, peer, told, sack, end)
    if takes:
        fwd.log.add(seq, end, frame, time)
    if probe:
        fwd.probe_end = end
    elif (end - known - 1) & _MASK < _HALF - 1:
        fwd.next_seq, fwd.next_frame, fwd.next_ns = end, frame, time
    fwd.probed, fwd.kept_alive = probe, alive
    fwd.window, fwd.window_bytes = window, window << (fwd.scale or 0)
    fwd.last_ack, fwd.last_ack_ns = ack, time
    rev.log.acknowledge(ack, time)
    # vitals.Signs
    signs = me.signs
    take_sent(signs, told)
    if fin:
        signs._take_odd_flags(frame, fin, time)
    if not window or signs.zero_since_ns is not None:
        _window(signs, told, fin)
    if probe or alive:
        signs.keep_alives += 1
        signs.unanswered_alive += 1
        signs.show("alive", frame, latest=True)
    elif takes:
        repeated = old > 0
        if again and not repeated and told[0] & TIMED and me.signs.ticks is not None:
            again = (told[8] - me.signs.ticks) & _MASK < _HALF  # or it was overtaken
        if length and (repeated or again):
            _sent_again(signs, told, end, repeated=repeated, spurious=spurious)
        take_data(signs, told, end)
    take_received(peer.signs, ack, time)
    analysis.completeness._value |= (8 if length else 4) | fin << 4
    return probe or alive


def _count(marks: MarkAnalyzer, me: Half, name: MarkName) -> None:
    """There are no counts of a connection without marks."""
    marks.counts[me.side][name] += 1


def _say(marks: MarkAnalyzer, me: Half, rev: Flow, told: Row, fin: int) -> tuple[bool, bool]:
    """As ``marks._windows_and_repeats``; no byte of a probe is acknowledged."""
    kind, _, _, seq, ack, length, window, *_ = told
    fwd = me.flow
    known = fwd.next_seq
    assert known is not None
    if length == 1 and seq == known and rev.window == 0:
        _count(marks, me, MarkName.ZERO_WINDOW_PROBE)
        return True, False
    if not window and not fin:
        _count(marks, me, MarkName.ZERO_WINDOW)
    if (seq - known - 1) & _MASK < _HALF - 1:
        _count(marks, me, MarkName.LOST_SEGMENT)
        fwd.log.missed(known, seq, fwd.vouched)
        if fwd.probe_end is not None:
            fwd.log.fill((fwd.probe_end - 1) & _MASK, fwd.probe_end)
        fwd.flight_known = False
    if fin:
        return False, False
    alive = length <= 1 and (known - seq) & _MASK == 1
    if alive:
        _count(marks, me, MarkName.KEEP_ALIVE)
    if length:
        edge = None if rev.scale is None else rev.last_ack
        if edge is not None and not (edge + rev.window_bytes - seq - length) & _MASK:
            _count(marks, me, MarkName.WINDOW_FULL)
        return False, alive
    if rev.probe_end == ack:
        rev.probe_end = None  # it was sent with other data since
    if seq == known and ack == fwd.last_ack:
        _repeat(marks, me, rev, window, kind)
    return False, alive


def _repeat(marks: MarkAnalyzer, me: Half, rev: Flow, window: int, kind: int) -> None:
    """The same, of an ACK that goes no further than the one before."""
    fwd = me.flow
    same = window == fwd.window
    if not window:
        if same and rev.probed:
            _count(marks, me, MarkName.ZERO_WINDOW_PROBE_ACK)
    elif not same and not kind & SELECTIVE:
        _count(marks, me, MarkName.WINDOW_UPDATE)
    elif same and rev.kept_alive:
        _count(marks, me, MarkName.KEEP_ALIVE_ACK)
    else:
        fwd.dup_acks += 1
        _count(marks, me, MarkName.DUPLICATE_ACK)


def _again(
    marks: MarkAnalyzer,
    me: Half,
    peer: Half,
    told: Row,
    sack: Callable[[Half], Blocks],
    after: int,
) -> bool:
    """As ``marks.MarkAnalyzer._sent_again``, of what lies before the furthest; not if overtaken.

    ``after``  the number behind it
    """
    _, time, _, seq, _, length, *_ = told
    fwd, rev, end = me.flow, peer.flow, (seq + length) & _MASK
    if rev.dup_acks >= 2 and 0 <= time - rev.last_ack_ns < FAST_NS:
        fast = rev.last_ack == seq
        if not fast:
            blocks = sack(peer)
            fast = bool(blocks) and not any(
                (seq - left) & _MASK <= _HALF and (right - end) & _MASK <= _HALF
                for left, right in blocks
            )
        if fast:
            _count(marks, me, MarkName.FAST_RETRANSMISSION)
            _count(marks, me, MarkName.RETRANSMISSION)
            return True
    limit = marks.initial_rtt_ns
    known = after == fwd.next_seq or fwd.log.covers(seq, end)
    known = known or (rev.last_ack is not None and (rev.last_ack - after) & _MASK <= _HALF)
    if not known and 0 <= time - fwd.next_ns < (REORDER_NS if limit is None else limit):
        _count(marks, me, MarkName.OUT_OF_ORDER)
        return False
    _count(marks, me, MarkName.RETRANSMISSION)
    return True


def in_zeek(analysis: Analysis, me: Half, peer: Half, told: Row) -> None:
    """As ``zeek.ZeekView.observe``, of what is no SYN, FIN or reset."""
    kind, time, _, seq, ack, length, *_, size = told
    view, zeek, other = analysis.zeek, me.zeek, peer.zeek
    if not (zeek.did_close and other.did_close):
        view._last_ns = time
    zeek.packets += 1
    zeek.ip_bytes += size
    slot = me.letters[0 if length else 1]
    if slot not in view._taken:
        view._once(slot.upper(), slot.upper(), zeek)
    if kind & SHUT and other.state is not ZeekState.CLOSED:
        zeek.zero_windows += 1
        view._scaled("W", zeek, zeek.zero_windows)
    begin = zeek.relative(seq, zeek.last_seq, zeek.seq_wraps)
    if peer.unseen:
        other.restart((ack - 1) & _MASK, (ack - 1) & _MASK)
    said = other.relative(ack, other.ack_seq, other.ack_wraps)
    if not peer.unseen and said >= 0 and (ack - other.ack_seq - 1) & _MASK < _HALF - 1:
        if ack < other.ack_seq:
            other.ack_wraps += 1
            peer.round = True
        other.ack_seq = ack
    end = (seq + length) & _MASK
    if (end - zeek.last_seq - 1) & _MASK < _HALF - 1:
        if end < zeek.last_seq:
            zeek.seq_wraps += 1
            me.round = True
        zeek.last_seq = end
    elif length:
        zeek.retransmitted += 1
        view._scaled("T", zeek, zeek.retransmitted)
    view._find_gaps(max(0, said), zeek, other)
    if length and begin >= 0:
        acked, nothing = (zeek.ack_wraps << 32) + zeek.ack_seq - zeek.start_seq, zeek.nothing_acked
        me.gaps.seen(begin, begin + length, acked=acked, any_acked=not nothing)


def take_sent(signs: Signs, told: Row) -> None:
    """As ``vitals.Signs.take_sent``."""
    kind, time, frame, _, _, _, _, ttl, value, _, _ = told
    signs.before_ns, signs.last_ns, signs.last_frame = signs.last_ns, time, frame
    if ttl not in signs.ttls:
        signs.ttls = (*signs.ttls, ttl)[:MAX_TTLS]
    if kind & RIGHT:
        signs.summed += 1
    if kind & MARKED:
        signs.marked += 1
    if kind & ECHOED:
        signs.echoed += 1
    if kind & WRONG:
        signs.summed += 1
        signs.bad_sums += 1
    if kind & TIMED:
        ticks = signs.ticks
        if ticks is None or (value - ticks) & _MASK < _HALF:
            signs.ticks = value


def _window(signs: Signs, told: Row, fin: int) -> None:
    """As ``vitals.Signs._window``."""
    _, time, frame, _, _, _, window, *_ = told
    since = signs.zero_since_ns
    if not window and not fin:
        if since is None:
            signs.zero_since_ns = time
            signs.zero_times += 1
            signs.show("zero", frame)
            signs.show("last zero", frame, latest=True)
    elif since is not None:
        lasted = max(0, time - since)
        signs.zero_ns += lasted
        signs.zero_longest_ns = max(signs.zero_longest_ns, lasted)
        signs.zero_since_ns = None


def _sent_again(signs: Signs, told: Row, end: int, *, repeated: bool, spurious: bool) -> None:
    frame, seq, length = told[2], told[3], told[5]
    signs.again += 1
    signs.again_unseen += not repeated
    signs.show("again", frame)
    signs.show("last again", frame, latest=True)
    if spurious:
        signs.needless += 1
        signs.show("needless", frame)
    else:
        signs.note_again(seq, end, frame)
    una = seq if signs.una is None else signs.una
    if (una - seq) & _MASK <= _HALF:
        signs.retries += 1
        signs.stuck += 1
        signs.stuck_len = length


def take_data(signs: Signs, told: Row, end: int) -> None:
    """The rest of ``vitals.Signs._take_data``."""
    time, length, una = told[1], told[5], signs.una
    if length:
        signs.data += 1
    if una is None:
        una = signs.una = told[3]
    biggest = signs._biggest
    if length > signs.largest_acked and (biggest is None or length > biggest[1]):
        signs._biggest = end, length
    if signs.next is None or (end - signs.next - 1) & _MASK < _HALF - 1:
        signs.next = end
    if signs.waiting_ns is None and (end - una - 1) & _MASK < _HALF - 1:
        signs.waiting_ns = time


def take_received(signs: Signs, ack: int, time: int) -> None:
    """As ``vitals.Signs.take_received``."""
    signs.unanswered_alive = signs.retries = 0
    if signs.next is None:
        return  # it has sent no data that this could be of
    una = signs.una
    if una is None or (ack - una - 1) & _MASK < _HALF - 1:
        signs.una = ack
        signs.stuck = 0
        signs.waiting_ns = None if ack == signs.next else time
        biggest = signs._biggest
        if biggest is not None and (ack - biggest[0]) & _MASK < _HALF:
            signs.largest_acked = max(signs.largest_acked, biggest[1])
            signs._biggest = None


def in_end(mine: End, theirs: End, told: Row) -> None:
    """As ``halfconn.End.count`` and ``note_sent``."""
    kind, _, _, seq, ack, length, window, _, value, _, _ = told
    end = (seq + length) & _MASK
    mine.segments += 1
    if mine.snd_nxt is None or (end - mine.snd_nxt - 1) & _MASK < _HALF - 1:
        mine.snd_nxt = end
    if length:
        mine.bytes += length
        if seq == mine.solid:
            mine.solid = end
            if (end - mine.solid_from) & _MASK > REMEMBERED:
                mine.solid_from = (end - REMEMBERED) & _MASK
        else:
            mine._note_solid(seq, end)
    scale = mine.window_scale
    mine.window = window << scale if scale and theirs.window_scale is not None else window
    if ack != mine.last_ack:
        mine._note_ack(ack, theirs)
    if kind & TIMED:
        known = theirs.rcv_nxt
        if known is None or (known - seq) & _MASK <= _HALF:
            theirs.ts_recent = value
