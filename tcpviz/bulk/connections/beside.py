"""Copies of packets counted beside the core, which takes the other segments of a flow.

What the core makes of a copy (:mod:`tcpviz.core.twice`) is but to count it, and Zeek writes letters
at the 1st, 10th, 100th ... packet with data that it has seen before, or with a window of zero. So
of a flow of one connection in which all copies are known (:mod:`.copies`) the core is given what
is left, in whatever way that is followed; before it takes a segment it is told of the copies that
came before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.copies import Copies
from tcpviz.bulk.connections.samebytes import same
from tcpviz.bulk.segments.columns import HEADS, Piece, rows_at
from tcpviz.bulk.segments.flows import changes
from tcpviz.bulk.segments.reading import Reading
from tcpviz.core.connection import Connection
from tcpviz.core.marks import MarkName
from tcpviz.core.records import Side
from tcpviz.core.segment import ACK, FIN, RST, SYN

Array = NDArray[Any]

_FEW = 256
_TOGETHER = 1 << 16

_LETTERS = ("zero_windows", "W"), ("retransmitted", "T")
_POWERS = [10**n for n in range(20)]


class Beside:
    """The copies of some flows, each flow's rows in their order.

    ``left``   of each flow the rows that the core is given
    ``known``  whether that is without copies, of which there are some
    """

    def __init__(self, reading: Reading, flows: Sequence[Array]) -> None:
        self._reading, array = reading, reading.columns.array
        sizes = np.array([len(each) for each in flows], np.int64)
        edges = np.append(0, np.cumsum(sizes))
        rows = np.concatenate(flows).astype(np.int64)
        self.left: list[Array] = list(flows)
        copies = Copies(array, rows, edges)
        fine = ~copies.unclear & (np.add.reduceat(copies.copy, edges[:-1]) > 0)
        self.known: list[bool] = [False] * len(flows)
        if not fine.any():
            return
        those = np.flatnonzero(copies.copy)
        raw = np.flatnonzero(~copies.copy)
        rank = np.cumsum(~copies.copy) - 1
        flow = copies.of_flows(those)
        begin = np.searchsorted(raw, edges)
        before, root = rank[those], rank[copies.root[those]]
        _judge(array, rows[raw], begin, fine, (rows[those], flow, before, root))
        asked = np.flatnonzero(fine[flow])
        alike = same(reading, rows[those[asked]], rows[copies.root[those[asked]]])
        fine[flow[asked[~alike]]] = False
        self.known = fine.tolist()
        for at in np.flatnonzero(fine).tolist():
            self.left[at] = rows[raw[begin[at] : begin[at + 1]]]
        first = rows_at(array, rows[edges[:-1]])
        edges = np.searchsorted(flow, np.arange(len(flows) + 1))
        self._count(rows[those], first[flow], before - begin[flow], edges)

    def _count(self, rows: Array, first: Array, before: Array, begin: Array) -> None:
        """What there is to count of the copies, flow by flow: each ``begin`` among them."""
        array, row = self._reading.columns.array, rows_at(self._reading.columns.array, rows)
        there = (row["src"] != first["src"]) | (row["sport"] != first["sport"])
        # A part of a capture does not have them.
        whole, origin = self._reading.origin(rows)
        heads = whole.columns.array.get(HEADS)
        flags, length = row["flags"], row["length"].astype(np.int64)
        size = length if heads is None else length + heads[origin]
        closed = (row["window"] == 0) & (flags & RST == 0)
        bits = (flags & bit != 0 for bit in (SYN, FIN, RST))
        sums = np.zeros((2, 7, len(rows) + 1), np.int64)
        facts = [closed, length > 0, length, size, *bits]
        for end, mine in enumerate((~there, there)):
            for at, fact in enumerate(facts):
                np.cumsum(np.where(mine, fact, 0), out=sums[end, at, 1:])
        sent = np.zeros((2, len(rows) + 1), np.int64)
        np.cumsum([~there, there], axis=1, out=sent[:, 1:])
        self._begin: list[int] = begin.tolist()
        self._before: list[int] = before.tolist()
        self._time: list[int] = row["time"].tolist()
        self._frame: list[int] = array["frame"][rows].tolist()
        self._counts: list[list[list[int]]] = sums[:, :2].tolist()
        totals = np.concatenate([sent[:, None], sums[:, 2:]], axis=1)[:, :, begin]
        self._totals: list[list[tuple[int, ...]]] = np.diff(totals).transpose(2, 0, 1).tolist()

    def of(self, flow: int) -> Along:
        """Those of one flow that is :attr:`known`."""
        begin, end = self._begin[flow], self._begin[flow + 1]
        return Along(
            self._before[begin:end],
            self._time[begin:end],
            self._frame[begin],
            [[each[begin : end + 1] for each in counts] for counts in self._counts],
            self._totals[flow],
        )


def beside(reading: Reading, flows: Sequence[Array]) -> list[tuple[Array, Along] | None]:
    """Of each of these flows what the core is given, and the copies; ``None`` if none are known.

    Where there is none among its first segments, there is none that is worth the search.
    """
    out: list[tuple[Array, Along] | None] = [None] * len(flows)
    if not flows:
        return out
    some = [at for at, rows in enumerate(flows) if len(rows) <= _FEW]
    others = [at for at, rows in enumerate(flows) if len(rows) > _FEW]
    if others:
        heads = [flows[at][:_FEW] for at in others]
        edges = np.append(0, np.cumsum([len(rows) for rows in heads]))
        copy = Copies(reading.columns.array, np.concatenate(heads), edges).copy
        has = np.flatnonzero(np.add.reduceat(copy, edges[:-1])).tolist()
        some += [others[at] for at in has]
    while some:
        # Short ones together, as many as are worked on at a time.
        sizes = np.cumsum([len(flows[at]) for at in some])
        count = max(int(np.searchsorted(sizes, _TOGETHER, "right")), 1)
        these, some = some[:count], some[count:]
        made = Beside(reading, [flows[at] for at in these])
        for place, at in enumerate(these):
            if made.known[place]:
                out[at] = made.left[place], made.of(place)
    return out


def _judge(
    array: Piece, left: Array, begin: Array, fine: Array, those: tuple[Array, Array, Array, Array]
) -> None:
    """Not fine are flows of several connections, and where a copy may be more than counted."""
    rows, flow, before, root = those
    row, own = rows_at(array, left), np.repeat(np.arange(len(fine)), np.diff(begin))
    flags, first = row["flags"], row[np.minimum(begin[:-1], max(len(row) - 1, 0))]
    fine &= (first["src"] != first["dst"]) | (first["sport"] != first["dport"])
    there = (row["src"] == first["src"][own]) & (row["sport"] == first["sport"][own])
    for kind in (SYN, SYN | ACK):
        syns = np.flatnonzero(flags & (SYN | ACK) == kind)
        if not len(syns):
            continue
        begins = np.flatnonzero(changes(own[syns]))
        one = syns[begins].repeat(np.diff(begins, append=len(syns)))
        # Another than is repeated would be another connection's.
        same_one = (row["seq"][syns] == row["seq"][one]) & (there[syns] == there[one])
        same_one &= (row["ack"][syns] == row["ack"][one]) | (kind == SYN)
        fine[own[syns[~same_one]]] = False
        if kind == SYN:
            fine[own[one[one != begin[own[one]]]]] = False
    # Of an end that has not spoken yet, Zeek makes more of each that speaks of it.
    count = len(left)
    answer = np.full(len(fine), count)
    others = np.flatnonzero(~there)[::-1]
    answer[own[others]] = others
    reset = np.full(len(fine), count)
    resets = np.flatnonzero(flags & RST)[::-1]
    reset[own[resets]] = resets
    asked = rows_at(array, rows)
    special = asked["flags"] & (SYN | FIN | RST) != 0
    # Nothing is begun or ended anew where only ACKs of the same end came meanwhile.
    mine = (asked["src"] == first["src"][flow]) & (asked["sport"] == first["sport"][flow])
    news = np.cumsum((row["length"] > 0) | (flags & (SYN | FIN | RST) != 0))
    ours, theirs = np.cumsum(there), np.cumsum(~there)
    other = np.where(mine, theirs[before] - theirs[root], ours[before] - ours[root])
    special &= (news[before] != news[root]) | (other > 0) | (asked["flags"] & RST != 0)
    unsure = (special | (before < answer[flow])) & (before != root)
    # One that is repeated has Zeek count anew.
    anew = np.cumsum(flags & SYN != 0)
    unsure |= anew[before] != anew[root]
    # What it acknowledged then is no news for Zeek only if that end had spoken already.
    unsure |= (root < answer[flow]) & (before >= answer[flow])
    # A window of zero counts until the other end has closed.
    close = np.full(len(fine), count)
    closes = np.flatnonzero(flags & FIN)[::-1]
    close[own[closes]] = closes
    unsure |= (asked["window"] == 0) & (before >= close[flow])
    unsure |= (before >= reset[flow]) & (asked["flags"] & RST == 0)
    fine[flow[unsure]] = False


class Along:
    """The copies of one flow, on the way along its other segments.

    ``before``  of each the place of the segment that comes right before it, ``time`` when it came
    ``frame``   the first one's
    ``counts``  of who sent the flow's first segment, and of the other end: how many with a window
                of zero, and with data, there are up to each (differences count)
    ``totals``  of both how many there are, bytes of data and of IP packets, SYNs, FINs, resets
    ``due``     the place of the segment before which the next ones have to be counted
    ``turned``  the flow's first segment is the server's
    """

    def __init__(
        self,
        before: list[int],
        time: list[int],
        frame: int,
        counts: list[list[list[int]]],
        totals: list[tuple[int, ...]],
    ) -> None:
        self._before, self._time, self._frame = before, time, frame
        self._counts, self._totals = counts, totals
        self._unsure = False
        self._at = 0
        self.due = self._before[0] + 1
        self.turned = False

    def up_to(self, connection: Connection, place: int) -> None:
        """Count what came before the segment at this place, which the core has not taken yet."""
        begin, end = self._at, bisect_left(self._before, place, self._at)
        if begin == end:
            return
        self._at = end
        self.due = self._before[end] + 1 if end < len(self._before) else 1 << 62
        assert connection.analysis is not None
        zeek = connection.analysis.zeek
        letters = []
        for which, side in enumerate(self._sides()):
            mine = zeek._orig if side is zeek._orig_side else zeek._resp
            for counts, (name, letter) in zip(self._counts[which], _LETTERS, strict=True):
                if counts[begin] == counts[end]:
                    continue
                had = getattr(mine, name)
                now = had + counts[end] - counts[begin]
                setattr(mine, name, now)
                for power in takewhile(now.__ge__, _POWERS):
                    if power > had:
                        at = bisect_left(counts, counts[begin] + power - had)
                        letters.append((at, letter, mine))
        letters.sort(key=lambda each: each[0])
        # Windows of zero are counted in a run of segments, too: when among these is not known.
        self._unsure |= len(letters) > 1 and any(letter == "W" for _, letter, _ in letters)
        for _, letter, mine in letters:
            zeek._add(letter, mine)
        if self._before[end - 1] == place - 1:
            connection.last_ns = self._time[end - 1]
            if not (zeek._orig.did_close and zeek._resp.did_close):
                zeek._last_ns = connection.last_ns

    def _sides(self) -> tuple[Side, Side]:
        return (Side.SERVER, Side.CLIENT) if self.turned else (Side.CLIENT, Side.SERVER)

    def close(self, connection: Connection, place: int) -> bool:
        """The core has taken all; whether none of that was a copy for it."""
        self.up_to(connection, place)
        analysis = connection.analysis
        assert analysis is not None
        vitals, zeek = analysis.vitals, analysis.zeek
        if vitals.copies or self._unsure:
            return False
        for side, (count, length, size, syns, fins, rsts) in zip(
            self._sides(), self._totals, strict=True
        ):
            if not count:
                continue
            end = connection.end(side)
            end.segments += count
            end.bytes += length
            end.syns += syns
            end.fins += fins
            end.rsts += rsts
            mine = zeek._orig if side is zeek._orig_side else zeek._resp
            mine.packets += count
            mine.ip_bytes += size
            mine.fin_count += fins
            analysis.marks.counts[side][MarkName.CAPTURED_TWICE] += count
            vitals.copies += count
        vitals._show("copy", self._frame)
        return True
