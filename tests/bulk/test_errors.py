"""ICMP errors where the same ends are known in several VLANs and tunnels, and many errors."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("numpy")

from tcpviz.bulk.connections import building, shapes
from tcpviz.bulk.segments import reading
from tcpviz.wire.frame import Frame
from tests.bench import losses
from tests.bulk import tunnels, variants, worlds
from tests.bulk.compare import built, differences, stories
from tests.bulk.drawing import frames_of
from tests.bulk.scanning import scan
from tests.bulk.test_gaps import losing
from tests.bulk.test_hostile import ADDRESSES, traffic
from tests.bulk.test_variants import frames
from tests.wire import packets


def error(quoted: bytes) -> bytes:
    """Host unreachable, quoting a packet's first bytes."""
    inside = bytes.fromhex("0301000000000000") + quoted[:28]
    total = ~packets.fold(inside) & 0xFFFF
    inside = inside[:2] + total.to_bytes(2, "big") + inside[4:]
    return packets.ipv4(inside, protocol=1, src="10.0.0.9", dst=ADDRESSES[0])


@pytest.mark.parametrize("seed", range(3))
def test_the_same_ends_in_several_scopes(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    path = tmp_path / "capture"
    traffic(path, seed, 0.02, 250)
    wraps = [tunnels.ether, *(tunnels.TUNNELS[n][1] for n in ("VXLAN", "three VLAN tags", "GRE"))]
    made: list[Frame] = []
    for each in frames(path):
        for wrap in dice.sample(wraps, dice.choice((1, 1, 2, 3))):
            data = wrap(each.data, 4)
            made.append(replace(each, link_type=1, data=data, wire_len=len(data)))
        if dice.random() < 0.1:
            data = dice.choice(wraps)(error(each.data), 4)
            made.append(replace(each, link_type=1, data=data, wire_len=len(data)))
    path.write_bytes(variants.pcap(made))
    made = built(path)
    assert len(made._tied) > 5
    assert differences(path, made) == []
    if seed == 1:
        assert stories(path)[1] == []


@pytest.mark.parametrize("seed", range(2))
def test_scans_that_routers_answer(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "capture"
    path.write_bytes(variants.pcap(scan(random.Random(seed), 300)))
    made = built(path)
    assert made.reading.singly == 0
    assert len(made.told) > 200
    assert len(made.followed) < 60
    assert differences(path, made) == []
    assert stories(path)[1] == []


def test_more_kinds_of_errors_than_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shapes, "MOST_TOLD", 3)
    path = tmp_path / "capture"
    path.write_bytes(variants.pcap(scan(random.Random(7), 150)))
    assert differences(path) == []


def test_too_many_errors_are_left_to_the_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_ERRORS", 20)
    path = tmp_path / "capture"
    path.write_bytes(variants.pcap(scan(random.Random(7), 60)))
    with pytest.raises(reading.Unsuited):
        built(path)


def test_too_many_errors_about_what_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "MAX_ERRORS", 5)
    path = tmp_path / "capture"
    path.write_bytes(variants.pcap(scan(random.Random(7), 100)))
    with pytest.raises(reading.Unsuited):
        built(path)


def test_many_errors_about_few(tmp_path: Path) -> None:
    path = tmp_path / "capture"
    traffic(path, 1, 0.0, 60)
    some = frames(path)
    made = [replace(each) for each in some]
    for at in range(2_000):
        data = error(some[at % len(some)].data)
        made.append(replace(some[-1], data=data, wire_len=len(data)))
    path.write_bytes(variants.pcap(made))
    made = built(path)
    assert len(made.reading.errors) == 2_000
    assert differences(path, made) == []


def interrupted(path: Path, seed: int) -> int:
    """Write long transfers with errors among them, about the packet before; how many packets."""
    dice = random.Random(seed)
    losses.put(path, [losses.drawn(dice, 400) for _ in range(3)], dice)
    some = frames_of(path)
    where = {dice.randrange(1, len(some)) for _ in range(40)}
    made: list[Frame] = []
    for at, each in enumerate(some):
        if at in where:
            before = some[at - 1].data
            data = worlds.error(before if each.link_type == 1 else bytes(14) + before, dice)
            data = data if each.link_type == 1 else data[14:]
            made.append(replace(each, data=data, wire_len=len(data)))
        made.append(each)
    made = [replace(each, number=at) for at, each in enumerate(made, 1)]
    losing(path, made, {dice.randrange(1, len(made)) for _ in range(dice.choice((0, 5, 40)))})
    return len(made)


@pytest.mark.parametrize("seed", [5, 92, 186])
def test_the_core_is_carried_on_behind_an_error(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "capture"
    packets = interrupted(path, seed)
    made = built(path)
    assert len(made._tied) > 0
    assert made.follower.segments < packets
    assert differences(path, made) == []
