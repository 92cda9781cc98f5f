"""Frames of rings made columns: the maker that :mod:`tcpviz.sources.ringread` asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tcpviz.bulk.live.stretches import Stretch, together
from tcpviz.bulk.live.whole import WholeStretch, whole_together
from tcpviz.sources.ring import AT_ONCE, Ring
from tcpviz.sources.ringread import Link


class QuickRing(Ring):
    """A ring whose status words are looked at, and given back, all at once."""

    def __init__(self, ring: Ring) -> None:
        self.__dict__ = ring.__dict__
        words = np.frombuffer(self._bytes, np.uint32)
        self._words = words[:: self.size // 4][: self.frames]

    def ready(self, most: int) -> int:
        found, look = 0, 1 << 10
        most = min(most, self.frames)
        while found < most:
            at = (self._at + found) % self.frames
            look = min(2 * look, most - found, self.frames - at)
            free = self._words[at : at + look] == 0
            place = int(free.argmax())
            if free[place]:
                return found + place
            found += look
        return found

    def release(self, count: int) -> None:
        while count:
            part = min(count, self.frames - self._at)
            self._words[self._at : self._at + part] = 0
            self._at = (self._at + part) % self.frames
            count -= part

    def close(self) -> None:
        self._words = np.zeros(0, np.uint32)
        super().close()


_LEAST = 1 << 16
"""Bytes from which on memory is used again: its pages need not be got and cleared anew, which
costs as much as copying."""

_WAITING = 16 << 20
"""Bytes of memory that wait for that, about: two of the largest passes."""


class StretchMaker:
    """One stretch of each pass, whatever the number of rings."""

    most = AT_ONCE

    def __init__(self, links: Sequence[Link]) -> None:
        self.links = links
        self._free: list[memoryview] = []
        self.losses: dict[int, int] = {}

    def reading(self, ring: Ring) -> Ring:
        return QuickRing(ring) if ring.size else ring

    def copied(self, views: Sequence[memoryview], /) -> memoryview:
        length = sum(map(len, views))
        fit = [piece for piece in self._free if length <= len(piece) <= 2 * length]
        if fit:
            whole = min(fit, key=len)
            self._free = [piece for piece in self._free if piece is not whole]
        else:
            whole = np.empty(max(length + length // 4, 1), np.uint8).data
        at = 0
        for view in views:
            whole[at : at + len(view)] = view
            at += len(view)
        return whole[:length]

    def give_back(self, stretch: Stretch) -> None:
        """Nobody looks at that stretch, or at anything of it, any more."""
        data = stretch.memory
        waiting = sum(map(len, self._free))
        if isinstance(data, memoryview) and len(data) >= _LEAST and waiting < _WAITING:
            piece = data.obj
            stretch.let_go()
            self._free.append(memoryview(piece))

    def part(self, _number: int, /, data: Any, size: int, *, skip_outgoing: bool) -> Stretch:
        if size:
            made = Stretch(data, size, links=self.links)
        else:
            made = WholeStretch.of_blocks(data, self.links)
        return made.without_outgoing() if skip_outgoing else made

    def loses(self, part: Stretch) -> bool:
        return part.loses()

    def put(self, parts: list[tuple[int, Any]], lost: int, number: int) -> tuple[list[Any], int]:
        if not parts:
            made = Stretch(b"", 16 * 8, links=self.links)
        elif len(self.links) == 1:
            ((_, made),) = parts
        elif all(isinstance(part, WholeStretch) for _, part in parts):
            made = whole_together(parts, self.links)
        else:
            made = together(parts, self.links)
        made.number, made.lost = number, lost
        if len(made) > AT_ONCE and isinstance(made, WholeStretch):
            return made.pieces(AT_ONCE), len(made)
        return [made], len(made)
