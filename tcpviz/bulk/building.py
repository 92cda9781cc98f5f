"""From columns to connections: regular ones by their shape, all others by the scalar core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk import excerpts, regular
from tcpviz.bulk.clock import Clock
from tcpviz.bulk.errors import units
from tcpviz.bulk.flows import Flows, flows_of, mixed
from tcpviz.bulk.following import Follower
from tcpviz.bulk.reading import Reading
from tcpviz.bulk.shapes import Ending, Kind, Shapes
from tcpviz.bulk.signatures import signatures
from tcpviz.core.connection import Connection
from tcpviz.core.segment import Segment
from tcpviz.core.timers import SYN_ACK_GIVE_UP_NS, SYN_GIVE_UP_NS, TIME_WAIT_NS
from tcpviz.core.tracker import Tracker

Array = NDArray[Any]

CHUNK = 1 << 16
"""Segments that are worked on at a time, in whole flows; more make it no faster."""

_LONG = 1 << 12
"""A flow of more segments than this is looked at by itself."""

_SURE_NS = SYN_GIVE_UP_NS + 2 * TIME_WAIT_NS
_FIRST_NS = min(TIME_WAIT_NS, SYN_ACK_GIVE_UP_NS, SYN_GIVE_UP_NS)

FIELDS: dict[str, str] = {
    "first": "u8",  # row of the first segment
    "place": "u8",  # where its segments begin in the flows' order
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
    "rtt": "i8",
}


class Building:
    """The connections of a capture in columns.

    ``array``     of the regular ones, the columns of :data:`FIELDS`
    ``kept``      by the flows' order, segments that count for a signature
    ``followed``  the others, each with the row of its first segment
    """

    def __init__(self, reading: Reading, enough: Callable[[], bool] | None = None) -> None:
        columns = reading.columns
        self.reading = reading
        self.clock = Clock(columns.array["time"], reading.errors)
        self.flows: Flows = flows_of(columns)
        self.follower = Follower(reading, self.clock)
        self.shapes = Shapes(reading, self.follower)
        self.followed: list[tuple[int, Connection]] = []
        self.kept = np.zeros(columns.count, np.bool_)
        self._pieces: list[dict[str, Array]] = []
        self._units = units(reading, self.flows)
        for begin, end in self._chunks():
            if enough is not None and enough():
                break
            for flow in self._chunk(begin, end):
                self._follow(flow)
        # One column after the other, and the pieces of each forgotten, so that no two are there.
        self.array = {}
        for name, kind in FIELDS.items():
            pieces = [piece.pop(name) for piece in self._pieces]
            self.array[name] = np.concatenate(pieces) if pieces else np.zeros(0, kind)
        self._pieces.clear()

    def _chunks(self) -> list[tuple[int, int]]:
        """Flows in stretches of about :data:`CHUNK` segments."""
        begin = self.flows.begin
        out, at = [], 0
        while at < len(self.flows):
            end = int(np.searchsorted(begin, begin[at] + CHUNK, "right")) - 1
            end = min(max(end, at + 1), len(self.flows))
            out.append((at, end))
            at = end
        return out

    def _chunk(self, begin: int, end: int) -> list[int]:
        """Work on the flows of a stretch; those that have to be followed."""
        edges = self.flows.begin[begin : end + 1]
        base = int(edges[0])
        rows = self.flows.order[base : int(edges[-1])].astype(np.int64)
        work = regular.Work(self.reading.columns, self.clock, rows, edges - base)
        fine = regular.check(work)
        sums, fine = regular.sums_of(work, fine)
        for flow in self._units:
            if begin <= flow < end:
                fine &= work.flow != flow - begin
        fine = self._flows_fine(work, fine)
        shape, fine = self._shapes(work, fine, rows, base)
        last = np.append(work.first[1:], work.count) - 1
        ending, fine = self._endings(work, fine, last, shape)
        fine = _whole_flows(work, fine)
        mine = np.flatnonzero(fine)
        first = work.first[mine]
        made = {
            "first": rows[first],
            "place": first + base,
            "size": last[mine] - first + 1,
            "shape": shape[mine],
            "ending": ending[mine],
            "answered": work.answered[mine],
            "first_ns": work.time[first],
            "last_ns": work.time[last[mine]],
            "client_segments": sums.segments[0][mine],
            "server_segments": sums.segments[1][mine],
            "client_bytes": sums.bytes[0][mine],
            "server_bytes": sums.bytes[1][mine],
            "updates": sums.updates[mine],
            "repeats": sums.repeats[mine],
            "full": sums.full[mine],
            "rtt": sums.rtt[mine],
        }
        self._pieces.append({name: made[name].astype(kind) for name, kind in FIELDS.items()})
        return [begin + flow for flow in np.unique(work.flow[~fine]).tolist()]

    def _flows_fine(self, work: regular.Work, fine: Array) -> Array:
        """Regular also in how the connections of one flow follow upon each other."""
        first, leads = work.first, work.leads
        followed = np.zeros(len(first), np.bool_)
        followed[:-1] = ~leads[1:]
        # A SYN without an answer leaves open which connection lives, unless it is the first.
        fine = fine & ~(followed & ~leads & ~work.answered)
        # What answers the new SYN must not fit the connection before by chance.
        number = np.maximum.reduceat(np.where(work.side, -1, work.seq - work.rel + work.end), first)
        chance = np.zeros(len(first), np.bool_)
        chance[1:] = ~leads[1:] & (((work.seq[first[1:]] + 1) & 0xFFFFFFFF) == number[:-1])
        fine = fine & ~chance
        # A SYN or its answer with a number that was used before is a late one of that time.
        answer = np.minimum(work.answer, work.count - 1)
        for number in (work.seq[first], np.where(work.answered, work.seq[answer], -1)):
            order = np.lexsort((number, work.flow))
            same = np.zeros(len(first), np.bool_)
            same[order[1:]] = (
                (np.diff(number[order]) == 0)
                & (np.diff(work.flow[order]) == 0)
                & (number[order][1:] >= 0)
            )
            fine &= ~same
        return _whole_flows(work, fine)

    def _shapes(
        self, work: regular.Work, fine: Array, rows: Array, base: int
    ) -> tuple[Array, Array]:
        """Each connection's shape; those that another one followed too early are not fine."""
        codes, kept = signatures(work)
        codes ^= mixed(~work.leads, 1)
        self.kept[base : base + work.count] = kept
        shape = np.zeros(len(fine), np.int64)
        mine = np.flatnonzero(fine)
        if not len(mine):
            return shape, fine
        unique, where, back = np.unique(codes[mine], return_index=True, return_inverse=True)
        numbers = np.zeros(len(unique), np.int64)
        last = np.append(work.first[1:], work.count)
        for at, code in enumerate(unique.tolist()):
            example = int(mine[where[at]])
            kind = Kind(code, not bool(work.leads[example]))
            known = self.shapes.known(kind)
            if known is None:
                span = slice(int(work.first[example]), int(last[example]))
                known = self.shapes.number(kind, rows[span], kept[span])
            numbers[at] = known
        shape[mine] = numbers[back]
        followed = np.zeros(len(fine), np.bool_)
        followed[:-1] = ~work.leads[1:]
        lives = np.zeros(max(len(self.shapes), 1), np.bool_)
        for number in np.unique(shape[mine][followed[mine]]).tolist():
            lives[number] = self.shapes.lives(number)
        return shape, _whole_flows(work, fine & ~(followed & lives[shape]))

    def _endings(
        self, work: regular.Work, fine: Array, last: Array, shape: Array
    ) -> tuple[Array, Array]:
        """What came after each; not fine where it cannot be told without the exact deadlines."""
        steady, first = self.clock.steady[work.rows], work.first
        ending = np.zeros(len(first), np.int64)
        replaced = np.zeros(len(first), np.bool_)
        replaced[:-1] = ~work.leads[1:] & work.answered[1:]
        end = self.clock.steady_end
        since_last = end - steady[last]
        closing = np.minimum.reduceat(np.where(work.fin, work.index, work.count), first)
        began = np.where(closing < work.count, np.minimum(closing, work.count - 1), first)
        single = (last == first) & ~work.answered
        lasting = np.zeros(max(len(self.shapes), 1), np.bool_)
        for number in np.unique(shape[fine]).tolist():
            lasting[number] = self.shapes.lasts(number)
        lasting = lasting[shape] & fine
        over = np.where(single, since_last >= SYN_GIVE_UP_NS, since_last >= _SURE_NS)
        early = np.where(single, since_last < SYN_GIVE_UP_NS, end - steady[began] < _FIRST_NS)
        # With a leap between, a deadline that means nothing any more may end TIME-WAIT early.
        leaps = self.clock.now[work.rows[first]] - steady[first] != self.clock.end - end
        over, early = over & ~leaps, early & ~leaps
        ending[over & ~lasting] = Ending.TIMERS
        ending[replaced] = Ending.REPLACED
        return ending, fine & (replaced | over | early | lasting)

    def follow(
        self, flow: int, tracker: Tracker | None = None
    ) -> tuple[Tracker, list[tuple[int, Connection]]]:
        """Follow a flow, and those that ICMP errors tie to it, from their beginning to the end."""
        unit = self._units.get(flow)
        if unit is None:
            return self.follower.follow(self.flows.rows(flow).tolist(), tracker=tracker)
        rows = sorted(row for each in unit.flows for row in self.flows.rows(each).tolist())
        return self.follower.follow(rows, unit.errors, tracker=tracker)

    def _follow(self, flow: int) -> None:
        unit = self._units.get(flow)
        begin, end = self.flows.begin[flow : flow + 2].tolist()
        if unit is None and end - begin > excerpts.LEAST and self._excerpt(flow):
            return
        if unit is None or flow == min(unit.flows):
            self.followed += self.follow(flow)[1]

    def _excerpt(self, flow: int) -> bool:
        """Follow a long flow without its stretches in order; false if there are none."""
        rows = self.flows.rows(flow).astype(np.int64)
        edges = np.array([0, len(rows)])
        work = regular.Work(self.reading.columns, self.clock, rows, edges)
        excerpt = excerpts.Excerpt(work)
        if not excerpt.cuts:
            return False
        places = excerpt.kept().tolist()

        def changed(place: int, segment: Segment) -> Segment:
            return excerpt.moved(places[place], segment)

        _, opened = self.follower.follow(rows[places].tolist(), changed=changed)
        if len(opened) != 1:
            return False
        excerpt.add(opened[0][1])
        self.followed += opened
        return True


def _whole_flows(work: regular.Work, fine: Array) -> Array:
    """Fine are only flows all of whose connections are."""
    wrong = np.zeros(len(work.begin) - 1, np.bool_)
    wrong[work.flow[~fine]] = True
    return ~wrong[work.flow]
