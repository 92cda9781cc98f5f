"""The main screen's actions that open a sheet: the segment, the graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcpviz.ui.timeactions import TimeActions

if TYPE_CHECKING:
    from textual.app import App

    from tcpviz.ui.looks import Looks
    from tcpviz.ui.sheet import SheetScreen


class InsightActions(TimeActions):
    """Mixed into the screen; each sheet lies over the panes and moves with the cursor."""

    app: App[Any]
    ascii_only: bool

    def say_briefly(self, message: str) -> None:
        """A line above the explanation that goes away by itself."""
        raise NotImplementedError

    def action_segment(self) -> None:
        """The segment at the cursor, field by field."""
        from tcpviz.ui.segment import SegmentScreen

        self._open(SegmentScreen)

    def action_graphs(self) -> None:
        """The connection over time."""
        from tcpviz.ui.graphs import GraphsScreen

        if self.session.selected is None:
            self.say_briefly("no connection is selected: choose one in the list")
            return
        self._open(GraphsScreen)

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
