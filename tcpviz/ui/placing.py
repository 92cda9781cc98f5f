"""Where the main screen's widgets stand: the plan put into effect, and only what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.geometry import Size

from tcpviz.ui.lowerbars import LowerBars, display, size_to
from tcpviz.ui.parts import Part
from tcpviz.ui.plan import Lines, Pane, Plan, plan
from tcpviz.ui.scrubber import ROOM as SCRUBBER_ROOM

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen
    from textual.widgets import Input

    from tcpviz.ui.lines import LinesView
    from tcpviz.ui.panes import PaneView
    from tcpviz.ui.session import Session

    _Base = Screen[None]
else:
    _Base = object


class Placing(_Base):
    """Mixed into the screen, which owns the widgets.

    ``active``     the pane that was focused last; shown where only one can be
    ``maximised``  the pane that has the whole screen, if one has
    ``plan``       what was placed last
    ``banner``     what stands above the explanation
    """

    app: App[Any]
    session: Session
    views: dict[Pane, PaneView]
    active: Pane
    maximised: Pane | None
    plan: Plan
    banner: str
    panel_view: LinesView
    large_view: LinesView
    hidden: frozenset[Part]
    choosing: bool
    _bars: dict[str, LinesView]
    _lower: LowerBars
    _handed: bool
    _planned_for: int | None

    if TYPE_CHECKING:  # the screen, or another of its parts, has these

        def panel_rows(self, height: int) -> int:
            """How many rows the lesson's panel wants on a screen of ``height``."""
            raise NotImplementedError

        def large_rows(self, width: int, height: int) -> int:
            """How many rows the large letters want."""
            raise NotImplementedError

        @property
        def hidden_panes(self) -> frozenset[Pane]:
            """The panes that nobody wants to see now."""
            raise NotImplementedError

        def redraw(self) -> None:
            """Draw what changed."""
            raise NotImplementedError

        @property
        def _entry(self) -> Input:
            raise NotImplementedError

        @property
        def _filtering(self) -> bool:
            raise NotImplementedError

    def _lay_out(self, size: Size) -> None:
        """Give every widget its size, and draw."""
        self._place(size)
        self.redraw()

    def lay_out_anew(self) -> None:
        """The same at the size that the terminal has."""
        self._lay_out(self.app.size)

    def _place(self, size: Size) -> None:
        """Give every widget its size; changes nothing where nothing changed."""
        self._handed = self._lower.hand_shown
        taught = self.panel_rows(size.height)
        scrubbed = size.height >= SCRUBBER_ROOM and Part.TIME not in self.hidden
        big = self.large_rows(size.width, size.height)
        more = bool(self.banner) + self._handed + taught + scrubbed + big
        lines = Lines(
            Part.WORDS not in self.hidden,
            Part.STATUS not in self.hidden,
            self.choosing or Part.KEYS not in self.hidden,
        )
        active, host = self.active, self.session.whole
        made = plan(
            size.width, size.height, active, self.maximised, more, self._wanted, host,
            self.hidden_panes, lines,
        )  # fmt: skip
        self.plan = made
        self._planned_for = self._wanted
        for pane, view in self.views.items():
            shown = pane in made.panes
            view.tabs = made.tabs
            view.maximised = self.maximised is pane
            display(view, shown)
            if shown:
                width, height = made.panes[pane]
                size_to(view, width, height)
        lower = self.query_one("#lower")
        halves = [made.panes[p] for p in (Pane.DIAGRAM, Pane.CHART) if p in made.panes]
        beside = made.beside and len(halves) == 2
        display(lower, bool(halves))
        if halves:
            lower.styles.layout = "horizontal" if beside else "vertical"
            tall = max(h for _, h in halves) if beside else sum(h for _, h in halves)
            size_to(lower, size.width, tall)
        display(self._bars["divider"], beside)
        display(self._bars["small"], made.too_small)
        display(self._bars["banner"], bool(self.banner) and not made.too_small)
        display(self._bars["scrubber"], scrubbed and not made.too_small)
        display(self._bars["hand"], self._handed and not made.too_small)
        display(self.panel_view, taught > 0 and not made.too_small)
        self.panel_view.styles.height = max(taught, 1)
        display(self._bars["explain"], made.explain > 0)
        self._bars["explain"].styles.height = max(made.explain, 1)
        display(self._bars["status"], made.status > 0 and not made.too_small)
        display(self.large_view, big > 0 and not made.too_small)
        self.large_view.styles.height = max(big, 1)
        filtering = self._filtering
        display(self._entry, filtering and not made.too_small)
        display(self._bars["keys"], made.keys > 0 and not filtering)
        if made.too_small and filtering:
            self.set_focus(None)

    @property
    def _wanted(self) -> int | None:
        """How many rows the list needs, where that will not change under the reader's eyes."""
        if self.session.story or self.session.pump.done:
            return max(self.session.count, 1)
        return None
