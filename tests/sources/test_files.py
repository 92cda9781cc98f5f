from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpviz.core.records import Gap, SegmentRecord
from tcpviz.sources.feed import SourceError
from tcpviz.sources.files import PIECE, CaptureFile, FileFeed, open_capture
from tcpviz.sources.stream import CaptureStream
from tests.sources.capture_bytes import Ng, pcap_header, pcap_record

NG = Ng()
# IPv4 10.0.0.1:1024 -> 10.0.0.2:80, SYN, as a raw IP frame; checksums are not looked at.
SYN = bytes.fromhex(
    "4500002800010000400600000a0000010a000002" + "0400005000000001000000005002ffff00000000"
)
PCAP = pcap_header(link=101) + b"".join(pcap_record(SYN, n) for n in range(5))


def frames_of(path: Path) -> tuple[list, list[str]]:
    with open_capture(str(path)) as capture:
        return list(capture), capture.notes


@pytest.fixture
def pcap(tmp_path: Path) -> Path:
    path = tmp_path / "five.pcap"
    path.write_bytes(PCAP)
    return path


def test_a_plain_file(pcap: Path) -> None:
    with open_capture(str(pcap)) as capture:
        assert capture.size == len(PCAP)
        assert [f.number for f in capture] == [1, 2, 3, 4, 5]
        assert capture.position == len(PCAP)
        assert capture.notes == []
        assert [i.link_type for i in capture.interfaces] == [101]


@pytest.mark.parametrize(
    "pack", [gzip.compress, lzma.compress, bz2.compress], ids=["gzip", "xz", "bzip2"]
)
def test_compression_is_known_by_its_bytes_not_by_its_name(pack, tmp_path: Path) -> None:
    path = tmp_path / "five.txt"
    packed = pack(PCAP)
    path.write_bytes(packed)
    with open_capture(str(path)) as capture:
        assert len(list(capture)) == 5
        assert capture.size == capture.position == len(packed)
        assert capture.notes == []


def test_joined_gzip_streams_are_one_and_what_follows_them_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "joined.gz"
    half = len(PCAP) // 2
    path.write_bytes(
        gzip.compress(PCAP[:half]) + bytes(7) + gzip.compress(PCAP[half:]) + bytes(512) + b"junk!!!"
    )
    frames, notes = frames_of(path)
    assert (len(frames), notes) == (5, [])


def test_cut_and_damaged_gzip_show_what_was_there(tmp_path: Path) -> None:
    many = pcap_header() + b"".join(pcap_record(os.urandom(60)) for _ in range(2000))
    packed = gzip.compress(many)
    path = tmp_path / "cut.pcap.gz"
    path.write_bytes(packed[:-4000])
    frames, notes = frames_of(path)
    assert 1000 < len(frames) < 2000
    assert notes == [
        f"cut.pcap.gz: the gzip data is cut after frame {len(frames)}; "
        "what was read until there is shown"
    ]
    path.write_bytes(packed[:-8] + bytes(8))
    frames, notes = frames_of(path)
    assert len(frames) == 2000
    assert "the gzip data is damaged" in notes[0]


def test_a_bomb_costs_no_more_memory_than_a_piece() -> None:
    bomb = gzip.compress(pcap_header() + pcap_record(b"") * 1_000_000, 9)
    assert len(bomb) < PIECE
    stream = CaptureStream("bomb")
    largest = count = 0
    for frames in stream.feed(bomb):
        largest = max(largest, len(frames))
        count += len(frames)
    stream.finish()
    assert count == 1_000_000
    assert largest <= PIECE // 16


