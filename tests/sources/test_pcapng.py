from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpviz.sources.feed import SourceError
from tcpviz.sources.parser import MAX_BLOCK
from tcpviz.sources.pcapng import PcapngParser
from tests.sources.capture_bytes import Ng

LITTLE, BIG = Ng("<"), Ng(">")
COMMENT, DROPCOUNT = 1, 4
IF_NAME, IF_DESCRIPTION, IF_TSRESOL, IF_TSOFFSET = 2, 3, 9, 14
ISB_IFDROP, ISB_OSDROP = 5, 7


def read(data: bytes) -> tuple[list, PcapngParser]:
    parser = PcapngParser()
    frames = parser.feed(data)
    parser.finish()
    return frames, parser


@pytest.mark.parametrize("ng", [LITTLE, BIG])
def test_several_interfaces_and_their_names(ng: Ng) -> None:
    data = (
        ng.section()
        + ng.interface(1, 96, (IF_NAME, b"eth0"), (IF_DESCRIPTION, "außen".encode()))
        + ng.interface(113, 0, (IF_NAME, b"any\0junk"))
        + ng.packet(b"cooked", 5, 1)
        + ng.packet(b"ether", 6, 0, length=1500)
    )
    frames, parser = read(data)
    assert [
        (f.time_ns, f.link_type, f.data, f.wire_len, f.number, f.interface) for f in frames
    ] == [
        (5000, 113, b"cooked", 6, 1, 1),
        (6000, 1, b"ether", 1500, 2, 0),
    ]
    assert [(i.name, i.link_type, i.description, i.snaplen) for i in parser.interfaces] == [
        ("eth0", 1, "außen", 96),
        ("any", 113, "", 0),
    ]
    assert not parser.notes
    assert not parser.bad


