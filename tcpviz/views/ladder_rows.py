"""The rows of a sequence chart: which step stands where, and what passes by.

Independent of any width. A :class:`RowBuilder` is fed a connection's steps in
order and only ever adds rows at the end, so that a chart of 100 000 steps
costs no more for its next one than a chart of ten. A row remembers what runs
through it (segments on their way, calls that have not returned); both lists are
bounded, and rows between which nothing changes share them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tcpviz.core.claims import Claim, Phase, PhaseName
from tcpviz.core.passages import Doubt
from tcpviz.core.records import Act, Call, Handled, KernelReading, Side
from tcpviz.core.segment import Endpoint, Segment
from tcpviz.core.timeline import Step, StepKind
from tcpviz.views import hand_words, roles
from tcpviz.views.held_time import HeldTime
from tcpviz.views.kernel_words import accept_limit, listener_of
from tcpviz.views.ladder_parts import Band, Bar, Flight, Queues, Row, RowKind
from tcpviz.views.ladder_says import said_of

MAX_FLIGHTS = 8
"""Segments on their way that are drawn at once; of more, the oldest are let go."""

MAX_BARS = 8
"""Calls not returned that are drawn at once; of more, the oldest are let go."""

MERGE_NS = 20_000_000
"""A call and the segment that it causes share a row if no further apart than this."""

LONGEST_SPACE, SPACE_BEFORE_BREAK = 8, 2
"""To scale: more empty rows than this are broken, with so many before and behind the break."""

_TIMED = frozenset({RowKind.STEP, RowKind.TEXT, RowKind.FOLD})

_CAUSING = frozenset(
    {"connect", "connect_ex", "send", "sendall", "sendto", "sendmsg", "write", "writev"}
    | {"sendfile", "shutdown", "close"}
)
"""Calls that make a segment leave; the others share no row with one that they did not cause."""

_ONE_MOMENT = frozenset({StepKind.SEGMENT})
_LEAVES = frozenset({StepKind.SEGMENT, StepKind.SENT})
ENDS = frozenset({StepKind.ARRIVED, StepKind.LOST})
_SEGMENTS = frozenset({StepKind.SEGMENT, StepKind.SENT, StepKind.ARRIVED, StepKind.LOST})


def identity_of(segment: Segment) -> tuple[object, ...]:
    """What stays the same of a segment between its moments (not its time, frame, TTL)."""
    s = segment
    return (s.src, s.dst, s.seq, s.ack, s.flags, s.window, s.payload_len, s.ip_id, s.options)


def appears(step: Step) -> bool:
    """It arrives and did not leave, or only with more around it: its arrow begins on the way."""
    passage = step.passage
    return passage is not None and (passage.left is None or passage.doubt is Doubt.PART)


@dataclass(slots=True)
class RowBuilder:
    """Turns steps into rows. ``travel`` is the number of rows below each departure.

    ``merge`` lets a call share the row of the segment that it causes, and a
    return that of the segment that it waited for. ``scale_ns``: the time that a
    row stands for, with empty rows where nothing happens (0: not to scale).
    ``calls``: socket calls have rows, and bars in their lanes.
    """

    connection: int
    travel: int = 1
    merge: bool = True
    scale_ns: int = 0
    calls: bool = True
    rows: list[Row] = field(default_factory=list)
    dropped: int = 0
    tracks: int = 0
    origin_ns: int | None = None
    client: Endpoint | None = None
    server: Endpoint | None = None
    fins: dict[Side, tuple[int, int, str]] = field(default_factory=dict)
    held: HeldTime = field(default_factory=HeldTime)
    stale_from: int = 0
    queues: Queues | None = None
    midstream: bool = False
    _origin_step: int | None = None
    _claims: dict[Side, Claim] = field(default_factory=dict)
    _flights: tuple[Flight, ...] = ()
    _bars: tuple[Bar, ...] = ()
    _done: dict[tuple[object, ...], Flight] = field(default_factory=dict)
    _band: Band | None = None
    _band_row: int = 0
    _last_ns: int | None = None
    _started: bool = False
    _stands_ns: int | None = None

    @property
    def next(self) -> int:
        """The number of the next row."""
        return self.dropped + len(self.rows)

    @property
    def flights(self) -> tuple[Flight, ...]:
        """Segments on their way now."""
        return self._flights

    def row(self, number: int) -> Row:
        """The row with this number. Raises IndexError for dropped and future ones."""
        if number < self.dropped:
            raise IndexError(number)
        return self.rows[number - self.dropped]

    def begin_batch(self) -> None:
        """What follows may change rows from here on: those that a segment still crosses."""
        self.stale_from = min([self.next - 1, *(f.start for f in self._flights)])

    def add(self, step: Step) -> None:
        """Take the next step of the connection (or one of no connection)."""
        own = step.connection == self.connection
        self.held.add(step)
        if own:
            if self.origin_ns is None:
                self.origin_ns, self._origin_step = step.time_ns, step.index
            self._advance_band(step)
        if step.kind in _SEGMENTS and step.segment is not None:
            self._segment(step, step.segment)
        elif step.call is not None:
            if self.calls:
                self._call(step, step.call)
        elif step.handled is not None:
            self._handled(step, step.handled)
        else:
            self._words(step)
        if step.reading is not None:
            self._read(step.reading)
        self._settle(step, own)

    # -- parts --------------------------------------------------------------

    def _read(self, reading: KernelReading) -> None:
        """The kernel was asked: how long the listener's queues are from here on."""
        listener = listener_of(reading, self.server)
        if listener is None:
            return
        self.queues = Queues(
            listener.syn_queue,
            listener.syn_limit,
            listener.recv_queue,
            accept_limit(listener.send_queue),
        )
        if self.rows:
            self.rows[-1].queues = self.queues

    def _space(self, step: Step) -> None:
        """To scale: the rows of the time in which nothing happened before ``step``."""
        before, self._stands_ns = self._stands_ns, step.time_ns
        if before is None:
            return
        rows = (step.time_ns - before + self.scale_ns // 2) // self.scale_ns - 1
        if rows > LONGEST_SPACE:
            for _ in range(SPACE_BEFORE_BREAK):
                self._append(RowKind.SPACE, step)
            self._append(RowKind.BREAK, step).silence_ns = step.time_ns - before
            rows = SPACE_BEFORE_BREAK
        for _ in range(rows):
            self._append(RowKind.SPACE, step)

    def _advance_band(self, step: Step) -> None:
        band, phase = self._band, _phase(step)
        if (
            band is not None
            and band.name is PhaseName.TEARDOWN
            and any(f.step.segment is not None and f.step.segment.rst for f in self._flights)
            and phase.name is not PhaseName.TEARDOWN
            and step.kind not in ENDS
        ):
            return  # the reset is still on its way
        if band is None or band.name is not phase.name:
            if step.kind is StepKind.KERNEL and step.quiet:
                return
            self._begin_band(step)
        elif band.progress[-1][1] != phase:
            band.progress.append((step.index, phase))
            self.stale_from = min(self.stale_from, self._band_row)

    def _begin_band(self, step: Step) -> None:
        phase = _phase(step)
        band = self._band = Band(phase.name, [(step.index, phase)])
        last = self.rows[-1] if self.rows else None
        # connect() is made before there is a connection, and belongs to its handshake:
        # the band goes above the call's row.
        if last is not None and len(last.steps) == 1 and self._causes(last, step):
            self.rows.pop()
            before = last.steps[0]
            band.progress.insert(0, (before.index, Phase(phase.name, 0, phase.of)))
            self._band_row = self.next
            row = self._append(RowKind.BAND, before)
            row.band, row.bars = band, tuple(b for b in self._bars if b.start < last.number)
            for bar in last.bars:
                if bar.start == last.number:
                    bar.start += 1
            last.number += 1
            self.rows.append(last)
            self.stale_from = min(self.stale_from, self._band_row)
            return
        self._band_row = self.next
        self._append(RowKind.BAND, step).band = band

    def _append(self, kind: RowKind, step: Step) -> Row:
        if self.scale_ns and kind in _TIMED:
            self._space(step)
        row = Row(
            kind,
            self.next,
            [step],
            self._flights,
            self._bars,
            self._claims.get(Side.CLIENT),
            self._claims.get(Side.SERVER),
            before_ns=self._last_ns,
            queues=self.queues,
            queues_before=self.queues,
        )
        self.rows.append(row)
        return row

    def _step_row(self, step: Step) -> Row:
        """A row for a step: a new one, or the last one where the two belong together."""
        place = len(self.rows) - 1
        if step.kind is StepKind.RETURN:
            # A call often returns just after its segment left: the row of the departure is
            # above the rows over which that segment travels.
            while place > 0 and self.rows[place].kind is RowKind.TRAVEL:
                place -= 1
        last = self.rows[place] if place >= 0 else None
        if last is None or not self._joins(last, step):
            last = self._append(RowKind.STEP, step)
        else:
            last.steps.append(step)
            self.stale_from = min(self.stale_from, last.number)
        if step.connection == self.connection and not self._started:
            self._started = last.shown = True
        return last

    def _joins(self, row: Row, step: Step) -> bool:
        """Whether ``step`` may share ``row``: it is caused by what is there, or causes it."""
        if row.kind is not RowKind.STEP or step.side is None:
            return False
        before = row.steps[-1]
        moved = {change.side for each in row.steps for change in each.changes}
        if any(change.side in moved for change in step.changes):
            return False
        if abs(step.time_ns - before.time_ns) > MERGE_NS:
            return False
        if step.kind is StepKind.RETURN and step.call is not None:
            calls = [each.call for each in row.steps if each.call is not None]
            if calls:
                return any(call.id == step.call.id and not call.returned for call in calls) and (
                    self.merge or len(row.steps) == 1
                )
            leaves = before.kind is StepKind.SENT and before.side is step.side
            return self.merge and (leaves or _receiver(before) is step.side)
        return self.merge and self._causes(row, step)

    def _causes(self, row: Row, step: Step) -> bool:
        """Whether the row has nothing but the call that made this segment leave."""
        before = row.steps[-1]
        return (
            row.kind is RowKind.STEP
            and len(row.steps) == 1
            and abs(step.time_ns - before.time_ns) <= MERGE_NS
            and step.kind in _LEAVES
            and before.kind is StepKind.CALL
            and before.call is not None
            and before.side is step.side
            and before.call.name in _CAUSING
        )

    def _segment(self, step: Step, segment: Segment) -> None:
        side = step.side or Side.CLIENT
        if self.client is None or self.server is None:
            ends = (segment.src, segment.dst)
            self.client, self.server = ends if side is Side.CLIENT else (ends[1], ends[0])
            self.midstream = not segment.syn
        elif segment.syn:  # captured behind what it began
            self.midstream = False
        if segment.fin and side not in self.fins and step.kind is not StepKind.ARRIVED:
            letter = "N" if self.fins else "M"
            self.fins[side] = (step.index, step.relative[0] + segment.payload_len, letter)
        if step.kind is StepKind.SENT:
            row = self._step_row(step)
            flight = Flight(step, side, row.number)
            self._flights = (*self._flights, flight)[-MAX_FLIGHTS:]
            row.flights = self._flights
            for _ in range(self.travel):
                self._append(RowKind.TRAVEL, step)
        elif step.kind is StepKind.SEGMENT:
            self._step_row(step)
        else:
            self._end_flight(step, segment, side)

    def _end_flight(self, step: Step, segment: Segment, side: Side) -> None:
        """A segment arrived, or died: its arrow ends on the new row."""
        key = identity_of(segment)
        flight = next(
            (
                each
                for each in self._flights
                if each.side is side and identity_of(each.step.segment or segment) == key
            ),
            None,
        ) or self._spoilt(step, segment, side)
        row = self._append(RowKind.STEP, step)
        if flight is None:
            # The same segment once more, a part of one, or one whose departure nobody saw.
            known = self._done.get(key)
            copy = known is not None or appears(step)
            loose = not copy and step.passage is not None
            flight = Flight(step, side, row.number, copy=copy, loose=loose)
            row.flights = (*self._flights, flight)
        else:
            self._flights = tuple(each for each in self._flights if each is not flight)
        flight.end, flight.end_step = row.number, step.index
        flight.lost = step.kind is StepKind.LOST
        self.stale_from = min(self.stale_from, flight.start)
        self._done.pop(key, None)
        self._done[key] = flight
        if len(self._done) > 8 * MAX_FLIGHTS:
            del self._done[next(iter(self._done))]

    def _spoilt(self, step: Step, segment: Segment, side: Side) -> Flight | None:
        """The flight of a segment that arrives otherwise than it left: by its number."""
        passage = step.passage
        if passage is not None and not passage.changed:
            return None
        for each in self._flights:
            left = each.step.segment
            same = left is not None and left.frame == segment.frame > 0 and each.side is side
            spoilt = any(one.act is Act.CORRUPTED for one in each.handled(None))
            if same and (passage is not None or spoilt):
                return each
        return None

    def _handled(self, step: Step, handled: Handled) -> None:
        """Somebody did something to a segment on its way."""
        frame, side = handled.segment.frame, step.side or Side.CLIENT
        mine = [
            one
            for one in self._flights
            if one.side is side and one.step.segment and one.step.segment.frame == frame
        ]
        flight = mine[0] if mine else None
        if handled.act is Act.DUPLICATED and flight is not None:
            flight = Flight(flight.step, side, self.next, copy=True)
            self._flights = (*self._flights, flight)[-MAX_FLIGHTS:]
        elif handled.act in (Act.HELD, Act.RELEASED, Act.DROPPED) and len(mine) > 1:
            # Original and copy have one number: what is let go was held, the older one first.
            wanted = handled.act is Act.HELD
            flight = next((one for one in mine if (one.holder(None) is None) is wanted), flight)
        if flight is not None:
            flight.acts.append(step)
            self.stale_from = min(self.stale_from, flight.start)
        if not hand_words.short(handled):
            return
        last = self.rows[-1] if self.rows else None
        before = None if last is None or last.kind is not RowKind.TEXT else last.steps[-1].handled
        if last is not None and before and before.act is handled.act is Act.SWALLOWED:
            last.steps.append(step)
            self.stale_from = min(self.stale_from, last.number)
        else:
            last = self._append(RowKind.TEXT, step)
        last.text, last.tone = hand_words.row_text(last.steps), roles.MARK_WARNING

    def _call(self, step: Step, call: Call) -> None:
        side = step.side or call.side
        if step.kind is StepKind.CALL:
            row = self._step_row(step)
            taken = {bar.track for bar in self._bars if bar.side is side}
            track = next(n for n in range(MAX_BARS + 1) if n not in taken)
            self.tracks = max(self.tracks, track + 1)
            bar = Bar(call, side, track, row.number, step.index)
            self._bars = (*self._bars, bar)[-MAX_BARS:]
            row.bars = (*row.bars, bar)
            return
        bars = (each for each in self._bars if each.call.id == call.id and each.side is side)
        found = next(bars, None)
        row = self._step_row(step)
        if found is None:
            # Its beginning was before the first step, or was let go: a bar of one row.
            found = Bar(call, side, 0, row.number, step.index)
            self.tracks = max(self.tracks, 1)
            row.bars = (*row.bars, found)
        else:
            self._bars = tuple(each for each in self._bars if each is not found)
        found.end, found.end_step, found.returned = row.number, step.index, call

    def _words(self, step: Step) -> None:
        """Rows of words."""
        for text, tone in said_of(step, self.connection):
            row = self._append(RowKind.TEXT, step)
            row.text, row.tone = text, tone

    def _settle(self, step: Step, own: bool) -> None:
        """After a step's rows: where both ends stand now."""
        if own:
            self._claims = {Side.CLIENT: step.client, Side.SERVER: step.server}
        else:
            for change in step.changes:
                self._claims[change.side] = change.after
        if not step.quiet:
            self._last_ns = step.time_ns

    def paused_at(self, index: int | None) -> int:
        """For how long the person had held something by step ``index`` (``None``: by now), ns.

        Counted from the connection's first step: the times of its chart leave it out.
        """
        origin = self._origin_step
        return 0 if origin is None else self.held.at(index) - self.held.at(origin)

    def drop_before(self, index: int) -> None:
        """Forget the rows of steps before ``index``, which the timeline has dropped too."""
        count = 0
        for row in self.rows:
            if row.last_index >= index:
                break
            count += 1
        if count:
            del self.rows[:count]
            self.dropped += count


def _phase(step: Step) -> Phase:
    """The phase that a step's row belongs to.

    A reset ends a connection when it arrives, but its departure is already part
    of the teardown, as a FIN's is.
    """
    if (
        step.kind is StepKind.SENT
        and step.segment is not None
        and step.segment.rst
        and step.phase.name is not PhaseName.TEARDOWN
    ):
        return Phase(PhaseName.TEARDOWN, 0, 1)
    return step.phase


def _receiver(step: Step) -> Side | None:
    """At whose lifeline the step's arrow ends on this row; ``None`` where none does."""
    if step.kind is StepKind.ARRIVED or step.kind in _ONE_MOMENT:
        return None if step.side is None else step.side.other
    return None
