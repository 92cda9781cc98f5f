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
from tcpviz.views import numbers, roles
from tcpviz.views.kernel_words import kernel_spans, listener_span
from tcpviz.views.ladder_arrows import Pen
from tcpviz.views.ladder_canvas import Canvas
from tcpviz.views.ladder_draw import draw_row
from tcpviz.views.ladder_labels import Notation, state_text
from tcpviz.views.ladder_layout import LEAST, Layout, layout
from tcpviz.views.ladder_parts import Flight, Row, RowKind
from tcpviz.views.ladder_rows import RowBuilder
from tcpviz.views.spans import Line, Span, clean, fit, fit_text, text_width

__all__ = ["Gutter", "Ladder", "LadderSettings", "Notation", "Row", "RowKind"]


class Gutter(enum.Enum):
    """What the time gutter shows.

    ``RELATIVE``  seconds since the connection's first step
    ``ABSOLUTE``  time of day
    ``DELTA``     time since the step before
    ``NONE``      nothing
    """

    RELATIVE = "relative"
    ABSOLUTE = "absolute"
    DELTA = "delta"
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
    client_name: str = ""
    server_name: str = ""
    zone: dt.tzinfo | None = None


class Ladder:
    """Rows of one connection's chart over ``timeline``; empty until first extended."""

    def __init__(
        self, timeline: Timeline, connection: int, settings: LadderSettings | None = None
    ) -> None:
        self.timeline = timeline
        self.connection = connection
        self.settings = settings or LadderSettings()
        self._merging = self.settings.merge
        self._build = self._new()
        self._upto = -1

    def _new(self) -> RowBuilder:
        return RowBuilder(self.connection, max(self.settings.travel, 0), self._merging)

    # -- rows ---------------------------------------------------------------

    @property
    def rows(self) -> Sequence[Row]:
        """The rows that are kept, oldest first; the first one's number is :attr:`dropped`."""
        return self._build.rows

    @property
    def dropped(self) -> int:
        """Rows that went because the timeline dropped their steps."""
        return self._build.dropped

    @property
    def stale_from(self) -> int:
        """Rows with this number and later may look different since the last extension."""
        return self._build.stale_from

    def extend(self, upto: int | None = None) -> int:
        """Take the connection's new steps up to index ``upto`` (``None``: all there are).

        Returns how many rows there are more. Costs what is new.
        """
        build = self._build
        before = build.next
        build.begin_batch()
        if self.timeline.first > 0:
            build.drop_before(self.timeline.first)
        for index in self.timeline.since(self._upto, self.connection):
            if upto is not None and index > upto:
                break
            build.add(self.timeline[index])
            self._upto = index
        return build.next - before

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
        upto, self._upto = self._upto, -1
        self._build = self._new()
        self.extend(upto)
        self._build.stale_from = 0
        return True

    def change(self, **settings: object) -> None:
        """Change settings by name (``notation=...``); rows are rebuilt where they must be."""
        old = self.settings
        self.settings = replace(old, **settings)  # type: ignore[arg-type]
        if (old.travel, old.merge) != (self.settings.travel, self.settings.merge):
            self._merging = self.settings.merge
            upto, self._upto = self._upto, -1
            self._build = self._new()
            self.extend(upto)
        self._build.stale_from = 0

    def row_of(self, step: int) -> int:
        """Place in :attr:`rows` of the row of step ``step``.

        Of the latest row before it where it has none; -1 where there is none.
        """
        rows = self._build.rows
        place = bisect.bisect_right(rows, step, key=lambda row: row.step_index) - 1
        while place > 0 and rows[place].kind is RowKind.TRAVEL:
            place -= 1
        return place

    def rows_upto(self, cursor: int) -> int:
        """How many of :attr:`rows` have happened right after step ``cursor``."""
        return bisect.bisect_right(self._build.rows, cursor, key=lambda row: row.step_index)

    # -- drawing ------------------------------------------------------------

    def layout(self, width: int) -> Layout:
        """Where the columns stand at this width, for hit-testing and headings."""
        gutter = 0 if self.settings.gutter is Gutter.NONE else None
        if self.settings.gutter is Gutter.ABSOLUTE and width >= 60:
            gutter = 12
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
        )
        draw_row(canvas, row, pen)
        if where.gutter and row.kind in (RowKind.STEP, RowKind.TEXT):
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
            self._build.next,
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
        if how is Gutter.DELTA:
            if row.before_ns is None:
                return ""
            passed = step.time_ns - row.before_ns - self._held_between(row, step.index)
            delta = numbers.duration(passed)
            text = delta if delta.startswith("-") else f"+{delta}"
            return text if len(text) <= cells else fit_text(text.replace(" ", ""), cells)
        origin = self._build.origin_ns
        real = step.time_ns - (origin or step.time_ns) - self._build.paused_at(step.index)
        return fit_text(numbers.seconds(real, cells), cells)

    def _held_between(self, row: Row, index: int) -> int:
        """For how much of the time between a row and the one before something was held, ns."""
        return self._build.paused_at(index) - self._build.paused_at(row.step_index - 1)

    def header(self, width: int, cursor: int | None = None) -> list[Line]:
        """Two heading lines: who the ends are, and how they stand at the cursor."""
        where = self.layout(width)
        canvas, states = Canvas(width), Canvas(width)
        build = self._build
        half = max((width - where.lane_left) // 2 - 1, 0)
        ends = (
            (Side.CLIENT, "●", build.client, clean(self.settings.client_name) or "client"),
            (Side.SERVER, "◆", build.server, clean(self.settings.server_name) or "server"),
        )
        # With their addresses both, or neither.
        whole = [f"{marker} {name}  {end or ''}".rstrip() for _, marker, end, name in ends]
        if max(map(text_width, whole)) > half:
            whole = [f"{marker} {name}" for _, marker, _, name in ends]
        for (side, _, _, _), words in zip(ends, whole, strict=True):
            role = roles.of_side(side)
            text = fit_text(words, half)
            size = text_width(text)
            left = side is Side.CLIENT
            line = where.left if left else where.right
            at = line - size // 2
            low, high = where.lane_left, width
            if left:
                high = where.left + 1 + where.arrows // 2 - 1
            else:
                low = where.left + 1 + (where.arrows + 1) // 2 + 1
            canvas.put(max(min(at, high - size), low), text, role)
            claim = self._claim_at(side, cursor)
            if claim is None:
                continue
            state = state_text(claim, max(half, 8))
            at = max(min(line - len(state) // 2, high - len(state)), low)
            states.put(at, state, roles.of_certainty(claim.certainty))
        if where.gutter:
            title = {
                "relative": "real s" if self._build.paused_at(None) else "seconds",
                "absolute": "time",
                "delta": "after",
            }.get(self.settings.gutter.value, "")
            canvas.put(where.gutter_at + where.gutter - len(title), title, roles.TITLE)
        ascii_only = self.settings.ascii_only
        return [canvas.line(ascii_only), states.line(ascii_only)]

    @property
    def travelling(self) -> bool:
        """Some segment is on its way, and in nobody's hand."""
        return any(flight.holder(None) is None for flight in self._build.flights)

    def kernel_lines(
        self, step: Step, width: int, *, rows: int = 2, passed_ns: int = 0
    ) -> list[Line]:
        """What the kernels said at ``step``, each end's under its own heading.

        Two rows: both connections' sockets, then the listener's queues. In one row
        the listener speaks for the server as long as it has no socket of its own to tell of.
        ``passed_ns`` since then: timers have run on.
        """
        reading = step.reading
        if reading is None or width < LEAST:
            return []
        where, build = self.layout(width), self._build
        ends = None
        if build.client is not None and build.server is not None:
            ends = (build.client, build.server)
        half = max((width - where.lane_left) // 2 - 1, 0)
        said = [
            kernel_spans(
                reading,
                side,
                ends,
                half,
                disagreements=step.disagreements,
                passed_ns=passed_ns,
            )
            for side in Side
        ]
        listener = listener_span(reading, build.server, half)
        if rows < 2:
            queued = listener.role != roles.TIME
            if not said[1].text or (queued and said[1].role != roles.MARK_BAD):
                said[1] = listener
            made = [said]
        else:
            made = [said, [Span(""), listener]]
        titles = ("kernel", "queues")
        return [
            self._kernel_line(one, title, where, width)
            for one, title in zip(made, titles, strict=False)
        ]

    def _kernel_line(self, said: Sequence[Span], name: str, where: Layout, width: int) -> Line:
        canvas = Canvas(width)
        if where.gutter and any(span.text for span in said):
            title = fit_text(name, where.gutter)
            canvas.put(where.gutter_at + where.gutter - len(title), title, roles.TITLE)
        middle = where.left + 1 + where.arrows // 2
        for side, span in zip(Side, said, strict=True):
            size = text_width(span.text)
            if side is Side.CLIENT:
                low, high, at = where.lane_left, middle - 1, where.left - size // 2
            else:
                low, high, at = middle + 1, width, where.right - size // 2
            canvas.put(max(min(at, high - size), low), span.text, span.role)
        return canvas.line(self.settings.ascii_only)

    def _claim_at(self, side: Side, cursor: int | None) -> Claim | None:
        count = len(self.rows) if cursor is None else self.rows_upto(cursor)
        if not count:
            return None
        row = self.rows[count - 1]
        steps = [s for s in row.steps if cursor is None or s.index <= cursor]
        for step in reversed(steps):
            if step.connection is not None:
                return step.claim(side)
        return row.claim(side)


def blank(width: int) -> Line:
    """A row of nothing, for panes taller than the chart."""
    return (Span(" " * width),) if width > 0 else ()
