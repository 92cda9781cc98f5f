"""Marks: what is worth saying of a segment, with Wireshark's names and meanings.

The rules are those of ``tcp_analyze_sequence_number()`` in Wireshark's
``epan/dissectors/packet-tcp.c``, release 4.4 where 4.0 and 4.4 differ; each is
stated beside the code that applies it. "Next" is the highest sequence number
that the sender has used, plus one; "last ACK" the ACK field of an end's latest
segment.

Where we knowingly differ
-------------------------
* ``captured_twice`` is ours. A packet that the capture saw twice (the same IP
  identification, at once) is marked so and otherwise ignored; Wireshark calls
  it a retransmission or a duplicate ACK.
* An ACK of something unseen is judged by the gaps in the captured sequence
  numbers. Wireshark judges by segments that continue exactly where the last
  one ended, and so calls data unseen that came in a retransmission with new
  data behind the old (frame 264 of Zeek's ``206_example_b.pcap``).
* "Unknown" is ``None`` here and 0 in Wireshark, which therefore stops
  analysing where a sequence number happens to be 0.
* A segment without ACK has no ACK field: it acknowledges nothing and repeats
  nothing. Wireshark reads the field nevertheless.
* Some receivers take the byte of a window probe and acknowledge it. Then it was
  sent, and nothing is unseen; Wireshark does so since its issue 10745, not in 4.0.
* A RST uses up no sequence numbers, whatever data it carries.
* An ACK with an MPTCP option other than DSS repeats nothing (RFC 8684 section 3.3.2).
  Wireshark exempts the first segment whose options are other ones than before, DSS too.
"""

from __future__ import annotations

import enum
from collections import Counter

from tcpviz.core import seq as seqno
from tcpviz.core.facts import dataclass
from tcpviz.core.flow import (
    Flow,
    bytes_in_flight,
    dsack_of,
    other_data,
    probe_taken,
    remember_said,
    remember_sent,
    seen_before,
    take_options,
    tells_mptcp,
)
from tcpviz.core.records import Side
from tcpviz.core.segment import ACK, FIN, RST, SYN, Segment
from tcpviz.core.sendlog import Acked
from tcpviz.core.twice import TwiceSeen

REORDER_NS = 3_000_000
"""How late a segment may be and still be reordered, where the initial RTT is unknown."""

FAST_NS = 20_000_000
"""How soon after the duplicate ACKs a fast retransmission comes."""

# Plain integers: an operation on flags makes a new member, ten times as slow.
_SYN_OR_FIN = SYN | FIN
_CONTROL = _SYN_OR_FIN | RST
_SYN_ACK = SYN | ACK
_RST_ACK = RST | ACK


class MarkName(enum.StrEnum):
    """Names as in ``tcp.analysis.*``; the last one is ours."""

    RETRANSMISSION = "retransmission"
    FAST_RETRANSMISSION = "fast_retransmission"
    SPURIOUS_RETRANSMISSION = "spurious_retransmission"
    OUT_OF_ORDER = "out_of_order"
    LOST_SEGMENT = "lost_segment"
    ACK_LOST_SEGMENT = "ack_lost_segment"
    DUPLICATE_ACK = "duplicate_ack"
    ZERO_WINDOW = "zero_window"
    ZERO_WINDOW_PROBE = "zero_window_probe"
    ZERO_WINDOW_PROBE_ACK = "zero_window_probe_ack"
    WINDOW_FULL = "window_full"
    WINDOW_UPDATE = "window_update"
    KEEP_ALIVE = "keep_alive"
    KEEP_ALIVE_ACK = "keep_alive_ack"
    REUSED_PORTS = "reused_ports"
    TFO_SYN = "tfo_syn"
    TFO_ACK = "tfo_ack"
    TFO_IGNORED = "tfo_ignored"
    CAPTURED_TWICE = "captured_twice"


