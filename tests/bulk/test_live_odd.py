"""Whatever the headers, many frames of a ring at once come to what the decoder makes of each."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("numpy")

import numpy as np

from tcpviz.bulk.live import odd
from tcpviz.bulk.live.mixing import Mixer, packed
from tcpviz.bulk.live.stretches import Stretch
from tcpviz.bulk.live.whole import WholeStretch
from tcpviz.core.segment import Endpoint
from tcpviz.wire.decoder import Decoder
from tests.bulk.ringed import COOKED, ETHERNET, RAW, TAGGED, WITH_TPID, Packet, blocks, laid
from tests.bulk.test_walking import every

MIXER = Mixer(bytes(range(40)))
STATUS = [0, 0, TAGGED, TAGGED | WITH_TPID]


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
    for at, place in enumerate(columns.place.tolist()):
        one = segments[place]
        assert one is not None
        told = (columns.time_ns, columns.seq, columns.ack, columns.flags, columns.size)
        assert [int(column[at]) for column in told] == [
            one.time_ns, one.seq, one.ack, int(one.flags), one.payload_len
        ]  # fmt: skip
        both = (packed(one.src), packed(one.dst))
        assert ends.packed[at].tobytes() == b"".join(both)
        numbers = [int(columns.src[at]), int(columns.dst[at])]
        assert numbers == [MIXER.odd(end, one.scope) for end in both]
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
