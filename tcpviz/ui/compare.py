"""The sheet that compares the marked segment with the one at the cursor."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import BindingType

from tcpviz.core.timeline import Step
from tcpviz.ui.action import Action
from tcpviz.ui.looks import Looks
from tcpviz.ui.sheet import CLOSING, SCROLLING, SHARED, SheetScreen, bindings
from tcpviz.views import roles
from tcpviz.views.compare import compare
from tcpviz.views.spans import Line, Span, line
from tcpviz.words import _


class CompareScreen(SheetScreen):
    """The marked segment on the left stays; the one on the right goes with the cursor."""

    actions: ClassVar[tuple[Action, ...]] = (
        *SHARED,
        *SCROLLING,
        Action("mark", ("m",), "m", "Mark", "The one at the cursor is the marked one now", "mark"),
        *CLOSING,
    )
    BINDINGS: ClassVar[list[BindingType]] = bindings(actions)
    about = (
        "Two segments side by side: the one that you marked, and the one at the cursor. What "
        "differs is marked and emphasised; the last column tells by how much."
    )

    def __init__(self, looks: Looks, marked: int, *, ascii_only: bool) -> None:
        super().__init__(looks, ascii_only=ascii_only)
        self.marked = marked
        self.top = 0

    def key(self) -> object:
        return (self.marked, self.top)

    def lines(self, cells: int, rows: int) -> list[Line]:
        timeline = self.session.timeline
        here = self.main.segment_at_cursor()
        if self.marked < timeline.first:
            return [(), line(Span(_(" the marked segment has been forgotten"), roles.DIM))]
        if here is None:
            return [(), line(Span(_(" no segment up to here"), roles.DIM))]
        zero = self.main.zero_ns()
        marked: Step = timeline[self.marked]
        made = compare(marked, here, cells - 2, zero_ns=zero, ascii_only=self.ascii_only)
        self.top = min(max(self.top, 0), max(len(made) - rows, 0))
        return [line(" ", *one) for one in (made[:2] + made[2 + self.top :])[:rows]]

    def signs(self) -> list[tuple[Line, str]]:
        return [
            (line(Span("!" if self.ascii_only else "≠", roles.LIT)), "this differs"),
            (line(Span("+1448", roles.NUMBER)), "so much later, higher, or larger"),
        ]

    def action_scroll(self, rows: int) -> None:
        self.top += rows
        self.redraw()

    def action_mark(self) -> None:
        here = self.main.segment_at_cursor()
        if here is not None:
            self.marked = here.index
            self.main.mark_step(here.index)
        self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.action_scroll(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.action_scroll(3)