@pytest.mark.parametrize(
    ("resolution", "ticks", "time_ns"),
    [
        (0, 3, 3_000_000_000),
        (6, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
        (12, 1_999, 1),  # picoseconds, rounded down
        (0x80, 3, 3_000_000_000),
        (0x80 | 20, 1 << 19, 500_000_000),
        (0x80 | 32, (7 << 32) + 1, 7_000_000_000),
        (127, 2**63 - 1, 0),
        (6, 2**64 - 3, -3000),  # as programs wrote moments before 1970
    ],
)
def test_time_resolutions(resolution: int, ticks: int, time_ns: int) -> None:
    data = LITTLE.section() + LITTLE.interface(1, 0, (IF_TSRESOL, bytes([resolution])))
    frames, _ = read(data + LITTLE.packet(b"x", ticks))
    assert frames[0].time_ns == time_ns


@pytest.mark.parametrize("ng", [LITTLE, BIG])
def test_time_offset_may_be_negative(ng: Ng) -> None:
    offset = struct.pack(ng.order + "q", -2)
    data = ng.section() + ng.interface(1, 0, (IF_TSOFFSET, offset)) + ng.packet(b"x", 5_000_000)
    assert read(data)[0][0].time_ns == 3_000_000_000


def test_times_that_no_clock_has_fit_64_bits() -> None:
    late = struct.pack("<q", 2**63 - 1)
    early = struct.pack("<q", -(2**63))
    data = LITTLE.section()
    data += LITTLE.interface(1, 0, (IF_TSRESOL, b"\0"), (IF_TSOFFSET, late))
    data += LITTLE.interface(1, 0, (IF_TSOFFSET, early))
    frames, _ = read(data + LITTLE.packet(b"x", 2**63 - 1) + LITTLE.packet(b"x", 0, 1))
    assert [f.time_ns for f in frames] == [2**63 - 1, -(2**63 - 1)]


def test_sections_of_either_byte_order_have_their_own_interfaces() -> None:
    data = b"".join(
        ng.section() + ng.interface(link, 0, (IF_NAME, name)) + ng.packet(name, 1)
        for ng, link, name in ((LITTLE, 1, b"a"), (BIG, 101, b"b"), (LITTLE, 113, b"c"))
    )
    frames, parser = read(data)
    assert [(f.data, f.link_type, f.interface, f.number) for f in frames] == [
        (b"a", 1, 0, 1),
        (b"b", 101, 1, 2),
        (b"c", 113, 2, 3),
    ]
    assert [i.name for i in parser.interfaces] == ["a", "b", "c"]


def test_comments_lose_what_could_act_on_a_terminal() -> None:
    data = LITTLE.section() + LITTLE.interface()
    data += LITTLE.packet(b"x", 0, 0, (COMMENT, "held \x1b[2J\u202eä".encode()), (COMMENT, b"two"))
    data += LITTLE.packet(b"y", 0, 0, (COMMENT, b"\xff"))
    frames, _ = read(data + LITTLE.packet(b"z"))
    assert [f.comment for f in frames] == ["held \ufffd[2J\ufffdä\ntwo", "\ufffd", None]


def test_old_and_simple_packets() -> None:
    data = LITTLE.section() + LITTLE.interface(1, 8)
    data += LITTLE.old_packet(b"old", 1_000_000) + LITTLE.simple(b"12345678", 100)
    data += LITTLE.simple(b"abc")
    frames, parser = read(data)
    assert [(f.time_ns, f.data, f.wire_len) for f in frames] == [
        (1_000_000_000, b"old", 3),
        (1_000_000_000, b"12345678", 100),
        (1_000_000_000, b"abc", 3),
    ]
    assert parser.notes == [
        "some packets carry no time (first: frame 2); they are shown at the time of the one before"
    ]


def test_losses_by_statistics_are_those_of_each_interface_at_last() -> None:
    data = LITTLE.section() + LITTLE.interface() + LITTLE.interface()
    for interface, counted in ((0, 3), (1, 10), (0, 5)):
        data += LITTLE.statistics(interface, (ISB_IFDROP, LITTLE.u64(counted)))
    data += LITTLE.statistics(1, (ISB_IFDROP, LITTLE.u64(10)), (ISB_OSDROP, LITTLE.u64(1)))
    assert read(data)[1].dropped == 16


def test_losses_counted_at_packets() -> None:
    data = LITTLE.section() + LITTLE.interface() + LITTLE.packet(b"a")
    data += LITTLE.packet(b"b", 0, 0, (DROPCOUNT, LITTLE.u64(7)))
    data += LITTLE.old_packet(b"c", drops=2) + LITTLE.old_packet(b"d", drops=0xFFFF)
    parser = PcapngParser()
    parser.feed(data)
    assert (parser.losses, parser.dropped) == ({2: 7, 3: 2}, 9)
    parser.feed(LITTLE.packet(b"e") + LITTLE.statistics(0, (ISB_IFDROP, LITTLE.u64(9))))
    assert (parser.losses, parser.dropped) == ({}, 9)


def test_unknown_blocks_are_skipped_however_long() -> None:
    data = LITTLE.section() + LITTLE.block(0x0BAD, bytes(100)) + LITTLE.interface()
    frames, parser = read(data + LITTLE.block(4, b"names") + LITTLE.packet(b"x"))
    assert ([f.data for f in frames], parser.notes) == ([b"x"], [])
    parser = PcapngParser()
    parser.feed(LITTLE.section() + struct.pack("<II", 0x0BAD, MAX_BLOCK * 2))
    for _ in range(2 * MAX_BLOCK // 65536):
        assert parser.feed(bytes(65536)) == []
        assert len(parser._pending) < 65536
    assert not parser.ended


def test_a_cut_in_an_unknown_block_is_noted() -> None:
    data = LITTLE.section() + LITTLE.interface() + LITTLE.packet(b"x")
    _, parser = read(data + LITTLE.block(0x0BAD, bytes(100))[:-1])
    assert parser.notes == [
        "cut in the middle of a record after frame 1; what was read until there is shown"
    ]


@pytest.mark.parametrize("length", [0, 4, 11, 13, 34, 0xFFFFFFFC, 0xFFFFFFFF])
def test_a_mad_block_length_ends_the_file(length: int) -> None:
    good = LITTLE.section() + LITTLE.interface() + LITTLE.packet(b"x")
    frames, parser = read(good + LITTLE.block(6, bytes(24), length) + LITTLE.packet(b"never"))
    assert [f.data for f in frames] == [b"x"]
    assert parser.ended
    assert parser.notes == [
        f"a block claims {length} bytes at byte {len(good)}, "
        "after frame 1; what was read until there is shown"
    ]


def test_lengths_that_differ_end_the_file() -> None:
    good = LITTLE.section() + LITTLE.interface()
    _, parser = read(good + LITTLE.block(6, bytes(24), None, 40))
    assert parser.notes == [
        f"the two lengths of a block differ at byte {len(good)}, before its first frame"
    ]


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (LITTLE.packet(b"abc", captured=5000), "pcapng packet longer than its block"),
        (LITTLE.packet(b"abc", captured=0xFFFFFFFF), "pcapng packet longer than its block"),
        (LITTLE.simple(b"abc", 9), "pcapng packet longer than its block"),
        (LITTLE.packet(b"abc", interface=1), "pcapng packet of an unknown interface"),
        (LITTLE.old_packet(b"abc", interface=9), "pcapng packet of an unknown interface"),
        (LITTLE.block(6, bytes(16)), "pcapng packet block too short"),
        (LITTLE.block(2, b""), "pcapng packet block too short"),
        (LITTLE.block(3, b""), "pcapng packet block too short"),
    ],
)
def test_a_bad_packet_is_counted_and_skipped(block: bytes, reason: str) -> None:
    data = LITTLE.section() + LITTLE.interface() + block + LITTLE.packet(b"next")
    frames, parser = read(data)
    assert [(f.number, f.data) for f in frames] == [(2, b"next")]
    assert (dict(parser.bad), parser.notes) == ({reason: 1}, [])


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (LITTLE.block(1, bytes(4)), "pcapng interface too short"),
        (LITTLE.block(5, bytes(8)), "pcapng statistics too short"),
        (LITTLE.statistics(3), "pcapng statistics of an unknown interface"),
    ],
)
def test_a_bad_description_is_counted(block: bytes, reason: str) -> None:
    _, parser = read(LITTLE.section() + block)
    assert dict(parser.bad) == {reason: 1}


