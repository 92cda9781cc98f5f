"""Numbers of one long connection that come half round, or round: counted on without an end.

A connection of more than two gigabytes has numbers further from the first than half of all, and
after four they come again. :class:`~tcpviz.bulk.connections.work.Work` compares 32 bits; where
these do not do, :class:`Far` is given the numbers of a stretch moved down, or those of the segments
that count with the gaps between them closed. So that these can be told from what is on the wire
there are milestones among them: no two of an end that follow each other are half a round apart.

To all that the core says of a connection in order it is the same how far its numbers come, but for
Zeek (:mod:`tcpviz.core.zeek_end`). As long as an end's numbers have not come round, it takes what
is half of all numbers beyond the first for something before that: it sees no data there, and no
acknowledgement of it counts. Once they have come round it finds all that missing, with the first
acknowledgement; unless it has given up on that stream before, since too much had been sent without
a moment at which all was acknowledged. Where the first number is in the upper half nothing is
between; and behind it everything is as it was.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.work import LONGEST, Work
from tcpviz.bulk.segments.columns import Columns, rows_at
from tcpviz.bulk.segments.flows import counted_on
from tcpviz.core.connection import Connection
from tcpviz.core.records import Side
from tcpviz.core.segment import ACK, FIN, RST, Segment
from tcpviz.core.seq import HALF, MASK, MODULUS
from tcpviz.core.zeek_gaps import MAX_WITHOUT_FURTHER_ACKS

Array = NDArray[Any]

MILE = 1 << 28
"""Bytes of an end behind which there is a milestone; a stretch has no more."""

_BEHIND = 3 << 29
"""So far below the next number of an end a stretch's numbers begin: there is all that it names."""

FAR = 1 << 62
"""Of what is common to a connection: its numbers come half round, or round."""

GIVEN_UP = 1 << 60, 1 << 61
"""Of what is common to a connection: Zeek has given up on the client's data, the server's."""

_MOST_PARTS = 64
"""Acknowledgements of parts of the data whose numbers come round; with more it is followed."""

Numbers = tuple[Array, Array, Array]
"""Of each segment its number, the one behind it, and what it acknowledges."""

Missed = dict[int, list[tuple[int, int]]]
"""By place: of which end (1: the server's) Zeek finds bytes missing there, and how many."""


class Far(Work):
    """Segments of one connection, given their numbers as far as they are compared.

    ``missed``    the bytes that Zeek finds missing of the client's, of the server's
    """

    missed = 0, 0

    def __init__(self, columns: Columns, clock: Clock, rows: Array, numbers: Numbers) -> None:
        self._numbers = numbers
        super().__init__(columns, clock, rows, np.array([0, len(rows)]))

    def _number(self, ack: Array) -> None:
        super()._number(ack)
        seq, end, back = self._numbers
        self.odd = (seq < 0) | (end >= HALF) | (back >= HALF)
        self.odd |= self.length.view(np.uint32) > LONGEST
        self.rel, self.end, self.back = (each.astype(np.int32) for each in self._numbers)

    @property
    def variety(self) -> Array | None:
        """What tells its shape from others: what Zeek misses."""
        one, other = self.missed
        return np.array([(one << 31) + other + 1]) if one or other else None


