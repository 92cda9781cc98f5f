"""The table of a capture's connections: columns for what is regular, objects for the rest.

``Table.connection`` gives any of them as the core's :class:`~tcpviz.core.connection.Connection`;
those that are regular are made for the moment, from their shape and their own
numbers, and hold what tables, verdicts and reports ask (:data:`TOLD`).
``Table.whole`` follows one segment by segment instead, and holds everything.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.building import Building
from tcpviz.bulk.regular import FIN, RST, SYN
from tcpviz.bulk.shapes import Ending
from tcpviz.core.connection import Connection
from tcpviz.core.halfconn import End
from tcpviz.core.marks import MarkName
from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint, FlowKey
from tcpviz.core.vitals import Signs, Vitals
from tcpviz.core.watch import PAUSE_NS
from tcpviz.wire.tcp import address

Array = NDArray[Any]

_FOLLOWED = 1 << 31


class Table:
    """Connections by their place, from 0, in the order of their first segments.

    ``first_ns``, ``last_ns``, ``until_ns``  of each: when it began and ended, and until when the
    capture went on after it (:class:`tcpviz.core.watch.Watch`)
    """

    def __init__(self, building: Building) -> None:
        self._building = building
        self._array = building.array
        self._columns = building.reading.columns
        count, others = len(self._array["first"]), len(building.followed)
        rows = np.array([row for row, _ in building.followed], np.int64)
        firsts = np.concatenate([self._array["first"].astype(np.int64), rows])
        source = np.concatenate([np.arange(count), np.arange(others) | _FOLLOWED])
        self._source = source[np.argsort(firsts, kind="stable")]
        self._marked: dict[int, tuple[int, int]] = {}
        for place in np.flatnonzero(self._source >= _FOLLOWED).tolist():
            self._object(place).id = place + 1
        self.first_ns = self._times("first_ns")
        self.last_ns = self._times("last_ns")
        self.until_ns = _until(self.first_ns, self.last_ns)

    def __len__(self) -> int:
        return len(self._source)

    def __iter__(self) -> Iterator[Connection]:
        return (self.connection(place) for place in range(len(self)))

    def _object(self, place: int) -> Connection:
        return self._building.followed[int(self._source[place]) - _FOLLOWED][1]

    def _times(self, name: str) -> Array:
        others = [getattr(each, name) for _, each in self._building.followed]
        both = np.concatenate([self._array[name], np.array(others, np.int64)])
        count = len(self._array[name])
        source = self._source
        return both[np.where(source < _FOLLOWED, source, source - _FOLLOWED + count)]

    # -- one of them --------------------------------------------------------

    def connection(self, place: int) -> Connection:
        """The connection at ``place``."""
        source = int(self._source[place])
        if source >= _FOLLOWED:
            return self._object(place)
        return self._dressed(place, source)

    def _dressed(self, place: int, at: int) -> Connection:
        array = self._array
        ending = Ending(int(array["ending"][at]))
        shape = self._building.shapes.connection(int(array["shape"][at]), ending)
        made = copy.copy(shape)
        made.id = place + 1
        made.first_ns, made.last_ns = int(array["first_ns"][at]), int(array["last_ns"][at])
        client, server, scope = self._ends(int(array["first"][at]))
        made.key = FlowKey.of(client, server, scope)
        made.client = _end(shape.client, client, array, "client", at)
        made.server = _end(shape.server, server, array, "server", at)
        if shape.handshake_rtt_ns is not None:
            made.handshake_rtt_ns = int(array["rtt"][at])
        made.observation = None
        analysis = shape.analysis
        assert analysis is not None
        made.analysis = analysis = copy.copy(analysis)
        analysis.marks = copy.copy(analysis.marks)
        analysis.marks.count_as(self._marks(shape, at))
        analysis.vitals = self._vitals(analysis.vitals, at)
        return made

    def _ends(self, row: int) -> tuple[Endpoint, Endpoint, tuple[str, ...]]:
        array, tables = self._columns.array, self._columns.tables
        scope = int(array["scope"][row])
        src, dst = (
            Endpoint(address(tables.packed(int(array[name][row]), scope)), int(array[port][row]))
            for name, port in (("src", "sport"), ("dst", "dport"))
        )
        return src, dst, tables.scopes[scope][1]

    def _marks(self, shape: Connection, at: int) -> Counter[str]:
        assert shape.marks is not None
        counts = Counter(shape.marks)
        for name, column in _COUNTED:
            number = int(self._array[column][at])
            counts.pop(name, None)
            if number:
                counts[name] = number
        return counts

    def _vitals(self, vitals: Vitals, at: int) -> Vitals:
        """Vital signs with this connection's own times."""
        place = int(self._array["place"][at])
        rows = self._building.flows.order[place : place + int(self._array["size"][at])]
        columns = self._columns.array
        first = rows[0]
        server = (columns["src"][rows] != columns["src"][first]) | (
            columns["sport"][rows] != columns["sport"][first]
        )
        flags, times = columns["flags"][rows], columns["time"][rows]
        made = copy.copy(vitals)
        made.take_signs(
            {
                side: _signs(vitals.of(side), flags[server == back], times[server == back])
                for side, back in ((Side.CLIENT, False), (Side.SERVER, True))
                if (server == back).any()
            }
        )
        return made


_COUNTED = (
    (MarkName.WINDOW_UPDATE.value, "updates"),
    (MarkName.DUPLICATE_ACK.value, "repeats"),
    (MarkName.WINDOW_FULL.value, "full"),
)


def _end(like: End, endpoint: Endpoint, array: dict[str, Array], name: str, at: int) -> End:
    made = copy.copy(like)
    made.endpoint = endpoint
    made.segments = int(array[f"{name}_segments"][at])
    made.bytes = int(array[f"{name}_bytes"][at])
    return made


def _signs(like: Signs, flags: Array, times: Array) -> Signs:
    made = copy.copy(like)
    made.last_ns = int(times[-1])
    made.before_ns = int(times[-2]) if len(times) > 1 else None
    for bit, first, last in ((SYN, "first_syn_ns", "last_syn_ns"),
                             (FIN, "first_fin_ns", "last_fin_ns")):  # fmt: skip
        where = np.flatnonzero(flags & bit)
        setattr(made, first, int(times[where[0]]) if len(where) else None)
        setattr(made, last, int(times[where[-1]]) if len(where) else None)
    where = np.flatnonzero(flags & RST)
    made.rst_ns = int(times[where[-1]]) if len(where) else None
    return made


def _until(first: Array, last: Array) -> Array:
    """As :class:`tcpviz.core.watch.Watch` has it, for all at once."""
    if not len(first):
        return first
    begin, end = np.minimum(first, last), np.maximum(first, last)
    order = np.lexsort((end, begin))
    begin, end = begin[order], np.maximum.accumulate(end[order])
    fresh = np.ones(len(begin), np.bool_)
    fresh[1:] = begin[1:] - end[:-1] >= PAUSE_NS
    begins = begin[fresh]
    ends = end[np.append(np.flatnonzero(fresh)[1:], len(end)) - 1]
    place = np.searchsorted(begins, last, "right") - 1
    return np.where(place >= 0, np.maximum(last, ends[np.maximum(place, 0)]), last)
