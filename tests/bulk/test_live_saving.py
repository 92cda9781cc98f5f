"""Packets of a ring that are saved many at once: to the byte what is written one by one."""

from __future__ import annotations

import errno
import io
import os
import random
import resource
import socket
from pathlib import Path

import pytest

pytest.importorskip("numpy")

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tcpviz.bulk.live import blocks as blocks_module
from tcpviz.bulk.live.blocks import StretchBlocks
from tcpviz.bulk.live.stretches import Stretch
from tcpviz.sources import fileset, writer
from tcpviz.sources.batch import Blocks
from tcpviz.sources.feed import FeedStatus, SourceError
from tcpviz.sources.keeping import Keeping
from tcpviz.sources.pcap_over_ip_server import PcapServer
from tcpviz.sources.saving import Saving
from tcpviz.sources.writer import PcapngWriter
from tests.bulk.ringed import COOKED, ETHERNET, LOSING, RAW, laid, packets
from tests.sources.test_pcap_over_ip import until


def one_by_one(stretch: Stretch, snaplen: int, out: io.BytesIO, *, many: bool) -> bytes:
    with PcapngWriter(out, snaplen) as file:
        for number, (link_type, _) in enumerate(stretch.links):
            file.add_interface(f"if{number}", link_type)
        if many:
            middle = len(stretch) // 2
            batch = StretchBlocks(stretch, snaplen)
            for first, last in ((0, middle), (middle, len(stretch))):
                file.write_many(batch.blocks(first, last))
        else:
            for frame in stretch.frames():
                file.write(frame)
        assert file.frames == len(stretch)
        file.write_statistics(0, 1, 2)  # at the last packet's time
    return out.getvalue()


@given(
    st.lists(packets, max_size=30),
    st.sampled_from([10, 14, 64, 128, 300]),
    st.permutations([ETHERNET, COOKED, RAW]),
)
def test_many_at_once_are_to_the_byte_what_one_by_one_is(rows, snaplen, links) -> None:
    stretch = laid(rows, snaplen, tuple(links))
    found = [one_by_one(stretch, snaplen, io.BytesIO(), many=many) for many in (False, True)]
    assert found[0] == found[1]


@pytest.mark.parametrize(("few", "wide"), [(1, 1 << 20), (12, 100), (12, 4096)])
def test_whether_they_are_copied_together_or_one_by_one_is_all_the_same(monkeypatch, few, wide):
    monkeypatch.setattr(blocks_module, "FEW", few)
    monkeypatch.setattr(blocks_module, "WIDE", wide)
    dice = random.Random(5)
    rows = [(0, dice.randbytes(dice.randrange(200)), 0, 0, 0, 0) for _ in range(500)]
    stretch = laid(rows, 128)
    found = [one_by_one(stretch, 128, io.BytesIO(), many=many) for many in (False, True)]
    assert found[0] == found[1]


def storm(count: int = 300, *, lost_at: int = -1) -> Stretch:
    dice = random.Random(count)
    rows = [
        (0, dice.randbytes(dice.randrange(20, 128)), 9, LOSING if n == lost_at else 0, 0, 0)
        for n in range(count)
    ]
    return laid(rows, 128, lost=0 if lost_at < 0 else 7)


class Clock:
    """Stands still, and goes on by a step at each file."""

    def __init__(self) -> None:
        self.at = 1_700_000_000.0

    def __call__(self) -> float:
        return self.at


PLANS = {
    "bytes": Saving("", bytes_each=5000),
    "few bytes": Saving("", bytes_each=100, keep=7),
    "packets": Saving("", packets_each=64, keep=3),
    "both": Saving("", packets_each=50, bytes_each=4000),
    "so many files": Saving("", packets_each=64, stop_files=2),
    "one of a size": Saving("", stop_bytes=3000),
    "seconds": Saving("", seconds_each=10),
    "interval": Saving("", interval_s=10, packets_each=100),
}


@pytest.mark.parametrize("plan", list(PLANS))
def test_files_end_with_the_same_packet(tmp_path: Path, monkeypatch, plan) -> None:
    found = []
    for many in (False, True):
        place = tmp_path / str(many)
        place.mkdir()
        clock = Clock()
        told = PLANS[plan]
        words = {name: getattr(told, name) for name in told.__slots__}
        here = Saving(**{**words, "path": str(place / "out.pcapng")})

        class ByThatClock(fileset.FileSet):
            def __init__(self, plan, snaplen, clock=clock) -> None:
                super().__init__(plan, snaplen, clock, clock)

        monkeypatch.setattr("tcpviz.sources.keeping.FileSet", ByThatClock)
        stopped: list[int] = []
        status = FeedStatus()
        keeping = Keeping(here, 128, status, lambda stopped=stopped: stopped.append(1))
        keeping.begin()
        keeping.describe([("lo", 1)], "tcp")
        for number in range(4):
            stretch = storm(200 + number, lost_at=50 * number if number else -1)
            if number == 2:
                keeping.mark("here")
            at = stretch.lost_before() if stretch.lost else -1
            if many:
                keeping.save_many(StretchBlocks(stretch, 128), stretch.lost, at)
            else:
                for where, frame in enumerate(stretch.frames()):
                    keeping.save(frame, stretch.lost if where == at else 0)
            clock.at += 7
            keeping.look_after(number)
        keeping.finish(0, 0)
        keeping.close()
        files = sorted(place.iterdir())
        found.append(([f.name for f in files], [f.read_bytes() for f in files], stopped))
        assert sum(map(len, found[-1][1])) > 1000
    assert found[0] == found[1]


