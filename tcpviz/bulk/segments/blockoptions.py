"""Options of many pcapng packet blocks at once: whether any of them says more than its packet.

Flags, hashes, queues and comments of packets, which macOS writes for every one, change nothing
that is told by columns. What a recording of the lab says does; what was lost before a packet is
counted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.pieces import at_every
from tcpviz.sources.pcapng import CUSTOM, EPB_DROPCOUNT

Array = NDArray[Any]

_MOST = 12
"""Options of a packet that are looked at here."""


def silent(data: bytes, order: str, place: Array, end: Array) -> tuple[Array, Array]:
    """Whether the options from ``place`` up to ``end``, aligned, are of no other consequence.

    And how many packets they say were lost before theirs.
    """
    words = at_every(data, 4)
    out = np.ones(len(place), np.bool_)
    had, lost = np.zeros(len(place), np.bool_), np.zeros(len(place), np.uint64)
    rest = np.flatnonzero(place + 4 <= end)
    for _ in range(_MOST):
        if not len(rest):
            return out, lost
        at = place[rest]
        head = words[at].view(order + "u2").reshape(-1, 2).astype(np.int64)
        code, size = head[:, 0], head[:, 1]
        on = (code != 0) & (at + 4 + size <= end[rest])
        tells = on & (code == CUSTOM)
        counts = np.flatnonzero(on & (code == EPB_DROPCOUNT))
        if len(counts):
            mine = rest[counts]
            tells[counts] = had[mine]  # two of them: the parser says which one counts
            had[mine] = True
            counts = counts[size[counts] == 8]
            long = at_every(data, 8)[at[counts] + 4]
            lost[rest[counts]] = long.view(order + "u8").reshape(-1)
        out[rest[tells]] = False
        on &= ~tells
        rest = rest[on]
        place = place.copy()
        place[rest] = at[on] + 4 + (size[on] + 3 & ~3)
        rest = rest[place[rest] + 4 <= end[rest]]
    out[rest] = False
    return out, lost
