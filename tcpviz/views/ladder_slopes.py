"""Slopes: a line that falls from one row of cells to the next, without steps.

A cell shows a level stroke at one of five heights: the scan lines that every terminal since the
VT100 has (U+23BA to U+23BD), and the middle one. A stretch of them falls as gently as the way is
long. Only where a row's share is a single cell does a diagonal stand.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

LEVELS: Final = ("⎺", "⎻", "─", "⎼", "⎽")
"""Strokes at a tenth, three tenths, ... of a cell's height, from above."""

STEEP: Final = 0.75
"""Falling by more than so much of a row within one cell, it is a diagonal."""

Height = tuple[float, float]
"""How deep a line lies in the middle of a cell (0 above, 1 below), and its fall in that cell:
positive where it falls to the right."""


@lru_cache(maxsize=1024)
def heights(count: int, start: float, end: float, *, right: bool) -> tuple[Height, ...]:
    """The heights of ``count`` cells on the way from ``start`` to ``end``, in travelling order."""
    fall = (end - start) / max(count, 1)
    rise = fall if right else -fall
    return tuple((start + fall * (cell + 0.5), rise) for cell in range(count))


def stroke(height: Height) -> str:
    """The character for a line at this height."""
    at, fall = height
    if abs(fall) > STEEP:
        return "╲" if fall > 0 else "╱"
    return LEVELS[min(max(int(at * 5), 0), 4)]


def crossing(here: Height, there: Height) -> bool:
    """Whether two lines cross within this cell, of all that they share."""
    if (here[1] > 0) == (there[1] > 0):
        return False
    reach = (abs(here[1]) + abs(there[1])) / 2
    # The border between two cells belongs to one of them; rounding must not give it to neither.
    return -reach + 1e-9 < here[0] - there[0] <= reach + 1e-9
