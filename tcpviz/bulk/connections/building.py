"""From columns to connections: regular ones by their shape, all others by the scalar core."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk import forks
from tcpviz.bulk.connections import alone, apart, lengthy, regular
from tcpviz.bulk.connections.beginnings import ends_at
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.errors import Told, scopes_met, told
from tcpviz.bulk.connections.following import Follower
from tcpviz.bulk.connections.gaps import Gaps
from tcpviz.bulk.connections.looked import Looked, looked
from tcpviz.bulk.connections.shapes import After, Shapes
from tcpviz.bulk.connections.shares import Share, Span, shares, stretches
from tcpviz.bulk.connections.succession import endings, flows_fine, replaced, whole_flows
from tcpviz.bulk.connections.work import Work
from tcpviz.bulk.segments.flows import (
    Flows,
    Mixed,
    check,
    distinct,
    flows_of,
    spans,
    syns,
    unmixed,
)
from tcpviz.bulk.segments.reading import Reading, Unsuited
from tcpviz.core.connection import Connection
from tcpviz.core.records import Unreachable
from tcpviz.core.tracker import Tracker

if TYPE_CHECKING:
    from tcpviz.bulk.connections.jobs import Job, Opened

Array = NDArray[Any]

CHUNK = 1 << 15
"""Segments that are worked on at a time, in whole flows; half as many take a fiftieth longer."""

MAX_ERRORS = 100_000
"""ICMP errors about flows that have to be followed: there are records of them until then."""

MAX_LEAPS = 1 << 12
"""Leaps of a capture's clock that are followed in each flow; it could be made of them."""


FIELDS: dict[str, str] = {
    "first": "u4",  # row of the first segment
    "place": "u4",  # where its segments begin in the flows' order
    "size": "u4",  # how many there are
    "shape": "u4",
    "ending": "u1",
    "answered": "?",
    "first_ns": "i8",
    "last_ns": "i8",
    "client_segments": "u4",
    "server_segments": "u4",
    "client_bytes": "i8",
    "server_bytes": "i8",
    "updates": "u4",
    "repeats": "u4",
    "full": "u4",
    "copies": "u4",
    "rtt": "i8",
}


