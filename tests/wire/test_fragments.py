from __future__ import annotations

import random

import pytest

from tcpviz.core.segment import Segment
from tcpviz.wire import fragments
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame
from tests.wire.packets import DST6, SRC6, ethernet, fragment6, frame, ipv4, ipv6, tcp, udp, vlan

PAYLOAD = bytes(range(200))
WHOLE = tcp(PAYLOAD)
HELD = "IPv4 fragment, held until its datagram is whole"


def pieces4(data: bytes, *sizes: int, ident: int = 77) -> list[bytes]:
    """IPv4 fragments of ``data`` of the given sizes; the last takes the rest."""
    made, start = [], 0
    for size in sizes:
        part = data[start : start + size]
        made.append(ipv4(part, fragment=0x2000 | start // 8, ident=ident))
        start += size
    made.append(ipv4(data[start:], fragment=start // 8, ident=ident))
    return made


def pieces6(data: bytes, *sizes: int, following: int = 6) -> list[bytes]:
    made, start = [], 0
    for size in sizes:
        part = data[start : start + size]
        made.append(
            ipv6(fragment6(part, following=following, start=start, more=True), following=44)
        )
        start += size
    made.append(
        ipv6(fragment6(data[start:], following=following, start=start, more=False), following=44)
    )
    return made


def feed(decoder: Decoder, packets: list[bytes], link_type: int = 101) -> list[Segment]:
    found = []
    for packet in packets:
        number = decoder.frames + 1
        segment = decoder.decode(frame(packet, link_type, number=number, time_ns=number))
        if segment is not None:
            found.append(segment)
    return found


@pytest.mark.parametrize("sizes", [(24,), (8, 8, 8), (8,) * 20, (160, 32), (216,)])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("link_type", [1, 101])
def test_fragments_in_any_order(sizes: tuple[int, ...], seed: int, link_type: int) -> None:
    packets = pieces4(WHOLE, *sizes)
    if seed:
        random.Random(seed).shuffle(packets)
    if link_type == 1:
        packets = [ethernet(packet) for packet in packets]
    decoder = Decoder()
    (segment,) = feed(decoder, packets, link_type)
    assert (segment.payload, segment.payload_len) == (PAYLOAD, 200)
    assert segment.checksum_ok is True
    assert segment.frame == len(packets)
    assert (segment.ip_id, segment.seq) == (77, 1000)
    assert decoder.skipped == {HELD: len(packets) - 1}
    assert not decoder.malformed
    assert decoder.segments == 1


def test_fragments_that_ethernet_padded() -> None:
    packets = [ethernet(packet).ljust(60, b"\xee") for packet in pieces4(tcp(b"abc"), 8, 8)]
    (segment,) = feed(Decoder(), packets, 1)
    assert (segment.payload, segment.checksum_ok) == (b"abc", True)


@pytest.mark.parametrize("sizes", [(24,), (8, 8, 8), (160,)])
def test_ipv6_fragments(sizes: tuple[int, ...]) -> None:
    data = tcp(PAYLOAD, src=SRC6, dst=DST6)
    for packets in (pieces6(data, *sizes), pieces6(data, *sizes)[::-1]):
        (segment,) = feed(Decoder(), packets)
        assert (segment.payload, segment.checksum_ok) == (PAYLOAD, True)
        assert str(segment.src) == "[2001:db8::1]:40000"


def test_ipv6_extension_headers_inside_the_fragments() -> None:
    data = bytes([6, 0, 1, 4, 0, 0, 0, 0]) + tcp(PAYLOAD, src=SRC6, dst=DST6)
    (segment,) = feed(Decoder(), pieces6(data, 8, 16, following=60))
    assert (segment.payload, segment.checksum_ok) == (PAYLOAD, True)


def test_a_snapshot_cuts_fragments_but_not_their_lengths() -> None:
    decoder = Decoder()
    packets = pieces4(tcp(bytes(4000)), 1480, 1480)
    found = [
        decoder.decode(Frame(n, 101, packet[:60], len(packet), n))
        for n, packet in enumerate(packets)
    ]
    assert found[:2] == [None, None]
    segment = found[2]
    assert segment is not None
    assert segment.payload_len == 4000
    assert segment.payload == bytes(20)
    assert segment.checksum_ok is None


def test_without_payloads_only_headers_are_held() -> None:
    decoder = Decoder(keep_payload=False)
    packets = pieces4(tcp(bytes(60_000)), *([1480] * 40))
    assert feed(decoder, packets[:-1]) == []
    assert decoder._fragments._cost < 41 * 200 + fragments.HEADER_BYTES
    (segment,) = feed(decoder, packets[-1:])
    assert (segment.payload_len, segment.payload) == (60_000, b"")


def test_the_same_fragments_twice_give_the_segment_once_until_it_is_whole() -> None:
    one, two = pieces4(WHOLE, 104)
    decoder = Decoder()
    assert len(feed(decoder, [one, one, two])) == 1
    assert decoder.skipped == {HELD: 1, "IPv4 fragment, received before": 1}


def test_overlapping_fragments_condemn_their_datagram() -> None:
    """As Linux does: whoever overlaps wants two readers to see two things."""
    decoder = Decoder()
    packets = [
        ipv4(WHOLE[:32], fragment=0x2000),
        ipv4(b"X" * 16, fragment=0x2000 | 3),
        ipv4(WHOLE[32:], fragment=4),
    ]
    assert feed(decoder, packets) == []
    assert decoder.malformed == {"IPv4 fragment of a datagram whose fragments overlap": 2}
    decoder.finish()
    assert not decoder.extra


@pytest.mark.parametrize(
    ("packets", "text"),
    [
        ([ipv4(b"", fragment=0x2000)], "IPv4 fragment without data"),
        ([ipv4(bytes(7), fragment=0x2000)], "IPv4 fragment without data"),
        ([ipv4(bytes(100), fragment=0x1FFF)], "IPv4 fragment beyond the longest possible datagram"),
        (
            [ipv4(bytes(8), fragment=4), ipv4(bytes(8), fragment=0x2000 | 9)],
            "IPv4 fragment that contradicts its datagram's end",
        ),
        (
            [ipv4(bytes(8), fragment=0x2000 | 9), ipv4(bytes(8), fragment=4)],
            "IPv4 fragment that contradicts its datagram's end",
        ),
        (
            [ipv4(bytes(8), fragment=4), ipv4(bytes(8), fragment=2)],
            "IPv4 fragment that contradicts its datagram's end",
        ),
        (
            [ipv6(fragment6(bytes(9), following=6, start=0, more=True), following=44)],
            "IPv6 fragment whose length is not a multiple of 8",
        ),
    ],
)
def test_malformed_fragments(packets: list[bytes], text: str) -> None:
    decoder = Decoder()
    assert feed(decoder, packets) == []
    assert decoder.malformed == {text: 1}


def test_a_first_fragment_alone_comes_at_the_end_with_what_is_known() -> None:
    """A filter on ports lets only first fragments through."""
    decoder = Decoder()
    assert feed(decoder, pieces4(WHOLE, 104)[:1]) == []
    decoder.finish()
    (segment,) = decoder.extra
    assert (segment.payload_len, segment.payload) == (84, PAYLOAD[:84])
    assert (segment.frame, segment.time_ns, segment.checksum_ok) == (1, 1, None)
    assert (segment.ttl, segment.ip_id) == (64, 77)
    assert decoder.segments == 1
    assert decoder.abandoned == 1


def test_where_the_middle_is_missing_the_length_is_still_known() -> None:
    decoder = Decoder()
    first, _, last = pieces4(WHOLE, 104, 48)
    assert feed(decoder, [first, last]) == []
    decoder.finish()
    (segment,) = decoder.extra
    assert (segment.payload_len, segment.payload) == (200, PAYLOAD[:84])


def test_without_the_tcp_header_nothing_comes() -> None:
    decoder = Decoder()
    assert feed(decoder, pieces4(WHOLE, 104)[1:] + pieces4(WHOLE, 16, ident=5)[:1]) == []
    decoder.finish()
    assert not decoder.extra
    assert decoder.abandoned == 2


def test_datagrams_are_given_up_after_their_time() -> None:
    one, two = pieces4(WHOLE, 104)
    decoder = Decoder()
    assert decoder.decode(frame(one, 101, number=1, time_ns=10)) is None
    decoder.tick(10 + fragments.LIFETIME_NS)
    assert not decoder.extra
    decoder.tick(11 + fragments.LIFETIME_NS)
    assert [segment.frame for segment in decoder.extra] == [1]
    late = frame(two, 101, number=2, time_ns=11 + fragments.LIFETIME_NS)
    assert decoder.decode(late) is None


def test_another_vlan_interface_or_id_is_another_datagram() -> None:
    one, two = pieces4(WHOLE, 104)
    other = pieces4(WHOLE, 104, ident=78)[1]
    decoder = Decoder()
    assert decoder.decode(frame(ethernet(vlan(one, 1), 0x8100))) is None
    assert decoder.decode(frame(ethernet(vlan(two, 2), 0x8100))) is None
    assert decoder.decode(frame(ethernet(vlan(other, 1), 0x8100))) is None
    elsewhere = Frame(0, 1, ethernet(vlan(two, 1), 0x8100), 200, 4, interface=1)
    assert decoder.decode(elsewhere) is None
    segment = decoder.decode(frame(ethernet(vlan(two, 1), 0x8100)))
    assert segment is not None
    assert segment.scope == ("vlan 1",)


def test_memory_is_bounded_and_the_oldest_go_first() -> None:
    decoder = Decoder()
    held = decoder._fragments
    for ident in range(1000):
        decoder.decode(frame(pieces4(tcp(bytes(9000)), 8000, ident=ident)[0], 101))
        assert len(held) <= fragments.MAX_DATAGRAMS
        assert held._cost <= fragments.MAX_BYTES
    assert decoder.abandoned + len(held) == 1000
    assert len(feed(decoder, pieces4(tcp(bytes(9000)), 8000, ident=999)[1:])) == 1
    assert feed(decoder, pieces4(tcp(bytes(9000)), 8000, ident=0)[1:]) == []
    decoder.finish()
    assert (len(held), held._cost) == (0, 0)


def test_a_tunnels_first_fragment_is_enough() -> None:
    """The packet inside has lengths of its own; only its data is cut."""
    inner = ethernet(ipv4(tcp(bytes(2000))))
    outer = udp(bytes.fromhex("0800000000000500") + inner, 4789)
    decoder = Decoder()
    packets = [
        ipv4(outer[:1480], protocol=17, fragment=0x2000),
        ipv4(outer[1480:], protocol=17, fragment=185),
    ]
    (segment,) = feed(decoder, packets)
    assert segment.scope == ("vxlan 5",)
    assert segment.payload_len == 2000
    assert 0 < len(segment.payload) < 2000
    assert segment.checksum_ok is None
    assert decoder.skipped == {"IPv4 fragment, not the first, of UDP": 1}


def test_fragments_of_a_tunnel_that_carries_fragments() -> None:
    inner = pieces4(WHOLE, 104)
    decoder = Decoder()
    (segment,) = feed(decoder, [ipv4(piece, protocol=4) for piece in inner])
    assert (segment.payload, segment.scope) == (PAYLOAD, ("ipip",))
