"""Connections of which a part was captured: told by columns as the core tells them.

``python -m tests.bulk.test_partial FROM TO`` tries these seeds and tells what differs.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest

from tcpviz.bulk.connections import onesided, partly
from tcpviz.bulk.tables.by_end import by_end, with_marks
from tcpviz.bulk.tables.table import Table
from tests.bench import losses
from tests.bench.generate import stream, visits
from tests.bulk import variants
from tests.bulk.compare import built, differences, scalar, stories, tables
from tests.bulk.drawing import frames_of, try_by_hand
from tests.bulk.parts import parted
from tests.bulk.test_gaps import drawn_from, losing
from tests.export.dialogues import various

WAYS = ("cstmoa", "m", "t", "o", "cs")


def write(path: Path, seed: int) -> None:
    """Connections of every sort, or of a web server, of each a part."""
    if seed % 3:
        various(path, 90, seed, (0, 0, 3, 65, 100, 130, 8000)[seed % 7])
    else:
        visits(path, 90, seed % 37, odd=0.2)
    path.write_bytes(variants.pcap(parted(frames_of(path), seed, ways=WAYS[seed % 5])))


@pytest.mark.parametrize("seed", [1, 5])
def test_of_every_sort(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "parts.pcap"
    write(path, seed)
    building = built(path)
    assert building.shapes.partial(building.array["shape"]).sum() > 20
    assert differences(path, building) == []
    assert stories(path)[1] == []


@pytest.mark.parametrize("seed", [2, 3])
def test_where_packets_were_lost(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "parts.pcap"
    write(path, seed)
    some = frames_of(path)
    losing(path, some, drawn_from(some, random.Random(seed)))
    building = built(path)
    assert building.shapes.partial(building.array["shape"]).sum() > 20
    assert differences(path, building) == []


@pytest.mark.parametrize("way", ["c", "s", "t", "m", "o"])
def test_nearly_none_is_followed(tmp_path: Path, way: str) -> None:
    path = tmp_path / "parts.pcap"
    visits(path, 120, 4)
    path.write_bytes(variants.pcap(parted(frames_of(path), 2, ways=way, lone=0)))
    building = built(path)
    count, shapes = building.reading.columns.count, len(building.shapes)
    assert differences(path, building) == []
    # Of those that begin in the midst of what was under way not all are in order.
    assert len(building.followed) < (25 if way == "m" else 3)
    assert building.follower.segments < 10 * shapes + 6 * len(building.followed) + count / 50
    one, other = tables(path)
    assert other == one


def _losing(path: Path, size: float, seed: int, way: str) -> Path:
    """Visits with losses, of which a part was captured."""
    dice = random.Random(seed)
    losses.put(path, losses.KINDS["visits-5"](size, dice), dice)
    path.write_bytes(variants.pcap(parted(frames_of(path), seed, ways=way, lone=0)))
    return path


@pytest.mark.parametrize("way", ["c", "t"])
def test_acknowledgements_of_data_that_nobody_saw(tmp_path: Path, way: str) -> None:
    """Their SACK blocks say nothing; they repeat what was acknowledged, whatever the window."""
    path = _losing(tmp_path / "parts.pcap", 0.01, 7, way)
    building = built(path)
    assert building.array["repeats"].sum() > 40
    assert differences(path, building) == []


@pytest.mark.parametrize("way", ["o", "s"])
def test_losses_in_what_was_found_in_its_midst_or_of_one_end(tmp_path: Path, way: str) -> None:
    """Of most the core takes only the first three segments."""
    path = _losing(tmp_path / "parts.pcap", 0.012, 3, way)
    building = built(path)
    segments = sum(each.client.segments + each.server.segments for _, each in building.followed)
    assert len(building.followed) > 30
    assert building.follower.segments < segments / 4
    assert differences(path, building) == []


def test_a_long_transfer_with_losses_of_which_only_the_sender_was_captured(tmp_path: Path) -> None:
    path, dice = tmp_path / "parts.pcap", random.Random(6)
    losses.put(path, losses.KINDS["long-1-sack"](0.004, dice), dice)
    path.write_bytes(variants.pcap(parted(frames_of(path), 6, ways="s", lone=0)))
    building = built(path)
    count = building.reading.columns.count
    assert count > 500
    assert len(building.followed) == 1
    assert building.follower.segments < count / 20
    assert differences(path, building) == []


def test_floods_and_scans_without_syns(tmp_path: Path) -> None:
    """ACKs, answers, resets; segments without any flag, or with those of a Christmas tree."""
    path = tmp_path / "parts.pcap"
    visits(path, 20, 6)
    path.write_bytes(variants.pcap(parted(frames_of(path), 6, ways="a", lone=10)))
    building = built(path)
    # All but those with a closed window, with SYN and FIN, and so on.
    assert building.shapes.partial(building.array["shape"]).sum() > 100
    assert differences(path, building) == []
    one, other = tables(path)
    assert other == one


@pytest.mark.parametrize("way", ["c", "s", "t"])
def test_a_transfer_of_one_direction(tmp_path: Path, way: str) -> None:
    path = tmp_path / "parts.pcap"
    stream(path, 1200)
    path.write_bytes(variants.pcap(parted(frames_of(path), 1, ways=way, lone=0)))
    building = built(path)
    assert not building.followed
    assert building.follower.segments < 20
    assert differences(path, building) == []


@pytest.mark.parametrize("stretch", [1, 4, 1 << 16])
def test_one_end_a_stretch_at_a_time(
    tmp_path: Path, stretch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partly, "MOST", 2)
    monkeypatch.setattr(partly, "LEAST", 2)
    monkeypatch.setattr(onesided, "STRETCH", stretch)
    path = tmp_path / "parts.pcap"
    write(path, 4)
    building = built(path)
    assert building.shapes.partial(building.array["shape"]).sum() > 20
    assert (building.array["size"] > 2).sum() > 20
    assert differences(path, building) == []


def test_marks_and_windows_of_each_end(tmp_path: Path) -> None:
    path = tmp_path / "parts.pcap"
    write(path, 5)
    core = list(scalar(path).connections.values())
    building = built(path)
    table = Table(building)
    told, _ = by_end(table, bool)
    for place in np.flatnonzero(table.regular(np.arange(len(table)))[0]).tolist():
        one, made = core[place], with_marks(table, place, told)
        assert made.analysis.marks.counts == one.analysis.marks.counts
        for side, end in (("client", one.client), ("server", one.server)):
            assert told[side, "window"][place] == (-1 if end.window is None else end.window)
    building.reading.close()


if __name__ == "__main__":
    try_by_hand(write, *map(int, sys.argv[1:3]))
