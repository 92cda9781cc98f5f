"""A table of connections that grows with live traffic: totals and states, no history.

A stretch of the ring goes in as columns and costs some microseconds a thousand segments; for
each connection there remains one row of numbers. :mod:`tcpviz.bulk.liverows` makes of a row what
the screen shows. A connection begins with a SYN whose number is new for its addresses and ports,
so that a pair of ports used again is another connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from tcpviz.bulk.liveindex import FlowIndex
from tcpviz.bulk.livestates import OVER, STATES, Known, states
from tcpviz.bulk.stretches import Columns, Mixer, Stretch

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

ROWS: Final = 1 << 18
"""Connections that are kept; finished ones go first, then the oldest, and they are counted."""

_INDEX = 14
"""Bits of a segment's place in its stretch: :data:`tcpviz.sources.ringcapture.AT_ONCE`."""

_FIRST = 1 << 12
_SKIPPED = 64  # open connections that are passed over to find a finished one
_SYN, _ACK, _RST, _FIN = 2, 16, 4, 1
_OVER = np.array([code in OVER for code in range(len(STATES))])

# One number for each direction: the client's, the server's.
_BOTH = {
    "packets": 0,
    "octets": 0,
    "again": 0,
    "iss": -1,
    "nxt": -1,
    "ack": -1,
    "plain": -1,
    "fin": -1,
    "fin_ack": -1,
    "syns": 0,
    "fins": 0,
    "rsts": 0,
}
_ONE = {
    "ident": 0,
    "first_ns": 0,
    "last_ns": 0,
    "syn_ns": -1,
    "third_ns": -1,
    "closed_by": -1,
    "reset_by": -1,
    "gap": 0,
}