class Rounds:
    """How far both ends of a connection have come, stretch by stretch. All by (client, server).

    ``sent``        the number behind an end's latest, counted from its first one
    ``said``        how far it has acknowledged the other's, counted from the other's first
    ``milestones``  places of segments, those among them at which Zeek is told what it misses
    """

    def __init__(self, columns: Columns, rows: Array, answer: int) -> None:
        self._array, self._rows = array, rows = columns.array, rows
        self._answer = answer
        first = rows[0], rows[answer]
        self._begun = [int(array["seq"][row]) for row in first]
        self._name = "src" if array["src"][first[0]] != array["dst"][first[0]] else "sport"
        self._client = array[self._name][first[0]]
        self.sent, self.said = [0, 0], [0, 0]
        self.milestones: list[int] = []
        self._mile = [0, 0, 0, 0]
        # What begins with data is looked at one by one.
        self._wide = bool(array["length"][first[0]] or array["length"][first[1]])
        self._strange = [_Strange(begun) for begun in self._begun]

    def reaches(self, size: int) -> bool:
        """Whether any number may be beyond half of all, or have come round, in so many bytes."""
        return any(
            sent + size + 2 >= min(HALF, MODULUS - begun)
            for sent, begun in zip(self.sent, self._begun, strict=True)
        )

    @property
    def far(self) -> bool:
        """Whether any has been."""
        return self.reaches(0)

    @property
    def given_up(self) -> tuple[bool, bool]:
        """Whether Zeek does not look for anything missing any more."""
        one, other = self._strange
        return one.given_up, other.given_up

    @property
    def known(self) -> bool:
        """Whether all is known of what the core makes of that."""
        return not (self.far and self._wide) and all(
            each.known(sent) for each, sent in zip(self._strange, self.sent, strict=True)
        )

    # -- a stretch ----------------------------------------------------------

    def talk(
        self, begin: int, end: int, sizes: Sequence[int], said: Sequence[int],
        quiet: Sequence[Array], latest: Sequence[int],
    ) -> None:  # fmt: skip
        """A stretch in which both only go on: each end's bytes, and what it acknowledges of more.

        ``quiet``  numbers as they came behind which nothing of its data was on its way
        """
        before = *self.sent, *self.said
        for each in (0, 1):
            self.sent[each] += sizes[each]
            self.said[each] += said[each]
        for each, strange in enumerate(self._strange):
            strange.calm(self.sent[each], quiet[each])
            if strange.begins(self.sent[each]):
                seq, length = self._column("seq", begin, end, each)
                data = length > 0
                ack, _ = self._column("ack", begin, end, 1 - each)
                mine, theirs = (self._places(begin, end, which) for which in (each, 1 - each))
                places = strange.look(
                    before[3 - each],
                    before[each] + counted_on(seq[data], self._begun[each] + before[each] & MASK),
                    length[data],
                    before[3 - each] + counted_on(ack, self._begun[each] + before[3 - each] & MASK),
                    mine[data].searchsorted(theirs),
                )
                self.milestones += mine[data][places[0]].tolist() + theirs[places[1]].tolist()
        self._wide |= max(sizes) > MILE
        self._pass(latest)

    def worked(self, w: Work, mine: slice, offset: Sequence[int], latest: Sequence[int]) -> None:
        """A stretch that was worked on, with numbers that are ``offset`` too low, in order."""
        side, length = w.side[mine], w.length[mine]
        end, back = w.end[mine], w.back[mine]
        whole = back == w.theirs[mine]
        for each in (0, 1):
            there = end[side == bool(each)]
            self.sent[each] = max(self.sent[each], int(there.max(initial=0)) + offset[each])
        for each in (0, 1):
            there = np.flatnonzero(side == bool(each))
            acks = there[w.has_ack[mine][there]]
            if len(acks):
                said = int(back[acks].max()) + offset[1 - each]
                self.said[each] = max(self.said[each], said)
                quiet = acks[whole[acks]]
                self._strange[1 - each].calm(
                    self.sent[1 - each],
                    self._begun[1 - each] + offset[1 - each] + back[quiet].astype(np.int64) & MASK,
                )
            self._wide |= int(length[there].sum(dtype=np.int64)) > MILE
        for each, strange in enumerate(self._strange):
            strange.passed(self.sent[each])
        self._pass(latest)

    def _pass(self, latest: Sequence[int]) -> None:
        """Put a milestone where it is due."""
        now = [*self.sent, *self.said]
        if any(one - other >= MILE for one, other in zip(now, self._mile, strict=True)):
            self._mile = now
            self.milestones += latest

    def numbers(self, places: Array, skip: int) -> tuple[Numbers, list[int]]:
        """The numbers of a stretch, the segments of which come behind ``skip`` known ones.

        And how much those of each end are too low. What was long before, and is not compared, is
        somewhere below.
        """
        row = rows_at(self._array, self._rows[places])
        there = row[self._name] != self._client
        has_ack = row["flags"] & ACK != 0
        seq, ack = np.zeros((2, len(places)), np.int64)
        offset = [max(sent - _BEHIND, 0) for sent in self.sent]
        for each in (0, 1):
            mine = np.flatnonzero(there == bool(each))
            old, new = mine[mine < skip], mine[mine >= skip]
            for out, name, reached, whose in (
                (seq, "seq", self.sent[each], each), (ack, "ack", self.said[each], 1 - each),
            ):  # fmt: skip
                next_one = np.uint32(self._begun[whose] + reached & MASK)
                behind = (next_one - row[name][old]).astype(np.int64)
                out[old] = np.maximum(reached - behind - offset[whose], 2 * bool(offset[whose]))
                out[new] = reached + counted_on(row[name][new], int(next_one)) - offset[whose]
        # How they began is known.
        for place, which in ((0, 0), (self._answer, 1)):
            at = np.flatnonzero(places[:skip] == place)
            seq[at] = 0
            ack[at] = (row["ack"][at] - np.uint32(self._begun[1 - which])).astype(np.int64)
        ack[~has_ack] = 0
        return (seq, seq + _took(row), ack), offset

    # -- columns ------------------------------------------------------------

    def _there(self, begin: int, end: int) -> Array:
        there: Array = self._array[self._name][self._rows[begin:end]] != self._client
        return there

    def _places(self, begin: int, end: int, which: int) -> Array:
        """An end's places."""
        return begin + np.flatnonzero(self._there(begin, end) == bool(which))

    def _column(self, name: str, begin: int, end: int, which: int) -> tuple[Array, Array]:
        """Of an end's segments that column, and their lengths."""
        rows = self._rows[self._places(begin, end, which)]
        return self._array[name][rows], self._array["length"][rows].astype(np.int64)


