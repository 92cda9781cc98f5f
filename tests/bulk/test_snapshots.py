"""Snapshots of every length: columns come to what the core makes of what was left.

``python -m tests.bulk.test_snapshots FROM TO`` tries these seeds and tells what differs.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from tests.bench.generate import visits
from tests.bulk import variants, worlds
from tests.bulk.compare import built, differences, stories
from tests.bulk.test_clocks import frames_of
from tests.bulk.test_hostile import traffic

USUAL = (54, 58, 60, 64, 68, 72, 74, 82, 86, 96, 128)


def drawn(path: Path, seed: int, snaplen: int = 0) -> None:
    """Write connections of some kind, in some envelope, cut somewhere."""
    dice = random.Random(seed)
    kind = dice.randrange(4)
    if kind == 0:
        frames = worlds.capture(seed)
    elif kind == 1:
        traffic(path, seed, dice.choice((0.0, 0.02)), 250)
        frames = frames_of(path)
    else:
        visits(path, dice.choice((20, 60)), seed, odd=dice.choice((0.0, 0.1)))
        frames = frames_of(path)
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


def main(begin: int, end: int) -> None:
    differ = regular = followed = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture"
        for seed in range(begin, end):
            drawn(path, seed)
            building = built(path)
            regular += len(building.array["first"])
            followed += len(building.followed)
            found = [str(each) for each in differences(path, building)]
            differ += bool(found)
            for each in found[:2]:
                print(seed, each[:400], flush=True)
    print(f"{end - begin} captures, {differ} differ; {regular} regular, {followed} followed")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
