"""The main screen's actions on the display filter: typed, kept, cleared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.widgets import Input

from tcpviz.ui.plan import Pane, Plan

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

    from tcpviz.ui.panes import ConnectionPane
    from tcpviz.ui.session import Session

    _Base = Screen[None]
else:
    _Base = object


class FilterActions(_Base):
    """Mixed into the screen, which has the prompt (``#filter``) and the list's pane."""

    app: App[Any]
    session: Session
    active: Pane
    maximised: Pane | None
    plan: Plan
    _list: ConnectionPane

    if TYPE_CHECKING:  # the screen, or another of its parts, has these

        def redraw(self) -> None:
            """Draw what changed."""
            raise NotImplementedError

        def lay_out_anew(self) -> None:
            """Lay the screen out anew and draw it."""
            raise NotImplementedError

        def focus_pane(self, pane: Pane) -> None:
            """Go to a pane."""
            raise NotImplementedError

        def takes_key(self, action: str) -> bool:
            """A question is open, and this action's key is one of its answers."""
            raise NotImplementedError

    @property
    def _filtering(self) -> bool:
        """The filter is being typed."""
        focused = self.focused  # by its name: it is asked before and after there are widgets
        return focused is not None and focused.id == "filter"

    @property
    def _entry(self) -> Input:
        return self.query_one("#filter", Input)

    def action_filter(self) -> None:
        """Type a filter; what is there is there to be changed."""
        if self.plan.too_small:
            return
        if Pane.LIST not in self.plan.panes:
            self.maximised = None
            self.active = Pane.LIST
        self.session.sifter.expect(self.session.visible())
        self._entry.display = True
        self._entry.value = self._list.filter
        self._entry.cursor_position = len(self._entry.value)
        self.set_focus(self._entry, scroll_visible=False)
        self.lay_out_anew()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Something was typed."""
        if event.input.id != "filter":
            return
        # What stands there now, not what stood there when the message was sent: a late
        # message that wrote its own text back would chase the next one for ever.
        self._list.filter = self._entry.value
        self.redraw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter: the filter stays, the list has the keys; not while it cannot be read.

        Else what is wrong would be gone from the screen, and what is shown be taken for its answer.
        """
        if event.input.id == "filter" and self.session.sifter.error is None:
            self.focus_pane(Pane.LIST)

    def _clear_filter(self) -> None:
        self._list.filter = self._entry.value = ""
        self.redraw()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """While the filter is being typed, keys are its own but for the ways out of it."""
        if self._filtering:
            return action in {"escape", "up", "down", "help"}  # Tab completes
        return not self.takes_key(action)
