"""More of a capture than before: only what its new packets touch, and timers may move, is built.

The flows of the new packets are whole again, those packets and what had come before, and built as
a part of the capture (:mod:`tcpviz.bulk.spilling.buckets`); so are connections on which a timer
may have run out since, and those that ICMP errors name. All others are what they were. What
comes of it is what building all of it anew comes to; a test holds both together.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.building import FIELDS, MAX_LEAPS, Building
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.errors import joined, named
from tcpviz.bulk.connections.following import Follower
from tcpviz.bulk.connections.gaps import FIRST_NS
from tcpviz.bulk.connections.shapes import Ending, longest_ns
from tcpviz.bulk.segments.columns import Columns, rows_at
from tcpviz.bulk.segments.flows import Flows, codes, distinct, ends
from tcpviz.bulk.segments.reading import Reading
from tcpviz.bulk.segments.windows import Windows
from tcpviz.bulk.spilling.buckets import Dealt, PartBuilding, built
from tcpviz.bulk.spilling.dealing import Part
from tcpviz.core.connection import Connection
from tcpviz.core.timers import SYN_GIVE_UP_NS

Array = NDArray[Any]


def grown(
    before: Building | None,
    reading: Reading,
    enough: Callable[[], bool] | None = None,
    windows: Windows | None = None,
) -> Building:
    """As :func:`~tcpviz.bulk.spilling.buckets.built`, given what was ``built`` of its beginning.

    All is built anew where packets are more than memory may take, or some were lost since; and
    where most is touched.
    """
    count = reading.columns.count
    fits = windows is None or count <= windows.rows
    if before is None or not fits or isinstance(before, Dealt) or count >> 32:
        return built(reading, enough, windows)
    if before.reading.columns.count * 2 <= count:
        return built(reading, enough, windows)
    clock = before.clock.grown(reading.columns.array["time"]) if not reading.errors else None
    if clock is None:
        clock = Clock(reading.columns.array["time"], reading.errors, lost=reading.gaps)
    if len(reading.gaps) == len(before.reading.gaps) and len(clock.leaps) <= MAX_LEAPS:
        touched = _Touched(before, reading, clock)
        if len(touched.rows) * 2 < count:
            return Grown(before, reading, clock, touched, enough)
    return built(reading, enough, windows)


def _codes(columns: Columns, rows: Array) -> Array:
    """Of each of these rows a number that is the same in all of its flow."""
    row = rows_at(columns.array, rows)
    return codes(*ends(row, slice(None)), row["scope"])


class _Touched:
    """What has to be built again.

    That are the flows of new packets, those on which timers run, and all that ICMP errors name.

    ``codes``  of each flow that there was before
    ``flows``  which of them are touched, ``places`` of the former order that are theirs
    ``rows``   their segments, and the new ones, ascending
    """

    def __init__(self, before: Building, reading: Reading, clock: Clock) -> None:
        flows, had = before.flows, len(before.flows.order)
        if isinstance(before, Grown):
            self.codes = before.codes
        else:
            self.codes = _codes(before.reading.columns, flows.order[flows.begin[:-1]])
        fresh = np.arange(had, reading.columns.count)
        # Two flows of one code, which is as good as never: both are touched.
        wanted = np.array(distinct(_codes(reading.columns, fresh)), np.uint64)
        self.flows = np.zeros(len(self.codes), np.bool_)
        self.flows[_among(self.codes, wanted)] = True
        if reading.errors:
            ends_of = named(reading.errors)
            firsts = flows.order[flows.begin[:-1]].astype(np.intp)
            self.flows |= np.isin(np.minimum(*ends(reading.columns.array, firsts)), ends_of)
        due = _due(before, clock)
        self.flows[np.searchsorted(flows.begin, due, "right") - 1] = True
        self.places = np.repeat(self.flows, np.diff(flows.begin))
        self.rows = np.concatenate([np.sort(flows.order[self.places]).astype(np.int64), fresh])


def _among(codes: Array, wanted: Array) -> Array:
    """Where in ``codes`` any of some ascending codes stand."""
    high = np.zeros(1 << 16, np.bool_)
    high[wanted >> np.uint64(48)] = True
    maybe = np.flatnonzero(high[codes >> np.uint64(48)])
    at = np.minimum(np.searchsorted(wanted, codes[maybe]), len(wanted) - 1)
    found: Array = maybe[wanted[at] == codes[maybe]]
    return found


def _due(before: Building, clock: Clock) -> Array:
    """Places in the flows' order of connections on which a timer may run out by the end."""
    array, shapes = before.array, before.shapes
    runs = np.zeros(max(len(shapes), 1), np.bool_)
    for number in np.flatnonzero(np.bincount(array["shape"])).tolist():
        runs[number] = not shapes.lasts(number)
    # A connection that another took the place of is as it was then.
    open_ = np.flatnonzero(runs[array["shape"]] & (array["ending"] == Ending.NOTHING))
    alone = (array["size"][open_] == 1) & ~array["answered"][open_]
    first = np.where(alone, SYN_GIVE_UP_NS, FIRST_NS)
    open_ = open_[clock.steady_end - clock.steady[array["first"][open_]] >= first]
    rows = [
        row for row, c in before.followed if clock.end - c.first_ns >= FIRST_NS and longest_ns(c)
    ]
    places: Array = array["place"][open_]
    if not rows:
        return places
    where = np.zeros(len(before.flows.order), np.bool_)
    where[rows] = True
    return np.concatenate([places, np.flatnonzero(where[before.flows.order])])


