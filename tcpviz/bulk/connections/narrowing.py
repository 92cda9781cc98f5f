"""Columns of connections made as narrow as what is in them: most numbers of most are small.

Whoever adds or multiplies such columns has to widen them first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_KINDS = {"u": (np.uint8, np.uint16, np.uint32), "i": (np.int8, np.int16, np.int32)}

NARROWED = (
    *("size", "shape", "client_segments", "server_segments", "client_bytes", "server_bytes"),
    *("updates", "repeats", "full", "copies", "rtt"),
)
"""Columns of a building's connections that are made narrow; the others are asked most, or full."""


def narrow(column: Array, *, signed: bool = False) -> Array:
    """The same whole numbers in as few bytes each as they take.

    Without a sign if none has one, unless it is to be ``signed``.
    """
    low, high = int(column.min(initial=0)), int(column.max(initial=0))
    for kind in _KINDS["i" if low < 0 or signed else "u"]:
        room = np.iinfo(kind)
        if np.dtype(kind).itemsize >= column.itemsize:
            break
        if room.min <= low and high <= room.max:
            return column.astype(kind)
    return column


def narrow_all(array: dict[str, Array]) -> None:
    """Make those of :data:`NARROWED` so, one after the other."""
    for name in NARROWED:
        array[name] = narrow(array[name])
