"""Whatever the headers, many frames of a ring at once come to what the decoder makes of each."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import cast

import pytest

pytest.importorskip("numpy")

import numpy as np

from tcpviz.bulk.live import odd
from tcpviz.bulk.live.mixing import Mixer, packed
from tcpviz.bulk.live.rows import LiveRows
from tcpviz.bulk.live.stretches import Columns, Stretch, vlan
from tcpviz.bulk.live.table import LiveTable
from tcpviz.bulk.live.whole import WholeStretch
from tcpviz.core.segment import Endpoint, Segment
from tcpviz.wire.decoder import Decoder
from tests.bulk.ringed import COOKED, ETHERNET, RAW, TAGGED, WITH_TPID, Packet, blocks, laid
from tests.bulk.test_walking import every
from tests.wire import packets

MIXER = Mixer(bytes(range(40)))
STATUS = [0, 0, TAGGED, TAGGED | WITH_TPID]


def told_alike(columns: Columns, segments: Mapping[int, Segment | None]) -> None:
    for at, place in enumerate(columns.place.tolist()):
        one = segments[place]
        assert one is not None
        told = (columns.time_ns, columns.seq, columns.ack, columns.flags, columns.size)
        assert [int(column[at]) for column in told] == [
            one.time_ns, one.seq, one.ack, int(one.flags), one.payload_len
        ]  # fmt: skip
        numbers = [int(columns.src[at]), int(columns.dst[at])]
        assert numbers == [MIXER.odd(packed(end), one.scope) for end in (one.src, one.dst)]


def agrees(stretch: Stretch) -> int:
    """How many segments were found at once, after a look at each by itself."""
    places = np.arange(len(stretch))
    found = odd.look(stretch, places, MIXER)
    columns, ends = found.columns, found.ends
    alone, together = Decoder(verify=False), Decoder(verify=False)
    segments = {place: alone.decode(stretch.frame(place)) for place in range(len(stretch))}
    for group in found.alike:
        together.skip_alike(stretch.frame(int(group[0])), len(group))
        assert all(segments.pop(place) is None for place in group.tolist())
    for place in found.rest.tolist():
        assert together.decode(stretch.frame(place)) == segments.pop(place)
    assert sorted(segments) == columns.place.tolist() == ends.place.tolist()
    told_alike(columns, segments)
    for at, place in enumerate(columns.place.tolist()):
        one = cast(Segment, segments[place])
        assert ends.packed[at].tobytes() == packed(one.src) + packed(one.dst)
        assert ends.scopes[ends.which[at]] == one.scope
    assert together.frames + len(segments) == alone.frames
    for name in ("skipped", "malformed", "cut"):
        assert getattr(together, name) == getattr(alone, name)
    return len(columns)


def wrapped(rng: random.Random, link: tuple[int, bool]) -> list[Packet]:
    """Each envelope, whole and cut, with and without a tag that was taken off."""
    rows: list[Packet] = []
    for _, one in every():
        data = one.data
        if link == COOKED and one.link_type == 1 and data[12:14] == b"\x08\0":
            data = data[14:]
        elif one.link_type != link[0]:
            continue
        for size in (len(data), rng.randrange(len(data) + 1)):
            tag = (rng.randrange(1 << 16), rng.choice((0x8100, 0x88A8)))
            rows.append((0, data[:size], len(data) - size, rng.choice(STATUS), *tag))
    rng.shuffle(rows)
    return rows


@pytest.mark.parametrize("link", [ETHERNET, COOKED, RAW])
@pytest.mark.parametrize("seed", range(4))
def test_every_envelope_from_either_ring(seed: int, link: tuple[int, bool]) -> None:
    rows = wrapped(random.Random(seed), link)
    snaplen = random.Random(seed).choice((100, 128, 300))
    assert agrees(laid(rows, snaplen, [link])) > 0
    assert agrees(WholeStretch.of_blocks(blocks(rows, 5, link), [link])) > 0


def test_several_interfaces_at_a_time() -> None:
    rng = random.Random(1)
    links = [ETHERNET, COOKED, RAW]
    rows = [(at, *row[1:]) for at, link in enumerate(links) for row in wrapped(rng, link)]
    rng.shuffle(rows)
    assert agrees(laid(rows, 128, links)) > 0


@pytest.mark.parametrize("seed", range(4))
def test_any_bits_turned(seed: int) -> None:
    rng = random.Random(seed)
    rows = []
    for row in wrapped(rng, ETHERNET) * 3:
        data = bytearray(row[1])
        for _ in range(rng.randrange(1, 4) if data else 0):
            data[rng.randrange(min(len(data), 120))] ^= 1 << rng.randrange(8)
        rows.append((0, bytes(data), *row[2:]))
    agrees(laid(rows, 128))
    agrees(WholeStretch.of_blocks(blocks(rows, 7), [ETHERNET]))


def test_what_is_in_another_vlan_is_another_end() -> None:
    end = packed(Endpoint("192.0.2.1", 80))
    scopes = [(), ("VLAN 1",), ("VLAN 2",), ("VLAN 1", "GRE")]
    assert len({MIXER.odd(end, scope) for scope in scopes}) == len(scopes)


@pytest.mark.parametrize("seed", range(4))
def test_plain_packets_whose_tag_linux_took_are_taken_at_once(seed: int) -> None:
    rng = random.Random(seed)
    rows: list[Packet] = []
    for _ in range(300):
        data = packets.tcp(b"x" * rng.randrange(3), flags=rng.choice((2, 16, 18)))
        ip = packets.ipv4(data) if rng.random() < 0.6 else packets.ipv6(data)
        kind = 0x0800 if ip[0] >> 4 == 4 else 0x86DD
        vid = rng.choice((0, 1, 0x0FFF)) | rng.randrange(16) << 12
        tpid = rng.choice((0x8100, 0x88A8, 0x9100))
        rows.append((0, packets.ethernet(ip, kind), 0, rng.choice(STATUS), vid, tpid))
    table = LiveTable(mixer=MIXER)
    for stretch in (laid(rows, 128), WholeStretch.of_blocks(blocks(rows, 5), [ETHERNET])):
        segments = {
            place: Decoder(verify=False).decode(frame)
            for place, frame in enumerate(stretch.frames())
        }
        columns, rest = stretch.columns(MIXER)
        told_alike(columns, segments)
        assert sorted([*columns.place.tolist(), *rest.tolist()]) == list(segments)
        unknown = [place for place, row in enumerate(rows) if row[3] == 0x50 and row[5] == 0x9100]
        assert rest.tolist() == unknown
        both, vlans = stretch.both_ends(columns.place), stretch.vlans(columns.place)
        for at, place in enumerate(columns.place.tolist()):
            one = cast(Segment, segments[place])
            assert both[at].tobytes() == packed(one.src) + packed(one.dst)
            assert vlan(int(vlans[at])) == one.scope
        table.take(stretch, columns)
    keys = {each.key for each in LiveRows(table)}
    assert keys == {one.key for place, one in segments.items() if one and place not in unknown}
