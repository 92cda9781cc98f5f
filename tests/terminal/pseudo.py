"""A real pseudo-terminal with the real program in it, read through a terminal emulator."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyte
from wcwidth import wcwidth

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 60
"""A limit for what must come, not a time to wait: generous, for slow machines."""

ENVIRONMENT = {
    "TERM": "xterm-256color",
    "COLORTERM": "truecolor",
    "LANG": "C.UTF-8",
    "PATH": os.environ.get("PATH", ""),
    "PYTHONPATH": str(ROOT),
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Terminal:
    """Runs ``argv`` on a terminal of ``size`` (columns, rows).

    ``written`` is everything that the program wrote, as bytes.
    """

    def __init__(
        self,
        argv: Sequence[str],
        size: tuple[int, int] = (80, 24),
        *,
        env: Mapping[str, str] | None = None,
        stdin: Path | None = None,
        stderr: Path | None = None,
    ) -> None:
        self.screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""
        self.status: int | None = None
        self._master, slave = pty.openpty()
        self._resize(slave, size)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.pid = os.fork()
        if self.pid == 0:  # pragma: no cover - the child
            self._child(argv, env or {}, stdin, stderr)

    def _child(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        stdin: Path | None,
        stderr: Path | None,
    ) -> None:
        try:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for number in range(3):
                os.dup2(self.slave, number)
            if stdin is not None:
                os.dup2(self._piped(stdin), 0)
            if stderr is not None:
                os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT), 2)
            os.closerange(3, 64)
            os.chdir(ROOT)
            os.execvpe(sys.executable, [sys.executable, *argv], {**ENVIRONMENT, **env})
        finally:
            os._exit(126)

    @staticmethod
    def _piped(path: Path) -> int:
        """The reading end of a pipe into which another process writes the file."""
        reader, writer = os.pipe()
        if os.fork() == 0:
            with contextlib.suppress(OSError):
                os.write(writer, path.read_bytes())
            os._exit(0)
        os.close(writer)
        return reader

    @staticmethod
    def _resize(descriptor: int, size: tuple[int, int]) -> None:
        columns, rows = size
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    # -- what is on it ------------------------------------------------------

    @property
    def text(self) -> str:
        """The screen as text."""
        return "\n".join(self._row(y).rstrip() for y in range(self.screen.lines))

    def _row(self, y: int) -> str:
        """A row; pyte's own ``display`` fails where half of a wide character was overwritten."""
        cells = self.screen.buffer[y]
        made, wide = "", False
        for x in range(self.screen.columns):
            data = cells[x].data
            if not wide:
                made += data or " "
            wide = bool(data) and not wide and wcwidth(data[0]) == 2
        return made

    def pump(self, seconds: float) -> bool:
        """Read what comes within so many seconds; false at the end of it all."""
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.written += data
        # pyte knows no private CSI with ">" or "<" (the keyboard protocol): it would print them.
        self._stream.feed(data.replace(b"\x1b[>", b"\x1b[?").replace(b"\x1b[<", b"\x1b[?"))
        return bool(data)

    def wait_for(self, text: str | Callable[[str], bool]) -> str:
        """Read until the screen shows ``text`` (or fits a condition); returns the screen."""
        fits = text if callable(text) else lambda shown: text in shown
        until = time.monotonic() + PATIENCE_S
        while not fits(self.text):
            ended = not self.pump(0.05) or self._ended()
            if (ended and not fits(self.text)) or time.monotonic() > until:
                self._read_rest()
                if fits(self.text):
                    break
                raise AssertionError(f"{text!r} is not on the screen:\n{self.text}")
        return self.text

    # -- what is done to it -------------------------------------------------

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        self.screen.resize(rows, columns)
        self._resize(self._master, (columns, rows))

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """The terminal is gone, as when a connection breaks."""
        os.close(self.slave)
        os.close(self._master)
        self.slave = self._master = -1

    # -- how it ends --------------------------------------------------------

    def _ended(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def _read_rest(self) -> None:
        while self._master >= 0 and select.select([self._master], [], [], 0)[0]:
            if not self.pump(0):
                break

    def ends(self) -> int:
        """Wait for the program's end; returns its exit code (negative: the signal)."""
        until = time.monotonic() + PATIENCE_S
        while not self._ended():
            if self._master >= 0:
                self.pump(0.05)
            else:
                time.sleep(0.02)
            if time.monotonic() > until:
                raise AssertionError(f"it does not end:\n{self.text}")
        self._read_rest()
        assert self.status is not None
        return self.status

    @property
    def restored(self) -> bool:
        """Modes as before, the alternate screen left, the cursor shown, the mouse let go."""
        after = termios.tcgetattr(self.slave)
        out = self.written
        undone = out.rfind(b"\x1b[?1049l") > out.rfind(b"\x1b[?1049h")
        shown = out.rfind(b"\x1b[?25h") > out.rfind(b"\x1b[?25l")
        mouse = out.rfind(b"\x1b[?1000l") >= out.rfind(b"\x1b[?1000h")
        return after == self.before and undone and shown and mouse

    def close(self) -> None:
        if not self._ended():
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        for descriptor in (self.slave, self._master):
            if descriptor >= 0:
                os.close(descriptor)


@contextlib.contextmanager
def terminal(argv: Sequence[str], **how: object) -> Iterator[Terminal]:
    """The program on a terminal; ended by force if the test did not end it."""
    made = Terminal(argv, **how)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.close()
