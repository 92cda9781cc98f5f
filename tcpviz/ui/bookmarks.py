"""Moments that a person has marked: in the scrubber, in a live chart, and in what is saved."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from tcpviz.core.records import Note
from tcpviz.core.timeline import Timeline
from tcpviz.sources.recent import MARK
from tcpviz.ui.session import Session
from tcpviz.words import _

MOST: Final = 500
"""Marks of one session; of more nobody finds one again."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """``number`` from 1; ``time_ns`` by the source's clock; ``live``: it was now."""

    number: int
    time_ns: int
    live: bool

    @property
    def clock(self) -> str:
        """The time of the day."""
        whole, rest = divmod(self.time_ns, 1_000_000_000)
        return time.strftime("%H:%M:%S", time.localtime(whole)) + f".{rest // 1_000_000:03d}"

    @property
    def comment(self) -> str:
        """As a pcapng file has it."""
        return f"{MARK}{self.number}: set by hand at {self.clock}"


class Bookmarks:
    """One session's marks, in the order in which they were set."""

    def __init__(self) -> None:
        self.all: list[Bookmark] = []

    def set(self, session: Session) -> Bookmark | None:
        """Mark this moment: now, of a live capture that is followed; else the cursor's.

        ``None`` where there is nothing to mark yet, or there are too many.
        """
        if len(self.all) >= MOST or not len(session.timeline):
            return None
        live = (
            session.live
            and not session.story
            and session.cursor.following
            and not session.pump.done
        )
        when = max(time.time_ns(), session.now_ns) if live else session.now_ns
        made = Bookmark(len(self.all) + 1, when, live)
        self.all.append(made)
        if live:
            text = _("mark {n}, set by hand").format(n=made.number)
            session.absorb(session.tracker.feed(Note(when, text)))
            session.digest.read()
            if hasattr(session.feed, "mark"):
                session.feed.mark(made.comment)
        return made

    def comments(self) -> list[tuple[int, str]]:
        """What a saved slice tells of them: when, and the words."""
        return [(each.time_ns, each.comment) for each in self.all]


_OF: WeakKeyDictionary[Session, Bookmarks] = WeakKeyDictionary()


def of(session: Session) -> Bookmarks:
    """A session's marks."""
    found = _OF.get(session)
    if found is None:
        found = _OF[session] = Bookmarks()
    return found


def places(session: Session, steps: Sequence[int]) -> list[int]:
    """Where the marks are among these steps of the timeline (indexes that grow), from 0."""
    timeline = session.timeline
    found = []
    for mark in of(session).all:
        at = last_step(timeline, mark.time_ns)
        if at is not None and steps and steps[0] <= at:
            found.append(bisect_right(steps, at) - 1)
    return found


def last_step(timeline: Timeline, time_ns: int) -> int | None:
    """Index of the last step up to then; ``None`` where that is not kept (any more)."""
    if len(timeline) <= timeline.first or timeline[timeline.first].time_ns > time_ns:
        return None
    return timeline.at_time(time_ns)
