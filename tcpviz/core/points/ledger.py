"""What two capture points tell together, in numbers: per direction, and of the clocks.

Everything here has a bound, however long the capture.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field

from tcpviz.core.points.clock import PairClock

SAMPLE = 2048
"""Delays of which a direction's percentiles are made; of more, every second one goes."""

REMARKS = 200
"""Different findings (translations, rewritings) that are kept, each once."""


@dataclass(slots=True)
class Direction:
    """Segments from one point to the other.

    ``sent`` were seen leaving; of them ``arrived`` whole, ``lost`` never, ``part`` in part;
    ``unseen`` arrived as their acknowledgement shows, but that capture has missed them.
    ``unsent`` arrived and nobody saw them leave, ``foreign`` of them with another TTL;
    ``missed`` likewise, but their sender counts them: the capture there has missed them.
    ``late`` arrived after they had been called lost; ``copies`` arrived once more;
    ``reordered`` behind one that left later (RFC 4737);
    ``cut`` arrived in several pieces, ``joined`` with others as one; ``changed`` not as they left
    """

    sent: int = 0
    arrived: int = 0
    lost: int = 0
    part: int = 0
    unseen: int = 0
    unsent: int = 0
    foreign: int = 0
    missed: int = 0
    late: int = 0
    copies: int = 0
    reordered: int = 0
    cut: int = 0
    joined: int = 0
    changed: int = 0
    bytes_lost: int = 0
    delays: int = 0
    least_ns: int | None = None
    most_ns: int = 0
    total_ns: int = 0
    _sample: list[int] = field(default_factory=list)
    _stride: int = 1

    def delay(self, delay_ns: int) -> None:
        """One more segment's time on its way."""
        self.least_ns = delay_ns if self.least_ns is None else min(self.least_ns, delay_ns)
        self.most_ns = max(self.most_ns, delay_ns)
        self.total_ns += delay_ns
        if self.delays % self._stride == 0:
            self._sample.append(delay_ns)
            if len(self._sample) > SAMPLE:
                del self._sample[1::2]
                self._stride *= 2
        self.delays += 1

    def percentile(self, part: float) -> int | None:
        """The delay that so much of the segments do not exceed; ``None`` without any."""
        if not self._sample:
            return None
        ordered = sorted(self._sample)
        return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


@dataclass(slots=True)
class Ledger:
    """The whole of it.

    ``ways``     from the first point to the second, and back
    ``pairs``    connections that both points have seen
    ``alone``    segments of connections that one point only has seen
    ``doubles``  by point: packets that its capture saw twice
    ``outside``  segments that left or arrived while the other capture did not run, or lost packets
    ``hurried``  times that the merge could not wait as long as it should: too much was under way
    ``remarks``  findings in words, each once, with how often
    """

    ways: tuple[Direction, Direction] = field(default_factory=lambda: (Direction(), Direction()))
    pairs: int = 0
    alone: int = 0
    doubles: list[int] = field(default_factory=lambda: [0, 0])
    outside: int = 0
    hurried: int = 0
    remarks: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def remark(self, text: str) -> None:
        if text in self.remarks or len(self.remarks) < REMARKS:
            self.remarks[text] = self.remarks.get(text, 0) + 1


@dataclass(frozen=True, slots=True)
class Skew:
    """The second clock beside the first one, now.

    ``ahead_ns``  how far it is ahead; wrong by ``error_ns`` at most (infinite: one direction only)
    ``ppm``       how much faster it runs, between ``least_ppm`` and ``most_ppm``
    ``settings``  how often it was set meanwhile
    """

    ahead_ns: float
    error_ns: float
    ppm: float
    least_ppm: float
    most_ppm: float
    round_trip_ns: float | None
    settings: int
    segments: int
    mistakes: int

    @property
    def pace_known(self) -> bool:
        """How they run to each other is known better than any two clocks' pace is anyhow."""
        return self.most_ppm - self.least_ppm < 400


def skew(clock: PairClock, at_ns: int | None = None) -> Skew | None:
    """As far as it is known, at a moment by the first clock (the middle of what was seen)."""
    pieces = clock.pieces
    if not pieces:
        return None
    last = pieces[-1]
    if at_ns is None:
        at_ns = (last.first_ns + last.last_ns) // 2
    reading = clock.at(at_ns)
    least, most = (1e6 * each for each in last.slopes)
    return Skew(
        reading.ahead,
        reading.uncertainty if clock.known else math.inf,
        1e6 * last.slope,
        least,
        most,
        last.round_trip,
        len(pieces) - 1,
        sum(one.forward + one.backward for one in pieces),
        clock.mistakes,
    )
