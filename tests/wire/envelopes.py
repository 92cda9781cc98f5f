"""One and the same TCP segment in every envelope that the decoder opens.

Each is ``name: (link type, frame, scope)``. The frames are written from the
formats' own documents, not with the decoder's help; a test hands them to tshark
as well, which has to find the same segment in them.
"""

from __future__ import annotations

import struct

from tests.wire.packets import (
    DST6,
    SRC6,
    ethernet,
    fragment6,
    ipv4,
    ipv6,
    snap,
    tcp,
    udp,
    vlan,
)

PAYLOAD = b"GET / HTTP/1.0\r\n\r\n"
OPTIONS = bytes.fromhex("0101080a0000000100000002")
SEGMENT = tcp(PAYLOAD, options=OPTIONS)
SEGMENT6 = tcp(PAYLOAD, options=OPTIONS, src=SRC6, dst=DST6)
V4 = ipv4(SEGMENT)
V6 = ipv6(SEGMENT6)
ETHER = ethernet(V4)

OUTER = {"src": "10.0.0.1", "dst": "10.0.0.2"}
OUTER6 = {"src": "fd00::1", "dst": "fd00::2"}


def outer(inside: bytes, protocol: int) -> bytes:
    return ethernet(ipv4(inside, protocol=protocol, **OUTER))


def gre(inside: bytes, protocol: int, flags: int = 0, fields: bytes = b"") -> bytes:
    return outer(struct.pack("!HH", flags, protocol) + fields + inside, 47)


def pppoe(inside: bytes, session: int, protocol: bytes = b"\x00\x21") -> bytes:
    body = protocol + inside
    return struct.pack("!BBHH", 0x11, 0, session, len(body)) + body


def mpls(*labels: int) -> bytes:
    return b"".join(
        struct.pack("!I", label << 12 | (place == len(labels) - 1) << 8 | 64)
        for place, label in enumerate(labels)
    )


def cooked(inside: bytes, protocol: int, hardware: int = 1) -> bytes:
    return struct.pack("!HHH8sH", 0, hardware, 6, bytes(8), protocol) + inside


def cooked2(inside: bytes, protocol: int, hardware: int = 1) -> bytes:
    return struct.pack("!HHIHBB8s", protocol, 0, 3, hardware, 0, 6, bytes(8)) + inside


def wlan(inside: bytes, *, qos: bytes = b"", flags: int = 0x01, fourth: bytes = b"") -> bytes:
    control = 0x88 if qos else 0x08
    head = struct.pack("<BBH", control, flags, 0) + bytes.fromhex("02000000000a" * 3) + b"\x10\x00"
    return head + fourth + qos + inside


def subframe(inside: bytes, last: bool = False) -> bytes:
    whole = bytes.fromhex("02000000000b 02000000000c") + struct.pack("!H", len(inside)) + inside
    return whole if last else whole + bytes(-len(whole) % 4)


def radiotap(inside: bytes, present: int = 0, fields: bytes = b"") -> bytes:
    return struct.pack("<BBHI", 0, 0, 8 + len(fields), present) + fields + inside


