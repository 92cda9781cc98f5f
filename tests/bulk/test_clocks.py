"""Captures whose clocks were set, leapt or differ: columns come to what the core makes of them.

``python -m tests.bulk.test_clocks FROM TO`` tries these seeds and tells what differs.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from tcpviz.sources.files import open_capture
from tcpviz.wire.frame import Frame
from tests.bench.generate import visits
from tests.bulk import clocks, variants, worlds
from tests.bulk.compare import built, differences, stories
from tests.bulk.test_hostile import traffic


def frames_of(path: Path) -> list[Frame]:
    with open_capture(str(path)) as capture:
        return list(capture)


def drawn(path: Path, seed: int) -> None:
    """Write connections of some kind by a strange clock."""
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
    path.write_bytes(variants.pcap(clocks.strange(frames, dice)))


@pytest.mark.parametrize("seed", range(12))
def test_any_clock(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "capture"
    drawn(path, seed)
    assert differences(path) == []
    if seed % 4 == 0:
        assert stories(path)[1] == []


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
