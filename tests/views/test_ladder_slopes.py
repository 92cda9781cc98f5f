"""Slopes: a line falls evenly, from the height where one row ends to that where the next begins."""

from hypothesis import given
from hypothesis import strategies as st

from tcpviz.views.ladder_canvas import ascii_text
from tcpviz.views.ladder_slopes import LEVELS, crossing, heights, stroke


@given(st.integers(1, 80), st.booleans())
def test_a_line_never_rises_and_uses_the_whole_row(count, right):
    cells = heights(count, 0.0, 1.0, right=right)
    drawn = [stroke(height) for height in cells]
    if count > 1:
        levels = [LEVELS.index(char) for char in drawn]
        assert levels == sorted(levels)
        assert levels[0] + levels[-1] == len(LEVELS) - 1
    else:
        assert drawn == ["╲" if right else "╱"]


@given(st.integers(2, 80))
def test_two_lines_the_other_way_round_cross_once(count):
    down = heights(count, 0.0, 1.0, right=True)
    back = list(reversed(heights(count, 0.0, 1.0, right=False)))
    assert sum(crossing(a, b) for a, b in zip(down, back, strict=True)) == 1
    assert not any(crossing(a, a) for a in down)


def test_in_ascii_too_it_falls():
    drawn = "".join(stroke(height) for height in heights(10, 0.0, 1.0, right=True))
    assert ascii_text(drawn) == "''----..__"
