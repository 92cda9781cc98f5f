"""How the ends stand before there is a connection: what calls and the kernel say of them."""

from __future__ import annotations

from tcpviz.core.claims import Certainty, Claim, StateChange
from tcpviz.core.records import KernelReading, Side
from tcpviz.core.states import Event, State, find


class Beforehand(dict[Side, Claim]):
    """Of each side its claim; what moves one tells the change, or none where the state stays."""

    def __init__(self) -> None:
        super().__init__(
            {
                Side.CLIENT: Claim(State.CLOSED, Certainty.INFERRED, "nothing sent yet"),
                Side.SERVER: Claim(State.CLOSED, Certainty.UNKNOWN, "not looked at yet"),
            }
        )

    def listens(self) -> tuple[StateChange, ...]:
        """The server's ``listen()`` returned."""
        after = Claim(State.LISTEN, Certainty.SEEN, "listen() returned")
        return self._move(Side.SERVER, after, Event.PASSIVE_OPEN)

    def called(self, side: Side, event: Event, because: str) -> tuple[StateChange, ...]:
        """A call moved a listener without a segment, if the machine has such an edge."""
        row = find(self[side].state, event)
        if row is None:
            return ()
        return self._move(side, Claim(row.after, Certainty.SEEN, because), event)

    def read(self, reading: KernelReading) -> tuple[StateChange, ...]:
        """What the kernel says of the sockets that have no peer."""
        changes: list[StateChange] = []
        for sock in reading.sockets:
            if sock.peer is None:
                after = Claim(sock.state or State.CLOSED, Certainty.SEEN, "the kernel says so")
                event = Event.PASSIVE_OPEN if sock.state is State.LISTEN else Event.CLOSE
                changes += self._move(sock.side, after, event)
        return tuple(changes)

    def rebooted(self, side: Side, because: str) -> tuple[StateChange, ...]:
        """The host was switched off and on: nothing is left."""
        return self._move(side, Claim(State.CLOSED, Certainty.SEEN, because), None)

    def _move(self, side: Side, after: Claim, event: Event | None) -> tuple[StateChange, ...]:
        before, self[side] = self[side], after
        if before.state is after.state:
            return ()
        row = None if event is None else find(before.state, event)
        return (StateChange(side, before, after, row),)
