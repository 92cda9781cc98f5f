"""Connections in which data was sent again, or came behind what was missing, as regular ones.

In most of them little went wrong: a segment was lost before the place of capture or behind it and
came once more, upon repeated ACKs or upon a timer. What the core makes of that follows from the
signature, too, if it tells which kinds of such segments came in which order; that is what is told
here (:data:`CLASSES`). How often ACKs were repeated meanwhile, how much data there was and how long
it took each connection tells by itself.

What an end has sent is what it had come to, not its latest segment. Conditions are those of
:mod:`tcpviz.bulk.connections.regular` and others, stricter than need be: what was captured of each
end has no hole in the end and nothing overlaps, nothing missing was acknowledged, all of this came
before anybody closed, and was acknowledged by then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import regular
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.looked import Looked, looked
from tcpviz.bulk.connections.shapes import After, Kind, Shapes, behind
from tcpviz.bulk.connections.work import Work
from tcpviz.bulk.segments.columns import SACKED, Columns
from tcpviz.bulk.segments.flows import Flows, spans, together
from tcpviz.core.doubt import LEAST_REACH
from tcpviz.core.marks import FAST_NS
from tcpviz.core.segment import ACK, PSH, RST, SYN
from tcpviz.core.twice import ANONYMOUS_NS, SAME_PACKET_NS

Array = NDArray[Any]

CHUNK = 1 << 17
"""Segments that are worked on at a time, in whole flows: of more a kind has more connections."""

LONGEST = 256
"""Segments of a flow that is looked at: of its kind's example the core takes every one."""

WORTH = 4
"""Connections of a kind that are worth an example: it costs as much as to follow so many."""

_LEAST = 5
"""Segments of the shortest."""

CLASSES = JUMP, OVERTAKEN, FAST, LATE, FAST_AGAIN, LATE_AGAIN, NEEDLESS = range(7)
"""Segments that do not go on where their sender stands: one behind a hole, three kinds that fill
one (within a round trip, upon repeated ACKs, and others), and three of data that was captured
before (upon repeated ACKs, others, and what had been acknowledged)."""

_LOSING = np.uint64(1 << 41)
"""Tells signatures of these connections from others."""


class Losing(Work):
    """Segments of whole flows, each one connection; ``mine`` and ``theirs`` are the furthest.

    ``resent``   what does not go on where its sender stands: of which of :data:`CLASSES` each is
                 :attr:`classes` tells
    ``earlier``  of what was captured before where that was, else -1
    ``far``      how far its sender had come with it
    """

    losing = True
    classes: Array

    def _look_back(self) -> None:
        own = self.end
        self.end = self._far()
        super()._look_back()
        self.far, self.end = self.end, own

    def _far(self) -> Array:
        out = np.empty(self.count, np.int64)
        whole = self.part.astype(np.int64) << 32
        whole += self.end
        for side in (False, True):
            which = np.flatnonzero(self.side == side)
            out[which] = np.maximum.accumulate(whole[which]) & 0xFFFFFFFF
        return out.astype(np.int32)

    def _alive(self) -> Array:
        return np.zeros(self.count, np.bool_)

    def _resent(self) -> Array:
        out = (self.rel > self.mine) & (self.mine >= 0)
        out[self._low] = True
        out &= (self.length > 1) & (self.flags & (0x3F - PSH) == ACK)
        out &= (self.mine_at >= 0) & (self.theirs_at >= 0) & ~(self.closed | self.ended)
        out &= np.abs(self.rel - self.mine) <= LEAST_REACH
        self.classes = np.zeros(self.count, np.uint16)
        self.earlier = np.full(self.count, -1, np.int64)
        return out

    @property
    def variety(self) -> Array:
        return np.full(len(self.first), _LOSING)

    def earlier_of(self, which: Array) -> Array:
        places: Array = self.earlier[which]
        return places


