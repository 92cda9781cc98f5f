"""What became of each segment between two capture points, told as records.

A decision is made once everything that could speak for it has come. See
:class:`tcpviz.core.points.joiner.Joiner`, which says when that is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tcpviz.core import seq as seqno
from tcpviz.core.passages import Doubt, Passage
from tcpviz.core.points import matching
from tcpviz.core.points.changes import changes
from tcpviz.core.points.ledger import Direction
from tcpviz.core.points.sightings import Pair, Sighting, Way, restamped
from tcpviz.core.records import Moment, SegmentRecord
from tcpviz.core.segment import Flags, Segment

if TYPE_CHECKING:
    from tcpviz.core.points.joiner import Joiner

_PRUNE_EVERY = 1024
_PRUNE_NS = 10_000_000_000
"""What was acknowledged is remembered for so long."""


class Fates:
    """Decides for a :class:`Joiner`, and tells it what to tell."""

    def __init__(self, joiner: Joiner) -> None:
        self._joiner = joiner
        self._number = 0
        self._decided = 0
        self._toward: dict[int, Direction] = {}

    def decide(self, one: Sighting) -> None:
        """One that is next in the order of time."""
        if one.settled:
            return
        self._decided += 1
        pair = one.flow.pair
        if pair is None:
            self._alone(one)
            return
        self._joiner.orientation.decide(pair, one)
        way, key = pair.ways[pair.way(one)], pair.key(one)
        if one.mate is None and matching.twice(way, key, one, leaves=pair.leaves(one)):
            self._joiner.ledger.doubles[one.point] += 1
        elif pair.leaves(one):
            self._left(pair, way, one)
        elif one.mate is not None:
            return  # it is told with the one that left, which comes yet
        else:
            self._came(pair, way, one)
        matching.forget(pair, one)
        if self._decided % _PRUNE_EVERY == 0:
            now = self._joiner.common(one)
            other = now + round(self._joiner.clock.at(now).ahead)
            matching.prune(pair, (now - _PRUNE_NS, other - _PRUNE_NS))

    def reordered(self, way: Way) -> None:
        """A segment of this way has arrived behind one that left later."""
        direction = self._toward.get(id(way))
        if direction is not None:
            direction.reordered += 1

    # -- at the point that it left ------------------------------------------

    def _left(self, pair: Pair, way: Way, one: Sighting) -> None:
        count = self._direction(pair, way, one)
        mate = one.mate
        if mate is not None:
            self._passed(pair, way, one, mate)
            matching.forget(pair, mate)
            return
        pieces = (
            matching.pieces_of(pair, one, self._joiner.delay) if one.segment.payload_len else []
        )
        if pieces:
            self._cut(pair, way, one, pieces)
            return
        size = one.segment.seq_len
        proof = matching.acknowledged(pair, one, 0, size)
        at = self._joiner.common(one)
        if proof is not None and not matching.delivered(pair, one, 0, size, proof):
            count.sent += 1
            count.unseen += 1
            self._unseen(pair, way, one, proof)
        elif self._joiner.covers(1 - one.point, at, at + matching.latest(way, self._half_trip())):
            count.sent += 1
            count.lost += 1
            count.bytes_lost += one.segment.payload_len
            segment = self._told(pair, way, one, at)
            passage = Passage(left=self._place(one))
            self._send(at, segment, passage)
            died = at + max(self._usual(way), 1)
            self._joiner.tell(died, SegmentRecord(died, segment, Moment.LOST, passage=passage))
        else:
            self._outside(pair, way, one, at)

    def _passed(self, pair: Pair, way: Way, one: Sighting, mate: Sighting) -> None:
        """Both points saw it."""
        count = self._direction(pair, way, one)
        at, delay, error = self._timed(one, mate)
        changed = changes(pair, one, mate)
        passage = Passage(self._place(one), self._place(mate), delay, error, changed=changed)
        segment = self._told(pair, way, one, at)
        self._send(at, segment, passage)
        arrived = segment
        if changed:
            count.changed += 1
            for each in changed:
                if one.segment.syn or each.startswith("marked"):
                    self._joiner.ledger.remark(f"{self._whence(one)}: {each}")
            read = pair.as_first(mate)
            arrived = replace(
                segment, options=read.options, window=read.window, flags=read.flags, ecn=read.ecn
            )
        if mate.segment.ttl != segment.ttl:
            arrived = restamped(arrived, at, arrived.frame, one.point, mate.segment.ttl)
        self._arrive(max(at + (delay or 0), at + 1), arrived, passage, way)
        count.sent += 1
        count.arrived += 1
        way.ttl = mate.segment.ttl
        if delay is not None:
            count.delay(max(delay, 0))
            if one.sure:
                way.note_delay(delay)

    def _cut(
        self, pair: Pair, way: Way, one: Sighting, pieces: list[tuple[int, int, Sighting]]
    ) -> None:
        """Its bytes arrived otherwise: in pieces, or joined with others'."""
        count, size = self._direction(pair, way, one), one.segment.payload_len
        for first, last, each in pieces:
            start = seqno.diff(pair.numbers(one)[0], pair.numbers(each)[0])
            each.parts.append((start + first, start + last))
            if not each.missing():
                matching.forget(pair, each)
        stretches = matching.spans(pieces)
        at, delay, error = self._timed(one, pieces[0][2])
        whole = stretches == [(0, size)]
        joined = max(each.segment.payload_len for _, _, each in pieces) if len(pieces) == 1 else 0
        joined = joined if joined > size else 0
        passage = Passage(
            self._place(one), self._place(pieces[0][2]), delay, error, len(pieces), joined
        )
        segment = self._told(pair, way, one, at)
        self._send(at, segment, passage)
        count.sent += 1
        count.cut += len(pieces) > 1
        count.joined += bool(joined)
        way.ttl = pieces[0][2].segment.ttl
        if delay is not None:
            count.delay(max(delay, 0))
        if whole:
            count.arrived += 1
            last_at = max(self._joiner.common(each) for _, _, each in pieces)
            self._arrive(max(last_at, at + 1), segment, passage, way)
            return
        count.part += 1
        for first, last in stretches:
            when = max(self._joiner.common(e) for a, b, e in pieces if a < last and b > first)
            self._part(max(when, at + 1), segment, passage, first, last, way)
        missing, reached = [], 0
        for first, last in [*stretches, (size, size)]:
            if first > reached:
                missing.append((reached, first))
            reached = last
        for first, last in missing:
            proof = matching.acknowledged(pair, one, first, last)
            if proof is not None and not matching.delivered(pair, one, first, last, proof):
                count.unseen += 1
                when = max(self._joiner.moment(1 - one.point, proof), at + 1)
                unseen = replace(passage, arrived=None, doubt=Doubt.ARRIVED)
                self._part(when, replace(segment, inferred=True), unseen, first, last, way)
            else:
                count.bytes_lost += last - first
                died = at + max(self._usual(way), 1)
                part = replace(passage, arrived=None, bytes=last - first, doubt=Doubt.PART)
                self._joiner.tell(died, SegmentRecord(died, segment, Moment.LOST, passage=part))

    def _part(
        self, when: int, segment: Segment, passage: Passage, first: int, last: int, way: Way
    ) -> None:
        cut = last - first
        ends = first + cut == segment.payload_len
        flags = segment.flags if ends else segment.flags & ~(Flags.FIN | Flags.PSH)
        part = replace(
            segment,
            seq=seqno.add(segment.seq, first),
            payload_len=cut,
            payload=segment.payload[first:last],
            flags=flags,
        )
        doubt = passage.doubt or Doubt.PART
        self._arrive(when, part, replace(passage, bytes=cut, doubt=doubt), way)

    def _unseen(self, pair: Pair, way: Way, one: Sighting, proof_ns: int) -> None:
        """It arrived, as what was acknowledged shows; that capture has missed it."""
        at = self._joiner.common(one)
        by = max(self._joiner.moment(1 - one.point, proof_ns), at + 1)
        passage = Passage(left=self._place(one), doubt=Doubt.ARRIVED)
        segment = self._told(pair, way, one, at)
        self._send(at, segment, passage)
        self._arrive(by, replace(segment, inferred=True), passage, way)

    # -- at the point where it arrived --------------------------------------

    def _came(self, pair: Pair, way: Way, one: Sighting) -> None:
        """No mate has left for it."""
        at, key = self._joiner.common(one), pair.key(one)
        if one.segment.payload_len and not one.missing():
            return  # its bytes were told with what they left in
        known = way.delivered.get(key)
        if known is not None and known.told is not None and known.point != one.point:
            count = self._direction(pair, way, one)
            if known.mate is None:  # it had been given up
                known.mate = one
                count.late += 1
            else:
                count.copies += 1
            passage = Passage(self._place(known), self._place(one), *self._timed(known, one)[1:])
            record = SegmentRecord(at, known.told, Moment.ARRIVED, again=True, passage=passage)
            self._joiner.tell(at, record)
            return
        if not self._joiner.covers(1 - one.point, at - matching.latest(way, self._half_trip()), at):
            self._outside(pair, way, one, at)
            return
        segment = self._told(pair, way, one, at)
        if not one.segment.payload_len:
            self._strange(pair, way, one, segment, 0, one.segment.seq_len)
            return
        for first, last in one.missing():
            part = segment
            if (first, last) != (0, segment.payload_len):
                part = replace(
                    segment,
                    seq=seqno.add(segment.seq, first),
                    payload_len=last - first,
                    payload=segment.payload[first:last],
                )
            self._strange(pair, way, one, part, first, last)

    def _strange(
        self, pair: Pair, way: Way, one: Sighting, segment: Segment, first: int, last: int
    ) -> None:
        at, count = self._joiner.common(one), self._direction(pair, way, one)
        if matching.passed_over(pair, one, first, last):
            count.missed += 1
            passage = Passage(arrived=self._place(one), doubt=Doubt.LEFT)
            left_at = at - max(self._usual(way), 1)
            self._send(left_at, replace(segment, inferred=True, time_ns=left_at), passage)
        else:
            count.unsent += 1
            foreign = way.ttl is not None and one.segment.ttl not in (None, way.ttl)
            count.foreign += foreign
            passage = Passage(
                arrived=self._place(one), doubt=Doubt.FOREIGN if foreign else Doubt.UNSENT
            )
        self._arrive(at, segment, passage, way)

    # -- at one point only --------------------------------------------------

    def _alone(self, one: Sighting) -> None:
        """Of a connection that the other point has not seen."""
        at = self._joiner.common(one)
        self._number += 1
        segment = restamped(one.segment, at, self._number, one.segment.interface)
        to_second = self._joiner.orientation.passes(one.flow, one.way)
        leaves = to_second is (one.point == 0)
        if (
            to_second is not None
            and leaves
            and one.flow.ways != 3
            and self._joiner.covers(1 - one.point, at, at + round(self._half_trip()))
        ):
            # Nothing came back: it belongs to the other point, and never got there.
            count = self._joiner.ledger.ways[one.point]
            count.sent += 1
            count.lost += 1
            count.bytes_lost += segment.payload_len
            passage = Passage(left=self._place(one))
            self._send(at, segment, passage)
            died = at + max(round(self._half_trip()), 1)
            self._joiner.tell(died, SegmentRecord(died, segment, Moment.LOST, passage=passage))
            return
        self._joiner.ledger.alone += 1
        self._joiner.tell(at, SegmentRecord(at, segment, Moment.SEEN))

    def _outside(self, pair: Pair, way: Way, one: Sighting, at: int) -> None:
        self._joiner.ledger.outside += 1
        seen = {"left" if pair.leaves(one) else "arrived": self._place(one)}
        passage = Passage(**seen, doubt=Doubt.OUTSIDE)  # type: ignore[arg-type]
        segment = self._told(pair, way, one, at)
        self._joiner.tell(at, SegmentRecord(at, segment, Moment.SEEN, passage=passage))

    # -- parts --------------------------------------------------------------

    def _told(self, pair: Pair, way: Way, one: Sighting, at: int) -> Segment:
        """The segment as the first point has it, with its number in the story."""
        self._number += 1
        way.index = self._number
        one.told = restamped(pair.as_first(one), at, self._number, one.point)
        way.remember(pair.key(one), one)
        return one.told

    def _send(self, at: int, segment: Segment, passage: Passage) -> None:
        self._joiner.tell(at, SegmentRecord(at, segment, Moment.SENT, passage=passage))

    def _arrive(self, at: int, segment: Segment, passage: Passage, way: Way) -> None:
        record = SegmentRecord(at, segment, Moment.ARRIVED, passage=passage)
        self._joiner.tell(at, record, way, segment.frame)

    def _timed(self, left: Sighting, arrived: Sighting) -> tuple[int, int | None, int | None]:
        """When it left, how long it took, and how wrong that may be."""
        at = self._joiner.common(left)
        if not self._joiner.clock.begun:
            return at, None, None
        reading = self._joiner.clock.at(at)
        delay = self._joiner.common(arrived) - at
        error = reading.uncertainty
        return at, delay, None if error == float("inf") else round(error)

    def _usual(self, way: Way) -> int:
        return round(way.usual_ns) if way.least_ns is not None else round(self._half_trip())

    def _half_trip(self) -> float:
        pieces = self._joiner.clock.known and self._joiner.clock.latest
        return (pieces.round_trip or 0.0) / 2 if pieces else 0.0

    def _direction(self, pair: Pair, way: Way, one: Sighting) -> Direction:
        to_second = pair.leaves(one) is (one.point == 0)
        direction = self._joiner.ledger.ways[0 if to_second else 1]
        if len(self._toward) > 1 << 16:
            self._toward.clear()
        self._toward[id(way)] = direction
        return direction

    def _place(self, one: Sighting) -> tuple[str, int]:
        return self._joiner.names[one.point], one.segment.frame

    def _whence(self, one: Sighting) -> str:
        return f"on the way from {self._joiner.names[one.point]}"
