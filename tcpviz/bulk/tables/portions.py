"""A portion of a table's regular connections, and what their segments show, by column.

The same as the vital signs of :class:`tcpviz.bulk.tables.table.Table`'s connections
(:class:`tcpviz.core.vitals.Signs`), of some thousand connections at once. What nobody asks for
is not worked out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.beginnings import answers
from tcpviz.bulk.connections.copies import copied
from tcpviz.bulk.segments import sums
from tcpviz.bulk.segments.columns import HEADS, SUM_SHIFT, rows_at
from tcpviz.bulk.segments.flows import counted_on, spans
from tcpviz.bulk.tables import signals
from tcpviz.bulk.tables.table import Table
from tcpviz.core.segment import ACK, FIN, RST, SYN

Array = NDArray[Any]

CONNECTIONS = 1 << 13
"""Connections of a portion at most."""

SEGMENTS = 1 << 18
"""Segments of a portion at most; a connection that has more by itself is in none."""

_COMES_ROUND = (1 << 32) - 4
"""Bytes of an end whose numbers, with those of SYN and FIN, may come round."""

CLIENT, SERVER = 0, 1


def portions(table: Table, places: Array) -> Iterator[tuple[Array, Array]]:
    """``places`` cut into stretches that fit into a portion; of each, which can be in one."""
    segments = table.segments
    at = 0
    while at < len(places):
        part = places[at : at + CONNECTIONS]
        sizes = segments[part]
        most = max(int(np.searchsorted(np.cumsum(sizes), SEGMENTS, "right")), 1)
        part = part[:most]
        yield part, table.regular(part)[0] & (sizes[:most] <= SEGMENTS)
        at += len(part)


class Portion:
    """Regular connections at ``places`` of a table.

    ``at``      where in the building's columns each is
    ``now``     up to which moment each is judged, nanoseconds
    ``first_ns``, ``last_ns``, ``rtt``  of each; ``rtt`` is -1 where there is none
    """

    def __init__(self, table: Table, places: Array) -> None:
        self.table = table
        self.places = places
        self.at = at = table.regular(places)[1]
        self._building = building = table.building
        self._array = building.array
        self._columns = columns = building.reading.columns.array
        self.first_ns, self.last_ns = table.first_ns[places], table.last_ns[places]
        self.now = np.maximum(table.until_ns[places], self.last_ns)
        self.rtt = table.rtt[places]
        scopes = building.reading.columns.tables.scopes
        self._six = np.array([int(version == 6) for version, _ in scopes] or [0])
        self._known: dict[tuple[str, int], Array] = {}
        # The segments of all, connection by connection.
        size = self._array["size"][at].astype(np.int64)
        begin = np.cumsum(size) - size
        self._order = spans(self._array["place"][at].astype(np.int64), size)
        rows = building.flows.order[self._order]
        # What was captured twice is Zeek's business alone: all else is without the copies.
        self._all = rows, begin
        self._copy = copied(columns, rows, np.append(begin, len(rows)), self._array["copies"][at])
        if self._copy is not None:
            left = np.flatnonzero(~self._copy)
            rows, begin = rows[left], np.searchsorted(left, begin)
            size = np.diff(begin, append=len(rows))
        self._rows, self._begin = rows, begin
        self._row = row = rows_at(columns, rows)
        first = row[begin]
        self._side: Array = row["src"] != np.repeat(first["src"], size)
        self._side |= row["sport"] != np.repeat(first["sport"], size)
        self._turned = answers(first["flags"])
        if self._turned.any():
            self._side ^= np.repeat(self._turned, size)
        self._flags = np.ascontiguousarray(row["flags"])

    def __len__(self) -> int:
        return len(self.places)

    @property
    def rows(self) -> tuple[Array, Array]:
        """The rows of all segments; and where among them each connection begins, and the end.

        Without those that are copies.
        """
        return self._rows, np.append(self._begin, len(self._rows))

    def column(self, name: str) -> Array:
        """One of the building's columns."""
        return self.worked(name, -1, lambda: self._array[name][self.at])

    def address(self, side: int) -> Array:
        """Each one's address; :meth:`tcpviz.bulk.tables.table.Table.address` tells which."""

        def made() -> Array:
            number = self._first("src", "dst", side).astype(np.int64)
            number += self._six[self._row["scope"][self._begin]] << 32
            return number

        return self.worked("address", side, made)

    def reporter(self) -> Array:
        """Who says what ICMP errors say of each, as text; empty where that is not one."""

        def made() -> Array:
            out = np.full(len(self), "", object)
            told = self._building.shapes.told_of(self.column("shape"))
            mine = np.flatnonzero(told[0]) if told is not None else self.at[:0]
            unique, back = np.unique(self.table.reporters(self.at[mine]), return_inverse=True)
            texts = [self.table.address(each) for each in unique.tolist()]
            out[mine] = np.array(texts, object)[back]
            return out

        return self.worked("reporter", -1, made)

    def error_frame(self, place: int, which: Array) -> Array:
        """The frame of the ``place``-th ICMP error that is kept of each of these."""
        at = self.table.errors(self.at[which], place)
        frames: Array = self.table.building.told.errors.column("frame")[at]
        return frames

    def port(self, side: int) -> Array:
        """Each one's port."""

        def made() -> Array:
            return self._first("sport", "dport", side)

        return self.worked("port", side, made)

    def _first(self, source: str, target: str, side: int) -> Array:
        """What the client's column would tell of an end's in its own, given its first segment."""
        mine, theirs = (self._row[name][self._begin] for name in (source, target))
        turned = self._turned if side == CLIENT else ~self._turned
        told: Array = np.where(turned, theirs, mine)
        return told

    # -- moments: which of an end's segments is the first SYN, and so on -----

    def _moment(self, name: str, side: int) -> Array:
        """A place among the portion's segments, -1 where there is none.

        Names are those of ``Signs``: ``first_syn``, ``last_syn``, ``first_fin``, ``last_fin``,
        ``rst``, ``last``, ``before``; ``sum`` is the first with a wrong checksum, ``marked``,
        ``echoed`` and ``urgent`` the first of :mod:`.signals`.
        """
        known = self._known.get((name, side))
        if known is None:
            for one, made in self._found(name, side):
                self._known[one, side] = made
            known = self._known[name, side]
        return known

    def _found(self, name: str, side: int) -> Iterator[tuple[str, Array]]:
        mine = self._side if side else ~self._side
        if name in ("last", "before"):
            last, before = self._picks(mine, (-1, -2))
            yield from (("last", last), ("before", before))
        elif name == "sum":
            wrong = self._row["bits"] >> SUM_SHIFT & 3 == sums.WRONG
            yield name, self._picks(mine & wrong, (0,))[0]
        elif name in signals.NAMES:
            yield name, self._picks(mine & self._signals(name), (0,))[0]
        else:
            which = name.rpartition("_")[2]
            bit = {"syn": SYN, "fin": FIN, "rst": RST}[which]
            first, last = self._picks(mine & (self._flags & bit != 0), (0, -1))
            if which == "rst":
                yield which, last
            else:
                yield from ((f"first_{which}", first), (f"last_{which}", last))

    def _picks(self, mask: Array, which: tuple[int, ...]) -> list[Array]:
        """Of each connection's segments in ``mask`` the first, the last ..., or -1."""
        where = np.flatnonzero(mask)
        begin = np.searchsorted(where, self._begin)
        end = np.append(begin[1:], len(where))
        where = np.append(where, -1)
        out = []
        for each in which:
            at = begin + each if each >= 0 else end + each
            out.append(np.where((at >= begin) & (at < end), where[np.maximum(at, -1)], -1))
        return out

    def frame(self, name: str, side: int) -> Array:
        """The frame number of a moment, 0 where there is none."""

        def made() -> Array:
            at = self._moment(name, side)
            frames: Array = self._columns["frame"][self._rows[at]].astype(np.int64)
            frames[at < 0] = 0
            return frames

        return self.worked(f"{name} frame", side, made)

    def time(self, name: str, side: int) -> tuple[Array, Array]:
        """When a moment was, nanoseconds; and where there was one."""
        at = self._moment(name, side)
        return self._row["time"][at], at >= 0

    def since(self, name: str, side: int) -> Array:
        """From a moment until ``now``, as ``span`` has it."""
        time, there = self.time(name, side)
        return np.where(there, np.maximum(self.now - time, 0), 0)

    def between(self, one: tuple[str, int], other: tuple[str, int]) -> Array:
        """From one moment to another, as ``span`` has it."""
        (begin, had), (end, has) = self.time(*one), self.time(*other)
        return np.where(had & has, np.maximum(end - begin, 0), 0)

    # -- numbers --------------------------------------------------------------

    def worked(self, name: str, side: int, how: Callable[[], Array]) -> Array:
        """A column that is worked out once."""
        made = self._known.get((name, side))
        if made is None:
            made = self._known[name, side] = how()
        return made

    def segments(self, side: int) -> Array:
        """Segments of an end."""
        return self.column(("client_segments", "server_segments")[side])

    def data(self, side: int) -> Array:
        """Segments with data of an end."""

        def made() -> Array:
            full = (self._row["length"] > 0) & (self._side == bool(side))
            return np.add.reduceat(full, self._begin, dtype=np.int64)

        return self.worked("data", side, made)

    def signals(self, name: str, side: int) -> Array:
        """Signals that an end's segments have; see :mod:`.signals`."""

        def made() -> Array:
            those = self._signals(name) & (self._side == bool(side))
            return np.add.reduceat(those, self._begin, dtype=np.int64)

        return self.worked(f"{name} count", side, made)

    def _signals(self, name: str) -> Array:
        return signals.places(name, self._row["bits"], self._flags)

    def outstanding(self, side: int) -> Array:
        """Sequence numbers sent by an end and not acknowledged."""
        return self.worked("outstanding", side, lambda: self._outstanding(side))

    def _outstanding(self, side: int) -> Array:
        row, flags = self._row, self._flags
        mine = self._side == bool(side)
        first = self._picks(mine, (0,))[0]
        last = self._picks(mine & (flags & RST == 0), (-1,))[0]
        heard = self._picks(~mine & (flags & ACK != 0), (-1,))[0]
        bits = flags[last]
        end = row["seq"][last].astype(np.int64) + row["length"][last] + (bits & 1) + (bits >> 1 & 1)
        begun = row["seq"][first].astype(np.int64)
        end = np.where(last >= 0, end, begun)
        una = np.where(heard >= 0, row["ack"][heard].astype(np.int64), begun)
        ahead = (end - una + (1 << 31) & 0xFFFFFFFF) - (1 << 31)
        return np.where(first >= 0, np.maximum(ahead, 0), 0)

    # -- what Zeek sums up (tcpviz.core.zeek) -----------------------------------

    def scope(self) -> Array:
        """Each one's VLANs and tunnels, as a number."""
        return np.ascontiguousarray(self._row["scope"][self._begin])

    def ip_bytes(self, side: int) -> Array:
        """Bytes of the IP packets of an end; only where the capture's columns have the heads."""

        def made() -> Array:
            rows, begin = self._all
            size = self._columns["length"][rows] + self._columns[HEADS][rows].astype(np.int64)
            size[self._sides != bool(side)] = 0
            out: Array = np.add.reduceat(size, begin)
            return out

        return self.worked("ip bytes", side, made)

    @property
    def _sides(self) -> Array:
        """Who sent each segment, the copies too."""
        if self._copy is None:
            return self._side

        # A copy comes behind its original, but not always right behind it.
        def made() -> Array:
            rows, begin = self._all
            size = np.diff(begin, append=len(rows))
            there = np.zeros(len(rows), np.bool_)
            for name in ("src", "sport"):
                column = self._columns[name][rows]
                there |= column != np.repeat(column[begin], size)
            there ^= np.repeat(self._turned, size)
            return there

        return self.worked("sides", 0, made)

    def copies(self, side: int) -> Array:
        """Packets of an end that were captured twice."""

        def made() -> Array:
            if self._copy is None:
                return np.zeros(len(self), np.int64)
            mine = self._copy & (self._sides == bool(side))
            return np.add.reduceat(mine, self._all[1], dtype=np.int64)

        return self.worked("copies", side, made)

    def stream(self, side: int) -> Array:
        """Bytes of an end by its sequence numbers, however often they come round."""

        def made() -> Array:
            row, flags = self._row, self._flags
            mine = self._side == bool(side)
            first = self._picks(mine, (0,))[0]
            size = np.diff(np.append(self._begin, len(row)))
            end = row["seq"] - np.repeat(row["seq"][first], size) + row["length"]
            end += (flags & FIN) + (flags >> 1 & 1)
            end[~mine | (flags & RST != 0)] = 0
            far = np.maximum.reduceat(end, self._begin).astype(np.int64)
            sent = self.column(("client_bytes", "server_bytes")[side])
            for long in np.flatnonzero(sent > _COMES_ROUND):
                far[long] = self._gone(int(long), mine)
            far -= (far > 0) & (self._moment("first_syn", side) >= 0)
            far -= (far > 0) & (self._moment("first_fin", side) >= 0)
            return np.maximum(far, 0)

        return self.worked("stream", side, made)

    def _gone(self, which: int, mine: Array) -> int:
        """How far the numbers of one connection's end have come, step by step."""
        row = self._row
        begin, end = np.append(self._begin, len(row))[which : which + 2].tolist()
        places = begin + np.flatnonzero(mine[begin:end])
        places = places[self._flags[places] & RST == 0]
        seq, flags = row["seq"][places], self._flags[places]
        ends = counted_on(seq) + row["length"][places] + (flags & FIN) + (flags >> 1 & 1)
        return int(ends.max(initial=0))

    def lasting(self) -> Array:
        """From the first segment to the one by which both ends have closed, or to the last."""

        def made() -> Array:
            closing = self._flags & (FIN | RST) != 0
            ends = [self._picks(closing & (self._side == side), (0,))[0] for side in (False, True)]
            both = np.where(np.minimum(*ends) >= 0, np.maximum(*ends), -1)
            time = self._row["time"]
            end = np.where(both >= 0, time[both], self.last_ns)
            lasted: Array = np.maximum(end - self.first_ns, 0)
            return lasted

        return self.worked("lasting", 0, made)

    # ---------------------------------------------------------------------------

    def idle(self, side: int) -> Array:
        """How long nobody had spoken when an end sent its reset."""
        return self.worked("idle", side, lambda: self._idle(side))

    def _idle(self, side: int) -> Array:
        reset, was = self.time("rst", side)
        mine, spoke = self.time("before", side)
        theirs, said = self.time("last", 1 - side)
        earlier, had = self.time("before", 1 - side)
        theirs = np.where(was & (theirs >= reset), np.where(had, earlier, 0), theirs)
        latest = np.maximum(np.where(spoke, mine, 0), np.where(said, theirs, 0))
        return np.where(was & (latest != 0), np.maximum(reset - latest, 0), 0)

    def answered(self) -> Array:
        """How long the handshake took until it was answered."""
        return self.worked(
            "answered", 0, lambda: self.between(("last_syn", CLIENT), ("first_syn", SERVER))
        )

    def handshake(self) -> Array:
        """How long the handshake took."""

        def made() -> Array:
            first, there = self.time("first_syn", CLIENT)
            last = self.time("last_syn", CLIENT)[0]
            timed = there & (self.rtt >= 0)
            return np.where(timed, np.maximum(last + self.rtt - first, 0), self.answered())

        return self.worked("handshake", 0, made)

    # -- segments by their place among those that count for the signature ------

    def counting(self, which: int, among: Array) -> Array:
        """The frame of the ``which``-th segment that counts, of the connections ``among``."""
        places = self.worked("kept", 0, lambda: np.flatnonzero(self._building.kept[self._order]))
        begin = self.worked("kept", 1, lambda: np.searchsorted(places, self._all[1]))
        at = places[begin[among] + which]
        frames: Array = self._columns["frame"][self._all[0][at]]
        return frames
