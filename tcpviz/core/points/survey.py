"""Two whole captures looked through once, to know their clocks before anything is told.

Of long captures a sample is enough, if it is the same one in both: segments whose numbers
give a small hash, as few as needed (a "k minimum values" sketch). So no capture needs more
memory than :data:`MOST` segments of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tcpviz.core.points.joiner import Joiner
from tcpviz.core.points.ledger import Skew, skew
from tcpviz.core.points.sightings import key_of
from tcpviz.core.records import Record, SegmentRecord
from tcpviz.core.segment import Segment

MOST = 60_000
"""Segments of each capture that are compared at once."""

_SPAN = 1 << 32


@dataclass(slots=True)
class Sample:
    """The segments of one capture whose hash is below a bound that falls as they get many."""

    most: int = MOST
    bound: int = _SPAN
    seen: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    coarse: int = 0
    kept: list[tuple[int, SegmentRecord]] = field(default_factory=list)

    def take(self, record: Record) -> None:
        """The next record of the capture."""
        time_ns = record.time_ns
        self.first_ns = time_ns if self.first_ns is None else min(self.first_ns, time_ns)
        self.last_ns = time_ns if self.last_ns is None else max(self.last_ns, time_ns)
        if not isinstance(record, SegmentRecord):
            return
        self.seen += 1
        self.coarse |= (1 if time_ns % 1_000 else 0) | (2 if time_ns % 1_000_000 else 0)
        mark = _mark(record.segment)
        if mark >= self.bound:
            return
        self.kept.append((mark, record))
        if len(self.kept) > self.most:
            self.shrink(self.bound // 2)

    def shrink(self, bound: int) -> None:
        """Keep those below this bound only."""
        self.bound = min(bound, self.bound)
        self.kept = [one for one in self.kept if one[0] < self.bound]

    @property
    def resolution_ns(self) -> int:
        """How coarse its stamps are: so much they may be too small."""
        return 1 if self.coarse & 1 else 1_000 if self.coarse & 2 else 1_000_000


@dataclass(slots=True)
class Survey:
    """What a look through both captures has found.

    ``measured``  the joiner that has met their segments
    """

    measured: Joiner
    samples: tuple[Sample, Sample]

    @property
    def skew(self) -> Skew | None:
        return skew(self.measured.clock)

    @property
    def met(self) -> int:
        """Connections that both have seen."""
        return self.measured.ledger.pairs

    def joiner(self, names: tuple[str, str] = ("first", "second")) -> Joiner:
        """One that begins with what is known now."""
        clock = self.measured.clock
        clock.settle()
        clock.frozen = True
        made = Joiner(names, clock=clock, orientation=self.measured.orientation)
        for point, sample in enumerate(self.samples):
            if sample.first_ns is not None and sample.last_ns is not None:
                made.ran(point, (sample.first_ns, sample.last_ns))
        return made


def survey(captures: Iterable[Iterable[Record]], most: int = MOST) -> Survey:
    """Look through both captures, one after the other."""
    one, two = (_sampled(each, most) for each in captures)
    bound = min(one.bound, two.bound)
    joiner = Joiner(most=1 << 62)
    joiner.orientation.slack = (one.resolution_ns, two.resolution_ns)
    for point, sample in enumerate((one, two)):
        sample.shrink(bound)
        for _, record in sample.kept:
            joiner.take(point, record)
        sample.kept.clear()
    joiner.orientation.conclude()
    return Survey(joiner, (one, two))


def _sampled(records: Iterable[Record], most: int) -> Sample:
    sample = Sample(most)
    for record in records:
        sample.take(record)
    return sample


def _mark(segment: Segment) -> int:
    """A number that is the same at both points, and as good as drawn by lot."""
    stamps = segment.options.timestamps
    if stamps is not None:  # they survive what the numbers may not
        told: tuple[object, ...] = (*stamps, segment.payload_len)
    else:
        told = key_of(segment, segment.seq, segment.ack, stamps=False)
    return hash(told) * 0x9E3779B97F4A7C15 >> 16 & (_SPAN - 1)
