"""Rows that stand for many: a run of plain data folded to one, and a beginning in the middle."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tcpviz.core.records import Side
from tcpviz.core.timeline import Step, StepKind
from tcpviz.views.ladder_index import Stretch
from tcpviz.views.ladder_labels import Fins
from tcpviz.views.ladder_parts import Band, Bar, Flight, RowKind
from tcpviz.views.ladder_rows import ENDS, MAX_BARS, MAX_FLIGHTS, RowBuilder, identity_of


@dataclass(slots=True)
class FoldingBuilder(RowBuilder):
    """A row builder that may begin anywhere and pass over what is folded."""

    def begin_life(self, origin: Step) -> None:
        """Times count from the connection's first step, wherever the rows begin."""
        self.origin_ns, self._origin_step = origin.time_ns, origin.index
        if origin.segment is not None and origin.side is not None:
            ends = (origin.segment.src, origin.segment.dst)
            self.client, self.server = ends if origin.side is Side.CLIENT else (ends[1], ends[0])

    def begin_at(self, before: Step, fins: Fins, bars: Iterable[Bar]) -> None:
        """Begin in the middle of the connection, right after ``before``.

        ``fins``, ``bars``  the FINs that were sent before, the calls that have not returned.
        """
        self._claims = {Side.CLIENT: before.client, Side.SERVER: before.server}
        self._band = Band(before.phase.name, [(before.index, before.phase)])
        self._last_ns = self._stands_ns = before.time_ns
        self._started = True
        self.fins = dict(fins)
        self._bars = tuple(bars)[-MAX_BARS:] if self.calls else ()
        self.tracks = max((bar.track + 1 for bar in self._bars), default=self.tracks)

    def fold(self, first: Step, last: Step, stretch: Stretch, among: Iterable[Step]) -> None:
        """One row for everything from ``first`` to ``last``.

        ``among``  its calls and its latest segments: what begins there may end below.
        """
        self._advance_band(first)
        row = self._append(RowKind.FOLD, first)
        row.steps.append(last)
        row.stretch = stretch
        for flight in self._flights:
            flight.end, flight.end_step = row.number, last.index
        pending: dict[tuple[object, ...], Flight] = {}
        bars = list(self._bars)
        for step in among:
            if step.segment is not None and step.side is not None:
                key = (step.side, *identity_of(step.segment))
                if step.kind is StepKind.SENT:
                    pending[key] = Flight(step, step.side, row.number)
                elif step.kind in ENDS:
                    pending.pop(key, None)
            elif step.call is not None and self.calls:
                call = step.call
                bars = [bar for bar in bars if bar.call.id != call.id]
                if step.kind is StepKind.CALL:
                    taken = {bar.track for bar in bars if bar.side is call.side}
                    track = next(n for n in range(len(taken) + 1) if n not in taken)
                    bars.append(Bar(call, call.side, track, row.number - 1, step.index))
                    self.tracks = max(self.tracks, min(track, MAX_BARS) + 1)
        for bar in self._bars:
            if bar not in bars:
                bar.end, bar.end_step, bar.returned = row.number, last.index, bar.call
        self._flights = tuple(pending.values())[-MAX_FLIGHTS:]
        self._bars = tuple(bars)[-MAX_BARS:]
        self._settle(last, last.connection == self.connection)
        self._stands_ns = last.time_ns
