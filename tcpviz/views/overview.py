"""The overview: a whole connection in one thin column, with what was wrong and where one is.

Each row stands for an equal share of the connection's steps, so that a click
goes where it points, however long the connection is.
"""

from __future__ import annotations

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
    start, stop = _share(row, rows, count)
    found = index.after(d.PROBLEM, start - 1)
    if found is not None and found < stop:
        return found
    return min((start + stop) // 2, max(count - 1, 0))


def _share(row: int, rows: int, count: int) -> tuple[int, int]:
    return row * count // rows, max((row + 1) * count // rows, row * count // rows + 1)


def overview(
    index: ChartIndex,
    rows: int,
    count: int,
    cursor: int,
    seen: tuple[int, int],
    *,
    ascii_only: bool = False,
) -> list[Line]:
    """The column in ``rows`` rows, of the first ``count`` positions.

    ``cursor``  the cursor's position; ``seen``: first and last position that the chart shows
    """
    if rows < 1 or count < 1:
        return []
    count = min(count, len(index))
    shares = [_share(row, rows, count) for row in range(rows)]
    sizes = [sum(index.sizes[start:stop]) for start, stop in shares]
    most = max(sizes) or 1
    shades = _PLAIN_SHADES if ascii_only else _SHADES
    here, bar = ("<", "|") if ascii_only else ("◂", "▕")
    made: list[Line] = []
    for (start, stop), size in zip(shares, sizes, strict=True):
        if start <= cursor < stop:
            where = Span(here, roles.LIT)
        elif start <= seen[1] and stop > seen[0]:
            where = Span(bar, roles.FRAME)
        else:
            where = Span(" ")
        letter = index.worst(start, stop)
        if start >= count:
            sign = Span(" ")
        elif letter:
            sign = Span(letter, _TONES.get(letter, roles.MARK_BAD))
        elif index.having(d.STATE, start, stop):
            sign = Span("+" if ascii_only else "┿", roles.BAND_HANDSHAKE)
        else:
            shade = 0 if not size else 1 + min(3, size * 4 // (most + 1))
            sign = Span(shades[shade], roles.DATA if size else roles.DIM)
        made.append((where, sign))
    return made
