"""Options of many pcapng packet blocks at once: whether any of them says more than its packet.

Flags, hashes, queues and comments of packets, which macOS writes for every one, change nothing
that is told by columns. What was lost before a packet, and what a recording of the lab says, does.
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


def silent(data: bytes, order: str, place: Array, end: Array) -> Array:
    """Whether the options from ``place`` up to ``end``, aligned, are of no consequence."""
    words = at_every(data, 4)
    out = np.ones(len(place), np.bool_)
    rest = np.flatnonzero(place + 4 <= end)
    for _ in range(_MOST):
        if not len(rest):
            return out
        at = place[rest]
        head = words[at].view(order + "u2").reshape(-1, 2).astype(np.int64)
        code, size = head[:, 0], head[:, 1]
        on = (code != 0) & (at + 4 + size <= end[rest])
        tells = on & (code == CUSTOM)
        counts = np.flatnonzero(on & (code == EPB_DROPCOUNT) & (size == 8))
        if len(counts):
            low, high = (words[at[counts] + 4 + n].view(order + "u4") for n in (0, 4))
            tells[counts] = (low | high) != 0
        out[rest[tells]] = False
        on &= ~tells
        rest = rest[on]
        place = place.copy()
        place[rest] = at[on] + 4 + (size[on] + 3 & ~3)
        rest = rest[place[rest] + 4 <= end[rest]]
    out[rest] = False
    return out
