"""The tall figure, 50 by 27 cells, for a pane beside the chart: framed boxes, short labels."""

from __future__ import annotations

from tcpviz.core.states import State
from tcpviz.views.layouts import Box, Figure, Label, Place, Way

_TO_CLOSED = ((49, 1), (32, 1))

TALL = Figure(
    name="tall",
    width=50,
    height=27,
    short_names=True,
    boxes=(
        Box(State.CLOSED, 17, 0, 15, 4, "no connection"),
        Box(State.SYN_SENT, 2, 4, 14, 3),
        Box(State.LISTEN, 34, 4, 14, 3),
        Box(State.ESTABLISHED, 16, 10, 15, 3),
        Box(State.SYN_RECEIVED, 34, 10, 14, 3),
        Box(State.FIN_WAIT_1, 1, 15, 14, 3),
        Box(State.CLOSE_WAIT, 34, 15, 14, 3),
        Box(State.FIN_WAIT_2, 1, 20, 14, 3),
        Box(State.CLOSING, 18, 20, 13, 3),
        Box(State.LAST_ACK, 34, 20, 14, 3),
        Box(State.TIME_WAIT, 18, 24, 13, 3),
    ),
    ways=(
        Way(State.CLOSED, State.LISTEN, ((32, 2), (36, 2), (36, 3))),
        Way(State.LISTEN, State.CLOSED, ((48, 5), (49, 5), *_TO_CLOSED)),
        Way(State.CLOSED, State.SYN_SENT, ((16, 1), (6, 1), (6, 3))),
        Way(State.SYN_SENT, State.CLOSED, ((11, 3), (11, 2), (16, 2))),
        Way(State.LISTEN, State.SYN_SENT, ((33, 5), (16, 5))),
        Way(State.LISTEN, State.SYN_RECEIVED, ((37, 7), (37, 9))),
        Way(State.SYN_RECEIVED, State.LISTEN, ((46, 9), (46, 7))),
        Way(State.SYN_SENT, State.SYN_RECEIVED, ((13, 7), (35, 7), (35, 9))),
        Way(State.SYN_SENT, State.ESTABLISHED, ((6, 7), (6, 11), (15, 11))),
        Way(State.SYN_RECEIVED, State.ESTABLISHED, ((33, 11), (31, 11))),
        Way(State.SYN_RECEIVED, State.FIN_WAIT_1, ((38, 13), (19, 13), (19, 16), (15, 16))),
        Way(State.ESTABLISHED, State.FIN_WAIT_1, ((19, 13), (19, 16), (15, 16))),
        Way(State.ESTABLISHED, State.CLOSE_WAIT, ((28, 13), (28, 16), (33, 16))),
        Way(State.FIN_WAIT_1, State.FIN_WAIT_2, ((3, 18), (3, 19))),
        Way(State.FIN_WAIT_1, State.CLOSING, ((12, 18), (24, 18), (24, 19))),
        Way(State.FIN_WAIT_2, State.TIME_WAIT, ((3, 23), (3, 25), (17, 25))),
        Way(State.CLOSING, State.TIME_WAIT, ((24, 23),)),
        Way(State.CLOSE_WAIT, State.LAST_ACK, ((40, 18), (40, 19))),
        Way(State.LAST_ACK, State.CLOSED, ((48, 21), (49, 21), *_TO_CLOSED)),
        Way(State.TIME_WAIT, State.CLOSED, ((31, 25), (49, 25), *_TO_CLOSED)),
        Way(State.FIN_WAIT_1, State.TIME_WAIT, ((15, 16), (16, 16), (16, 25), (17, 25)), shy=True),
        Way(State.ESTABLISHED, State.CLOSED, ((19, 9), (19, 4)), shy=True),
        Way(State.SYN_RECEIVED, State.CLOSED, ((48, 11), (49, 11), *_TO_CLOSED), shy=True),
        Way(State.SYN_RECEIVED, State.CLOSE_WAIT, ((43, 13), (43, 14)), shy=True),
        Way(State.CLOSE_WAIT, State.CLOSED, ((48, 16), (49, 16), *_TO_CLOSED), shy=True),
        Way(State.FIN_WAIT_1, State.CLOSED, ((0, 16), (0, 1), (16, 1)), shy=True),
        Way(State.FIN_WAIT_2, State.CLOSED, ((0, 21), (0, 1), (16, 1)), shy=True),
    ),
    labels=(
        Label(State.CLOSED, State.SYN_SENT, 0, 0, short=True),
        Label(State.SYN_SENT, State.CLOSED, 12, 3, short=True),
        Label(State.CLOSED, State.LISTEN, 38, 2, lines=2, short=True),
        Label(State.LISTEN, State.SYN_SENT, 20, 4, short=True),
        Label(State.LISTEN, State.SYN_RECEIVED, 39, 7, lines=2, short=True),
        Label(State.SYN_RECEIVED, State.LISTEN, 43, 9, short=True),
        Label(State.SYN_SENT, State.SYN_RECEIVED, 21, 8, short=True),
        Label(State.SYN_SENT, State.ESTABLISHED, 2, 12, short=True),
        Label(State.SYN_RECEIVED, State.ESTABLISHED, 31, 10, short=True),
        Label(State.ESTABLISHED, State.FIN_WAIT_1, 6, 14, short=True),
        Label(State.ESTABLISHED, State.CLOSE_WAIT, 30, 14, short=True),
        Label(State.FIN_WAIT_1, State.FIN_WAIT_2, 5, 19, short=True),
        Label(State.FIN_WAIT_1, State.CLOSING, 17, 17, short=True),
        Label(State.FIN_WAIT_2, State.TIME_WAIT, 5, 24, short=True),
        Label(State.CLOSING, State.TIME_WAIT, 26, 23, short=True),
        Label(State.CLOSE_WAIT, State.LAST_ACK, 28, 18, short=True),
        Label(State.LAST_ACK, State.CLOSED, 38, 23, short=True),
        Label(State.TIME_WAIT, State.CLOSED, 33, 24, short=True),
    ),
    merges=(
        frozenset(
            {
                (State.LAST_ACK, State.CLOSED),
                (State.TIME_WAIT, State.CLOSED),
                (State.LISTEN, State.CLOSED),
            }
        ),
        frozenset({(State.SYN_RECEIVED, State.FIN_WAIT_1), (State.ESTABLISHED, State.FIN_WAIT_1)}),
    ),
    crossings=frozenset({(28, 13)}),
    captions=(Place(32, 26, 18, 1),),
)
