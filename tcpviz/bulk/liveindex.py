"""Which row of the live table a flow has: looked up for thousands of flows at once.

Open addressing in one numpy array. A slot holds a row's number; whose flow that row is says the
table itself, so that a row that is given to another connection needs not be taken out: what its
old slot says is no longer true of it, and is passed over. When half of the slots have been used
the index is made anew of the rows that there are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

SHIFT = np.uint64(14)
"""The lowest bits of the numbers, which tell nothing of the flow (``livetable._sorted``)."""

_LEAST = 1 << 12


class FlowIndex:
    """Rows by flow. Numbers of flows must be such that their bits are as good as random.

    ``made`` counts how often it was made anew.
    """

    def __init__(self) -> None:
        self.made = 0
        self._used = 0
        self._empty(_LEAST)

    def _empty(self, slots: int) -> None:
        self._slots = np.full(slots, -1, np.int32)
        self._mask = slots - 1
        self._used = 0

    def find(self, keys: Words, flows: Words) -> Ints:
        """The row of each of these flows, -1 where there is none; ``flows``: of each row."""
        slots, mask = self._slots, self._mask
        at = (keys >> SHIFT).astype(np.int64) & mask
        rows = slots[at]
        found = rows.astype(np.int64)
        wrong = np.flatnonzero((rows >= 0) & (flows[rows] != keys))
        while len(wrong):
            at[wrong] = (at[wrong] + 1) & mask
            rows = slots[at[wrong]]
            found[wrong] = rows
            wrong = wrong[(rows >= 0) & (flows[rows] != keys[wrong])]
        return np.asarray(found, np.int64)

    def put(self, keys: Words, rows: Ints, flows: Words) -> None:
        """From now on these flows, each given once, have these rows; ``flows`` says so already.

        Where there may be too many, use :meth:`make` instead: see :attr:`full`.
        """
        slots, mask = self._slots, self._mask
        at = (keys >> SHIFT).astype(np.int64) & mask
        left = np.arange(len(keys))
        while len(left):
            here = at[left]
            held = slots[here]
            free = held < 0
            fits = free | (flows[held] == keys[left])
            mine = left[fits]
            slots[at[mine]] = rows[mine]
            # Of several that want one free slot one has it; the others look on from there.
            kept = slots[at[mine]] == rows[mine]
            self._used += int((kept & free[fits]).sum())
            at[left[~fits]] = (here[~fits] + 1) & mask
            left = np.concatenate((left[~fits], mine[~kept]))

    def full(self, more: int) -> bool:
        """With so many more, half of the slots will have been used."""
        return 2 * (self._used + more) > len(self._slots)

    def make(self, rows: Ints, flows: Words) -> None:
        """Anew of these rows; of several of one flow the last one counts."""
        self.made += 1
        slots = _LEAST
        while slots < 4 * len(rows):
            slots *= 2
        self._empty(slots)
        # The last of each: the first from behind.
        _, last = np.unique(flows[rows][::-1], return_index=True)
        rows = rows[::-1][last]
        self.put(flows[rows], rows, flows)
