"""The doctor on the terminal and on what the program needs of Python."""

from __future__ import annotations

import contextlib
import importlib.metadata
import locale
import os
import platform
import sys

from tcpviz.commands.doctor_facts import Fact, Mark

_PACKAGES = ("textual", "rich", "numpy", "scapy", "pyroute2")
_WISHED = {"textual-serve": ("--serve", "'tcpviz[serve]'"), "pyarrow": ("--parquet", "pyarrow")}
"""What only some need: the option that does, and what pip calls it."""
_SMALLEST, _GOOD = (80, 24), (120, 40)


def terminal() -> list[Fact]:
    """The size, colours and characters of the terminal."""
    size = _terminal_size()
    if size is None:
        return [Fact(Mark.PARTLY, "terminal", "none: demo, capture and read print text")]
    columns, rows = size
    facts = []
    if columns < _SMALLEST[0] or rows < _SMALLEST[1]:
        text = f"{columns}x{rows}: too small for three panes"
        facts.append(Fact(Mark.PARTLY, "terminal", text, "make it at least 80x24"))
    elif columns < _GOOD[0] or rows < _GOOD[1]:
        text = f"{columns}x{rows}: enough; 120x40 shows more"
        facts.append(Fact(Mark.YES, "terminal", text))
    else:
        facts.append(Fact(Mark.YES, "terminal", f"{columns}x{rows}"))
    facts.append(_colours())
    encoding = locale.getpreferredencoding(False)
    if encoding.lower().replace("-", "") == "utf8":
        facts.append(Fact(Mark.YES, "characters", "UTF-8"))
    else:
        remedy = "export LC_ALL=C.UTF-8"
        facts.append(Fact(Mark.PARTLY, "characters", f"{encoding}: lines are ASCII", remedy))
    around = [name for name, sign in (("tmux", "TMUX"), ("screen", "STY")) if os.environ.get(sign)]
    if os.environ.get("SSH_CONNECTION") or os.environ.get("SSH_TTY"):
        around.append("SSH: frame rate and animation are lowered")
    if around:
        facts.append(Fact(Mark.YES, "seen through", ", ".join(around)))
    return facts


def _terminal_size() -> tuple[int, int] | None:
    for descriptor in (1, 2, 0):
        with contextlib.suppress(OSError, ValueError):
            if os.isatty(descriptor):
                size = os.get_terminal_size(descriptor)
                return size.columns, size.lines
    return None


def _colours() -> Fact:
    term = os.environ.get("TERM", "")
    if os.environ.get("NO_COLOR"):
        return Fact(Mark.YES, "colours", "none, as NO_COLOR asks")
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return Fact(Mark.YES, "colours", f"16 million (COLORTERM; TERM={term})")
    count = -1
    with contextlib.suppress(Exception):
        import curses

        curses.setupterm(term or None, 1)
        count = curses.tigetnum("colors")
    if count >= 256:
        return Fact(Mark.YES, "colours", f"{count} (TERM={term})")
    if count >= 8:
        remedy = "export TERM=xterm-256color if your terminal can"
        return Fact(Mark.PARTLY, "colours", f"{count} (TERM={term})", remedy)
    remedy = "export TERM=xterm-256color if your terminal can"
    return Fact(Mark.PARTLY, "colours", f"not known for TERM={term or 'unset'}", remedy)


def python() -> list[Fact]:
    """Python and the packages."""
    facts = [Fact(Mark.YES, "Python", f"{platform.python_version()} ({sys.executable})")]
    for package in _PACKAGES:
        if package == "pyroute2" and not sys.platform.startswith("linux"):
            continue
        try:
            facts.append(Fact(Mark.YES, package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            remedy = f"{sys.executable} -m pip install {package}"
            facts.append(Fact(Mark.NO, package, "not installed", remedy))
    for package, (option, wanted) in _WISHED.items():
        try:
            facts.append(Fact(Mark.YES, package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            remedy = f"{sys.executable} -m pip install {wanted}"
            facts.append(Fact(Mark.PARTLY, package, f"not installed; {option} needs it", remedy))
    return facts
