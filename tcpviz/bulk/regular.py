"""Connections in which everything came in order, found for many flows at once.

A flow is regular here if each of its connections begins with a SYN, every
number is the next one or that of the latest data, sent again, every
acknowledgement is of what was sent, windows are open, nothing is odd (flags,
options, TTLs, single checksums, copies), and no timer that moves an end could
have run out on the way. What the scalar core says of
such a connection follows from the order of a few kinds of segments, its
*signature* (:mod:`tcpviz.bulk.signatures`); sums and times are worked out here. Every
condition is stricter than it need be: what does not meet it is followed by the
core itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk import sums
from tcpviz.bulk.clock import Clock
from tcpviz.bulk.columns import ECN_SHIFT, ODD, STAMPED, SUM_SHIFT, Columns
from tcpviz.bulk.flows import ends
from tcpviz.bulk.options import NO_SCALE
from tcpviz.core.doubt import LEAST_REACH
from tcpviz.core.marks import FAST_NS
from tcpviz.core.twice import SAME_PACKET_NS

Array = NDArray[Any]

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
_OPENING = FIN | SYN | RST | ACK
_ECN_SETUP = 0xC0

SECOND = 1_000_000_000
ANSWER_NS = 60 * SECOND
"""Handshakes and closings that take longer are looked at one by one: timers may have run out.

