"""What forks read ahead of a file is what reading it from end to end comes to."""

from __future__ import annotations

import os
import random
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tcpviz.bulk import forks
from tcpviz.bulk.connections import shares
from tcpviz.bulk.connections.building import Building
from tcpviz.bulk.segments import ahead
from tcpviz.bulk.segments.columns import Columns
from tcpviz.bulk.segments.reading import Reading, Unsuited
from tcpviz.bulk.tables.table import Table
from tcpviz.sources.feed import SourceError
from tcpviz.wire.frame import Frame
from tests.bench.generate import stream, visits
from tests.bulk import variants
from tests.bulk.compare import differences
from tests.bulk.drawing import frames_of

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    # Of the test's own threads; what runs in the forks here needs none of their locks.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]

HANDS = 4


@pytest.fixture(autouse=True)
def joined(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every file is worth forks, which read little at a time; of each part joined, its rows."""
    monkeypatch.setattr(ahead, "WORTH", 100)
    monkeypatch.setattr(ahead, "PIECE", 1500)
    monkeypatch.setattr(ahead, "_ROWS", 7)
    monkeypatch.setattr("tcpviz.bulk.segments.reading.PIECE", 1700)
    found: list[int] = []
    join = ahead._join

    def noted(reading: Reading, fork: forks.Fork[Any]) -> None:
        before = reading.columns.count
        join(reading, fork)
        found.append(reading.columns.count - before)

    monkeypatch.setattr(ahead, "_join", noted)
    return found


def read(path: Path, hands: int, monkeypatch: pytest.MonkeyPatch) -> Reading:
    monkeypatch.setattr(forks, "_hands", hands)
    reading = Reading(str(path), heads=True)
    try:
        reading.read()
    except BaseException:
        reading.close()
        raise
    finally:
        monkeypatch.setattr(forks, "_hands", 1)
    return reading


def told(reading: Reading) -> dict[str, object]:
    """All that a reading tells, addresses by themselves and not by their numbers."""
    columns, tables = reading.columns, reading.columns.tables
    array = {name: column for name, column in columns.array.items() if name not in ("row", "where")}
    data = [reading.data(row) for row in range(columns.count) if row not in columns.kept]
    scopes = [tables.scopes[each] for each in array.pop("scope").tolist()]
    sources = [
        tables.sources[each]
        for row, each in enumerate(array.pop("source").tolist())
        if row not in columns.kept
    ]
    ends = [
        [tables.packed(number, scope) for number, scope in zip(column, places, strict=True)]
        for places in [columns.array["scope"].tolist()]
        for column in (array.pop("src").tolist(), array.pop("dst").tolist())
    ]
    status = reading.status
    return {
        "columns": {name: column.tolist() for name, column in array.items()},
        "kept": {row: repr(one) for row, one in columns.kept.items()},
        "data": data,
        "places": [scopes, sources, ends],
        "errors": list(reading.errors),
        "gaps": reading.gaps,
        "status": (status.frames, status.segments, dict(status.skipped), status.dropped),
        # What cannot be understood ends a reading, wherever its latest piece does.
        "more": (status.notes, status.notes or status.position, reading.singly),
        "decoder": reading.decoder.counts,
    }


def compared(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raises Unsuited and SourceError as reading it from end to end does."""
    one, several = (whole(path, hands, monkeypatch) for hands in (1, HANDS))
    assert several == one, path.name


def whole(path: Path, hands: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """All that reading it tells."""
    reading = read(path, hands, monkeypatch)
    try:
        return told(reading)
    finally:
        reading.close()


def test_every_shared_capture(
    captures: Path, joined: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0
    for path in sorted(captures.iterdir()):
        if not {".pcap", ".pcapng"} & set(path.suffixes) or path.stat().st_size > 1 << 20:
            continue
        try:
            compared(path, monkeypatch)
        except (Unsuited, SourceError):
            continue
        count += 1
    assert count > 40
    assert len(joined) > 40
    assert sum(joined) > 1000


@pytest.mark.parametrize("kind", variants.FILES)
def test_each_kind_of_file(
    tmp_path: Path, kind: str, joined: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, path = tmp_path / "visits.pcap", tmp_path / "capture"
    visits(source, 60)
    path.write_bytes(variants.FILES[kind](frames_of(source)))
    compared(path, monkeypatch)
    odd = "old" in kind or "simple" in kind or "sections" in kind
    assert odd or sum(joined) > 100


@pytest.mark.parametrize("part", [3000, 20_000])
def test_a_long_file_is_read_in_many_parts(
    tmp_path: Path, part: int, joined: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, busy = tmp_path / "visits.pcap", []
    visits(path, 300, odd=0.1)
    begun = forks.begun

    def counting(makes: Any) -> list[forks.Fork[Any]]:
        made = begun(makes)
        busy.append(len(made))
        return made

    monkeypatch.setattr(ahead, "PART", part)
    monkeypatch.setattr(forks, "begun", counting)
    compared(path, monkeypatch)
    assert len(joined) > path.stat().st_size // part // 2
    assert max(busy) == HANDS - 1  # at a time


def test_addresses_and_vlans_have_the_numbers_that_they_have_here(
    tmp_path: Path, joined: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, path = tmp_path / "visits.pcap", tmp_path / "capture"
    visits(source, 80)
    dice = random.Random(5)
    made = []
    for each in frames_of(source):
        tag = struct.pack(">HH", 0x8100, dice.randrange(4))
        six = dice.random() < 0.5
        inside = variants.ipv6(each.data[14:]) if six else each.data[14:]
        kind = b"\x86\xdd" if six else b"\x08\x00"
        data = each.data[:12] + (tag if dice.random() < 0.5 else b"") + kind + inside
        made.append(replace(each, data=data, wire_len=len(data)))
    path.write_bytes(variants.pcap(made))
    compared(path, monkeypatch)
    assert len(joined) == HANDS - 1
    assert min(joined) > 100


def test_what_belongs_together_across_parts(
    tmp_path: Path, joined: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Datagrams in fragments: what has them is read here."""
    source, path = tmp_path / "visits.pcap", tmp_path / "capture"
    visits(source, 60)
    frames = frames_of(source)
    for some in (slice(0, 60), slice(300, 310), slice(len(frames) - 9, None), slice(0, None, 40)):
        made: list[Frame] = []
        chosen = set(range(len(frames))[some])
        for place, each in enumerate(frames):
            made += variants.fragmented([each]) if place in chosen else [each]
        path.write_bytes(variants.pcap(made))
        compared(path, monkeypatch)
    assert joined


def test_what_was_lost_and_said_between(
    tmp_path: Path, joined: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drop counters, comments, another interface, another section: here and there in the file."""
    source, path = tmp_path / "visits.pcap", tmp_path / "capture"
    visits(source, 60)
    frames = frames_of(source)
    head = variants.pcapng(frames[:1])
    interface = struct.pack("<IIHHII", 1, 20, 1, 0, 65535, 20)
    said = {
        "lost": lambda each: variants.block(each, options=((4, (3).to_bytes(8, "little")),)),
        "comment": lambda each: variants.block(each, options=((1, b"look"),)),
        "interface": lambda each: interface + variants.block(each),
        "section": lambda each: variants.pcapng([each]),
        "odd": lambda each: struct.pack("<III", 0x0BAD, 12, 12) + variants.block(each),
    }
    for change in said.values():
        for every in (len(frames) // 2, 97):
            blocks = [
                change(each) if place % every == every - 1 else variants.block(each)
                for place, each in enumerate(frames[1:])
            ]
            path.write_bytes(head + b"".join(blocks))
            compared(path, monkeypatch)
    assert sum(joined) > 1000


def test_a_capture_within_a_capture_leads_nobody_astray(
    tmp_path: Path, joined: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data that look like records are where a fork may begin: what it reads is thrown away."""
    source, path = tmp_path / "visits.pcap", tmp_path / "capture"
    visits(source, 300)
    inner, frames = source.read_bytes(), frames_of(source)
    size, tried = 9000, 0
    for turn in range(6):
        made = []
        for place, each in enumerate(frames[:53]):
            at = 24 + (place * size + turn * 7) % (len(inner) - 24 - size)
            data = each.data[:54] + inner[at : at + size]
            total = struct.pack(">H", len(data) - 14)
            data = data[:16] + total + data[18:46] + b"\x50" + data[47:]
            made.append(replace(each, data=data, wire_len=len(data)))
        path.write_bytes(variants.pcap(made, magic=0xA1B2C3D4))
        before = len(joined)
        compared(path, monkeypatch)
        tried += HANDS - 1
        assert len(joined) - before <= HANDS - 1
    assert len(joined) < tried


def test_a_file_that_is_cut_or_goes_wrong(
    tmp_path: Path, joined: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, path = tmp_path / "visits.pcap", tmp_path / "capture"
    visits(source, 60)
    data = source.read_bytes()
    for end in (1, 9, 17, 700, 40_000):
        path.write_bytes(data[:-end])
        compared(path, monkeypatch)
        path.write_bytes(data[:-end] + b"\xff" * 40)
        compared(path, monkeypatch)
        path.write_bytes(data[: -end - 5000] + os.urandom(40) + data[-end - 5000 :])
        compared(path, monkeypatch)
    assert joined


def test_forks_that_die_lose_nothing(
    tmp_path: Path, joined: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, here = tmp_path / "visits.pcap", os.getpid()
    visits(path, 60)
    one = whole(path, 1, monkeypatch)
    take = Reading.take
    for after in (0, 2, 5):
        left = [after]

        def dies(reading: Reading, batch: Any, left: list[int] = left) -> None:
            if os.getpid() != here:
                left[0] -= 1
                if left[0] < 0:
                    os._exit(1)
            take(reading, batch)

        monkeypatch.setattr(Reading, "take", dies)
        assert whole(path, HANDS, monkeypatch) == one
    assert joined == []
    monkeypatch.setattr(Reading, "take", take)
    spaces = Columns.spaces

    def cut(columns: Columns, begin: int, end: int) -> dict[str, Any]:
        if begin > 30:
            os._exit(1)
        return spaces(columns, begin, end)

    monkeypatch.setattr(Columns, "spaces", cut)
    assert whole(path, HANDS, monkeypatch) == one
    assert joined == []


def test_frames_above_64_kib_where_forks_read(
    tmp_path: Path, joined: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, path = tmp_path / "visits.pcap", tmp_path / "capture"
    visits(source, 60)
    frames = frames_of(source)
    for place in (3, len(frames) // 2, len(frames) - 2):
        made = list(frames)
        made[place] = replace(made[place], wire_len=70_000)
        path.write_bytes(variants.pcap(made))
        compared(path, monkeypatch)
    assert len(joined) == 3 * (HANDS - 1)


def test_the_table_of_it_is_the_core_s(
    tmp_path: Path, joined: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "WORTH", 1 << 8)
    monkeypatch.setattr(Building, "chunk", 1 << 8)
    path = tmp_path / "capture"
    for number in range(2):
        if number:
            stream(path, 1200)
        else:
            visits(path, 300)
        reading = read(path, HANDS, monkeypatch)
        monkeypatch.setattr(forks, "_hands", HANDS)
        building = Building(reading)
        assert differences(path, building) == []
        assert len(Table(building)) == (1 if number else len(building.array["first"]))
        monkeypatch.setattr(forks, "_hands", 1)
        reading.close()
    assert len(joined) == 2 * (HANDS - 1)
    assert np.mean(joined) > 100
