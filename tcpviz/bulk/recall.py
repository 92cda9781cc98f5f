"""What the core remembers of single segments, told from the columns when it is asked for.

Of the latest segments the core keeps fingerprints, what is not acknowledged and how the data
began. Where most segments of a connection are left out, these know which ones would be there,
and read them again for the few segments that want to know.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.inorder import RECENT, Stretch
from tcpviz.core import seq as seqno
from tcpviz.core.contents import HEAD, KEPT, Contents
from tcpviz.core.segment import Segment
from tcpviz.core.sendlog import MAX_UNACKED, Acked, SendLog, Sent
from tcpviz.core.twice import TwiceSeen

Array = NDArray[Any]


class Reader:
    """Which segment of the connection comes now (``place``), and how to read one again.

    ``base`` is where the stretch begins that is gone through.
    """

    __slots__ = ("base", "place", "read", "seq_and_length")

    def __init__(
        self,
        read: Callable[[int], Segment],
        seq_and_length: Callable[[int], tuple[int, int]],
    ) -> None:
        self.place = self.base = 0
        self.read = read
        self.seq_and_length = seq_and_length


class RecentPlaces(TwiceSeen):
    """The latest packets by their places; fingerprints only where one could be a copy.

    ``sure``: the next segment is like none of those that went right before it.
    """

    __slots__ = ("_places", "_reader", "sure")

    def __init__(self, known: TwiceSeen, reader: Reader) -> None:
        super().__init__()
        self.take(known)
        # Behind those of which the fingerprints are there.
        self._places: deque[int] = deque(maxlen=RECENT)
        self._reader = reader
        self.sure = False

    def original(self, segment: Segment) -> int | None:
        if self.sure:
            self._places.append(self._reader.place)
            return None
        self.settle()
        return super().original(segment)

    def pass_over(self, begin: int, end: int) -> None:
        """These were left out; none is a copy, and none makes identifications meaningless."""
        self._places.extend(range(max(begin, end - RECENT), end))

    def settle(self) -> None:
        """Have the fingerprints of all."""
        for place in self._places:
            self.remember(self._reader.read(place))
        self._places.clear()


class PlacesOfData(Contents):
    """The latest data by its places; what it was only where numbers come again."""

    __slots__ = ("_older", "_places", "_reader")

    def __init__(self, known: Contents | None, reader: Reader) -> None:
        super().__init__()
        self._older = Contents() if known is None else known
        self._places: deque[int] = deque(maxlen=KEPT)
        self._reader = reader

    def add(self, segment: Segment) -> None:
        if segment.payload and len(segment.payload) >= segment.payload_len:
            self._places.append(self._reader.place)

    def pass_over(self, places: Array) -> None:
        """These were left out, all of their data captured."""
        self._places.extend(places[-KEPT:].tolist())

    def differs(self, segment: Segment) -> bool:
        here = self._older.latest(KEPT - len(self._places))
        size = len(segment.payload)
        for place in self._places:
            seq, _ = self._reader.seq_and_length(place)
            if -HEAD < seqno.diff(seq, segment.seq) < size:
                here.add(self._reader.read(place))
        return here.differs(segment)


class WaitingData(SendLog):
    """Data that is not acknowledged: after what was kept one by one, that of a stretch."""

    __slots__ = ("_part",)

    def __init__(self, known: SendLog) -> None:
        super().__init__()
        self.take(known)
        self._part: tuple[Stretch, int, int, int, int] | None = None

    def pass_over(self, stretch: Stretch, side: int, begin: int, end: int, ack: int) -> None:
        """Of this end's data in a stretch those from ``begin`` to ``end`` were left out.

        ``ack`` is what the other end has acknowledged by then; numbers as the stretch's.
        """
        raw = stretch.raw(side, ack)
        part, self._part = self._part, None
        if part is not None:
            before, _, _, stop, _ = part
            last = int(before.data[side][stop - 1])
            done = (int(before.seq[last]) + int(before.length[last])) & 0xFFFFFFFF
            if seqno.gt(done, raw):
                self._part = part
                self.settle()
        if len(self._unacked) + end - begin >= MAX_UNACKED:
            begin = self._fill_up(stretch, side, begin, end)
        self.acknowledge(raw, 0)
        places = stretch.data[side][begin:end]
        first = begin + int(np.searchsorted(stretch.end[places], ack, "right"))
        if end > begin:
            last = int(places[-1])
            self.high = (int(stretch.seq[last]) + int(stretch.length[last])) & 0xFFFFFFFF
        if first < end:
            self._part = stretch, side, first, end, raw

    def _fill_up(self, stretch: Stretch, side: int, begin: int, end: int) -> int:
        """Forget the oldest wherever there would be too many; the first place that stays."""
        places = stretch.data[side][begin:end]
        ends, heard = stretch.end[places], stretch.heard[places]
        waiting = np.arange(end - begin) - np.searchsorted(ends, heard, "right")
        if len(self._unacked) + int(waiting.max()) < MAX_UNACKED:
            return begin
        first, known, done = 0, None, ends.tolist()
        for place, said in enumerate(heard.tolist()):
            if said != known:
                known = said
                if self._unacked:
                    super().acknowledge(stretch.raw(side, said), 0)
                while first < place and done[first] <= said:
                    first += 1
            if len(self._unacked) + place - first >= MAX_UNACKED:
                old = min(len(self._unacked), MAX_UNACKED // 4)
                del self._unacked[:old]
                first += MAX_UNACKED // 4 - old
        return begin + first

    def settle(self) -> None:
        """Have them all one by one."""
        if self._part is None:
            return
        stretch, side, begin, end, raw = self._part
        self._part = None
        places = stretch.data[side][begin:end]
        frames = stretch.frames(places)
        rows = zip(
            stretch.seq[places].tolist(), stretch.length[places].tolist(), frames.tolist(),
            stretch.time[places].tolist(), strict=True,
        )  # fmt: skip
        made = [
            Sent(seq, (seq + length) & 0xFFFFFFFF, frame, when) for seq, length, frame, when in rows
        ]
        if seqno.lt(made[0].seq, raw):
            made[0].seq = raw
        self._unacked += made

    def add(self, seq: int, end: int, frame: int, time_ns: int) -> None:
        self.settle()
        super().add(seq, end, frame, time_ns)

    def acknowledge(self, ack: int, time_ns: int) -> Acked | None:
        self.settle()
        return super().acknowledge(ack, time_ns)

    def in_flight(self) -> int:
        self.settle()
        return super().in_flight()

    def covers(self, seq: int, end: int) -> bool:
        self.settle()
        return super().covers(seq, end)

    def original(self, seq: int) -> Sent | None:
        self.settle()
        return super().original(seq)
