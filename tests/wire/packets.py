"""Builds packets byte by byte, layer around layer, so that tests can lie in any field."""

from __future__ import annotations

import struct
from ipaddress import ip_address

from tcpviz.core.segment import Segment
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame

SRC, DST = "192.0.2.1", "198.51.100.2"
SRC6, DST6 = "2001:db8::1", "2001:db8::2"
SYN, ACK, PSH_ACK = 0x002, 0x010, 0x018


def fold(data: bytes) -> int:
    """The Internet checksum the long way, word by word (RFC 1071), for comparison."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def tcp(
    payload: bytes = b"",
    *,
    src: str = SRC,
    dst: str = DST,
    sport: int = 40000,
    dport: int = 80,
    seq: int = 1000,
    ack: int = 2000,
    flags: int = PSH_ACK,
    window: int = 502,
    options: bytes = b"",
    urgent: int = 0,
    offset: int | None = None,
    reserved: int = 0,
    checksum: int | None = None,
    length: int | None = None,
) -> bytes:
    """A TCP header and its data, with a right checksum unless another is given."""
    size = (20 + len(options)) // 4 if offset is None else offset
    bits = size << 12 | reserved << 9 | flags

    def packed(check: int) -> bytes:
        head = struct.pack("!HHIIHHHH", sport, dport, seq, ack, bits, window, check, urgent)
        return head + options + payload

    if checksum is None:
        segment = packed(0)
        pseudo = ip_address(src).packed + ip_address(dst).packed
        pseudo += struct.pack("!II", len(segment) if length is None else length, 6)
        checksum = ~fold(pseudo + segment) & 0xFFFF
    return packed(checksum)


def ipv4(
    inside: bytes,
    *,
    protocol: int = 6,
    src: str = SRC,
    dst: str = DST,
    tos: int = 0,
    total: int | None = None,
    ident: int = 77,
    fragment: int = 0x4000,
    ttl: int = 64,
    options: bytes = b"",
    ihl: int | None = None,
    version: int = 4,
) -> bytes:
    size = (20 + len(options)) // 4 if ihl is None else ihl
    total = 20 + len(options) + len(inside) if total is None else total
    head = struct.pack(
        "!BBHHHBB", version << 4 | size, tos, total & 0xFFFF, ident, fragment, ttl, protocol
    )
    addresses = ip_address(src).packed + ip_address(dst).packed
    check = ~fold(head + addresses + options) & 0xFFFF
    return head + struct.pack("!H", check) + addresses + options + inside


def ipv6(
    inside: bytes,
    *,
    following: int = 6,
    src: str = SRC6,
    dst: str = DST6,
    length: int | None = None,
    hops: int = 60,
    traffic_class: int = 0,
    version: int = 6,
) -> bytes:
    length = len(inside) if length is None else length
    head = struct.pack("!IHBB", version << 28 | traffic_class << 20, length, following, hops)
    return head + ip_address(src).packed + ip_address(dst).packed + inside


def fragment6(inside: bytes, *, following: int, start: int, more: bool, ident: int = 9) -> bytes:
    return struct.pack("!BBHI", following, 0, start | more, ident) + inside


def ethernet(inside: bytes, ethertype: int = 0x0800) -> bytes:
    return bytes.fromhex("020000000002 020000000001") + struct.pack("!H", ethertype) + inside


def vlan(inside: bytes, vid: int, ethertype: int = 0x0800) -> bytes:
    """A tag as it follows its TPID."""
    return struct.pack("!HH", vid, ethertype) + inside


def snap(inside: bytes, ethertype: int = 0x0800) -> bytes:
    return bytes.fromhex("aaaa03000000") + struct.pack("!H", ethertype) + inside


def udp(inside: bytes, dport: int, sport: int = 50000) -> bytes:
    return struct.pack("!HHHH", sport, dport, 8 + len(inside), 0) + inside


def frame(
    data: bytes, link_type: int = 1, wire_len: int | None = None, number: int = 1, time_ns: int = 0
) -> Frame:
    return Frame(time_ns, link_type, data, len(data) if wire_len is None else wire_len, number)


def decode(data: bytes, link_type: int = 1, wire_len: int | None = None) -> Segment | None:
    """One frame by a decoder of its own."""
    return Decoder().decode(frame(data, link_type, wire_len))


def reason(data: bytes, link_type: int = 1, wire_len: int | None = None) -> tuple[str, str]:
    """Why one frame gives no segment, and of what kind that is."""
    decoder = Decoder()
    assert decoder.decode(frame(data, link_type, wire_len)) is None
    assert decoder.skipped.total() == 1
    (text,) = decoder.skipped
    if decoder.malformed:
        assert decoder.malformed == decoder.skipped
        return "malformed", text
    if decoder.cut:
        assert decoder.cut == decoder.skipped
        return "cut", text
    return "other", text
