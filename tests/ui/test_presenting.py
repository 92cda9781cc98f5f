"""In front of a class, through the pilot: pointing, hiding, large letters, keys shown, clickers."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from tcpviz import words
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.blank import BlankScreen
from tcpviz.ui.keyoverlay import KeyOverlay, drawn, shown_key
from tcpviz.ui.looks import GONE, POINTER
from tcpviz.ui.plan import Pane
from tcpviz.ui.presenting import NAMES
from tcpviz.views.spans import width
from tests.ui.fakes import FakeFeed, scenario
from tests.ui.test_app import QUIET, SLOW, running, screen, settle, shown, text


def lesson() -> TcpvizApp:
    """A scenario at its end, with everything that a chart of the lab has."""
    return TcpvizApp(FakeFeed(scenario(), title="demo"), pace=SLOW, behaviour=QUIET)


async def at_the_end(pilot: Pilot[int], app: TcpvizApp) -> None:
    await pilot.press("end")
    await settle(pilot, lambda: app.session.cursor.at_end)


def pointed(app: TcpvizApp) -> str:
    """The row of the chart that is pointed at."""
    rows = [row for row in screen(app).views[Pane.CHART].rows if row.under == POINTER]
    assert len(rows) < 2
    return "".join(span.text for row in rows for span in row.line)


def bright(app: TcpvizApp) -> list[str]:
    """The chart's rows that are not dimmed, below its heading."""
    chart = screen(app).views[Pane.CHART]
    rows = chart.rows[1 + chart._head :]  # type: ignore[attr-defined]
    return ["".join(s.text for s in r.line) for r in rows if {s.role for s in r.line} - {GONE}]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_pointer_begins_at_the_cursor_and_moves_apart_from_it(size) -> None:
    app = lesson()
    async with running(app, size) as pilot:
        await at_the_end(pilot, app)
        await pilot.press("3")
        index = app.session.cursor.index
        await pilot.press("K")
        first = pointed(app)
        assert first[:1] == "►"
        await pilot.press("K", "shift+up")
        second = pointed(app)
        assert second not in ("", first)
        assert app.session.cursor.index == index
        await pilot.press("shift+down", "J")
        assert pointed(app) == first
        for _ in range(80):
            await pilot.press("K")
        assert "the client closes first" in pointed(app)  # the note at the very top
        await pilot.press("escape")
        assert pointed(app) == ""
        assert app.session.cursor.index == index


async def test_a_pointer_that_is_shown_follows_the_mouse_and_a_click_still_goes_there() -> None:
    app = lesson()
    async with running(app) as pilot:
        await at_the_end(pilot, app)
        await pilot.hover("#chart", offset=(20, 12))
        assert pointed(app) == ""
        await pilot.press("underscore")
        at = {pointed(app)}
        for row in (10, 14):
            await pilot.hover("#chart", offset=(20, row))
            await pilot.pause()
            at.add(pointed(app))
        assert len(at) == 3
        index = app.session.cursor.index
        await pilot.click("#chart", offset=(20, 10))
        assert app.session.cursor.index < index
        await pilot.press("underscore")
        assert pointed(app) == ""


async def test_light_falls_on_a_row_then_on_its_phase_then_on_all() -> None:
    app = lesson()
    async with running(app, (120, 60)) as pilot:
        await at_the_end(pilot, app)
        everything = bright(app)
        await pilot.press("circumflex_accent")  # the SYN
        await settle(pilot, lambda: True)
        await pilot.press("end", "X")
        row = bright(app)
        assert 0 < len(row) < 5
        await pilot.press("X")
        phase = bright(app)
        assert len(row) < len(phase) < len(everything)
        assert any("teardown" in one for one in phase)
        assert not any("handshake" in one for one in phase)
        await pilot.press("X")
        assert bright(app) == everything


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_what_is_not_discussed_is_hidden_by_its_number_and_comes_back(size) -> None:
    app = lesson()
    async with running(app, size) as pilot:
        await at_the_end(pilot, app)
        main = screen(app)
        await pilot.press("Z")
        line = text(app, "keys")
        assert width([span for row in main.query_one("#keys").rows for span in row.line]) <= size[0]  # type: ignore[attr-defined]
        for name in NAMES.values():
            assert name in line
        await pilot.press("1", "2", "4", "5", "6", "7", "8", "9")
        await pilot.pause()
        assert set(main.plan.panes) == {Pane.CHART}
        chart = text(app, "chart")
        assert "connect(" not in chart
        assert "kernel" not in chart
        for name in ("scrubber", "explain", "status"):
            assert not main.query_one(f"#{name}").display
        await pilot.press("3")
        assert set(main.plan.panes) == {Pane.CHART}  # the last one stays
        assert "one pane stays" in text(app, "banner")
        await pilot.press("Z")
        await pilot.pause()
        assert not main.query_one("#keys").display
        assert main.plan.panes[Pane.CHART][1] >= size[1] - 1
        await pilot.press("2")  # going to what is hidden shows it
        assert Pane.DIAGRAM in main.plan.panes
        await pilot.press("Z", "0", "Z")
        await pilot.pause()
        assert main.hidden == frozenset()
        assert "connect(" in text(app, "chart") or size[0] < 100
        assert main.query_one("#status").display


