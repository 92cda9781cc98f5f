"""The chart and its time through the pilot: folds, jumps, strides, speeds, scrubber, comparing."""

from __future__ import annotations

import itertools

import pytest

from tcpviz.core.records import SegmentRecord, Side
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.chartpane import ChartPane
from tcpviz.ui.compare import CompareScreen
from tcpviz.ui.hosts import HostsScreen
from tcpviz.ui.plan import Pane
from tcpviz.ui.playback import Mode
from tcpviz.ui.scrubber import ScrubberView
from tcpviz.views.ladder import RowKind
from tests.ui.fakes import MS, FakeFeed, Recorder, conversation
from tests.ui.test_app import QUIET, running, screen, settle, shown, story, text


def bulk(pairs: int = 60, lost: tuple[int, ...] = (20, 40)) -> list[SegmentRecord]:
    talk = Recorder()
    talk.handshake()
    for number in range(pairs):
        sent = talk.client("PA", 1000)
        talk.server("A")
        if number in lost:
            talk.now += 300 * MS
            talk.client("PA", 1000, seq=talk.nxt[Side.CLIENT] - sent.payload_len)
            talk.server("A")
    return talk.close().records  # type: ignore[return-value]


def bulky(**fields: object) -> TcpvizApp:
    feed = FakeFeed(list(bulk(**fields)), title="bulk.pcap")  # type: ignore[arg-type]
    return TcpvizApp(feed, behaviour=QUIET)


def chart(app: TcpvizApp) -> ChartPane:
    view = screen(app).views[Pane.CHART]
    assert isinstance(view, ChartPane)
    return view


def cursor_row(app: TcpvizApp) -> str:
    return next(line for line in shown(chart(app)).split("\n") if line.startswith("▸"))


async def test_bulk_is_folded_and_opens_where_one_goes() -> None:
    app = bulky()
    async with running(app, (80, 24)) as pilot:
        await pilot.press("3", "z")
        await settle(pilot, lambda: "▸ 124 segments, 62 kB, 2 retransmitted" in text(app, "chart"))
        await pilot.press("full_stop")
        assert "[S]" in cursor_row(app)
        assert "S: spurious retransmission" in text(app, "chart")
        assert app.session.mode is Mode.PAUSED
        kinds = [row.kind for row in chart(app).ladder.rows]  # type: ignore[union-attr]
        assert kinds.count(RowKind.FOLD) == 2
        first = app.session.cursor.index
        await pilot.press("full_stop", "full_stop")
        assert app.session.cursor.index > first
        await pilot.press("comma", "comma")
        assert app.session.cursor.index == first
        await pilot.press("comma")
        assert "nothing is wrong before" in text(app, "banner")


async def test_folds_turn_by_key_by_enter_and_by_click() -> None:
    app = bulky()
    async with running(app, (120, 40)) as pilot:
        await pilot.press("3", "F")
        assert "▸ 124" not in text(app, "chart")
        await pilot.press("F")
        lines = shown(chart(app)).split("\n")
        row = next(n for n, line in enumerate(lines) if "▸ 124 seg" in line)
        await pilot.click("#chart", offset=(30, row))
        await pilot.pause()
        assert "▸ 124" not in text(app, "chart")
        assert app.session.mode is Mode.FOLLOWING  # a fold is opened, time stays
        await pilot.press("home", *["right"] * 6, "f")
        await pilot.pause()
        kinds = [row.kind for row in chart(app).ladder.rows]  # type: ignore[union-attr]
        assert RowKind.FOLD in kinds
        await pilot.press("home", "f")
        assert "no long run of data" in text(app, "banner")


async def test_acks_are_hidden_and_the_title_says_how_many() -> None:
    app = bulky(pairs=8, lost=())
    async with running(app) as pilot:
        before = shown(chart(app)).count("ACK")
        await pilot.press("A")
        assert "8 ACKs hidden" in text(app, "chart")
        assert shown(chart(app)).count("ACK") < before
        await pilot.press("A", "T")
        assert "1 row = " in text(app, "chart")
        await pilot.press("T", "T")
        assert "1 row = " not in text(app, "chart")
        assert "win 64240" not in text(app, "chart")
        await pilot.press("D")
        assert "win 64240" in text(app, "chart")
        assert "windows and options" in text(app, "banner")
        await pilot.press("D", "D")
        assert "win 64240" not in text(app, "chart")


