"""A large capture file for the screen: read by columns in the feed's thread.

It gives no records. What the screen shows of it are the tables that come while it is read
(:class:`tcpviz.bulk.tables.growing.Growing`). Where columns are not for the file, it goes on as the
feed of its segments.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tcpviz.core.connection import Connection
from tcpviz.core.records import Record
from tcpviz.sources.feed import Feed, FeedStatus
from tcpviz.sources.files import FileFeed, open_capture
from tcpviz.ui.process import resident_bytes, shared_bytes

if TYPE_CHECKING:
    from tcpviz.bulk.forerunner import Forerunner
    from tcpviz.bulk.tables.growing import Growing, Snapshot
    from tcpviz.sources.pipes import Pipe

LARGE = 1 << 20
"""Bytes of a file from which on it is read by columns; below, all of it has one timeline."""


class BulkFeed:
    """A file's tables. Raises SourceError if it cannot be opened.

    ``path``     of the file
    ``first``    some connections as they stand near its beginning, to be shown until more is known
    ``instead``  the feed of its segments, where columns turned out not to be for it
    ``limit``    bytes of memory that its columns may take (half of what is free, if ``None``);
                 the rest lies on disk
    ``ahead``    a process that has begun to read it; whoever began it closes it, too
    """

    _ahead: Forerunner | None = None

    def __init__(
        self,
        path: str,
        *,
        follow: bool | None = None,
        limit: int | None = None,
        ahead: Forerunner | None = None,
    ) -> None:
        capture = open_capture(path)  # so that a wrong file is known before anything is shown
        capture.close()
        self.path, self._follow, self._ahead = path, follow, ahead
        self.limit = limit
        self.title = capture.name
        self.first: Sequence[Connection] = ()
        self.status = FeedStatus(size=capture.size)
        self.instead: Feed | None = None
        self._growing: Growing | None = None
        self._stopped = False

    @property
    def latest(self) -> Snapshot | None:
        """The newest table."""
        return None if self._growing is None else self._growing.latest

    @property
    def waiting(self) -> bool:
        """All has been read, and the file may still grow."""
        return self._growing is not None and self._growing.waiting

    @property
    def on_disk(self) -> int:
        """Bytes of columns that lie on disk."""
        windows = None if self._growing is None else self._growing.windows
        return 0 if windows is None else windows.on_disk

    @property
    def beside(self) -> int:
        """Bytes of memory for it that are not counted as this process's.

        That is what the process takes that reads it; later what it has left, until it is looked at.
        """
        ahead = None if self._ahead is None else self._ahead.pid
        if ahead is not None:
            return resident_bytes(ahead) or 0
        windows = None if self._growing is None else self._growing.windows
        shared = 0 if windows is None else windows.shared
        return max(shared - shared_bytes(), 0) if shared else 0

    def batches(self) -> Iterator[list[Record]]:
        """Read it; nothing is given but where ``instead`` gives it. Raises SourceError."""
        yield from self._by_columns(self.path)

    def drained(self) -> None:
        """Whatever ``instead`` has given has been taken, or will not be."""

    def _segments(self) -> Feed:
        return FileFeed(self.path)

    def _by_columns(self, source: str | Pipe) -> Iterator[list[Record]]:
        from tcpviz.bulk.segments.windows import windows_of
        from tcpviz.bulk.tables.growing import Growing, Unsuited

        windows = windows_of(self.limit)
        growing = Growing(source, follow=self._follow, windows=windows, ahead=self._ahead)
        growing.status.notes += self.status.notes
        self.status, self._growing = growing.status, growing
        if self._stopped:
            return
        try:
            growing.run()
        except Unsuited as why:
            self._growing = None
            growing.close()
            instead = self._segments()
            self.status = instead.status
            self.status.notes.append(f"{self.title}: read packet by packet: {why}")
            self.instead = instead
            yield from instead.batches()

    def close(self) -> None:
        """No packet is looked at again."""
        if self._growing is not None:
            self._growing.close()

    def stop(self) -> None:
        self._stopped = True
        for each in (self.instead, self._growing):
            if each is not None:
                each.stop()


def large(path: str, least: int = LARGE) -> bool:
    """Whether a file is to be read by columns: from so many bytes on; never without numpy."""
    if importlib.util.find_spec("numpy") is None:
        return False
    try:
        there = Path(path)
        return path != "-" and there.is_file() and there.stat().st_size >= least
    except (OSError, ValueError):
        return False
