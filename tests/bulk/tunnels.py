"""Envelopes around any IP packet: tunnels, mirrors, stacked tags, and what hosts put before TCP.

Each is ``name: (link type, wrap)``; ``wrap(packet, version)`` gives the frame. Written from the
formats' own documents, as those of :mod:`tests.wire.envelopes`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from tests.wire import envelopes, packets
from tests.wire.envelopes import OUTER, OUTER6

Wrap = Callable[[bytes, int], bytes]


def kind(version: int) -> int:
    """The EtherType of an IP version."""
    return 0x86DD if version == 6 else 0x0800


def ether(ip: bytes, version: int) -> bytes:
    return packets.ethernet(ip, kind(version))


def outer(inside: bytes, protocol: int) -> bytes:
    """In IPv4, in Ethernet."""
    return packets.ethernet(packets.ipv4(inside, protocol=protocol, **OUTER))  # type: ignore[arg-type]


def outer6(inside: bytes, protocol: int) -> bytes:
    """In IPv6, in Ethernet."""
    return packets.ethernet(packets.ipv6(inside, following=protocol, **OUTER6), 0x86DD)  # type: ignore[arg-type]


def gre(inside: bytes, protocol: int, flags: int = 0, fields: bytes = b"") -> bytes:
    return outer(struct.pack("!HH", flags, protocol) + fields + inside, 47)


def in_udp(inside: bytes, port: int, source: int = 50000) -> bytes:
    return outer(packets.udp(inside, port, source), 17)


def vxlan(inside: bytes, ident: int) -> bytes:
    return struct.pack("!II", 0x08000000, ident << 8) + inside


def geneve(inside: bytes, protocol: int, ident: int, options: bytes = b"") -> bytes:
    return struct.pack("!BBHI", len(options) // 4, 0, protocol, ident << 8) + options + inside


def gtp(inside: bytes, flags: int = 0x30, fields: bytes = b"") -> bytes:
    return struct.pack("!BBHI", flags, 255, len(fields + inside), 9) + fields + inside


def erspan(inside: bytes, session: int) -> bytes:
    head = struct.pack("!HHI", 0x1000, session, 0)
    return gre(head + inside, 0x88BE, 0x1000, bytes(4))


def erspan3(inside: bytes, *, platform: bool) -> bytes:
    head = struct.pack("!HHIHH", 0x2000, 0x0065, 0, 0, platform) + bytes(8 * platform)
    return gre(head + inside, 0x22EB, 0x1000, bytes(4))


def ah(ip: bytes) -> bytes:
    """IPv4 with IPsec's authentication header in front of what it carries."""
    if ip[0] != 0x45 or ip[9] != 6 or ip[6] & 0x3F or ip[7]:
        return ip
    total = int.from_bytes(ip[2:4], "big") + 24
    head = ip[:2] + struct.pack("!H", total) + ip[4:9] + bytes([51]) + ip[10:20]
    return head + bytes([6, 4, 0, 0]) + bytes(20) + ip[20:]


def snap(ip: bytes, version: int) -> bytes:
    inside = packets.snap(ip, kind(version))
    return packets.ethernet(inside, len(inside) if len(inside) <= 1500 else 0x8870)


def ppp(ip: bytes, version: int) -> bytes:
    return (b"\xff\x03\x00\x57" if version == 6 else b"\xff\x03\x00\x21") + ip


def vlans(ip: bytes, version: int, *ids: int) -> bytes:
    number = kind(version)
    for tag in reversed(ids):
        ip, number = packets.vlan(ip, tag, number), 0x8100
    return packets.ethernet(ip, number)


_GTP_EXTENSION = bytes.fromhex("000000 85 01 00 09 00")

