"""As much of a frame as the cable must know: TCP or not, whose ports, which flags.

The parent decodes what is shown (:mod:`tcpviz.wire`); this only has to tell the
scenario's frames from noise and to find the one that a script wants held or
dropped, in a child that must start fast.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from tcpviz.core.segment import Endpoint, Flags

ETH_P_IP = 0x0800
ETH_P_IPV6 = 0x86DD


_DECISIVE = Flags.SYN | Flags.FIN | Flags.RST


@dataclass(frozen=True, slots=True)
class Glance:
    """A TCP segment at a glance; ``tcp_at`` and ``data_at`` are offsets in its frame."""

    src: Endpoint
    dst: Endpoint
    flags: Flags
    payload_len: int
    seq: int = 0
    tcp_at: int = 0
    data_at: int = 0

    @property
    def seq_end(self) -> int:
        """The sequence number after its last one."""
        syn, fin = bool(self.flags & Flags.SYN), bool(self.flags & Flags.FIN)
        return (self.seq + self.payload_len + syn + fin) & 0xFFFFFFFF

    def repeats(self, other: Glance) -> bool:
        """Everything in this one was in ``other`` already: a retransmission of it, or a part."""
        size = (self.seq_end - self.seq) & 0xFFFFFFFF
        room = (other.seq_end - other.seq) & 0xFFFFFFFF
        start = (self.seq - other.seq) & 0xFFFFFFFF
        decisive = _DECISIVE & (self.flags ^ other.flags)
        same = (self.src, self.dst) == (other.src, other.dst)
        return same and not decisive and size > 0 and start + size <= room

    def __str__(self) -> str:
        data = f" with {self.payload_len} bytes" if self.payload_len else ""
        return f"{self.flags.names()}{data}"


def glance(frame: bytes) -> Glance | None:
    """``None`` for anything but unfragmented TCP over IPv4 or plain IPv6 in Ethernet."""
    if len(frame) < 34:
        return None
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == ETH_P_IP:
        words = (frame[14] & 15) * 4
        total, fragment = struct.unpack_from("!HxxH", frame, 16)
        if frame[23] != socket.IPPROTO_TCP or fragment & 0x3FFF:
            return None
        tcp, length = 14 + words, total - words
        family, low, size = socket.AF_INET, 26, 4
    elif kind == ETH_P_IPV6 and len(frame) >= 54:
        if frame[20] != socket.IPPROTO_TCP:
            return None
        (length,) = struct.unpack_from("!H", frame, 18)
        tcp = 54
        family, low, size = socket.AF_INET6, 22, 16
    else:
        return None
    if len(frame) < tcp + 20:
        return None
    sport, dport = struct.unpack_from("!HH", frame, tcp)
    (seq,) = struct.unpack_from("!I", frame, tcp + 4)
    header = (frame[tcp + 12] >> 4) * 4
    flags = ((frame[tcp + 12] & 1) << 8) | frame[tcp + 13]
    return Glance(
        Endpoint(socket.inet_ntop(family, frame[low : low + size]), sport),
        Endpoint(socket.inet_ntop(family, frame[low + size : low + 2 * size]), dport),
        Flags(flags),
        max(0, length - header),
        seq,
        tcp,
        tcp + header,
    )


_NAMED = {"SYN": Flags.SYN, "FIN": Flags.FIN, "RST": Flags.RST, "ACK": Flags.ACK}


@dataclass(frozen=True, slots=True)
class Pattern:
    """Which segments a script means: ``SYN``, ``SYN,ACK``, ``FIN``, ``ACK``, ``data``, ``any``.

    SYN, FIN and RST must be as named; ACK must be there where it is named, and
    must be absent where ``SYN`` stands alone. ``ACK`` alone means one without
    data; ``data`` one with.
    """

    words: str

    @classmethod
    def of(cls, words: str) -> Pattern:
        """Check the words; raises ValueError with what is allowed."""
        for word in words.upper().split(","):
            if word.strip() not in {*_NAMED, "DATA", "ANY"}:
                raise ValueError(f"{word.strip()!r} is none of SYN, ACK, FIN, RST, data, any")
        return cls(",".join(word.strip() for word in words.upper().split(",")))

    def fits(self, seen: Glance) -> bool:
        words = self.words.split(",")
        if "ANY" in words:
            return True
        wanted = Flags(0)
        for word in words:
            wanted |= _NAMED.get(word, Flags(0))
        if seen.flags & _DECISIVE != wanted & _DECISIVE:
            return False
        if wanted & Flags.ACK and not seen.flags & Flags.ACK:
            return False
        if wanted == Flags.SYN and seen.flags & Flags.ACK:
            return False
        if "DATA" in words:
            return seen.payload_len > 0
        return wanted != Flags.ACK or seen.payload_len == 0
