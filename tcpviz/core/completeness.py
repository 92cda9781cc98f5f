"""How much of a connection's life was seen, as Wireshark's ``tcp.completeness`` counts it."""

from __future__ import annotations

import enum

from tcpviz.core.records import Side
from tcpviz.core.segment import ACK, FIN, RST, SYN, Segment


class Seen(enum.IntFlag):
    """Bits of ``tcp.completeness`` (Wireshark, ``epan/dissectors/packet-tcp.c``)."""

    SYN = 1
    SYN_ACK = 2
    ACK = 4
    DATA = 8
    FIN = 16
    RST = 32


# Plain integers: an operation on flags makes a new member, ten times as slow.
_SYN_ACK = SYN | ACK
_FIN_ACK = FIN | ACK
_SAW_SYN, _SAW_SYN_ACK, _SAW_ACK = int(Seen.SYN), int(Seen.SYN_ACK), int(Seen.ACK)
_SAW_DATA, _SAW_FIN, _SAW_RST = int(Seen.DATA), int(Seen.FIN), int(Seen.RST)


class Completeness:
    """Collects the bits of one connection; a new one for every connection.

    The rules are Wireshark's, with these particulars:

    * SYN counts only as the connection's first segment. A SYN captured after
      its SYN-ACK (two interfaces, reordering) therefore does not count.
    * ACK is any segment with ACK, without SYN and without data: also the
      FIN,ACK and the RST,ACK. A refused connection is 37: SYN, ACK, RST.
    * DATA is data in a segment with ACK and without SYN, or in the SYN that
      begins the connection (TCP Fast Open); data in a SYN-ACK does not count.
    * A FIN without ACK does not count; any RST does.
    * The first segment of a mid-stream connection counts like any other: so do
      tshark 4.4, and 4.0 in its second pass (whose displayed value lags one
      segment behind, so that there a single segment shows 0).
    """

    __slots__ = ("_begun", "_value")

    def __init__(self) -> None:
        self._begun = False
        self._value = 0

    @property
    def value(self) -> int:
        """The bits so far, 0 to 63."""
        return self._value

    def note(self, *, data: bool, ack: bool) -> None:
        """Segments with ACK and without SYN, FIN and RST, with ``data`` and without (``ack``)."""
        self._value |= (_SAW_DATA if data else 0) | (_SAW_ACK if ack else 0)

    def observe(self, segment: Segment, side: Side) -> None:  # noqa: ARG002
        """Count one segment, whoever sent it."""
        flags = int(segment.flags)
        opening = flags & _SYN_ACK
        bits = 0
        if opening == ACK:
            bits = _SAW_DATA if segment.payload_len else _SAW_ACK
        elif opening == _SYN_ACK:
            bits = _SAW_SYN_ACK
        elif opening == SYN and not self._begun:
            bits = _SAW_SYN | (_SAW_DATA if segment.payload_len else 0)
        if flags & _FIN_ACK == _FIN_ACK:
            bits |= _SAW_FIN
        if flags & RST:
            bits |= _SAW_RST
        self._begun = True
        self._value |= bits
