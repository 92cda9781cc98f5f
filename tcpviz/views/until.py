"""``--until``: ends a capture, or the reading of a file, when a connection first fits a filter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from tcpviz.core.connection import Connection
from tcpviz.core.timeline import Step
from tcpviz.core.tracker import Tracker
from tcpviz.views.filter import Filter
from tcpviz.views.verdict import sentences
from tcpviz.words import english

NEVER: Final = 3
"""The exit code where it ended and no connection had fitted."""

_SECOND: Final = 1_000_000_000


class Until:
    """Asks ``chosen`` of every connection right after each of its steps.

    A filter that asks for ages is asked of all connections once a second besides.
    ``stop`` is called once, when one fits, and ``tell`` is given a line that says which.
    """

    def __init__(
        self, chosen: Filter, stop: Callable[[], None], tell: Callable[[str], None]
    ) -> None:
        self.attention: int | None = None
        self._chosen = chosen
        self._stop, self._tell = stop, tell
        self._asked_ns = 0

    @property
    def done(self) -> bool:
        return self.attention is not None

    @property
    def exit_code(self) -> int:
        return 0 if self.done else NEVER

    def steps(self, steps: Sequence[Step], tracker: Tracker) -> None:
        if self.done:
            return
        matches = self._chosen.matches
        for step in steps:
            if step.connection is None:
                continue
            connection = tracker.connections.get(step.connection)
            if connection is not None and matches(connection, step.time_ns):
                frame = 0 if step.segment is None else step.segment.frame
                self._found(connection, step.time_ns, frame)
                return

    def look(self, tracker: Tracker, now_ns: int) -> None:
        if self.done or not self._chosen.timely or now_ns - self._asked_ns < _SECOND:
            return
        self._asked_ns = now_ns
        for connection in tracker.connections.values():
            if self._chosen.matches(connection, now_ns):
                self._found(connection, now_ns, 0)
                return

    def end(self, tracker: Tracker, now_ns: int) -> None:
        self._asked_ns = 0
        self.look(tracker, now_ns)
        if not self.done:
            self._tell(f"no connection has come to fit --until {self._chosen.text!r}")

    def _found(self, connection: Connection, now_ns: int, frame: int) -> None:
        self.attention = connection.id
        with english():
            said = sentences(connection, now_ns)[0][1]
        at = f", frame {frame}" if frame else ""
        ends = f"{connection.client.endpoint} > {connection.server.endpoint}"
        self._tell(f"--until {self._chosen.text!r}: connection {connection.id}, {ends}{at}: {said}")
        self._stop()
