"""Everything on the screen is reached by key, by menu and by mouse, in English and in Chinese."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from textual.command import CommandPalette

import tcpviz.ui
from tcpviz import words
from tcpviz.argument_values import THEMES
from tcpviz.ui.action import THEMES_TOLD, Action
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.help import help_lines
from tcpviz.ui.keys import ACTIONS
from tcpviz.ui.lines import LinesView
from tcpviz.ui.plan import Pane
from tcpviz.ui.screen import MainScreen
from tcpviz.ui.sheet import SheetScreen
from tcpviz.views.spans import plain_line, text_width
from tests.ui.fakes import FakeFeed, conversation, scenario
from tests.ui.test_app import QUIET, SLOW, running, screen, settle, text


def chinese(said: str) -> bool:
    return any("\u4e00" <= char <= "\u9fff" for char in said)


def sheets() -> Iterator[type[SheetScreen]]:
    """Every sheet that there is."""
    for module in pkgutil.iter_modules(tcpviz.ui.__path__):
        importlib.import_module(f"tcpviz.ui.{module.name}")
    found = [SheetScreen]
    while found:
        kind = found.pop()
        found += kind.__subclasses__()
        if kind is not SheetScreen and kind.__module__.startswith("tcpviz."):
            yield kind


@pytest.fixture
def in_chinese() -> Iterator[None]:
    words.use("zh")
    yield
    words.use("en")


def test_the_help_names_every_theme_and_the_hollow_marker() -> None:
    told = "\n".join(plain_line(one) for one in help_lines(300))
    assert len(THEMES_TOLD.split(", ")) == len(THEMES)
    assert THEMES_TOLD in told
    assert "○ ~ESTAB" in told


def test_the_help_shows_signs_in_the_words_of_the_screen() -> None:
    """What the legend explains must stand on the screen as the legend writes it."""
    words.use("zh")
    try:
        rows = [plain_line(one) for one in help_lines(300)]
        signs = [words._(each) for each in ("lost", "kernel", "real s", "data")]
    finally:
        words.use("en")
    for sign in signs:
        assert any(row.startswith(f"  {sign}  ") for row in rows), sign


@pytest.mark.parametrize("action", ACTIONS, ids=lambda one: one.name)
def test_each_action_is_done_by_its_keys_and_stands_in_the_help(action: Action) -> None:
    assert callable(getattr(MainScreen, f"action_{action.name}"))
    assert action.keys
    if action.name != "quit":
        bound = {b.action for b in MainScreen.BINDINGS if set(action.keys) <= set(b.key.split(","))}  # type: ignore[union-attr]
        assert action.name in bound
    told = "".join(plain_line(one) for one in help_lines(300))
    assert action.what in told
    assert action.shown in told
    assert action.shown_plain.isascii()


def test_no_key_does_two_things() -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert sorted(keys) == sorted(set(keys))


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_each_action_stands_in_the_menu(lang: str) -> None:
    app = TcpvizApp(FakeFeed(scenario()), pace=SLOW, behaviour=QUIET)
    async with running(app, (80, 24)):
        words.use(lang)
        listed = {one.title: one.help for one in app.get_system_commands(app.screen)}
        for action in ACTIONS:
            if action.name != "palette":
                help_ = listed[words._(action.title)]
                assert help_ == f"{words._(action.what)} ({action.shown})"
        assert len(listed) == len(ACTIONS) - 1  # no two of one name, in either language


@pytest.mark.parametrize("action", ACTIONS, ids=lambda one: one.name)
def test_each_action_is_told_in_chinese(in_chinese: None, action: Action) -> None:
    for said in (action.title, action.what, action.group):
        assert chinese(words._(said)), said
    if action.hint:
        assert chinese(words._(action.hint, "hint")), action.hint


@pytest.mark.parametrize("sheet", list(sheets()), ids=lambda one: one.__name__)
def test_each_sheet_is_told_in_chinese_too(in_chinese: None, sheet: type[SheetScreen]) -> None:
    assert chinese(words._(sheet.about))
    for action in sheet.actions:
        name = action.name.partition("(")[0]
        assert callable(getattr(sheet, f"action_{name}", None)), action.name
        assert chinese(words._(action.what)), action.what
        if action.hint:
            assert chinese(words._(action.hint, "hint")), action.hint


@pytest.mark.parametrize("lang", ["en", "zh"])
async def test_the_menu_by_the_mouse_alone(lang: str) -> None:
    app = TcpvizApp(FakeFeed(scenario()), pace=SLOW, behaviour=QUIET)
    async with running(app, (80, 24)) as pilot:
        words.use(lang)
        screen(app).redraw()
        await pilot.pause()
        line = text(app, "keys")
        word = ": menu" if lang == "en" else f": {words._('menu', 'hint')}"
        before = text_width(line[: line.index(word)])
        await pilot.click("#keys", offset=(before + 2, 0))
        await settle(pilot, lambda: len(app.screen_stack) == 2)
        found = app.screen.query_one("CommandList")
        await settle(pilot, lambda: found.option_count > 20)  # type: ignore[attr-defined]
        first = found.get_option_at_index(0)  # type: ignore[attr-defined]
        assert str(first.hit.text)
        await pilot.click("CommandList", offset=(5, 1))
        await settle(pilot, lambda: not isinstance(app.screen, CommandPalette))


async def test_each_hint_at_the_bottom_is_clicked() -> None:
    app = TcpvizApp(FakeFeed(scenario()), pace=SLOW, behaviour=QUIET)
    done: list[str] = []
    async with running(app, (120, 40)) as pilot:
        main = screen(app)

        async def noted(action: str, *rest: object) -> bool:
            done.append(action)
            return True

        main.run_action = noted  # type: ignore[method-assign, assignment]
        hints = list(main._lower.hints)
        assert len(hints) > 8
        for hint in hints:
            await pilot.click("#keys", offset=(hint.start, 0))
            await pilot.click("#keys", offset=(hint.end - 1, 0))
        assert done == [hint.action for hint in hints for _twice in range(2)]


async def test_rows_states_edges_and_the_time_line_are_clicked() -> None:
    """What is drawn in the panes answers to the mouse at the smallest usual size."""
    app = TcpvizApp(
        FakeFeed(*[conversation(n, 3) for n in range(2)], title="trace.pcapng"), behaviour=QUIET
    )
    async with running(app, (80, 24)) as pilot:
        main = screen(app)
        await pilot.click("#connections", offset=(10, 3))
        assert app.session.selected == 2
        await pilot.click("#connections", offset=(10, 2))
        assert app.session.selected == 1
        chart = main.query_one("#chart", LinesView)
        at = next(n for n, row in enumerate(chart.rows) if "FIN" in plain_line(row.line))
        await pilot.click("#chart", offset=(20, at))
        assert app.session.step is not None
        assert app.session.step.segment is not None
        assert app.session.step.segment.fin
        index = app.session.cursor.index
        await pilot.click("#scrubber", offset=(20, 0))
        assert app.session.cursor.index < index
        # On the diagram a state, and then an edge, is explained.
        diagram = main.query_one("#diagram", LinesView)
        rows = [plain_line(row.line) for row in diagram.rows]
        row = next(n for n, one in enumerate(rows) if "LAST-ACK" in one)
        await pilot.click("#diagram", offset=(rows[row].index("LAST-ACK") + 1, row))
        await settle(pilot, lambda: len(app.screen_stack) == 2)
        assert "LAST-ACK" in app.screen.heading  # type: ignore[attr-defined]
        await pilot.press("escape")
        edges = [
            (x, y - 1)
            for y in range(1, len(rows))
            for x in range(len(rows[y]))
            if rows[y][x] in "━─▶▼┃│"
        ]
        layout = importlib.import_module("tcpviz.views.diagram").layout_for(
            diagram.size.width, diagram.size.height - 1, app.looks.legend
        )
        x, y = next((x, y) for x, y in edges if layout.edge_at(x, y))
        await pilot.click("#diagram", offset=(x, y + 1))
        await settle(pilot, lambda: len(app.screen_stack) == 2)
        assert " to " in app.screen.heading  # type: ignore[attr-defined]
        await pilot.press("escape")
        assert main.views[Pane.DIAGRAM].selected is not None  # type: ignore[attr-defined]


async def test_a_sheets_own_actions_stand_in_its_menu_and_are_done_from_there() -> None:
    app = TcpvizApp(FakeFeed(scenario()), pace=SLOW, behaviour=QUIET)
    async with running(app, (80, 24)) as pilot:
        await pilot.press("end", "5")
        sheet = app.screen
        assert isinstance(sheet, SheetScreen)
        foot = sheet.query_one("#foot", LinesView)
        line = plain_line(foot.rows[0].line)
        await pilot.click("#foot", offset=(line.index(": menu") + 2, 0))
        await settle(pilot, lambda: len(app.screen_stack) == 3)
        await pilot.press(*"shorter")
        await settle(pilot, lambda: "CommandList" in str(app.screen.query("CommandList").nodes))
        own = [one.title for one in sheet.commands()]
        assert (
            "A shorter stretch of time, about the cursor (the mouse wheel: about the pointer)"
            in own
        )
        listed = list(app.get_system_commands(sheet))
        assert [one.title for one in listed[: len(own)]] == own
        await pilot.press("escape")
        before = sheet.window  # type: ignore[attr-defined]
        await listed[0].callback()  # type: ignore[misc]
        assert sheet.window != before  # type: ignore[attr-defined]