async def test_steps_go_as_far_as_the_stride_says() -> None:
    app = story()
    async with running(app) as pilot:
        timeline = app.session.timeline
        await pilot.press("home", "y")
        assert "segment to segment" in text(app, "banner")
        await pilot.press("right", "right")
        segments = [step.index for step in timeline if step.segment is not None]
        assert app.session.cursor.index == segments[1]
        await pilot.press("y", "home", "right")
        assert app.session.cursor.index == next(step.index for step in timeline if step.changes)
        await pilot.press("y", "home", "right", "right")
        calls = [step.index for step in timeline if step.call is not None]
        assert app.session.cursor.index == calls[1]
        await pilot.press("left")
        assert app.session.cursor.index == calls[0]
        await pilot.press("y", "y", "home", "right")
        assert app.session.cursor.index == 0  # every step again


async def test_jumps_to_handshake_teardown_changes_calls_and_by_tenths() -> None:
    app = story()
    async with running(app) as pilot:
        timeline = app.session.timeline
        await pilot.press("end", "dollar_sign")
        step = app.session.step
        assert step is not None
        assert step.segment is not None
        assert step.segment.fin
        await pilot.press("circumflex_accent")
        assert app.session.cursor.index == next(s.index for s in timeline if s.segment)
        before = app.session.cursor.index
        await pilot.press("right_curly_bracket")
        assert timeline[app.session.cursor.index].changes
        await pilot.press("left_curly_bracket")
        assert app.session.cursor.index <= before
        await pilot.press("right_parenthesis")
        assert timeline[app.session.cursor.index].call is not None
        await pilot.press("left_parenthesis")
        assert timeline[app.session.cursor.index].call is not None
        here = app.session.cursor.index
        await pilot.press("shift+right")
        assert app.session.cursor.index > here
        await pilot.press("shift+left")
        assert app.session.cursor.index <= here


async def test_speed_is_shown_and_goes_from_a_hundredth_to_as_it_was() -> None:
    app = bulky(lost=tuple(range(30)))
    async with running(app) as pilot:
        await pilot.press("home", "o")
        assert app.session.mode is Mode.PLAYING
        assert "playing, 1x" in text(app, "status")
        await pilot.press("minus", "minus")
        assert app.session.playback.pace.factor == 0.2
        assert "- 0.2x" in text(app, "scrubber")
        await pilot.press(*["minus"] * 12)
        assert "- 0.01x" in text(app, "scrubber")
        await pilot.press("o")
        assert app.session.playback.pace.factor == 0
        assert "s a step" in text(app, "status")


