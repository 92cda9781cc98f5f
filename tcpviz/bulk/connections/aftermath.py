"""What comes after a reset that ended a connection: more resets, and what was under way.

Who aborts a download resets, and answers each segment that was on its way with another reset. All
that comes after the first one counts for a signature (:data:`OVER`). It is in order here if who
reset sends nothing but resets any more, none of them a copy, and all comes so soon that it was
under way when the first reset came (:mod:`tcpviz.core.resets`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.work import Work
from tcpviz.bulk.segments.flows import changes, distinct
from tcpviz.core.resets import LATE_NS

Array = NDArray[Any]

OVER = np.uint16(1 << 13)
"""In a token: it comes after a reset."""


def first_resets(w: Work) -> Array | None:
    """Of each segment the place of its connection's first reset if it comes after that, else -1.

    ``None`` where no connection goes on after one.
    """
    resets = np.flatnonzero(w.rst)
    if not len(resets) or (resets == w.last[w.part[resets]]).all():
        return None
    at = w.firsts(resets)
    first = at[w.part]
    after: Array = np.where(w.index > first, first, -1)
    return after


def below(w: Work) -> Array:
    """Places of resets with the number of their sender's FIN: to that end it has not come."""
    resets = np.flatnonzero(w.rst & w.closed)
    if not len(resets):
        return resets
    fin = np.where(w.side[resets], *(each[w.part[resets]] for each in reversed(w.fin_at)))
    lower: Array = resets[w.rel[resets] < w.end[fin]]
    return lower


def fits(w: Work, first: Array) -> Array:
    """Whether what comes after a reset, and the reset itself, are as said above.

    ``first`` as :func:`first_resets` has it. Each has to be in order by itself, too.
    """
    ok = np.ones(w.count, np.bool_)
    after = np.flatnonzero(first >= 0)
    reset = first[after]
    same = w.side[after] == w.side[reset]
    fine = np.where(same, w.rst[after], ~w.rst[after])
    fine &= np.abs(w.time[after] - w.time[reset]) < LATE_NS
    fine &= ~(w.resent[after] | w.refin[after])
    # A reset has a window of 0: one byte would be taken for a probe of it.
    fine &= w.length[after] != 1
    # Both have talked before: it answers no SYN, and no SYN,ACK.
    fine &= w.third[w.part[after]] < reset
    alive = np.zeros(len(w.first), np.bool_)
    alive[w.part[np.flatnonzero(w.alive)]] = True
    fine &= ~alive[w.part[after]]
    ok[after] = fine
    ok[_twice(w, after[w.rst[after]], first)] = False
    return ok


def _twice(w: Work, more: Array, first: Array) -> Array:
    """Which of ``more`` resets have the identification of another one: captured twice (or not)."""
    resets = np.concatenate([distinct(first[more]), more]).astype(np.intp)
    ident = w.array["ident"][w.rows[resets]]
    resets, ident = resets[ident != 0], ident[ident != 0]
    named = w.part[resets].astype(np.int64) << 16 | ident
    order = np.argsort(named, kind="stable")
    again: Array = resets[order][~changes(named[order])]
    return again[~w.nameless[again]] if len(again) else again
