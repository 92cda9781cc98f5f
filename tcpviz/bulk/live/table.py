"""A table of connections that grows with live traffic: totals and states, no history.

A stretch of the ring goes in as columns and costs some microseconds a thousand segments; for
each connection there remains one row of numbers. :mod:`tcpviz.bulk.live.rows` makes of a row what
the screen shows. A connection begins with a SYN whose number is new for its addresses and ports,
so that a pair of ports used again is another connection.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from tcpviz.bulk.live import sums as livesums
from tcpviz.bulk.live.groups import FLOW, Groups, divided, group
from tcpviz.bulk.live.index import FlowIndex
from tcpviz.bulk.live.mixing import Mixer, Scope
from tcpviz.bulk.live.odd import NONE, Ends
from tcpviz.bulk.live.states import Known, closed
from tcpviz.bulk.live.stretches import Columns, Stretch, vlan
from tcpviz.bulk.live.sums import Segments
from tcpviz.bulk.segments.flows import grouped
from tcpviz.core.segment import ACK, SYN

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.uint32]

ROWS: Final = 1 << 18
"""Connections that are kept; finished ones go first, then the oldest, and they are counted."""

MOST_SCOPES: Final = 1 << 16
"""VLANs and tunnels whose names are kept. What is in others is told apart, but not where it is."""

_FIRST = 1 << 12
"""Rows that there is room for at first. Then for all: what none has had takes no memory, and
nothing needs to be copied a second time."""
_SKIPPED = 64  # open connections that are passed over to find a finished one

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
_OTHERS = {
    "flow": "u8",
    "client": "u8",
    "ends": "(2,18)u1",
    "touched": "i8",
    "codes": "(2,)u1",
    "marks": "u2",
    "scope": "u4",
}
_EMPTY = (*_BOTH.items(), *_ONE.items())


class Taken:
    """Which segments of a stretch are of which connection, as compactly as it was found out."""

    def __init__(self, place: Ints, groups: Groups | None, idents: Ints) -> None:
        self._place = place
        self._groups = groups
        self._idents = idents

    @property
    def nbytes(self) -> int:
        """Memory that it takes, about."""
        return 24 * len(self._place)

    def of(self, ident: int) -> list[int]:
        """The places in the stretch of that connection's segments, in their order."""
        found: list[int] = []
        for number in np.flatnonzero(self._idents == ident).tolist():
            assert self._groups is not None
            start = int(self._groups.starts[number])
            part = self._groups.order[start : start + int(self._groups.counts[number])]
            found += self._place[part].tolist()
        return sorted(found)


NOTHING = Taken(np.zeros(0, np.int64), None, np.zeros(0, np.int64))


