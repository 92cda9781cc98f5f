"""What the table has of both ends together, or not at all, of each end: windows and repeated ACKs.

Worked out of the segments when somebody asks, some thousand connections at a time.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import partial, regular
from tcpviz.bulk.connections.partial import Partial
from tcpviz.bulk.connections.shapes import Ending
from tcpviz.bulk.connections.work import Work
from tcpviz.bulk.segments.options import CUT_SCALE, NO_SCALE
from tcpviz.bulk.tables.portions import Portion, portions
from tcpviz.bulk.tables.table import Table
from tcpviz.core.connection import Connection
from tcpviz.core.marks import MarkName
from tcpviz.core.records import Side
from tcpviz.core.segment import SYN

Array = NDArray[Any]

WINDOW = "window"
_MARKS = tuple(map(str, (MarkName.WINDOW_UPDATE, MarkName.DUPLICATE_ACK, MarkName.WINDOW_FULL)))
_TWICE = str(MarkName.CAPTURED_TWICE)
NAMES = (WINDOW, _TWICE, *_MARKS)
SIDES = {"client": Side.CLIENT, "server": Side.SERVER}


def by_end(table: Table, enough: Callable[[], bool]) -> tuple[dict[tuple[str, str], Array], Array]:
    """Of each connection, by an end's name and one of NAMES: a number, -1 where there is none.

    And who is not told of: connections too long for a portion. Nothing of it counts once
    ``enough`` has said so.
    """
    sizes = len(table.sizes)
    made = {(side, name): np.full(sizes, -1, np.int64) for side in SIDES for name in NAMES}
    left = np.zeros(len(table), np.bool_)
    for places, fits in portions(table, np.arange(len(table))):
        if enough():
            break
        left[places[~fits & table.regular(places)[0]]] = True
        if fits.any():
            portion = Portion(table, places[fits])
            for key, column in _of(portion).items():
                made[key][portion.at] = column
    return {key: table.column(column, _getter(*key)) for key, column in made.items()}, left


def with_marks(table: Table, place: int, told: dict[tuple[str, str], Array]) -> Connection:
    """The regular connection at a place, with the marks of each of its ends."""
    made, building = table.connection(place), table.building
    at = int(table.regular(np.array([place]))[1][0])
    ending = Ending(int(building.array["ending"][at]))
    shape = building.shapes.connection(int(building.array["shape"][at]), ending)
    assert made.analysis is not None
    assert shape.analysis is not None
    counts = []
    for side, whose in SIDES.items():
        counts.append(Counter(shape.analysis.marks.counts[whose]))
        for name in (_TWICE, *_MARKS):
            counts[-1].pop(name, None)
            number = int(told[side, name][place])
            if number:
                counts[-1][name] = number
    made.analysis.marks.count_as(*counts)
    return made


def _getter(side: str, name: str) -> Callable[[Connection], int]:
    if name == WINDOW:
        get = operator.attrgetter(f"{side}.window")

        def window(connection: Connection) -> int:
            found = get(connection)
            return -1 if found is None else int(found)

        return window

    def count(connection: Connection) -> int:
        if connection.analysis is None or connection.marks is None:
            return -1
        return int(connection.analysis.marks.counts[SIDES[side]].get(name, 0))

    return count


def _of(portion: Portion) -> dict[tuple[str, str], Array]:
    building = portion.table.building
    part = building.shapes.partial(portion.column("shape"))
    if part is None:
        return _of_some(portion, Work)
    made = {(side, name): np.zeros(len(portion), np.int64) for side in SIDES for name in NAMES}
    for which, kind in ((~part, Work), (part, Partial)):
        if which.any():
            some = Portion(portion.table, portion.places[which])
            for key, column in _of_some(some, kind).items():
                made[key][which] = column
    return made


def _of_some(portion: Portion, kind: type[Work]) -> dict[tuple[str, str], Array]:
    """The same of connections that were all captured, or of all of which only a part was."""
    building, (rows, begin) = portion.table.building, portion.rows
    work = kind(building.reading.columns, building.clock, rows.astype(np.int64), begin)
    windows = partial.windows(work) if isinstance(work, Partial) else regular.windows(work)
    told = {
        (side, name): work.total(which & (work.side == bool(at)))
        for name, which in zip(_MARKS, windows, strict=False)
        for at, side in enumerate(SIDES)
    }
    told |= {(side, _TWICE): portion.copies(at) for at, side in enumerate(SIDES)}
    return told | {(side, WINDOW): _window(work, at) for at, side in enumerate(SIDES)}


def _window(work: Work, at: int) -> Array:
    """As ``End.window`` has it: the one last offered, by the scale that both have agreed upon."""
    latest = np.full(len(work.first), -1, np.int64)
    # Segments without ACK are nobody's who is in a connection.
    says = (work.has_ack & ~work.rst) | (work.flags & SYN != 0)
    mine = np.flatnonzero((work.side == bool(at)) & says)
    latest[work.part[mine]] = mine  # the last one stays
    scale = work.array["scale"]
    asked = (
        scale[work.rows[work.first]],
        np.where(work.answered, scale[work.rows[work.answer_at]], NO_SCALE),
    )
    agreed = (asked[0] < CUT_SCALE) & (asked[1] < CUT_SCALE) & (work.flags[latest] & SYN == 0)
    agreed &= not work.partial
    shift = np.where(agreed, np.minimum(asked[at], 14), 0).astype(np.int64)
    offered: Array = np.where(latest >= 0, work.window[latest].astype(np.int64) << shift, -1)
    return offered