async def test_escape_shows_again_what_somebody_has_hidden_and_forgotten() -> None:
    app = lesson()
    async with running(app) as pilot:
        await pilot.press("Z", "1", "9", "8", "Z", "escape", "escape", "escape", "escape")
        await pilot.pause()
        assert screen(app).hidden == frozenset()


async def test_the_parts_are_hidden_by_a_click_too() -> None:
    app = lesson()
    async with running(app, (80, 24)) as pilot:
        await pilot.press("Z")
        await pilot.pause()
        await pilot.click("#keys", offset=(text(app, "keys").index("1 list") + 2, 0))
        assert Pane.LIST not in screen(app).plan.panes
        await pilot.click("#keys", offset=(text(app, "keys").index("0 all") + 2, 0))
        assert Pane.LIST in screen(app).plan.panes


async def test_answers_are_not_taken_for_parts_nor_parts_for_answers() -> None:
    app = lesson()
    async with running(app) as pilot:
        await pilot.press("P")
        await settle(pilot, lambda: screen(app).lesson.question is not None)
        await pilot.press("Z", "1")
        assert screen(app).lesson.question is not None
        assert Pane.LIST not in screen(app).plan.panes
        await pilot.press("Z", "0")
        assert screen(app).lesson.total == 1 or screen(app).lesson.question is None


@pytest.mark.parametrize(("lang", "state"), [("en", "client"), ("zh", "客户端")])
@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_large_letters_stand_above_everything(size, lang: str, state: str) -> None:
    app = lesson()
    async with running(app, size) as pilot:
        words.use(lang)
        await at_the_end(pilot, app)
        await pilot.press("B")
        await pilot.pause()
        large = screen(app).query_one("#large")
        assert large.region.y == 0
        assert large.region.height in (4, 6)
        said = text(app, "large")
        assert state in said
        assert "█" in said
        before = said
        await pilot.press("home")
        assert text(app, "large") != before
        heights = sum(view.size.height for view in screen(app).children if view.display)
        assert heights == size[1]
        await pilot.press("B")
        await pilot.pause()
        assert not large.display


async def test_keys_are_shown_in_the_corner_with_what_they_do_and_go_again() -> None:
    app = lesson()
    async with running(app, (80, 24)) as pilot:
        await at_the_end(pilot, app)
        await pilot.press("left")
        assert not [one for one in app.screen.query(KeyOverlay) if one.display]
        await pilot.press("V", "left", "left", "G")
        await pilot.pause()
        overlay = app.screen.query_one(KeyOverlay)
        said = ["←", "←", "G", "Go", "to", "the", "end", "and", "follow"]
        assert shown(overlay).split() == said
        assert overlay.region.right == 80
        assert overlay.region.y == 0
        await pilot.press("4")  # a sheet: the key goes with it
        await pilot.pause()
        assert "4" in shown(app.screen.query_one(KeyOverlay))
        await pilot.press("escape")
        await pilot.pause()
        assert "Esc" in shown(app.screen.query_one(KeyOverlay))
        app.pressed._forget()  # what the timer does
        await pilot.pause()
        assert not [one for one in app.screen.query(KeyOverlay) if one.display]
        await pilot.press("V", "left")
        assert not [one for one in app.screen.query(KeyOverlay) if one.display]


