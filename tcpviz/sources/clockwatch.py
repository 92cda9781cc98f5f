"""Whether this machine's clock was set while a capture runs.

Packets carry the clock's time. When it is set back, later packets carry earlier
times, and whoever reads them should know why. A clock that only goes forward
runs beside it for comparison.
"""

from __future__ import annotations

import time
from collections.abc import Callable

LEAST_NS = 500_000_000
"""Less than that is the slewing of ntpd or chrony, or a busy machine between two readings."""


class ClockWatch:
    """``wall`` and ``steady`` are clocks in nanoseconds."""

    def __init__(
        self,
        wall: Callable[[], int] = time.time_ns,
        steady: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._wall, self._steady = wall, steady
        self._offset = wall() - steady()

    def look(self) -> int:
        """By how many nanoseconds the clock was set since the last look; 0 if it was not.

        Negative: it was set back. A machine that slept shows as set forward.
        """
        offset = self._wall() - self._steady()
        step = offset - self._offset
        if abs(step) < LEAST_NS:
            # Slewing is followed, so that it does not add up to a step.
            self._offset = offset
            return 0
        self._offset = offset
        return step


def told(step_ns: int) -> str:
    """The step as a line for the person."""
    way = "back" if step_ns < 0 else "forward (or the machine slept)"
    seconds = abs(step_ns) / 1e9
    if seconds < 120:
        amount = f"{seconds:.1f} s"
    elif seconds < 7200:
        amount = f"{seconds / 60:.0f} min"
    else:
        amount = f"{seconds / 3600:.1f} h"
    return f"this machine's clock was set {way} by {amount}; times of packets jump with it"
