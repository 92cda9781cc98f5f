"""The sequence chart of one connection: lifelines, states, arrows, calls, bands.

A :class:`Ladder` stands on a timeline and is extended as it grows; it gives any
row as a line of exactly the width asked for. Rows do not depend on the width,
so resizing costs nothing but drawing.
"""

from __future__ import annotations

import bisect
import datetime as dt
import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tcpviz.core.claims import Claim
from tcpviz.core.records import Side
from tcpviz.core.timeline import Step, Timeline
from tcpviz.views import ladder_head, numbers, roles
from tcpviz.views.digest import Digest
from tcpviz.views.ladder_arrows import Pen
from tcpviz.views.ladder_canvas import Canvas
from tcpviz.views.ladder_draw import draw_row
from tcpviz.views.ladder_folding import FoldingBuilder
from tcpviz.views.ladder_folds import Folds
from tcpviz.views.ladder_head import Head
from tcpviz.views.ladder_index import ChartIndex
from tcpviz.views.ladder_labels import Notation
from tcpviz.views.ladder_layout import LEAST, Layout, layout
from tcpviz.views.ladder_parts import Flight, Row, RowKind
from tcpviz.views.ladder_queues import QUEUE_LANE, QUEUE_ROOM, draw_queues
from tcpviz.views.ladder_window import ChartWindow
from tcpviz.views.spans import Line, Span, clean, fit, fit_text, text_width
from tcpviz.words import _

__all__ = ["Gutter", "Ladder", "LadderSettings", "Notation", "Row", "RowKind"]


_TIMED = frozenset({RowKind.STEP, RowKind.TEXT, RowKind.FOLD})


BOTH_CELLS, BOTH_ROOM = 20, 76
"""Cells that two times take beside each other, and from how many on there is room for them."""


class Gutter(enum.Enum):
    """What the time gutter shows.

    ``RELATIVE``  seconds since the connection's first step
    ``ABSOLUTE``  time of day
    ``DELTA``     time since the step before
    ``BOTH``      seconds since the first step, and behind them since the step before, as
                  textbooks have it (where there is room; else as ``RELATIVE``)
    ``NUMBER``    the frame's number in the capture, as other programs count it
    ``NONE``      nothing
    """

    RELATIVE = "relative"
    ABSOLUTE = "absolute"
    DELTA = "delta"
    BOTH = "both"
    NUMBER = "number"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class LadderSettings:
    """How the chart is written.

    ``travel``   rows below each departure over which its arrow slants (lab only)
    ``merge``    calls share the row of the segment that they cause or wait for,
                 where the width has lanes for their words
    ``payload``  text payloads are quoted on the arrows; off by default, as a chart
                 is easily passed on
    ``detail``   window and options of SYNs on the arrows where there is room
    ``fold``     long runs of plain data fold to one row each
    ``hide_acks`` segments that only acknowledge have no row
    ``calls``    socket calls are shown, in lanes beside the lifelines where there is room
    ``scale_ns`` the time that a row stands for, if the chart is to scale (0: it is not)
    ``client_name``, ``server_name``  what the hosts are called; empty: by their role
    ``zone``     time zone of absolute times; ``None``: the machine's
    """

    gutter: Gutter = Gutter.RELATIVE
    notation: Notation = Notation.RELATIVE
    travel: int = 1
    merge: bool = True
    payload: bool = False
    detail: bool = False
    ascii_only: bool = False
    fold: bool = False
    hide_acks: bool = False
    calls: bool = True
    scale_ns: int = 0
    client_name: str = ""
    server_name: str = ""
    zone: dt.tzinfo | None = None


