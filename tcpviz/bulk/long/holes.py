"""Up to which hole a run of plain segments may go, and what Zeek's reassembler makes of it.

What the capture missed of an end's data is told when it is acknowledged, and what waits behind a
hole is kept up to a limit: in front of both the core has its say.
"""

from __future__ import annotations

import numpy as np

from tcpviz.bulk.long.halves import Half
from tcpviz.bulk.long.inorder import Span, Stretch, beyond, first, span
from tcpviz.bulk.long.legs import Leg, Legs
from tcpviz.core import seq as seqno
from tcpviz.core.zeek_end import End as ZeekEnd
from tcpviz.core.zeek_gaps import MAX_WITHOUT_FURTHER_ACKS

_HALF, _ALL = 1 << 31, 1 << 32


def before_hole(half: Half, stretch: Stretch, side: int, run: Span, legs: Legs) -> int:
    """Where what the capture has not seen of an end is acknowledged, at the run's end at most."""
    hole = half.log.first_hole
    if hole is None:
        return run[1]
    number = legs[side].number
    there = number + seqno.diff(hole, stretch.raw(side, number))
    if legs[1 - side].told <= there:
        return run[1]
    return beyond(stretch, 1 - side, there, *run)


def before_gap(half: Half, stretch: Stretch, side: int, run: Span, legs: Legs) -> int:
    """Where more of an end's data waits than Zeek keeps, or a gap in it is acknowledged."""
    zeek, begin = half.zeek, run[0]
    gaps, last = zeek.gaps, _zeek_last(zeek)
    data, blocks, leg, other = stretch.data[side], gaps._blocks, legs[side], legs[1 - side]
    number, said = leg.number, other.said
    end = _before_half(zeek, stretch, side, run, leg, other)
    if gaps.off:
        return end
    frozen = lost_ack(zeek, stretch.raw(side, said))
    if gaps.done < last and not frozen:
        # Up to a hole: nothing of what lies beyond it is acknowledged.
        if other.told > number + gaps.done - last:
            end = beyond(stretch, 1 - side, number + gaps.done - last, begin, end)
        # Nor does it wait for much before anything is acknowledged, by the number it has.
        if zeek.nothing_acked:
            end = first(data, begin, end)
        gone = (stretch.raw(side, said) - zeek.start_seq) & (_ALL - 1)
        if gone <= 1 or gone + other.told - said >= _ALL:
            low, high = span(stretch.moved[1 - side], begin, end)
            moved = stretch.moved[1 - side][low:high]
            nothing = (stretch.ack[moved] - np.uint32(zeek.start_seq)) <= 1
            end = first(moved[nothing], begin, end)
    if leg.low == leg.high or _lost(zeek):
        return end
    if blocks and blocks[-1][1] != last:
        return min(end, int(data[leg.low]))
    stored = sum(upper - lower for lower, upper in blocks)
    most = number + MAX_WITHOUT_FURTHER_ACKS - stored
    if leg.reached <= most and not len(stretch.over[side]):
        return end
    # What Zeek takes for old frees nothing.
    quiet = end if frozen else first(stretch.quiet[1 - side], begin, end)
    low, high = span(data, begin, quiet)
    place = low + int(stretch.data_ends[side][low:high].searchsorted(most, "right"))
    if place < high:
        return int(data[place])
    return first(stretch.over[side], quiet, end)


def _before_half(
    zeek: ZeekEnd, stretch: Stretch, side: int, run: Span, leg: Leg, other: Leg
) -> int:
    """Where an end's numbers come half round, and where they come round, for the first time.

    Zeek takes what lies between, further from the first number than half of all and without
    having come round, for something before it (:func:`lost_ack`).
    """
    (begin, end), number, said = run, leg.number, other.said
    edges = _HALF, _ALL - zeek.start_seq
    if not zeek.seq_wraps:
        gone = (zeek.last_seq - zeek.start_seq) & (_ALL - 1)
        for edge in edges:
            if gone < edge <= gone + leg.reached - number:
                low, high = span(stretch.data[side], begin, end)
                ends = stretch.data_ends[side][low:high]
                at = int(ends.searchsorted(number + edge - gone, "left"))
                if at < len(ends):
                    end = min(end, int(stretch.data[side][low + at]))
    if not zeek.ack_wraps:
        raw = stretch.raw(side, said)
        gone = (raw - zeek.start_seq) & (_ALL - 1)
        for edge in edges:
            if gone < edge <= gone + other.told - said:
                end = beyond(stretch, 1 - side, said + edge - gone - 1, begin, end)
        ahead = (zeek.ack_seq - raw) & (_ALL - 1)
        if 0 < ahead <= _HALF and ahead < other.told - said:
            end = beyond(stretch, 1 - side, said + ahead, begin, end)
    return end


def lost_ack(zeek: ZeekEnd, ack: int) -> bool:
    """Whether Zeek takes an acknowledgement for one before an end's first number, or an old one.

    The latter where numbers have come round, and those by which it would have seen that they do
    were jumped over: until they come to where it stood then, all of them lie behind that.
    """
    if zeek.ack_wraps:
        return False
    gone = (ack - zeek.start_seq) & (_ALL - 1)
    return _HALF <= gone < _ALL - zeek.start_seq or seqno.diff(ack, zeek.ack_seq) < 0


def _lost(zeek: ZeekEnd) -> bool:
    """The same for what an end sends next."""
    gone = (zeek.last_seq - zeek.start_seq) & (_ALL - 1)
    return not zeek.seq_wraps and gone >= _HALF


def pass_over(half: Half, stretch: Stretch, side: int, run: Span, leg: Leg, other: Leg) -> None:
    """Zeek's idea of what was seen of an end's data, and of what was acknowledged."""
    if half.closed:
        return  # all of it had been, before its FIN was
    begin, end = run
    gaps, last = half.zeek.gaps, _zeek_last(half.zeek)
    number, reached, heard = leg.number, leg.reached, other.told
    upto = last + heard - number
    blocks = gaps._blocks
    frozen = lost_ack(half.zeek, stretch.raw(side, heard))
    quiet = stretch.quiet[1 - side]
    since = int(quiet.searchsorted(end))
    calm = not frozen and since and int(quiet[since - 1]) >= begin
    if not gaps.off and reached > number and not _lost(half.zeek):
        here = last + reached - number
        if calm:
            begun = last + int(stretch.back[quiet[since - 1]]) - number
            blocks[:] = [(begun, here)] if begun < here else []  # had been acknowledged before
        elif blocks:
            blocks[-1] = blocks[-1][0], here
        elif here > gaps.trimmed:
            blocks.append((max(gaps.trimmed, last), here))
    if upto > gaps.trimmed and not frozen:
        gaps.done = max(gaps.done, upto)
        gaps.trimmed = upto
        blocks[:] = [block for block in blocks if block[1] > upto]
    gaps._deliver()


def _zeek_last(end: ZeekEnd) -> int:
    """Its furthest number, counted from its first one."""
    return (end.seq_wraps << 32) + end.last_seq - end.start_seq
