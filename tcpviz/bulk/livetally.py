"""How many ends of the live table are in which state: all rows at once.

A row does not say when an end came to its state, only when the connection was
heard of last; a state is at least that old. An open connection's age is the
time since it began.
"""

from __future__ import annotations

import numpy as np

from tcpviz.bulk.liverows import LiveRows
from tcpviz.bulk.livestates import STATES, states
from tcpviz.core.census import Tally
from tcpviz.core.states import State

TELLS = "counted in bulk: ages are since the latest segment"


def tallies(rows: LiveRows) -> tuple[Tally, ...]:
    """The figures of every state, in the order of :data:`tcpviz.core.census.STATES`."""
    table = rows.table
    with rows._lock:
        places = table.every()
        if not table.born:
            return (*(Tally(state) for state in State), Tally(None))
        known = states(table.known(places))
        missed = (table.gap[places] < table.gaps) | (table.iss[places].max(axis=1) < 0)
        first, last = table.first_ns[places].copy(), table.last_ns[places].copy()
    counts = np.zeros(len(STATES), np.int64)
    since: dict[State, int] = {}
    unknown = 0
    for codes in known:
        doubt = missed | (codes == STATES.index(State.LISTEN))
        unknown += int(doubt.sum())
        sure = codes[~doubt]
        counts += np.bincount(sure, minlength=len(STATES))
        for number, state in enumerate(STATES):
            times = (first if state is State.ESTABLISHED else last)[~doubt][sure == number]
            if len(times) and state is not State.CLOSED:
                since[state] = min(int(times.min()), since.get(state, 1 << 62))
    by_state = dict(zip(STATES, map(int, counts), strict=True))
    return (
        *(Tally(state, by_state[state], since_ns=since.get(state)) for state in State),
        Tally(None, unknown),
    )
