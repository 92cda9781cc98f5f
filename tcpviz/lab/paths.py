"""The path of states that the kernel told of each end, to be held against what a script expects.

Only the kernel's readings count here, never the inference. A path belongs to one
four-tuple: a connection that takes up another's addresses and ports goes on in
the same path (TIME-WAIT, SYN-RECEIVED, ...).
"""

from __future__ import annotations

from tcpviz.core.records import KernelReading, KernelSocket, Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State

_Tuple = tuple[Endpoint, Endpoint]
"""The client's endpoint, then the server's."""


class Paths:
    """Takes readings in order; :meth:`of` gives the paths of one four-tuple."""

    def __init__(self) -> None:
        self.tuples: list[_Tuple] = []
        self._common: dict[Side, list[State]] = {side: [State.CLOSED] for side in Side}
        self._paths: dict[tuple[_Tuple, Side], list[State]] = {}
        self._existed: set[tuple[_Tuple, Side]] = set()

    def take(self, reading: KernelReading) -> None:
        """One reading."""
        listens = {one.side: one.state is State.LISTEN for one in reading.sockets if not one.peer}
        for side in Side:
            _go_on(self._common[side], State.LISTEN if listens.get(side) else State.CLOSED)
        for one in reading.sockets:
            if one.peer is not None:
                self._take(one, one.peer, bool(listens.get(one.side)))

    def _take(self, one: KernelSocket, peer: Endpoint, listens: bool) -> None:
        client = one.side is Side.CLIENT
        pair = (one.local, peer) if client else (peer, one.local)
        place = (pair, one.side)
        if pair not in self.tuples:
            self.tuples.append(pair)
        path = self._paths.setdefault(place, list(self._common[one.side]))
        if one.state is not None:
            self._existed.add(place)
            _go_on(path, one.state)
        elif place not in self._existed or path[-1] in (State.SYN_RECEIVED, State.LISTEN):
            # Not yet, or not any more: what the listening socket does is all there is.
            _go_on(path, State.LISTEN if listens else State.CLOSED)
        else:
            _go_on(path, State.CLOSED)

    def of(self, number: int, side: Side) -> tuple[State, ...]:
        """Of the ``number``-th four-tuple, from 0; without the CLOSED that every path begins in."""
        if number < len(self.tuples):
            path = self._paths.get((self.tuples[number], side), self._common[side])
        else:
            path = self._common[side]
        return tuple(path[1:] if len(path) > 1 else path)


def _go_on(path: list[State], state: State) -> None:
    if path[-1] is not state:
        path.append(state)
