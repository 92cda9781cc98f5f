"""Frames of the cable's own: a byte turned over, SYNs of nobody, a router's "too big".

They are real frames for a real kernel, and are told as what they are.
"""

from __future__ import annotations

import ipaddress
import struct

from tcpviz.core.segment import Endpoint, Flags
from tcpviz.lab.frames import ETH_P_IP, ETH_P_IPV6, Glance
from tcpviz.lab.netlink import mac_bytes, packed

_TCP, _ICMP, _ICMP6 = 6, 1, 58


def flip(frame: bytes, seen: Glance) -> bytes:
    """Turn over the first byte of the data, or of the window where there is none.

    The checksum is then wrong, and the kernel that gets the segment drops it
    (RFC 9293 section 3.1: the checksum covers header and data).
    """
    place = seen.data_at if seen.payload_len else seen.tcp_at + 14
    changed = bytearray(frame)
    changed[place] ^= 0xFF
    return bytes(changed)


def checksum(data: bytes) -> int:
    """RFC 1071's Internet checksum."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _packet(src: str, dst: str, protocol: int, body: bytes, sum_at: int) -> bytes:
    """An IP packet from ``src`` to ``dst`` with its upper checksum at ``sum_at`` filled in."""
    raw_src = packed(src)[1]
    raw_dst = packed(dst)[1]
    pseudo = raw_src + raw_dst + struct.pack("!II", len(body), protocol)
    covered = body if protocol == _ICMP else pseudo + body
    body = body[:sum_at] + struct.pack("!H", checksum(covered)) + body[sum_at + 2 :]
    if len(raw_src) == 16:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + raw_src + raw_dst + body
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, 64, protocol, 0)
    head += raw_src + raw_dst
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def _frame(src_mac: str, dst_mac: str, packet: bytes) -> bytes:
    kind = ETH_P_IPV6 if packet[0] >> 4 == 6 else ETH_P_IP
    return mac_bytes(dst_mac) + mac_bytes(src_mac) + struct.pack("!H", kind) + packet


def syn(src: Endpoint, dst: Endpoint, seq: int, src_mac: str, dst_mac: str) -> bytes:
    """A SYN from an address at which nobody is, with an MSS option as any SYN has."""
    options = struct.pack("!BBH", 2, 4, 1460)
    header = struct.pack(
        "!HHIIHHHH", src.port, dst.port, seq, 0, 6 << 12 | int(Flags.SYN), 64240, 0, 0
    )
    packet = _packet(src.addr, dst.addr, _TCP, header + options, 16)
    return _frame(src_mac, dst_mac, packet)


def too_big(frame: bytes, mtu: int, router: str, router_mac: str) -> bytes:
    """What a router answers to a packet larger than its next link takes.

    RFC 1191: ICMP type 3 code 4; RFC 4443: ICMPv6 type 2. It quotes the packet.
    """
    packet = frame[14:]
    back_to = frame[6:12].hex(":")
    if packet[0] >> 4 == 6:
        sender = str(ipaddress.IPv6Address(packet[8:24]))
        body = struct.pack("!BBHI", 2, 0, 0, mtu) + packet[:1200]
        return _frame(router_mac, back_to, _packet(router, sender, _ICMP6, body, 2))
    sender = str(ipaddress.IPv4Address(packet[12:16]))
    body = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + packet[:548]
    return _frame(router_mac, back_to, _packet(router, sender, _ICMP, body, 2))


def made_up(home: str, count: int) -> list[str]:
    """``count`` addresses of the hosts' subnet at which nobody is, beside ``home``."""
    if ":" in home:
        return [f"fd00::bad:{number:x}" for number in range(1, count + 1)]
    head = home.rsplit(".", 1)[0]
    return [f"{head}.{100 + number % 150}" for number in range(count)]
