"""Large files: read by columns, they show what reading segment by segment shows."""

from __future__ import annotations

import os
import stat
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tcpviz.bulk.tables.sorting import Keys
from tcpviz.bulk.tables.stories import MOST
from tcpviz.core.segment import Flags
from tcpviz.core.troubles import Gathering
from tcpviz.sources.feed import SourceError
from tcpviz.sources.files import FileFeed
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.bulkfeed import BulkFeed
from tcpviz.ui.bulklist import BulkSifter
from tcpviz.ui.bulksession import BulkSession
from tcpviz.ui.going import GoScreen
from tcpviz.ui.lines import LinesView
from tcpviz.ui.session import Session
from tcpviz.views import table
from tcpviz.views.spans import plain_line
from tests.bench import generate
from tests.ui.test_app import QUIET, running, settle, text

LONG = 4000


def file(folder: Path, write: Callable[[Path], object]) -> Path:
    path = folder / "large.pcap"
    write(path)
    return path


def visits(folder: Path, count: int = 60) -> Path:
    return file(folder, lambda path: generate.visits(path, count))


def flow(folder: Path) -> Path:
    return file(folder, lambda path: generate.stream(path, LONG, lost=8))


def large(path: Path, **fields: object) -> TcpvizApp:
    return TcpvizApp(BulkFeed(str(path), follow=False), behaviour=QUIET, **fields)  # type: ignore[arg-type]


def ready(app: TcpvizApp) -> Callable[[], bool]:
    session = app.session
    return lambda: session.pump.done and bool(session.count) and not session.telling


def read_all(session: Session) -> Session:
    """Without a screen: until all has been taken."""
    session.pump.start()
    while not (session.pump.done and session.count):
        session.pull(1.0)
        assert session.pump.error is None
    session.pull(1.0)
    return session


def cells(session: Session, width: int) -> list[str]:
    rows = session.visible()
    return [plain_line(table.row(one, width, session.list_ns)) for one in rows]


@pytest.mark.parametrize("kind", ["visits", "flow", "syns"])
def test_both_ways_show_the_same_list(kind: str, tmp_path: Path) -> None:
    writers: dict[str, Callable[[Path], object]] = {
        "visits": lambda path: generate.visits(path, 150),
        "flow": lambda path: generate.stream(path, 1500, lost=8),
        "syns": lambda path: generate.syns(path, 150),
    }
    path = file(tmp_path, writers[kind])
    scalar = read_all(Session(FileFeed(str(path))))
    bulk = read_all(BulkSession(BulkFeed(str(path), follow=False)))
    assert bulk.list_ns == scalar.list_ns
    for width in (80, 200):
        assert cells(bulk, width) == cells(scalar, width)
    assert [each.kind for each in bulk.crowds.found] == [each.kind for each in scalar.crowds.found]
    bulk.close()


def test_with_little_memory_the_columns_lie_on_disk_and_all_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = visits(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "windows"))
    (tmp_path / "windows").mkdir()
    modes: list[int] = []
    truncate = os.ftruncate

    def looking(descriptor: int, size: int) -> None:
        about = os.fstat(descriptor)
        modes.append(stat.S_IMODE(about.st_mode))
        assert about.st_nlink == 0
        truncate(descriptor, size)

    monkeypatch.setattr(os, "ftruncate", looking)
    whole = read_all(BulkSession(BulkFeed(str(path), follow=False)))
    assert not modes
    monkeypatch.setattr(
        "tcpviz.bulk.segments.windows.LEAST", 50_000
    )  # the program itself takes more
    feed = BulkFeed(str(path), follow=False, limit=50_000)
    small = read_all(BulkSession(feed))
    assert set(modes) == {0o600}
    assert feed.on_disk > 50_000
    assert list((tmp_path / "windows").iterdir()) == []
    assert cells(small, 120) == cells(whole, 120)
    small.close()
    whole.close()


async def test_the_screen_says_that_columns_lie_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tcpviz.bulk.segments.windows.LEAST", 50_000)
    feed = BulkFeed(str(visits(tmp_path)), follow=False, limit=50_000)
    app = TcpvizApp(feed, behaviour=QUIET)
    async with running(app, (200, 60), ready(app)):
        assert "on disk" in text(app, "status")


