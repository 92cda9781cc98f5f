"""A row of cells to draw on: characters with roles, at fixed columns.

The sequence chart is drawn cell by cell, because bars, lifelines, arrows and
labels share a row and the later one covers the earlier. The canvas keeps the
row's width whatever is put on it: what lies outside is cut off, a wide
character takes two cells, and half of one that is covered becomes a space.
"""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len

from tcpviz.views.ladder_slopes import Height
from tcpviz.views.roles import LIT, LIT_LABEL, TEXT
from tcpviz.views.spans import Line, Span

ASCII: Final[dict[str, str]] = {
    "─": "-", "│": ":", "┃": "|", "┊": ".", "╎": ":", "╌": "-", "├": "|", "┤": "|",
    "┣": "|", "┫": "|", "┼": "+", "┐": ".", "┘": "'", "┌": ".", "└": "'", "╲": "\\",
    "╱": "/", "╳": "X", "▶": ">", "◀": "<", "▷": ">", "◁": "<", "✖": "X", "●": "*",
    "○": ".", "◷": "@", "≠": "!", "…": "$", "⋯": ":", "▸": ">", "╴": "-", "╶": "-",
    "┄": "-", "▾": "v", "µ": "u", "·": ".", "→": ">", "±": "~",
    "⎺": "'", "⎻": "-", "⎼": ".", "⎽": "_",
    "━": "=", "╸": "-", "▁": "_", "▂": "_", "▃": "-", "▄": "-", "▅": "=", "▆": "=", "▇": "#",
    "☛": "H", "☚": "H", "⚠": "!", "↯": "!",
    "▲": "^", "▼": "v", "◆": "#", "◌": "o", "×": "x",
}  # fmt: skip
"""What each drawing character becomes on a terminal that has only ASCII: one cell each.

``~`` is left to what is inferred (``~ESTAB``): what is cut off ends in ``$``, as editors have it.
"""


def ascii_text(text: str) -> str:
    """``text`` in ASCII and in as many cells: drawing characters by the table, others ``?``."""
    if text.isascii():
        return text
    return "".join(
        char if char.isascii() else ASCII.get(char, "?" * cell_len(char)) for char in text
    )


def ascii_line(spans: Line) -> Line:
    """A line in ASCII, every cell in its place."""
    return tuple(Span(ascii_text(span.text), span.role) for span in spans)


_VISIBLE_BLANKS: Final = frozenset({LIT, LIT_LABEL})
"""Roles that themes may underline: blanks beside them must not be taken in."""


class Canvas:
    """``width`` cells, blank at first.

    ``heights`` keeps how the slanting lines drawn so far lie in their cells, by column.
    """

    __slots__ = ("_chars", "_roles", "heights", "width")

    def __init__(self, width: int) -> None:
        self.width = width
        self._chars = [" "] * width
        self._roles = [TEXT] * width
        self.heights: dict[int, Height] = {}

    def at(self, column: int) -> str:
        """The character in a cell; a space outside of the row."""
        return self._chars[column] if 0 <= column < self.width else " "

    def put(self, column: int, text: str, role: str) -> None:
        """Write ``text`` from ``column`` on, over what is there."""
        chars, roles = self._chars, self._roles
        if text.isascii() and text.isprintable():
            for char in text:
                if 0 <= column < self.width:
                    self._free(column)
                    chars[column] = char
                    roles[column] = role
                column += 1
            return
        for char in text:
            cells = cell_len(char)
            if cells == 0:
                continue  # never without a cell of its own: callers have cleaned their text
            if column >= 0 and column + cells <= self.width:
                for cell in range(column, column + cells):
                    self._free(cell)
                chars[column] = char
                roles[column] = role
                if cells == 2:
                    chars[column + 1] = ""
                    roles[column + 1] = role
            elif cells == 2 and self.width and column in (-1, self.width - 1):
                cell = max(column, 0)
                self._free(cell)
                chars[cell], roles[cell] = " ", role
            column += cells

    def _free(self, cell: int) -> None:
        """Before a cell is written: if half of a wide character is there, blank the other."""
        if self._chars[cell] == "":
            self._chars[cell - 1] = " "
        elif cell + 1 < self.width and self._chars[cell + 1] == "":
            self._chars[cell + 1] = " "

    def fill(self, first: int, last: int, char: str, role: str) -> None:
        """One character (a single cell wide) in the cells ``first`` up to but not ``last``."""
        self.put(first, char * max(last - first, 0), role)

    def line(self, ascii_only: bool = False) -> Line:
        """The row as a line; exactly as wide as the canvas."""
        # Blanks join what is before them: that keeps the spans, and so the drawing, few. None
        # begins with blanks but the row's first, as SVG renderers drop those at a text's start.
        spans: list[Span] = []
        chars, roles = self._chars, self._roles
        start, role = 0, TEXT
        for cell in range(self.width):
            here = roles[cell]
            if here == role or (chars[cell] == " " and role not in _VISIBLE_BLANKS):
                continue
            if cell > start:
                spans.append(Span("".join(chars[start:cell]), role))
            start, role = cell, here
        if self.width:
            spans.append(Span("".join(chars[start:]), role))
        line = tuple(spans)
        return ascii_line(line) if ascii_only else line
