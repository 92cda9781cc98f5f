"""Connections of some kind, drawn by a seed; and a row of seeds that somebody tries by hand."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from tcpviz.sources.files import open_capture
from tcpviz.wire.frame import Frame
from tests.bench.generate import visits
from tests.bulk import worlds
from tests.bulk.compare import built, differences
from tests.bulk.test_hostile import traffic


def frames_of(path: Path) -> list[Frame]:
    with open_capture(str(path)) as capture:
        return list(capture)


def connections(path: Path, dice: random.Random, kind: int, seed: int) -> list[Frame]:
    """Of a world (``kind`` 0), of hostile ones (1), or of a web server; by way of a file there."""
    if kind == 0:
        return worlds.capture(seed)
    if kind == 1:
        traffic(path, seed, dice.choice((0.0, 0.02)), 250)
    else:
        visits(path, dice.choice((20, 60)), seed, odd=dice.choice((0.0, 0.1)))
    return frames_of(path)


def try_by_hand(write: Callable[[Path, int], None], begin: int, end: int) -> None:
    """Write the capture of each of these seeds, and tell where columns and core differ."""
    differ = regular = followed = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture"
        for seed in range(begin, end):
            write(path, seed)
            building = built(path)
            regular += len(building.array["first"])
            followed += len(building.followed)
            found = [str(each) for each in differences(path, building)]
            differ += bool(found)
            for each in found[:2]:
                print(seed, each[:400], flush=True)
    print(f"{end - begin} captures, {differ} differ; {regular} regular, {followed} followed")
