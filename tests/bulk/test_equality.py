"""Connections from columns are those of the scalar core, field by field."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tcpviz.bulk.segments.reading import Unsuited
from tcpviz.bulk.tables import signs
from tests.bench.generate import connections, stream, syns, visits
from tests.bulk.compare import built, differences, tables


def test_every_shared_capture(captures: Path) -> None:
    regular = 0
    for path in sorted(captures.iterdir()):
        if not {".pcap", ".pcapng", ".gz"} & set(path.suffixes) or path.name.startswith("tcptrace"):
            continue
        try:
            building = built(path)
        except Unsuited:
            continue
        assert differences(path, building) == [], path.name
        regular += len(building.array["first"])
    assert regular > 200


@pytest.mark.parametrize("seed", [1, 2])
def test_web_clients(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "visits.pcap"
    packets = visits(path, 400, seed, odd=0.02)
    building = built(path)
    assert differences(path, building) == []
    # Of every hundred connections, the core had to look at one, and at an example of each kind.
    assert len(building.followed) <= 4
    assert building.follower.segments < packets * 0.25


def test_checksums_that_a_card_fills_in_are_regular(tmp_path: Path) -> None:
    path = tmp_path / "connections.pcap"
    connections(path, 200)
    building = built(path)
    # A checksum of zero is right once in 65536 times.
    assert len(building.followed) <= 1
    assert differences(path, building) == []


@pytest.mark.parametrize(("few", "stretch"), [(1, 3), (4, 1 << 14)])
def test_signs_of_long_connections_rest_on_few_segments(
    few: int, stretch: int, captures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signs, "FEW", few)
    monkeypatch.setattr(signs, "STRETCH", stretch)
    path = tmp_path / "visits.pcap"
    visits(path, 150, 3, odd=0.02)
    names = ("zeek-wikipedia.pcap", "zeek-pop3.pcap", "zeek-localhost-bad-chksum.pcap")
    for each in (path, *(captures / name for name in names)):
        assert differences(each) == [], each.name


def slowed(path: Path, seconds: int) -> None:
    """The same packets, evenly spread: the later ones a little, in all by ``seconds``."""
    data, at, records = path.read_bytes(), 24, []
    while at < len(data):
        second, micro, captured, wire = struct.unpack_from("<IIII", data, at)
        records.append((second * 10**6 + micro, captured, wire, data[at + 16 : at + 16 + captured]))
        at += 16 + captured
    out = bytearray(data[:24])
    for place, (time, captured, wire, packet) in enumerate(records):
        time += seconds * 10**6 * place // len(records)
        out += struct.pack("<IIII", time // 10**6, time % 10**6, captured, wire) + packet
    path.write_bytes(out)


@pytest.mark.parametrize("seconds", [70, 130, 240, 400])
def test_a_capture_of_minutes_is_not_followed_for_its_timers(tmp_path: Path, seconds: int) -> None:
    """TIME-WAIT and handshakes end within it: by what each shape's timers are."""
    path = tmp_path / "visits.pcap"
    packets = visits(path, 400, seconds, odd=0.02)
    slowed(path, seconds)
    building = built(path)
    assert differences(path, building) == []
    assert building.follower.segments < packets * 0.5


def test_a_flood_of_syns_is_followed_once(tmp_path: Path) -> None:
    path = tmp_path / "syns.pcap"
    syns(path, 400)
    building = built(path)
    assert differences(path, building) == []
    assert building.follower.segments <= 2
    assert len(building.shapes) == 1


def test_one_long_connection(tmp_path: Path) -> None:
    path = tmp_path / "stream.pcap"
    stream(path, 1500)
    assert differences(path) == []


def test_the_table_as_text(tmp_path: Path, captures: Path) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 300, odd=0.02)
    for each in (
        path,
        captures / "zeek-ipv6.pcap",
        captures / "bro-simple-scan-multiport_scan.pcap",
    ):
        one, other = tables(each)
        assert other == one, each.name
