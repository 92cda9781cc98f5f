"""Plot: a rectangle of cells that stands for a stretch of time and a range of values.

It knows how a moment becomes a column of dots and a value a row of them, and
draws what every graph has: the axis at the left with round numbers, the steps
of a line, the cursor.
"""

from __future__ import annotations

from dataclasses import dataclass

from tcpviz.views import roles
from tcpviz.views.graphs.axes import Unit, numbers_by, step, ticks
from tcpviz.views.graphs.dots import Dots, Grain, Pen
from tcpviz.views.graphs.tracks import Track
from tcpviz.views.spans import Line, Span, line

MARGIN = 9
"""Cells left of a plot: a value and the axis."""

TOGETHER = 24
"""So many points of one column are drawn one by one, with the gaps between them."""


@dataclass(frozen=True, slots=True)
class Window:
    """The stretch of time that is looked at, nanoseconds; ``end_ns`` is after ``start_ns``."""

    start_ns: int
    end_ns: int

    @property
    def span_ns(self) -> int:
        return self.end_ns - self.start_ns

    def zoomed(self, factor: float, about_ns: int) -> Window:
        """``factor`` below 1 shows less; ``about_ns`` stays where it is."""
        left = int((about_ns - self.start_ns) * factor)
        return Window(about_ns - left, about_ns - left + max(int(self.span_ns * factor), 1))

    def moved(self, share: float) -> Window:
        """By a share of its width."""
        by = int(self.span_ns * share) or 1
        return Window(self.start_ns + by, self.end_ns + by)


class Plot:
    """``cells`` x ``rows`` for ``window`` and for values ``low`` to ``high`` (greater than low).

    ``last_ns``  until when anything is drawn; beyond it nothing is known, or shown yet
    """

    def __init__(
        self,
        cells: int,
        rows: int,
        grain: Grain,
        window: Window,
        low: int,
        high: int,
        last_ns: int | None = None,
    ) -> None:
        self.last_ns = window.end_ns - 1 if last_ns is None else last_ns
        self.dots = Dots(cells, rows, grain)
        self.window = window
        self.low, self.high = low, max(high, low + 1)

    def moment(self, x: int) -> int:
        """The moment at which dot column ``x`` begins."""
        return self.window.start_ns + x * self.window.span_ns // max(self.dots.width, 1)

    def x(self, time_ns: int) -> int:
        """The dot column of a moment; outside of the plot for one outside of the window."""
        return (time_ns - self.window.start_ns) * self.dots.width // self.window.span_ns

    def y(self, value: int) -> int:
        """The dot row of a value, cut to just outside of the plot."""
        last = self.dots.height - 1
        row = last - (value - self.low) * last // (self.high - self.low)
        return min(max(row, -1), last + 1)

    def steps(self, track: Track, pen: Pen, *, joined: bool = True) -> None:
        """A line that stays at each value until the next; ``joined``: with the rises drawn."""
        last = track.before(self.window.start_ns)
        if not track or track.times[0] > self.last_ns:
            return
        for x in range(self._columns()):
            found = track.span(self.moment(x), self._until(x + 1))
            if found is None:
                if last is not None:
                    self._along(x, self.y(last), pen)
                continue
            low, high = found
            if joined and last is not None:
                low, high = min(low, last), max(high, last)
            if low == high:
                self._along(x, self.y(low), pen)
            else:
                self.dots.upright(x, self.y(low), self.y(high), pen)
            last = track.before(self._until(x + 1))

    def bars(self, track: Track, pen: Pen) -> None:
        """Each point from its low to its high value; very many in one column run together."""
        for x in range(self._columns()):
            first, last = track.places(self.moment(x), self._until(x + 1))
            if last - first > TOGETHER:
                low, high = track.extent(first, last)
                self.dots.upright(x, self.y(low), self.y(high), pen)
                continue
            for place in range(first, last):
                self.dots.upright(x, self.y(track.low[place]), self.y(track.high[place]), pen)

    def points(self, track: Track, letter: str, role: str) -> None:
        """A letter at each point (one in each column of cells and row)."""
        across = self.dots.across
        for cell in range(self.dots.cells):
            found = track.span(self.moment(cell * across), self._until((cell + 1) * across))
            if found is not None:
                for value in dict.fromkeys(found):
                    self.dots.letter_at(cell * across, self.y(value), letter, role)

    def _along(self, x: int, y: int, pen: Pen) -> None:
        self.dots.level(x, x, y, pen)

    def _columns(self) -> int:
        """How many columns begin at or before ``last_ns``."""
        return max(min(self.x(self.last_ns) + 1, self.dots.width), 0)

    def _until(self, x: int) -> int:
        """The end of what column ``x - 1`` shows."""
        return min(self.moment(x), self.last_ns + 1)

    def cursor(self, time_ns: int, ascii_only: bool) -> None:
        """A line down where there is nothing else."""
        cell = self.x(time_ns) // self.dots.across
        for row in range(self.dots.rows):
            if self.dots.free(cell, row):
                self.dots.letter(cell, row, ":" if ascii_only else "┊", roles.TIME)

    def lines(self, unit: Unit | None, *, ascii_only: bool, most: int | None = None) -> list[Line]:
        """The rows with their axis at the left; ``unit`` ``None``: bytes or their numbers."""
        rows = self.dots.rows
        by = step(self.high - self.low, max((most or rows // 3), 1))
        unit = unit or numbers_by(by)
        labels: dict[int, str] = {}
        for value in ticks(self.low, self.high, by):
            labels.setdefault(self.y(value) // self.dots.down, unit(value))
        tick, bar = ("+", "|") if ascii_only else ("┤", "│")
        made = []
        for row in range(rows):
            text = labels.get(row)
            head = f"{text or '':>{MARGIN - 1}}"[-(MARGIN - 1) :]
            axis = bar if text is None else tick
            made.append(line(Span(head, roles.TIME), Span(axis, roles.FRAME), *self.dots.line(row)))
        return made
