"""What a live capture keeps of its frames: the file of ``-w``, the latest ones, marks, readers."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence

from tcpviz.sources.batch import Batch
from tcpviz.sources.feed import FeedStatus, SourceError
from tcpviz.sources.fileset import FileSet
from tcpviz.sources.pcap_over_ip_server import PcapServer
from tcpviz.sources.recent import Kept, Recent
from tcpviz.sources.saving import Saving
from tcpviz.sources.writer import PcapngWriter
from tcpviz.wire.frame import Frame


class Keeping:
    """Keeps what it is told to.

    ``write``   a pcapng file (``-``: standard output), a plan of several, or nothing
    ``status``  where notes go
    ``stop``    ends the capture: the plan's files are full
    ``error``   why the file could not be written any more; the capture goes on
    """

    def __init__(
        self,
        write: str | Saving | None,
        snaplen: int,
        status: FeedStatus,
        stop: Callable[[], None],
    ) -> None:
        self.error: SourceError | None = None
        self._write = write
        self._snaplen = snaplen
        self._status = status
        self._stop = stop
        self._full = False
        self._writer: PcapngWriter | FileSet | None = None
        self._recent: Recent | None = None
        self._server: PcapServer | None = None
        self._marks: deque[str] = deque()

    # -- the latest -----------------------------------------------------------

    def remember(self) -> None:
        """Keep the latest frames from now on."""
        self._recent = Recent()

    def recent(self, names: Sequence[str]) -> Kept | None:
        """The latest frames, if they are kept; ``names`` of the interfaces. From any thread."""
        if self._recent is None:
            return None
        return Kept(self._recent.frames(), names, whole=not self._recent.gone)

    def mark(self, text: str) -> None:
        """A comment for the next frame that is written; from any thread."""
        if self._write:
            self._marks.append(text)

    def serve(self, server: PcapServer) -> None:
        """Give every frame to its readers too."""
        self._server = server

    # -- the file ---------------------------------------------------------------

    @property
    def writes(self) -> bool:
        """Every frame is wanted, for a file or for readers."""
        return self._writer is not None or self._server is not None

    def begin(self) -> None:
        """Make the file, if there is to be one. Raises SourceError."""
        if isinstance(self._write, Saving):
            self._writer = FileSet(self._write, self._snaplen)
        elif self._write:
            self._writer = PcapngWriter(self._write, self._snaplen)

    def describe(self, interfaces: Sequence[tuple[str, int]], words: str) -> None:
        """Tell the file of the interfaces: names and link types; ``words`` of the filter."""
        if self._writer:
            for name, link_type in interfaces:
                self._writer.add_interface(name, link_type, "", words)
            self._writer.flush()
        if self._server is not None:
            self._server.describe(interfaces, words, self._snaplen)

    def take(self, frame: Frame, lost: int) -> None:
        """A frame, before which so many packets are missing."""
        if self._recent is not None:
            self._recent.add(frame)
        self.save(frame, lost)

    def save(self, frame: Frame, lost: int) -> None:
        """The same for the file and the readers alone."""
        if self._server is not None:
            self._server.take(frame, lost)
        if self._writer is None or self.error:
            return
        try:
            self._writer.write(frame, self._comments(), lost=lost)
        except SourceError as error:
            self._cannot_write(error)

    def save_many(self, batch: Batch, lost: int, at: int) -> None:
        """As :meth:`save` does, many at once; ``lost`` packets are missing before place ``at``."""
        if self._server is not None:
            self._server.take_many(batch, lost, at)
        if self._writer is None or self.error:
            return
        # What says more than a packet's bytes goes by itself.
        alone = {at} if lost else set()
        if self._marks:
            alone.add(0)
        try:
            done = 0
            for place in sorted(each for each in alone if 0 <= each < len(batch)):
                if done < place:
                    self._writer.write_many(batch.blocks(done, place))
                missing = lost if place == at else 0
                self._writer.write(batch.frame(place), self._comments(), lost=missing)
                done = place + 1
            if done < len(batch):
                self._writer.write_many(batch.blocks(done, len(batch)))
        except SourceError as error:
            self._cannot_write(error)

    def look_after(self, dropped: int) -> None:
        """Bring file and readers up to date; ``dropped`` packets were lost so far."""
        if self._server is not None:
            self._server.flush()
        if self._writer is None or self.error:
            return
        try:
            self._writer.flush()
            saved = self._writer.look_after()
        except SourceError as error:
            self._cannot_write(error)
            return
        if saved:
            self._status.notes.append(saved)
        if isinstance(self._writer, FileSet):
            self._writer.dropped = dropped
            if self._writer.full and not self._full:
                self._full = True
                self._status.notes.append("the files are full, as -a asked: the capture ends")
                self._stop()

    def finish(self, interfaces: int, dropped: int) -> None:
        """The capture has ended: last words."""
        if self._writer is None or self.error:
            return
        if interfaces == 1:
            with contextlib.suppress(SourceError):
                marks, now = self._comments(), time.time_ns()
                self._writer.write_statistics(0, None, dropped, now, comments=marks)
        if isinstance(self._writer, FileSet) and self._writer.missed:
            self.error = SourceError(f"{self._writer.missed} packets could not be saved")

    def close(self) -> None:
        """Close the file, and end with the readers; more than once does no harm."""
        if self._server is not None:
            self._server.close()
        if self._writer:
            writer, self._writer = self._writer, None
            with contextlib.suppress(SourceError):
                writer.close()

    def _comments(self) -> list[str]:
        """The marks that wait to be written."""
        return [self._marks.popleft() for _ in range(len(self._marks))]

    def _cannot_write(self, error: SourceError) -> None:
        """Go on showing what is captured; the error comes at the end."""
        self.error = error
        self._status.notes.append(f"{error}; capturing goes on without writing")