TUNNELS: dict[str, tuple[int, Wrap]] = {
    "three VLAN tags": (1, lambda ip, v: vlans(ip, v, 10, 20, 30)),
    "VLAN 0 before a VLAN": (1, lambda ip, v: vlans(ip, v, 0, 20)),
    "802.1ah": (1, lambda ip, v: packets.ethernet(struct.pack("!I", 77) + ether(ip, v), 0x88E7)),
    "802.3 SNAP": (1, snap),
    "LLC over ATM": (100, lambda ip, v: packets.snap(ip, kind(v))),
    "MPLS, 15 labels": (
        1, lambda ip, v: packets.ethernet(envelopes.mpls(*range(15)) + ip, 0x8847)
    ),
    "MPLS pseudowire": (
        1, lambda ip, v: packets.ethernet(envelopes.mpls(5) + bytes(4) + ether(ip, v), 0x8847)
    ),
    "MPLS pseudowire without a control word": (
        1, lambda ip, v: packets.ethernet(envelopes.mpls(5, 6) + ether(ip, v), 0x8847)
    ),
    "IP in IP": (1, lambda ip, v: outer(ip, 41 if v == 6 else 4)),
    "IP in IPv6": (1, lambda ip, v: outer6(ip, 41 if v == 6 else 4)),
    "IP in IP in IPv6": (
        1,
        lambda ip, v: outer6(packets.ipv4(ip, protocol=41 if v == 6 else 4, **OUTER), 4),  # type: ignore[arg-type]
    ),
    "IP in IP, raw": (101, lambda ip, v: outer(ip, 41 if v == 6 else 4)[14:]),
    "GRE": (1, lambda ip, v: gre(ip, kind(v))),
    "GRE with a key": (1, lambda ip, v: gre(ip, kind(v), 0x2000, struct.pack("!I", 0xFFFFFFFF))),
    "GRE with all fields": (
        1, lambda ip, v: gre(ip, kind(v), 0xB000, struct.pack("!III", 0, 7, 1))
    ),
    "GRE, bridged": (1, lambda ip, v: gre(ether(ip, v), 0x6558)),
    "GRE over IPv6": (1, lambda ip, v: outer6(struct.pack("!HH", 0, kind(v)) + ip, 47)),
    "GRE, MPLS": (1, lambda ip, v: gre(envelopes.mpls(5) + ip, 0x8847)),
    "GRE, WCCP": (1, lambda ip, v: gre(bytes(4) + ip, 0x883E)),
    "PPTP": (
        1,
        lambda ip, v: gre(
            ppp(ip, v), 0x880B, 0x3081, struct.pack("!HHII", (4 + len(ip)) & 0xFFFF, 1, 2, 3)
        ),
    ),
    "ERSPAN I": (1, lambda ip, v: gre(ether(ip, v), 0x88BE)),
    "ERSPAN II": (1, lambda ip, v: erspan(ether(ip, v), 0x0065)),
    "ERSPAN II with VLAN": (1, lambda ip, v: erspan(vlans(ip, v, 7), 0x0065)),
    "ERSPAN III": (1, lambda ip, v: erspan3(ether(ip, v), platform=False)),
    "ERSPAN III with platform": (1, lambda ip, v: erspan3(ether(ip, v), platform=True)),
    "EtherIP": (1, lambda ip, v: outer(b"\x30\x00" + ether(ip, v), 97)),
    "MPLS in IP": (1, lambda ip, v: outer(envelopes.mpls(5) + ip, 137)),
    "Ethernet in IPv6": (1, lambda ip, v: outer6(ether(ip, v), 143)),
    "VXLAN": (1, lambda ip, v: in_udp(vxlan(ether(ip, v), 7), 4789)),
    "VXLAN over IPv6": (
        1, lambda ip, v: outer6(packets.udp(vxlan(ether(ip, v), 7), 8472), 17)
    ),
    "VXLAN with VLANs on both sides": (
        1,
        lambda ip, v: vlans(in_udp(vxlan(vlans(ip, v, 8, 9), 0xFFFFFF), 4789)[14:], 4, 99),
    ),
    "VXLAN-GPE": (
        1,
        lambda ip, v: in_udp(
            struct.pack("!II", 0x0C000002 if v == 6 else 0x0C000001, 6 << 8) + ip, 4790
        ),
    ),
    "Geneve": (1, lambda ip, v: in_udp(geneve(ether(ip, v), 0x6558, 5), 6081)),
    "Geneve with options": (
        1, lambda ip, v: in_udp(geneve(ip, kind(v), 5, bytes.fromhex("0102030100000007")), 6081)
    ),
    "GTP": (1, lambda ip, v: in_udp(gtp(ip), 2152)),
    "GTP with an extension": (1, lambda ip, v: in_udp(gtp(ip, 0x34, _GTP_EXTENSION), 2152)),
    "GTP with a sequence number": (1, lambda ip, v: in_udp(gtp(ip, 0x32, bytes(4)), 2152)),
    "L2TP": (1, lambda ip, v: in_udp(struct.pack("!HHH", 2, 3, 4) + ppp(ip, v), 1701)),
    "L2TP with length, sequence and offset": (
        1,
        lambda ip, v: in_udp(
            struct.pack("!8H", 0x4A02, (20 + len(ip)) & 0xFFFF, 3, 4, 1, 1, 2, 0) + ppp(ip, v), 1701
        ),
    ),
    "Teredo": (1, lambda ip, v: in_udp(ip, 3544, 3544)),
    "Teredo with an origin": (1, lambda ip, v: in_udp(bytes(2) + b"\x11" * 6 + ip, 3544)),
    "TZSP": (1, lambda ip, v: in_udp(bytes.fromhex("01000001 0a0150 00 01") + ether(ip, v), 37008)),
    "VXLAN in GRE in VLAN": (
        1,
        lambda ip, v: vlans(
            packets.ipv4(
                struct.pack("!HH", 0, 0x0800) + in_udp(vxlan(ether(ip, v), 5001), 4789)[14:],
                protocol=47,
                **OUTER,  # type: ignore[arg-type]
            ),
            4,
            99,
        ),
    ),
    "authentication header": (101, lambda ip, v: ah(ip)),
    "authentication header in VXLAN": (1, lambda ip, v: in_udp(vxlan(ether(ah(ip), v), 7), 4789)),
    "NFLOG": (239, lambda ip, v: envelopes.nflog(ip, 10 if v == 6 else 2)),
    "Cisco HDLC": (104, lambda ip, v: struct.pack("!HH", 0x0F00, kind(v)) + ip),
    "PPP with direction": (204, lambda ip, v: b"\x01" + ppp(ip, v)),
    "PPP, 50": (50, ppp),
    "FDDI": (10, lambda ip, v: b"\x54" + bytes(12) + packets.snap(ip, kind(v))),
}  # fmt: skip

WIRELESS: dict[str, tuple[int, Wrap]] = {
    "802.11": (105, lambda ip, v: envelopes.wlan(packets.snap(ip, kind(v)))),
    "radiotap": (
        127, lambda ip, v: envelopes.radiotap(envelopes.wlan(packets.snap(ip, kind(v))))
    ),
    "cooked radio": (
        113, lambda ip, v: envelopes.cooked(envelopes.wlan(packets.snap(ip, kind(v))), 25, 801)
    ),
}  # fmt: skip
