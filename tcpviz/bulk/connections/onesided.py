"""One end of a long connection looked at a stretch at a time, so that no column of all is made.

As :mod:`tcpviz.bulk.connections.lengthy` does of both. Where the other one was not captured each
segment rests on its sender's before it, on the first, the first with an ACK and the first FIN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import partial
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.common import telling
from tcpviz.bulk.connections.partial import Partial
from tcpviz.bulk.connections.regular import Sums
from tcpviz.bulk.connections.signatures import signatures
from tcpviz.bulk.segments import sums
from tcpviz.bulk.segments.columns import SUM_SHIFT, Columns

Array = NDArray[Any]

STRETCH = 1 << 16
"""Segments that are worked on at a time."""


def look(columns: Columns, clock: Clock, rows: Array) -> tuple[Array, Partial, Sums, Array] | None:
    """What one end sent; ``None`` unless all is in order.

    Places of the segments that stand for all, the work on these, sums of all, whether it was in
    time.
    """
    count = len(rows)
    said = fin = -1
    places = [np.array([0, 1, count - 1])]
    length, updates, repeats = 0, 0, 0
    wrong = right = False
    for begin in range(0, count, STRETCH):
        end = min(begin + STRETCH, count)
        known = sorted(each for each in {0, said, fin, begin - 1} if 0 <= each < begin)
        at = np.concatenate([np.array(known, np.int64), np.arange(begin, end)])
        mine = slice(len(known), None)
        w = Partial(columns, clock, rows[at].astype(np.int64), np.array([0, len(at)]))
        w.loose = max(len(known) - 1, 0)
        *marked, ok = partial.windows(w)
        ok &= partial.fits(w)
        # Within a stretch its last segment looks like the connection's.
        ok &= ~w.rst | (at == count - 1)
        # What one stretch has of it the others would have to know.
        ok &= ~telling(w)
        told = w.bits[mine] >> SUM_SHIFT & 3
        wrong |= bool((told == sums.WRONG).any())
        right |= bool((told == sums.RIGHT).any())
        if w.wrong.any() or not ok[mine].all() or (wrong and right):
            return None
        length += int(w.length[mine].sum(dtype=np.int64))
        updates, repeats = (
            had + int(np.count_nonzero(each[mine]))
            for had, each in zip((updates, repeats), marked, strict=False)
        )
        if said < 0 and w.has_ack.any():
            said = int(at[w.has_ack.argmax()])
        if fin < 0 and w.fin.any():
            fin = int(at[w.fin.argmax()])
        counting = at[mine][signatures(w)[1][mine]]
        places += [counting, counting[counting > 0] - 1]
    some = np.unique(np.concatenate(places))
    work = Partial(columns, clock, rows[some].astype(np.int64), np.array([0, len(some)]))
    server = bool(work.side[0])
    work.offload = np.array([[wrong and not server], [wrong and server]])
    one, none = np.array([count]), np.array([0])
    size = np.array([length])
    made = Sums(
        (none, one) if server else (one, none),
        (none, size) if server else (size, none),
        np.array([updates]),
        np.array([repeats]),
        none,
        none - 1,
    )
    return some, work, made, ~work.wrong & partial.timely(work)
