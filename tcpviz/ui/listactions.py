"""The main screen's actions on the list: its order, and ways through a long one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tcpviz.ui.plan import Pane
from tcpviz.ui.timeactions import TimeActions
from tcpviz.views import table
from tcpviz.words import _

if TYPE_CHECKING:
    from tcpviz.ui.panes import ConnectionPane


class ListActions(TimeActions):
    """Mixed into the screen before whatever else has these actions.

    Where connections are counted in a table there is no timeline of all of them: with the list
    focused, the keys that otherwise go through time by leaps go through the list.
    """

    active: Pane
    _list: ConnectionPane

    if TYPE_CHECKING:  # the screen, or another of its parts, has these

        def say_briefly(self, message: str) -> None:
            """A line above the explanation that goes away by itself."""

    @property
    def _listing(self) -> bool:
        session = self.session
        return self.active is Pane.LIST and session.counted is not None and not session.live

    def action_first(self) -> None:
        if not self._listing:
            super().action_first()
        else:
            self._list.go(0)
            self.redraw()

    def action_end(self) -> None:
        if not self._listing:
            super().action_end()
        else:
            self._list.go(-1)
            self.redraw()

    def action_advance(self) -> None:
        """A page of the list, or a clicker's forward key."""
        if not self._listing:
            cast("Any", super()).action_advance()
        else:
            self._list.turn_page(1)
            self.redraw()

    def action_retreat(self) -> None:
        """A page of the list, or a clicker's key back."""
        if not self._listing:
            self.action_back()
        else:
            self._list.turn_page(-1)
            self.redraw()

    def on_connection_pane_sorted(self, event: ConnectionPane.Sorted) -> None:
        """A heading was clicked."""
        self.sort_by(event.column)

    def action_sort(self) -> None:
        """By the next column that there is."""
        shown = [each.name for each, _size in self._list.columns()]
        if not shown:  # the list is not on the screen
            return
        column, _reverse = self.session.order
        place = shown.index(column) if column in shown else -1
        self.sort_by(shown[(place + 1) % len(shown)])

    def action_sort_back(self) -> None:
        """The other way round."""
        self.sort_by(self.session.order[0])

    def sort_by(self, column: str) -> None:
        """The list by a column; by the one that it is sorted by: the other way round."""
        before, reverse = self.session.order
        self.session.order = (column, column == before and not reverse)
        title = next(each.title for each in table.COLUMNS if each.name == column)
        said = (
            _("the list by {column}")
            if not self.session.order[1]
            else _("the list by {column}, the other way round")
        )
        self.say_briefly(said.format(column=_(title, "column")))
        self.redraw()
