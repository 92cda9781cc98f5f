"""What the core has to see of a long connection that is not regular all along.

Between two moments at which everything sent was acknowledged, and each end's
window was the same, a stretch in which everything came in order changes nothing
but sums: such stretches are left out, the numbers behind them moved up, and the
sums added at the end. Some segments on either side always stay, so that all
that the core remembers of the latest ones is what it would remember.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk import regular, sums
from tcpviz.bulk.columns import SUM_SHIFT
from tcpviz.bulk.work import FIN, RST, SYN, Work
from tcpviz.core.connection import Connection
from tcpviz.core.marks import MarkName
from tcpviz.core.records import Side
from tcpviz.core.segment import Segment

Array = NDArray[Any]

MARGIN = 24
"""Segments in order that stay on either side of what is left out."""

LEAST = 128
"""Segments in order that are worth looking at."""

_RECENT = 16  # packets among which the core looks for copies
_MASK = 0xFFFFFFFF


@dataclass(slots=True)
class Cut:
    """Segments from ``begin`` up to ``end`` (of the flow's) are left out.

    ``space``  how much of each end's sequence numbers they took; client, server
    """

    begin: int
    end: int
    space: tuple[int, int]


class Excerpt:
    """A flow of one connection with its cuts."""

    def __init__(self, work: Work) -> None:
        self._work = work
        *self._marked, windows = regular.windows(work)
        self._clean = regular.fits(work) & windows
        self._clean &= work.flags & (FIN | SYN | RST) == 0
        self._clean &= ~work.resent & ~(work.closed & work.ended)
        # The first wrong checksum of an end is told.
        wrong = work.bits >> SUM_SHIFT & 3 == sums.WRONG
        for side in (False, True):
            self._clean[np.flatnonzero(wrong & (work.side == side))[:1]] = False
        # Once the capture has shown a packet twice, the core takes what is alike and bears no
        # identification for a copy.
        nameless = work.array["ident"][work.rows] == 0
        self._clean &= ~(nameless & (self._marked[0] | self._marked[1]))
        # Who says what: data, and whether the server acknowledges more than the SYN.
        beyond = work.side & (work.back > 1)
        self._kind = (
            work.side.astype(np.int8) << 2 | (work.length > 0).astype(np.int8) << 1 | beyond
        )
        self._met = np.full(8, work.count)
        kinds, first = np.unique(self._kind, return_index=True)
        self._met[kinds] = first
        # A timestamp from elsewhere goes on counting against all that follow.
        steady = regular.stamps(work).all()
        self.cuts = list(self._cuts()) if len(work.first) == 1 and steady else []

        self._ends = [cut.end for cut in self.cuts]
        spaces = itertools.accumulate(
            (cut.space for cut in self.cuts), lambda one, more: (one[0] + more[0], one[1] + more[1])
        )
        self._lost = list(spaces)

    def _cuts(self) -> Iterator[Cut]:
        edges = np.flatnonzero(np.diff(np.concatenate([[0], self._clean.view(np.int8), [0]])))
        for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            if end - begin >= LEAST:
                cut = self._cut(begin + MARGIN, end - MARGIN, end)
                if cut is not None:
                    yield cut

    def _cut(self, low: int, high: int, end: int) -> Cut | None:
        """The longest stretch that may be left out between two places."""
        w = self._work
        span = slice(low, high)
        # Before a segment all is quiet if each end has acknowledged whatever the other sent.
        quiet = (w.heard[span] == w.mine[span]) & (w.acked[span] == w.theirs[span])
        places = np.flatnonzero(quiet) + low
        if len(places) < 2:
            return None
        mine, theirs = w.window[w.mine_at[places]], w.window[w.theirs_at[places]]
        side = w.side[places]
        pair = np.where(side, theirs, mine) << 16 | np.where(side, mine, theirs)
        _, first, back = np.unique(pair, return_index=True, return_inverse=True)
        last = np.zeros(len(first), np.int64)
        np.maximum.at(last, back, np.arange(len(places)))
        best = int(np.argmax(places[last] - places[first]))
        begin, stop = int(places[first[best]]), int(places[last[best]])
        if stop - begin < MARGIN or not self._forgotten(begin, stop, end):
            return None
        data = w.length[begin:stop]
        there = int(data[w.side[begin:stop]].sum())
        return Cut(begin, stop, (int(data.sum()) - there, there))

    def _forgotten(self, begin: int, stop: int, end: int) -> bool:
        """Whether what stays makes up for all that the core would remember of the stretch."""
        w = self._work
        inside = np.unique(self._kind[begin:stop])
        if (self._met[inside] >= begin).any():
            return False
        # Who sent data in it has sent some since.
        talks = inside[inside & 2 > 0]
        since = self._kind[stop:end]
        if not np.isin(talks >> 2, since[since & 2 > 0] >> 2).all():
            return False
        ident = w.array["ident"][w.rows[begin - _RECENT : stop + _RECENT]]
        around = ident[:_RECENT], ident[-_RECENT:]
        return not np.isin(around[0][around[0] > 0], around[1]).any()

    def kept(self) -> Array:
        """Places of the segments that stay."""
        stays = np.ones(self._work.count, np.bool_)
        for cut in self.cuts:
            stays[cut.begin : cut.end] = False
        return np.flatnonzero(stays)

    def moved(self, place: int, segment: Segment) -> Segment:
        """A segment that stays, with its numbers moved up."""
        before = bisect.bisect_right(self._ends, place)
        if not before:
            return segment
        lost = self._lost[before - 1]
        side = int(self._work.side[place])
        mine, theirs = lost[side], lost[1 - side]
        options = segment.options
        if options.sack:
            blocks = tuple(
                ((left - theirs) & _MASK, (right - theirs) & _MASK) for left, right in options.sack
            )
            options = replace(options, sack=blocks)
        ack = (segment.ack - theirs) & _MASK if segment.has_ack else segment.ack
        return replace(segment, seq=(segment.seq - mine) & _MASK, ack=ack, options=options)

    def add(self, connection: Connection) -> None:
        """Add the sums of what was left out."""
        w = self._work
        assert connection.analysis is not None
        names = (MarkName.WINDOW_UPDATE, MarkName.DUPLICATE_ACK, MarkName.WINDOW_FULL)
        for cut in self.cuts:
            span = slice(cut.begin, cut.end)
            for side, end in ((Side.CLIENT, connection.client), (Side.SERVER, connection.server)):
                mine = w.side[span] == (side is Side.SERVER)
                data = w.length[span][mine]
                end.segments += int(mine.sum())
                end.bytes += int(data.sum())
                signs = connection.analysis.vitals.of(side)
                signs.data += int((data > 0).sum())
                known = w.bits[span][mine] >> SUM_SHIFT & 3
                signs.summed += int((known != sums.UNKNOWN).sum())
                signs.bad_sums += int((known == sums.WRONG).sum())
                signs.largest_acked = max(signs.largest_acked, int(data.max(initial=0)))
                for name, marked in zip(names, self._marked, strict=True):
                    count = int(marked[span][mine].sum())
                    if count:
                        connection.analysis.marks.counts[side][name] += count
