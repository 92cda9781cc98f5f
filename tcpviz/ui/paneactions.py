"""The main screen's actions that go from pane to pane."""

from __future__ import annotations

from tcpviz.ui.plan import Pane
from tcpviz.ui.session import Session


class PaneActions:
    """Mixed into the screen, which lays the panes out.

    ``active``     the pane that was focused last
    ``maximised``  the pane that has the whole screen, if one has
    """

    session: Session
    active: Pane
    maximised: Pane | None

    def focus_pane(self, pane: Pane) -> None:
        """Go to a pane, bringing it to the front where panes take turns."""
        raise NotImplementedError

    def lay_out_anew(self) -> None:
        """Lay the screen out anew and draw it."""
        raise NotImplementedError

    def action_next_pane(self) -> None:
        self._turn(1)

    def action_previous_pane(self) -> None:
        self._turn(-1)

    def _turn(self, way: int) -> None:
        order = list(Pane)
        place = (order.index(self.active) + way) % len(order)
        # It may have had the focus when the dashboard took its place.
        if self.session.whole and order[place] is Pane.CHART:
            place = (place + way) % len(order)
        self.focus_pane(order[place])

    def action_pane_list(self) -> None:
        self.focus_pane(Pane.LIST)

    def action_pane_diagram(self) -> None:
        self.focus_pane(Pane.DIAGRAM)

    def action_pane_chart(self) -> None:
        self.focus_pane(Pane.CHART)

    def action_maximise(self) -> None:
        self.maximised = None if self.maximised is not None else self.active
        self.lay_out_anew()
