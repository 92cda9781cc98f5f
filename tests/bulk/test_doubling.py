"""Packets captured twice: columns tell of them what the core tells, and hardly ask it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tcpviz.bulk.connections import copies, doubled, lengthy, samebytes
from tcpviz.bulk.connections.building import Building
from tcpviz.bulk.segments.flows import flows_of
from tcpviz.bulk.segments.reading import Reading
from tcpviz.core.segment import ACK, FIN, RST, SYN
from tcpviz.core.twice import TwiceSeen
from tcpviz.wire.decoder import Decoder
from tests.bench import losses
from tests.bench.generate import stream, visits
from tests.bulk import doubling, variants
from tests.bulk.compare import built, differences, tables
from tests.bulk.doubling import US, Way, numbered, world
from tests.bulk.drawing import frames_of
from tests.wire import packets

WAYS = {
    "right behind": Way(),
    "behind a router": Way(hops=1, after=(20 * US, 60 * US)),
    "behind others": Way(after=(0, 100 * US)),
    "one direction": Way(only=True),
    "a few": Way(share=0.1, after=(0, 5 * US)),
    "three times": Way(times=2, tagged=3),
}


@pytest.mark.parametrize("name", WAYS)
def test_short_connections(tmp_path: Path, name: str) -> None:
    path, dice = tmp_path / "visits.pcap", random.Random(8)
    visits(path, 60, odd=0.02)
    frames = numbered(frames_of(path), "counted", dice)
    path.write_bytes(variants.pcap(doubling.doubled(frames, WAYS[name], dice)))
    building = built(path)
    assert int(building.array["copies"].astype(int).sum()) > 20
    assert differences(path, building) == []
    assert len(building.followed) < (20 if name == "behind others" else 6)
    one, other = tables(path)
    assert other == one


@pytest.mark.parametrize("kind", ["counted", "zero"])
@pytest.mark.parametrize("least", [1 << 17, 500])
def test_a_long_transfer(
    tmp_path: Path, kind: str, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zeek writes a letter at the 1st, 10th, 100th and 1000th copy of data; in stretches, too."""
    monkeypatch.setattr(lengthy, "LEAST", least)
    monkeypatch.setattr(copies, "STRETCH", 1000)
    path, dice = tmp_path / "transfer.pcap", random.Random(3)
    stream(path, 1800)
    frames = numbered(frames_of(path), kind, dice)
    path.write_bytes(variants.pcap(doubling.doubled(frames, Way(), dice)))
    building = built(path)
    assert not building.followed
    assert building.follower.segments < 60
    assert differences(path, building) == []


def test_over_ipv6_the_first_copy_has_to_come_at_once(tmp_path: Path) -> None:
    path, dice = tmp_path / "visits.pcap", random.Random(4)
    visits(path, 60, odd=0.02)
    frames = doubling.doubled(doubling.over_ipv6(frames_of(path)), Way(after=(0, 9 * US)), dice)
    path.write_bytes(variants.pcap(frames))
    building = built(path)
    assert differences(path, building) == []
    assert len(building.followed) < 4


