"""More packets than memory: their flows are dealt out to buckets, and each bucket is built alone.

One pass over the columns on disk writes each packet's row into the file of its flow's bucket.
A bucket fits into memory; its flows are whole, so that whatever
:class:`~tcpviz.bulk.building.Building` says of them is what it would say of them among all.
Connections are put together in the end. What is asked of single packets later goes by their rows
in the whole capture, whose columns stay where they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.building import CHUNK, FIELDS, MAX_LEAPS, Building
from tcpviz.bulk.clock import Clock
from tcpviz.bulk.columns import DTYPES, ROW, Columns
from tcpviz.bulk.errors import Unit, pairs_of
from tcpviz.bulk.flows import Flows, ends, mixed
from tcpviz.bulk.following import Follower
from tcpviz.bulk.reading import Reading, Unsuited
from tcpviz.bulk.shapes import Ending, Kind, Shapes
from tcpviz.bulk.windows import Windows
from tcpviz.core.connection import Connection
from tcpviz.core.records import Unreachable
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

_NAMES = ("captured", "wire", "frame", "ident", "scale")
_RECORD = np.dtype(
    [
        ("row", ROW),
        ("now", "i8"),
        ("steady", "i8"),
        *((name, DTYPES[name]) for name in _NAMES),
        ("whole", "u4"),
    ]
)
"""What is written of a row: all that is asked of many at once, and its place in the capture."""

_PLAIN = np.dtype(f"V{ROW.itemsize}")  # to be copied at once, and not field by field


def built(
    reading: Reading, enough: Callable[[], bool] | None = None, windows: Windows | None = None
) -> Building:
    """The connections of what has been read; by buckets, where it is more than memory may take.

    Raises Unsuited, and SourceError where the disk is full.
    """
    if windows is None or reading.columns.count <= windows.rows:
        return Building(reading, enough)
    return Dealt(reading, windows, enough)


class Dealt(Building):
    """As :class:`Building`, its connections made bucket by bucket."""

    def __init__(
        self, reading: Reading, windows: Windows, enough: Callable[[], bool] | None = None
    ) -> None:
        count = reading.columns.count
        if count >> 32:
            raise Unsuited("more segments than places can be told of")
        self.reading = reading
        self.clock = Clock(reading.columns.array["time"], reading.errors, windows.empty)
        if len(self.clock.leaps) > MAX_LEAPS:
            raise Unsuited("its clock leaps too often")
        self.follower = Follower(reading, self.clock)
        self.shapes = Shapes(reading, self.follower)
        self.followed: list[tuple[int, Connection]] = []
        self.kept = windows.empty(count, np.bool_)
        self._placed: Array | None = None
        self._units = {}
        self._windows = windows
        order = windows.empty(count, "u4")
        begins = [np.zeros(1, np.int64)]
        made: list[dict[str, Array]] = []
        buckets = _Buckets(reading, self.clock, windows)
        base = 0
        try:
            buckets.deal(enough)
            for number in range(len(buckets)):
                if enough is not None and enough():
                    break
                part = buckets.take(number)
                if part is not None:
                    self._add(part, base, order, begins, made, enough)
                    base += len(part.whole)
                    windows.rest()
        finally:
            buckets.close()
        self.flows = Flows(order, np.concatenate(begins))
        self._count = sum(len(each["first"]) for each in made)
        self.array = {}
        for name, kind in FIELDS.items():
            # One column after the other, so that no two are there twice.
            self.array[name] = np.concatenate(
                [np.zeros(0, kind), *(each.pop(name) for each in made)]
            )
        first = np.argsort(self.array["first"])
        for name, column in self.array.items():
            self.array[name] = column[first]

    def _add(
        self,
        part: _Part,
        base: int,
        order: Array,
        begins: list[Array],
        made: list[dict[str, Array]],
        enough: Callable[[], bool] | None,
    ) -> None:
        """Make the connections of a bucket, whose places in the flows' order begin at ``base``."""
        one = _PartBuilding(part, self, enough)
        end = base + len(part.whole)
        order[base:end] = part.whole[one.flows.order]
        self.kept[base:end] = one.kept
        flows = sum(map(len, begins)) - 1
        begins.append(one.flows.begin[1:] + base)
        array = {name: column.copy() for name, column in one.array.items()}
        array["first"] = part.whole[array["first"]]
        array["place"] += np.uint32(base)
        made.append(array)
        self.followed += [(int(part.whole[row]), each) for row, each in one.followed]
        whole = {id(error): row for row, error in self.reading.errors}
        known: dict[int, Unit] = {}
        for flow, unit in one._units.items():
            if id(unit) not in known:
                known[id(unit)] = Unit(
                    {each + flows for each in unit.flows},
                    [(whole[id(error)], error) for _, error in unit.errors],
                )
            self._units[flow + flows] = known[id(unit)]


