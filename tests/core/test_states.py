"""The table: all of RFC 9293's moves, none twice, and nothing that leads nowhere."""

from __future__ import annotations

from collections import Counter

import pytest

from tcpviz.core.states import SYNCHRONIZED, TRANSITIONS, Event, Opened, State, find

S, E = State, Event

# RFC 9293 figure 5, transcribed from the drawing, arrow by arrow.
FIGURE = {
    (S.CLOSED, S.LISTEN),
    (S.CLOSED, S.SYN_SENT),
    (S.LISTEN, S.CLOSED),
    (S.LISTEN, S.SYN_RECEIVED),
    (S.LISTEN, S.SYN_SENT),
    (S.SYN_RECEIVED, S.LISTEN),
    (S.SYN_RECEIVED, S.ESTABLISHED),
    (S.SYN_RECEIVED, S.FIN_WAIT_1),
    (S.SYN_SENT, S.CLOSED),
    (S.SYN_SENT, S.SYN_RECEIVED),
    (S.SYN_SENT, S.ESTABLISHED),
    (S.ESTABLISHED, S.FIN_WAIT_1),
    (S.ESTABLISHED, S.CLOSE_WAIT),
    (S.FIN_WAIT_1, S.FIN_WAIT_2),
    (S.FIN_WAIT_1, S.CLOSING),
    (S.FIN_WAIT_2, S.TIME_WAIT),
    (S.CLOSING, S.TIME_WAIT),
    (S.CLOSE_WAIT, S.LAST_ACK),
    (S.LAST_ACK, S.CLOSED),
    (S.TIME_WAIT, S.CLOSED),
}


def test_the_figure_is_drawn_arrow_by_arrow() -> None:
    assert {(row.before, row.after) for row in TRANSITIONS if row.figure} == FIGURE


def test_no_edge_stands_twice() -> None:
    seen = Counter((row.before, row.event, row.opened) for row in TRANSITIONS)
    assert [key for key, count in seen.items() if count > 1] == []


def test_rows_that_differ_by_opener_name_both_openers_apart() -> None:
    shared: dict[tuple[State, Event], list[Opened | None]] = {}
    for row in TRANSITIONS:
        shared.setdefault((row.before, row.event), []).append(row.opened)
    for key, openers in shared.items():
        if len(openers) > 1:
            assert set(openers) == {Opened.PASSIVE, Opened.ACTIVE}, key


@pytest.mark.parametrize("state", list(State))
def test_every_state_can_be_left_and_reached(state: State) -> None:
    assert any(row.before is state and row.after is not state for row in TRANSITIONS)
    assert any(row.after is state and row.before is not state for row in TRANSITIONS)


@pytest.mark.parametrize("state", sorted(State, key=str))
def test_every_state_but_closed_and_listen_answers_a_reset(state: State) -> None:
    row = find(state, E.RCV_RST)
    if state in (S.CLOSED, S.LISTEN):  # 3.10.7.1 and 3.10.7.2: a RST is ignored there
        assert row is None
    else:
        assert row is not None
        assert row.after in (S.CLOSED, S.LISTEN)


def test_every_synchronized_state_can_be_aborted_and_given_up() -> None:
    for state in SYNCHRONIZED:
        aborted = find(state, E.ABORT)
        assert aborted is not None
        assert aborted.after is S.CLOSED
        given_up = find(state, E.USER_TIMEOUT) or find(state, E.TIMEOUT_2MSL)
        assert given_up is not None
        assert given_up.after is S.CLOSED


def test_a_reset_in_syn_received_depends_on_who_opened() -> None:
    passive = find(S.SYN_RECEIVED, E.RCV_RST, Opened.PASSIVE)
    active = find(S.SYN_RECEIVED, E.RCV_RST, Opened.ACTIVE)
    assert passive is not None
    assert active is not None
    assert (passive.after, active.after) == (S.LISTEN, S.CLOSED)


def test_fin_with_the_ack_of_ours_skips_fin_wait_2() -> None:
    row = find(S.FIN_WAIT_1, E.RCV_FIN_AND_ACK_OF_FIN)
    assert row is not None
    assert row.after is S.TIME_WAIT
    assert not row.figure


def test_moves_that_do_not_exist_are_not_invented() -> None:
    assert find(S.CLOSED, E.RCV_FIN) is None
    assert find(S.TIME_WAIT, E.CLOSE) is None
    assert find(S.LISTEN, E.RCV_ACK_OF_FIN) is None


def test_each_row_names_its_section() -> None:
    for row in TRANSITIONS:
        assert row.section.startswith("3.10."), row
        assert row.label.startswith(row.event.value)
