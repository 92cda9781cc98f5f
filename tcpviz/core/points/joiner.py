"""Two captures become one story: each segment leaves at one point and arrives at the other.

Records of both points go in, each by its own clock; records by the first point's clock come
out, in order. Nothing is told before it is decided, so a segment waits until its mate would
have come (whoever calls knows how far both captures are, and says it). What waits is
bounded: where more comes than may wait, it is decided earlier, and counted.

Where both points saw a segment it is SENT and ARRIVED. Where one did, what the rest of the
traffic proves counts: it is LOST only if the other capture ran then and nothing there
acknowledged it; else that capture has missed it. See :class:`tcpviz.core.passages.Doubt`.
"""

from __future__ import annotations

import dataclasses
import heapq
from collections import deque
from collections.abc import Iterator

from tcpviz.core.points import matching
from tcpviz.core.points.changes import translation
from tcpviz.core.points.clock import PairClock
from tcpviz.core.points.fates import Fates
from tcpviz.core.points.ledger import Ledger
from tcpviz.core.points.meeting import Meeting
from tcpviz.core.points.orientation import Orientation
from tcpviz.core.points.sightings import Pair, Sighting, Way
from tcpviz.core.records import Gap, Moment, Record, SegmentRecord

MOST = 100_000
"""Records that wait to be decided (about 1 kB each)."""

_GAPS = 1000
_GAP_ROOM_NS = 1_000_000_000
"""So long before and after a gap in a capture nothing is said to be missing from the traffic."""


