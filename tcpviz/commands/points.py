"""Which feed a command reads: one source, or two points of view with ``--and``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tcpviz.sources import over_ip
from tcpviz.sources.feed import Feed, SourceError
from tcpviz.sources.files import FileFeed
from tcpviz.sources.pair import PairFeed


def other(options: argparse.Namespace) -> str | None:
    """The second source, where there is one."""
    found: str | None = getattr(options, "other", None)
    return found


def feed_of(options: argparse.Namespace) -> Feed:
    """The file that the options name, or it and the other one as one. Raises SourceError."""
    second = other(options)
    return FileFeed(options.file) if second is None else pair_of(options.file, second)


def pair_of(one: str, two: str) -> PairFeed:
    """Two captures that can be read: files, ``-`` or ``TCP@host:port``. Raises SourceError."""
    if one == two:
        raise SourceError(f"{one} is both points of view: name two captures", 2)

    def opened() -> tuple[Feed, Feed]:
        first = FileFeed(one)
        try:
            return first, FileFeed(two)
        except SourceError:
            first.stop()
            raise

    return PairFeed((name_of(one), name_of(two)), opened, twice=all(map(_plain, (one, two))))


def name_of(source: str) -> str:
    """What a source is called on the screen."""
    if source == "-":
        return "standard input"
    return source if source.startswith(over_ip.PREFIX) else Path(source).name or source


def _plain(source: str) -> bool:
    try:
        return source != "-" and Path(source).is_file()
    except (OSError, ValueError):
        return False


def summary(feed: Feed) -> dict[str, Any]:
    """What the summary of ``--json`` has besides, where there are two points of view."""
    if not isinstance(feed, PairFeed):
        return {}
    from tcpviz.export.points_object import points_object

    return {"points": points_object(feed.ledger, feed.skew, feed.names)}


def closing(feed: Feed, *, ascii_only: bool) -> str:
    """Lines under a table, where there are two points of view."""
    if not isinstance(feed, PairFeed):
        return ""
    from tcpviz.views.ladder_canvas import ascii_text
    from tcpviz.views.points import report

    text = "".join(f"{line}\n" for line in report(feed.ledger, feed.skew, feed.names))
    return ascii_text(text) if ascii_only else text
