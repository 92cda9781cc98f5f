"""Single segments of a long connection, of which the core is taken past one by one.

Between two losses there are few segments, and to carry the core over a run of them costs as much as
to take it past a dozen. And most of what is not plain in a stretch is data that was sent again or
overtaken, and what comes right behind it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.brief.past import Past
from tcpviz.bulk.brief.rows import TIMED, Row, kinds
from tcpviz.bulk.long.inorder import Stretch
from tcpviz.bulk.long.onward import Onward
from tcpviz.bulk.long.recall import Reader
from tcpviz.bulk.segments.columns import Columns
from tcpviz.core.vitals import MAX_TTLS

Array = NDArray[Any]

SHORT = 10
"""Segments of a run up to which they are taken one by one."""

_MORE = 16
"""Of a longer run, over which the core could not be carried, the numbers of so many are had."""


class Singles(Past):
    """Those of one stretch that stand alone, or with few others between two that are not plain.

    The ``reader`` knows where the stretch begins among the flow's segments; ``onward`` hears of all
    that were gone past, ``gone`` are their places in the stretch.
    """

    def __init__(
        self,
        onward: Onward,
        reader: Reader,
        columns: Columns,
        stretch: Stretch,
    ) -> None:
        self._join(onward.connection, reader)
        self._onward, self._columns, self._stretch = onward, columns, stretch
        self._fresh = False
        self._told: dict[int, tuple[bool, Row] | None] = {}
        self._tell(_places(stretch))
        self.gone: list[int] = []

    def _tell(self, places: Array) -> None:
        """Have the numbers of these."""
        array, stretch = self._columns.array, self._stretch
        rows, row = stretch.rows[places], stretch.row[places]
        plain, _, kind = kinds(array, rows, row)
        self._told.update(dict.fromkeys(places[~plain].tolist()))
        places, rows, row, kind = places[plain], rows[plain], row[plain], kind[plain]
        numbers = (
            kind, row["time"], array["frame"][rows], row["seq"], row["ack"], row["length"],
            row["window"], row["ttl"], row["value"], row["echo"], row["length"],
        )  # fmt: skip
        told: list[Row] = list(zip(*(each.tolist() for each in numbers), strict=True))
        sides = stretch.side[places].tolist()
        self._told.update(zip(places.tolist(), zip(sides, told, strict=True), strict=True))

    def past(self, place: int) -> bool:
        """Go past the segment at this place of the stretch; false if the core has to take it."""
        if not self._fresh:
            if not self.ready():
                return False
            self._fresh = True
            for half, at in zip(self._halves or (), self._onward.sacked, strict=True):
                half.sacked = at
        if place not in self._told:
            self._tell(np.arange(place, min(place + _MORE, self._stretch.count)))
        one = self._told[place]
        if one is None:
            return False
        server, told = one
        assert self._halves is not None
        signs = self._halves[server].signs
        # What the columns of the stretch rest on.
        if told[7] not in signs.ttls and len(signs.ttls) < MAX_TTLS:
            return False
        if told[0] & TIMED and signs.ticks is None:
            return False
        base = self.reader.base
        if not self.over(server, told, base + place):
            return False
        self._onward.twice.pass_over(base + place, base + place + 1)
        self.gone.append(place)
        return True

    def leave(self) -> None:
        """Something else goes on with the connection."""
        if self._fresh:
            self._fresh = False
            self._onward.sacked[:] = [half.sacked for half in self._halves or ()]


def _places(stretch: Stretch) -> Array:
    """What is not plain, and short runs between."""
    stops = np.concatenate([[-1], stretch.stops, [stretch.count]])
    gaps = np.diff(stops) - 1
    alone = np.zeros(stretch.count + 1, np.int64)
    short = np.flatnonzero(gaps <= SHORT)
    alone[stops[short] + 1] += 1
    np.subtract.at(alone, stops[short + 1], 1)
    which = np.cumsum(alone)[:-1] > 0
    which[stretch.stops] = True
    places: Array = np.flatnonzero(which)
    return places
