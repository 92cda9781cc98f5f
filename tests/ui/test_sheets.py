"""Dashboard, selection on the diagram, the segment's sheet and the graphs, by key and mouse."""

from __future__ import annotations

import itertools

import pytest
from textual.events import MouseScrollUp

from tcpviz.core.states import State
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.diagrampane import DiagramPane
from tcpviz.ui.graphs import GraphsScreen
from tcpviz.ui.lines import LinesView
from tcpviz.ui.page import PageScreen
from tcpviz.ui.plan import Pane
from tcpviz.ui.segment import SegmentScreen
from tcpviz.ui.sheet import SheetScreen
from tcpviz.views.spans import width
from tests.ui.fakes import FakeFeed, Recorder, conversation
from tests.ui.test_app import QUIET, capture_file, running, screen, settle, shown, story, text


def sheet(app: TcpvizApp) -> str:
    return shown(app.screen.query_one("#sheet", LinesView))


def many(count: int = 60) -> TcpvizApp:
    """``count`` connections, two of which nobody closes on one side, and 25 half-open ones."""
    records = list(itertools.chain.from_iterable(conversation(n) for n in range(count)))
    for number in range(27):
        talk = Recorder(start_ns=records[-1].time_ns)
        talk.endpoint = {
            side: type(end)(end.addr, end.port + 500 + number)
            for side, end in talk.endpoint.items()
        }
        talk.client("S")
        talk.server("SA")
        if number < 2:
            talk.client("A")
            talk.client("FA")
            talk.server("A")
        records += talk.records
    return TcpvizApp(FakeFeed(records, title="many"), behaviour=QUIET)


def diagram(app: TcpvizApp) -> DiagramPane:
    view = screen(app).views[Pane.DIAGRAM]
    assert isinstance(view, DiagramPane)
    return view


# -- the dashboard ------------------------------------------------------------


async def test_many_connections_are_looked_at_together_and_enter_lists_a_states() -> None:
    app = many()
    async with running(app, (80, 24)) as pilot:
        assert app.session.whole
        assert Pane.CHART not in screen(app).plan.panes
        rows = {row.split()[0]: row for row in text(app, "diagram").splitlines()[1:] if row.strip()}
        assert rows["SYN-RECEIVED"].split()[1:3] == ["25", "!"]
        assert rows["CLOSE-WAIT"].split()[1] == "2"
        assert "Half-open" in text(app, "explain")
        await pilot.press("2")
        while diagram(app).selected is not State.CLOSE_WAIT:
            await pilot.press("down")
        assert "CLOSE-WAIT" in text(app, "explain")
        await pilot.press("enter")
        await pilot.pause()
        assert app.session.sifter.typed == "state:close-wait"
        assert "2 of 87" in text(app, "connections")
        await pilot.press("enter")
        assert not app.session.whole
        assert "CLOSE-WT" in text(app, "connections")


async def test_the_counts_are_those_at_the_cursor() -> None:
    app = many(30)
    async with running(app, (120, 40)) as pilot:
        at_end = {each.state: each.count for each in diagram(app).board().tallies}
        assert at_end[State.SYN_RECEIVED] == 25
        await pilot.press("home")
        first = {each.state: each.count for each in diagram(app).board().tallies}
        assert first[State.SYN_SENT] == 1
        assert sum(first.values()) == 2
        await pilot.press("end")
        assert {each.state: each.count for each in diagram(app).board().tallies} == at_end


async def test_escape_goes_from_one_connection_to_all_and_0_back() -> None:
    app = capture_file(4)
    async with running(app) as pilot:
        assert not app.session.whole  # so few: the first one is shown
        await pilot.press("1", "down")
        assert app.session.chosen
        await pilot.press("escape")
        assert app.session.whole
        assert "all connections" in text(app, "diagram")
        assert "8" in text(app, "diagram")
        await pilot.press("0")
        assert not app.session.whole
        assert Pane.CHART in screen(app).plan.panes
        await pilot.press("0", "3")  # the chart is of one connection
        assert not app.session.whole


@pytest.mark.parametrize("size", [(80, 24), (40, 10), (60, 20), (120, 40), (200, 60)])
async def test_the_dashboard_fits_every_size(size: tuple[int, int]) -> None:
    app = many(25)
    async with running(app, size) as pilot:
        await pilot.press("2", "tab", "tab", "2")
        assert "CLOSE-WAIT" in text(app, "diagram")


async def test_a_click_on_a_state_chooses_it_and_a_second_one_lists() -> None:
    app = many(25)
    async with running(app, (80, 24)) as pilot:
        row = next(
            y for y, line in enumerate(text(app, "diagram").splitlines()) if "SYN-RECEIVED" in line
        )
        await pilot.click("#diagram", offset=(5, row))
        assert diagram(app).selected is State.SYN_RECEIVED
        await pilot.click("#diagram", offset=(5, row))
        await pilot.pause()
        assert app.session.sifter.typed == "state:syn-received"


# -- states and edges -----------------------------------------------------------


async def test_states_and_edges_are_chosen_by_key_and_explained() -> None:
    app = story()
    async with running(app, (120, 40)) as pilot:
        await pilot.press("end", "2", "down")
        assert diagram(app).selected is State.TIME_WAIT  # where the client is
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, PageScreen)
        page = shown(app.screen.query_one("#page", LinesView))
        assert "2MSL" in page
        assert "Here now" in page
        await pilot.press("escape", "down", "e")
        await pilot.pause()
        page = shown(app.screen.query_one("#page", LinesView))
        assert "TIME-WAIT to CLOSED" in page
        assert "timeout 2MSL" in page


