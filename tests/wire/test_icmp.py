"""ICMP errors that quote TCP: what is read of them, and what is not believed."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest

from tcpviz.core.records import Unreachable
from tcpviz.core.segment import Endpoint
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame
from tests.wire import packets
from tests.wire.packets import DST, DST6, SRC, SRC6

ROUTER, ROUTER6 = "203.0.113.254", "2001:db8::fe"


def message(kind: int, code: int, quoted: bytes, rest: int = 0, pseudo: bytes = b"") -> bytes:
    """An ICMP message with a right checksum."""
    body = struct.pack("!BBHI", kind, code, 0, rest) + quoted
    check = ~packets.fold(pseudo + body) & 0xFFFF
    return struct.pack("!BBHI", kind, code, check, rest) + quoted


def error4(kind: int, code: int, rest: int = 0, quoted: bytes | None = None) -> bytes:
    if quoted is None:
        quoted = packets.ipv4(packets.tcp(b"x" * 50, seq=77777), ttl=3)[:28]
    inside = message(kind, code, quoted, rest)
    return packets.ipv4(inside, protocol=1, src=ROUTER, dst=SRC)


def error6(kind: int, code: int, rest: int = 0, quoted: bytes | None = None) -> bytes:
    if quoted is None:
        segment = packets.tcp(b"x" * 50, src=SRC6, dst=DST6, seq=77777)
        quoted = packets.ipv6(segment)
    size = 8 + len(quoted)
    pseudo = ip_address(ROUTER6).packed + ip_address(SRC6).packed + struct.pack("!II", size, 58)
    inside = message(kind, code, quoted, rest, pseudo)
    return packets.ipv6(inside, following=58, src=ROUTER6, dst=SRC6)


def read(packet: bytes, cut: int | None = None) -> tuple[list[Unreachable], dict[str, int]]:
    """The errors found in an IP packet, and what was counted as skipped."""
    decoder = Decoder()
    frame = Frame(5, 101, packet[:cut], len(packet), 9)
    assert decoder.decode(frame) is None
    return list(decoder.errors), dict(decoder.skipped)


@pytest.mark.parametrize(("kind", "code"), [(3, 0), (3, 1), (3, 3), (3, 13), (11, 0), (12, 0)])
def test_an_error_quotes_the_segment(kind: int, code: int) -> None:
    (error,), skipped = read(error4(kind, code))
    assert (error.src, error.dst) == (Endpoint(SRC, 40000), Endpoint(DST, 80))
    assert (error.reporter, error.told, error.seq) == (ROUTER, SRC, 77777)
    assert (error.version, error.type, error.code, error.mtu) == (4, kind, code, None)
    assert (error.time_ns, error.frame, error.ttl) == (5, 9, 3)
    assert skipped == {"ICMP error about TCP": 1}


@pytest.mark.parametrize(("kind", "code"), [(1, 0), (1, 4), (2, 0), (3, 0), (4, 1)])
def test_the_same_of_ipv6(kind: int, code: int) -> None:
    (error,), skipped = read(error6(kind, code))
    assert (error.src, error.dst) == (Endpoint(SRC6, 40000), Endpoint(DST6, 80))
    assert (error.version, error.type, error.code, error.seq) == (6, kind, code, 77777)
    assert skipped == {"ICMPv6 error about TCP": 1}


def test_the_mtu_is_said_where_a_packet_was_too_big() -> None:
    assert [e.mtu for e in read(error4(3, 4, 1400))[0]] == [1400]
    assert [e.mtu for e in read(error4(3, 4, 0))[0]] == [None]  # older than RFC 1191
    assert [e.mtu for e in read(error4(3, 1, 1400))[0]] == [None]
    assert [e.mtu for e in read(error6(2, 0, 1280))[0]] == [1280]


def test_behind_options_and_extension_headers() -> None:
    quoted = packets.ipv4(packets.tcp(seq=4), options=b"\x94\x04\0\0")
    assert [e.seq for e in read(error4(3, 1, 0, quoted))[0]] == [4]
    segment = packets.tcp(src=SRC6, dst=DST6, seq=5)
    quoted = packets.ipv6(b"\x06\0\1\4\0\0\0\0" + segment, following=60)
    assert [e.seq for e in read(error6(1, 0, 0, quoted))[0]] == [5]
    # A first fragment has the ports; a later one has not.
    quoted = packets.ipv6(struct.pack("!BBHI", 6, 0, 1, 7) + segment, following=44)
    assert [e.seq for e in read(error6(1, 0, 0, quoted))[0]] == [5]
    quoted = packets.ipv6(struct.pack("!BBHI", 6, 0, 8, 7) + segment, following=44)
    assert read(error6(1, 0, 0, quoted)) == ([], {"ICMPv6": 1})


def test_what_is_no_error_about_tcp_is_plain_icmp() -> None:
    for packet in (
        error4(8, 0),  # an echo request whose data looks like a packet
        error4(5, 1),  # a redirect: nothing was lost
        error4(3, 3, 0, packets.ipv4(bytes(8), protocol=17)),
        error4(3, 3, 0, packets.ipv4(packets.tcp(), fragment=1)),
        error4(3, 3, 0, b""),
    ):
        assert read(packet) == ([], {"ICMP": 1})
    assert read(error6(128, 0)) == ([], {"ICMPv6": 1})
    assert read(error6(1, 0, 0, packets.ipv6(bytes(8), following=17))) == ([], {"ICMPv6": 1})


def test_a_wrong_checksum_is_not_believed_unless_it_cannot_be_checked() -> None:
    packet = bytearray(error4(3, 1))
    packet[25] ^= 1  # the rest of the ICMP header
    assert read(bytes(packet)) == ([], {"ICMP checksum": 1})
    six = bytearray(error6(1, 0))
    six[-1] ^= 1
    assert read(bytes(six)) == ([], {"ICMPv6 checksum": 1})
    assert len(read(bytes(six), cut=-10)[0]) == 1


def test_no_cut_and_no_byte_breaks_it() -> None:
    for packet in (error4(3, 4, 1400), error6(2, 0, 1280)):
        for size in range(len(packet) + 1):
            read(packet, size)
        for place in range(len(packet)):
            for value in (0, 1, 0x7F, 0xFF):
                changed = bytearray(packet)
                changed[place] = value
                decoder = Decoder()
                decoder.decode(Frame(0, 101, bytes(changed), len(changed), 1))


def test_an_error_within_a_vlan_has_its_scope() -> None:
    tagged = bytes(12) + b"\x81\x00\x00\x2a\x08\x00" + error4(3, 1)
    decoder = Decoder()
    decoder.decode(Frame(0, 1, tagged, len(tagged), 1))
    segment = bytes(12) + b"\x81\x00\x00\x2a\x08\x00" + packets.ipv4(packets.tcp())
    found = Decoder().decode(Frame(0, 1, segment, len(segment), 1))
    assert found is not None
    assert [e.keys(e.scope)[0] for e in decoder.errors] == [found.key]


def test_errors_are_bounded() -> None:
    decoder = Decoder()
    packet = error4(3, 1)
    for number in range(5000):
        decoder.decode(Frame(0, 101, packet, len(packet), number))
    assert len(decoder.errors) == 4096
