"""One connection's exchange as plain data: what every drawing outside of the terminal is made of.

An :class:`Exchange` holds the connection's messages, calls, state changes and
remarks, each with its row: rows are the distinct things that happened, in
order, so that a picture need not be to scale to be true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tcpviz.core.claims import PhaseName
from tcpviz.core.connection import Connection
from tcpviz.core.records import Call, Side
from tcpviz.core.segment import Segment
from tcpviz.core.timeline import Step, StepKind, Timeline
from tcpviz.export.text import call_line
from tcpviz.views import points, roles
from tcpviz.views.hand_words import text_line
from tcpviz.views.icmp_words import error_text
from tcpviz.views.ladder_labels import (
    Notation,
    mark_variants,
    segment_role,
    segment_variants,
    state_text,
)
from tcpviz.views.spans import clean
from tcpviz.views.verdict import verdict

_STATE_CELLS = 16


@dataclass(eq=False)
class Message:
    """A segment on its way from ``side``.

    ``row``      where it left; ``arrived`` and ``lost`` the rows where that happened, or ``None``
    ``level``    it was captured at one place: when it left and when it arrived is not told apart
    ``again``    a copy that arrived besides
    """

    row: int
    time_ns: int
    side: Side
    segment: Segment
    label: str
    marks: tuple[str, ...]
    role: str
    level: bool = True
    arrived: int | None = None
    lost: int | None = None
    again: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Bar:
    """A socket call from ``began`` to ``returned`` (a row, or ``None``: it has not)."""

    side: Side
    call: Call
    began: int
    returned: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """An end came to a state at a row."""

    row: int
    side: Side
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that was said of the connection at a row: ICMP, a hand's doing, a gap."""

    row: int
    text: str
    role: str = roles.DIM


@dataclass(frozen=True, slots=True)
class Band:
    """A phase begins at a row."""

    row: int
    name: PhaseName


@dataclass(eq=False)
class Exchange:
    """Everything of one connection, see the module. ``times`` has each row's nanoseconds."""

    connection: Connection
    client: str
    server: str
    verdict: str
    begin: tuple[str, str]
    times: list[int] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    bands: list[Band] = field(default_factory=list)
    left_out: int = 0

    def name(self, side: Side) -> str:
        return self.client if side is Side.CLIENT else self.server

    def seconds(self, row: int) -> float:
        """A row's time in seconds since the first."""
        return (self.times[row] - self.times[0]) / 1e9


def exchange(
    timeline: Timeline,
    connection: Connection,
    *,
    notation: Notation = Notation.RELATIVE,
    most: int = 2000,
) -> Exchange:
    """The exchange of ``connection``; of more than ``most`` rows the rest is counted only."""
    return _Gathering(timeline, connection, notation, most).gather()


def in_order(
    e: Exchange,
    *,
    band: Callable[[Band], str],
    beside: Callable[[Side, str], str],
    message: Callable[[Message], str],
    remark: Callable[[str], str],
) -> Iterator[str]:
    """The exchange row by row, for languages that have no rows: each thing as its caller writes it.

    ``beside`` writes calls and states next to their end, ``remark`` what concerns both.
    """
    for side, begin in zip(Side, e.begin, strict=True):
        if begin:
            yield beside(side, begin)
    rows: dict[int, list[str]] = {}
    for each in e.bands:
        rows.setdefault(each.row, []).append(band(each))
    for bar in e.bars:
        if bar.returned is not None and bar.returned > bar.began:
            call, _, result = bar.text.rpartition(" = ")
            rows.setdefault(bar.began, []).append(beside(bar.side, call))
            after = f"{bar.call.name}() = {result}"
            rows.setdefault(bar.returned, []).append(beside(bar.side, after))
        else:
            rows.setdefault(bar.began, []).append(beside(bar.side, bar.text))
    for m in e.messages:
        rows.setdefault(m.row, []).append(message(m))
        for row in m.again:
            rows.setdefault(row, []).append(remark(f"a copy of {m.label} arrives"))
    for said in e.remarks:
        rows.setdefault(said.row, []).append(remark(said.text))
    for change in e.changes:
        rows.setdefault(change.row, []).append(beside(change.side, change.state))
    for row in sorted(rows):
        yield from rows[row]
    if e.left_out:
        yield remark(f"and {e.left_out} more segments")


