"""Captures that say where packets were lost: columns come to what the core makes of them.

``python -m tests.bulk.test_gaps FROM TO`` tries these seeds and tells what differs.
"""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from tcpviz.bulk.segments.reading import Reading
from tcpviz.wire.frame import Frame
from tests.bench.generate import visits
from tests.bulk import clocks, variants
from tests.bulk.compare import built, differences, stories
from tests.bulk.drawing import connections, frames_of, try_by_hand
from tests.bulk.test_buckets import dealt
from tests.bulk.test_hostile import traffic
from tests.bulk.transfer import drawn, write
from tests.wire import packets


def losing(path: Path, frames: list[Frame], where: set[int]) -> None:
    """Write them, packets lost before those of these places."""
    blocks = [variants.pcapng(frames[:1])]
    for at, each in enumerate(frames[1:], 1):
        options = ((4, (7).to_bytes(8, "little")),) if at in where else ()
        blocks.append(variants.block(each, options=options))
    path.write_bytes(b"".join(blocks))


def drawn_from(frames: list[Frame], dice: random.Random) -> set[int]:
    share = dice.choice((0.001, 0.01, 0.1))
    return {at for at in range(1, len(frames)) if dice.random() < share} | {len(frames) // 2}


def slowly(frames: list[Frame], factor: int) -> list[Frame]:
    """Over a longer time, so that timers run out between."""
    first = frames[0].time_ns
    return [replace(each, time_ns=first + (each.time_ns - first) * factor) for each in frames]


@pytest.mark.parametrize("seed", range(4))
def test_any_losses_among_visits(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    path = tmp_path / "capture"
    visits(path, 60, seed, odd=0.03)
    some = slowly(frames_of(path), dice.choice((1, 100, 1000)))
    lost = drawn_from(some, dice)
    losing(path, some, lost)
    building = built(path)
    assert len(building.reading.gaps) == len(lost)
    assert differences(path, building) == []
    count, wrong = stories(path)
    assert count > 50
    assert wrong == []
    if seed == 1:
        assert differences(path, dealt(path)) == []


@pytest.mark.parametrize("seed", range(4))
def test_any_losses_among_the_hostile(tmp_path: Path, seed: int) -> None:
    """With ICMP errors beside, whose order among the losses counts."""
    dice = random.Random(seed)
    path = tmp_path / "capture"
    traffic(path, seed, dice.choice((0.0, 0.05)))
    some = [replace(each, link_type=101) for each in frames_of(path)]
    for at in range(20, len(some), 97):
        quoted = packets.ipv4(some[at].data[20:28], src="10.0.0.1", dst="10.0.0.2", total=40)
        told = bytes.fromhex("0301000000000000") + quoted
        total = ~packets.fold(told) & 0xFFFF
        told = told[:2] + total.to_bytes(2, "big") + told[4:]
        data = packets.ipv4(told, protocol=1, src="10.0.0.9", dst="10.0.0.1")
        some.insert(at, replace(some[at], data=data, wire_len=len(data)))
    some = [replace(each, number=at) for at, each in enumerate(some, 1)]
    lost = drawn_from(some, dice)
    losing(path, some, lost | {at for at in range(20, len(some), 97) if dice.random() < 0.5})
    assert differences(path) == []


@pytest.mark.parametrize("seed", [3, 8, 24])
def test_losses_in_a_long_transfer(tmp_path: Path, seed: int) -> None:
    """The core is told of each, and carried on from there."""
    path = tmp_path / "transfer.pcap"
    write(path, drawn(seed), 400)
    some = frames_of(path)
    losing(path, some, {5, 200, 201, 202, 300, len(some) - 1})
    assert differences(path) == []


def test_losses_where_no_segment_is(tmp_path: Path) -> None:
    """Before a frame that holds none, before one read by itself, and after all that do."""
    path = tmp_path / "capture"
    visits(path, 30, 1)
    some = frames_of(path)
    udp = packets.ethernet(packets.ipv4(packets.udp(b"x" * 40, 53), protocol=17))
    for at in (50, 100, len(some)):
        some.insert(at, replace(some[at - 1], data=udp, wire_len=len(udp)))
    some = [replace(each, number=at) for at, each in enumerate(some, 1)]
    losing(path, some, {50, 100, len(some) - 1})
    assert differences(path) == []
    reading = Reading(str(path))
    reading.read()
    assert [one.frame for one in reading.gaps] == [51, 101, len(some)]
    assert reading.gaps[-1].row == reading.columns.count - 1
    reading.close()


def anything(path: Path, seed: int) -> None:
    """Write connections of some kind, by a clock of some kind, with losses among them."""
    dice = random.Random(seed)
    some = connections(path, dice, dice.randrange(4), seed)
    if dice.random() < 0.4:
        some = clocks.strange(some, dice)
    else:
        some = slowly(some, dice.choice((1, 1, 100, 1000)))
    losing(path, some, drawn_from(some, dice))


@pytest.mark.parametrize("seed", [*range(6), 32])
def test_any_losses_at_all(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "capture"
    anything(path, seed)
    assert differences(path) == []


def test_what_was_lost_within_connections_makes_shapes(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    visits(path, 100, 3, odd=0.0)
    some = frames_of(path)
    losing(path, some, {at for at in range(1, len(some)) if at % 40 == 0})
    building = built(path)
    # Only the SYN whose sender tried again with another number: in doubt is who came before.
    assert len(building.followed) == 2
    assert building.follower.segments < len(some)
    assert differences(path, building) == []


if __name__ == "__main__":
    try_by_hand(anything, *map(int, sys.argv[1:3]))
