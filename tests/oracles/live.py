"""Our marks against the tshark on this machine, frame by frame, as far as they can be compared.

tshark 4.0 is what Debian has; where it is known to be wrong, or where 4.4 decided
otherwise, the difference is excused by a predicate that looks at the segments alone,
never at our marks. After some events (:func:`comparable`) the two books differ for
good, and the rest of that dialogue is left out and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tcpviz.core import seq as seqno
from tcpviz.core.records import Side
from tcpviz.core.segment import Segment
from tests.oracles.ours import COPY, Seen, read
from tests.oracles.tsharks import Stream, ask

EXCUSES: Final = {
    "sent before": "tshark 4.0 says out of order of what was captured before (4.4: issue 13843) "
    "or is acknowledged already: nothing overtook it",
    "sacked": "4.4: after two repeated ACKs, what the SACK blocks leave out is a fast "
    "retransmission; tshark 4.0 looks at the ACK number alone",
    "few repeated ACKs": "tshark 4.0 says fast retransmission where an ACK of something unseen "
    "came before, without two repeated ACKs",
    "unseen": "tshark judges by segments that continue where the last one ended; ours is held "
    "against every captured byte instead",
    "split": "where ports are used again, ours looks at ISNs and states (RFC 9293 3.10.7: a "
    "challenge ACK belongs to the old connection); tshark begins a stream at every new SYN",
    "one segment": "4.0 shows the completeness of before the segment, and 0 for the first",
    "number 0": "a number that happens to be 0 is tshark's 'unknown', or an absent ACK's field",
    "first DSS": "tshark exempts the first segment of a flow that has other MPTCP options than "
    "those before it; RFC 8684 3.3.2 exempts ACKs with options other than DSS only",
    "window changed": "4.4: an ACK with SACK blocks repeats even if its window changed",
}


@dataclass
class Result:
    """``agreed`` marks, ``left_out`` frames, ``excused`` by reason, and what differs."""

    agreed: int = 0
    frames: int = 0
    left_out: int = 0
    streams: int = 0
    excused: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def comparable(seen: Seen) -> int:
    """How many of its segments can be compared before the books differ for good.

    A reset takes up no sequence numbers, and one without ACK acknowledges nothing; tshark
    moves "next" and the latest ACK by it. Some receivers take a window probe's byte: 4.0
    does not count it as sent.
    """
    probes: dict[Side, set[int]] = {Side.CLIENT: set(), Side.SERVER: set()}
    windows: dict[Side, int] = {}
    for place, (segment, side) in enumerate(seen.segments):
        if segment.rst or not (segment.has_ack or segment.syn):
            return place + 1
        if segment.syn and segment.fin:
            return place + 1  # tshark counts one number for the two
        if segment.has_ack and segment.ack in probes[side.other]:
            return place
        if segment.payload_len == 1 and windows.get(side.other) == 0:
            probes[side].add(segment.seq_end)
        windows[side] = segment.window
    return len(seen.segments)


def unseen_acked(seen: Seen) -> dict[int, bool]:
    """By frame: whether it is the first to acknowledge something that was never captured."""
    sent: dict[Side, set[int]] = {}
    base: dict[Side, int] = {}
    vouched: Counter[Side] = Counter()
    found: dict[int, bool] = {}
    for segment, side in seen.segments:
        other = side.other
        if segment.has_ack and other in base:
            end = seqno.diff(segment.ack, base[other])
            new = range(vouched[other], end)
            found[segment.frame] = any(number not in sent[other] for number in new)
            vouched[other] = max(vouched[other], end)
        if segment.rst:
            continue
        if side not in base:
            base[side], sent[side] = segment.seq, set()
        start = seqno.diff(segment.seq, base[side])
        sent[side].update(range(start, start + segment.seq_len))
    return found


def _dss(segment: Segment) -> bool:
    return any(kind == 30 and data and data[0] >> 4 == 2 for kind, data in segment.options.unknown)


class _Books:
    """What both ends have sent, as far as the excuses need it."""

    def __init__(self) -> None:
        self.sent: dict[Side, list[Segment]] = {Side.CLIENT: [], Side.SERVER: []}
        self.acked: dict[Side, Segment] = {}
        self.repeats: Counter[Side] = Counter()
        self.mapped: set[Side] = set()

    def excuse(self, segment: Segment, side: Side, theirs: set[str], ours: set[str]) -> str | None:
        more, less = ours - theirs, theirs - ours
        if "out_of_order" in less and "retransmission" in more:
            if more <= {"retransmission", "spurious_retransmission"} and self._before(
                segment, side
            ):
                return "sent before"
            if "fast_retransmission" in more and self._blocks(side):
                return "sacked"
        if more == {"fast_retransmission"} and not less and self._blocks(side):
            return "sacked"
        if less == {"fast_retransmission"} and not more and self.repeats[side.other] < 2:
            return "few repeated ACKs"
        if {*more, *less} <= {"window_update", "duplicate_ack"} and segment.options.sack:
            return "window changed"
        if more == {"duplicate_ack"} and not less and side not in self.mapped and _dss(segment):
            return "first DSS"
        if segment.has_ack and 0 in (segment.seq, segment.ack, segment.seq_end):
            return "number 0"
        return None

    def _blocks(self, side: Side) -> bool:
        last = self.acked.get(side.other)
        return last is not None and bool(last.options.sack)

    def _before(self, segment: Segment, side: Side) -> bool:
        last = self.acked.get(side.other)
        if last is not None and seqno.le(segment.seq_end, last.ack):
            return True
        return any(
            seqno.le(one.seq, segment.seq) and seqno.le(segment.seq_end, one.seq_end)
            for one in self.sent[side]
        )

    def take(self, segment: Segment, side: Side, marks: set[str]) -> None:
        if _dss(segment):
            self.mapped.add(side)
        if segment.seq_len:
            self.sent[side].append(segment)
        if segment.has_ack:
            last = self.acked.get(side)
            if last is not None and last.ack != segment.ack:
                self.repeats[side] = 0
            self.repeats[side] += "duplicate_ack" in marks
            self.acked[side] = segment


def compare(capture: Path) -> Result:
    """Every stream of the capture that is one connection to both of us."""
    result = Result()
    mine = {one.frames[0]: one for one in read(capture)}
    for number, stream in ask(capture).items():
        one = mine.get(stream.frames[0])
        if one is None or one.frames != stream.frames:
            ends = {each.ends for each in mine.values() if set(each.frames) & set(stream.frames)}
            if len(ends) == 1 and sum(each.ends in ends for each in mine.values()) > 1:
                result.excused["split"] += 1
                continue
            result.differences.append(f"stream {number}: begins or ends elsewhere")
            continue
        result.streams += 1
        _marks(number, one, stream, result)
        if len(stream.frames) == 1 and stream.completeness == 0:
            result.excused["one segment"] += 1
        elif one.completeness.value != stream.completeness:
            result.differences.append(
                f"stream {number}: completeness {stream.completeness}, "
                f"ours {one.completeness.value}"
            )
    return result


def _by_frame(marks: dict[str, list[int]]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for name, frames in marks.items():
        for frame in frames if name != COPY else ():
            found.setdefault(frame, set()).add(name)
    return found


def _marks(number: int, one: Seen, stream: Stream, result: Result) -> None:
    theirs, ours = _by_frame(stream.marks), _by_frame(one.plain)
    unseen, books = unseen_acked(one), _Books()
    limit = comparable(one)
    result.left_out += len(one.segments) - limit
    for segment, side in one.segments[:limit]:
        frame = segment.frame
        result.frames += 1
        their, our = set(theirs.get(frame, ())), set(ours.get(frame, ()))
        if unseen.get(frame, False) != ("ack_lost_segment" in our):
            result.differences.append(f"stream {number} frame {frame}: wrong about unseen data")
        if ("ack_lost_segment" in their) != ("ack_lost_segment" in our):
            result.excused["unseen"] += 1
            their.discard("ack_lost_segment")
            our.discard("ack_lost_segment")
        result.agreed += len(their & our)
        if their != our:
            excuse = books.excuse(segment, side, their, our)
            if excuse:
                result.excused[excuse] += 1
            else:
                result.differences.append(
                    f"stream {number} frame {frame}: theirs only {sorted(their - our)}, "
                    f"ours only {sorted(our - their)}"
                )
        books.take(segment, side, our)


def table(results: Iterable[tuple[str, Result]]) -> list[str]:
    """One line a capture, and what was excused."""
    lines = []
    for name, each in results:
        lines.append(
            f"{name:32} {each.streams:5} streams {each.frames:7} frames {each.agreed:6} marks equal"
            f" {each.excused.total():5} excused {len(each.differences):4} differ"
            f" {each.left_out:6} frames left out"
        )
    return lines
