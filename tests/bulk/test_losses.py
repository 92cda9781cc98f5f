"""Links that lose: whatever goes wrong between two ends, columns and core agree on it."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from tcpviz.bulk.connections import jobs, skipping
from tcpviz.bulk.long import onward
from tcpviz.bulk.segments.columns import Columns
from tcpviz.core.connection import Connection
from tests.bench import losses
from tests.bulk.compare import built, differences
from tests.bulk.inside import unlike


def any_of(path: Path, seed: int, count: int, most: int) -> int:
    dice = random.Random(seed)
    return losses.put(path, [losses.drawn(dice, most) for _ in range(count)], dice)


def by_columns_from(seed: int) -> int:
    """Of two captures in one what can be is followed by a stretch's columns."""
    return (jobs.WORTH_COLUMNS, -1 << 40)[seed % 2]


@pytest.mark.parametrize("seed", range(1, 9))
def test_any_connections(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """``python -m tests.bulk.test_losses FROM TO`` has more of them."""
    path = tmp_path / "losses.pcap"
    any_of(path, seed, 24, 60)
    monkeypatch.setattr(jobs, "WORTH_COLUMNS", by_columns_from(seed))
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


def test_segment_by_segment_or_by_columns_goes_by_what_is_out_of_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is short, or lost much, or both, would have the columns save nothing."""
    dice, path = random.Random(5), tmp_path / "losses.pcap"
    manners = [
        losses.Manner(dice, [(200, segments * 1448)], lost=(lost, lost))
        for segments in (100, 1500)
        for lost in (0.002, 0.1)
    ]
    losses.put(path, manners, dice)
    carried: list[int] = []
    follow = skipping.Skipping.follow

    def noted(one: skipping.Skipping) -> list[tuple[int, Connection]]:
        opened = follow(one)
        carried.extend(connection.client.endpoint.port for _, connection in opened)
        return opened

    monkeypatch.setattr(skipping.Skipping, "follow", noted)
    building = built(path)
    assert differences(path, building) == []
    assert carried == [20_002]
    followed = {connection.client.endpoint.port for _, connection in building.followed}
    assert {20_001, 20_002, 20_003} <= followed


def test_of_requests_cut_by_a_few_bytes_none_is_followed_for_that(tmp_path: Path) -> None:
    """What was captured cannot hold them, whatever the link puts around them."""
    dice, path = random.Random(8), tmp_path / "losses.pcap"
    manners = [losses.Manner(dice, [(47, 3000)] * 20, lost=(0.01, 0.01)) for _ in range(6)]
    packets = losses.put(path, manners, dice)
    building = built(path)
    assert len(building.followed) == 6
    assert building.follower.segments < packets / 12
    assert differences(path, building) == []


def test_columns_are_made_of_a_connection_and_not_of_those_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the same ports: they rest on where the ends of one stand."""
    dice, path = random.Random(6), tmp_path / "losses.pcap"
    packets: list[losses.Packet] = []
    for number in range(8):
        begin = losses.BEGUN + number * 400_000 * losses.MS
        manner = losses.Manner(dice, [(200, 200 * 1448)], lost=(0.01, 0.01))
        packets += losses.Talk(manner, 0x0A000002, 20_000, begin).run()
    losses.put_packets(path, packets)
    sizes: list[int] = []
    stretch = onward.Onward.stretch

    def noted(one: onward.Onward, columns: Columns, rows: Any, *facts: Any) -> Any:
        sizes.append(len(rows))
        return stretch(one, columns, rows, *facts)

    monkeypatch.setattr(onward.Onward, "stretch", noted)
    assert unlike(path)[0] == []
    assert len(sizes) >= 8
    assert sum(sizes) < len(packets)


def test_copies_of_which_the_first_lies_behind_much_of_another_connection(
    tmp_path: Path,
) -> None:
    """A connection's latest packets are its own, however many of an older one come between."""
    dice, path = random.Random(7), tmp_path / "losses.pcap"
    manners = losses.Manner(dice, [(200, 1500 * 1448)]), losses.Manner(dice, [(200, 12 * 1448)])
    older, newer = (
        losses.Talk(manner, 0x0A000002, 20_000, losses.BEGUN).run() for manner in manners
    )
    older.sort(key=lambda one: one[0])
    newer.sort(key=lambda one: one[0])
    order, late = older[:60] + newer[:3], iter(older[60:])
    for packet in newer[3:]:
        order += [packet, *itertools.islice(late, 40), packet]
    packets = [(losses.BEGUN + 5 * at, *packet[1:]) for at, packet in enumerate(order)]
    losses.put_packets(path, packets)
    assert unlike(path)[0] == []
    building = built(path)
    assert sum(one.analysis.vitals.copies for _, one in building.followed if one.analysis) > 20
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
    from unittest.mock import patch

    first, last = (int(word) for word in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, last):
            capture = Path(folder) / "losses.pcap"
            any_of(capture, number, *((24, 60), (6, 400))[number // 2 % 2])
            with patch.object(jobs, "WORTH_COLUMNS", by_columns_from(number)):
                found: list[object] = list(differences(capture))
            any_of(capture, number, 4, 300)
            print(number, *found, *unlike(capture), flush=True)
