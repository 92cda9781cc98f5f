"""Where in a long connection something is out of order: found by column, from its beginning on.

This is an index to jump by, made of numbers alone, a stretch at a time. What exactly is the
matter at such a place the core says when the place is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.core.segment import FIN, RST, SYN

if TYPE_CHECKING:
    from tcpviz.bulk.tables.growing import Snapshot
    from tcpviz.bulk.tables.stories import Stories

Array = NDArray[Any]

STRETCH = 1 << 18
"""Segments that are looked at at a time."""

_MASK = 0xFFFFFFFF


class Oddities:
    """Places, from 0, in the segments of connection ``ident``.

    ``seen``  how many of its segments have been looked at; ``total`` of how many
    """

    def __init__(self, ident: int) -> None:
        self.ident = ident
        self.seen = self.total = 0
        self._problems: list[Array] = []
        self._controls: list[Array] = []
        self._endings: list[Array] = []

    @property
    def complete(self) -> bool:
        """All has been looked at."""
        return 0 < self.total == self.seen

    def problem(self, place: int, way: int) -> int | None:
        """The nearest place after (1) or before (-1) this one where something is out of order.

        Sent again, sent too early, a closed window, a reset.
        """
        return _nearest(self._problems, place, way)

    def control(self, place: int, way: int) -> int | None:
        """The same for SYN, FIN and RST."""
        return _nearest(self._controls, place, way)

    def ending(self, place: int, way: int) -> int | None:
        """The same for FIN and RST."""
        return _nearest(self._endings, place, way)

    def search(self, snapshot: Snapshot, stories: Stories, enough: Callable[[], bool]) -> bool:
        """Look through it; true once that is done."""
        rows = stories.rows(self.ident)
        self.total = len(rows)
        array = snapshot.reading.columns.array
        first = int(array["src"][rows[0]]), int(array["sport"][rows[0]])
        reach: list[int | None] = [None, None]
        for at in range(0, len(rows), STRETCH):
            if enough():
                return False
            part = rows[at : at + STRETCH]
            flags = array["flags"][part]
            other = (array["src"][part] != first[0]) | (array["sport"][part] != first[1])
            length = array["length"][part].astype(np.int64)
            took = length + (flags & FIN) + (flags >> 1 & 1)
            seq = array["seq"][part].astype(np.int64)
            odd = flags & RST != 0
            odd |= (array["window"][part] == 0) & (flags & (RST | SYN) == 0)
            for side in (0, 1):
                mine = np.flatnonzero((other == bool(side)) & (flags & RST == 0))
                if not len(mine):
                    continue
                known = reach[side]
                anchor = int(seq[mine[0]]) if known is None else known
                begin = (seq[mine] - anchor + (1 << 31) & _MASK) - (1 << 31)
                end = begin + took[mine]
                highest = np.maximum.accumulate(np.maximum(end, 0))
                before = np.concatenate([[0], highest[:-1]])
                # A keep-alive or a window probe is one byte back; it is odd as well.
                wrong = ((took[mine] > 0) & (begin != before)) | (begin < before)
                odd[mine[wrong]] = True
                reach[side] = (anchor + int(highest[-1])) & _MASK
            self._problems.append(np.flatnonzero(odd) + at)
            self._controls.append(np.flatnonzero(flags & (FIN | SYN | RST)) + at)
            self._endings.append(np.flatnonzero(flags & (FIN | RST)) + at)
            self.seen = at + len(part)
        return True


def _nearest(found: list[Array], place: int, way: int) -> int | None:
    for each in list(found) if way > 0 else list(found)[::-1]:
        if not len(each):
            continue
        at = int(np.searchsorted(each, place, "right" if way > 0 else "left"))
        if way > 0 and at < len(each):
            return int(each[at])
        if way < 0 and at > 0:
            return int(each[at - 1])
    return None