async def test_enter_opens_a_connections_ladder_from_its_own_packets(tmp_path: Path) -> None:
    app = large(visits(tmp_path))
    async with running(app, (160, 50), ready(app)) as pilot:
        assert app.session.whole  # so many are looked at together first
        assert "Enter opens one, and its time" in text(app, "scrubber")  # not "0.000000 s"
        await pilot.press("1", "home", "enter")
        await settle(pilot, lambda: len(app.session.timeline) > 0)
        chart = text(app, "chart")
        assert "SYN 0" in chart
        assert "handshake" in chart
        assert app.session.selected == 1
        assert {each.connection for each in app.session.timeline} == {1}
        assert "Enter opens one" not in text(app, "scrubber")


async def test_the_list_is_filtered_and_sorted_as_one_types(tmp_path: Path) -> None:
    app = large(visits(tmp_path))
    async with running(app, (160, 50), ready(app)) as pilot:
        session = app.session
        await pilot.press("slash", *"verdict", "colon", *"reset")
        await settle(pilot, lambda: "filter: verdict:reset" in text(app, "connections"))
        await settle(pilot, lambda: not session.sifter.pending)
        rows = text(app, "connections").splitlines()[2:]
        assert rows
        assert all("reset" in row for row in rows if row.strip())
        await pilot.press("escape", "1")
        for _ in range(8):  # from number to number of segments
            await pilot.press("O")
            if session.order[0] == "segments":
                break
        await settle(pilot, lambda: not session.sifter.pending)
        listed = session.sifter.sift(session.visible(), session.list_ns)
        counts = [one.client.segments + one.server.segments for one in listed]
        assert counts == sorted(counts, reverse=True)
        assert "segs▼" in text(app, "connections")
        await pilot.press("home")
        assert session.selected == listed[0].id
        await pilot.press("end")
        assert session.selected == listed[-1].id
        await pilot.press("pageup")
        assert session.selected != listed[-1].id


async def at(pilot: Pilot[int], app: TcpvizApp, words: str) -> None:
    await settle(pilot, lambda: words in text(app, "chart"))


async def test_a_long_connection_is_held_by_windows(tmp_path: Path) -> None:
    app = large(flow(tmp_path))
    async with running(app, (160, 50), ready(app)) as pilot:
        session = app.session
        await pilot.press("1", "enter")
        total = session.visible()[0].client.segments + session.visible()[0].server.segments
        await at(pilot, app, f"segments {total - MOST + 1} to {total} of")
        assert "FIN" in text(app, "chart")
        await pilot.press("home")
        await at(pilot, app, f"segments 1 to {MOST} of")
        assert "SYN 0" in text(app, "chart")
        await pilot.press("end")
        await at(pilot, app, f"segments {total - MOST + 1} to {total} of")
        await pilot.press("home")
        await at(pilot, app, f"segments 1 to {MOST} of")
        # From problem to problem, over the window's end.
        seen = set()
        for _ in range(40):
            before = session.generation, session.cursor.index
            await pilot.press("full_stop")
            await settle(pilot, lambda b=before: (session.generation, session.cursor.index) != b)
            step = session.step
            assert step is not None
            assert step.segment is not None
            seen.add(step.segment.frame)
            if "segments 1 to" not in text(app, "chart"):
                break
        assert len(seen) > 1
        await pilot.press("end")
        await at(pilot, app, f"to {total} of")
        await pilot.press("full_stop")  # at the end: once more from the beginning
        await settle(pilot, lambda: session.step is not None and session.step.segment is not None)
        await settle(pilot, lambda: session.step.segment.frame == min(seen))
        step = session.step
        assert step is not None
        assert step.observation is not None
        assert {str(mark.name) for mark in step.observation.marks} & {
            "retransmission",
            "fast_retransmission",
            "spurious_retransmission",
            "out_of_order",
        }


