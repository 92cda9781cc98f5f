from __future__ import annotations

import pickle
from dataclasses import replace
from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st

from tcpviz.core.segment import Segment
from tcpviz.wire import decoder as wire_decoder
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame
from tcpviz.wire.numbers import LINK_TYPES
from tests.wire.envelopes import ENVELOPES, V4, snap, subframe, wlan
from tests.wire.packets import DST, SRC, decode, ethernet, frame, ipv4, tcp, udp, vlan


def balanced(decoder: Decoder) -> None:
    """Every frame gave a segment or a reason; malformed and cut are parts of the reasons."""
    returned = decoder.frames - decoder.skipped.total()
    assert decoder.segments == returned + len(decoder.extra)
    assert decoder.malformed <= decoder.skipped
    assert decoder.cut <= decoder.skipped
    assert not decoder.malformed.keys() & decoder.cut.keys() - {"other reasons"}


def test_the_counters() -> None:
    decoder = Decoder()
    data = ethernet(ipv4(tcp(b"abc")))
    assert decoder.decode(frame(data)) is not None
    assert decoder.decode(frame(ethernet(ipv4(udp(b"", 53), protocol=17)))) is None
    assert decoder.decode(frame(data[:40], wire_len=len(data))) is None
    assert decoder.decode(frame(data[:40])) is None
    assert (decoder.frames, decoder.segments) == (4, 1)
    assert decoder.skipped == {
        "UDP": 1,
        "TCP header cut by the snapshot": 1,
        "TCP header truncated": 1,
    }
    assert decoder.malformed == {"TCP header truncated": 1}
    assert decoder.cut == {"TCP header cut by the snapshot": 1}
    balanced(decoder)


def test_payloads_may_be_left_out_but_lengths_stay() -> None:
    decoder = Decoder(keep_payload=False)
    for data in (ethernet(ipv4(tcp(b"abc"))), ethernet(vlan(ipv4(tcp(b"abc")), 3), 0x8100)):
        segment = decoder.decode(frame(data))
        assert segment is not None
        assert (segment.payload, segment.payload_len, segment.checksum_ok) == (b"", 3, True)


def test_checksums_may_be_left_alone() -> None:
    decoder = Decoder(verify=False)
    for data in (ethernet(ipv4(tcp(b"abc"))), ethernet(vlan(ipv4(tcp(b"abc")), 3), 0x8100)):
        segment = decoder.decode(frame(data))
        assert segment is not None
        assert segment.checksum_ok is None


def test_made_up_protocols_cannot_fill_the_counters() -> None:
    decoder = Decoder()
    for number in range(0x0600, 0x0600 + 1000):
        decoder.decode(frame(ethernet(b"", number)))
    for number in range(1000, 2000):
        decoder.decode(frame(b"", number))
    assert len(decoder.skipped) <= wire_decoder.MAX_REASONS + 1
    assert decoder.skipped["other reasons"] > 1000
    balanced(decoder)


def test_an_aggregate_holds_several_segments() -> None:
    others = [ipv4(tcp(bytes(n), seq=n)) for n in (3, 5)]
    inside = subframe(snap(V4)) + subframe(snap(ipv4(b"", protocol=17))) + subframe(snap(others[0]))
    data = wlan(inside + subframe(snap(others[1]), last=True), qos=b"\x80\0")
    decoder = Decoder()
    segment = decoder.decode(frame(data, 105, number=4))
    assert segment is not None
    assert segment.seq == 1000
    assert [(s.seq, s.payload_len, s.frame) for s in decoder.extra] == [(3, 3, 4), (5, 5, 4)]
    assert (decoder.frames, decoder.segments) == (1, 3)
    balanced(decoder)


def test_the_first_segment_of_an_aggregate_need_not_be_first() -> None:
    inside = subframe(snap(ipv4(b"", protocol=17))) + subframe(snap(V4), last=True)
    decoder = Decoder()
    assert decoder.decode(frame(wlan(inside, qos=b"\x80\0"), 105)) is not None
    assert not decoder.skipped
    balanced(decoder)


def test_what_nobody_reads_does_not_pile_up() -> None:
    inside = b"".join(subframe(snap(V4)) for _ in range(500))
    decoder = Decoder()
    for _ in range(100):
        decoder.decode(frame(wlan(inside, qos=b"\x80\0"), 105))
    assert len(decoder.extra) == wire_decoder.MAX_EXTRA


