"""Segments as each of two capture points saw them, and the connections that they belong to.

Point 0 is the first capture, point 1 the second. Numbers and addresses are told as point 0
has them: where something on the way writes them anew, :class:`Pair` knows how to read those
of point 1.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace

from tcpviz.core import seq as seqno
from tcpviz.core.segment import Endpoint, FlowKey, Options, Segment

Key = tuple[int, int, int, int, tuple[int, int] | None]
"""What stays the same of a segment: number, acknowledgement, flags, length, timestamps."""

REMEMBERED = 512
"""Segments of one direction by which repetitions and copies are recognised."""

STRETCHES = 4096
"""Pieces of data of one direction of which it is remembered when they were seen."""

_KEPT_FLAGS = 0x3F
"""FIN to URG. Those of congestion (ECE, CWR, AE) may be wiped out on the way."""

NO_ACK = -1


@dataclass(slots=True, eq=False)
class Sighting:
    """A segment at one point.

    ``time_ns``  by that point's clock; ``way`` its direction: 0 from the lower end of its flow
    ``mate``     the same segment at the other point, where it is known
    ``sure``     there was nothing else that it could have been
    ``parts``    stretches of its data that segments of the other point have explained
    ``settled``  nothing more is to be found out
    ``told``     it, as it was told of, for copies that come later
    """

    point: int
    time_ns: int
    segment: Segment
    flow: Flow
    way: int
    mate: Sighting | None = None
    sure: bool = False
    parts: list[tuple[int, int]] = field(default_factory=list)
    settled: bool = False
    told: Segment | None = None

    def missing(self) -> list[tuple[int, int]]:
        """The stretches of its data that nothing has explained."""
        made, at = [], 0
        for first, last in sorted(self.parts):
            if first > at:
                made.append((at, first))
            at = max(at, last)
        if at < self.segment.payload_len:
            made.append((at, self.segment.payload_len))
        return made


@dataclass(slots=True, eq=False)
class Flow:
    """One connection's addresses and ports at one point; ``waiting`` until it has a pair.

    ``ways``  which directions were seen: 1, 2, or 3 for both
    """

    point: int
    key: FlowKey
    ways: int = 0
    pair: Pair | None = None
    waiting: deque[Sighting] = field(default_factory=deque)


@dataclass(slots=True, eq=False)
class Way:
    """One direction of a pair of flows.

    ``free``       by point: those without a mate, by what stays the same
    ``data``       by point: those with data and without a mate, in order
    ``delivered``  what has been decided of late, by what stays the same
    ``echoes``     by point: (time, acknowledgement, SACK) of what the *other* way has sent
                   there, wherever it says more than before
    ``sent_to``    by point: the highest number behind a segment seen there
    ``got``        by point: (time, first number, one behind the last) of data, SYN and FIN
    ``same_ids``, ``other_ids``  how often mates had the same IP identification
    ``ttl``        the usual one where it arrives; ``least_ns``, ``usual_ns``, ``spread_ns``
                   of its delays
    """

    free: tuple[dict[Key, list[Sighting]], dict[Key, list[Sighting]]] = field(
        default_factory=lambda: ({}, {})
    )
    data: tuple[deque[Sighting], deque[Sighting]] = field(
        default_factory=lambda: (deque(), deque())
    )
    delivered: OrderedDict[Key, Sighting] = field(default_factory=OrderedDict)
    echoes: tuple[deque[Echo], deque[Echo]] = field(
        default_factory=lambda: (deque(maxlen=STRETCHES), deque(maxlen=STRETCHES))
    )
    got: tuple[deque[Stretch], deque[Stretch]] = field(
        default_factory=lambda: (deque(maxlen=STRETCHES), deque(maxlen=STRETCHES))
    )
    sent_to: list[int | None] = field(default_factory=lambda: [None, None])
    same_ids: int = 0
    other_ids: int = 0
    ttl: int | None = None
    least_ns: int | None = None
    usual_ns: float = 0.0
    spread_ns: float = 0.0
    index: int = 0
    latest: int = -1

    @property
    def identified(self) -> bool:
        """The IP identification is the same at both points, and tells packets apart."""
        return self.same_ids >= 3 and self.other_ids == 0

    def note_delay(self, delay_ns: int) -> None:
        """Learn what is usual, as RFC 6298 does for round trips."""
        if self.least_ns is None:
            self.least_ns, self.usual_ns, self.spread_ns = delay_ns, delay_ns, delay_ns / 2
            return
        self.least_ns = min(self.least_ns, delay_ns)
        self.spread_ns += (abs(delay_ns - self.usual_ns) - self.spread_ns) / 4
        self.usual_ns += (delay_ns - self.usual_ns) / 8

    def remember(self, key: Key, one: Sighting) -> None:
        self.delivered[key] = one
        self.delivered.move_to_end(key)
        if len(self.delivered) > REMEMBERED:
            self.delivered.popitem(last=False)


Stretch = tuple[int, int, int]
Echo = tuple[int, int, tuple[tuple[int, int], ...]]


@dataclass(slots=True, eq=False)
class Pair:
    """A connection at both points.

    ``crossed``  way 0 at point 0 is way 1 at point 1 (other addresses have another order)
    ``shift``    by way of point 0: what point 1's numbers are ahead of point 0's
    ``stamps``   both points show the timestamps option
    ``forward``  way 0 goes from point 0 to point 1; ``None``: not known yet
    ``sample``   one of those
    ``bounds``   (way, time at point 0, time at point 1 less that) of sure mates, until
                 it is known where the ends are
    """

    flows: tuple[Flow, Flow]
    crossed: bool
    shift: tuple[int, int] = (0, 0)
    stamps: bool = True
    forward: bool | None = None
    ways: tuple[Way, Way] = field(default_factory=lambda: (Way(), Way()))
    bounds: list[tuple[int, int, int]] = field(default_factory=list)
    sample: Sighting | None = None
    told: set[str] = field(default_factory=set)

    def way(self, one: Sighting) -> int:
        """Its direction as point 0 counts it."""
        return one.way ^ (self.crossed and one.point == 1)

    def numbers(self, one: Sighting) -> tuple[int, int]:
        """Its number and acknowledgement as point 0 has them."""
        segment = one.segment
        if one.point == 0 or self.shift == (0, 0):
            return segment.seq, segment.ack
        way = self.way(one)
        return seqno.add(segment.seq, -self.shift[way]), seqno.add(
            segment.ack, -self.shift[way ^ 1]
        )

    def key(self, one: Sighting) -> Key:
        seq, ack = self.numbers(one)
        return key_of(one.segment, seq, ack, stamps=self.stamps)

    def leaves(self, one: Sighting) -> bool:
        """It was seen leaving: its sender is on this point's side."""
        to_second = (self.way(one) == 0) is (self.forward is not False)
        return to_second is (one.point == 0)

    @property
    def rewritten(self) -> bool:
        return self.shift != (0, 0)

    @property
    def translated(self) -> bool:
        """The two points know it by different addresses or ports."""
        ours, theirs = (flow.key for flow in self.flows)
        return (ours.low, ours.high) != (theirs.low, theirs.high)

    def ends(self, way: int) -> tuple[Endpoint, Endpoint]:
        """Sender and receiver of a way, as point 0 has them."""
        key = self.flows[0].key
        return (key.low, key.high) if way == 0 else (key.high, key.low)

    def as_first(self, one: Sighting) -> Segment:
        """The segment with the addresses and numbers of point 0."""
        if one.point == 0:
            return one.segment
        src, dst = self.ends(self.way(one))
        seq, ack = self.numbers(one)
        options = one.segment.options
        if options.sack and self.rewritten:
            options = _shifted(options, -self.shift[self.way(one) ^ 1])
        return replace(
            one.segment,
            src=src,
            dst=dst,
            seq=seq,
            ack=ack,
            options=options,
            scope=self.flows[0].key.scope,
        )


def key_of(segment: Segment, seq: int, ack: int, *, stamps: bool) -> Key:
    """What stays the same of a segment; ``stamps``: its timestamps too."""
    flags = int(segment.flags)
    return (
        seq,
        ack if flags & 0x10 else NO_ACK,
        flags & _KEPT_FLAGS,
        segment.payload_len,
        segment.options.timestamps if stamps else None,
    )


def _shifted(options: Options, by: int) -> Options:
    blocks = tuple((seqno.add(low, by), seqno.add(high, by)) for low, high in options.sack)
    return replace(options, sack=blocks)


def restamped(
    s: Segment, time_ns: int, frame: int, interface: int, ttl: int | None = None
) -> Segment:
    """The segment with other stamps: what dataclasses.replace() does, in a tenth of its time."""
    return Segment(
        time_ns,
        s.src,
        s.dst,
        s.seq,
        s.ack,
        s.flags,
        s.window,
        s.payload_len,
        s.options,
        s.payload,
        s.urgent,
        frame,
        s.scope,
        s.ttl if ttl is None else ttl,
        s.ip_id,
        s.ecn,
        s.reserved,
        interface,
        s.checksum_ok,
        s.inferred,
        s.header_len,
        s.checksum,
        s.ip_len,
    )
