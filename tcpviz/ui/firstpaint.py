"""The first rows of a file's list, on the terminal before the screen's own parts are imported.

Importing Textual takes longer than reading the first connections of a file. So these are read,
by the scalar core, and painted where the list will be, in its colours; the screen takes over as
soon as it can and shows the same rows, read further. Keys that are pressed meanwhile are its.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import stat
import termios
import time
import tty
from collections.abc import Iterator

from tcpviz.core.connection import Connection
from tcpviz.core.records import Moment, SegmentRecord
from tcpviz.core.tracker import Tracker
from tcpviz.sources.feed import SourceError
from tcpviz.sources.stream import CaptureStream
from tcpviz.ui.plan import Pane, plan
from tcpviz.ui.terminal import Emergency, found, in_browser, manners, own_looks
from tcpviz.views import palettes, roles, table
from tcpviz.views.ladder_canvas import ascii_line
from tcpviz.views.palettes import Hues
from tcpviz.views.roles import Look
from tcpviz.views.spans import Line, Span, fit, width
from tcpviz.wire.decoder import Decoder
from tcpviz.words import _

PIECE = 16 * 1024
"""Bytes of the file that are read at a time."""

MOST = 512 * 1024
"""Bytes that are read at most: what has no connection up to there is waited for."""

BUDGET_S = 0.03
"""Time for following what was read; what is there then is painted."""

_standing: list[bool] = []

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

painted: list[Connection] = []
"""The connections that were painted, for the list until there is more."""

_HUES: dict[str, tuple[Hues, dict[str, Look]]] = {
    "dark": (palettes.DARK_HUES, palettes.DARK),
    "light": (palettes.LIGHT_HUES, palettes.LIGHT),
    "contrast": (palettes.CONTRAST_HUES, palettes.CONTRAST),
    "safe": (palettes.SAFE_HUES, palettes.SAFE),
}


@contextlib.contextmanager
def first_rows(options: argparse.Namespace) -> Iterator[None]:
    """While this lasts the file's first rows are on the screen, if they can be had.

    :func:`standing` tells that they are. Afterwards the terminal is as it was.
    """
    before = _modes()
    if before is None:
        yield
        return
    with found(), _signals_at_once():
        if not _paint(options):
            yield
            return
        try:
            yield
        finally:
            wipe()
            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(0, termios.TCSANOW, before)  # type: ignore[arg-type]


@contextlib.contextmanager
def _signals_at_once() -> Iterator[None]:
    """Until the screen hears signals itself, one ends the program with the terminal as it was.

    An exception would be lost where an import is being done, or come between the first row
    and whoever takes it away. Nothing else has been begun that wants an end in good order.
    To be stopped (Ctrl-Z) would leave the shell with these rows: it waits for the screen.
    """
    emergency = Emergency()
    before = {number: signal.getsignal(number) for number in (*_ENDS, signal.SIGTSTP)}
    try:
        for number in _ENDS:
            signal.signal(number, lambda number, _frame: emergency.leave(128 + number))
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    except ValueError:
        before = {}  # not the main thread: whoever runs us hears them
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def standing() -> bool:
    """The first rows stand on the terminal's alternate screen, and nobody has taken it over."""
    return bool(_standing)


def taken_over() -> None:
    """The screen is somebody else's from now on."""
    _standing.clear()


def wipe() -> None:
    """Something has to be said instead: the terminal as it was, if nobody has taken it over."""
    if standing():
        taken_over()
        _write("\x1b[?1049l\x1b[?25h\x1b[0m")


def _modes() -> list[object] | None:
    if in_browser() or os.environ.get("TERM", "") in ("", "dumb"):
        return None
    try:
        return termios.tcgetattr(0) if os.isatty(0) and os.isatty(1) and os.isatty(2) else None
    except (termios.error, OSError):
        return None


def _write(text: str) -> None:
    data = text.encode("utf-8", "replace")
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(2, data) :]


