"""Registered numbers that headers carry: which layer they lead to, and what to call the rest.

Sources: IEEE 802 EtherTypes and IANA's registries of IP protocols and PPP
protocols; link types are tcpdump.org's LINKTYPE_ registry.
"""

from __future__ import annotations

from tcpviz.wire.walk import Layer, Next, Skip, Walk, malformed

LINK_TYPES: dict[int, Layer] = {
    0: Layer.LOOPBACK,  # BSD null: family in the byte order of the machine that captured
    1: Layer.ETHERNET,
    9: Layer.PPP,
    10: Layer.FDDI,
    12: Layer.IP,  # DLT_RAW of most systems, and
    14: Layer.IP,  # of OpenBSD, found in files of careless writers
    50: Layer.PPP,
    51: Layer.PPPOE,
    100: Layer.LLC,  # RFC 1483 LLC over ATM
    101: Layer.IP,
    104: Layer.CISCO_HDLC,
    105: Layer.WLAN,
    108: Layer.LOOPBACK,  # the same in network byte order
    113: Layer.COOKED,
    127: Layer.RADIOTAP,
    166: Layer.PPP_WITH_DIRECTION,
    204: Layer.PPP_WITH_DIRECTION,
    228: Layer.IPV4,
    229: Layer.IPV6,
    239: Layer.NFLOG,
    276: Layer.COOKED2,
}

VLAN_TAGS = frozenset({0x8100, 0x88A8, 0x9100, 0x9200, 0x9300})
"""802.1Q, 802.1ad, and what equipment used for stacked tags before 802.1ad."""

ETHERTYPES: dict[int, Layer] = {
    0x0800: Layer.IPV4,
    0x86DD: Layer.IPV6,
    **dict.fromkeys(VLAN_TAGS, Layer.VLAN),
    0x88E7: Layer.BACKBONE,
    0x8847: Layer.MPLS,
    0x8848: Layer.MPLS,
    0x8864: Layer.PPPOE,
    0x880B: Layer.PPP,
    0x6558: Layer.ETHERNET,
    0x8870: Layer.LLC,
}

_ETHERTYPE_NAMES = {
    0x0806: "ARP",
    0x0842: "Wake-on-LAN",
    0x22F0: "AVTP",
    0x22F3: "TRILL",
    0x6003: "DECnet",
    0x8035: "RARP",
    0x809B: "AppleTalk",
    0x8137: "IPX",
    0x8808: "Ethernet flow control",
    0x8809: "LACP",
    0x8863: "PPPoE discovery",
    0x886D: "Intel ANS probe",
    0x887B: "HomePlug",
    0x888E: "EAPOL",
    0x8892: "PROFINET",
    0x8899: "Realtek loop detection",
    0x88A4: "EtherCAT",
    0x88CA: "TIPC",
    0x88CC: "LLDP",
    0x88E5: "MACsec (encrypted)",
    0x88F5: "MVRP",
    0x88F7: "PTP",
    0x8902: "Ethernet OAM",
    0x8906: "FCoE",
    0x8914: "FCoE initialisation",
    0x891D: "TTEthernet",
    0x9000: "Ethernet loopback test",
}

IP_PROTOCOLS: dict[int, Layer] = {
    1: Layer.ICMP,
    4: Layer.IPV4,
    6: Layer.TCP,
    17: Layer.UDP,
    41: Layer.IPV6,
    47: Layer.GRE,
    51: Layer.AUTHENTICATION,
    58: Layer.ICMP6,
    94: Layer.IPV4,
    97: Layer.ETHER_IP,
    137: Layer.MPLS,
    143: Layer.ETHERNET,
}

_IP_PROTOCOL_NAMES = {
    1: "ICMP",
    2: "IGMP",
    4: "IPv4 in IP",
    6: "TCP",
    8: "EGP",
    9: "IGRP",
    17: "UDP",
    33: "DCCP",
    41: "IPv6 in IP",
    46: "RSVP",
    47: "GRE",
    50: "ESP (encrypted)",
    58: "ICMPv6",
    59: "IPv6 without next header",
    88: "EIGRP",
    89: "OSPF",
    103: "PIM",
    108: "IPComp (compressed)",
    112: "VRRP",
    115: "L2TPv3",
    124: "IS-IS over IP",
    132: "SCTP",
    136: "UDP-Lite",
    255: "IP protocol 255 (reserved)",
}

_PPP_PROTOCOLS: dict[int, Layer] = {
    0x0021: Layer.IPV4,
    0x0057: Layer.IPV6,
    0x0281: Layer.MPLS,
    0x0283: Layer.MPLS,
}

_PPP_NAMES = {
    0x002D: "PPP with Van Jacobson compressed TCP",
    0x002F: "PPP with Van Jacobson uncompressed TCP",
    0x003D: "PPP multilink",
    0x0053: "PPP encrypted",
    0x00FB: "PPP compressed (single link)",
    0x00FD: "PPP compressed or encrypted",
    0x8021: "PPP IPCP",
    0x8057: "PPP IPv6CP",
    0x80FD: "PPP CCP",
    0xC021: "PPP LCP",
    0xC023: "PPP PAP",
    0xC025: "PPP LQR",
    0xC223: "PPP CHAP",
    0xC227: "PPP EAP",
}

_BAD_LENGTH = malformed("Ethernet length field between 1501 and 1535")


def by_ethertype(walk: Walk, number: int, offset: int) -> Next:
    """What an EtherType, or an 802.3 length in its place, leads to at ``offset``."""
    layer = ETHERTYPES.get(number)
    if layer is not None:
        return layer, offset
    if number >= 0x0600:
        return Skip(_ETHERTYPE_NAMES.get(number) or f"EtherType 0x{number:04x}")
    if number > 1500:
        return _BAD_LENGTH
    walk.narrow(offset + number)
    return Layer.LLC, offset


def ip_protocol_name(number: int) -> str:
    """What to call an IP protocol: its name, or ``IP protocol N``."""
    return _IP_PROTOCOL_NAMES.get(number) or f"IP protocol {number}"


def by_ip_protocol(walk: Walk, number: int, offset: int, outer: int) -> Next:
    """What an IP protocol number leads to; ``outer`` is the version of the IP that carries it."""
    layer = IP_PROTOCOLS.get(number)
    if layer is None:
        return Skip(ip_protocol_name(number))
    if layer is Layer.IPV4:
        walk.enter("ipip" if outer == 4 else "4in6")
    elif layer is Layer.IPV6:
        walk.enter("6in4" if outer == 4 else "6in6")
    return layer, offset


def by_ppp(number: int, offset: int) -> Next:
    """What a PPP protocol number leads to."""
    layer = _PPP_PROTOCOLS.get(number)
    if layer is not None:
        return layer, offset
    return Skip(_PPP_NAMES.get(number) or f"PPP protocol 0x{number:04x}")
