"""SYNs that nobody answered, many of them entered at once, are what the core makes of them."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tcpviz.bulk.connections import alone
from tcpviz.core.timers import LEAP_NS, SYN_GIVE_UP_NS
from tcpviz.sources.files import open_capture
from tcpviz.wire.frame import Frame
from tests.bench.generate import syns, visits
from tests.bulk import variants
from tests.bulk.compare import built, differences
from tests.bulk.worlds import written

_IP, _TCP = 14, 34


def read(path: Path) -> list[Frame]:
    with open_capture(str(path)) as capture:
        return list(capture)


def changed(frame: Frame, dice: random.Random) -> Frame:
    """A SYN with something about it."""
    data = bytearray(frame.data)
    match dice.randrange(9):
        case 0:
            data[_TCP + 13] |= 0xC0  # ECN asked for
        case 1:
            data[_TCP + 14 : _TCP + 16] = bytes(2)  # no window
        case 2:
            data[_TCP + 4 : _TCP + 8] = b"\xff" * 4  # the next number comes round
        case 3:
            data[_TCP + 16] ^= 0x55  # the checksum
        case 4:
            data[_TCP + dice.choice((0, 2)) : _TCP + 4] = bytes(2)  # a port of 0
        case 5:
            data[_IP + 12 : _IP + 16] = data[_IP + 16 : _IP + 20]  # from the server itself
        case 6:
            data[_TCP + 13] = dice.choice((0, 1, 3, 4, 6, 8, 16, 18, 0x22))
        case 7:
            data[_IP + 1] |= 3  # congestion
        case _:
            data[_IP + 8] = dice.randrange(256)
    return replace(frame, data=bytes(data))


def capture(folder: Path, seed: int) -> Path:
    """Visits among SYNs, some of those odd, some sent again, some of the same ports as a visit."""
    dice = random.Random(seed)
    path = folder / "capture.pcap"
    syns(path, 60, seed)
    lone = read(path)
    visits(path, 6, seed, odd=0.05)
    others = read(path)
    lone = [changed(each, dice) if dice.random() < 0.4 else each for each in lone]
    lone += dice.choices(lone, k=4)
    begin, end = others[0].time_ns, others[-1].time_ns
    span = dice.choice((end - begin, SYN_GIVE_UP_NS, 3 * SYN_GIVE_UP_NS))
    frames = [replace(each, time_ns=begin + int(dice.random() * span)) for each in lone] + others
    frames.sort(key=lambda each: each.time_ns)
    if dice.random() < 0.3:  # the clock leaps
        at = dice.randrange(len(frames))
        frames[at:] = [replace(each, time_ns=each.time_ns + 2 * LEAP_NS) for each in frames[at:]]
    frames = [replace(each, number=at, interface=0) for at, each in enumerate(frames, 1)]
    path.write_bytes(variants.pcap(frames))
    return path


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 32))
def test_among_others_and_odd(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder, patch.object(alone, "LEAST", 1):
        assert differences(capture(Path(folder), seed)) == []


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 32))
def test_in_worlds_with_errors(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder, patch.object(alone, "LEAST", 1):
        path = Path(folder) / "capture"
        path.write_bytes(written(seed))
        assert differences(path) == []


def test_of_a_flood_none_is_looked_at_but_one(tmp_path: Path) -> None:
    path = tmp_path / "syns.pcap"
    syns(path, alone.LEAST + 76)
    frames = read(path)
    wrong = bytearray(frames[5].data)
    wrong[_TCP + 14 : _TCP + 16] = bytes(2)
    frames[5] = replace(frames[5], data=bytes(wrong))
    path.write_bytes(variants.pcap(frames))
    building = built(path)
    assert building._done is not None
    assert int(np.count_nonzero(~building._done)) == 1
    assert [row for row, _ in building.followed] == [5]
    assert building.follower.segments <= 3
    assert differences(path, building) == []
