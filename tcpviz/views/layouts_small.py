"""The small figure, 36 by 13 cells: boxes of one row, no labels."""

from __future__ import annotations

from tcpviz.core.states import State
from tcpviz.views.layouts import Box, Figure, Way

_TO_CLOSED = ((35, 0), (22, 0))

SMALL = Figure(
    name="small",
    width=36,
    height=13,
    short_names=True,
    boxes=(
        Box(State.CLOSED, 14, 0, 8, 1),
        Box(State.LISTEN, 17, 2, 8, 1),
        Box(State.SYN_SENT, 1, 4, 10, 1),
        Box(State.SYN_RECEIVED, 20, 4, 10, 1),
        Box(State.ESTABLISHED, 9, 6, 13, 1),
        Box(State.FIN_WAIT_1, 0, 8, 12, 1),
        Box(State.CLOSE_WAIT, 22, 8, 12, 1),
        Box(State.FIN_WAIT_2, 0, 10, 12, 1),
        Box(State.CLOSING, 13, 10, 9, 1),
        Box(State.LAST_ACK, 23, 10, 10, 1),
        Box(State.TIME_WAIT, 11, 12, 11, 1),
    ),
    ways=(
        Way(State.CLOSED, State.LISTEN, ((18, 1),)),
        Way(State.LISTEN, State.CLOSED, ((20, 1),)),
        Way(State.CLOSED, State.SYN_SENT, ((13, 0), (3, 0), (3, 3))),
        Way(State.SYN_SENT, State.CLOSED, ((3, 3), (3, 0), (13, 0))),
        Way(State.LISTEN, State.SYN_SENT, ((16, 2), (8, 2), (8, 3))),
        Way(State.LISTEN, State.SYN_RECEIVED, ((21, 3),)),
        Way(State.SYN_RECEIVED, State.LISTEN, ((23, 3),)),
        Way(State.SYN_SENT, State.SYN_RECEIVED, ((11, 4), (19, 4))),
        Way(State.SYN_SENT, State.ESTABLISHED, ((6, 5), (6, 6), (8, 6))),
        Way(State.SYN_RECEIVED, State.ESTABLISHED, ((25, 5), (25, 6), (22, 6))),
        Way(State.SYN_RECEIVED, State.FIN_WAIT_1, ((20, 5), (2, 5), (2, 7))),
        Way(State.ESTABLISHED, State.FIN_WAIT_1, ((10, 7),)),
        Way(State.ESTABLISHED, State.CLOSE_WAIT, ((20, 7), (20, 8), (21, 8))),
        Way(State.FIN_WAIT_1, State.CLOSING, ((12, 8), (16, 8), (16, 9))),
        Way(State.FIN_WAIT_1, State.FIN_WAIT_2, ((5, 9),)),
        Way(State.FIN_WAIT_2, State.TIME_WAIT, ((5, 11), (5, 12), (10, 12))),
        Way(State.CLOSING, State.TIME_WAIT, ((17, 11),)),
        Way(State.CLOSE_WAIT, State.LAST_ACK, ((28, 9),)),
        Way(State.LAST_ACK, State.CLOSED, ((33, 10), (35, 10), *_TO_CLOSED)),
        Way(State.TIME_WAIT, State.CLOSED, ((22, 12), (35, 12), *_TO_CLOSED)),
        Way(State.FIN_WAIT_1, State.TIME_WAIT, ((12, 8), (12, 11)), shy=True),
        Way(State.ESTABLISHED, State.CLOSED, ((15, 5), (15, 1)), shy=True),
        Way(State.SYN_RECEIVED, State.CLOSED, ((30, 4), (35, 4), *_TO_CLOSED), shy=True),
        Way(State.SYN_RECEIVED, State.CLOSE_WAIT, ((27, 5), (27, 7)), shy=True),
        Way(State.CLOSE_WAIT, State.CLOSED, ((34, 8), (35, 8), *_TO_CLOSED), shy=True),
    ),
    merges=(
        frozenset({(State.CLOSED, State.SYN_SENT), (State.SYN_SENT, State.CLOSED)}),
        frozenset({(State.LAST_ACK, State.CLOSED), (State.TIME_WAIT, State.CLOSED)}),
    ),
    crossings=frozenset({(6, 5)}),
)
