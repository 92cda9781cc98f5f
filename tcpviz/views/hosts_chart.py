"""Several connections on one chart: hosts are columns, each connection has a letter and a colour.

Which rows there are is told by :mod:`tcpviz.views.hosts_rows`; here they are drawn.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from tcpviz.core.connection import Connection
from tcpviz.core.records import Call, Side
from tcpviz.core.timeline import Step, StepKind, Timeline
from tcpviz.views import roles
from tcpviz.views.digest import Digest
from tcpviz.views.hosts_rows import TRACKS, HostsRows, Member
from tcpviz.views.ladder_arrows import (
    Pen,
    draw_departures,
    draw_flight,
    draw_level,
)
from tcpviz.views.ladder_canvas import Canvas
from tcpviz.views.ladder_folds import Folds
from tcpviz.views.ladder_index import ChartIndex
from tcpviz.views.ladder_labels import Notation, call_variants, state_text
from tcpviz.views.ladder_layout import Layout
from tcpviz.views.ladder_parts import Bar, Row, RowKind
from tcpviz.views.numbers import seconds
from tcpviz.views.phase_words import BAND_ROLES, PHASES
from tcpviz.views.spans import Line, Span, clean, fit, fit_text, line, text_width
from tcpviz.words import _

MOST: Final = 26
"""Connections on one chart: there are as many letters."""

COLUMN: Final = 20
"""Least cells from one host to the next."""

_GUTTER, _STATES = 10, 26
_STATES_ROOM: Final = 110
"""From so many cells on the states stand in a lane of their own, to the right."""

_COLOURS: Final = (
    roles.CLIENT,
    roles.SERVER,
    roles.BAND_HANDSHAKE,
    roles.BOTH,
    roles.MARK_BAD,
    roles.TEXT,
)


class HostsChart:
    """The chart of ``connections`` (at most :data:`MOST`); drawn anew as the cursor moves.

    ``digest``  the timeline's, where it is kept: long connections are there at once then
    """

    def __init__(
        self,
        timeline: Timeline,
        connections: Sequence[Connection],
        *,
        digest: Digest | None = None,
        ascii_only: bool = False,
    ) -> None:
        self.timeline = timeline
        self.ascii_only = ascii_only
        self.notation = Notation.RELATIVE
        self.members = []
        for place, one in enumerate(connections[:MOST]):
            index = ChartIndex(timeline, one.id, digest)
            colour = _COLOURS[place % len(_COLOURS)]
            letter = chr(ord("A") + place)
            self.members.append(Member(one, index, Folds(index, True), letter, colour))
        self.maker = HostsRows(timeline, self.members)
        self._of = {member.connection.id: member for member in self.members}
        self.hosts: list[str] = []
        for member in self.members:
            for host in (member.client, member.server):
                if host not in self.hosts:
                    self.hosts.append(host)

    def rows(self, cursor: int, *, future: bool = True) -> list[Row]:
        """The rows around the cursor; without ``future``, up to it."""
        return self.maker.rows(cursor, future=future)

    def letter(self, connection: int | None) -> str:
        """What a connection is called here; empty where it is not on the chart."""
        member = self._of.get(connection or 0)
        return "" if member is None else member.letter

    # -- where ----------------------------------------------------------------

    def columns(self, width: int) -> dict[str, int]:
        """The column of each host's lifeline; hosts for whom there is no room share the last."""
        room = width - _GUTTER - 2 - self._lane(width)
        most = max(min(len(self.hosts), room // COLUMN + 1), 2)
        left, right = _GUTTER + 6, _GUTTER + room - 6
        places = [left + (right - left) * n // max(most - 1, 1) for n in range(most)]
        return {host: places[min(number, most - 1)] for number, host in enumerate(self.hosts)}

    def _lane(self, width: int) -> int:
        return _STATES if width >= _STATES_ROOM else 0

    # -- drawing --------------------------------------------------------------

    def header(
        self, width: int, cursor: int, most: int = 4, seen: Collection[str] = ()
    ) -> list[Line]:
        """Who each letter is and how it stands at the cursor, in ``most`` rows; the hosts.

        ``seen``  the letters of those that have something on the rows in sight: they go first
        """
        across = 2 if width >= _STATES_ROOM else 1
        places = most * across
        chosen = self.members
        if len(chosen) > places:
            first = [one for one in chosen if one.letter in seen][:places]
            rest = [one for one in chosen if one not in first][: places - len(first)]
            chosen = sorted([*first, *rest], key=lambda one: one.letter)
        made: list[Line] = []
        rows = -(-len(chosen) // across)
        left_out = len(self.members) - len(chosen)
        for row in range(rows):
            spans: Line = ()
            for member in chosen[row::rows]:
                spans += fit(self._who(member, cursor), width // across)
            made.append(fit(spans, width))
        canvas = Canvas(width)
        columns = self.columns(width)
        shared: dict[int, list[str]] = {}
        for host, column in columns.items():
            shared.setdefault(column, []).append(host)
        for column, hosts in shared.items():
            name = clean(hosts[0])
            if len(hosts) > 1:
                name = _("{n} other hosts").format(n=len(hosts))
            name = fit_text(name, COLUMN - 2)
            least = 2 + text_width(_("seconds")) + 1
            at = min(max(column - text_width(name) // 2, least), width - text_width(name))
            canvas.put(at, name, roles.TITLE)
        canvas.put(2, _("seconds"), roles.TITLE)
        if left_out:
            more = _("and {n} more").format(n=left_out)
            if self._lane(width):
                canvas.put(width - text_width(more) - 1, more, roles.LIT)
            else:  # the last host's name stands there
                room = width - text_width(more) - 3
                made[-1] = (*fit(made[-1], room), Span(f"  {more} ", roles.LIT))
        made.append(canvas.line(self.ascii_only))
        return made

    def _who(self, member: Member, cursor: int) -> Line:
        one = member.connection
        text = f" {member.letter}  {one.client.endpoint} > {one.server.endpoint}  "
        step = self.timeline.at(cursor, one.id)
        states = _("not begun yet")
        if step is not None:
            states = f"{state_text(step.client, 9)} / {state_text(step.server, 9)}"
        return line(Span(text, member.role), Span(states, roles.TIME))

    def pen(self, member: Member, width: int, end: int) -> Pen:
        """The pen for a connection's arrows: between its hosts' columns."""
        columns = self.columns(width)
        client, server = columns[member.client], columns[member.server]
        if client == server:  # both on one host: a loop beside its lifeline
            server = client + COLUMN // 2
        left, right = min(client, server), max(client, server)
        layout = Layout(width, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, left, right)
        return Pen(
            layout, self.notation, {}, False, False, None, end - 1, end,
            flipped=client > server, prefix=member.letter, role=member.role,
        )  # fmt: skip

    def draw(self, row: Row, width: int, end: int, zero_ns: int, *, here: bool = False) -> Line:
        """One row in exactly ``width`` cells; ``end`` rows there are in all."""
        canvas = Canvas(width)
        for column in set(self.columns(width).values()):
            canvas.put(column, "│", roles.LIFELINE)
        step = row.steps[0]
        words: list[tuple[int, str, str]] = []
        for flight in row.flights:
            member = self._of.get(flight.step.connection or 0)
            if member is not None:
                words += draw_flight(canvas, row, flight, self.pen(member, width, end))
        for column, text, role in words:
            canvas.put(column, text, role)
        for bar in row.bars:
            self._bar(canvas, row, bar, width)
        member = self._of.get(step.connection or 0)
        if member is not None:
            pen = self.pen(member, width, end)
            if row.kind is RowKind.BAND:
                self._band(canvas, row, member, pen)
            elif row.kind is RowKind.FOLD:
                self._folded(canvas, row, member, pen)
            elif row.kind is RowKind.STEP:
                if step.kind is StepKind.SEGMENT:
                    draw_level(canvas, step, pen)
                    self._passed(canvas, pen, width)
                draw_departures(canvas, [step], pen)
                if step.call is not None:
                    self._call(canvas, row, step.call, member, width)
                self._states(canvas, step, member, width)
            if row.kind in (RowKind.STEP, RowKind.FOLD):
                time = fit_text(seconds(step.time_ns - zero_ns, _GUTTER - 1), _GUTTER - 1)
                canvas.put(_GUTTER - text_width(time), time, roles.TIME)
        if here:
            canvas.put(0, "▸", roles.LIT)
        return canvas.line(self.ascii_only)

    def _band(self, canvas: Canvas, row: Row, member: Member, pen: Pen) -> None:
        """A rule between the two hosts alone: the others may be anywhere in their own."""
        if row.band is None:
            return
        role = BAND_ROLES[row.band.name]
        first, last = pen.layout.first, pen.layout.last
        for column in range(first, last):
            canvas.put(column, "┼" if canvas.at(column) == "│" else "╌", role)
        phase = row.band.at(None)
        name = _(PHASES[row.band.name], "phase")
        text = f" {member.letter} {name} "
        if phase.of:
            pips = "●" * phase.done + "○" * (phase.of - phase.done)
            whole = f" {member.letter} {name}  {pips}  {phase.done}/{phase.of} "
            text = whole if text_width(whole) <= last - first else text
        canvas.put(first + max(last - first - text_width(text), 0) // 2, text, role)

    def _folded(self, canvas: Canvas, row: Row, member: Member, pen: Pen) -> None:
        stretch = row.stretch
        if stretch is None:
            return
        first, last = pen.layout.first, pen.layout.last
        for column in range(first, last):
            if canvas.at(column) == " ":
                canvas.put(column, "┄", roles.DIM)
        role = roles.MARK_WARNING if stretch.problems else member.role
        texts = [f" ▸ {member.letter} {text} " for text in stretch.variants()]
        text = next((one for one in texts if text_width(one) <= last - first), texts[-1])
        canvas.put(first + max(last - first - text_width(text), 0) // 2, text, role)

    def _side(self, host: str, width: int) -> int:
        """On which side of a host's lifeline its calls' bars stand: outside; 0: nowhere."""
        columns = self.columns(width)
        if columns[host] == min(columns.values()):
            return -1
        return 1 if columns[host] == max(columns.values()) else 0

    def _bar(self, canvas: Canvas, row: Row, bar: Bar, width: int) -> None:
        member = self._of.get(self.timeline[bar.start_step].connection or 0)
        if member is None or bar.track >= TRACKS:
            return
        host = member.host(bar.side)
        side = self._side(host, width)
        begins, ends = bar.start == row.number, bar.end == row.number
        glyph = "│"
        if begins:
            glyph = "┐" if side < 0 else "┌"
        elif ends:
            glyph = "┘" if side < 0 else "└"
        if side:
            column = self.columns(width)[host] + side * (1 + bar.track)
            canvas.put(column, glyph, member.role if begins or ends else roles.CALL_BLOCKED)

    def _call(self, canvas: Canvas, row: Row, call: Call, member: Member, width: int) -> None:
        """A call's words beside its host's lifeline, towards the other hosts."""
        host = member.host(call.side)
        column, inside = self.columns(width)[host], -self._side(host, width) or 1
        begun = any(bar.call.id == call.id for bar in row.bars)
        returned = call.returned_ns is not None
        variants = call_variants(call, not returned or not begun, returned)
        room = COLUMN - 4
        text = next((one for one in variants if text_width(one) + 2 <= room), variants[-1])
        text = f"{member.letter} {fit_text(text, room)}"
        at = column + 2 if inside > 0 else column - 1 - text_width(text)
        canvas.put(at, text, roles.CALL_ERROR if returned and call.failed else member.role)

    def _passed(self, canvas: Canvas, pen: Pen, width: int) -> None:
        """A level arrow passes the hosts between: their lifelines stay to be seen."""
        for column in set(self.columns(width).values()):
            if pen.layout.first <= column < pen.layout.last and canvas.at(column) == "─":
                canvas.put(column, "┼", roles.LIFELINE)

    def _states(self, canvas: Canvas, step: Step, member: Member, width: int) -> None:
        """Where there is a lane for it: who went to which state."""
        if not step.changes or not self._lane(width):
            return
        said = []
        for change in step.changes:
            sign = "●" if change.side is Side.CLIENT else "◆"
            said.append(f"{sign} {state_text(change.after, 9)}")
        text = f"{member.letter} {' '.join(said)}"
        canvas.put(width - _STATES, fit_text(text, _STATES), member.role)
