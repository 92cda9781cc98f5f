"""The gallery: every scene in every theme on one page that needs nothing else."""

from __future__ import annotations

import re

import pytest

from tcpviz.argument_values import THEMES
from tcpviz.core.states import State
from tcpviz.sources.feed import SourceError
from tcpviz.ui.gallery import STATES, write
from tcpviz.ui.looks import every
from tcpviz.ui.scenes import Scene, reaches
from tcpviz.ui.start import LOOKS

SCENE = Scene("A handshake", "handshake", reaches("server", State.ESTABLISHED), (80, 24))


def test_a_real_run_stands_there_in_every_theme(tmp_path):
    place = tmp_path / "page.html"
    assert write(place, scenes=(SCENE,)) == 0
    page = place.read_text("utf-8")
    assert page.count("<svg ") == len(LOOKS)
    assert re.findall("<figcaption>(.*?)</figcaption>", page) == list(LOOKS)
    assert page.count(">SYN-SENT<") >= len(LOOKS)
    assert "<script" not in page
    assert not re.search(r"""(src|href)=["'](?!#)""", page)
    assert list(tmp_path.iterdir()) == [place]


def test_a_scene_that_does_not_come_about_is_told_and_counted(tmp_path):
    place = tmp_path / "page.html"
    never = Scene("Never", "handshake", reaches("client", State.LAST_ACK))
    assert write(place, ("dark",), (never,)) == 1
    assert "no such step in handshake" in place.read_text("utf-8")


def test_the_command_line_takes_every_theme():
    assert tuple(LOOKS) == THEMES


def test_what_cannot_be_is_one_line(tmp_path):
    with pytest.raises(SourceError, match="no theme 'pink'"):
        write(tmp_path / "page.html", ("pink",))
    with pytest.raises(SourceError, match="cannot be written"):
        write(tmp_path / "no" / "page.html", ("dark",), (SCENE,))


def test_every_theme_can_be_asked_for_and_comes_round():
    assert tuple(looks.name for looks in every()) == LOOKS


def test_there_is_a_scene_for_every_screen():
    keys = {key for scene in STATES for key in scene.keys}
    assert {"4", "5", "0", "H", "C", "E", "e", "z", "T", "exclamation_mark"} <= keys
    assert {scene.teach for scene in STATES} == {"", "predict", "story"}
    assert {scene.size for scene in STATES} >= {(80, 24), (120, 40), (200, 60)}
    assert any(scene.ascii for scene in STATES)
    assert any(scene.lang == "zh" for scene in STATES)
