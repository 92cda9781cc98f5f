"""Rows dealt out to files by their flow, and taken back a file at a time.

One pass over the columns on disk writes each packet's row into the file of its flow's bucket. A
bucket has whole flows and fits into memory; a flow that is too long for that comes by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.building import CHUNK
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.errors import named
from tcpviz.bulk.segments.columns import DTYPES, ROW, WIDE, Columns
from tcpviz.bulk.segments.flows import codes, ends, mixed
from tcpviz.bulk.segments.icmp import Errors
from tcpviz.bulk.segments.reading import Reading, Unsuited
from tcpviz.bulk.segments.windows import Windows
from tcpviz.core.segment import Segment
from tcpviz.sources.spool import no_room, unnamed
from tcpviz.wire.decoder import Decoder

Array = NDArray[Any]

MOST = 256
"""Buckets at most: each is an open file."""

STEP = 1 << 16
"""Rows that are dealt out at a time."""

ROW_COST = 240
"""Bytes that each row of a bucket takes while its connections are made, at most about."""

_REST = 4
"""Steps after which what has been looked at is let go of."""

_SPOTS, _SPOT = 64, 64
"""Places in a bucket that are looked at for a flow too long for it, and rows at each."""

_NAMES = ("captured", "wire", "frame", "ident", "scale")
_RECORD = np.dtype(
    [
        ("row", ROW),
        ("now", "i8"),
        ("steady", "i8"),
        *((name, "u4" if name in WIDE else DTYPES[name]) for name in _NAMES),
        ("whole", "u4"),
    ]
)
"""What is written of a row: all that is asked of many at once, and its place in the capture."""

_PLAIN = np.dtype(f"V{ROW.itemsize}")  # to be copied at once, and not field by field


class Part(Reading):
    """What a bucket has of a reading, for building only.

    ``whole``  of each of its rows the row in the capture
    ``now``, ``steady``  of each what the clock tells
    ``chunk``  segments that are worked on at a time
    ``alone``  all of it is one flow
    """

    def __init__(
        self,
        reading: Reading,
        array: dict[str, Array],
        windows: Windows,
        chunk: int,
        *,
        alone: bool,
        named: bool,
    ) -> None:
        self._of, self.windows = reading, windows
        self.whole, self.now, self.steady = (array.pop(n) for n in ("whole", "now", "steady"))
        self.columns = _Columns(reading.columns, array, self.whole)
        self.errors = Errors(reading.columns.tables)
        if named:
            rows = np.searchsorted(self.whole, reading.errors.column("row"))
            self.errors = reading.errors.at(rows)
        self.gaps = reading.gaps
        self.chunk, self.alone = chunk, alone

    def segment(self, row: int, decoder: Decoder) -> Segment:
        return self._of.segment(int(self.whole[row]), decoder)

    def segments(self, rows: Sequence[int], decoder: Decoder) -> Iterator[Segment]:
        return self._of.segments(self.whole[rows].tolist(), decoder)

    @property
    def root(self) -> Reading:
        return self._of

    def origin(self, rows: Array) -> tuple[Reading, Array]:
        return self._of, self.whole[rows]


class _Columns(Columns):
    def __init__(self, columns: Columns, array: dict[str, Array], whole: Array) -> None:
        self.tables, self.count = columns.tables, len(whole)
        names = {name: array["row"][name] for name in ROW.names or ()}
        self.array = _Rest(array | names, columns.array, whole)


class _Rest(dict[str, Array]):
    """Columns of a bucket; what it has not is taken from the capture's when somebody asks."""

    def __init__(self, mine: dict[str, Array], of: dict[str, Array], whole: Array) -> None:
        super().__init__(mine)
        self._of, self._whole = of, whole

    def __missing__(self, name: str) -> Array:
        made: Array = self._of[name][self._whole]
        self[name] = made
        return made