def test_segments_can_be_sent_to_another_process() -> None:
    segment = decode(ENVELOPES["vxlan"][1])
    assert pickle.loads(pickle.dumps(segment)) == segment


@st.composite
def plain_frames(draw: st.DrawFn) -> tuple[bytes, int]:
    """Ethernet, IPv4 without options, TCP: right, cut, or lying about its lengths."""
    options = draw(st.binary(max_size=40))
    options += bytes(-len(options) % 4)
    packet = ipv4(
        tcp(
            draw(st.binary(max_size=60)),
            options=options,
            flags=draw(st.integers(0, 511)),
            reserved=draw(st.integers(0, 7)),
            offset=draw(st.one_of(st.none(), st.integers(0, 15))),
            checksum=draw(st.one_of(st.none(), st.integers(0, 65535))),
        ),
        total=draw(st.one_of(st.none(), st.integers(0, 200), st.just(65535))),
        tos=draw(st.integers(0, 255)),
        fragment=draw(st.sampled_from([0, 0x4000, 0x8000])),
    )
    packet += draw(st.binary(max_size=10))
    cut = draw(st.integers(0, len(packet)))
    return packet[: draw(st.sampled_from([cut, len(packet)]))], len(packet)


@given(plain_frames(), st.booleans())
@settings(max_examples=400)
def test_the_short_road_and_the_long_one_lead_to_the_same(
    made: tuple[bytes, int], keep_payload: bool
) -> None:
    packet, wire_len = made
    short, long = Decoder(keep_payload), Decoder(keep_payload)
    one = short.decode(frame(ethernet(packet), wire_len=14 + wire_len))
    # A priority tag for VLAN 0 changes nothing but the way it is read.
    other = long.decode(frame(ethernet(vlan(packet, 0), 0x8100), wire_len=18 + wire_len))
    assert one == other
    assert short.skipped == long.skipped
    assert short.malformed == long.malformed


LINKS = st.sampled_from([*LINK_TYPES, 147])


def scrutinise(decoder: Decoder, one: Frame) -> None:
    segment = decoder.decode(one)
    for found in [segment, *decoder.extra]:
        if isinstance(found, Segment):
            assert len(found.payload) <= found.payload_len
            assert found.payload_len >= 0
            assert str(ip_address(found.src.addr)) == found.src.addr
            assert found.key.low <= found.key.high
    balanced(decoder)


@given(LINKS, st.binary(max_size=300), st.integers(-5, 400))
@settings(max_examples=500)
def test_no_bytes_raise(link_type: int, data: bytes, wire_len: int) -> None:
    decoder = Decoder()
    scrutinise(decoder, frame(data, link_type, wire_len))
    decoder.finish()
    balanced(decoder)


@given(
    st.sampled_from(sorted(ENVELOPES)),
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6),
    st.integers(0, 300),
    st.integers(0, 400),
)
@settings(max_examples=1500)
def test_no_damage_to_a_real_frame_raises(
    name: str, damage: list[tuple[int, int]], cut: int, wire_len: int
) -> None:
    link_type, data, _ = ENVELOPES[name]
    damaged = bytearray(data)
    for place, value in damage:
        if place < len(damaged):
            damaged[place] = value
    decoder = Decoder()
    scrutinise(decoder, frame(bytes(damaged)[: cut or None], link_type, wire_len))
    decoder.finish()
    balanced(decoder)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 12),
            st.integers(0, 40),
            st.booleans(),
            st.integers(0, 2),
            st.integers(0, 40_000_000_000),
        ),
        max_size=30,
    )
)
def test_no_fragments_raise(pieces: list[tuple[int, int, bool, int, int]]) -> None:
    body = tcp(bytes(100))
    decoder = Decoder()
    for start, size, more, ident, time_ns in pieces:
        part = body[start * 8 : start * 8 + size]
        packet = ipv4(part, fragment=(0x2000 if more else 0) | start, ident=ident)
        segment = decoder.decode(frame(packet, 101, time_ns=time_ns))
        if segment is not None:
            assert (segment.src.addr, segment.dst.addr) == (SRC, DST)
        balanced(decoder)
    decoder.finish()
    balanced(decoder)
    assert decoder._fragments._cost == 0


def test_a_frame_that_says_it_was_shorter_than_captured() -> None:
    one = frame(ethernet(ipv4(tcp(b"abc"))))
    assert Decoder().decode(replace(one, wire_len=0)) == Decoder().decode(one)
