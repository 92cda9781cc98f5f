"""Outlets: what a capture leaves behind besides the screen, connection by connection as they end.

A ``conn.log``, CSV, a Parquet file: each an :class:`~tcpviz.core.onlooker.Onlooker`, so that it
works beside the screen, the text, JSON, or alone.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from tcpviz.core.connection import Connection
from tcpviz.core.ended import Ended
from tcpviz.core.timeline import Step
from tcpviz.core.tracker import Tracker
from tcpviz.export import conn_log, csv_table
from tcpviz.export.line_file import LineFile

Fits = Callable[[Connection, int], bool]


class Sink(Protocol):
    """Takes connections that have ended. ``written`` so many, ``lost`` could not be."""

    @property
    def lost(self) -> int: ...
    @property
    def written(self) -> int: ...
    def take(self, connection: Connection, now_ns: int) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


class Lines:
    """A sink that writes each connection as a line; ``line`` gives it, empty for none."""

    def __init__(self, file: LineFile, line: Callable[[Connection, int], str]) -> None:
        self._file = file
        self._line = line

    @property
    def lost(self) -> int:
        return self._file.lost

    @property
    def written(self) -> int:
        return self._file.written

    def take(self, connection: Connection, now_ns: int) -> None:
        text = self._line(connection, now_ns)
        if text:
            self._file.write(text)

    def add(self, lines: Iterable[str]) -> None:
        """Lines that are made already."""
        for line in lines:
            self._file.write(line)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def conn_log_sink(path: str, *, append: bool, tell: Callable[[str], None]) -> Lines:
    """A ``conn.log``. Raises SourceError."""
    file = LineFile(path, append=append, head=conn_log.head, tail=conn_log.tail, tell=tell)
    return Lines(file, lambda connection, _: conn_log.line(connection))


def csv_sink(path: str, *, tell: Callable[[str], None]) -> Lines:
    """Connections as CSV. Raises SourceError."""
    return Lines(LineFile(path, head=lambda: _csv(csv_table.COLUMNS), tell=tell), _csv_line)


def _csv_line(connection: Connection, now_ns: int) -> str:
    return _csv(csv_table.row(connection, now_ns))


def _csv(cells: Iterable[object]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


class Outlet:
    """Gives ``sink`` every connection of a tracker once, when it has ended.

    ``fits``: only those (a display filter's ``matches``), asked at that moment.
    """

    done = False
    attention: int | None = None

    def __init__(self, sink: Sink, fits: Fits | None = None) -> None:
        self.sink = sink
        self._fits = fits
        self._ended = Ended()

    def steps(self, steps: Sequence[Step], tracker: Tracker) -> None:
        self._ended.steps(steps, tracker)

    def look(self, tracker: Tracker, now_ns: int) -> None:
        self._give(self._ended.look(tracker, now_ns), now_ns)
        self.sink.flush()

    def end(self, tracker: Tracker, now_ns: int) -> None:
        self._give(self._ended.look(tracker, now_ns), now_ns)
        self._give(self._ended.rest(), now_ns)
        self.sink.close()

    def _give(self, connections: Iterable[Connection], now_ns: int) -> None:
        for connection in connections:
            if connection.only_told:
                continue  # no packet of it was captured
            if self._fits is None or self._fits(connection, now_ns):
                self.sink.take(connection, now_ns)