class LiveTable:
    """Connections in rows. ``evicted`` of them were given up; ``gaps`` holes were in the capture.

    ``changed`` grows with everything that comes in, ``now_ns`` is the latest moment.
    """

    def __init__(self, rows: int = ROWS, mixer: Mixer | None = None) -> None:
        self.mixer = mixer or Mixer()
        self.most = rows
        self.evicted = 0
        self.gaps = 0
        self.changed = 0
        self.now_ns = 0
        self.born = 0
        self._room = 0
        self._next = 0
        self._index = FlowIndex()
        self._odd: Mapping[int, bytes] = {}
        self._rows: Ints = np.zeros(0, np.int64)
        self._grow(min(_FIRST, rows))

    def _grow(self, room: int) -> None:
        before, self._room = self._room, room
        for names, shape in ((_BOTH, (room, 2)), (_ONE, (room,))):
            for name, empty in names.items():
                made = np.full(shape, empty, np.int64)
                if before:
                    made[:before] = getattr(self, name)
                setattr(self, name, made)
        for name, kind in (("flow", np.uint64), ("client", np.uint64), ("ends", "(2,18)u1")):
            made = np.zeros(room, kind)
            if before:
                made[:before] = getattr(self, name)
            setattr(self, name, made)

    packets: Ints
    octets: Ints
    again: Ints
    iss: Ints
    nxt: Ints
    ack: Ints
    plain: Ints
    fin: Ints
    fin_ack: Ints
    syns: Ints
    fins: Ints
    rsts: Ints
    ident: Ints
    first_ns: Ints
    last_ns: Ints
    syn_ns: Ints
    third_ns: Ints
    closed_by: Ints
    reset_by: Ints
    gap: Ints
    flow: npt.NDArray[np.uint64]
    client: npt.NDArray[np.uint64]
    ends: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        """Connections that are kept."""
        return self.born - self.evicted

    def rows(self) -> Ints:
        """The rows in use, in the order in which their connections began."""
        used = np.flatnonzero(self.ident[: min(self.born, self._room)])
        return np.asarray(used[np.argsort(self.ident[used], kind="stable")], np.int64)

    def every(self) -> slice:
        """All rows in use, in whichever order they lie: their columns need not be gathered."""
        return slice(0, min(self.born, self._room))

    def known(self, rows: Ints | slice) -> Known:
        """What their states follow from."""
        return Known(
            self.iss[rows],
            self.ack[rows],
            self.plain[rows],
            self.fin[rows],
            self.fin_ack[rows],
            self.reset_by[rows],
            self.closed_by[rows],
            self.packets[rows] - self.syns[rows],
            self.now_ns - self.last_ns[rows],
        )

    def note_gap(self) -> None:
        """Packets were missed: nothing of what is going on is as sure as before."""
        self.gaps += 1

    # -- what comes in ------------------------------------------------------

    def take(
        self, stretch: Stretch, columns: Columns, odd: Mapping[int, bytes] | None = None
    ) -> Ints:
        """Count a stretch's segments; returns the row of each.

        ``odd``: by place, both ends (18 bytes each, the sender's first) of those whose headers
        do not stand where most have them.
        """
        count = len(columns)
        if not count:
            return np.zeros(0, np.int64)
        self._odd = odd or {}
        self.changed += count
        self.now_ns = max(self.now_ns, int(columns.time_ns.max()))
        flow, order = _sorted(self.mixer.pair(columns.src, columns.dst))
        c = Columns(*(getattr(columns, name)[order] for name in Columns.__slots__))
        begins = np.empty(count, np.bool_)
        begins[0] = True
        np.not_equal(flow[1:], flow[:-1], out=begins[1:])
        opens = (c.flags & (_SYN | _ACK)) == _SYN
        starts = np.flatnonzero(begins)
        row_of = self._index.find(flow[starts], self.flow)
        group = np.cumsum(begins) - 1
        fresh = self._beginnings(c, opens, begins, group, row_of)
        self._open(stretch, c, flow, fresh, np.flatnonzero(fresh), row_of, group, begins)
        rows = self._rows
        self._count(c, rows, opens)
        result = np.empty(count, np.int64)
        result[order] = rows
        return result

    def _beginnings(
        self,
        c: Columns,
        opens: Mask,
        begins: Mask,
        group: Ints,
        row_of: Ints,
    ) -> Mask:
        """Where a connection begins: an unknown pair of ends, or a SYN with a new number."""
        fresh = begins & (row_of[group] < 0)
        syns = np.flatnonzero(opens)
        if not len(syns):
            return fresh
        # The number of the SYN before, by the same end: in this stretch, or in the row.
        known = row_of[group[syns]]
        side = np.where(known >= 0, (c.src[syns] != self.client[known]).astype(np.int64), 0)
        former = np.where(known >= 0, self.iss[known, side], -1)
        # A row that has no SYN of this end, but segments of it, began before the capture did.
        spoke = np.where(known >= 0, self.packets[known, side], 0)
        before = np.where((former < 0) & (spoke > 0), -2, former)
        place = group[syns]
        same = np.zeros(len(syns), np.bool_)
        same[1:] = (place[1:] == place[:-1]) & (c.src[syns][1:] == c.src[syns][:-1])
        before[1:] = np.where(same[1:], c.seq[syns][:-1], before[1:])
        anew = (before != -1) & (before != c.seq[syns])
        fresh[syns[anew & ~fresh[syns]]] = True
        return fresh

    def _open(
        self,
        stretch: Stretch,
        c: Columns,
        flow: npt.NDArray[np.uint64],
        fresh: Mask,
        places: Ints,
        row_of: Ints,
        group: Ints,
        begins: Mask,
    ) -> None:
        """Give the new ones rows, and every segment its row (``_rows``)."""
        rows = np.where(begins, row_of[group], -1)
        if len(places):
            # In the order of the capture, so that numbers follow the first segments.
            places = places[np.argsort(c.place[places], kind="stable")]
            new = self._rooms(len(places))
            answers = (c.flags[places] & (_SYN | _ACK)) == (_SYN | _ACK)
            self.flow[new] = flow[places]
            self.client[new] = np.where(answers, c.dst[places], c.src[places])
            self.first_ns[new] = c.time_ns[places]
            self.gap[new] = self.gaps
            self.ident[new] = self.born + 1 + np.arange(len(new))
            self.born += len(new)
            self.ends[new] = _ends(stretch, c.place[places], answers, self._odd)
            rows[places] = new
            self._to_be_found(flow, places, new)
        marked = np.flatnonzero(begins | fresh)
        self._rows = rows[marked][np.cumsum(begins | fresh) - 1]

    def _to_be_found(self, flow: npt.NDArray[np.uint64], places: Ints, new: Ints) -> None:
        if self._index.full(len(new)):
            self._index.make(self.rows(), self.flow)
            return
        # Of two on the same ends in one stretch the later one is the one to be found.
        order = np.argsort(places)
        keys = flow[places[order]]
        last = np.append(keys[1:] != keys[:-1], True)
        self._index.put(keys[last], new[order[last]], self.flow)

    def _rooms(self, count: int) -> Ints:
        """Rows for so many new connections, emptied."""
        while self._next + count > self._room and self._room < self.most:
            self._grow(min(self._room * 2, self.most))
        if self._next + count <= self._room and self.born == self._next:
            rows = np.arange(self._next, self._next + count)
            self._next += count
            return rows
        rows = self._victims(count)
        for name, empty in {**_BOTH, **_ONE}.items():
            getattr(self, name)[rows] = empty
        return rows

    def _victims(self, count: int) -> Ints:
        """Rows to be used again: going round, and passing over what is still open for a while.

        Where a flood leaves nothing but half-open ones, the oldest that were passed over go.
        """
        window, used, fit = self._look_ahead(count, 2)
        if int(fit.sum()) < count:
            window, used, fit = self._look_ahead(count, _SKIPPED + 1)
        places = np.flatnonzero(fit)[:count]
        if len(places) < count:
            rest = np.flatnonzero(~fit)[: count - len(places)]
            places = np.sort(np.concatenate((places, rest)))
        self._next += int(places[-1]) + 1 if len(places) else 0
        self.evicted += int(used[places].sum())
        return np.asarray(window[places], np.int64)

    def _look_ahead(self, count: int, times: int) -> tuple[Ints, Mask, Mask]:
        """The next rows, so many times what is wanted; which are in use, and which may be had."""
        window = (self._next + np.arange(min(self._room, count * times))) % self._room
        used = self.ident[window] != 0
        fit = ~used
        # Only what was reset, or closed from both ends, can be over: that is soon seen.
        maybe = (self.reset_by[window] >= 0) | (self.fin[window] >= 0).all(axis=1)
        asked = np.flatnonzero(used & maybe)
        fit[asked] = self._over(window[asked])
        return window, used, fit

    def _over(self, rows: Ints) -> Mask:
        client, server = states(self.known(rows))
        return np.asarray(_OVER[client] & _OVER[server])

    # -- totals -------------------------------------------------------------

    def _count(self, c: Columns, rows: Ints, opens: Mask) -> None:
        side = (c.src != self.client[rows]).astype(np.int64)
        place = rows * 2 + side
        flags = c.flags
        resets = flags & _RST != 0
        np.add.at(self.packets.reshape(-1), place, 1)
        np.add.at(self.octets.reshape(-1), place, c.size)
        self.last_ns[rows] = c.time_ns  # the last one of a row stands behind the others
        syns = np.flatnonzero(flags & _SYN)
        fins = np.flatnonzero(flags & _FIN)
        if len(syns):
            self._syns(c, rows, place, syns, opens)
        speaks = np.flatnonzero(~resets)
        self._move_on(c, place, speaks)
        self._thirds(c, rows, side, speaks)
        if len(fins):
            self._fins(c, rows, side, place, fins)
        if resets.any():
            self._resets(c, rows, side, place, np.flatnonzero(resets))

    def _syns(self, c: Columns, rows: Ints, place: Ints, syns: Ints, opens: Mask) -> None:
        np.add.at(self.syns.reshape(-1), place[syns], 1)
        iss = self.iss.reshape(-1)
        firsts = syns[::-1]
        firsts = firsts[iss[place[firsts]] < 0]
        iss[place[firsts]] = c.seq[firsts]
        asked = syns[opens[syns] & (self.third_ns[rows[syns]] < 0)]
        self.syn_ns[rows[asked]] = c.time_ns[asked]

    def _move_on(self, c: Columns, place: Ints, speaks: Ints) -> None:
        """How far each end has sent and acknowledged; what it sent that was not beyond that."""
        if not len(speaks):
            return
        words, order = _sorted(place[speaks].astype(np.uint64) << np.uint64(_INDEX))
        at = (words >> np.uint64(_INDEX)).astype(np.int64)
        speaks = speaks[order]
        flags, size, seq = c.flags[speaks], c.size[speaks], c.seq[speaks]
        begins = np.empty(len(at), np.bool_)
        begins[0] = True
        np.not_equal(at[1:], at[:-1], out=begins[1:])
        starts = np.flatnonzero(begins)
        where = at[starts]
        group = np.cumsum(begins) - 1
        nxt = self.nxt.reshape(-1)
        # Set off from the first segment of each that has said nothing before.
        base = nxt[where]
        base = np.where(base < 0, seq[starts], base)
        far = _ahead(seq + size + (flags & 1) + (flags >> 1 & 1), base[group])
        # How far each had come at each of its segments: a maximum that begins anew with each.
        apart = group << 33
        running = np.maximum.accumulate(np.maximum(far, 0) + apart)
        before = np.where(begins, 0, np.concatenate(([0], running[:-1])) - apart)
        again = (size > 0) & (far <= before)
        if again.any():
            np.add.at(self.again.reshape(-1), at[again], 1)
        last = np.append(starts[1:], len(at)) - 1
        nxt[where] = (base + running[last] - apart[last]) & 0xFFFFFFFF
        acks = np.flatnonzero(flags & _ACK)
        _highest(self.ack.reshape(-1), at[acks], c.ack[speaks[acks]])
        plain = acks[flags[acks] & (_SYN | _FIN) == 0]
        _highest(self.plain.reshape(-1), at[plain], c.ack[speaks[plain]])

    def _thirds(self, c: Columns, rows: Ints, side: Ints, speaks: Ints) -> None:
        row = rows[speaks]
        waits = (self.third_ns[row] < 0) & (self.syn_ns[row] >= 0) & (side[speaks] == 0)
        waits &= (c.flags[speaks] & (_SYN | _ACK)) == _ACK
        waits &= self.iss[row, 1] >= 0
        first = speaks[np.flatnonzero(waits)[::-1]]
        self.third_ns[rows[first]] = c.time_ns[first]

    def _fins(self, c: Columns, rows: Ints, side: Ints, place: Ints, fins: Ints) -> None:
        np.add.at(self.fins.reshape(-1), place[fins], 1)
        fin, fin_ack = self.fin.reshape(-1), self.fin_ack.reshape(-1)
        fin_ack[place[fins]] = c.ack[fins]
        firsts = fins[::-1]
        unknown = self.closed_by[rows[firsts]] < 0
        self.closed_by[rows[firsts[unknown]]] = side[firsts[unknown]]
        firsts = firsts[fin[place[firsts]] < 0]
        fin[place[firsts]] = (c.seq[firsts] + c.size[firsts]) & 0xFFFFFFFF

    def _resets(self, c: Columns, rows: Ints, side: Ints, place: Ints, resets: Ints) -> None:
        np.add.at(self.rsts.reshape(-1), place[resets], 1)
        firsts = resets[::-1]
        firsts = firsts[self.reset_by[rows[firsts]] < 0]
        firsts = firsts[self._fits(c, rows, side, firsts)]
        self.reset_by[rows[firsts]] = side[firsts]

    def _fits(self, c: Columns, rows: Ints, side: Ints, resets: Ints) -> Mask:
        """Whether its receiver would take it: RFC 5961 section 3, as far as an observer knows.

        Of one that answers a SYN the acknowledgement must be right (RFC 9293 section 3.10.7.3);
        of others the number must be what its receiver expects next, if that is known.
        """
        row, me = rows[resets], side[resets]
        peer = 1 - me
        expected = self.ack[row, peer]
        sent = self.nxt[row, peer]
        acks = c.flags[resets] & _ACK != 0
        # A receiver that has acknowledged nothing yet knows only what it has sent itself.
        by_ack = acks & (sent >= 0) & (c.ack[resets] == sent)
        near = np.abs(_ahead(c.seq[resets], expected)) < 1 << 16
        open_yet = by_ack | ~acks | (sent < 0)
        return np.asarray(np.where(expected >= 0, near | by_ack, open_yet), np.bool_)


