"""Connections made bucket by bucket, columns on disk, are those that are made at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tcpviz.bulk.connections.building import Building
from tcpviz.bulk.segments import windows
from tcpviz.bulk.segments.reading import Reading, Unsuited
from tcpviz.bulk.segments.windows import Windows, lies_on_disk, windows_of
from tcpviz.bulk.spilling import dealing
from tcpviz.bulk.spilling.buckets import Dealt, built
from tcpviz.bulk.tables import growing
from tcpviz.bulk.tables.growing import Growing
from tcpviz.sources.feed import SourceError
from tests.bench.generate import stream, visits
from tests.bulk.compare import differences, stories

TINY = 1 << 16
"""Bytes for packets: some 350 of them."""


def dealt(path: Path, limit: int = TINY) -> Dealt:
    """Raises Unsuited."""
    room = Windows(limit)
    reading = Reading(str(path), room, heads=True)
    try:
        reading.read()
        return Dealt(reading, room)
    except Unsuited:
        reading.close()
        raise


def test_every_shared_capture(captures: Path) -> None:
    regular = units = 0
    for path in sorted(captures.iterdir()):
        if not {".pcap", ".pcapng", ".gz"} & set(path.suffixes) or path.name.startswith("tcptrace"):
            continue
        try:
            building = dealt(path)
        except Unsuited:
            continue
        assert differences(path, building) == [], path.name
        regular += len(building.array["first"])
        units += len(building._tied)
    assert regular > 200
    assert units


def test_web_clients_in_many_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dealing, "STEP", 700)
    path = tmp_path / "visits.pcap"
    visits(path, 400, 3, odd=0.02)
    building = dealt(path)
    assert lies_on_disk(building.reading.columns.array["row"])
    assert lies_on_disk(building.flows.order)
    assert len(building.flows.order) == building.reading.columns.count
    assert differences(path, building) == []


def test_a_flow_that_is_more_than_its_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tcpviz.bulk.connections.lengthy.STRETCH", 512)
    monkeypatch.setattr("tcpviz.bulk.connections.lengthy.LEAST", 1024)
    path = tmp_path / "stream.pcap"
    stream(path, 6000)
    building = dealt(path)
    assert len(building.array["first"]) == 1
    assert differences(path, building) == []


def test_stories_are_told_from_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 120, 5, odd=0.05)
    monkeypatch.setattr(growing, "grown", lambda _, new, *__: built(new, None, Windows(TINY)))
    assert stories(path) == (pytest.approx(120, abs=5), [])


def test_a_file_on_the_screen_goes_through_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 300)
    made = []
    monkeypatch.setattr(growing, "FIRST", 1 << 14)
    monkeypatch.setattr(growing, "LEAST_S", 0.0)
    monkeypatch.setattr(growing, "SHARE", 0)
    monkeypatch.setattr(Growing, "_is_worth_it", lambda *_: True)
    monkeypatch.setattr("tcpviz.bulk.segments.reading.PIECE", 1 << 14)
    going = Growing(str(path), follow=False, windows=Windows(TINY))
    going.run(lambda: made.append(going.latest))
    kinds = [type(each.building) for each in made]
    assert kinds[0] is Building
    assert kinds[-1] is Dealt
    assert len(made) > 4
    # Those from before are as they were.
    assert [len(each) for each in made] == sorted(len(each) for each in made)
    assert all(each.connection(0).client.segments > 0 for each in made)
    assert going.windows is not None
    assert going.windows.on_disk > 0
    going.close()


def test_a_few_packets_stay_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 10)
    room = Windows(1 << 30)
    reading = Reading(str(path), room)
    reading.read()
    assert type(built(reading, None, room)) is Building
    assert room.on_disk == 0
    reading.close()


def test_a_full_disk_ends_the_reading_and_leaves_room_for_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 400)
    monkeypatch.setattr(windows, "_STEP", 1 << 10)
    monkeypatch.setattr("tcpviz.bulk.segments.reading.PIECE", 1 << 13)
    used = []
    there = os.statvfs("/tmp")

    class Left:
        f_frsize = 1
        f_bavail = property(lambda _: 500_000 - sum(each.on_disk for each in used))

    room = Windows(TINY)
    used.append(room)
    monkeypatch.setattr(os, "statvfs", lambda _: Left())
    reading = Reading(str(path), room)
    with pytest.raises(SourceError, match=r"MB are needed there .* set TMPDIR .* --memory"):
        reading.read()
    count = reading.columns.count
    assert 1000 < count < 4000
    assert room.on_disk + count * windows.WORK_BYTES < 500_000
    building = built(reading, None, room)
    assert int(building.array["size"].sum()) + sum(
        each.client.segments + each.server.segments for _, each in building.followed
    ) == pytest.approx(count, abs=5)
    reading.close()
    assert there.f_bavail


def test_room_on_the_disk_is_there_before_it_is_written_to(tmp_path: Path) -> None:
    room = Windows(1)
    first, other = room.room(10_000_000, "u4"), room.room(10_000_000, "u1")
    assert room.on_disk == 0
    ready = room.ready([first, other], 100)
    assert 100 <= ready < 10_000_000
    assert room.on_disk == 5 * ready
    first[:100] = np.arange(100)
    room.rest()
    assert first[:100].tolist() == list(range(100))
    assert room.ready([first, other], 10_000_000) == 10_000_000
    del first, other
    assert room.on_disk == 0


def test_flows_that_are_too_long_for_a_bucket_come_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dealing, "MOST", 2)
    path, other = tmp_path / "both.pcap", tmp_path / "visits.pcap"
    stream(path, 3000, lost=3)
    visits(other, 100, 3)
    path.write_bytes(path.read_bytes() + other.read_bytes()[24:])
    alone: list[int] = []
    take = dealing.Buckets.take

    def looking(self: dealing.Buckets, number: int) -> Iterator[dealing.Part]:
        for part in take(self, number):
            alone.extend([len(part.whole)] * part.alone)
            yield part

    monkeypatch.setattr(dealing.Buckets, "take", looking)
    building = dealt(path)
    assert len(alone) == 1
    assert alone[0] >= 3000
    assert differences(path, building) == []


def test_a_limit_that_cannot_be_held_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 20 << 20
    monkeypatch.setattr("tcpviz.bulk.segments.windows.anonymous_bytes", lambda: taken)
    windows = windows_of(64 << 20)
    assert windows.beyond() == ""
    taken = 100 << 20
    said = windows.beyond()
    assert "--memory 64M cannot be held" in said
    assert "100 MB" in said
    assert windows.beyond() == ""
    assert windows_of(None).beyond() == ""
