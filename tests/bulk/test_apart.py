"""Many connections on the same ends, a few of them odd: columns and core agree on all of them."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from tcpviz.bulk.tables.table import Table
from tests.bench import losses
from tests.bench.losses import BEGUN, MS, Manner, Packet
from tests.bulk.compare import built, differences
from tests.bulk.drawing import try_by_hand


def _usual(dice: random.Random) -> Manner:
    exchanges = [(dice.randint(1, 400), dice.randint(1, 3000)) for _ in range(dice.randint(1, 2))]
    return Manner(dice, exchanges, delay=1 * MS)


def visited(path: Path, seed: int) -> None:
    """A few clients' ports, each used again and again; what is late may come in another's time."""
    dice = random.Random(seed)
    odd = dice.choice((0.02, 0.12, 0.4))
    pauses = dice.choice(([MS], [MS, 500 * MS], [MS, 61_000 * MS, 130_000 * MS]))
    late = dice.choice((0.0, 0.0, 0.002, 0.01))
    near = dice.choice((0.0, 0.0, 0.2, 0.7))
    packets: list[Packet] = []
    for port in range(dice.randint(1, 3)):
        now, own = BEGUN + dice.randrange(1000 * MS), list[Packet]()
        reached: list[int | None] = [None, None]
        for _ in range(dice.randint(8, 50)):
            manner = losses.drawn(dice, 12) if dice.random() < odd else _usual(dice)
            manner.told = 0
            talk = losses.Talk(manner, 0x0A000002, 20_000 + port, now)
            for end, came_to in zip(talk.ends, reached, strict=True):
                if came_to is not None and dice.random() < near:
                    end.first = (came_to + dice.randrange(-200_000, 400_000)) & losses.MASK
            made = talk.run()
            reached = [end.first + end.far for end in talk.ends]
            own += made
            now = max(one[0] for one in made) + dice.choice(pauses)
            if dice.random() < late * 5:
                now -= dice.randrange(5 * MS)  # the next one begins before this one is all over
        own.sort(key=lambda one: one[0])
        for when, data, length in [one for one in own if dice.random() < late]:
            packets.append((when + dice.choice((20, 2 * MS, 30 * MS, 3000 * MS)), data, length))
        packets += own
    losses.put_packets(path, packets)


@pytest.mark.parametrize("seed", range(1, 13))
def test_a_few_odd_ones_among_many(tmp_path: Path, seed: int) -> None:
    """``python -m tests.bulk.test_apart FROM TO`` has more of them."""
    path = tmp_path / "apart.pcap"
    visited(path, seed)
    assert differences(path) == []


def test_only_the_odd_ones_and_those_beside_them_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "apart.pcap"
    dice = random.Random(3)
    packets, now = list[Packet](), BEGUN
    for number in range(200):
        manner = _usual(dice)
        if number in (50, 51, 120):
            manner.lost, manner.exchanges = (0.2, 0.2), [(300, 20_000)]
        made = losses.Talk(manner, 0x0A000002, 20_000, now).run()
        packets += made
        now = max(one[0] for one in made) + MS
    losses.put_packets(path, packets)
    building = built(path)
    assert len(building.followed) == 3
    assert building.follower.segments < len(packets) / 8
    table = Table(building)
    assert len(table) == 200
    # Who had the addresses and ports before is known of all of them, whoever told of them.
    assert [one.older for one in table][100:] == [(n, n - 1, n - 2, n - 3) for n in range(100, 200)]
    assert differences(path, building) == []


if __name__ == "__main__":
    try_by_hand(visited, *map(int, sys.argv[1:3]))