class Building:
    """The connections of a capture in columns.

    ``array``     of the regular ones, the columns of :data:`FIELDS`, in the order of ``first``
    ``kept``      by the flows' order, segments that count for a signature
    ``followed``  the others, each with the row of its first segment; those that were followed
                  :mod:`apart <tcpviz.bulk.connections.apart>` stand in ``array``, too
    ``formers``   of those, by ``id()``: whose place a connection took, if anybody's
    ``told``      the ICMP errors about its flows
    """

    chunk = CHUNK

    def __init__(self, reading: Reading, enough: Callable[[], bool] | None = None) -> None:
        columns = reading.columns
        if columns.count >> 32:
            raise Unsuited("more segments than places can be told of")
        self.reading = reading
        self.clock = self._clock_of()
        if len(self.clock.leaps) > MAX_LEAPS:
            raise Unsuited("its clock leaps too often")
        try:
            self._build(enough)
        except Mixed:
            self._build(enough, sure=True)

    def _build(self, enough: Callable[[], bool] | None, *, sure: bool = False) -> None:
        """Go through all flows; once more if they have to be ``sure``. Raises Mixed, Unsuited."""
        reading, columns = self.reading, self.reading.columns
        self.flows: Flows = self._flows_of(sure=sure)
        self.follower = Follower(reading, self.clock)
        self.shapes = self._shapes_of()
        self.followed: list[tuple[int, Connection]] = []
        self.formers: dict[int, Connection] = {}
        self.kept = np.zeros(columns.count, np.bool_)
        # A connection begins where a flow does, or with a SYN; what is not used costs nothing.
        most = len(self.flows) + syns(columns.array["flags"])
        self.array = {name: np.empty(most, kind) for name, kind in FIELDS.items()}
        self._count = 0
        self._placed: Array | None = None
        self.told = self._told_of()
        self._tied = self.told.flows
        self._followed_errors = 0
        self.gaps = self._gaps_of()
        self._parted = self.gaps.within(self.flows) if self.gaps else None
        self._done: Array | None = None
        self._runs: list[apart.Run] = []
        self._alone()
        irregular = self._losing(self._irregular(enough))
        for flow in irregular:
            from tcpviz.bulk.connections import jobs  # not wanted where all is regular

            some = map(self._job, itertools.chain([flow], irregular))
            for opened in jobs.followed(some, reading, self.clock, self.follower, enough):
                self._enter(opened)
        self._sort()
        if self._runs:
            self._apart(enough)
        if len(self.told):
            from tcpviz.bulk.connections import reports  # not wanted where there are none

            reports.tell(reading.columns, self.flows, self.told, self.array, self.shapes)

    def _irregular(self, enough: Callable[[], bool] | None) -> Iterator[int]:
        """Go through all flows; those that have to be followed."""
        chunks = stretches(self.flows, self.chunk, self._done)
        # What is common is known from the first, and not made by each of them anew.
        yield from self._through(chunks[:1], enough)
        mine, *theirs = shares(self.reading, self.flows, chunks[1:])
        with forks.Forks([functools.partial(self._share, each) for each in theirs]) as others:
            yield from self._through(mine, enough)
            for place, each in enumerate(theirs):
                try:
                    share = others.take(place)
                except forks.Lost:
                    yield from self._through(each, enough)
                else:
                    yield from self._join(share)

    def _apart(self, enough: Callable[[], bool] | None) -> None:
        """Follow the odd ones among many; all of a flow, where the others are not as they seem."""
        from tcpviz.bulk.connections import jobs  # not wanted where all is regular

        some = (apart.job(self, run) for run in self._runs)
        opened = jobs.followed(some, self.reading, self.clock, self.follower, enough)
        made, whole = apart.kept(self._runs, opened)
        self.followed += made
        if not whole:
            return
        flow = np.searchsorted(self.flows.begin, self.array["place"], "right") - 1
        left = ~np.isin(flow, whole)
        self.array = {name: column[left] for name, column in self.array.items()}
        self._placed, self._count = None, int(np.count_nonzero(left))
        again = map(self._job, whole)
        for each in jobs.followed(again, self.reading, self.clock, self.follower, enough):
            self._enter(each)

    def _through(self, chunks: list[Span], enough: Callable[[], bool] | None) -> Iterator[int]:
        """The same of some stretches."""
        for chunk in chunks:
            made = self._look(chunk)
            if enough is not None and enough():
                return
            rest = [made] if isinstance(made, int) else self._take(made)
            if rest and not self.gaps:
                from tcpviz.bulk.connections import doubled  # not wanted where all is regular

                doubles = doubled.Doubles(self.reading, self.clock, self.flows)
                rest = doubles.enter(rest, self._tied, self._take)
            yield from self._partly(rest) if rest else ()

    def _partly(self, rest: list[int]) -> Iterator[int]:
        """Enter those of these flows of which a part was captured; the others."""
        from tcpviz.bulk.connections import partly  # not wanted where all is regular

        columns, torn = self.reading.columns, self.gaps.torn if self.gaps else None
        some, rest = partly.among(columns, self.flows, rest, self._tied)
        for made in partly.looks(columns, self.clock, self.flows, some, torn):
            rest += [made] if isinstance(made, int) else self._take(made)
        yield from rest

    def _losing(self, irregular: Iterator[int]) -> Iterator[int]:
        """Enter those of these flows that lost little; the others."""
        rest = [] if self.gaps else list(irregular)
        if rest:
            from tcpviz.bulk.connections import losing  # not wanted where all is regular

            which, columns = np.array(rest, np.int64), self.reading.columns
            tied = np.isin(which, self._tied)
            rest = which[tied].tolist()
            for made in losing.looks(columns, self.clock, self.flows, which[~tied], self.shapes):
                rest += [made] if isinstance(made, int) else self._take(made)
        yield from rest
        yield from irregular

    def _share(self, chunks: list[Span]) -> Share:
        """What another process makes of some stretches."""
        before, segments, mark = self._count, self.follower.segments, self.shapes.mark
        runs = len(self._runs)
        irregular = list(self._through(chunks, None))
        span = slice(*self.flows.begin[[chunks[0][0], chunks[-1][1]]].tolist())
        return Share(
            {name: column[before : self._count] for name, column in self.array.items()},
            span,
            self.kept[span],
            irregular,
            self._runs[runs:],
            self.shapes.since(mark),
            self.follower.segments - segments,
        )

    def _join(self, share: Share) -> list[int]:
        """Enter what another has made; its flows that have to be followed."""
        start = self._count
        self._count += len(share.array["first"])
        for name, column in share.array.items():
            self.array[name][start : self._count] = column
        numbers = self.shapes.join(share.shapes)
        shape = self.array["shape"][start : self._count]
        shape[:] = numbers[shape]
        self.kept[share.span] = share.kept
        self.follower.segments += share.segments
        self._runs += share.runs
        return share.irregular

    def _sort(self) -> None:
        """Bring the connections into the order of their first segments."""
        array = {name: column[: self._count] for name, column in self.array.items()}
        first = array["first"]
        if (first[1:] > first[:-1]).all():
            self.array = array
            return
        # Few columns at a time, so that not all are there twice.
        order = self._order().astype(np.intp)
        for name in list(array):
            self.array[name] = array.pop(name).take(order)

    def _clock_of(self) -> Clock:
        reading = self.reading
        return Clock(reading.columns.array["time"], reading.errors, lost=reading.gaps)

    def _gaps_of(self) -> Gaps:
        return Gaps(self.reading.gaps, self.clock)

    def _flows_of(self, *, sure: bool) -> Flows:
        return flows_of(self.reading.columns, sure=sure)

    def _shapes_of(self) -> Shapes:
        return Shapes(self.reading, self.follower)

    def _told_of(self) -> Told:
        return told(self.reading, self.flows, self.met if self.reading.errors else ())

    def _order(self) -> Array:
        """What brings the connections into the order of their first segments."""
        begins = np.zeros(self.reading.columns.count, np.uint32)
        numbers = np.arange(1, self._count + 1, dtype=np.uint32)
        begins[self.array["first"][: self._count]] = numbers
        return begins[np.flatnonzero(begins)] - np.uint32(1)

    @functools.cached_property
    def met(self) -> dict[tuple[str, ...], None]:
        """The VLANs and tunnels in the order in which the core would meet them."""
        return scopes_met(self.reading)

    @functools.cached_property
    def firsts(self) -> dict[str, Array]:
        """Who talks in each: see :mod:`tcpviz.bulk.connections.beginnings`."""
        return ends_at(self.reading.columns, self.array["first"])

    def by_place(self) -> Array:
        """What brings ``array`` into the order of the connections' places."""
        if self._placed is None:
            self._placed = np.argsort(self.array["place"])
        return self._placed

    def next(self, at: int) -> int:
        """Which of ``array`` came next on the same addresses and ports; there is one."""
        place, order = self.array["place"], self.by_place()
        after = place[at] + self.array["size"][at]
        return int(order[np.searchsorted(place, after, sorter=order)])

    def _alone(self) -> None:
        """Enter the flows that are nothing but a SYN, where there are many."""
        if self.gaps:
            return
        columns, array = self.reading.columns, self.array
        rows, place, ending = alone.syns(columns, self.clock, self.flows, self._tied)
        if not len(rows):
            return
        # What the core says of one of them it would say of all.
        flow = int(np.searchsorted(self.flows.begin, place[0], "right")) - 1
        made = self._look((flow, flow + 1))
        if isinstance(made, int) or self._take(made):
            return
        self.kept[place] = True
        start, self._count = self._count - 1, self._count - 1 + len(rows)
        same = {name: array[name][start] for name in array}
        same |= {"first": rows, "place": place, "ending": ending}
        same |= dict.fromkeys(("first_ns", "last_ns"), columns.array["time"][rows])
        for name, column in array.items():
            column[start : self._count] = same[name]
        begins = np.zeros(columns.count + 1, np.bool_)
        begins[place] = True
        self._done = begins[self.flows.begin[:-1]]

    def _look(self, span: Span) -> Looked | int:
        """Look at the flows of a stretch, each by itself; in any thread.

        One by its number that need not be looked at any further: it has to be followed.
        """
        begin, end = span
        flows, at, edges = self._those(begin, end)
        rows = self.flows.order[at]
        columns, clock = self.reading.columns, self.clock
        whole = end - begin == 1 and len(rows) >= lengthy.LEAST
        if whole and not self.flows.sure:
            check(columns, rows)
        if whole and self._parted is not None and self._parted[begin]:
            return begin
        if whole and self._errors_of(begin, end):
            return begin
        long = lengthy.look(columns, clock, rows) if whole else None
        if whole and long is None and lengthy.few(columns, rows):
            return begin
        if long is not None:
            work, at = long.work(columns, clock, rows), int(self.flows.begin[begin]) + long.places
        else:
            work = Work(columns, clock, rows.astype(np.int64), edges)
        if not (whole or self.flows.sure or unmixed(work.row, edges)):
            raise Mixed
        if self.gaps:
            work.torn = self.gaps.torn(work)
        if long is None:
            sums, fine = regular.sums_of(work, regular.check(work))
        else:
            sums, fine = long.sums, regular.timely(work)
            sums.rtt = regular.round_trip(work)
        fine = flows_fine(work, fine)
        if long is None:
            work.able = apart.able(work, fine)
        return looked(flows, work, sums, fine, at)

    def _errors_of(self, begin: int, end: int) -> bool:
        """Whether an ICMP error is about any of these flows."""
        low, high = np.searchsorted(self._tied, [begin, end]).tolist()
        return bool(low < high)

    def _those(self, begin: int, end: int) -> tuple[Array, slice | Array, Array]:
        """The flows of a stretch that are not done yet, their segments, and each's among them."""
        edges = self.flows.begin[begin : end + 1]
        if self._done is None or not self._done[begin:end].any():
            span = slice(int(edges[0]), int(edges[-1]))
            return np.arange(begin, end), span, edges - edges[0]
        left = np.flatnonzero(~self._done[begin:end])
        start, sizes = edges[left], edges[left + 1] - edges[left]
        return begin + left, spans(start, sizes), np.append(0, np.cumsum(sizes))

    def _take(self, looked: Looked) -> list[int]:
        """Enter the connections of a stretch; returns the flows that have to be followed."""
        flows, work, sums = looked.flows, looked.work, looked.sums
        self.kept[looked.at] = looked.kept
        fine = self.follower.same_data(work, looked.fine)
        if len(self._tied):
            # Which one of several connections an error is about is the core's to say.
            several = np.bincount(work.flow, minlength=len(flows)) > 1
            fine = fine & ~(several[work.flow] & np.isin(flows[work.flow], self._tied))
        if self._parted is not None:
            fine &= ~self.gaps.tangled(work, self._parted[flows])
        odd = np.zeros_like(fine) if self.gaps else apart.odd(looked, fine, self._tied)
        fine = whole_flows(work, fine | odd)
        like = apart.like(work, odd, fine)
        shape, fine = self._shapes(looked, fine, odd, like)
        ending, sure = endings(work, self.clock, self.shapes, shape, fine & ~odd)
        ending[odd], sure[odd] = ending[like], fine[odd]
        fine = sure
        if self.gaps:
            gone = replaced(work) >= 0
            shape, fine = self.gaps.doubts(self.shapes, self.clock, work, gone, fine, shape)
        fine = whole_flows(work, fine)
        mine: Array | slice = slice(None) if fine.all() else np.flatnonzero(fine)
        first = work.first[mine]
        made = {
            "first": work.rows[first],
            "place": looked.places(mine),
            "size": sums.segments[0][mine] + sums.segments[1][mine],
            "shape": shape[mine],
            "ending": ending[mine],
            "answered": work.answered[mine],
            "first_ns": work.time[first],
            "last_ns": looked.last_ns(mine),
            "client_segments": sums.segments[0][mine],
            "server_segments": sums.segments[1][mine],
            "client_bytes": sums.bytes[0][mine],
            "server_bytes": sums.bytes[1][mine],
            "updates": sums.updates[mine],
            "repeats": sums.repeats[mine],
            "full": sums.full[mine],
            "copies": looked.doubles(mine),
            "rtt": sums.rtt[mine],
        }
        start, self._count = self._count, self._count + len(first)
        for name, column in self.array.items():
            column[start : self._count] = made[name]
        self._runs += apart.runs(looked, odd & fine)
        return distinct(flows[work.flow[~fine]])

    def _shapes(self, looked: Looked, fine: Array, odd: Array, like: Array) -> tuple[Array, Array]:
        """Each connection's shape; not fine where it is open what a SYN came into.

        Of ``odd`` ones that of those that they are to be ``like``.
        """
        work = looked.work
        shape = np.zeros(len(fine), np.int64)
        if not fine.any():
            return shape, fine
        after = np.where(work.leads, After.NOTHING, After.CLOSED)
        self.shapes.enter(looked, after, np.flatnonzero(fine & ~odd), shape)
        shape[odd] = shape[like]
        followed = np.zeros(len(fine), np.bool_)
        followed[:-1] = ~work.leads[1:]
        lives = self.shapes.living(shape, fine & followed & ~odd)
        into = np.zeros(len(fine), np.bool_)
        into[1:] = lives[:-1] == 1
        # A SYN without an answer leaves open which connection it belongs to.
        fine = whole_flows(work, fine & (lives >= 0) & ~(into & (~work.answered | odd)))
        again = np.flatnonzero(fine & into)
        if len(again):
            after[again] = After.OPEN
            self.shapes.enter(looked, after, again, shape)
            same = self.shapes.living(shape, fine & into & followed) == np.where(into, lives, 0)
            fine = whole_flows(work, fine & (same | ~into))
        return shape, fine

    def follow(
        self, flow: int, tracker: Tracker | None = None
    ) -> tuple[Tracker, list[tuple[int, Connection]]]:
        """Follow a flow, with what ICMP errors say of it, from its beginning to the end."""
        rows, errors = self.flows.rows(flow), self.about(flow)
        if not errors:
            # Its timeline shows them all.
            told = self.gaps.among(rows) if tracker is None else self.gaps.beside(())
            return self.follower.follow(rows.tolist(), told, tracker=tracker)
        tracker = Tracker(keep=False) if tracker is None else tracker
        tracker.followed.scopes |= self.met
        return self.follower.follow(rows.tolist(), self.gaps.beside(errors), tracker=tracker)

    def about(self, flow: int) -> list[tuple[int, Unreachable]]:
        """The ICMP errors about a flow."""
        return self.told.of(flow) if self._errors_of(flow, flow + 1) else []

    def _job(self, flow: int) -> Job:
        """What there is to follow of a flow."""
        from tcpviz.bulk.connections.jobs import Job, is_long

        rows = self.flows.rows(flow)
        long = is_long(self.reading.columns.array, rows)
        if not self._errors_of(flow, flow + 1):
            return Job(rows, self.gaps.among(rows), long=long)
        self._followed_errors += self.told.count(flow)
        if self._followed_errors > MAX_ERRORS:
            raise Unsuited("too many ICMP errors about connections that have to be followed")
        errors = self.told.of(flow)
        return Job(rows, self.gaps.beside(errors, rows), self.met, long=long)

    def _enter(self, opened: Opened) -> None:
        """Enter the connections of what was followed."""
        if len(opened) > 1:
            # By their numbers among themselves, before the table gives them its own.
            known = {each.id: each for _, each in opened}
            self.formers |= {
                id(each): known[each.older[0]]
                for _, each in opened
                if each.older and each.older[0] in known
            }
        self.followed += opened