class Buckets:
    """The buckets of a reading; those that ICMP errors name are all in the first."""

    def __init__(self, reading: Reading, clock: Clock, windows: Windows) -> None:
        self._reading, self._clock, self._windows = reading, clock, windows
        count = reading.columns.count
        # Half of what there is for the bucket, the rest for the work on a part of it.
        wanted = -(-count * ROW_COST * 2 // windows.limit)
        self._counts = np.zeros(min(max(wanted, 2), MOST), np.int64)
        self.chunk = min(max(windows.limit // 2 // 1200, 1 << 12), CHUNK)
        self._files: list[int] = []
        self._named = named(reading.errors)

    def __len__(self) -> int:
        return len(self._counts)

    def close(self) -> None:
        """They are gone."""
        for file in self._files:
            if file >= 0:
                os.close(file)
        self._files = []

    def deal(self, enough: Callable[[], bool] | None) -> None:
        """Write every row into the file of its bucket. Raises SourceError if the disk is full."""
        self._files = [unnamed() for _ in self._counts]
        count = self._reading.columns.count
        for step, at in enumerate(range(0, count, STEP)):
            if enough is not None and enough():
                return
            if step % _REST == _REST - 1:
                self._windows.rest()
            self._deal(slice(at, min(at + STEP, count)))

    def _deal(self, span: slice) -> None:
        columns, clock = self._reading.columns.array, self._clock
        bucket = self._bucket(columns["row"][span])
        order = np.argsort(bucket, kind="stable")
        made = np.empty(len(bucket), _RECORD)
        made["row"].view(_PLAIN)[:] = columns["row"][span].view(_PLAIN)[order]
        made["now"] = clock.now[span][order]
        made["steady"] = clock.steady[span][order]
        for name in _NAMES:
            made[name] = columns[name][span][order]
        made["whole"] = order
        made["whole"] += np.uint32(span.start)
        counts = np.bincount(bucket, minlength=len(self._counts))
        self._counts += counts
        data = made.view(np.uint8).data
        at = 0
        for file, size in zip(self._files, (counts * _RECORD.itemsize).tolist(), strict=True):
            _write(file, data[at : at + size])
            at += size

    def _bucket(self, rows: Array) -> Array:
        """Which bucket each row is for: the same for both directions."""
        one, other = ends(rows, slice(None))
        code = mixed(codes(one, other, rows["scope"]), 1)
        bucket: Array = (code % np.uint64(len(self._counts))).astype(np.uint16)
        if len(self._named):
            bucket[np.isin(np.minimum(one, other), self._named)] = 0
        return bucket

    def take(self, number: int) -> Iterator[Part]:
        """A bucket, out of its file; a flow that is too long for it comes by itself."""
        file, count = self._files[number], int(self._counts[number])
        self._files[number] = -1
        named = not number and bool(self._reading.errors)  # whose flows must stay together
        while not named and self._large(count):
            key = self._heaviest(file, count)
            if key is None:
                break
            (one, its), (file, count) = self._parted(file, count, key)
            yield self._part(one, its, alone=True)
        if count:
            yield self._part(file, count, named=named)
        else:
            os.close(file)

    def _large(self, count: int) -> bool:
        return count * ROW_COST > self._windows.limit

    def _part(self, file: int, count: int, *, alone: bool = False, named: bool = False) -> Part:
        """What is in a file, which goes with that; on disk, if it is too much for memory."""
        empty = self._windows.empty if self._large(count) else np.empty
        array: dict[str, Array] = {}
        try:
            for name in _RECORD.names or ():
                array[name] = empty(count, _RECORD[name])
            for step, (at, made) in enumerate(_records(file, count)):
                if step % _REST == _REST - 1:
                    self._windows.rest()
                for name, column in array.items():
                    kind = _PLAIN if name == "row" else column.dtype
                    column[at : at + len(made)].view(kind)[:] = made[name].view(kind)
        finally:
            os.close(file)
        return Part(self._reading, array, self._windows, self.chunk, alone=alone, named=named)

    def _heaviest(self, file: int, count: int) -> tuple[int, int, int] | None:
        """The flow that has most of a file's rows, by some of them, if it is worth its own file."""
        spots = np.linspace(0, max(count - _SPOT, 0), _SPOTS).astype(np.int64).tolist()
        size = _RECORD.itemsize
        data = b"".join(_read(file, min(_SPOT, count) * size, at * size) for at in spots)
        keys = np.stack(_keys(np.frombuffer(data, _RECORD)["row"]), axis=1)
        unique, counts = np.unique(keys, axis=0, return_counts=True)
        most = int(np.argmax(counts))
        if not self._large(4 * count * int(counts[most]) // len(keys)):
            return None
        low, high, scope = unique[most].tolist()
        return low, high, scope

    def _parted(
        self, file: int, count: int, key: tuple[int, int, int]
    ) -> tuple[tuple[int, int], tuple[int, int]]:
        """A file in two, the flow's rows and the others: each a file and how many there are."""
        one, other = unnamed(), unnamed()
        its = 0
        for _, made in _records(file, count):
            mine = np.ones(len(made), np.bool_)
            for column, value in zip(_keys(made["row"]), key, strict=True):
                mine &= column == np.uint64(value)
            its += int(np.count_nonzero(mine))
            for into, which in ((one, mine), (other, ~mine)):
                _write(into, made[which].view(np.uint8).data)
        os.close(file)
        return (one, its), (other, count - its)


def _keys(rows: Array) -> tuple[Array, Array, Array]:
    """What is the same in all rows of a flow."""
    one, other = ends(rows, slice(None))
    return np.minimum(one, other), np.maximum(one, other), rows["scope"].astype(np.uint64)


def _records(file: int, count: int) -> Iterator[tuple[int, Array]]:
    """The records of a file, some at a time, each time with where they begin."""
    size = _RECORD.itemsize
    for at in range(0, count, STEP):
        part = min(STEP, count - at)
        yield at, np.frombuffer(_read(file, part * size, at * size), _RECORD)


def _write(file: int, data: memoryview) -> None:
    try:
        while data:
            data = data[os.write(file, data) :]
    except OSError as error:
        raise no_room(error) from None


def _read(file: int, size: int, at: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        done = os.preadv(file, [view], at)
        if not done:
            raise Unsuited("a file for columns is shorter than it was")
        view, at = view[done:], at + done
    return data
