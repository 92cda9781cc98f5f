"""The application through the pilot: what a person presses, and what then stands where."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from textual import events
from textual.pilot import Pilot

from tcpviz.core.records import Gap
from tcpviz.core.states import State
from tcpviz.sources.feed import SourceError
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.filter_entry import FilterEntry
from tcpviz.ui.help import HelpScreen
from tcpviz.ui.keys import ACTIONS
from tcpviz.ui.lines import LinesView
from tcpviz.ui.looks import BAR_ALARM, BAR_STRONG, every
from tcpviz.ui.plan import Pane
from tcpviz.ui.playback import Mode, Pace
from tcpviz.ui.screen import MainScreen
from tcpviz.ui.terminal import Manners
from tcpviz.views.spans import plain_line
from tests.ui.fakes import FakeFeed, broken, conversation, scenario

QUIET = Manners(motion=False, period_s=0.02)
SLOW = Pace(100_000.0)
PATIENCE_S = 60.0
"""For so long what must come is waited for: a machine may have others to serve."""
SIZES = [(80, 24), (120, 40), (200, 60), (100, 30), (79, 24), (60, 20), (60, 50), (40, 10)]


def screen(app: TcpvizApp) -> MainScreen:
    main = app.screen_stack[0]
    assert isinstance(main, MainScreen)
    return main


def shown(view: LinesView) -> str:
    return "\n".join(plain_line(row.line) for row in view.rows)


def text(app: TcpvizApp, name: str) -> str:
    """What a widget shows now."""
    return shown(screen(app).query_one(f"#{name}", LinesView))


def roles_in(app: TcpvizApp, name: str) -> set[str]:
    """The roles in which a widget's words stand."""
    rows = screen(app).query_one(f"#{name}", LinesView).rows
    return {span.role for row in rows for span in row.line if span.text.strip()}


def state_of(app: TcpvizApp) -> tuple[State, State]:
    scene = screen(app).views[Pane.DIAGRAM].scene()  # type: ignore[attr-defined]
    return scene.client.state, scene.server.state


@asynccontextmanager
async def running(
    app: TcpvizApp, size: tuple[int, int] = (120, 40), until: Callable[[], bool] | None = None
) -> AsyncIterator[Pilot[int]]:
    async with app.run_test(size=size) as pilot:
        await settle(pilot, until or (lambda: app.session.pump.done))
        yield pilot


async def settle(pilot: Pilot[int], until: Callable[[], bool]) -> None:
    """Let the application work until something is so; fails if it never is."""
    patience = time.monotonic() + PATIENCE_S
    while not until() and time.monotonic() < patience:
        await pilot.pause(0.01)
    assert until()
    while not screen(pilot.app).query("#lower"):  # type: ignore[arg-type]
        await pilot.pause(0.01)  # what was waited for may be so before the screen is composed
    screen(pilot.app).beat()  # type: ignore[arg-type]
    await pilot.pause()


def story(**fields: object) -> TcpvizApp:
    feed = FakeFeed(scenario(), title="demo client-closes-first")
    return TcpvizApp(feed, pace=SLOW, behaviour=QUIET, **fields)  # type: ignore[arg-type]


def capture_file(count: int = 12, **fields: object) -> TcpvizApp:
    records = list(itertools.chain.from_iterable(conversation(n, n % 3) for n in range(count)))
    feed = FakeFeed(records, title="trace.pcapng")
    return TcpvizApp(feed, behaviour=QUIET, **fields)  # type: ignore[arg-type]


class Hasty(TcpvizApp):
    """Somebody types before the panes stand: the first rows of a file are there sooner."""

    def on_mount(self) -> None:  # Textual calls the other one, too
        for key, character in (("slash", "/"), ("1", "1"), ("0", "0")):
            self.post_message(events.Key(key, character))


