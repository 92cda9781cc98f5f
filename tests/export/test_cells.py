"""A screen as a picture: every cell is there once, words as text, lines as lines that join."""

from __future__ import annotations

import shutil
import subprocess
import unicodedata
from xml.etree import ElementTree

import pytest

from tcpviz.export.cells import HIGH, WIDE, Run, document
from tcpviz.views.linework import glyph, strokes_of

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*rows: str) -> ElementTree.Element:
    return ElementTree.fromstring(document([[Run(row, "#aaaaaa")] for row in rows], "#000000"))


def paths(tree: ElementTree.Element) -> list[str]:
    return [each.get("d", "") for each in tree.iter(f"{SVG}path")]


def test_words_stand_in_their_cells_with_their_length():
    tree = drawn("a bc  d 中文 x")
    found = [(t.text, t.get("x"), t.get("textLength")) for t in tree.iter(f"{SVG}text")]
    assert found == [
        ("a bc", "12", str(4 * WIDE)),
        ("d 中文 x", str(12 + 6 * WIDE), str(8 * WIDE)),
    ]


def test_a_box_is_lines_that_join_across_rows_and_cells():
    tree = drawn("┌─┐", "│ │", "└─┘")
    (path,) = paths(tree)
    left, top = 12 + WIDE / 2, 12 + HIGH / 2
    assert f"M{left:g} {top:g}V{top + 2 * HIGH:g}" in path
    assert f"M{left:g} {top:g}H{left + 2 * WIDE:g}" in path
    assert path.count("M") == 4
    assert not list(tree.iter(f"{SVG}text"))


def test_grounds_of_one_colour_are_one():
    row = [Run("ab", "#ffffff", "#111111"), Run("c", "#aaaaaa", "#111111"), Run("d", "#ffffff")]
    tree = ElementTree.fromstring(document([row], "#000000"))
    rects = [(r.get("x"), r.get("width")) for r in tree.iter(f"{SVG}rect")][1:]
    assert rects == [("12", str(3 * WIDE))]


def test_what_is_hostile_stays_text():
    assert "<b>&\"'" in [text.text for text in drawn("<b>&\"'").iter(f"{SVG}text")]


@pytest.mark.parametrize("code", range(0x2500, 0x2580))
def test_every_box_drawing_character_is_known_by_its_arms(code):
    char = chr(code)
    strokes = strokes_of(char)
    if "DIAGONAL" in unicodedata.name(char):
        assert strokes is None
        return
    assert strokes is not None
    arms, kind = strokes
    if sum(map(bool, arms)) > 1 and kind != "dots" and "TRIPLE" not in unicodedata.name(char):
        again = glyph(arms, rounded=kind == "arc", dashed=kind == "dash")
        if char not in "╼╽╾╿":
            assert again == char


@pytest.mark.skipif(shutil.which("rsvg-convert") is None, reason="rsvg-convert is not installed")
def test_a_renderer_takes_everything_that_is_drawn():
    rows = ["╔═╗╭╮┏━┓", "║ ║╰╯┃╎┃", "▶◀▲▼▸▾●○◆◇◉✖×╱╲╳⎺⎻⎼⎽", "▁▂▃█▌▐▀░▒▓⣿⠁", "⇒⇐⇑⇓"]
    svg = document([[Run(row, "#fff", "#123456", bold=True)] for row in rows], "#000", window="x")
    png = subprocess.run(["rsvg-convert"], input=svg.encode(), capture_output=True, check=True)
    assert png.stdout.startswith(b"\x89PNG")
