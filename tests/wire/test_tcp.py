from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpviz.core.segment import NO_OPTIONS, Flags, Options
from tcpviz.wire import tcp as wire_tcp
from tcpviz.wire.tcp import check, endpoints, read_options
from tests.wire.packets import (
    DST,
    DST6,
    SRC,
    SRC6,
    decode,
    ethernet,
    fold,
    ipv4,
    ipv6,
    reason,
    tcp,
)


def endpoints_packed(src: str, dst: str) -> bytes:
    return ip_address(src).packed + ip_address(dst).packed


@pytest.mark.parametrize("bits", [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 0x1FF, 0x029])
def test_every_flag(bits: int) -> None:
    segment = decode(ethernet(ipv4(tcp(flags=bits))))
    assert segment is not None
    assert segment.flags == Flags(bits)
    assert isinstance(segment.flags, Flags)


def test_the_fields_at_their_limits() -> None:
    top = 0xFFFFFFFF
    data = tcp(seq=top, ack=top, window=65535, urgent=65535, reserved=7, sport=65535, dport=0)
    segment = decode(ethernet(ipv4(data, tos=0xFF, ident=65535, ttl=255)))
    assert segment is not None
    assert (segment.seq, segment.ack, segment.window, segment.urgent) == (top, top, 65535, 65535)
    assert (segment.src.port, segment.dst.port) == (65535, 0)
    assert segment.reserved == 7
    assert (segment.ecn, segment.ip_id, segment.ttl) == (3, 65535, 255)
    assert segment.options is NO_OPTIONS


SYN_OPTIONS = bytes.fromhex("020405b4 0402 080a 0000000a 00000000 01 030307")


def test_the_options_of_a_syn() -> None:
    assert read_options(SYN_OPTIONS) == Options(
        mss=1460, window_scale=7, sack_permitted=True, timestamps=(10, 0)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Options()),
        ("00", Options()),
        ("00 ffffff", Options()),  # what follows the end of the list is padding, whatever it is
        ("01010101", Options()),
        ("0101080affffffff00000001", Options(timestamps=(0xFFFFFFFF, 1))),
        ("080a0000000100000002 0101", Options(timestamps=(1, 2))),
        ("0101 050a 00000001 00000002", Options(sack=((1, 2),))),
        (
            "0522" + "0000000100000002" * 4,
            Options(sack=((1, 2),) * 4),
        ),
        ("02040000", Options(mss=0)),
        ("020405b4 02040218", Options(mss=536)),  # the last one counts, as in Linux
        ("0303ff00", Options(window_scale=255)),
        ("2202", Options(fast_open=b"")),
        ("220a0102030405060708", Options(fast_open=bytes(range(1, 9)))),
        ("fe04f989", Options(fast_open=b"")),
        ("fe08f98901020304", Options(fast_open=b"\x01\x02\x03\x04")),
        ("fd06f9890102", Options(fast_open=b"\x01\x02")),
        ("fe04e2d4", Options(unknown=((254, b"\xe2\xd4"),))),
        ("fe02", Options(unknown=((254, b""),))),
        ("fe03f900", Options(unknown=((254, b"\xf9"),))),
        ("1312" + "ab" * 16, Options(unknown=((19, b"\xab" * 16),))),  # MD5 signature
        ("1d04aabb 1e03 00", Options(unknown=((29, b"\xaa\xbb"), (30, b"\0")))),
        # Known kinds in lengths that are not theirs: a receiver skips them.
        ("0203050000", Options(unknown=((2, b"\x05"),))),
        ("0302 01", Options(unknown=((3, b""),))),
        ("040301", Options(unknown=((4, b"\x01"),))),
        ("0502", Options(unknown=((5, b""),))),
        ("0509" + "00" * 7, Options(unknown=((5, bytes(7)),))),
        ("0806 00000001", Options(unknown=((8, b"\0\0\0\x01"),))),
        # Lists that cannot be read on.
        ("0200", Options(malformed=True)),
        ("0201", Options(malformed=True)),
        ("020405b4 08", Options(mss=1460, malformed=True)),
        ("020405b4 080a0000", Options(mss=1460, malformed=True)),
        ("6300 020405b4", Options(malformed=True)),
        ("03ff01", Options(malformed=True)),
    ],
)
def test_options(text: str, expected: Options) -> None:
    assert read_options(bytes.fromhex(text)) == expected


