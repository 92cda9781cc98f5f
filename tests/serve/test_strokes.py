"""The font of four signs: tables where the directory says, signs where they belong."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tcpviz.serve.strokes import ASCENT, DESCENT, STROKES, _sum, font
from tcpviz.views.ladder_slopes import LEVELS


def tables(data: bytes) -> dict[bytes, bytes]:
    (many,) = struct.unpack(">H", data[4:6])
    found = {}
    for place in range(many):
        tag, total, at, size = struct.unpack(">4sIII", data[12 + 16 * place : 28 + 16 * place])
        assert at % 4 == 0
        found[tag] = data[at : at + size]
        if tag != b"head":  # whose own number is put in last
            assert _sum(found[tag]) == total, tag
    return found


def test_the_whole_file_adds_up() -> None:
    assert _sum(font()) == 0xB1B0AFBA
    found = tables(font())
    assert list(found) == sorted(found)
    assert struct.unpack(">H", found[b"maxp"][4:6]) == (5,)
    assert len(found[b"OS/2"]) == 96
    assert len(found[b"hhea"]) == 36


def test_each_of_the_charts_strokes_has_its_height() -> None:
    assert set(STROKES) == {ord(sign) for sign in LEVELS} - {ord("─")}
    found = tables(font())
    places = struct.unpack(">6I", found[b"loca"])
    assert places[:2] == (0, 0)  # nothing, for what is not there
    for number, share in enumerate(STROKES.values(), 1):
        glyph = found[b"glyf"][places[number] : places[number + 1]]
        _contours, _left, low, _right, high = struct.unpack(">5h", glyph[:10])
        assert (low + high) / 2 == pytest.approx(ASCENT - share * (ASCENT - DESCENT), abs=1)


@pytest.mark.skipif(shutil.which("fc-query") is None, reason="no fc-query here (fontconfig)")
def test_fontconfig_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "strokes.ttf"
    path.write_bytes(font())
    asked = ["fc-query", "--format", "%{charset} %{fontformat}", str(path)]
    assert subprocess.check_output(asked, text=True) == "23ba-23bd TrueType"
