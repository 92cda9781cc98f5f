"""What the core remembers of single segments, told from the columns when it is asked for.

Of the latest segments the core keeps fingerprints, what is not acknowledged and how the data
began. Where most segments of a connection are left out, these know which ones would be there,
and read them again for the few segments that want to know.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.long.inorder import RECENT, Stretch
from tcpviz.core import seq as seqno
from tcpviz.core.contents import HEAD, KEPT, Contents
from tcpviz.core.segment import Segment
from tcpviz.core.sendlog import MAX_UNACKED, Acked, SendLog, Sent
from tcpviz.core.twice import TwiceSeen

Array = NDArray[Any]

_PARTS = 8
"""More parts than these are taken apart."""

T = TypeVar("T")
Elsewhere = tuple[Callable[[T], T], tuple[T]]
"""How pickle makes one of these again where there are no columns: as what it knows by itself."""


def _itself(known: T) -> T:
    return known


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

    def __reduce__(self) -> Elsewhere[TwiceSeen]:
        self.settle()
        made = TwiceSeen()
        made.take(self)
        return _itself, (made,)


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

    def add_place(self, place: int) -> None:
        """That there had all been captured."""
        self._places.append(place)

    def near(self, seq: int, length: int) -> bool:
        """Whether it may hold anything that data of these numbers has to be compared with."""
        if len(self._places) < KEPT and not self._older.is_empty:
            return True
        told, first, size = self._reader.seq_and_length, seq - HEAD + 1, length + HEAD - 1
        return any((told(place)[0] - first) & seqno.MASK < size for place in self._places)

    def differs(self, segment: Segment) -> bool:
        here = self._older.latest(KEPT - len(self._places))
        first, size = segment.seq - HEAD + 1, len(segment.payload) + HEAD - 1
        for place in self._places:
            seq, _ = self._reader.seq_and_length(place)
            if (seq - first) & seqno.MASK < size:
                here.add(self._reader.read(place))
        return here.differs(segment)

    def __reduce__(self) -> Elsewhere[Contents]:
        made = self._older.latest(KEPT - len(self._places))
        for place in self._places:
            made.add(self._reader.read(place))
        return _itself, (made,)


class _Part:
    """Data of one end that was left out together, in order: ``lo`` and ``hi`` of the stretch's."""

    __slots__ = ("_stretch", "ends", "hi", "lo", "side")

    def __init__(self, stretch: Stretch, side: int, lo: int, hi: int) -> None:
        self._stretch, self.side, self.lo, self.hi = stretch, side, lo, hi
        self.ends = stretch.data_ends[side]

    def __len__(self) -> int:
        return self.hi - self.lo

    def goes_on(self, stretch: Stretch, begin: int) -> bool:
        """Whether it goes on with these of the stretch's data."""
        return self._stretch is stretch and self.hi == begin

    def place(self, number: int) -> int:
        """A number as it is counted here."""
        last = int(self.ends[self.hi - 1])
        return last + seqno.diff(number, self._stretch.raw(self.side, last))

    def seq(self, at: int) -> int:
        place = self._stretch.data[self.side][at]
        return int(self._stretch.seq[place])

    def end(self, at: int) -> int:
        return self._stretch.raw(self.side, int(self.ends[at]))

    def sent(self, at: int) -> Sent:
        """One of them by itself."""
        stretch, place = self._stretch, int(self._stretch.data[self.side][at])
        when = int(stretch.time[place])
        return Sent(int(stretch.seq[place]), self.end(at), stretch.frame(place), when)

    def all(self) -> list[Sent]:
        """Each of them by itself."""
        stretch = self._stretch
        places = stretch.data[self.side][self.lo : self.hi]
        rows = zip(
            stretch.seq[places].tolist(), stretch.length[places].tolist(),
            stretch.frames(places).tolist(), stretch.time[places].tolist(), strict=True,
        )  # fmt: skip
        return [
            Sent(seq, (seq + length) & 0xFFFFFFFF, frame, when) for seq, length, frame, when in rows
        ]

    def holding(self, seq: int) -> int | None:
        """Which of them has this number."""
        number = self.place(seq)
        at = self.lo + int(self.ends[self.lo : self.hi].searchsorted(number, "right"))
        if at < self.hi and number >= int(self.ends[at]) - self.size(at):
            return at
        return None

    def size(self, at: int) -> int:
        return int(self._stretch.length[self._stretch.data[self.side][at]])

    def acknowledge(self, ack: int) -> int | None:
        """Forget what it covers; which of them ended just there."""
        number, begun = self.place(ack), self.lo
        self.lo += int(self.ends[self.lo : self.hi].searchsorted(number, "right"))
        if self.lo > begun and int(self.ends[self.lo - 1]) == number:
            return self.lo - 1
        return None