_NAMES = tuple(MarkName)


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing said of one segment.

    ``number``    which duplicate ACK in a row it is, from 1; 0 for other marks
    ``frame``     the frame it refers to, 0 where there is none: the ACK that is
                  repeated, the segment that was retransmitted, the packet copied
    ``after_ns``  for a retransmission: how long after that segment it came
    """

    name: MarkName
    number: int = 0
    frame: int = 0
    after_ns: int | None = None

    def __str__(self) -> str:
        return f"{self.name} #{self.number}" if self.number else str(self.name)


@dataclass(frozen=True, slots=True)
class Observation:
    """What analysis found at one segment; ``None`` where there is nothing to say.

    ``bytes_in_flight``  after this segment, sent by its sender and not acknowledged
                         by what was seen; only for segments with data
    ``acks_frame``, ``ack_rtt_ns``  the segment that this one acknowledges to its
                         last byte, and how long that took at the place of capture
    ``ack_ambiguous``    that segment was sent more than once (Karn's rule)
    ``seen_before``      how many of its sequence numbers were captured before: more to the
                         point than the mark where data was cut anew when sent again
    ``dsack``            the D-SACK block: ``(left, right)`` received twice (RFC 2883)
    ``other_data``       its numbers were captured before with other data (no name of Wireshark's)
    """

    frame: int
    side: Side
    marks: tuple[Mark, ...] = ()
    bytes_in_flight: int | None = None
    acks_frame: int | None = None
    ack_rtt_ns: int | None = None
    ack_ambiguous: bool = False
    seen_before: int = 0
    dsack: tuple[int, int] | None = None
    other_data: bool = False

    @property
    def is_copy(self) -> bool:
        """The capture saw a packet again that was sent only once."""
        marks = self.marks  # nothing else is said of a copy
        return bool(marks) and marks[0].name is MarkName.CAPTURED_TWICE


class MarkAnalyzer:
    """Marks the segments of one connection, in the order in which they were captured.

    ``reused_ports``: another connection with the same addresses and ports was
    seen before; the first SYN gets the mark. ``spot_copies=False`` judges packets
    that were captured twice as if they had been sent twice, as Wireshark does.

    ``last``            what was found at the latest segment
    ``initial_rtt_ns``  from the latest SYN to the first ACK without SYN after it,
                        ``tcp.analysis.initial_rtt``; a RST does not count
    """

    __slots__ = (
        "_client",
        "_counts",
        "_refused",
        "_reused",
        "_server",
        "_syn_ns",
        "_twice",
        "initial_rtt_ns",
        "last",
    )

    def __init__(self, *, reused_ports: bool = False, spot_copies: bool = True) -> None:
        self._client = Flow()
        self._server = Flow()
        self._reused = reused_ports
        self._refused: Side | None = None
        self._syn_ns: int | None = None
        self._twice = TwiceSeen() if spot_copies else None
        self._counts: dict[Side, Counter[str]] | None = None
        self.initial_rtt_ns: int | None = None
        self.last: Observation | None = None

    @property
    def rewritten(self) -> tuple[Segment, Segment] | None:
        """A SYN that was captured before and behind something that changed its options."""
        return None if self._twice is None else self._twice.rewritten

    @property
    def counts(self) -> dict[Side, Counter[str]]:
        """How often each mark was given, by sender."""
        # Most connections have no marks; and there may be a million of them.
        if self._counts is None:
            self._counts = {Side.CLIENT: Counter(), Side.SERVER: Counter()}
        return self._counts

    @property
    def totals(self) -> dict[str, int]:
        """How often each mark was given, both senders together; names in a fixed order."""
        if self._counts is None:
            return {}
        mine, theirs = self._counts[Side.CLIENT], self._counts[Side.SERVER]
        return {
            name.value: count
            for name in _NAMES
            if (count := mine.get(name, 0) + theirs.get(name, 0))
        }

    def count_as(self, totals: Counter[str], server: Counter[str] | None = None) -> None:
        """Count these marks instead, for what was counted elsewhere.

        Whoever's they are, or the client's, where those of the ``server`` are given, too.
        """
        both = {Side.CLIENT: totals, Side.SERVER: server or Counter()}
        self._counts = both if any(both.values()) else None

    def observe(self, segment: Segment, side: Side) -> tuple[Mark, ...]:
        """Take the next segment, sent by ``side``; returns its marks. More is in ``last``."""
        copied = self._twice.original(segment) if self._twice else None
        if copied is not None:
            marks: tuple[Mark, ...] = (Mark(MarkName.CAPTURED_TWICE, frame=copied),)
            self.last = Observation(segment.frame, side, marks)
        else:
            bits = int(segment.flags)
            if self._refused is side and bits & _SYN_ACK == SYN:
                self._begin_again()
            fwd = self._client if side is Side.CLIENT else self._server
            rev = self._server if side is Side.CLIENT else self._client
            self.last = self._analyse(segment, side, fwd, rev)
            # Refused: the reset acknowledges the SYN, all that its receiver has sent.
            if bits & _RST_ACK == _RST_ACK and fwd.isn is None and rev.isn is not None:
                self._refused = side.other if segment.ack == rev.next_seq else None
            marks = self.last.marks
        if marks:
            counts = self.counts
            for mark in marks:
                counts[side][mark.name] += 1
        return marks

    def _begin_again(self) -> None:
        """A SYN that was refused and comes once more is another attempt, not a repetition.

        Even with the same sequence number, as Windows sends it; so say Wireshark 4.4
        and Zeek, which count it as a connection of its own.
        """
        self._client, self._server = Flow(), Flow()
        self._reused = True
        self._refused = None
        self._syn_ns = self.initial_rtt_ns = None

    def _analyse(self, segment: Segment, side: Side, fwd: Flow, rev: Flow) -> Observation:
        marks: list[Mark] = []
        bits = int(segment.flags)
        if bits & SYN:
            self._opening(marks, segment, fwd, rev)
        take_options(segment, fwd, rev)
        has_ack = bits & ACK
        if has_ack:
            rev.flight_known = True
        probe, alive = _windows_and_repeats(marks, segment, fwd, rev)
        # A new ACK number starts the count of repetitions afresh.
        if has_ack and segment.ack != fwd.last_ack:
            fwd.dup_frame = segment.frame
            fwd.dup_acks = 0
        if has_ack:
            _acked_unseen(marks, segment, rev)
        old = seen_before(segment, fwd)
        # What a probe or a keep-alive carries is anything (RFC 9293 section 3.8.4).
        changed = False if probe or alive else other_data(segment, fwd, old)
        takes_space = bool(segment.payload_len or bits & _SYN_OR_FIN)
        if takes_space and not alive and not bits & RST:
            self._sent_again(marks, segment, fwd, rev)
        remember_sent(segment, fwd, probe=probe, takes_space=takes_space)
        remember_said(segment, fwd, probe=probe, alive=alive)
        acked: Acked | None = None
        if has_ack:
            acked = rev.log.acknowledge(segment.ack, segment.time_ns)
        if self.initial_rtt_ns is None or bits & SYN:
            self._handshake_time(segment)
        return Observation(
            segment.frame,
            side,
            tuple(marks),
            bytes_in_flight(segment, fwd, rev),
            acked.frame if acked else None,
            acked.rtt_ns if acked else None,
            acked.ambiguous if acked else False,
            old,
            dsack_of(segment),
            changed,
        )

    def _opening(self, marks: list[Mark], segment: Segment, fwd: Flow, rev: Flow) -> None:
        """Of a SYN: ports reused, and TCP Fast Open's cookie and data (RFC 7413)."""
        bits = int(segment.flags) & _SYN_ACK
        if bits == SYN:
            if self._reused:
                marks.append(Mark(MarkName.REUSED_PORTS))
                self._reused = False
            # A SYN with a cookie may carry data; an empty option asks for a cookie.
            if segment.options.fast_open:
                marks.append(Mark(MarkName.TFO_SYN))
        elif bits == _SYN_ACK and rev.isn is not None and rev.syn_data:
            # The SYN-ACK acknowledges more than the SYN: the data in the SYN was taken.
            if seqno.gt(segment.ack, seqno.add(rev.isn, 1)):
                marks.append(Mark(MarkName.TFO_ACK))
            elif rev.syn_cookie:  # without one, nobody could expect it to be taken
                marks.append(Mark(MarkName.TFO_IGNORED))
        data = bits == SYN and segment.payload_len > 0
        # Linux sends such a SYN again without its data; the first one may have been taken.
        if data or bits != SYN or fwd.isn != segment.seq:
            fwd.syn_data = data
            fwd.syn_cookie = data and bool(segment.options.fast_open)
        fwd.isn = segment.seq

    def _sent_again(self, marks: list[Mark], segment: Segment, fwd: Flow, rev: Flow) -> None:
        """A segment that takes up sequence space and does not begin at or after "next".

        Spurious, fast, out of order, or just a retransmission, in this order;
        the first two are retransmissions as well. A keep-alive is none of them.
        """
        seq, length = segment.seq, segment.payload_len
        end = seqno.add(seq, length)
        before = fwd.next_seq is not None and seqno.lt(seq, fwd.next_seq)
        # More than one byte from the last one on adds data: the byte was a window probe.
        if length > 1 and fwd.next_seq is not None and seqno.diff(fwd.next_seq, seq) == 1:
            before = False
        # SPURIOUS: all its data was already acknowledged.
        if length and rev.last_ack is not None and seqno.le(end, rev.last_ack):
            self._again(marks, segment, fwd, MarkName.SPURIOUS_RETRANSMISSION)
            return
        if not before:
            return
        # FAST: at least two duplicate ACKs, the last within 20 ms, and it is what they ask
        # for; or (4.4) they carry SACK and this is not among what was SACKed.
        soon = 0 <= segment.time_ns - rev.last_ack_ns < FAST_NS
        if rev.dup_acks >= 2 and soon:
            wanted = rev.last_ack == seq
            sacked = any(seqno.le(a, seq) and seqno.le(end, b) for a, b in rev.sack)
            if wanted or (rev.sack and not sacked):
                self._again(marks, segment, fwd, MarkName.FAST_RETRANSMISSION)
                return
        # OUT OF ORDER: it was not sent before, that is, no unacknowledged segment holds it all
        # and it is not acknowledged, and it comes within an initial RTT (or 3 ms) of the
        # segment that overtook it. Later than that, it was lost before the capture.
        limit = REORDER_NS if self.initial_rtt_ns is None else self.initial_rtt_ns
        # What ends at "next" is the latest segment again: nothing overtook it.
        known = (
            segment.seq_end == fwd.next_seq
            or fwd.log.covers(seq, end)
            or (rev.last_ack is not None and seqno.le(segment.seq_end, rev.last_ack))
        )
        if not known and 0 <= segment.time_ns - fwd.next_ns < limit:
            marks.append(Mark(MarkName.OUT_OF_ORDER, frame=fwd.next_frame))
            return
        self._again(marks, segment, fwd, None)

    def _again(self, marks: list[Mark], segment: Segment, fwd: Flow, kind: MarkName | None) -> None:
        first = fwd.log.original(segment.seq)
        frame, then = (first.frame, first.time_ns) if first else (fwd.next_frame, fwd.next_ns)
        after = segment.time_ns - then if frame else None
        if kind is not None:
            marks.append(Mark(kind, frame=frame, after_ns=after))
        marks.append(Mark(MarkName.RETRANSMISSION, frame=frame, after_ns=after))

    def _handshake_time(self, segment: Segment) -> None:
        bits = int(segment.flags) & _SYN_ACK
        if bits == SYN:
            self._syn_ns = segment.time_ns
        elif (
            bits == ACK
            and not segment.rst
            and self._syn_ns is not None
            and self.initial_rtt_ns is None
        ):
            self.initial_rtt_ns = segment.time_ns - self._syn_ns


def _windows_and_repeats(
    marks: list[Mark], segment: Segment, fwd: Flow, rev: Flow
) -> tuple[bool, bool]:
    """Marks that need no memory of single segments; returns (probe, keep-alive)."""
    length, window = segment.payload_len, segment.window
    control = bool(int(segment.flags) & _CONTROL)
    at_next = segment.seq == fwd.next_seq
    # ZERO WINDOW PROBE: one byte at "next" while the other end's window is zero. Nothing
    # else is said of it.
    if length == 1 and at_next and rev.window == 0:
        marks.append(Mark(MarkName.ZERO_WINDOW_PROBE))
        return True, False
    # ZERO WINDOW: neither SYN, FIN nor RST.
    if window == 0 and not control:
        marks.append(Mark(MarkName.ZERO_WINDOW))
    # LOST SEGMENT: it begins beyond "next". Not for RST.
    jumps = not at_next and fwd.next_seq is not None and seqno.gt(segment.seq, fwd.next_seq)
    if fwd.next_seq is not None and jumps and not segment.rst:
        marks.append(Mark(MarkName.LOST_SEGMENT))
        fwd.log.missed(fwd.next_seq, segment.seq, fwd.vouched)
        # A window probe's byte lies beyond "next", and was captured nevertheless.
        if fwd.probe_end is not None:
            fwd.log.fill(seqno.add(fwd.probe_end, -1), fwd.probe_end)
        # What is in flight is unknown until the other end acknowledges something.
        fwd.flight_known = False
    if control:
        return False, False
    # KEEP ALIVE: no or one byte, just before "next".
    alive = (
        length <= 1
        and not at_next
        and fwd.next_seq is not None
        and seqno.diff(fwd.next_seq, segment.seq) == 1
    )
    if alive:
        marks.append(Mark(MarkName.KEEP_ALIVE))
    if length:
        # WINDOW FULL: the data reaches exactly the edge of the other end's window, whose
        # scale is known.
        if (
            rev.scale is not None
            and rev.last_ack is not None
            and seqno.add(segment.seq, length) == seqno.add(rev.last_ack, rev.window_bytes)
        ):
            marks.append(Mark(MarkName.WINDOW_FULL))
        return False, alive
    # A probe's byte is taken by some receivers (Wireshark's issues 8404, 10745): the answer
    # then acknowledges it, and is an answer nevertheless.
    taken = probe_taken(segment, rev) and rev.probed
    if not (at_next and segment.has_ack and (taken or segment.ack == fwd.last_ack)):
        return False, alive
    # From here on: no data, at "next", the same ACK as in this end's previous segment.
    same = window == fwd.window
    if taken:
        if window or same:
            name = MarkName.WINDOW_UPDATE if window else MarkName.ZERO_WINDOW_PROBE_ACK
            marks.append(Mark(name))
        return False, alive
    if window and not same and not fwd.sack:
        # WINDOW UPDATE: only the window changed (4.4: and there is no SACK).
        marks.append(Mark(MarkName.WINDOW_UPDATE))
    elif window and same and rev.kept_alive:
        # KEEP ALIVE ACK: the other end's latest segment was a keep-alive.
        marks.append(Mark(MarkName.KEEP_ALIVE_ACK))
    elif not window and same and rev.probed:
        # ZERO WINDOW PROBE ACK: it was a window probe, and the window is still zero.
        marks.append(Mark(MarkName.ZERO_WINDOW_PROBE_ACK))
    elif window and not tells_mptcp(segment):
        # DUPLICATE ACK: nothing changed at all (4.4: or it carries SACK).
        fwd.dup_acks += 1
        marks.append(Mark(MarkName.DUPLICATE_ACK, number=fwd.dup_acks, frame=fwd.dup_frame))
    return False, alive


def _acked_unseen(marks: list[Mark], segment: Segment, rev: Flow) -> None:
    """ACK LOST SEGMENT: it acknowledges more than the capture has seen without a gap.

    Each missing piece is reported once: by the first ACK that covers it.
    """
    if rev.next_seq is None:
        return
    if rev.vouched is not None and seqno.le(segment.ack, rev.vouched):
        return
    hole = rev.log.first_hole
    if seqno.gt(segment.ack, rev.next_seq if hole is None else hole):
        marks.append(Mark(MarkName.ACK_LOST_SEGMENT))
        rev.vouched = segment.ack
