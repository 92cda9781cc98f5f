"""Visits in which somebody waits or repeats: columns say of them what the core says."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("numpy")

from tests.bulk import variants, waits
from tests.bulk.compare import built, differences
from tests.bulk.test_briefly import unlike

KINDS = ["again"]


@pytest.mark.parametrize("kind", KINDS)
def test_such_connections_are_regular(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "waits.pcap"
    path.write_bytes(variants.pcap(waits.frames(kind, 60, 1)))
    building = built(path)
    assert differences(path, building) == []
    assert len(building.followed) < 6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_whatever_else_comes_between(tmp_path: Path, kind: str, seed: int) -> None:
    path = tmp_path / "waits.pcap"
    path.write_bytes(variants.pcap(waits.frames(kind, 60, seed, odd=0.3)))
    assert differences(path) == []


@pytest.mark.parametrize("kind", ["alive", "half", "needless", "shut"])
@pytest.mark.parametrize("odd", [0.0, 0.05, 0.6])
def test_the_others_variable_by_variable(tmp_path: Path, kind: str, odd: float) -> None:
    """The core takes little more than what opens and closes them, and D-SACKs."""
    path = tmp_path / "waits.pcap"
    path.write_bytes(variants.pcap(waits.frames(kind, 20, 7, odd)))
    found, segments, taken = unlike(path)
    assert found == []
    told = kind in ("alive", "needless")
    assert taken < segments * (0.5 if odd > 0.1 or told else 0.1)
