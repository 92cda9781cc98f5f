"""Feeds: what a capture file, an interface and the lab have in common.

A feed is iterated in a thread of its own (or by the text form, directly) and
yields batches of records as they come. It never waits for whoever consumes
them longer than its own bounded queue allows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from tcpviz.core.records import Record


class SourceError(Exception):
    """Something is wrong with a source; the text is one line for the person, with the way out.

    ``exit_code`` is 2 where the request was wrong (an unknown interface, a bad
    filter), 1 where it failed (no permission, not a capture).
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass
class FeedStatus:
    """Counters that the status line shows; written by the feed, read by anyone.

    ``skipped`` counts frames that gave no segment, by reason; ``dropped`` what
    the kernel or our own queue lost; ``size`` and ``position`` are bytes of a
    file, for the progress bar; ``notes`` are one-line messages, oldest first.
    """

    frames: int = 0
    segments: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    dropped: int = 0
    size: int | None = None
    position: int = 0
    done: bool = False
    notes: list[str] = field(default_factory=list)


class Feed(Protocol):
    """A source of records. ``title`` names it in the status line."""

    title: str
    status: FeedStatus

    def batches(self) -> Iterator[list[Record]]:
        """Records in batches, until the source ends. Raises SourceError."""
        ...

    def stop(self) -> None:
        """Ask it to end soon; may be called from another thread, more than once."""
        ...
