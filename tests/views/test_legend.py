"""The legend below the diagram, and what stands in it where there is little room."""

import pytest

from tcpviz.views.diagram import DiagramScene, draw, layout_for
from tcpviz.views.legend import ROWS, legend
from tcpviz.views.spans import plain, plain_line, width
from tcpviz.views.wrapping import wrap


def test_it_takes_the_rows_that_are_left_and_no_more():
    for rows in range(-1, 7):
        made = legend(76, rows)
        assert len(made) == min(max(rows, 0), ROWS)
    assert [plain_line(one) for one in legend(76, ROWS)] == [
        "",
        "══ just taken   ━━ client's way   ╍╍ server's   ── not taken",
        "● client   ◆ server   ○ ◇ inferred   ? nobody knows",
        "┃ ┃ an end is here   ╏ ╏ inferred   │ │ nobody",
    ]


@pytest.mark.parametrize("cells", [0, 5, 14, 30, 52])
def test_no_entry_is_cut(cells):
    whole = plain(legend(76, ROWS)).split()
    for one in legend(cells, ROWS):
        assert width(one) <= cells
        assert set(plain_line(one).split()) <= set(whole)
    assert all(plain_line(one).isascii() for one in legend(cells, ROWS, ascii_only=True))


def test_a_smaller_figure_makes_room_for_it_only_if_its_edges_have_words():
    assert layout_for(100, 37).figure.name == "large"
    assert layout_for(100, 37, wanted=True).figure.name == "medium"
    assert layout_for(52, 29, wanted=True).figure == layout_for(52, 29).figure
    drawn = plain(draw(layout_for(100, 37, wanted=True), DiagramScene()))
    assert "an end is here" in drawn


def test_what_is_cut_names_the_key_that_tells_the_rest():
    words = wrap(legend(76, 1)[0], 30, 1, "Enter")
    assert plain_line(words[0]).endswith("… Enter")
    assert width(words[0]) <= 30
    assert "Enter" not in plain_line(wrap(legend(76, 1)[0], 80, 1, "Enter")[0])
