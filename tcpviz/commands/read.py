"""``tcpviz read``: a capture file as a screen, a table, JSON lines, CSV, or one chart."""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tcpviz.browser import in_browser
from tcpviz.sources.feed import Feed, SourceError

if TYPE_CHECKING:
    from tcpviz.views.filter import Filter
    from tcpviz.views.until import Until

SMALL = 1 << 18
"""Bytes of a file up to which it is read record by record: sooner done than numpy is imported."""


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    try:
        return _run(options)
    except SourceError as error:
        print(f"tcpviz: {error}", file=sys.stderr)
        return error.exit_code


_GOES_WITH = {
    "segments": ("json",),
    "troubles": ("json",),
    "ladder": ("until",),
}
"""What a run that prints one thing only can be asked for beside it."""


def _check(options: argparse.Namespace) -> None:
    """That nothing is asked for which would be left undone. Raises SourceError (2)."""
    asked = [
        name
        for name in (*_GOES_WITH, "json", "csv", "conn_log", "parquet", "until", "serve")
        if getattr(options, name) not in (None, False)
    ]
    if asked and asked[0] in _GOES_WITH:
        for other in asked[1:]:
            if other not in _GOES_WITH[asked[0]]:
                words = f"--{asked[0]} and --{other.replace('_', '-')}"
                raise SourceError(f"{words}: one run prints only one of them", 2)


def _run(options: argparse.Namespace) -> int:
    _check(options)
    # What is not asked for is not imported: a large file is read within a second.
    as_text = options.text or options.json or options.csv or options.ladder is not None
    serve = False
    if options.serve is not None:
        from tcpviz.commands import serving

        serve = serving.wanted(options)
    if options.segments is not None:
        from tcpviz.commands import read_segments

        return read_segments.run(options)
    if options.troubles:
        from tcpviz.commands import read_troubles

        return read_troubles.run(options)
    as_text = as_text or bool(options.conn_log or options.parquet)
    chosen: Filter | None = None
    if options.words:
        from tcpviz.commands import points
        from tcpviz.commands.display_filter import display_filter

        points.check(options)
        chosen = display_filter(options.words)
    until: Filter | None = None
    if options.until or options.conn_log or options.parquet:
        from tcpviz.commands import onlooking

        until = onlooking.check(options, screen=False)
    if chosen is not None and options.ladder is not None:
        raise SourceError("--ladder prints one connection's chart: leave the filter away", 2)
    if serve:
        return _serve(options)
    if not as_text and (sys.stdout.isatty() or _in_browser()):
        return _screen(options, until)
    return _print(options, chosen, until)


def _in_browser() -> bool:

    return in_browser()


def _screen(options: argparse.Namespace, until: Filter | None) -> int:
    from tcpviz.ui import start
    from tcpviz.views.until import Until

    if until is None:
        return start.read(options)
    ends: list[Until] = []

    def look(feed: Feed) -> Until:
        ends.append(Until(until, feed.stop, feed.status.notes.append))
        return ends[0]

    return start.read(options, look) or ends[0].exit_code


def _serve(options: argparse.Namespace) -> int:
    """The file in a browser; it is opened once first, to tell here what is wrong with it."""
    from tcpviz.commands import serving

    if options.file == "-":
        raise SourceError("standard input can be read once: --serve needs a file", 2)
    try:
        with Path(options.file).open("rb"):
            pass
    except OSError as error:
        raise SourceError(f"{options.file}: {error.strerror}", 2) from None
    return serving.run(options, f"tcpviz: {Path(options.file).name}")


def _print(options: argparse.Namespace, chosen: Filter | None, until: Filter | None) -> int:
    # Columns do not know the moment at which something first fits.
    fast = until is None and getattr(options, "other", None) is None
    code = by_columns(options, chosen) if fast else None
    if code is not None:
        return code
    from tcpviz.commands import read_one_by_one

    return read_one_by_one.run(options, chosen, until)


def by_columns(options: argparse.Namespace, chosen: Filter | None) -> int | None:
    """All segments at once, where there are enough of them to be worth numpy's start; else None."""
    if not _many(options):
        return None
    gc.disable()  # a hundred modules make no garbage that is worth looking for
    try:
        from tcpviz.commands import read_columns
    except ImportError:
        return None  # without numpy, as in tcpviz.pyz under another Python: slower, the same output
    finally:
        gc.enable()
    return read_columns.run(options, chosen)


def _many(options: argparse.Namespace) -> bool:
    """Whether there are so many bytes; of a pipe they are waited for, and kept."""
    from tcpviz.sources.pipes import Pipe, comes_once

    if comes_once(options.file):
        pipe = options.pipe = Pipe(options.file)
        return pipe.fill(SMALL)
    try:
        return Path(options.file).stat().st_size >= SMALL
    except (OSError, ValueError):
        return False
