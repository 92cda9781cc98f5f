from __future__ import annotations

import struct

import pytest

from tests.wire.packets import (
    DST6,
    SRC6,
    decode,
    ethernet,
    fragment6,
    ipv4,
    ipv6,
    reason,
    snap,
    tcp,
    udp,
    vlan,
)

SEGMENT6 = tcp(b"x", src=SRC6, dst=DST6)


def test_the_ipv6_header() -> None:
    for bits in range(4):
        segment = decode(ipv6(SEGMENT6, traffic_class=0xB8 | bits, hops=255), 229)
        assert segment is not None
        assert (segment.ecn, segment.ttl, segment.ip_id) == (bits, 255, None)
        assert (str(segment.src), str(segment.dst)) == ("[2001:db8::1]:40000", "[2001:db8::2]:80")


@pytest.mark.parametrize("kind", ["plain", "tagged"])
def test_lengths_come_from_the_ip_header(kind: str) -> None:
    """Short frames are padded to 60 bytes, and the padding is no data."""
    packet = ipv4(tcp())
    data = ethernet(packet) if kind == "plain" else ethernet(vlan(packet, 0), 0x8100)
    segment = decode(data + b"\xaa" * 6)
    assert segment is not None
    assert (segment.payload_len, segment.payload) == (0, b"")


def test_offloaded_packets_have_no_length_and_get_the_frames() -> None:
    data = tcp(bytes(3000))
    for packet, kind in (
        (ipv4(data, total=0), 0x0800),
        (ipv4(data, total=0, options=bytes(4)), 0x0800),
        (ipv6(tcp(bytes(3000), src=SRC6, dst=DST6), length=0), 0x86DD),
    ):
        whole = ethernet(packet, kind)
        segment = decode(whole[:128], wire_len=len(whole))
        assert segment is not None
        assert segment.payload_len == 3000
        assert decode(whole).payload_len == 3000


def test_packets_above_64_kib() -> None:
    """IPv6 says so in a jumbo payload option, IPv4 (BIG TCP) writes 0."""
    big = tcp(bytes(70_000), src=SRC6, dst=DST6)
    option = struct.pack("!BBBBI", 6, 0, 0xC2, 4, 8 + len(big))
    segment = decode(ethernet(ipv6(option + big, following=0, length=0), 0x86DD) + bytes(9))
    assert segment is not None
    assert segment.payload_len == 70_000
    assert segment.checksum_ok is True
    segment = decode(ethernet(ipv4(tcp(bytes(70_000)), total=0)))
    assert segment is not None
    assert (segment.payload_len, segment.checksum_ok) == (70_000, True)


