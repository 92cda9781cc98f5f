"""Link layers: from the first byte of a frame to its IP header.

Layouts are those of tcpdump.org's LINKTYPE_ registry (https://www.tcpdump.org/linktypes.html),
IEEE 802.1Q, 802.1ad, 802.2, RFC 3032 (MPLS), RFC 4385 (pseudowire control
word), RFC 2516 (PPPoE) and RFC 1661/1662 (PPP).
"""

from __future__ import annotations

from struct import Struct

from tcpviz.wire.numbers import ETHERTYPES, by_ethertype, by_ppp
from tcpviz.wire.walk import Layer, Next, Skip, Walk, malformed

_U16 = Struct("!H").unpack_from
_TAG = Struct("!HH").unpack_from
_TAG_LITTLE = Struct("<HH").unpack_from
_U32 = Struct("!I").unpack_from
_U32_LITTLE = Struct("<I").unpack_from

MAX_LABELS = 16
"""MPLS labels on one packet that are followed; networks stack three or four."""

_SPANNING_TREE = Skip("spanning tree (802.2 LLC)")
_NO_BOTTOM = malformed(f"MPLS stack of more than {MAX_LABELS} labels")
_PSEUDOWIRE = Skip("MPLS pseudowire that does not carry Ethernet")


def ethernet(walk: Walk, offset: int) -> Next:
    """Two addresses and an EtherType, or an 802.3 length and LLC."""
    if offset + 14 > walk.limit:
        return walk.short("Ethernet header", offset, 14)
    return by_ethertype(walk, _U16(walk.data, offset + 12)[0], offset + 14)


def vlan(walk: Walk, offset: int) -> Next:
    """A VLAN tag after its TPID: priority and id, then the next EtherType.

    Id 0 is a priority without a VLAN (802.1Q 9.6), so it is no part of the key:
    often only one direction has it.
    """
    if offset + 4 > walk.limit:
        return walk.short("VLAN tag", offset, 4)
    control, ethertype = _TAG(walk.data, offset)
    if control & 0x0FFF:
        walk.enter(f"vlan {control & 0x0FFF}")
    return by_ethertype(walk, ethertype, offset + 4)


def backbone(walk: Walk, offset: int) -> Next:
    """A provider backbone bridge's I-tag (802.1ah): service id, then a customer's frame."""
    if offset + 4 > walk.limit:
        return walk.short("802.1ah tag", offset, 4)
    walk.enter(f"pbb {_U32(walk.data, offset)[0] & 0xFFFFFF}")
    return Layer.ETHERNET, offset + 4


def mpls(walk: Walk, offset: int) -> Next:
    """A label stack, then what its first bits look like: IPv4, IPv6, or Ethernet.

    Labels are given per direction, so they are no part of the flow's key.
    """
    data = walk.data
    for _ in range(MAX_LABELS):
        if offset + 4 > walk.limit:
            return walk.short("MPLS label", offset, 4)
        bottom = data[offset + 2] & 1
        offset += 4
        if bottom:
            break
    else:
        return _NO_BOTTOM
    if offset + 1 > walk.limit:
        return walk.short("MPLS payload", offset, 1)
    nibble = data[offset] >> 4
    if nibble == 4 or nibble == 6:
        return Layer.IP, offset
    # A pseudowire: RFC 4385's control word starts with a zero nibble, but may be left out.
    if nibble == 0 and _looks_like_ethernet(walk, offset + 4):
        return Layer.ETHERNET, offset + 4
    if _looks_like_ethernet(walk, offset):
        return Layer.ETHERNET, offset
    return _PSEUDOWIRE


def _looks_like_ethernet(walk: Walk, offset: int) -> bool:
    return offset + 14 <= walk.limit and _U16(walk.data, offset + 12)[0] in ETHERTYPES


