"""The later parts of a capture file, read by forks while its first part is read here.

Where a record begins in the middle of a file nobody knows: it is guessed, by how one
record leads to the next, and only taken for true once all before it has been read to there. Each
part is read into columns of its own, up to whatever cannot be told without what was before: a
datagram in fragments, packets that were lost, other interfaces. From there on it is read here.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np

from tcpviz.bulk import forks
from tcpviz.bulk.segments.columns import SMALLEST, Column, Columns, Piece, Scope, Tables
from tcpviz.bulk.segments.icmp import ADDRESSES, Errors
from tcpviz.bulk.segments.reading import Reading
from tcpviz.bulk.segments.records import PIECE, Batch, BulkPcap, BulkPcapng
from tcpviz.wire.decoder import Counts, Decoder

WORTH = 1 << 24
"""Bytes that are worth a fork: some 0.05 s of small packets."""

PART = 1 << 26
"""Bytes that one fork reads at most: what it has read is there twice until it is taken."""

LOOK = 1 << 20
"""Bytes in which the beginning of a record is looked for."""

_STEP = 1 << 21
"""Bytes of memory that are given back at a time: a large page."""

_ROWS = 1 << 15
"""Rows that are given back at a time: they stay in the processor's cache."""


class Head(NamedTuple):
    """What a part is, before its rows come.

    ``state``    by what the parser took its first record
    ``end``      the place in the file behind its last record, ``records`` how many there are
    ``rows``     how many segments; ``singly`` of them read one by one
    ``counts``   the decoder's
    ``long``, ``scopes``, ``sources``  as of :class:`Tables`
    ``errors``   how many ICMP errors; ``quoting`` are the VLANs and tunnels of such
    """

    state: tuple[object, ...]
    end: int
    records: int
    rows: int
    singly: int
    counts: Counts
    long: list[bytes]
    scopes: list[Scope]
    sources: list[tuple[int, int]]
    errors: int
    quoting: list[tuple[str, ...]]


