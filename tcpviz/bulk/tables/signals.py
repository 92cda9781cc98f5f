"""Signals of congestion, or urgency, that a regular connection has: how many, where the first is.

That there are any is its shape's; see :mod:`tcpviz.bulk.connections.common`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.beginnings import answers
from tcpviz.bulk.segments.columns import congested
from tcpviz.core.records import Side
from tcpviz.core.segment import SYN, Flags
from tcpviz.core.vitals import Signs, Vitals

Array = NDArray[Any]

NAMES = "marked", "echoed", "urgent"
"""As :class:`tcpviz.core.vitals.Signs` has them; if accurate ECN is agreed to, none is "echoed"."""

_URG = int(Flags.URG)
_ECHO, _SYN_ECHO = int(Flags.ECE), int(Flags.ECE) | SYN


def places(name: str, bits: Array, flags: Array) -> Array:
    """Which segments have that signal, by these columns of theirs."""
    if name == "marked":
        return congested(bits)
    if name == "urgent":
        urgent: Array = flags & _URG != 0
        return urgent
    echoes: Array = flags & _SYN_ECHO == _ECHO
    return echoes


def take(made: Vitals, columns: dict[str, Array], rows: Array) -> None:
    """Put into the signs of a connection of these rows its own signals, if its shape has any."""
    for name in NAMES:
        ends = [(side, signs) for side in Side if getattr(signs := made.of(side), name)]
        if not ends:
            continue
        which = np.flatnonzero(places(name, columns["bits"][rows], columns["flags"][rows]))
        first, those = int(rows[0]), rows[which]
        there = (columns["src"][those] != columns["src"][first]) | (
            columns["sport"][those] != columns["sport"][first]
        )
        there ^= answers(columns["flags"][first])
        for side, signs in ends:
            _put(signs, name, columns["frame"][those[there == (side is Side.SERVER)]])


def _put(signs: Signs, name: str, frames: Array) -> None:
    setattr(signs, name, len(frames))
    assert signs.frames is not None
    signs.frames[name] = int(frames[0])
