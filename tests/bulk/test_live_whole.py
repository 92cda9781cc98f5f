"""Packets of any length from a ring of blocks: as from the ring of frames, and whole."""

from __future__ import annotations

import io
import random

import pytest

pytest.importorskip("numpy")

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpviz.bulk.live.mixing import Mixer
from tcpviz.bulk.live.ringmade import StretchMaker
from tcpviz.bulk.live.stretches import Columns, Stretch
from tcpviz.bulk.live.whole import WholeStretch
from tcpviz.sources.blockring import chain
from tcpviz.sources.ring import AT_ONCE
from tcpviz.sources.ringread import FrameMaker
from tests.bench.flood import frames as flood
from tests.bulk.ringed import COOKED, ETHERNET, LOSING, RAW, blocks, laid, packets
from tests.bulk.test_live_saving import one_by_one

MIXER = Mixer(bytes(range(40)))


def of_one(rows):
    """The same packets, all of interface 0."""
    return [(0, *row[1:]) for row in rows]


def alike(one: Stretch, other: Stretch) -> None:
    assert list(one.frames()) == list(other.frames())
    assert one.lost_before() == other.lost_before()
    columns, odd = one.columns(MIXER)
    also, strange = other.columns(MIXER)
    assert odd.tolist() == strange.tolist()
    for name in Columns.__slots__:
        assert getattr(columns, name).tolist() == getattr(also, name).tolist(), name


@settings(deadline=None)
@given(
    st.lists(packets, max_size=20),
    st.integers(1, 9),
    st.sampled_from([ETHERNET, COOKED, RAW]),
    st.booleans(),
)
def test_packets_of_blocks_are_those_of_frames(rows, each, link, outgoing) -> None:
    rows = of_one(rows)
    whole = WholeStretch.of_blocks(blocks(rows, each, link), [link])
    framed = laid(rows, 2000, [link])
    alike(whole, framed)
    if outgoing:  # every fifth has that type
        whole, framed = whole.without_outgoing(), framed.without_outgoing()
        assert list(whole.frames()) == list(framed.frames())
    for snaplen in (0, 100):
        found = [
            one_by_one(each, snaplen, io.BytesIO(), many=many)
            for each, many in ((framed, False), (whole, False), (whole, True))
        ]
        assert found[0] == found[1] == found[2]
    assert list(whole.head(3).frames()) == list(framed.head(3).frames())


def talk(count: int):
    """Whole connections, with data as it comes."""
    heads, sizes = flood(count, count * 10)
    dice = random.Random(1)
    return [
        (0, heads[n].tobytes() + dice.randbytes(int(sizes[n])), 0, 0, 0, 0)
        for n in range(len(heads))
    ]


def test_of_ordinary_packets_none_needs_the_slow_road() -> None:
    rows = talk(30)
    whole = WholeStretch.of_blocks(blocks(rows, 64), [ETHERNET])
    columns, odd = whole.columns(MIXER)
    assert (len(columns), len(odd)) == (300, 0)
    alike(whole, laid(rows, 2000))


@pytest.mark.parametrize("count", [30, AT_ONCE // 10 + 1])
def test_of_two_rings_they_come_in_the_order_of_time(count) -> None:
    rows = talk(count)
    links = [ETHERNET, ETHERNET]
    maker = StretchMaker(links)
    sides = [rows[::2], rows[1::2]]
    parts = [
        (number, maker.part(number, blocks(side, 100), 0, skip_outgoing=False))
        for number, side in enumerate(sides)
    ]
    made, total = maker.put(parts, 5, 11)
    assert total == len(rows)
    assert all(len(each) <= AT_ONCE for each in made)
    assert sum(each.lost for each in made) == 5
    found = [
        frame for each in made for frame in (each.frames() if count == 30 else [each.frame(0)])
    ]
    assert [frame.number for frame in found[:3]] == [11, 12, 13][: len(found)] or count != 30
    if count == 30:
        # Both begin at the same time, and of two at the same time the first ring's is first.
        assert [frame.interface for frame in found] == [0, 1] * 150
        assert [frame.data for frame in found] == [row[1] for row in rows]
    else:
        assert [frame.number for frame in found] == [11, 11 + AT_ONCE]


def test_losses_stand_before_the_first_packet_of_their_block() -> None:
    rows = [(0, bytes(60), 0, LOSING if n == 7 else 0, 0, 0) for n in range(20)]
    maker = StretchMaker([ETHERNET])
    part = maker.part(0, blocks(rows, 5), 0, skip_outgoing=False)
    assert maker.loses(part)
    ((made,), _) = maker.put([(0, part)], 9, 1)
    assert (made.lost_before(), made.lost) == (7, 9)
    one_by_one_maker = FrameMaker([ETHERNET])
    framed = one_by_one_maker.part(0, blocks(rows, 5), 0, skip_outgoing=False)
    frames, _ = one_by_one_maker.put([(0, framed)], 9, 1)
    assert one_by_one_maker.losses == {8: 9}
    assert frames == list(made.frames())


@settings(deadline=None)
@given(st.binary(max_size=300), st.lists(packets, min_size=1, max_size=5), st.randoms())
def test_whatever_is_in_blocks_nothing_beyond_them_is_read(garbage, rows, dice) -> None:
    data = bytearray(blocks(of_one(rows), 3) + garbage)
    for _ in range(20):
        data[dice.randrange(len(data))] = dice.choice((0, 1, 0x7F, 0xFF, dice.randrange(256)))
    data = bytes(data[: dice.randrange(len(data) + 1)])
    places, losing = chain(data)
    assert all(0 <= at <= len(data) - 48 for at in places)
    assert all(0 <= place < len(places) for place in losing)
    whole = WholeStretch.of_blocks(data, [ETHERNET])
    assert len(whole) == len(places)
    for frame in whole.frames():
        assert len(frame.data) <= len(data) + 4
    columns, odd = whole.columns(MIXER)
    assert len(columns) + len(odd) == len(whole)
    source, starts, sizes = whole.packets()
    assert (np.asarray(starts) + sizes <= max(len(source), 1)).all() or not len(whole)
