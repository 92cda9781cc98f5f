"""The later parts of a capture file, read by forks while its first part is read here.

Where a record begins in the middle of a file nobody knows: it is guessed, by how one
record leads to the next, and only taken for true once all before it has been read to there. Each
part is read into columns of its own, up to whatever cannot be told without what was before: a
datagram in fragments, packets that were lost, other interfaces. From there on it is read here.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np

from tcpviz.bulk import forks
from tcpviz.bulk.segments.columns import SMALLEST, Piece, Scope, Tables
from tcpviz.bulk.segments.icmp import ADDRESSES, Errors
from tcpviz.bulk.segments.passing import Passing
from tcpviz.bulk.segments.reading import PIECE, Reading
from tcpviz.bulk.segments.records import Batch, BulkPcap, BulkPcapng
from tcpviz.wire.decoder import Counts, Decoder

WORTH = 1 << 24
"""Bytes that are worth a fork: some 0.05 s of small packets."""

LOOK = 1 << 20
"""Bytes in which the beginning of a record is looked for."""

_LEAST = 56
"""Bytes of a capture that a segment takes at least, in raw IP; fewer are of one cut short."""


class Head(NamedTuple):
    """What a part is, before its rows come.

    ``state``    by what the parser took its first record
    ``end``      the place in the file behind its last record, ``records`` how many there are
    ``rows``     how many segments, ``wide`` if some take 32 bits for their length; ``singly`` of
                 them read one by one
    ``counts``   the decoder's
    ``long``, ``scopes``, ``sources``  as of :class:`Tables`
    ``errors``   how many ICMP errors; ``quoting`` are the VLANs and tunnels of such
    """

    state: tuple[object, ...]
    end: int
    records: int
    rows: int
    wide: bool
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
        self._parts: dict[int, tuple[forks.Fork[Any], Passing]] = {}
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
        begins: list[int] = []
        for number in range(1, count):
            at = size * number // count & ~3  # blocks of pcapng begin at multiples of four
            found = parser.find(os.pread(file, LOOK, at))
            if found is not None and at + found > max([capture.position, *begins]):
                begins.append(at + found)
        spans = list(pairwise([*begins, size]))
        heads = reading.columns.heads
        rooms = [Passing((end - begin) // _LEAST, heads=heads) for begin, end in spans]
        makes = [
            partial(_part, reading, room, *span) for room, span in zip(rooms, spans, strict=True)
        ]
        # There may be room for fewer forks.
        begun = zip(forks.begun(makes), rooms, strict=False)
        self._parts = dict(zip(begins, begun, strict=False))
        capture.until = min(self._parts, default=None)

    def look(self) -> None:
        """Take what a fork has read, if this reading has come to where that begins."""
        capture = self._reading.capture
        while capture.until is not None and capture.position >= capture.until:
            fork, room = self._parts.pop(capture.until)
            parser = capture.stream.parser
            if parser is not None and parser.between == capture.until:
                with contextlib.suppress(forks.Lost):  # it is read here then
                    _join(self._reading, fork, room)
            fork.close()
            capture.until = min(self._parts, default=None)

    def close(self) -> None:
        """End them all."""
        for fork, _ in self._parts.values():
            fork.close()
        self._parts = {}


def _part(reading: Reading, columns: Passing, begin: int, end: int) -> Iterator[Head | Piece]:
    """In a fork: read what lies from ``begin`` to ``end``, into these columns, and tell of it."""
    capture, file = reading.capture, reading.file
    parser = capture.stream.parser
    assert parser is not None
    assert file is not None
    parser.go_on(begin, 0)
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
    if not columns.fits:
        return
    yield head._replace(wide=columns.wide)
    if head.errors:
        yield reading.errors.of(head.errors)


def _head(reading: Reading, state: tuple[object, ...]) -> Head:
    tables, parser = reading.columns.tables, reading.capture.stream.parser
    assert parser is not None
    told = tables.long, tables.scopes, tables.sources
    errors = len(reading.errors), reading.errors.scopes
    counts = reading.columns.count, False, reading.singly, reading.decoder.counts
    return Head(state, parser.offset, parser.number, *counts, *told, *errors)


def _join(reading: Reading, fork: forks.Fork[Any], room: Passing) -> None:
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
        for piece in room.pieces(head.rows, wide=head.wide):
            rows = columns.extend(piece)
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