class Grown(Building):
    """As :class:`Building` of all of ``reading``. ``codes``: of each flow."""

    codes: Array

    def __init__(
        self,
        before: Building,
        reading: Reading,
        clock: Clock,
        touched: _Touched,
        enough: Callable[[], bool] | None = None,
    ) -> None:
        self.reading, self.clock = reading, clock
        self.gaps = self._gaps_of()
        self.follower = Follower(reading, clock)
        self.shapes = before.shapes.grown(reading, self.follower)
        self._placed = None
        whole = touched.rows
        array = {
            "row": rows_at(reading.columns.array, whole),
            "whole": whole,
            "now": clock.now[whole],
            "steady": clock.steady[whole],
        }
        about = bool(reading.errors)
        part = Part(reading, array, Windows(sys.maxsize), self.chunk, alone=False, named=about)
        one = PartBuilding(part, self, enough)
        untouched = len(before.flows) - int(touched.flows.sum())
        self.told = joined(reading.errors, [one.told.moved(untouched)])
        self._tied = self.told.flows
        self._join_flows(before, touched, one, whole)
        self._join_connections(before, touched, one, whole)

    def _join_flows(self, before: Building, touched: _Touched, one: Building, whole: Array) -> None:
        """Those that are not touched as they were, without gaps, and behind them the others."""
        left, flows = ~touched.places, before.flows
        order = whole[one.flows.order].astype(flows.order.dtype)
        self.flows = Flows(
            np.concatenate([flows.order[left], order]),
            np.concatenate(
                [
                    np.zeros(1, np.int64),
                    np.cumsum(np.diff(flows.begin)[~touched.flows]),
                    one.flows.begin[1:] + (len(flows.order) - int(touched.places.sum())),
                ]
            ),
        )
        self.kept = np.concatenate([before.kept[left], one.kept])
        firsts = order[one.flows.begin[:-1]]
        self.codes = np.concatenate(
            [touched.codes[~touched.flows], _codes(self.reading.columns, firsts)]
        )

    def _join_connections(
        self, before: Building, touched: _Touched, one: Building, whole: Array
    ) -> None:
        """The same of connections, which are in the order of their first segments again."""
        base = len(touched.places) - int(touched.places.sum())
        former, had = before.array, len(before.array["first"])
        left = np.flatnonzero(~touched.places[former["place"]])
        first = whole[one.array["first"]].astype(np.uint32)
        order = np.argsort(np.concatenate([former["first"][left], first]), kind="stable")
        order = np.concatenate([left, np.arange(had, had + len(first))])[order]
        gone = np.cumsum(touched.places, dtype=np.uint32)
        made = {
            **one.array,
            "first": first,
            "place": one.array["place"] + np.uint32(base),
        }
        self.array = {}
        for name in FIELDS:
            was = former[name]
            if name == "place":
                was = was - gone[was]
            self.array[name] = np.concatenate([was, made[name]]).take(order)
        self._count = len(order)
        dead = np.zeros(len(touched.places), np.bool_)
        dead[before.flows.order[touched.places]] = True
        self.followed: list[tuple[int, Connection]] = []
        for row, each in before.followed:
            if not dead[row]:
                each.crowd = None  # the table says of all of them anew which they are in
                self.followed.append((row, each))
        known = {id(each) for _, each in self.followed}
        self.formers = {
            which: each for which, each in before.formers.items() if which in known
        } | one.formers
        self.followed += [(int(whole[row]), each) for row, each in one.followed]
