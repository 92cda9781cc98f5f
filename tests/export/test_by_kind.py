"""What is written of many connections at once is what is written of each by itself."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tcpviz.bulk.segments.reading import Unsuited
from tcpviz.bulk.tables import branches, facts, portions
from tcpviz.bulk.tables.community_ids import community_ids
from tcpviz.bulk.tables.load import Loaded
from tcpviz.bulk.tables.table import Table
from tcpviz.core.community_id import community_id
from tcpviz.core.segment import Endpoint
from tcpviz.export import (
    csv_columns,
    csv_table,
    json_columns,
    jsonl,
    parquet,
    parquet_columns,
)
from tcpviz.export.gathering_columns import gather
from tests.bench.generate import syns, visits
from tests.bulk import variants
from tests.bulk.compare import built
from tests.bulk.drawing import frames_of
from tests.bulk.parts import parted
from tests.bulk.scanning import scan
from tests.bulk.test_buckets import dealt
from tests.export.dialogues import various

MODULES = (json_columns, csv_columns, parquet_columns)


def by_itself(table: Table) -> dict[ModuleType, list[Any]]:
    """Each connection's line or row, from an object of its own."""
    made: dict[ModuleType, list[Any]] = {module: [] for module in MODULES}
    for each, now in zip(table, table.until_ns.tolist(), strict=True):
        made[json_columns].append(jsonl.dumps(jsonl.connection_object(each, now)) + "\n")
        made[csv_columns].append(csv_columns._csv(csv_table.row(each, now)))
        made[parquet_columns].append(parquet.row(each, now))
    return made


def check(path: Path) -> set[tuple[str, str]]:
    """Both ways agree, and only what the core followed is written one by one.

    Returns the verdicts that were met in what was not, and the facts in them.
    """
    loaded = Loaded(str(path))
    met: set[tuple[str, str]] = set()
    try:
        loaded.read()
        table = loaded.build()
        expected = by_itself(table)
        for module in MODULES:
            writer = module.lines(table)
            lines = [line for some in writer.lines(np.arange(len(table))) for line in some]
            assert lines == expected[module], path.name
            assert writer.alone == len(table.building.followed), path.name
            for kind in writer._kinds._known.values():
                met |= {(str(each.code), name) for each in kind.said for name in each.facts}
                met |= {(str(each.code), "") for each in kind.said}
    finally:
        loaded.close()
    return met


def test_every_shared_capture(captures: Path) -> None:
    for path in sorted(captures.iterdir()):
        if {".pcap", ".pcapng", ".gz"} & set(path.suffixes):
            try:
                check(path)
            except Unsuited:
                continue


def test_connections_of_every_sort(tmp_path: Path) -> None:
    path = tmp_path / "various.pcap"
    met: set[tuple[str, str]] = set()
    for seed, tail_s in ((1, 0), (2, 3), (3, 100), (4, 8000)):
        various(path, 350, seed, tail_s)
        met |= check(path)
    path.write_bytes(variants.pcap(scan(random.Random(5), 400, 0)))
    met |= check(path)
    various(path, 80, 5, 100)
    path.write_bytes(variants.pcap(parted(frames_of(path), 5, lone=0.9)))
    met |= check(path)
    known = {(str(code), name) for code, name in facts._OF}
    known |= {("reset", "bytes"), ("ports-reused", "")}
    # These are followed: it takes probes, data sent again for nothing, or both ends' SYNs.
    assert known - met <= {
        ("needless-retransmissions", "data"),
        ("keep-alive-only", "span_ns"),
        ("simultaneous-open", "span_ns"),
        ("challenged", "span_ns"),
    }


def test_crowds_and_reused_ports(tmp_path: Path) -> None:
    path = tmp_path / "many.pcap"
    syns(path, 600)
    assert ("syn-flood", "members") in check(path)
    visits(path, 500, odd=0.05)
    check(path)


def test_portions_of_any_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds are known again in the next portion, and what is too large for one is written too."""
    path = tmp_path / "various.pcap"
    various(path, 150, 6, 20)
    monkeypatch.setattr(portions, "CONNECTIONS", 7)
    check(path)
    monkeypatch.setattr(branches, "MOST", 3)  # and when they have been forgotten
    check(path)
    monkeypatch.setattr(portions, "SEGMENTS", 5)
    loaded = Loaded(str(path))
    loaded.read()
    table = loaded.build()
    text = "".join(json_columns.texts(table, np.arange(len(table))))
    assert text == "".join(by_itself(table)[json_columns])
    some = np.array([5, 2, 140])
    ids = [json.loads(line)["id"] for line in "".join(json_columns.texts(table, some)).splitlines()]
    assert ids == [6, 3, 141]
    loaded.close()


def test_flows_that_were_dealt_out(tmp_path: Path) -> None:
    """More packets than memory may take: the same lines, and the same that goes wrong."""
    path = tmp_path / "various.pcap"
    various(path, 200, 7, 30)
    made = []
    for building in (built(path), dealt(path)):
        table = Table(building)
        texts = [
            *json_columns.texts(table, np.arange(len(table))),
            *csv_columns.texts(table, np.arange(len(table))),
        ]
        made.append((texts, gather(table, np.arange(len(table))).troubles(crowds=table.crowds)))
        building.reading.close()
    assert made[0] == made[1]


def test_community_ids() -> None:
    """IPv4 and IPv6 side by side, either end the lower one, and ends of one address."""
    long = [bytes(range(16)), bytes(15) + b"\1"]
    v4 = [Endpoint("10.0.0.1", 0), Endpoint("10.0.0.1", 65535), Endpoint("255.1.2.3", 80)]
    v6 = [Endpoint("1:203:405:607:809:a0b:c0d:e0f", 1), Endpoint("::1", 256)]
    numbers = {"10.0.0.1": 0x0A000001, "255.1.2.3": 0xFF010203}
    numbers |= {v6[0].addr: 1 << 32, v6[1].addr: 1 << 32 | 1}
    pairs = [(a, b) for ends in (v4, v6) for a in ends for b in ends]
    one, other = (
        (np.array([numbers[end.addr] for end in ends]), np.array([end.port for end in ends]))
        for ends in zip(*pairs, strict=True)
    )
    made = [row.tobytes().decode() for row in community_ids(one, other, long)]
    assert made == [community_id(a, b) for a, b in pairs]