def llc(walk: Walk, offset: int) -> Next:
    """802.2 LLC: SNAP with an EtherType inside, or IPv4 under its own address."""
    data = walk.data
    if offset + 3 > walk.limit:
        return walk.short("LLC header", offset, 3)
    dsap, ssap = data[offset], data[offset + 1]
    if dsap == 0xAA and ssap == 0xAA:
        if offset + 8 > walk.limit:
            return walk.short("SNAP header", offset, 8)
        # RFC 1042 uses organisation 0; 802.1H's tunnel for bridges 0x0000f8.
        if data[offset + 3 : offset + 6] in (b"\0\0\0", b"\0\0\xf8"):
            ethertype = _U16(data, offset + 6)[0]
            if ethertype < 0x0600:
                return malformed("SNAP header without an EtherType")
            return by_ethertype(walk, ethertype, offset + 8)
        return Skip(f"SNAP of organisation {data[offset + 3 : offset + 6].hex()}")
    if dsap == 0x06 and ssap == 0x06:
        return Layer.IPV4, offset + 3
    if dsap == 0x42:
        return _SPANNING_TREE
    if (dsap == 0xFF and ssap == 0xFF) or dsap == 0xE0:
        return Skip("IPX")
    if dsap == 0xFE:
        return Skip("OSI network layer (802.2 LLC)")
    if dsap == 0xF0:
        return Skip("NetBEUI (802.2 LLC)")
    return Skip(f"802.2 LLC for SAP 0x{dsap:02x}")


def pppoe(walk: Walk, offset: int) -> Next:
    """A PPPoE session's header (RFC 2516 section 4): code 0, session id, length."""
    data = walk.data
    if offset + 6 > walk.limit:
        return walk.short("PPPoE header", offset, 6)
    if data[offset] != 0x11:
        return malformed("PPPoE version or type is not 1")
    if data[offset + 1]:
        return Skip("PPPoE discovery")
    session, length = _TAG(data, offset + 2)
    walk.narrow(offset + 6 + length)
    walk.enter(f"pppoe {session}")
    return Layer.PPP, offset + 6


def ppp(walk: Walk, offset: int) -> Next:
    """PPP, with or without HDLC's address and control, protocol of one or two bytes.

    Link type 50 also carries Cisco's HDLC, told by its address byte.
    """
    data = walk.data
    if offset + 2 > walk.limit:
        return walk.short("PPP header", offset, 2)
    if data[offset] == 0xFF and data[offset + 1] == 0x03:
        offset += 2
    elif data[offset] in (0x0F, 0x8F) and data[offset + 1] == 0:
        return Layer.CISCO_HDLC, offset
    return _ppp_protocol(walk, offset)


def ppp_with_direction(walk: Walk, offset: int) -> Next:
    """Link types 166 and 204: a byte for the direction in front of (or as) the address.

    pppd's 166 replaces the address byte 0xff; 204 puts its byte before the frame.
    """
    if offset + 3 > walk.limit:
        return walk.short("PPP header", offset, 3)
    data = walk.data
    if data[offset + 1] == 0x03:  # 166: direction in the address's place, then control
        return _ppp_protocol(walk, offset + 2)
    return Layer.PPP, offset + 1


def _ppp_protocol(walk: Walk, offset: int) -> Next:
    if offset + 1 > walk.limit:
        return walk.short("PPP protocol", offset, 1)
    first = walk.data[offset]
    if first & 1:  # RFC 1661 section 6.5: a compressed protocol field ends at its odd byte
        return by_ppp(first, offset + 1)
    if offset + 2 > walk.limit:
        return walk.short("PPP protocol", offset, 2)
    return by_ppp(_U16(walk.data, offset)[0], offset + 2)


def cisco_hdlc(walk: Walk, offset: int) -> Next:
    """Cisco's HDLC: address, control, EtherType."""
    if offset + 4 > walk.limit:
        return walk.short("Cisco HDLC header", offset, 4)
    number = _U16(walk.data, offset + 2)[0]
    if number == 0x8035:
        return Skip("Cisco SLARP")
    if number == 0x2000:
        return Skip("CDP")
    if number < 0x0600:
        return Skip(f"Cisco HDLC protocol 0x{number:04x}")
    return by_ethertype(walk, number, offset + 4)


_FAMILIES = {
    2: Layer.IPV4,  # AF_INET everywhere
    10: Layer.IPV6,  # AF_INET6 of Linux,
    23: Layer.IPV6,  # Windows,
    24: Layer.IPV6,  # NetBSD, OpenBSD and BSD/OS,
    28: Layer.IPV6,  # FreeBSD,
    30: Layer.IPV6,  # Darwin
}


