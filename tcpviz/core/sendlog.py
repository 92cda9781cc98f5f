"""What one end has sent: what is not acknowledged yet, and what the capture missed.

Both lists are bounded. Where a bound is reached the oldest knowledge goes
first and the answers get more modest, never wrong in the other direction: an
unacknowledged segment that was not kept gives no round-trip time, a hole that
was not kept counts as seen.
"""

from __future__ import annotations

from tcpviz.core import seq as seqno
from tcpviz.core.facts import dataclass

MAX_UNACKED = 1000
MAX_HOLES = 64


@dataclass(slots=True)
class Sent:
    """A segment waiting for its ACK: ``[seq, end)``, sent in ``frame`` at ``time_ns``."""

    seq: int
    end: int
    frame: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Acked:
    """What an acknowledgement acknowledged: the oldest segment that ends just there.

    ``ambiguous``: it was sent more than once, so that nobody knows which copy
    the ACK answers (Karn's rule, RFC 6298 section 3).
    """

    frame: int
    rtt_ns: int
    ambiguous: bool


class SendLog:
    """Unacknowledged segments in order of sequence number, and holes never captured."""

    __slots__ = ("_holes", "_unacked", "_unseen", "high")

    def __init__(self) -> None:
        self._unacked: list[Sent] = []
        # What the capture missed; and of it, what no acknowledgement has covered yet.
        self._unseen: list[tuple[int, int]] = []
        self._holes: list[tuple[int, int]] = []
        self.high = 0
        """The furthest end among the unacknowledged; meaningless when there are none."""

    def take(self, known: SendLog) -> None:
        """Go on with what another one knows, which is not to be used any more."""
        self._unacked, self._unseen, self._holes = known._unacked, known._unseen, known._holes
        self.high = known.high

    def add(self, seq: int, end: int, frame: int, time_ns: int) -> None:
        """A segment that takes up ``[seq, end)`` was sent."""
        if len(self._unacked) >= MAX_UNACKED:
            del self._unacked[: MAX_UNACKED // 4]
        waiting, entry = self._unacked, Sent(seq, end, frame, time_ns)
        if not waiting or seqno.ge(seq, waiting[-1].seq):
            waiting.append(entry)
        else:
            low, high = 0, len(waiting) - 1
            while low < high:  # behind those that begin where it begins
                middle = (low + high) // 2
                if (waiting[middle].seq - seq - 1) & seqno.MASK < seqno.HALF - 1:
                    high = middle
                else:
                    low = middle + 1
            waiting.insert(low, entry)
        self.high = end if len(waiting) == 1 else seqno.later(self.high, end)

    def acknowledge(self, ack: int, time_ns: int) -> Acked | None:
        """Forget what ``ack`` covers; returns the segment that ends at it, if one does."""
        waiting = self._unacked
        if not (waiting or self._holes):
            return None
        kept: list[Sent] = []
        exact: Sent | None = None
        exact_count = 0
        done = 0
        for entry in waiting:
            # Without a call for each: it is asked of each segment, of all that is in flight.
            if (entry.seq - ack) & seqno.MASK < seqno.HALF:
                break
            done += 1
            if entry.end == ack:
                exact_count += 1
                if exact is None or entry.frame < exact.frame:
                    exact = entry
            elif (entry.end - ack) & seqno.MASK < seqno.HALF:
                entry.seq = ack
                kept.append(entry)
        if done:
            waiting[:done] = kept
        if self._holes:
            self._holes = [
                (seqno.later(start, ack), end) for start, end in self._holes if seqno.gt(end, ack)
            ]
        if exact is None:
            return None
        return Acked(exact.frame, time_ns - exact.time_ns, exact_count > 1)

    def in_flight(self) -> int:
        """Sequence numbers from the first unacknowledged one to the furthest sent."""
        if not self._unacked:
            return 0
        return max(0, seqno.diff(self.high, self._unacked[0].seq))

    def covers(self, seq: int, end: int) -> bool:
        """One unacknowledged segment holds all of ``[seq, end)``."""
        for entry in self._unacked:
            if seqno.gt(entry.seq, seq):
                return False
            if seqno.ge(entry.end, end):
                return True
        return False

    def original(self, seq: int) -> Sent | None:
        """The unacknowledged segment in which ``seq`` was sent first, else the oldest one."""
        found: Sent | None = None
        for entry in self._unacked:
            if seqno.gt(entry.seq, seq):
                break
            if seqno.gt(entry.end, seq) and (found is None or entry.frame < found.frame):
                found = entry
        if found is None and self._unacked:
            found = min(self._unacked, key=lambda entry: entry.frame)
        return found

    def missed(self, start: int, end: int, vouched: int | None = None) -> None:
        """``[start, end)`` was jumped over: lost before the capture, or still to come.

        Up to ``vouched`` it was acknowledged nevertheless.
        """
        for holes in (self._unseen, self._holes):
            if len(holes) >= MAX_HOLES:
                del holes[0]
        self._unseen.append((start, end))
        open_from = start if vouched is None else seqno.later(start, vouched)
        if seqno.lt(open_from, end):
            self._holes.append((open_from, end))

    @property
    def first_hole(self) -> int | None:
        """Where the first hole begins; everything before it was captured."""
        if not self._holes:
            return None
        first = self._holes[0][0]
        for start, _ in self._holes:
            if seqno.lt(start, first):
                first = start
        return first

    def fill(self, seq: int, end: int) -> int:
        """``[seq, end)`` was captured after all; returns how much of it had been missing."""
        if not self._unseen:
            return 0
        self._unseen, filled = _without(self._unseen, seq, end)
        if filled and self._holes:
            self._holes = _without(self._holes, seq, end)[0]
        return filled


def _without(holes: list[tuple[int, int]], seq: int, end: int) -> tuple[list[tuple[int, int]], int]:
    """The holes without ``[seq, end)``, and how much of it was in one."""
    filled = 0
    left: list[tuple[int, int]] = []
    for start, stop in holes:
        if seqno.le(end, start) or seqno.ge(seq, stop):
            left.append((start, stop))
            continue
        filled += seqno.diff(
            end if seqno.lt(end, stop) else stop, seq if seqno.gt(seq, start) else start
        )
        if seqno.lt(start, seq):
            left.append((start, seq))
        if seqno.gt(stop, end):
            left.append((end, stop))
    return left[-MAX_HOLES:], filled