def _paint(options: argparse.Namespace) -> bool:
    size = shutil.get_terminal_size()
    if options.theme not in (None, "ansi", "mono", *_HUES):
        return False
    placed = plan(size.columns, size.lines, Pane.LIST).panes.get(Pane.LIST)
    if placed is None:
        return False
    cells, rows = placed
    try:
        tracker, share = _first(options.file, rows - 2)
    except (SourceError, OSError, ValueError):
        return False  # it will be said by whoever reads it
    if not tracker.connections:
        return False
    painted.extend(tracker.connections.values())
    shown = list(tracker.connections.values())[: rows - 2]
    ends = table.needs(shown)
    lines = [_title(cells, len(tracker.connections)), table.header(cells, ends=ends)]
    for one in shown:
        lines.append(table.row(one, cells, tracker.now_ns, ends=ends))
    behaviour = manners(ascii_only=options.ascii, fps=None)
    ink = _Ink((options.theme or own_looks()) if behaviour.colours else "mono")
    out = ["\x1b[?1049h\x1b[?25l", ink.ground, "\x1b[2J"]
    for number, each in enumerate(lines, 1):
        plain = ascii_line(each) if behaviour.ascii else each
        out.append(f"\x1b[{number};1H{ink.line(fit(plain, cells))}")
    said = _("reading, {percent} %").format(percent=share)
    out.append(f"\x1b[{size.lines - 1};1H{ink.line((Span(f' {said}', roles.DIM),))}")
    _standing.append(True)
    with contextlib.suppress(termios.error, OSError):
        tty.setcbreak(0, termios.TCSANOW)  # what is typed now is for the screen, not on it
    _write("".join(out))
    return True


def _first(path: str, wanted: int) -> tuple[Tracker, int]:
    """The file's first connections, more than ``wanted`` if there is time; per cent read."""
    tracker, decoder, stream = Tracker(keep=False), Decoder(), CaptureStream("")
    until, count, done = time.monotonic() + BUDGET_S, 0, 0
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a Path would cost as much again
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise OSError
        # However long a busy machine takes for it, some rows are better than none.
        while done < MOST and (
            not tracker.connections
            or (len(tracker.connections) <= wanted and time.monotonic() < until)
        ):
            data = file.read(PIECE)
            if not data:
                break
            done += len(data)
            for frames in stream.feed(data):
                if stream.losses or stream.customs:
                    raise OSError  # a recording of the lab, or something that needs more
                for frame in frames:
                    segment = decoder.decode(frame)
                    if segment is not None:
                        tracker.feed(SegmentRecord(segment.time_ns, segment, Moment.SEEN))
                    count += 1
                    if count % 16 == 0 and tracker.connections and time.monotonic() > until:
                        return tracker, done * 100 // about.st_size
    return tracker, done * 100 // max(about.st_size, 1)


def _title(cells: int, count: int) -> Line:
    spans = [Span("─", roles.EDGE), Span(f" 1 {_('Connections')} ", roles.TITLE)]
    spans += [Span("─", roles.EDGE), Span(f" {count} ", roles.TIME)]
    return (*spans, Span("─" * max(cells - width(spans), 0), roles.EDGE))


class _Ink:
    """Roles as the terminal's own sequences; without colours, weight alone."""

    def __init__(self, looks: str) -> None:
        known = _HUES.get(looks)
        true = os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit")
        self._palette = palettes.MONOCHROME if known is None else known[1]
        self._coloured = known is not None and true
        self.ground = "\x1b[0m"
        if known is not None and self._coloured:
            self.ground += _colour(known[0].text, 38) + _colour(known[0].ground, 48)

    def line(self, line: Line) -> str:
        return "".join(f"{self._look(span.role)}{span.text}" for span in line) + self.ground

    def _look(self, role: str) -> str:
        look = self._palette.get(role, Look())
        out = self.ground
        if self._coloured:
            out += (_colour(look.fg, 38) if look.fg else "") + (
                _colour(look.bg, 48) if look.bg else ""
            )
        for on, code in ((look.bold, 1), (look.dim, 2), (look.italic, 3), (look.underline, 4)):
            out += f"\x1b[{code}m" if on else ""
        return out


def _colour(name: str, plane: int) -> str:
    red, green, blue = (int(name[at : at + 2], 16) for at in (1, 3, 5))
    return f"\x1b[{plane};2;{red};{green};{blue}m"
