"""The terminal as the program finds it, takes it, and leaves it.

Imports nothing of Textual, so that everything here can be settled before
Textual reads its constants.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tcpviz.browser import in_browser as in_browser
from tcpviz.sources.feed import SourceError

TTY = "/dev/tty"

LEAVE = (
    "\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?2004l\x1b[?1004l"
    "\x1b[<u\x1b[?7h\x1b[?1049l\x1b[?25h\x1b[0m"
)
"""What undoes everything that Textual's driver switches on: mouse, paste and focus
reports, keyboard protocol, no line wrap, the alternate screen, the hidden cursor."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How to behave on this terminal.

    ``frames``   a second, at most
    ``period_s`` seconds between two looks at what came in
    ``motion``   whether the edge just taken may flash
    ``colours``  False under NO_COLOR (https://no-color.org: set and not empty)
    ``ascii``    no character outside of ASCII may be drawn
    """

    frames: int = 60
    period_s: float = 0.1
    motion: bool = True
    colours: bool = True
    ascii: bool = False


def manners(
    environ: Mapping[str, str] | None = None, *, ascii_only: bool = False, fps: int | None = None
) -> Manners:
    """What the environment says: a remote session is drawn less often and without motion.

    ``fps``: what the person says of it, frames a second. Without that a key's effect comes
    with the next of ``frames``, but what traffic changes only each ``period_s``.
    """
    env = os.environ if environ is None else environ
    remote = any(env.get(name) for name in ("SSH_CONNECTION", "SSH_TTY", "MOSH_CONNECTION"))
    return Manners(
        frames=fps or (20 if remote else 60),
        period_s=1 / fps if fps else (0.75 if remote else 0.1),
        motion=not remote and env.get("TEXTUAL_ANIMATIONS", "").lower() != "none",
        colours=not env.get("NO_COLOR"),
        ascii=ascii_only or not (in_browser(env) or speaks_unicode(env)),
    )


def speaks_unicode(environ: Mapping[str, str]) -> bool:
    """Whether the locale is a UTF-8 one, as POSIX chooses it (LC_ALL, LC_CTYPE, LANG).

    Where none is set at all, the terminal is taken for a modern one; the Linux
    console's font has no arrows or heavy lines worth the name.
    """
    if environ.get("TERM") in {"linux", "vt100", "vt220", "dumb"}:
        return False
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = environ.get(name)
        if value:
            return "UTF" in value.upper() or value.split(".")[0] in {"C", "POSIX"}
    return True


def claim_terminal() -> int | None:
    """Make descriptor 0 the terminal again where a capture was piped into it.

    Returns a new descriptor of the pipe, for whoever reads the capture, or
    ``None`` where standard input is a terminal already. Textual reads keys from
    descriptor 0. Raises SourceError where there is no terminal to be had.
    """
    try:
        if os.isatty(0):
            return None
        piped = os.dup(0)
    except OSError as error:
        raise SourceError(f"standard input is closed: {error.strerror}", 2) from error
    try:
        tty = os.open(TTY, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        os.close(piped)
        raise SourceError(
            "the capture is on standard input and there is no terminal for the keys; use --text", 2
        ) from error
    try:
        os.dup2(tty, 0)
    finally:
        os.close(tty)
    return piped


def hung_up(descriptor: int = 0) -> bool:
    """Whether the terminal at ``descriptor`` is gone.

    Who has it as controlling terminal is told by SIGHUP; who was started in a session
    of its own (``su -c``, some containers) is not, and would read its end for ever.
    """
    watch = select.poll()
    watch.register(descriptor, 0)
    # Some systems cannot poll a terminal and say POLLNVAL: that says nothing of it.
    return any(what & (select.POLLHUP | select.POLLERR) for _, what in watch.poll(0))


def own_looks() -> str:
    """The looks where nobody has chosen any."""
    return "dark" if _many_colours() else "ansi"


def _many_colours() -> bool:
    """Whether the terminal says that it can show more than its own sixteen colours."""
    term = os.environ.get("TERM", "")
    return bool(os.environ.get("COLORTERM")) or any(
        word in term for word in ("256", "direct", "kitty", "alacritty", "ghostty", "tmux")
    )


def require_terminal() -> None:
    """Raises SourceError where the three panes cannot be drawn or steered at all."""
    if in_browser():
        return
    if os.environ.get("TERM", "") == "dumb":
        raise SourceError("this terminal cannot place the cursor (TERM=dumb); use --text", 2)
    try:
        keys = os.isatty(0)
    except OSError:
        keys = False
    if not keys:
        raise SourceError("standard input is not a terminal; use --text", 2)


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Whatever happens inside, the terminal is afterwards as it was.

    Textual draws on descriptor 2; where that was redirected (``2>log``), it is
    lent the terminal meanwhile. Textual restores modes itself when it ends in
    good order; this is for when it does not. In a browser there is nothing to restore.
    """
    if in_browser():
        yield
        return
    with found():
        kept = _lend_screen()
        try:
            yield
        finally:
            _put_back(as_found())
            _flush()
            if kept is not None:
                os.dup2(kept, 2)
                os.close(kept)


_found: list[list[object] | None] = []


@contextlib.contextmanager
def found() -> Iterator[None]:
    """While this lasts, :func:`as_found` tells the terminal's attributes as they are now.

    What is put back is what the person's shell had, and not what a step of the start, or a
    sleep in the background, has left: so the outermost one counts.
    """
    _found.append(_attributes())
    try:
        yield
    finally:
        _found.pop()


def as_found() -> list[object] | None:
    """The terminal's attributes as they were before any were changed; ``None`` without one."""
    return _found[0] if _found else _attributes()


def _flush() -> None:
    """Write out what is buffered; where the terminal is gone, let it go.

    Otherwise the interpreter tries again at its end, fails, and exits with 120.
    """
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is None:
            continue
        try:
            stream.flush()
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)
            stream.flush()


def _attributes() -> list[object] | None:
    try:
        return termios.tcgetattr(0)
    except (termios.error, OSError):
        return None


def _put_back(before: list[object] | None) -> None:
    if before is not None and _attributes() != before:
        with contextlib.suppress(termios.error, OSError):
            termios.tcsetattr(0, termios.TCSANOW, before)  # type: ignore[arg-type]


def _lend_screen() -> int | None:
    """Point descriptor 2 at the terminal; returns the old one, ``None`` if it is one."""
    try:
        if os.isatty(2):
            return None
        kept = os.dup(2)
    except OSError:
        return None
    try:
        tty = os.open(TTY, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        os.close(kept)
        return None
    os.dup2(tty, 2)
    os.close(tty)
    return kept


class Emergency:
    """The way out when Textual cannot take it: its writer may wait for a dead terminal.

    :meth:`leave` writes the undoing sequences without ever waiting and ends the
    process at once. It needs no lock and no loop, so that any thread may call it.
    """

    def __init__(self) -> None:
        self._before = as_found()

    def leave(self, code: int) -> None:
        """Restore what can be restored; does not return."""
        _put_back(self._before)
        with contextlib.suppress(OSError):
            descriptor = os.open(TTY, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.write(descriptor, LEAVE.encode())
        os._exit(code)
