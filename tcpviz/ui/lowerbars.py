"""The rows under the panes and the line between them: the widgets, and what is put into them."""

from __future__ import annotations

from collections.abc import Callable

from rich.cells import chop_cells

from tcpviz.ui import bars, keys
from tcpviz.ui.lines import LinesView, Row
from tcpviz.ui.looks import BAR_ALARM, BAR_STRONG, RULE, Looks
from tcpviz.ui.plan import MIN_HEIGHT, MIN_WIDTH, Pane, Plan
from tcpviz.ui.playback import Mode
from tcpviz.ui.scrubber import ScrubberView
from tcpviz.ui.session import Session
from tcpviz.ui.words import explanation, wrap
from tcpviz.views.ladder_index import ChartIndex
from tcpviz.views.progress import bar
from tcpviz.views.spans import Line, Span, clean, fit, fit_text, line
from tcpviz.words import _, language

NAMES = ("divider", "banner", "hand", "explain", "status", "keys", "small")


class LowerBars:
    """Draws banner, hand, explanation, status and key hints of ``session``.

    ``views``  the widgets by name; whoever owns the screen places them
    ``track``  the one connection that is stepped through, if it is one, for the scrubber
    ``instead`` what the bottom line says in place of the hints, if it gives a line
    ``hints``  where each key's name stands in the bottom line
    """

    def __init__(self, session: Session, looks: Looks, *, ascii_only: bool) -> None:
        self._session = session
        self._ascii = ascii_only
        self.hints: list[bars.Hint] = []
        self.instead: Callable[[int], Line | None] = lambda _cells: None
        self.instead_hints: list[bars.Hint] = []
        self._hinted: object = None
        self._hints: tuple[Line, list[bars.Hint]] = ((), [])
        self.views = {name: LinesView(looks, id=name, ascii_only=ascii_only) for name in NAMES}
        self.track: Callable[[], ChartIndex | None] = lambda: None
        self.scrubber = self.views["scrubber"] = ScrubberView(looks, ascii_only=ascii_only)

    def begin(self, session: Session) -> None:
        """Tell of another session from now on."""
        self._session = session

    @property
    def hand_shown(self) -> bool:
        """There is a cable, and it is in the person's hand."""
        return self._session.acting and self._session.hand.control is not None

    def ticking(self, *, fast: bool) -> tuple[object, ...]:
        """What moves on the screen of a running lab while nothing happens; ``fast``: arrows."""
        session = self._session
        if not session.acting or session.pump.done:
            return ()
        hand = session.hand
        return (hand.held, hand.delay_ms, int(session.clock() * (20 if fast else 2)))

    def draw_small(self, width: int) -> None:
        """Only that there is no room."""
        text = _("terminal too small: {size} needed").format(size=f"{MIN_WIDTH}x{MIN_HEIGHT}")
        words = chop_cells(text, max(width, 2))
        self.views["small"].show([Row(line(part)) for part in words])

    def draw(
        self,
        plan: Plan,
        *,
        banner: str,
        alarm: bool,
        wrong: Line | None,
        memory: int | None,
        focused: Pane | None,
        active: Pane,
    ) -> None:
        """Everything.

        ``alarm``  the banner tells that something is wrong; ``wrong``: what stands instead of
        the explanation, if anything
        """
        session, views, width = self._session, self.views, plan.width
        stroke = "|" if self._ascii else "│"
        views["divider"].show([Row((Span(stroke, RULE),))] * plan.height)
        if banner:
            dots, leave = "..." if self._ascii else "…", "  (Esc)"
            said = fit_text(clean(banner, self._ascii), width - len(leave) - 1, dots)
            role = BAR_ALARM if alarm else BAR_STRONG
            views["banner"].show([Row(fit((Span(f" {said}{leave}", role),), width, role))])
        if self.hand_shown:
            if session.at_latest:
                hand = session.hand.line(
                    session.timeline, width, at_end=True, ascii_only=self._ascii
                )
            else:
                hand = session.hand.line(
                    session.timeline,
                    width,
                    at_end=False,
                    ascii_only=self._ascii,
                    secret=session.guessing,
                )
            views["hand"].show([Row(fit(hand, width))])
        progress = session.progress
        if self.scrubber.display and progress is not None and not session.chosen:
            self.scrubber.show([Row(bar(progress, width, ascii_only=self._ascii))])
        elif self.scrubber.display:
            self.scrubber.draw(session, self.track())
        told = wrong or explanation(session, ascii_only=self._ascii)
        # There Enter tells in full what is said here.
        more = "Enter" if focused is Pane.CHART and not wrong else ""
        rows = wrap(told, max(width - 2, 1), plan.explain, "" if session.whole else more)
        views["explain"].show([Row(line(" ", *one)) for one in rows])
        status = bars.status(session, width, memory, ascii_only=self._ascii)
        views["status"].show([Row(status)])
        actions = keys.hinted(
            focused,
            holding=session.acting and session.hand.chosen is not None,
            acting=self.hand_shown,
            lab=session.story and hasattr(session.feed, "control"),
        )
        other = self.instead(width)
        if other is not None:
            self.hints = self.instead_hints
            views["keys"].show([Row(other)])
            return
        words = self._words(active)
        asked = (actions, width, words, language())
        if asked != self._hinted:  # what can be done changes far less often than all else
            self._hinted = asked
            self._hints = bars.hints(actions, width, words, ascii_only=self._ascii)
        shown, self.hints = self._hints
        views["keys"].show([Row(shown)])

    def _words(self, active: Pane) -> dict[str, str]:
        """What the hints say of keys that mean different things at different times."""
        session = self._session
        enter = "open" if active is Pane.LIST else "list" if session.whole else "more"
        whole = "one" if session.whole else "all"  # of the connections
        if session.ended and session.story:
            return {"pause": "replay", "end": "", "enter": enter, "host": whole}
        words = {"enter": enter, "host": whole}
        hand = session.hand
        if hand.stepping and session.acting:
            words["step_mode"] = "all go"
            words["pause"] = "let go" if session.cursor.following else "back to it"
            if session.taught:
                words["pause"] = "go on"
            words["next_held"] = "another" if len(hand.held) > 1 else ""
            if hand.chosen is None:
                words["pause"] = ""
        else:
            paused = session.mode is Mode.PAUSED
            words["pause"] = (
                "play" if paused and not session.live else "go on" if paused else "pause"
            )
            if session.mode is Mode.FOLLOWING and session.pump.done:
                words["pause"] = ""
        if session.taught and session.mode is Mode.PAUSED:
            words["pause"] = "go on"
        end = "" if session.mode is Mode.FOLLOWING else "last" if session.pump.done else "follow"
        words["end"] = end
        return words


def display(widget: object, shown: bool) -> None:
    """Set it only if it is other: each setting is a new layout."""
    if widget.display != shown:  # type: ignore[attr-defined]
        widget.display = shown  # type: ignore[attr-defined]


def size_to(widget: object, width: int, height: int) -> None:
    """The same for a size in cells."""
    styles = widget.styles  # type: ignore[attr-defined]
    if styles.width is None or styles.width.value != width or styles.width.is_fraction:
        styles.width = width
    if styles.height is None or styles.height.value != height or styles.height.is_fraction:
        styles.height = height
