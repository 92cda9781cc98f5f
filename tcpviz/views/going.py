"""A place in a capture as a person names it: a frame, a time, a share of the whole."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from tcpviz.views.filter import values
from tcpviz.words import _

_SECOND: Final = 1_000_000_000
_DAY_S: Final = 86_400
_FRAME: Final = re.compile(r"#?([0-9]{1,15})", re.ASCII)
_SHARE: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%", re.ASCII)
_CLOCK: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?", re.ASCII)


class By(Enum):
    """What a place is named by."""

    FRAME = "frame"
    SHARE = "share"
    SINCE = "since"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Place:
    """What is meant, as a number.

    ``value``  the capture's frame number; millionths of the whole; nanoseconds since the
               connection's first segment; nanoseconds since midnight, where the person is
    """

    by: By
    value: int

    def time_ns(self, first_ns: int) -> int:
        """The moment that is meant, of a connection that began at ``first_ns``."""
        if self.by is By.SINCE:
            return first_ns + self.value
        whole, rest = divmod(self.value, _SECOND)
        began = dt.datetime.fromtimestamp(first_ns // _SECOND)
        midnight = began.replace(hour=0, minute=0, second=0, microsecond=0)
        meant = int((midnight + dt.timedelta(seconds=whole)).timestamp()) * _SECOND + rest
        # What was before it began on its day is meant of the day after.
        return meant if meant >= first_ns - first_ns % _SECOND else meant + _DAY_S * _SECOND


def place(text: str) -> Place:
    """What somebody has typed. Raises ValueError that says what can be."""
    text = text.strip()
    if match := _FRAME.fullmatch(text):
        return Place(By.FRAME, int(match[1]))
    if (match := _SHARE.fullmatch(text)) and float(match[1]) <= 100:
        return Place(By.SHARE, round(float(match[1]) * 10_000))
    if match := _CLOCK.fullmatch(text):
        hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
        if hour < 24 and minute < 60 and second < 60:
            whole = (hour * 60 + minute) * 60 + second
            return Place(By.CLOCK, whole * _SECOND + int((match[4] or "").ljust(9, "0") or 0))
    try:
        return Place(By.SINCE, int(values.time(text)))
    except values.ValueProblem:
        raise ValueError(_("a frame (1234), a time (1.5s or 14:03:21) or a share (50%)")) from None
