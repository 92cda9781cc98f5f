"""The latest frames of a source that cannot be read again, kept so that they can still be saved.

Bounded by the memory that they take; the oldest go. One thread adds, any thread may look.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from tcpviz.wire.frame import Frame

MARK: Final = "tcpviz mark "
"""How the comment of a mark set by hand begins, so that it is known again."""

KEPT: Final = 16 << 20
"""Bytes of memory for them, unless told."""

OVERHEAD: Final = 250
"""Bytes that a frame takes beside its data: objects, numbers, its place (measured: 216 to 264)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Frames that can be saved.

    ``frames``  in their order, given once
    ``names``   of the interfaces, by the frames' numbers
    ``whole``   none from before is missing
    """

    frames: Iterable[Frame]
    names: Sequence[str] = ()
    whole: bool = True


class Recent:
    """Keeps about ``limit`` bytes of frames. ``gone`` is how many had to go."""

    def __init__(self, limit: int = KEPT) -> None:
        self.gone = 0
        self._limit = limit
        self._taken = 0
        self._frames: deque[Frame] = deque()

    def add(self, frame: Frame) -> None:
        """The next one."""
        self._frames.append(frame)
        self._taken += len(frame.data) + OVERHEAD
        while self._taken > self._limit and len(self._frames) > 1:
            old = self._frames.popleft()
            self._taken -= len(old.data) + OVERHEAD
            self.gone += 1

    def frames(self) -> list[Frame]:
        """All that are there now, in order."""
        # One step for the interpreter, so that no thread adds meanwhile.
        return list(self._frames.copy())
