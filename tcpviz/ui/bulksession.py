"""Session of a large file: its table in the list, one connection at a time segment by segment.

The feed's thread reads and makes tables, one thread filters and sorts, one tells connections;
this object, used from the screen's thread only, takes what they have made and waits for nobody.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from tcpviz.core.connection import Connection
from tcpviz.core.timeline import Cursor
from tcpviz.sources.feed import Feed
from tcpviz.ui.bulkfeed import BulkFeed
from tcpviz.ui.bulklist import BulkSifter
from tcpviz.ui.counted import Rows
from tcpviz.ui.past import Past
from tcpviz.ui.playback import Mode
from tcpviz.ui.session import Session
from tcpviz.ui.sweep import Sweep
from tcpviz.ui.telling import AT_LAST, Teller, Told
from tcpviz.views.going import By, Place
from tcpviz.views.numbers import count
from tcpviz.views.progress import Progress
from tcpviz.words import _

if TYPE_CHECKING:
    from tcpviz.bulk.tables.filerows import FileRows
    from tcpviz.bulk.tables.growing import Snapshot

RATE_S = 0.5
"""The time over which bytes a second are counted."""

AGAIN_S = 2.0
"""The least time between two tellings of a connection that grows while the file is read."""

SHOWN_S = 0.2
"""How often the progress that is shown changes at most."""

PATIENCE_S = 0.012
"""How long a key waits for a short connection's story, so that nothing blinks."""


