"""Session: what the screen is about, without the screen.

The feed's records go through the tracker into the timeline; a cursor stands in
it; one connection is selected. Panes ask this object and nothing else. It is
used from one thread only; the pump's thread never touches it.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence
from time import monotonic
from typing import cast

from tcpviz.core.census import Census
from tcpviz.core.connection import Connection
from tcpviz.core.crowds import Crowds
from tcpviz.core.hosts import HostReading
from tcpviz.core.onlooker import Onlooker, Onlookers
from tcpviz.core.timeline import Cursor, Step
from tcpviz.core.tracker import Tracker
from tcpviz.sources.feed import Feed
from tcpviz.ui import counted
from tcpviz.ui.colouring import load
from tcpviz.ui.hand import Hand
from tcpviz.ui.moment import Moment
from tcpviz.ui.past import Past
from tcpviz.ui.playback import Mode, Pace, Playback
from tcpviz.ui.process import taken_bytes
from tcpviz.ui.pump import Pump
from tcpviz.ui.stops import Stops
from tcpviz.ui.thrift import Thrift
from tcpviz.ui.whole import Whole
from tcpviz.views.digest import Digest
from tcpviz.views.filter.sifting import Sifter
from tcpviz.views.held_time import HeldTime
from tcpviz.views.spans import Line
from tcpviz.views.verdict import crowd_sentence

STEPS_KEPT = 400_000
"""Steps that the timeline keeps (1.5 to 2 kB each); the oldest go, and it is shown."""

STEPS_KEPT_LIVE = 100_000
"""The same for a capture that may run for days."""

CONNECTIONS_KEPT_LIVE = 20_000
"""Connections of a live capture that are kept; finished ones go first, counted on the screen."""

CROWDS_TOLD = 5
"""Floods and scans that are told of the whole capture; each connection's verdict tells anyhow."""

MANY = 20
"""With so many connections, and nobody having chosen one, all are looked at first."""

EVICTED_AT_ONCE = 200
"""So many forgotten connections are taken from the counts together."""

CHECK_EVERY = 32
"""Records between two looks at the clock while draining."""

HIDDEN_AMONG = 2_000
"""Among more connections than this, those that have not begun yet are listed in a lesson too."""