class _Strange:
    """What Zeek makes of the numbers of one end that begins with ``begun``.

    ``half``, ``whole``  where the strange ones begin and end, counted from there
    ``last``             behind the last data that Zeek sees before them, ``first`` the first
                         that it sees behind them
    ``quiet``            up to there all had been acknowledged when there was nothing more
    ``heard``            the furthest acknowledgement that counts before them, ``parts`` how many
                         there are of more up to ``first``
    """

    def __init__(self, begun: int) -> None:
        self._half, self._whole = HALF, MODULUS - begun
        self._free = self._whole <= HALF
        self._begun, self._quiet = begun, 1
        self.given_up = False
        self._last: int | None = None
        self._first: int | None = None
        self._heard: int | None = None
        self._parts = 0
        self._over = self._lost = False

    def begins(self, sent: int) -> bool:
        """Whether there is anything to look at, now that so much has been sent."""
        return not (self._free or self._over) and sent >= self._half

    def calm(self, sent: int, quiet: Array) -> None:
        """So far it has come, and these numbers, as they came, were so in the meantime.

        What was sent from one to the next is what Zeek keeps at most.
        """
        if self._free or self._over or self._last is not None:
            return
        known = self._quiet
        every = known + counted_on(quiet.astype(np.uint32), self._begun + known & MASK)
        every = every[every < self._half]
        steps = np.diff(every, prepend=known, append=min(sent, self._half))
        self.given_up |= bool((steps > MAX_WITHOUT_FURTHER_ACKS).any())
        self._quiet = int(every[-1]) if len(every) else known

    def passed(self, sent: int) -> None:
        """A stretch that was not looked at: what decides must not be in it."""
        if self.begins(sent) and sent + 2 >= self._whole:
            self._lost = True

    def look(
        self, heard: int, seq: Array, length: Array, said: Array, before: Array
    ) -> tuple[Array, Array]:
        """A stretch: its data's numbers, and what was acknowledged before it and in it.

        ``before``  how much of the data was before each acknowledgement
        Places of the data, and of the acknowledgements, by which all is told.
        """
        half, whole = self._half, self._whole
        data, acks = [], []
        if self._last is None:
            at = int(np.searchsorted(seq, half)) - 1
            if at < 0:
                self._lost = True  # it was in a stretch that was not looked at
                return _NONE, _NONE
            self._last, self._heard = int(seq[at] + length[at]), heard
            self.given_up |= self._last - self._quiet > MAX_WITHOUT_FURTHER_ACKS
            data.append(at)
        if self._first is None:
            at = int(np.searchsorted(seq, whole))
            if at < len(seq):
                self._first = int(seq[at])
                data.append(at)
        at = int(np.searchsorted(said, half))
        if at:
            self._heard = int(said[at - 1])
        at = int(np.searchsorted(said, whole))
        while at < len(said) and not self._over:
            number = int(said[at])
            acks.append(at)
            if not self._parts and self._first is not None:
                # It keeps what is before the strange numbers, and what is behind them.
                sent = int((seq + length)[: before[at]].max(initial=0))
                waits = self._last - self._quiet + max(sent - self._first, 0)
                self.given_up |= waits > MAX_WITHOUT_FURTHER_ACKS
            self._parts += 1
            # Zeek would take it for broken, for an old one, or for the first of all.
            far = self._heard is None or number - self._heard >= HALF
            if number == whole or number >= MODULUS or far or self._parts > _MOST_PARTS:
                self._lost = True
            self._heard = number
            self._over = self._lost or (self._first is not None and number >= self._first)
            at = int(np.searchsorted(said, number, "right"))
        return np.array(data, np.intp), np.array(acks, np.intp)

    def known(self, sent: int) -> bool:
        """Whether all is known of an end that has come so far."""
        if self._free or sent < self._half:
            return True
        return not self._lost and (self._over or sent + 2 < self._whole)


