"""Segments: what one TCP header says, who sent it, and when it was seen.

A :class:`Segment` is a fact read from a packet; nothing in it is an opinion.
Times are integer nanoseconds since the epoch of whoever captured it.
"""

from __future__ import annotations

import enum
from typing import NamedTuple

from tcpviz.core import seq as seqno
from tcpviz.core.facts import dataclass, field


class Flags(enum.IntFlag):
    """The control bits of RFC 9293 section 3.1 (AE is RFC 3168/9768's ninth bit)."""

    FIN = 0x001
    SYN = 0x002
    RST = 0x004
    PSH = 0x008
    ACK = 0x010
    URG = 0x020
    ECE = 0x040
    CWR = 0x080
    AE = 0x100

    def names(self) -> str:
        """The set bits in the order people say them: ``SYN,ACK``; ``none`` when empty."""
        named = [flag.name or "" for flag in _SPOKEN_ORDER if self & flag]
        return ",".join(named) or "none"


FIN, SYN, RST, PSH, ACK = (
    int(flag) for flag in (Flags.FIN, Flags.SYN, Flags.RST, Flags.PSH, Flags.ACK)
)
"""Some as plain numbers: what is done with a flag is a call of Python, many times a segment."""

ECN = int(Flags.AE | Flags.CWR | Flags.ECE)
"""The flags of ECN (RFC 3168 section 6.1, RFC 9768 section 3.1)."""

_SPOKEN_ORDER = (
    Flags.SYN,
    Flags.FIN,
    Flags.RST,
    Flags.PSH,
    Flags.URG,
    Flags.ECE,
    Flags.CWR,
    Flags.AE,
    Flags.ACK,
)


# These two are looked up by and compared for every segment: tuples do so without a call.


class Endpoint(NamedTuple):
    """An IP address as text and a port."""

    addr: str
    port: int

    def __str__(self) -> str:
        """``10.0.0.1:80`` or ``[2001:db8::1]:80``."""
        return f"[{self.addr}]:{self.port}" if ":" in self.addr else f"{self.addr}:{self.port}"


class FlowKey(NamedTuple):
    """A four-tuple without direction, plus the VLANs or tunnels it was seen in."""

    low: Endpoint
    high: Endpoint
    scope: tuple[str, ...] = ()

    @classmethod
    def of(cls, src: Endpoint, dst: Endpoint, scope: tuple[str, ...] = ()) -> FlowKey:
        """The same key for either direction."""
        return cls(src, dst, scope) if src <= dst else cls(dst, src, scope)


def scope_text(scope: tuple[str, ...]) -> str:
    """A scope in words: the VLANs and tunnels, outermost first."""
    return ", ".join(scope)


@dataclass(frozen=True, slots=True)
class Options:
    """TCP options as decoded; ``None`` means that the option was absent.

    ``mss`` in bytes, ``window_scale`` as the shift count, ``sack`` as
    ``(left, right)`` absolute sequence numbers, ``timestamps`` as
    ``(TSval, TSecr)``, ``fast_open`` as the cookie (empty: a request for one),
    ``unknown`` as ``(kind, data)`` in order of appearance. ``malformed`` is
    true where the option list could not be read to its end. ``cut``: the
    capture ends before the list does, so that what is absent may have been there.
    """

    mss: int | None = None
    window_scale: int | None = None
    sack_permitted: bool = False
    sack: tuple[tuple[int, int], ...] = ()
    timestamps: tuple[int, int] | None = None
    fast_open: bytes | None = None
    unknown: tuple[tuple[int, bytes], ...] = ()
    malformed: bool = False
    cut: bool = False


NO_OPTIONS = Options()


@dataclass(frozen=True, slots=True)
class Segment:
    """One TCP segment.

    ``time_ns``      when it was seen (for the lab: when it left its sender)
    ``seq``, ``ack`` absolute, as in the header (``ack`` is meaningless without ACK)
    ``window``       as in the header, unscaled
    ``payload_len``  bytes of data by the IP header's lengths, captured or not
    ``payload``      the data as far as it was captured; may be shorter
    ``frame``        number of the frame in its source, from 1
    ``scope``        VLAN tags and tunnels, outermost first (part of the flow's key)
    ``checksum_ok``  ``None`` when it was not checked or cannot be
    ``inferred``     true where no packet was captured and the kernel's states imply it
    ``header_len``   bytes of the TCP header with its options (data offset times 4); 0: not known
    ``checksum``     as in the header; ``None``: not known
    ``ip_len``       bytes of the IP packet by its own header; 0: not known
    """

    time_ns: int
    src: Endpoint
    dst: Endpoint
    seq: int
    ack: int
    flags: Flags
    window: int
    payload_len: int = 0
    options: Options = NO_OPTIONS
    payload: bytes = field(default=b"", repr=False)
    urgent: int = 0
    frame: int = 0
    scope: tuple[str, ...] = ()
    ttl: int | None = None
    ip_id: int | None = None
    ecn: int = 0
    reserved: int = 0
    interface: int = 0
    checksum_ok: bool | None = None
    inferred: bool = False
    header_len: int = 0
    checksum: int | None = None
    ip_len: int = 0

    @property
    def key(self) -> FlowKey:
        """The connection's key, the same for both directions."""
        return FlowKey.of(self.src, self.dst, self.scope)

    @property
    def seq_len(self) -> int:
        """Sequence space it occupies: data, plus one each for SYN and FIN (SEG.LEN)."""
        flags = int(self.flags)
        return self.payload_len + ((flags >> 1) & 1) + (flags & 1)

    @property
    def seq_end(self) -> int:
        """The sequence number after its last one: what a complete ACK of it carries."""
        flags = int(self.flags)
        return (self.seq + self.payload_len + (flags >> 1 & 1) + (flags & 1)) & seqno.MASK

    # int(flags): IntFlag's own & is twenty times as slow, and these are asked for every segment.

    @property
    def syn(self) -> bool:
        return int(self.flags) & 0x02 != 0

    @property
    def fin(self) -> bool:
        return int(self.flags) & 0x01 != 0

    @property
    def rst(self) -> bool:
        return int(self.flags) & 0x04 != 0

    @property
    def has_ack(self) -> bool:
        return int(self.flags) & 0x10 != 0