class WaitingData(SendLog):
    """Data that is not acknowledged: what the core took one by one, and parts that it did not.

    Both are in order; together they are what one list would have, with a part's before what
    has the same number.
    """

    __slots__ = ("_acked", "_parts")

    def __init__(self, known: SendLog) -> None:
        super().__init__()
        self.take(known)
        self._parts: list[_Part] = []
        self._acked = 0

    def pass_over(self, stretch: Stretch, side: int, begin: int, end: int, ack: int) -> None:
        """Of this end's data in a stretch those from ``begin`` to ``end`` were left out.

        ``ack`` is what the other end has acknowledged by then; numbers as the stretch's.
        """
        if len(self) + end - begin >= MAX_UNACKED:
            begin = self._fill_up(stretch, side, begin, end)
        if end > begin:
            if self._parts and self._parts[-1].goes_on(stretch, begin):
                self._parts[-1].hi = end
            else:
                part = _Part(stretch, side, begin, end)
                if not self._parts:
                    self._acked = part.seq(begin)
                self._parts.append(part)
            self.high = self._parts[-1].end(end - 1)
        self.acknowledge(stretch.raw(side, ack), 0)
        if len(self._parts) > _PARTS:
            self.settle()

    def behind(self, ack: int) -> bool:
        """Whether anything waits that begins before this."""
        return bool(self._unacked) and seqno.lt(self._unacked[0].seq, ack)

    def _fill_up(self, stretch: Stretch, side: int, begin: int, end: int) -> int:
        """Forget the oldest wherever there would be too many; the first place that stays."""
        ends = stretch.data_ends[side][begin:end]
        heard = stretch.heard[stretch.data[side][begin:end]]
        waiting = np.arange(end - begin) - ends.searchsorted(heard, "right")
        if len(self) + int(waiting.max(initial=0)) < MAX_UNACKED:
            return begin
        self.settle()
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

    def __len__(self) -> int:
        return len(self._unacked) + sum(map(len, self._parts))

    def settle(self) -> None:
        """Have them all one by one."""
        made = [sent for part in self._parts for sent in part.all()]
        self._parts.clear()
        if not made:
            return
        if seqno.lt(made[0].seq, self._acked):
            made[0].seq = self._acked
        begin = made[0].seq
        self._unacked = sorted(
            made + self._unacked, key=lambda one: seqno.diff(one.seq, begin)
        )  # stable: a part's come first

    def add(self, seq: int, end: int, frame: int, time_ns: int) -> None:
        if self._parts and (len(self) >= MAX_UNACKED or not self._beside(seq, end)):
            self.settle()
        high = self.high
        super().add(seq, end, frame, time_ns)
        if self._parts:
            self.high = seqno.later(high, end)

    def _beside(self, seq: int, end: int) -> bool:
        """Behind all parts, before them, or one of theirs or its beginning once more."""
        first, last = self._parts[0], self._parts[-1]
        if seqno.ge(seq, last.end(last.hi - 1)) or seqno.le(end, first.seq(first.lo)):
            return True
        if seqno.lt(seq, self._begin()):
            return False
        for part in self._parts:
            at = part.holding(seq)
            if at is not None:
                return part.seq(at) == seq and seqno.le(end, part.end(at))
        return False

    def acknowledge(self, ack: int, time_ns: int) -> Acked | None:
        found = super().acknowledge(ack, time_ns)
        if not self._parts:
            return found
        self._acked = seqno.later(ack, self._acked)
        for part in self._parts:
            at = part.acknowledge(ack)
            if at is None:
                continue
            sent = part.sent(at)
            if found is not None and found.frame < sent.frame:
                found = Acked(found.frame, found.rtt_ns, True)
            else:
                found = Acked(sent.frame, time_ns - sent.time_ns, found is not None)
        self._parts = [part for part in self._parts if len(part)]
        return found

    def _begin(self) -> int:
        """The first number in the first part."""
        part = self._parts[0]
        return seqno.later(part.seq(part.lo), self._acked)

    def in_flight(self) -> int:
        if not self._parts:
            return super().in_flight()
        first = self._begin()
        if self._unacked and seqno.lt(self._unacked[0].seq, first):
            first = self._unacked[0].seq
        return max(0, seqno.diff(self.high, first))

    def covers(self, seq: int, end: int) -> bool:
        for part in self._parts:
            at = part.holding(seq)
            if at is not None and seqno.ge(seq, self._begin()):
                if seqno.ge(part.end(at), end):
                    return True
                break
        return super().covers(seq, end)

    def original(self, seq: int) -> Sent | None:
        found = None
        if self._parts and seqno.ge(seq, self._begin()):
            for part in self._parts:
                at = part.holding(seq)
                if at is not None:
                    found = part.sent(at)
                    break
        known = [one for one in self._unacked if seqno.le(one.seq, seq) and seqno.gt(one.end, seq)]
        if found is None and not known:
            known = list(self._unacked)
            found = self._parts[0].sent(self._parts[0].lo) if self._parts else None
        if found is not None:
            known.append(found)
        return min(known, key=lambda one: one.frame) if known else None

    def __reduce__(self) -> Elsewhere[SendLog]:
        self.settle()
        made = SendLog()
        made.take(self)
        return _itself, (made,)