def looks(
    columns: Columns, clock: Clock, flows: Flows, which: Array, shapes: Shapes
) -> Iterator[Looked | int]:
    """Look at these flows; one by its number that has to be followed.

    So have those of kinds that are too few for an example.
    """
    size = flows.begin[which + 1] - flows.begin[which]
    some = (size >= _LEAST) & (size <= LONGEST)
    yield from which[~some].tolist()
    which, size = which[some], size[some]
    for part in together(size, CHUNK):
        at = spans(flows.begin[which[part]], size[part])
        edges = np.append(0, np.cumsum(size[part]))
        work = Losing(columns, clock, flows.order[at].astype(np.int64), edges)
        made = looked(which[part], work, *check(work), at)
        made.fine = made.fine & _worth(made, shapes)
        yield made


def _worth(made: Looked, shapes: Shapes) -> Array:
    """Which of them are of kinds that are known, or have enough connections here."""
    codes = np.where(made.fine, behind(made.codes, After.NOTHING), 0)
    unique, back, count = np.unique(codes, return_inverse=True, return_counts=True)
    known = [
        many >= WORTH or shapes.known(Kind(code, After.NOTHING, losing=True)) is not None
        for code, many in zip(unique.tolist(), count.tolist(), strict=True)
    ]
    worth: Array = np.array(known, np.bool_)[back]
    return worth


def check(work: Losing) -> tuple[regular.Sums, Array]:
    """Sums over each connection, and which ones are as told above."""
    w = work
    *marked, plain = regular.windows(w, whole=True)
    fine = regular.check(w) & w.of_part(plain) & _whole(w)
    again = np.flatnonzero(w.resent)
    ok = _known(w, again)
    ok &= _classed(w, again, marked[1])
    fine[w.part[again[~ok]]] = False
    fine &= _settled(w, again)
    return regular.summed(w, marked, regular.round_trip(w)), fine


def _whole(w: Losing) -> Array:
    """Flows of one connection, opened as ever, in which all is captured once they end."""
    first, last, third = w.first, w.last, w.third
    fine = np.bincount(w.flow, minlength=len(w.begin) - 1)[w.flow] == 1
    fine &= w.answered & (w.flags[w.answer_at] == SYN | ACK) & (third < w.count)
    # The client's state is proved by the first that it says upon the handshake.
    safe = np.minimum(third, last)
    fine &= (w.flags[safe] == ACK) & (w.length[safe] == 0) & (w.rel[safe] == w.mine[safe])
    fine &= (w.mine[safe] == 1) & (w.theirs[safe] == 1)
    # Nobody else has said anything before that, so that it measures the round trip.
    fine &= w.firsts(np.flatnonzero(w.flags & (SYN | ACK) == ACK)) == third
    fine[w.part[np.flatnonzero(w.flags & RST)]] = False
    fine[w.part[w.reanswers]] = False
    # What an end has sent last is the furthest of it.
    for side in (False, True):
        mine = np.flatnonzero(w.side == side)
        latest = np.full(len(first), -1, np.int64)
        latest[w.part[mine]] = mine
        fine &= (latest < 0) | (w.end[latest] == w.far[latest])
    whole: Array = fine & _tiled(w)
    return whole


def _tiled(w: Losing) -> Array:
    """Connections in which each end's data lie side by side, and what came again is as it was.

    Finds where data was captured before.
    """
    data = np.flatnonzero(w.length > 0)
    sender = 2 * w.part[data].astype(np.int64) + w.side[data]
    order = np.argsort(sender << 32 | w.rel[data], kind="stable")
    data, sender = data[order], sender[order]
    rel, end = w.rel[data], w.rel[data] + w.length[data]
    fresh = np.ones(len(data), np.bool_)
    fresh[1:] = sender[1:] != sender[:-1]
    same, on = np.zeros((2, len(data)), np.bool_)
    same[1:] = ~fresh[1:] & (rel[1:] == rel[:-1]) & (end[1:] == end[:-1])
    on[1:] = ~fresh[1:] & (rel[1:] == end[:-1])
    w.earlier[data[1:][same[1:]]] = data[:-1][same[1:]]
    fine = np.ones(len(w.first), np.bool_)
    fine[w.part[data[~(same | on | (fresh & (rel == 1)))]]] = False
    return fine


