"""Short flows with losses: taken past what is plain, the core stands where it would stand."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tcpviz.bulk.brief import past
from tcpviz.bulk.connections.briefly import Briefly
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.following import Follower
from tcpviz.bulk.segments.flows import flows_of
from tcpviz.bulk.segments.reading import Reading
from tcpviz.core.connection import Connection
from tcpviz.wire.frame import Frame
from tests.bench import losses
from tests.bulk import variants
from tests.bulk.compare import built, differences
from tests.bulk.inside import compared
from tests.bulk.transfer import drawn, write
from tests.wire import packets

_LATEST = {"observation", "last"}
"""What the core found at the latest segment that it took."""


def unlike(path: Path) -> tuple[list[str], int, int]:
    """Where the core differs that was taken past what is plain; segments, and those it took."""
    reading = Reading(str(path), heads=True)
    reading.read()
    clock = Clock(reading.columns.array["time"], reading.errors)
    flows = flows_of(reading.columns)
    briefly = Briefly(reading, clock, [flows.rows(flow) for flow in range(len(flows))])
    found: list[str] = []
    segments = taken = 0
    for flow in range(len(flows)):
        rows, before = flows.rows(flow), briefly.segments
        mine = briefly.follow(flow)
        _, theirs = Follower(reading, clock).follow(rows.tolist())
        if mine is None:
            continue
        segments, taken = segments + len(rows), taken + briefly.segments - before
        if [row for row, _ in mine] != [row for row, _ in theirs]:
            found.append("other connections")
        for (_, one), (_, other) in zip(mine, theirs, strict=False):
            found += compared(one, other, f"{path.name} {flow}", _LATEST)
            found += _waiting(one, other)
    reading.close()
    return found, segments, taken


def _waiting(one: Connection, other: Connection) -> list[str]:
    """What both know of what is not acknowledged."""
    assert one.analysis is not None
    assert other.analysis is not None
    marks, theirs = one.analysis.marks, other.analysis.marks
    found: list[str] = []
    for mine, there in ((marks._client, theirs._client), (marks._server, theirs._server)):
        high = (mine.log.high, there.log.high) if there.log._unacked else (0, 0)
        for name in ("_unacked", "_holes", "_unseen"):
            found += compared(getattr(mine.log, name), getattr(there.log, name), name)
        found += compared(*high, "high")
    return found


def lossy(path: Path, seed: int, count: int = 24, most: int = 60) -> Path:
    dice = random.Random(seed)
    losses.put(path, [losses.drawn(dice, most) for _ in range(count)], dice)
    return path


@pytest.mark.parametrize("seed", range(31, 39))
def test_any_connections_variable_by_variable(tmp_path: Path, seed: int) -> None:
    """``python -m tests.bulk.test_briefly FROM TO`` has more of them."""
    found, segments, taken = unlike(lossy(tmp_path / "losses.pcap", seed))
    assert found == []
    assert taken < segments * 0.8


def altered(path: Path, change: Callable[[int, bytearray], list[tuple[int, bytes]]]) -> Path:
    """The same capture with other packets or more of them, each with its microseconds."""
    data, at = path.read_bytes(), 24
    records: list[tuple[int, bytes, int]] = []
    while at < len(data):
        seconds, rest, size, wire = struct.unpack_from("<4I", data, at)
        packet = bytearray(data[at + 16 : at + 16 + size])
        at += 16 + size
        records += [(*each, wire) for each in change(seconds * 10**6 + rest, packet)]
    records.sort(key=lambda each: each[0])
    heads = [struct.pack("<4I", *divmod(when, 10**6), len(one), w) for when, one, w in records]
    bodies = [one for _, one, _ in records]
    path.write_bytes(data[:24] + b"".join(a + b for a, b in zip(heads, bodies, strict=True)))
    return path


@pytest.mark.parametrize("size", [60, 68, 80])
def test_what_the_snapshot_cut_off(tmp_path: Path, size: int) -> None:
    path = lossy(tmp_path / "losses.pcap", 41)
    found, segments, taken = unlike(altered(path, lambda when, one: [(when, bytes(one[:size]))]))
    assert found == []
    assert taken < segments * 0.8


@pytest.mark.parametrize("names", [(0,), (0, 0, 1, 2, 3), (7,), range(60), None])
def test_packets_that_were_captured_twice(tmp_path: Path, names: Sequence[int] | None) -> None:
    """With identifications that say nothing, few of them, or their own (``None``)."""
    dice = random.Random(5)

    def again(when: int, packet: bytearray) -> list[tuple[int, bytes]]:
        if names is not None and packet[12:14] == b"\x08\0":
            struct.pack_into(">H", packet, 18, dice.choice(names))
        copy = [] if dice.random() < 0.99 else [dice.choice((0, 9, 11, 900, 90_000))]
        return [(when + later, bytes(packet)) for later in (0, *copy)]

    assert unlike(altered(lossy(tmp_path / "losses.pcap", 42), again))[0] == []


@pytest.mark.parametrize("seed", [3, 8, 24, 301])
def test_any_transfer_variable_by_variable(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "transfer.pcap"
    write(path, drawn(seed), 300)
    assert unlike(path)[0] == []


@pytest.mark.parametrize(("kind", "share"), [("visits-5", 0.06), ("visits-20", 0.2)])
def test_of_visits_that_lose_little_is_taken_whole(tmp_path: Path, kind: str, share: float) -> None:
    path = tmp_path / "losses.pcap"
    losses.write(path, kind, 0.005)
    found, segments, taken = unlike(path)
    assert found == []
    assert taken < segments * share
    assert differences(path) == []


@pytest.mark.parametrize("ahead", [0, 1, 2, 40, 1500, 4000])
def test_numbers_that_come_round(tmp_path: Path, ahead: int) -> None:
    """All of the client's, or the server's, begin so far before that."""
    firsts: dict[bytes, int] = {}

    def moved(when: int, packet: bytearray) -> list[tuple[int, bytes]]:
        """With other numbers, and a checksum that is as right as it was."""
        if packet[12:14] != b"\x08\0":
            return [(when, bytes(packet))]
        at = 14 + (packet[14] & 15) * 4
        ends = bytes(packet[26:34] + packet[at : at + 4])
        back = ends[4:8] + ends[:4] + ends[10:] + ends[8:10]
        for place, whose in ((at + 4, ends), (at + 8, back)):
            number = int.from_bytes(packet[place : place + 4], "big")
            if place == at + 4 and packet[at + 13] & 2:
                firsts.setdefault(whose, number)
            if whose in firsts and (place == at + 4 or packet[at + 13] & 16):
                begun = (number - firsts[whose] - 1 - ahead) & 0xFFFFFFFF
                packet[place : place + 4] = begun.to_bytes(4, "big")
        return [(when, bytes(packet))]

    path = altered(lossy(tmp_path / "losses.pcap", 43), moved)
    found, segments, taken = unlike(path)
    assert found == []
    assert taken < segments


def test_what_was_not_counted_would_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison can fail: where any state is taken for proved it does."""
    path = lossy(tmp_path / "losses.pcap", 31)
    assert unlike(path)[0] == []
    monkeypatch.setattr(past, "KEPT", 0)
    monkeypatch.setattr(past, "SELECTIVE", 0)
    assert unlike(path)[0]


