"""A segment's way between two capture points: when it passed each, and what became of it there."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Doubt(enum.Enum):
    """What of a segment's way was not captured where it should have been.

    ``UNSENT``     nobody saw it leave: it was put in on the way, or the capture there missed it
    ``FOREIGN``    the same, and its TTL is not that of its sender's other segments
    ``ARRIVED``    nobody saw it arrive, but it was acknowledged: the capture there missed it
    ``LEFT``       nobody saw it leave, but its sender goes on behind it: that capture missed it
    ``OUTSIDE``    the other capture did not run then, or lost packets itself
    ``PART``       so much of what left as one segment arrived
    """

    UNSENT = "unsent"
    FOREIGN = "foreign"
    ARRIVED = "arrived unseen"
    LEFT = "left unseen"
    OUTSIDE = "outside"
    PART = "part"


@dataclass(frozen=True, slots=True)
class Passage:
    """A segment's way between two capture points (:mod:`tcpviz.core.points`).

    ``left``, ``arrived``  the frames in the two captures, each (the capture's name, number);
                   ``None`` where it was not seen
    ``delay_ns``   from leaving to arriving (of its first byte), ``error_ns`` how far that may
                   be wrong; ``None``: not known
    ``pieces``     it arrived cut into so many; ``joined``: it arrived as one with so many others
    ``bytes``      for a part: how many bytes of it arrived, or were lost
    ``changed``    what something on the way wrote anew, such as ``MSS 1460 to 1380``
    """

    left: tuple[str, int] | None = None
    arrived: tuple[str, int] | None = None
    delay_ns: int | None = None
    error_ns: int | None = None
    pieces: int = 1
    joined: int = 0
    bytes: int = 0
    changed: tuple[str, ...] = ()
    doubt: Doubt | None = None
