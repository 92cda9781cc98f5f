"""Long connections that lose a segment now and then: the core sees a part, and says the same."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from unittest.mock import patch

import pytest

from tcpviz.bulk import excerpts
from tests.bench.generate import stream
from tests.bulk.compare import built, differences
from tests.bulk.test_hostile import Talker


class LongTalker(Talker):
    """One connection of some hundred exchanges."""

    def _plan(self) -> list[tuple[int, int, int]]:
        dice = self.dice
        plan = [(0, 0x02, 0), (1, 0x12, 0), (0, 0x10, 0)]
        for _ in range(dice.randint(60, 200)):
            side = dice.choice((0, 1, 1, 1))
            plan += [(side, 0x18, dice.choice((100, 1448))) for _ in range(dice.randint(1, 3))]
            plan.append((1 - side, 0x10, 0))
        return [*plan, (0, 0x11, 0), (1, 0x11, 0), (0, 0x10, 0)] if dice.random() < 0.7 else plan


def write(path: Path, seed: int, mischief: float) -> int:
    dice = random.Random(seed)
    talker = LongTalker(dice, 0, 0.0)
    now, count = 1_700_000_000_000_000, 0
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        while talker.plan and count < 2000:
            talker.mischief = mischief if count > 3 else 0.0
            count += 1
            now += dice.choice((5, 50, 900, 3000))
            data = talker.packet(now // 1000)
            head = (now // 1_000_000, now % 1_000_000, min(len(data), 60), len(data))
            out.write(struct.pack("<IIII", *head) + data[:60])
    return count


@pytest.mark.parametrize("mischief", [0.001, 0.005, 0.015])
def test_whatever_happens_between(tmp_path: Path, mischief: float) -> None:
    path = tmp_path / "long.pcap"
    with patch.object(excerpts, "MARGIN", 20), patch.object(excerpts, "LEAST", 60):
        seen = packets = 0
        for seed in range(6):
            packets += write(path, seed, mischief)
            building = built(path)
            seen += building.follower.segments
            assert differences(path, building) == [], seed
    assert seen < packets


def test_a_download_that_loses_segments(tmp_path: Path) -> None:
    path = tmp_path / "stream.pcap"
    packets = stream(path, 4000, lost=4)
    building = built(path)
    assert building.follower.segments < packets / 4
    assert differences(path, building) == []
