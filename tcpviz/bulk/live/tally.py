"""How many ends of the live table are in which state: all rows at once.

A row does not say when an end came to its state, only when the connection was
heard of last; a state is at least that old. An open connection's age is the
time since it began.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tcpviz.bulk.live.current import UNKNOWN, bring_up_to_date
from tcpviz.bulk.live.rows import LiveRows
from tcpviz.bulk.live.states import STATES
from tcpviz.bulk.live.table import LiveTable
from tcpviz.core.census import Tally
from tcpviz.core.states import State

TELLS = "counted in bulk: ages are since the latest segment"

_LISTEN = STATES.index(State.LISTEN)
_AGELESS = (STATES.index(State.CLOSED), _LISTEN, UNKNOWN)
_NEVER = int(np.iinfo(np.int64).max)


def tallies(rows: LiveRows) -> tuple[Tally, ...]:
    """The figures of every state, in the order of :data:`tcpviz.core.census.STATES`."""
    table = rows.table
    with rows._lock:
        places = table.every()
        if not table.born:
            return (*(Tally(state) for state in State), Tally(None))
        bring_up_to_date(table)
        codes = table.codes[places]
        if table.gaps:
            codes = codes.copy()
            codes[table.gap[places] < table.gaps] = UNKNOWN
        counts, since = _summed(table, codes)
    by_state = {state: counts[number] for number, state in enumerate(STATES)}
    by_state[State.LISTEN] = 0
    return (
        *(Tally(state, by_state[state], since_ns=since.get(state)) for state in State),
        # A server that was not heard of may listen, or not.
        Tally(None, counts[UNKNOWN] + counts[_LISTEN]),
    )


def _summed(table: LiveTable, codes: npt.NDArray[np.uint8]) -> tuple[list[int], dict[State, int]]:
    """How many ends have each code, and since when somebody is in each state.

    Both ends of a connection are looked at together: of all pairs there are there is a dozen.
    """
    places = table.every()
    counts, since = [0] * (UNKNOWN + 1), dict[State, int]()
    pairs = np.ascontiguousarray(codes).view(np.uint16).reshape(-1)
    for pair, count in enumerate(np.bincount(pairs).tolist()):
        if not count:
            continue
        of = (pairs == pair).nonzero()[0]
        for code in divmod(pair, 256):
            counts[code] += count
            if code in _AGELESS:
                continue
            state = STATES[code]
            begun = table.first_ns if state is State.ESTABLISHED else table.last_ns
            since[state] = min(since.get(state, _NEVER), int(begun[places][of].min()))
    return counts, since
