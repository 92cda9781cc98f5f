"""Slopes: a line falls evenly, from the height where one row ends to that where the next begins."""

from hypothesis import given
from hypothesis import strategies as st

from tcpviz.views.ladder_canvas import ascii_text
from tcpviz.views.ladder_slopes import LEVELS, crossing, heights, stroke
from tests.views.test_ladder import C, S, connected, text


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


GOLDEN = """\
 -0.00220            ┊                         accept(fd 3) ┊┌
─────────────────────┼──────── handshake  ●●●  3/3 ─────────┼│──────────
 -0.00200           ┐┊ connect(10.0.0.2:80)                 ┊│
 0.000000  SYN-SENT │├─── SYN 0 ─⎼⎽                         ││ LISTEN?
                    ││             ⎺⎺⎺⎻⎻⎻────⎼⎼⎼⎽⎽⎽         ││
 0.001000           ││                             ⎺⎺⎺⎺⎻⎻⎻─▶││ SYN-RCVD
 0.003000           ││                  ⎽⎼─ SYN 0, ACK 1 ───┤│
                    ││      ⎽⎽⎼⎼⎼──⎻⎻⎻⎺⎺                    ││
 0.004000     ESTAB │┃◀⎻⎻⎻⎺⎺                                ││
 0.004200           ┘┃ = 0                                  ││
 0.006200            ┣─── ACK 1 ─⎼⎽                         ││
                     ┃             ⎺⎺⎺⎻⎻⎻────⎼⎼⎼⎽⎽⎽         ││
 0.007200            ┃                             ⎺⎺⎺⎺⎻⎻⎻─▶┃│ ESTAB
 0.007400            ┃                               = fd 5 ┃└
─────────────────────┼──────── teardown  ●●●○  3/4 ─────────┼───────────
 0.009400  FIN-WT-1  ┣─── FIN 1, ACK 1 ─⎼⎽                  ┃
                     ┃                    ⎺⎻─⎼⎽             ┃
 0.011400            ┃                  ⎽⎼─ FIN 1, ACK 2 ───┫  FIN-WT-1
                     ┃           ⎽⎼⎼─⎻⎻⎺            ⎺⎻─⎼⎽   ┃
 0.012400            ┃    ⎽⎼⎼─⎻⎻⎺                        ⎺⎻▶┃
 0.013400 TIME-WAIT  │◀⎻⎺⎺                                  ┃
"""


def test_the_whole_chart_as_it_is_seen() -> None:
    """A handshake, then two FINs that cross: the page that a class looks at."""
    world = connected()
    fin = world.segment(C, "FA")
    world.sent(fin)
    back = world.segment(S, "FA")
    world.sent(back)
    world.arrives(fin)
    world.arrives(back)
    chart = world.ladder()
    chart.adapt(72)
    assert "\n".join(line.rstrip() for line in text(chart, 72)) + "\n" == GOLDEN
