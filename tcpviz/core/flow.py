"""What one end has said so far, as far as judging its next segment needs it."""

from __future__ import annotations

from tcpviz.core import seq as seqno
from tcpviz.core.contents import Contents
from tcpviz.core.segment import ACK, FIN, RST, SYN, Segment
from tcpviz.core.sendlog import SendLog

_SYN_OR_FIN = SYN | FIN
_MPTCP = 30
_MPTCP_DSS = 2


class Flow:
    """What one end has said so far."""

    __slots__ = (
        "contents",
        "dup_acks",
        "dup_frame",
        "flight_known",
        "isn",
        "kept_alive",
        "last_ack",
        "last_ack_ns",
        "log",
        "next_frame",
        "next_ns",
        "next_seq",
        "probe_end",
        "probed",
        "sack",
        "scale",
        "syn_cookie",
        "syn_data",
        "syn_scale",
        "vouched",
        "window",
        "window_bytes",
    )

    def __init__(self) -> None:
        self.isn: int | None = None
        self.next_seq: int | None = None
        self.next_frame = 0
        self.next_ns = 0
        # The other end has acknowledged up to here what the capture missed; reported already.
        self.vouched: int | None = None
        self.last_ack: int | None = None
        self.last_ack_ns = 0
        self.dup_acks = 0
        self.dup_frame = 0
        self.window: int | None = None
        self.window_bytes = 0
        # None: unknown, no SYN of this end was seen, or not all of its options.
        self.scale: int | None = None
        self.syn_scale: int | None = None
        self.kept_alive = False
        self.probed = False
        # Behind the byte of the latest window probe, which does not count as sent yet.
        self.probe_end: int | None = None
        self.sack: tuple[tuple[int, int], ...] = ()
        self.syn_data = False
        self.syn_cookie = False
        self.flight_known = True
        self.log = SendLog()
        self.contents: Contents | None = None


def take_options(segment: Segment, fwd: Flow, rev: Flow) -> None:
    """SACK blocks of this segment; window scales, which hold only if both SYNs offer one."""
    options = segment.options
    fwd.sack = options.sack
    if not int(segment.flags) & SYN:
        return
    offered = options.window_scale
    if offered is None:
        if options.cut:
            return  # it may have offered one: what was not known is not known now
        fwd.scale = rev.scale = 0
        fwd.syn_scale = None
    else:
        fwd.syn_scale = min(offered, 14)
        refused = segment.has_ack and rev.scale == 0 and rev.syn_scale is None
        fwd.scale = 0 if refused else fwd.syn_scale


def seen_before(segment: Segment, fwd: Flow) -> int:
    """How many of its sequence numbers were captured before; holes that it fills are closed."""
    expected = fwd.next_seq
    if expected is None or segment.seq == expected or segment.rst:
        return 0
    if seqno.ge(segment.seq, expected):
        return 0
    old = min(segment.seq_len, seqno.diff(expected, segment.seq))
    return old - fwd.log.fill(segment.seq, segment.seq_end)


def other_data(segment: Segment, fwd: Flow, old: int) -> bool:
    """Whether numbers that were ``seen_before`` (``old``) came with other data; remembers it.

    A segment with a wrong checksum says nothing: its receiver drops it.
    """
    if not segment.payload or segment.rst or segment.checksum_ok is False:
        return False
    if fwd.contents is None:
        fwd.contents = Contents()
    differs = old > 0 and fwd.contents.differs(segment)
    fwd.contents.add(segment)
    return differs


def remember_sent(segment: Segment, fwd: Flow, *, probe: bool, takes_space: bool) -> None:
    """Keep what was sent, for retransmissions, round-trip times and bytes in flight."""
    rst = int(segment.flags) & RST
    end = segment.seq if rst else segment.seq_end
    if takes_space and not rst:
        fwd.log.add(segment.seq, end, segment.frame, segment.time_ns)
    # A window probe does not move "next": its byte is sent again once there is room.
    if probe:
        fwd.probe_end = end
    if not (probe or rst) and (fwd.next_seq is None or seqno.gt(end, fwd.next_seq)):
        fwd.next_seq = end
        fwd.next_frame = segment.frame
        fwd.next_ns = segment.time_ns


def probe_taken(segment: Segment, rev: Flow) -> bool:
    """It acknowledges a window probe's byte: some receivers take it, and then it was sent."""
    end = rev.probe_end
    if end is None or segment.ack != end or not segment.has_ack:
        return False
    rev.probe_end = None
    if rev.next_seq is None or seqno.diff(end, rev.next_seq) != 1:
        return False
    rev.next_seq = end
    return True


def remember_said(segment: Segment, fwd: Flow, *, probe: bool, alive: bool) -> None:
    """Keep what was said: window and ACK, which the next segment repeats or changes."""
    fwd.probed = probe
    fwd.kept_alive = alive
    fwd.window = segment.window
    # The window of a SYN is never scaled (RFC 7323 section 2.2).
    bits = int(segment.flags)
    fwd.window_bytes = segment.window << (0 if bits & SYN else fwd.scale or 0)
    if bits & ACK:
        fwd.last_ack = segment.ack
        fwd.last_ack_ns = segment.time_ns


def bytes_in_flight(segment: Segment, fwd: Flow, rev: Flow) -> int | None:
    """``tcp.analysis.bytes_in_flight``: from the first unacknowledged byte to the last sent.

    Without what was selectively acknowledged. Not known after a gap in the capture.
    """
    if not segment.payload_len or not fwd.flight_known:
        return None
    flight = fwd.log.in_flight()
    if int(segment.flags) & _SYN_OR_FIN:
        flight -= 1
    una = rev.last_ack
    if una is not None and rev.sack:
        flight -= sum(seqno.diff(b, a) for a, b in rev.sack if seqno.ge(a, una) and seqno.gt(b, a))
    return flight if flight > 0 else None


def dsack_of(segment: Segment) -> tuple[int, int] | None:
    """RFC 2883 section 4: the first block lies below the ACK, or within the second block."""
    blocks = segment.options.sack
    return blocks[0] if segment.has_ack and tells_double(blocks, segment.ack) else None


def tells_double(blocks: tuple[tuple[int, int], ...], ack: int) -> bool:
    """Whether the first of these SACK blocks, said with ``ack``, is a D-SACK."""
    if not blocks:
        return False
    left, right = blocks[0]
    if seqno.le(right, ack):
        return True
    return len(blocks) > 1 and seqno.le(blocks[1][0], left) and seqno.le(right, blocks[1][1])


def tells_mptcp(segment: Segment) -> bool:
    """An MPTCP option other than DSS: such an ACK repeats nothing (RFC 8684 section 3.3.2)."""
    return any(
        kind == _MPTCP and data and data[0] >> 4 != _MPTCP_DSS
        for kind, data in segment.options.unknown
    )
