"""The main screen's actions that open a sheet: the segment, the graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tcpviz.ui.timeactions import TimeActions

if TYPE_CHECKING:
    from textual.app import App


class InsightActions(TimeActions):
    """Mixed into the screen; each sheet lies over the panes and moves with the cursor."""

    app: App[Any]
    ascii_only: bool

    def say_briefly(self, message: str) -> None:
        """A line above the explanation that goes away by itself."""
        raise NotImplementedError

    def action_graphs(self) -> None:
        """The connection over time."""
        from tcpviz.ui.graphs import GraphsScreen

        if self.session.selected is None:
            self.say_briefly("no connection is selected: choose one in the list")
            return
        self.app.push_screen(GraphsScreen(self.app.looks, ascii_only=self.ascii_only))  # type: ignore[attr-defined]