async def test_what_is_typed_before_the_panes_stand_is_done_once_they_do() -> None:
    records = list(itertools.chain.from_iterable(conversation(n, n % 3) for n in range(12)))
    app = Hasty(FakeFeed(records, title="trace.pcapng"), behaviour=QUIET)
    async with running(app) as pilot:
        await settle(pilot, lambda: screen(app).query_one(FilterEntry).value == "10")
        assert isinstance(app.focused, FilterEntry)
        await pilot.press("enter")
        await settle(pilot, lambda: "filter: 10" in text(app, "connections"))


# -- a story ------------------------------------------------------------------


async def test_a_story_is_told_step_by_step_and_both_ends_stand_right_at_each() -> None:
    app = story()
    async with running(app) as pilot:
        await pilot.press("home")
        assert app.session.place[0] == 0
        assert text(app, "connections").count("10.0.0.1") == 0
        states = []
        while app.session.remaining:
            await pilot.press("right")
            if not states or states[-1] != state_of(app):
                states.append(state_of(app))
        s = State
        assert states[-7:] == [
            (s.SYN_SENT, s.LISTEN),
            (s.SYN_SENT, s.SYN_RECEIVED),
            (s.ESTABLISHED, s.ESTABLISHED),
            (s.FIN_WAIT_1, s.ESTABLISHED),
            (s.FIN_WAIT_2, s.CLOSE_WAIT),
            (s.FIN_WAIT_2, s.LAST_ACK),
            (s.TIME_WAIT, s.CLOSED),
        ]
        assert "end of scenario; r replays" in text(app, "status")


async def test_what_is_yet_to_come_is_not_on_the_screen() -> None:
    app = story()
    async with running(app) as pilot:
        await pilot.press("home")
        while "SYN 0" not in text(app, "chart"):
            await pilot.press("right")
        for name in ("chart", "diagram"):
            assert "FIN 1" not in text(app, name)
        assert "SYN-SENT" in text(app, "connections")
        assert "TIME-WAIT" not in text(app, "connections")


async def test_a_story_plays_by_itself_and_says_that_it_is_slowed() -> None:
    feed = FakeFeed(scenario(), title="demo")
    app = TcpvizApp(feed, pace=Pace(0.1), behaviour=QUIET)
    async with running(app, (200, 60), until=lambda: app.session.place[0] > 0) as pilot:
        assert "played back slowed: real 0.0" in text(app, "status")
        await settle(pilot, lambda: app.session.ended)
        assert "end of scenario" in text(app, "status")
        assert state_of(app) == (State.TIME_WAIT, State.CLOSED)
        await pilot.press("left")
        assert app.session.mode is Mode.PAUSED
        assert app.session.remaining == 1
        await pilot.press("r")
        assert app.session.mode is Mode.PLAYING
        await settle(pilot, lambda: app.session.ended)


async def test_space_pauses_and_goes_on_and_at_the_end_replays() -> None:
    app = story()
    async with running(app) as pilot:
        assert app.session.mode is Mode.PLAYING
        await pilot.press("space")
        assert app.session.mode is Mode.PAUSED
        assert "paused" in text(app, "status")
        await pilot.press("space")
        assert app.session.mode is Mode.PLAYING
        await pilot.press("end")
        assert app.session.ended
        await pilot.press("space")
        assert app.session.mode is Mode.PLAYING
        assert app.session.place[0] <= 1  # the first step may have come by itself


async def test_the_pace_is_shown_and_changed() -> None:
    app = TcpvizApp(FakeFeed(scenario(), hold=True), pace=Pace(1.2), behaviour=QUIET)
    async with running(app, until=lambda: len(app.session.timeline) > 5) as pilot:
        assert "1.2 s" in text(app, "status")
        await pilot.press("plus")
        assert app.session.playback.pace.seconds == 0.8
        assert "0.8 s" in text(app, "status")
        await pilot.press("less_than_sign", "minus")
        assert app.session.playback.pace.seconds == 2.0


# -- a file -------------------------------------------------------------------


