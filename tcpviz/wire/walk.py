"""The way through one frame's headers: where we are, what is left, and why we stop.

Every header is a *step*: a function that is handed the :class:`Walk` and the
offset where its header begins, and says which :class:`Layer` comes next and
where, or gives the :class:`~tcpviz.core.segment.Segment` it arrived at, or a
:class:`Skip` with the reason why there is none. The loop that takes the steps
is in :mod:`tcpviz.wire.decoder`; it counts them, so headers nested without end
come to one.

Three lengths matter and are never mixed up: what was *captured* (``len(data)``),
what the frame had *on the wire*, and what each header *says* of what is inside.
A step narrows ``end`` to what its header says; ``limit`` is how far bytes can be
read. Nothing here raises on any bytes.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

from tcpviz.core.records import Unreachable
from tcpviz.core.segment import Segment


class Layer(enum.Enum):
    """Headers that a step exists for; the decoder's table has one step for each."""

    ETHERNET = enum.auto()
    VLAN = enum.auto()
    BACKBONE = enum.auto()
    MPLS = enum.auto()
    LLC = enum.auto()
    PPPOE = enum.auto()
    PPP = enum.auto()
    PPP_WITH_DIRECTION = enum.auto()
    CISCO_HDLC = enum.auto()
    LOOPBACK = enum.auto()
    COOKED = enum.auto()
    COOKED2 = enum.auto()
    FDDI = enum.auto()
    WLAN = enum.auto()
    RADIOTAP = enum.auto()
    NFLOG = enum.auto()
    IP = enum.auto()
    IPV4 = enum.auto()
    IPV6 = enum.auto()
    AUTHENTICATION = enum.auto()
    UDP = enum.auto()
    GRE = enum.auto()
    ETHER_IP = enum.auto()
    VXLAN = enum.auto()
    VXLAN_GPE = enum.auto()
    GENEVE = enum.auto()
    GTP = enum.auto()
    L2TP = enum.auto()
    TEREDO = enum.auto()
    TZSP = enum.auto()
    ERSPAN_2 = enum.auto()
    ERSPAN_3 = enum.auto()
    TCP = enum.auto()
    ICMP = enum.auto()
    ICMP6 = enum.auto()


class Kind(enum.Enum):
    """Why a frame gave no segment.

    ``OTHER``     it is something else than TCP, or in a form that is not read here
    ``CUT``       the snapshot ends before the TCP header does
    ``MALFORMED`` its headers contradict themselves or the frame's length
    """

    OTHER = "other"
    CUT = "cut"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Skip:
    """A frame without a segment: the reason as the person reads it, and its kind."""

    reason: str
    kind: Kind = Kind.OTHER


def malformed(reason: str) -> Skip:
    """A skip whose frame is wrong rather than merely not TCP."""
    return Skip(reason, Kind.MALFORMED)


Next: TypeAlias = tuple[Layer, int] | Segment | Skip

MAX_MORE = 64
"""Aggregated frames that one frame may hold beside its first (an 802.11 A-MSDU)."""


class Walk:
    """One frame on its way through the steps.

    ``data``     the bytes being read (another buffer after reassembly)
    ``end``      offset in ``data`` where the innermost header read so far says that
                 its content ends; may lie beyond what was captured
    ``limit``    offset up to which bytes of that content are there
    ``scope``    VLANs and tunnels passed, outermost first
    ``src``, ``dst`` ...  of the innermost IP header, network byte order
    ``ip_at``    where the innermost IP header begins: below 0 where it is no more in ``data``
    ``checksum_sure``  false where an IP option or extension header may have replaced
                 an address of the pseudo-header, so that a mismatch proves nothing
    ``more``     further frames within this one, as walks and where they begin
    ``errors``   ICMP errors about TCP segments that were found on the way
    """

    __slots__ = (
        "checksum_sure",
        "data",
        "dst",
        "ecn",
        "end",
        "errors",
        "interface",
        "ip_at",
        "ip_id",
        "limit",
        "more",
        "number",
        "scope",
        "src",
        "time_ns",
        "ttl",
    )

    def __init__(
        self, data: bytes, wire_len: int, time_ns: int = 0, number: int = 0, interface: int = 0
    ) -> None:
        self.data = data
        self.limit = len(data)
        self.end = max(wire_len, self.limit)
        self.time_ns = time_ns
        self.number = number
        self.interface = interface
        self.scope: tuple[str, ...] = ()
        self.src = b""
        self.dst = b""
        self.ttl = 0
        self.ip_at = 0
        self.ip_id: int | None = None
        self.ecn = 0
        self.checksum_sure = True
        self.more: list[tuple[Walk, Layer, int]] = []
        self.errors: list[Unreachable] = []

    def narrow(self, end: int) -> None:
        """A header says that its content ends at ``end``; it cannot reach past its parent's."""
        if end < self.end:
            self.end = end
            if end < self.limit:
                self.limit = end

    def enter(self, name: str) -> None:
        """Into a VLAN or tunnel: part of the flow's key from here on."""
        self.scope = (*self.scope, name)

    def short(self, what: str, offset: int, need: int) -> Skip:
        """The skip for ``need`` bytes of ``what`` not being there: cut, or never sent."""
        if offset + need > self.end:
            return malformed(f"{what} truncated")
        return Skip(f"{what} cut by the snapshot", Kind.CUT)

    def fork(self, layer: Layer, offset: int, end: int) -> None:
        """Another frame within this one, from ``offset`` to ``end``, to be read after it."""
        other = Walk(self.data, 0, self.time_ns, self.number, self.interface)
        other.end = end
        other.limit = min(self.limit, end)
        other.scope = self.scope
        other.more = self.more
        other.errors = self.errors
        self.more.append((other, layer, offset))