class Ladder:
    """Rows of one connection's chart over ``timeline``; empty until first extended.

    ``digest``  the timeline's, where it is kept: opening a long connection is quick then
    ``reach``   so many steps around what is looked at have rows (:meth:`show`); ``None``: all
    """

    def __init__(
        self,
        timeline: Timeline,
        connection: int,
        settings: LadderSettings | None = None,
        *,
        digest: Digest | None = None,
        reach: int | None = None,
    ) -> None:
        self.timeline = timeline
        self.connection = connection
        self.settings = settings or LadderSettings()
        self.index = ChartIndex(timeline, connection, digest)
        self.folds = Folds(self.index, self.settings.fold, self.settings.hide_acks)
        self._window = ChartWindow(self.index, self.folds, reach)
        self._merging = self.settings.merge
        self._start()

    def _start(self) -> None:
        travel = 0 if self.settings.scale_ns else max(self.settings.travel, 0)
        self._window.start(travel, self._merging, self.settings.scale_ns, self.settings.calls)

    @property
    def _build(self) -> FoldingBuilder:
        return self._window.build

    # -- rows ---------------------------------------------------------------

    @property
    def rows(self) -> Sequence[Row]:
        """The rows that are kept, oldest first; the first one's number is :attr:`dropped`."""
        return self._build.rows

    @property
    def dropped(self) -> int:
        """Number of the first row that is kept."""
        return self._build.dropped

    @property
    def stale_from(self) -> int:
        """Rows with this number and later may look different since the last extension."""
        return self._build.stale_from

    @property
    def made(self) -> int:
        """Goes up whenever the rows were made anew: places in :attr:`rows` are others then."""
        return self._window.made

    @property
    def at_start(self) -> bool:
        """The first row is the connection's first."""
        return self._window.at_start

    @property
    def at_end(self) -> bool:
        """The last row is the connection's last."""
        return self._window.at_end

    def extend(self, upto: int | None = None) -> int:
        """Take the connection's new steps up to index ``upto`` (``None``: all there are).

        Returns how many rows there are more. Costs what is new.
        """
        before = self._build.next
        self._window.extend(upto)
        return self._build.next - before

    def show(self, step: int) -> bool:
        """See to it that there are rows around this step; true if they were made anew."""
        window = self._window
        place = window.place_of(step)
        if window.reach is None or not len(self.index):
            return False
        step = self.index.steps[max(place, 0)]
        if window.first_step <= step <= window.last_step:
            return False
        window.look_at(max(place, 0))
        return True

    def keep(self, first: int, last: int) -> bool:
        """Rows from place ``first`` to ``last`` are looked at: make more if that is near an end.

        True if they were made anew.
        """
        rows = self.rows
        if not rows or self._window.reach is None:
            return False
        near = max(last - first, 1)
        if (first < near and not self.at_start) or (
            last > len(rows) - 1 - near and not self.at_end
        ):
            middle = rows[min(max((first + last) // 2, 0), len(rows) - 1)]
            self._window.look_at(max(self._window.place_of(middle.step_index), 0))
            return True
        return False

    def adapt(self, width: int) -> bool:
        """Rebuild the rows if ``width`` has crossed the border below which calls need their own.

        Returns whether row numbers have changed.
        """
        merging = self.settings.merge and (not self._build.tracks or bool(self.layout(width).lane))
        if merging == self._merging:
            return False
        self._merging = merging
        if not self._build.tracks:
            self._build.merge = merging
            return False
        self._start()
        self._build.stale_from = 0
        return True

    def change(self, **settings: object) -> None:
        """Change settings by name (``notation=...``); rows are rebuilt where they must be."""
        old = self.settings
        self.settings = new = replace(old, **settings)  # type: ignore[arg-type]
        if old.fold != new.fold:
            self.folds.turn_all(new.fold)
        self.folds.hide_acks = new.hide_acks
        if old.merge != new.merge:
            self._merging = new.merge
        if _rules(old) != _rules(new):
            self._start()
        self._build.stale_from = 0

    def turn_fold(self, row: Row) -> bool:
        """Open a folded row, or fold the run that the row is of; false where there is none."""
        turned = self.folds.turn(self._window.place_of(row.step_index))
        if turned:
            self._window.remake()
        return turned

    def open_around(self, step: int | None) -> bool:
        """Open what is folded around this step, and fold what was open so; true if rows changed."""
        changed = self.folds.look_at(step)
        if changed:
            self._window.remake()
        return changed

    def row_of(self, step: int) -> int:
        """Place in :attr:`rows` of the row of step ``step``.

        Of the latest row before it where it has none; -1 where there is none.
        """
        if step > self._window.last_step and not self.at_end:
            return -1
        rows = self._build.rows
        place = bisect.bisect_right(rows, step, key=lambda row: row.step_index) - 1
        while place > 0 and rows[place].kind is RowKind.TRAVEL:
            place -= 1
        return place

    def row_from(self, step: int) -> int:
        """Place of the first row of this step, or of the first after it."""
        return bisect.bisect_left(self._build.rows, step, key=lambda row: row.step_index)

    def rows_upto(self, cursor: int) -> int:
        """How many of :attr:`rows` have happened right after step ``cursor``."""
        return bisect.bisect_right(self._build.rows, cursor, key=lambda row: row.step_index)

    # -- drawing ------------------------------------------------------------

    def queue_lane(self, width: int) -> int:
        """Cells of the lane for the listener's queues, right of the chart; 0: there is none."""
        return QUEUE_LANE if width >= QUEUE_ROOM and self._build.queues is not None else 0

    def layout(self, width: int) -> Layout:
        """Where the columns stand at this width, for hit-testing and headings."""
        width -= self.queue_lane(width)
        gutter = 0 if self.settings.gutter is Gutter.NONE else None
        if self.settings.gutter is Gutter.ABSOLUTE and width >= 60:
            gutter = 12
        if self.settings.gutter is Gutter.BOTH and width >= BOTH_ROOM:
            gutter = BOTH_CELLS
        return layout(width, self._build.tracks, gutter)

    def render(
        self,
        row: Row,
        width: int,
        at_cursor: bool = False,
        cursor: int | None = None,
        travelled: Callable[[Flight], float | None] | None = None,
    ) -> Line:
        """A row as a line of exactly ``width`` cells.

        ``cursor`` is the index of the step that happened last: what comes later
        is not drawn, segments on their way then end as half arrows, and bands
        show their progress then (``None``: everything). ``at_cursor`` marks the row.
        ``travelled``: how far a segment on its way has come (:class:`Pen`).
        """
        if width <= 0:
            return ()
        if width < LEAST:
            return self._words_only(row, width, cursor)
        where = self.layout(width)
        canvas = Canvas(width)
        end = self._build.next
        tip = self.dropped + (len(self.rows) if cursor is None else self.rows_upto(cursor)) - 1
        pen = Pen(
            where,
            self.settings.notation,
            self._build.fins,
            self.settings.payload,
            self.settings.detail,
            cursor,
            tip,
            end,
            travelled,
            midstream=self._build.midstream,
        )
        draw_row(canvas, row, pen)
        if self.queue_lane(width):
            draw_queues(canvas, row, width)
        if where.gutter and row.kind in _TIMED:
            text = self._time(row, where.gutter, cursor)
            canvas.put(where.gutter_at + where.gutter - text_width(text), text, roles.TIME)
        if at_cursor and where.mark:
            canvas.put(0, "▸", roles.LIT)
        return canvas.line(self.settings.ascii_only)

    def _words_only(self, row: Row, width: int, cursor: int | None) -> Line:
        """Far too narrow for a chart: the row's words alone."""
        canvas = Canvas(max(width, LEAST))
        where = layout(LEAST, 0, 0)
        pen = Pen(
            where, self.settings.notation, self._build.fins, False, False, cursor, -1,
            self._build.next, midstream=self._build.midstream,
        )  # fmt: skip
        draw_row(canvas, row, pen)
        return fit(canvas.line(self.settings.ascii_only), width)

    def _time(self, row: Row, cells: int, cursor: int | None) -> str:
        """The gutter's text: the moment of the row's segment, or of its first step."""
        steps = row.steps
        if cursor is not None:
            steps = [step for step in steps if step.index <= cursor] or steps[:1]
        step = next((each for each in steps if each.segment is not None), steps[0])
        how = self.settings.gutter
        if how is Gutter.ABSOLUTE:
            return fit_text(numbers.time_of_day(step.time_ns, cells - 9, self.settings.zone), cells)
        if how is Gutter.NUMBER:
            frame = 0 if step.segment is None else step.segment.frame
            return fit_text(f"#{frame}", cells) if frame else ""
        if how is Gutter.DELTA:
            return self._delta(row, step, cells)
        origin = self._build.origin_ns
        real = step.time_ns - (origin or step.time_ns) - self._build.paused_at(step.index)
        if how is Gutter.BOTH and cells >= BOTH_CELLS:
            delta = self._delta(row, step, BOTH_CELLS - 11)
            return f"{numbers.seconds(real, 10):>10} {delta:>{BOTH_CELLS - 11}}"
        return fit_text(numbers.seconds(real, cells), cells)

    def _delta(self, row: Row, step: Step, cells: int) -> str:
        """The time since the step before, with its sign."""
        if row.before_ns is None:
            return ""
        passed = step.time_ns - row.before_ns - self._held_between(row, step.index)
        delta = numbers.duration(passed)
        text = delta if delta.startswith("-") else f"+{delta}"
        return text if len(text) <= cells else fit_text(text.replace(" ", ""), cells)

    def _held_between(self, row: Row, index: int) -> int:
        """For how much of the time between a row and the one before something was held, ns."""
        return self._build.paused_at(index) - self._build.paused_at(row.step_index - 1)

    def header(self, width: int, cursor: int | None = None) -> list[Line]:
        """Two heading lines: who the ends are, and how they stand at the cursor."""
        return ladder_head.header(self._head(width), self._claims_at(cursor))

    @property
    def travelling(self) -> bool:
        """Some segment is on its way, and in nobody's hand."""
        return any(flight.holder(None) is None for flight in self._build.flights)

    def kernel_lines(
        self,
        step: Step,
        width: int,
        *,
        rows: int = 2,
        passed_ns: int = 0,
        cursor: int | None = None,
    ) -> list[Line]:
        """What the kernels said at ``step``, each end's under its own heading.

        Two rows: both connections' sockets, then the listener's queues. In one row
        the listener speaks for the server as long as it has no socket of its own to tell of.
        ``passed_ns`` since then: timers have run on. Where the queues have a lane of their
        own, nothing is said of them here. An end that has moved on by ``cursor`` has no word.
        """
        now = self._claims_at(cursor)
        return ladder_head.kernel_lines(self._head(width), step, rows, passed_ns, now)

    def _head(self, width: int) -> Head:
        build, settings = self._build, self.settings
        title = {
            Gutter.RELATIVE: _("real s") if build.paused_at(None) else _("seconds"),
            Gutter.ABSOLUTE: _("time"),
            Gutter.DELTA: _("after"),
            Gutter.BOTH: _("seconds") + ("     " + _("after")) * (width >= BOTH_ROOM),
            Gutter.NUMBER: _("frame"),
        }.get(settings.gutter, "")
        names = (clean(settings.client_name), clean(settings.server_name))
        queues = build.queues if self.queue_lane(width) else None
        where = self.layout(width)
        return Head(
            where,
            width,
            title,
            names,
            (build.client, build.server),
            queues,
            settings.ascii_only,
            build.midstream,
        )

    def _claims_at(self, cursor: int | None) -> dict[Side, Claim | None]:
        count = len(self.rows) if cursor is None else self.rows_upto(cursor)
        if not count:
            return {}
        row = self.rows[count - 1]
        for step in reversed(row.steps):
            if step.connection is not None and (cursor is None or step.index <= cursor):
                return {side: step.claim(side) for side in Side}
        return {side: row.claim(side) for side in Side}


def _rules(settings: LadderSettings) -> tuple[object, ...]:
    """Those settings that rows depend on."""
    s = settings
    return (s.travel, s.merge, s.scale_ns, s.fold, s.hide_acks, s.calls)


def blank(width: int) -> Line:
    """A row of nothing, for panes taller than the chart."""
    return (Span(" " * width),) if width > 0 else ()
