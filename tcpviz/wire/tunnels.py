"""Tunnels: one packet inside another, looked through to the TCP that a person cares about.

GRE (RFC 2784, 2890, PPTP's RFC 2637), Ethernet in IP (RFC 3378), VXLAN
(RFC 7348) and its generic extension, Geneve (RFC 8926), GTP-U (3GPP TS
29.281), L2TP (RFC 2661), Teredo (RFC 4380), and the mirrors that switches and
access points send: ERSPAN (draft-foschiano-erspan) and TZSP. UDP itself is only
a way to them.

A tunnel's name and its id join the flow's key, unless the id belongs to one
direction only (GTP's, L2TP's and PPTP's do): then the name alone.
"""

from __future__ import annotations

from struct import Struct

from tcpviz.wire.numbers import by_ethertype
from tcpviz.wire.walk import Layer, Next, Skip, Walk, malformed

_U16 = Struct("!H").unpack_from
_PAIR = Struct("!HH").unpack_from
_U32 = Struct("!I").unpack_from

UDP = Skip("UDP")

PORTS = {
    4789: Layer.VXLAN,
    8472: Layer.VXLAN,  # Linux's own default, and Flannel's
    4790: Layer.VXLAN_GPE,
    6081: Layer.GENEVE,
    2152: Layer.GTP,
}
EITHER_PORT = {
    1701: Layer.L2TP,
    3544: Layer.TEREDO,
    37008: Layer.TZSP,
}

TUNNEL_PORTS = frozenset((*PORTS, *EITHER_PORT))
"""UDP ports that may be those of a tunnel; all other UDP is skipped."""


def udp(walk: Walk, offset: int) -> Next:
    """UDP: only the ports of tunnels are followed. Encapsulators choose the source at random."""
    if offset + 4 > walk.limit:
        return UDP
    source, destination = _PAIR(walk.data, offset)
    layer = PORTS.get(destination) or EITHER_PORT.get(destination) or EITHER_PORT.get(source)
    if layer is None or offset + 8 > walk.limit:
        return UDP
    return layer, offset + 8


_GRE_CHECKSUM, _GRE_ROUTING, _GRE_KEY, _GRE_SEQUENCE = 0x8000, 0x4000, 0x2000, 0x1000
_GRE_PPTP_ACK = 0x0080
_GRE_PPP, _GRE_WCCP = 0x880B, 0x883E
_GRE_ERSPAN, _GRE_ERSPAN_3 = 0x88BE, 0x22EB
# Aruba's access points carry 802.11 frames under these (Wireshark's packet-gre.h, GRE_ARUBA_*).
GRE_ARUBA = frozenset((*range(0x8200, 0x8371, 0x10), 0x9000))


def gre(walk: Walk, offset: int) -> Next:
    """GRE, with checksum, key and sequence number; version 1 is PPTP's."""
    data = walk.data
    if offset + 4 > walk.limit:
        return walk.short("GRE header", offset, 4)
    flags, protocol = _PAIR(data, offset)
    version = flags & 7
    if version > 1:
        return malformed(f"GRE version {version}")
    if flags & _GRE_ROUTING:
        return Skip("GRE with source routing")
    inside = offset + 4
    if flags & _GRE_CHECKSUM:
        inside += 4
    key = inside
    if flags & _GRE_KEY:
        inside += 4
    if flags & _GRE_SEQUENCE:
        inside += 4
    if version == 1 and flags & _GRE_PPTP_ACK:
        inside += 4
    if inside > walk.limit:
        return walk.short("GRE header", offset, inside - offset)
    if version == 1:
        if not flags & _GRE_SEQUENCE:
            return Skip("PPTP acknowledgement")
        walk.enter("pptp")
        return Layer.PPP, inside
    if protocol == _GRE_ERSPAN:
        # Type I has no header of its own, and no sequence number in GRE's.
        if flags & _GRE_SEQUENCE:
            return Layer.ERSPAN_2, inside
        walk.enter("erspan")
        return Layer.ETHERNET, inside
    if protocol == _GRE_ERSPAN_3:
        return Layer.ERSPAN_3, inside
    walk.enter(f"gre {_U32(data, key)[0]}" if flags & _GRE_KEY else "gre")
    if protocol in GRE_ARUBA:
        return Layer.WLAN, inside
    if protocol == _GRE_WCCP:
        # WCCP version 2 puts four bytes before the packet, version 1 does not (as Linux tells).
        if inside + 1 <= walk.limit and data[inside] >> 4 != 4:
            inside += 4
        return Layer.IPV4, inside
    if protocol < 0x0600:
        return Skip(f"GRE protocol 0x{protocol:04x}")
    return by_ethertype(walk, protocol, inside)


def erspan2(walk: Walk, offset: int) -> Next:
    """ERSPAN type II: eight bytes with the session's id, then the mirrored frame."""
    if offset + 8 > walk.limit:
        return walk.short("ERSPAN header", offset, 8)
    walk.enter(f"erspan {_U16(walk.data, offset + 2)[0] & 0x3FF}")
    return Layer.ETHERNET, offset + 8


def erspan3(walk: Walk, offset: int) -> Next:
    """ERSPAN type III: twelve bytes, eight more where its last bit says so."""
    if offset + 12 > walk.limit:
        return walk.short("ERSPAN header", offset, 12)
    walk.enter(f"erspan {_U16(walk.data, offset + 2)[0] & 0x3FF}")
    return Layer.ETHERNET, offset + (20 if walk.data[offset + 11] & 1 else 12)


