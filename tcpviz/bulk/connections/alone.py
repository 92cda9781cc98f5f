"""Flows of a single segment, a SYN that nobody answered: what floods and scans leave behind.

All that :mod:`tcpviz.bulk.connections.regular` asks of a segment with regard to others is true
of these, and there may be more of them than of anything else.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import regular
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.shapes import Ending
from tcpviz.bulk.segments import sums
from tcpviz.bulk.segments.columns import SUM_SHIFT, Columns, rows_at
from tcpviz.bulk.segments.flows import Flows
from tcpviz.core.segment import SYN
from tcpviz.core.timers import SYN_GIVE_UP_NS

Array = NDArray[Any]

LEAST = 1 << 10
"""Fewer are looked at like all others."""

_STEP = 1 << 16


def syns(columns: Columns, clock: Clock, flows: Flows, tied: Array) -> tuple[Array, Array, Array]:
    """The rows of such SYNs, in their order; their places in the flows' order; what came after.

    Of that, :class:`Ending`, none is left open. Not the flows that ICMP errors have ``tied``.
    """
    single = flows.begin[1:] - flows.begin[:-1] == 1
    single[tied] = False
    places = flows.begin[:-1][single]
    if len(places) < LEAST:
        return places[:0], places[:0], np.zeros(0, np.uint8)
    # By rows from here on: they lie one behind the other.
    where = np.zeros(columns.count, flows.order.dtype)
    there = np.zeros(columns.count, np.bool_)
    rows = flows.order[places]
    where[rows], there[rows] = places, True
    rows = np.flatnonzero(there)
    ending = np.empty(len(rows), np.uint8)
    fine = np.empty(len(rows), np.bool_)
    for at in range(0, len(rows), _STEP):
        part = slice(at, at + _STEP)
        some = rows[part]
        fine[part] = _plain(columns, some)
        passed = clock.steady_end - clock.steady[some]
        ending[part] = np.where(passed >= SYN_GIVE_UP_NS, Ending.TIMERS, Ending.NOTHING)
    if not fine.all():
        rows, ending = rows[fine], ending[fine]
    return rows, where[rows], ending


def _plain(columns: Columns, rows: Array) -> Array:
    """What :func:`tcpviz.bulk.connections.regular.fits` says of a SYN without any other."""
    row = rows_at(columns.array, rows)
    flags, bits = row["flags"] & np.uint16(0x3F), row["bits"]
    fine = flags == SYN
    fine &= row["length"] == 0
    fine &= row["window"] > 0
    fine &= regular.plain(bits)
    # All of an end's being wrong makes another shape.
    fine &= bits >> SUM_SHIFT & 3 != sums.WRONG
    fine &= row["seq"] != 0xFFFFFFFF  # the number behind it comes round
    fine &= (row["sport"] != 0) & (row["dport"] != 0)
    fine &= (row["src"] != row["dst"]) | (row["sport"] != row["dport"])
    plain: Array = fine
    return plain