def attribute(kind: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def nflog(inside: bytes, family: int = 2, order: str = "<") -> bytes:
    head = struct.pack("!BBH", family, 0, 5)
    packet = attribute(1, bytes(4), order) + attribute(10, b"tcpviz\0", order)
    return head + packet + attribute(9, inside, order)


_VXLAN = struct.pack("!II", 0x08000000, 5001 << 8)
_GENEVE_OPTION = bytes.fromhex("0102030100000007")
_GTP_EXTENSION = bytes.fromhex("000000 85 01 00 09 00")
_SLL, _SLL2 = 113, 276
_HBH = bytes([6, 0, 5, 2, 0, 0, 1, 0])
_DESTINATION = bytes([6, 0, 1, 4, 0, 0, 0, 0])
_AH = bytes([6, 4, 0, 0]) + bytes(20)

ENVELOPES: dict[str, tuple[int, bytes, tuple[str, ...]]] = {
    "ethernet": (1, ETHER, ()),
    "ethernet ipv6": (1, ethernet(V6, 0x86DD), ()),
    "ethernet padding": (1, ETHER + bytes(30), ()),
    "vlan": (1, ethernet(vlan(V4, 10), 0x8100), ("vlan 10",)),
    "vlan priority bits": (1, ethernet(vlan(V4, 0xF00A), 0x8100), ("vlan 10",)),
    "vlan 0": (1, ethernet(vlan(V4, 0xE000), 0x8100), ()),
    "qinq": (
        1,
        ethernet(vlan(vlan(V6, 20, 0x86DD), 10, 0x8100), 0x88A8),
        ("vlan 10", "vlan 20"),
    ),
    "qinq old": (1, ethernet(vlan(vlan(V4, 20), 10, 0x8100), 0x9100), ("vlan 10", "vlan 20")),
    "802.1ah": (1, ethernet(struct.pack("!I", 0x1234) + ETHER, 0x88E7), ("pbb 4660",)),
    "802.3 snap": (1, ethernet(snap(V4), len(snap(V4))) + bytes(9), ()),
    "802.3 llc ip": (1, ethernet(b"\x06\x06\x03" + V4, 3 + len(V4)), ()),
    "mpls": (1, ethernet(mpls(100) + V4, 0x8847), ()),
    "mpls stack ipv6": (1, ethernet(mpls(100, 200, 2) + V6, 0x8847), ()),
    "mpls pseudowire": (1, ethernet(mpls(100) + bytes(4) + ETHER, 0x8847), ()),
    "pppoe": (1, ethernet(pppoe(V4, 7), 0x8864), ("pppoe 7",)),
    "pppoe ipv6 in vlan": (
        1,
        ethernet(vlan(pppoe(V6, 9, b"\x00\x57"), 5, 0x8864), 0x8100),
        ("vlan 5", "pppoe 9"),
    ),
    "raw 101": (101, V4, ()),
    "raw 101 ipv6": (101, V6, ()),
    "raw 12": (12, V4, ()),
    "raw 14": (14, V6, ()),
    "ipv4 228": (228, V4, ()),
    "ipv6 229": (229, V6, ()),
    "null little": (0, struct.pack("<I", 2) + V4, ()),
    "null big": (0, struct.pack(">I", 2) + V4, ()),
    **{
        f"null ipv6 {family} {order}": (0, struct.pack(order + "I", family) + V6, ())
        for family in (10, 23, 24, 28, 30)
        for order in "<>"
    },
    "loop": (108, struct.pack(">I", 2) + V4, ()),
    "loop ipv6": (108, struct.pack(">I", 24) + V6, ()),
    "cooked": (_SLL, cooked(V4, 0x0800), ()),
    "cooked ipv6": (_SLL, cooked(V6, 0x86DD, 772), ()),
    "cooked vlan": (_SLL, cooked(vlan(V4, 30), 0x8100), ("vlan 30",)),
    "cooked llc": (_SLL, cooked(snap(V4), 4), ()),
    "cooked2": (_SLL2, cooked2(V4, 0x0800), ()),
    "cooked2 ipv6": (_SLL2, cooked2(V6, 0x86DD), ()),
    "ppp": (9, b"\x00\x21" + V4, ()),
    "ppp hdlc": (9, b"\xff\x03\x00\x57" + V6, ()),
    "ppp compressed protocol": (9, b"\x21" + V4, ()),
    "ppp 50": (50, b"\xff\x03\x00\x21" + V4, ()),
    "ppp 50 cisco": (50, b"\x0f\x00\x08\x00" + V4, ()),
    "pppoe 51": (51, pppoe(V4, 3), ("pppoe 3",)),
    "ppp with direction": (204, b"\x01\xff\x03\x00\x21" + V4, ()),
    "pppd": (166, b"\x00\x03\x00\x21" + V4, ()),
    "cisco hdlc": (104, b"\x0f\x00\x86\xdd" + V6, ()),
    "llc over atm": (100, snap(V4), ()),
    "fddi": (10, b"\x54" + bytes.fromhex("020000000002020000000001") + snap(V4), ()),
    "fddi synchronous": (10, b"\xd0" + bytes(12) + snap(V4), ()),
    "wlan": (105, wlan(snap(V4)), ()),
    "wlan four addresses": (105, wlan(snap(V4), flags=0x03, fourth=bytes(6)), ()),
    "wlan qos": (105, wlan(snap(V4), qos=b"\0\0"), ()),
    "wlan a-msdu": (105, wlan(subframe(snap(V4), last=True), qos=b"\x80\0"), ()),
    "radiotap": (127, radiotap(wlan(snap(V4))), ()),
    "radiotap fcs": (
        127,
        radiotap(wlan(snap(V4)) + bytes(4), 0x3, bytes(8) + b"\x10"),
        (),
    ),
    "radiotap padded": (
        127,
        radiotap(wlan(b"\0\0" + snap(V4), qos=b"\0\0"), 0x2, b"\x20"),
        (),
    ),
    "nflog": (239, nflog(V4), ()),
    "nflog ipv6": (239, nflog(V6, 10), ()),
    "ipv4 options": (101, ipv4(SEGMENT, options=bytes.fromhex("9404000001010100")), ()),
    "ipv6 hop by hop": (101, ipv6(_HBH + SEGMENT6, following=0), ()),
    "ipv6 destination": (101, ipv6(_DESTINATION + SEGMENT6, following=60), ()),
    "ipv6 chain": (101, ipv6(bytes([60]) + _HBH[1:] + _DESTINATION + SEGMENT6, following=0), ()),
    "ipv6 atomic fragment": (
        101,
        ipv6(fragment6(SEGMENT6, following=6, start=0, more=False), following=44),
        (),
    ),
    "ah": (101, ipv4(_AH + SEGMENT, protocol=51), ()),
    "ah ipv6": (101, ipv6(_AH + SEGMENT6, following=51), ()),
    "ip in ip": (1, outer(V4, 4), ("ipip",)),
    "6in4": (1, outer(V6, 41), ("6in4",)),
    "4in6": (1, ethernet(ipv6(V4, following=4, **OUTER6), 0x86DD), ("4in6",)),
    "6in6": (1, ethernet(ipv6(V6, following=41, **OUTER6), 0x86DD), ("6in6",)),
    "gre": (1, gre(V4, 0x0800), ("gre",)),
    "gre key": (1, gre(V6, 0x86DD, 0x2000, struct.pack("!I", 42)), ("gre 42",)),
    "gre all fields": (1, gre(V4, 0x0800, 0xB000, struct.pack("!III", 0, 7, 1)), ("gre 7",)),
    "gre bridged": (1, gre(ETHER, 0x6558), ("gre",)),
    "gre mpls": (1, gre(mpls(5) + V4, 0x8847), ("gre",)),
    "gre wccp": (1, gre(bytes(4) + V4, 0x883E), ("gre",)),
    "pptp": (
        1,
        gre(b"\xff\x03\x00\x21" + V4, 0x880B, 0x3081, struct.pack("!HHII", 4 + len(V4), 1, 2, 3)),
        ("pptp",),
    ),
    "erspan 1": (1, gre(ETHER, 0x88BE), ("erspan",)),
    "erspan 2": (
        1,
        gre(struct.pack("!HHI", 0x1000, 0x0065, 0) + ETHER, 0x88BE, 0x1000, bytes(4)),
        ("erspan 101",),
    ),
    "erspan 3": (
        1,
        gre(struct.pack("!HHIHH", 0x2000, 0x0065, 0, 0, 0) + ETHER, 0x22EB, 0x1000, bytes(4)),
        ("erspan 101",),
    ),
    "erspan 3 with platform": (
        1,
        gre(struct.pack("!HHIHHQ", 0x2000, 0x0065, 0, 0, 1, 0) + ETHER, 0x22EB, 0x1000, bytes(4)),
        ("erspan 101",),
    ),
    "aruba": (1, gre(wlan(snap(V4)), 0x8200), ("gre",)),
    "etherip": (1, outer(b"\x30\x00" + ETHER, 97), ("etherip",)),
    "mpls in ip": (1, outer(mpls(5) + V4, 137), ()),
    "vxlan": (1, outer(udp(_VXLAN + ETHER, 4789), 17), ("vxlan 5001",)),
    "vxlan with vlan": (
        1,
        outer(udp(_VXLAN + ethernet(vlan(V4, 8), 0x8100), 4789), 17),
        ("vxlan 5001", "vlan 8"),
    ),
    "vxlan over ipv6": (
        1,
        ethernet(ipv6(udp(_VXLAN + ETHER, 4789), following=17, **OUTER6), 0x86DD),
        ("vxlan 5001",),
    ),
    "vxlan linux port": (1, outer(udp(_VXLAN + ETHER, 8472), 17), ("vxlan 5001",)),
    "vxlan gpe": (
        1,
        outer(udp(struct.pack("!II", 0x0C000001, 6 << 8) + V4, 4790), 17),
        ("vxlan 6",),
    ),
    "geneve": (
        1,
        outer(udp(struct.pack("!BBHI", 0, 0, 0x6558, 5 << 8) + ETHER, 6081), 17),
        ("geneve 5",),
    ),
    "geneve options": (
        1,
        outer(udp(struct.pack("!BBHI", 2, 0, 0x0800, 5 << 8) + _GENEVE_OPTION + V4, 6081), 17),
        ("geneve 5",),
    ),
    "gtp": (1, outer(udp(struct.pack("!BBHI", 0x30, 255, len(V4), 9) + V4, 2152), 17), ("gtp",)),
    "gtp extension": (
        1,
        outer(
            udp(
                struct.pack("!BBHI", 0x34, 255, 8 + len(V6), 9) + _GTP_EXTENSION + V6,
                2152,
            ),
            17,
        ),
        ("gtp",),
    ),
    "l2tp": (
        1,
        outer(udp(struct.pack("!HHH", 0x0002, 3, 4) + b"\xff\x03\x00\x21" + V4, 1701), 17),
        ("l2tp",),
    ),
    "l2tp offset": (
        1,
        outer(udp(struct.pack("!HHHHH", 0x0202, 3, 4, 2, 0) + b"\xff\x03\x00\x21" + V4, 1701), 17),
        ("l2tp",),
    ),
    "l2tp length and sequence": (
        1,
        outer(
            udp(
                struct.pack("!HHHHHH", 0x4802, 16 + len(V4), 3, 4, 1, 1) + b"\xff\x03\x00\x21" + V4,
                1701,
            ),
            17,
        ),
        ("l2tp",),
    ),
    "teredo": (1, outer(udp(V6, 3544, 3544), 17), ("teredo",)),
    "teredo origin": (1, outer(udp(bytes(2) + b"\x11" * 6 + V6, 3544), 17), ("teredo",)),
    "tzsp": (
        1,
        outer(udp(bytes.fromhex("01000001 0a0150 00 01") + ETHER, 37008), 17),
        ("tzsp",),
    ),
    "vxlan in gre in vlan": (
        1,
        ethernet(
            vlan(
                ipv4(
                    struct.pack("!HH", 0, 0x0800)
                    + ipv4(udp(_VXLAN + ETHER, 4789), protocol=17, src="10.1.0.1", dst="10.1.0.2"),
                    protocol=47,
                    **OUTER,
                ),
                99,
            ),
            0x8100,
        ),
        ("vlan 99", "gre", "vxlan 5001"),
    ),
}

UNKNOWN_TO_TSHARK = {
    "fddi synchronous": "it names the frame control synchronous LLC, as the standard does, and "
    "leaves the LLC header unread",
    "mpls pseudowire": "it guesses from the address that there is no control word; RFC 4385 "
    "says that a zero nibble is one",
    "null ipv6 10 <": "Linux's AF_INET6; it knows the BSDs' only",
    "null ipv6 10 >": "likewise",
    "null ipv6 23 <": "Windows' AF_INET6, which is IPX to BSD; the packet's version tells",
    "null ipv6 23 >": "likewise",
    "pppd": "link type 166 is not in its list; libpcap's filter compiler reads it as we do",
    "vxlan linux port": "it opens the registered port only; Linux's default was there before",
}
"""What tshark 4.0 reads otherwise with its settings untouched, and why we do not follow."""