async def test_a_file_is_shown_at_its_end_with_the_first_connection_selected() -> None:
    app = capture_file()
    async with running(app) as pilot:
        assert app.session.selected == 1
        assert app.session.mode is Mode.FOLLOWING
        assert app.session.place == (7, 7)
        assert state_of(app) == (State.TIME_WAIT, State.CLOSED)
        assert "step 7 of 7" in text(app, "status")
        await pilot.press("home")
        assert app.session.place == (1, 7)
        assert state_of(app)[0] is State.SYN_SENT
        assert "SYN-SENT" in text(app, "connections")
        await pilot.press("right")
        assert state_of(app) == (State.SYN_SENT, State.SYN_RECEIVED)
        await pilot.press("end")
        assert app.session.place == (7, 7)


async def test_selecting_drives_diagram_and_chart() -> None:
    app = capture_file()
    async with running(app) as pilot:
        await pilot.press("1", "down", "down")
        assert app.session.selected == 3
        assert app.session.cursor.connection == 3
        assert "10.0.0.3:40002" in text(app, "chart")
        await pilot.press("enter")
        assert screen(app).focused_pane is Pane.CHART
        await pilot.press("shift+tab", "shift+tab", "k")
        assert app.session.selected == 2


async def test_the_future_is_there_but_faint_in_a_file() -> None:
    app = capture_file()
    async with running(app) as pilot:
        await pilot.press("home")
        rows = screen(app).query_one("#chart", LinesView).rows
        faint = [row for row in rows if any("FIN 1" in span.text for span in row.line)]
        assert faint
        assert all(span.role == "ui-future" for row in faint for span in row.line)


async def test_the_filter_narrows_as_you_type_and_escape_clears_it() -> None:
    app = capture_file()
    async with running(app) as pilot:
        await pilot.press("slash", *"10.0.0.7:")
        assert "1 of 12, filter: 10.0.0.7:" in text(app, "connections")
        await pilot.press("enter")
        assert screen(app).focused_pane is Pane.LIST
        await pilot.press("down")
        assert app.session.selected == 7
        await pilot.press("escape")
        assert "10.0.0.12" not in text(app, "connections") or "12" in text(app, "connections")
        assert "filter" not in text(app, "connections")
        await pilot.press("slash", *"nothing like this")
        assert "no connection fits" in text(app, "connections")
        await pilot.press("q")  # a letter of the filter, not the end
        assert app.is_running
        await pilot.press("escape")
        assert screen(app).views[Pane.LIST].filter == ""  # type: ignore[attr-defined]


async def test_captured_text_in_the_filter_is_no_markup() -> None:
    app = capture_file()
    async with running(app) as pilot:
        await pilot.press("slash", *"[bold red]x[/")
        assert "[bold red]x[/" in text(app, "connections")


async def test_clicks_select_connections_and_steps_and_press_hints() -> None:
    app = capture_file()
    async with running(app) as pilot:
        await pilot.click("#connections", offset=(10, 4))
        assert app.session.selected == 3
        await pilot.click("#chart", offset=(30, 4))
        assert app.session.mode is Mode.PAUSED
        assert app.session.place[0] == 1
        line = text(app, "keys")
        await pilot.click("#keys", offset=(line.index("? help") + 2, 0))
        assert isinstance(app.screen, HelpScreen)


async def test_scrolling_the_chart_keeps_the_cursor_and_stepping_brings_it_back() -> None:
    records = conversation(0, 100)
    app = TcpvizApp(FakeFeed(records), behaviour=QUIET)
    async with running(app, size=(80, 24)) as pilot:
        before = text(app, "chart")
        place = app.session.place
        await pilot.press("3", "up", "up", "k")
        assert text(app, "chart") != before
        assert app.session.place == place
        for _ in range(400):
            app.simulate_key("up")
        await pilot.pause()
        assert "handshake" in text(app, "chart")
        await pilot.press("left")
        assert app.session.place[0] == place[0] - 1
        assert any(row.under == "cursor" for row in screen(app).query_one("#chart", LinesView).rows)


# -- live ---------------------------------------------------------------------


