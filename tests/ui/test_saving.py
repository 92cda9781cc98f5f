"""M and Y: marks, and packets saved as pcapng, from a file, a pipe's latest and a live view."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from tcpviz.sources.files import FileFeed, open_capture
from tcpviz.sources.recent import Kept
from tcpviz.ui import bookmarks
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.saving import SaveScreen
from tcpviz.wire.frame import Frame
from tests.bench.generate import connections
from tests.ui.fakes import FakeFeed, conversation
from tests.ui.test_app import QUIET, running, settle, text
from tests.ui.test_filter_prompt import capture_file


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def sheet(app) -> str:
    assert isinstance(app.screen, SaveScreen)
    lines = app.screen.lines(100, 30)
    return " ".join("".join(span.text for span in each).strip() for each in lines)


def saved(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.suffix == ".pcapng")


def frames(path: Path) -> list[Frame]:
    with open_capture(str(path)) as capture:
        return list(capture)


async def until_saved(pilot, app) -> None:
    await settle(pilot, lambda: app.screen._saving is None)


async def test_of_a_file_the_seconds_before_the_cursor_and_one_connection(here) -> None:
    source = here / "trace.pcap"
    connections(source, 4)  # half a millisecond apart, 0.32 ms each
    app = TcpvizApp(FileFeed(str(source)), behaviour=QUIET)
    async with running(app) as pilot:
        await pilot.press("Y")
        assert "the selected connection, #1" in sheet(app)
        assert "since mark" not in sheet(app)
        await pilot.press("5")
        await until_saved(pilot, app)
        (made,) = saved(here)
        assert made.name.startswith("tcpviz-connection-1-")
        assert f"wrote {made.name}: 10 packets" in sheet(app)
        assert len(frames(made)) == 10
        assert stat.S_IMODE(made.stat().st_mode) == 0o600
        await pilot.press("5")
        await until_saved(pilot, app)
        assert len(saved(here)) == 2  # the first one stays as it is
        await pilot.press("1")
        await until_saved(pilot, app)
        assert ": 40 packets" in sheet(app)


async def test_a_mark_is_seen_listed_gone_to_and_saved(here) -> None:
    source = here / "trace.pcap"
    connections(source, 4)
    app = TcpvizApp(FileFeed(str(source)), behaviour=QUIET)
    async with running(app) as pilot:
        for _ in range(3):
            await pilot.press("left")
        await pilot.press("M")
        assert "mark 1 at" in text(app, "banner")
        at = app.session.cursor.index
        await pilot.press("end")
        assert "M" in text(app, "scrubber")
        await pilot.press("Y")
        assert "since mark 1, " in sheet(app)
        await pilot.press("4")
        await until_saved(pilot, app)
        (made,) = saved(here)
        assert frames(made)[0].comment is not None
        assert frames(made)[0].comment.startswith("tcpviz mark 1: set by hand at ")
        assert all(frame.comment is None for frame in frames(made)[1:])
        await pilot.press("enter")
        assert app.session.cursor.index == at


class Live(FakeFeed):
    """A live feed that keeps frames and takes marks."""

    def __init__(self, *batches, **fields) -> None:
        super().__init__(*batches, **fields)
        self.marks: list[str] = []
        self.frames: list[Frame] = []

    def mark(self, words: str) -> None:
        self.marks.append(words)

    def kept(self) -> Kept:
        return Kept(list(self.frames), ["eth0"], whole=False)


async def test_live_the_mark_stands_in_the_chart_and_reaches_the_file(here) -> None:
    now = time.time_ns()
    feed = Live(conversation(start_ns=now - 10**9), hold=True)
    every = [Frame(now + at * 10**9, 1, bytes(60), 60, at + 100) for at in range(-100, 200)]
    feed.frames = every  # one each second, whenever it is that somebody gets to press the key
    app = TcpvizApp(feed, behaviour=QUIET, live=True)
    async with running(app, until=lambda: len(app.session.timeline) > 5) as pilot:
        await pilot.press("M")
        assert len(feed.marks) == 1
        assert feed.marks[0].startswith("tcpviz mark 1: set by hand at ")
        step = app.session.timeline[len(app.session.timeline) - 1]
        assert step.note is not None
        assert step.note.text == "mark 1, set by hand"
        assert step.time_ns >= now
        await settle(pilot, lambda: "mark 1, set by hand" in text(app, "chart"))
        await pilot.press("Y", "1")
        await until_saved(pilot, app)
        assert 10 <= len(frames(saved(here)[0])) <= 11
        feed.frames = every[:100]
        await pilot.press("3")
        await until_saved(pilot, app)
        assert ": 100 packets, from " in sheet(app)
        assert "earlier ones are not kept any more" in sheet(app)
        feed.finish()


async def test_where_nothing_is_kept_it_says_so() -> None:
    app = capture_file(2)
    async with running(app) as pilot:
        await pilot.press("Y")
        assert "nothing is kept of this that could be saved" in sheet(app)
        await pilot.press("1", "escape")
        assert not isinstance(app.screen, SaveScreen)


async def test_a_folder_that_takes_nothing(here, monkeypatch) -> None:
    source = here / "trace.pcap"
    connections(source, 1)
    app = TcpvizApp(FileFeed(str(source)), behaviour=QUIET)
    async with running(app) as pilot:
        await pilot.press("Y")
        gone = here / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()
        await pilot.press("6")
        await until_saved(pilot, app)
        assert "its folder does not exist" in sheet(app)


async def test_there_is_an_end_to_marks(monkeypatch) -> None:
    monkeypatch.setattr(bookmarks, "MOST", 2)
    app = capture_file(2)
    async with running(app) as pilot:
        await pilot.press("M", "M", "M")
        assert "that is enough marks" in text(app, "banner")
        assert len(bookmarks.of(app.session).all) == 2
