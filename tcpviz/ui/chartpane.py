"""The sequence chart's pane: the selected connection's ladder, scrolled, up to the cursor."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic, time_ns

from textual import events
from textual.message import Message

from tcpviz.core.connection import Connection
from tcpviz.ui.lines import Row, signed
from tcpviz.ui.looks import GONE, POINTER, Looks
from tcpviz.ui.panes import PaneView
from tcpviz.ui.parts import Part
from tcpviz.ui.plan import Pane
from tcpviz.ui.playback import Mode
from tcpviz.ui.pointing import Pointing
from tcpviz.ui.session import Session
from tcpviz.views import overview, points, roles
from tcpviz.views.colours import painted
from tcpviz.views.explain import sentences
from tcpviz.views.ladder import Gutter, Ladder, LadderSettings, Notation, RowKind
from tcpviz.views.ladder_index import ChartIndex
from tcpviz.views.ladder_labels import MARKS, REMARKS, marks_of
from tcpviz.views.ladder_parts import Row as ChartRow
from tcpviz.views.ladder_window import WINDOW
from tcpviz.views.numbers import count, duration
from tcpviz.views.phase_words import phase_text
from tcpviz.views.remarks import remarks
from tcpviz.views.spans import Line, Span, crop, fit, line
from tcpviz.words import _, counted

KERNEL_ROOM, ROOMY = 9, 24
"""From so many rows on the chart tells in one row, or in two, what the kernels say."""

BEHIND = 4
"""Rows that stay in sight before and behind the cursor's, where there are any."""

OVERVIEW_ROOM = 60
"""From so many cells on there is a thin column of the whole connection beside the chart."""


OVERVIEW_S = 1.0
"""How often that column changes at most while segments keep coming and are followed."""


