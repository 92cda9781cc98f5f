"""Two ends as in ``twoends``, captured at both, each capture by a clock of its own; and the truth.

Every packet that leaves has a number, so that what is told of it can be compared with what
became of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tcpviz.core import seq as seqno
from tcpviz.core.points.joiner import Joiner
from tcpviz.core.points.survey import survey
from tcpviz.core.records import Moment, SegmentRecord
from tcpviz.core.segment import Endpoint, Options, Segment
from tests.core.twoends import CLIENT, MS, SERVER, Packet, World

START = 1_700_000_000_000_000_000
Place = tuple[int, int]


@dataclass
class Truth:
    """Of one packet: the frames that hold it (``None``: that capture has missed it)."""

    left: int | None
    arrived: list[int | None]
    lost: bool
    left_ns: int
    arrived_ns: int | None = None


class TwoPoints(World):
    """``one_way`` ms each takes at least; ``lost`` chance to die; ``missed`` by either capture."""

    def __init__(
        self,
        seed: int,
        *,
        one_way: float = 20.0,
        lost: float = 0.0,
        missed: float = 0.0,
        ahead_ns: int = 0,
        drift: float = 0.0,
        ids: bool = True,
        nat: bool = False,
        shift: tuple[int, int] = (0, 0),
        **others,
    ) -> None:
        super().__init__(seed, **others)
        self.one_way, self.lost, self.missed = one_way, lost, missed
        self.ahead_ns, self.drift, self.ids = ahead_ns, drift, ids
        self.nat, self.shift = nat, shift
        self.captures: tuple[list[Segment], list[Segment]] = ([], [])
        self.truths: list[Truth] = []
        self._idents = [1000, 2000]

    @property
    def now_ns(self) -> int:
        return START + round(self.now * MS)

    def clock(self, point: int, time_ns: int) -> int:
        if point == 0:
            return time_ns
        return time_ns + self.ahead_ns + round(self.drift * (time_ns - START))

    def see(self, point: int, packet: Packet, ident: int) -> int | None:
        if self.random.random() < self.missed:
            return None
        ends = (CLIENT, SERVER)
        src, dst = ends[packet.sender], ends[1 - packet.sender]
        seq, ack = packet.seq, packet.ack
        if point == 1:
            seq = seqno.add(seq, self.shift[packet.sender])
            ack = seqno.add(ack, self.shift[1 - packet.sender]) if packet.flags & 0x10 else ack
            if self.nat:
                outside = Endpoint("203.0.113.9", 1234)
                src, dst = (outside if one == CLIENT else one for one in (src, dst))
        self.captures[point].append(
            Segment(
                self.clock(point, self.now_ns),
                src,
                dst,
                seq,
                ack,
                packet.flags,
                64000,
                packet.length,
                Options(timestamps=packet.stamps) if packet.stamps else Options(),
                ip_id=ident if self.ids else None,
                frame=len(self.captures[point]) + 1,
                ttl=64 if point == packet.sender else 61,
            )
        )
        return len(self.captures[point])

    def transmit(self, packet: Packet) -> None:
        ident = self._idents[packet.sender]
        self._idents[packet.sender] += 1
        left = self.see(packet.sender, packet, ident)
        truth = Truth(left, [], self.random.random() < self.lost, self.now_ns)
        self.truths.append(truth)
        if truth.lost:
            return
        for number in range(2 if self.random.random() < self.copies else 1):

            def arrives(first: bool = number == 0) -> None:
                truth.arrived.append(self.see(1 - packet.sender, packet, ident))
                if first:
                    truth.arrived_ns = self.now_ns
                self._deliver(packet)

            self.after(self.one_way + number * 0.5 + self.random.uniform(0, self.jitter), arrives)

    def joined(self, **settings) -> tuple[Joiner, list[SegmentRecord]]:
        """Both captures through a joiner that learns the clock first."""
        surveyed = survey(
            [SegmentRecord(one.time_ns, one) for one in each] for each in self.captures
        )
        joiner = surveyed.joiner()
        out: list[SegmentRecord] = []
        heads = [list(each) for each in self.captures]
        while any(heads):
            point = min(
                (p for p in (0, 1) if heads[p]),
                key=lambda p: joiner.moment(p, heads[p][0].time_ns),
            )
            one = heads[point].pop(0)
            joiner.take(point, SegmentRecord(one.time_ns, one))
            out += joiner.release(joiner.moment(point, one.time_ns) - 3_000 * MS)
        out += joiner.release(None)
        return joiner, out


def numbered(place: tuple[str, int] | None) -> Place | None:
    return None if place is None else (("first", "second").index(place[0]), place[1])


def fates(
    records: list[SegmentRecord],
) -> dict[tuple[int, int], tuple[str, tuple[int, int] | None]]:
    """By the frame that it left in: what is told to have become of it."""
    told: dict = {}
    for record in records:
        passage = record.passage
        ended = record.moment in (Moment.ARRIVED, Moment.LOST)
        if passage and passage.left and ended and not record.again:
            told[numbered(passage.left)] = (record.moment.value, numbered(passage.arrived))
    return told
