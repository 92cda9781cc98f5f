"""The prompt that asks where to go in the chart: a line to type a frame, a time or a share in."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input

from tcpviz.ui.lines import LinesView, Row
from tcpviz.ui.looks import Looks
from tcpviz.views import going, roles
from tcpviz.views.spans import Line, Span, clean, fit, line
from tcpviz.words import _


class GoScreen(ModalScreen[going.Place | None]):
    """Asks where to go; gives the place, or nothing where somebody has thought better of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", show=False, priority=True),
    ]
    CSS = """
    GoScreen { align: left bottom; background: transparent; overflow: hidden; }
    #go_words { width: 1fr; height: 1; }
    #go { height: 1; width: 1fr; border: none; padding: 0 1; background: $surface; }
    """

    def __init__(self, looks: Looks, *, ascii_only: bool = False) -> None:
        super().__init__()
        self.ascii_only = ascii_only
        self._words = LinesView(looks, id="go_words", ascii_only=ascii_only)
        self._entry = Input(placeholder="1234, 1.5s, 14:03:21, 50% ...", id="go")
        self._entry.compact = True

    def compose(self) -> ComposeResult:
        yield self._words
        yield self._entry

    def on_mount(self) -> None:
        self._entry.focus()
        self._say("")

    def on_resize(self) -> None:
        self._say("")

    def _say(self, wrong: str) -> None:
        if wrong:
            told: Line = line(Span(f" {clean(wrong, self.ascii_only)}", roles.MARK_BAD))
        else:
            said = _("a frame's number, a time since its first segment or of the day, a share")
            told = line(Span(f" {_('Go to')} ", roles.TITLE), Span(said, roles.DIM))
        self._words.show([Row(fit(told, self.app.size.width))])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter."""
        if not event.value.strip():
            self.action_close()
            return
        try:
            place = going.place(event.value)
        except ValueError as error:
            self._say(str(error))
        else:
            self.dismiss(place)

    def action_close(self) -> None:
        if self.app.screen is self:
            self.dismiss(None)
