"""Flows that other processes follow: whoever does, the connections are the same, in one order."""

from __future__ import annotations

import gzip
import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tcpviz.bulk import crew, forks
from tcpviz.bulk.brief.openings import Openings
from tcpviz.bulk.connections import briefly, jobs
from tcpviz.bulk.connections.building import Building
from tcpviz.bulk.segments.windows import Windows
from tcpviz.bulk.spilling.buckets import Dealt
from tests.bench import losses
from tests.bulk.alike import alike
from tests.bulk.compare import RECALLED, built, differences
from tests.bulk.test_buckets import dealt
from tests.bulk.test_crew import until

Crew = crew.Crew[Any, Any]


class Others:
    """Two others are started for any work, in small portions.

    We begin only when one of them has given something back; ``given`` counts the portions.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.crews: list[Crew] = []
        self.given = 0
        self.then: Callable[[Crew], None] = lambda _: None
        begin, give, here = crew.Crew.__init__, crew.Crew._give, jobs.Jobs._done_here

        def begun(one: Crew, *facts: Any, **named: Any) -> None:
            begin(one, *facts, **named)
            self.crews.append(one)

        def gave(one: Crew, *facts: Any) -> None:
            give(one, *facts)
            self.given += 1
            self.then(one)

        def done(one: jobs.Jobs, *facts: Any) -> jobs.Made:
            if one._crew is not None:
                until(one._crew, lambda: self.given > 0)
            return here(one, *facts)

        monkeypatch.setattr(crew.Crew, "__init__", begun)
        monkeypatch.setattr(crew.Crew, "_give", gave)
        monkeypatch.setattr(jobs.Jobs, "_done_here", done)
        monkeypatch.setattr(jobs, "processors", lambda: 3)
        monkeypatch.setattr(jobs, "WORTH", 1)
        monkeypatch.setattr(jobs, "PORTION", 60)


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Others:
    return Others(monkeypatch)


def lossy(path: Path, seed: int = 1, count: int = 24, most: int = 60) -> Path:
    dice = random.Random(seed)
    losses.put(path, [losses.drawn(dice, most) for _ in range(count)], dice)
    return path


def unlike(one: Building, other: Building) -> list[object]:
    """What is not the same in what was followed."""
    assert [row for row, _ in one.followed] == [row for row, _ in other.followed]
    found: list[object] = []
    for each in (one, other):
        each.reading.close()
    for (row, mine), (_, theirs) in zip(one.followed, other.followed, strict=True):
        wrong = alike(mine, theirs, lambda at: bool(RECALLED.search(at)))
        formers = [each.formers.get(id(which)) for each, which in ((one, mine), (other, theirs))]
        if wrong or len({each and each.id for each in formers}) > 1:
            found.append((row, wrong, formers))
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_equal_to_the_core(tmp_path: Path, others: Others, seed: int) -> None:
    path = lossy(tmp_path / "losses.pcap", seed)
    building = built(path)
    assert others.given
    assert all(not each.pids for each in others.crews)
    assert differences(path, building) == []


def test_equal_to_what_we_do_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lossy(tmp_path / "losses.pcap", 3, 20, 300)
    monkeypatch.setattr(briefly, "_OPENINGS", Openings())  # another process knows none, either
    alone = built(path)
    others = Others(monkeypatch)
    shared = built(path)
    assert others.given
    assert shared.follower.segments == alone.follower.segments
    assert any(len(alone.flows.rows(each)) >= jobs.LONG for each in range(len(alone.flows)))
    assert unlike(alone, shared) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("dies", [False, True])
def test_equal_to_what_we_do_alone_where_forks_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: bool
) -> None:
    path = lossy(tmp_path / "losses.pcap", 8, 30, 300)
    here, done = os.getpid(), jobs.Jobs._done_here
    portions: list[int] = []
    dying = False

    def noted(one: jobs.Jobs, given: list[jobs.Job]) -> jobs.Made:
        portions.append(len(given))
        if dying and os.getpid() != here and len(portions) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return done(one, given)

    monkeypatch.setattr(jobs.Jobs, "_done_here", noted)
    monkeypatch.setattr(jobs, "PORTION", 60)
    monkeypatch.setattr(jobs.Jobs, "_gathered", None)  # nothing is handed over
    monkeypatch.setattr(jobs, "processors", lambda: 1)
    alone = built(path)
    count = len(portions)
    portions.clear()
    dying = dies
    monkeypatch.setattr(forks, "_hands", 3)
    shared = built(path)
    # What forks follow is not noted here: all but their first portions, if they die of the second.
    assert len(portions) == count - 2 if dies else len(portions) < count * 2 // 3
    assert shared.follower.segments == alone.follower.segments
    assert unlike(alone, shared) == []


def test_one_that_is_killed_loses_nothing(tmp_path: Path, others: Others) -> None:
    killed: list[int] = []

    def kill(one: Crew) -> None:
        for process in one.pids[:1] if not killed else ():
            os.kill(process, signal.SIGKILL)
            killed.append(process)

    others.then = kill
    path = lossy(tmp_path / "losses.pcap", 4)
    building = built(path)
    assert killed
    assert differences(path, building) == []


def test_bytes_that_lie_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lossy(tmp_path / "losses.pcap", 5)
    packed = tmp_path / "losses.pcap.gz"
    with path.open("rb") as plain, gzip.open(packed, "wb", 1) as into:
        shutil.copyfileobj(plain, into)
    alone = built(path)
    others = Others(monkeypatch)
    shared = built(packed)
    assert others.given
    assert unlike(alone, shared) == []


def test_flows_in_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lossy(tmp_path / "losses.pcap", 6)
    alone = built(path)
    others = Others(monkeypatch)
    monkeypatch.setattr(jobs, "others", lambda _: 2)
    shared = dealt(path)
    assert others.given
    assert isinstance(shared, Dealt)
    shared.followed.sort(key=lambda each: each[0])
    alone.followed.sort(key=lambda each: each[0])
    assert unlike(alone, shared) == []


def test_a_flow_that_is_too_large_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lossy(tmp_path / "losses.pcap", 3, 20, 300)
    alone = built(path)
    others = Others(monkeypatch)
    monkeypatch.setattr(jobs, "LARGEST", 300)
    sent: list[int] = []
    portion = jobs.Jobs._portion

    def noted(one: jobs.Jobs, given: list[jobs.Job]) -> jobs.Portion:
        sent.extend(len(job.rows) for job in given)
        return portion(one, given)

    monkeypatch.setattr(jobs.Jobs, "_portion", noted)
    shared = built(path)
    assert others.given
    sizes = [len(alone.flows.rows(each)) for each in range(len(alone.flows))]
    assert max(sizes) > 400 > max(sent)
    assert unlike(alone, shared) == []


def test_no_other_where_memory_is_short_or_work_is_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lossy(tmp_path / "losses.pcap", 7, 8)
    others = Others(monkeypatch)
    monkeypatch.setattr(jobs, "processors", lambda: 1)
    built(path).reading.close()
    monkeypatch.setattr(jobs, "processors", lambda: 3)
    monkeypatch.setattr(jobs, "WORTH", 1 << 20)
    built(path).reading.close()
    assert not others.crews
    building = built(path)
    columns = building.reading.columns
    for limit, chosen, most in (
        *((jobs.ROOM, True, 0), (2 * jobs.ROOM, True, 1), (1 << 40, True, 2)),
        *((jobs.ROOM, False, 0), (4 * jobs.ROOM, False, 1), (1 << 40, False, 2)),
    ):
        columns.windows = Windows(limit, chosen=chosen)
        assert jobs.others(building.reading) == most
    building.reading.close()
