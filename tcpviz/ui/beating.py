"""The main screen's beat: what came is taken, time goes on, and what the source says is told."""

from __future__ import annotations

import time
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from tcpviz.sources.feed import SourceError
from tcpviz.ui.playback import Mode
from tcpviz.ui.process import resident_bytes

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen
    from textual.timer import Timer

    from tcpviz.ui.app import TcpvizApp
    from tcpviz.ui.lesson import Lesson
    from tcpviz.ui.session import Session

    _Base = Screen[None]
else:
    _Base = object

BUDGET_S = 0.012
"""Time for taking records in one beat; the screen answers keys at least this often."""

CATCH_UP_S = 0.002
"""Pause between two takings while more is waiting than one budget can take."""

SOON_S = 0.02
"""Between two looks at what is being worked out because somebody asked for it."""

REST_AFTER_S = 1.0
"""Where nothing can change by itself and nothing has for so long, the beat rests until an event."""

BRIEFLY_S = 4.0
"""How long a message stays that only answers a key."""


class Beating(_Base):
    """Mixed into the screen.

    ``memory``  bytes that the program has in memory, where that is known
    ``banner``  what stands above the explanation; ``alarm``: it tells that something is wrong
    ``beats``   the timer that calls :meth:`beat`
    """

    app: App[Any]
    session: Session
    lesson: Lesson
    banner: str
    alarm: bool
    memory: int | None
    beats: Timer | None = None
    _restless: float = 0.0
    _looking_again: bool = False
    _seen: tuple[object, ...]
    _second: int
    _notes: int
    _failed: bool
    _catching_up: bool

    if TYPE_CHECKING:  # the screen, or another of its parts, has these

        def redraw(self) -> None:
            """Draw what changed."""
            raise NotImplementedError

        def redraw_if_changed(self) -> None:
            """Draw, if anything that is drawn is other than it was."""
            raise NotImplementedError

        def lay_out_anew(self) -> None:
            """Lay the screen out anew and draw it."""
            raise NotImplementedError

        def _moved(self, before: int) -> None:
            raise NotImplementedError

    @property
    def app_(self) -> TcpvizApp:
        """The application by its own type."""
        return cast("TcpvizApp", self.app)

    def beat(self) -> None:
        """Take what came, let time go on, and draw what changed. Called by one timer."""
        if not self.app.is_running:
            return  # the timer is the application's: it may ring while the widgets are taken away
        session = self.session
        self._take()
        second = int(session.clock())
        if second != self._second:
            self._second = second
            self.memory = resident_bytes()
            if self.memory is not None:
                self.memory += getattr(session.feed, "beside", 0)
            if session.live and not session.story and not session.pump.done:
                # A second's grace: what is in the queue is older than the clock.
                session.tick(time.time_ns() - 1_000_000_000)
        before = session.cursor.index
        if self.lesson.interrupts():
            self.redraw()
        elif session.advance():
            self._moved(before)
        self._look_at_feed()
        seen = self._seen
        self.redraw_if_changed()
        now = monotonic()
        if self._seen is not seen or not session.resting or self.lesson.on:
            self._restless = now
        elif self.beats is not None and now - self._restless > REST_AFTER_S:
            self.beats.pause()

    def look_again_soon(self) -> None:
        """What somebody asked for is shown once it is there, and not only at the next beat."""
        if self.session.working and not self._looking_again:
            self._looking_again = True
            self.set_timer(SOON_S, self._look_again)

    def _look_again(self) -> None:
        self._looking_again = False
        self.beat()
        self.look_again_soon()

    def wake(self) -> None:
        """Something has happened to the program: beat again, for a while at least."""
        self._restless = monotonic()
        if self.beats is not None:
            self.beats.resume()

    def _take(self) -> None:
        session = self.session
        before = session.cursor.index
        if session.pull(BUDGET_S) and session.mode is Mode.FOLLOWING:
            self._moved(before)
        if session.pump.waiting and not self._catching_up:
            self._catching_up = True
            self.set_timer(CATCH_UP_S, self._catch_up)

    def _catch_up(self) -> None:
        self._catching_up = False
        self._take()

    def _look_at_feed(self) -> None:
        notes = self.session.feed.status.notes
        if len(notes) > self._notes:
            self._notes = len(notes)
            self.say(notes[-1], alarm=not self.session.story)  # a scenario tells what it shows
        error = self.session.pump.error
        if error is None or self._failed:
            return
        self._failed = True
        if not isinstance(error, SourceError):
            raise error
        if len(self.session.timeline) or self.session.count:
            self.say(str(error))
            self.app_.trouble = error
        else:
            self.app_.give_up(error)

    def say(self, message: str, *, alarm: bool = True) -> None:
        """A line above the explanation, until Esc; ``alarm``: something is wrong."""
        self.banner, self.alarm = message, alarm
        self.lay_out_anew()

    def say_briefly(self, message: str) -> None:
        """The same for a few seconds: an answer to a key, nothing to be alarmed about."""
        self.say(message, alarm=False)
        self.set_timer(BRIEFLY_S, lambda: self._unsay(message))

    def _unsay(self, message: str) -> None:
        if self.banner == message:
            self.banner = ""
            self.lay_out_anew()
