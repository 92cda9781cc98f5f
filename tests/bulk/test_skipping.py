"""Long transfers: the core is carried over what is plain, and stands where it would have stood."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from tcpviz.bulk.connections import skipping
from tcpviz.bulk.long import inorder
from tcpviz.core.connection import Connection
from tcpviz.core.halfconn import Sums
from tcpviz.wire.frame import Frame
from tests.bench.generate import stream
from tests.bulk import variants
from tests.bulk.compare import built, differences
from tests.bulk.drawing import frames_of
from tests.bulk.inside import unlike
from tests.bulk.transfer import ACK, Manner, drawn, write


@pytest.mark.parametrize("seed", [3, 8, 13, 20, 24, 40, 301, 668, 3167, 4037, 5022])
def test_any_transfer(tmp_path: Path, seed: int) -> None:
    """Variable by variable; ``python -m tests.bulk.test_skipping FROM TO`` has more of them."""
    path = tmp_path / "transfer.pcap"
    write(path, drawn(seed), 1500 if seed in (668, 3167, 4037, 5022) else 500)
    assert unlike(path)[0] == []


def test_what_is_shown_of_a_transfer(tmp_path: Path) -> None:
    path = tmp_path / "transfer.pcap"
    for seed in (5, 26):
        write(path, drawn(seed), 300)
        assert differences(path) == []


def test_a_transfer_that_is_never_quiet_is_hardly_followed(tmp_path: Path) -> None:
    path = tmp_path / "transfer.pcap"
    packets = write(path, Manner(random.Random(2), first=(7, 0xFFFFF000)), 3000)
    found, segments, taken = unlike(path)
    assert (found, segments) == ([], packets)
    assert taken < packets / 20


def hardly_followed(path: Path, frames: list[Frame]) -> Connection:
    """The only connection of these, of which the core takes few segments; it is equal."""
    path.write_bytes(variants.pcap(frames))
    found, segments, taken = unlike(path)
    assert (found, segments) == ([], len(frames))
    assert taken < len(frames) / 20
    building = built(path)
    building.reading.close()
    ((_, connection),) = building.followed
    return connection


def test_one_ack_that_comes_much_too_late_is_doubted_and_the_rest_is_plain(
    tmp_path: Path,
) -> None:
    """Its number is what all that is sent to its sender acknowledges from then on."""
    path = tmp_path / "transfer.pcap"
    stream(path, 4000)
    frames = frames_of(path)
    bare = min(len(each.data) for each in frames[100:])
    late = next(at for at in range(100, len(frames)) if len(frames[at].data) == bare)
    frame = frames.pop(late)
    frames.insert(1500, replace(frame, time_ns=frames[1500].time_ns))
    connection = hardly_followed(path, frames)
    (end,) = (each for each in (connection.client, connection.server) if each.doubted)
    assert end.doubted[0].flags == ACK
    assert not end.doubted[0].payload_len


@pytest.mark.parametrize("seed", [1, 3, 8, 24, 301])
def test_a_checksum_that_is_right_by_chance(tmp_path: Path, seed: int) -> None:
    """Where a card fills them in later; of what only acknowledges none is ever vindicated."""
    path = tmp_path / "transfer.pcap"
    write(path, replace(drawn(seed), sums="by chance"), 600)
    assert unlike(path)[0] == []


def test_of_checksums_right_by_chance_only_the_first_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "transfer.pcap"
    stream(path, 6000, size=30)
    frames = frames_of(path)
    acks = [at for at, each in enumerate(frames) if each.data[26:30] == frames[0].data[26:30]]
    for number, at in enumerate(acks):
        if number % 300 != 299:  # the others are as they were
            data = frames[at].data
            frames[at] = replace(frames[at], data=data[:50] + b"\0\0" + data[52:])
    connection = hardly_followed(path, frames)
    assert connection.client.doubted is None
    assert connection.client.sums is Sums.OFFLOAD


def test_of_losses_hardly_anything_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "transfer.pcap"
    manner = Manner(random.Random(4), lost_behind=0.01, flight=60, first=(7, 9))
    packets = write(path, manner, 3000)
    found, segments, taken = unlike(path)
    assert (found, segments) == ([], packets)
    assert taken < packets / 20


@pytest.mark.slow
def test_numbers_that_come_half_round(tmp_path: Path) -> None:
    """Two gigabytes and more, from where Zeek's reckoning of what was seen goes astray."""
    path = tmp_path / "transfer.pcap"
    manner = Manner(random.Random(5), size=65_000, flight=60, stretch=2, scale=10, first=(7, 9))
    packets = write(path, manner, 55_000)
    found, segments, taken = unlike(path)
    assert (found, segments) == ([], packets)
    assert taken < packets / 20


@pytest.mark.slow
def test_numbers_that_come_round_unseen(tmp_path: Path) -> None:
    """Zeek overlooks that they do, and takes what is acknowledged from then on for old."""
    path = tmp_path / "stream.pcap"
    packets = stream(path, 100_000, size=65_000)
    found, segments, taken = unlike(path)
    assert (found, segments) == ([], packets)
    assert taken < packets / 20


def test_a_thousand_in_flight(tmp_path: Path) -> None:
    """More than the core keeps of what is not acknowledged."""
    path = tmp_path / "transfer.pcap"
    manner = Manner(random.Random(6), size=400, flight=3000, scale=9, lost_behind=0.0005)
    write(path, manner, 5000)
    found, segments, taken = unlike(path)
    assert found == []
    assert taken < segments


def test_stretches_end_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skipping, "STRETCH", 97)
    path = tmp_path / "transfer.pcap"
    write(path, drawn(8), 900)
    assert unlike(path)[0] == []


def test_a_download_that_loses_segments(tmp_path: Path) -> None:
    path = tmp_path / "stream.pcap"
    packets = stream(path, 4000, lost=4)
    building = built(path)
    assert building.follower.segments < packets / 4
    assert differences(path, building) == []


def test_what_was_not_counted_would_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison can fail: without the duplicate ACKs it does."""
    path = tmp_path / "transfer.pcap"
    write(path, Manner(random.Random(4), lost_behind=0.01, flight=60, first=(7, 9)), 800)
    assert unlike(path)[0] == []
    gather = inorder.Stretch._gather

    def wrong(self: inorder.Stretch) -> None:
        gather(self)
        self.repeats = self.repeats & False

    monkeypatch.setattr(inorder.Stretch, "_gather", wrong)
    assert unlike(path)[0]


if __name__ == "__main__":
    import sys
    import tempfile

    first, last, count = (int(word) for word in (*sys.argv[1:3], "1500"))
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, last):
            capture = Path(folder) / "transfer.pcap"
            write(capture, drawn(number), count)
            print(number, *unlike(capture))
