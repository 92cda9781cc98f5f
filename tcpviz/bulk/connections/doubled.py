"""Connections with packets that were captured twice, as regular ones without the copies.

No end moves by a copy (:class:`tcpviz.core.connection.Connection`): it is only counted, Wireshark's
completeness has its bit from the original already, and Zeek, which knows of no copies, takes
one with data for data sent again. So the copies (:mod:`.copies`) are taken out, what is left
is looked at as ever, and of the copies those count for the signature that change anything: the
first one, since it is a verdict's evidence; SYNs, FINs and resets, which an end counts; and those
at which Zeek writes a letter, an end's 1st, 10th, 100th ... with data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import lengthy, partly, regular
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.common import told
from tcpviz.bulk.connections.copied import COPY, LETTER
from tcpviz.bulk.connections.copies import Copies
from tcpviz.bulk.connections.looked import Example, Looked, looked
from tcpviz.bulk.connections.partial import Partial, check
from tcpviz.bulk.connections.samebytes import same
from tcpviz.bulk.connections.succession import flows_fine, whole_flows
from tcpviz.bulk.connections.work import Work
from tcpviz.bulk.segments.columns import rows_at
from tcpviz.bulk.segments.flows import Flows, changes, mixed, spans, together
from tcpviz.bulk.segments.reading import Reading
from tcpviz.core.segment import FIN, RST, SYN
from tcpviz.core.twice import SAME_PACKET_NS

Array = NDArray[Any]

CHUNK = 1 << 16
"""Segments that are worked on at a time, in whole flows."""

_PLACE = np.uint64(24)
"""Bits for a place among those that count."""

_POWERS = 10 ** np.arange(12)


@dataclass(slots=True)
class Doubled(Looked):
    """As :class:`~.looked.Looked`; ``at`` and ``kept`` are of all segments, with the copies.

    ``raw``     which of them each in ``work`` is; of each connection ``end`` is behind its last
    ``rows``    their rows, ``copied`` what each that counts is: 0, or as above
    ``times``   when each connection's last one came, and how many ``copies`` each has
    """

    raw: Array
    end: Array
    rows: Array
    copied: Array
    times: Array
    copies: Array

    def places(self, which: Array | slice) -> Array:
        places: Array = self.at[self.raw[self.work.first[which]]]
        return places

    def last_ns(self, which: Array | slice) -> Array:
        times: Array = self.times[which]
        return times

    def doubles(self, which: Array | slice) -> Array:
        copies: Array = self.copies[which]
        return copies

    def example(self, which: int) -> Example:
        span = slice(int(self.raw[self.work.first[which]]), int(self.end[which]))
        return self.rows[span], self.kept[span], self.copied[span], told(self.work, which)


class Doubles:
    """Looks at flows that are not in order, whether they are so without copies.

    ``rest``  those that are not
    """

    def __init__(self, reading: Reading, clock: Clock, flows: Flows) -> None:
        self._reading, self._clock, self._flows = reading, clock, flows
        self.rest: list[int] = []

    def enter(
        self, which: list[int], tied: Array, take: Callable[[Doubled], list[int]]
    ) -> list[int]:
        """Have those that are in order without copies taken; the flows that are left."""
        for made in self.among(which, tied):
            self.rest += take(made)
        some, others = partly.among(self._reading.columns, self._flows, self.rest, tied)
        for made in self.among(some.tolist(), tied, partial=True):
            self.rest += take(made)
        return others + self.rest

    def among(self, which: list[int], tied: Array, *, partial: bool = False) -> Iterator[Doubled]:
        """Of these flows, but those that ICMP errors have ``tied``, some at a time.

        ``partial``: they are to be in order as those of which a part was captured.
        """
        some = np.array(which, np.int64)
        free = ~np.isin(some, tied) if len(tied) else np.ones(len(some), np.bool_)
        self.rest = some[~free].tolist()
        for numbers, at, edges in self._chunks(some[free]):
            yield from self._of(numbers, at, edges, partial=partial)

    def _chunks(self, which: Array) -> Iterator[tuple[Array, Array, Array]]:
        """These flows, some at a time; the places of their segments, where each flow's begin."""
        begin = self._flows.begin[which]
        size = self._flows.begin[which + 1] - begin
        for some in together(size, CHUNK):
            edges = np.append(0, np.cumsum(size[some]))
            yield which[some], spans(begin[some], size[some]), edges

    def _of(self, numbers: Array, at: Array, edges: Array, *, partial: bool) -> Iterator[Doubled]:
        array, rows = self._reading.columns.array, self._flows.order[at].astype(np.int64)
        copies = Copies(array, rows, edges)
        has = np.zeros(len(numbers), np.bool_)
        has[copies.of_flows(np.flatnonzero(copies.copy))] = True
        has &= ~copies.unclear
        self.rest += numbers[~has].tolist()
        if not has.any():
            return
        copy, root = copies.copy, copies.root
        if not has.all():
            mine = np.repeat(has, np.diff(edges))
            root = (np.cumsum(mine) - 1)[root[mine]]
            at, rows, copy, numbers = at[mine], rows[mine], copy[mine], numbers[has]
            edges = np.append(0, np.cumsum(np.diff(edges)[has]))
        made = _Without(self._reading, self._clock, rows, edges, copy, root).look(
            numbers, at, partial=partial
        )
        if made is None:
            self.rest += numbers.tolist()
        else:
            yield made


