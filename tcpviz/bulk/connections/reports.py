"""What ICMP errors say of connections that columns tell: which are believed, and shapes for that.

A shape's example and the errors about it are what verdicts ask. They go by what each error says
and of whom, not by when, and by who says it only where it is not always the same: so of all that
a scan's SYNs are answered there is one shape, and each connection's own errors are looked up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.errors import Told
from tcpviz.bulk.connections.shapes import Kept, Shapes
from tcpviz.bulk.segments.columns import Columns, rows_at
from tcpviz.bulk.segments.flows import Flows, mixed
from tcpviz.core.segment import ACK, FIN, RST

Array = NDArray[Any]

_STEP = 1 << 16
"""Segments that are looked at at a time, in whole flows."""


def tell(
    columns: Columns, flows: Flows, told: Told, array: dict[str, Array], shapes: Shapes
) -> None:
    """Give the regular connections of ``array`` that errors are about shapes that say so.

    Each is its flow's only one.
    """
    whose = told.flows
    begin, place = flows.begin[whose], array["place"]
    order = np.argsort(place)
    if not len(order):
        return
    found = np.minimum(np.searchsorted(place, begin, sorter=order), len(order) - 1)
    at = order[found]
    size = flows.begin[whose + 1] - begin
    mine = (place[at] == begin) & (array["size"][at] == size)
    whose, at, size = whose[mine], at[mine], size[mine]
    for part in _stretches(size):
        _tell(columns, flows, told, whose[part], at[part], array["shape"], shapes)


def _stretches(size: Array) -> Iterator[slice]:
    reached = np.cumsum(size)
    begin = 0
    while begin < len(size):
        before = int(reached[begin - 1]) if begin else 0
        end = max(int(np.searchsorted(reached, before + _STEP, "right")), begin + 1)
        yield slice(begin, end)
        begin = end


def _tell(
    columns: Columns,
    flows: Flows,
    told: Told,
    whose: Array,
    at: Array,
    shape: Array,
    shapes: Shapes,
) -> None:
    """The same of some flows ``whose`` connections are ``at`` these places of ``shape``."""
    low, high = np.searchsorted(told.flow, [whose[0], whose[-1] + 1]).tolist()
    where = np.arange(low, high)
    part = np.minimum(np.searchsorted(whose, told.flow[low:high]), len(whose) - 1)
    mine = whose[part] == told.flow[low:high]
    where, part = where[mine], part[mine]
    errors, which = told.errors, told.which[where]
    talk = _Talk(columns, flows, whose)
    server = talk.of_server(part, errors.column("src")[which], errors.column("sport")[which])
    row, seq = errors.column("row")[which], errors.column("seq")[which]
    believed = told.believed[where] = talk.on_its_way(part, row, server, seq)

    begin = np.flatnonzero(np.diff(part, prepend=-1))
    size = np.diff(np.append(begin, len(part)))
    first = np.repeat(begin, size)
    nth = np.arange(len(part)) - first
    codes = np.add.reduceat(mixed(_codes(told, which, server, believed) ^ mixed(nth, 2)), begin)
    codes[~_one_reporter(errors.column("reporter")[which], believed, begin, first)] = 0
    own = shape[at[part[begin]]].astype(np.int64)
    keys = np.stack([codes, own.astype(np.uint64)], axis=1)
    _, example, back = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    numbers = []
    for one in example.tolist():
        span = slice(int(begin[one]), int(begin[one] + size[one]))
        kept = _kept(told, int(whose[part[begin[one]]]), server[span][believed[span]])
        numbers.append(shapes.told(int(own[one]), int(codes[one] >> np.uint64(1)), kept))
    shape[at[part[begin]]] = np.array(numbers)[back.reshape(-1)]


def _kept(told: Told, flow: int, server: Array) -> Kept:
    errors, believed, others = told.kept(flow)
    about = server[len(server) - len(errors) :].tolist()
    return tuple(zip(errors, about, strict=True)), believed, others


def _one_reporter(reporter: Array, believed: Array, begin: Array, first: Array) -> Array:
    """Whether all of a connection's errors that are believed have one reporter."""
    latest = np.maximum.accumulate(np.where(believed, np.arange(len(reporter)), -1))
    before = np.append(-1, latest[:-1])
    other = believed & (before >= first) & (reporter[before] != reporter)
    one: Array = np.add.reduceat(other, begin, dtype=np.int64) == 0
    return one


def _codes(told: Told, which: Array, server: Array, believed: Array) -> Array:
    """Of each error a number that is the same where all but its reporter and time is."""
    column = told.errors.column
    kind = column("version")[which].astype(np.int64) << 16
    kind |= column("type")[which].astype(np.int64) << 8
    kind |= column("code")[which]
    kind = kind << 2 | server.astype(np.int64) << 1 | believed
    codes: Array = mixed(kind) ^ mixed(column("mtu")[which], 1)
    return codes


class _Talk:
    """The segments of regular connections, each its flow's only one; the client sent the first."""

    def __init__(self, columns: Columns, flows: Flows, whose: Array) -> None:
        begin, end = flows.begin[whose], flows.begin[whose + 1]
        size = end - begin
        self._first = first = np.cumsum(size) - size
        self._part = part = np.repeat(np.arange(len(whose)), size)
        self._rows = flows.order[begin[part] + np.arange(len(part)) - first[part]].astype(np.int64)
        self._row = rows_at(columns.array, self._rows)
        self._lead = self._row[first]
        self._server = self.of_server(part, self._row["src"], self._row["sport"])

    def of_server(self, part: Array, address: Array, port: Array) -> Array:
        """Who is not the client of its connection."""
        lead = self._lead
        server: Array = (address != lead["src"][part]) | (port != lead["sport"][part])
        return server

    def on_its_way(self, part: Array, row: Array, server: Array, seq: Array) -> Array:
        """Whether its sender has sent each number before a row, and nobody had acknowledged it.

        As ``Analysis.take_error`` asks; all is believed of one that has sent nothing but a reset.
        """
        key = (self._part << 32) + self._rows
        at = np.searchsorted(key, (part << 32) + row) - 1
        inside = np.zeros(len(part), np.bool_)
        for side in (False, True):
            mine = np.flatnonzero(server == side)
            far, una, begun = self._reached(side)
            number = seq[mine].astype(np.int64) - begun[part[mine]]
            low, high = np.maximum(una[at[mine]], 0), far[at[mine]]
            inside[mine] = ((number - low & 0xFFFFFFFF) <= high - low) | (high < 0)
        return inside

    def _reached(self, side: bool) -> tuple[Array, Array, Array]:
        """At each segment how far an end had come, and how much of it was acknowledged; or -1.

        Counted from its first number, which is the third.
        """
        row, part = self._row, self._part
        flags = row["flags"]
        told = flags & RST == 0
        mine, other = told & (self._server == side), told & (self._server != side)
        other &= flags & ACK != 0
        begun = np.zeros(len(self._first), np.int64)
        where = np.flatnonzero(mine)[::-1]
        begun[part[where]] = row["seq"][where]  # the first one stays
        end = row["seq"] - begun[part] & 0xFFFFFFFF
        end += row["length"] + (flags & FIN) + (flags >> 1 & 1)
        back = row["ack"] - begun[part] & 0xFFFFFFFF
        base = part << 34
        far, una = (
            np.maximum.accumulate(base + np.where(which, number + 1, 0)) - base - 1
            for which, number in ((mine, end), (other, back))
        )
        return far, una, begun
