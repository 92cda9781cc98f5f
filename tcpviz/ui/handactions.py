"""The main screen's actions on the cable and on the segment in hand."""

from __future__ import annotations

from tcpviz.ui.playback import Mode
from tcpviz.ui.timeactions import TimeActions
from tcpviz.words import _


class HandActions(TimeActions):
    """Mixed into the screen. Where there is no lab, each says how to get one."""

    def say_briefly(self, message: str) -> None:
        """A line above the explanation that goes away by itself."""
        raise NotImplementedError

    def begin_again(self, *, step: bool) -> str | None:
        """Run the scenario anew, live; returns why that cannot be, or ``None``."""
        raise NotImplementedError

    def lay_out_anew(self) -> None:
        """Lay the screen out anew and draw it."""
        raise NotImplementedError

    # -- letting go ---------------------------------------------------------

    def action_pause(self) -> None:
        """Space: in step mode it lets the segment go, or returns to it from the past."""
        if not self.session.hand.stepping:
            super().action_pause()
        elif self.session.cursor.following:
            self._let_go()
        else:
            self.action_end()

    def action_advance(self) -> None:
        """A clicker's forward key: through what has been, then it lets the segment go."""
        session = self.session
        if not session.hand.stepping or session.remaining:
            self.action_step()
        elif not session.cursor.following:
            self.action_end()
        else:
            self._let_go()

    def action_step(self) -> None:
        super().action_step()
        session = self.session
        if session.acting and session.mode is Mode.PAUSED and not session.remaining:
            self.action_end()  # it happens now: at the end, what comes is followed again

    def _let_go(self) -> None:
        if not self.session.hand.let_go():
            self.say_briefly(_("nothing is in your hand now"))
        self.redraw()

    # -- what else can be done to it ----------------------------------------

    def action_drop(self) -> None:
        self._order("drop")

    def action_duplicate(self) -> None:
        self._order("duplicate")

    def action_behind(self) -> None:
        self._order("behind_next")

    def action_corrupt(self) -> None:
        self._order("corrupt")

    def action_delay(self) -> None:
        if not self.session.hand.more_delay():
            self._nothing()
        self.redraw()

    def action_next_held(self) -> None:
        if not self.session.hand.choose_next():
            self.say_briefly(_("no other segment is in your hand"))
        self.redraw()

    def _order(self, what: str) -> None:
        if not self.session.hand.order(what):
            self._nothing()
        self.redraw()

    def _nothing(self) -> None:
        hand = self.session.hand
        if hand.stepping:
            self.say_briefly(_("nothing is in your hand now"))
        elif hand.control is not None and self.session.acting:
            self.say_briefly(_("nothing is in your hand: s takes each segment there"))
        else:
            self.say_briefly(_("this is for a running demo on the cable: tcpviz demo --step"))

    # -- the cable ----------------------------------------------------------

    def action_step_mode(self) -> None:
        """Take each segment into the hand, or let all go; what is over is run again."""
        session = self.session
        control = session.hand.control
        if control is None:
            why = self.begin_again(step=True)
            if why:
                self.say_briefly(why)
            return
        control.step_mode = not control.step_mode
        if not session.acting:
            session.act()
        self.action_end()
        self.lay_out_anew()

    def action_again(self) -> None:
        """Run the scenario once more."""
        control = self.session.hand.control
        stepping = self.session.stepped if control is None else control.step_mode
        why = self.begin_again(step=stepping)
        if why:
            self.say_briefly(why)

    def action_longer_way(self) -> None:
        self._way(longer=True)

    def action_shorter_way(self) -> None:
        self._way(longer=False)

    def _way(self, *, longer: bool) -> None:
        if not self.session.acting or self.session.hand.change_way(longer) is None:
            self.say_briefly(_("this is for a running demo on the cable: tcpviz demo --delay 500"))
        self.redraw()
