"""Which row of the live table a flow has: looked up for thousands of flows at once.

Open addressing in one numpy array. A slot holds a row's number; whose flow that row is says the
table itself, so that a row that is given to another connection needs not be taken out: what its
old slot says is no longer true of it, and is passed over. When a third of the slots have been used
the index is made anew of the rows that there are.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

SHIFT = np.uint64(1)
"""The lowest bits of the numbers, which tell nothing of the flow (``livegroups.FLOW``)."""

_STEP = np.uint64(40)
"""Above this stand the bits by which one looks on: with steps of 1 full slots grow together."""

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

    def find(self, keys: Words, flows: Words) -> tuple[Ints, Ints]:
        """The row of each of these flows, -1 where there is none; and the slot where that ended.

        ``flows``: of each row.
        """
        slots, mask = self._slots, self._mask
        at = (keys >> SHIFT).astype(np.int64) & mask
        rows = slots[at]
        found = rows.astype(np.int64)
        wrong = ((rows >= 0) & (flows[rows] != keys)).nonzero()[0]
        if not len(wrong):
            return found, at
        left, here, step = keys[wrong], at[wrong], _steps(keys[wrong])
        while True:
            here += step
            here &= mask
            rows = slots[here]
            at[wrong], found[wrong] = here, rows
            on = ((rows >= 0) & (flows[rows] != left)).nonzero()[0]
            if not len(on):
                return found, at
            wrong, left, here, step = wrong[on], left[on], here[on], step[on]

    def put(self, keys: Words, rows: Ints, flows: Words, at: Ints | None = None) -> None:
        """From now on these flows have these rows, of several of one the last; ``flows`` says so.

        (Those look on from the same slots, in their order, and of what is put into one slot
        together the last stays there.)
        ``at``: the slots where :meth:`find` ended for them, if it was asked since the last change.
        Where there may be too many, use :meth:`make` instead: see :attr:`full`.
        """
        slots, mask = self._slots, self._mask
        if at is None:
            at, left = (keys >> SHIFT).astype(np.int64) & mask, np.arange(len(keys))
        else:
            # All fit where they ended; of several that want one free slot one has it.
            free = slots[at] < 0
            slots[at] = rows
            now = slots[at]
            left = (now != rows).nonzero()[0]
            left = left[flows[now[left]] != keys[left]]
            self._used += int(free.sum()) - int(free[left].sum())
            at = at.copy()
        step = _steps(keys) if len(left) else at
        while len(left):
            here = at[left]
            held = slots[here]
            free = held < 0
            fits = free | (flows[held] == keys[left])
            mine = left[fits]
            slots[at[mine]] = rows[mine]
            # Of several that want one free slot one has it; the others look on from there.
            kept = (slots[at[mine]] == rows[mine]) | (flows[slots[at[mine]]] == keys[mine])
            self._used += int((kept & free[fits]).sum())
            at[left[~fits]] = (here[~fits] + step[left[~fits]]) & mask
            left = np.concatenate((left[~fits], mine[~kept]))

    def full(self, more: int) -> bool:
        """With so many more, a third of the slots will have been used."""
        return 3 * (self._used + more) > len(self._slots)

    def make(self, rows: Ints, flows: Words) -> None:
        """Anew of these rows; of several of one flow the last one counts."""
        self.made += 1
        slots = _LEAST
        while slots < 12 * len(rows):  # four times as many as before
            slots *= 2
        self._empty(slots)
        keys = flows[rows]
        self.put(keys, rows, flows, (keys >> SHIFT).astype(np.int64) & self._mask)


def _steps(keys: Words) -> Ints:
    """Odd, so that every slot is come to."""
    return np.asarray((keys >> _STEP).astype(np.int64) | 1, np.int64)
