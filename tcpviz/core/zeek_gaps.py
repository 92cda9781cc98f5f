"""Content gaps as Zeek's reassembler finds them: acknowledged data that nobody saw.

A model of ``src/Reassem.cc`` and ``src/analyzer/protocol/tcp/TCP_Reassembler.cc``
without the bytes: only the extent of what was seen is kept. Numbers are
relative to the end's initial sequence number, so that data begins at 1, and do
not wrap.
"""

from __future__ import annotations

MAX_ABOVE_HOLE_WITHOUT_ACKS = 16384
"""``tcp_max_above_hole_without_any_acks``, bytes: beyond it, Zeek gives up on the stream."""

MAX_WITHOUT_FURTHER_ACKS = 10 * 1024 * 1024
"""``tcp_excessive_data_without_further_acks``, bytes: likewise."""

MAX_BLOCKS = 256
"""Ours: beyond so many separate pieces the two lowest count as one, and their gap is missed."""


class Gaps:
    """What was seen of one end's stream, and how far it was acknowledged.

    ``done``     everything below was delivered, or given up as missing
    ``trimmed``  everything below was acknowledged
    ``missed``   bytes in the gaps so far
    ``off``      Zeek has given up on this stream: no further gaps are found
    """

    __slots__ = ("_blocks", "done", "missed", "off", "trimmed")

    def __init__(self) -> None:
        self._blocks: list[tuple[int, int]] = []
        self.done = 1
        self.trimmed = 1
        self.missed = 0
        self.off = False

    def seen(self, start: int, end: int, *, acked: int, any_acked: bool) -> None:
        """The bytes ``[start, end)`` were captured; ``acked`` is the highest ACK of them so far."""
        if self.off:
            return
        if start < acked:
            if end <= acked:
                return
            start = acked
        if end > self.trimmed:
            self._insert(max(start, self.trimmed), end)
        blocks = self._blocks
        if not blocks:
            return
        waiting, stored = blocks[-1][1] - self.done, blocks[-1][1] - blocks[0][0]
        if stored > MAX_WITHOUT_FURTHER_ACKS:  # at most: less what the holes are
            stored = sum(upper - lower for lower, upper in blocks)
        if (
            not any_acked and waiting > MAX_ABOVE_HOLE_WITHOUT_ACKS
        ) or stored > MAX_WITHOUT_FURTHER_ACKS:
            self._blocks.clear()
            self.off = True

    def acknowledged(self, upto: int, *, partial: bool) -> int:
        """An ACK of everything below ``upto``; returns how many gaps it gives away.

        ``partial``: the connection's beginning was not seen. Its first ACK proves
        nothing, since the numbering was guessed.
        """
        if upto <= self.trimmed:
            return 0
        gaps = 0
        if upto > self.done and not (partial and upto <= 2):
            if not self.off:
                gaps = self._give_up(upto)
            self.done = max(self.done, upto)
        self._blocks = [block for block in self._blocks if block[1] > upto]
        self._deliver()
        self.trimmed = upto
        return gaps

    def _give_up(self, upto: int) -> int:
        gaps = 0
        for lower, upper in self._blocks:
            if lower < self.done:
                continue
            if lower >= upto:
                break
            gaps += 1
            self.missed += lower - self.done
            self.done = upper
        if upto > self.done:
            gaps += 1
            self.missed += upto - self.done
            self.done = upto
        return gaps

    def _insert(self, start: int, end: int) -> None:
        place = len(self._blocks)
        while place and self._blocks[place - 1][0] > start:
            place -= 1
        if place and self._blocks[place - 1][1] >= start:
            place -= 1
            start = self._blocks[place][0]
        after = place
        while after < len(self._blocks) and self._blocks[after][0] <= end:
            end = max(end, self._blocks[after][1])
            after += 1
        self._blocks[place:after] = [(start, end)]
        if len(self._blocks) > MAX_BLOCKS:
            self._blocks[:2] = [(self._blocks[0][0], self._blocks[1][1])]
        self._deliver()

    def _deliver(self) -> None:
        for lower, upper in self._blocks:
            if lower > self.done:
                break
            self.done = max(self.done, upper)
