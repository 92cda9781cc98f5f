"""Links that lose: whatever goes wrong between two ends, columns and core agree on it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.bench import losses
from tests.bulk.compare import built, differences
from tests.bulk.inside import unlike


def any_of(path: Path, seed: int, count: int, most: int) -> int:
    dice = random.Random(seed)
    return losses.put(path, [losses.drawn(dice, most) for _ in range(count)], dice)


@pytest.mark.parametrize("seed", range(1, 9))
def test_any_connections(tmp_path: Path, seed: int) -> None:
    """``python -m tests.bulk.test_losses FROM TO`` has more of them."""
    path = tmp_path / "losses.pcap"
    any_of(path, seed, 24, 60)
    assert differences(path) == []


@pytest.mark.parametrize("seed", [7, 11, 12, 13, 18, 29])
def test_any_long_ones_variable_by_variable(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "losses.pcap"
    any_of(path, seed, 4, 400)
    found, segments, taken = unlike(path)
    assert found == []
    assert taken < segments / 2


def test_of_a_transfer_whose_client_has_closed_only_the_losses_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "losses.pcap"
    packets = losses.write(path, "half-lossy", 0.01)
    building = built(path)
    assert building.follower.segments < packets / 10
    assert differences(path, building) == []


def test_of_a_reader_that_is_too_slow_hardly_anything_is_followed(tmp_path: Path) -> None:
    """Windows of zero and what opens them again; its probes are."""
    path = tmp_path / "losses.pcap"
    packets = losses.write(path, "slow", 0.02)
    building = built(path)
    analyses = [one.analysis for _, one in building.followed if one.analysis is not None]
    assert sum(analysis.marks.totals["zero_window"] for analysis in analyses) > packets / 50
    assert building.follower.segments < packets / 30
    assert differences(path, building) == []


def test_what_was_overtaken_is_not_followed(tmp_path: Path) -> None:
    """Neither ACKs nor data, nor what shows that it lacks."""
    path = tmp_path / "losses.pcap"
    losses.write(path, "late-10", 0.02)
    found, segments, taken = unlike(path)
    assert found == []
    assert taken < segments / 100


def test_connections_that_are_kept_alive_have_few_shapes(tmp_path: Path) -> None:
    path = tmp_path / "losses.pcap"
    dice = random.Random(3)
    manners = [
        losses.Manner(dice, [(200, dice.randint(1, 4000))], alive=dice.randint(1, 6))
        for _ in range(120)
    ]
    packets = losses.put(path, manners, dice)
    building = built(path)
    assert not building.followed
    assert building.follower.segments < packets / 4
    assert differences(path, building) == []


if __name__ == "__main__":
    import sys
    import tempfile

    first, last = (int(word) for word in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, last):
            capture = Path(folder) / "losses.pcap"
            any_of(capture, number, 24, 60)
            found: list[object] = list(differences(capture))
            any_of(capture, number, 4, 300)
            print(number, *found, *unlike(capture), flush=True)
