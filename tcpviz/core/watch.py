"""Until when the capture went on after a connection's last segment, told from all connections.

A verdict such as "silent for 4 minutes" needs to know that somebody was
listening. A file that was put together from several captures has pauses of
days or years in which nobody was.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable

from tcpviz.core.connection import Connection

PAUSE_NS = 86_400_000_000_000
"""A day without one segment of any connection: the capture was not running."""


class Watch:
    """The stretches of time in which the capture of these connections was running.

    Their clocks may run backwards; a connection counts from its earlier to its later end.
    """

    def __init__(self, connections: Iterable[Connection]) -> None:
        spans = sorted(tuple(sorted((c.first_ns, c.last_ns))) for c in connections)
        self._begins: list[int] = []
        self._ends: list[int] = []
        for first, last in spans:
            if self._ends and first - self._ends[-1] < PAUSE_NS:
                self._ends[-1] = max(self._ends[-1], last)
            else:
                self._begins.append(first)
                self._ends.append(last)

    def until(self, connection: Connection) -> int:
        """When the stretch ended in which the connection's latest segment was captured."""
        place = bisect.bisect_right(self._begins, connection.last_ns) - 1
        return max(connection.last_ns, self._ends[place]) if place >= 0 else connection.last_ns