The shortest, TIME-WAIT's, is 60 s; see :mod:`tcpviz.core.timers`.
"""

PATIENCE_NS = 120 * SECOND
"""The same for a SYN without an answer, which is given up after 127 s."""

_STRANGE = 10_000_000
_ID_STEP = 4095  # of 16 identifications in a row that grow by no more, no two are alike
_MASK = 0xFFFFFFFF


class Work:
    """Some flows' segments with what went before each; flow by flow, each in its order.

    ``part``   which connection each belongs to, ``side`` 1 if the server sent it
    ``rel``    its number, counted from its sender's first, ``end`` the one behind it, ``back``
               what it acknowledges, counted from the other end's first (where it has ACK)
    ``mine``, ``theirs``  what its sender, and the other end, had sent before it: the next
               number, -1 before the first segment
    ``acked``, ``heard``  what its sender, and the other end, had acknowledged before; or -1
    ``closed``, ``ended``  whether its sender, and the other end, had sent a FIN before
    ``resent``  it repeats its sender's segment before it, whose data was acknowledged later on
    ``damaged``  its checksum is wrong, and others of its sender's are right; ``offload``: by
               client, server and connection, whether all are wrong that can be checked
    ``ok``     so far nothing speaks against it
    """

    def __init__(self, columns: Columns, clock: Clock, rows: Array, begin: Array) -> None:
        array = columns.array
        self.array, self.rows, self.begin, self.clock = array, rows, begin, clock
        self.count = count = len(rows)
        self.index = np.arange(count)
        self.flags = array["flags"][rows] & 0x1FF
        self.seq = array["seq"][rows].astype(np.int64)
        self.length = array["length"][rows].astype(np.int64)
        self.time = array["time"][rows]
        self.window = array["window"][rows].astype(np.int64)
        self.bits = array["bits"][rows]
        one, other = ends(array, rows)
        self.ok = (
            (one != other) & ((one & np.uint64(0xFFFF)) > 0) & ((other & np.uint64(0xFFFF)) > 0)
        )
        self.kind = self.flags & _OPENING
        self.opening = self.kind == SYN
        self._split(one > other)
        self._number(array["ack"][rows].astype(np.int64))

    def _split(self, up: Array) -> None:
        """Into connections: each SYN with a new number begins one."""
        index, opening = self.index, self.opening
        begin = self.begin[:-1]
        start = np.repeat(begin, np.diff(self.begin))
        latest = np.maximum.accumulate(np.where(opening, index, -1))
        before = np.empty_like(latest)
        before[0], before[1:] = -1, latest[:-1]
        again = opening & (before >= start)
        safe = np.maximum(before, 0)
        again &= (self.seq[safe] == self.seq) & (up[safe] == up)
        fresh = opening & ~again
        fresh[begin] = True
        self.first = np.flatnonzero(fresh)
        self.part = np.cumsum(fresh) - 1
        self.flow = np.searchsorted(begin, self.first, "right") - 1
        self.leads = begin[self.flow] == self.first
        # All connections of a flow are opened by the same end.
        self.ok[self.first] &= up[self.first] == up[begin[self.flow]]
        self.ok[self.first] &= opening[self.first]
        self.again = again
        self.side = up != up[self.first[self.part]]

    def _number(self, ack: Array) -> None:
        part, first, side, index = self.part, self.first, self.side, self.index
        self.answer = np.minimum.reduceat(np.where(side, index, self.count), first)
        self.answered = self.answer < self.count
        answer = np.minimum(self.answer, self.count - 1)
        base = self.seq[first], self.seq[answer]
        own = np.where(side, base[1][part], base[0][part])
        others = np.where(side, base[0][part], base[1][part])
        self.rel = (self.seq - own) & _MASK
        self.back = (ack - others) & _MASK
        flags = self.flags
        self.fin, self.rst = flags & FIN != 0, flags & RST != 0
        self.has_ack = flags & ACK != 0
        took = self.length + (flags & FIN) + (flags >> 1 & 1)
        self.end = np.where(self.rst, self.rel, self.rel + took)
        self.ok &= own + self.end <= _MASK
        self.ok &= self.end < 1 << 31
        sent, said = self.end, np.where(self.has_ack, self.back, -1)
        self.mine, self.theirs = self._before(np.where(self.rst, -1, sent))
        self.acked, self.heard = self._before(said)
        self.closed, self.ended = (each > 0 for each in self._before(np.where(self.fin, 1, 0)))
        self.mine_at, self.theirs_at = self._before(index - first[part])
        self.resent = self._resent()
        self.damaged, self.offload = self._checked()

    def _resent(self) -> Array:
        """Data that its sender's latest segment carried, too, no copy and not a fast repetition.

        All that depends on how soon it comes is left out: what the capture saw twice, and
        what follows upon duplicate ACKs. So is what was never acknowledged.
        """
        out = np.zeros(self.count, np.bool_)
        maybe = np.flatnonzero(
            (self.length > 1)
            & (self.end == self.mine)
            & (self.rel < self.mine)
            & (self.flags & (0x1FF - PSH) == ACK)
            & (self.mine_at >= 0)
            & (self.theirs_at >= 0)
            & ~(self.closed | self.ended)
            & (self.heard < self.end)
        )
        if not len(maybe):
            return out
        start = self.first[self.part[maybe]]
        before, other = start + self.mine_at[maybe], start + self.theirs_at[maybe]
        ident = self.array["ident"][self.rows].astype(np.int64)
        step = (ident[maybe] - ident[before]) & 0xFFFF
        fine = (self.rel[before] == self.rel[maybe]) & (self.length[before] == self.length[maybe])
        later = self.time[maybe] - self.time[before] > SAME_PACKET_NS
        fine &= later | ((ident[maybe] > 0) & (step > 0) & (step <= _ID_STEP))
        fine &= self.time[maybe] - self.time[other] >= FAST_NS
        last = [
            np.maximum.reduceat(
                np.where((self.side == side) & self.has_ack, self.back, -1), self.first
            )
            for side in (True, False)
        ]
        part = self.part[maybe]
        fine &= np.where(self.side[maybe], last[1][part], last[0][part]) >= self.end[maybe]
        out[maybe[fine]] = True
        return out

    def _checked(self) -> tuple[Array, Array]:
        """Checksums wrong where their sender's others are right; whether all of an end's are."""
        said = self.bits >> SUM_SHIFT & 3
        offload = np.zeros((2, len(self.first)), np.bool_)
        wrong = said == sums.WRONG
        if not wrong.any():
            return wrong, offload
        for side in (False, True):
            mine = self.side == side
            offload[int(side)] = np.logical_or.reduceat(wrong & mine, self.first)
            right = np.logical_or.reduceat((said == sums.RIGHT) & mine, self.first)
            wrong[mine] &= right[self.part[mine]]
        return wrong, offload

    def _before(self, what: Array) -> tuple[Array, Array]:
        """The greatest so far of its sender's and of the other end's, before each segment."""
        lift = self.part.astype(np.int64) << 33
        both = []
        for side in (False, True):
            highest = np.maximum.accumulate(np.where(self.side == side, what, -1) + lift)
            earlier = np.empty_like(highest)
            earlier[0], earlier[1:] = -1, highest[:-1]
            earlier -= lift
            both.append(np.maximum(earlier, -1))
        return np.where(self.side, both[1], both[0]), np.where(self.side, both[0], both[1])

    def of_part(self, ok: Array) -> Array:
        """Whether it holds for every segment of each connection."""
        return np.logical_and.reduceat(ok, self.first)

    def total(self, what: Array) -> Array:
        """The sum over each connection."""
        return np.add.reduceat(what.astype(np.int64), self.first)


@dataclass(slots=True)
class Sums:
    """Sums over each connection, and marks that depend on windows.

    ``segments`` and ``bytes`` of client and server; ``rtt`` from the last SYN to the
    segment that completed the handshake, nanoseconds, or -1
    """

    segments: tuple[Array, Array]
    bytes: tuple[Array, Array]
    updates: Array
    repeats: Array
    full: Array
    rtt: Array


def check(work: Work) -> Array:
    """Which connections are regular in themselves."""
    return work.of_part(fits(work))


def fits(work: Work) -> Array:
    """Which segments are in order with all that went before them."""
    w = work
    flags, opening, fin, rst = w.flags, w.opening, w.fin, w.rst
    last = np.zeros(w.count, np.bool_)
    last[w.first[1:] - 1] = True
    last[-1:] = True
    plain_syn = opening & ((flags == SYN) | (flags == SYN | _ECN_SETUP))
    syn = plain_syn & (w.rel == 0) & (w.length == 0) & ~w.side & (w.theirs < 0)
    answer = (flags == SYN | ACK) | (flags == SYN | ACK | 0x40)
    answer &= w.side & (w.mine < 0) & (w.length == 0) & (w.back == w.theirs)
    heard = (w.back <= w.theirs) & (w.back >= np.maximum(w.acked, 1))
    both = (w.mine >= 0) & (w.theirs >= 0) & (w.rel == w.mine)
    talk = (flags & (0x1FF - FIN - PSH) == ACK) & both & heard
    talk &= ~(w.closed & ((w.length > 0) | fin))
    talk |= w.resent & heard
    reset = ((flags == RST) & both) | ((flags == RST | ACK) & both & heard)
    refusal = w.side & (w.mine < 0) & (w.seq == 0) & (w.back == w.theirs) & (flags == RST | ACK)
    reset = (reset | refusal) & (w.length == 0) & last
    ok = w.ok & (syn | answer | talk | reset)
    ok &= (w.window > 0) | rst
    ok &= (w.bits & ODD == 0) & ~w.damaged
    ok &= w.bits >> ECN_SHIFT & 3 != 3
    ok &= _ttls(w) & _times(w) & stamps(w, answer | refusal)
    in_order: Array = ok
    return in_order


def _ttls(w: Work) -> Array:
    """Every segment of an end came with the same TTL as its first."""
    ttl = w.array["ttl"][w.rows]
    first = np.where(w.side, np.minimum(w.answer, w.count - 1)[w.part], w.first[w.part])
    same: Array = ttl == ttl[first]
    return same


def _times(w: Work) -> Array:
    """In order, no copy of a SYN, and no timer that could have run out between segments."""
    time, steady = w.time, w.clock.steady[w.rows]
    earlier = np.empty_like(time)
    earlier[0], earlier[1:] = time[0], time[:-1]
    ok = time - earlier >= np.where(w.again, SAME_PACKET_NS + 1, 0)
    ok[w.first] = True
    # Until the client's first segment after its SYN the handshake's timers run.
    third = np.minimum.reduceat(np.where(~w.side & ~w.opening, w.index, w.count), w.first)
    opening = w.index <= third[w.part]
    limit = np.where(w.answered, ANSWER_NS, PATIENCE_NS)
    ok &= ~opening | (steady - steady[w.first[w.part]] < limit[w.part])
    closing = np.minimum.reduceat(np.where(w.fin, w.index, w.count), w.first)[w.part]
    since = steady - steady[np.minimum(closing, w.count - 1)]
    timely: Array = ok & ((w.index <= closing) | (since < ANSWER_NS))
    return timely


def stamps(w: Work, answers: Array) -> Array:
    """Timestamps grow, and echo what the other end sent lately; those of ``answers`` the latest."""
    stamped = w.bits & STAMPED != 0
    if not stamped.any():
        return np.ones(w.count, np.bool_)
    value = w.array["value"][w.rows].astype(np.int64)
    echo = w.array["echo"][w.rows].astype(np.int64)
    place = w.index - w.first[w.part]
    mine, theirs = w._before(np.where(stamped, place, -1))
    start = w.first[w.part]
    latest = value[start + np.maximum(mine, 0)]
    ok = ~stamped | (mine < 0) | ((value - latest) & _MASK < 1 << 31)
    # The first one of each end, by the same way round: from behind.
    origin = [
        np.minimum.reduceat(np.where(stamped & (w.side == side), place, 1 << 40), w.first)
        for side in (False, True)
    ]
    first = np.where(w.side, origin[0][w.part], origin[1][w.part])
    known = stamped & (theirs >= 0) & w.has_ack & (echo != 0)
    oldest = value[start + np.where(first < 1 << 40, first, 0)]
    newest = value[start + np.maximum(theirs, 0)]
    age = (newest - echo) & _MASK
    fine = (age < _STRANGE) & ((echo - oldest) & _MASK < 1 << 31) & ((age == 0) | ~answers)
    ordinary: Array = ok & (~known | fine)
    return ordinary


def sums_of(work: Work, regular: Array) -> tuple[Sums, Array]:
    """Sums, and which connections are regular once windows have been looked at."""
    w = work
    third = np.minimum.reduceat(np.where(~w.side & ~w.opening, w.index, w.count), w.first)
    safe = np.minimum(third, w.count - 1)
    syn = np.maximum.reduceat(np.where(w.opening, w.index, 0), w.first)
    rtt = np.where((third < w.count) & ~w.rst[safe], w.time[safe] - w.time[syn], -1)
    updates, repeats, full, ok = windows(w)
    there = w.side.astype(np.int64)
    sent = w.total(w.length), w.total(w.length * there)
    counts = np.diff(np.append(w.first, w.count)), w.total(there)
    return (
        Sums(
            (counts[0] - counts[1], counts[1]),
            (sent[0] - sent[1], sent[1]),
            w.total(updates),
            w.total(repeats),
            w.total(full),
            rtt,
        ),
        regular & w.of_part(ok),
    )


def windows(w: Work) -> tuple[Array, Array, Array, Array]:
    """Window updates, repeated ACKs, full windows, and what is still in order."""
    scale = np.minimum(w.array["scale"][w.rows].astype(np.int64), NO_SCALE)
    answer = np.minimum(w.answer, w.count - 1)
    asked = scale[w.first], np.where(w.answered, scale[answer], NO_SCALE)
    agreed = (asked[0] != NO_SCALE) & (asked[1] != NO_SCALE)
    ok = (scale == scale[w.first][w.part]) | ~w.opening
    shift = np.where(
        w.side, np.where(agreed, asked[1], 0)[w.part], np.where(agreed, asked[0], 0)[w.part]
    )
    shift = np.where(w.flags & SYN != 0, 0, np.minimum(shift, 14))
    offered = w.window << shift
    start = w.first[w.part]
    mine = start + np.maximum(w.mine_at, 0)
    theirs = start + np.maximum(w.theirs_at, 0)
    control = w.flags & (SYN | FIN | RST) != 0
    quiet = ~control & (w.length == 0) & (w.back == w.acked) & (w.mine_at >= 0)
    changed = w.window != w.window[mine]
    full = ~control & (w.length > 0) & (w.theirs_at >= 0) & (w.heard >= 0)
    full &= ((w.end - w.heard - offered[theirs]) & _MASK) == 0
    # What repeats an ACK to the last bit could be the same packet captured twice.
    ident = w.array["ident"][w.rows].astype(np.int64)
    step = (ident - ident[mine]) & 0xFFFF
    ok &= ~quiet | (ident == 0) | ((step > 0) & (step <= _ID_STEP))
    waiting = w.theirs - w.back
    reach = np.maximum(np.where(w.mine_at >= 0, offered[mine], 0),
                       np.where(w.theirs_at >= 0, offered[theirs], 0))  # fmt: skip
    ok &= ~w.has_ack | (waiting <= np.maximum(reach, LEAST_REACH)) | control
    return quiet & changed, quiet & ~changed, full, ok
