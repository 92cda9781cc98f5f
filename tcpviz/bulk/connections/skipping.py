"""A long flow followed by the core, without the segments of which the columns can tell it all.

The core takes each segment that is not plain (:mod:`tcpviz.bulk.long.inorder`), and is carried over
those between (:mod:`tcpviz.bulk.long.onward`). The last segment is always taken.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.brief.singles import SHORT, Singles
from tcpviz.bulk.connections.beside import Along
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.long.halves import ready
from tcpviz.bulk.long.inorder import RECENT, Stretch
from tcpviz.bulk.long.onward import Onward
from tcpviz.bulk.long.recall import Reader
from tcpviz.bulk.segments.reading import Reading
from tcpviz.core.connection import Connection
from tcpviz.core.records import Gap, Moment, SegmentRecord, Unreachable
from tcpviz.core.segment import ACK, FIN, RST, SYN, Segment
from tcpviz.core.tracker import Tracker
from tcpviz.wire.decoder import Decoder

Array = NDArray[Any]


STRETCH = 1 << 15
"""Segments whose columns are made at a time."""

_WARM = 8
"""Segments that the core takes before columns are made, again; doubled each time in vain."""

_MOST_WARM = 1 << 10

_FEW = 24
"""Segments that are not worth columns, where something else is told behind them."""

_NEAR = 2 * RECENT
"""So far back lie the packets among which a copy is looked for, where there are none."""


class Skipping:
    """Follows a flow: its ``rows``, in order. ``segments`` counts those that the core took.

    ``told``    where packets were lost, and ICMP errors, each with the row before which it was
    ``scopes``  VLANs and tunnels in which an error looks for its connection
    ``tracker``  the core that follows; it makes steps of what it takes if it keeps them
    ``along``   copies of its packets, which are not among the rows
    """

    def __init__(
        self,
        reading: Reading,
        clock: Clock,
        rows: Array,
        told: Sequence[tuple[int, Gap | Unreachable]] = (),
        scopes: Iterable[tuple[str, ...]] = (),
        tracker: Tracker | None = None,
        along: Along | None = None,
    ) -> None:
        self._reading, self._clock, self._rows = reading, clock, rows
        self._decoder = Decoder(verify=True)
        self._array = reading.columns.array
        self._tracker = Tracker(keep=False) if tracker is None else tracker
        self._reader = Reader(self._read, self._seq_and_length)
        self._before = 0
        self._went_on: dict[int, Connection] = {}  # of which the tracker was not told
        self._up: dict[int, bool] = {}
        self._most = sys.maxsize
        self._along = along
        flags = self._array["flags"][rows]
        # Another connection may begin there, for which the columns of this one would not hold.
        self._openings: list[int] = np.flatnonzero(flags & (SYN | ACK) == SYN).tolist()
        self.opened: list[tuple[int, Connection]] = []
        self.segments = 0
        self._tracker.followed.scopes |= dict.fromkeys(scopes)
        places = np.searchsorted(rows, np.array([row for row, _ in told], rows.dtype)).tolist()
        self._told = deque(zip(places, (each for _, each in told), strict=True))

    def follow(self) -> list[tuple[int, Connection]]:
        """Its connections, each with the row of its first segment.

        None where there are copies besides those that go ``along``.
        """
        count = len(self._rows)
        self.lead(count)
        self._tell(count)
        if self._along is not None and not self._along.close(self.opened[-1][1], count):
            return []
        self._clock.lead(self._tracker, self._before, self._clock.end)
        return self.opened

    def lead(self, upto: int, most: int = sys.maxsize) -> bool:
        """Follow it up to a place, once; false where the core had to take more than ``most``."""
        count, place, warm = len(self._rows), 0, _WARM
        self._most = most
        while place < upto:
            if self.segments >= most:
                return False
            until = min(self._tell(place), upto)
            behind = bisect_right(self._openings, place)
            if behind < len(self._openings):
                until = min(until, self._openings[behind])
            if behind and self._openings[behind - 1] == place:
                warm = _WARM
            end = min(place + warm, until)
            if until - end < _FEW:
                end = until
            while place < end:
                self._take(place)
                place += 1
            connection = self.opened[-1][1]
            if place >= min(count - 2, until) or not ready(connection):
                warm = min(2 * warm, _MOST_WARM)
                continue
            begun, taken = place, self.segments
            place = self._through(connection, place, min(place + STRETCH, until))
            fruitless = self.segments - taken > (place - begun) // 2
            warm = min(2 * warm, _MOST_WARM) if fruitless else 1 if place - begun > _WARM else _WARM
        return True

    def take(self, place: int) -> None:
        """The core takes the segment behind what it was led to, and makes its step."""
        self._tell(place)
        self._take(place)

    def _tell(self, place: int) -> int:
        """Tell the core what was before a segment besides segments; where next something is."""
        told, tracker = self._told, self._tracker
        while told and told[0][0] <= place:
            record = told.popleft()[1]
            for stop in self._clock.stops(self._before, record.time_ns):
                tracker.tick(stop)
            # It was not told of all that was sent since the gap before.
            tracker.followed.touched |= self._went_on
            self._went_on.clear()
            tracker.feed(record)
            self._before = max(self._before, record.time_ns)
        return told[0][0] if told else len(self._rows)

    def _through(self, connection: Connection, begin: int, end: int) -> int:
        """Go through a stretch as long as its columns hold; where it came to."""
        onward = Onward(connection, self._reader)
        rows = self._rows[begin:end]
        up = self._up[connection.id]
        stretch = onward.stretch(self._reading.columns, rows, up, self._idents(begin, up))
        shape = onward.shape
        self._reader.base = begin
        alike = _alike(stretch, meaningless=onward.twice.meaningless)
        gone = np.zeros(stretch.count, np.bool_)
        singles = Singles(onward, self._reader, self._reading.columns, stretch)
        stops = [*stretch.stops.tolist(), stretch.count]
        last = len(self._rows) - 1 - begin
        alone = None if connection.older else connection
        at, next_stop, wary = 0, 0, 0
        while at < stretch.count:
            while stops[next_stop] < at:
                next_stop += 1
            stop = min(stops[next_stop], last)
            if self._along is not None and self._along.due <= begin + at:
                self._along.up_to(connection, begin + at)
            single = wary <= 0 and _NEAR <= at < last and at not in alike
            short = stop - at <= SHORT
            if single and short and singles.past(at):
                at += 1
                continue
            if stop - at >= 2 and wary <= 0:
                singles.leave()
                to = onward.over(stretch, at, stop, begin)
                if to > at:
                    gone[at:to] = True
                    self._went_on[connection.id] = connection
                    at = to
                    continue
            if single and not short and singles.past(at):
                at += 1
                continue
            singles.leave()
            onward.settle()
            copies, count = onward.twice.copies, _taken(connection)
            onward.twice.sure = wary <= 0 and at >= _NEAR and at not in alike
            usual = self._take(begin + at, alone)
            at += 1
            # Behind one that was another's, its latest packets may lie further back, too.
            other = _taken(connection) == count
            wary = _NEAR if onward.twice.copies > copies or other else wary - 1
            if self.segments >= self._most:
                break
            if usual and onward.stands:
                continue
            known = self.opened[-1][1]
            if known is not connection or not ready(connection) or onward.shape != shape:
                break
            onward.stand()
        singles.leave()
        onward.settle()
        onward.twice.sure = False
        onward.add(stretch, gone)
        if len(singles.gone):
            onward.add_headers(stretch, singles.gone)
            self._went_on[connection.id] = connection
        return begin + at

    # -- one by one ---------------------------------------------------------

    def _take(self, place: int, connection: Connection | None = None) -> bool:
        """The core takes a segment, as if it had taken all before it.

        ``connection``: the latest, whose it is unless it opens or closes one. Whether it was.
        """
        row = int(self._rows[place])
        if self._along is not None and self._along.due <= place:
            self._along.up_to(self.opened[-1][1], place)
        clock, tracker = self._clock, self._tracker
        moment = int(clock.now[row])
        clock.lead(tracker, self._before, moment)
        self._before = moment
        self._reader.place = place
        segment = self._reading.segment(row, self._decoder)
        self.segments += 1
        if connection is not None and int(segment.flags) & (SYN | FIN | RST | ACK) == ACK:
            tracker.take(connection, segment)
            self._went_on[connection.id] = connection
            return True
        known = len(tracker.connections)
        tracker.feed(SegmentRecord(segment.time_ns, segment, Moment.SEEN))
        if len(tracker.connections) > known:
            connection = next(reversed(tracker.connections.values()))
            self.opened.append((row, connection))
            if self._along is not None:
                self._along.turned = segment.src == connection.server.endpoint
            up = self._goes_up(place)
            self._up[connection.id] = up == (segment.src == connection.client.endpoint)
        return False

    def _read(self, place: int) -> Segment:
        return self._reading.segment(int(self._rows[place]), self._decoder)

    def _seq_and_length(self, place: int) -> tuple[int, int]:
        row = self._rows[place]
        return int(self._array["seq"][row]), int(self._array["length"][row])

    def _goes_up(self, place: int) -> bool:
        """Whether it goes from the greater address to the less, as the columns number them."""
        array, row = self._array, self._rows[place]
        one, other = array["src"][row], array["dst"][row]
        if one == other:
            one, other = array["sport"][row], array["dport"][row]
        return bool(one > other)

    def _idents(self, place: int, up: bool) -> list[list[tuple[int, int]]]:
        """Both ends' latest identifications, and how far before a place they are; in order."""
        found: list[list[tuple[int, int]]] = [[], []]
        for before in range(max(place - _NEAR, 0), place):
            ident = int(self._array["ident"][self._rows[before]])
            found[self._goes_up(before) != up].append((ident, place - before))
        return found


def _taken(connection: Connection) -> int:
    return connection.client.segments + connection.server.segments


def _alike(stretch: Stretch, *, meaningless: bool) -> set[int]:
    """Which of those that are not plain may be like a packet right before them."""
    stops = stretch.stops[stretch.stops >= _NEAR]
    names, side = stretch.ident, stretch.side
    found = np.zeros(len(stops), np.bool_)
    for back in range(1, _NEAR + 1):
        earlier = stops - back
        same = (names[earlier] == names[stops]) & (side[earlier] == side[stops])
        which = np.flatnonzero(same & ~found)
        if not len(which):
            continue
        one, other = stops[which], earlier[which]
        copy = np.ones(len(which), np.bool_)
        for what in (stretch.seq, stretch.ack, stretch.flags, stretch.window, stretch.length):
            copy &= what[one] == what[other]
        if not meaningless:
            copy |= names[one] != 0
        found[which] = copy
    syns = (stretch.flags[stops] & 2) != 0
    return set(stops[found | syns].tolist())
