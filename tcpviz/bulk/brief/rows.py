"""What columns tell of the segments of many short flows: as numbers, one segment after the other.

It is asked of all of them at once, since to ask a column for the rows of a single flow takes as
long as the core takes for a segment. And it is told here which flows can have no packet twice: in
those nobody need compare packets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments import sums
from tcpviz.bulk.segments.columns import (
    HEADS,
    ODD,
    SACKED,
    STAMPED,
    SUM_SHIFT,
    Piece,
    clearly_captured,
    congested,
    rows_at,
)
from tcpviz.bulk.segments.reading import Reading
from tcpviz.core.segment import ECN, NO_OPTIONS, Endpoint, Options, Segment
from tcpviz.core.twice import AT_ONCE_NS, RECENT
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.tcp import FLAGS

Array = NDArray[Any]

LONGEST = 1 << 24
"""Bytes of data that no segment has."""

LAST = 0xFFFFFFFF - LONGEST
"""Behind a segment with this number, or a lesser one, numbers do not come round."""

Row = tuple[int, int, int, int, int, int, int, int, int, int, int]
"""Of a segment that may be plain: its kind's bits, time, frame, seq, ack, length, window, TTL, the
timestamps' value and echo, and its IP packet's length (its data's, unless it was asked for)."""

Scope = tuple[str, ...]
"""VLANs and tunnels."""

RIGHT, TIMED, SELECTIVE, KEPT, MARKED, ECHOED, WRONG, SHUT = 1, 2, 4, 8, 16, 32, 64, 128
"""Bits of a row's kind: its checksum is right; it has timestamps, SACK blocks, data as captured.

And it met congestion on its way, or tells of that; its checksum is wrong; its window is zero.
"""

_ACK, _PSH, _SYN, _FIN, _ECE = 16, 8, 2, 1, 64
_TOLD = np.uint16(0x1D)  # FIN, RST, PSH, ACK: what has no options of its own, nor urgent data


class Rows:
    """The segments of some flows, flow by flow: ``flows`` are each one's rows.

    ``begin``   where each flow begins among them, and where the last one ends
    ``single``  of each flow: it has no packet that could have been captured twice
    ``there``   of each segment whether it goes the same way as its flow's first one
    ``bare``    of each whether all that the core asks of it, but for its data, is in its numbers
    ``flags``   of each its flags, and the reserved bits above them
    ``partly``  of each whether it is bare, and only a FIN if it is anything but data and an ACK
    ``plain``   of each whether it may be plain: it is odd in nothing that can be seen of it alone
    ``told``    of each its numbers

    Until :meth:`tell` there is only ``single``.
    """

    def __init__(self, reading: Reading, flows: Sequence[Array]) -> None:
        array = reading.columns.array
        sizes = np.array([len(each) for each in flows], np.int64)
        edges = np.append(0, np.cumsum(sizes))
        rows: Array = np.concatenate(flows).astype(np.int64)
        row = rows_at(array, rows)
        part = np.repeat(np.arange(len(flows)), sizes)
        first = edges[:-1][part]
        there = (row["src"] == row["src"][first]) & (row["sport"] == row["sport"][first])
        own = (row["src"] == row["dst"]) & (row["sport"] == row["dport"])
        twice = _twice(row, array["ident"][rows], part, there) | own
        self.single: list[bool] = (np.bincount(part[twice], minlength=len(flows)) == 0).tolist()
        self._reading, self._columns = reading, (edges, rows, row, there)

    def tell(self) -> None:
        """Tell all but ``single``, once."""
        reading, (edges, rows, row, there) = self._reading, self._columns
        del self._reading, self._columns
        array = reading.columns.array
        self.begin: list[int] = edges.tolist()
        self.rows: list[int] = rows.tolist()
        self.there: list[bool] = there.tolist()
        self.flags: list[int] = row["flags"].tolist()
        plain, bare, kind = kinds(array, rows, row)
        self._of, origin = reading.origin(rows)
        self._made = self._of.told(origin)
        whole = self._of.columns.array
        heads = whole[HEADS][origin] if HEADS in whole else np.zeros(len(rows), np.int32)
        columns = (
            kind, row["time"], array["frame"][rows], row["seq"], row["ack"], row["length"],
            row["window"], row["ttl"], row["value"], row["echo"], row["length"] + heads,
        )  # fmt: skip
        self.told: list[Row] = list(zip(*(each.tolist() for each in columns), strict=True))
        self.plain: list[bool] = plain.tolist()
        self.bare: list[bool] = bare.tolist()
        closes = bare & (row["flags"] & np.uint16(0xFFFF ^ _PSH) == _FIN | _ACK)
        closes &= (row["ack"] != 0) & (row["length"] < LONGEST)
        clean = kind & (MARKED | ECHOED | WRONG) == 0
        self.partly: list[bool] = (closes | (plain & clean)).tolist()
        self._decoder = Decoder(verify=True)

    def segment(self, place: int) -> Segment:
        """The segment at a place, read from the capture once more."""
        return self._of.made(self._made[place], self._decoder)

    def seq_and_length(self, place: int) -> tuple[int, int]:
        """The first number of the data at a place, and how much there is of it."""
        told = self.told[place]
        return told[3], told[5]

    def without_data(self, place: int, ways: tuple[Endpoint, Endpoint, Scope]) -> Segment:
        """One that is ``bare``, without its data: from, to, and where it was."""
        kind, time, frame, seq, ack, length, window, ttl, value, echo, size = self.told[place]
        src, dst, scope = ways
        options, right = NO_OPTIONS, True if kind & RIGHT else None
        if kind & TIMED:
            options = Options(None, None, False, (), (value, echo))
        return Segment(
            time, src, dst, seq, ack, FLAGS[self.flags[place]], window, length, options,
            b"", 0, frame, scope, ttl, None, 0, 0, 0, right, False, 0, None, size,
        )  # fmt: skip


def kinds(array: Piece, rows: Array, row: Array) -> tuple[Array, Array, Array]:
    """Which segments may be plain, which are bare, and their kinds."""
    bits, length, flags = row["bits"], row["length"], row["flags"]
    said = bits >> SUM_SHIFT & 3
    usual = array["where"][rows] != -1
    wrong, marked = said == sums.WRONG, congested(bits)
    bare = usual & ~wrong & ~marked & (bits & ODD == 0) & (flags & _TOLD == flags)
    plain = usual & (flags & np.uint16(0xFFFF ^ (_PSH | ECN)) == _ACK)
    plain &= (bits & ODD == 0) | (bits & SACKED != 0)
    plain &= (row["ack"] != 0) & (length < LONGEST)
    captured = array["captured"][rows]
    lacks = array["wire"][rows].astype(np.int64) - captured
    clear = clearly_captured(lacks, length, captured, bits)
    plain &= clear
    bare &= clear
    kind = (said == sums.RIGHT) * RIGHT + (bits & STAMPED != 0) * TIMED
    kind += (bits & SACKED != 0) * SELECTIVE + ((lacks <= 0) & (length > 0) & ~wrong) * KEPT
    kind += marked * MARKED + (flags & _ECE != 0) * ECHOED + wrong * WRONG
    kind += (row["window"] == 0) * SHUT
    return plain, bare, kind


def _twice(row: Array, ident: Array, part: Array, there: Array) -> Array:
    """Packets that may be ones that were captured before, or show that identifications say nothing.

    As :class:`tcpviz.core.twice.TwiceSeen` tells it, in a flow in which none was so far: those with
    an identification that their sender has used shortly before, and those without one that come
    at once behind one that is the same otherwise.
    """
    found = np.zeros(len(row), np.bool_)
    flags, seq, ack, length = row["flags"], row["seq"], row["ack"], row["length"]
    takes = (length > 0) | (flags & 3 != 0)
    for back in range(1, min(RECENT, len(row) - 1) + 1):
        same = ident[back:] == ident[:-back]
        same &= (part[back:] == part[:-back]) & (there[back:] == there[:-back])
        at = np.flatnonzero(same)
        now, then = at + back, at
        again = (seq[now] == seq[then]) & (ack[now] == ack[then]) & takes[now]
        again &= (flags[now] == flags[then]) & (length[now] == length[then])
        again &= np.abs(row["time"][now] - row["time"][then]) <= AT_ONCE_NS
        found[now] |= again | (ident[now] != 0)
    syns = np.flatnonzero((flags & _SYN != 0) & (ident != 0))
    names = part[syns] << 17 | there[syns].astype(np.int64) << 16 | ident[syns]
    _, which, count = np.unique(names, return_inverse=True, return_counts=True)
    found[syns[count[which] > 1]] = True
    return found