def _ahead(number: Ints, base: Ints) -> Ints:
    """How far ``number`` is ahead of ``base``, modulo 2^32; negative where it is behind."""
    return np.asarray(((number - base + (1 << 31)) & 0xFFFFFFFF) - (1 << 31), np.int64)


def _highest(numbers: Ints, at: Ints, said: Ints) -> None:
    """Move ``numbers[at]`` on to the highest of what was said there; ``at`` is in order."""
    if not len(at):
        return
    begins = np.empty(len(at), np.bool_)
    begins[0] = True
    np.not_equal(at[1:], at[:-1], out=begins[1:])
    starts = np.flatnonzero(begins)
    where = at[starts]
    base = numbers[where]
    base = np.where(base < 0, said[starts], base)
    ahead = np.maximum(_ahead(said, base[np.cumsum(begins) - 1]), 0)
    numbers[where] = (base + np.maximum.reduceat(ahead, starts)) & 0xFFFFFFFF


def _sorted(keys: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], Ints]:
    """Keys in order, equal ones as they came, and where each stood.

    Of each key only what is above the lowest :data:`_INDEX` bits counts: the place stands there,
    so that numpy's fastest sort, which keeps no order of equals, keeps one.
    """
    if len(keys) > 1 << _INDEX:
        raise ValueError(f"more than {1 << _INDEX} at once")
    low = np.uint64((1 << _INDEX) - 1)
    mixed = np.sort((keys & ~low) | np.arange(len(keys), dtype=np.uint64))
    return mixed & ~low, (mixed & low).astype(np.int64)


