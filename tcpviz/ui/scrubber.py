"""The scrubber under the panes: drawn of the session, pressed and dragged by the mouse."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from time import monotonic

from textual import events
from textual.message import Message

from tcpviz.ui import bookmarks
from tcpviz.ui.lines import LinesView, Row
from tcpviz.ui.looks import Looks
from tcpviz.ui.playback import Mode
from tcpviz.ui.session import Session
from tcpviz.views import roles, scrubber
from tcpviz.views.ladder_index import ChartIndex
from tcpviz.views.numbers import count, seconds
from tcpviz.views.spans import Span, fit_text, line
from tcpviz.words import _

TICKS = 240
"""Shares of the timeline that are looked at for marks; the line shows as many as it has cells."""

ROOM = 20
"""From so many rows on the screen has a scrubber."""


FOLLOWING_S = 0.5
"""How often it changes at most while segments keep coming and are followed."""


class ScrubberView(LinesView):
    """All the time there is, and the cursor in it."""

    class Sought(Message):
        """Somebody has pressed the track: go to this step."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    class Pressed(Message):
        """Somebody has pressed a sign that stands for an action."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, looks: Looks, *, ascii_only: bool) -> None:
        super().__init__(looks, id="scrubber", ascii_only=ascii_only)
        self._made: scrubber.Scrubber | None = None
        self._drawn_at, self._width = 0.0, 0
        self._steps: Sequence[int] = ()
        self._ticks: tuple[object, list[scrubber.Tick]] = (None, [])

    def draw(self, session: Session, index: ChartIndex | None) -> None:
        """Show the session's time; ``index``: of the one connection that is stepped through.

        While segments keep coming and are followed, twice a second: each of them moves it all.
        """
        now = monotonic()
        rushes = session.mode is Mode.FOLLOWING and not session.pump.done
        fresh = now - self._drawn_at < FOLLOWING_S and self._width == self.size.width
        if rushes and fresh and self._made is not None:
            return
        self._drawn_at, self._width = now, self.size.width
        timeline, digest = session.timeline, session.digest
        if index is not None and len(index):
            self._steps, columns = index.steps, index
            total = len(index.steps)
        else:
            self._steps = range(digest.first, len(digest))
            columns, total = digest, len(self._steps)  # type: ignore[assignment]
        if not total and session.count:  # a large file's list: each connection has its own time
            self._made = None
            said = _("no connection is open: Enter opens one, and its time stands here")
            self.show([Row(line(Span(fit_text(f" {said}", self.size.width), roles.DIM)))])
            return
        at = bisect.bisect_right(self._steps, session.cursor.index) - 1
        key = (id(columns), total, timeline.dropped)
        if self._ticks[0] != key:
            self._ticks = (key, scrubber.ticks(columns, total, TICKS))
        marks = [
            scrubber.Tick(place, "M", roles.KEY) for place in bookmarks.places(session, self._steps)
        ]
        first = (
            timeline[self._steps[0]].time_ns if total and self._steps[0] >= timeline.first else 0
        )
        last = timeline[self._steps[-1]].time_ns if total else 0
        here = (
            timeline[self._steps[at]].time_ns
            if at >= 0 and self._steps[at] >= timeline.first
            else first
        )
        behind = session.remaining if session.live and session.mode is Mode.PAUSED else 0
        following = session.playback.next_in()
        speed = "" if session.mode is Mode.FOLLOWING else str(session.playback.pace)
        if following is not None and following >= 1:
            speed += _(", next in {n} s").format(n=f"{following:.0f}")
        plain = self.ascii_only
        signs = {Mode.PLAYING: "▶>", Mode.PAUSED: "‖=", Mode.FOLLOWING: "●*"}
        made = scrubber.scrubber(
            [*marks, *self._ticks[1]],
            total,
            at,
            self.size.width,
            sign=signs[session.mode][1 if plain else 0],
            now=f"{seconds(here - first, 9)} s",
            end=f"{seconds(last - first, 9)} s",
            speed=speed,
            since=_("+{n} since: End").format(n=count(behind)) if behind else "",
            hide_future=session.hides_future,
            ascii_only=plain,
        )
        self._made = made
        self.show([Row(made.line)])

    # -- the mouse ----------------------------------------------------------

    def on_mouse_down(self, event: events.MouseDown) -> None:
        event.stop()
        made = self._made
        if made is None:
            return
        for spot in made.spots:
            if spot.start <= event.x < spot.end:
                self.post_message(self.Pressed(spot.action))
                return
        if made.track_at <= event.x < made.track_at + made.track:
            self.capture_mouse()
            self._seek(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self.app.mouse_captured is self:
            event.stop()
            self._seek(event.x)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self.app.mouse_captured is self:
            event.stop()
            self.release_mouse()

    def _seek(self, column: int) -> None:
        made = self._made
        if made is None or not made.count:
            return
        place = made.place_at(column)
        if place < len(self._steps):
            first = self._steps[0] - 1
            self.post_message(self.Sought(first if place < 0 else self._steps[place]))