_NONE = np.zeros(0, np.intp)


# -- those that count -------------------------------------------------------


class _Counted:
    """Segments of a connection of which no two are half a round apart, with their numbers.

    ``there``  whether the server sent it
    """

    def __init__(self, there: Array, row: Array | dict[str, Array]) -> None:
        self.there, self.length = there, row["length"].astype(np.int64)
        self._took = _took(row)
        seq, ack, has_ack = row["seq"], row["ack"], row["flags"] & ACK != 0
        self.seq, self.ack = np.zeros((2, len(seq)), np.int64)
        self.begun = [int(seq[np.flatnonzero(there == bool(each))[0]]) for each in (0, 1)]
        for each in (0, 1):
            mine = np.flatnonzero(there == bool(each))
            self.seq[mine] = counted_on(seq[mine], self.begun[each])
            mine = mine[has_ack[mine]]
            self.ack[mine] = counted_on(ack[mine], self.begun[1 - each])

    def missed(self) -> Missed:
        """What Zeek finds missing, and where; see above."""
        out: Missed = {}
        full = self.length > 0
        for each in (0, 1):
            whole = MODULUS - self.begun[each]
            mine = full & (self.there == bool(each))
            seq, end = self.seq[mine], (self.seq + self.length)[mine]
            said = np.where(self.there == bool(each), -1, self.ack)
            if whole <= HALF or not (said >= whole).any():
                continue
            done = int(end[seq < HALF].max(initial=0))
            first = int(seq[seq >= whole].min(initial=1 << 62))
            for place in np.flatnonzero(said >= whole).tolist():
                upto = min(int(said[place]), first)
                if upto > done:
                    out.setdefault(place, []).append((each, upto - done))
                    done = upto
                if upto == first:
                    break
        return out

    def closed(self) -> Numbers:
        """The numbers with the gaps between them closed: what is equal, or next, is so again."""
        out = self.seq, self.seq + self._took, self.ack
        for each in (0, 1):
            mine = self.there == bool(each)
            those = list(zip(out, (mine, mine, ~mine), strict=True))
            every = np.unique(np.concatenate([number[which] for number, which in those]))
            near = np.cumsum(np.minimum(np.diff(every, prepend=every[:1]), 2))
            for number, which in those:
                number[which] = near[np.searchsorted(every, number[which])]
        return out


def _took(row: Array | dict[str, Array]) -> Array:
    """How many numbers each takes up."""
    flags = row["flags"]
    took = row["length"].astype(np.int64) + (flags & FIN) + (flags >> 1 & 1)
    took[flags & RST != 0] = 0
    made: Array = took
    return made


def work_on(columns: Columns, clock: Clock, rows: Array, given_up: tuple[bool, bool]) -> Far:
    """The segments that count of a connection with milestones."""
    row = rows_at(columns.array, rows)
    name = "src" if row["src"][0] != row["dst"][0] else "sport"
    counted = _Counted(row[name] != row[name][0], row)
    missed = [0, 0]
    for each, size in itertools.chain.from_iterable(counted.missed().values()):
        missed[each] += 0 if given_up[each] else size
    made = Far(columns, clock, rows, counted.closed())
    made.missed = missed[0], missed[1]
    made.beyond = FAR + given_up[0] * GIVEN_UP[0] + given_up[1] * GIVEN_UP[1]
    return made


def counted(segments: Sequence[Segment]) -> _Counted:
    """The same of its segments that count, with what Zeek misses."""
    row = {
        "length": np.array([one.payload_len for one in segments]),
        "seq": np.array([one.seq for one in segments], np.uint32),
        "ack": np.array([one.ack for one in segments], np.uint32),
        "flags": np.array([int(one.flags) for one in segments]),
    }
    return _Counted(np.array([one.src != segments[0].src for one in segments]), row)


def missed(segments: Sequence[Segment]) -> Missed:
    """What Zeek finds missing at which of the segments that count of such a connection."""
    return counted(segments).missed()


def miss(connection: Connection, missing: Sequence[tuple[int, int]], common: int) -> None:
    """Have Zeek find bytes missing of these ends, but where it has given up."""
    assert connection.analysis is not None
    zeek = connection.analysis.zeek
    for server, size in missing:
        if common & GIVEN_UP[server]:
            continue
        first = (zeek.originator is Side.SERVER) == bool(server)
        end, peer = (zeek._orig, zeek._resp) if first else (zeek._resp, zeek._orig)
        if end.clean and peer.clean:
            end.missed += size
            end.gap_count += 1
            zeek._scaled("G", end, end.gap_count)
