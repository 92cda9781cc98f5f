"""The bar of a file that is being read."""

from __future__ import annotations

import pytest

from tcpviz.views.progress import Progress, bar
from tcpviz.views.spans import Line, width

HALF = Progress(50_000_000, 100_000_000, 2.5e7, 12_345)


def text(line: Line) -> str:
    return "".join(span.text for span in line)


@pytest.mark.parametrize("cells", [20, 40, 80, 120, 200])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_it_is_exactly_as_wide_as_there_is_room(cells: int, ascii_only: bool) -> None:
    line = bar(HALF, cells, ascii_only=ascii_only)
    assert width(line) == cells
    assert "50 MB of 100 MB"[: cells - 2] in text(line)
    if ascii_only:
        assert text(line).isascii()


def test_half_of_it_is_half_of_the_bar() -> None:
    drawn = text(bar(HALF, 120))
    assert abs(drawn.count("█") - drawn.count("░")) <= 1
    assert "12.3k connections so far" in drawn
    assert "25 MB/s" in drawn


def test_at_the_end_of_a_growing_file_it_says_that_it_waits() -> None:
    waits = Progress(1000, 1000, 5.0, 3, waiting=True, on_disk=2_000_000)
    assert (
        text(bar(waits, 120))
        .strip()
        .endswith("all 1 kB read, waiting for more, 3 connections so far, columns: 2 MB on disk")
    )


def test_nothing_is_known_of_how_long_it_will_be() -> None:
    assert "█" not in text(bar(Progress(0, 0, 0.0, 0), 80))
