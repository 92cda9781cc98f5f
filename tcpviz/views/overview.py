"""The overview: a whole connection in one thin column, with what was wrong and where one is.

Each row stands for an equal share of the connection's steps, so that a click
goes where it points, however long the connection is; its shade tells how
densely they followed each other, its letter what was wrong.
"""

from __future__ import annotations

import math
from typing import Final

from tcpviz.views import digest as d
from tcpviz.views import roles
from tcpviz.views.ladder_index import ChartIndex
from tcpviz.views.ladder_labels import MARKS
from tcpviz.views.spans import Line, Span

WIDTH: Final = 2
"""Cells: where one is, and what is there."""

_SHADES: Final = ("·", "░", "▒", "▓", "█")
_PLAIN_SHADES: Final = (".", ":", "-", "=", "#")
_TONES: Final = {sign: tone for sign, _, tone in MARKS.values()}


def place_of_row(index: ChartIndex, row: int, rows: int, count: int) -> int:
    """The position that a click on ``row`` of ``rows`` means, of the first ``count``.

    Where there is trouble in the row's share, that; else the share's middle.
    """
    rows = max(min(rows, count), 1)
    start, stop = _share(min(row, rows - 1), rows, count)
    found = index.after(d.PROBLEM, start - 1)
    if found is not None and found < stop:
        return found
    return min((start + stop) // 2, max(count - 1, 0))


def _share(row: int, rows: int, count: int) -> tuple[int, int]:
    return row * count // rows, max((row + 1) * count // rows, row * count // rows + 1)


def _pace(index: ChartIndex, start: int, stop: int) -> float:
    """How densely the share's steps follow each other: the logarithm of steps a nanosecond."""
    last = min(stop, len(index)) - 1
    first = min(start, last)
    passed = index.times[last] - index.times[max(first - 1, 0)]
    return math.log((last - first + 1) / max(passed, 1_000))


def overview(
    index: ChartIndex,
    rows: int,
    count: int,
    cursor: int,
    seen: tuple[int, int],
    *,
    ascii_only: bool = False,
) -> list[Line]:
    """The column in ``rows`` rows (fewer where there are fewer steps), of ``count`` positions.

    ``cursor``  the cursor's position; ``seen``: first and last position that the chart shows
    """
    if rows < 1 or count < 1:
        return []
    count = min(count, len(index))
    rows = min(rows, count)
    shares = [_share(row, rows, count) for row in range(rows)]
    paces = [_pace(index, start, stop) for start, stop in shares]
    slowest, fastest = min(paces), max(paces)
    shades = _PLAIN_SHADES if ascii_only else _SHADES
    here, bar = ("<", "|") if ascii_only else ("◂", "▕")
    made: list[Line] = []
    for (start, stop), pace in zip(shares, paces, strict=True):
        if start <= cursor < stop:
            where = Span(here, roles.LIT)
        elif start <= seen[1] and stop > seen[0]:
            where = Span(bar, roles.FRAME)
        else:
            where = Span(" ")
        letter = index.worst(start, stop)
        if letter:
            sign = Span(letter, _TONES.get(letter, roles.MARK_BAD))
        elif index.having(d.STATE, start, stop):
            sign = Span("+" if ascii_only else "┿", roles.BAND_HANDSHAKE)
        else:
            part = (pace - slowest) / (fastest - slowest) if fastest > slowest else 0.5
            sign = Span(shades[min(int(part * 5), 4)], roles.DATA if part >= 0.2 else roles.DIM)
        made.append((where, sign))
    return made