class ChartPane(PaneView):
    """The sequence chart of the selected connection, up to the cursor.

    In a story what comes later is not there yet; in a file or a live capture
    it is there, faint.

    ``marked``  the step that a person has marked, to compare another with it
    """

    pane = Pane.CHART

    def __init__(self, session: Session, looks: Looks, *, ascii_only: bool) -> None:
        super().__init__(session, looks, ascii_only=ascii_only)
        self.settings = LadderSettings(ascii_only=ascii_only, fold=True)
        self.ladder: Ladder | None = None
        self.marked: int | None = None
        self.pointing = Pointing()
        self.kernel_shown = True
        self._follow = True
        self._reading = False
        self._space = 1
        self._head = 2
        self._made = -1
        self._anchor: tuple[int, int] = (-1, 0)
        self._scale = 0
        self.travelling = False
        self._column: list[Line] = []
        self._column_at = 0.0

    def begin(self, session: Session) -> None:
        super().begin(session)
        self.ladder, self.marked, self._follow = None, None, True
        self.pointing.rest()

    def heading(self) -> str:
        connection = self.connection
        if connection is None:
            return ""
        phase = self.session.phase
        said = [phase_text(phase)] if phase is not None else []
        if self.session.part:
            said.append(self.session.part)
        ladder = self.ladder
        if ladder is not None:
            if self.settings.scale_ns:
                said.append(_("1 row = {time}").format(time=duration(self.settings.scale_ns)))
            hidden = ladder.folds.count_hidden()
            if hidden:
                said.append(_("{acks} hidden").format(acks=counted(hidden, "ACK")))
            below = self._below(ladder) if self._reading else 0
            if below:
                said.append(_("+{n} below: End").format(n=count(below)))
            said += self._legend(ladder)
        pair = points.two_points(self.session.feed)
        if pair is not None:
            said.append(points.clocks(pair.skew, pair.names))
        return ", ".join(said)

    def _below(self, ladder: Ladder) -> int:
        """How many steps there are below what is in sight."""
        shown = ladder.rows[self.top : self.top + self._space]
        last = ladder.index.place(shown[-1].last_index) if shown else -1
        return len(ladder.index) - 1 - last

    def _legend(self, ladder: Ladder) -> list[str]:
        """What the letters mean that stand behind the segments in sight."""
        letters = {
            MARKS[mark.name][0]: MARKS[mark.name][1]
            for row in ladder.rows[self.top : self.top + self._space]
            if row.kind is RowKind.STEP
            for step in row.steps
            for mark in marks_of(step)
        } | {
            REMARKS[remark][0]: REMARKS[remark][1]
            for row in ladder.rows[self.top : self.top + self._space]
            if row.kind is RowKind.STEP
            for step in row.steps
            for remark in remarks(step)
        }
        return [f"{letter}: {words}" for letter, words in letters.items()]

    @property
    def connection(self) -> Connection | None:
        selected = self.session.selected
        return None if selected is None else self.session.tracker.connections.get(selected)

    @property
    def index(self) -> ChartIndex | None:
        """What the connection's steps are, for jumping among them."""
        ladder = self._read()
        return None if ladder is None else ladder.index

    def body(self, cells: int, rows: int) -> list[Row]:
        wide = cells
        cells -= overview.WIDTH if cells >= OVERVIEW_ROOM else 0
        ladder = self._read()
        if ladder is None:
            return [Row(), Row(line(Span(self._empty(), roles.DIM)))]
        ladder.adapt(cells)
        index = self.session.cursor.index
        story = self.session.hides_future
        made = [Row(one) for one in ladder.header(cells, index)]
        made += self._kernel_rows(ladder, cells, rows)
        self._head = len(made)
        self._space = max(rows - len(made), 1)
        happened, there, here = self._settle(ladder, index, story=story)
        limit = index if story else None
        acting = self.session.acting and self.session.cursor.following
        travelled = self.session.hand.travelled if acting else None
        self.travelling = acting and ladder.travelling
        low, high = self.top, min(self.top + self._space, there)
        bright, pointed = self.pointing.bright(ladder, here, low, high), self.pointing.place(ladder)
        for place in range(low, high):
            row = ladder.rows[place]
            at = place == here
            drawn = ladder.render(row, cells, at, limit, travelled)
            drawn = painted(drawn, self._rule(row))
            if place >= happened or place not in bright:
                drawn = tuple(Span(span.text, GONE) for span in drawn)
            elif self.marked is not None and row.step_index <= self.marked <= row.last_index:
                drawn = signed(drawn, "m")
            if place == pointed:
                drawn = (Span(self.signs.pointer, POINTER), *crop(drawn, wide, 1))
            under = POINTER if place == pointed else roles.CURSOR if at else None
            made.append(Row(drawn, under))
        return self._beside(ladder, made, cells, there) if wide > cells else made

    def _rule(self, row: ChartRow) -> str | None:
        """How a person's own colouring rules show the row's segment."""
        rules = self.session.colouring.segments
        if not rules.rules or row.kind is not RowKind.STEP:
            return None
        return next((role for s in row.steps if (role := rules.role(s, s.time_ns))), None)

    def _settle(self, ladder: Ladder, index: int, *, story: bool) -> tuple[int, int, int]:
        """Rows around what is looked at, and those in sight: (happened, there, cursor's place)."""
        if self._follow:
            inside = self.session.mode is not Mode.FOLLOWING
            ladder.open_around(index if inside else None)
            ladder.show(index)
        for _again in range(2):
            if ladder.made != self._made:
                self._made = ladder.made
                step, offset = self._anchor
                self.top = max(ladder.row_from(step) + offset, 0)
            happened = ladder.rows_upto(index)
            there = happened if story else len(ladder.rows)
            here = ladder.row_of(index) if happened else -1
            self._keep_in_sight(here, happened, there)
            if not ladder.rows:
                break
            first = ladder.rows[min(self.top, len(ladder.rows) - 1)].step_index
            self._anchor = (first, self.top - ladder.row_from(first))
            if not ladder.keep(self.top, self.top + self._space - 1):
                break
        return happened, there, here

    def _beside(self, ladder: Ladder, made: list[Row], cells: int, there: int) -> list[Row]:
        """The overview's column beside the chart's rows, where not all of it is in sight."""
        if ladder.at_start and ladder.at_end and there <= self._space:
            return made
        index, height = ladder.index, self._space
        cursor = index.place(self.session.cursor.index)
        steps = cursor + 1 if self.session.hides_future else len(index)
        shown = ladder.rows[self.top : self.top + height]
        if not shown:
            return made
        seen = (index.place(shown[0].step_index), index.place(shown[-1].last_index))
        column = self._column
        if len(column) != height or not self._session_rushes():
            column = overview.overview(
                index, height, steps, cursor, seen, ascii_only=self.ascii_only
            )
            self._column, self._column_at = column, monotonic()
        made += [Row()] * (self._head + height - len(made))
        for row, extra in enumerate(column, self._head):
            made[row] = Row((*fit(made[row].line, cells), *extra), made[row].under)
        return made

    def _session_rushes(self) -> bool:
        """Segments keep coming and are followed: the overview then changes once a second.

        It would change with every one of them, row by row, and be sent each time.
        """
        session = self.session
        rushes = session.mode is Mode.FOLLOWING and not session.pump.done
        return rushes and monotonic() - self._column_at < OVERVIEW_S

    def _kernel_rows(self, ladder: Ladder, cells: int, rows: int) -> list[Row]:
        """The kernel's word about both ends at the cursor, where it was asked."""
        session = self.session
        step = session.reading
        if step is None or step.reading is None or rows < KERNEL_ROOM or not self.kernel_shown:
            return []
        passed = 0
        if session.acting and session.cursor.following and not session.pump.done:
            passed = max(time_ns() - step.time_ns, 0)
        made = ladder.kernel_lines(
            step,
            cells,
            rows=2 if rows >= ROOMY else 1,
            passed_ns=passed,
            cursor=session.cursor.index,
        )
        return [Row(one) for one in made]

    def _read(self) -> Ladder | None:
        """The selected connection's ladder with all that has come."""
        connection, session = self.connection, self.session
        # A story's calls before its first segment belong to no connection yet.
        ident = 0 if connection is None else connection.id
        if connection is None and not session.story:
            self.ladder = None
            return None
        ladder = self.ladder
        if ladder is None or ladder.connection != ident or ladder.timeline is not session.timeline:
            self.ladder = ladder = Ladder(
                session.timeline, ident, self.settings, digest=session.digest, reach=WINDOW
            )
            self.top, self._follow, self._made, self.marked = 0, True, ladder.made, None
            self._reading = False
            self._anchor = (-1, 0)
            if self._scale:
                self._to_scale()
        ladder.extend()
        return ladder

    def _keep_in_sight(self, here: int, happened: int, there: int) -> None:
        last = max(there - self._space, 0)
        if self._follow:
            low, high = self.top, self.top + self._space - 1
            end = max(happened - 1, here)
            if self.session.mode is not Mode.FOLLOWING and not self.session.hides_future:
                # What comes behind the cursor is there too, and some of it stays in sight.
                margin = min(BEHIND, self._space // 4)
                end = min(here + margin, there - 1)
                if here > high or here < low:
                    self.top = here - self._space // 2
                elif end > high:
                    self.top = end - self._space + 1
                elif here < low + margin:
                    self.top = here - margin
            elif end > high or here < low:
                # The newest row near the bottom, and what belongs to it in sight.
                self.top = min(end - self._space + 1, max(here, 0)) if end > high else here - 2
        self.top = min(max(self.top, 0), last)

    def _empty(self) -> str:
        if self.session.telling:
            return _(" reading its packets ...")
        return _(" no connection yet") if self.session.timeline else _(" nothing has come yet")

    def show_cursor(self) -> None:
        """The cursor moved: bring its row into sight.

        Where it only follows what comes, while somebody reads further up, the place is kept.
        """
        if self._reading and self.session.mode is Mode.FOLLOWING:
            return
        self._follow, self._reading = True, False

    def catch_up(self) -> None:
        """To the cursor's row again, wherever somebody was reading."""
        self._follow, self._reading = True, False

    def move(self, rows: int) -> None:
        ladder = self.ladder
        self.top += rows
        self._anchor = (self._anchor[0], self._anchor[1] + rows)
        at_end = ladder is None or (
            ladder.at_end and self.top >= len(ladder.rows) - self._space and rows > 0
        )
        if at_end or (rows < 0 and self.top + rows < 0):
            self.session.reach(1 if rows > 0 else -1)
        self._reading = self.session.mode is Mode.FOLLOWING and not at_end
        self._follow = at_end and self.session.mode is Mode.FOLLOWING

    def pick(self, x: int, row: int) -> Message | None:
        ladder = self.ladder
        if ladder is None or row < self._head:
            return None
        if x >= self.size.width - overview.WIDTH and self.size.width >= OVERVIEW_ROOM:
            steps = len(ladder.index)
            if self.session.hides_future:
                steps = ladder.index.place(self.session.cursor.index) + 1
            place = overview.place_of_row(ladder.index, row - self._head, self._space, steps)
            return self.Picked(ladder.index.steps[place]) if steps else None
        place = self.top + row - self._head
        if not 0 <= place < len(ladder.rows):
            return None
        found = ladder.rows[place]
        if found.kind is RowKind.FOLD:
            self.turn_fold(place)
            return self.Picked()
        return self.Picked(found.last_index)

    def enter(self) -> Message | None:
        """On a fold: open it. On a segment: field by field. Elsewhere: tell more of the step."""
        ladder = self.ladder
        if ladder is not None:
            place = ladder.row_of(self.session.cursor.index)
            if 0 <= place < len(ladder.rows) and ladder.rows[place].kind is RowKind.FOLD:
                self.turn_fold(place)
                return None
        step = self.session.step
        if step is None:
            return None
        if step.segment is not None:
            return self.Closer()
        connections = self.session.tracker.connections
        connection = None if step.connection is None else connections.get(step.connection)
        said = sentences(step, connection)
        if self.session.plain_words:
            said = [*sentences(step, connection, plain=True), "", *said]
        title = _("Step {n}").format(n=self.session.place[0])
        return self.Asked(title, "\n".join(said))

    # -- pointing, and what is left out -------------------------------------

    def point_by(self, rows: int) -> bool:
        """The pointer so many rows on, from the cursor's row if it was not there; and in sight.

        False: there is nothing to point at.
        """
        ladder = self.ladder
        if ladder is None or not ladder.rows:
            return False
        index = self.session.cursor.index
        last = ladder.rows_upto(index) if self.session.hides_future else len(ladder.rows)
        now = self.pointing.place(ladder)
        if now is None:
            now, rows = max(ladder.row_of(index), 0), 0
        place = min(max(now + rows, 0), max(last - 1, 0))
        self.pointing.point(ladder, place)
        if not self.top <= place < self.top + self._space:
            self.move(place - (self.top if place < self.top else self.top + self._space - 1))
        return True

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """A pointer that is shown follows the mouse."""
        ladder = self.ladder
        if not self.pointing.on or ladder is None:
            return
        place = self.top + event.y - 1 - self._head
        if (
            event.y > self._head
            and place < len(ladder.rows)
            and place != self.pointing.place(ladder)
        ):
            self.pointing.point(ladder, place)
            self.draw()

    def without(self, hidden: frozenset[Part]) -> None:
        """Leave out what nobody wants to see now."""
        self.kernel_shown = Part.KERNEL not in hidden
        if self.settings.calls is (Part.CALLS in hidden):
            self._change(calls=Part.CALLS not in hidden)
            self.show_cursor()

    # -- how it is shown ----------------------------------------------------

    def turn_fold(self, place: int | None = None) -> bool:
        """Open or fold the run of data at the cursor (or in this row); false: there is none."""
        ladder = self.ladder
        if ladder is None:
            return False
        if place is None:
            place = ladder.row_of(self.session.cursor.index)
        if not 0 <= place < len(ladder.rows):
            return False
        return ladder.turn_fold(ladder.rows[place])

    def next_times(self) -> None:
        order = list(Gutter)
        self._change(gutter=order[(order.index(self.settings.gutter) + 1) % len(order)])

    def next_numbers(self) -> None:
        order = list(Notation)
        self._change(notation=order[(order.index(self.settings.notation) + 1) % len(order)])

    def next_scale(self) -> None:
        """To scale, then coarser, then not to scale again."""
        self._scale = (self._scale + 1) % 3
        self._to_scale()

    def _to_scale(self) -> None:
        ladder = self.ladder
        if ladder is None:
            return
        parts = {0: 0, 1: 4, 2: 1}[self._scale]
        scale = _round(ladder.index.typical_ns() // parts) if parts else 0
        self._change(scale_ns=scale)

    def next_detail(self) -> str:
        """More on the arrows, then the data's text too, then little again; says what it is now."""
        if not self.settings.detail:
            self._change(detail=True)
            return _("arrows tell windows and options, where there is room")
        if not self.settings.payload:
            self._change(payload=True)
            return _("arrows quote data that is text, too")
        self._change(detail=False, payload=False)
        return _("arrows tell flags and numbers")

    def turn_acks(self) -> None:
        self._change(hide_acks=not self.settings.hide_acks)

    def turn_folds(self) -> None:
        self._change(fold=not self.settings.fold)

    def _change(self, **settings: object) -> None:
        self.settings = replace(self.settings, **settings)  # type: ignore[arg-type]
        if self.ladder is not None:
            self.ladder.change(**settings)


def _round(ns: int) -> int:
    """The nearest of 1, 2, 5, 10, 20, ... nanoseconds that is not more."""
    unit = 1
    while unit * 10 <= ns:
        unit *= 10
    return unit * max((times for times in (1, 2, 5) if unit * times <= ns), default=1)