def ether_ip(walk: Walk, offset: int) -> Next:
    """Ethernet in IP: two bytes, of which four bits are the version, 3."""
    if offset + 2 > walk.limit:
        return walk.short("EtherIP header", offset, 2)
    if walk.data[offset] >> 4 != 3:
        return malformed("EtherIP version is not 3")
    walk.enter("etherip")
    return Layer.ETHERNET, offset + 2


def vxlan(walk: Walk, offset: int) -> Next:
    """VXLAN: flags of which I says that the network's id is there, then Ethernet."""
    if offset + 8 > walk.limit or not walk.data[offset] & 0x08:
        return UDP
    walk.enter(f"vxlan {_U32(walk.data, offset + 4)[0] >> 8}")
    return Layer.ETHERNET, offset + 8


_GPE_PROTOCOLS = {1: Layer.IPV4, 2: Layer.IPV6, 3: Layer.ETHERNET, 5: Layer.MPLS}


def vxlan_gpe(walk: Walk, offset: int) -> Next:
    """VXLAN's generic protocol extension: P says that the next protocol is named."""
    data = walk.data
    if offset + 8 > walk.limit or not data[offset] & 0x08:
        return UDP
    layer = _GPE_PROTOCOLS.get(data[offset + 3]) if data[offset] & 0x04 else Layer.ETHERNET
    if layer is None:
        return Skip(f"VXLAN-GPE protocol {data[offset + 3]}")
    walk.enter(f"vxlan {_U32(data, offset + 4)[0] >> 8}")
    return layer, offset + 8


def geneve(walk: Walk, offset: int) -> Next:
    """Geneve: version 0, options of a length it tells, an EtherType, the network's id."""
    data = walk.data
    if offset + 8 > walk.limit or data[offset] >> 6:
        return UDP
    inside = offset + 8 + (data[offset] & 0x3F) * 4
    if inside > walk.limit:
        return walk.short("Geneve header", offset, inside - offset)
    protocol = _U16(data, offset + 2)[0]
    if protocol < 0x0600:
        return Skip(f"Geneve protocol 0x{protocol:04x}")
    walk.enter(f"geneve {_U32(data, offset + 4)[0] >> 8}")
    return by_ethertype(walk, protocol, inside)


_GTP_DATA = 255
_GTP_EXTENSION, _GTP_OPTIONAL = 0x04, 0x07


def gtp(walk: Walk, offset: int) -> Next:
    """GTP-U: version 1, message 255 carries a user's packet; extension headers before it."""
    data = walk.data
    if offset + 8 > walk.limit or data[offset] & 0xF0 != 0x30:
        return UDP
    if data[offset + 1] != _GTP_DATA:
        return Skip("GTP-U signalling")
    inside = offset + 8
    if data[offset] & _GTP_OPTIONAL:
        inside += 4
        following = data[inside - 1] if inside <= walk.limit else 0
        if not data[offset] & _GTP_EXTENSION:
            following = 0
        while following:
            size = data[inside] * 4 if inside < walk.limit else 0
            if inside + max(size, 4) > walk.limit:
                return walk.short("GTP-U extension header", inside, max(size, 4))
            if not size:
                return malformed("GTP-U extension header of length 0")
            inside += size
            following = data[inside - 1]
    if inside + 1 > walk.limit:
        return walk.short("GTP-U payload", inside, 1)
    if data[inside] >> 4 not in (4, 6):
        return Skip("GTP-U without an IP packet")
    walk.enter("gtp")
    return Layer.IP, inside


def l2tp(walk: Walk, offset: int) -> Next:
    """L2TP version 2: data messages carry PPP behind optional fields."""
    data = walk.data
    if offset + 6 > walk.limit:
        return UDP
    flags = _U16(data, offset)[0]
    if flags & 0x0F != 2:
        return UDP
    if flags & 0x8000:
        return Skip("L2TP control")
    inside = offset + 6
    if flags & 0x4000:
        inside += 2
    if flags & 0x0800:
        inside += 4
    if flags & 0x0200:
        if inside + 2 > walk.limit:
            return walk.short("L2TP header", inside, 2)
        inside += 2 + _U16(data, inside)[0]
    if inside > walk.limit:
        return walk.short("L2TP header", offset, inside - offset)
    walk.enter("l2tp")
    return Layer.PPP, inside


def teredo(walk: Walk, offset: int) -> Next:
    """Teredo: IPv6 in UDP, perhaps behind an origin indication of eight bytes."""
    data = walk.data
    if offset + 8 <= walk.limit and data[offset : offset + 2] == b"\0\0":
        offset += 8
    if offset + 1 > walk.limit or data[offset] >> 4 != 6:
        return UDP
    walk.enter("teredo")
    return Layer.IPV6, offset


_TZSP_PROTOCOLS = {1: Layer.ETHERNET, 18: Layer.WLAN, 127: Layer.RADIOTAP}


def tzsp(walk: Walk, offset: int) -> Next:
    """TZSP, how access points and MikroTik routers mirror frames: tags, then the frame."""
    data = walk.data
    if offset + 5 > walk.limit or data[offset] != 1 or data[offset + 1] > 1:
        return UDP
    layer = _TZSP_PROTOCOLS.get(_U16(data, offset + 2)[0])
    if layer is None:
        return UDP
    offset += 4
    while offset < walk.limit:
        tag = data[offset]
        offset += 1
        if tag == 1:
            walk.enter("tzsp")
            return layer, offset
        if tag and offset < walk.limit:
            offset += 1 + data[offset]
    return walk.short("TZSP tags", offset, 1)
