"""Writing captures: pcapng files that other programs read, and that survive a sudden end.

Source: draft-ietf-opsawg-pcapng; block and option numbers are its own.
"""

from __future__ import annotations

import bisect
import contextlib
import errno
import os
import platform
import stat
import struct
import sys
import time
from collections.abc import Iterable, Sequence
from io import RawIOBase
from typing import BinaryIO, Final, Self

import tcpviz
from tcpviz.sources.batch import Blocks
from tcpviz.sources.feed import SourceError
from tcpviz.sources.parser import clean
from tcpviz.sources.pcapng import (
    BYTE_ORDER,
    COMMENT,
    CUSTOM,
    ENHANCED_PACKET,
    ENTERPRISE,
    EPB_DROPCOUNT,
    IF_DESCRIPTION,
    IF_FILTER,
    IF_NAME,
    IF_TSRESOL,
    INTERFACE,
    ISB_IFDROP,
    ISB_IFRECV,
    SECTION,
    SHB_OS,
    SHB_USERAPPL,
    STATISTICS,
)
from tcpviz.wire.frame import Frame

LOOK_S = 1.0
"""Seconds between two looks whether the file still has its name."""

_FLUSH_AT = 256 * 1024  # bytes held back at most
_LONGEST_OPTION = 0xFFFC  # bytes, so that its padding fits too
_NANOSECONDS = b"\x09"  # if_tsresol: ticks of 10^-9 s
_TIME_LIMIT = 2**64 - 1


