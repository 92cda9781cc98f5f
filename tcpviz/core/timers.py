"""Timers that move an end without a segment: TIME-WAIT's end, giving up on a handshake.

They run by the capture's own clock. Nothing runs for ESTABLISHED: an idle
connection stays open for ever (RFC 9293 section 3.8.4 leaves keep-alives to the
ends, and they would be seen). What a retransmission timer does is a segment.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from math import inf

from tcpviz.core.claims import Certainty, StateChange
from tcpviz.core.connection import Connection, Moves
from tcpviz.core.halfconn import End
from tcpviz.core.records import Side
from tcpviz.core.states import Event, State

SECOND = 1_000_000_000

TIME_WAIT_NS = 60 * SECOND
"""How long TIME-WAIT lasts: Linux's TCP_TIMEWAIT_LEN (include/net/tcp.h). RFC 9293: 4 minutes."""

SYN_GIVE_UP_NS = 127 * SECOND
"""When Linux gives a SYN up: tcp_syn_retries 6, that is 1+2+4+8+16+32+64 seconds."""

SYN_ACK_GIVE_UP_NS = 63 * SECOND
"""When Linux gives a SYN,ACK up: tcp_synack_retries 5."""

LAST_WAIT_NS = 64 * SECOND
"""How long Linux waits after the last SYN before it gives up; for a SYN,ACK half of that."""


LEAP_NS = 24 * 3600 * SECOND
"""A clock that goes on by more at once was set, or is another machine's: no timer ran so long."""


class Timers:
    """The deadlines of all connections. ``time_wait_ns``: how long TIME-WAIT lasts."""

    def __init__(self, time_wait_ns: int = TIME_WAIT_NS) -> None:
        self.time_wait_ns = time_wait_ns
        self._waits = {
            State.TIME_WAIT: time_wait_ns,
            State.SYN_SENT: SYN_GIVE_UP_NS,
            State.SYN_RECEIVED: SYN_ACK_GIVE_UP_NS,
        }
        self._deadlines: list[tuple[int, int, str]] = []

    def note(self, connection: Connection, changes: tuple[StateChange, ...], time_ns: int) -> None:
        """Ends have moved: set the timers of their new states."""
        for change in changes:
            wait = self._waits.get(change.after.state)
            if wait is not None:
                self._set(time_ns + wait, connection, change.side)

    @property
    def soonest_ns(self) -> float:
        """The first deadline; infinite if there is none."""
        return self._deadlines[0][0] if self._deadlines else inf

    def due(self, now_ns: int) -> Iterator[tuple[int, int, Side]]:
        """The deadlines up to ``now_ns`` in order: when, which connection, which end."""
        while self._deadlines and self._deadlines[0][0] <= now_ns:
            when, ident, side = heapq.heappop(self._deadlines)
            yield when, ident, Side(side)

    def postpone(self, by_ns: int) -> None:
        """The clock was set forward by ``by_ns``: every deadline is as far away as before."""
        self._deadlines = [(when + by_ns, ident, side) for when, ident, side in self._deadlines]

    def run_out(self, connection: Connection, end: End, due: int) -> tuple[StateChange, ...]:
        """The deadline has come: how the end moves, unless its timer was restarted meanwhile."""
        moves = Moves(connection, 0, due)
        state = end.state
        if state is State.TIME_WAIT and end.time_wait_since is not None:
            ends = end.time_wait_since + self.time_wait_ns
            if ends > due:
                self._set(ends, connection, end.side)
                return ()
            why = f"{self.time_wait_ns // SECOND} s of TIME-WAIT are over"
            moves.move(end, Event.TIMEOUT_2MSL, Certainty.INFERRED, why, *end.claim.frames)
        elif state is State.SYN_SENT or state is State.SYN_RECEIVED:
            wait = LAST_WAIT_NS if state is State.SYN_SENT else LAST_WAIT_NS // 2
            if connection.last_ns + wait > due:
                # Still trying, so its settings are not Linux's defaults.
                self._set(connection.last_ns + wait, connection, end.side)
                return ()
            why = "no answer for longer than Linux tries by default"
            moves.move(end, Event.USER_TIMEOUT, Certainty.INFERRED, why, *end.claim.frames)
        return moves.changes

    def _set(self, when_ns: int, connection: Connection, side: Side) -> None:
        heapq.heappush(self._deadlines, (when_ns, connection.id, side.value))
