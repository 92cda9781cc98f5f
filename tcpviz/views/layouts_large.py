"""The large figure, 100 by 34 cells and two rows of captions: full labels and remarks."""

from __future__ import annotations

from tcpviz.core.states import State
from tcpviz.views.layouts import Box, Figure, Label, Remark, Way

_TO_CLOSED = ((99, 1), (53, 1))

LARGE = Figure(
    name="large",
    width=100,
    height=34,
    boxes=(
        Box(State.CLOSED, 34, 0, 19, 4, "no connection"),
        Box(State.SYN_SENT, 3, 6, 20, 3),
        Box(State.LISTEN, 69, 6, 18, 3),
        Box(State.ESTABLISHED, 34, 13, 19, 3),
        Box(State.SYN_RECEIVED, 69, 13, 20, 3),
        Box(State.FIN_WAIT_1, 3, 20, 20, 3),
        Box(State.CLOSE_WAIT, 69, 20, 20, 3),
        Box(State.FIN_WAIT_2, 3, 26, 20, 3),
        Box(State.CLOSING, 34, 26, 19, 3),
        Box(State.LAST_ACK, 69, 26, 20, 3),
        Box(State.TIME_WAIT, 34, 31, 19, 3),
    ),
    ways=(
        Way(State.CLOSED, State.LISTEN, ((53, 2), (77, 2), (77, 5))),
        Way(State.LISTEN, State.CLOSED, ((87, 7), (99, 7), *_TO_CLOSED)),
        Way(State.CLOSED, State.SYN_SENT, ((33, 1), (9, 1), (9, 5))),
        Way(State.SYN_SENT, State.CLOSED, ((18, 5), (18, 2), (33, 2))),
        Way(State.LISTEN, State.SYN_SENT, ((68, 7), (23, 7))),
        Way(State.LISTEN, State.SYN_RECEIVED, ((72, 9), (72, 12))),
        Way(State.SYN_RECEIVED, State.LISTEN, ((85, 12), (85, 9))),
        Way(State.SYN_SENT, State.SYN_RECEIVED, ((20, 9), (20, 11), (70, 11), (70, 12))),
        Way(State.SYN_SENT, State.ESTABLISHED, ((9, 9), (9, 14), (33, 14))),
        Way(State.SYN_RECEIVED, State.ESTABLISHED, ((68, 14), (53, 14))),
        Way(State.SYN_RECEIVED, State.FIN_WAIT_1, ((78, 16), (78, 17), (12, 17), (12, 19))),
        Way(State.ESTABLISHED, State.FIN_WAIT_1, ((37, 16), (37, 17), (12, 17), (12, 19))),
        Way(State.ESTABLISHED, State.CLOSE_WAIT, ((50, 16), (50, 21), (68, 21))),
        Way(State.FIN_WAIT_1, State.FIN_WAIT_2, ((12, 23), (12, 25))),
        Way(State.FIN_WAIT_1, State.CLOSING, ((23, 21), (43, 21), (43, 25))),
        Way(State.FIN_WAIT_2, State.TIME_WAIT, ((12, 29), (12, 32), (33, 32))),
        Way(State.CLOSING, State.TIME_WAIT, ((43, 29), (43, 30))),
        Way(State.CLOSE_WAIT, State.LAST_ACK, ((78, 23), (78, 25))),
        Way(State.LAST_ACK, State.CLOSED, ((89, 27), (99, 27), *_TO_CLOSED)),
        Way(State.TIME_WAIT, State.CLOSED, ((53, 32), (99, 32), *_TO_CLOSED)),
        Way(
            State.FIN_WAIT_1,
            State.TIME_WAIT,
            ((23, 21), (30, 21), (30, 29), (36, 29), (36, 30)),
            shy=True,
        ),
        Way(State.ESTABLISHED, State.CLOSED, ((51, 12), (51, 4)), shy=True),
        Way(State.SYN_RECEIVED, State.CLOSED, ((89, 14), (99, 14), *_TO_CLOSED), shy=True),
        Way(State.SYN_RECEIVED, State.CLOSE_WAIT, ((83, 16), (83, 19)), shy=True),
        Way(State.CLOSE_WAIT, State.CLOSED, ((89, 21), (99, 21), *_TO_CLOSED), shy=True),
        Way(State.FIN_WAIT_1, State.CLOSED, ((2, 21), (1, 21), (1, 1), (33, 1)), shy=True),
        Way(State.FIN_WAIT_2, State.CLOSED, ((2, 27), (1, 27), (1, 1), (33, 1)), shy=True),
    ),
    labels=(
        Label(State.CLOSED, State.SYN_SENT, 11, 0),
        Label(State.SYN_SENT, State.CLOSED, 20, 3, lines=2),
        Label(State.CLOSED, State.LISTEN, 79, 3, lines=2),
        Label(State.LISTEN, State.CLOSED, 88, 8, lines=2),
        Label(State.LISTEN, State.SYN_SENT, 30, 6),
        Label(State.LISTEN, State.SYN_RECEIVED, 74, 9, lines=2),
        Label(State.SYN_RECEIVED, State.LISTEN, 87, 11),
        Label(State.SYN_SENT, State.SYN_RECEIVED, 25, 10),
        Label(State.SYN_SENT, State.ESTABLISHED, 11, 13),
        Label(State.SYN_RECEIVED, State.ESTABLISHED, 54, 13),
        Label(State.SYN_RECEIVED, State.FIN_WAIT_1, 57, 16),
        Label(State.ESTABLISHED, State.FIN_WAIT_1, 17, 16),
        Label(State.ESTABLISHED, State.CLOSE_WAIT, 51, 20),
        Label(State.FIN_WAIT_1, State.FIN_WAIT_2, 14, 24),
        Label(State.FIN_WAIT_1, State.CLOSING, 25, 20),
        Label(State.FIN_WAIT_2, State.TIME_WAIT, 14, 31),
        Label(State.CLOSING, State.TIME_WAIT, 45, 29),
        Label(State.CLOSE_WAIT, State.LAST_ACK, 80, 24),
        Label(State.LAST_ACK, State.CLOSED, 90, 28, lines=2),
        Label(State.TIME_WAIT, State.CLOSED, 57, 31),
    ),
    remarks=(
        Remark(53, 10, "simultaneous open"),
        Remark(14, 18, "active close"),
        Remark(25, 22, "simultaneous close"),
        Remark(69, 18, "passive close"),
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
    crossings=frozenset({(50, 17)}),
)
