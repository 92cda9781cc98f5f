"""A capture in several files, as dumpcap writes them: each of a size or a time, the oldest going.

Names are dumpcap's (ringbuffer.c): ``out.pcapng`` becomes ``out_00001_20261121163000.pcapng``,
with the file's number and when it was begun, by the local clock. Every file is whole in itself.

When the disk is full nothing that was saved is given up: the file ends with its last whole
packet, what cannot be saved is counted, and every :data:`RETRY_S` it is tried whether the next
file can be begun.
"""

from __future__ import annotations

import bisect
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from tcpviz.sources.batch import Blocks
from tcpviz.sources.feed import SourceError
from tcpviz.sources.parser import clean
from tcpviz.sources.saving import MOST_FILES, Saving
from tcpviz.sources.writer import PcapngWriter
from tcpviz.wire.frame import Frame

RETRY_S = 5.0
"""Seconds between two attempts to begin a file where the last one could not be written."""

_Interface = tuple[str, int, str, str]
_Known = tuple[int, int, int, int] | None


class FileSet:
    """Writes frames like a :class:`~tcpviz.sources.writer.PcapngWriter`, into one file or several.

    ``full``    the plan says that the capture should end now
    ``missed``  frames that could not be saved
    ``dropped`` what the capture has lost so far, for the statistics at each file's end
    ``names``   the files that are kept, the oldest first, as they are named

    The first file is made at once. Raises SourceError where it cannot be; later on
    :meth:`look_after` tells of what goes wrong, and it goes on as soon as it can.
    """

    def __init__(
        self,
        plan: Saving,
        snaplen: int = 0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.plan = plan
        self.full = False
        self.missed = 0
        self.frames = 0
        self.dropped: int | None = None
        self._snaplen = snaplen
        self._clock, self._now = clock, now
        self._interfaces: list[_Interface] = []
        self._files: deque[tuple[str, _Known]] = deque()
        self._number = self._made = 0
        self._notes: list[str] = []
        self._retry_at: float | None = None
        self._missed_told = 0
        self._writer: PcapngWriter | None = None
        self._begin()

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self._files]

    @property
    def name(self) -> str:
        """The file that is written now, as it may be shown."""
        return clean(self._files[-1][0]) if self._files else clean(self.plan.path)

    # -- as a writer --------------------------------------------------------

    def add_interface(
        self, name: str, link_type: int, description: str = "", capture_filter: str = ""
    ) -> int:
        """Describe an interface, in this file and in those to come."""
        self._interfaces.append((name, link_type, description, capture_filter))
        if self._writer is not None:
            self._writer.add_interface(name, link_type, description, capture_filter)
        return len(self._interfaces) - 1

    def write(
        self,
        frame: Frame,
        comment: str | Iterable[str] | None = None,
        interface: int | None = None,
        lost: int = 0,
        customs: Iterable[bytes] = (),
    ) -> None:
        """Write a frame; the next file begins before it or behind it, if it is time.

        Raises SourceError where there is but one file, and it cannot be written.
        """
        if self.full:
            return
        if self._writer is not None and self._time_is_up():
            self._switch()
        if self.full:
            return
        if self._writer is None:
            self.missed += 1
            return
        try:
            self._writer.write(frame, comment, interface, lost, customs)
        except SourceError as error:
            self._failed(error)
            return
        self.frames += 1
        if self._is_full(self._writer):
            self._switch()

    def write_many(self, blocks: Blocks) -> None:
        """As :meth:`write` does, packets that are blocks already: files end where they would."""
        at = 0
        while at < len(blocks) and not self.full:
            if self._writer is not None and self._time_is_up():
                self._switch()
                continue
            if self._writer is None:
                self.missed += len(blocks) - at
                return
            count = self._room(self._writer, blocks, at)
            part, at = blocks.part(at, at + count), at + count
            try:
                self._writer.write_many(part)
            except SourceError as error:
                self._failed(error)
                continue
            self.frames += count
            if self._is_full(self._writer):
                self._switch()

    def write_statistics(
        self,
        interface: int,
        received: int | None,
        dropped: int | None,
        time_ns: int | None = None,
        customs: Iterable[bytes] = (),
        comments: Iterable[str] = (),
    ) -> None:
        """What an interface counted, into the file that is open."""
        if self._writer is not None:
            self._writer.write_statistics(interface, received, dropped, time_ns, customs, comments)

    def flush(self) -> None:
        """Hand everything to the operating system."""
        if self._writer is None:
            return
        try:
            self._writer.flush()
        except SourceError as error:
            self._failed(error)

    def look_after(self) -> str | None:
        """Begin the next file if it is time, or try again; a line, if there is one to tell."""
        if self._retry_at is not None and self._clock() >= self._retry_at and not self.full:
            self._try_again()
        elif self._writer is not None:
            if self._time_is_up():
                self._switch()
            elif (said := self._look_at_file()) is not None:
                self._notes.append(said)
        return self._notes.pop(0) if self._notes else None

    def close(self) -> None:
        """Flush and close; more than once does no harm."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.close()

    # -- when -----------------------------------------------------------------

    def _is_full(self, writer: PcapngWriter) -> bool:
        plan = self.plan
        size, most = writer.size, plan.bytes_each or plan.stop_bytes
        return bool(
            (most and size >= most) or (plan.packets_each and writer.frames >= plan.packets_each)
        )

    def _room(self, writer: PcapngWriter, blocks: Blocks, at: int) -> int:
        """How many from there on, up to the one that fills the file."""
        plan, count = self.plan, len(blocks) - at
        if plan.packets_each:
            count = min(count, max(plan.packets_each - writer.frames, 1))
        most = plan.bytes_each or plan.stop_bytes
        if most:
            before = int(blocks.ends[at - 1]) if at else 0
            fills = bisect.bisect_left(blocks.ends, before + most - writer.size, at)
            count = min(count, fills - at + 1)
        return count

    def _time_is_up(self) -> bool:
        plan = self.plan
        if plan.seconds_each and self._clock() >= self._begun + plan.seconds_each:
            return True
        return bool(plan.interval_s) and self._now() >= self._next_multiple

    # -- files ----------------------------------------------------------------

    def _begin(self) -> None:
        """Make the next file. Raises SourceError."""
        plan, before = self.plan, self._number
        name = self._next_name() if plan.several else plan.path
        writer = None
        try:
            writer = PcapngWriter(name, self._snaplen)
            for interface in self._interfaces:
                writer.add_interface(*interface)
            writer.flush()
        except SourceError:
            if writer is not None:
                with contextlib.suppress(SourceError):
                    writer.close()
            if plan.several:  # then the name was free, and what is there is a torso of ours
                self._number = before
                with contextlib.suppress(OSError):
                    Path(name).unlink()
            raise
        self._writer = writer
        self._made += 1
        self._begun = self._clock()
        if plan.interval_s:
            self._next_multiple = (self._now() // plan.interval_s + 1) * plan.interval_s
        if name != "-":
            self._files.append((name, None))

    def _next_name(self) -> str:
        path = Path(self.plan.path)
        when = time.strftime("%Y%m%d%H%M%S", time.localtime(self._now()))
        while True:
            self._number += 1
            number = self._number % (MOST_FILES + 1)
            name = path.with_name(f"{path.stem}_{number:05d}_{when}{path.suffix}")
            if not os.path.lexists(name):  # somebody else's stays as it is
                return str(name)

    def _switch(self) -> None:
        """This file is done; the next one, or the end."""
        plan = self.plan
        self._finish_file()
        if not plan.several or (plan.stop_files and self._made >= plan.stop_files):
            self.full = True
            return
        while plan.keep and len(self._files) >= plan.keep:
            self._remove(*self._files.popleft())
        try:
            self._begin()
        except SourceError as error:
            self._failed(error)

    def _finish_file(self) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            if self.dropped is not None and len(self._interfaces) == 1:
                writer.write_statistics(0, None, self.dropped, int(self._now() * 1e9))
        except SourceError as error:
            self._notes.append(str(error))
        self._leave(writer)

    def _leave(self, writer: PcapngWriter) -> None:
        """Close the file and remember how it is, so that it can be told from another."""
        identity = writer.identity
        try:
            writer.close()
        except SourceError as error:
            self._notes.append(str(error))
        self.missed += writer.unsaved
        if self._files:
            name = self._files[-1][0]
            with contextlib.suppress(OSError):
                known = _signature(name)
                self._files[-1] = (name, known if known[:2] == identity else None)

    def _remove(self, name: str, known: _Known) -> None:
        """The oldest file, if it is still as we left it."""
        try:
            if _signature(name) == known:
                Path(name).unlink()
            else:
                self._notes.append(f"{clean(name)} is another file now, and stays")
        except FileNotFoundError:
            pass  # somebody has removed it already
        except OSError as error:
            self._notes.append(f"{clean(name)} cannot be removed: {error.strerror}")

    # -- what goes wrong ----------------------------------------------------------

    def _look_at_file(self) -> str | None:
        assert self._writer is not None
        try:
            said = self._writer.look_after()
        except SourceError as error:
            self._failed(error)
            return None
        return said

    def _failed(self, error: SourceError) -> None:
        """The file is whole up to its last packet; say so once, and try again later."""
        if self._writer is not None:
            self._leave(self._writer)
            self._writer = None
        if not self.plan.several:
            raise error
        if self._retry_at is None:
            self._notes.append(f"{error}; capturing goes on, and another file is tried for")
        self._retry_at = self._clock() + RETRY_S

    def _try_again(self) -> None:
        try:
            self._begin()
        except SourceError:
            self._retry_at = self._clock() + RETRY_S
            return
        self._retry_at = None
        count, self._missed_told = self.missed - self._missed_told, self.missed
        self._notes.append(f"saving again, into {self.name}; {count} packets are not saved")


def _signature(name: str) -> tuple[int, int, int, int]:
    """What tells a file from another that has got its name, and perhaps its inode. OSError."""
    status = Path(name).lstat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
