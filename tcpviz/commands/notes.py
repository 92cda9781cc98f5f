"""``tcpviz notes``: the teacher's notes on a second terminal, always the latest."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from tcpviz.sources.feed import SourceError
from tcpviz.ui.notes import usual_place
from tcpviz.views.spans import clean, text_width
from tcpviz.views.wrapping import wrap_text
from tcpviz.words import _

LOOK_S = 0.2
"""Between two looks at the file."""

TAIL = 64 << 10
"""Bytes of the file's end that are read: many times the longest block."""

_CLEAR = "\x1b[H\x1b[2J\x1b[3J"


def run(options: argparse.Namespace, out: TextIO) -> int:
    """Show the notes until Ctrl-C; returns the exit code."""
    place = Path(options.file) if options.file else usual_place()
    terminal = out.isatty()
    try:
        if place.exists() and not place.is_file():
            raise SourceError(f"{place} is no file of notes", 2)
        if options.file and not place.parent.is_dir():  # nothing could ever come there
            raise SourceError(f"{place}: there is no folder {place.parent}", 2)
        for block in blocks(place):
            width = shutil.get_terminal_size().columns if terminal else 0
            shown = block or [_("waiting for: {command}").format(command=_command(options.file))]
            if not terminal and not block:
                continue
            said = "\n".join(row for line in shown for row in wrapped(line, width))
            out.write(f"{_CLEAR}{said}\n" if terminal else f"{said}\n\n")
            out.flush()
    except SourceError as error:
        print(f"tcpviz: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"tcpviz: {place}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _command(file: str | None) -> str:
    return f"tcpviz demo --notes {clean(file)}" if file else "tcpviz demo --notes"


def blocks(place: Path, *, once: bool = False) -> Iterator[list[str]]:
    """The latest block each time there is another one; empty while there is none yet.

    ``once``: only what is there now. Raises OSError.
    """
    before: tuple[int, int, int] | None = None
    told: list[str] | None = None
    while True:
        try:
            found = place.stat()
            now = (found.st_ino, found.st_size, found.st_mtime_ns)
        except FileNotFoundError:
            now = (0, 0, 0)
        if now != before:
            before = now
            block = last_block(_tail(place)) if now[1] else []
            if block != told:
                told = block
                yield block
        if once:
            return
        time.sleep(LOOK_S)


def _tail(place: Path) -> str:
    with place.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - TAIL, 0))
        return file.read(TAIL).decode("utf-8", "replace")


def last_block(text: str) -> list[str]:
    """The last whole block: from its heading (``== step 3 of 18 ==``) to the blank line after it.

    Nothing in it can move the terminal's cursor, whoever wrote the file.
    """
    ended = text.rpartition("\n\n")[0]  # one that is being written has no end yet
    lines = ended.split("\n")
    first = max((n for n, line in enumerate(lines) if line.startswith("== ")), default=None)
    if first is None:
        return []
    return [clean(line) for line in lines[first:] if line]


def wrapped(line: str, width: int) -> list[str]:
    """A line of a block on a terminal that is narrower than the block; 0: as it is."""
    if not width or text_width(line) <= width:
        return [line]
    indent = len(line) - len(line.lstrip(" "))
    indent = min(indent, width // 3)
    return [" " * indent + row for row in wrap_text(line.strip(), max(width - indent, 10))]
