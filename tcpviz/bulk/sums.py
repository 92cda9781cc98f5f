"""TCP checksums of many segments at once (RFC 1071).

The ones' complement sum does not care in which byte order its words are added
up, so they are taken as this machine has them; words begin at even and at odd
places, and each kind is summed for itself.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

Longs = NDArray[Any]

UNKNOWN, RIGHT, WRONG = 0, 1, 2
"""What ``Segment.checksum_ok`` calls ``None``, true and false."""

_SWAP = 256 if sys.byteorder == "little" else 1
_ODD = 1 if sys.byteorder == "little" else 256


def spans(data: bytes, start: Longs, end: Longs) -> Longs:
    """The sums of ``data[start:end]`` modulo 65535, padded to whole words; in growing order."""
    total = np.zeros(len(start), np.int64)
    size = len(data)
    octets = np.frombuffer(data, np.uint8)
    for parity in (0, 1):
        mine = np.flatnonzero((start & 1) == parity)
        if not len(mine):
            continue
        words = np.frombuffer(data, np.uint16, (size - parity) // 2, parity)
        first = (start[mine] - parity) >> 1
        last = first + ((end[mine] - start[mine]) >> 1)
        edges = np.empty(2 * len(mine), np.int64)
        edges[0::2], edges[1::2] = first, last
        if edges[-1] >= len(words):
            edges = edges[:-1]
        total[mine] = np.add.reduceat(words, edges, dtype=np.uint32)[::2]
    odd = np.flatnonzero((end - start) & 1)
    if len(odd):
        total[odd] += octets[end[odd] - 1].astype(np.int64) * _ODD
    return total * _SWAP % 65535


def check(body: Longs, addresses: Longs, length: Longs, field: Longs) -> NDArray[Any]:
    """What :func:`tcpviz.wire.tcp.check` says of each.

    ``body`` is the sum of the TCP part, ``addresses`` that of both addresses,
    ``length`` the part's length and ``field`` the checksum in the header.
    """
    pseudo = addresses + 6 + length
    out = np.full(len(body), WRONG, np.uint8)
    out[(pseudo - field) % 65535 == 0] = UNKNOWN
    out[(body + pseudo) % 65535 == 0] = RIGHT
    return out
