"""Axes: round numbers between two values, and where they stand.

Values are whole numbers (nanoseconds, bytes, bits a second). A tick is a
multiple of 1, 2 or 5 times a power of ten; over a minute, of what clocks have.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tcpviz.views.numbers import duration, size

_SECOND: Final = 1_000_000_000
_CLOCK: Final = tuple(s * _SECOND for s in (60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200))


def step(span: int, most: int) -> int:
    """The smallest of 1, 2, 5, 10, 20 ... that cuts ``span`` into at most ``most`` parts."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if span <= factor * size * most:
                return factor * size
        size *= 10


def step_of_time(span_ns: int, most: int) -> int:
    """The same for times: above half a minute in minutes, hours and days."""
    made = step(span_ns, most)
    if made <= 20 * _SECOND:
        return made
    for each in (30 * _SECOND, *_CLOCK):
        if span_ns <= each * most:
            return each
    day = 86_400 * _SECOND
    return step(-(-span_ns // day), most) * day


def ticks(low: int, high: int, by: int) -> list[int]:
    """The multiples of ``by`` from ``low`` to ``high``, both included."""
    return list(range(-(-low // by) * by, high + 1, by))


def top(value: int) -> int:
    """The next round number (1, 2, 3, 4, 5, 6, 8 times a power of ten) not below ``value``."""
    if value <= 1:
        return 1
    scale = 1
    while True:
        for factor in (1, 2, 3, 4, 5, 6, 8):
            if value <= factor * scale:
                return factor * scale
        scale *= 10


def rate(bits: int) -> str:
    """Bits a second: ``12.3 Mb/s``."""
    return size(bits).replace("B", "b") + "/s"


Unit = Callable[[int], str]
"""A value as its axis writes it."""

TIME: Final[Unit] = duration
RATE: Final[Unit] = rate


def numbers_by(by: int) -> Unit:
    """Sequence numbers or bytes as an axis with steps of ``by`` writes them: no two alike."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (1000, "kB")):
        if by % unit == 0:
            return lambda value: f"{value // unit} {name}"
    return lambda value: f"{value:,}".replace(",", " ")
