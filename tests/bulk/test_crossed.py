"""Several troubles in one capture: columns say of every connection what the core says.

Parts of connections, copies, signals of congestion, options, losses, packets that overtake others,
cut ones: each has tests of its own; here some of them meet, of all connections or of every other
one. ``python -m tests.bulk.test_crossed FROM TO`` tries these seeds and tells what differs.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from tcpviz.wire.frame import Frame
from tests.bench.generate import connections, stream, visits
from tests.bulk import habits, parts, signals, variants, worlds
from tests.bulk.compare import differences, stories
from tests.bulk.doubling import doubled, ways
from tests.bulk.drawing import frames_of, try_by_hand
from tests.bulk.test_buckets import dealt

Frames = list[Frame]
Step = Callable[[Frames, random.Random], Frames]


def _in_order(frames: Frames) -> Frames:
    frames = sorted(frames, key=lambda each: each.time_ns)
    return [replace(each, number=at) for at, each in enumerate(frames, 1)]


def _lost(frames: Frames, dice: random.Random) -> Frames:
    share = dice.choice((0.01, 0.05, 0.2))
    return [each for each in frames if dice.random() >= share]


def _late(frames: Frames, dice: random.Random) -> Frames:
    share = dice.choice((0.02, 0.1))
    return [
        replace(each, time_ns=each.time_ns + dice.randrange(2_000_000))
        if dice.random() < share
        else each
        for each in frames
    ]


def _parted(frames: Frames, dice: random.Random) -> Frames:
    seen = dice.choice(("cstmoa", "aaam", "aaac", "m", "cs", "o"))
    lone = dice.choice((0.0, 0.1))
    return parts.parted(frames, dice.getrandbits(32), ways=seen, lone=lone)


def _signalled(frames: Frames, dice: random.Random) -> Frames:
    kind = dice.choice((signals.classic, signals.accurate, signals.refused))
    return signals.signalled(frames, kind, dice.getrandbits(32))


def _with_option(frames: Frames, dice: random.Random) -> Frames:
    return signals.with_option(frames, dice.choice(sorted(signals.OPTIONS)))


STEPS: dict[str, Step] = {
    "lost": _lost,
    "late": _late,
    "parted": _parted,
    "signalled": _signalled,
    "with an option": _with_option,
    "doubled": lambda frames, dice: doubled(frames, ways(dice), dice),
}


HABITUAL = 100_000
"""The first seed of captures whose ends, and what lies between, have unusual habits."""


def _drawn(path: Path, dice: random.Random, seed: int) -> Frames:
    """Connections of some kind, Ethernet frames of IPv4 and TCP."""
    kind = dice.randrange(5)
    if kind < 2:
        visits(path, dice.choice((40, 80)), seed, odd=0.02)
    elif kind == 2:
        connections(path, dice.choice((30, 60)), dice.choice((1, 2, 4)), seed)
    elif kind == 3:
        lost = dice.choice((0, 0, 100))
        stream(path, dice.choice((300, 900)), seed, lost=lost, size=dice.choice((100, 1448)))
    else:
        frames = worlds.capture(seed, 30)
        return [
            replace(each, interface=0)
            for each in frames
            if each.data[12:14] == b"\x08\0" and each.data[23] == 6
        ]
    return frames_of(path)


def _every_other(frames: Frames, step: Step, dice: random.Random) -> Frames:
    """The step for half of the connections, by their ports."""
    salt = dice.getrandbits(16)

    def mine(each: Frame) -> bool:
        ports = int.from_bytes(each.data[34:36]) ^ int.from_bytes(each.data[36:38])
        return bool((ports * 40_503 ^ salt) >> 5 & 1)

    some = [each for each in frames if mine(each)]
    return _in_order((step(some, dice) if some else []) + [f for f in frames if not mine(f)])


def write(path: Path, seed: int) -> None:
    """A capture in which up to three of the steps meet; from :data:`HABITUAL` on with habits."""
    dice = random.Random(seed)
    frames = _drawn(path, dice, seed)
    if seed >= HABITUAL:
        for _ in range(2):
            frames = habits.changed(frames, seed, dice.choice(habits.ALL), 0.6)
    for name in dice.sample(sorted(STEPS), dice.choice((1, 2, 2, 3))):
        if not frames:
            break
        step = STEPS[name]
        frames = _every_other(frames, step, dice) if dice.random() < 0.5 else step(frames, dice)
        frames = _in_order(frames)
    if dice.random() < 0.15:
        frames = variants.cut(frames, dice.choice((60, 66, 80, 128)))
    path.write_bytes(variants.pcap(frames))


@pytest.mark.parametrize("seed", [*range(16), 1444, 920045, *range(HABITUAL, HABITUAL + 6)])
def test_columns_and_core_agree(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "capture"
    write(path, seed)
    assert differences(path) == []
    assert differences(path, dealt(path)) == []
    if seed % 4 == 0:
        assert stories(path)[1] == []


@pytest.mark.slow
@pytest.mark.parametrize("begin", [*range(1000, 1500, 50), HABITUAL + 50])
def test_of_many_more(tmp_path: Path, begin: int) -> None:
    path = tmp_path / "capture"
    for seed in range(begin, begin + 50):
        write(path, seed)
        assert differences(path) == [], seed
        assert differences(path, dealt(path)) == [], seed


if __name__ == "__main__":
    try_by_hand(write, *map(int, sys.argv[1:3]))
