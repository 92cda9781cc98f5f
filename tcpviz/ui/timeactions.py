"""The main screen's actions that move through time."""

from __future__ import annotations

from tcpviz.ui.session import Session


class TimeActions:
    """Mixed into the screen: each action moves the cursor and has the screen show it."""

    session: Session

    def stepped(self, before: int) -> None:
        """The cursor has been moved by hand; it stood at ``before``."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw what changed."""
        raise NotImplementedError

    def action_pause(self) -> None:
        session = self.session
        if session.ended and session.story:
            self.action_replay()
            return
        running = session.live and not (session.story and session.pump.done)
        session.playback.toggle(session.clock(), live=running)
        self.stepped(session.cursor.index)

    def action_step(self) -> None:
        before = self.session.cursor.index
        if not self.session.playback.step():
            self.session.reach(1)
        self.stepped(before)

    def action_back(self) -> None:
        before = self.session.cursor.index
        if not self.session.playback.back():
            self.session.reach(-1)
        self.stepped(before)

    def action_first(self) -> None:
        before = self.session.cursor.index
        if not self.session.reach(-1, end=True):
            self.session.playback.first()
        self.stepped(before)

    def action_end(self) -> None:
        before = self.session.cursor.index
        if not self.session.reach(1, end=True):
            self.session.playback.follow()
        self.stepped(before)

    def action_replay(self) -> None:
        self.session.playback.replay(self.session.clock())
        self.stepped(self.session.cursor.index)

    def action_faster(self) -> None:
        self.session.playback.hurry(True, self.session.clock())
        self.redraw()

    def action_slower(self) -> None:
        self.session.playback.hurry(False, self.session.clock())
        self.redraw()

    def go_to(self, index: int) -> None:
        """Stand at this step (a click on its row)."""
        before = self.session.cursor.index
        self.session.playback.seek(index)
        self.stepped(before)
