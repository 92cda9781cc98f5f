"""The kernel's event rings (perf_event_open(2)): tracepoints of every processor, read in place.

A tracing instance below /sys/kernel/tracing would have to be removed by root, and whoever has
given up root cannot; these events belong to descriptors instead. Whoever dies, however, takes
them along: nothing is left switched on, and nothing has to be found and cleaned later. What a
ring had no room for is counted by the kernel (PERF_RECORD_LOST).

Opening takes root, or CAP_PERFMON; reading what is open takes nothing. Linux only.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NUMBERS: Final = {
    "x86_64": 298, "aarch64": 241, "riscv64": 241, "loongarch64": 241, "ppc64le": 319,
    "ppc64": 319, "s390x": 331, "i686": 336, "i386": 336, "armv7l": 364,
}  # fmt: skip
"""perf_event_open's number by machine (the kernel's tables of system calls)."""

# include/uapi/linux/perf_event.h
_SOFTWARE, _TRACEPOINT, _DUMMY = 1, 2, 9
_TID, _TIME, _RAW = 1 << 1, 1 << 2, 1 << 10
_COMM, _TASK, _WATERMARK, _CLOCK = 1 << 9, 1 << 13, 1 << 14, 1 << 25
_CLOEXEC = 1 << 3
_SET_OUTPUT = 0x2405  # PERF_EVENT_IOC_SET_OUTPUT
_HEAD, _TAIL, _DATA_OFFSET, _DATA_SIZE = 1024, 1032, 1040, 1048  # struct perf_event_mmap_page
_LOST, _NAMED, _ENDED, _FORKED, _SAMPLE, _LOST_SAMPLES = 2, 3, 4, 7, 9, 13

_attributes = struct.Struct("=IIQQQQQIIQQQQIiQIHH")
_header = struct.Struct("=IHH")
_sample = struct.Struct("=IIQI")  # process, thread, time, size of what follows
_word = struct.Struct("=Q")
_pair = struct.Struct("=II")
_fork = struct.Struct("=IIII")

TOTAL = 8 << 20
"""Bytes of all rings together, about; a processor gets between 32 kB and 512 kB of them."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A tracepoint that fired: its record as its format has it, and CLOCK_MONOTONIC's moment."""

    mono_ns: int
    process: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Named:
    """A process has a name now; ``name`` empty: it is the same as that of ``parent``, its parent.

    ``ended``: it is gone.
    """

    process: int
    name: str = ""
    parent: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """So many records found no room in a ring."""

    count: int


