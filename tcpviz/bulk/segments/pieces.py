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
