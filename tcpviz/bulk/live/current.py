"""What the live table's rows come to, for those who look at all of them: states, and what is wrong.

Both are found out once for each row of which something has come since the last time, and kept;
so that to look at all of a quarter of a million rows is to look at three bytes of each.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from tcpviz.bulk.live.states import STATES, Known, refused, states, third
from tcpviz.bulk.live.table import LiveTable
from tcpviz.core.states import State
from tcpviz.core.timers import TIME_WAIT_NS
from tcpviz.core.troubles_many import SLOW_NS

Ints = npt.NDArray[np.int64]

OPENED: Final = 1
"""Bits of ``LiveTable.marks``. The client's SYN is known."""
DONE: Final = 2
"""The handshake is complete."""
REFUSED: Final = 4
"""The SYN was answered by a reset."""
TIMED: Final = 8
"""It is known how long the handshake took, and ..."""
SLOW: Final = 16
"""... that was long."""
AGAIN: Final = (32, 64)
"""The client has sent something again, or the server has."""
RESET: Final = (128, 256)
"""The client's reset has ended it, or the server's."""
WAITS: Final = (512, 1024)
"""The client is in CLOSE-WAIT, or the server is."""

UNKNOWN: Final = len(STATES)
"""In ``LiveTable.codes``: the capture began after the connection did."""

_TOGETHER = 1 << 14
"""Rows whose columns the second cache holds. (Of all at once each column is memory that must be
got from the system and cleared: half of the time.)"""

_TIME_WAIT, _CLOSE_WAIT = STATES.index(State.TIME_WAIT), STATES.index(State.CLOSE_WAIT)


def bring_up_to_date(table: LiveTable) -> None:
    """``codes`` and ``marks`` of all rows in use. Whoever calls this has the table for itself."""
    places = table.every()
    changed = table.last_ns[places] < table.now_ns - TIME_WAIT_NS
    if changed.any():  # what waited has waited long enough
        changed &= (table.codes[places] == _TIME_WAIT).any(axis=1)
    changed |= table.touched[places] > table.tallied
    table.tallied = table.passes
    rows = changed.nonzero()[0]
    for begin in range(0, len(rows), _TOGETHER):
        _look(table, _nearly_all(rows[begin : begin + _TOGETHER]))


def _nearly_all(rows: Ints) -> Ints | slice:
    """Where few between the first and the last are left out, those too: nothing is gathered."""
    first, end = int(rows[0]), int(rows[-1]) + 1
    return slice(first, end) if 8 * (end - first) <= 9 * len(rows) else rows


def _look(table: LiveTable, rows: Ints | slice) -> None:
    known: Known = table.known(rows)
    opened = known.iss[:, 0] >= 0
    begun = opened | (known.iss[:, 1] >= 0)
    done = third(known)
    marks = opened * np.uint16(OPENED)
    marks |= done * np.uint16(DONE)
    marks |= refused(known) * np.uint16(REFUSED)
    syn_ns, third_ns = table.syn_ns[rows], table.third_ns[rows]
    timed = (syn_ns >= 0) & (third_ns >= 0)
    marks |= timed * np.uint16(TIMED)
    marks |= (timed & (third_ns - syn_ns > SLOW_NS)) * np.uint16(SLOW)
    again = table.again[rows] > 0
    for side, told in enumerate(states(known, done)):
        marks |= again[:, side] * np.uint16(AGAIN[side])
        marks |= (known.reset_by == side) * np.uint16(RESET[side])
        marks |= (told == _CLOSE_WAIT) * np.uint16(WAITS[side])
        table.codes[rows, side] = np.where(begun, told, UNKNOWN)
    table.marks[rows] = marks