class Joiner:
    """Takes both captures' records and gives one story's.

    ``clock``   what is known of the clocks beforehand; else it is learned on the way
    ``names``   what the points are called in findings
    ``learn``   go on learning the clocks
    """

    def __init__(
        self,
        names: tuple[str, str] = ("first", "second"),
        *,
        clock: PairClock | None = None,
        orientation: Orientation | None = None,
        most: int = MOST,
    ) -> None:
        self.names = names
        self.ledger = Ledger()
        self.learn = clock is None
        self.clock = clock or PairClock()
        self.most = most
        self.orientation = orientation or Orientation(self.clock)
        self._meeting = Meeting()
        self._queues: tuple[deque[Sighting | Record], ...] = (deque(), deque())
        self._gaps: tuple[deque[int], ...] = (deque(maxlen=_GAPS), deque(maxlen=_GAPS))
        self._first: list[int | None] = [None, None]
        self._last: list[int | None] = [None, None]
        self._told: list[tuple[int, int, Record, Way | None, int]] = []
        self._fates = Fates(self)
        self._serial = 0
        self._now_ns = 0

    # -- what goes in -------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Records that are not decided yet."""
        return sum(map(len, self._queues))

    def span(self, point: int) -> tuple[int | None, int | None]:
        """The first and the last moment of a point's records, by its own clock."""
        return self._first[point], self._last[point]

    def ran(self, point: int, span: tuple[int, int]) -> None:
        """Between these moments, by its own clock, this point's capture ran."""
        self._first[point], self._last[point] = span

    def take(self, point: int, record: Record) -> None:
        """A record of one point, by its clock."""
        time_ns = record.time_ns
        first, last = self._first[point], self._last[point]
        self._first[point] = time_ns if first is None else min(first, time_ns)
        self._last[point] = time_ns if last is None else max(last, time_ns)
        if not isinstance(record, SegmentRecord) or record.moment is not Moment.SEEN:
            if isinstance(record, Gap):
                self._gaps[point].append(time_ns)
            self._queues[point].append(record)
            return
        segment = record.segment
        flow, way = self._meeting.flow(point, segment)
        flow.ways |= 1 << way
        one = Sighting(point, time_ns, segment, flow, way)
        self._queues[point].append(one)
        pair = flow.pair
        if pair is not None and pair.rewritten and segment.syn and not segment.has_ack:
            # Another connection on these ports: its first numbers are written anew otherwise.
            known = pair.ways[pair.way(one)].free[1 - point]
            if (
                pair.key(one) not in known
                and pair.key(one) not in pair.ways[pair.way(one)].delivered
            ):
                self._meeting.anew(pair)
                pair = None
        if pair is None:
            flow.waiting.append(one)
            pair = self._meeting.take(one)
            if pair is not None:
                self._met(pair)
            return
        self._match(pair, one)

    def _met(self, pair: Pair) -> None:
        self.ledger.pairs += 1
        said = translation(pair, self.names)
        if said is not None:
            self.ledger.remark(said)
        if pair.rewritten:
            self.ledger.remark("sequence numbers are written anew on the way")
        waiting = [one for flow in pair.flows for one in flow.waiting if not one.settled]
        for flow in pair.flows:
            flow.waiting.clear()
        for one in waiting:
            self._match(pair, one)

    def _match(self, pair: Pair, one: Sighting) -> None:
        matching.note(pair, one)
        mate = matching.match(pair, one, self.delay)
        if mate is not None and one.sure:
            self.orientation.learn(pair, *((one, mate) if one.point == 0 else (mate, one)))

    # -- time ---------------------------------------------------------------

    def moment(self, point: int, time_ns: int) -> int:
        """What the first clock showed when this point's showed ``time_ns``."""
        return time_ns if point == 0 else self.clock.first_clock(time_ns)

    def common(self, one: Sighting) -> int:
        """When it was seen, by the first clock."""
        return one.time_ns if one.point == 0 else self.clock.first_clock(one.time_ns)

    def delay(self, left: Sighting, arrived: Sighting) -> int | None:
        """From leaving to arriving, as far as the clocks are known."""
        if not self.clock.known:
            return None
        return self.common(arrived) - self.common(left)

    def reached(self, point: int) -> int | None:
        """How far this capture has come, by the first clock."""
        last = self._last[point]
        return None if last is None else self.moment(point, last)

    def covers(self, point: int, first_ns: int, last_ns: int) -> bool:
        """Whether this point's capture ran all the time between, and lost nothing around it."""
        began, ended = self._first[point], self._last[point]
        if began is None or ended is None:
            return False
        if point == 1:
            first_ns += round(self.clock.at(first_ns).ahead)
            last_ns += round(self.clock.at(last_ns).ahead)
        if not began <= first_ns <= last_ns <= ended:
            return False
        low, high = first_ns - _GAP_ROOM_NS, last_ns + _GAP_ROOM_NS
        return not any(low < gap < high for gap in self._gaps[point])

    # -- what comes out -----------------------------------------------------

    def release(self, until_ns: int | None, too_many: int = 0) -> list[Record]:
        """Decide everything up to a moment by the first clock (``None``: to the end).

        ``too_many`` that wait are decided whenever they were. The records that are decided, in
        order; none is told later than one that it follows.
        """
        if self.learn:
            self.clock.settle()
        for each in self._ordered(until_ns, too_many):
            self._fates.decide(each)
            if too_many:
                until_ns = max(until_ns or 0, self.common(each))
        made: list[Record] = []
        while self._told and (until_ns is None or self._told[0][0] <= until_ns):
            time_ns, _, record, way, index = heapq.heappop(self._told)
            time_ns = max(time_ns, self._now_ns)
            self._now_ns = time_ns
            if record.time_ns != time_ns:
                record = _moved(record, time_ns)
            if way is not None:
                if index < way.latest:
                    self._fates.reordered(way)
                way.latest = max(way.latest, index)
            made.append(record)
        return made

    def hurry(self) -> list[Record]:
        """More waits than may: the older half is decided now."""
        if self.waiting <= self.most:
            return []
        self.ledger.hurried += 1
        return self.release(-(1 << 62), too_many=self.waiting - self.most // 2)

    def _ordered(self, until_ns: int | None, too_many: int) -> Iterator[Sighting]:
        """What waits up to then, of both points, in order; other records are told as they are."""
        heads = [self._head(point) for point in (0, 1)]
        while True:
            ready = [(when, point) for point, when in enumerate(heads) if when is not None]
            if not ready:
                return
            when, point = min(ready)
            if until_ns is not None and when > until_ns and too_many <= 0:
                return
            too_many -= 1
            one = self._queues[point].popleft()
            heads[point] = self._head(point)
            if isinstance(one, Sighting):
                if one.flow.waiting and one.flow.waiting[0] is one:
                    one.flow.waiting.popleft()
                yield one
            else:
                self.tell(when, one)

    def _head(self, point: int) -> int | None:
        queue = self._queues[point]
        return self.moment(point, queue[0].time_ns) if queue else None

    def tell(self, time_ns: int, record: Record, way: Way | None = None, index: int = 0) -> None:
        """To be told at that moment; ``index``: the order in which it left, on its way."""
        self._serial += 1
        heapq.heappush(self._told, (time_ns, self._serial, record, way, index))


def _moved(record: Record, time_ns: int) -> Record:
    """The record at another moment."""
    moved: Record = dataclasses.replace(record, time_ns=time_ns)  # type: ignore[arg-type]
    return moved
