"""A pipe for the screen: its packets one by one as long as that keeps up, by columns beyond.

What comes slowly (``tcpdump -w -``, a remote host) is followed at once, segment by segment. What
comes faster than that, as ``cat FILE`` does, is kept on disk as it comes and read
by columns from its beginning; then the list grows by tables, as that of a large file.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator, Sequence

from tcpviz.core.connection import Connection
from tcpviz.core.records import Record
from tcpviz.sources.feed import Feed, FeedStatus
from tcpviz.sources.files import FileFeed
from tcpviz.sources.pipes import GATHER_S, LOOK_S, Pipe, PipeCapture
from tcpviz.sources.recent import Kept
from tcpviz.ui.bulkfeed import LARGE, BulkFeed

BATCH = 1024
"""Most records in a batch, roughly; after each it is seen whether the pipe waits for us."""

FAST = "comes faster than it can be followed packet by packet: read by columns"


class PipeFeed(BulkFeed):
    """As :class:`BulkFeed`, of what comes only once. Raises SourceError if it cannot be opened.

    ``instead``  the feed of its segments, as long as that keeps up
    """

    def __init__(self, path: str, *, limit: int | None = None) -> None:
        self._pipe = Pipe(path)
        self.path, self._follow = "", None
        self.limit = limit
        self.title = self._pipe.name
        self.first: Sequence[Connection] = ()
        self._growing = None
        self._stopped = self._given = False
        self._taken = threading.Event()
        self._reader: PipeCapture = self._pipe.capture(gather_s=0, strict=False)
        self._followed = FileFeed(self._reader, BATCH)
        self._followed.remember()
        self.status: FeedStatus = self._followed.status
        self.instead: Feed | None = self._followed

    def remember(self) -> None:
        """What comes is kept anyway."""

    def kept(self) -> Kept | None:
        """All that has come, or where that cannot be kept the latest of it; from any thread."""
        return Kept(self._pipe.frames()) if self._pipe.keeping else self._followed.kept()

    def batches(self) -> Iterator[list[Record]]:
        """Its segments; then, where they come too fast, nothing. Raises SourceError."""
        reader, able = self._reader, importlib.util.find_spec("numpy") is not None
        if not (able and reader.hurry(LARGE, GATHER_S)):
            caught_up = 0
            for batch in self._followed.batches():
                yield batch
                if not reader.waiting():
                    caught_up = reader.position
                elif able and self._pipe.keeping and reader.position - caught_up >= LARGE:
                    break
            else:
                return
            self._given = True
        if self._stopped:
            return
        self._followed.status.notes.append(f"{self.title}: {FAST}")
        self.instead = None
        yield from self._by_columns(self._pipe)

    def drained(self) -> None:
        self._taken.set()

    def _segments(self) -> Feed:
        # What was given before is not to be taken for what comes once more.
        while self._given and not self._stopped and not self._taken.wait(LOOK_S):
            pass
        self._reader = self._pipe.capture(gather_s=0, strict=False)
        self._followed = FileFeed(self._reader, BATCH)
        self._followed.remember()
        return self._followed

    def close(self) -> None:
        super().close()
        self._pipe.close()

    def stop(self) -> None:
        super().stop()
        self._reader.stop()