async def test_the_scrubber_is_pressed_and_dragged() -> None:
    app = bulky()
    async with running(app, (80, 24)) as pilot:
        view = screen(app).query_one("#scrubber", ScrubberView)
        made = view._made
        assert made is not None
        assert "S" in text(app, "scrubber")
        await pilot.mouse_down("#scrubber", offset=(made.track_at + made.track // 2, 0))
        await pilot.pause()
        middle = app.session.cursor.index
        total = len(app.session.timeline)
        assert total // 3 < middle < total * 2 // 3
        await pilot.hover("#scrubber", offset=(made.track_at, 0))
        await pilot.mouse_up("#scrubber", offset=(made.track_at, 0))
        await pilot.pause()
        assert app.session.cursor.index < 3
        await pilot.click("#scrubber", offset=(1, 0))  # the sign of playing or not
        await pilot.pause()
        assert app.session.mode is Mode.PLAYING


async def test_going_back_live_counts_what_has_come_since_and_a_press_returns() -> None:
    talk = conversation(0, data=20)
    feed = FakeFeed(talk[:20], hold=True)
    app = TcpvizApp(feed, live=True, behaviour=QUIET)
    async with running(app, until=lambda: len(app.session.timeline) == 20) as pilot:
        await pilot.press("left", "left")
        feed.more(talk[20:30])
        await settle(pilot, lambda: len(app.session.timeline) == 30)
        assert "+12 since: End" in text(app, "scrubber")
        assert app.session.cursor.index == 17
        line = text(app, "scrubber")
        await pilot.click("#scrubber", offset=(line.index("+12") + 2, 0))
        await settle(pilot, lambda: app.session.mode is Mode.FOLLOWING)
        feed.finish()
        feed.stop()


async def test_what_is_read_keeps_its_place_while_more_comes_and_folds() -> None:
    records = bulk(400, lost=())
    feed = FakeFeed(list(records[:80]), hold=True)
    app = TcpvizApp(feed, live=True, behaviour=QUIET)
    async with running(app, until=lambda: len(app.session.timeline) == 80) as pilot:
        await pilot.press("3", "F", *["up"] * 12)
        await pilot.pause()
        first = shown(chart(app)).split("\n")[3]
        for at in range(80, 800, 90):
            feed.more(list(records[at : at + 90]))
            await settle(pilot, lambda n=at + 90: len(app.session.timeline) >= min(n, 800))  # type: ignore[misc]
        assert shown(chart(app)).split("\n")[3].split("┃")[0] == first.split("┃")[0]
        assert app.session.mode is Mode.FOLLOWING  # only the eyes went back
        assert "below: End" in text(app, "chart")
        await pilot.press("left", "right", "end")
        await pilot.pause()
        assert chart(app).ladder.at_end  # type: ignore[union-attr]
        assert "0.799" in cursor_row(app)
        feed.stop()


async def test_the_overview_shows_trouble_and_is_pressed() -> None:
    app = bulky(pairs=200, lost=(150,))
    async with running(app, (120, 40)) as pilot:
        await pilot.press("3", "F", "home")
        lines = [line.ljust(80) for line in shown(chart(app)).split("\n")]
        row = next(n for n, line in enumerate(lines) if line.rstrip().endswith("S"))
        width = chart(app).size.width
        await pilot.click("#chart", offset=(width - 1, row))
        await pilot.pause()
        step = app.session.step
        assert step is not None
        assert step.observation is not None
        assert step.observation.marks
        assert cursor_row(app)


async def test_two_segments_are_compared() -> None:
    app = bulky(pairs=4, lost=())
    async with running(app, (80, 24)) as pilot:
        await pilot.press("3", "C")
        assert "mark a segment" in text(app, "banner")
        await pilot.press("home", "m", "right", "right", "right")
        assert shown(chart(app)).split("\n")[3].startswith("m") or "m" in shown(chart(app))
        await pilot.press("C")
        assert isinstance(app.screen, CompareScreen)
        page = shown(app.screen._sheet)
        assert "≠ Flags" in page
        assert "+3 ms" in page
        assert "+1" in next(line for line in page.split("\n") if "Sequence" in line)
        assert "  TTL" in page
        await pilot.press("right")
        assert "+4 ms" in shown(app.screen._sheet)
        await pilot.press("m", "escape")
        assert chart(app).marked == app.session.cursor.index


async def test_several_connections_stand_on_one_chart() -> None:
    one, two = conversation(0, 1), conversation(2, 1, start_ns=901_000_000)
    records = sorted(itertools.chain(one, two), key=lambda r: r.segment.time_ns)  # type: ignore[union-attr]
    app = TcpvizApp(FakeFeed(records), behaviour=QUIET)
    async with running(app, (80, 34)) as pilot:
        await pilot.press("1", "home", "up", "up", "m", "down", "m")
        assert "2 marked" in text(app, "banner")
        assert shown(screen(app).views[Pane.LIST]).count("\nm") == 2
        await pilot.press("end", "H")
        assert isinstance(app.screen, HostsScreen)
        page = shown(app.screen._sheet)
        assert " A  10.0.0.1:40000 > 10.0.0.2:80" in page
        assert "B SYN 0" in page
        assert "A SYN 0" in page
        line = next(line for line in page.split("\n") if "B SYN 0" in line)
        assert "◀" in line  # from the third column: the server's stands between
        assert "A teardown" in page
        await pilot.press("f", "c")
        assert shown(app.screen._sheet) == page  # there is nothing to fold here, and no call
        await pilot.press("f", "c", "H", "a")
        page = shown(app.screen._sheet)
        assert " B  " not in page  # all of this client's: there is one
        await pilot.press("escape")


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_every_sheet_of_the_chart_at_every_size(size: tuple[int, int]) -> None:
    app = bulky()
    async with running(app, size) as pilot:
        await pilot.press("home", "right", "m", "end", "C")
        for key in ("down", "up", "left", "question_mark", "escape", "escape", "H"):
            await pilot.press(key)
        for key in ("down", "up", "left", "a", "question_mark", "escape", "escape"):
            await pilot.press(key)
        assert app.screen is screen(app)
