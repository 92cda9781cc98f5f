"""What the demo's scenarios look like in a capture: columns say of it what the core says.

``lab.tar.xz`` has one recorded run of each, made with this project's own lab (``tcpviz demo NAME
-w``) and written as plain pcap, for a recording of the lab tells more than packets and is never
read by columns. ``make check-all`` plays them anew.
"""

from __future__ import annotations

import functools
import io
import random
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tcpviz.bulk.connections import building as buildings
from tcpviz.bulk.connections import jobs, lengthy
from tcpviz.lab.feed import LabFeed
from tcpviz.lab.scenarios import list_scenarios, load
from tcpviz.sources.files import open_capture
from tcpviz.wire.frame import Frame
from tests.bulk import variants
from tests.bulk.compare import built, differences, stories

SCENARIOS = [each.name for each in list_scenarios()]
SECOND = 1_000_000_000


@functools.cache
def recorded() -> dict[str, list[Frame]]:
    """The frames of each recorded run."""
    out = {}
    with (
        tarfile.open(Path(__file__).parent / "lab.tar.xz") as archive,
        tempfile.TemporaryDirectory() as folder,
    ):
        for member in archive:
            file = archive.extractfile(member)
            assert isinstance(file, io.BufferedReader)
            path = Path(folder) / "run.pcap"
            path.write_bytes(file.read())
            with open_capture(str(path)) as capture:
                out[member.name.removesuffix(".pcap")] = list(capture)
    return out


def test_every_scenario_is_recorded() -> None:
    assert sorted(recorded()) == sorted(SCENARIOS)


def test_columns_say_of_each_what_the_core_says(tmp_path: Path) -> None:
    path = tmp_path / "run.pcap"
    told = segments = 0
    for name, frames in recorded().items():
        path.write_bytes(variants.pcap(frames))
        building = built(path)
        assert not building.reading.columns.kept, name  # all by columns
        segments += building.reading.columns.count
        assert differences(path, building) == [], name
        count, found = stories(path)
        assert found == [], name
        told += count
    assert told >= len(SCENARIOS)
    assert segments > 700


@pytest.mark.parametrize("name", ["slow-start", "fast-retransmission", "zero-window"])
def test_options_cut_off(tmp_path: Path, name: str) -> None:
    """SACK blocks of which less was captured than there are: not by columns, some of them."""
    path = tmp_path / "run.pcap"
    path.write_bytes(variants.pcap(variants.cut(recorded()[name], 60)))
    assert differences(path) == []


def behind(names: Sequence[str], dice: random.Random) -> list[Frame]:
    """These runs one behind the other: in all of them the same hosts use the same ports."""
    out: list[Frame] = []
    now = 1_700_000_000 * SECOND
    for name in names:
        frames = recorded()[name]
        if frames and dice.random() < 0.2:  # half a capture
            middle = dice.randrange(len(frames))
            frames = frames[middle:] if dice.random() < 0.5 else frames[:middle]
        if not frames:
            continue
        begun = frames[0].time_ns
        out += [replace(each, time_ns=now + each.time_ns - begun) for each in frames]
        now = out[-1].time_ns + dice.choice((SECOND // 1000, SECOND, 30 * SECOND, 70 * SECOND))
        if dice.random() < 0.1:
            now += 200 * SECOND
    lost = dice.choice((0.0, 0.0, 0.02))
    kept = [each for each in out if dice.random() >= lost]
    return [replace(each, number=at) for at, each in enumerate(kept, 1)]


def shuffled(path: Path, seed: int) -> list[object]:
    """Write some runs in an order of chance; what differs."""
    dice = random.Random(seed)
    names = dice.sample(SCENARIOS, dice.randint(2, 8))
    frames = behind(names, dice)
    if not frames:
        return []
    path.write_bytes(variants.pcap(variants.cut(frames, dice.choice((65535, 65535, 60)))))
    return [(names, each) for each in differences(path)]


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 32), st.booleans())
def test_one_behind_the_other_on_the_same_ports(seed: int, stretches: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.pcap"
        if not stretches:
            assert shuffled(path, seed) == []
            return
        with (  # as those of very many segments are looked at
            patch.object(lengthy, "STRETCH", 5),
            patch.object(lengthy, "BEGINNING", 2),
            patch.object(lengthy, "LEAST", 1),
            patch.object(buildings, "CHUNK", 1),
            patch.object(jobs, "LONG", 12),
            patch.object(jobs, "WORTH_COLUMNS", 12),
        ):
            assert shuffled(path, seed) == []


@pytest.fixture(scope="module")
def cable() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("the cable needs Linux")
    feed = LabFeed(load("handshake"))
    for _ in feed.batches():
        pass
    if feed.ground != "cable":
        pytest.skip("no cable on this machine")


@pytest.mark.slow
@pytest.mark.usefixtures("cable")
@pytest.mark.parametrize("name", SCENARIOS)
def test_played_anew_it_is_the_same(tmp_path: Path, name: str) -> None:
    out, path = tmp_path / "run.pcapng", tmp_path / "run.pcap"
    feed = LabFeed(load(name), on="cable", write=str(out))
    for _ in feed.batches():
        pass
    with open_capture(str(out)) as capture:
        frames = [replace(each, comment=None, interface=0) for each in capture]
    path.write_bytes(variants.pcap(frames))
    assert differences(path) == []
    assert stories(path)[1] == []
