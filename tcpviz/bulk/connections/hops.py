"""TTLs of connections' ends: of its SYNs, its resets and all else an end's may be three.

Another host may have answered the SYN, or reset the connection, than the one that talks. The
verdicts compare the three (:mod:`tcpviz.core.findings`), so where they differ in a connection they
are a part of what its signature stands for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.work import Work
from tcpviz.core.segment import RST, SYN

Array = NDArray[Any]

BITS = 48
"""Of a number that :func:`different` gives."""

_KINDS = 3


def same_ttl(w: Work) -> Array:
    """Which segments came with the TTL of the first of their kind from their sender."""
    ttl, same = _same(w)
    odd = np.flatnonzero(~same)
    if len(odd):
        some = np.flatnonzero(_of_parts(w, odd))
        kind, first = _firsts(w, some, ttl)
        same[some] = ttl[some] == first[kind]
    return same


def different(w: Work) -> Array | None:
    """Of each connection its TTLs as one number, 0 where each end has a single one; or none have.

    Where :func:`same_ttl` holds for all segments.
    """
    ttl, same = _same(w)
    odd = np.flatnonzero(~same)
    if not len(odd):
        return None
    some = np.flatnonzero(_of_parts(w, odd))
    _, first = _firsts(w, some, ttl)
    shift = np.arange(0, BITS, 8)
    out: Array = (first.reshape(-1, 2 * _KINDS).astype(np.int64) << shift).sum(axis=1)
    return out


def _same(w: Work) -> tuple[Array, Array]:
    """Every segment's TTL, and whether it is that of its sender's first."""
    ttl = np.ascontiguousarray(w.row["ttl"])
    same: Array = ttl == w.of_sender(ttl[w.first], ttl[w.answer_at])
    return ttl, same


def _of_parts(w: Work, which: Array) -> Array:
    """Which segments are of the same connections as these."""
    parts = np.zeros(len(w.first), np.bool_)
    parts[w.part[which]] = True
    mine: Array = parts[w.part]
    return mine


def _firsts(w: Work, some: Array, ttl: Array) -> tuple[Array, Array]:
    """Of these segments sender and kind, as a number; by that the first one's TTL."""
    flags = w.flags[some]
    kind = np.where(flags & RST != 0, 2, (flags & SYN != 0).astype(np.intp))
    kind += _KINDS * (2 * w.part[some].astype(np.intp) + w.side[some])
    first = np.zeros(2 * _KINDS * len(w.first), np.uint8)
    first[kind[::-1]] = ttl[some][::-1]  # the first one stays
    return kind, first