async def test_live_follows_pauses_while_recording_goes_on_and_catches_up() -> None:
    now = time.time_ns()
    records = conversation(0, start_ns=now)
    feed = FakeFeed(records[:3], hold=True, title="eth0")
    app = TcpvizApp(feed, live=True, behaviour=QUIET)
    async with running(app, until=lambda: len(app.session.timeline) == 3) as pilot:
        assert "live, following" in text(app, "status")
        await pilot.press("left")
        assert app.session.mode is Mode.PAUSED
        here = app.session.cursor.index
        feed.more(records[3:])
        await settle(pilot, lambda: len(app.session.timeline) == 7)
        assert app.session.cursor.index == here
        assert "5 behind" in text(app, "status")
        await pilot.press("end")
        assert app.session.cursor.at_end
        assert "behind" not in text(app, "status")
        await pilot.press("space")
        feed.more(conversation(1, start_ns=now))
        await settle(pilot, lambda: len(app.session.timeline) == 14)
        assert app.session.cursor.index == 6
        await pilot.press("space")
        assert app.session.mode is Mode.FOLLOWING


async def test_drops_and_forgotten_steps_are_told() -> None:
    feed = FakeFeed([Gap(1, 5, "the kernel"), *conversation(0, 600)], hold=True)
    feed.status.dropped = 1234
    app = TcpvizApp(feed, live=True, behaviour=QUIET, limit=500)
    async with running(
        app, size=(200, 60), until=lambda: len(app.session.timeline) > 1200
    ) as pilot:
        await settle(pilot, lambda: "forgotten" in text(app, "status"))
        assert "1 234 DROPPED" in text(app, "status")


# -- errors -------------------------------------------------------------------


async def test_an_error_before_anything_ends_the_program_with_its_code() -> None:
    app = TcpvizApp(FakeFeed(error=broken()), behaviour=QUIET)
    async with app.run_test() as pilot:
        for _ in range(500):
            if app.trouble is not None:
                break
            await pilot.pause(0.01)
    assert isinstance(app.trouble, SourceError)
    assert app.return_code == 2


async def test_an_error_later_is_a_line_on_the_screen_and_what_was_read_stays() -> None:
    app = TcpvizApp(
        FakeFeed(conversation(), error=broken("trace.pcap: cut [off] in a record" + "!" * 80, 1)),
        behaviour=QUIET,
    )
    async with running(app, size=(80, 24)) as pilot:
        assert "cut [off] in a record" in text(app, "banner")
        assert roles_in(app, "banner") == {BAR_ALARM}
        assert text(app, "banner").rstrip().endswith("!…  (Esc)")  # the way out is never cut off
        assert app.session.place == (7, 7)
        assert screen(app).query_one("#banner").display
        await pilot.press("escape")
        assert not screen(app).query_one("#banner").display


async def test_an_unexpected_exception_ends_the_program_and_prints_no_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = TcpvizApp(FakeFeed(conversation(), error=ZeroDivisionError("a bug")), behaviour=QUIET)

    async def fail() -> None:
        async with app.run_test() as pilot:
            for _ in range(500):
                if app.failure is not None:
                    break
                await pilot.pause(0.01)

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert isinstance(app.failure, ZeroDivisionError)
    assert app.return_code == 1
    assert "Traceback" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("key", ["4", "question_mark", "colon"])
async def test_what_lies_over_the_panes_wears_other_looks_too(key: str) -> None:
    app = TcpvizApp(FakeFeed(conversation()), behaviour=QUIET, looks="dark")
    light = next(each for each in every() if each.name == "light")
    async with running(app) as pilot:
        await pilot.press(key)
        await settle(pilot, lambda: len(app.screen_stack) > 1)
        app.wear(light)
        await pilot.pause()
        views = list(app.screen.query(LinesView))
        assert all(view.looks is light for view in views)
        under = [each.styles.background for each in (app.screen, *app.screen.query("Vertical"))]
        assert all(each.brightness > 0.5 for each in under if each.a > 0)


async def test_an_answer_to_a_key_is_no_alarm() -> None:
    app = TcpvizApp(FakeFeed(conversation()), behaviour=QUIET)
    async with running(app) as pilot:
        await pilot.press("V")
        assert "keys that you press" in text(app, "banner")
        assert roles_in(app, "banner") == {BAR_STRONG}


