"""A long connection made short: only the segments that count for its signature, renumbered.

What is left says and acknowledges the same in the same order as far as the
signature tells, so that the core's answer is the same; a million segments of
data become a handful.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tcpviz.bulk.connections.rounds import counted
from tcpviz.core.segment import ACK, NO_OPTIONS, Segment

_MASK = 0xFFFFFFFF


def thin(segments: Sequence[Segment], *, long: bool = False) -> list[Segment]:
    """The segments that count of a regular connection, with the gaps between them closed.

    The first must be its SYN. Data keeps its length, as far as it is captured; an
    acknowledgement is of everything, of the SYN alone, or of all but the FIN, as it was;
    where data was sent again, of as much as it had been. ``long``: its numbers come half round,
    or round (:mod:`tcpviz.bulk.connections.rounds`).
    """
    repeats = any(_repeats(segments))
    counts = counted(segments) if long else None
    client = segments[0].src
    first: list[int | None] = [None, None]  # both ends' first numbers,
    sent = [0, 0]  # how far each has come now,
    fin: list[int | None] = [None, None]  # and where its FIN was, counted from its first number
    begun = [1, 1]  # what its first segment took, and
    far = [0, 0]  # how far each really had come, and
    steps: list[list[tuple[int, int]]] = [[], []]  # where that was and where it is now
    out: list[Segment] = []
    for place, one in enumerate(segments):
        me = int(one.src != client)
        peer = 1 - me
        again = one.syn and first[me] is not None
        mine, theirs = first[me], first[peer]
        if mine is None:
            mine = first[me] = one.seq
            begun[me] = max(one.seq_len, 1)
        begin = (one.seq - mine) & _MASK if counts is None else int(counts.seq[place])
        resent = bool(one.payload_len) and not again and begin < far[me]
        # One number below the next, without data: a keep-alive.
        alive = int(one.flags) & 0x3F == ACK and not one.payload_len and begin + 1 == far[me]
        refin = one.fin and fin[me] is not None
        # A reset with the number of its sender's FIN.
        below = one.rst and fin[me] is not None and begin + 1 == far[me]
        back = alive or refin or below or resent * one.payload_len
        seq = (mine + (0 if again else sent[me] - back)) & _MASK
        ack = one.ack
        if one.has_ack and theirs is not None:
            said = (one.ack - theirs) & _MASK if counts is None else int(counts.ack[place])
            upto, end = sent[peer], fin[peer]
            if end is not None and said <= end:
                upto -= 1
            if said <= begun[peer]:
                upto = min(upto, said)
            if repeats:
                upto = max((now for then, now in steps[peer] if then <= said), default=upto)
            ack = (theirs + upto) & _MASK
        if one.fin:
            fin[me] = begin + one.payload_len
        if not (again or resent or alive or refin or one.rst):
            sent[me] += one.seq_len
            far[me] = begin + one.seq_len
            steps[me].append((far[me], sent[me]))
        # With the gaps closed two may be alike that were not: they are no copies. And what
        # a timestamp echoes may be left out: those that fit say nothing.
        options = one.options if one.syn else NO_OPTIONS
        out.append(replace(one, seq=seq, ack=ack, ip_id=len(out) + 1, options=options))
    return out


def thin_partial(segments: Sequence[Segment]) -> list[Segment]:
    """The same of a connection whose beginning, or one end of which, was not captured.

    Where both ends were, an acknowledgement is of everything, of nothing captured, or of all
    but the FIN; of an end that was not it is left as it is.
    """
    client = segments[0].src
    alone = all(one.src == client for one in segments)
    first = [segments[0].seq, segments[0].ack]  # both ends' first numbers,
    sent = [0, 0]  # how far each has come now,
    end: list[int | None] = [None, None]  # and where its FIN was
    out: list[Segment] = []
    for one in segments:
        me = int(one.src != client)
        peer = 1 - me
        ack = one.ack
        if one.has_ack and not alone:
            said, last = (one.ack - first[peer]) & _MASK, end[peer]
            place = sent[peer] if said else 0
            if last is not None and said <= last:
                place = min(place, sent[peer] - 1)
            ack = (first[peer] + place) & _MASK
        again = one.syn and bool(out)
        seq = (first[me] + (0 if again else sent[me])) & _MASK
        if one.fin:
            end[me] = (one.seq + one.payload_len - first[me]) & _MASK
        if not (again or one.rst):
            sent[me] += one.seq_len
        options = one.options if one.syn else NO_OPTIONS
        out.append(replace(one, seq=seq, ack=ack, ip_id=len(out) + 1, options=options))
    return out


def _repeats(segments: Sequence[Segment]) -> Iterator[bool]:
    """Whether each carries data that its sender's segment before it carried, too."""
    latest: dict[object, int] = {}
    for one in segments:
        yield bool(one.payload_len) and latest.get(one.src) == one.seq
        if one.payload_len:
            latest[one.src] = one.seq
