"""The sequence chart's pane: the selected connection's ladder, scrolled, up to the cursor."""

from __future__ import annotations

from dataclasses import replace
from time import time_ns

from textual.message import Message

from tcpviz.core.connection import Connection
from tcpviz.ui.lines import Row
from tcpviz.ui.looks import GONE, Looks
from tcpviz.ui.panes import PaneView
from tcpviz.ui.plan import Pane
from tcpviz.ui.session import Session
from tcpviz.views import roles
from tcpviz.views.explain import sentences
from tcpviz.views.ladder import Gutter, Ladder, LadderSettings, Notation
from tcpviz.views.phase_words import phase_text
from tcpviz.views.spans import Span, line
from tcpviz.words import _

KERNEL_ROOM, ROOMY = 9, 24
"""From so many rows on the chart tells in one row, or in two, what the kernels say."""


class ChartPane(PaneView):
    """The sequence chart of the selected connection, up to the cursor.

    In a story what comes later is not there yet; in a file or a live capture
    it is there, faint.
    """

    pane = Pane.CHART

    def __init__(self, session: Session, looks: Looks, *, ascii_only: bool) -> None:
        super().__init__(session, looks, ascii_only=ascii_only)
        self.settings = LadderSettings(ascii_only=ascii_only)
        self.ladder: Ladder | None = None
        self._follow = True
        self._space = 1
        self._head = 2
        self.travelling = False

    def begin(self, session: Session) -> None:
        super().begin(session)
        self.ladder, self._follow = None, True

    def heading(self) -> str:
        connection = self.connection
        if connection is None:
            return ""
        phase = self.session.phase
        return phase_text(phase) if phase is not None else ""

    @property
    def connection(self) -> Connection | None:
        selected = self.session.selected
        return None if selected is None else self.session.tracker.connections.get(selected)

    def body(self, cells: int, rows: int) -> list[Row]:
        ladder = self._extended(cells)
        if ladder is None:
            return [Row(), Row(line(Span(self._empty(), roles.DIM)))]
        index = self.session.cursor.index
        story = self.session.hides_future
        made = [Row(one) for one in ladder.header(cells, index)]
        made += self._kernel_rows(ladder, cells, rows)
        self._head = len(made)
        self._space = max(rows - len(made), 1)
        happened = ladder.rows_upto(index)
        there = happened if story else len(ladder.rows)
        here = ladder.row_of(index) if happened else -1
        self._keep_in_sight(here, happened, there)
        limit = index if story else None
        acting = self.session.acting and self.session.cursor.following
        travelled = self.session.hand.travelled if acting else None
        self.travelling = acting and ladder.travelling
        for place in range(self.top, min(self.top + self._space, there)):
            row = ladder.rows[place]
            at = place == here
            drawn = ladder.render(row, cells, at, limit, travelled)
            if place >= happened:
                drawn = tuple(Span(span.text, GONE) for span in drawn)
            made.append(Row(drawn, roles.CURSOR if at else None))
        return made

    def _kernel_rows(self, ladder: Ladder, cells: int, rows: int) -> list[Row]:
        """The kernel's word about both ends at the cursor, where it was asked."""
        session = self.session
        step = session.reading
        if step is None or step.reading is None or rows < KERNEL_ROOM:
            return []
        passed = 0
        if session.acting and session.cursor.following and not session.pump.done:
            passed = max(time_ns() - step.time_ns, 0)
        made = ladder.kernel_lines(step, cells, rows=2 if rows >= ROOMY else 1, passed_ns=passed)
        return [Row(one) for one in made]

    def _extended(self, cells: int) -> Ladder | None:
        connection = self.connection
        # A story's calls before its first segment belong to no connection yet.
        ident = 0 if connection is None else connection.id
        if connection is None and not self.session.story:
            self.ladder = None
            return None
        if self.ladder is None or self.ladder.connection != ident:
            self.ladder = Ladder(self.session.timeline, ident, self.settings)
            self.top, self._follow = 0, True
        self.ladder.extend()
        self.ladder.adapt(cells)
        return self.ladder

    def _keep_in_sight(self, here: int, happened: int, there: int) -> None:
        last = max(there - self._space, 0)
        if self._follow:
            low, high = self.top, self.top + self._space - 1
            end = max(happened - 1, here)
            if end > high or here < low:
                # The newest row near the bottom, and what belongs to it in sight.
                self.top = min(end - self._space + 1, max(here, 0)) if end > high else here - 2
        self.top = min(max(self.top, 0), last)

    def _empty(self) -> str:
        return _(" no connection yet") if self.session.timeline else _(" nothing has come yet")

    def show_cursor(self) -> None:
        """The cursor moved: bring its row into sight."""
        self._follow = True

    def move(self, rows: int) -> None:
        self._follow = False
        self.top += rows

    def pick(self, x: int, row: int) -> Message | None:  # noqa: ARG002
        ladder = self.ladder
        place = self.top + row - self._head
        if ladder is None or row < self._head or not 0 <= place < len(ladder.rows):
            return None
        return self.Picked(ladder.rows[place].last_index)

    def enter(self) -> Message | None:
        step = self.session.step
        if step is None:
            return None
        connections = self.session.tracker.connections
        connection = None if step.connection is None else connections.get(step.connection)
        said = sentences(step, connection)
        if self.session.plain_words:
            said = [*sentences(step, connection, plain=True), "", *said]
        title = _("Step {n}").format(n=self.session.place[0])
        return self.Asked(title, "\n".join(said))

    def next_times(self) -> None:
        order = list(Gutter)
        self._change(gutter=order[(order.index(self.settings.gutter) + 1) % len(order)])

    def next_numbers(self) -> None:
        order = list(Notation)
        self._change(notation=order[(order.index(self.settings.notation) + 1) % len(order)])

    def _change(self, **settings: object) -> None:
        self.settings = replace(self.settings, **settings)  # type: ignore[arg-type]
        if self.ladder is not None:
            self.ladder.change(**settings)
