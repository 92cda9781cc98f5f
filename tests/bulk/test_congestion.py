"""Signals of congestion, and options that say nothing: told by columns as the core tells them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.generate import stream, visits
from tests.bulk import variants
from tests.bulk.compare import built, differences, tables
from tests.bulk.drawing import frames_of
from tests.bulk.inside import unlike
from tests.bulk.signals import (
    OPTIONS,
    Signals,
    accurate,
    anything,
    classic,
    refused,
    signalled,
    with_option,
)
from tests.bulk.worlds import capture


@pytest.mark.parametrize("signals", [classic, accurate])
def test_a_long_transfer_is_hardly_followed(tmp_path: Path, signals: Signals) -> None:
    path = tmp_path / "transfer.pcap"
    packets = stream(path, 4000, lost=3)
    path.write_bytes(variants.pcap(signalled(frames_of(path), signals, 5)))
    found, segments, taken = unlike(path)
    assert (found, segments) == ([], packets)
    assert taken < packets / 20


@pytest.mark.parametrize("signals", [classic, accurate, refused])
def test_short_connections(tmp_path: Path, signals: Signals) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 150, odd=0.2)
    path.write_bytes(variants.pcap(signalled(frames_of(path), signals, 6)))
    building = built(path)
    assert differences(path, building) == []
    assert len(building.followed) < 5
    one, other = tables(path)
    assert other == one


NOT_TOLD = {
    *("MPTCP, empty", "a known one of another length", "no length"),
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_options_on_every_segment(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 60, odd=0.1)
    path.write_bytes(variants.pcap(with_option(frames_of(path), kind)))
    building = built(path)
    assert differences(path, building) == []
    assert (len(building.followed) < 5) is (kind not in NOT_TOLD)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_signals_and_options(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 60, seed, odd=0.2)
    frames = frames_of(path) if seed % 2 else capture(seed)
    path.write_bytes(variants.pcap(anything(frames, seed)))
    assert differences(path) == []


def test_a_transfer_of_mptcp_is_hardly_followed(tmp_path: Path) -> None:
    path = tmp_path / "transfer.pcap"
    packets = stream(path, 4000, lost=2)
    path.write_bytes(variants.pcap(with_option(frames_of(path), "MPTCP")))
    found, segments, taken = unlike(path)
    assert (found, segments) == ([], packets)
    assert taken < packets / 20
