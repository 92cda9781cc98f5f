"""The main screen's actions that look closer, or at all: sheets, texts, the dashboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tcpviz.ui.diagrampane import DiagramPane
from tcpviz.ui.page import PageScreen, clean_lines
from tcpviz.ui.panes import PaneView
from tcpviz.ui.plan import Pane
from tcpviz.ui.savingactions import SavingActions
from tcpviz.views import listeners
from tcpviz.words import _

if TYPE_CHECKING:
    from textual.app import App

    from tcpviz.ui.looks import Looks
    from tcpviz.ui.screen import MainScreen
    from tcpviz.ui.sheet import SheetScreen


class InsightActions(SavingActions):
    """Mixed into the screen; each sheet lies over the panes and moves with the cursor."""

    app: App[Any]
    ascii_only: bool
    maximised: Pane | None
    views: dict[Pane, PaneView]

    def say_briefly(self, message: str) -> None:
        """A line above the explanation that goes away by itself."""
        raise NotImplementedError

    def lay_out_anew(self) -> None:
        """Lay the screen out anew and draw it."""
        raise NotImplementedError

    def focus_pane(self, pane: Pane) -> None:
        """Go to a pane."""
        raise NotImplementedError

    # -- all connections ------------------------------------------------------

    def action_host(self) -> None:
        """All connections by state; again: one of them."""
        self.session.overlook(not self.session.whole)
        if self.session.whole:
            self.maximised = None
            self.focus_pane(Pane.DIAGRAM)
        self.lay_out_anew()

    def unchoose(self) -> None:
        """Back from one connection to all of them; in a story, to the one at the cursor."""
        session = self.session
        if session.story or len(session.visible()) < 2:
            session.select(session.selected, chosen=False)
        else:
            session.overlook()

    def action_listeners(self) -> None:
        """Who listens on the watched host, how full their queues are."""
        app: Any = self.app
        asked = self.session.reading
        text = listeners.text(self.session.tracker.host, None if asked is None else asked.reading)
        title = _("Listeners and their queues")
        self.app.push_screen(PageScreen(app.looks, title, text, ascii_only=self.ascii_only))

    def action_explain(self) -> None:
        """What is selected on the diagram, or the states that the ends are in."""
        diagram = self.views[Pane.DIAGRAM]
        told = diagram.explain() if isinstance(diagram, DiagramPane) else None
        if told is None:
            self.say_briefly(_("choose a state first: Up and Down in the diagram"))
        else:
            diagram.post_message(told)

    def on_diagram_pane_listed(self, event: DiagramPane.Listed) -> None:
        """The connections in a state: the list's filter."""
        sought = f"state:{str(event.state).lower()}" if event.state else "certainty:unknown"
        self.session.sifter.type(sought)
        self.focus_pane(Pane.LIST)

    # -- what panes tell -------------------------------------------------------

    def on_pane_view_picked(self, event: PaneView.Picked) -> None:
        """Something was clicked."""
        if event.step is not None:
            self.go_to(event.step)
        self.redraw()

    def on_pane_view_titled(self, event: PaneView.Titled) -> None:
        """A pane's name was clicked."""
        if event.whole:
            self.maximised = None if self.maximised is not None else event.pane
            self.lay_out_anew()
        else:
            self.focus_pane(event.pane)

    def on_pane_view_asked(self, event: PaneView.Asked) -> None:
        """Somebody wants to know more."""
        text = clean_lines(event.text, ascii_only=self.ascii_only)
        looks: Looks = self.app.looks  # type: ignore[attr-defined]
        page = PageScreen(looks, event.title, text, ascii_only=self.ascii_only)
        self.app.push_screen(page)

    def on_pane_view_closer(self) -> None:
        """A closer look at the segment."""
        self.action_segment()

    # -- sheets ---------------------------------------------------------------

    def action_segment(self) -> None:
        """The segment at the cursor, field by field."""
        from tcpviz.ui.segment import SegmentScreen

        self._open(SegmentScreen)

    def action_graphs(self) -> None:
        """The connection over time."""
        from tcpviz.ui.graphs import GraphsScreen

        if self.session.selected is None:
            self.say_briefly(_("no connection is selected: choose one in the list"))
            return
        self._open(GraphsScreen)

    def action_troubles(self) -> None:
        """What goes wrong among all connections."""
        from tcpviz.ui.troubles import TroublesScreen

        self._open(TroublesScreen)

    def begin_lookout(self) -> None:
        """A capture of this host opens on the troubles that it has."""
        if not self.session.live or not hasattr(self.session.feed, "interfaces"):
            return
        from tcpviz.ui.lookout import BEAT_S, Lookout
        from tcpviz.ui.troubles import Judge, TroublesScreen

        def show(judge: Judge) -> None:
            looks: Looks = self.app.looks  # type: ignore[attr-defined]
            sheet = TroublesScreen(looks, ascii_only=self.ascii_only, judge=judge)
            self.app.push_screen(sheet)

        lookout = Lookout(cast("MainScreen", self), show)
        self.app.set_interval(BEAT_S, lookout.beat)

    def action_export(self) -> None:
        """The connection as a file, or copied."""
        from tcpviz.ui.exporting import ExportScreen

        if self.session.selected is None:
            self.say_briefly(_("no connection is selected: choose one in the list"))
            return
        self._open(ExportScreen)

    def _open(self, kind: type[SheetScreen]) -> None:
        """Lay a sheet over what is there; one that lies below comes to the top instead."""
        stack = self.app.screen_stack
        while len(stack) > 1 and any(isinstance(one, kind) for one in stack):
            if isinstance(self.app.screen, kind):
                return
            self.app.pop_screen()
            stack = self.app.screen_stack
        looks: Looks = self.app.looks  # type: ignore[attr-defined]
        self.app.push_screen(kind(looks, ascii_only=self.ascii_only))