class _Gathering:
    def __init__(
        self, timeline: Timeline, connection: Connection, notation: Notation, most: int
    ) -> None:
        self.timeline = timeline
        self.notation = notation
        self.most = most
        c = connection
        self.out = Exchange(c, str(c.client.endpoint), str(c.server.endpoint), verdict(c), ("", ""))
        self.under_way: dict[tuple[Side, int], Message] = {}
        self.calls: dict[int, tuple[int, Call]] = {}
        self.fins: dict[Side, tuple[int, int, str]] = {}

    def gather(self) -> Exchange:
        own = self.out.connection.id
        known = False
        phase: PhaseName | None = None
        for index in self.timeline.of(own):
            step = self.timeline[index]
            if not known and step.connection == own:
                known = True
                self.out.begin = _before(step)
            if len(self.out.times) >= self.most:
                self.out.left_out += step.kind in (StepKind.SEGMENT, StepKind.SENT)
                continue
            self._take(step, own)
            if step.connection == own and step.phase.name is not phase and self.out.times:
                phase = step.phase.name
                self.out.bands.append(Band(len(self.out.times) - 1, phase))
        for began, call in self.calls.values():
            self.out.bars.append(Bar(call.side, call, began, None, call_line(call, call.side)))
        self.out.bars.sort(key=lambda bar: bar.began)
        first: dict[Side, str] = {}
        for change in self.out.changes:
            first.setdefault(change.side, change.state)
        client, server = self.out.begin
        # A state that is reached on the chart did not stand at its top.
        self.out.begin = (
            "" if client == first.get(Side.CLIENT) else client,
            "" if server == first.get(Side.SERVER) else server,
        )
        return self.out

    def _row(self, step: Step) -> int:
        self.out.times.append(step.time_ns)
        return len(self.out.times) - 1

    def _take(self, step: Step, own: int) -> None:
        row: int | None = None
        side = step.side or Side.CLIENT
        if step.kind is StepKind.ICMP and step.unreachable is not None:
            row = self._row(step)
            text = f"ICMP: {error_text(step.unreachable, step.relative[0])}"
            self.out.remarks.append(Remark(row, clean(text), roles.MARK_WARNING))
        elif step.handled is not None and not step.quiet:
            row = self._row(step)
            self.out.remarks.append(Remark(row, clean(text_line(step.handled, side))))
        elif step.segment is not None and step.handled is None and step.connection == own:
            row = self._segment(step, side, step.segment)
        elif step.call is not None:
            row = self._call(step, step.call)
        elif step.gap is not None:
            row = self._row(step)
            count = "" if step.gap.count is None else f"{step.gap.count} "
            text = f"gap: {count}packets missing here"
            self.out.remarks.append(Remark(row, text, roles.MARK_WARNING))
        for change in step.changes:
            if row is None:
                row = self._row(step)
            why = change.after.because
            if change.transition is not None:
                why = change.transition.label
            text = state_text(change.after, _STATE_CELLS)
            self.out.changes.append(Change(row, change.side, text, why))

    def _segment(self, step: Step, side: Side, segment: Segment) -> int:
        row = self._row(step)
        key = (side, segment.frame)
        if step.kind in (StepKind.ARRIVED, StepKind.LOST):
            known = self.under_way.get(key)
            if known is None:
                known = self._message(row, step, side, segment)
                known.level = False
            if step.kind is StepKind.LOST:
                known.lost = row
            elif known.arrived is None:
                known.arrived = row
            else:
                known.again.append(row)
            return row
        message = self._message(row, step, side, segment)
        message.level = step.kind is StepKind.SEGMENT
        self.under_way[key] = message
        return row

    def _message(self, row: int, step: Step, side: Side, segment: Segment) -> Message:
        if segment.fin and side not in self.fins:
            end = (step.relative[0] + segment.payload_len) & 0xFFFFFFFF
            self.fins[side] = (step.index, end, "N" if self.fins else "M")
        label = segment_variants(step, self.notation, self.fins)[0]
        if step.passage is not None and step.kind is StepKind.ARRIVED:
            label = ", ".join(filter(None, (label, points.short_doubt(step.passage))))
        marks, _ = mark_variants(step)
        role = segment_role(segment)
        message = Message(row, step.time_ns, side, segment, label, tuple(marks[:1]), role)
        self.out.messages.append(message)
        return message

    def _call(self, step: Step, call: Call) -> int:
        if not call.returned:
            row = self._row(step)
            self.calls[call.id] = (row, call)
            return row
        last = len(self.out.times) - 1
        began, _ = self.calls.pop(call.id, (-1, call))
        # What returned before anything else happened takes one row.
        row = last if began == last >= 0 else self._row(step)
        text = f"{clean(call.name)}({clean(call.arguments)}) = {clean(call.result or '?')}"
        self.out.bars.append(Bar(call.side, call, began if began >= 0 else row, row, text))
        return row


def _before(step: Step) -> tuple[str, str]:
    """Both ends' states before a step."""
    before = {Side.CLIENT: step.client, Side.SERVER: step.server}
    for change in reversed(step.changes):
        before[change.side] = change.before
    found = step.segment is not None and not step.segment.syn
    client, server = (state_text(before[side], _STATE_CELLS, midstream=found) for side in Side)
    return client, server
