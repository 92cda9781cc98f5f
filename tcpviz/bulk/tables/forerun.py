"""What a forerunner does (:mod:`tcpviz.bulk.forerunner`), and how it is heard."""

from __future__ import annotations

import mmap
import os
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from tcpviz.bulk import forks, sole
from tcpviz.bulk.forerunner import Forerunner
from tcpviz.bulk.segments.columns import SMALLEST
from tcpviz.bulk.segments.reading import Reading, Stand, Unsuited
from tcpviz.bulk.segments.windows import FORK_BYTES, Windows, windows_of
from tcpviz.bulk.tables.growing import Growing, Snapshot
from tcpviz.bulk.tables.handing import Giver, Shared, Taker
from tcpviz.sources.feed import FeedStatus

BEAT_S = 0.05
"""How often it says how far it is, at most."""


class Far(NamedTuple):
    """How far it is: as in :class:`tcpviz.sources.feed.FeedStatus`."""

    position: int
    frames: int
    segments: int
    skipped: Counter[str]
    dropped: int


class Done(NamedTuple):
    """The last table, and where the reading stood at the file's end."""

    latest: Snapshot
    stand: Stand


def heard(
    ahead: Forerunner, reading: Reading, windows: Windows | None
) -> Iterator[Snapshot | Stand]:
    """The tables that one makes, ``reading``'s status on the way; last where it stood at the end.

    Nothing any more where it ends before that. It is closed. Raises Unsuited.
    """
    taker, status = Taker(ahead.arena, ahead.output, reading, windows), reading.status
    try:
        file = reading.file
        about = None if file is None else os.fstat(file)
        if about is None or (about.st_dev, about.st_ino) != ahead.about:
            return  # in the meantime there is another one
        while True:
            told = taker.take()
            if isinstance(told, Unsuited):
                raise told
            if isinstance(told, Far):
                for name, value in told._asdict().items():
                    setattr(status, name, value)
            elif isinstance(told, Snapshot):
                yield told
            else:
                told.latest.whole = False  # the file may have grown
                yield told.latest
                yield told.stand
                return
    except EOFError:
        status.position = 0
    finally:
        ahead.close()


def run(path: str, about: tuple[int, int], memory: int | None, arena: mmap.mmap, into: int) -> None:
    """Read, and tell. Whatever is raised: then it has nothing more to tell."""
    sole.settle()
    giver = Giver(arena, into)
    windows = windows_of(memory)
    with forks.shared():
        running = _Running(path, giver, windows, arena)
        if running.fits(about):
            running.go()


class _Running(Growing):
    """Gives away every table that it makes."""

    def __init__(self, path: str, giver: Giver, windows: Windows, arena: mmap.mmap) -> None:
        super().__init__(path, follow=False, windows=windows, columns=partial(Shared, arena))
        self._giver, self._next = giver, 0.0
        self._stand: Stand | None = None
        self._reading.wait_with(self._at_end, lambda: None)

    def fits(self, about: tuple[int, int]) -> bool:
        """Whether it is this file, and all its packets have room in memory, with our own work."""
        file, windows = self._reading.file, self.windows
        if file is None or windows is None:
            return False
        told = os.fstat(file)
        rows = told.st_size // SMALLEST
        if (told.st_dev, told.st_ino) != about or not windows.helpers(rows):
            return False
        windows.limit -= FORK_BYTES  # we are one ourselves
        return True

    def go(self) -> None:
        try:
            self.run(self._give)
        except Unsuited as why:
            self._giver.give(why)
            return
        if self.latest is not None and self._stand is not None:
            self._giver.give(Done(self.latest, self._stand))

    def _progress(self, status: FeedStatus) -> None:
        if self._reading.kept_on_disk:
            raise OSError("it keeps too much for another process to take")
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + BEAT_S
            self._tell()
        if status.position < (status.size or 0):  # else the last table is to be made
            super()._progress(status)

    def _give(self) -> None:
        assert self.windows is not None
        self.windows.trim()  # while the other takes it, both have it
        if self._stand is None and self.latest is not None:
            self._giver.give(self.latest)
            self.latest = self._before = None  # it is the other's now

    def _tell(self) -> None:
        told = self.status
        self._giver.give(Far(told.position, told.frames, told.segments, told.skipped, told.dropped))

    def _at_end(self) -> bool:
        self._tell()
        self._stand = self._reading.stand()
        return False
