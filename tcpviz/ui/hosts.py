"""The sheet with several connections on one chart; moves with the cursor."""

from __future__ import annotations

import bisect
from typing import ClassVar

from textual import events
from textual.binding import BindingType

from tcpviz.core.connection import Connection
from tcpviz.ui.action import Action
from tcpviz.ui.looks import GONE, Looks
from tcpviz.ui.sheet import CLOSING, SCROLLING, SHARED, SheetScreen, bindings
from tcpviz.views import roles
from tcpviz.views.hosts_chart import MOST, HostsChart
from tcpviz.views.ladder_labels import Notation
from tcpviz.views.spans import Line, Span, line
from tcpviz.words import _

WHEEL = 3


class HostsScreen(SheetScreen):
    """The connections that were marked, or all of one client's: hosts are the columns.

    ``clients``  all of the selected connection's client, instead of those marked
    """

    actions: ClassVar[tuple[Action, ...]] = (
        *SHARED,
        *SCROLLING,
        Action(
            "others",
            ("H",),
            "H",
            "Marked or the client's",
            "Those marked in the list, or all of the selected connection's client",
            "which",
        ),
        Action(
            "numbers", ("a",), "a", "Notation", "Sequence numbers relative or absolute", "numbers"
        ),
        Action(
            "fold",
            ("f",),
            "f",
            "Fold or open the data",
            "Long runs of data in one line each",
            "fold",
        ),
        Action("calls", ("c",), "c", "Socket calls", "With the socket calls, or without", "calls"),
        *CLOSING,
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings(actions)
    about = (
        "Several connections on one chart. Each column is a host, each connection has a letter "
        "and a colour. Mark connections with m in the list, or see all of one client's."
    )

    def __init__(self, looks: Looks, *, ascii_only: bool) -> None:
        super().__init__(looks, ascii_only=ascii_only)
        self.clients = False
        self._chart: HostsChart | None = None
        self._scrolled = 0
        self._top = 0
        self._places: list[int] = []

    def connections(self) -> list[Connection]:
        """Which ones there are to be shown now."""
        session = self.session
        known = session.tracker.connections
        marked = [known[one] for one in session.marked if one in known]
        if len(marked) > 1 and not self.clients:
            return marked[:MOST]
        selected = known.get(session.selected or 0)
        if selected is None:
            return marked[:MOST]
        address = selected.client.endpoint.addr
        same = [one for one in known.values() if one.client.endpoint.addr == address]
        place = next((n for n, one in enumerate(same) if one is selected), 0)
        first = max(min(place - MOST // 2, len(same) - MOST), 0)
        return same[first : first + MOST]

    def key(self) -> object:
        return (self._scrolled, self.clients, tuple(self.session.marked))

    def lines(self, cells: int, rows: int) -> list[Line]:
        session = self.session
        wanted = self.connections()
        if not wanted:
            return [(), line(Span(_(" no connection selected"), roles.DIM))]
        chart = self._chart
        ids = [one.id for one in wanted]
        if (
            chart is None
            or [member.connection.id for member in chart.members] != ids
            or chart.timeline is not session.timeline
        ):
            notation = Notation.RELATIVE if chart is None else chart.notation
            self._chart = chart = HostsChart(
                session.timeline, wanted, digest=session.digest, ascii_only=self.ascii_only
            )
            chart.notation = notation
        cursor = session.cursor.index
        most = 4 if rows >= 20 else 2
        large = session.counted is not None and not session.live
        space = max(rows - len(chart.header(cells, cursor, most)) - large, 1)
        drawn = chart.rows(cursor, future=not session.hides_future)
        here = bisect.bisect_right(drawn, cursor, key=lambda row: row.steps[0].index) - 1
        while here > 0 and drawn[here].steps[0].index == drawn[here - 1].steps[0].index:
            here -= 1
        top = min(max(here - space // 2, 0), max(len(drawn) - space, 0))
        self._top = min(max(top + self._scrolled, 0), max(len(drawn) - space, 0))
        self._scrolled = self._top - top
        zero = min(one.first_ns for one in wanted)
        sight = drawn[self._top : self._top + space]
        seen = {chart.letter(row.steps[0].connection) for row in sight}
        made = list(chart.header(cells, cursor, most, seen))
        if large:
            said = _("of a large file the packets of the selected connection alone are held")
            made.append(line(Span(f" {said}", roles.DIM)))
        self._places = [-1] * len(made)
        for place in range(self._top, min(self._top + space, len(drawn))):
            row = drawn[place]
            one = chart.draw(row, cells, len(drawn), zero, here=place == here)
            if row.step_index > cursor:
                one = tuple(Span(span.text, GONE) for span in one)
            made.append(one)
            self._places.append(row.steps[0].index)
        return made

    def signs(self) -> list[tuple[Line, str]]:
        return [
            (line(Span("A SYN 0", roles.CLIENT)), "a segment of connection A, named above"),
            (line(Span("●", roles.CLIENT)), "the client went to this state"),
            (line(Span("◆", roles.SERVER)), "the server did"),
            (line(Span("▸ A 812 segments", roles.CLIENT)), "a run of data in one line (f opens)"),
            (line(Span("A connect()", roles.CLIENT)), "a socket call; a bar while it blocks"),
        ]

    def action_scroll(self, rows: int) -> None:
        self._scrolled += rows
        self.redraw()

    def action_others(self) -> None:
        self.clients = not self.clients
        self._scrolled = 0
        self.redraw()

    def action_fold(self) -> None:
        if self._chart is not None:
            folded = all(one.folds.folding for one in self._chart.members)
            self._chart.maker.fold(not folded)
        self.redraw()

    def action_calls(self) -> None:
        if self._chart is not None:
            self._chart.maker.calls = not self._chart.maker.calls
        self.redraw()

    def action_numbers(self) -> None:
        chart = self._chart
        if chart is not None:
            absolute = chart.notation is Notation.RELATIVE
            chart.notation = Notation.ABSOLUTE if absolute else Notation.RELATIVE
        self.redraw()

    async def on_click(self, event: events.Click) -> None:
        """A click on a row goes to its step."""
        if event.widget is self._sheet and 0 <= event.y < len(self._places):
            step = self._places[event.y]
            if step >= 0:
                self._scrolled = 0
                self.main.go_to(step)
                self.redraw()
            return
        await super().on_click(event)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_scroll(-WHEEL)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_scroll(WHEEL)
