"""Captures whose clocks were set, leapt or differ: columns come to what the core makes of them.

``python -m tests.bulk.test_clocks FROM TO`` tries these seeds and tells what differs.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from tests.bulk import clocks, variants
from tests.bulk.compare import differences, stories
from tests.bulk.drawing import connections, try_by_hand


def drawn(path: Path, seed: int) -> None:
    """Write connections of some kind by a strange clock."""
    dice = random.Random(seed)
    frames = connections(path, dice, dice.randrange(4), seed)
    path.write_bytes(variants.pcap(clocks.strange(frames, dice)))


@pytest.mark.parametrize("seed", range(12))
def test_any_clock(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "capture"
    drawn(path, seed)
    assert differences(path) == []
    if seed % 4 == 0:
        assert stories(path)[1] == []


if __name__ == "__main__":
    try_by_hand(drawn, *map(int, sys.argv[1:3]))
