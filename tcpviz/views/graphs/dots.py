"""Dots: a drawing finer than its cells, in braille, half blocks or plain characters.

A cell holds 2 x 4 dots of braille (Unicode 8.0, U+2800 and up: each dot is one bit),
1 x 2 half blocks, or one character. A cell has one role only, so the dots of the
highest rank in it give it its colour; letters lie over everything.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from tcpviz.views import roles
from tcpviz.views.spans import Line, Span, merge


class Grain(enum.Enum):
    """What a cell is made of: how many dots across and down."""

    BRAILLE = (2, 4)
    BLOCKS = (1, 2)
    ASCII = (1, 1)


_BITS: Final = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Braille's bit by column and row (the block's own order: 1 2 3 7 left, 4 5 6 8 right)."""

_BLOCKS: Final = " ▀▄█"


@dataclass(frozen=True, slots=True)
class Pen:
    """How something is drawn: its role, its rank among others, its sign where there are no dots.

    ``gap``  0: without a break; n: every second run of n dots is left out
    """

    role: str
    rank: int
    sign: str
    gap: int = 0


class Dots:
    """``cells`` by ``rows`` cells. Dots are counted from the top left; what lies outside is cut."""

    def __init__(self, cells: int, rows: int, grain: Grain) -> None:
        self.cells, self.rows, self.grain = max(cells, 0), max(rows, 0), grain
        self.across, self.down = grain.value
        self.width, self.height = self.cells * self.across, self.rows * self.down
        size = self.cells * self.rows
        self._bits = [0] * size
        self._signs = [" "] * size
        self._ranks = [-1] * size
        self._roles = [roles.TEXT] * size
        self._letters: dict[int, tuple[str, str]] = {}

    def dot(self, x: int, y: int, pen: Pen) -> None:
        """One dot."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            return
        place = (y // self.down) * self.cells + x // self.across
        if self.grain is Grain.BRAILLE:
            self._bits[place] |= _BITS[x & 1][y & 3]
        elif self.grain is Grain.BLOCKS:
            self._bits[place] |= 1 << (y & 1)
        if pen.rank >= self._ranks[place]:
            self._ranks[place], self._roles[place] = pen.rank, pen.role
            self._signs[place] = pen.sign

    def upright(self, x: int, first: int, last: int, pen: Pen) -> None:
        """A line down a column, from ``first`` to ``last`` (in any order)."""
        low, high = min(first, last), max(first, last)
        for y in range(max(low, 0), min(high, self.height - 1) + 1):
            self.dot(x, y, pen)

    def level(self, first: int, last: int, y: int, pen: Pen) -> None:
        """A line along a row."""
        for x in range(max(first, 0), min(last, self.width - 1) + 1):
            if not pen.gap or self.grain is Grain.ASCII or x // pen.gap % 2 == 0:
                self.dot(x, y, pen)

    def letter(self, cell: int, row: int, text: str, role: str) -> None:
        """Characters over the dots, from a cell on."""
        for offset, char in enumerate(text):
            if 0 <= cell + offset < self.cells and 0 <= row < self.rows:
                self._letters[row * self.cells + cell + offset] = (char, role)

    def letter_at(self, x: int, y: int, text: str, role: str) -> None:
        """A letter in the cell of a dot."""
        self.letter(x // self.across, y // self.down, text, role)

    def free(self, cell: int, row: int, count: int = 1) -> bool:
        """Nothing is drawn in these cells."""
        if not (0 <= row < self.rows and cell >= 0 and cell + count <= self.cells):
            return False
        start = row * self.cells + cell
        return all(
            self._ranks[place] < 0 and place not in self._letters
            for place in range(start, start + count)
        )

    def line(self, row: int) -> Line:
        """One row of cells."""
        spans: list[Span] = []
        for place in range(row * self.cells, (row + 1) * self.cells):
            if place in self._letters:
                spans.append(Span(*self._letters[place]))
            elif self._ranks[place] < 0:
                spans.append(Span(" "))
            else:
                spans.append(Span(self._char(place), self._roles[place]))
        return merge(spans)

    def _char(self, place: int) -> str:
        if self.grain is Grain.BRAILLE:
            return chr(0x2800 | self._bits[place])
        if self.grain is Grain.BLOCKS:
            return _BLOCKS[self._bits[place]]
        return self._signs[place]
