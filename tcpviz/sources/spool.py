"""Bytes that come only once, kept so that they can be read again: in a file without a name.

The first of them stay in memory. The file lies in the directory for temporary ones
(``TMPDIR``), nobody else can open it, and it goes with the program. It takes at most half
of what is free there, or :data:`MOST`.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tcpviz.sources.feed import SourceError

IN_MEMORY = 1 << 18
"""Bytes up to which there is no file."""

MOST = 1 << 42
"""Bytes of one spool, however much room there is."""

_MEMORY = frozenset({"tmpfs", "ramfs", "devtmpfs"})


def directory() -> str:
    """Where what is too much for memory goes: TMPDIR if it is set, else a place on a disk."""
    import tempfile  # not for nothing: that takes its time

    chosen = tempfile.gettempdir()
    if any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")):
        return chosen
    # A directory in memory would be no relief for it.
    other = "/var/tmp"  # noqa: S108 - files there are made by mkstemp, too
    if in_memory(chosen) and not in_memory(other) and os.access(other, os.W_OK | os.X_OK):
        return other
    return chosen


def in_memory(path: str) -> bool:
    """Whether a directory lies in memory, not on a disk, as far as the system tells."""
    best, found = "", ""
    with contextlib.suppress(OSError, ValueError):
        path = os.path.realpath(path)
        for each in Path("/proc/self/mounts").read_text(errors="replace").splitlines():
            _, point, kind = each.split()[:3]
            inside = point == "/" or path == point or path.startswith(point + "/")
            if inside and len(point) >= len(best):
                best, found = point, kind
    return found in _MEMORY


def unnamed() -> int:
    """A new file, open for reading and writing, that has no name. Raises SourceError."""
    import tempfile

    try:
        descriptor, name = tempfile.mkstemp(prefix="tcpviz-", dir=directory())  # 0600
    except OSError as error:
        raise no_room(error) from None
    Path(name).unlink()
    return descriptor


def no_room(error: OSError) -> SourceError:
    """What is said where such a file cannot be written."""
    return SourceError(
        f"{directory()}: {error.strerror}; set TMPDIR to a directory on a disk with more room"
    )


class Spool:
    """Grows by :meth:`append`; what is there can be read at any time, from any thread.

    ``size``   bytes in it
    ``limit``  the most that it takes; ``None``: half of what is free when the file is made
    """

    def __init__(self, limit: int | None = None) -> None:
        self.size = 0
        self.limit = limit
        self._head = bytearray()
        self._file: int | None = None

    @property
    def on_disk(self) -> int:
        """Bytes in the file."""
        return 0 if self._file is None else self.size

    def append(self, data: bytes | memoryview) -> int:
        """Add bytes; where they begin. Raises SourceError if they cannot be kept: then none is."""
        at = self.size
        if self._file is None and at + len(data) <= IN_MEMORY:
            self._head += data
        else:
            if self._file is None:
                self._begin()
            if self.limit is not None and at + len(data) > self.limit:
                raise SourceError(
                    f"{directory()}: no more than {_told(self.limit)} are kept there of what can "
                    "be read only once (half of what was free); save it as a file and read that, "
                    "or set TMPDIR to a directory with more room"
                )
            self._write(data, at)
        self.size = at + len(data)
        return at

    def in_memory(self) -> bytes | None:
        """All of it; ``None`` where it lies in a file."""
        return None if self.on_disk else bytes(self._head)

    def _begin(self) -> None:
        made = unnamed()
        if self.limit is None:
            with contextlib.suppress(OSError):
                room = os.fstatvfs(made)
                self.limit = min(room.f_bavail * room.f_frsize // 2, MOST)
        self._file = made
        if self._head:
            self._write(bytes(self._head), 0)

    def _write(self, data: bytes | memoryview, at: int) -> None:
        assert self._file is not None
        view = memoryview(data)
        try:
            while view:
                done = os.pwrite(self._file, view, at)
                view, at = view[done:], at + done
        except OSError as error:
            raise no_room(error) from None

    def read(self, size: int, at: int) -> bytes:
        """Up to ``size`` bytes from there on; fewer at its end."""
        size = max(min(size, self.size - at), 0)
        if at + size <= len(self._head):
            return bytes(self._head[at : at + size])
        if self._file is None:
            return b""
        return os.pread(self._file, size, at)

    def close(self) -> None:
        """It is gone. More than once does no harm."""
        self.size = 0
        self._head = bytearray()
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)


def room() -> tuple[bool, str]:
    """Where what is more than memory takes can lie, in words; false where that is no disk."""
    place = directory()
    there = os.statvfs(place)
    free = there.f_bavail * there.f_frsize
    said = f"{place} has {_told(free)} free for columns and pipes, a pipe may take half of it"
    if in_memory(place):
        return False, f"{said}; but it lies in memory itself"
    return True, said


def _told(size: int) -> str:
    return f"{size >> 30} GB" if size >> 30 else f"{size >> 20} MB"