@pytest.mark.parametrize("seed", range(12))
def test_random_captures(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "capture"
    world(seed, path)
    assert differences(path) == []


@pytest.mark.parametrize("seed", [4, 6, 17, 20, 121, 128])
def test_random_transfers(tmp_path: Path, seed: int) -> None:
    """Long ones with losses, odd segments and windows of zero."""
    path = tmp_path / "capture"
    doubling.transfer(seed, path)
    assert differences(path) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_short_connections_with_losses(tmp_path: Path, seed: int) -> None:
    path, dice = tmp_path / "visits.pcap", random.Random(seed)
    losses.put(path, [losses.drawn(dice, 60) for _ in range(6)], dice)
    frames = numbered(frames_of(path), ("counted", "zero", "by sender")[seed - 1], dice)
    path.write_bytes(variants.pcap(doubling.doubled(frames, Way(after=(0, 9 * US)), dice)))
    building = built(path)
    assert differences(path, building) == []
    assert building.follower.segments < building.reading.columns.count * 0.6


def test_visits_with_losses_are_followed_as_if_each_packet_were_there_once(tmp_path: Path) -> None:
    """SYNs sent again, ACKs right behind what they come after, flows long by their copies alone."""
    path, dice = tmp_path / "visits.pcap", random.Random(2)
    losses.put(path, losses.KINDS["visits-5"](0.012, dice), dice)
    frames = frames_of(path)
    path.write_bytes(variants.pcap(doubling.doubled(frames, Way(after=(US, 3 * US)), dice)))
    building = built(path)
    assert any(each.client.syns > 2 for _, each in building.followed)
    assert building.follower.segments < len(frames) / 6
    assert differences(path, building) == []


@pytest.mark.parametrize("begun", [0, 40])
def test_a_long_transfer_with_losses(tmp_path: Path, begun: int) -> None:
    """Its beginning captured, or not."""
    path, dice = tmp_path / "transfer.pcap", random.Random(7)
    stream(path, 2500, lost=3)
    frames = numbered(frames_of(path), "counted", dice)[begun:]
    path.write_bytes(variants.pcap(doubling.doubled(frames, Way(), dice)))
    building = built(path)
    assert differences(path, building) == []
    assert building.follower.segments < len(frames) / 8


def _lives(reading: Reading, rows: list[int]) -> Iterator[list[int]]:
    """The connections of a flow, as SYNs with new numbers part them."""
    life: list[int] = []
    last: int | None = None
    for row in rows:
        flags, seq = (int(reading.columns.array[name][row]) for name in ("flags", "seq"))
        if flags & (SYN | ACK | FIN | RST) == SYN and seq != last:
            if life:
                yield life
            life, last = [], seq
        life.append(row)
    yield life


@pytest.mark.parametrize("seed", range(40, 70))
def test_copies_are_those_of_the_core(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "capture"
    world(seed, path)
    reading = Reading(str(path))
    reading.read()
    flows = flows_of(reading.columns)
    found = copies.Copies(reading.columns.array, flows.order, flows.begin)
    rows, decoder = flows.order, Decoder()
    for flow in range(len(flows)):
        if found.unclear[flow]:
            continue
        mine = slice(*flows.begin[flow : flow + 2].tolist())
        told = rows[mine][found.copy[mine]].tolist()
        there: list[int] = []
        for life in _lives(reading, rows[mine].tolist()):
            twice = TwiceSeen()
            there += [
                row
                for row, segment in zip(life, reading.segments(life, decoder), strict=True)
                if twice.original(segment) is not None
            ]
        # The bytes of copies that are none have not been looked at yet.
        some = np.flatnonzero(found.copy[mine]) + mine.start
        fine = samebytes.same(reading, rows[some], rows[found.root[some]])
        if fine.all():
            assert told == there
        else:
            assert set(there) <= set(told)
    reading.close()


def _ethernet(six: bool) -> bytes:
    inside = packets.tcp(b"data", options=b"\1\1\1\1")
    if six:
        return packets.ethernet(packets.ipv6(inside), 0x86DD)
    return packets.ethernet(packets.ipv4(inside, ident=1))


@pytest.mark.parametrize(
    ("frame", "may"),
    [
        (_ethernet(six=False), {*range(12), 15, 22, 24, 25}),
        (_ethernet(six=True), {*range(12), 15, 21}),
        (packets.ethernet(packets.vlan(_ethernet(six=False)[14:], 5), 0x8100),
         {*range(12), 19, 26, 28, 29}),
    ],
)  # fmt: skip
def test_of_two_frames_all_but_the_way_has_to_be_the_same(frame: bytes, may: set[int]) -> None:
    one = np.frombuffer(frame, np.uint8)
    other = np.tile(one, (len(one), 1))
    other[np.arange(len(one)), np.arange(len(one))] ^= 0x80
    fine = samebytes.alike(np.tile(one, (len(one), 1)), other, 1)
    assert set(np.flatnonzero(fine).tolist()) == may
    # Of another link type nothing may differ.
    assert not samebytes.alike(np.tile(one, (len(one), 1)), other, 147).any()
    assert samebytes.alike(one[None], one[None], 147).all()


def test_what_lies_far_apart_or_in_no_file_is_read_packet_by_packet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, dice = tmp_path / "visits.pcap", random.Random(5)
    visits(path, 30)
    frames = numbered(frames_of(path), "counted", dice)
    path.write_bytes(variants.pcap(doubling.doubled(frames, Way(hops=1), dice)))
    counts = []
    for apart in (1 << 16, -1):
        monkeypatch.setattr(samebytes, "_APART", apart)
        building = built(path)
        building.reading.close()
        counts.append((len(building.array["first"]), int(building.array["copies"].sum())))
    assert counts[0] == counts[1]
    assert counts[0][1] > 200


def test_flows_without_copies_are_left(tmp_path: Path) -> None:
    path = tmp_path / "visits.pcap"
    visits(path, 30, odd=0.5)
    reading = Reading(str(path))
    reading.read()
    building = Building(reading)
    doubles = doubled.Doubles(reading, building.clock, building.flows)
    everything = list(range(len(building.flows)))
    assert list(doubles.among(everything, np.zeros(0, np.int64))) == []
    assert doubles.rest == everything
    reading.close()
