"""What comes only once is kept, within limits, and can be read again from its beginning."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tcpviz.sources import spool
from tcpviz.sources.feed import SourceError
from tcpviz.sources.files import FileFeed, open_capture
from tcpviz.sources.pipes import Pipe, comes_once
from tests.bench.generate import visits


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pipes") / "visits.pcap"
    visits(path, 900, odd=0)
    assert path.stat().st_size > 3 * spool.IN_MEMORY
    return path


@pytest.fixture
def piped(tmp_path, capture):
    """A named pipe through which the capture comes, and a thread that writes it in pieces."""
    path = tmp_path / "fifo"
    os.mkfifo(path)

    def write():
        data = capture.read_bytes()
        with path.open("wb", buffering=0) as out:
            for at in range(0, len(data), 70_001):
                out.write(data[at : at + 70_001])

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    pipe = Pipe(str(path))
    yield pipe
    pipe.close()


def frames(source):
    with source as capture:
        return [(each.number, each.time_ns, each.data) for each in capture]


def test_what_is_a_pipe_and_what_can_be_opened_again(tmp_path, capture):
    os.mkfifo(tmp_path / "fifo")
    assert comes_once("-")
    assert comes_once("TCP@127.0.0.1:5000")
    assert comes_once(str(tmp_path / "fifo"))
    assert not comes_once(str(capture))
    assert not comes_once(str(tmp_path))
    assert not comes_once(str(tmp_path / "nothing"))


def test_it_is_read_again_from_its_beginning_wherever_the_first_reader_stopped(piped, capture):
    expected = frames(open_capture(str(capture)))
    with piped.capture() as first:
        begun = iter(first)
        assert [next(begun).number for _ in range(2000)] == list(range(1, 2001))
    assert frames(piped.capture()) == expected
    assert frames(piped.capture(piece=1000)) == expected
    assert piped.kept.size == capture.stat().st_size


def test_enough_of_it_is_waited_for(piped, capture):
    assert piped.fill(1 << 18)
    assert not piped.fill(1 << 30)
    assert piped.kept.read(1 << 30, 0) == capture.read_bytes()


def test_what_is_more_than_may_be_kept_ends_one_reader_and_not_the_other(piped, capture):
    piped.kept.limit = 300_000
    expected = frames(open_capture(str(capture)))
    seen = []

    def look():
        for frame in piped.capture():
            seen.append((frame.number, frame.time_ns, frame.data))

    with pytest.raises(SourceError, match=r"no more than 0 MB are kept .*TMPDIR"):
        look()
    assert 100 < len(seen) < len(expected)
    assert seen == expected[: len(seen)]
    assert frames(piped.capture(strict=False)) == expected


def test_without_a_place_for_it_it_is_read_once(piped, capture, monkeypatch):
    monkeypatch.setattr(spool, "directory", lambda: "/nowhere/at/all")
    assert not piped.fill(1 << 30)
    assert frames(piped.capture(strict=False)) == frames(open_capture(str(capture)))


def test_a_full_disk_is_told_in_one_line_and_what_was_kept_stays(tmp_path, monkeypatch):
    made = spool.Spool()
    made.append(b"a" * spool.IN_MEMORY)
    assert made.on_disk == 0
    made.append(b"b" * 10)
    assert made.on_disk == spool.IN_MEMORY + 10

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(SourceError, match="No space left on device; set TMPDIR"):
        made.append(b"c")
    assert made.read(100, spool.IN_MEMORY - 1) == b"a" + b"b" * 10
    made.close()
    made.close()


def test_the_file_is_nobody_elses(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    descriptor = spool.unnamed()
    about = os.fstat(descriptor)
    assert about.st_mode & 0o777 == 0o600
    assert about.st_nlink == 0
    assert not list(tmp_path.iterdir())
    os.close(descriptor)


def test_a_slow_pipe_is_told_while_it_goes_on(tmp_path, capture):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    data = capture.read_bytes()
    with path.open("r+b", buffering=0) as out:
        pipe = Pipe(str(path))
        out.write(data[:5000])
        feed = FileFeed(pipe.capture(gather_s=0, strict=False))
        batches = feed.batches()
        first = next(batches)
        out.write(data[5000:9000])
        assert len(next(batches)) > 10 < len(first)
        feed.stop()
        assert list(batches) == []
    pipe.close()


WAYS = (
    (["--text"], "plain"),
    (["--json"], "packed"),
    (["--csv"], "damaged"),
    (["--ladder", "3"], "packed"),
    (["--text", "port=80"], "plain"),
)


@pytest.mark.parametrize(("way", "form"), WAYS)
def test_a_pipe_prints_what_the_file_prints(way, form, capture, tmp_path):
    path = tmp_path / "the.cap"
    data = capture.read_bytes()
    path.write_bytes({"plain": data, "packed": gzip.compress(data, 1), "damaged": data[:-77]}[form])
    words = [sys.executable, "-m", "tcpviz", "read"]
    file = subprocess.run([*words, str(path), *way], capture_output=True, check=False)
    with path.open("rb") as given, subprocess.Popen(["cat"], stdin=given, stdout=-1) as cat:
        pipe = subprocess.run(
            [*words, "-", *way], stdin=cat.stdout, capture_output=True, check=False
        )
    assert file.stdout
    assert pipe.stdout == file.stdout
    assert pipe.stderr == file.stderr.replace(b"the.cap", b"standard input")
    assert pipe.returncode == file.returncode