def test_a_length_beyond_the_frame_is_cut_to_it() -> None:
    """As Wireshark does: nobody sent more than was on the wire."""
    segment = decode(ethernet(ipv4(tcp(b"abc"), total=9999)))
    assert segment is not None
    assert (segment.payload_len, segment.payload) == (3, b"abc")


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (ipv4(b"", version=5), ("malformed", "IP version 5")),
        (ipv4(tcp(), ihl=4), ("malformed", "IPv4 header length below 20 bytes")),
        (ipv4(tcp(), ihl=15), ("malformed", "IPv4 total length below its header's")),
        (ipv4(tcp(), ihl=15, total=60), ("malformed", "IPv4 header truncated")),
        (ipv4(tcp(), total=19), ("malformed", "IPv4 total length below its header's")),
        (ipv4(tcp(), total=39), ("malformed", "TCP header truncated")),
        (ipv4(tcp())[:19], ("malformed", "IPv4 header truncated")),
        (ipv6(SEGMENT6)[:39], ("malformed", "IPv6 header truncated")),
        (ipv6(SEGMENT6, length=19), ("malformed", "TCP header truncated")),
        (b"", ("malformed", "IP header truncated")),
        (ipv4(b"", protocol=1), ("other", "ICMP")),
        (ipv4(udp(b"", 53), protocol=17), ("other", "UDP")),
        (ipv4(b"", protocol=132), ("other", "SCTP")),
        (ipv4(b"", protocol=200), ("other", "IP protocol 200")),
        (ipv4(bytes(8), protocol=50), ("other", "ESP (encrypted)")),
        (ipv6(b"", following=58), ("other", "ICMPv6")),
        (ipv6(b"", following=59), ("other", "IPv6 without next header")),
        (
            ipv6(bytes([43, 0, 0, 0, 0, 0, 0, 0]) * 40, following=43),
            ("malformed", "IPv6 extension chain too long"),
        ),
        (
            ipv6(bytes([0, 0, 1, 4, 0, 0, 0, 0]) * 2 + SEGMENT6, following=60),
            ("malformed", "IPv6 hop-by-hop options after another header"),
        ),
        (
            ipv6(bytes([6, 255, 1, 4, 0, 0, 0, 0]) + SEGMENT6, following=60),
            ("malformed", "IPv6 extension header truncated"),
        ),
        (ipv6(b"\x06\0", following=60), ("malformed", "IPv6 extension header truncated")),
        (ipv6(b"\x06\0", following=44), ("malformed", "IPv6 fragment header truncated")),
        (ipv4(bytes(4), protocol=51), ("malformed", "IPsec authentication header truncated")),
    ],
)
def test_malformed_and_merely_other(packet: bytes, expected: tuple[str, str]) -> None:
    assert reason(packet, 101) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ("malformed", "Ethernet header truncated")),
        (ethernet(b"", 0x0806), ("other", "ARP")),
        (ethernet(b"", 0x88CC), ("other", "LLDP")),
        (ethernet(b"", 0xABCD), ("other", "EtherType 0xabcd")),
        (ethernet(b"", 0x05F0), ("malformed", "Ethernet length field between 1501 and 1535")),
        (ethernet(b"\x42\x42\x03", 38), ("other", "spanning tree (802.2 LLC)")),
        (ethernet(b"", 0x8100), ("malformed", "VLAN tag truncated")),
        (ethernet(ipv6(SEGMENT6)), ("malformed", "IPv4 header that says version 6")),
        (ethernet(ipv4(tcp()), 0x86DD), ("malformed", "IPv6 header that says version 4")),
        (ethernet(snap(b"", 0x0806), 8), ("other", "ARP")),
        (ethernet(bytes(64), 0x8847), ("malformed", "MPLS stack of more than 16 labels")),
        (ethernet(b"\x12" * 20, 0x8864), ("malformed", "PPPoE version or type is not 1")),
        (ethernet(bytes.fromhex("1109 0000 0004 00000000"), 0x8863), ("other", "PPPoE discovery")),
        (
            ethernet(bytes.fromhex("1100 0001 0002 c021"), 0x8864),
            ("other", "PPP LCP"),
        ),
        (
            ethernet(vlan(b"", 1, 0x8100) * 40, 0x8100),
            ("malformed", "more than 32 headers inside one another"),
        ),
    ],
)
def test_ethernet_that_holds_no_segment(data: bytes, expected: tuple[str, str]) -> None:
    assert reason(data) == expected


@pytest.mark.parametrize("link_type", [2, 147, 250, 99999, -1])
def test_an_unknown_link_type(link_type: int) -> None:
    assert reason(ethernet(ipv4(tcp())), link_type) == (
        "other",
        f"unknown link type {link_type}",
    )


def test_tunnels_without_end() -> None:
    packet = ipv4(tcp())
    for _ in range(50):
        packet = ipv4(packet, protocol=4)
    assert reason(packet, 101) == ("malformed", "more than 32 headers inside one another")


def test_an_atomic_fragment_in_a_chain_of_them() -> None:
    inside = SEGMENT6
    following = 6
    for _ in range(30):
        inside = fragment6(inside, following=following, start=0, more=False)
        following = 44
    assert reason(ipv6(inside, following=44), 101) == (
        "malformed",
        "IPv6 extension chain too long",
    )


def test_an_inner_packet_cannot_reach_past_its_tunnel() -> None:
    inner = ipv4(tcp(b"abcdef"))
    segment = decode(ipv4(inner, protocol=4, total=20 + len(inner) - 2) + b"zz", 101)
    assert segment is not None
    assert (segment.payload_len, segment.payload) == (4, b"abcd")
