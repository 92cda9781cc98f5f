"""Trail: the edges that both ends of one connection have taken, up to any step."""

from __future__ import annotations

import bisect

from tcpviz.core.records import Side
from tcpviz.core.timeline import Timeline
from tcpviz.views.layouts import Pair


class Trail:
    """The edges that both ends of one connection have taken; remembers what it has read."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self._connection = 0
        self._read = -1
        self._indexes: list[int] = []
        self._moves: list[tuple[Side, Pair]] = []

    def upto(self, connection: int, index: int) -> tuple[frozenset[Pair], frozenset[Pair]]:
        """(client's, server's) edges up to step ``index``; 0 for before any connection."""
        if connection != self._connection:
            self._connection, self._read = connection, -1
            self._indexes.clear()
            self._moves.clear()
        for at in self.timeline.since(self._read, connection):
            self._read = at
            for change in self.timeline[at].changes:
                row = change.transition
                if row is not None and row.before is not row.after:
                    self._indexes.append(at)
                    self._moves.append((change.side, (row.before, row.after)))
        moves = self._moves[: bisect.bisect_right(self._indexes, index)]
        return (
            frozenset(pair for side, pair in moves if side is Side.CLIENT),
            frozenset(pair for side, pair in moves if side is Side.SERVER),
        )
