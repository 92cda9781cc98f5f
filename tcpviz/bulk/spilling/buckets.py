"""More packets than memory: their flows are dealt out to buckets, and each bucket is built alone.

The flows of a bucket (:mod:`tcpviz.bulk.spilling.dealing`) are whole, so that whatever
:class:`~tcpviz.bulk.connections.building.Building` says of them is what it would say of them among
all. Connections are put together in the end. What is asked of single packets later goes by their
rows in the whole capture, whose columns stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.beginnings import ENDS
from tcpviz.bulk.connections.building import FIELDS, MAX_LEAPS, Building
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.errors import Told, joined
from tcpviz.bulk.connections.following import Follower
from tcpviz.bulk.connections.gaps import Gaps
from tcpviz.bulk.connections.narrowing import narrow_all
from tcpviz.bulk.connections.shapes import Doubt, Ending, Kept, Kind, Shapes
from tcpviz.bulk.segments.flows import Flows
from tcpviz.bulk.segments.reading import Reading, Unsuited
from tcpviz.bulk.segments.windows import Windows
from tcpviz.bulk.spilling.dealing import STEP, Buckets, Part
from tcpviz.core.connection import Connection

Array = NDArray[Any]


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
        self.clock = Clock(
            reading.columns.array["time"],
            reading.errors,
            windows.empty,
            windows.rest,
            reading.gaps,
        )
        self.gaps = self._gaps_of()
        if len(self.clock.leaps) > MAX_LEAPS:
            raise Unsuited("its clock leaps too often")
        self.follower = Follower(reading, self.clock)
        self.shapes = Shapes(reading, self.follower)
        self.followed: list[tuple[int, Connection]] = []
        self.formers: dict[int, Connection] = {}
        self.kept = windows.empty(count, np.bool_)
        self._placed: Array | None = None
        self._windows = windows
        self._parts: list[Told] = []
        places = windows.empty(count, "u4")
        begins = [np.zeros(1, np.int64)]
        made: list[dict[str, Array]] = []
        buckets = Buckets(reading, self.clock, windows)
        base = 0
        try:
            buckets.deal(enough)
            for number in range(len(buckets)):
                if enough is not None and enough():
                    break
                for part in buckets.take(number):
                    self._add(part, base, places, begins, made, enough)
                    base += len(part.whole)
                    windows.rest()
                windows.trim()
        finally:
            buckets.close()
        self.flows = Flows(places, np.concatenate(begins))
        self.told = joined(reading.errors, self._parts)
        self._tied = self.told.flows
        self._count = sum(len(each["first"]) for each in made)
        self.array = {}
        # One column after the other, so that no two are there twice.
        order = np.argsort(_joined([each["first"] for each in made], "u4"))
        order = order.astype(np.uint32)
        for name, kind in FIELDS.items():
            self.array[name] = _joined([each.pop(name) for each in made], kind)[order]
        self.firsts = {}
        for name in ENDS:
            kind = reading.columns.array[name].dtype.str
            self.firsts[name] = _joined([each.pop(name) for each in made], kind)[order]
        windows.trim()

    def _add(
        self,
        part: Part,
        base: int,
        order: Array,
        begins: list[Array],
        made: list[dict[str, Array]],
        enough: Callable[[], bool] | None,
    ) -> None:
        """Make the connections of a bucket, whose places in the flows' order begin at ``base``."""
        one = PartBuilding(part, self, enough)
        end = base + len(part.whole)
        for at in range(0, end - base, STEP):
            rows = part.whole[one.flows.order[at : at + STEP]]
            order[base + at : base + at + len(rows)] = rows
        self.kept[base:end] = one.kept
        flows = sum(map(len, begins)) - 1
        begins.append(one.flows.begin[1:] + base)
        array = {name: column.copy() for name, column in one.array.items()}
        narrow_all(array)
        # They lie together here; in the capture they are far between.
        array |= {name: part.columns.array[name][array["first"]] for name in ENDS}
        array["first"] = part.whole[array["first"]]
        array["place"] += np.uint32(base)
        made.append(array)
        self.followed += [(int(part.whole[row]), each) for row, each in one.followed]
        self.formers |= one.formers
        if len(one.told):
            self._parts.append(one.told.moved(flows))


def _joined(parts: list[Array], kind: str) -> Array:
    """One behind the other, as narrow as they are."""
    return np.concatenate(parts) if parts else np.zeros(0, kind)


class PartBuilding(Building):
    """The connections of a bucket; shapes and the clock are those of the whole capture."""

    def __init__(
        self, part: Part, whole: Building, enough: Callable[[], bool] | None = None
    ) -> None:
        self._part, self._whole = part, whole
        self.chunk = part.chunk
        super().__init__(part, enough)

    @property
    def met(self) -> dict[tuple[str, ...], None]:
        return self._whole.met

    def _clock_of(self) -> Clock:
        return self._whole.clock.of_rows(self._part.now, self._part.steady)

    def _gaps_of(self) -> Gaps:
        return self._whole.gaps.of(self._part.whole)

    def _flows_of(self, *, sure: bool) -> Flows:
        part = self._part
        if not part.alone:
            return super()._flows_of(sure=sure)
        rows = part.windows.empty(len(part.whole), "u4")
        for at in range(0, len(rows), STEP):
            rows[at : at + STEP] = np.arange(at, min(at + STEP, len(rows)), dtype=np.uint32)
        return Flows(rows, np.array([0, len(rows)]))

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
        self, kind: Kind, rows: Array, kept: Array, copies: Array | None = None, common: int = 0
    ) -> int:
        return self._all.number(kind, self._whole[rows], kept, copies, common)

    def doubted(self, number: int, doubt: Doubt) -> int:
        return self._all.doubted(number, doubt)

    def connection(self, number: int, ending: Ending = Ending.NOTHING) -> Connection:
        return self._all.connection(number, ending)

    def place(self, number: int, frame: int) -> int | None:
        return self._all.place(number, frame)

    def told(self, number: int, code: int, kept: Kept) -> int:
        return self._all.told(number, code, kept)
