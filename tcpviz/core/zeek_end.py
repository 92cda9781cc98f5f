"""One end of a connection as Zeek follows it: its state and its numbers.

``src/packet_analysis/protocol/tcp/TCP_Endpoint.{h,cc}`` (Zeek 7).
"""

from __future__ import annotations

import enum

from tcpviz.core import seq as seqno
from tcpviz.core.zeek_gaps import Gaps

MASK64 = (1 << 64) - 1
MASK32, HALF32 = seqno.MASK, seqno.HALF


class ZeekState(enum.Enum):
    """What Zeek knows of one end (``TCP_Endpoint.h``)."""

    INACTIVE = "inactive"
    SYN_SENT = "syn sent"
    SYN_ACK_SENT = "syn-ack sent"
    PARTIAL = "partial"
    ESTABLISHED = "established"
    CLOSED = "closed"
    RESET = "reset"


OPENING = (ZeekState.SYN_SENT, ZeekState.SYN_ACK_SENT)


class End:
    """One end as Zeek follows it; ``is_orig`` changes when the ends are swapped."""

    __slots__ = (
        "_gaps",
        "ack_seq",
        "ack_wraps",
        "fin_count",
        "fin_seq",
        "gap_count",
        "ip_bytes",
        "is_orig",
        "last_fin",
        "last_rst",
        "last_seq",
        "last_syn",
        "missed",
        "packets",
        "previous",
        "retransmitted",
        "seq_wraps",
        "start_seq",
        "state",
        "wrong_checksums",
        "zero_windows",
    )

    def __init__(self, *, is_orig: bool) -> None:
        self.is_orig = is_orig
        self.state = ZeekState.INACTIVE
        self.previous = ZeekState.INACTIVE
        self.start_seq = self.last_seq = self.ack_seq = 0
        self.seq_wraps = self.ack_wraps = 0
        self.fin_count = self.fin_seq = 0
        self.last_syn = self.last_fin = self.last_rst = 0
        self.retransmitted = self.zero_windows = self.gap_count = self.wrong_checksums = 0
        # Every packet, the length in its IP header, and bytes that nobody saw.
        self.packets = self.ip_bytes = self.missed = 0
        self._gaps: Gaps | None = None

    @property
    def gaps(self) -> Gaps:
        """Made when first asked for: of a million unanswered SYNs nobody asks."""
        if self._gaps is None:
            self._gaps = Gaps()
        return self._gaps

    def move(self, state: ZeekState) -> None:
        if state is not self.state:
            self.previous, self.state = self.state, state

    def restart(self, start: int, last: int) -> None:
        self.start_seq = self.ack_seq = start
        self.last_seq = last

    @property
    def clean(self) -> bool:
        """Opened in full and not reset: only then are gaps believed."""
        return self.state is ZeekState.ESTABLISHED or (
            self.state is ZeekState.CLOSED and self.previous is ZeekState.ESTABLISHED
        )

    @property
    def did_close(self) -> bool:
        """It has sent a FIN or a reset that counted."""
        return self.state is ZeekState.CLOSED or self.state is ZeekState.RESET

    @property
    def nothing_acked(self) -> bool:
        return (self.ack_seq - self.start_seq) & MASK32 <= 1

    def relative(self, number: int, last: int, wraps: int) -> int:
        """``number`` counted from the first one, told from ``last``, which has wrapped so often."""
        if number != last:
            ahead = (number - last) & MASK32
            if ahead < HALF32:
                wraps += number < last
            elif wraps and number > last:
                wraps -= 1
        if not wraps:
            return ((number - self.start_seq + HALF32) & MASK32) - HALF32
        return (wraps << 32) + number - self.start_seq

    def size(self, peer: End) -> int:
        """Bytes of payload by sequence numbers, as Zeek counts them."""
        if (
            self.previous is ZeekState.SYN_SENT
            and self.state is ZeekState.RESET
            and peer.state is ZeekState.INACTIVE
            and not self.nothing_acked
        ):
            return 0
        furthest = max(
            (self.seq_wraps << 32) + self.last_seq, (self.ack_wraps << 32) + self.ack_seq
        )
        size = (furthest - self.start_seq) & MASK64
        if size:
            size -= 1
        if self.fin_count and size:
            size -= 1
        return size
