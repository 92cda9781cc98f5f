"""Pipes on the screen: followed as they come, by columns once that is too slow."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tcpviz.sources.feed import SourceError
from tcpviz.sources.files import FileFeed
from tcpviz.sources.pipes import Pipe
from tcpviz.sources.stream import CaptureStream
from tcpviz.ui import bulkfeed, pipefeed
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.bulksession import BulkSession
from tcpviz.ui.pipefeed import FAST, PipeFeed
from tcpviz.ui.session import Session
from tests.bench import generate
from tests.ui.test_app import QUIET, running, settle, text
from tests.ui.test_large import cells, read_all

HEAD = 24


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pipes") / "visits.pcap"
    generate.visits(path, 250)
    return path


def fifo(folder: Path) -> tuple[int, PipeFeed]:
    """A pipe's writing end, and the feed that reads it."""
    path = folder / "fifo"
    os.mkfifo(path)
    end = os.open(path, os.O_RDWR)
    return end, PipeFeed(str(path))


class Writer:
    """The other end of a named pipe, which stays open."""

    def __init__(self, folder: Path, capture: Path) -> None:
        self.path = folder / "fifo"
        os.mkfifo(self.path)
        self._file = os.open(self.path, os.O_RDWR)
        self._data = capture.read_bytes()
        self.at = 0

    def write(self, upto: int) -> None:
        """At most as much as a pipe holds."""
        upto = min(upto, len(self._data))
        self.at += os.write(self._file, self._data[self.at : upto])
        assert self.at == upto

    def rest(self) -> None:
        self.write(len(self._data))

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


@pytest.fixture
def writer(tmp_path: Path, capture: Path) -> Iterator[Writer]:
    made = Writer(tmp_path, capture)
    yield made
    made.close()


async def test_a_slow_one_is_followed_at_once_and_a_burst_goes_by_columns(
    writer: Writer, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipefeed, "LARGE", 60_000)
    monkeypatch.setattr("tcpviz.bulk.tables.growing.FIRST", 1 << 14)
    monkeypatch.setattr("tcpviz.bulk.tables.growing.LEAST_S", 0.0)
    monkeypatch.setattr(pipefeed, "BATCH", 64)
    monkeypatch.setattr(Pipe.capture, "__defaults__", (CaptureStream, 1 << 12))
    writer.write(3000)
    feed = PipeFeed(str(writer.path))
    app = TcpvizApp(feed, behaviour=QUIET)
    session = app.session
    async with running(app, until=lambda: session.count > 1) as pilot:
        assert isinstance(session, BulkSession)
        assert feed.instead is not None
        assert session.rows is None
        few = session.count
        writer.write(6000)
        await settle(pilot, lambda: session.count > few)
        assert feed.instead is not None
        assert len(session.timeline) > 20
        assert "10.128.0.1:80" in text(app, "connections")
        few = session.count
        writer.write(120_000)  # all at once: what comes in two goes might be followed between them
        await settle(pilot, lambda: session.rows is not None)
        assert feed.instead is None
        assert FAST in " ".join(feed.status.notes)
        # It goes on, slowly again, and nobody waits for its end.
        writer.write(150_000)
        await settle(pilot, lambda: feed.waiting and session.count > few)
        most = session.count
        writer.rest()
        await settle(pilot, lambda: feed.waiting and session.count > most)
        writer.close()
        await settle(pilot, lambda: session.pump.done and not session.telling)
        assert len(list(feed.kept().frames)) == feed.status.frames  # type: ignore[union-attr]
        whole = read_all(Session(FileFeed(str(capture))))
        assert cells(session, 120) == cells(whole, 120)


@pytest.mark.parametrize("packed", [False, True])
def test_a_large_one_goes_by_columns_from_the_beginning(
    packed: bool, tmp_path: Path, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipefeed, "LARGE", 10_000)
    data = capture.read_bytes()
    end, feed = fifo(tmp_path)
    assert os.write(end, gzip.compress(data) if packed else data) > 10_000
    os.close(end)
    session = read_all(BulkSession(feed))
    assert feed.instead is None
    assert cells(session, 120) == cells(read_all(Session(FileFeed(str(capture)))), 120)
    session.close()


def test_where_columns_are_not_for_it_all_is_followed_once(
    tmp_path: Path, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipefeed, "LARGE", 10_000)
    monkeypatch.setattr("tcpviz.bulk.connections.building.MAX_LEAPS", -1)
    end, feed = fifo(tmp_path)
    os.write(end, capture.read_bytes())
    os.close(end)
    session = read_all(BulkSession(feed))
    assert feed.instead is not None
    assert "read packet by packet" in " ".join(feed.status.notes)
    assert cells(session, 120) == cells(read_all(Session(FileFeed(str(capture)))), 120)
    session.close()


def test_what_cannot_be_kept_any_more_is_told_and_the_table_of_the_rest_is_there(
    tmp_path: Path, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipefeed, "LARGE", 10_000)
    monkeypatch.setattr("tcpviz.sources.spool.IN_MEMORY", 1 << 14)
    monkeypatch.setattr("tcpviz.bulk.segments.reading.PIECE", 1 << 13)
    monkeypatch.setattr("tcpviz.sources.pipes._WIDE", 1 << 12)
    end, feed = fifo(tmp_path)
    feed._pipe.kept.limit = 100_000
    session = BulkSession(feed)
    session.pump.start()
    data = capture.read_bytes()
    os.set_blocking(end, False)
    while data and not session.pump.done:
        try:
            data = data[os.write(end, data) :]
        except BlockingIOError:
            session.pull(0.01)
    while not session.pump.done:
        session.pull(0.01)
    os.close(end)
    assert isinstance(session.pump.error, SourceError)
    assert "half of what was free" in str(session.pump.error)
    session.pull(0.01)
    assert session.count > 50
    session.close()


def test_without_numpy_it_is_followed(
    tmp_path: Path, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipefeed, "LARGE", 1000)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    end, feed = fifo(tmp_path)
    os.write(end, capture.read_bytes())
    os.close(end)
    session = read_all(BulkSession(feed))
    assert feed.instead is not None
    assert session.rows is None
    session.close()
    assert bulkfeed.LARGE > 1000