if __name__ == "__main__":
    import sys
    import tempfile

    first, last = (int(word) for word in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, last):
            capture = lossy(Path(folder) / "losses.pcap", number, 60, 70)
            print(number, *unlike(capture))
            write(capture, drawn(number), 200)
            print(number, *unlike(capture))


@pytest.mark.parametrize("beyond", [-1, 0, 1])
@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("more", [False, True])
def test_numbers_half_of_all_apart(tmp_path: Path, beyond: int, lost: bool, more: bool) -> None:
    """What is as far behind as it is ahead is behind (tcpviz.core.seq)."""
    said = [(0, 2, 5000, 0, 0), (1, 18, 9000, 5001, 0), (0, 16, 5001, 9001, 0)]
    for at in range(5001, 5401, 100):
        said += [(0, 24, at, 9001, 100), (1, 16, 9001, at + 100, 0)]
    far = 5401 + (1 << 31) - 100 + beyond
    said += [(0, 24, 5501, 9001, 100)] * lost + [(0, 24, far, 9001, 100)]
    said += [(0, 24, far + 100, 9001, 100)] * more
    said += [(0, 24, 5401, 9001, 100), (1, 16, 9001, 5501, 0)]
    path = captured(tmp_path / "half.pcap", said)
    building = built(path)
    assert len(building.followed) == 1
    assert differences(path, building) == []


def captured(path: Path, said: Sequence[tuple[int, int, int, int, int]]) -> Path:
    """One connection's segments: of the server (1), flags, number, ACK, and how much data."""
    frames = []
    for number, (server, flags, seq, ack, size) in enumerate(said, 1):
        src, dst = ("10.0.0.1", "10.0.0.2")[:: 1 - 2 * server]
        sport, dport = (2000, 80)[:: 1 - 2 * server]
        made = packets.tcp(bytes(size), src=src, dst=dst, sport=sport, dport=dport,
                           seq=seq, ack=ack, flags=flags, window=65535)  # fmt: skip
        data = packets.ethernet(packets.ipv4(made, src=src, dst=dst, ident=number))
        time = 1_700_000_000_000_000_000 + number * 50_000_000
        frames.append(Frame(time, 1, data, len(data), number))
    path.write_bytes(variants.pcap(frames))
    return path


@pytest.mark.parametrize("size", [1000, 1448])
@pytest.mark.parametrize("count", [9, 10, 11, 12, 15, 16, 17])
def test_zeek_gives_up_where_much_waits_above_a_hole(tmp_path: Path, size: int, count: int) -> None:
    """The first segment with data was lost; as real kernels did, what follows is all captured."""
    said = [(0, 2, 5000, 0, 0), (1, 18, 9000, 5001, 0), (0, 16, 5001, 9001, 0)]
    said += [(0, 24, 5001, 9001, 11), (1, 16, 9001, 5012, 0)]
    for number in range(1, count + 1):
        said += [(1, 16, 9001 + number * size, 5012, size)]
    said += [(1, 24, 9001, 5012, size), (0, 16, 5012, 9001 + (count + 1) * size, 0)]
    assert unlike(captured(tmp_path / "hole.pcap", said))[0] == []
