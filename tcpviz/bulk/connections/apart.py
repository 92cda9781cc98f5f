"""Several connections of the same ends of which some are odd: only these are followed, each alone.

A connection on the same addresses and ports touches those around it: it takes the place of the one
before, the one behind takes its own, and late segments may belong to any of those before it that
the core remembers. Where all of them were opened as they should be and their numbers lie apart, no
segment can be another's, and what is left of that is told to who follows the odd one: that there
was one before it, which did not go on any more, and what took its place when. Where that cannot be
told the whole flow is followed. In ``Building.array`` an odd one stands with its sums, and the
shape and ending of one beside it, so that who asks for neighbours finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.looked import Looked
from tcpviz.bulk.connections.succession import whole_flows
from tcpviz.bulk.connections.work import Work
from tcpviz.bulk.segments.flows import spans
from tcpviz.bulk.segments.options import CUT_SCALE, NO_SCALE
from tcpviz.core.doubt import LEAST_REACH
from tcpviz.core.late import MOST
from tcpviz.core.routing import MOST_OLDER
from tcpviz.core.segment import ACK, SYN

if TYPE_CHECKING:
    from tcpviz.bulk.connections.building import Building
    from tcpviz.bulk.connections.jobs import Job, Opened

Array = NDArray[np.int64]
Bools = NDArray[np.bool_]

LONGEST = 1 << 12
"""Segments of one that is followed alone, at most; of more the core is carried over what it can."""

ANSWERED_NS = 60_000_000_000
"""Nanoseconds within which a SYN was answered: the core gives it up later."""

_FURTHEST = 1 << 28
"""Numbers that a connection takes up, at most: none are apart from it on one side only."""

_EARLIER = MOST_OLDER + 1
"""Connections before one of which segments may be late: those remembered, and their next."""


class Able(NamedTuple):
    """Which connections of some flows can stand beside one that is followed alone.

    ``opened``  as they should be
    ``next``    with numbers apart from those of the one before, if there is one
    ``all``     and from those of all before whose late segments would be known, and no longer than
                what is followed alone; both only in flows in which something is odd
    """

    opened: Bools
    next: Bools
    all: Bools


class Run(NamedTuple):
    """A connection of a flow that is followed alone: its places in the flows' order.

    ``reused``  there is one before it
    ``heir``, ``answer``  the places of the SYN of the one behind it and of the answer to that; -1
                if there is none
    """

    flow: int
    begin: int
    end: int
    reused: bool
    heir: int
    answer: int


def able(work: Work, fine: Bools) -> Able | None:
    """What these connections are able to; ``None`` where nobody asks."""
    several = ~work.leads
    several[:-1] |= ~work.leads[1:]
    if not (several & ~fine).any():
        return None
    odd = np.bincount(work.flow[several & ~fine], minlength=len(work.begin) - 1) > 0
    which = np.flatnonzero(odd[work.flow])
    numbers = [_Numbers(work, which, server=server) for server in (False, True)]
    flow, size = work.flow[which], (work.last - work.first)[which]
    next_apart, all_apart = np.ones(len(which), np.bool_), size < LONGEST
    for back in range(1, min(_EARLIER, len(which) - 1) + 1):
        told = np.logical_or(*(each.apart(back) for each in numbers))
        for each in numbers:  # or a SYN is a late one
            told &= each.base[back:] != each.base[:-back]
        told |= flow[back:] != flow[:-back]
        all_apart[back:] &= told
        if back == 1:
            next_apart[1:] = told
    made = Able(_opened(work), *(np.zeros(len(fine), np.bool_) for _ in range(2)))
    made.next[which], made.all[which] = next_apart, all_apart
    return made


def _opened(work: Work) -> Bools:
    """Connections that were opened as they should be.

    SYNs with one number, then their answer, with another; each end has sent no other SYNs.
    """
    first, answer = work.first, work.answer_at
    well: Bools = work.answered & ~work.wrong & (work.flags[answer] & (SYN | ACK) == SYN | ACK)
    well &= (work.back[answer] == work.end[first]) & (work.rel[answer] == 0)
    well[work.part[work.syns[work.rel[work.syns] != 0]]] = False
    well[work.part[work.odd]] = False
    syns = np.append(0, np.cumsum(work.opening))
    well &= syns[answer] - syns[first] == answer - first
    took = work.time[answer] - work.time[first]
    well &= (took >= 0) & (took < ANSWERED_NS)
    return well


class _Numbers:
    """Of some connections the numbers that one end sent, or that were acknowledged of it.

    ``base``   its first one
    ``says``   whether every segment of the other end acknowledges some
    """

    def __init__(self, work: Work, which: Array, *, server: bool) -> None:
        size = (work.last - work.first)[which] + 1
        at, first = spans(work.first[which], size), np.cumsum(size) - size
        mine, has_ack, flags = work.side[at] == server, work.has_ack[at], work.flags[at]
        self.base = work.seq[(work.answer_at if server else work.first)[which]]
        back = np.where(has_ack, work.back[at], 0)
        self._low = np.minimum.reduceat(np.where(mine, work.rel[at], back), first).astype(np.int64)
        self._high = np.maximum.reduceat(np.where(mine, work.end[at], back), first).astype(np.int64)
        np.minimum(self._low, 0, out=self._low)
        self.says = np.logical_and.reduceat(mine | has_ack | work.opening[at], first)
        # As doubt.reach has it of the other end, or more.
        scaled, shift = np.where(mine, 0, work.window[at]), np.zeros(len(at), np.int64)
        syns = np.flatnonzero(flags & SYN != 0)
        scaled[syns] = 0
        asked = work.array["scale"][work.rows[at[syns]]].astype(np.int64)
        asked = np.where(asked == NO_SCALE, 0, np.where(asked == CUT_SCALE, 30, asked))
        shift[syns] = np.where(mine[syns], 0, asked)
        shift = np.maximum.reduceat(shift, first)
        widest = np.maximum.reduceat(scaled, first).astype(np.int64)
        self._near = np.clip(widest << shift, LEAST_REACH, MOST)

    def apart(self, back: int) -> Bools:
        """Of all but the first connections whether its numbers lie far from those so far back.

        Then no segment of either end is taken for a late one of that.
        """
        off = (self.base[back:] - self.base[:-back]).view(np.int32).astype(np.int64)
        low, high = self._low, self._high
        above, below = off + low[back:] - high[:-back], low[:-back] - off - high[back:]
        far: Bools = np.maximum(above, below) > self._near[:-back]
        narrow = high - low < _FURTHEST
        return far & narrow[back:] & narrow[:-back] & self.says[back:]


def odd(looked: Looked, fine: Bools, tied: Array) -> Bools:
    """Connections that are not fine, and can be followed apart from the others of their flow.

    Not in flows that are ``tied``, of which more is told.
    """
    work = looked.work
    apart: Bools = np.zeros(len(fine), np.bool_)
    able, leads = work.able, work.leads
    if able is None or fine.all() or type(looked) is not Looked or not (fine & able.opened).any():
        return apart
    last = np.append(leads[1:], True)
    apart = ~fine & able.opened & able.all & ~(leads & last)
    before, behind = np.append(False, able.opened[:-1]), np.append(able.opened[1:], False)
    apart &= (leads | before) & (last | (behind & np.append(able.next[1:], False)))
    if len(tied):
        apart &= ~np.isin(looked.flows[work.flow], tied)
    # All bad ones of a flow are, or none is; and there are others that they can stand like.
    whole = whole_flows(work, fine | apart)
    apart &= whole
    if not _usual(work, apart, whole).any():
        apart[:] = False
    return apart


def like(work: Work, odd: Bools, fine: Bools) -> Array:
    """Of each of the ``odd`` ones another that is ``fine``, and was opened as it should be."""
    if not odd.any():
        return np.zeros(0, np.int64)
    usual = np.flatnonzero(_usual(work, odd, fine))
    at = np.searchsorted(usual, np.flatnonzero(odd))
    found: Array = usual[np.maximum(at - 1, 0)]
    return found


def _usual(work: Work, odd: Bools, fine: Bools) -> Bools:
    opened = np.zeros_like(odd) if work.able is None else work.able.opened
    usual: Bools = fine & opened & ~odd
    return usual


def job(building: Building, run: Run) -> Job:
    """What there is to follow of it."""
    # Not wanted where all is regular.
    from tcpviz.bulk.connections.briefly import Heir, Neighbours
    from tcpviz.bulk.connections.jobs import Job

    order, heir = building.flows.order, None
    if run.answer >= 0:
        columns, now = building.reading.columns.array, building.clock.now
        first, answer = int(order[run.heir]), int(order[run.answer])
        frame, time_ns = int(columns["frame"][first]), int(columns["time"][answer])
        heir = Heir(frame, int(now[first]), int(now[answer]), time_ns)
    return Job(order[run.begin : run.end], beside=Neighbours(run.reused, heir))


def runs(looked: Looked, apart: Bools) -> Iterator[Run]:
    """What has to be followed of connections that were looked at."""
    at = np.flatnonzero(apart)
    if not len(at):
        return
    work = looked.work
    begin, end = looked.at[work.first[at]], looked.at[work.last[at]] + 1
    leads = np.append(work.leads, True)
    there = ~leads[at + 1]
    behind = np.where(there, at + 1, at)
    heir = np.where(there, looked.at[work.first[behind]], -1)
    answer = np.where(there, looked.at[work.answer_at[behind]], -1)
    columns = looked.flows[work.flow[at]], begin, end, ~work.leads[at], heir, answer
    yield from map(Run, *(each.tolist() for each in columns))


def kept(runs: Sequence[Run], opened: Iterable[Opened]) -> tuple[Opened, list[int]]:
    """What comes of these, each in its turn; and the flows that have to be followed as a whole."""
    made: list[tuple[Run, Opened]] = []
    for run, each in zip_longest(runs, opened):
        alone = each is not None and len(each) == 1 and not each[0][1].refused
        made.append((run, each if alone else []))
    whole = dict.fromkeys(run.flow for run, each in made if not each)
    return [one for run, each in made if run.flow not in whole for one in each], [*whole]