class Session(Moment, Whole):
    """One run of the program over one feed.

    ``pace``  not ``None``: a scenario, played back from its beginning
    ``live``  records happen now: Space goes back to the end, ages run on; a scenario is
              then watched as it happens, and its cable is in the person's hand
    ``filter_text``  the display filter to begin with; ``sifter`` applies it
    ``limit`` steps kept; ``None``: the usual number for a file or a live capture
    ``memory`` bytes that the program and its helpers may take; ``None``: no matter
    ``clock`` seconds of a clock that only goes forward
    ``onlooker`` is told of every step too, as long as each connection is followed
    ``troubles``  how many there are, as they were last looked for in passing
    ``whole``  all connections are looked at (the dashboard); ``said`` what it says in words
    ``marked``  connections that a person has marked, for one chart of several
    ``plain_words``  explanations come in the register for beginners
    ``taught``       a lesson decides when playback goes on
    ``guessing``     what is in the hand is to be guessed, so it is not told either
    ``drawn``    a screen draws it, and refreshes what is counted before it does
    ``hides_future`` what comes after the cursor is not shown, not even faintly
    """

    def __init__(
        self,
        feed: Feed,
        *,
        pace: Pace | None = None,
        live: bool = False,
        limit: int | None = None,
        filter_text: str = "",
        memory: int | None = None,
        clock: Callable[[], float] = monotonic,
        onlooker: Onlooker | None = None,
    ) -> None:
        self.onlooker = onlooker or Onlookers(())
        self._shown: int | None = None
        self.thrift = None if memory is None else Thrift(memory)
        self.feed = feed
        self.live = live
        self.clock = clock
        self.pump = Pump(feed)
        self.tracker = Tracker(
            limit=limit or (STEPS_KEPT_LIVE if live else STEPS_KEPT),
            max_connections=CONNECTIONS_KEPT_LIVE if live else None,
        )
        self.timeline = self.tracker.timeline
        self.cursor = Cursor(self.timeline)
        self.playback = Playback(
            self.cursor, pace or Pace(), story=pace is not None, following=live
        )
        self.stops = Stops()
        self.hand = Hand(feed)
        self.stepped = self.hand.stepping
        self.held = HeldTime()
        self._readings: list[int] = []
        self.sifter = Sifter(filter_text)
        self.census = Census()
        self.whole = False
        self.said: Line | None = None
        self.troubles = self._evicted = self._forgotten = 0
        self._looked = False
        self.crowds = Crowds()
        self.colouring = load()
        if self.colouring.problem:
            feed.status.notes.append(self.colouring.problem)
        self._told: set[tuple[str, str, str]] = set()
        self.selected: int | None = None
        self.marked: list[int] = []
        self.chosen = False
        self.counted: counted.Rows | None = None
        self.generation = 0
        self.plain_words = False
        self.hides_future = self.playback.story
        self.guessing = self.taught = self.drawn = False
        self._past = Past(self.timeline)
        self._digest = Digest(self.timeline)

    # -- what comes in ------------------------------------------------------

    def pull(self, budget_s: float) -> int:
        """Take what has come, for at most about ``budget_s``; returns how many records."""
        until = self.clock() + budget_s
        taken = 0
        if self.counted is not None and not self.resumed:
            return self._pull_followed(self.counted)
        for record in self.pump.records():
            steps = self.tracker.feed(record)
            self.absorb(steps)
            self.onlooker.steps(steps, self.tracker)
            taken += 1
            if taken % CHECK_EVERY == 0 and self.clock() >= until:
                break
        if self.thrift is not None and self.thrift.due(self.clock()):
            self.thrift.mind(self.tracker, taken_bytes(self.feed))
        if taken:
            self._settle()
        self._look_on()
        over = self.pump.done
        # Of a file the last count is told, which has them all.
        if not self.story and self.crowds.look(self.tracker.connections, final=over):
            self._tell_crowds(told=over or self.live)
        if self.counted is not None:
            self.counted.refresh()
        if self.live and counted.falls_behind(self.pump):
            self._count()
        return taken

    @property
    def resumed(self) -> bool:
        """Everything is followed again, after connections were only counted."""
        return isinstance(self.counted, counted.Resumed)

    def _look_on(self) -> None:
        """The onlooker looks; a connection that it points at is shown, once."""
        self.onlooker.look(self.tracker, self.latest_ns)
        ident = self.onlooker.attention
        if ident is not None and ident != self._shown:
            self._shown = ident
            if self.has(ident):
                self.select(ident)

    def _tell_crowds(self, *, told: bool) -> None:
        """What many connections show together, each once."""
        for crowd in self.crowds.found[:CROWDS_TOLD] if told else ():
            known = (crowd.kind, crowd.who, crowd.target)
            if known not in self._told and len(self._told) < CROWDS_TOLD:
                self._told.add(known)
                self.feed.status.notes.append(crowd_sentence(crowd))

    def _count(self) -> None:
        """Follow one connection only from now on, where the feed counts the others."""
        rows = counted.rows_of(self.feed)
        if rows is None:
            return
        former = self.tracker.connections.get(self.selected or 0)
        rows.refresh()
        if not len(rows):
            return  # what waits is not packets: the host's table, in parts
        for connection in self.tracker.connections.values():
            for sock in (connection.sockets or {}).values():
                rows.note(sock)
        self.counted = rows
        self.feed.status.notes.append(counted.TELLS)
        ident = None if former is None else rows.ident_of(former.key)
        self._follow_only(ident if ident is not None else rows[0].id)

    def _follow_only(self, ident: int) -> None:
        self.selected = ident
        self._begin_anew(ident)
        counted.follow_only(self.feed, ident)

    def _pull_followed(self, rows: counted.Rows) -> int:
        """Take what has come of the one connection that is followed; says 1 if anything came."""
        while (batch := self.pump.batch()) is not None:
            since = getattr(batch, "since", None)
            if since is not None and counted.calm_asked(self.feed):
                self.counted = counted.resume(rows, self, since, CONNECTIONS_KEPT_LIVE)
                break
            ident = getattr(batch, "ident", None)
            if ident != self.selected or ident is None:
                for record in batch:
                    if isinstance(record, HostReading):
                        self.tracker.host.hear(counted.of_one(record, rows, self.selected))
                continue
            if getattr(batch, "fresh", False):
                self._begin_anew(ident)
            for record in batch:
                if isinstance(record, HostReading):
                    record = counted.of_one(record, rows, self.selected)
                self.absorb(self.tracker.feed(record))
        if not self.drawn:
            rows.refresh()
        self._settle()
        self._look_on()
        counted.look_for_calm(self.feed)
        return 1

    def _begin_anew(self, ident: int, *, alone: bool = True) -> None:
        """An empty timeline for the connection with that number; panes are to look again.

        Not ``alone``: for those that come after it as well.
        """
        host = self.tracker.host
        limit = STEPS_KEPT_LIVE if alone else STEPS_KEPT
        self.tracker = Tracker(limit=limit, max_connections=1 if alone else None, host=host)
        self.tracker.number_from(ident)  # that it has in the list
        counted.show_followed(self.counted, self.tracker.connections)
        self.timeline = self.tracker.timeline
        self.cursor = self.playback.cursor = Cursor(self.timeline)
        self.playback.follow()
        self.stops, self.held, self.census = Stops(), HeldTime(), Census()
        self._readings, self._forgotten = [], 0
        self._past = Past(self.timeline)
        self.generation += 1

    @property
    def resting(self) -> bool:
        """Nothing comes, nothing is being worked out, and nothing moves by itself."""
        if not self.pump.done or self.story or self.sifter.pending:
            return False
        return self.mode is not Mode.PLAYING

    def tick(self, now_ns: int) -> int:
        """Let the protocol's timers run on to ``now_ns``; returns how many steps that gave."""
        steps = self.tracker.tick(now_ns)
        self.absorb(steps)
        if steps:
            self._settle()
        return len(steps)

    def absorb(self, steps: list[Step]) -> None:
        for step in steps:
            self.stops.add(step)
            self.held.add(step)
            self.census.add(step)
            if step.reading is not None:
                self._readings.append(step.index)

    def _settle(self) -> None:
        self.digest.read()
        if self.timeline.first != self._forgotten:
            self._forgotten = self.timeline.first
            self.stops.forget(self._forgotten)
            self.census.forget(self._forgotten)
            del self._readings[: bisect.bisect_left(self._readings, self._forgotten)]
        if self.tracker.evicted - self._evicted > EVICTED_AT_ONCE and not self.counted:
            self._evicted = self.tracker.evicted
            self.census.keep_only(
                self.tracker.connections, len(self.timeline) - 1, self.tracker.now_ns
            )
        if self.selected is not None and not self.has(self.selected):
            self.select(None, chosen=False)  # evicted
        self.follow_selection()

    def has(self, ident: int) -> bool:
        """Whether the connection with that number is still known."""
        if self.counted is not None:
            return self.counted.place_of(ident) is not None
        return ident in self.tracker.connections

    # -- the cursor ---------------------------------------------------------

    @property
    def digest(self) -> Digest:
        """The timeline's steps in columns."""
        if self._digest.timeline is not self.timeline:
            self._digest = Digest(self.timeline)
        return self._digest

    def act(self) -> None:
        """From a played-back scenario that still runs to one that is watched as it happens."""
        self.live = True
        self.playback.follow()

    def advance(self) -> bool:
        """Let time go on; true if the cursor moved."""
        moved = self.playback.advance(self.clock())
        if moved:
            self.follow_selection()
        return moved

    def as_of_cursor(self, connection: Connection) -> Connection:
        """The connection as it was at the cursor."""
        return self._past.of(connection, self.cursor.index)

    # -- the selection ------------------------------------------------------

    @property
    def count(self) -> int:
        """How many connections there are in all."""
        return len(self.tracker.connections if self.counted is None else self.counted)

    @property
    def order(self) -> tuple[str, bool]:
        """The column by which the list is sorted, and whether the other way round."""
        return self.sifter.order

    @order.setter
    def order(self, order: tuple[str, bool]) -> None:
        self.sifter.order = order

    @property
    def list_ns(self) -> int:
        """The moment at which the list is looked at."""
        return self.now_ns

    def visible(self) -> Sequence[Connection]:
        """The connections by their first segment; where what comes is hidden, those begun."""
        if self.counted is not None:
            return cast("Sequence[Connection]", self.counted)
        everyone = self.tracker.connections.values()
        if self.cursor.at_end or not self.hides_future or len(everyone) > HIDDEN_AMONG:
            return list(everyone)
        index = self.cursor.index
        return [one for one in everyone if self.timeline.at(index, one.id) is not None]

    def select(self, connection: int | None, *, chosen: bool = True) -> None:
        """Show this connection; ``chosen`` by a person: stepping is now within it."""
        counting = self.counted is not None and not self.resumed
        if counting and connection not in (None, self.selected):
            self._follow_only(connection)
        self.selected = connection
        self.chosen = chosen and connection is not None
        if self.chosen:
            self.whole, self._looked = False, True
        self.cursor.connection = connection if self.chosen or not self.story else None

    def follow_selection(self) -> None:
        """Where nobody has chosen, show the first connection; in a story, the one at the cursor."""
        if self.chosen or self.whole:
            return
        if not self._looked and not self.story and self.count >= MANY:
            self.overlook()
            return
        if self.story:
            step = self.step
            if step is not None and step.connection is not None:
                if step.connection != self.selected:
                    self.select(step.connection, chosen=False)
                return
        if self.selected is None:
            if self.counted is not None:
                first = self.counted[0].id if len(self.counted) else None
            else:
                first = next(iter(self.tracker.connections), None)
            if first is not None:
                self.select(first, chosen=False)

    def overlook(self, whole: bool = True) -> None:
        """Look at all connections at once, at none in particular; or at one again."""
        self._looked, self.whole = True, whole
        self.select(None, chosen=False)
        self.follow_selection()
