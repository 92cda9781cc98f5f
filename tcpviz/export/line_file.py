"""A file of lines that grows while a capture runs, and comes through a full disk and a removal.

It is made readable by its owner only, and under sudo belongs to whoever called it. A line is
there whole or not at all; what cannot be written is counted, and it is tried again.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable

from tcpviz.sources.parser import clean
from tcpviz.sources.writer import give_to_caller, unwritable, why_unwritable

RETRY_S = 5.0
"""Seconds between two attempts to write where it was not possible."""

MOST = 1 << 13
"""Lines that wait at most."""

LOOK_S = 1.0
"""Seconds between two looks whether the file still has its name."""


class LineFile:
    """Writes lines to ``path``; ``-`` is standard output.

    ``append``  what is there already stays; else it is replaced
    ``head``    what stands above the first line, ``tail`` below the last one; each time the
                file is begun or taken up again
    ``tell``    takes a line for the person
    ``clock``   seconds that only go forward

    ``lost`` counts lines that could not be written, ``written`` the others. Raises SourceError
    where the file cannot be opened.
    """

    def __init__(
        self,
        path: str,
        *,
        append: bool = False,
        head: Callable[[], str] = str,
        tail: Callable[[], str] = str,
        tell: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path = path
        self.name = "standard output" if path == "-" else clean(path)
        self.lost = self.written = 0
        self._append, self._head, self._tail = append, head, tail
        self._tell, self._clock = tell, clock
        self._waiting: list[str] = []
        self._failing = False
        self._retry_at = self._look_at = 0.0
        self._descriptor = -1
        if path != "-":
            try:
                self._open()
            except (OSError, ValueError) as error:
                raise unwritable(self.name, error) from None
        self._begin()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self.path, flags | os.O_CREAT | os.O_EXCL, 0o600)
            give_to_caller(self._descriptor)
        except FileExistsError:
            self._descriptor = os.open(self.path, flags if self._append else flags | os.O_TRUNC)

    def _begin(self) -> None:
        head = self._head()
        if head:
            self._put(head)

    def write(self, line: str) -> None:
        """A line, with its newline; it is handed on by the next :meth:`flush`, or with many."""
        self._waiting.append(line)
        if len(self._waiting) >= MOST:
            self.flush()

    def flush(self) -> None:
        """Hand all on. What cannot be written is counted in ``lost``."""
        if self.path != "-":
            self._look_after()
        if not self._waiting:
            return
        lines, self._waiting = self._waiting, []
        if self._failing and self._clock() < self._retry_at:
            self.lost += len(lines)
            return
        if self._put("".join(lines)):
            self.written += len(lines)
            if self._failing:
                self._failing = False
                self._tell(f"{self.name}: can be written again; {self.lost} lines are missing")
        else:
            self.lost += len(lines)

    def close(self) -> None:
        """Flush, and write the tail; more than once does no harm."""
        if self._descriptor < 0 and self.path != "-":
            return
        self._retry_at = 0.0
        self.flush()
        if self._failing:
            self._tell(f"{self.name}: {self.lost} lines could not be written")
        tail = self._tail()
        if tail:
            self._put(tail)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._tail = str

    def _put(self, text: str) -> bool:
        """Write it whole or not at all; false where that failed."""
        if self.path == "-":
            sys.stdout.write(text)
            sys.stdout.flush()
            return True
        data, done = text.encode("utf-8", "backslashreplace"), 0
        try:
            while done < len(data):
                done += os.write(self._descriptor, data[done:])
        except BrokenPipeError:
            raise
        except OSError as error:
            if done:
                with contextlib.suppress(OSError):
                    size = os.fstat(self._descriptor).st_size
                    os.ftruncate(self._descriptor, max(0, size - done))
            if not self._failing:
                self._failing = True
                why = why_unwritable(error)
                self._tell(f"{self.name}: cannot be written: {why}; trying again")
            self._retry_at = self._clock() + RETRY_S
            return False
        return True

    def _look_after(self) -> None:
        """If somebody has removed the file, begin another under its name."""
        now = self._clock()
        if now < self._look_at or self._descriptor < 0:
            return
        self._look_at = now + LOOK_S
        if os.fstat(self._descriptor).st_nlink:
            return
        old = self._descriptor
        try:
            self._open()
        except OSError:
            return  # its folder is gone as well, perhaps: what comes goes to nowhere, as before
        os.close(old)
        self._tell(f"{self.name} was removed while it was being written: a new one is begun")
        self._begin()
