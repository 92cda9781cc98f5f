"""Which segments of a long connection are plain, and what the core's variables are behind them.

Plain is what goes on where its sender's latest one ended, acknowledges what was sent, and has
nothing odd about it (flags, options, TTL, checksum, identification): data and ACKs of a transfer
that goes well, however much of it is in flight, duplicate ACKs with their SACK blocks, ACKs that
others have overtaken, and closed windows. Of such a segment the core's answer is a few new numbers
and counts, which are worked out here for a stretch at once. Whether the core stands where a stretch
supposes it to, so that a run of plain segments may be left out, is asked in
:mod:`tcpviz.bulk.long.onward`.

What was said before the stretch comes from the core itself (:class:`Standing`). Numbers are
counted from there and do not wrap: each from its sender's one before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments import sums
from tcpviz.bulk.segments.columns import (
    HEADS,
    ODD,
    SACKED,
    STAMPED,
    SUM_SHIFT,
    Columns,
    clearly_captured,
    congested,
    rows_at,
)
from tcpviz.bulk.segments.flows import counted_on
from tcpviz.core.doubt import LEAST_REACH, UNKNOWN_REACH
from tcpviz.core.halfconn import Sums
from tcpviz.core.segment import ECN
from tcpviz.core.vitals import STRANGE_TICKS
from tcpviz.core.zeek_gaps import MAX_WITHOUT_FURTHER_ACKS

Array = NDArray[Any]
Span = tuple[int, int]

_ECE, _ACK, _PSH, _SYN, _FIN, _RST = 64, 16, 8, 2, 1, 4

RECENT = 16
"""Packets among which the core looks for copies."""


@dataclass(slots=True)
class Standing:
    """One end as it stands before a stretch, as far as its next segments are judged by it.

    ``next``     the number after its furthest, ``ack`` its latest acknowledgement, ``far`` its
                 furthest
    ``window``   as in its latest segment, ``shift`` its scale, ``known`` whether that is known
    ``ticks``    its latest timestamp, ``None`` if it has sent none
    ``idents``   IP identifications of its latest packets, and how far before the stretch they were
    ``ttls``     known of it, ``full`` if no others are told
    ``sums``     what its checksums are worth; ``told`` whether one more wrong one is only counted
    ``marked``   whether it met congestion before, ``echoed`` whether one more ECE is only counted
    ``longest``  its longest data so far
    ``opened``   whether its SYN was seen, with all that tells its window's unit
    """

    next: int
    ack: int
    far: int
    window: int
    shift: int
    known: bool
    ticks: int | None
    idents: list[tuple[int, int]]
    ttls: tuple[int, ...]
    full: bool
    sums: Sums
    told: bool
    marked: bool
    echoed: bool
    longest: int
    opened: bool


class Stretch:
    """Segments of one connection, ``count`` of them from a place on.

    ``side``     whether the server sent it; ``row`` as :data:`tcpviz.bulk.segments.columns.ROW`
    ``heads``    bytes of IP and TCP headers of each, where these were asked for
    ``stops``    places of those that are not plain
    ``at``       places by sender (client, server), ``data``, ``bare`` (without data), ``moved``
                 (acknowledges more than any before) and ``renewed`` (other than its sender's
                 latest) the places of those among them; ``data_ends`` where the data ends,
                 ``moved_to`` what is acknowledged then
    ``mine``, ``theirs``  what its sender, and the other end, had sent before each
    ``acked``, ``heard``  what its sender, and the other end, had acknowledged; counted as the
                 other end's numbers, and as its own; ``prior`` what its sender did right before,
                 which is less where ACKs were overtaken
    ``back``     what it acknowledges, counted as the other end's numbers are
    ``quiet``    places by sender of what acknowledges all that the other end had sent
    ``recent``   by sender: its timestamp is the other end's TS.Recent from then on
    ``congested``, ``echoes``  met congestion on its way; tells of that
    ``repeats``, ``updates``, ``full``  duplicate ACKs, window updates, full windows
    ``shut``     places by sender of windows of zero; ``closes`` the first ones of them in a row,
                 ``opens`` what comes behind each row
    """

    def __init__(
        self,
        columns: Columns,
        rows: Array,
        up: bool,
        ends: tuple[Standing, Standing],
        *,
        meaningless: bool,
        copies: bool,
        older: bool,
    ) -> None:
        array = columns.array
        self.rows, self.count, self.ends = rows, len(rows), ends
        self.longest: list[Array] = []
        self._frames = array["frame"]
        self.heads = array[HEADS][rows] if HEADS in array else None
        self.row = row = rows_at(array, rows)
        self.ident = array["ident"][rows]
        src, dst = row["src"], row["dst"]
        there = src > dst
        same = np.flatnonzero(src == dst)
        there[same] = row["sport"][same] > row["dport"][same]
        self.side = side = there != up
        self.time = np.ascontiguousarray(row["time"])
        self.seq = np.ascontiguousarray(row["seq"])
        self.ack = np.ascontiguousarray(row["ack"])
        self.value = np.ascontiguousarray(row["value"])
        self.length = row["length"].astype(np.int64)
        self.window = row["window"].astype(np.int64)
        self.flags = np.ascontiguousarray(row["flags"])
        self.bits = np.ascontiguousarray(row["bits"])
        self.congested = congested(self.bits)
        self.echoes = self.flags & np.uint16(_ECE) != 0
        self.at = np.flatnonzero(~side), np.flatnonzero(side)
        ahead = np.cumsum(side)
        self._before = np.arange(self.count) - (ahead - side), ahead - side
        self._number()
        self._say()
        ok = self._fits(older=older)
        ok &= self._whole(array)
        ok &= self._named(meaningless=meaningless, copies=copies)
        self.stops = np.flatnonzero(~ok)
        self._gather()

    def raw(self, side: int, number: int) -> int:
        """A number of an end's as it stands in the headers."""
        return (self.ends[side].next + number) & 0xFFFFFFFF

    def frame(self, place: int) -> int:
        """A segment's frame number."""
        return int(self._frames[self.rows[place]])

    def frames(self, places: Array) -> Array:
        """The frame numbers of some."""
        there: Array = self._frames[self.rows[places]]
        return there

    def around(self, places: Array) -> Array:
        """A small number by what is around the data: alike where the headers are as long."""
        size = np.clip(self._around[places], 0, 1023)
        options = self.bits[places] & (STAMPED | SACKED) != 0
        same: Array = size * 2 + options
        return same

    def before(self, side: int, place: int) -> int:
        """How many segments of an end come before a place."""
        if place == self.count:
            return len(self.at[side])
        return int(self._before[side][place])

    # -- numbers ------------------------------------------------------------

    def _number(self) -> None:
        """Numbers counted from where both ends stood, and the furthest so far."""
        count = self.count
        self.rel, self.mine, self.theirs = (np.empty(count, np.int64) for _ in range(3))
        self.back, self.acked, self.heard = (np.empty(count, np.int64) for _ in range(3))
        self.prior, self._edge = (np.empty(count, np.int64) for _ in range(2))
        control = self.flags & (_SYN | _FIN | _RST) != 0
        some = bool(control.any())
        all_ack = bool((self.flags & _ACK != 0).all())
        took = self.length
        if some:
            took = took + (self.flags & _FIN) + (self.flags >> 1 & 1)
        reached, said, latest = [], [], []
        for side, at in enumerate(self.at):
            me, other = self.ends[side], self.ends[1 - side]
            begins = counted_on(self.seq[at], me.next)
            self.rel[at] = begins
            ends = begins + took[at]
            if some:  # a reset takes up no numbers
                ends[self.flags[at] & _RST != 0] = 0
            reached.append(_most(0, ends))
            begun = ((me.ack - other.next + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
            far = ((me.far - other.next + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)
            told = counted_on(self.ack[at], me.ack)
            told += begun
            self.back[at] = told
            if not all_ack:
                told[self.flags[at] & _ACK == 0] = begun
            said.append(_most(far, told))
            latest.append(self._latest(begun, told, at, all_ack=all_ack))
        for side, at in enumerate(self.at):
            others = self._before[1 - side][at]
            self.mine[at] = reached[side][:-1]
            self.theirs[at] = reached[1 - side][others]
            self.acked[at] = said[side][:-1]
            self.heard[at] = said[1 - side][others]
            self.prior[at] = latest[side][:-1]
            self._edge[at] = latest[1 - side][others]
        self.end = self.rel + self.length
        self.reached, self.said, self.latest_ack = reached, said, latest

    def _latest(self, begun: int, told: Array, at: Array, *, all_ack: bool) -> Array:
        """What an end acknowledged latest, before its first segment and behind each."""
        latest = np.concatenate([[begun], told])
        if all_ack:
            return latest
        places = np.arange(len(latest))
        places[1:][self.flags[at] & _ACK == 0] = 0
        return latest[np.maximum.accumulate(places)]

    def _say(self) -> None:
        """Windows and timestamps said before each by its sender, and by the other end."""
        count = self.count
        self.was, self.offers, self.offered = (np.empty(count, np.int64) for _ in range(3))
        self._late, self._far = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        self.stamped = self.bits & STAMPED != 0
        self.latest = np.zeros(count, np.uint32)
        self.windows = windows = [
            np.concatenate([[end.window], self.window[at]])
            for end, at in zip(self.ends, self.at, strict=True)
        ]
        self.values = values = [
            np.concatenate([np.array([end.ticks or 0], np.uint32), self.value[at]])
            for end, at in zip(self.ends, self.at, strict=True)
        ]
        for side, at in enumerate(self.at):
            me, other = self.ends[side], self.ends[1 - side]
            others = self._before[1 - side][at]
            self.was[at] = windows[side][:-1]
            self.offers[at] = self.window[at] << me.shift
            self.offered[at] = windows[1 - side][others] << other.shift
            self._late[at] = (self.value[at] - values[side][:-1]).view(np.int32) < 0
            self.latest[at] = values[1 - side][others]
            if other.ticks is not None:
                echo = self.row["echo"][at]
                off = echo - self.latest[at] + np.uint32(_NOT_STRANGE)
                self._far[at] = (off > 2 * _NOT_STRANGE) & (echo != 0)

    # -- what is plain ------------------------------------------------------

    def _fits(self, *, older: bool) -> Array:
        """Which segments go on where their sender stands, and are odd in nothing."""
        bits, flags, back, length = self.bits, self.flags, self.back, self.length
        ok = (flags & np.uint16(0xFFFF ^ (_PSH | ECN)) == _ACK) & (self.rel == self.mine)
        ok &= (back <= self.theirs) & (self.ack != 0)
        # A byte into a closed window is a probe.
        ok &= (length > 1) | (self.offered > 0) | (length == 0)
        ok &= (bits & ODD == 0) | (bits & SACKED != 0)
        ok &= ~self._late & ~self._far
        # What acknowledges so little that nobody need believe it.
        room = np.full(self.count, LEAST_REACH, np.int64)
        for side, at in enumerate(self.at):
            me, other = self.ends[side], self.ends[1 - side]
            mine = self.was[at] << me.shift if me.opened else UNKNOWN_REACH
            theirs = self.offered[at] if other.opened else UNKNOWN_REACH
            room[at] = np.maximum(room[at], mine if older else np.maximum(mine, theirs))
        ok &= self.theirs - back <= room
        said = bits >> SUM_SHIFT & 3
        for side, at in enumerate(self.at):
            me = self.ends[side]
            ok[at] &= self.stamped[at] == (me.ticks is not None)
            if not me.full:
                known = np.zeros(256, np.bool_)
                known[list(me.ttls)] = True
                ok[at] &= known[self.row["ttl"][at]]
            if me.sums is Sums.UNTRIED:
                ok[at] &= said[at] != sums.RIGHT
            if me.sums is Sums.RIGHT or not me.told:
                ok[at] &= said[at] != sums.WRONG
            if not me.marked:
                ok[at] &= ~self.congested[at]
            if not me.echoed:
                ok[at] &= ~self.echoes[at]
            # The longest data so far may be told of.
            longest = _most(me.longest, length[at])
            ok[at] &= length[at] <= longest[:-1]
            self.longest.append(longest)
        fits: Array = ok
        return fits

    def _whole(self, array: dict[str, Array]) -> Array:
        """Whether it is clear how much of its data was captured: all, or not all."""
        wire = array["wire"][self.rows].astype(np.int32)
        captured = array["captured"][self.rows]
        lacks = wire - captured
        self._around = wire - self.length
        self.whole = lacks <= 0
        return clearly_captured(lacks, self.length, captured, self.bits)

    def _named(self, *, meaningless: bool, copies: bool) -> Array:
        """Whether it can be no packet that was captured just before.

        Data never is, since it goes on; nor what has an identification of its own. Where
        identifications mean nothing, or there are none, a repeated ACK could be.
        """
        ident = self.ident
        ok = np.ones(self.count, np.bool_)
        if copies:
            again = (self.length == 0) & (self.back <= self.acked)
            ok &= ~(again & ((ident == 0) | meaningless))
        if meaningless:
            return ok
        for at, end in zip(self.at, self.ends, strict=True):
            known = len(end.idents)
            places = np.concatenate([[-back for _, back in end.idents], at]).astype(np.int64)
            names = np.concatenate([[name for name, _ in end.idents], ident[at]]).astype(np.uint16)
            step = np.diff(names)
            leaps = np.concatenate([[0], np.cumsum((step == 0) | (step > _STEP))])
            # What comes within so many after a leap may have been used right before it.
            leaps[RECENT:] -= leaps[:-RECENT].copy()
            unsure = np.flatnonzero((names != 0) & (leaps > 0))
            unsure = unsure[unsure >= known]
            if len(unsure):
                ok[places[unsure]] = ~_met(names, places, unsure)
        return ok

    # -- what it comes to ---------------------------------------------------

    def _gather(self) -> None:
        """Places of what matters for the variables behind a run."""
        empty = self.length == 0
        moves, renews = self.back > self.acked, self.back != self.prior
        shut = self.window == 0
        closes, opens = shut & (self.was > 0), ~shut & (self.was == 0)
        still = empty & ~renews & ~shut
        self.repeats = still & ((self.window == self.was) | (self.bits & SACKED != 0))
        self.updates = still & ~self.repeats
        self.full = ~empty & (self.end == self._edge + self.offered)
        recent = self.stamped & (self.rel <= self.heard)
        quiet = moves & (self.back == self.theirs)
        self.data, self.bare, self.moved, self.quiet, self.again, self.recent, self.renewed = (
            tuple(at[which[at]] for at in self.at)
            for which in (~empty, empty, moves, quiet, self.repeats, recent, renews)
        )
        self.shut, self.closes, self.opens = (
            tuple(np.flatnonzero(which & (self.side == bool(side))) for side in (0, 1))
            if shut.any() or opens.any()  # the first may be opened that was shut before
            else (empty[:0].nonzero()[0],) * 2
            for which in (shut, closes, opens)
        )
        self.moved_to = tuple(self.back[places] for places in self.moved)
        self.data_ends = tuple(self.end[places] for places in self.data)
        for side, end in enumerate(self.ends):
            if not end.known:
                self.full[self.data[1 - side]] = False
        self.kept = tuple(
            at[~empty[at] & self.whole[at] & (self.bits[at] >> SUM_SHIFT & 3 != sums.WRONG)]
            for at in self.at
        )
        # Data beyond what Zeek keeps waiting, from the last quiet moment on.
        self.over = tuple(self._over(side) for side in (0, 1))

    def _over(self, side: int) -> Array:
        """Places where more of an end's data waits than is kept, since it was quiet in here."""
        places, quiet = self.data[side], self.quiet[1 - side]
        if not len(quiet) or not len(places):
            return places[:0]
        since = np.searchsorted(quiet, places) - 1
        begun = self.back[quiet[np.maximum(since, 0)]]
        over: Array = (since >= 0) & (self.end[places] - begun > MAX_WITHOUT_FURTHER_ACKS)
        return places[over]


_NOT_STRANGE = STRANGE_TICKS // 2
"""The core's clock of an end may be a little behind the latest timestamp."""

_STEP = 4095
"""Of 16 identifications in a row that grow by no more, no two are alike."""


def _met(names: Array, places: Array, which: Array) -> Array:
    """Which of these packets share an identification with one of those right before them."""
    met = np.zeros(len(which), np.bool_)
    for back in range(1, RECENT + 1):
        there = which >= back
        earlier = np.maximum(which - back, 0)
        # Only what lies among the packets that are remembered, whoever sent those between.
        near = places[which] - places[earlier] <= 2 * RECENT
        met |= there & near & (names[earlier] == names[which])
    return met


def _most(before: int, numbers: Array) -> Array:
    """The greatest before each, and of all."""
    out = np.empty(len(numbers) + 1, np.int64)
    out[0], out[1:] = before, numbers
    return np.maximum.accumulate(out, out=out)


def first(places: Array, begin: int, end: int) -> int:
    """The first of these places from ``begin`` on, ``end`` if there is none before it."""
    at = int(places.searchsorted(begin))
    return min(end, int(places[at])) if at < len(places) else end


def beyond(stretch: Stretch, side: int, number: int, begin: int, end: int) -> int:
    """Where an end first acknowledges more than up to a number of the other's."""
    at = int(stretch.moved_to[side].searchsorted(number, "right"))
    return first(stretch.moved[side][at:], begin, end)


def span(places: Array, begin: int, end: int) -> Span:
    """Which of these places lie from ``begin`` up to ``end``."""
    return int(places.searchsorted(begin)), int(places.searchsorted(end))


def some(places: Array, begin: int, end: int) -> int:
    """How many of these places lie from ``begin`` up to ``end``."""
    low, high = span(places, begin, end)
    return high - low
