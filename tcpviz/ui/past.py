"""Past: connections as they were at an earlier step, by the tracker's own rules.

The list is a view of the same moment as the diagram and the chart. A
:class:`~tcpviz.core.connection.Connection` only knows its present; so for a
cursor in the past its segments up to there are given to a fresh tracker.
"""

from __future__ import annotations

from tcpviz.core.connection import Connection
from tcpviz.core.records import Moment, SegmentRecord
from tcpviz.core.timeline import StepKind, Timeline
from tcpviz.core.tracker import Tracker

MOST_STEPS = 2_000
"""A connection with more steps than this is shown as it is now: going back must stay quick."""

MOST_CONNECTIONS = 200
"""How many connections' pasts are remembered."""

_MOMENTS = {
    StepKind.SEGMENT: Moment.SEEN,
    StepKind.SENT: Moment.SENT,
    StepKind.ARRIVED: Moment.ARRIVED,
    StepKind.LOST: Moment.LOST,
}


class Past:
    """Answers how a connection was right after a step of ``timeline``."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._known: dict[int, tuple[int, Tracker]] = {}

    def of(self, connection: Connection, index: int) -> Connection:
        """``connection`` as it was after step ``index``.

        The very same one where nothing of it came later, where its beginning is
        forgotten, or where it has more than :data:`MOST_STEPS` steps.
        """
        timeline = self._timeline
        now = timeline.at(index, connection.id)
        last = timeline.at(len(timeline) - 1, connection.id)
        if now is None or now is last or timeline.dropped:
            return connection
        read, tracker = self._known.get(connection.id, (-1, Tracker(keep=False)))
        if read > index:
            read, tracker = -1, Tracker(keep=False)
        fresh = timeline.since(read, connection.id)
        if len(fresh) > MOST_STEPS:
            return connection
        for at in fresh:
            if at > index:
                break
            step = timeline[at]
            moment = _MOMENTS.get(step.kind)
            if step.connection == connection.id and step.segment and moment:
                tracker.feed(SegmentRecord(step.time_ns, step.segment, moment))
        self._remember(connection.id, now.index, tracker)
        past = next(iter(tracker.connections.values()), None)
        if past is None:
            return connection
        # Calls and the kernel have moved ends too: the step knows how they stood.
        past.id = connection.id
        past.crowd = connection.crowd
        past.client.claim, past.server.claim = now.client, now.server
        return past

    def _remember(self, ident: int, read: int, tracker: Tracker) -> None:
        self._known[ident] = (read, tracker)
        while len(self._known) > MOST_CONNECTIONS:
            del self._known[next(iter(self._known))]
