"""LinesView: rows of plain-data lines on the screen, redrawn only where they differ.

Textual does not compare frames: whatever is refreshed is written out, changed
or not. So this widget keeps the rows that it last showed and refreshes only
the places in them that are different now. It has no scrollable size of its own, because
growing one is a new layout of the screen; whoever fills it chooses its top row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from rich.segment import Segment
from textual.cache import LRUCache
from textual.color import Color
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from tcpviz.ui.looks import Looks
from tcpviz.views.ladder_canvas import ascii_line
from tcpviz.views.roles import LIT
from tcpviz.views.spans import Line, Span, fit, text_width


class Row(NamedTuple):
    """A line, and in ``under`` the role of the ground on which the whole row lies."""

    line: Line = ()
    under: str | None = None


BLANK = Row()

APART = 24
"""Unchanged cells between two changed places that are rather written out with both: going to
another place, and its colours, are as many bytes."""


def changes(before: Row, after: Row, width: int) -> list[tuple[int, int]]:
    """Where two rows differ, in cells: (from, up to) of each place; all of it where in doubt."""
    whole = [(0, width)]
    if before.under != after.under:
        return whole
    old, new = _cells(before.line, width), _cells(after.line, width)
    if old is None or new is None:
        return whole
    found: list[tuple[int, int]] = []
    for place, (one, other) in enumerate(zip(old, new, strict=True)):
        if one == other:
            continue
        if found and place - found[-1][1] < APART:
            found[-1] = (found[-1][0], place + 1)
        else:
            found.append((place, place + 1))
    return found


def _cells(drawn: Line, width: int) -> list[tuple[str, str]] | None:
    """Each cell's character and role; ``None`` where a character takes not just one."""
    cells: list[tuple[str, str]] = []
    for span in drawn:
        if text_width(span.text) != len(span.text):
            return None
        role = span.role
        cells += [(char, role) for char in span.text]
    if len(cells) < width:
        cells += [(" ", "text")] * (width - len(cells))
    return cells[:width]


def signed(drawn: Line, sign: str) -> Line:
    """A line with a sign in its first cell, where that is free."""
    if not drawn or not drawn[0].text or drawn[0].text[0] not in " ▸>":
        return drawn
    first, *rest = drawn
    return (Span(sign, LIT), Span(first.text[1:], first.role), *rest)


_update: object = None  # what is being written, where many parts of it are asked for


@contextmanager
def one_update() -> Iterator[None]:
    """Nothing changes meanwhile: what lies under a widget is looked at once."""
    global _update
    _update = object()
    try:
        yield
    finally:
        _update = None


class LinesView(Widget):
    """Shows rows from its top edge down; what is not given is blank.

    :meth:`show` is cheap where little changed: rows are compared, not drawn.
    """

    DEFAULT_CSS = """
    LinesView { width: 1fr; height: 1fr; }
    """
    ALLOW_SELECT = False
    CACHED_STRIPS = 1024

    def __init__(
        self,
        looks: Looks,
        *,
        id: str | None = None,  # noqa: A002
        ascii_only: bool = False,
    ) -> None:
        super().__init__(id=id)
        self.looks = looks
        self.ascii_only = ascii_only
        self._rows: tuple[Row, ...] = ()
        self._strips: LRUCache[tuple[Row, int], Strip] = LRUCache(self.CACHED_STRIPS)
        self._line_strips: dict[int, Strip] = {}  # by its place, what was last written of each row
        self._line_key: tuple[Size, Color, Sequence[LineFilter]] = (Size(), Color(0, 0, 0), ())
        self._updated: object = None

    @property
    def rows(self) -> tuple[Row, ...]:
        """What is shown now."""
        return self._rows

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows; refreshes those that differ from what was shown."""
        before, after = self._rows, tuple(rows)
        if before == after:
            return
        self._rows = after
        width, height = self.size
        changed: list[Region] = []
        for y in range(min(max(len(before), len(after)), height)):
            old = before[y] if y < len(before) else BLANK
            new = after[y] if y < len(after) else BLANK
            if old != new:
                changed += [Region(x, y, end - x, 1) for x, end in changes(old, new, width)]
                self._line_strips.pop(y, None)
        if changed:
            self.refresh(*changed)

    def wear(self, looks: Looks) -> None:
        """Draw everything anew in other looks."""
        if looks is not self.looks:
            self.looks = looks
            self._strips.clear()
            self._line_strips.clear()
            self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        """The strips of a part of it, as Textual would make them.

        It knows borders, padding, tints and fading, asks for all of them for each line, and takes
        three times as long as drawing does. Here is nothing of that (see ``DEFAULT_CSS``).
        """
        made = self._line_strips
        if _update is None or self._updated is not _update:
            self._updated = _update
            self._look_around()
        size, ground, filters = self._line_key
        lines = []
        for y in crop.line_range:
            strip = made.get(y)
            if strip is None:
                strip = self.render_line(y)
                for each in filters:
                    strip = strip.apply_filter(each, ground)
                made[y] = strip
            lines.append(strip)
        first, last = crop.column_span
        if (first, last) != (0, size.width):
            lines = [strip.crop(first, last) for strip in lines]
        return lines

    def _look_around(self) -> None:
        """What lies under it, and what is done to all colours; Textual asks all parents for it."""
        key = (self.size, self.background_colors[1], self.get_line_filters())
        if self._line_key != key:
            self._line_key = key
            self._line_strips.clear()

    def render_line(self, y: int) -> Strip:
        """Row ``y`` as a strip, exactly as wide as the widget."""
        row = self._rows[y] if y < len(self._rows) else BLANK
        width = self.size.width
        key = (row, width)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._draw(row, width)
            self._strips[key] = strip
        return strip

    def _draw(self, row: Row, width: int) -> Strip:
        style = self.looks.style
        spans = fit(row.line, width)
        if self.ascii_only:  # whoever made the line ought to have seen to it; nothing slips by
            spans = fit(ascii_line(spans), width)
        return Strip([Segment(span.text, style(span.role, row.under)) for span in spans], width)
