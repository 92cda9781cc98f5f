"""What independent programs would say of a connection, followed segment by segment.

Marks and completeness as Wireshark has them, ``conn_state`` and ``history`` as
Zeek has them: three views kept beside our own states, none of which depends on
another.
"""

from __future__ import annotations

from tcpviz.core import seq as seqno
from tcpviz.core.completeness import Completeness
from tcpviz.core.halfconn import End
from tcpviz.core.marks import MarkAnalyzer, Observation
from tcpviz.core.records import Side, Unreachable
from tcpviz.core.segment import Segment
from tcpviz.core.vitals import Vitals
from tcpviz.core.zeek import ZeekView

MAX_ERRORS = 16
"""ICMP errors kept of one connection; the latest ones, since a flood says nothing new."""


class Analysis:
    """One connection's views. ``reused_ports``: its addresses and ports were used before.

    ``errors``  ICMP errors about segments that the connection really sent, at most
                :data:`MAX_ERRORS`; ``error_count`` and ``forged_errors`` count them all

    Checksums are not held against a segment, as with ``zeek -C``: on the machine
    that sends they are often wrong because the network card fills them in. What a
    snapshot length cut off was there, so it is no gap.
    """

    __slots__ = (
        "completeness",
        "error_count",
        "errors",
        "forged_errors",
        "marks",
        "vitals",
        "zeek",
    )

    def __init__(self, *, reused_ports: bool = False) -> None:
        self.completeness = Completeness()
        self.marks = MarkAnalyzer(reused_ports=reused_ports)
        self.zeek = ZeekView(ignore_checksums=True, payload_kept=False)
        self.vitals = Vitals()
        self.errors: tuple[Unreachable, ...] = ()
        self.error_count = 0
        self.forged_errors = 0

    def observe(self, segment: Segment, side: Side) -> Observation | None:
        """Take the next segment, sent by ``side``; returns what there is to say of it."""
        self.completeness.observe(segment, side)
        self.zeek.observe(segment, side)
        self.marks.observe(segment, side)
        self.vitals.observe(segment, side, self.marks.last)
        return self.marks.last

    def take_error(self, error: Unreachable, sender: End) -> None:
        """An ICMP error about a segment of ``sender``.

        It counts only if it quotes a number that is out and not acknowledged, as a
        host must check (RFC 5927 section 4.1): anyone can write an error.
        """
        if sender.snd_nxt is not None:
            low = sender.first_seq if sender.snd_una is None else sender.snd_una
            if low is None or not seqno.within(low, error.seq, sender.snd_nxt):
                self.forged_errors += 1
                return
        self.error_count += 1
        self.errors = (*self.errors[1 - MAX_ERRORS :], error)