class BulkSession(Session):
    """As :class:`Session`; where the feed gives records after all, it is one.

    ``rows``   the table that the list shows
    ``told``   what is known of the selected connection, once it is
    ``sweep``  judges all connections, once somebody asks what is wrong
    """

    def __init__(self, feed: BulkFeed, *, filter_text: str = "", **fields: Any) -> None:
        super().__init__(feed, **fields)
        self._bulk = feed
        self._list = BulkSifter(filter_text)
        self.sifter = self._list
        self._teller = Teller()
        self.sweep = Sweep()
        self._snapshot: Snapshot | None = None
        self._judged: Snapshot | None = None
        self.rows: FileRows | None = None
        self._instead: Feed | None = None
        self.told: Told | None = None
        self._measured, self._rate = (0.0, 0), 0.0
        self._progress: Progress | None = None
        self._outdated, self._told_at = False, 0.0
        self._next = 0.0
        self._seeking: tuple[str, int, int] | None = None

    @property
    def _first(self) -> Sequence[Connection]:
        """What is listed until there is a table."""
        feed = self._bulk
        return () if self._snapshot is not None or feed.instead is not None else feed.first

    @property
    def count(self) -> int:
        return len(self._first) or super().count

    def visible(self) -> Sequence[Connection]:
        return self._first or super().visible()

    def close(self) -> None:
        """The threads end; nothing more is asked."""
        self._list.stop()
        self._teller.stop()
        self.sweep.stop()
        self._bulk.close()

    # -- what comes in ------------------------------------------------------

    def pull(self, budget_s: float) -> int:
        feed = self._bulk
        if feed.instead is not None:
            if self._instead not in (None, feed.instead) or self.rows is not None:
                self.rows = self.counted = self._snapshot = None
                self._begin_anew(1, alone=False)
            self._instead = feed.instead
            return super().pull(budget_s)
        while self.pump.batch() is not None:
            pass
        feed.drained()
        latest, news = feed.latest, 0
        if latest is not None and latest is not self._snapshot:
            self._take(latest)
            news = 1
        if latest is not None and latest.whole and latest is not self._judged:
            # That it is the last one may come out when it is there already.
            self._judged = latest
            if not self._told:
                self._tell_of(latest)
                news = 1
        told = self._teller.take()
        if told is not None:
            self._adopt(told)
            news = 1
        if self._seeking is not None:
            self._seek_on()
        self._tell_again()
        self._list.look()
        if self._list.complaint:
            self.feed.status.notes.append(self._list.complaint)
            self._list.complaint = ""
        return news

    @property
    def resting(self) -> bool:
        waits = self._seeking is not None or self._outdated or not self._teller.resting
        latest = self._bulk.latest
        news = latest is not self._snapshot or (
            latest is not None and latest.whole and latest is not self._judged
        )
        return super().resting and not waits and not news

    @property
    def working(self) -> bool:
        return self._teller.owes or self._list.pending > 0

    def _take(self, snapshot: Snapshot) -> None:
        """Another table has been made."""
        from tcpviz.bulk.tables.filerows import FileRows

        before = self._snapshot
        self._snapshot = snapshot
        self.rows = FileRows(snapshot)
        self.counted = cast("Rows", self.rows)
        self._teller.begin(snapshot)
        told = self.told
        if self.selected is None:
            self.follow_selection()
        elif told is None or self.selected != told.story.ident:
            self._want(self.selected, AT_LAST, None)
        elif before is not None and self._grew(told, before, snapshot):
            self._outdated = True

    def _tell_again(self) -> None:
        """The selected connection anew, if it has more segments; not more often than now and then.

        Each time its chart is drawn from nothing.
        """
        told, snapshot = self.told, self._snapshot
        if not self._outdated or told is None or snapshot is None:
            return
        if not snapshot.whole and self.clock() - self._told_at < AGAIN_S:
            return
        self._outdated = False
        following = self.mode is Mode.FOLLOWING
        begin = AT_LAST if following else told.story.begin
        self._want(told.story.ident, begin, self._standing())

    def _grew(self, told: Told, before: Snapshot, snapshot: Snapshot) -> bool:
        place = told.story.ident - 1
        if place >= len(before) or place >= len(snapshot):
            return True
        then, now = before.connection(place), snapshot.connection(place)
        return any(
            getattr(then, side).segments != getattr(now, side).segments
            or getattr(then, side).claim.state is not getattr(now, side).claim.state
            for side in ("client", "server")
        )

    def _tell_of(self, snapshot: Snapshot) -> None:
        """What many connections show together, once all has been read."""
        self.crowds.found = list(snapshot.table.crowds)
        self._tell_crowds(told=True)

    @property
    def progress(self) -> Progress | None:
        feed = self._bulk
        if feed.instead is not None or self.pump.done or not feed.status.position:
            return None
        now, at = self.clock(), feed.status.position
        shown = self._progress
        known = self.count
        if shown is not None and known == shown.connections and now < self._next:
            return shown
        self._next = now + SHOWN_S
        if now - self._measured[0] >= RATE_S:
            before, then = self._measured
            self._rate = (at - then) / (now - before) if before else 0.0
            self._measured = (now, at)
        self._progress = Progress(
            at, feed.status.size or 0, self._rate, known, feed.waiting, feed.on_disk
        )
        return self._progress

    # -- the selected connection --------------------------------------------

    def _follow_only(self, ident: int) -> None:
        self.selected = ident
        if self._snapshot is None:
            return
        self._want(ident, AT_LAST, None)
        if self.told is None or self.told.story.ident != ident:
            told = self._teller.take(PATIENCE_S)
            if told is not None:
                self._adopt(told)
            else:
                self.told = None
                self._begin_anew(ident)

    def _want(self, ident: int, begin: int, goal: int | None) -> None:
        known = self._teller.known(ident, begin)
        if known is not None:
            known.goal = goal
            self._adopt(known)
        else:
            self._teller.ask(ident, begin, goal)

    def _adopt(self, told: Told) -> None:
        """Show a story from now on."""
        story = told.story
        if story.ident != self.selected:
            return
        again = self.told is not None and self.told.story.ident == story.ident
        following = told.goal is None and (not again or self.mode is Mode.FOLLOWING)
        self.told = told
        self._told_at = self.clock()
        self.tracker = story.tracker
        self.timeline = story.tracker.timeline
        self.cursor = self.playback.cursor = Cursor(self.timeline)
        self.cursor.connection = story.ident if self.chosen else None
        self.stops, self.held, self.census = told.stops, told.held, told.census
        self._digest = told.digest
        self._readings, self._forgotten = [], self.timeline.first
        self._past = Past(self.timeline)
        if following or told.goal is None:
            self.playback.follow()
        else:
            self.playback.seek(told.step_of(told.goal))
        self.generation += 1
        if not story.whole:
            self._teller.look_through(story.ident)

    @property
    def telling(self) -> bool:
        """The selected connection's packets are being read."""
        return self.selected is not None and self.told is None and self._teller.busy

    def _standing(self) -> int | None:
        """Which of the connection's segments the cursor stands at; ``None``: it follows."""
        told = self.told
        if told is None or self.mode is Mode.FOLLOWING:
            return None
        index, story = self.cursor.index, told.story
        steps = story.tracker.timeline
        upto = [n for n in steps.of(story.ident) if n <= index and steps[n].segment is not None]
        return story.begin + max(len(upto) - 1, 0)

    @property
    def part(self) -> str:
        told = self.told
        if told is None or told.story.whole:
            return ""
        story = told.story
        said = _("segments {a} to {b} of {n}").format(
            a=story.begin + 1, b=story.end, n=count(story.total)
        )
        odd = self._teller.oddities
        if story.joint is None:
            said += ", " + _("what came before is not known here")
        if self._seeking is not None and odd is not None:
            said += ", " + _("looking on from {n}").format(n=count(odd.seen))
        return said

    # -- beyond what is held ------------------------------------------------

    def reach(self, way: int, *, end: bool = False, kind: str = "", share: int = 0) -> bool:
        from tcpviz.bulk.tables.stories import MOST, OVERLAP

        told = self.told
        if told is None or told.story.whole:
            return False
        story = told.story
        if share:
            self._by_share(told, way, share)
            return True
        beyond = story.end < story.total if way > 0 else story.begin > 0
        if not beyond and kind and way > 0 and self.remaining == 0:
            self._seeking = (kind, -1, way)  # at the end: once more from the beginning
            self._seek_on()
            return True
        if not beyond:
            return False
        if kind:
            place = story.end - 1 if way > 0 else story.begin
            place = -1 if kind == "teardown" else place
            self._seeking = (kind, place, way)
            self._seek_on()
        elif end:
            goal = None if way > 0 else 0
            self._want(story.ident, AT_LAST if way > 0 else 0, goal)
        elif way > 0:
            self._want(story.ident, story.end - OVERLAP, story.end)
        else:
            self._want(story.ident, max(story.begin + OVERLAP - MOST, 0), story.begin - 1)
        return True

    def seek_place(self, place: Place) -> bool:
        told, snapshot = self.told, self._snapshot
        if told is None or snapshot is None or told.story.whole:
            return False
        total = told.story.total
        if place.by is By.SHARE:
            self._stand_at(told, (total - 1) * place.value // 1_000_000)
            return True
        rows = self._teller.segments(told.story.ident)
        if rows is None:  # another table has just been made
            return False
        array = snapshot.reading.columns.array
        name, wanted = "frame", place.value
        if place.by is not By.FRAME:
            name, wanted = "time", place.time_ns(int(array["time"][rows[0]]))
        self._stand_at(
            told, bisect.bisect_left(rows, wanted, key=lambda row: int(array[name][row]))
        )
        return True

    def _by_share(self, told: Told, way: int, share: int) -> None:
        """On or back by a part of the whole connection, whichever window that is in."""
        total, here = told.story.total, self._standing()
        here = total - 1 if here is None else here
        self._stand_at(told, here + way * max(total // share, 1))

    def _stand_at(self, told: Told, goal: int) -> None:
        """Go to one of the connection's segments, or the nearest one there is."""
        from tcpviz.bulk.tables.stories import MOST

        story = told.story
        goal = min(max(goal, 0), story.total - 1)
        if story.begin <= goal < story.end:
            self.playback.seek(told.step_of(goal))
        else:
            begin = max(min(goal - MOST // 2, story.total - MOST), 0)
            self._want(story.ident, begin, goal)

    def _seek_on(self) -> None:
        """Go to what is looked for, once it is found; or stop looking."""
        from tcpviz.bulk.tables.stories import MOST

        assert self._seeking is not None
        kind, place, way = self._seeking
        told, odd = self.told, self._teller.oddities
        if told is None or odd is None or odd.ident != told.story.ident:
            self._seeking = None
            return
        if way < 0 and odd.seen < place:
            return  # not looked at so far yet
        find = {"problem": odd.problem, "teardown": odd.ending}.get(kind, odd.control)
        found = find(place, way)
        if found is not None:
            self._seeking = None
            begin = max(min(found - MOST // 4, odd.total - MOST), 0)
            self._want(told.story.ident, begin, found)
        elif way < 0 or odd.complete:
            self._seeking = None
            self.feed.status.notes.append(_("nothing more of that kind in this direction"))

    # -- the list -----------------------------------------------------------

    @property
    def list_ns(self) -> int:
        if self._snapshot is not None:
            return self._snapshot.end_ns
        return max((each.last_ns for each in self._first), default=self.now_ns)

    @property
    def now_ns(self) -> int:
        """The moment at the cursor; where it follows, or nothing is selected, the capture's end."""
        index, first = self.cursor.index, self.timeline.first
        if self._snapshot is not None and (self.cursor.following or index < first):
            return self._snapshot.end_ns
        return self.timeline[index].time_ns if index >= first else 0