async def test_notes_of_the_source_are_shown() -> None:
    feed = FakeFeed(conversation(), hold=True)
    app = TcpvizApp(feed, behaviour=QUIET)
    async with running(app, until=lambda: len(app.session.timeline) == 7) as pilot:
        feed.status.notes.append("eth0 went \x1b[31mdown")
        await settle(pilot, lambda: "went" in text(app, "banner"))
        assert "\x1b" not in text(app, "banner")


# -- every key, every size ------------------------------------------------------

KEYS = [key for action in ACTIONS for key in action.keys if action.name != "quit"]


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("file", (80, 24)),
        ("file", (200, 60)),
        ("file", (60, 20)),
        ("story", (120, 40)),
        ("story", (40, 10)),
        ("empty", (80, 24)),
    ],
)
@pytest.mark.parametrize("pane", "123")  # each by itself: all keys take their time
async def test_every_key_on_every_pane_at_every_size(
    size: tuple[int, int], kind: str, pane: str
) -> None:
    app = {
        "story": story,
        "file": capture_file,
        "empty": lambda: TcpvizApp(FakeFeed(), behaviour=QUIET),
    }[kind]()
    async with running(app, size) as pilot:
        for key in KEYS:
            app.simulate_key(pane)
            app.simulate_key(key)
            await pilot.pause()
            if len(app.screen_stack) > 1:
                await pilot.press("escape")
        await pilot.press("escape", "escape", "escape")
        assert app.is_running
        assert len(app.screen_stack) == 1


@pytest.mark.parametrize("keys", [("q",), ("ctrl+c",), ("question_mark", "ctrl+c")])
async def test_ways_out(keys: tuple[str, ...]) -> None:
    app = story()
    async with running(app) as pilot:
        await pilot.press(*keys)
        assert not app.is_running
    assert app.return_code == 0


