"""The medium figure, 76 by 21 cells: framed boxes, short labels."""

from __future__ import annotations

from tcpviz.core.states import State
from tcpviz.views.layouts import Box, Figure, Label, Place, Remark, Way

_TO_CLOSED = ((75, 1), (44, 1))

MEDIUM = Figure(
    name="medium",
    width=76,
    height=21,
    boxes=(
        Box(State.CLOSED, 29, 0, 15, 4, "no connection"),
        Box(State.SYN_SENT, 2, 4, 16, 3),
        Box(State.LISTEN, 53, 4, 16, 3),
        Box(State.ESTABLISHED, 27, 9, 19, 3),
        Box(State.SYN_RECEIVED, 53, 9, 16, 3),
        Box(State.FIN_WAIT_1, 1, 14, 15, 3),
        Box(State.CLOSING, 27, 14, 13, 3),
        Box(State.CLOSE_WAIT, 44, 14, 14, 3),
        Box(State.LAST_ACK, 62, 14, 12, 3),
        Box(State.FIN_WAIT_2, 1, 18, 15, 3),
        Box(State.TIME_WAIT, 27, 18, 13, 3),
    ),
    ways=(
        Way(State.CLOSED, State.LISTEN, ((44, 2), (58, 2), (58, 3))),
        Way(State.LISTEN, State.CLOSED, ((69, 5), (75, 5), *_TO_CLOSED)),
        Way(State.CLOSED, State.SYN_SENT, ((28, 1), (7, 1), (7, 3))),
        Way(State.SYN_SENT, State.CLOSED, ((14, 3), (14, 2), (28, 2))),
        Way(State.LISTEN, State.SYN_SENT, ((52, 5), (18, 5))),
        Way(State.LISTEN, State.SYN_RECEIVED, ((57, 7), (57, 8))),
        Way(State.SYN_RECEIVED, State.LISTEN, ((67, 8), (67, 7))),
        Way(State.SYN_SENT, State.SYN_RECEIVED, ((15, 7), (55, 7), (55, 8))),
        Way(State.SYN_SENT, State.ESTABLISHED, ((7, 7), (7, 10), (26, 10))),
        Way(State.SYN_RECEIVED, State.ESTABLISHED, ((52, 10), (46, 10))),
        Way(State.SYN_RECEIVED, State.FIN_WAIT_1, ((58, 12), (8, 12), (8, 13))),
        Way(State.ESTABLISHED, State.FIN_WAIT_1, ((30, 12), (8, 12), (8, 13))),
        Way(State.ESTABLISHED, State.CLOSE_WAIT, ((42, 12), (42, 15), (43, 15))),
        Way(State.FIN_WAIT_1, State.FIN_WAIT_2, ((4, 17),)),
        Way(State.FIN_WAIT_1, State.CLOSING, ((16, 15), (26, 15))),
        Way(State.FIN_WAIT_2, State.TIME_WAIT, ((16, 19), (26, 19))),
        Way(State.CLOSING, State.TIME_WAIT, ((33, 17),)),
        Way(State.CLOSE_WAIT, State.LAST_ACK, ((58, 15), (61, 15))),
        Way(State.LAST_ACK, State.CLOSED, ((74, 15), (75, 15), *_TO_CLOSED)),
        Way(State.TIME_WAIT, State.CLOSED, ((40, 19), (75, 19), *_TO_CLOSED)),
        Way(State.FIN_WAIT_1, State.TIME_WAIT, ((16, 15), (16, 19), (26, 19)), shy=True),
        Way(State.ESTABLISHED, State.CLOSED, ((42, 8), (42, 4)), shy=True),
        Way(State.SYN_RECEIVED, State.CLOSED, ((69, 10), (75, 10), *_TO_CLOSED), shy=True),
        Way(State.CLOSE_WAIT, State.CLOSED, ((55, 17), (55, 19), (75, 19), *_TO_CLOSED), shy=True),
        Way(State.FIN_WAIT_1, State.CLOSED, ((0, 15), (0, 1), (28, 1)), shy=True),
        Way(State.FIN_WAIT_2, State.CLOSED, ((0, 19), (0, 1), (28, 1)), shy=True),
    ),
    labels=(
        Label(State.CLOSED, State.SYN_SENT, 9, 0, short=True),
        Label(State.SYN_SENT, State.CLOSED, 16, 3, short=True),
        Label(State.CLOSED, State.LISTEN, 60, 3, short=True),
        Label(State.LISTEN, State.CLOSED, 70, 4, short=True),
        Label(State.LISTEN, State.SYN_SENT, 30, 4, short=True),
        Label(State.LISTEN, State.SYN_RECEIVED, 60, 7, lines=2, short=True),
        Label(State.SYN_RECEIVED, State.LISTEN, 69, 8, short=True),
        Label(State.SYN_SENT, State.SYN_RECEIVED, 28, 6, short=True),
        Label(State.SYN_SENT, State.ESTABLISHED, 10, 9, short=True),
        Label(State.SYN_RECEIVED, State.ESTABLISHED, 48, 9, short=True),
        Label(State.ESTABLISHED, State.FIN_WAIT_1, 11, 13, short=True),
        Label(State.ESTABLISHED, State.CLOSE_WAIT, 44, 13, short=True),
        Label(State.FIN_WAIT_1, State.FIN_WAIT_2, 6, 17, short=True),
        Label(State.FIN_WAIT_1, State.CLOSING, 17, 14, short=True),
        Label(State.FIN_WAIT_2, State.TIME_WAIT, 17, 18, short=True),
        Label(State.CLOSING, State.TIME_WAIT, 35, 17, short=True),
        Label(State.CLOSE_WAIT, State.LAST_ACK, 56, 13, short=True),
        Label(State.LAST_ACK, State.CLOSED, 64, 17, short=True),
        Label(State.TIME_WAIT, State.CLOSED, 42, 18, short=True),
    ),
    remarks=(Remark(26, 13, "active close"), Remark(48, 17, "passive close")),
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
    crossings=frozenset({(42, 12)}),
    captions=(Place(42, 20, 34, 1),),
)
