"""Columns that are more than memory may take: windows on files that nobody else can see.

The bytes lie in files in the directory for temporary ones, which have no name any more and only
we may read. What is not looked at need not be in memory: the system writes it to the disk and
brings it back. The table of connections stays in memory, whole.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.columns import DTYPES
from tcpviz.sources.feed import SourceError
from tcpviz.sources.spool import directory, no_room, unnamed

ROW_BYTES = sum(np.dtype(kind).itemsize for kind in DTYPES.values())
"""Bytes of columns for each packet."""

WORK_BYTES = 120
"""Bytes that a packet takes besides while the table is made, in memory or on disk."""

FORK_BYTES = 1 << 26
"""Bytes of memory that a fork takes for itself."""

LEAST = 12 << 20
"""Bytes for packets, however little memory is given: the program itself takes some 40 MB."""

_STEP = 1 << 24


class Windows:
    """Room for a capture's packets, in memory as far as ``limit`` goes, and then on disk.

    ``limit``    bytes that they may take in memory, their columns and the work on them
    ``memory``   bytes that somebody has given the whole program, if anybody has
    ``shared``   bytes of the columns that another process has made, which count as well
    ``notes``    what a person is told of it, who has not chosen that limit
    """

    def __init__(self, limit: int, *, chosen: bool = True) -> None:
        self.limit = limit
        self.notes: list[str] = []
        self.memory: int | None = None
        self.shared = 0
        self._chosen = chosen
        self._maps: weakref.WeakSet[_Map] = weakref.WeakSet()

    @property
    def rows(self) -> int:
        """Packets that may lie in memory, with the work on them."""
        return max(self.limit // (ROW_BYTES + WORK_BYTES), 1)

    @property
    def on_disk(self) -> int:
        """Bytes of the arrays that lie on the disk, as far as they are filled."""
        return sum(each.ready for each in list(self._maps))

    def spare(self, rows: int) -> int:
        """Bytes that others may take while so many rows are worked on."""
        if not self._chosen:
            return self.limit // 4  # as much again is free
        return max(self.limit - rows * (ROW_BYTES + WORK_BYTES), 0)

    def helpers(self, rows: int) -> int:
        """How many forks there is room for while so many rows are worked on, all in memory."""
        return 0 if self.on_disk or rows > self.rows else self.spare(rows) // FORK_BYTES

    def room(self, count: int, kind: Any) -> NDArray[Any]:
        """Room on the disk for so many numbers; :meth:`ready` before they are written to."""
        if not self._chosen and not self.notes:
            self.notes = [
                f"more packets than half of the free memory takes ({self.limit >> 20} MB): the "
                f"rest lies on disk, in {directory()}; --memory SIZE sets how much memory they take"
            ]
        made = _Map(max(count, 1) * np.dtype(kind).itemsize, np.dtype(kind).itemsize)
        self._maps.add(made)
        return np.frombuffer(made, kind, count)

    def empty(self, count: int, kind: Any) -> NDArray[Any]:
        """An array on the disk. Raises SourceError if there is no room."""
        made = self.room(count, kind)
        _map_of(made).reserve(count)
        return made

    def holds(self, array: NDArray[Any]) -> bool:
        """Whether an array is one of these."""
        return lies_on_disk(array)

    def ready(self, arrays: list[NDArray[Any]], count: int) -> int:
        """See that so many numbers of each can be written; for how many that holds now.

        Raises SourceError where the disk is full: so soon that the table of what was read can
        still be made.
        """
        self.rest()
        count = min(count + _STEP // ROW_BYTES, min(map(len, arrays)))
        free = os.statvfs(directory())
        left = free.f_bavail * free.f_frsize
        need = sum(_map_of(each).missing(count) for each in arrays)
        if left < need + count * WORK_BYTES:
            raise SourceError(
                f"{directory()}: {need + count * WORK_BYTES >> 20} MB are needed there for what "
                "is more than memory may take; set TMPDIR to a directory on a disk with more "
                "room, or raise --memory"
            )
        for each in arrays:
            _map_of(each).reserve(count)
        return count

    def beyond(self) -> str:
        """What a person is told, once, whose limit cannot be held; else nothing."""
        memory, taken = self.memory, anonymous_bytes() + self.shared
        if memory is None or taken <= memory:
            return ""
        self.memory = None
        return (
            f"--memory {memory >> 20}M cannot be held: "
            f"program and table of connections take {taken >> 20} MB"
        )

    def rest(self) -> None:
        """Let go of what lies in memory; it comes back from the disk when it is looked at."""
        for each in list(self._maps):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                each.madvise(mmap.MADV_DONTNEED)

    def trim(self) -> None:
        """Give the system back what is free: what one step frees would else wait for another."""
        with contextlib.suppress(OSError, AttributeError):  # where there is no glibc
            ctypes.CDLL(None).malloc_trim(0)


class _Map(mmap.mmap):
    """A mapped file without a name. ``ready`` bytes of it are there, the rest is a hole.

    To write into a hole of a full disk would end the process: so it is filled first.
    """

    ready: int
    _file: int
    _each: int

    def __new__(cls, size: int, each: int) -> _Map:
        file = unnamed()
        try:
            os.ftruncate(file, size)
            made = super().__new__(cls, file, size)
        except OSError as error:
            os.close(file)
            raise no_room(error) from None
        made.ready, made._file, made._each = 0, file, each
        weakref.finalize(made, os.close, file)
        return made

    def missing(self, count: int) -> int:
        """Bytes that are not there yet of so many numbers."""
        return max(count * self._each - self.ready, 0)

    def reserve(self, count: int) -> None:
        """See that so many numbers are there. Raises SourceError if the disk is full."""
        size = self.missing(count)
        if not size:
            return
        try:
            _fill(self._file, self.ready, size)
        except OSError as error:
            raise no_room(error) from None
        self.ready += size


def _fill(file: int, at: int, size: int) -> None:
    fallocate = getattr(os, "posix_fallocate", None)
    if fallocate is not None:
        fallocate(file, at, size)
        return
    zeros = bytes(1 << 20)  # not on macOS
    for begin in range(at, at + size, len(zeros)):
        os.pwrite(file, zeros[: at + size - begin], begin)


def _memory_of(array: NDArray[Any]) -> Any:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return base.obj if isinstance(base, memoryview) else base


def _map_of(array: NDArray[Any]) -> _Map:
    made = _memory_of(array)
    assert isinstance(made, _Map)
    return made


def lies_on_disk(array: NDArray[Any]) -> bool:
    """Whether an array is one of these."""
    return isinstance(_memory_of(array), _Map)


def anonymous_bytes() -> int:
    """Bytes of memory that this process has and that no file backs; 0 where nobody tells."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0


def half_of_what_is_free() -> int:
    """Bytes of memory that packets may take where nobody has said it."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024 // 2
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    return 1 << 30


def windows_of(memory: int | None) -> Windows:
    """For a program that may take ``memory`` bytes in all; ``None``: half of what is free."""
    if memory is None:
        return Windows(half_of_what_is_free(), chosen=False)
    made = Windows(max(memory - anonymous_bytes(), LEAST))
    made.memory = memory
    return made