class Ring:
    """One processor's ring. ``memory`` is the whole mapping, its first page the kernel's."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._begin, self._size = struct.unpack_from("=QQ", memory, _DATA_OFFSET)
        if not self._size:  # before Linux 4.1 nobody told
            self._begin = mmap.PAGESIZE
            self._size = len(memory) - mmap.PAGESIZE

    def read(self) -> list[Sample | Named | Lost]:
        """All that is in it. The kernel may write meanwhile; what it has not finished waits."""
        memory = self._memory
        (head,) = _word.unpack_from(memory, _HEAD)
        (tail,) = _word.unpack_from(memory, _TAIL)
        if head == tail:
            return []
        data = self._piece(tail, head - tail)
        _word.pack_into(memory, _TAIL, head)
        return list(records(data))

    def _piece(self, first: int, length: int) -> bytes:
        begin, size, memory = self._begin, self._size, self._memory
        length = min(length, size)
        at = first % size
        here = min(length, size - at)
        piece = memory[begin + at : begin + at + here]
        return piece + memory[begin : begin + length - here]

    def close(self) -> None:
        self._memory.close()


def records(data: bytes) -> Iterator[Sample | Named | Lost]:
    """What a stretch of a ring says; what is not known is passed over."""
    at = 0
    while at + 8 <= len(data):
        kind, _, size = _header.unpack_from(data, at)
        if size < 8 or at + size > len(data):
            return
        body, at = data[at + 8 : at + size], at + size
        if kind == _SAMPLE and len(body) >= _sample.size:
            process, _, when, length = _sample.unpack_from(body)
            yield Sample(when, process, body[_sample.size : _sample.size + length])
        elif kind == _LOST and len(body) >= 16:
            yield Lost(_word.unpack_from(body, 8)[0])
        elif kind == _LOST_SAMPLES and len(body) >= 8:
            yield Lost(_word.unpack_from(body)[0])
        elif kind == _NAMED and len(body) > 8:
            process, thread = _pair.unpack_from(body)
            if process == thread:  # threads may have names of their own
                name = body[8:].partition(b"\0")[0].decode("utf-8", "replace")
                yield Named(process, name)
        elif kind in (_FORKED, _ENDED) and len(body) >= _fork.size:
            process, parent, thread, _ = _fork.unpack_from(body)
            if process == thread:
                yield Named(process, parent=parent, ended=kind == _ENDED)


class Rings:
    """Rings of all processors for these tracepoints, by number. Raises OSError.

    ``fds`` are to be waited for: ready when a quarter of a ring is full.
    """

    def __init__(self, tracepoints: Iterable[int]) -> None:
        self._open: list[int] = []
        self._rings: list[Ring] = []
        self.fds: list[int] = []
        processors = online()
        share = TOTAL // len(processors) // mmap.PAGESIZE
        pages = 1 << max(3, min(7, share.bit_length() - 1))
        _allow_files((len(list(tracepoints := tuple(tracepoints))) + 1) * len(processors) + 64)
        try:
            for processor in processors:
                self._of(processor, tracepoints, pages)
        except BaseException:
            self.close()
            raise

    def _of(self, processor: int, tracepoints: Iterable[int], pages: int) -> None:
        # The names of processes come with an event that never fires.
        flags = _COMM | _TASK
        quarter = pages * mmap.PAGESIZE // 4
        leader = _open_event(_SOFTWARE, _DUMMY, processor, flags, quarter)
        self._open.append(leader)
        memory = mmap.mmap(leader, (1 + pages) * mmap.PAGESIZE)
        self._rings.append(Ring(memory))
        self.fds.append(leader)
        for number in tracepoints:
            event = _open_event(_TRACEPOINT, number, processor, 0, quarter)
            self._open.append(event)
            if _libc().ioctl(event, _SET_OUTPUT, leader) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code))

    def read(self) -> list[Sample | Named | Lost]:
        """What all processors have, each in its own order."""
        found: list[Sample | Named | Lost] = []
        for ring in self._rings:
            found += ring.read()
        return found

    def close(self) -> None:
        for ring in self._rings:
            ring.close()
        for descriptor in self._open:
            os.close(descriptor)
        self._rings, self._open, self.fds = [], [], []


def _open_event(kind: int, number: int, processor: int, flags: int, quarter: int) -> int:
    machine = _NUMBERS.get(platform.machine())
    if machine is None or sys.platform != "linux":
        raise OSError(errno.ENOSYS, "perf_event_open's number is not known on this machine")
    size = _attributes.size
    attributes = _attributes.pack(
        kind, size, number, 1, _TID | _TIME | _RAW, 0, flags | _CLOCK | _WATERMARK, quarter, 0,
        0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
    )  # fmt: skip
    libc = _libc()
    arguments = (ctypes.c_int(-1), ctypes.c_int(processor), ctypes.c_int(-1))
    found = libc.syscall(machine, attributes, *arguments, ctypes.c_ulong(_CLOEXEC))
    if found < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(found)


def online() -> list[int]:
    """The processors that run, by number."""
    try:
        text = Path("/sys/devices/system/cpu/online").read_text(encoding="ascii")
    except OSError:
        return list(range(os.cpu_count() or 1))
    found: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def _allow_files(most: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < most:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, hard), hard))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
