"""The main screen's actions of somebody in front of a class: pointing, hiding, large letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from textual import events

from tcpviz.ui.bars import Hint
from tcpviz.ui.blank import BlankScreen
from tcpviz.ui.keys import ACTIONS
from tcpviz.ui.lessonactions import LessonActions
from tcpviz.ui.lines import LinesView, Row
from tcpviz.ui.looks import Looks
from tcpviz.ui.parts import PANE_OF, Light, Part
from tcpviz.ui.plan import Pane
from tcpviz.views import large, roles
from tcpviz.views.spans import Line, Span, fit, line, text_width
from tcpviz.words import _

if TYPE_CHECKING:
    from textual.app import App

    from tcpviz.ui.chartpane import ChartPane
    from tcpviz.ui.lowerbars import LowerBars

NAMES: Final = {
    Part.LIST: "list",
    Part.DIAGRAM: "states",
    Part.CHART: "chart",
    Part.CALLS: "calls",
    Part.KERNEL: "kernel",
    Part.TIME: "time",
    Part.WORDS: "words",
    Part.STATUS: "status",
    Part.KEYS: "keys",
}
"""The parts as the bottom line names them while one chooses: short, to stand on 80 cells."""

LIGHTS: Final = {
    Light.ALL: "all rows are bright",
    Light.ROW: "only this row is bright (X: its phase)",
    Light.PHASE: "only this phase is bright (X: all rows)",
}

_NUMBERS: Final = {str(number): part for number, part in enumerate(Part, 1)}
_TAKEN: Final = frozenset("0123456789")
_DIGITS: Final = frozenset(action.name for action in ACTIONS if {*action.keys} & _TAKEN)
"""Actions whose keys hide and show while one chooses."""


class PresentingActions(LessonActions):
    """Mixed into the screen.

    ``hidden``    what is not shown now
    ``choosing``  the digits hide and show
    ``large``     both ends' states stand above everything in large letters
    """

    app: App[Any]
    active: Pane
    hidden: frozenset[Part]
    choosing: bool
    large: bool
    large_view: LinesView
    _chart: ChartPane
    _lower: LowerBars

    def make_presenting(self, looks: Looks, *, ascii_only: bool) -> None:
        """Nothing is hidden, nothing pointed at."""
        self.hidden, self.choosing, self.large = frozenset(), False, False
        self.large_view = LinesView(looks, id="large", ascii_only=ascii_only)

    def focus_pane(self, pane: Pane) -> None:
        """Go to a pane."""
        raise NotImplementedError

    # -- hiding ---------------------------------------------------------------

    @property
    def hidden_panes(self) -> frozenset[Pane]:
        return frozenset(PANE_OF[part] for part in self.hidden if part in PANE_OF)

    def action_hide(self) -> None:
        """Choose what stays; or it is chosen."""
        self.choosing = not self.choosing
        if self.choosing:
            self.say_briefly(_("1 to 9 hide and show; 0 shows all; Z when it is as you want it"))
        self.lay_out_anew()

    def action_part(self, name: str) -> None:
        """Hide this part, or show it again; an empty name shows all."""
        if not name:
            self._hide(frozenset())
            return
        part = Part[name]
        hidden = self.hidden ^ {part}
        left = set(Pane) - {PANE_OF[one] for one in hidden if one in PANE_OF}
        if self.session.whole:
            left -= {Pane.CHART}
        if not left:
            self.say_briefly(_("one pane stays"))
            return
        self._hide(hidden)

    def _hide(self, hidden: frozenset[Part]) -> None:
        self.hidden = hidden
        self._chart.without(hidden)
        shown = [pane for pane in Pane if pane not in self.hidden_panes]
        if self.active not in shown:
            self.focus_pane(shown[-1])
        self.lay_out_anew()

    def show_pane(self, pane: Pane) -> None:
        """Somebody goes to this pane: if it is hidden, it is not any more."""
        if pane in self.hidden_panes:
            self._hide(self.hidden - {part for part, one in PANE_OF.items() if one is pane})

    # -- pointing -------------------------------------------------------------

    def action_pointer(self) -> None:
        """Show it where the cursor is, or hide it."""
        if self._chart.pointing.on:
            self._chart.pointing.rest()
        else:
            self._point(0)
        self.redraw()

    def action_point_down(self) -> None:
        self._point(1)

    def action_point_up(self) -> None:
        self._point(-1)

    def _point(self, rows: int) -> None:
        if not self._chart.point_by(rows):
            self.say_briefly(_("there is nothing on the chart to point at"))
        self.redraw()

    def action_light(self) -> None:
        """What stays bright."""
        self.say_briefly(_(LIGHTS[self._chart.pointing.next_light()]))
        self.redraw()

    # -- for the back row -------------------------------------------------------

    def action_large(self) -> None:
        self.large = not self.large
        self.lay_out_anew()

    def large_rows(self, width: int, height: int) -> int:
        """Rows that the large letters take; 0: they are not shown."""
        if not self.large or self.session.whole or height < 16:
            return 0
        return large.rows_for(width, height, ascii_only=self.ascii_only)

    def draw_large(self, width: int, rows: int) -> None:
        """Both ends' states."""
        if not rows:
            return
        session = self.session
        step = session.standing
        known = session.tracker.connections.get(session.selected or 0)
        client, server = ("*", "#") if self.ascii_only else ("●", "◆")
        ends = []
        for name, sign, role in (
            ("client", client, roles.CLIENT),
            ("server", server, roles.SERVER),
        ):
            claim = None if step is None else getattr(step, name)
            place = "" if known is None else f"  {getattr(known, name).endpoint}"
            ends.append(large.End(f"{_(name)}{place}", sign, role, claim))
        made = large.lines(ends[0], ends[1], width, rows)
        self.large_view.show([Row(one) for one in made])

    def action_show_keys(self) -> None:
        """The keys just pressed, in the corner."""
        pressed = self.app.pressed  # type: ignore[attr-defined]
        pressed.turn()
        on = _("the keys that you press are shown above")
        self.say_briefly(on if pressed.on else _("keys are not shown any more"))

    def action_blank(self) -> None:
        """Nothing at all, until a key."""
        self.app.push_screen(BlankScreen())

    def action_behind(self) -> None:
        """A clicker's b: without a cable in step mode it empties the screen."""
        if self.session.acting and self.session.hand.stepping:
            super().action_behind()
        else:
            self.action_blank()

    # -- ways out ---------------------------------------------------------------

    def undo_choosing(self) -> bool:
        """Esc: the choosing is over, or the pointer and the light go; false: there were none."""
        pointing = self._chart.pointing
        if self.choosing:
            self.choosing = False
        elif pointing.on or pointing.light is not Light.ALL:
            pointing.rest()
            pointing.light = Light.ALL
        else:
            return False
        return True

    def undo_hiding(self) -> bool:
        """Esc: all is shown again; false: it was."""
        if not self.hidden:
            return False
        self._hide(frozenset())
        return True

    def takes_key(self, action: str) -> bool:
        return (self.choosing and action in _DIGITS) or super().takes_key(action)

    def on_key(self, event: events.Key) -> None:
        """While one chooses, the digits hide and show."""
        if not self.choosing or event.key not in _TAKEN:
            return
        event.stop()
        event.prevent_default()
        self.action_part("" if event.key == "0" else _NUMBERS[event.key].name)

    def key_line(self, cells: int) -> Line | None:
        """The bottom line: while one chooses, the parts."""
        self._lower.instead_hints = []
        if not self.choosing:
            return super().key_line(cells)
        spans: list[Span] = []
        at = 0
        entries = [(str(n), NAMES[part], f"part({part.name!r})") for n, part in enumerate(Part, 1)]
        entries += [("0", "all", "part('')"), ("Z", "", "hide")]
        for key, name, action in entries:
            gone = name in {NAMES[part] for part in self.hidden}
            text = f" {_(name, 'part')} " if name else " "
            spans += [
                Span(key, roles.KEY),
                Span(text, roles.DIM if gone else roles.TITLE),
            ]
            end = at + text_width(key) + text_width(text)
            self._lower.instead_hints.append(Hint(at, end, action))
            at = end
        return fit(line(*spans), cells)
