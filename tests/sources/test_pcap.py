from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpviz.sources.feed import SourceError
from tcpviz.sources.pcap import (
    IXIA_HARDWARE,
    IXIA_SOFTWARE,
    KUZNETZOV,
    MAX_FRAME,
    NANOSECONDS,
    PcapParser,
    is_pcap,
)
from tests.sources.capture_bytes import pcap_header, pcap_record


def read(data: bytes, step: int = 0) -> tuple[list, PcapParser]:
    parser = PcapParser()
    frames = []
    for at in range(0, len(data), step or len(data)):
        frames += parser.feed(data[at : at + (step or len(data))])
    parser.finish()
    return frames, parser


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "tick"), [(0xA1B2C3D4, 1000), (NANOSECONDS, 1)])
def test_byte_orders_and_resolutions(order: str, magic: int, tick: int) -> None:
    data = pcap_header(order, magic, link=113) + pcap_record(b"abc", 1_700_000_000, 123_456, order)
    frames, parser = read(data)
    assert is_pcap(data)
    assert [(f.time_ns, f.link_type, f.data, f.wire_len, f.number) for f in frames] == [
        (1_700_000_000 * 10**9 + 123_456 * tick, 113, b"abc", 3, 1)
    ]
    assert parser.notes == []
    assert [(i.link_type, i.snaplen) for i in parser.interfaces] == [(113, 262144)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_kuznetzovs_longer_record_headers(order: str) -> None:
    extra = struct.pack(order + "IHBB", 2, 0x0800, 4, 0)
    data = pcap_header(order, KUZNETZOV) + b"".join(
        pcap_record(text, order=order, extra=extra) for text in (b"first", b"second")
    )
    frames, _ = read(data)
    assert [f.data for f in frames] == [b"first", b"second"]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "tick"), [(IXIA_HARDWARE, 1), (IXIA_SOFTWARE, 1000)])
def test_ixias_headers_have_a_size_behind_them(order: str, magic: int, tick: int) -> None:
    data = pcap_header(order, magic) + b"size" + pcap_record(b"abc", 1, 5, order)
    assert is_pcap(data)
    for step in (0, 1, 25):
        frames, _ = read(data, step)
        assert [(f.data, f.time_ns) for f in frames] == [(b"abc", 10**9 + 5 * tick)]
    parser = PcapParser()
    assert parser.feed(data[:26]) == []
    with pytest.raises(SourceError, match="cut inside the header"):
        parser.finish()


def test_upper_bits_of_the_link_type_tell_of_checksums_only() -> None:
    frames, parser = read(pcap_header(link=0x44000001) + pcap_record(b"x"))
    assert frames[0].link_type == 1
    assert parser.interfaces[0].link_type == 1


def test_a_snapshot_keeps_the_length_on_the_wire() -> None:
    frames, _ = read(pcap_header() + pcap_record(b"head", length=1500))
    assert (frames[0].data, frames[0].wire_len) == (b"head", 1500)


def test_a_length_on_the_wire_below_what_was_captured_is_a_lie() -> None:
    frames, _ = read(pcap_header() + pcap_record(b"head", length=0))
    assert frames[0].wire_len == 4


@pytest.mark.parametrize("minor", [2, 3])
def test_old_versions_wrote_the_lengths_the_other_way_round(minor: int) -> None:
    frames, _ = read(pcap_header(minor=minor) + pcap_record(b"head", captured=60, length=4))
    assert (frames[0].data, frames[0].wire_len) == (b"head", 60)


def test_version_2_3_in_todays_order() -> None:
    frames, _ = read(pcap_header(minor=3) + pcap_record(b"head", captured=4, length=60))
    assert (frames[0].data, frames[0].wire_len) == (b"head", 60)


def test_a_header_without_packets_is_a_capture() -> None:
    frames, parser = read(pcap_header())
    assert (frames, parser.notes) == ([], [])


@pytest.mark.parametrize("keep", [1, 15, 16, 18])
def test_a_cut_record_is_a_note(keep: int) -> None:
    whole = pcap_header() + pcap_record(b"one")
    frames, parser = read(whole + pcap_record(b"two")[:keep])
    assert [f.data for f in frames] == [b"one"]
    assert parser.notes == [
        "cut in the middle of a record after frame 1; what was read until there is shown"
    ]


def test_a_mad_length_ends_the_file_and_allocates_nothing() -> None:
    head = pcap_header() + pcap_record(b"one")
    parser = PcapParser()
    frames = parser.feed(head + pcap_record(b"", captured=0xFFFFFFFF) + pcap_record(b"never"))
    assert [f.data for f in frames] == [b"one"]
    assert parser.ended
    assert parser.notes == [
        f"a record claims 4294967295 bytes at byte {len(head)}, "
        "after frame 1; what was read until there is shown"
    ]
    assert parser.feed(pcap_record(b"more")) == []
    parser.finish()
    assert len(parser.notes) == 1


def test_the_longest_frame_is_read_and_one_more_byte_is_not() -> None:
    frames, _ = read(pcap_header() + pcap_record(bytes(MAX_FRAME)), step=50_000)
    assert len(frames[0].data) == MAX_FRAME
    frames, parser = read(pcap_header() + pcap_record(bytes(MAX_FRAME + 1)), step=50_000)
    assert frames == []
    assert "before its first frame" in parser.notes[0]


def test_a_cut_header_is_an_error() -> None:
    parser = PcapParser()
    parser.feed(pcap_header()[:20])
    with pytest.raises(SourceError, match="cut inside the header"):
        parser.finish()


def test_an_unknown_version_is_an_error() -> None:
    with pytest.raises(SourceError, match=r"version 1\.4"):
        PcapParser().feed(struct.pack("<IHHiIII", 0xA1B2C3D4, 1, 4, 0, 0, 0, 1))


@given(
    st.lists(st.binary(max_size=60), max_size=12),
    st.integers(min_value=0),
    st.lists(st.integers(1, 40), min_size=1),
    st.sampled_from("<>"),
)
def test_pieces_of_any_size_give_the_same(
    payloads: list[bytes], cut: int, steps: list[int], order: str
) -> None:
    data = pcap_header(order) + b"".join(
        pcap_record(payload, seconds, seconds, order) for seconds, payload in enumerate(payloads)
    )
    data = data[: max(24, len(data) - cut % (len(data) + 1))]
    expected, whole = read(data)
    parser = PcapParser()
    frames, at = [], 0
    while at < len(data):
        step = steps[at % len(steps)]
        frames += parser.feed(data[at : at + step])
        at += step
    parser.finish()
    assert frames == expected
    assert parser.notes == whole.notes
    assert [f.data for f in expected] == payloads[: len(expected)]
