"""Several connections on one chart: hosts are columns, each connection has a letter and a colour.

Rows are made around a step only, from the connections' indexes, so that long
connections cost no more than short ones.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tcpviz.core.connection import Connection
from tcpviz.core.records import Side
from tcpviz.core.timeline import Step, StepKind, Timeline
from tcpviz.views import roles
from tcpviz.views.digest import Digest
from tcpviz.views.ladder_arrows import (
    Pen,
    draw_departures,
    draw_flight,
    draw_level,
)
from tcpviz.views.ladder_canvas import Canvas
from tcpviz.views.ladder_index import ChartIndex
from tcpviz.views.ladder_labels import Notation, state_text
from tcpviz.views.ladder_layout import Layout
from tcpviz.views.ladder_parts import Flight, Row, RowKind
from tcpviz.views.ladder_rows import ENDS, MAX_FLIGHTS, identity_of
from tcpviz.views.numbers import seconds
from tcpviz.views.spans import Line, Span, clean, fit, fit_text, text_width
from tcpviz.words import _

MOST: Final = 26
"""Connections on one chart: there are as many letters."""

REACH: Final = 200
"""Steps with rows to each side of the cursor."""

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
_SEGMENTS: Final = frozenset({StepKind.SEGMENT, StepKind.SENT, *ENDS})


@dataclass(frozen=True, slots=True)
class Member:
    """A connection of the chart: its letter, and the role that is its colour."""

    connection: Connection
    index: ChartIndex
    letter: str
    role: str

    @property
    def client(self) -> str:
        return self.connection.client.endpoint.addr

    @property
    def server(self) -> str:
        return self.connection.server.endpoint.addr


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
        self.members = [
            Member(
                one,
                ChartIndex(timeline, one.id, digest),
                chr(ord("A") + place),
                _COLOURS[place % len(_COLOURS)],
            )
            for place, one in enumerate(connections[:MOST])
        ]
        self._of = {member.connection.id: member for member in self.members}
        self.hosts: list[str] = []
        for member in self.members:
            for host in (member.client, member.server):
                if host not in self.hosts:
                    self.hosts.append(host)

    # -- which steps ----------------------------------------------------------

    def steps(self, cursor: int) -> list[int]:
        """Indexes of the segments' steps around the cursor, in order."""
        found: set[int] = set()
        for member in self.members:
            member.index.extend()
            at = bisect.bisect_right(member.index.steps, cursor)
            low = max(at - 3 * REACH, member.index.floor)
            found.update(member.index.steps[low : at + 3 * REACH])
        own = sorted(index for index in found if self._shown(self.timeline[index]))
        at = bisect.bisect_right(own, cursor)
        return own[max(at - REACH, 0) : at + REACH]

    def _shown(self, step: Step) -> bool:
        return step.connection in self._of and step.kind in _SEGMENTS

    def rows(self, cursor: int, *, future: bool = True) -> list[Row]:
        """The rows around the cursor; without ``future``, up to it."""
        made: list[Row] = []
        flying: tuple[Flight, ...] = ()
        for index in self.steps(cursor):
            if index > cursor and not future:
                break
            step = self.timeline[index]
            segment, side = step.segment, step.side or Side.CLIENT
            if segment is None:
                continue
            row = Row(RowKind.STEP, len(made), [step], flying)
            made.append(row)
            if step.kind is StepKind.SENT:
                flying = (*flying, Flight(step, side, row.number))[-MAX_FLIGHTS:]
                row.flights = flying
                made.append(Row(RowKind.TRAVEL, len(made), [step], flying))
            elif step.kind in ENDS:
                key = identity_of(segment)
                mine = next(
                    (
                        one
                        for one in flying
                        if one.side is side
                        and one.step.connection == step.connection
                        and identity_of(one.step.segment or segment) == key
                    ),
                    None,
                )
                if mine is None:
                    mine = Flight(step, side, row.number)
                    row.flights = (*flying, mine)
                flying = tuple(one for one in flying if one is not mine)
                mine.end, mine.end_step = row.number, step.index
                mine.lost = step.kind is StepKind.LOST
        return made

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

    def header(self, width: int, cursor: int, most: int = 4) -> list[Line]:
        """Who each letter is and how it stands at the cursor, in ``most`` rows; the hosts."""
        made: list[Line] = []
        for member in self.members[:most]:
            one = member.connection
            text = f" {member.letter}  {one.client.endpoint} > {one.server.endpoint}  "
            step = self.timeline.at(cursor, one.id)
            states = _("not begun yet")
            if step is not None:
                states = f"{state_text(step.client, 9)} / {state_text(step.server, 9)}"
            made.append(fit((Span(text, member.role), Span(states, roles.TIME)), width))
        if len(self.members) > most:
            more = _("and {n} more").format(n=len(self.members) - most)
            made[-1] = fit((*made[-1][:1], Span(f"  {more}", roles.LIT)), width)
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
            at = min(max(column - text_width(name) // 2, 0), width - text_width(name))
            canvas.put(at, name, roles.TITLE)
        canvas.put(2, _("seconds"), roles.TITLE)
        made.append(canvas.line(self.ascii_only))
        return made

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
        member = self._of.get(step.connection or 0)
        if member is not None and row.kind is RowKind.STEP:
            pen = self.pen(member, width, end)
            if step.kind is StepKind.SEGMENT:
                draw_level(canvas, step, pen)
                self._passed(canvas, pen, width)
            draw_departures(canvas, [step], pen)
            self._states(canvas, step, member, width)
            time = fit_text(seconds(step.time_ns - zero_ns, _GUTTER - 1), _GUTTER - 1)
            canvas.put(_GUTTER - text_width(time), time, roles.TIME)
        if here:
            canvas.put(0, "▸", roles.LIT)
        return canvas.line(self.ascii_only)

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