# -- the segment ---------------------------------------------------------------


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (200, 60)])
async def test_the_segments_sheet_moves_with_the_cursor(size: tuple[int, int]) -> None:
    app = story()
    async with running(app, size) as pilot:
        await pilot.press("home", "4")
        await pilot.pause()
        assert isinstance(app.screen, SegmentScreen)
        assert "no segment" in sheet(app)
        while "SYN,ACK" not in sheet(app).splitlines()[0]:
            await pilot.press("right")
            await pilot.pause()
        assert app.session.step is not None
        assert size[0] < 65 or "Source Port 80" in sheet(app)
        here = app.session.cursor.index
        await pilot.press("left")
        await pilot.pause()
        assert size[0] < 65 or "Source Port 40000" in sheet(app)
        await pilot.press("escape")
        await pilot.pause()
        assert app.session.cursor.index < here
        assert app.screen is screen(app)


async def test_enter_on_a_segment_of_the_chart_opens_it_and_the_page_scrolls() -> None:
    app = capture_file(1)
    async with running(app, (80, 24)) as pilot:
        await pilot.press("3", "enter")
        await pilot.pause()
        assert isinstance(app.screen, SegmentScreen)
        top = sheet(app).splitlines()[0]
        assert "Checksum" in sheet(app)
        await pilot.press("tab")
        await pilot.pause()
        assert top not in sheet(app)
        assert "Fields" in sheet(app)


# -- the graphs ----------------------------------------------------------------


async def test_graphs_zoom_pan_and_share_the_cursor() -> None:
    app = capture_file(3)
    async with running(app, (120, 40)) as pilot:
        await pilot.press("1", "down", "down", "home", "5")
        await pilot.pause()
        graphs = app.screen
        assert isinstance(graphs, GraphsScreen)
        assert "throughput" in sheet(app)
        assert "client 10.0.0.3:40002" in sheet(app)
        whole = graphs.view.window
        await pilot.press("up", "up")
        near = graphs.view.window
        assert near.span_ns * 3 < whole.span_ns
        before = app.session.cursor.index
        await pilot.press("right")
        await pilot.pause()
        assert app.session.cursor.index > before
        await pilot.press("full_stop")
        assert graphs.view.window.start_ns >= near.start_ns
        await pilot.press("0")
        assert graphs.view.window == whole
        await pilot.press("tab")
        assert sheet(app).splitlines()[0].lstrip().startswith("server")
        await pilot.click("#sheet", offset=(118, 8))  # near the end
        last = app.session.cursor.index
        assert last > before
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, SegmentScreen)
        await pilot.press("5")
        await pilot.pause()
        assert app.screen is graphs


async def test_the_wheel_zooms_at_the_pointer() -> None:
    app = capture_file(1)
    async with running(app, (80, 24)) as pilot:
        await pilot.press("5")
        await pilot.pause()
        graphs = app.screen
        assert isinstance(graphs, GraphsScreen)
        under = graphs.moment_at(40)
        await pilot._post_mouse_events([MouseScrollUp], offset=(40, 8))
        await pilot.pause()
        view = graphs.view
        assert view is not None
        assert under is not None
        assert graphs.window is not None
        after = graphs.moment_at(40)
        assert after is not None
        assert abs(after - under) <= graphs.window.span_ns // 70 + 1


async def test_every_looks_and_the_help_of_a_sheet() -> None:
    app = capture_file(2)
    async with running(app, (80, 24)) as pilot:
        for key in ("4", "5"):
            await pilot.press(key)
            await pilot.pause()
            for _ in range(4):
                await pilot.press("d")
            await pilot.press("question_mark")
            await pilot.pause()
            page = shown(app.screen.query_one("#page", LinesView))
            assert "Step forward" in page or "One step forward" in page or "first number" in page
            await pilot.press("escape", "escape")
            await pilot.pause()
        assert app.screen is screen(app)


@pytest.mark.parametrize("size", [(80, 24), (40, 10), (200, 60)])
@pytest.mark.parametrize("kind", [SegmentScreen, GraphsScreen], ids=lambda kind: kind.__name__)
async def test_every_key_of_a_sheet_at_every_size(
    kind: type[SheetScreen], size: tuple[int, int]
) -> None:
    app = capture_file(2)
    async with running(app, size) as pilot:
        await pilot.press("4" if kind is SegmentScreen else "5")
        await pilot.pause()
        for action in kind.actions:
            if action.name in ("close", "help", "palette", "segment", "graphs"):
                continue
            for key in action.keys:
                await pilot.press(key)
        await pilot.pause()
        assert isinstance(app.screen, kind)
        assert sheet(app).strip()
        for row in app.screen.query_one("#sheet", LinesView).rows:
            assert width(row.line) <= size[0]


async def test_a_move_is_shown_running_along_its_edge_once_and_then_lit() -> None:
    app = story()
    screen_of = app._main
    screen_of.motion = True
    async with running(app, (120, 40)) as pilot:
        await pilot.press("home")
        pane = diagram(app)
        pictures = set()
        drawn = pane._next_picture

        def next_picture() -> None:
            drawn()
            pictures.add(text(app, "diagram"))

        pane._next_picture = next_picture
        while app.session.step is None or not app.session.step.changes:
            await pilot.press("right")
        await settle(pilot, lambda: bool(pictures) and pane._moving is None)
        assert len(pictures) > 2
        assert pane._moving is None
        still = text(app, "diagram")
        await pilot.pause(0.1)
        assert text(app, "diagram") == still