@pytest.mark.parametrize(
    ("key", "character", "said", "plain"),
    [
        ("space", " ", "Space", "Space"),
        ("right", None, "→", "Right"),
        ("shift+left", None, "Shift+←", "Shift+Left"),
        ("ctrl+p", "\x10", "Ctrl+P", "Ctrl+P"),
        ("exclamation_mark", "!", "!", "!"),
        ("G", "G", "G", "G"),
        ("f5", None, "F5", "F5"),
    ],
)
def test_a_key_is_written_as_people_write_it(key, character, said, plain) -> None:
    assert shown_key(key, character) == said
    assert shown_key(key, character, ascii_only=True) == plain


@pytest.mark.parametrize("cells", [4, 10, 39, 40, 60])
def test_many_keys_take_no_more_room_than_there_is(cells: int) -> None:
    made = drawn(
        [("a", "a"), ("b", "PgDn"), ("c", "Shift+Tab"), ("x", "x")], cells, {"x": "Drop it"}
    )
    assert width(made) <= max(cells, 6)
    assert "x" in "".join(span.text for span in made)


@pytest.mark.parametrize("key", ["N", "b"])
async def test_an_empty_screen_until_any_key_or_click(key: str) -> None:
    app = lesson()
    async with running(app) as pilot:
        await at_the_end(pilot, app)
        index = app.session.cursor.index
        await pilot.press(key)
        await pilot.pause()
        assert isinstance(app.screen, BlankScreen)
        await pilot.press("pageup")  # a clicker's: it only brings the screen back
        await pilot.pause()
        assert not isinstance(app.screen, BlankScreen)
        assert app.session.cursor.index == index
        await pilot.press(key)
        await pilot.pause()
        await pilot.click()
        await pilot.pause()
        assert not isinstance(app.screen, BlankScreen)


async def test_a_clickers_keys() -> None:
    """Forward, back, start and Esc, as presenters send them."""
    app = lesson()
    async with running(app, (80, 24)) as pilot:
        await pilot.press("home")
        start = app.session.cursor.index
        await pilot.press("pagedown", "pagedown", "pageup")
        assert app.session.cursor.index == start + 1
        await pilot.press("f5")
        assert len(screen(app).plan.panes) == 1
        await pilot.press("f5")
        assert len(screen(app).plan.panes) > 1
        await pilot.press("f5", "escape")
        assert len(screen(app).plan.panes) > 1


async def test_titles_are_clicked_for_their_panes_and_twice_for_the_whole_screen() -> None:
    app = lesson()
    async with running(app, (60, 24)) as pilot:  # the diagram and the chart take turns
        await pilot.press("3")
        main = screen(app)
        title = text(app, "chart").splitlines()[0]
        await pilot.click("#chart", offset=(title.index("2 States") + 1, 0))
        assert main.active is Pane.DIAGRAM
        await pilot.click("#diagram", offset=(3, 0), times=2)
        assert set(main.plan.panes) == {Pane.DIAGRAM}
        title = text(app, "diagram").splitlines()[0]
        await pilot.click("#diagram", offset=(title.index("z: all") + 1, 0))
        assert len(main.plan.panes) > 1


async def test_the_menu_is_in_the_bottom_line_at_every_size() -> None:
    for size in ((40, 12), (80, 24), (120, 40)):
        app = lesson()
        async with running(app, size) as pilot:
            line = text(app, "keys")
            assert "? help" in line
            assert "q quit" in line
            await pilot.click("#keys", offset=(line.index(": menu") + 2, 0))
            await pilot.pause()
            assert len(app.screen_stack) == 2


@pytest.mark.parametrize("opened", ["question_mark", "N"])
async def test_two_quick_keys_close_one_screen_and_nothing_else(opened: str) -> None:
    app = lesson()
    async with running(app) as pilot:
        await pilot.press(opened)
        await pilot.pause()
        assert len(app.screen_stack) == 2
        app.simulate_key("escape")
        app.simulate_key("escape")
        app.simulate_key("escape")
        await pilot.pause()
        await settle(pilot, lambda: len(app.screen_stack) == 1)
        assert app.is_running
