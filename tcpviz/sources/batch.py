"""Many packets that are written at once: what whoever makes blocks of them gives a writer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tcpviz.wire.frame import Frame


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks of pcapng, one behind the other.

    ``data``   all of them, as bytes
    ``ends``   where each ends, rising
    ``last_ns``  the time of the last packet
    """

    data: memoryview
    ends: Sequence[int]
    last_ns: int

    def __len__(self) -> int:
        return len(self.ends)

    def part(self, first: int, last: int) -> Blocks:
        """Those from ``first`` on, up to ``last``; the time is that of all."""
        begin = int(self.ends[first - 1]) if first else 0
        end = int(self.ends[last - 1]) if last else 0
        ends: Any = self.ends[first:last]
        moved = ends - begin if hasattr(ends, "dtype") else [each - begin for each in ends]
        return Blocks(self.data[begin:end], moved, self.last_ns)


class Batch(Protocol):
    """Packets that can be had one by one, and as blocks."""

    def __len__(self) -> int: ...

    def frame(self, place: int) -> Frame:
        """One of them."""
        ...

    def blocks(self, first: int, last: int) -> Blocks:
        """Those from ``first`` on, up to ``last``."""
        ...
