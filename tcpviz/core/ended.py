"""Connections that have ended, each given once: what a log of them is made from.

A connection is given :data:`LINGER_NS` after neither end can send any more, so that the last
ACK and what still trickles in are in its counts (Zeek's ``tcp_close_delay``, 5 s); when it is
not followed any more; or when there is nothing more to come.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tcpviz.core.connection import Connection
from tcpviz.core.timeline import Step
from tcpviz.core.tracker import Tracker

LINGER_NS = 5_000_000_000


class Ended:
    """Watches a tracker; keeps no connection longer than that does, but for a sixteenth of them."""

    def __init__(self, linger_ns: int = LINGER_NS) -> None:
        self._linger_ns = linger_ns
        self._known: dict[int, Connection] = {}
        self._waiting: deque[tuple[int, int]] = deque()  # when, which
        self._over: set[int] = set()
        self._given: set[int] = set()
        self._evicted = 0

    def steps(self, steps: Sequence[Step], tracker: Tracker) -> None:
        """These have just happened."""
        for step in steps:
            ident = step.connection
            if ident is None or ident in self._given:
                continue
            connection = self._known.get(ident)
            if connection is None:
                connection = tracker.connections.get(ident)
                if connection is None:
                    continue
                self._known[ident] = connection
            if step.changes and ident not in self._over and connection.over:
                self._over.add(ident)
                self._waiting.append((step.time_ns + self._linger_ns, ident))

    def look(self, tracker: Tracker, now_ns: int) -> list[Connection]:
        """Those that have ended since it was last asked, in that order."""
        found: list[Connection] = []
        gone = tracker.evicted - self._evicted
        if gone > len(self._known) >> 4:
            self._evicted = tracker.evicted
            found += self._not_followed(tracker)
        while self._waiting and self._waiting[0][0] <= now_ns:
            _, ident = self._waiting.popleft()
            self._over.discard(ident)
            connection = self._known.get(ident)
            if connection is not None and connection.over:
                del self._known[ident]
                self._given.add(ident)
                found.append(connection)
        if len(self._given) > 2 * len(tracker.connections) + 1000:
            self._given &= tracker.connections.keys()
        return found

    def rest(self) -> list[Connection]:
        """All that were not given yet, in the order of their beginning."""
        found = [self._known[ident] for ident in sorted(self._known)]
        self._known.clear()
        self._waiting.clear()
        return found

    def _not_followed(self, tracker: Tracker) -> list[Connection]:
        gone = [ident for ident in self._known if ident not in tracker.connections]
        return [self._known.pop(ident) for ident in gone]
