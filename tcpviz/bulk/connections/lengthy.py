"""One long connection looked at a stretch at a time, so that no column of all of it is made.

Each stretch is worked on together with the few segments before it on which it
rests: those that give both ends' first numbers, their latest ones and their
FINs. What is kept of it are sums, and the segments that may count for the
signature with those right before them; the rest of the work needs no others.
Where both ends only go on, that is told at a tenth of the price
(:mod:`tcpviz.bulk.connections.talking`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import hops, regular, signatures
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.common import telling
from tcpviz.bulk.connections.rounds import MILE, Far, Rounds, work_on
from tcpviz.bulk.connections.talking import Talk, Talking
from tcpviz.bulk.connections.work import Work
from tcpviz.bulk.segments import sums
from tcpviz.bulk.segments.columns import SUM_SHIFT, Columns
from tcpviz.core.segment import SYN

Array = NDArray[Any]

STRETCH = 1 << 16
"""Segments that are worked on at a time, at most: behind a short one twice as many each time."""

BEGINNING = 1 << 11
"""The first stretch is shorter: with most of those that are not in order it is the only one.

So is the one behind talk; and less talk is not worth being looked at by itself.
"""

FEW = 16
"""SYNs of a flow that is not made of many connections."""

LEAST = 2 * STRETCH
"""Segments of a flow that is looked at in this way."""


@dataclass(slots=True)
class Lengthy:
    """What is left of it.

    ``places``   of the segments that stand for all
    ``sums``     of all, but for ``rtt``
    ``offload``  whether all of the client's checksums are wrong, all of the server's
    ``far``      where numbers come half round, or round: places of its milestones
                 (:mod:`tcpviz.bulk.connections.rounds`)
    ``given_up``  whether Zeek has given up on the client's data by then, on the server's
    """

    places: Array
    sums: regular.Sums
    offload: tuple[bool, bool]
    far: Array | None = None
    given_up: tuple[bool, bool] = False, False

    def work(self, columns: Columns, clock: Clock, rows: Array) -> Work:
        """Those of its ``rows`` that stand for all."""
        rows = rows[self.places].astype(np.int64)
        if self.far is None:
            work = Work(columns, clock, rows, np.array([0, len(rows)]))
        else:
            work = work_on(columns, clock, rows, self.given_up)
            work.also = np.searchsorted(self.places, self.far)
        work.offload = np.array(self.offload)[:, None]
        return work


@dataclass(slots=True)
class _Sofar:
    """What has been seen up to a stretch."""

    columns: Columns
    clock: Clock
    rows: Array
    kinds: set[int] = field(default_factory=set)
    latest: list[int] = field(default_factory=lambda: [-1, -1])
    spoke: list[int] = field(default_factory=lambda: [-1, -1])  # the same, but for keep-alives,
    alive: list[int] = field(default_factory=lambda: [-1, -1])  # and those
    fins: list[int] = field(default_factory=lambda: [-1, -1])
    answer: int = -1
    places: list[Array] = field(default_factory=list)
    segments: Array = field(default_factory=lambda: np.zeros(2, np.int64))
    bytes: Array = field(default_factory=lambda: np.zeros(2, np.int64))
    marks: Array = field(default_factory=lambda: np.zeros(3, np.int64))
    wrong: Array = field(default_factory=lambda: np.zeros(2, np.bool_))
    right: Array = field(default_factory=lambda: np.zeros(2, np.bool_))
    back: bool = False
    repeats: bool = False
    ttls: Array = field(default_factory=lambda: np.zeros((2, 256), np.bool_))
    talking: Talking | None = None
    rounds: Rounds | None = None

    def go_on(self, begin: int, end: int) -> int:
        """Look at a stretch, or at talk up to somewhere in it; where it is done; or -1.

        That is where not all is in order.
        """
        until = self._talk(begin, end)
        if until < 0 or until - begin >= min(BEGINNING, end - begin):
            return until
        return end if self._take(begin, end) else -1

    def _talk(self, begin: int, end: int) -> int:
        """Look at a stretch of talk; where it ends, or -1 as before."""
        if self.answer < 0 or max(self.fins) >= 0 or max(self.alive) >= min(self.latest):
            return begin
        if self.talking is None:
            self.talking = Talking(self.columns, self.clock, self.rows, self.answer, self.ttls)
        talk = self.talking.take(begin, end, self.latest, self.kinds)
        if isinstance(talk, int) and talk - begin >= BEGINNING:
            end = talk
            talk = self.talking.take(begin, end, self.latest, self.kinds)
        while not isinstance(talk, int) and max(talk.bytes) > MILE:
            end = (begin + end) // 2
            talk = self.talking.take(begin, end, self.latest, self.kinds)
        if isinstance(talk, int):
            return begin
        self._heed(talk, begin, end)
        return -1 if self.tangled else end

    @property
    def tangled(self) -> bool:
        """Whether what one stretch has and what another has do not go together."""
        unclear = self.rounds is not None and not self.rounds.known
        return unclear or (self.back and self.repeats) or bool((self.wrong & self.right).any())

    def _heed(self, talk: Talk, begin: int, end: int) -> None:
        """Remember what comes of talk."""
        self.segments += talk.segments
        self.bytes += talk.bytes
        self.marks += talk.marks
        self.wrong |= talk.wrong
        self.right |= talk.right
        self.back |= talk.back
        self.kinds.update(talk.kinds)
        self.places.append(np.array([*talk.kinds.values()], np.int64))
        for each, place in enumerate(talk.latest):
            if place >= 0:
                self.latest[each] = self.spoke[each] = place
        if self.rounds is not None:
            self.rounds.talk(begin, end, talk.bytes, talk.said, talk.quiet, self.latest)

    def _take(self, begin: int, end: int) -> bool:
        """Look at a stretch; false if not all in it is in order."""
        ends = *self.latest, *self.spoke, *self.alive, *self.fins
        known = {place for place in (0, self.answer, *ends) if place >= 0}
        before = sorted(place for place in known if place < begin)
        places = np.concatenate([np.array(before, np.int64), np.arange(begin, end)])
        w, below = self._work(places, len(before))
        mine = slice(len(before), None)
        if len(w.first) > 1 or w.wrong.any() or not regular.fits(w)[mine].all():
            return False
        if w.anew is not None:
            return False  # a stretch does not know what came anew before
        if telling(w)[mine].any():
            return False  # what one stretch has of it the others would have to know
        self.back |= bool(len(regular.backward(w)))
        self.repeats |= bool(regular.repeats(w).any())
        # Within a stretch its last segment looks like the connection's.
        resets = places[mine][w.rst[mine]]
        if len(resets) and resets[0] != len(self.rows) - 1:
            return False
        *marked, fine = regular.windows(w)
        if not fine[mine].all():
            return False
        for at, each in enumerate(marked):
            self.marks[at] += int(np.count_nonzero(each[mine]))
        self._add(w, mine)
        self._note(w, places, len(before))
        if self.rounds is not None:
            self.rounds.worked(w, mine, below, self.latest)
        return not self.tangled

    def _work(self, places: Array, known: int) -> tuple[Work, list[int]]:
        """These segments, the first ``known`` of which came before; how much too low they count."""
        rows, rounds = self.rows[places].astype(np.int64), self.rounds
        if rounds is not None:
            size = int(self.columns.array["length"][rows[known:]].sum(dtype=np.int64))
            if rounds.reaches(size):
                numbers, below = rounds.numbers(places, known)
                return Far(self.columns, self.clock, rows, numbers), below
        return Work(self.columns, self.clock, rows, np.array([0, len(rows)])), [0, 0]

    def _add(self, w: Work, mine: slice) -> None:
        length, side = w.length[mine], w.side[mine]
        said = w.bits[mine] >> SUM_SHIFT & 3
        for end in (0, 1):
            there = side == bool(end)
            self.segments[end] += int(np.count_nonzero(there))
            self.bytes[end] += int(length[there].sum(dtype=np.int64))
            self.wrong[end] |= bool((said[there] == sums.WRONG).any())
            self.right[end] |= bool((said[there] == sums.RIGHT).any())

    def _note(self, w: Work, places: Array, skip: int) -> None:
        """Remember what may count, and what the next stretch rests on."""
        if self.answer < 0 and w.answered[0]:
            self.answer = int(places[w.answer[0]])
            self.rounds = Rounds(self.columns, self.rows, self.answer)
        tokens = signatures.tokens(w)
        count = signatures.counting(w, tokens, self.kinds, skip)
        count = np.union1d(count, hops.new(w, self.ttls))
        self.kinds.update(np.flatnonzero(np.bincount(tokens[skip:])).tolist())
        rest = w.resent[count] | w.alive[count] | w.answers[count] | w.goes_on[count]
        rests = count[signatures.rests(tokens[count]) | rest]
        near = np.concatenate([w.mine_at[rests], w.theirs_at[rests]])
        own = np.concatenate([count, near[near >= 0]])
        self.places.append(places[own])
        for end in (0, 1):
            there = np.flatnonzero(w.side[skip:] == bool(end))
            if len(there):
                self.latest[end] = int(places[skip + there[-1]])
            for kind, known in ((~w.alive, self.spoke), (w.alive, self.alive)):
                those = np.flatnonzero((w.side[skip:] == bool(end)) & kind[skip:])
                if len(those):
                    known[end] = int(places[skip + those[-1]])
            if self.fins[end] < 0 and w.fin_at[end][0] < w.count:
                self.fins[end] = int(places[w.fin_at[end][0]])


def look(columns: Columns, clock: Clock, rows: Array) -> Lengthy | None:
    """A flow of many segments; ``None`` unless it is one connection with all in order."""
    sofar = _Sofar(columns, clock, rows)
    begin, size = 0, BEGINNING
    while begin < len(rows):
        end = min(begin + min(size, STRETCH), len(rows))
        done = sofar.go_on(begin, end)
        if done < 0:
            return None
        begin, size = done, 2 * size if done == end else BEGINNING
    ends = [place for place in (0, *sofar.latest, len(rows) - 1) if place >= 0]
    far, given_up = None, (False, False)
    if sofar.rounds is not None and sofar.rounds.far:
        far = np.array(sorted(set(sofar.rounds.milestones)), np.int64)
        sofar.places.append(far)
        given_up = sofar.rounds.given_up
    places = np.unique(np.concatenate([*sofar.places, np.array(ends, np.int64)]), return_index=True)
    one = [np.array([each]) for each in (*sofar.segments, *sofar.bytes, *sofar.marks)]
    made = regular.Sums((one[0], one[1]), (one[2], one[3]), one[4], one[5], one[6], one[0])
    return Lengthy(places[0], made, (bool(sofar.wrong[0]), bool(sofar.wrong[1])), far, given_up)


def few(columns: Columns, rows: Array) -> bool:
    """Whether a flow is one of few connections, so that it is followed if one is not in order."""
    return int(np.count_nonzero(columns.array["flags"][rows] & SYN)) <= FEW