def _known(w: Losing, again: Array) -> Array:
    """Of these whether nothing missing was acknowledged; and no part of what was sent again."""
    rel, heard, end = w.rel[again], w.heard[again], w.end[again]
    missing = w.earlier[again] < 0
    # Of the client nothing may be missing: whether the server's state is proved rests on that.
    fine = ~missing | w.side[again]
    fine &= (heard <= rel) | (~missing & (heard >= end))
    known: Array = fine
    return known


def _classed(w: Losing, again: Array, repeats: Array) -> Array:
    """Tell each one's class; which of them can be told."""
    before, other = w.mine_at[again], w.theirs_at[again]
    rel, heard, time = w.rel[again], w.heard[again], w.time[again]
    jump = rel > w.mine[again]
    seen = w.earlier[again] >= 0
    since = time - w.time[other]
    asked = (_repeated(w, repeats)[other] >= 2) & (since >= 0) & (since < FAST_NS)
    fast = asked & (heard == rel)
    needless = seen & (heard >= w.end[again])
    since = time - w.time[_furthest(w)[before]]
    took = regular.round_trip(w)[w.part[again]]
    soon = (since >= 0) & (since < took)
    w.classes[again] = np.select(
        [jump, needless, seen & fast, seen, fast, soon],
        [JUMP, NEEDLESS, FAST_AGAIN, LATE_AGAIN, FAST, OVERTAKEN],
        LATE,
    )
    # What SACK blocks say of it decides there.
    unsure = asked & ~fast & ~needless & ~jump & (w.bits[other] & SACKED != 0)
    told: Array = ~unsure & _apart(w, again)
    return told


def _apart(w: Losing, again: Array) -> Array:
    """Which of these are no packets that were captured twice (:mod:`tcpviz.core.twice`)."""
    ident, fine = w.array["ident"][w.rows], np.ones(len(again), np.bool_)
    now, before = again, w.earlier[again]
    while (before >= 0).any():
        since = np.abs(w.time[now] - w.time[before])
        limit = np.where(ident[now] > 0, SAME_PACKET_NS, ANONYMOUS_NS)
        fine &= (before < 0) | (ident[now] != ident[before]) | (since > limit)
        before = np.where(before >= 0, w.earlier[before], -1)
    return fine


def _repeated(w: Losing, repeats: Array) -> Array:
    """How often its sender had repeated its latest ACK by each segment."""
    out = np.zeros(w.count, np.int64)
    for side in (False, True):
        which = np.flatnonzero(w.side == side)
        count = np.cumsum(repeats[which])
        fresh = (w.back[which] != w.acked[which]) | (w.mine_at[which] < 0)
        out[which] = count - np.maximum.accumulate(np.where(fresh, count, 0))
    return out


def _furthest(w: Losing) -> Array:
    """Of each segment the place of its sender's by which it had come to where it is then."""
    out = np.zeros(w.count, np.int64)
    for side in (False, True):
        which = np.flatnonzero(w.side == side)
        on = (w.end[which] > w.mine[which]) | (w.mine_at[which] < 0)
        out[which] = np.maximum.accumulate(np.where(on, which, 0))
    return out


def _settled(w: Losing, again: Array) -> Array:
    """Connections in which all that was sent again was acknowledged, before anybody closed."""
    fine = np.ones(len(w.first), np.bool_)
    if not len(again):
        return fine
    ok = w._acked_at_last(again) >= np.maximum(w.end[again], w.heard[again] + 1)
    closing = np.minimum(*w.fin_at)[w.part[again]]
    closes = np.flatnonzero((closing < w.count) & (w.earlier[again] < 0))
    fin, end = closing[closes], w.end[again[closes]]
    mine = w.side[fin] == w.side[again[closes]]
    ok[closes] &= np.where(mine, w.heard[fin], w.back[fin]) >= end
    fine[w.part[again[~ok]]] = False
    return fine