class PcapngWriter:
    """Writes one section of pcapng, with times in nanoseconds.

    ``target``  a path (``-`` is standard output), or a binary file that the
                caller keeps and closes
    ``snaplen`` bytes of each frame that are kept; 0 keeps all
    ``fresh``   there must be no file of that name yet

    A file is created readable by its owner only, and under sudo belongs to
    whoever called it. What was written before the last ``flush`` is the
    kernel's, and survives this program's end, whatever ends it. Where the disk
    is full the file is cut after its last whole block, and SourceError raised;
    ``unsaved`` is then how many blocks were not written.
    """

    def __init__(
        self,
        target: str | os.PathLike[str] | BinaryIO,
        snaplen: int = 0,
        *,
        fresh: bool = False,
    ) -> None:
        self.snaplen = snaplen
        self.frames = 0
        self.unsaved = 0
        self._names: list[str] = []
        self._pending = bytearray()
        self._block_ends: list[int] = []  # within what is pending
        self._written = 0
        self._last_ns = 0
        self._failed: SourceError | None = None
        self._path: str | None = None
        self._look_again = 0.0
        self._file: BinaryIO | RawIOBase
        if isinstance(target, str | os.PathLike):
            path = os.fspath(target)
            self.name = "standard output" if path == "-" else clean(path)
            self._owned = path != "-"
            self._path = path if self._owned else None
            self._file = _create(path, self.name, fresh) if self._owned else sys.stdout.buffer
        else:
            self.name = clean(str(getattr(target, "name", "the output")))
            self._owned = False
            self._file = target
        head = struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1)
        options = [
            (SHB_OS, f"{platform.system()} {platform.release()}".encode()),
            (SHB_USERAPPL, f"tcpviz {tcpviz.__version__}".encode()),
        ]
        try:
            self._block(SECTION, head, options)
            self.flush()
        except SourceError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def size(self) -> int:
        """Bytes so far, those that are not handed over yet included."""
        return self._written + len(self._pending)

    @property
    def identity(self) -> tuple[int, int]:
        """Device and inode of the file."""
        status = os.fstat(self._file.fileno())
        return status.st_dev, status.st_ino

    def add_interface(
        self, name: str, link_type: int, description: str = "", capture_filter: str = ""
    ) -> int:
        """Describe an interface; returns the index by which frames name it.

        ``link_type`` is a number of the LINKTYPE_ registry, ``capture_filter``
        the BPF expression in words.
        """
        options = [(IF_NAME, name.encode()), (IF_TSRESOL, _NANOSECONDS)]
        if description:
            options.append((IF_DESCRIPTION, description.encode()))
        if capture_filter:
            options.append((IF_FILTER, b"\0" + capture_filter.encode()))  # 0: as libpcap's
        self._block(INTERFACE, struct.pack("<HHI", link_type, 0, self.snaplen), options)
        self._names.append(name)
        return len(self._names) - 1

    def write(
        self,
        frame: Frame,
        comment: str | Iterable[str] | None = None,
        interface: int | None = None,
        lost: int = 0,
        customs: Iterable[bytes] = (),
    ) -> None:
        """Write a frame, with its own comment and any further ones.

        ``interface`` where it is not the frame's own; ``lost`` is how many
        packets of that interface are known to be missing just before it;
        ``customs`` are custom options for our own reader, 48 KB each at most.
        """
        index = frame.interface if interface is None else interface
        if not 0 <= index < len(self._names):
            raise ValueError(f"interface {index} was not added")
        data = frame.data[: self.snaplen] if self.snaplen else frame.data
        comments = [] if frame.comment is None else [frame.comment]
        if comment is not None:
            comments += [comment] if isinstance(comment, str) else comment
        options = [(COMMENT, text.encode(errors="replace")) for text in comments]
        if lost:
            options.append((EPB_DROPCOUNT, struct.pack("<Q", lost)))
        options += [(CUSTOM, _custom(each)) for each in customs]
        time = max(0, min(_TIME_LIMIT, frame.time_ns))
        length = max(frame.wire_len, len(data))
        head = struct.pack("<IIIII", index, time >> 32, time & 0xFFFFFFFF, len(data), length)
        self._block(ENHANCED_PACKET, head + _padded(data), options)
        self.frames += 1
        self._last_ns = time

    def write_many(self, blocks: Blocks) -> None:
        """Write packets that are blocks already, of interfaces that were added."""
        if self._failed:
            raise self._failed
        try:
            self.flush()
        except SourceError:
            self.unsaved += len(blocks)
            raise
        self._hand_over(blocks.data, blocks.ends)
        self.frames += len(blocks)
        if len(blocks):
            self._last_ns = blocks.last_ns

    def write_statistics(
        self,
        interface: int,
        received: int | None,
        dropped: int | None,
        time_ns: int | None = None,
        customs: Iterable[bytes] = (),
        comments: Iterable[str] = (),
    ) -> None:
        """Write what an interface counted since the capture began; None where nobody knows.

        ``time_ns`` is when it was asked: the last frame's time, if not given;
        ``customs`` as for a frame; ``comments`` of the block.
        """
        time = self._last_ns if time_ns is None else max(0, min(_TIME_LIMIT, time_ns))
        options = [
            (code, struct.pack("<Q", count))
            for code, count in ((ISB_IFRECV, received), (ISB_IFDROP, dropped))
            if count is not None
        ]
        options += [(COMMENT, text.encode(errors="replace")) for text in comments]
        options += [(CUSTOM, _custom(each)) for each in customs]
        head = struct.pack("<III", interface, time >> 32, time & 0xFFFFFFFF)
        self._block(STATISTICS, head, options)

    def flush(self) -> None:
        """Hand everything to the operating system. Call it after each batch."""
        if self._failed:
            raise self._failed
        if not self._pending:
            return
        self._hand_over(memoryview(self._pending), self._block_ends)
        self._pending, self._block_ends = bytearray(), []

    def _hand_over(self, view: memoryview, ends: Sequence[int]) -> None:
        """Whole blocks, each ending at one of ``ends``."""
        done = 0
        try:
            while done < len(view):
                # A buffered file returns its whole length, a raw one what there was room for.
                done += self._file.write(view[done:]) or 0
            self._file.flush()
        except (OSError, ValueError) as error:
            raise self._fail(error, done, ends) from None
        self._written += done

    def look_after(self) -> str | None:
        """If the file was removed meanwhile, write it again under its name; a line that says so.

        What a file without a name contains is gone when it is closed. Raises SourceError
        where it cannot be made again: what was saved is lost then, and the rest not saved.
        """
        now = time.monotonic()
        if self._path is None or now < self._look_again or self._failed:
            return None
        self._look_again = now + LOOK_S
        descriptor = self._file.fileno()
        status = os.fstat(descriptor)
        if status.st_nlink or not stat.S_ISREG(status.st_mode):
            return None
        self.flush()
        try:
            fresh = _create_anew(self._path)
        except OSError as error:
            why = error.strerror or str(error)
            self._failed = SourceError(
                f"{self.name}: was removed, and cannot be made again ({why}); it is lost"
            )
            raise self._failed from None
        try:
            _copy(descriptor, fresh, self._written)
        except OSError as error:
            os.close(fresh)
            raise self._fail(error, 0, ()) from None
        self._file.close()
        self._file = os.fdopen(fresh, "wb", buffering=0)
        return f"{self.name} was removed while it was being written: all of it was written again"

    def close(self) -> None:
        """Flush and close; more than once does no harm."""
        try:
            if not self._failed:
                self.flush()
        finally:
            if self._owned:
                self._file.close()
            self._failed = self._failed or SourceError(f"{self.name}: is closed")

    def _fail(self, error: OSError | ValueError, done: int, ends: Sequence[int]) -> SourceError:
        count = bisect.bisect_right(ends, done)
        whole = int(ends[count - 1]) if count else 0
        if self._owned and done != whole:
            # Only what is a file can be cut; a pipe's reader has the rest already.
            with contextlib.suppress(OSError):
                self._file.truncate(self._written + whole)
        self.unsaved = len(ends) - count
        self._pending, self._block_ends = bytearray(), []
        if isinstance(error, BrokenPipeError):
            self._failed = SourceError(f"{self.name}: whoever was reading it went away")
        elif isinstance(error, OSError):
            self._failed = unwritable(self.name, error, " (what was written before is whole)")
        else:
            self._failed = SourceError(f"{self.name}: cannot be written: {error}")
        return self._failed

    def _block(self, kind: int, body: bytes, options: list[tuple[int, bytes]]) -> None:
        if self._failed:
            raise self._failed
        tail = b"".join(_option(code, value) for code, value in options)
        if tail:
            tail += b"\0\0\0\0"  # opt_endofopt
        length = 12 + len(body) + len(tail)
        self._pending += struct.pack("<II", kind, length) + body + tail + struct.pack("<I", length)
        self._block_ends.append(len(self._pending))
        if len(self._pending) >= _FLUSH_AT:
            self.flush()


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _custom(data: bytes) -> bytes:
    if len(data) > _LONGEST_OPTION - 4:
        raise ValueError(f"a custom option of {len(data)} bytes")
    return struct.pack("<I", ENTERPRISE) + data


