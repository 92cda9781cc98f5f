"""Many short flows followed: the core takes what is not plain, and is taken past what is.

As :mod:`tcpviz.bulk.connections.following` follows them, each by itself; what is kept of the
connections is the same, but for what would only judge further segments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from tcpviz.bulk.brief.openings import Openings
from tcpviz.bulk.brief.past import Past
from tcpviz.bulk.brief.rows import Rows
from tcpviz.bulk.connections.beside import Along, Beside
from tcpviz.bulk.connections.clock import NEAR_NS, Clock
from tcpviz.bulk.segments.reading import Reading
from tcpviz.core import routing
from tcpviz.core.connection import Connection
from tcpviz.core.marks import MarkAnalyzer, MarkName
from tcpviz.core.records import Moment, Side
from tcpviz.core.segment import SYN
from tcpviz.core.tracker import Tracker

Array = NDArray[Any]

_OPENINGS = Openings()
"""What they have learned holds for all captures."""


def _leaps(moments: list[int]) -> bool:
    """Whether the clock does, or goes back."""
    return not 0 <= moments[1] - moments[0] <= NEAR_NS >= moments[2] - moments[1] >= 0


def _marks(connection: Connection) -> MarkAnalyzer:
    assert connection.analysis is not None
    return connection.analysis.marks


def _taken_over(tracker: Tracker, one: Connection, heir: Heir | None, clock: Clock) -> bool:
    """Have another take its place, if one did; false if that came into one that goes on."""
    if heir is None:
        return True
    if heir.came_ns < tracker.now_ns:
        return False
    clock.lead(tracker, tracker.now_ns, heir.came_ns)
    if routing.lives(one):
        return False
    clock.lead(tracker, heir.came_ns, heir.since_ns)
    routing.supersede(one, heir.frame, heir.time_ns)
    return True


class Heir(NamedTuple):
    """The next connection on the same ends, which was answered.

    ``frame``    of its SYN, ``came_ns`` when the tracker was given that
    ``since_ns``  when the tracker was given the answer, which came at ``time_ns`` by its own time
    """

    frame: int
    came_ns: int
    since_ns: int
    time_ns: int


class Neighbours(NamedTuple):
    """What matters to a connection of the others on the same ends; no segment may be of either.

    ``reused``  there was one before it, that did not go on when this one came
    ``heir``    what took its place
    """

    reused: bool
    heir: Heir | None


class Briefly:
    """Follows some flows, each with nothing told but its segments; ``segments`` that it took.

    ``along``   of some of the flows copies that are known already, and not among their rows
    ``neighbours``  of those that are one connection of several on the same ends
    """

    def __init__(
        self,
        reading: Reading,
        clock: Clock,
        flows: Sequence[Array],
        along: Mapping[int, Along] | None = None,
        neighbours: Mapping[int, Neighbours] | None = None,
    ) -> None:
        self._neighbours = neighbours or {}
        self._rows, self._along = Rows(reading, flows), dict(along or {})
        known, single = self._along, self._rows.single
        doubtful = [flow for flow in range(len(flows)) if not single[flow] and flow not in known]
        if doubtful:
            beside = Beside(reading, [flows[flow] for flow in doubtful])
            if any(beside.known):
                left = dict(zip(doubtful, beside.left, strict=True))
                self._rows = Rows(reading, [left.get(at, each) for at, each in enumerate(flows)])
            for at, flow in enumerate(doubtful):
                if beside.known[at]:
                    self._along[flow] = beside.of(at)
        self._rows.tell()
        self._clock = clock
        self._moments: list[int] = clock.now[self._rows.rows].tolist()
        self.segments = 0

    def follow(self, flow: int) -> list[tuple[int, Connection]] | None:
        """The connections of a flow, each with its first row; ``None``: others have to follow it.

        Where there are copies of packets that are not known, late segments of a connection that
        was there before, or a clock that leaps. Or where one has neighbours, and the next one on
        its ends would have come into one that goes on.
        """
        rows, clock = self._rows, self._clock
        if not rows.single[flow] or clock.leaps:
            return None
        tracker = Tracker(keep=False)
        near = self._neighbours.get(flow)
        begin, end = rows.begin[flow], rows.begin[flow + 1]
        moments, told, plain, there = self._moments, rows.told, rows.plain, rows.there
        connection = _OPENINGS.opened(rows, flow)
        if connection is not None and not _leaps(moments[begin : begin + 3]):
            tracker.connections[connection.id] = connection
            tracker.followed.live[connection.key] = connection
            tracker.followed.number_from(connection.id + 1)
            tracker.now_ns = moments[begin + 2]
            if near is not None and near.reused:
                _marks(connection).counts[Side.CLIENT][MarkName.REUSED_PORTS] += 1
            first, taken = begin + 3, 0
        else:
            segment = rows.segment(begin)
            tracker.tick(moments[begin])
            connection = tracker.followed.of(segment, Moment.SEEN)
            if near is not None and near.reused:
                _marks(connection)._reused = True
            tracker.take(connection, segment)
            first, taken = begin + 1, 1
        past, opened = Past(connection, rows), [(rows.rows[begin], connection)]
        # Who sent the flow's first segment is the client, or is not.
        answered = taken > 0 and connection.server.segments > 0
        along = self._along.get(flow)
        if along is not None:
            along.turned = answered
            only = connection  # else others follow them
            past.count_before = lambda place: along.up_to(only, place - begin)
        ready = taken == 0 and past.ready()
        for place in range(first, end):
            moment, server = moments[place], there[place] is answered
            if moment - tracker.now_ns > NEAR_NS:
                return None
            if ready and plain[place] and past.over(server, told[place], place):
                tracker.now_ns = moment
                continue
            if along is not None and along.due <= place - begin:
                along.up_to(connection, place - begin)
            tracker.tick(moment)
            changes = past.partly(server, place)
            if changes is not None:
                tracker.moved(connection, changes)
                ready = past.ready()
                continue
            segment = past.segment(server, place)
            taken += 1
            if len(opened) > 1 or int(segment.flags) & SYN:
                owner = tracker.followed.of(segment, Moment.SEEN)
                if owner is not connection:
                    if along is not None or any(owner is one for _, one in opened):
                        return None
                    past.close()
                    connection, past = owner, Past(owner, rows)
                    opened.append((rows.rows[place], owner))
                    answered = there[place] is (segment.src == owner.server.endpoint)
            tracker.take(connection, segment)
            if connection.former is not None and routing.decided(connection):
                routing.replace(connection, segment.time_ns)
            ready = past.took(segment, place)
        past.close()
        if along is not None and not along.close(connection, end - begin):
            return None
        if near is not None and (
            len(opened) > 1 or not _taken_over(tracker, connection, near.heir, clock)
        ):
            return None
        clock.lead(tracker, tracker.now_ns, clock.end)
        self.segments += taken
        return opened