def filled(path: Path, limit: int, *, many: bool) -> tuple[bytes, str, int]:
    """What is saved where files may not grow beyond ``limit`` bytes; what is said; what was not."""
    status = FeedStatus()
    keeping = Keeping(str(path), 128, status, lambda: None)
    keeping.begin()
    keeping.describe([("lo", 1)], "")
    kept = keeping._writer
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        for number in range(4):
            stretch = storm(100 + number)
            if many:
                keeping.save_many(StretchBlocks(stretch, 128), 0, -1)
            else:
                for frame in stretch.frames():
                    keeping.save(frame, 0)
            keeping.look_after(0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    keeping.finish(1, 0)
    (note,) = status.notes
    assert str(keeping.error) in note
    keeping.close()
    assert isinstance(kept, PcapngWriter)
    return path.read_bytes(), note.partition(": ")[2], kept.unsaved


@pytest.mark.parametrize("limit", [1000, 20_000, 20_001, 30_000])
def test_where_no_more_can_be_saved_all_that_went_before_is_whole(tmp_path, limit) -> None:
    found = [filled(tmp_path / f"{many}", limit, many=many) for many in (False, True)]
    assert found[0] == found[1]
    assert "larger than files may be" in found[0][1]
    assert limit - 200 < len(found[1][0]) <= limit


def test_a_reader_that_goes_away_is_told_in_a_line() -> None:
    reader, end = os.pipe()
    with os.fdopen(end, "wb", buffering=0) as out:
        file = PcapngWriter(out, 128)
        file.add_interface("lo", 1)
        file.flush()
        os.close(reader)
        with pytest.raises(SourceError, match="whoever was reading it went away"):
            file.write_many(StretchBlocks(storm(), 128).blocks(0, 300))
        assert file.unsaved == 300


def test_of_several_files_a_full_disk_costs_what_came_meanwhile(tmp_path, monkeypatch) -> None:
    real, full = writer._create, [False]

    def create(path: str, name: str, fresh: bool = False):
        file = real(path, name, fresh)

        class Guarded(type(file)):  # type: ignore[misc]
            def write(self, data) -> int:
                if full[0]:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return super().write(data) or 0

        with file:
            return Guarded(os.dup(file.fileno()), "wb")

    monkeypatch.setattr(writer, "_create", create)
    clock = Clock()
    plan = Saving(str(tmp_path / "out.pcapng"), packets_each=1000)
    files = fileset.FileSet(plan, 128, clock, clock)
    files.add_interface("lo", 1)
    blocks = StretchBlocks(storm(300), 128).blocks(0, 300)
    files.write_many(blocks)
    full[0] = True
    files.write_many(blocks)
    files.write_many(blocks)
    assert files.missed == 600
    assert "no space left" in (files.look_after() or "")
    full[0] = False
    clock.at += fileset.RETRY_S
    assert "600 packets are not saved" in (files.look_after() or "")
    files.write_many(blocks)
    files.close()
    one, other = sorted(tmp_path.iterdir())
    assert one.read_bytes() == other.read_bytes()


def test_a_part_of_blocks_is_as_the_whole() -> None:
    blocks = Blocks(memoryview(b"abcdefghij"), [1, 3, 6, 10], 5)
    part = blocks.part(1, 3)
    assert (bytes(part.data), list(part.ends)) == (b"bcdef", [2, 5])
    also = Blocks(blocks.data, np.array([1, 3, 6, 10]), 5).part(1, 3)  # type: ignore[arg-type]
    assert (bytes(also.data), list(also.ends)) == (b"bcdef", [2, 5])
    assert len(blocks.part(0, 0)) == 0


@pytest.mark.parametrize("lost_at", [-1, 0, 70, 299])
def test_readers_elsewhere_get_the_same(lost_at) -> None:
    found = []
    for many in (False, True):
        server = PcapServer("0", lambda _: None)
        server.describe([("lo", 1)], "tcp", 128)
        with socket.create_connection(("127.0.0.1", server.served.port)) as reader:
            until(lambda server=server: server.readers == 1)
            stretch = storm(300, lost_at=lost_at)
            if many:
                server.take_many(StretchBlocks(stretch, 128), stretch.lost, stretch.lost_before())
            else:
                for place, frame in enumerate(stretch.frames()):
                    server.take(frame, stretch.lost if place == lost_at else 0)
            server.flush()
            server._readers[0].lost += 5  # as if it had been too slow
            if many:
                server.take_many(StretchBlocks(stretch, 128), stretch.lost, stretch.lost_before())
            else:
                for place, frame in enumerate(stretch.frames()):
                    server.take(frame, stretch.lost if place == lost_at else 0)
            server.close()
            with reader.makefile("rb") as told:
                found.append(told.read())
    assert found[0] == found[1]
    assert len(found[0]) > 40_000