class _Without:
    """Some flows without their copies.

    ``_raw``   places of what is left, ``_those`` of the copies
    ``_root``  which of what is left each copy is one of, ``_before`` which comes right before it
    """

    def __init__(
        self,
        reading: Reading,
        clock: Clock,
        rows: Array,
        edges: Array,
        copy: Array,
        root: Array,
    ) -> None:
        self._reading, self._clock, self._rows = reading, clock, rows
        self._raw = np.flatnonzero(~copy)
        self._edges = np.searchsorted(self._raw, edges)
        self._those = np.flatnonzero(copy)
        left = np.cumsum(~copy) - 1
        self._before, self._root = left[self._those], left[root[self._those]]
        row = rows_at(reading.columns.array, rows[self._those])
        self._flags = row["flags"] & np.uint16(0x3F)
        self._length = row["length"]
        self._src, self._sport = row["src"], row["sport"]

    def look(self, numbers: Array, at: Array, *, partial: bool) -> Doubled | None:
        """Look at what is left; ``None`` if it is long, and not in order."""
        columns, clock = self._reading.columns, self._clock
        left, places = self._rows[self._raw], self._raw
        if partial and len(left) > partly.MOST:
            return None
        if not partial and len(numbers) == 1 and len(left) >= lengthy.LEAST:
            long = lengthy.look(columns, clock, left)
            if long is None or long.far is not None:
                return None
            self._part = np.zeros(len(self._those), np.int64)
            first = rows_at(columns.array, left[:1])[0]
            self._side = (self._src != first["src"]) | (self._sport != first["sport"])
            self._count()
            # What was gone over may be what a copy that counts is one of.
            few = np.union1d(long.places, self._root[self._counts])
            places = self._raw[few]
            work = Work(columns, clock, left[few], np.array([0, len(few)]))
            work.offload = np.array(long.offload)[:, None]
            work.also = np.searchsorted(few, self._root[self._counts])
            work.slack = SAME_PACKET_NS
            sums, fine = long.sums, regular.timely(work)
            sums.rtt = regular.round_trip(work)
        else:
            kind = Partial if partial else Work
            work = kind(columns, clock, left, self._edges)
            work.slack = SAME_PACKET_NS
            if isinstance(work, Partial):
                sums, fine = check(work)
            else:
                sums, fine = regular.sums_of(work, regular.check(work))
            self._part = work.part[self._before].astype(np.int64)
            fine[self._part[self._part != work.part[self._root]]] = False
            self._side = work.side[self._root]
            self._count()
            work.also = self._root[self._counts]
        self._check(work, left, fine)
        if partial:
            # Of what is right behind its original Zeek makes nothing, whoever has not spoken yet.
            fine[self._part[self._before != self._root]] = False
        else:
            fine = whole_flows(work, flows_fine(work, fine))
        return self._made(looked(numbers, work, self._sums(sums), fine, at), places)

    def _count(self) -> None:
        """Which copies count for a signature, and at which of them Zeek writes a letter."""
        data = np.flatnonzero(self._length > 0)
        sender = 2 * self._part[data] + self._side[data]
        order = np.argsort(sender, kind="stable")
        begins = changes(sender[order])
        begin = np.flatnonzero(begins)
        nth = np.empty(len(data), np.int64)
        nth[order] = np.arange(len(data)) - begin[np.cumsum(begins) - 1] + 1 if len(data) else 0
        self._letter = np.zeros(len(self._those), np.bool_)
        self._letter[data[np.isin(nth, _POWERS)]] = True
        self._counts = self._letter | changes(self._part)
        self._counts |= self._flags & (SYN | FIN | RST) != 0

    def _check(self, work: Work, left: Array, fine: Array) -> None:
        """Not fine is where it is not sure what the core, or Zeek, makes of a copy."""
        array, part, root, before = (
            self._reading.columns.array,
            self._part,
            self._root,
            self._before,
        )
        # Where Zeek counts from is set anew by a SYN: its sender may have said nothing meanwhile.
        syns = np.flatnonzero((self._flags & SYN != 0) & (before > root))
        if len(syns):
            some = left[: int(before[syns].max()) + 1]
            talk = (array["length"][some] > 0) | (array["flags"][some] & (FIN | RST) != 0)
            if len(work.side) == len(left):
                side = work.side[: len(some)]
            else:
                side = (array["src"][some] != array["src"][left[0]]) | (
                    array["sport"][some] != array["sport"][left[0]]
                )
            said = np.stack([np.cumsum(talk & (side == end)) for end in (False, True)])
            ends = self._side[syns].astype(np.intp)
            more = said[ends, before[syns]] > said[ends, root[syns]]
            fine[part[syns[more]]] = False
        # Behind a reset only its own copies are sure.
        resets = np.append(-1, np.flatnonzero(array["flags"][left] & RST))
        latest = resets[np.searchsorted(resets, before, "right") - 1]
        late = latest >= (work.first[part] if len(work.side) == len(left) else 0)
        fine[part[late & ((self._flags & RST == 0) | (root != before))]] = False
        # Zeek counts data sent again, and in a SYN, and copies of data together.
        again = np.append(np.flatnonzero(work.resent), work.syns[work.length[work.syns] > 0])
        fine[part[np.isin(part, work.part[again])]] = False
        fine[work.part[work.reanswers]] = False
        asked = np.flatnonzero(fine[part])
        alike = same(self._reading, self._rows[self._those[asked]], left[root[asked]])
        fine[part[asked[~alike]]] = False

    def _sums(self, sums: regular.Sums) -> regular.Sums:
        """Of all segments, with the copies."""
        count = len(sums.updates)
        segments, total = list(sums.segments), list(sums.bytes)
        for end in (0, 1):
            mine = self._side == bool(end)
            part = self._part[mine]
            segments[end] = segments[end] + np.bincount(part, minlength=count)
            more = np.bincount(part, self._length[mine], minlength=count).astype(np.int64)
            total[end] = total[end] + more
        return replace(sums, segments=(segments[0], segments[1]), bytes=(total[0], total[1]))

    def _made(self, without: Looked, places: Array) -> Doubled:
        """The same, with the copies; what is left of them stands at ``places``."""
        work, part, counts = without.work, self._part, self._counts
        array, rows, codes = self._reading.columns.array, self._rows, without.codes
        kept = np.zeros(len(rows), np.bool_)
        kept[places[without.kept]] = True
        those = self._those[counts]
        kept[those] = True
        copied = np.zeros(len(rows), np.int8)
        copied[those] = np.where(self._letter[counts], LETTER, COPY)
        # Where each stands among what counts in its connection, and what it is a copy of.
        begin = places[work.first]
        rank = np.cumsum(kept)
        base, whose = rank[begin], part[counts]
        said = (rank[those] - base[whose]).astype(np.uint64) << _PLACE
        said |= (rank[self._raw[self._root[counts]]] - base[whose]).astype(np.uint64)
        said |= copied[those].astype(np.uint64) << (_PLACE + _PLACE)
        at = np.flatnonzero(changes(whose))
        codes = codes.copy()
        codes[whose[at]] += np.add.reduceat(mixed(said, 1), at)
        end = np.append(begin[1:], len(rows))
        times = array["time"][rows[end - 1]]
        copies = np.bincount(part, minlength=len(begin))
        return Doubled(
            without.flows, work, without.sums, without.fine, codes, kept, without.at,
            places, end, rows, copied, times, copies,
        )  # fmt: skip