def loopback(walk: Walk, offset: int) -> Next:
    """BSD null and loopback: an address family, in either byte order.

    The byte order is that of whoever captured, which the file need not share, so
    both are tried; a family is always below 65536.
    """
    if offset + 4 > walk.limit:
        return walk.short("loopback header", offset, 4)
    family = _U32(walk.data, offset)[0]
    if family > 0xFFFF:
        family = _U32_LITTLE(walk.data, offset)[0]
    layer = _FAMILIES.get(family)
    if family == 23 and offset + 4 < walk.limit and walk.data[offset + 4] >> 4 != 6:
        return Skip("IPX")  # what 23 is to a BSD
    if layer is not None:
        return layer, offset + 4
    if 0x0600 <= family <= 0xFFFF:  # some drivers write an EtherType, as Wireshark knows too
        return by_ethertype(walk, family, offset + 4)
    return Skip(f"loopback with address family {family}")


_ARPHRD_80211 = 801
_ARPHRD_RADIOTAP = 803
_ARPHRD_NETLINK = 824


def cooked(walk: Walk, offset: int) -> Next:
    """Linux cooked capture (LINKTYPE_LINUX_SLL): type, ARPHRD, address, protocol."""
    if offset + 16 > walk.limit:
        return walk.short("Linux cooked header", offset, 16)
    return _cooked(
        walk,
        _U16(walk.data, offset + 2)[0],
        _U16(walk.data, offset + 14)[0],
        offset + 16,
    )


def cooked2(walk: Walk, offset: int) -> Next:
    """Linux cooked capture version 2 (LINKTYPE_LINUX_SLL2): protocol first, interface index."""
    if offset + 20 > walk.limit:
        return walk.short("Linux cooked header", offset, 20)
    return _cooked(
        walk,
        _U16(walk.data, offset + 8)[0],
        _U16(walk.data, offset)[0],
        offset + 20,
    )


def _cooked(walk: Walk, hardware: int, protocol: int, offset: int) -> Next:
    if hardware == _ARPHRD_RADIOTAP:
        return Layer.RADIOTAP, offset
    if hardware == _ARPHRD_80211:
        return Layer.WLAN, offset
    if hardware == _ARPHRD_NETLINK:
        return Skip("netlink")
    if protocol == 0x0004:
        return Layer.LLC, offset
    if protocol == 0x0001:
        return Skip("IPX")
    if protocol < 0x0600:
        return Skip(f"Linux cooked protocol 0x{protocol:04x}")
    return by_ethertype(walk, protocol, offset)


def fddi(walk: Walk, offset: int) -> Next:
    """FDDI: frame control, two addresses, then LLC where the frame carries data."""
    if offset + 13 > walk.limit:
        return walk.short("FDDI header", offset, 13)
    if walk.data[offset] & 0x70 != 0x50:  # LLC is 0x5n asynchronous and 0xdn synchronous
        return Skip("FDDI frame that is not LLC")
    return Layer.LLC, offset + 13


NFLOG_PAYLOAD = 9


def nflog(walk: Walk, offset: int) -> Next:
    """Linux netfilter's log (LINKTYPE_NFLOG): family, then attributes; one holds the packet.

    Attribute lengths are in the byte order of the machine that captured, which
    nothing tells; the first one is short, so the order that reads it shorter is right.
    """
    if offset + 4 > walk.limit:
        return walk.short("NFLOG header", offset, 4)
    family = walk.data[offset]
    layer = _FAMILIES.get(family)
    if layer is None:
        if family != 7:  # NFPROTO_BRIDGE carries IP behind a header that is another attribute
            return Skip(f"NFLOG of address family {family}")
        layer = Layer.IP
    place = offset + 4
    if place + 4 > walk.limit:
        return walk.short("NFLOG attribute", place, 4)
    unpack = min(_TAG_LITTLE, _TAG, key=lambda order: order(walk.data, place)[0])
    while place + 4 <= walk.limit:
        length, kind = unpack(walk.data, place)
        if length < 4:
            return malformed("NFLOG attribute length below 4")
        if kind & 0x7FFF == NFLOG_PAYLOAD:
            walk.narrow(place + length)
            return layer, place + 4
        place += (length + 3) & ~3
    return walk.short("NFLOG attribute", place, 4)
