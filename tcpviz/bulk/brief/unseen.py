"""The core taken past what one end sends to another of which nothing was captured.

A one-way tap, asymmetric routing. The marks and the vital signs have nothing then that was said in
answer; of the other end's numbers all that is known is what is acknowledged, and Zeek counts them
from the latest acknowledgement. As in :mod:`tcpviz.bulk.brief.past` it is asked of the core as it
stands whether it would do only what is done, and each part is as the core's module that it names.
"""

from __future__ import annotations

from tcpviz.bulk.brief.elsewhere import counted
from tcpviz.bulk.brief.half import Half
from tcpviz.bulk.brief.rows import LAST, MARKED, RIGHT, SHUT, TIMED, WRONG, Row
from tcpviz.bulk.long.recall import Reader
from tcpviz.core.analysis import Analysis
from tcpviz.core.claims import Certainty
from tcpviz.core.connection import Connection
from tcpviz.core.doubt import LEAST_REACH
from tcpviz.core.halfconn import Sums
from tcpviz.core.records import Side
from tcpviz.core.states import Opened, State
from tcpviz.core.vitals import Signs
from tcpviz.core.zeek_end import ZeekState
from tcpviz.core.zeek_gaps import (
    MAX_ABOVE_HOLE_WITHOUT_ACKS,
    MAX_BLOCKS,
    MAX_WITHOUT_FURTHER_ACKS,
)

_MASK, _HALF = 0xFFFFFFFF, 1 << 31

_TALKING = (
    ZeekState.SYN_SENT,
    ZeekState.SYN_ACK_SENT,
    ZeekState.ESTABLISHED,
    ZeekState.PARTIAL,
)

_SILENT = (State.LISTEN, State.CLOSED)


class Unseen(Half):
    """The end of which nothing was captured; its signs are nobody's."""

    unseen = True
    __slots__ = ()

    def _signs(self) -> Signs:
        return Signs()

    @property
    def stands(self) -> bool:
        """It is taken for open, or nothing is known; what was sent to it has told no more of it."""
        end, flow, claim = self.end, self.flow, self.end.claim
        unknown = claim.state in _SILENT and claim.certainty is Certainty.UNKNOWN
        return (
            (unknown or claim.state is State.ESTABLISHED)
            and end.segments == 0
            and (end.iss is None and end.fin is None and end.doubted is None)
            and (end.snd_nxt is not None and end.received is None)
            and (flow.next_seq is None and flow.last_ack is None)
            and self.zeek.state is ZeekState.INACTIVE
        )


def both(
    connection: Connection, analysis: Analysis, reader: Reader, heard: Side
) -> tuple[Half, Half]:
    """Client and server, of which only the one that was ``heard`` was captured."""
    one, two = (
        (Half if side is heard else Unseen)(connection, analysis, side, reader)
        for side in (Side.CLIENT, Side.SERVER)
    )
    return one, two


def ready(connection: Connection, analysis: Analysis) -> bool:
    """Whether all that has come is of one end, and nothing else is known of the other."""
    marks = analysis.marks
    return (
        len(analysis.vitals._sides) == 1
        and (marks.initial_rtt_ns is not None or marks._syn_ns is None)
        and not (connection.watched or connection.superseded or connection.older)
        and connection.former is None
    )


def stands(me: Half, peer: Half) -> bool:
    """Whether the end that is heard is open, and nothing in question about it."""
    end, flow, signs, zeek = me.end, me.flow, me.signs, me.zeek
    claim = end.claim
    me.round = zeek.seq_wraps > 0
    return (
        peer.stands
        and claim.state is State.ESTABLISHED
        and claim.certainty is not Certainty.UNKNOWN
        and end.assumed_from is None
        # Nothing proves it either (departures._confirm).
        and (end.iss is None or end.opened is not Opened.ACTIVE or peer.end.solid is None)
        and None not in (flow.next_seq, flow.last_ack, signs.next, signs.una)
        and None not in (end.first_seq, end.snd_nxt, end.rcv_nxt)
        and (end.fin is None and end.received is None and me.offers)
        and zeek.state in _TALKING
        and not zeek.fin_count
    )


def stays(me: Half, peer: Half, told: Row) -> bool:
    """Whether the core does nothing of a segment but what is done of it elsewhere than in order."""
    kind, _, _, seq, ack, length, _, _, value, _, _ = told
    fwd, mine, theirs = me.flow, me.end, peer.end
    known, sent = fwd.next_seq, theirs.snd_nxt
    if not peer.unseen or length == 1 or known is None or sent is None:
        return False
    # doubt.believable
    behind = (sent - ack) & _MASK
    if LEAST_REACH < behind < _HALF:
        return False
    if theirs.claim.state is not State.ESTABLISHED:
        # departures._answered: it has sent what is acknowledged, so it is there.
        before = mine.rcv_nxt
        if before is None or 0 < (ack - before) & _MASK < _HALF:
            return False
    if kind & TIMED:
        recent = theirs.ts_recent
        if recent is not None and (value - recent) & _MASK >= _HALF:
            return False
    if kind & RIGHT and mine.sums is Sums.UNTRIED:
        return False
    if kind >= MARKED and (kind & SHUT or not counted(me, kind)):
        return False
    before = (known - seq) & _MASK
    if not length:
        return before != 1  # a keep-alive
    return not 0 < before < _HALF or kind & WRONG != 0 or not me.data.near(seq, length)


def in_order(me: Half, told: Row) -> bool:
    """Of one that :func:`stays`, whether it goes on, and Zeek gives nothing up."""
    _, _, _, seq, _, length, *_ = told
    zeek, gaps = me.zeek, me.gaps
    start = zeek.start_seq
    if me.round or seq > LAST or not start <= seq < start + (_HALF >> 1):
        return False
    if not seq == me.flow.next_seq == me.end.snd_nxt == zeek.last_seq:
        return False
    if not length or gaps.off:
        return True
    begin, blocks = seq - start, gaps._blocks
    if not blocks:
        return begin == gaps.done and begin >= gaps.trimmed
    if blocks[-1][1] != begin or len(blocks) >= MAX_BLOCKS:
        return False
    waits = 0 if begin == gaps.done else begin + length - gaps.done
    stored = begin + length - blocks[0][0]
    return waits <= MAX_ABOVE_HOLE_WITHOUT_ACKS and stored <= MAX_WITHOUT_FURTHER_ACKS