def _ends(
    stretch: Stretch, places: Ints, answers: Mask, odd: Mapping[int, bytes]
) -> npt.NDArray[np.uint8]:
    """Addresses and ports of the client and the server: (n, 2, 18) bytes, 16 and 2 each.

    IPv4 addresses stand in the last four of the sixteen, behind ``::ffff:``'s mark.
    """
    raw = np.frombuffer(stretch.data, np.uint8).reshape(-1, stretch.size)[places]
    made = np.zeros((len(places), 2, 18), np.uint8)
    ip = 80  # see LINK_AT
    four = raw[:, ip] >> 4 == 4
    made[four, :, 10:12] = 255
    for side in range(2):
        made[four, side, 12:16] = raw[four, ip + 12 + 4 * side : ip + 16 + 4 * side]
        made[four, side, 16:] = raw[four, ip + 20 + 2 * side : ip + 22 + 2 * side]
        made[~four, side, :16] = raw[~four, ip + 8 + 16 * side : ip + 24 + 16 * side]
        made[~four, side, 16:] = raw[~four, ip + 40 + 2 * side : ip + 42 + 2 * side]
    if odd:
        for at, place in enumerate(places.tolist()):
            if place in odd:
                made[at] = np.frombuffer(odd[place], np.uint8).reshape(2, 18)
    made[answers] = made[answers][:, ::-1]
    return made
