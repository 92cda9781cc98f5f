"""Packets that the capture saw twice, found in columns exactly as the core finds them.

:class:`tcpviz.core.twice.TwiceSeen` remembers a connection's latest packets that are no copies, and
compares each packet with them. Here all packets of many flows are compared with those right
before them at once; then, without the copies found, once more, until no more are found. Where it is
not as clear as that (time goes back, a sender puts one identification on several packets, a copy
of another connection's packet), the flow is *unclear*, and the core's to look at.

What columns do not have of a packet, its data and some of its options, has to be the same, too:
:mod:`tcpviz.bulk.connections.samebytes`.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.columns import Piece, rows_at
from tcpviz.core.segment import ACK, FIN, RST, SYN
from tcpviz.core.twice import ANONYMOUS_NS, AT_ONCE_NS, RECENT, SAME_PACKET_NS

Array = NDArray[Any]

_FLAGS = 0x1FF
_ROUNDS = 6
"""So often it is looked for more copies; where there are still some, it is unclear."""

STRETCH = 1 << 16
"""Packets of one long flow that are looked at at a time."""

_BEFORE = 8 * RECENT
"""Packets before a stretch among which are originals of its copies."""

# Odd, and drawn anew in each run, so that nobody can write packets that are only alike in this.
_ODD: list[np.uint64] = list(np.frombuffer(os.urandom(48), np.uint64) | np.uint64(1))


class Copies:
    """Which of some flows' packets are copies, by their places among ``rows``.

    ``copy``     which are, and of those ``root``, of which each is one
    ``unclear``  flows of which it is not known
    """

    def __init__(self, array: Piece, rows: Array, begin: Array) -> None:
        self._array, self._rows, self._begin = array, rows, begin
        self.count = count = len(rows)
        self.copy = np.zeros(count, np.bool_)
        self.root = np.full(count, -1, np.int64)
        self.unclear = np.zeros(len(begin) - 1, np.bool_)
        if len(begin) > 2 or count <= STRETCH:
            _Stretch(self, 0, 0, count, begin, had=False)
            return
        had = False
        for at in range(0, count, STRETCH):
            low, end = max(at - _BEFORE, 0), min(at + STRETCH, count)
            one = _Stretch(self, low, at, end, np.array([0, end - low]), had=had)
            had |= one.sure
            if self.unclear[0]:
                break

    def __bool__(self) -> bool:
        return bool(self.copy.any())

    def of_flows(self, places: Array) -> Array:
        """The flows of these packets."""
        flows: Array = np.searchsorted(self._begin, places, "right") - 1
        return flows


def copied(array: Piece, rows: Array, begin: Array, count: Array) -> Array | None:
    """Which of these connections' rows are copies, given how many each has; ``None``: none is.

    ``begin`` as of flows.
    """
    has = count > 0
    if not has.any():
        return None
    copy = Copies(array, rows, begin).copy
    if not has.all():
        copy &= np.repeat(has, np.diff(begin))
    return copy


class _Stretch:
    """What :class:`Copies` knows of the packets from ``low`` on, goes on to those from ``at`` on.

    ``had``  the connection had copies before; ``sure``: it has now
    """

    def __init__(
        self, known: Copies, low: int, at: int, end: int, begin: Array, *, had: bool
    ) -> None:
        self._known, self._low, self._at, self._begin = known, low, at, begin
        array, rows = known._array, known._rows[low:end]
        row = rows_at(array, rows)
        ident = array["ident"][rows]
        self._count = len(rows)
        self._time = np.ascontiguousarray(row["time"])
        self._named = ident != 0
        flags = row["flags"] & np.uint16(_FLAGS)
        self._takes = (row["length"] > 0) | (flags & (SYN | FIN) != 0)
        self._words = [
            _two(row["src"], row["dst"]),
            _two(row["seq"], row["ack"]),
            _two(row["value"], row["echo"]),
            _two(row["length"], row["window"] | ident.astype(np.uint32) << np.uint32(16)),
            _two(flags, row["sport"] | row["dport"].astype(np.uint32) << np.uint32(16)),
        ]
        self._key = _scattered(self._words)
        self._who = _scattered([self._words[0], _two(row["sport"], ident)])
        self._life = self._lives(row["seq"], flags)
        if low and self._life[-1]:
            known.unclear[:] = True  # of a long flow that is one connection
        # From which copy on a connection has had one.
        self._since = np.full(int(self._life[-1]) + 1, self._count, np.int64)
        if had:
            self._since[0] = -1
        self._copy = np.zeros(self._count, np.bool_)
        self._copy[: at - low] = known.copy[low:at]
        self._root = known.root[low:end] - low
        if self._find():
            self._verify()
        self._meaningless()
        back = np.flatnonzero(self._time[1:] < self._time[:-1]) + 1
        if len(back):
            self._unclear(back[~np.isin(back, begin)])
        known.copy[at:end] = self._copy[at - low :]
        known.root[at:end] = np.where(self._copy[at - low :], self._root[at - low :] + low, -1)
        self.sure = bool(self._since[-1] < self._count)

    def _unclear(self, places: Array) -> None:
        self._known.unclear[np.searchsorted(self._begin, places, "right") - 1] = True

    def _lives(self, seq: Array, flags: Array) -> Array:
        """Which connection each packet belongs to: a SYN with a new number begins one."""
        begin = self._begin[:-1]
        fresh = np.zeros(self._count, np.bool_)
        fresh[begin] = True
        syns = np.flatnonzero(flags & (SYN | FIN | RST | ACK) == SYN)
        before = np.roll(syns, 1)
        again = before >= begin[np.searchsorted(begin, syns, "right") - 1]
        again[:1] = False
        again &= seq[before] == seq[syns]
        fresh[syns[~again]] = True
        if self._low:
            fresh[0] = True
        life: Array = np.cumsum(fresh, dtype=np.int64) - 1
        return life

    def _find(self) -> bool:
        """Mark copies; whether there are any."""
        places, life = np.arange(self._count), self._life
        skip = self._at - self._low
        if skip:
            places = np.flatnonzero(~self._copy)
        for _ in range(_ROUNDS):
            one, other = _nearest(self._key[places])
            one, other = places[one], places[other]
            fine = (life[one] == life[other]) & (one >= skip)
            one, other = one[fine], other[fine]
            self._unclear(one[self._differ(one, other)])
            sure, maybe = self._judge(one, other)
            np.minimum.at(self._since, life[one[sure]], one[sure])
            now = sure | (maybe & (one > self._since[life[one]]))
            if not now.any():
                break
            self._copy[one[now]] = True
            self._root[one[now]] = other[now]
            places = np.flatnonzero(~self._copy)
        else:
            self._unclear(one[now])
        return bool(self._copy[skip:].any())

    def _differ(self, one: Array, other: Array) -> Array:
        """Which of these pairs are only alike by chance."""
        differ = np.zeros(len(one), np.bool_)
        for word in self._words:
            differ |= word[one] != word[other]
        return differ

    def _judge(self, one: Array, other: Array) -> tuple[Array, Array]:
        """Whether one alike comes soon enough for a copy; and if there was a copy before."""
        after = self._time[one] - self._time[other]
        named = self._named[one]
        sure = np.where(named, after <= SAME_PACKET_NS, self._takes[one] & (after <= AT_ONCE_NS))
        return sure, ~named & (after <= ANONYMOUS_NS)

    def _verify(self) -> None:
        """Hold the copies against the first of their kind: what is a copy is not remembered."""
        one = np.flatnonzero(self._copy)
        one = one[one >= self._at - self._low]
        root = self._root[one]
        for _ in range(_BEFORE):
            again = (root >= 0) & self._copy[root]
            if not again.any():
                break
            root = np.where(again, self._root[root], root)
        else:
            self._unclear(one)
        self._root[one] = root
        rank = np.cumsum(~self._copy)
        sure, maybe = self._judge(one, root)
        fine = sure | (maybe & (one > self._since[self._life[one]]))
        fine &= (root >= 0) & (rank[one] - rank[root] < RECENT)
        self._unclear(one[~fine])

    def _meaningless(self) -> None:
        """Flows of which a sender puts one identification on several packets."""
        places = np.flatnonzero(~self._copy & self._named)
        who, key, life = self._who[places], self._key[places], self._life[places]
        for lag in range(1, min(RECENT, len(places) - 1) + 1):
            same = np.flatnonzero(who[lag:] == who[:-lag])
            if len(same):
                same = same[(key[same] != key[same + lag]) & (life[same] == life[same + lag])]
                self._unclear(places[same])


def _two(one: Array, other: Array) -> Array:
    """Two numbers of 32 bits in one."""
    word = other.astype(np.uint64)
    word <<= np.uint64(32)
    word |= one
    return word


def _scattered(words: list[Array]) -> Array:
    """One number of several, equal where they are, and else hardly ever."""
    key = np.zeros(len(words[0]), np.uint64)
    for word, odd in zip(words, _ODD, strict=False):
        key ^= word
        key *= odd
        key ^= key >> np.uint64(31)
    return key


def _nearest(key: Array) -> tuple[Array, Array]:
    """Places of those that are like one of the latest before them, and of the nearest such."""
    done = np.zeros(len(key), np.bool_)
    found: list[Array] = [np.zeros(0, np.int64)]
    before: list[Array] = [np.zeros(0, np.int64)]
    for lag in range(1, min(RECENT, len(key) - 1) + 1):
        at = np.flatnonzero(key[lag:] == key[:-lag]) + lag
        if len(at):
            at = at[~done[at]]
            done[at] = True
            found.append(at)
            before.append(at - lag)
    return np.concatenate(found), np.concatenate(before)