def test_zstd_or_a_line_that_says_how(tmp_path: Path) -> None:
    if shutil.which("zstd") is None:
        pytest.skip("no zstd program to make such a file with")
    path = tmp_path / "five.pcap.zst"
    path.write_bytes(
        subprocess.run(["zstd", "-c"], input=PCAP, capture_output=True, check=True).stdout
    )
    if sys.version_info >= (3, 14):
        assert len(frames_of(path)[0]) == 5
    else:
        with pytest.raises(SourceError, match=r"zstd -dc FILE \| tcpviz read -"):
            open_capture(str(path))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"a", "not a capture (text)"),
        (b"12:00:01 IP 10.0.0.1.80 > 10.0.0.2.1024: Flags [S]\n", "not a capture (text)"),
        (b"\x7fELF\2\1\1\0" + bytes(100), "not a capture (it begins with 7f 45 4c 46)"),
        (bytes(4), "not a capture (it begins with 00 00 00 00)"),
        (b"snoop\0\0\0" + bytes(40), "a snoop capture; convert it first: editcap"),
        (b"\x04\x22\x4d\x18" + bytes(40), "compressed with lz4"),
        (gzip.compress(b"hello, hello\n", mtime=0), "not a capture (text)"),
        (gzip.compress(gzip.compress(PCAP), mtime=0), "compressed twice (inside: gzip)"),
        (gzip.compress(PCAP, mtime=0)[:12], "the gzip data is cut; there is nothing to show"),
        (b"\x1f\x8b\x08\x00" + bytes(20), "the gzip data is damaged"),
        (PCAP[:3], "not a capture"),
        (PCAP[:20], "cut inside the header of the pcap file"),
        (NG.section()[:20], "cut inside the header of the pcapng file"),
        (pcap_header()[:4] + b"\x09\x00" + bytes(18), "version 9.0 is not known"),
    ],
)
def test_what_is_not_a_capture_is_one_line(content: bytes, says: str, tmp_path: Path) -> None:
    path = tmp_path / "given"
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        open_capture(str(path))
    assert str(caught.value).startswith("given: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


def test_no_such_file_and_a_directory(tmp_path: Path) -> None:
    for path, says in ((tmp_path / "none", "no such file"), (tmp_path, "a directory")):
        with pytest.raises(SourceError, match=says) as caught:
            open_capture(str(path))
        assert caught.value.exit_code == 2
    with pytest.raises(SourceError, match="not a file name"):
        open_capture("a\0b")


def test_a_name_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        open_capture(str(tmp_path / "\x1b[2J\nnone"))
    assert str(caught.value).isprintable()


def test_no_permission(pcap: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    pcap.chmod(0)
    with pytest.raises(SourceError, match="no permission") as caught:
        open_capture(str(pcap))
    assert caught.value.exit_code == 1


def test_a_cut_file_is_shown_until_there(tmp_path: Path) -> None:
    path = tmp_path / "cut.pcap"
    path.write_bytes(PCAP[:-1])
    frames, notes = frames_of(path)
    assert len(frames) == 4
    assert notes == [
        "cut.pcap: cut in the middle of a record after frame 4; what was read until there is shown"
    ]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PCAP)))
    with open_capture("-") as capture:
        assert len(list(capture)) == 5
        assert capture.name == "standard input"
        assert capture.size is None
    assert not sys.stdin.closed


def test_standard_input_that_is_a_terminal_or_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = os.openpty()
    with os.fdopen(master, "rb", buffering=0), os.fdopen(slave, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with pytest.raises(SourceError, match="is the terminal"):
            open_capture("-")
    with pytest.raises(SourceError, match="is closed"):
        open_capture("-")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SourceError, match="is closed"):
        open_capture("-")


class Pipe:
    """A named pipe and a writer that writes only when told."""

    def __init__(self, tmp_path: Path) -> None:
        self.path = tmp_path / "pipe"
        os.mkfifo(self.path)
        self.reader = open_capture(str(self.path))
        self.writer = self.path.open("wb", buffering=0)

    def close(self) -> None:
        self.writer.close()
        self.reader.close()


@pytest.fixture
def pipe(tmp_path: Path):
    made = Pipe(tmp_path)
    yield made
    made.close()


def test_frames_come_as_soon_as_their_bytes_are_there(pipe: Pipe) -> None:
    frames = iter(pipe.reader)
    pipe.writer.write(PCAP[:24])
    for number in range(1, 4):
        # Were anything read ahead, next() would wait for ever: nothing else is written.
        pipe.writer.write(pcap_record(b"x", number))
        assert next(frames).number == number
    pipe.writer.write(pcap_record(b"last"))
    pipe.writer.close()
    assert [f.data for f in frames] == [b"last"]
    assert pipe.reader.notes == []
    assert pipe.reader.size is None


def test_stop_ends_the_wait_on_a_pipe(pipe: Pipe) -> None:
    pipe.writer.write(PCAP)
    frames = iter(pipe.reader)
    assert [next(frames).number for _ in range(5)] == [1, 2, 3, 4, 5]
    done = threading.Event()

    def wait() -> None:
        assert list(frames) == []
        done.set()

    thread = threading.Thread(target=wait)
    thread.start()
    assert not done.wait(0.05)
    pipe.reader.stop()
    pipe.reader.stop()
    thread.join(10)
    assert done.is_set()


def test_stop_ends_the_wait_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with open_capture(str(tmp_path / "pipe")) as capture:
        thread = threading.Thread(target=lambda: list(capture))
        thread.start()
        capture.stop()
        thread.join(10)
        assert not thread.is_alive()
    capture.stop()  # after close() it does nothing


def test_a_source_that_breaks_down_shows_what_was_read() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().read(size)

    with CaptureFile(Broken(PCAP), "disk") as capture:
        assert len(list(capture)) == 5
        assert capture.notes == [
            "disk: cannot be read: Input/output error after frame 5; "
            "what was read until there is shown"
        ]


def test_a_mad_length_ends_the_reading_of_a_pipe(pipe: Pipe) -> None:
    pipe.writer.write(PCAP + pcap_record(b"", captured=2**32 - 1))
    assert len(list(pipe.reader)) == 5
    assert "a record claims 4294967295 bytes" in pipe.reader.notes[0]


