"""A pointer on the chart, apart from the cursor, and the light that falls on its row or phase."""

from __future__ import annotations

from dataclasses import dataclass

from tcpviz.ui.parts import Light
from tcpviz.views.ladder import Ladder
from tcpviz.views.ladder_parts import Row, RowKind


@dataclass(slots=True)
class Pointing:
    """Where somebody points.

    ``on``     the pointer is there, and follows the mouse
    ``light``  what stays bright
    The row is remembered by its step, so that it stays where the chart is scrolled or folded.
    """

    on: bool = False
    light: Light = Light.ALL
    _step: int = -1
    _below: int = 0

    def place(self, ladder: Ladder) -> int | None:
        """Where in the ladder's rows the pointer is; ``None``: it is not shown."""
        if not self.on or self._step < 0 or not ladder.rows:
            return None
        return min(max(ladder.row_from(self._step) + self._below, 0), len(ladder.rows) - 1)

    def point(self, ladder: Ladder, place: int) -> None:
        """Point at the row at this place."""
        if not ladder.rows:
            return
        place = min(max(place, 0), len(ladder.rows) - 1)
        self.on = True
        self._step = ladder.rows[place].step_index
        self._below = place - ladder.row_from(self._step)

    def rest(self) -> None:
        """Point at nothing any more."""
        self.on, self._step, self._below = False, -1, 0

    def next_light(self) -> Light:
        """The next of what stays bright."""
        order = list(Light)
        self.light = order[(order.index(self.light) + 1) % len(order)]
        return self.light

    def bright(self, ladder: Ladder, here: int, low: int, high: int) -> range:
        """The places from ``low`` up to ``high`` that stay bright; ``here``: the cursor's."""
        everything = range(low, high)
        if self.light is Light.ALL:
            return everything
        pointed = self.place(ladder)
        about = here if pointed is None else pointed
        if not 0 <= about < len(ladder.rows):
            return everything
        if self.light is Light.ROW:
            return _rows_of(ladder, about)
        first = about
        while first > low and ladder.rows[first].kind is not RowKind.BAND:
            first -= 1
        last = about + 1
        while last < min(high, len(ladder.rows)) and ladder.rows[last].kind is not RowKind.BAND:
            last += 1
        return range(first, last)


def _rows_of(ladder: Ladder, place: int) -> range:
    """A row, with those over which the segment is on its way that begins or ends there."""
    row: Row = ladder.rows[place]
    first = last = row.number
    for flight in row.flights:
        end = flight.start if flight.end is None else flight.end
        if row.number in (flight.start, end) or row.kind is RowKind.TRAVEL:
            first, last = min(first, flight.start), max(last, end)
    return range(first - ladder.dropped, last - ladder.dropped + 1)
