"""Snapshots of every length: columns come to what the core makes of what was left.

``python -m tests.bulk.test_snapshots FROM TO`` tries these seeds and tells what differs.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from tests.bench.generate import visits
from tests.bulk import variants
from tests.bulk.compare import built, differences, stories
from tests.bulk.drawing import connections, frames_of, try_by_hand

USUAL = (54, 58, 60, 64, 68, 72, 74, 82, 86, 96, 128)


def drawn(path: Path, seed: int, snaplen: int = 0) -> None:
    """Write connections of some kind, in some envelope, cut somewhere."""
    dice = random.Random(seed)
    frames = connections(path, dice, dice.randrange(4), seed)
    if dice.random() < 0.4:
        change = variants.ipv6
        frames = [
            each.__class__(
                each.time_ns,
                101,
                change(each.data),
                each.wire_len + 20,
                each.number,
                each.interface,
            )
            if each.data[:1] == b"\x45"
            else each
            for each in variants.raw(frames)
        ]
    link, wrap = variants.ENVELOPES[dice.choice(("Ethernet", "Ethernet", "VLAN", "QinQ"))]
    frames = variants.enveloped(frames, link, wrap)
    snaplen = snaplen or dice.choice((dice.choice(USUAL), dice.randint(54, 110)))
    path.write_bytes(variants.pcap(variants.cut(frames, snaplen)))


@pytest.mark.parametrize("seed", range(10))
def test_any_snapshot(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "capture"
    drawn(path, seed)
    assert differences(path) == []
    if seed % 4 == 0:
        assert stories(path)[1] == []


@pytest.mark.parametrize("snaplen", USUAL)
def test_no_length_needs_the_core_for_all(tmp_path: Path, snaplen: int) -> None:
    path = tmp_path / "capture"
    visits(path, 60, 1, odd=0.0)
    path.write_bytes(variants.pcap(variants.cut(frames_of(path), snaplen)))
    building = built(path)
    assert len(building.array["first"]) == 60
    assert not building.followed
    assert differences(path, building) == []


if __name__ == "__main__":
    try_by_hand(drawn, *map(int, sys.argv[1:3]))