@given(st.binary(max_size=200), st.sampled_from([b"", PCAP[:24], NG.section(), b"\x1f\x8b\x08\0"]))
def test_any_bytes_give_frames_or_one_clear_line(junk: bytes, head: bytes) -> None:
    def judge(pieces: list[bytes]) -> tuple[list, list[str] | str]:
        stream = CaptureStream("junk")
        frames: list = []
        try:
            for piece in pieces:
                for part in stream.feed(piece):
                    frames += part
            stream.finish()
        except SourceError as error:
            return frames, str(error)
        return frames, stream.notes

    data = head + junk
    at_once = judge([data])
    assert all("\n" not in line for line in at_once[1])
    assert judge([data[i : i + 1] for i in range(len(data))]) == at_once
    packed = gzip.compress(data)
    if data and not head.startswith(b"\x1f"):
        assert judge([packed])[0] == at_once[0]


def test_every_shared_capture_has_the_frames_its_oracle_counts(captures: Path) -> None:
    compared = 0
    for oracle in sorted((captures / "oracle").glob("*.json")):
        path = captures / oracle.name.removesuffix(".json")
        expected = json.loads(oracle.read_text())["tshark"]
        frames, notes = frames_of(path)
        assert len(frames) == expected["frames"], path.name
        assert sum(f.wire_len > len(f.data) for f in frames) == expected["truncated_frames"]
        # The one file that is damaged: its seventh record claims 4 325 376 bytes.
        assert bool(notes) == (path.name == "suricata-tls_DER-incomplete-header.pcap")
        compared += 1
    assert compared >= 49


def test_times_and_bytes_are_those_that_scapy_reads(captures: Path) -> None:
    from scapy.utils import RawPcapNgReader, RawPcapReader

    compared = 0
    for path in sorted(captures.glob("*.pcap*")):
        if path.name == "suricata-tls_DER-incomplete-header.pcap":
            continue  # scapy believes the mad length
        frames, _ = frames_of(path)
        reader = RawPcapReader(str(path))
        try:
            for frame, (data, about) in zip(frames, reader, strict=True):
                assert frame.data == data, path.name
                if isinstance(reader, RawPcapNgReader):
                    ticks = (about.tshigh << 32) | about.tslow
                    ticks -= (ticks >> 63) << 64  # one of the files has moments before 1970
                    time_ns = ticks * 10**9 // about.tsresol
                else:
                    time_ns = about.sec * 10**9 + about.usec * (1 if reader.nano else 1000)
                assert frame.time_ns == time_ns, path.name
                compared += 1
        finally:
            reader.close()
    assert compared > 4000


def feed_of(tmp_path: Path, data: bytes, batch: int = 4096) -> FileFeed:
    path = tmp_path / "feed"
    path.write_bytes(data)
    return FileFeed(str(path), batch)


def test_a_feed_gives_segments_and_counts(tmp_path: Path) -> None:
    data = NG.section() + NG.interface(101)
    data += NG.packet(SYN, 1) + NG.packet(b"\0" * 4, 2) + NG.packet(b"x", 3, 7)
    data += NG.packet(SYN, 4, 0, (4, NG.u64(3)))
    feed = feed_of(tmp_path, data)
    assert feed.status.size == len(data)
    records = [record for batch in feed.batches() for record in batch]
    assert [type(record) for record in records] == [SegmentRecord, Gap, SegmentRecord]
    assert [record.time_ns for record in records] == [1000, 4000, 4000]
    assert isinstance(records[1], Gap)
    assert records[1].count == 3
    first = records[0]
    assert isinstance(first, SegmentRecord)
    assert (str(first.segment.src), first.segment.frame) == ("10.0.0.1:1024", 1)
    status = feed.status
    assert (status.frames, status.segments, status.dropped, status.done) == (4, 2, 3, True)
    assert status.skipped.total() == 2
    assert status.skipped["pcapng packet of an unknown interface"] == 1
    assert status.position == len(data)
    assert feed.title == "feed"


def test_a_feeds_batches_are_bounded(tmp_path: Path) -> None:
    data = pcap_header(link=101) + pcap_record(SYN) * 30_000
    feed = feed_of(tmp_path, data, batch=1000)
    sizes = [len(batch) for batch in feed.batches()]
    assert sum(sizes) == 30_000
    assert max(sizes) <= 1000 + PIECE // (16 + len(SYN))
    assert len(sizes) > 5


def test_a_feed_can_be_stopped_before_and_while_it_runs(tmp_path: Path, pcap: Path) -> None:
    unused = FileFeed(str(pcap))
    unused.stop()
    assert list(unused.batches()) == []
    os.mkfifo(tmp_path / "pipe")
    feed = FileFeed(str(tmp_path / "pipe"))
    with (tmp_path / "pipe").open("wb", buffering=0) as writer:
        writer.write(PCAP)
        batches = feed.batches()
        assert sum(len(batch) for batch in [next(batches)]) == 5
        thread = threading.Thread(target=lambda: list(batches))
        thread.start()
        feed.stop()
        thread.join(10)
        assert not thread.is_alive()
    assert feed.status.done
    assert feed.status.segments == 5


def test_a_feed_of_what_is_not_a_capture(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a capture"):
        feed_of(tmp_path, b"hello, world")
