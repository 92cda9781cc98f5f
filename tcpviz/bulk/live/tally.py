"""How many ends of the live table are in which state: all rows at once.

A row does not say when an end came to its state, only when the connection was
heard of last; a state is at least that old. An open connection's age is the
time since it began.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

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
        codes = table.codes[places]
        if table.gaps:
            codes = codes.copy()
            codes[table.gap[places] < table.gaps] = _UNKNOWN
        counts = np.bincount(codes.reshape(-1), minlength=_UNKNOWN + 1)
        since: dict[State, int] = {
            state: min(_earliest(table, codes[:, side], state) for side in range(2))
            for number, state in enumerate(STATES)
            if counts[number] and state not in (State.CLOSED, State.LISTEN)
        }
    by_state = {state: int(counts[number]) for number, state in enumerate(STATES)}
    by_state[State.LISTEN] = 0
    return (
        *(Tally(state, by_state[state], since_ns=since.get(state)) for state in State),
        # A server that was not heard of may listen, or not.
        Tally(None, int(counts[_UNKNOWN] + counts[_LISTEN])),
    )


def _earliest(table: LiveTable, codes: npt.NDArray[np.uint8], state: State) -> int:
    """Since when one of these rows is in that state; a large number where none is."""
    of = table.first_ns if state is State.ESTABLISHED else table.last_ns
    return int(of[(codes == STATES.index(state)).nonzero()[0]].min(initial=_NEVER))


def _bring_up_to_date(table: LiveTable) -> None:
    """The states of those of which something came since the last time, and of what ran out."""
    places = table.every()
    codes = table.codes[places]
    waits = (codes[:, 0] == _TIME_WAIT) | (codes[:, 1] == _TIME_WAIT)
    waits &= table.last_ns[places] < table.now_ns - TIME_WAIT_NS
    waits |= table.touched[places] > table.tallied
    table.tallied = table.passes
    changed = waits.nonzero()[0]
    if not len(changed):
        return
    known: Known = table.known(changed)
    begun = (known.iss[:, 0] >= 0) | (known.iss[:, 1] >= 0)
    for side, told in enumerate(states(known)):
        table.codes[changed, side] = np.where(begun, told, _UNKNOWN)
