"""Connections of a large file told one by one, in a thread, and kept while there is room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tcpviz.core.census import Census
from tcpviz.core.timeline import StepKind
from tcpviz.ui.latest import Enough, Latest
from tcpviz.ui.stops import Stops
from tcpviz.views.digest import Digest
from tcpviz.views.held_time import HeldTime

if TYPE_CHECKING:
    from tcpviz.bulk.tables.growing import Snapshot
    from tcpviz.bulk.tables.oddities import Oddities
    from tcpviz.bulk.tables.stories import Array, Stories, Story

KEPT_STEPS = 30_000
"""Steps of stories that are kept (1.5 to 2 kB each)."""

AT_LAST = -1
"""For the beginning of a window: so that it ends where the connection does."""


@dataclass(slots=True)
class Told:
    """A story with all that the screen asks of its timeline.

    ``goal``  the segment (from 0) at which somebody wants to stand; ``None``: the last one
    """

    story: Story
    goal: int | None
    stops: Stops
    held: HeldTime
    census: Census
    digest: Digest

    def step_of(self, segment: int) -> int:
        """The index of the step of one of the connection's segments, or of the nearest one."""
        timeline = self.story.tracker.timeline
        left, last = segment - self.story.begin, timeline.first
        for index in timeline.of(self.story.ident):
            if timeline[index].kind is StepKind.SEGMENT:
                last = index
                if left <= 0:
                    break
                left -= 1
        return last


class Teller:
    """Tells of connections of the snapshot that it was given last."""

    def __init__(self) -> None:
        self._worker: Latest[Told] = Latest("tcpviz-story")
        self._searcher: Latest[bool] = Latest("tcpviz-oddities")
        self._snapshot: Snapshot | None = None
        self._stories: Stories | None = None
        self._kept: dict[tuple[int, int, int], Told] = {}
        self.oddities: Oddities | None = None

    def begin(self, snapshot: Snapshot) -> None:
        """From now on of this one."""
        self._snapshot, self._stories = snapshot, None
        self._kept = {}
        self.oddities = None

    def stop(self) -> None:
        """No more stories are wanted."""
        self._worker.stop()
        self._searcher.stop()

    @property
    def busy(self) -> bool:
        """Something is being told."""
        return self._worker.busy

    @property
    def owes(self) -> bool:
        """Something is being told, or has been told and nobody has taken it."""
        return self._worker.owes

    @property
    def resting(self) -> bool:
        """Nor is anything looked through."""
        return not (self._worker.owes or self._searcher.busy)

    def known(self, ident: int, begin: int) -> Told | None:
        """What was told before, at once."""
        snapshot = self._snapshot
        if snapshot is None:
            return None
        told = self._kept.get((snapshot.version, ident, begin))
        if told is None:
            told = self._kept.get((snapshot.version, ident, AT_LAST))
            if told is not None and not told.story.whole:
                told = None
        return told

    def ask(self, ident: int, begin: int, goal: int | None) -> None:
        """Tell of a connection from its ``begin``-th segment on; :meth:`take` has it then."""
        snapshot = self._snapshot
        assert snapshot is not None
        self._worker.ask(lambda stop: self._tell(snapshot, ident, begin, goal, stop))

    def take(self, patience_s: float = 0.0) -> Told | None:
        """What has been told, once."""
        told = self._worker.take(patience_s)
        self._worker.check()
        self._searcher.check()
        return told

    def look_through(self, ident: int) -> None:
        """Look through a long connection for what is out of order, if that is not being done."""
        from tcpviz.bulk.tables.oddities import Oddities

        snapshot, known = self._snapshot, self.oddities
        assert snapshot is not None
        if known is not None and known.ident == ident:
            return
        odd = self.oddities = Oddities(ident)
        self._searcher.ask(lambda stop: odd.search(snapshot, self._rows(snapshot), stop))

    def segments(self, ident: int) -> Array | None:
        """The rows of a connection's segments, where it was told of last; no others."""
        stories = self._stories
        return None if stories is None else stories.known(ident)

    def _rows(self, snapshot: Snapshot) -> Stories:
        from tcpviz.bulk.tables.stories import Stories

        stories = self._stories
        if stories is None or stories.snapshot is not snapshot:
            stories = self._stories = Stories(snapshot)
        return stories

    def _tell(
        self, snapshot: Snapshot, ident: int, begin: int, goal: int | None, stop: Enough
    ) -> Told | None:
        from tcpviz.bulk.tables.stories import MOST

        stories = self._rows(snapshot)
        if begin == AT_LAST:
            c = snapshot.connection(ident - 1)
            total = c.client.segments + c.server.segments
            story = stories.tell(ident, max(total - MOST, 0) if total > MOST else 0)
        else:
            story = stories.tell(ident, begin)
        if stop():
            return None
        timeline = story.tracker.timeline
        told = Told(story, goal, Stops(), HeldTime(), Census(), Digest(timeline))
        for step in timeline:
            told.stops.add(step)
            told.held.add(step)
            told.census.add(step)
        told.digest.read()
        kept = self._kept
        kept[snapshot.version, ident, begin] = told
        while (
            len(kept) > 1 and sum(len(t.digest.classes) for t in list(kept.values())) > KEPT_STEPS
        ):
            kept.pop(next(iter(kept)), None)
        return told
