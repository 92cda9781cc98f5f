"""The core led to a window on a long connection, over what its columns tell (skipping).

Where neither end is ever quiet, nothing can be left out before a window without a loss: but the
core can be carried over it, which takes a fraction of the time, and stands there as if it had
taken each segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.skipping import Skipping
from tcpviz.bulk.segments.reading import Reading
from tcpviz.core.records import Gap
from tcpviz.core.tracker import Tracker

Array = NDArray[Any]

MOST_SEGMENTS = 1 << 20
"""Segments before a window that the core is led over: a third of a second's work."""

MOST_TAKEN = 1500
"""Segments before a window that the core takes itself, at most: a sixth of a second's."""


def led(
    reading: Reading,
    clock: Clock,
    rows: Array,
    gaps: Sequence[tuple[int, Gap]],
    tracker: Tracker,
    begin: int,
    end: int,
) -> int | None:
    """Follow a connection from one of its segments up to another, led there from its beginning.

    How many steps were made of what comes before; ``None`` if it would take too long.
    """
    if begin > MOST_SEGMENTS:
        return None
    skipping = Skipping(reading, clock, rows, gaps, tracker=tracker)
    if not skipping.lead(begin, MOST_TAKEN):
        return None
    before = len(tracker.timeline)
    for place in range(begin, end):
        skipping.take(place)
    return before
