"""The table of a capture's connections: columns for what is regular, objects for the rest.

``Table.connection`` gives any of them as the core's :class:`~tcpviz.core.connection.Connection`;
those that are regular are made for the moment, from their shape and their own
numbers, and hold what tables, verdicts and reports ask (:data:`TOLD`).
``Table.whole`` follows one segment by segment instead, and holds everything.
"""

from __future__ import annotations

import functools
import ipaddress
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import former
from tcpviz.bulk.connections.building import Building
from tcpviz.bulk.connections.narrowing import narrow, narrow_all
from tcpviz.bulk.connections.shapes import Ending
from tcpviz.bulk.tables.crowding import FATES, Facts, crowds_of
from tcpviz.bulk.tables.dressing import dressed
from tcpviz.core.connection import Connection
from tcpviz.core.crowds import Crowd, fate
from tcpviz.core.watch import PAUSE_NS
from tcpviz.wire.tcp import address

Array = NDArray[Any]

FOLLOWED = 1 << 31
"""In ``Table._source``: that the rest is a place among the followed ones."""


class Table:
    """Connections by their place, from 0, in the order of their first segments.

    ``first_ns``, ``last_ns``, ``until_ns``  of each: when it began and ended, and until when the
    capture went on after it (:class:`tcpviz.core.watch.Watch`)
    ``origin``  when the first of all began
    ``begin``   how many there are before the first one: 0, where it is not a part of another
    """

    begin = 0

    def __init__(self, building: Building) -> None:
        self._building = building
        self._array = building.array
        narrow_all(self._array)
        self._columns = building.reading.columns
        count, others = len(self._array["first"]), len(building.followed)
        self._source = np.arange(count, dtype=np.uint32)
        self._among: dict[int, int] = {}
        if others:
            self._put_among(count)
        kinds = self._array["shape"].astype(np.int64) << 2 | self._array["ending"]
        there = np.bincount(kinds) > 0
        self._shapes = np.flatnonzero(there), narrow((np.cumsum(there) - 1)[kinds])
        del kinds
        self.first_ns = self._times("first_ns")
        self.origin = int(self.first_ns.min()) if len(self) else 0
        self.last_ns = self._times("last_ns")
        self.until_ns = _until(self.first_ns, self.last_ns)
        rtt = self._array["rtt"]
        # A shape that tells none has none, whatever the time between its segments.
        took = self.column(
            rtt, lambda c: -1 if c.handshake_rtt_ns is None else c.handshake_rtt_ns
        ).copy()
        took[self.shaped(lambda c: int(c.handshake_rtt_ns is None)) > 0] = -1
        self.rtt = narrow(took, signed=True)
        del took
        self.crowds, self.crowd = self._crowds()

    def _put_among(self, count: int) -> None:
        """Put those that were followed among the ``count`` of the columns, and number them."""
        followed, first = self._building.followed, self._array["first"]
        rows = np.array([row for row, _ in followed], np.uint32)
        turn = np.argsort(rows, kind="stable").astype(np.uint32)
        # The regular ones are in their order; the others come in between, or stand there.
        before = np.searchsorted(first, rows[turn])
        there = np.append(first, 0)[before] == rows[turn]
        there[before == count] = False
        self._among = dict(zip(before[there].tolist(), turn[there].tolist(), strict=True))
        self._from = self._source.copy()
        self._from[before[there]] = turn[there] + np.uint32(count)
        self._source[before[there]] = turn[there] | np.uint32(FOLLOWED)
        before, between = before[~there], turn[~there]
        self._from = np.insert(self._from, before, between + np.uint32(count))
        self._source = np.insert(self._source, before, between | np.uint32(FOLLOWED))
        order = np.flatnonzero(self._source >= FOLLOWED)
        numbers = np.empty(len(rows), np.int64)
        numbers[self._source[order] - np.uint32(FOLLOWED)] = order + 1
        apart = set(self._among.values())
        whole = [each for each in range(len(rows)) if each not in apart]
        former.number([followed[each] for each in whole], numbers[whole].tolist())
        for at, each in self._among.items():
            one = followed[each][1]
            one.id, one.older = int(numbers[each]), self._older.of(at)

    def __len__(self) -> int:
        return len(self._source)

    def __iter__(self) -> Iterator[Connection]:
        return (self.connection(place) for place in range(len(self)))

    def _object(self, place: int) -> Connection:
        return self._building.followed[int(self._source[place]) - FOLLOWED][1]

    def _times(self, name: str) -> Array:
        return self.column(self._array[name], lambda c: getattr(c, name))

    def column(self, regular: Array, of: Callable[[Connection], int]) -> Array:
        """A number of each: of the regular ones as it is in ``regular``, of the others ``of``."""
        others = [of(each) for _, each in self._building.followed]
        if not others:
            same = regular.astype(np.int64, copy=False).view()
            same.flags.writeable = False
            return same
        both = np.concatenate([regular.astype(np.int64), np.array(others, np.int64)])
        return both[self._from]

    def shaped(self, of: Callable[[Connection], int]) -> Array:
        """A number of each that only depends on its shape and on what came after it."""
        shapes, (unique, back) = self._building.shapes, self._shapes
        values = [of(shapes.connection(kind >> 2, Ending(kind & 3))) for kind in unique.tolist()]
        return self.column(np.array(values, np.int64)[back], of)

    def kinds(self) -> tuple[Array, Array]:
        """What shape, ending and crowd each has, as one number; and which have no shape."""
        array = self._array
        shape = self.column(array["shape"], lambda _: 0)
        ending = self.column(array["ending"], lambda _: 0)
        both = shape * len(Ending) + ending
        both = both * (len(self.crowds) + 1) + self.crowd + 1
        alone = self._source >= FOLLOWED
        told = self._building.shapes.told_of(shape)
        if told is None:
            return both, alone
        # The same may be said by others.
        by, each = told
        regular = np.flatnonzero(~alone & by)
        reporter = np.zeros(len(self), np.int64)
        reporter[regular] = self.reporters(self.regular(regular)[1]) + 1
        return both * (int(reporter.max(initial=0)) + 1) + reporter, alone | each

    def examples(self) -> Iterator[Connection]:
        """One connection of each shape and ending that there is, and all that were followed."""
        shapes = self._building.shapes
        for kind in self._shapes[0].tolist():
            yield shapes.connection(kind >> 2, Ending(kind & 3))
        for _, each in self._building.followed:
            yield each

    @property
    def scopes(self) -> Array:
        """VLANs and tunnels of each, as a number."""
        tables = self._columns.tables
        return self.column(
            self._first("scope"),
            lambda c: tables.scope(6 if ":" in c.client.endpoint.addr else 4, c.key.scope),
        )

    @property
    def scope_names(self) -> list[tuple[int, tuple[str, ...]]]:
        """IP version and names that each number of :attr:`scopes` stands for."""
        return self._columns.tables.scopes

    @property
    def building(self) -> Building:
        """What the table was made of."""
        return self._building

    def regular(self, places: Array) -> tuple[Array, Array]:
        """Which of these places hold a regular connection; and of those where in the columns."""
        source = self._source[places]
        which = source < FOLLOWED
        return which, source[which].astype(np.int64)

    def standing(self, place: int) -> Array:
        """Where in the columns the connection at ``place`` stands: one place, or none."""
        row = self.first_row(place)
        at = int(np.searchsorted(self._array["first"], self._array["first"].dtype.type(row)))
        source = int(self._source[place])
        known = source if source < FOLLOWED else self._among.get(at, -1) | FOLLOWED
        return np.array([at] if known == source else [], np.int64)

    def among(self, at: Array) -> Array:
        """Which of these places in the columns are of connections that were followed."""
        return np.isin(at, np.array([*self._among], np.int64))

    def apart(self, at: int) -> Connection | None:
        """The connection that stands there in the columns, and was followed nevertheless."""
        which = self._among.get(at)
        return None if which is None else self._building.followed[which][1]

    def _neighbours(self, places: Array, step: int) -> Array:
        """The regular connections that begin at these places of the flows' order, or beside."""
        order = self._building.by_place()
        rank = np.searchsorted(self._array["place"], places, sorter=order)
        found: Array = order[rank + step]
        return found

    def formers(self, at: Array) -> Array:
        """Of each of these the one before it on the same ends: the latest that counts for one.

        That is one that was answered, or the first; an unanswered SYN takes nobody's place.
        """
        array, begins = self._array, self._building.flows.begin
        at, waiting = at.copy(), np.arange(len(at))
        while len(waiting):
            at[waiting] = self._neighbours(array["place"][at[waiting]], -1)
            place = array["place"][at[waiting]]
            leads = begins[np.searchsorted(begins, place)] == place
            waiting = waiting[~(array["answered"][at[waiting]] | leads)]
        return at

    def successors(self, at: Array) -> Array:
        """The frames by which the next connections of the same ends stand when answered."""
        array, shapes = self._array, self._building.shapes
        place = array["place"]
        at = at.copy()
        waiting = np.arange(len(at))
        while len(waiting):
            after = place[at[waiting]] + array["size"][at[waiting]]
            at[waiting] = self._neighbours(after, 0)
            waiting = waiting[~array["answered"][at[waiting]]]
        kinds, back = np.unique(array["shape"][at], return_inverse=True)
        refused = np.array([shapes.connection(each).refused for each in kinds.tolist()], np.bool_)
        where = place[at] + np.where(refused[back], array["size"][at] - 1, 0)
        frames: Array = self._columns.array["frame"][self._building.flows.order[where]]
        return frames

    def reporters(self, at: Array) -> Array:
        """Of each of these regular ones, about which all ICMP errors have one, who that is.

        As a number that :meth:`address` tells.
        """
        building = self._building
        errors, which = building.told.errors, self.errors(at, 0)
        base = np.where(errors.column("version")[which] == 6, 1 << 32, 0)
        whose: Array = errors.column("reporter")[which] + base
        return whose

    def errors(self, at: Array, place: int) -> Array:
        """Of each of these, about which there are so many, the ``place``-th ICMP error kept."""
        building = self._building
        begins = building.flows.begin
        flows = np.searchsorted(begins, self._array["place"][at], "right") - 1
        return building.told.latest(flows, place)

    @property
    def segments(self) -> Array:
        """Segments of each connection, both ends'."""
        return self.column(self._array["size"], lambda c: c.client.segments + c.server.segments)

    @property
    def bytes(self) -> Array:
        """Bytes of each connection, both ends'."""
        both = self._array["client_bytes"].astype(np.int64)
        both += self._array["server_bytes"]
        return self.column(both, lambda c: c.client.bytes + c.server.bytes)

    @property
    def sizes(self) -> Array:
        """Segments of each regular connection."""
        return self._array["size"]

    def ends(self) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """(address, port) of each client and of each server; :meth:`address` tells which."""
        tables, first = self._columns.tables, self._first
        six = np.array([version == 6 for version, _ in tables.scopes] or [False])
        base = six[first("scope")].astype(np.int64) << 32 if six.any() else np.int64(0)
        number = functools.cache(self._number)

        def both(name: str, address: str, port: str) -> tuple[Array, Array]:
            whose = operator.attrgetter(f"{name}.endpoint")
            return (
                self.column(first(address) + base, lambda c: number(whose(c).addr)),
                self.column(first(port), lambda c: int(whose(c).port)),
            )

        return both("client", "src", "sport"), both("server", "dst", "dport")

    def _number(self, text: str) -> int:
        packed = ipaddress.ip_address(text).packed
        number = self._columns.tables.address(packed)
        return number if len(packed) == 4 else number | 1 << 32

    def address(self, number: int) -> str:
        """The address that a number of :meth:`ends` stands for."""
        if number >> 32:
            return address(self._columns.tables.long[number & 0xFFFFFFFF])
        return address(number.to_bytes(4, "big"))

    def _crowds(self) -> tuple[list[Crowd], Array]:
        """What many of them show together, and which of it each belongs to, or -1."""
        (client, client_port), (server, server_port) = self.ends()
        facts = Facts(
            self.shaped(_fate),
            client,
            server,
            client_port,
            server_port,
            self.shaped(lambda c: c.client.syns),
            self.first_ns,
            self.address,
        )
        found, member = crowds_of(facts)
        for _, each in self._building.followed:
            each.crowd = None
        order = sorted(range(len(found)), key=lambda at: -found[at].count)
        for place in np.flatnonzero((member >= 0) & (self._source >= FOLLOWED)).tolist():
            self._object(place).crowd = found[member[place]]
        rank = {number: place for place, number in enumerate(order)}
        ranks = np.array([rank[at] for at in range(len(found))] or [0])
        everything = self._joined = [found[at] for at in order]
        return (
            everything,
            narrow(np.where(member >= 0, ranks[member], -1)),
        )

    def _first(self, name: str) -> Array:
        """A column of the capture, of each regular connection's first segment."""
        return self._building.firsts[name]

    def crowds_of(self, places: Array) -> list[Crowd]:
        """Those of ``crowds`` of which one of these is a member."""
        whose = {
            id(self._joined[each]) for each in np.unique(self.crowd[places]).tolist() if each >= 0
        }
        followed = places[self._source[places] >= FOLLOWED]
        whose |= {id(self._object(place).crowd) for place in followed.tolist()}
        return [each for each in self.crowds if id(each) in whose]

    def first_row(self, place: int) -> int:
        """The row of a connection's first segment."""
        source = int(self._source[place])
        if source >= FOLLOWED:
            return self._building.followed[source - FOLLOWED][0]
        return int(self._array["first"][source])

    # -- one of them --------------------------------------------------------

    def connection(self, place: int, *, counted: bool = True) -> Connection:
        """The connection at ``place``; :func:`~tcpviz.bulk.tables.dressing.dressed` tells more."""
        source = int(self._source[place])
        if source >= FOLLOWED:
            return self._object(place)
        return self._dressed(place, source, counted)

    def _dressed(self, place: int, at: int, counted: bool) -> Connection:
        made = dressed(self._building, at, lambda at: self._older.of(at), counted=counted)
        made.id = place + 1
        which = int(self.crowd[place])
        made.crowd = None if which < 0 else self._joined[which]
        return made

    @functools.cached_property
    def _older(self) -> former.Older:
        stands = self._source < FOLLOWED
        if self._among:
            stands |= np.isin(self._source, np.array([*self._among.values()]) | FOLLOWED)
        return former.Older(self._building, np.flatnonzero(stands) + 1)


def _fate(c: Connection) -> int:
    """Its number in FATES, -1 for an answer without a question: that is of another kind."""
    if c.client.iss is None and c.server.iss is not None and not c.established:
        return -1
    return FATES.index(fate(c))


def _until(first: Array, last: Array) -> Array:
    """As :class:`tcpviz.core.watch.Watch` has it, for all at once."""
    if not len(first):
        return first
    begin, end = np.minimum(first, last), np.maximum(first, last)
    if (begin[1:] < begin[:-1]).any():
        order = np.argsort(begin, kind="stable")
        begin, end = begin[order], end[order]
    end = np.maximum.accumulate(end)
    fresh = np.ones(len(begin), np.bool_)
    fresh[1:] = begin[1:] - end[:-1] >= PAUSE_NS
    begins = begin[fresh]
    ends = end[np.append(np.flatnonzero(fresh)[1:], len(end)) - 1]
    if len(begins) == 1 and last.min() >= begins[0]:  # as nearly always
        return np.broadcast_to(ends, len(last))
    place = np.searchsorted(begins, last, "right") - 1
    return np.where(place >= 0, np.maximum(last, ends[np.maximum(place, 0)]), last)
