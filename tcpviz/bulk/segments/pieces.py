"""So many bytes from any place of a buffer on, for many places at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Buffer = bytes | bytearray | memoryview
"""Bytes as they came, or as they lie in a packet ring."""


def at_every(data: Any, width: int) -> NDArray[np.void]:
    """Of each place the ``width`` bytes that begin there, as far as there are so many.

    A view of ``data``: what is asked of it is copied, and nothing else.
    """
    return np.ndarray((max(len(data) - width + 1, 0),), f"V{width}", data, strides=(1,))


def gathered(data: Any, starts: NDArray[Any], width: int) -> NDArray[np.void]:
    """So many bytes from each of these places; behind the end of all there may be anything."""
    top = len(data) - width
    if int(starts.max(initial=0)) <= top:
        whole: NDArray[np.void] = at_every(data, width)[starts]
        return whole
    made = np.empty((len(starts), width), np.uint8)
    inside = np.flatnonzero(starts <= top)
    if len(inside):
        made[inside] = at_every(data, width)[starts[inside]].view(np.uint8).reshape(-1, width)
    for place in np.flatnonzero(starts > top).tolist():
        rest = np.frombuffer(data, np.uint8)[starts[place] :]
        made[place, : len(rest)] = rest
    return made.view(f"V{width}").ravel()