class _PartBuilding(Building):
    """The connections of a bucket; shapes and the clock are those of the whole capture."""

    def __init__(
        self, part: _Part, whole: Building, enough: Callable[[], bool] | None = None
    ) -> None:
        self._part, self._whole = part, whole
        self.chunk = part.chunk
        super().__init__(part, enough)

    def _clock_of(self) -> Clock:
        return self._whole.clock.of_rows(self._part.now, self._part.steady)

    def _shapes_of(self) -> Shapes:
        return _PartShapes(self._whole.shapes, self._part.whole)


class _PartShapes(Shapes):
    """Shapes of the whole capture, given examples by the rows of a bucket."""

    def __init__(self, all_of_them: Shapes, rows: Array) -> None:
        self._all, self._whole = all_of_them, rows

    def __len__(self) -> int:
        return len(self._all)

    def known(self, kind: Kind) -> int | None:
        return self._all.known(kind)

    def number(
        self, kind: Kind, rows: Array, kept: Array, offload: tuple[bool, bool] = (False, False)
    ) -> int:
        return self._all.number(kind, self._whole[rows], kept, offload)

    def connection(self, number: int, ending: Ending = Ending.NOTHING) -> Connection:
        return self._all.connection(number, ending)

    def place(self, number: int, frame: int) -> int | None:
        return self._all.place(number, frame)


class _Part(Reading):
    """What a bucket has of a reading, for building only.

    ``whole``  of each of its rows the row in the capture
    ``now``, ``steady``  of each what the clock tells
    ``chunk``  segments that are worked on at a time
    """

    def __init__(
        self,
        reading: Reading,
        array: dict[str, Array],
        errors: list[tuple[int, Unreachable]],
        chunk: int,
    ) -> None:
        self._of = reading
        self.whole, self.now, self.steady = (array.pop(n) for n in ("whole", "now", "steady"))
        self.columns = _PartColumns(reading.columns, array, len(self.whole))
        self.errors = [(int(np.searchsorted(self.whole, row)), error) for row, error in errors]
        self.chunk = chunk

    def segment(self, row: int, decoder: Decoder) -> Segment:
        return self._of.segment(int(self.whole[row]), decoder)


class _PartColumns(Columns):
    def __init__(self, columns: Columns, array: dict[str, Array], count: int) -> None:
        self.tables, self.count = columns.tables, count
        self.array = array | {name: array["row"][name] for name in ROW.names or ()}


class _Buckets:
    """The buckets of a reading; those that ICMP errors name are all in the first."""

    def __init__(self, reading: Reading, clock: Clock, windows: Windows) -> None:
        self._reading, self._clock, self._windows = reading, clock, windows
        count = reading.columns.count
        # Half of what there is for the bucket, the rest for the work on a part of it.
        wanted = -(-count * ROW_COST * 2 // windows.limit)
        self._counts = np.zeros(min(max(wanted, 2), MOST), np.int64)
        self.chunk = min(max(windows.limit // 2 // 1200, 1 << 12), CHUNK)
        self._files: list[int] = []
        tables = reading.columns.tables
        named = {low for _, error in reading.errors for low, _ in pairs_of(error, tables)}
        self._named = np.array(sorted(named), np.uint64)

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
        try:
            for file, size in zip(self._files, (counts * _RECORD.itemsize).tolist(), strict=True):
                stop = at + size
                while at < stop:
                    at += os.write(file, data[at:stop])
        except OSError as error:
            raise no_room(error) from None

    def _bucket(self, rows: Array) -> Array:
        """Which bucket each row is for: the same for both directions."""
        one, other = ends(rows, slice(None))
        code = mixed(one) + mixed(other) + mixed(rows["scope"], 2)
        bucket: Array = (mixed(code, 1) % np.uint64(len(self._counts))).astype(np.uint16)
        if len(self._named):
            bucket[np.isin(np.minimum(one, other), self._named)] = 0
        return bucket

    def take(self, number: int) -> _Part | None:
        """A bucket, out of its file; ``None`` if it is empty."""
        file, count = self._files[number], int(self._counts[number])
        self._files[number] = -1
        # A bucket of one very long flow may be more than memory: its columns stay on the disk.
        large = count * ROW_COST > self._windows.limit
        array: dict[str, Array] = {}
        try:
            for name in _RECORD.names or ():
                kind = _RECORD[name]
                array[name] = (self._windows.empty if large else np.empty)(count, kind)
            for at in range(0, count, STEP):
                part = min(STEP, count - at)
                data = _read(file, part * _RECORD.itemsize, at * _RECORD.itemsize)
                made = np.frombuffer(data, _RECORD)
                for name, column in array.items():
                    kind = _PLAIN if name == "row" else column.dtype
                    column[at : at + part].view(kind)[:] = made[name].view(kind)
        finally:
            os.close(file)
        if not count:
            return None
        errors = self._reading.errors if not number else []
        return _Part(self._reading, array, errors, self.chunk)


def _read(file: int, size: int, at: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        done = os.preadv(file, [view], at)
        if not done:
            raise Unsuited("a file for columns is shorter than it was")
        view, at = view[done:], at + done
    return data