class Ahead:
    """The parts that forks read. Close it."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._forks: dict[int, forks.Fork[Any]] = {}
        self._at = 0
        capture, file = reading.capture, reading.file
        parser, size = capture.stream.parser, capture.size
        if file is None or size is None or capture.stream.packed:
            return
        if not isinstance(parser, BulkPcap | BulkPcapng):
            return
        count = min(forks.hands(), size // WORTH)
        windows = reading.columns.windows
        if windows is not None:
            count = min(count, 1 + windows.helpers(size // SMALLEST))
        if count > 1:
            self._count, self._part = count, min(size // count, PART)
            self._begin()

    def _begin(self) -> None:
        """Forks for the next parts, one in so many is left to be read here."""
        reading, at, part = self._reading, self._at, self._part
        capture, file, parser = reading.capture, reading.file, reading.capture.stream.parser
        assert file is not None
        assert capture.size is not None
        assert isinstance(parser, BulkPcap | BulkPcapng)
        self._at = end = min(at + self._count * part, capture.size)
        if capture.size - end < part:
            self._at = end = capture.size
        begins: list[int] = []
        for number in range(1, self._count):
            place = at + (end - at) * number // self._count & ~3  # as blocks of pcapng begin
            found = parser.find(os.pread(file, LOOK, place))
            if found is not None and place + found > max([capture.position, *begins]):
                begins.append(place + found)
        if not begins and end < capture.size:
            self._begin()  # nobody can tell here; further on perhaps
            return
        makes = [partial(_part, reading, *each) for each in pairwise([*begins, end])]
        self._forks |= zip(begins, forks.begun(makes), strict=False)
        capture.until = min(self._forks, default=None)

    def look(self) -> None:
        """Take what a fork has read, if this reading has come to where that begins."""
        capture = self._reading.capture
        while capture.until is not None and capture.position >= capture.until:
            place = capture.until
            if len(self._forks) == 1 and self._at < (capture.size or 0):
                self._begin()  # others go on while this one is taken
            fork = self._forks.pop(place)
            parser = capture.stream.parser
            if parser is not None and parser.between == place:
                with contextlib.suppress(forks.Lost):  # it is read here then
                    _join(self._reading, fork)
            fork.close()
            capture.until = min(self._forks, default=None)

    def close(self) -> None:
        """End them all."""
        for fork in self._forks.values():
            fork.close()
        self._forks = {}


class _Passing(Columns):
    """Columns in memory that is given back from the front on, before another has them."""

    def _empty(self, count: int, kind: str) -> Column:
        room = mmap.mmap(
            -1, max(count * np.dtype(kind).itemsize, 1), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        )
        with contextlib.suppress(OSError, AttributeError, ValueError):
            room.madvise(mmap.MADV_HUGEPAGE)
        return np.frombuffer(room, kind, count)

    def let_go(self, rows: int) -> None:
        """The first rows are not asked for any more."""
        for space in self._space.values():
            room = space.base.obj if isinstance(space.base, memoryview) else None
            gone = rows * space.itemsize // _STEP * _STEP
            if gone and isinstance(room, mmap.mmap):
                with contextlib.suppress(OSError, AttributeError, ValueError):
                    room.madvise(mmap.MADV_DONTNEED, 0, gone)


def _part(reading: Reading, begin: int, end: int) -> Iterator[Head | Piece]:
    """In a fork: read what lies from ``begin`` to ``end``, and give it back."""
    capture, file = reading.capture, reading.file
    parser = capture.stream.parser
    assert parser is not None
    assert file is not None
    parser.go_on(begin, 0)
    columns = _Passing((end - begin) // SMALLEST, heads=reading.columns.heads)
    reading.begin_anew(columns, decoder := Decoder())
    state, before, at = parser.state, parser.traces, begin
    head = _head(reading, state)
    while at < end:
        data = os.pread(file, min(PIECE, end - at), at)
        if not data:
            break
        for batch in cast("list[Batch]", parser.feed(data)):
            reading.take(batch)
        if parser.traces != before or not decoder.idle or reading.keeps:
            break
        at += len(data)
        head = _head(reading, state)
    yield head
    if head.errors:
        yield reading.errors.of(head.errors)
    for row in range(0, head.rows, _ROWS):
        columns.let_go(row)
        yield columns.spaces(row, min(row + _ROWS, head.rows))


def _head(reading: Reading, state: tuple[object, ...]) -> Head:
    tables, parser = reading.columns.tables, reading.capture.stream.parser
    assert parser is not None
    told = tables.long, tables.scopes, tables.sources
    errors = len(reading.errors), reading.errors.scopes
    counts = reading.columns.count, reading.singly, reading.decoder.counts
    return Head(state, parser.offset, parser.number, *counts, *told, *errors)


def _join(reading: Reading, fork: forks.Fork[Any]) -> None:
    """Take a part that begins where the reading has come to. Raises Lost; then nothing is taken."""
    columns, capture, parser = reading.columns, reading.capture, reading.capture.stream.parser
    assert parser is not None
    before, number = columns.count, parser.number
    head: Head = fork.take()
    if parser.state != head.state or len(reading.errors) + head.errors > reading.most_errors:
        raise forks.Lost
    numbers = _Numbers(columns.tables, head)
    try:
        errors = numbers.errors(fork.take(), reading.errors) if head.errors else None
        while columns.count - before < head.rows:
            rows = columns.extend(fork.take())
            rows["frame"] += np.uint32(number)
            numbers.change(rows)
        if not reading.decoder.add(head.counts):
            raise forks.Lost
    except BaseException:
        columns.count = before
        raise
    reading.singly += head.singly
    if errors is not None:
        errors["row"] += before
        errors["frame"] += number
        reading.errors.append(errors)
    capture.go_on(head.end, number + head.records)


class _Numbers:
    """What a part's numbers of addresses, scopes and sources are here."""

    def __init__(self, tables: Tables, head: Head) -> None:
        if max(len(head.scopes) + len(tables.scopes), len(head.sources)) > 1 << 15:
            raise forks.Lost
        self._quoting = head.quoting
        self._six = np.array([version == 6 for version, _ in head.scopes], np.bool_)
        self._long = np.array([tables.address(each) for each in head.long], np.uint32)
        self._scopes = np.array([tables.scope(*each) for each in head.scopes], np.uint16)
        self._sources = np.array([tables.source(*each) for each in head.sources], np.uint16)

    def change(self, rows: Piece) -> None:
        """Make them ours."""
        if self._six.any():
            six = np.flatnonzero(self._six[rows["scope"]])
            for name in ("src", "dst"):
                rows[name][six] = self._long[rows[name][six]]
        for name, numbers in (("scope", self._scopes), ("source", self._sources)):
            if (numbers != np.arange(len(numbers))).any():
                rows[name][:] = numbers[rows[name]]

    def errors(self, piece: Piece, errors: Errors) -> Piece:
        """The same of ICMP errors."""
        six = np.flatnonzero(piece["version"] == 6)
        for name in ADDRESSES:
            piece[name][six] = self._long[piece[name][six]]
        scopes = np.array([errors.scope(names) for names in self._quoting], np.uint32)
        return piece | {"scope": scopes[piece["scope"]]}
