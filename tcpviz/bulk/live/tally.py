"""How many ends of the live table are in which state: all rows at once.

A row does not say when an end came to its state, only when the connection was
heard of last; a state is at least that old. An open connection's age is the
time since it began.
"""

from __future__ import annotations

import numpy as np

from tcpviz.bulk.live.rows import LiveRows
from tcpviz.bulk.live.states import STATES, Known, states
from tcpviz.bulk.live.table import LiveTable
from tcpviz.core.census import Tally
from tcpviz.core.states import State
from tcpviz.core.timers import TIME_WAIT_NS

TELLS = "counted in bulk: ages are since the latest segment"

_UNKNOWN = len(STATES)
_LISTEN, _TIME_WAIT = STATES.index(State.LISTEN), STATES.index(State.TIME_WAIT)
_NEVER = np.iinfo(np.int64).max


def tallies(rows: LiveRows) -> tuple[Tally, ...]:
    """The figures of every state, in the order of :data:`tcpviz.core.census.STATES`."""
    table = rows.table
    with rows._lock:
        places = table.every()
        if not table.born:
            return (*(Tally(state) for state in State), Tally(None))
        _bring_up_to_date(table)
        codes = table.codes[places].copy()
        if table.gaps:
            codes[table.gap[places] < table.gaps] = _UNKNOWN
        counts = np.bincount(codes.reshape(-1), minlength=_UNKNOWN + 1)
        first = np.full(_UNKNOWN + 1, _NEVER)
        last = first.copy()
        for side in range(2):
            np.minimum.at(first, codes[:, side], table.first_ns[places])
            np.minimum.at(last, codes[:, side], table.last_ns[places])
    since: dict[State, int] = {}
    by_state: dict[State, int] = {}
    for number, state in enumerate(STATES):
        count = 0 if number == _LISTEN else int(counts[number])
        by_state[state] = count
        if count and state is not State.CLOSED:
            since[state] = int((first if state is State.ESTABLISHED else last)[number])
    return (
        *(Tally(state, by_state[state], since_ns=since.get(state)) for state in State),
        # A server that was not heard of may listen, or not.
        Tally(None, int(counts[_UNKNOWN] + counts[_LISTEN])),
    )


def _bring_up_to_date(table: LiveTable) -> None:
    """The states of those of which something came since the last time, and of what ran out."""
    places = table.every()
    changed = np.flatnonzero(table.touched[places] > table.tallied)
    table.tallied = table.passes
    waits = (table.codes[places] == _TIME_WAIT).any(axis=1)
    waits &= table.now_ns - table.last_ns[places] > TIME_WAIT_NS
    changed = np.union1d(changed, np.flatnonzero(waits))
    if not len(changed):
        return
    known: Known = table.known(changed)
    begun = (known.iss[:, 0] >= 0) | (known.iss[:, 1] >= 0)
    for side, codes in enumerate(states(known)):
        table.codes[changed, side] = np.where(begun, codes, _UNKNOWN)
