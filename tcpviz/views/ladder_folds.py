"""Which of a connection's steps stand on its chart: folded runs, hidden ACKs, the rest.

Runs of plain data are found by the index; here is what a person has done with
them. Around the cursor a run is open by itself, so that stepping through bulk
data shows each segment, and a jump to trouble shows what was around it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tcpviz.views import digest as d
from tcpviz.views.ladder_index import LEAST_RUN, ChartIndex

LEAST_PIECE: Final = 8
"""Fewer steps than this are shown rather than folded, beside what is open."""

BLOCK: Final = 16
"""What is open around the cursor, and what a growing run keeps open, moves by so many steps."""


@dataclass(slots=True)
class Folds:
    """The folding of one chart.

    ``folding``    runs fold, but for those opened; else none, but for those closed
    ``hide_acks``  pure ACKs that say nothing else have no row
    ``lens``       first and last + 1 step index of what is open around the cursor
    """

    index: ChartIndex
    folding: bool = False
    hide_acks: bool = False
    lens: tuple[int, int] | None = None
    _turned: set[int] = field(default_factory=set)

    def at(self, place: int) -> tuple[int, int] | None:
        """The folded positions (from, to) that ``place`` is among; ``None``: it is not folded."""
        run = self.run_at(place)
        if run is None:
            return None
        start, stop = run
        if self.lens is not None:
            low = self.index.place(self.lens[0] - 1) + 1
            high = self.index.place(self.lens[1] - 1) + 1
            if low < stop and high > start:
                if low <= place < high:
                    return None
                start, stop = (start, low) if place < low else (high, stop)
                if stop - start < LEAST_PIECE:
                    return None
        return start, stop

    def run_at(self, place: int) -> tuple[int, int] | None:
        """The run that is folded where ``place`` is, whatever is open around the cursor."""
        run = self.index.run_at(place)
        if run is None:
            return None
        start, stop = run
        if (self.index.steps[start] in self._turned) is self.folding:
            return None
        start = max(start, self.index.floor)
        if stop == len(self.index):
            # It may grow: its end stays in sight, and moves by whole blocks.
            stop = start + (stop - start - BLOCK) // BLOCK * BLOCK
            if stop - start < LEAST_RUN or place >= stop:
                return None
        return start, stop

    def hidden(self, place: int) -> bool:
        """Whether the step there is a pure ACK without a row."""
        bits = self.index.classes[place]
        return (
            self.hide_acks and bits & d.PURE_ACK != 0 and not bits & (d.PROBLEM | d.STATE | d.APART)
        )

    def count_hidden(self) -> int:
        """How many ACKs have no row because they are hidden."""
        return self.index.classes.translate(_PURE).count(1) if self.hide_acks else 0

    def turn(self, place: int) -> bool:
        """Open the run at ``place`` if it is folded, fold it if not; false where none is."""
        run = self.index.run_at(place)
        if run is None:
            return False
        self._turned ^= {self.index.steps[run[0]]}
        self.lens = None
        return True

    def turn_all(self, folding: bool) -> None:
        """Fold every run, or open every one."""
        self.folding = folding
        self._turned.clear()
        self.lens = None

    def look_at(self, step: int | None) -> bool:
        """Open what is folded around this step; ``None``: nothing. True if that changes rows."""
        before = self.lens
        place = -1 if step is None else self.index.place(step)
        run = self.run_at(place) if place >= 0 else None
        if run is None:
            self.lens = None
            return before is not None
        block = run[0] + (place - run[0]) // BLOCK * BLOCK
        low, high = max(block - BLOCK, run[0]), min(block + 2 * BLOCK, run[1])
        self.lens = (self.index.steps[low], self.index.steps[high - 1] + 1)
        return self.lens != before

    def signature(self, start: int, stop: int) -> tuple[object, ...]:
        """What the rows of the last run depend on: unequal, they are to be made anew."""
        runs = self.index.runs
        tail = None
        if runs and runs[-1][1] > start and runs[-1][0] < stop:
            at = self.at(runs[-1][0])
            if at is not None:
                tail = (self.index.steps[at[0]], self.index.steps[at[1] - 1])
        return (self.lens, self.folding, self.hide_acks, len(self._turned), tail)


_PURE: Final = bytes(
    1
    if bits & d.PURE_ACK and bits & d.SEGMENT and not bits & (d.PROBLEM | d.STATE | d.APART)
    else 0
    for bits in range(256)
)