class LiveTable:
    """Connections in rows. ``evicted`` of them were given up; ``gaps`` holes were in the capture.

    ``touched`` tells for each row in which of the ``passes`` something came last; ``codes`` are
    both ends' states and ``marks`` what is wrong, as that was found out after pass ``tallied``
    (:mod:`tcpviz.bulk.live.current`).
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
        self.passes = 0
        self.tallied = 0
        self._index = FlowIndex()
        self._odd = NONE
        self.scopes: list[Scope] = [()]
        self._scopes: dict[Scope, int] = {(): 0}
        self._grow(min(_FIRST, rows))

    def _grow(self, room: int) -> None:
        """Rows are emptied when they are given to a connection: :meth:`_empty`."""
        before, self._room = self._room, room
        kinds = dict.fromkeys(_BOTH, "(2,)i8") | dict.fromkeys(_ONE, "i8") | _OTHERS
        for name, kind in kinds.items():
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
    scope: npt.NDArray[np.uint32]
    touched: Ints
    codes: npt.NDArray[np.uint8]
    marks: npt.NDArray[np.uint16]

    def __len__(self) -> int:
        """Connections that are kept."""
        return self.born - self.evicted

    def rows(self) -> Ints:
        """The rows in use, in the order in which their connections began."""
        if not self.evicted:
            return np.arange(self.born)
        used = np.flatnonzero(self.ident[: min(self.born, self._room)])
        return np.asarray(used[np.argsort(self.ident[used], kind="stable")], np.int64)

    def number_of(self, one: bytes, two: bytes, scope: tuple[str, ...]) -> int | None:
        """The number of the latest connection between two ends (18 bytes each), if it is kept."""
        ends = [np.array([self.mixer.odd(end, scope)], np.uint64) for end in (one, two)]
        rows, _ = self._index.find(self.mixer.pair(*ends) & FLOW, self.flow)
        return int(self.ident[rows[0]]) if rows[0] >= 0 else None

    def every(self) -> slice:
        """All rows in use, in whichever order they lie: their columns need not be gathered."""
        return slice(0, min(self.born, self._room))

    def known(self, rows: Ints | slice) -> Known:
        """What their states follow from."""

        def of(column: Ints) -> Ints:
            found = column[rows] if isinstance(rows, slice) else column.take(rows, axis=0)
            return np.asarray(found, np.int64)

        return Known(
            of(self.iss),
            of(self.ack),
            of(self.plain),
            of(self.fin),
            of(self.fin_ack),
            of(self.reset_by),
            of(self.closed_by),
            of(self.packets) - of(self.syns),
            self.now_ns - of(self.last_ns),
        )

    def note_gap(self) -> None:
        """Packets were missed: nothing of what is going on is as sure as before."""
        self.gaps += 1

    # -- what comes in ------------------------------------------------------

    def take(self, stretch: Stretch, columns: Columns, odd: Ends = NONE) -> Taken:
        """Count a stretch's segments; tells which are of which connection.

        ``odd``: both ends of those whose headers do not stand where most have them.
        """
        if not len(columns):
            return NOTHING
        self._odd = odd
        self.changed += len(columns)
        self.now_ns = max(self.now_ns, int(columns.time_ns.max()))
        groups = group(columns, self.mixer.pair(columns.src, columns.dst))
        rows, slots = self._index.find(groups.flow, self.flow)
        bits = columns.flags.astype(np.uint8)  # all that is looked at here
        flags = bits[groups.order]
        fresh = rows < 0
        self.passes += 1
        self.touched[rows[~fresh]] = self.passes
        opens = (flags & (SYN | ACK) == SYN).nonzero()[0]
        if len(opens):
            anew = opens[self._anew(groups, columns.seq[groups.order[opens]], opens, rows)]
            whole = groups.owner[groups.whose[anew]]
            if (groups.first[whole] != anew).any():
                # Also in the middle of what came: each on the same ends is another one.
                groups, former, anew_too = divided(groups, columns, anew)
                rows, slots = rows[former], slots[former]
                flags = bits[groups.order]
                fresh = (rows < 0) | anew_too
            else:
                fresh[whole] = True
        new = np.flatnonzero(fresh)
        if len(new):
            self._open(stretch, columns, groups, new, rows, slots)
        of = rows[groups.owner]
        side = (groups.src != self.client[of]).astype(np.int64)
        order = groups.order
        livesums.count(
            self,
            Segments(
                groups,
                columns.time_ns,
                columns.seq[order],
                columns.ack[order],
                flags,
                columns.size[order],
                of,
                side,
                of * 2 + side,
            ),
        )
        return Taken(columns.place, groups, self.ident[of])

    def _anew(self, groups: Groups, seq: Numbers, opens: Ints, rows: Ints) -> Mask:
        """Which of these SYNs have another number than the one before them by the same end.

        That stands in this stretch, or in the row; one that has no SYN of this end, but segments
        of it, began before the capture did.
        """
        whose = groups.whose[opens]
        known = rows[groups.owner[whose]]
        side = (groups.src[whose] != self.client[known]).astype(np.int64)
        former, spoke = self.iss[known, side], self.packets[known, side]
        before = np.where((former < 0) & (spoke > 0), -2, former)
        before[known < 0] = -1
        same = np.flatnonzero(whose[1:] == whose[:-1]) + 1
        before[same] = seq[same - 1]
        return np.asarray((before != -1) & (before != seq), np.bool_)

    def _open(
        self,
        stretch: Stretch,
        columns: Columns,
        groups: Groups,
        new: Ints,
        rows: Ints,
        slots: Ints,
    ) -> None:
        """Give these connections rows."""
        # In the order of the capture, so that numbers follow the first segments.
        places = groups.order[groups.first[new]]
        timed = np.argsort(places.astype(np.uint16), kind="stable")
        places, new = places[timed], new[timed]
        made = self._rooms(len(new))
        answers = columns.flags[places] & (SYN | ACK) == (SYN | ACK)
        self.flow[made] = groups.flow[new]
        self.client[made] = np.where(answers, columns.dst[places], columns.src[places])
        self.first_ns[made] = columns.time_ns[places]
        self.gap[made] = self.gaps
        self.touched[made] = self.passes
        self.ident[made] = self.born + 1 + np.arange(len(made))
        self.born += len(made)
        self.ends[made] = _ends(stretch, columns, places, answers, self._odd)
        self.scope[made] = self._scopes_of(stretch, columns.place[places])
        rows[new] = made
        if self._index.full(len(new)):
            self._index.make(self.rows(), self.flow)
        else:
            # Of two on the same ends the later one is to be found: it comes last.
            self._index.put(groups.flow[new], made, self.flow, slots[new])

    def _scopes_of(self, stretch: Stretch, places: Ints) -> Ints:
        """Which of :attr:`scopes` these packets are in."""
        vlans = stretch.vlans(places)
        if not vlans.any() and not len(self._odd.place):
            return vlans
        numbers, _, which = grouped(vlans)
        found = np.array([self._scope(vlan(each)) for each in numbers.tolist()], np.int64)[which]
        mine, at = self._odd.at(places)
        if len(at):
            told = np.array([self._scope(each) for each in self._odd.scopes], np.int64)
            found[mine] = told[self._odd.which[at]]
        return found

    def _scope(self, scope: Scope) -> int:
        """The number of a scope; 0, too, where there are too many of them."""
        if len(self.scopes) >= MOST_SCOPES:
            return self._scopes.get(scope, 0)
        number = self._scopes.setdefault(scope, len(self.scopes))
        if number == len(self.scopes):
            self.scopes.append(scope)
        return number

    def _rooms(self, count: int) -> Ints:
        """Rows for so many new connections, emptied."""
        if self._next + count > self._room < self.most:
            self._grow(self.most)
        if self._next + count <= self._room and self.born == self._next:
            rows = np.arange(self._next, self._next + count)
            self._next += count
        else:
            rows = self._victims(count)
        self._empty(rows)
        return rows

    def _empty(self, rows: Ints) -> None:
        begin, end = int(rows[0]), int(rows[-1]) + 1
        if end - begin == len(rows):  # one behind the other: a twentieth of the time
            for name, empty in _EMPTY:
                getattr(self, name)[begin:end] = empty
            return
        both = np.repeat(rows * 2, 2)
        both[1::2] += 1
        for name, empty in _BOTH.items():
            getattr(self, name).reshape(-1)[both] = empty
        for name, empty in _ONE.items():
            getattr(self, name)[rows] = empty

    def _victims(self, count: int) -> Ints:
        """Rows to be used again: going round, and passing over what is still open for a while.

        Where a flood leaves nothing but half-open ones, the oldest that were passed over go.
        None goes of which there are segments in the stretch that is being counted.
        """
        for ahead in (2 * count, (_SKIPPED + 1) * count, self._room):
            window, used, fit = self._look_ahead(ahead)
            left = np.flatnonzero(self.touched[window] != self.passes)
            if fit[left].sum() >= count or (len(left) >= count and ahead > 2 * count):
                break
        places = left[fit[left]][:count]
        if len(places) < count:
            rest = left[~fit[left]][: count - len(places)]
            places = np.sort(np.concatenate((places, rest)))
        self._next += int(places[-1]) + 1 if len(places) else 0
        self.evicted += int(used[places].sum())
        return np.asarray(window[places], np.int64)

    def _look_ahead(self, count: int) -> tuple[Ints, Mask, Mask]:
        """The next rows, so many if there are; which are in use, and which may be had."""
        window = (self._next + np.arange(min(self._room, count))) % self._room
        used = self.ident[window] != 0
        fit = ~used
        # Only what was reset, or closed from both ends, can be over: that is soon seen.
        fin = self.fin.reshape(-1)
        maybe = (self.reset_by[window] >= 0) | (fin[2 * window] >= 0) & (fin[2 * window + 1] >= 0)
        asked = np.flatnonzero(used & maybe)
        fit[asked] = self._over(window[asked])
        return window, used, fit

    def _over(self, rows: Ints) -> Mask:
        """Which of these, reset or closed from both ends, are over."""
        return (self.reset_by[rows] >= 0) | closed(self.known(rows))


def _ends(
    stretch: Stretch, columns: Columns, places: Ints, answers: Mask, odd: Ends
) -> npt.NDArray[np.uint8]:
    """Addresses and ports of the client and the server: (n, 2, 18) bytes, 16 and 2 each.

    IPv4 addresses stand in the last four of the sixteen, behind ``::ffff:``'s mark.
    """
    made = np.zeros((len(places), 2, 18), np.uint8)
    made[:, :, 10:12] = 255
    src, dst = columns.src[places], columns.dst[places]
    both = np.where(answers, (dst, src), (src, dst)).T
    # An IPv4 end's number is its address and its port, as they stand in the packet.
    made[:, :, 12:] = both.astype(np.uint64, order="C").view(np.uint8).reshape(-1, 2, 8)[:, :, :6]
    others = ((src | dst) >= np.uint64(1 << 63)).nonzero()[0]
    if len(others):
        where = columns.place[places[others]]
        found = stretch.both_ends(where)
        mine, at = odd.at(where)
        found[mine] = odd.packed[at]
        turned = answers[others]
        found[turned] = found[turned][:, ::-1]
        made[others] = found
    return made
