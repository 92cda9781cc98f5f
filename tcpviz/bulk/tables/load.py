"""One capture file as a table of connections, or the reason why columns are not for it."""

from __future__ import annotations

from collections.abc import Callable

from tcpviz.bulk.segments.reading import Reading, Unsuited
from tcpviz.bulk.segments.windows import Windows
from tcpviz.bulk.spilling.buckets import built
from tcpviz.bulk.tables.table import Table
from tcpviz.core.connection import Connection
from tcpviz.core.timeline import Timeline
from tcpviz.core.tracker import Tracker
from tcpviz.sources.feed import FeedStatus
from tcpviz.sources.pipes import Pipe

TOLD = frozenset(
    {
        *("host", "port", "state", "certainty", "segments", "bytes", "syns", "fins", "rsts"),
        *("verdict", "severity", "phase", "is", "rtt", "age", "idle", "duration", "id", "mark"),
        *("completeness", "conn_state", "history", "community_id"),
        *("vlan", "tunnel", "inside"),
        *("opened_by", "closed_by", "reset_by"),
        # A file does not tell.
        *("process", "pid", "user", "service", "container", "disagreements"),
    }
)
"""Filter fields that ``Table.connection`` holds for regular connections too, of either end."""

COUNTED = {
    "window_update": "updates",
    "duplicate_ack": "repeats",
    "window_full": "full",
    "captured_twice": "copies",
}
"""Marks that differ within a shape, and the table's columns of them: of both ends together."""


def told(field: str) -> bool:
    """Whether a filter's field is among :data:`TOLD`, or its shape's example has it."""
    whose, _, mark = field.rpartition("mark.")
    if mark != field:
        return not whose or mark not in COUNTED
    return field.removeprefix("client.").removeprefix("server.") in TOLD and not (
        field.endswith(".mark")
    )


class Loaded:
    """A capture that has been read. Close it when nothing more is asked of it.

    ``windows``  for what is more than memory may take
    ``heads``    keep the lengths of IP packets, too
    """

    def __init__(
        self, path: str | Pipe, windows: Windows | None = None, *, heads: bool = False
    ) -> None:
        self.windows = windows
        self._reading = Reading(path, windows, heads=heads)
        self.title = self._reading.title
        self.status: FeedStatus = self._reading.status

    def read(self, progress: Callable[[FeedStatus], None] | None = None) -> None:
        """Read all of it. Raises SourceError and Unsuited."""
        self._reading.read(progress)

    def stop(self) -> None:
        """End the reading soon."""
        self._reading.stop()

    def close(self) -> None:
        """Nothing more is asked."""
        self._reading.close()

    def build(self) -> Table:
        """The table of what has been read. Raises Unsuited."""
        self._building = built(self._reading, windows=self.windows)
        self.table = Table(self._building)
        if self.windows is not None:
            self.status.notes += filter(None, [self.windows.beyond()])
        return self.table

    def story(self, place: int) -> tuple[Timeline, Connection]:
        """A connection segment by segment: its flow's timeline, and itself as that has it."""
        building, row = self._building, self.table.first_row(place)
        tracker, opened = building.follow(building.flows.flow_of(row), Tracker())
        return tracker.timeline, dict(opened)[row]


__all__ = ["Loaded", "Unsuited", "told"]
