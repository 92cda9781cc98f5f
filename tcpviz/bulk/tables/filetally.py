"""How many ends of a capture's table are in which state: all connections at once."""

from __future__ import annotations

import numpy as np

from tcpviz.bulk.tables.table import Table
from tcpviz.core.census import Tally
from tcpviz.core.claims import Certainty, Claim
from tcpviz.core.states import State

_STATES = tuple(State)
_UNKNOWN = len(_STATES)

TELLS = "at the end of the capture; ages are since the latest segment"


def _code(claim: Claim) -> int:
    return _UNKNOWN if claim.certainty is Certainty.UNKNOWN else _STATES.index(claim.state)


def tallies(table: Table) -> tuple[Tally, ...]:
    """The figures of every state, in the order of :class:`State`, and of what is not known."""
    counts = np.zeros(_UNKNOWN + 1, np.int64)
    since: dict[State, int] = {}
    for codes in (
        table.shaped(lambda c: _code(c.client.claim)),
        table.shaped(lambda c: _code(c.server.claim)),
    ):
        there = np.bincount(codes, minlength=_UNKNOWN + 1)
        counts += there
        for number in np.flatnonzero(there).tolist():
            if number == _UNKNOWN or _STATES[number] is State.CLOSED:
                continue
            state = _STATES[number]
            times = table.first_ns if state is State.ESTABLISHED else table.last_ns
            since[state] = min(int(times[codes == number].min()), since.get(state, 1 << 62))
    return (
        *(Tally(s, int(counts[n]), since_ns=since.get(s)) for n, s in enumerate(_STATES)),
        Tally(None, int(counts[_UNKNOWN])),
    )
