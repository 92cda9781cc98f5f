"""The rows of a chart of several connections: segments, calls, phases, and folded runs of data.

Rows are made around a step only, from the connections' indexes; a folded run is one row
whatever its length, so that long connections cost no more than short ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tcpviz.core.claims import PhaseName
from tcpviz.core.connection import Connection
from tcpviz.core.records import Side
from tcpviz.core.timeline import Step, StepKind, Timeline
from tcpviz.views.ladder_folds import Folds
from tcpviz.views.ladder_index import ChartIndex
from tcpviz.views.ladder_parts import Band, Bar, Flight, Row, RowKind
from tcpviz.views.ladder_rows import ENDS, MAX_FLIGHTS, identity_of

REACH: Final = 200
"""Steps with rows to each side of the cursor; a folded run counts as one."""

TRACKS: Final = 2
"""Bars of calls beside a host's lifeline; what there is more is told in words alone."""

_SEGMENTS: Final = frozenset({StepKind.SEGMENT, StepKind.SENT, *ENDS})
_CALLS: Final = frozenset({StepKind.CALL, StepKind.RETURN})


@dataclass(frozen=True, slots=True)
class Member:
    """A connection of the chart: its letter, and the role that is its colour."""

    connection: Connection
    index: ChartIndex
    folds: Folds
    letter: str
    role: str

    @property
    def client(self) -> str:
        return self.connection.client.endpoint.addr

    @property
    def server(self) -> str:
        return self.connection.server.endpoint.addr

    def host(self, side: Side) -> str:
        return self.client if side is Side.CLIENT else self.server


@dataclass(frozen=True, slots=True)
class Entry:
    """A step of one connection, or the folded run (from, to positions) that begins with it."""

    index: int
    member: Member
    fold: tuple[int, int] | None = None


@dataclass(slots=True)
class HostsRows:
    """Makes the rows of ``members``; ``calls``: with their socket calls."""

    timeline: Timeline
    members: Sequence[Member]
    calls: bool = True
    _made: list[Row] = field(default_factory=list)
    _flying: tuple[Flight, ...] = ()
    _bars: tuple[Bar, ...] = ()

    def fold(self, folding: bool) -> None:
        """Fold every run of plain data, or open every one."""
        for member in self.members:
            member.folds.turn_all(folding)

    def entries(self, cursor: int) -> list[Entry]:
        """What has rows around the cursor, in order."""
        found: list[Entry] = []
        for member in self.members:
            member.index.extend()
            if member.folds.folding:
                member.folds.look_at(cursor)
            at = member.index.place(cursor)
            found += self._walk(member, at, -1)
            found += self._walk(member, at + 1, 1)
        # A long run may be met from both sides.
        found = list({(one.member.letter, one.index): one for one in found}.values())
        found.sort(key=lambda entry: entry.index)
        before = sum(entry.index <= cursor for entry in found)
        return found[max(before - REACH, 0) : before + REACH]

    def _walk(self, member: Member, place: int, step: int) -> list[Entry]:
        """Up to REACH entries of one connection from a position on, over what is folded."""
        index, floor = member.index, member.index.floor
        found: list[Entry] = []
        looked = 0
        while floor <= place < len(index) and len(found) < REACH and looked < 3 * REACH:
            looked += 1
            fold = member.folds.at(place)
            if fold is not None:
                found.append(Entry(index.steps[fold[0]], member, fold))
                place = fold[0] - 1 if step < 0 else fold[1]
                continue
            if self._shown(index.step(place), member):
                found.append(Entry(index.steps[place], member))
            place += step
        return found

    def _shown(self, step: Step, member: Member) -> bool:
        if step.connection != member.connection.id:
            return False
        return step.kind in _SEGMENTS or (self.calls and step.kind in _CALLS)

    def rows(self, cursor: int, *, future: bool = True) -> list[Row]:
        """The rows around the cursor; without ``future``, up to it."""
        self._made, self._flying, self._bars = [], (), ()
        phases: dict[int, PhaseName] = {}
        bands: dict[int, Band] = {}
        for entry in self.entries(cursor):
            if entry.index > cursor and not future:
                break
            step, member = self.timeline[entry.index], entry.member
            id_ = member.connection.id
            band = bands.get(id_)
            if step.kind in _SEGMENTS:
                if band is None or band.name is not step.phase.name:
                    band = bands[id_] = Band(step.phase.name, [])
                    # A phase that began above the first row is nobody's news.
                    if id_ in phases or _begins(step):
                        self._append(RowKind.BAND, step).band = band
                    phases[id_] = step.phase.name
                band.progress.append((entry.index, step.phase))
            if entry.fold is not None:
                self._fold(entry, step)
            elif step.call is not None and step.kind in _CALLS:
                self._call(step)
            else:
                self._segment(step)
        made, self._made = self._made, []
        return made

    def _append(self, kind: RowKind, step: Step) -> Row:
        row = Row(kind, len(self._made), [step], self._flying, self._bars)
        self._made.append(row)
        return row

    def _fold(self, entry: Entry, first: Step) -> None:
        start, stop = entry.fold or (0, 0)
        id_ = entry.member.connection.id
        self._flying = tuple(one for one in self._flying if one.step.connection != id_)
        row = self._append(RowKind.FOLD, first)
        row.steps.append(entry.member.index.step(stop - 1))
        row.stretch = entry.member.index.stretch(start, stop)

    def _call(self, step: Step) -> None:
        call = step.call
        assert call is not None
        row = self._append(RowKind.STEP, step)
        if step.kind is StepKind.CALL:
            taken = {bar.track for bar in self._bars if bar.side is call.side}
            track = next(n for n in range(len(taken) + 1) if n not in taken)
            self._bars = (*self._bars, Bar(call, call.side, track, row.number, step.index))
            row.bars = self._bars
            return
        mine = next((bar for bar in self._bars if bar.call.id == call.id), None)
        if mine is not None:
            mine.end, mine.end_step, mine.returned = row.number, step.index, call
            self._bars = tuple(bar for bar in self._bars if bar is not mine)

    def _segment(self, step: Step) -> None:
        segment, side = step.segment, step.side or Side.CLIENT
        if segment is None:
            return
        row = self._append(RowKind.STEP, step)
        if step.kind is StepKind.SENT:
            self._flying = (*self._flying, Flight(step, side, row.number))[-MAX_FLIGHTS:]
            row.flights = self._flying
            self._append(RowKind.TRAVEL, step)
        elif step.kind in ENDS:
            key = identity_of(segment)
            mine = next(
                (
                    one
                    for one in self._flying
                    if one.side is side
                    and one.step.connection == step.connection
                    and identity_of(one.step.segment or segment) == key
                ),
                None,
            )
            if mine is None:
                mine = Flight(step, side, row.number)
                row.flights = (*self._flying, mine)
            self._flying = tuple(one for one in self._flying if one is not mine)
            mine.end, mine.end_step = row.number, step.index
            mine.lost = step.kind is StepKind.LOST


def _begins(step: Step) -> bool:
    """Whether it is a connection's first segment, as far as a segment can tell."""
    phase = step.phase
    return phase.name is PhaseName.HANDSHAKE and phase.done <= 1
