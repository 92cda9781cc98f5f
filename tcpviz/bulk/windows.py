"""Columns that are more than memory may take: windows on files that nobody else can see.

The bytes lie in files in the directory for temporary ones, which have no name any more and only
we may read. What is not looked at need not be in memory: the system writes it to the disk and
brings it back. The table of connections stays in memory, whole.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.sources.feed import SourceError


class Windows:
    """Gives arrays, in memory as long as they are no more than ``limit`` bytes, then on disk.

    ``on_disk``  bytes of the arrays that lie on the disk
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_memory = 0
        self.on_disk = 0
        self._maps: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()

    def empty(self, count: int, kind: str) -> NDArray[Any]:
        """An array of so many numbers, their values not set. Raises SourceError: the disk is full.

        What is on disk goes when nobody has the array any more.
        """
        size = count * np.dtype(kind).itemsize
        if self.in_memory + size <= self.limit or not size:
            self.in_memory += size
            made = np.empty(count, kind)
            weakref.finalize(made, self._freed, size)
            return made
        made = np.frombuffer(self._map(size), kind, count)
        self.on_disk += size
        return made

    def _freed(self, size: int) -> None:
        self.in_memory -= size

    def _map(self, size: int) -> mmap.mmap:
        try:
            descriptor, name = tempfile.mkstemp(prefix="tcpviz-")  # 0600
            try:
                Path(name).unlink()
                free = os.fstatvfs(descriptor)
                if free.f_bavail * free.f_frsize < size:
                    raise SourceError(
                        f"{tempfile.gettempdir()}: {size >> 20} MB are needed there for what is "
                        "more than memory may take; set TMPDIR to another directory, or raise "
                        "--memory"
                    )
                os.ftruncate(descriptor, size)
                made = mmap.mmap(descriptor, size)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise SourceError(
                f"{tempfile.gettempdir()}: no room for columns: {error.strerror}; set TMPDIR to "
                "another directory, or raise --memory"
            ) from None
        self._maps.add(made)
        return made

    def rest(self) -> None:
        """Let go of what lies in memory; it comes back from the disk when it is looked at."""
        for each in list(self._maps):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                each.madvise(mmap.MADV_DONTNEED)
