"""Which feed a command reads: one source, or two points of view with ``--and``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tcpviz.commands.stream import complain
from tcpviz.sources.feed import Feed, SourceError
from tcpviz.sources.files import FileFeed
from tcpviz.sources.pair import PairFeed, pair_of
from tcpviz.sources.pipes import Pipe

CAPTURES = frozenset({".pcap", ".pcapng", ".cap", ".gz", ".xz", ".zst"})
"""What captures' names end with."""


def other(options: argparse.Namespace) -> str | None:
    """The second source, where there is one."""
    found: str | None = getattr(options, "other", None)
    return found


def check(options: argparse.Namespace) -> None:
    """A second capture among the filter's words would silently fit nothing. Raises SourceError."""
    for word in options.words:
        path = Path(word)
        if path.suffix in CAPTURES and path.is_file():
            raise SourceError(
                f"{word} is a capture, not a filter: two captures become one chart by --and {word}",
                2,
            )


def feed_of(options: argparse.Namespace) -> Feed:
    """The file that the options name, or it and the other one as one. Raises SourceError."""
    second = other(options)
    if second is not None:
        return pair_of(options.file, second)
    pipe: Pipe | None = getattr(options, "pipe", None)  # of which some has been read
    return FileFeed(options.file if pipe is None else pipe.capture(gather_s=0, strict=False))


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
    return ascii_text(text.replace("±", "+-").replace("µ", "u")) if ascii_only else text


def conclude(feed: Feed) -> None:
    """After a capture told in lines: what two points of view have found, on standard error."""
    for line in closing(feed, ascii_only=False).splitlines():
        complain(line)
