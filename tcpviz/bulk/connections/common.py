"""What is so in the whole of a connection, whatever the order of its segments.

Wrong checksums are, and signals of congestion and urgency: how often there was one, and where the
first was, each connection tells by itself (:mod:`tcpviz.bulk.tables.signals`). So are the options
by which ends speak MPTCP, ports of 0, and TTLs where they differ (:mod:`.hops`). Nothing else
depends on them, so that a shape's example need not have its own signals where the others have
theirs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import hops
from tcpviz.bulk.connections.work import Work
from tcpviz.bulk.segments.columns import COOKIE, MULTIPATH, congested
from tcpviz.core.connection import Connection
from tcpviz.core.records import Side
from tcpviz.core.segment import ECN, SYN, Flags
from tcpviz.core.vitals import ACCURATE

Array = NDArray[Any]

WRONG = 1, 2
"""All checksums of the client, of the server, are wrong."""

MARKED, ECHOED, URGENT = (4, 8), (16, 32), (2048, 4096)
"""Packets of the client, of the server, met congestion; its segments echo that; or are urgent."""

_AGREED = 64
"""ECE is a digit of a counter (RFC 9768)."""

_SEVERAL = 128, 256
"""The SYN of the client, of the server, speaks MPTCP."""

_ZERO = 512, 1024
"""The port of the client, of the server, is 0."""

_HOPS = 64
"""From this bit on, in what is told of a shape's example, its TTLs."""

_ECE = int(Flags.ECE)
_SIGNALS = (("marked", MARKED), ("echoed", ECHOED), ("urgent", URGENT))


def common(work: Work) -> Array:
    """Of each connection the sum of those above that hold."""
    w = work
    out: Array = w.offload[0] * WRONG[0] + w.offload[1].astype(np.int64) * WRONG[1]
    _enter(w, out, MARKED, np.flatnonzero(congested(w.bits)))
    told = np.flatnonzero(w.signals & _ECE)
    told = told[w.flags[told] & SYN == 0]
    if len(told):
        agreed = _agreed(w)
        out[agreed] += _AGREED
        _enter(w, out, ECHOED, told[~agreed[w.part[told]]])
    _enter(w, out, URGENT, np.flatnonzero(w.urgent))
    several = w.bits[w.syns] & COOKIE == MULTIPATH
    if several.any():
        there = w.side[w.syns]
        for bit, mine in zip(_SEVERAL, (~there, there), strict=True):
            speaks = np.zeros(len(out), np.bool_)
            speaks[w.part[w.syns[mine]]] = several[mine]  # the last SYN's counts
            out += speaks * bit
    # Who came first is the client, or is not.
    turned = w.side[w.first]
    ports = w.row["sport"][w.first], w.row["dport"][w.first]
    for bit, port in zip(_ZERO, (ports, ports[::-1]), strict=True):
        none = np.where(turned, port[1], port[0]) == 0
        if none.any():
            out += none * bit
    if w.beyond:
        out += w.beyond
    return out


def told(work: Work, which: int) -> int:
    """What is to be told of a connection that is a shape's first example."""
    said = int(work.common[which])
    return said if work.hops is None else said | work.hops.packed(which) << _HOPS


def telling(work: Work) -> Array:
    """Which segments speak of congestion, or may do so, or of urgent data."""
    echoes = (work.signals & _ECE != 0) & (work.flags & SYN == 0)
    signals: Array = congested(work.bits) | echoes | work.urgent
    return signals


def _enter(w: Work, out: Array, what: tuple[int, int], places: Array) -> None:
    """Note of whom these segments are."""
    if not len(places):
        return
    there = w.side[places]
    for bit, mine in zip(what, (~there, there), strict=True):
        out[w.part[places[mine]]] |= bit


def _agreed(w: Work) -> Array:
    """Connections whose ends agree to accurate ECN."""
    answer = w.answer_at
    agreed: Array = w.answered & (w.signals[w.first] == ECN) & (w.flags[answer] & SYN != 0)
    agreed &= np.isin(w.signals[answer], np.array(sorted(ACCURATE), np.uint16))
    return agreed


def tell(connection: Connection, said: int) -> None:
    """Give a shape's example the signals, and the TTLs, that all of the shape have."""
    assert connection.analysis is not None
    for name, bits in _SIGNALS:
        for side, bit in zip(Side, bits, strict=True):
            if said & bit:
                signs = connection.analysis.vitals.of(side)
                setattr(signs, name, 1)
                signs.show(name, signs.last_frame)
    if said >> _HOPS:
        hops.tell(connection, said >> _HOPS)