async def test_jumps_in_a_long_connection_are_jumps_in_all_of_it(tmp_path: Path) -> None:
    app = large(flow(tmp_path))
    async with running(app, (160, 50), ready(app)) as pilot:
        session = app.session
        assert isinstance(session, BulkSession)
        await pilot.press("1", "enter")
        total = session.visible()[0].client.segments + session.visible()[0].server.segments
        await at(pilot, app, f"segments {total - MOST + 1} to {total} of")

        async def stands_at(place: int) -> None:
            await settle(pilot, lambda: session._standing() == place)
            step = session.step
            assert step is not None
            assert step.segment is not None
            assert step.segment.frame == place + 1  # it is alone in its file

        await pilot.press("circumflex_accent")
        await stands_at(0)
        for tenth in (1, 2, 3):
            await pilot.press("shift+right")
            await stands_at(tenth * (total // 10))
        await pilot.press("shift+left")
        await stands_at(2 * (total // 10))

        async def go(words: str) -> None:
            await pilot.press("at")
            await settle(pilot, lambda: isinstance(app.screen, GoScreen))
            app.screen.query_one(Input).value = words
            await pilot.press("enter")

        await go("#1234")
        await stands_at(1233)
        await go("50%")
        await stands_at((total - 1) // 2)
        middle = session.step
        assert middle is not None
        await go("0s")
        await stands_at(0)
        first = session.step
        assert first is not None
        await go(f"{middle.time_ns - first.time_ns}ns")
        await stands_at((total - 1) // 2)
        await go("what?")
        assert isinstance(app.screen, GoScreen)
        assert "a frame (1234)" in plain_line(app.screen.query_one(LinesView).rows[0].line)
        await pilot.press("escape")
        await settle(pilot, lambda: not isinstance(app.screen, GoScreen))
        await pilot.press("dollar_sign")
        await settle(pilot, lambda: "FIN" in text(app, "chart"))
        step = session.step
        assert step is not None
        assert step.segment is not None
        assert Flags.FIN in step.segment.flags


def segments(session: Session) -> int:
    return sum(one.client.segments + one.server.segments for one in session.visible())


async def test_a_file_that_grows_is_followed(tmp_path: Path) -> None:
    path = visits(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    app = TcpvizApp(BulkFeed(str(path), follow=True), behaviour=QUIET)
    session = app.session
    async with running(app, (120, 40), lambda: session.progress is not None) as pilot:
        await settle(pilot, lambda: segments(session) > 0)
        await settle(pilot, lambda: "waiting for more" in text(app, "scrubber"))
        half = segments(session)
        with path.open("ab") as more:
            more.write(data[len(data) // 2 :])
        await settle(pilot, lambda: segments(session) > half)
        assert not session.pump.done


async def test_what_columns_cannot_hold_is_read_segment_by_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tcpviz.bulk.segments.reading import Reading, Unsuited

    def unsuited(*_: object) -> None:
        raise Unsuited("it tells where packets were lost")

    monkeypatch.setattr(Reading, "read", unsuited)
    app = large(visits(tmp_path))
    async with running(app, (120, 40), lambda: app.session.pump.done):
        assert app.session.count == 60
        assert "read packet by packet: it tells where packets were lost" in text(app, "banner")


async def test_troubles_export_and_the_chart_of_hosts_tell_what_they_have(tmp_path: Path) -> None:
    path = file(tmp_path, lambda path: generate.syns(path, 200))
    app = large(path)
    async with running(app, (120, 40), ready(app)) as pilot:
        sheet = "\n".join
        await pilot.press("exclamation_mark")
        await settle(pilot, lambda: "in 200 connections" in sheet(told(app)))
        assert "SYN flood" in sheet(told(app))
        await pilot.press("escape")
    app = large(flow(tmp_path))
    async with running(app, (120, 40), ready(app)) as pilot:
        await pilot.press("1", "enter")
        await settle(pilot, lambda: bool(app.session.part))
        await pilot.press("E")
        assert app.session.part in "\n".join(told(app))
        await pilot.press("escape", "5")
        await settle(pilot, lambda: app.session.part in "\n".join(told(app)))
        await pilot.press("escape", "H")
        assert "the selected connection alone" in "\n".join(told(app))


@pytest.mark.parametrize("kind", ["visits", "syns"])
def test_troubles_by_column_are_those_of_each_connection(kind: str, tmp_path: Path) -> None:
    """As one of a crowd, too: what all of it show is told of the crowd only."""
    path = (
        visits(tmp_path, 400)
        if kind == "visits"
        else file(tmp_path, lambda path: generate.syns(path, 200))
    )
    session = read_all(large(path).session)
    assert isinstance(session, BulkSession)
    rows = session.rows
    assert rows is not None
    one_by_one, watch = Gathering(known=rows), rows.watch()
    for each in rows:
        one_by_one.add(each, watch.until(each))
    session.sweep.begin(rows.snapshot, session.tracker.host)
    assert session.sweep.ended(patience_s=60)
    assert session.sweep.judged == len(rows)
    assert session.sweep.found == tuple(one_by_one.troubles(crowds=rows.snapshot.table.crowds))
    assert session.sweep.found
    session.close()


def told(app: TcpvizApp) -> list[str]:
    """What the sheet on top says."""
    return [plain_line(each) for each in app.screen.lines(120, 39)]  # type: ignore[attr-defined]


def test_until_there_is_a_table_the_rows_that_were_painted_are_listed(tmp_path: Path) -> None:
    path = visits(tmp_path)
    feed = BulkFeed(str(path), follow=False)
    early = read_all(Session(FileFeed(str(path))))
    feed.first = list(early.visible())[:7]
    session = BulkSession(feed)
    assert session.count == 7
    assert [one.id for one in session.visible()] == [1, 2, 3, 4, 5, 6, 7]
    read_all(session)
    assert session.count == 60
    session.close()


def test_a_file_that_became_another_one_is_told_in_one_line(tmp_path: Path) -> None:
    path = visits(tmp_path)
    session = BulkSession(BulkFeed(str(path), follow=False))
    read_all(session)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(SourceError, match="changed while it was read: open it again"):
        look_at(session, 50)  # the first one may have been read before
    session.close()


def look_at(session: Session, ident: int) -> None:
    session.select(ident)
    while True:
        session.pull(1.0)


async def test_what_is_worked_out_is_shown_once_it_is_there_and_not_at_the_next_beat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = large(visits(tmp_path))
    async with running(app, (160, 50), ready(app)) as pilot:
        assert app._main.beats is not None
        app._main.beats.pause()
        monkeypatch.setattr(app._main, "wake", lambda: None)
        # It takes longer than the key waits for it.
        monkeypatch.setattr("tcpviz.ui.bulksession.PATIENCE_S", 0.0)
        await pilot.press("1", "home", "enter")
        await settle(pilot, lambda: "handshake" in text(app, "chart"))
        assert not app.session.working


async def test_what_a_filter_asks_is_worked_out_when_the_prompt_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    for name in ("sentences", "ends"):
        method = getattr(Keys, name)
        monkeypatch.setattr(Keys, name, lambda self, n=name, m=method: (made.append(n), m(self))[1])
    app = large(visits(tmp_path))
    async with running(app, (160, 50), ready(app)) as pilot:
        assert not made
        await pilot.press("slash")
        await settle(pilot, lambda: not app.session.sifter._worker.owes)  # type: ignore[attr-defined]
        assert {*made} == {"sentences", "ends"}
        assert "filter" not in text(app, "connections")
        keys = app.session.sifter._keys  # type: ignore[attr-defined]
        before = keys._told, keys._both, dict(keys._occurring)
        assert None not in before
        await pilot.press(*"80")
        await settle(pilot, lambda: "filter: 80" in text(app, "connections"))
        assert app.session.sifter._keys is keys  # type: ignore[attr-defined]
        assert (keys._told, keys._both) == before[:2]
        assert keys._occurring == before[2]
        await pilot.press("escape", "slash")
        await settle(pilot, lambda: not app.session.sifter._worker.owes)  # type: ignore[attr-defined]


async def test_what_a_filter_finds_is_shown_once_it_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, arrange = threading.Event(), BulkSifter._arrange

    def slow(*given: Any) -> Any:
        assert gate.wait(60)
        return arrange(*given)

    monkeypatch.setattr(BulkSifter, "_arrange", slow)
    monkeypatch.setattr("tcpviz.ui.beating.resident_bytes", lambda: 0)  # drawn when that changes
    app = large(visits(tmp_path))
    async with running(app, (160, 50), ready(app)) as pilot:
        await pilot.press("slash")
        for letter in "803":
            gate.clear()
            await pilot.press(letter)
            await settle(pilot, lambda: "looking for" in text(app, "connections"))
            gate.set()
            for _ in range(500):
                if "filter: " in text(app, "connections"):
                    break
                await pilot.pause(0.01)
            assert "filter: " in text(app, "connections")
            app._main.redraw_if_changed()
