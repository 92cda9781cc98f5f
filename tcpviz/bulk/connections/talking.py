"""Plain talk of one long connection, an end at a time: both only go on, and acknowledge.

Nearly all of a long connection is that. What :mod:`tcpviz.bulk.connections.regular` asks of each
segment, and :class:`~tcpviz.bulk.connections.work.Work` has to find out for it, is asked here with
a tenth of the work: right before a segment stands its sender's latest, and which one is the other
end's latest is told by counting. Numbers are compared as they come on the wire, modulo 2^32; while
all before was in order, no two that are compared are further apart than half of that.

A stretch that is not all plain talk says up to where it is, and is not taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import regular
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.signatures import talk_token
from tcpviz.bulk.connections.work import ID_STEP, LONGEST
from tcpviz.bulk.segments import sums
from tcpviz.bulk.segments.columns import STAMPED, SUM_SHIFT, Columns, Piece
from tcpviz.bulk.segments.options import CUT_SCALE, NO_SCALE
from tcpviz.core.doubt import LEAST_REACH, UNKNOWN_REACH
from tcpviz.core.segment import ACK, PSH

Array = NDArray[Any]

_HALF, _MASK = 1 << 31, (1 << 32) - 1
_ALL = 1 << 62


@dataclass(slots=True)
class Talk:
    """Sums over a stretch.

    ``segments``, ``bytes``, ``said`` (what it acknowledges of more), ``quiet`` (where all that it
    had sent was acknowledged: these numbers as they came), ``wrong`` and ``right`` (whether there
    is such a checksum), ``latest`` (place of the last segment, -1 if there is none)  of client and
    server
    ``marks``  window updates, repeated ACKs, full windows
    ``back``   whether time goes back
    ``kinds``  the first place of each kind of segment that was not met before, by its token
    """

    segments: list[int]
    bytes: list[int]
    said: list[int]
    quiet: list[Array]
    wrong: list[bool]
    right: list[bool]
    latest: list[int]
    marks: list[int]
    back: bool
    kinds: dict[int, int]


class Talking:
    """One connection; ``answer`` is the place of the server's first segment in ``rows``.

    ``ttls``  of client and server whether each TTL was met before
    """

    def __init__(
        self, columns: Columns, clock: Clock, rows: Array, answer: int, ttls: Array
    ) -> None:
        self._array, self._clock, self._rows = columns.array, clock, rows
        array = self._array
        first = [int(rows[place]) for place in (0, answer)]
        scales = [int(array["scale"][row]) for row in first]
        # Nobody scales where one does not; of one whose options were cut off nothing is known.
        scaled = NO_SCALE not in scales
        self._first = [
            _First(
                bool(end),
                array["row"][row],
                scale,
                scaled and scale == CUT_SCALE,
                scaled,
                ttls[end],
            )
            for end, (row, scale) in enumerate(zip(first, scales, strict=True))
        ]
        one = self._first[0].row
        self._name = "src" if one["src"] != one["dst"] else "sport"

    def take(self, begin: int, end: int, latest: list[int], met: set[int]) -> Talk | int:
        """Look at the places from ``begin`` to ``end``; up to where they are talk, if not all are.

        ``latest``  the place of each end's latest segment before. Nobody has closed, and all
                    keep-alives came before both of them
        ``met``     tokens of the kinds of segments that came before
        """
        array, rows = self._array, self._rows[begin:end]
        low, high = int(rows[0]), int(rows[-1])
        here = slice(low, high + 1) if high - low == end - begin - 1 else rows
        there = array[self._name][here] != self._first[0].row[self._name]
        ends = [
            _End(array, first, np.flatnonzero(which), rows, int(self._rows[place]))
            for first, which, place in zip(self._first, (~there, there), latest, strict=True)
        ]
        pairs = list(zip(ends, reversed(ends), strict=True))
        if not all(mine.ready(other) for mine, other in pairs):
            return begin
        until = min(mine.until(other) for mine, other in pairs)
        if until < end - begin:
            return begin + until
        marks = [mine.marks(other) for mine, other in pairs]
        kinds = [each for mine, other in pairs for each in mine.new(other.first, met)]
        return Talk(
            [len(each.at) for each in ends],
            [each.bytes for each in ends],
            [(int(each.ack[-1]) - int(each.ack[0])) & _MASK for each in ends],
            [mine.quiet(other) for mine, other in pairs],
            [each.tells(sums.WRONG) for each in ends],
            [each.tells(sums.RIGHT) for each in ends],
            [begin + int(each.at[-1]) if len(each.at) else -1 for each in ends],
            [one + other for one, other in zip(*marks, strict=True)],
            not self._clock.plain and self._goes_back(begin, end),
            {token: begin + place for token, place in kinds},
        )

    def _goes_back(self, begin: int, end: int) -> bool:
        """Whether time does."""
        time = self._array["time"][self._rows[begin - 1 : end]]
        return bool((time[1:] < time[:-1]).any())


@dataclass(slots=True)
class _First:
    """An end's first segment: its row, and the window scale as asked, if it is not ``cut`` off.

    ``ttls``  which ones it has had since
    """

    server: bool
    row: Any
    scale: int
    cut: bool
    scaled: bool
    ttls: Array

    @property
    def shift(self) -> np.uint32:
        """Of the windows that it offers."""
        return np.uint32(min(self.scale, 14) if self.scaled and not self.cut else 0)


class _End:
    """An end's segments in a stretch, and before them its latest one before that.

    ``at``    the places of all but the first one
    ``next``  the number behind each, ``ack`` what it acknowledges
    """

    def __init__(self, array: Piece, first: _First, at: Array, rows: Array, before: int) -> None:
        self.first, self.at, self._array = first, at, array
        self._rows = np.empty(len(at) + 1, np.intp)
        self._rows[0], self._rows[1:] = before, rows.take(at)
        self._flags, self._seq, self._length = map(self._column, ("flags", "seq", "length"))
        self.ack = self._column("ack")
        self.next = self._seq + self._length
        self.bytes = int(self._length[1:].sum(dtype=np.int64))
        # How many of the other end's came before is the place of its latest one.
        self._heard = at - np.arange(len(at))
        self._bits = bits = self._column("bits")
        same = (bits[1:] == bits[1:2]).all()
        self._said = bits[1:2] if same else np.flatnonzero(np.bincount(bits[1:])).astype(np.uint8)
        stamped = self._said & STAMPED != 0
        self.stamped = bool(stamped.any())
        self._steady = bool(stamped.all() and bits[0] & STAMPED)
        # Without data, and it acknowledges no more than its sender's before.
        self._quiet = np.flatnonzero((self._length[1:] == 0) & (self.ack[1:] == self.ack[:-1]))

    def _column(self, name: str) -> Array:
        column: Array = self._array[name][self._rows]
        return column

    @cached_property
    def window(self) -> Array:
        """Its windows as they were sent."""
        return self._column("window")

    @cached_property
    def ticks(self) -> Array:
        """Its timestamps."""
        return self._column("value")

    @cached_property
    def offered(self) -> Array:
        """Its windows in bytes."""
        offered: Array = self.window.astype(np.uint32) << self.first.shift
        return offered

    def ready(self, other: _End) -> bool:
        """Whether all can be told by what lies between this stretch's segments."""
        if _others(self._flags[:1]).any():
            return False
        return not self.stamped or (self._steady and other._steady)

    def until(self, other: _End) -> int:
        """The place in the stretch up to which all of this end's is plain talk."""
        ack = self.ack
        bad = _others(self._flags[1:])
        bad |= self._seq[1:] != self.next[:-1]
        bad |= self._length[1:] > LONGEST
        bad |= self.window[1:] == 0
        bad |= self._unmet(self._column("ttl")[1:])
        bad |= ack[1:] - ack[:-1] >= _HALF
        ahead = other.next.take(self._heard) - ack[1:]
        # What has not been sent is further than any window.
        far = np.flatnonzero(ahead > LEAST_REACH)
        if len(far):
            mine, theirs = self.offered[far], other.offered[self._heard[far]]
            unsure = self.first.cut or other.first.cut
            bad[far] |= ahead[far] > (UNKNOWN_REACH if unsure else np.maximum(mine, theirs))
        if not regular.plain(self._said).all():
            bad |= ~regular.plain(self._bits[1:])
        if self.stamped:
            bad |= self._strangely_timed(other)
        if len(self._quiet):
            # What repeats an ACK to the last bit could be the same packet captured twice.
            ident = self._array["ident"]
            now, then = ident[self._rows[self._quiet + 1]], ident[self._rows[self._quiet]]
            bad[self._quiet] |= (now != 0) & ((now == then) | (now - then > ID_STEP))
        return int(self.at[bad.argmax()]) if bad.any() else _ALL

    def _unmet(self, ttl: Array) -> Array:
        """Which TTLs it has not had before."""
        met = self.first.ttls
        unmet: Array = ttl != met.argmax()  # the only one, nearly always
        if unmet.any() or not met.any():
            unmet = ~met.take(ttl)
        return unmet

    def _strangely_timed(self, other: _End) -> Array:
        """As :func:`tcpviz.bulk.connections.regular.stamps`, where all have timestamps."""
        value, echo = self.ticks, self._column("echo")[1:]
        newest = other.ticks.take(self._heard)
        strange = newest - echo >= regular.STRANGE
        if other.first.row["bits"] & STAMPED:
            strange |= echo - other.first.row["value"] >= _HALF
        strange &= echo != 0
        strange |= value[1:] - value[:-1] >= _HALF
        made: Array = strange
        return made

    def marks(self, other: _End) -> tuple[int, int, int]:
        """How many window updates, repeated ACKs and full windows."""
        changed = self.window[self._quiet + 1] != self.window[self._quiet]
        updates = int(np.count_nonzero(changed))
        full = 0
        if not other.first.cut and self.bytes:
            data = np.flatnonzero(self._length[1:])
            edge = (other.ack + other.offered).take(self._heard[data])
            full = int(np.count_nonzero(edge == self.next[data + 1]))
        return updates, len(self._quiet) - updates, full

    def quiet(self, other: _End) -> Array:
        """What is acknowledged where that is all that it had sent; nothing where it sends none."""
        ack = other.ack[1:]
        if not self.bytes:
            return ack[:0]
        quiet: Array = ack[self.next.take(other._heard) == ack]
        return quiet

    def tells(self, what: int) -> bool:
        """Whether a checksum is right, or wrong."""
        return bool((self._said >> SUM_SHIFT & 3 == what).any())

    def new(self, other: _First, met: set[int]) -> Iterator[tuple[int, int]]:
        """Kinds of segments that were not met, and the place of the first of each."""
        more: Array | None = None
        for data in (False, True):
            for asked in (False, True) if self.first.server else (False,):
                token = talk_token(server=self.first.server, data=data, more=asked)
                if token in met:
                    continue
                these = (self._length[1:] != 0) == data
                if self.first.server:
                    if more is None:
                        more = self.ack[1:] - other.row["seq"] > 1 + other.row["length"]
                        # What it acknowledges may have come round since.
                        more |= bool(met & _MORE)
                    these &= more == asked
                if these.any():
                    yield token, int(self.at[these.argmax()])


_MORE = {talk_token(server=True, data=each, more=True) for each in (False, True)}
"""The server acknowledges more than the SYN."""


def _others(flags: Array) -> Array:
    """Those that are anything but an ACK, with PSH or without."""
    others: Array = flags & np.uint16(0x1FF - PSH) != ACK
    return others