def test_options_that_the_snapshot_cut_are_not_malformed() -> None:
    assert read_options(SYN_OPTIONS[:3], cut=True) == Options(cut=True)
    assert read_options(SYN_OPTIONS[:7], cut=True) == Options(
        mss=1460, sack_permitted=True, cut=True
    )
    stamped = read_options(bytes.fromhex("0101080a0000000100000002"), cut=True)
    assert stamped == Options(timestamps=(1, 2), cut=True)
    # Behind the end of the list nothing follows, whatever the snapshot lacks.
    assert read_options(bytes.fromhex("020405b400"), cut=True) == Options(mss=1460)
    assert read_options(bytes.fromhex("01010802"), cut=True).malformed is False
    assert read_options(bytes.fromhex("0200"), cut=True).malformed
    assert read_options(bytes.fromhex("02ff"), cut=True).malformed  # no header is that long


_NUMBER = st.integers(0, 2**32 - 1)
_PLAIN = st.one_of(
    st.integers(0, 65535).map(lambda n: ("mss", n, struct.pack("!BBH", 2, 4, n))),
    st.integers(0, 255).map(lambda n: ("window_scale", n, struct.pack("!BBB", 3, 3, n))),
    st.just(("sack_permitted", True, b"\x04\x02")),
    st.tuples(_NUMBER, _NUMBER).map(
        lambda pair: ("timestamps", pair, struct.pack("!BBII", 8, 10, *pair))
    ),
    st.lists(
        st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)), min_size=1, max_size=4
    )
    .map(tuple)
    .map(
        lambda blocks: (
            "sack",
            blocks,
            struct.pack(
                f"!BB{2 * len(blocks)}I", 5, 2 + 8 * len(blocks), *(n for b in blocks for n in b)
            ),
        )
    ),
    st.binary(max_size=16).map(lambda c: ("fast_open", c, bytes([34, 2 + len(c)]) + c)),
    st.binary(max_size=16).map(
        lambda c: ("fast_open", c, bytes([254, 4 + len(c)]) + b"\xf9\x89" + c)
    ),
    st.tuples(st.integers(9, 33), st.binary(max_size=12)).map(
        lambda pair: ("unknown", pair, bytes([pair[0], 2 + len(pair[1])]) + pair[1])
    ),
    st.just(("nop", None, b"\x01")),
)


@given(st.lists(_PLAIN, max_size=8), st.booleans())
def test_options_come_back_as_they_were_written(items: list, ended: bool) -> None:
    expected: dict = {}
    data = b""
    for name, value, packed in items:
        data += packed
        if name == "unknown":
            expected["unknown"] = (*expected.get("unknown", ()), value)
        elif name != "nop":
            expected[name] = value
    if ended:
        data += b"\0\xff\xff"
    assert read_options(data) == Options(**expected)


@given(st.binary(max_size=60), st.booleans())
def test_no_options_raise(data: bytes, cut: bool) -> None:
    options = read_options(data, cut)
    assert len(options.unknown) <= len(data)
    for _, value in options.unknown:
        assert value in data


@pytest.mark.parametrize("offset", range(5))
def test_a_data_offset_below_five(offset: int) -> None:
    expected = ("malformed", "TCP data offset below 5")
    assert reason(ethernet(ipv4(tcp(offset=offset, payload=bytes(40))))) == expected


def test_a_header_longer_than_its_packet() -> None:
    data = ethernet(ipv4(tcp(offset=6)))
    assert reason(data) == ("malformed", "TCP header longer than its packet")
    # Ethernet's padding is no part of it, however much of it there is.
    assert reason(data + bytes(60)) == ("malformed", "TCP header longer than its packet")


