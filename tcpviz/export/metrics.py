"""Metrics of a running capture: an onlooker that gives a page out by HTTP or as a file.

The file is as node_exporter's textfile collector wants it: whole at every moment, because a new
one takes the old one's name, and readable by everybody, because it holds counts and nothing
else. What a page costs decides how often there is a new one.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from tcpviz.core.meter import Meter, States
from tcpviz.core.timeline import Step
from tcpviz.core.tracker import Tracker
from tcpviz.export.metrics_server import MetricsServer, address
from tcpviz.export.prometheus import TYPE, Moment, page
from tcpviz.sources.feed import FeedStatus
from tcpviz.sources.parser import clean
from tcpviz.sources.writer import give_to_caller, replaceable, unwritable, why_unwritable

SERVE_S: Final = 1.0
FILE_S: Final = 10.0
"""Seconds from one page to the next, at least."""

SHARE: Final = 20
"""And so many times what the last one cost."""


class Place(Protocol):
    """Where pages go."""

    every_s: float

    def publish(self, page: str) -> None: ...
    def close(self) -> None: ...


class Served:
    """By HTTP. Raises SourceError."""

    every_s = SERVE_S

    def __init__(self, host: str, port: int, tell: Callable[[str], None]) -> None:
        self._server = MetricsServer(host, port, TYPE)
        tell(f"metrics are at {self._server.url}")

    def publish(self, page: str) -> None:
        self._server.publish(page)

    def close(self) -> None:
        self._server.close()


class TextFile:
    """As a file that is replaced whole. Raises SourceError where it cannot be made."""

    every_s = FILE_S

    def __init__(self, path: str, tell: Callable[[str], None]) -> None:
        self._path = Path(path)
        self._tell = tell
        self._failing = False
        replaceable(path)
        try:
            self._put("")
        except (OSError, ValueError) as error:
            raise unwritable(f"--metrics {clean(path)}", error) from None

    def publish(self, page: str) -> None:
        try:
            self._put(page)
        except OSError as error:
            if not self._failing:
                name, why = clean(str(self._path)), why_unwritable(error)
                self._tell(f"metrics: {name}: cannot be written: {why}; trying again")
            self._failing = True
        else:
            self._failing = False

    def _put(self, page: str) -> None:
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with os.fdopen(os.open(beside, flags, 0o600), "w", encoding="utf-8") as file:
                give_to_caller(file.fileno())
                file.write(page)
                file.flush()
                os.fchmod(file.fileno(), 0o644)
            beside.replace(self._path)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise

    def close(self) -> None:
        """The last page stays."""


class Metrics:
    """Counts, and gives a page to ``place`` now and then.

    ``status``   of the feed
    ``memory``   gives the bytes that the program takes
    ``counted``  gives the ends by state where connections are only counted, else ``None``
    ``seen``     gives how many connections there have been, and have been forgotten, by
                 another count, if there is one
    """

    done = False
    attention: int | None = None

    def __init__(
        self,
        place: Place,
        status: FeedStatus,
        memory: Callable[[], int],
        counted: Callable[[], States | None] = lambda: None,
        seen: Callable[[], tuple[int, int]] = lambda: (0, 0),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.meter = Meter(clock)
        self._place = place
        self._status, self._memory, self._counted = status, memory, counted
        self._seen = seen
        self._clock = clock
        self._next = clock()

    def steps(self, steps: Sequence[Step], tracker: Tracker) -> None:
        self.meter.steps(steps, tracker)

    def look(self, tracker: Tracker, now_ns: int) -> None:
        self.meter.look(tracker, now_ns)
        begun = self._clock()
        if begun >= self._next:
            self._publish(tracker, running=True)
            ended = self._clock()
            self._next = ended + max(self._place.every_s, SHARE * (ended - begun))

    def end(self, tracker: Tracker, now_ns: int) -> None:
        self.meter.end(tracker, now_ns)
        self._publish(tracker, running=False)
        self._place.close()

    def _publish(self, tracker: Tracker, *, running: bool) -> None:
        counted, (seen, forgotten) = self._counted(), self._seen()
        self.meter.forget_gone(tracker)
        moment = Moment(
            seen=max(self.meter.connections, seen),
            states=self.meter.states(tracker) if counted is None else counted,
            followed=len(tracker.connections),
            evicted=tracker.evicted if counted is None else forgotten,
            memory=self._memory(),
            cpu_s=time.process_time(),
            running=running,
            every=counted is None,
        )
        self._place.publish(page(self.meter, self._status, moment))


def place(text: str, tell: Callable[[str], None]) -> Place:
    """What ``--metrics`` names. Raises SourceError."""
    where = address(text)
    return TextFile(text, tell) if where is None else Served(*where, tell)
