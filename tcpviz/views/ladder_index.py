"""The index of one connection's chart: its steps in columns, its runs of plain data.

Positions count the connection's steps (with the common ones between them) from
the oldest that is kept. Questions about any of them cost a search of bytes,
whatever the connection's length.
"""

from __future__ import annotations

import bisect
import itertools
import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tcpviz.core.timeline import Step, Timeline
from tcpviz.views import digest as d
from tcpviz.views.digest import Digest
from tcpviz.views.going import By, Place
from tcpviz.views.numbers import count, duration, plural, size

LEAST_RUN: Final = 24
"""Steps of plain data in a row from which on they fold to one line."""

_APART: Final = re.compile(
    b"[" + b"".join(re.escape(bytes([bits])) for bits in range(256) if bits & d.APART) + b"]"
)


def _having(bits: int) -> bytes:
    """A translation table: 1 where a class has any of ``bits``, else 0."""
    return bytes(1 if each & bits else 0 for each in range(256))


_TABLES: Final = {
    bits: _having(bits) for bits in (d.SEGMENT, d.REPEATED, d.PROBLEM, d.STATE, d.CALL)
}


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a stretch of steps was, in numbers. ``ns``: from its first moment to its last."""

    segments: int
    size: int
    repeated: int
    problems: int
    ns: int

    def variants(self) -> list[str]:
        """In words, from ample to terse: ``812 segments, 1.1 MB, 3 retransmitted, 2.1 s``."""
        segments = plural(self.segments, "segment")
        bytes_ = size(self.size)
        time = duration(self.ns)
        again = f"{count(self.repeated)} retransmitted" if self.repeated else ""
        other = self.problems - self.repeated
        marked = f"{count(other)} more marked" if again else f"{count(other)} marked"
        marked = marked if other > 0 else ""
        short = f"{count(self.segments)} seg"
        every = (
            (segments, bytes_, again, marked, time),
            (segments, bytes_, again, time),
            (segments, bytes_, again),
            (short, bytes_, f"{count(self.repeated)} resent" if again else ""),
            (short, bytes_),
            (short,),
        )
        return [", ".join(part for part in parts if part) for parts in every]


class ChartIndex:
    """The steps of ``connection``; extended as the timeline grows, or its digest.

    Without a digest each step is looked at here, which costs more where there are many.

    ``origin`` its first step, remembered also where the timeline has dropped it
    ``steps``  their indexes in the timeline, by position
    ``runs``   (from, to) positions of foldable stretches, in order; the last may grow
    ``shed``   how many positions have gone at the front, because the timeline dropped them
    """

    def __init__(self, timeline: Timeline, connection: int, digest: Digest | None = None) -> None:
        self.timeline = timeline
        self.digest = digest
        self.connection = connection
        self.origin: Step | None = None
        self.steps: array[int] = array("q")
        self.classes = bytearray()
        self.letters = bytearray()
        self.sizes: array[int] = array("L")
        self.times: array[int] = array("q")
        self.runs: list[tuple[int, int]] = []
        self.shed = 0
        self._open: int | None = None
        self._read = -1
        self._stretches: dict[tuple[int, int], Stretch] = {}

    def __len__(self) -> int:
        return len(self.steps)

    def extend(self, upto: int | None = None) -> int:
        """Take the connection's new steps (up to this index); returns how many.

        Forgets those that the timeline has dropped.
        """
        timeline, digest = self.timeline, self.digest
        self._forget(timeline.first)
        fresh: Sequence[int] = timeline.since(max(self._read, timeline.first - 1), self.connection)
        end = len(timeline) if digest is None else len(digest)
        if upto is not None:
            end = min(end, upto + 1)
        if fresh and fresh[-1] >= end:
            fresh = fresh[: bisect.bisect_left(fresh, end)]
        if not fresh:
            return 0
        at = len(self.steps)
        if digest is None:
            digest = Digest(timeline)
            for index in fresh:
                digest.add(timeline[index])
            classes, letters, sizes, times = (
                digest.classes, digest.letters, digest.sizes, digest.times,
            )  # fmt: skip
        else:
            classes, letters, sizes, times = digest.gather(fresh)
        self.steps.extend(fresh)
        self.classes += classes
        self.letters += letters
        self.sizes.extend(sizes)
        self.times.extend(times)
        self._read = fresh[-1]
        if self.origin is None:
            own = (timeline[index] for index in fresh)
            self.origin = next((one for one in own if one.connection == self.connection), None)
        self._find_runs(at)
        return len(fresh)

    def _find_runs(self, at: int) -> None:
        """Foldable stretches among what is new from ``at`` on."""
        buffer, end = self.classes, len(self.classes)
        start = at if self._open is None else self._open
        if self._open is not None and self.runs and self.runs[-1][0] == self._open:
            self.runs.pop()
        while True:
            found = _APART.search(buffer, max(start, at))
            stop = end if found is None else found.start()
            if stop - start >= LEAST_RUN:
                self.runs.append((start, stop))
            if found is None:
                self._open = start
                return
            start = stop + 1

    def _forget(self, first: int) -> None:
        """Drop positions of steps that the timeline has dropped, many at once."""
        gone = bisect.bisect_left(self.steps, first)
        if not gone or (gone < 4096 and gone * 8 < len(self.steps)):
            return
        for column in (self.steps, self.classes, self.letters, self.sizes, self.times):
            del column[:gone]
        self.shed += gone
        self.runs = [(max(a - gone, 0), b - gone) for a, b in self.runs if b - gone >= LEAST_RUN]
        if self._open is not None:
            self._open = max(self._open - gone, 0)
        self._stretches.clear()

    @property
    def floor(self) -> int:
        """Position of the first step that the timeline still has."""
        return bisect.bisect_left(self.steps, self.timeline.first)

    # -- questions ------------------------------------------------------------

    def place(self, step: int) -> int:
        """Position of the latest step at or before ``step``; -1 where there is none."""
        return bisect.bisect_right(self.steps, step) - 1

    def step(self, place: int) -> Step:
        """The step at a position. Raises IndexError for one that the timeline has dropped."""
        return self.timeline[self.steps[place]]

    def run_at(self, place: int) -> tuple[int, int] | None:
        """The foldable stretch that a position lies in."""
        number = bisect.bisect_right(self.runs, place, key=lambda run: run[0]) - 1
        if number >= 0 and self.runs[number][0] <= place < self.runs[number][1]:
            return self.runs[number]
        return None

    def having(self, bits: int, start: int, stop: int) -> int:
        """How many positions from ``start`` up to ``stop`` have any of ``bits``."""
        return self.classes[start:stop].translate(_table(bits)).count(1)

    def after(self, bits: int, place: int) -> int | None:
        """The next position behind ``place`` with any of ``bits``."""
        table = _table(bits)
        at, piece = max(place + 1, 0), 4096
        while at < len(self.classes):
            found = self.classes[at : at + piece].translate(table).find(1)
            if found >= 0:
                return at + found
            at, piece = at + piece, piece * 4
        return None

    def before(self, bits: int, place: int) -> int | None:
        """The last position before ``place`` with any of ``bits``."""
        table = _table(bits)
        end, piece = min(place, len(self.classes)), 4096
        while end > 0:
            at = max(end - piece, 0)
            found = self.classes[at:end].translate(table).rfind(1)
            if found >= 0:
                return at + found
            end, piece = at, piece * 4
        return None

    def stretch(self, start: int, stop: int) -> Stretch:
        """What was between two positions, in numbers."""
        key = (start + self.shed, stop + self.shed)
        known = self._stretches.get(key)
        if known is None:
            known = Stretch(
                self.having(d.SEGMENT, start, stop),
                sum(self.sizes[start:stop]),
                self.having(d.REPEATED, start, stop),
                self.having(d.PROBLEM, start, stop),
                self.times[stop - 1] - self.times[start] if stop > start else 0,
            )
            if len(self._stretches) > 256:
                self._stretches.clear()
            self._stretches[key] = known
        return known

    def worst(self, start: int, stop: int) -> str:
        """The letter of the gravest trouble between two positions; empty: none."""
        return d.worst(self.letters[start:stop])

    def find(self, place: Place) -> int | None:
        """Position of the first step there or after; the last one, if all are before it."""
        first, end = self.floor, len(self.steps)
        if first >= end:
            return None
        if place.by is By.SHARE:
            return first + (end - 1 - first) * place.value // 1_000_000
        if place.by is By.FRAME:
            at = bisect.bisect_left(range(first, end), place.value, key=self._frame)
            return min(first + at, end - 1)
        began = self.times[first] if self.origin is None else self.origin.time_ns
        return min(bisect.bisect_left(self.times, place.time_ns(began), first), end - 1)

    def _frame(self, place: int) -> int:
        """The frame number of the segment at a position, or of the next one behind it."""
        at = self.after(d.SEGMENT, place - 1)
        segment = None if at is None else self.step(at).segment
        return 1 << 62 if segment is None else segment.frame

    def typical_ns(self) -> int:
        """A time that segment and answer are apart: the longest in the handshake, else a usual gap.

        Where it was captured beside one end, that end's answers come at once.
        """
        times: list[int] = []
        place = self.after(d.SEGMENT, self.floor - 1)
        while place is not None and len(times) < 100:
            times.append(self.times[place])
            place = self.after(d.SEGMENT, place)
        gaps = [b - a for a, b in itertools.pairwise(times) if b > a]
        if self.origin is not None and self.origin.segment and self.origin.segment.syn:
            return max(gaps[:2], default=1_000_000)
        return sorted(gaps)[len(gaps) // 2] if gaps else 1_000_000


def _table(bits: int) -> bytes:
    table = _TABLES.get(bits)
    return _having(bits) if table is None else table
