"""A process that reads a large file before the screen is there, and hands over what it makes.

A screen is imported and drawn for half a second, and has threads, so that nothing may be forked
from it afterwards: so this one is forked first of all. It reads by forks of its own
(:mod:`tcpviz.bulk.forks`) into memory that both have, which has no name and is gone with the last
of them, makes the tables (:mod:`tcpviz.bulk.tables.growing`) and sends them through a pipe. It
cannot lose anything: what it does not hand over, whatever the reason, is read and made by the one
for whom it runs. So nothing is said of one that cannot be begun, or dies; and where it has nothing
to win (one processor, a small file, one that is compressed) there is none.

This module imports little: it is there before the first row is shown.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import signal
import stat
import sys
import threading
from functools import partial
from importlib.util import find_spec

from tcpviz.bulk.forks import forked, single
from tcpviz.bulk.processors import processors
from tcpviz.sources.pcap import is_pcap
from tcpviz.sources.pcapng import SECTION

ROW = 96
"""Bytes of columns for each packet at most, in whichever width."""

SMALLEST = 70
"""Bytes of a file that a packet takes: what has more of them than that is sent as it is."""

YIELDING = 10
"""By so much it gives way to the screen (nice(2)): with 3, one key in a hundred took 80 ms."""


class Forerunner:
    """One of them, that reads ``path``. Raises OSError where there cannot be one.

    ``arena``   memory that both have
    ``output``  the descriptor from which it is heard
    ``about``   which file it reads: device and inode
    ``memory``  bytes that the whole program may take, if anybody has said it
    """

    def __init__(self, path: str, about: os.stat_result, memory: int | None) -> None:
        self.about = about.st_dev, about.st_ino
        self._lock = threading.Lock()
        rows = about.st_size // SMALLEST + (1 << 16)
        flags = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
        self.arena = mmap.mmap(-1, rows * ROW, flags)
        self._pid, self.output = forked(partial(self._run, path, memory))
        # Its forks are of its group, too, so that all of them can be ended together.
        with contextlib.suppress(OSError):
            os.setpgid(self._pid, self._pid)

    def _run(self, path: str, memory: int | None, into: int) -> None:
        """What it does."""
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP):
            signal.signal(each, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in range(3):  # the terminal is the screen's
            os.dup2(nothing, number)
        os.nice(YIELDING)
        from tcpviz.bulk.tables import forerun

        forerun.run(path, self.about, memory, self.arena, into)

    @property
    def pid(self) -> int | None:
        """The process's, while it is there."""
        return self._pid or None

    def stop(self) -> None:
        """It ends at once, and its forks; it has nothing that would be missed. From any thread."""
        with self._lock:
            for end in (os.killpg, os.kill) if self._pid else ():
                with contextlib.suppress(OSError):
                    end(self._pid, signal.SIGKILL)

    def close(self) -> None:
        """The same, for the thread that hears it: nobody does any more."""
        self.stop()
        with self._lock:
            pid, self._pid = self._pid, 0
        if pid:
            os.close(self.output)
            with contextlib.suppress(OSError):
                os.waitpid(pid, 0)


def begun(path: str, memory: int | None) -> Forerunner | None:
    """One that reads this file, if it can be had and would help. Close it."""
    able = sys.platform.startswith("linux") and hasattr(os, "fork")
    if not able or processors() < 2 or not single():
        return None
    with contextlib.suppress(OSError, ValueError, OverflowError):
        about = os.stat(path)  # noqa: PTH116 - a Path would cost more
        if stat.S_ISREG(about.st_mode) and _suited(path):
            return Forerunner(path, about, memory)
    return None


def _suited(path: str) -> bool:
    """Whether it is a capture that is not compressed, and there is what reads it by columns."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        head = file.read(4)
    known = len(head) == 4 and (is_pcap(head) or head == SECTION.to_bytes(4, "big"))
    return known and find_spec("numpy") is not None
