"""Counts of what a tracker sees, for those who draw curves of it: marks, states, verdicts.

Bounded whatever comes: what is counted by name has its names from our own tables, never from
the traffic. Verdicts cost more than the rest together, so those of open connections are worked
out a few at a time and may be some seconds old.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from tcpviz.core.claims import Certainty
from tcpviz.core.connection import Connection
from tcpviz.core.ended import Ended
from tcpviz.core.timeline import Step, StepKind
from tcpviz.core.tracker import Tracker
from tcpviz.core.verdicts import Code, verdicts

BUCKETS_NS: Final = (
    *(100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000),
    *(50_000_000, 100_000_000, 250_000_000, 500_000_000, 1_000_000_000, 3_000_000_000),
)
"""Upper bounds of the handshake's times, nanoseconds; beyond the last there is one more."""

BUDGET_S: Final = 0.003
"""Time for verdicts of open connections at one look."""

UNKNOWN: Final = "unknown"

States = Counter[tuple[str, str]]
"""Ends by ``client`` or ``server`` (``either`` where nobody tells them apart), and by state."""


class Meter:
    """What has been counted; ``clock`` gives seconds that only go forward.

    ``marks``     segments by mark; ``resets`` segments with RST; ``icmp_errors`` about segments
    ``entered``   how often an end came to a state
    ``ended``     connections that have ended by their main verdict, and ``handshakes`` how long
                  theirs took: for each of :data:`BUCKETS_NS` (and beyond) how many, and the sum
    ``open``      connections that are followed and have not ended, by their main verdict
    """

    done = False
    attention: int | None = None

    def __init__(self, clock: Callable[[], float]) -> None:
        self.marks: Counter[str] = Counter()
        self.entered: Counter[str] = Counter()
        self.ended: Counter[Code] = Counter()
        self.open: Counter[Code] = Counter()
        self.handshakes = [0] * (len(BUCKETS_NS) + 1)
        self.handshakes_ns = 0
        self.connections = self.resets = self.icmp_errors = 0
        self._clock = clock
        self._ended = Ended()
        self._verdicts: dict[int, Code] = {}
        self._changed: dict[int, None] = {}
        self._round: list[int] = []
        self._latest = 0

    def steps(self, steps: Sequence[Step], tracker: Tracker) -> None:
        self._ended.steps(steps, tracker)
        for step in steps:
            if step.connection is None:
                continue
            if step.connection > self._latest:
                self._latest = step.connection
                self.connections += 1
            self._changed[step.connection] = None
            for change in step.changes:
                self.entered[str(change.after.state)] += 1
            if step.kind is StepKind.ICMP:
                self.icmp_errors += 1
            if step.observation is not None:
                for mark in step.observation.marks:
                    self.marks[mark.name.value] += 1
            if step.segment is not None and step.segment.rst:
                self.resets += 1

    def look(self, tracker: Tracker, now_ns: int) -> None:
        self._count_ended(self._ended.look(tracker, now_ns), now_ns)
        until = self._clock() + BUDGET_S
        while self._clock() < until:
            ident = self._next(tracker)
            if ident is None:
                break
            connection = tracker.connections.get(ident)
            if connection is None or connection.only_told:
                self._forget(ident)
            else:
                self._judge(connection, now_ns)

    def end(self, tracker: Tracker, now_ns: int) -> None:
        self._count_ended(self._ended.look(tracker, now_ns), now_ns)

    def states(self, tracker: Tracker) -> States:
        """How many ends are in which state now, by side; doubtful ones are :data:`UNKNOWN`."""
        found: States = Counter()
        for connection in tracker.connections.values():
            for end in (connection.client, connection.server):
                doubt = end.claim.certainty is Certainty.UNKNOWN
                found[str(end.side), UNKNOWN if doubt else str(end.claim.state)] += 1
        return found

    def forget_gone(self, tracker: Tracker) -> None:
        """What is not followed any more is not open either."""
        for ident in [one for one in self._verdicts if one not in tracker.connections]:
            self._forget(ident)

    def _next(self, tracker: Tracker) -> int | None:
        if self._changed:
            ident = next(iter(self._changed))
            del self._changed[ident]
            return ident
        if not self._round:
            self._round = list(tracker.connections)
            self._round.reverse()
            return None  # one round a look is enough where there are few
        return self._round.pop()

    def _judge(self, connection: Connection, now_ns: int) -> None:
        self._forget(connection.id)
        if not connection.over:
            code = verdicts(connection, now_ns)[0].code
            self._verdicts[connection.id] = code
            self.open[code] += 1

    def _forget(self, ident: int) -> None:
        code = self._verdicts.pop(ident, None)
        if code is not None:
            self.open[code] -= 1

    def _count_ended(self, connections: Sequence[Connection], now_ns: int) -> None:
        for connection in connections:
            self._forget(connection.id)
            if connection.only_told:
                continue
            self.ended[verdicts(connection, now_ns)[0].code] += 1
            took = connection.handshake_rtt_ns
            if took is not None and took >= 0:
                place = next((n for n, most in enumerate(BUCKETS_NS) if took <= most), -1)
                self.handshakes[place] += 1
                self.handshakes_ns += took