async def test_help_scrolls_to_its_end_and_closes() -> None:
    app = story()
    async with running(app, size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        page = app.screen.query_one("#page", LinesView)
        assert "the client: sent the first SYN" in shown(page)
        seen = shown(page)
        for _ in range(10):
            await pilot.press("pagedown")
            seen += shown(page)
        for action in ACTIONS:
            assert action.what.split(";")[0].split(":")[0][:30] in seen
        await pilot.press("escape")
        assert len(app.screen_stack) == 1


async def test_the_palette_does_what_the_keys_do() -> None:
    app = capture_file()
    async with running(app) as pilot:
        await pilot.press("colon", *"first step")
        await settle(pilot, lambda: True)
        await pilot.pause(0.3)
        await pilot.press("enter")
        await settle(pilot, lambda: app.session.place == (1, 7))


async def test_notations_and_looks_go_round() -> None:
    app = capture_file()
    async with running(app) as pilot:
        charts = set()
        for _ in range(6):
            await pilot.press("t")
            charts.add(text(app, "chart"))
        assert len(charts) == 6
        for _ in range(3):
            await pilot.press("a")
            charts.add(text(app, "chart"))
        assert any("SYN J" in chart for chart in charts)
        names = []
        for _ in range(6):
            await pilot.press("d")
            names.append(app.looks.name)
        assert names == ["light", "contrast", "safe", "ansi", "mono", "dark"]


async def test_maximise_and_back() -> None:
    app = capture_file()
    async with running(app, size=(80, 24)) as pilot:
        await pilot.press("2", "z")
        assert set(screen(app).plan.panes) == {Pane.DIAGRAM}
        await pilot.press("tab")
        assert set(screen(app).plan.panes) == {Pane.CHART}
        await pilot.press("escape")
        assert set(screen(app).plan.panes) == set(Pane)


# -- sizes --------------------------------------------------------------------


async def test_too_small_says_so_and_recovers() -> None:
    app = story()
    async with running(app, size=(20, 5)) as pilot:
        assert "terminal too small:" in text(app, "small")
        assert "40x10 needed" in text(app, "small").replace("\n", "")
        await pilot.press("right", "slash", "x", "question_mark", "escape")
        await pilot.resize_terminal(80, 24)
        await pilot.pause()
        assert set(screen(app).plan.panes) == set(Pane)
        assert not screen(app).query_one("#small").display
        assert "Sequence" in text(app, "chart")


@pytest.mark.parametrize("kind", [story, capture_file])
async def test_a_storm_of_resizes_breaks_nothing(kind: Callable[[], TcpvizApp]) -> None:
    app = kind()
    async with running(app) as pilot:
        for width, height in itertools.product((1, 2, 20, 39, 40, 77, 80, 120, 250), (1, 3, 9, 24)):
            await pilot.resize_terminal(width, height)
            await pilot.press("right")
        await pilot.press("question_mark")
        for size in ((1, 1), (10, 2), (40, 10), (200, 60)):
            await pilot.resize_terminal(*size)
        await pilot.press("escape", "z")
        await pilot.resize_terminal(30, 30)
        await pilot.resize_terminal(80, 24)
        await pilot.press("z")
        await pilot.pause()
        for pane, (width, height) in screen(app).plan.panes.items():
            view = screen(app).views[pane]
            assert view.size == (width, height)
            assert len(view.rows) <= height


@pytest.mark.parametrize("size", SIZES)
async def test_everything_that_is_planned_is_on_the_screen(size: tuple[int, int]) -> None:
    app = capture_file()
    async with running(app, size) as pilot:
        await pilot.pause()
        main = screen(app)
        for pane, planned in main.plan.panes.items():
            region = main.views[pane].region
            assert tuple(region.size) == planned
            assert region.right <= size[0]
            assert region.bottom <= size[1]
        assert main.query_one("#status").region.height == 1
        assert main.query_one("#status").region.bottom <= size[1]


# -- cost ---------------------------------------------------------------------


async def test_nothing_is_drawn_where_nothing_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    app = capture_file()
    async with running(app) as pilot:
        await pilot.pause(0.05)
        drawn: list[tuple[str | None, int]] = []
        original = LinesView.render_line

        def counting(self: LinesView, y: int) -> object:
            drawn.append((self.id, y))
            return original(self, y)

        monkeypatch.setattr(LinesView, "render_line", counting)
        main = screen(app)
        main.memory = None
        monkeypatch.setattr("tcpviz.ui.beating.resident_bytes", lambda: None)
        main.beat()
        await pilot.pause(0.05)
        drawn.clear()
        for _ in range(20):
            main.beat()
            main.redraw()
        await pilot.pause(0.05)
        assert drawn == []
        await pilot.press("left")
        await pilot.pause(0.05)
        lines = sum(view.size.height for view in main.views.values())
        assert len({one for one in drawn if one[0] in ("chart", "diagram", "connections")}) > 0
        assert len(drawn) < lines  # a step repaints what it changed, not the screen


async def test_a_large_file_arrives_in_order_while_keys_are_answered() -> None:
    batches = [conversation(n, 20) for n in range(300)]
    app = TcpvizApp(FakeFeed(*batches), behaviour=QUIET)
    async with running(app, until=lambda: len(app.session.timeline) > 100) as pilot:
        await pilot.press("question_mark", "escape")
        await settle(pilot, lambda: app.session.pump.done)
        assert len(app.session.tracker.connections) == 300
        assert app.session.whole  # so many: all of them are looked at, until one is chosen
        assert app.session.place == (300 * 47, 300 * 47)
        await pilot.press("down")
        assert app.session.place == (47, 47)


async def test_tab_goes_on_from_a_chart_that_gives_way_to_the_dashboard_just_now() -> None:
    feed = FakeFeed([one for n in range(30) for one in conversation(n)])
    app = TcpvizApp(feed, behaviour=QUIET)
    async with running(app) as pilot:
        assert app.session.whole
        # The key was on its way when there were few, and the screen has not been laid out since.
        for key, pane in (("tab", Pane.LIST), ("shift+tab", Pane.DIAGRAM)):
            app._main.active = Pane.CHART
            await pilot.press(key)
            assert app._main.active is pane