def test_a_lying_option_length_loses_the_options_not_the_packet() -> None:
    body = struct.pack("<IIIII", 0, 0, 0, 4, 4) + b"data" + struct.pack("<HH", COMMENT, 60000)
    frames, _ = read(LITTLE.section() + LITTLE.interface() + LITTLE.block(6, body))
    assert [(f.data, f.comment) for f in frames] == [(b"data", None)]


def test_simple_packet_before_any_interface() -> None:
    _, parser = read(LITTLE.section() + LITTLE.simple(b"abc"))
    assert dict(parser.bad) == {"pcapng packet of an unknown interface": 1}


def test_headers_that_cannot_be_read_are_errors() -> None:
    with pytest.raises(SourceError, match="version 2"):
        PcapngParser().feed(LITTLE.section(major=2))
    with pytest.raises(SourceError, match="no section header"):
        PcapngParser().feed(LITTLE.interface())
    parser = PcapngParser()
    parser.feed(LITTLE.section()[:20])
    with pytest.raises(SourceError, match="cut inside the header"):
        parser.finish()


def test_a_later_section_of_another_version_ends_the_file() -> None:
    data = LITTLE.section() + LITTLE.interface() + LITTLE.packet(b"x")
    frames, parser = read(data + LITTLE.section(major=2) + LITTLE.packet(b"never"))
    assert len(frames) == 1
    assert "version 2.0 is not known" in parser.notes[0]


blocks = st.sampled_from([LITTLE, BIG]).flatmap(
    lambda ng: st.lists(
        st.one_of(
            st.just(ng.section()),
            st.builds(lambda n: ng.interface(1, n, (IF_NAME, b"x")), st.integers(0, 9)),
            st.builds(
                ng.packet, st.binary(max_size=20), st.integers(0, 2**64 - 1), st.integers(0, 2)
            ),
            st.builds(
                lambda d: ng.packet(d, 0, 0, (COMMENT, d), (DROPCOUNT, ng.u64(1))),
                st.binary(max_size=9),
            ),
            st.builds(ng.simple, st.binary(max_size=20)),
            st.builds(ng.old_packet, st.binary(max_size=20), st.integers(0, 99), st.integers(0, 2)),
            st.builds(lambda n: ng.block(0xBAD, bytes(n)), st.integers(0, 50)),
            st.builds(lambda n: ng.statistics(0, (ISB_IFDROP, ng.u64(n))), st.integers(0, 50)),
        ),
        max_size=12,
    ).map(lambda parts: ng.section() + b"".join(parts))
)


@given(
    st.lists(blocks, min_size=1, max_size=3).map(b"".join),
    st.integers(min_value=0),
    st.lists(st.tuples(st.integers(28, 5000), st.integers(0, 255)), max_size=3),
    st.lists(st.integers(1, 40), min_size=1),
)
def test_pieces_of_any_size_give_the_same(
    data: bytes, cut: int, damage: list[tuple[int, int]], steps: list[int]
) -> None:
    spoilt = bytearray(data)
    for at, value in damage:
        if at < len(spoilt):
            spoilt[at] = value
    data = bytes(spoilt[: max(28, len(spoilt) - cut % (len(spoilt) + 1))])
    expected, whole = read(data)
    parser = PcapngParser()
    frames, at = [], 0
    while at < len(data):
        step = steps[at % len(steps)]
        frames += parser.feed(data[at : at + step])
        at += step
    parser.finish()
    assert frames == expected
    assert (parser.notes, parser.bad, parser.interfaces, parser.dropped) == (
        whole.notes,
        whole.bad,
        whole.interfaces,
        whole.dropped,
    )
