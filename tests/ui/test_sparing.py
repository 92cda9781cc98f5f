"""Few bytes to the terminal: what is left out must not be seen."""

from __future__ import annotations

import itertools
import random

import pyte
import pytest
from rich.color import ColorSystem
from rich.style import Style
from textual.geometry import Region

from tcpviz.ui.lines import BLANK, Row, changes
from tcpviz.ui.sparing import SparingCompositor, _codes, step
from tcpviz.views.spans import Span
from tests.ui.test_app import capture_file, running

STYLES = [
    Style.parse(words)
    for words in (
        "none", "bold", "red", "bright_blue on black", "#e4e4e4 on #121212",
        "bold #e4e4e4 on #121212", "#fbd531 on #121212", "italic reverse #010203",
        "on #262626", "color(200) on color(17)", "default on default", "underline red on #121212",
    )
]  # fmt: skip


def seen(text: str) -> object:
    """How a terminal shows what comes last."""
    screen = pyte.Screen(10, 1)
    pyte.Stream(screen).feed(text + "x")
    return screen.buffer[0][screen.cursor.x - 1]


@pytest.mark.parametrize("system", list(ColorSystem)[:4])
def test_from_every_style_to_every_other_the_terminal_comes_to_the_same(system):
    codes = [_codes(style, system) for style in STYLES]
    sizes = 0, 0
    for before, after in itertools.product(codes, codes):
        if before == after:
            continue
        begin = f"\x1b[{before}m" if before else ""
        short, whole = step(before, after), f"\x1b[0m\x1b[{after}m"
        assert seen(begin + short) == seen(whole), (before, after)
        sizes = sizes[0] + len(short), sizes[1] + len(whole)
    assert sizes[0] < sizes[1]


def row(*texts: str) -> Row:
    return Row(tuple(Span(text, role) for text, role in zip(texts, "abcdef", strict=False)))


def test_only_the_cells_that_differ_are_told():
    assert changes(row("same 1 same"), row("same 2 same"), 20) == [(5, 6)]
    far = " " * 40
    assert changes(row(f"1{far}1"), row(f"2{far}2"), 60) == [(0, 1), (41, 42)]
    assert changes(row("1  1"), row("2  2"), 60) == [(0, 4)]  # near each other: at once
    assert changes(row("long"), BLANK, 10) == [(0, 4)]
    assert changes(row("ab", "cd"), row("abc", "d"), 4) == [(2, 3)]  # only the role is other
    # Where a character may take two cells, and where the ground changes: all of it.
    assert changes(row("漢1"), row("漢2"), 10) == [(0, 10)]
    assert changes(row("1"), Row(row("1").line, "selected"), 10) == [(0, 10)]


@pytest.mark.parametrize("opened", [(), ("slash", "8"), ("!",)])
async def test_any_part_of_the_screen_is_written_as_all_of_it_would_be(opened):
    app = capture_file()
    async with running(app) as pilot:
        app.pressed.turn()
        await pilot.press(*opened)
        await pilot.pause()
        compositor = app.screen._compositor
        assert isinstance(compositor, SparingCompositor)
        whole = compositor.render_full_update().render_segments(app.console)
        width, height = app.size
        wanted = pyte.Screen(width, height)
        pyte.Stream(wanted).feed(whole)
        dice = random.Random(7)
        for _ in range(12):
            parts = set()
            for _ in range(dice.randrange(1, 9)):
                x, y = dice.randrange(width), dice.randrange(height)
                size = dice.randrange(1, width - x + 1), dice.randrange(1, min(height - y, 4) + 1)
                parts.add(Region(x, y, *size))
            compositor._dirty_regions.update(parts)
            update = compositor.render_partial_update()
            seen = pyte.Screen(width, height)
            pyte.Stream(seen).feed(update.render_segments(app.console))
            for y in range(height):
                for x in range(width):
                    inside = any(part.contains(x, y) for part in parts)
                    cell = wanted.buffer[y][x] if inside else seen.default_char
                    assert seen.buffer[y][x] == cell, (x, y, inside)
        assert compositor.render_partial_update() is None
