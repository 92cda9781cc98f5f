"""Where the teacher's notes are written to: a file that ``tail -f`` shows, or another terminal.

A note is never worth a stalled lesson: what cannot be written now is left out
and counted, and the screen goes on.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import termios
from collections.abc import Sequence
from pathlib import Path

from tcpviz.sources.feed import SourceError
from tcpviz.sources.parser import clean
from tcpviz.sources.writer import unwritable

FILE_WIDTH = 78
_CLEAR = "\x1b[H\x1b[2J"


def usual_place() -> Path:
    """Where ``--notes`` writes and ``tcpviz notes`` reads where neither names a file.

    In a folder that is this user's alone: the session's own (XDG_RUNTIME_DIR), which goes with
    it, else the one for the state of programs.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and Path(runtime).is_dir():
        return Path(runtime) / "tcpviz" / "notes"
    import platformdirs

    return platformdirs.user_state_path("tcpviz") / "notes"


class NotesSink:
    """Opens ``path`` at once; empty: the usual place, begun anew. Raises SourceError.

    A file is appended to; another terminal is cleared for each block, so that it
    always shows the present. ``left_out`` counts blocks that did not go through.
    """

    def __init__(self, path: str) -> None:
        self.left_out = 0
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK
        if not path:
            path = str(_prepared(usual_place()))
            flags |= os.O_TRUNC | os.O_NOFOLLOW
        flags |= os.O_NOCTTY | os.O_CLOEXEC
        try:
            self._descriptor = os.open(path, flags, 0o600)
        except OSError as error:
            hint = ": nobody reads it" if error.errno == errno.ENXIO else ""
            raise unwritable(clean(path), error, hint) from None
        self.terminal = os.isatty(self._descriptor)
        if self.terminal and _same(self._descriptor):
            os.close(self._descriptor)
            raise SourceError(
                f"{path} is this terminal, which the class sees; give another one (tty tells "
                "its name) or a file",
                2,
            )

    @property
    def width(self) -> int:
        """Cells in a line."""
        if self.terminal:
            try:
                size = fcntl.ioctl(self._descriptor, termios.TIOCGWINSZ, b"\0" * 8)
            except OSError:
                return FILE_WIDTH
            columns = int(struct.unpack("HHHH", size)[1])
            return max(columns - 1, 30) if columns else FILE_WIDTH
        return FILE_WIDTH

    def write(self, lines: Sequence[str]) -> None:
        """Write a block; never waits."""
        ended = "\r\n" if self.terminal else "\n"  # its program may have the terminal in raw mode
        text = ended.join([*([_CLEAR] if self.terminal else []), *lines, "", ""])
        try:
            os.write(self._descriptor, text.encode("utf-8", "replace"))
        except OSError:
            self.left_out += 1

    def close(self) -> None:
        """Write no more."""
        os.close(self._descriptor)


def _prepared(place: Path) -> Path:
    """The folder is made, if it was not there."""
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(clean(str(place)), error) from None
    return place


def _same(descriptor: int) -> bool:
    """Whether it is the terminal that the program itself is on."""
    theirs = os.fstat(descriptor)
    for own in (0, 1, 2):
        try:
            mine = os.fstat(own)
        except OSError:
            continue
        if stat.S_ISCHR(mine.st_mode) and mine.st_rdev == theirs.st_rdev:
            return True
    return False
