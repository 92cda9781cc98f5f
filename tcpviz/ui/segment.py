"""The segment's sheet: its header and everything that is told of it; moves with the cursor."""

from __future__ import annotations

import bisect
from typing import ClassVar

from textual import events
from textual.binding import BindingType

from tcpviz.core.segment import Segment
from tcpviz.core.timeline import Step
from tcpviz.ui.keys import Action
from tcpviz.ui.looks import Looks
from tcpviz.ui.sheet import CLOSING, SCROLLING, SHARED, SheetScreen, bindings
from tcpviz.views import roles
from tcpviz.views.segment_detail import detail
from tcpviz.views.segment_fields import FLAG_WORDS
from tcpviz.views.spans import Line, Span, line
from tcpviz.words import _

WHEEL = 3


class SegmentScreen(SheetScreen):
    """The segment at the cursor, or the one before where the cursor stands at something else."""

    actions: ClassVar[tuple[Action, ...]] = (
        *SHARED,
        *SCROLLING,
        Action("page(1)", ("tab",), "Tab", "Page down", "A page further down", "page"),
        Action("page(-1)", ("shift+tab",), "Shift+Tab", "Page up", "A page further up"),
        Action("graphs", ("5",), "5", "Graphs", "The connection over time", "graphs"),
        *CLOSING,
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings(actions)
    about = (
        "The header as RFC 9293 draws it, with this segment's values; numbers in brackets count "
        "from each end's first one. Below: what both ends' state machines make of it and how that "
        "is known, marks, what is computed, every field in a sentence, and the data."
    )

    def __init__(self, looks: Looks, *, ascii_only: bool) -> None:
        super().__init__(looks, ascii_only=ascii_only)
        self.top = 0
        self._rows = 1
        self._all = 0

    def found(self) -> tuple[Step, Segment, Step | None] | None:
        """The step that is shown, and the connection's segment before it."""
        session = self.session
        steps = session.timeline.of(session.selected)
        place = bisect.bisect_right(steps, session.cursor.index) - 1
        shown: Step | None = None
        while place >= 0:
            step = session.timeline[steps[place]]
            if step.segment is not None:
                if shown is not None:
                    return shown, shown.segment, step  # type: ignore[return-value]
                shown = step
            place -= 1
        if shown is None or shown.segment is None:
            return None
        return shown, shown.segment, None

    def key(self) -> object:
        return self.top

    def lines(self, cells: int, rows: int) -> list[Line]:
        found = self.found()
        if found is None:
            return [(), line(Span(_(" no segment up to here"), roles.DIM))]
        step, segment, before = found
        session = self.session
        connection = (
            None if step.connection is None else session.tracker.connections.get(step.connection)
        )
        zero = (
            session.timeline[session.timeline.first].time_ns
            if connection is None
            else (connection.first_ns)
        )
        made = detail(
            step,
            segment,
            connection,
            cells - 2,
            before=before if before and before.connection == step.connection else None,
            zero_ns=zero,
            plain=session.plain_words,
            ascii_only=self.ascii_only,
        )
        here = session.step
        if here is not None and here.index != step.index:
            note = _("The cursor stands at something else; this is the segment before it.")
            made.insert(1, line(Span(note, roles.LIT)))
        self._rows, self._all = rows, len(made)
        self.top = min(max(self.top, 0), max(len(made) - rows, 0))
        return [line(" ", *one) for one in made[self.top : self.top + rows]]

    def signs(self) -> list[tuple[Line, str]]:
        """The bits."""
        return [(line(Span(name, roles.TITLE)), text) for _bit, name, text in FLAG_WORDS]

    def words(self) -> dict[str, str]:
        more = self._all > self._rows
        return {} if more else {"scroll(1)": "", "page(1)": ""}

    def action_scroll(self, rows: int) -> None:
        self.top += rows
        self.redraw()

    def action_page(self, pages: int) -> None:
        self.action_scroll(pages * max(self._rows - 2, 1))

    async def action_graphs(self) -> None:
        await self.main.run_action("graphs")

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_scroll(-WHEEL)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_scroll(WHEEL)
