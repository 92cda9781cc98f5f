"""Unusual habits of ends and middleboxes: columns say of every connection what the core says."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest

from tcpviz.bulk.connections import lengthy
from tests.bench.generate import stream, visits
from tests.bulk import variants, worlds
from tests.bulk.compare import built, differences, tables
from tests.bulk.drawing import frames_of
from tests.bulk.habits import changed, fast_open, one_ident, rerouted, said_again, unstamped, urgent

HABITS = {
    "Fast Open": fast_open,
    "one identification": one_ident,
    "routes that change": rerouted,
    "timestamps taken out": unstamped,
    "urgent data": urgent,
}

LEFT = {"Fast Open": 30, "urgent data": 30}
"""Of 120 so many may be followed: a SYN's data that was not taken; SYNs, resets that are urgent."""


@pytest.mark.parametrize("habit", HABITS)
def test_short_connections(tmp_path: Path, habit: str) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 120, 3, odd=0.0)
    frames = changed(frames_of(path), 3, HABITS[habit])
    path.write_bytes(variants.pcap(frames))
    building = built(path)
    assert differences(path, building) == []
    assert len(building.followed) < LEFT.get(habit, 5)
    one, other = tables(path)
    assert other == one


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("seed", range(2))
def test_with_other_troubles(tmp_path: Path, habit: str, seed: int) -> None:
    path = tmp_path / "capture.pcap"
    visits(path, 40, seed, odd=0.2)
    frames = frames_of(path) if seed % 2 else worlds.capture(seed, 30)
    frames = changed(said_again(frames, seed), seed, HABITS[habit], 0.7)
    path.write_bytes(variants.pcap(frames))
    assert differences(path) == []


def test_repeated_acknowledgements_of_one_identification(tmp_path: Path) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 120, 5, odd=0.0)
    frames = changed(frames_of(path), 5, lambda said, there, dice: [
        each[:18] + b"\x12\x67" + each[20:] for each in said
    ])  # fmt: skip
    path.write_bytes(variants.pcap(said_again(frames, 5, soon=True)))
    building = built(path)
    assert differences(path, building) == []
    assert len(building.followed) < 5


@pytest.mark.parametrize("seed", range(6))
def test_a_transfer_whose_route_changes(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "transfer.pcap"
    stream(path, 3000, seed)
    path.write_bytes(variants.pcap(changed(frames_of(path), seed, rerouted)))
    with (
        patch.object(lengthy, "LEAST", 500),
        patch.object(lengthy, "STRETCH", 400),
        patch.object(lengthy, "BEGINNING", 50),
    ):
        building = built(path)
    assert building.followed == []
    assert differences(path, building) == []
