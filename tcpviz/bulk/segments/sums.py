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

from tcpviz.bulk.segments.pieces import Buffer

Longs = NDArray[Any]

UNKNOWN, RIGHT, WRONG = 0, 1, 2
"""What ``Segment.checksum_ok`` calls ``None``, true and false."""

_SWAP = 256 if sys.byteorder == "little" else 1
_ODD = 1 if sys.byteorder == "little" else 256


def spans(data: Buffer, start: Longs, end: Longs) -> Longs:
    """The sums of ``data[start:end]`` modulo 65535, padded to whole words; in growing order."""
    total = np.zeros(len(start), np.int64)
    size = len(data)
    octets = np.frombuffer(data, np.uint8)
    odd_place = (start & 1).astype(np.bool_)
    some = bool(odd_place.any())
    for parity in (0, 1) if some else (0,):
        mine = np.flatnonzero(odd_place == bool(parity)) if some else slice(None)
        begin, size_there = start[mine], (end - start)[mine]
        if not len(begin):
            continue
        words = np.frombuffer(data, np.uint16, (size - parity) // 2, parity)
        edges = np.empty(2 * len(begin), np.int64)
        edges[0::2] = first = (begin - parity) >> 1
        edges[1::2] = first + (size_there >> 1)
        if edges[-1] >= len(words):
            edges = edges[:-1]
        total[mine] = np.add.reduceat(words, edges, dtype=np.uint32)[::2]
    odd = np.flatnonzero((end - start) & 1)
    if len(odd):
        total[odd] += octets[end[odd] - 1].astype(np.int64) * _ODD
    return total * _SWAP % 65535


def check(data: Buffer, first: Longs, inner: Longs, end: Longs, field: Longs) -> NDArray[Any]:
    """What :func:`tcpviz.wire.tcp.check` says of each.

    ``first``  where both addresses stand, right before the TCP part at ``inner``
    ``end``    the TCP part's, ``field`` the checksum in its header
    """
    length = end - inner
    right = (spans(data, first, end) + (6 + length)) % 65535 == 0
    out = np.where(right, np.uint8(RIGHT), np.uint8(WRONG))
    rest = np.flatnonzero(~right)
    if len(rest):
        pseudo = spans(data, first[rest], inner[rest]) + (6 + length[rest])
        unknown = (pseudo - field[rest].astype(np.int64)) % 65535 == 0
        out[rest[unknown]] = UNKNOWN
    return out


def apart(
    data: Buffer, addresses: tuple[Longs, Longs], inner: Longs, end: Longs, field: Longs
) -> NDArray[Any]:
    """The same where something lies between ``addresses``, from and to, and the TCP part."""
    length = end - inner
    pseudo = spans(data, *addresses) + (6 + length)
    right = (pseudo + spans(data, inner, end)) % 65535 == 0
    unknown = ~right & ((pseudo - field.astype(np.int64)) % 65535 == 0)
    out = np.where(right, np.uint8(RIGHT), np.uint8(WRONG))
    out[unknown] = UNKNOWN
    return out