def _option(code: int, value: bytes) -> bytes:
    if len(value) > _LONGEST_OPTION:
        # Only texts can be so long: no half of a character may be left.
        value = value[:_LONGEST_OPTION].decode(errors="ignore").encode()
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _create(path: str, name: str, fresh: bool = False) -> RawIOBase:
    """Open a file for writing: a new one for its owner only, an old one emptied as it is."""
    try:
        try:
            descriptor = _create_anew(path)
            new = True
        except FileExistsError:
            if fresh:
                raise
            descriptor = _open_old(path)
            new = False
    except (OSError, ValueError) as error:
        raise unwritable(name, error) from None
    if not new and stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.ftruncate(descriptor, 0)
    return os.fdopen(descriptor, "wb", buffering=0)


def _open_old(path: str) -> int:
    """An existing file; one that can be read, too, if it is a file proper. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        with contextlib.suppress(OSError):
            both = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            if os.path.samestat(os.fstat(both), os.fstat(descriptor)):
                descriptor, both = both, descriptor
            os.close(both)
    return descriptor


def _create_anew(path: str) -> int:
    """A new file that can be read too, for its owner only. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL, 0o600)
    give_to_caller(descriptor)
    return descriptor


def _copy(source: int, target: int, size: int) -> None:
    at = 0
    while at < size:
        piece = os.pread(source, min(1 << 20, size - at), at)
        if not piece:
            raise OSError(errno.EIO, "the removed file could not be read")
        view = memoryview(piece)
        while view:
            view = view[os.write(target, view) :]
        at += len(piece)


def give_to_caller(descriptor: int) -> None:
    """Under sudo the file is whose command it was, not root's."""
    if os.geteuid() != 0:
        return
    try:
        uid, gid = int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"])
    except (KeyError, ValueError):
        return
    with contextlib.suppress(OSError):  # a file system without owners
        os.fchown(descriptor, uid, gid)


def replaceable(path: str) -> None:
    """Raises SourceError where ``path`` is a folder, a device or a pipe, which no file may replace.

    Who writes a file beside and then gives it its name needs no right but the folder's: root's
    /dev/null would be a file from then on.
    """
    for look in (os.lstat, os.stat):  # a link to one is no place for a file either
        with contextlib.suppress(OSError):
            mode = look(path).st_mode
            if stat.S_ISDIR(mode):  # told before anything is read, not when all is written
                raise unwritable(clean(path), IsADirectoryError(errno.EISDIR, ""))
            if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                raise SourceError(f"{clean(path)}: not a file, and would be replaced by one", 2)


_WAYS_OUT: Final = {
    errno.ENOENT: "its folder does not exist (or it is a link to nowhere); make it first",
    errno.EEXIST: "it is there already, and stays as it is",
    errno.EISDIR: "it is a directory; name a file in it",
    errno.EACCES: "no permission; write it elsewhere",
    errno.EPERM: "no permission; write it elsewhere",
    errno.EROFS: "its file system is read-only; write it elsewhere",
    errno.ENOSPC: "no space left on the disk; make room, or write elsewhere",
    errno.EDQUOT: "no space left on the disk for you; make room, or write elsewhere",
    errno.EFBIG: "it would be larger than files may be here",
}


def why_unwritable(error: OSError) -> str:
    """Why a file cannot be written, with the way out where there is one."""
    return _WAYS_OUT.get(error.errno or 0) or error.strerror or str(error)


def unwritable(name: str, error: OSError | ValueError, then: str = "") -> SourceError:
    """What is said, and the exit code, wherever a file cannot be written.

    ``name`` is clean; ``then`` what else is to be said of it. The exit code is 1: the request
    was right, and failed; 2 only for what no file can be called.
    """
    if isinstance(error, OSError):
        return SourceError(f"{name}: cannot be written: {why_unwritable(error)}{then}")
    return SourceError(f"{name!r}: not a file name", 2)