def test_a_packet_too_short_for_the_header() -> None:
    assert reason(ethernet(ipv4(tcp()[:19]))) == ("malformed", "TCP header truncated")
    cut = ethernet(ipv4(tcp()))
    assert reason(cut[:53], wire_len=len(cut)) == ("cut", "TCP header cut by the snapshot")


def test_the_fixed_header_alone_is_enough() -> None:
    data = ethernet(ipv4(tcp(bytes(1000), options=SYN_OPTIONS, flags=2)))
    segment = decode(data[:54], wire_len=len(data))
    assert segment is not None
    assert (segment.payload_len, segment.payload) == (1000, b"")
    assert segment.options == Options(cut=True)
    segment = decode(data[:61], wire_len=len(data))
    assert segment is not None
    assert segment.options == Options(mss=1460, sack_permitted=True, cut=True)


def test_the_checksum() -> None:
    good = tcp(b"abc")
    assert decode(ethernet(ipv4(good))).checksum_ok is True
    bad = bytearray(ethernet(ipv4(good)))
    bad[-1] ^= 1
    assert decode(bytes(bad)).checksum_ok is False
    cut = ethernet(ipv4(good))
    assert decode(cut[:-1], wire_len=len(cut)).checksum_ok is None


def test_a_checksum_left_to_the_card_is_neither_right_nor_wrong() -> None:
    """CHECKSUM_PARTIAL: the pseudo-header's sum, as Linux leaves it."""
    for src, dst, wrap, kind in ((SRC, DST, ipv4, 0x0800), (SRC6, DST6, ipv6, 0x86DD)):
        whole = tcp(b"hello", src=src, dst=dst)
        pair = endpoints_packed(src, dst)
        partial = fold(pair + struct.pack("!II", len(whole), 6))
        data = ethernet(wrap(tcp(b"hello", src=src, dst=dst, checksum=partial)), kind)
        assert decode(data).checksum_ok is None


def test_a_mismatch_proves_nothing_where_an_option_replaces_the_address() -> None:
    route = bytes.fromhex("83070401020304 00")
    wrong = ipv4(tcp(checksum=1), options=route)
    assert decode(ethernet(wrong)).checksum_ok is None
    assert decode(ethernet(ipv4(tcp(), options=route))).checksum_ok is True
    home_address = bytes([6, 0, 1, 4, 0, 0, 0, 0]) + tcp(src=SRC6, dst=DST6, checksum=1)
    assert decode(ipv6(home_address, following=60), 229).checksum_ok is None


@given(st.binary(max_size=200), st.booleans())
def test_the_checksum_agrees_with_adding_word_by_word(data: bytes, right: bool) -> None:
    addresses = endpoints_packed(SRC, DST)
    head = bytes(16) + b"\0\0" + b"\0\0"
    pseudo = addresses + struct.pack("!II", 20 + len(data), 6)
    total = ~fold(pseudo + head + data) & 0xFFFF
    field = total if right else total ^ 0x0101
    segment = head[:16] + struct.pack("!H", field) + head[18:] + data
    partial = fold(pseudo) % 65535 == field % 65535
    expected = fold(pseudo + segment) == 0xFFFF
    answer = check(addresses + segment, len(segment), field)
    assert answer is (True if expected else None if partial else False)


def test_addresses_are_canonical() -> None:
    source, destination = endpoints(
        bytes.fromhex("20010db8000000000000000000000001" + "00000000000000000000ffffc0000201")
        + struct.pack("!HH", 1, 2)
    )
    assert str(source) == "[2001:db8::1]:1"
    assert destination.addr == "::ffff:192.0.2.1"


def test_remembered_addresses_are_bounded() -> None:
    for n in range(wire_tcp.MAX_ENDPOINTS + 10):
        source, _ = endpoints(struct.pack("!IIHH", n, 1, 2, 3))
        assert source.addr.endswith(f".{n & 255}")
    assert len(wire_tcp._ENDPOINTS) <= wire_tcp.MAX_ENDPOINTS
