"""Stretches whose segments are followed one by one at once, and counted together a little later.

Counting costs 0.8 ms a pass whatever is in it (a hundred and fifty passes of numpy), and at a
thousand segments a second there are fifteen passes of seventy. Nobody looks at the count as long
as everything is followed; who does, has it made first.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from tcpviz.bulk.live.stretches import Stretch
from tcpviz.core.segment import Segment

FEW = 1_000
"""Packets of a pass up to which they wait to be counted; of more it is asked first, by columns,
whether they can be followed at all."""

MOST = 4_000
"""Packets that wait at most, and ..."""

LONGEST_S = 0.5
"""... for how long."""


class Waiting:
    """In the order in which they came. ``count``: packets that wait."""

    def __init__(self) -> None:
        self.count = 0
        self._stretches: list[Stretch] = []
        self._segments: list[Segment | None] = []
        self._since = 0.0

    def fits(self, stretch: Stretch) -> bool:
        """It may wait, behind those that do."""
        if stretch.lost or len(stretch) > FEW or stretch.memory is not stretch.data:
            return False
        if not self._stretches:
            return True
        last = self._stretches[-1]
        return (last.number + len(last), last.size) == (stretch.number, stretch.size)

    def add(self, stretch: Stretch, segments: Sequence[Segment | None]) -> None:
        """``segments``: of each packet, ``None`` where it is none."""
        if not self._stretches:
            self._since = time.monotonic()
        self._stretches.append(stretch)
        self._segments += segments
        self.count += len(stretch)

    @property
    def due(self) -> bool:
        """They are to be counted now."""
        if not self._stretches:
            return False
        return self.count >= MOST or time.monotonic() - self._since >= LONGEST_S

    def stretches(self) -> list[Stretch]:
        """Those that wait."""
        return list(self._stretches)

    def take(self) -> tuple[Stretch, list[Segment | None]] | None:
        """All of them as one, with its segments by place; nothing waits any more."""
        if not self._stretches:
            return None
        whole, segments = self._stretches[0], self._segments
        if len(self._stretches) > 1:
            data = b"".join(each.data for each in self._stretches)
            whole = Stretch(data, whole.size, links=whole.links, number=whole.number)
        whole.lent = any(each.lent for each in self._stretches)
        self._stretches, self._segments, self.count = [], [], 0
        return whole, segments
