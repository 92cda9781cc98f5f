"""Segments of former times, watched arriving: what they do to who gets them, and to nobody else.

Each was found by a random scenario on the lab's cable (tests/lab/test_random.py).
"""

from __future__ import annotations

import pytest

from tcpviz.core.claims import Certainty
from tcpviz.core.records import Moment, Rebooted, Side
from tcpviz.core.states import State
from tests.core.watching import (
    ACK,
    FIN,
    RST,
    SYN,
    A,
    B,
    at,
    closed,
    fed,
    listener,
    made,
    opened,
    passed,
    read,
    states,
    wrong,
)

OLD_SYN = at(Moment.ARRIVED, 80, made(10, A, SYN, 100))


def test_an_old_syn_begins_a_connection_at_the_listener_alone() -> None:
    """RFC 9293 section 3.5, figure 8, but its sender is in TIME-WAIT."""
    tracker, steps = fed(
        *closed(),
        read(70, State.TIME_WAIT, None, listener()),
        OLD_SYN,
        *passed(90, B, SYN | ACK, 900, 101),
        read(95, State.TIME_WAIT, State.SYN_RECEIVED, listener()),
        # TIME-WAIT answers with its own numbers, and that is answered with a RST.
        *passed(100, A, ACK, 102, 502),
        at(Moment.SENT, 110, made(110, B, RST, 502)),
        read(115, State.TIME_WAIT, State.SYN_RECEIVED, listener()),
    )
    assert not wrong(steps)
    assert states(tracker) == (State.TIME_WAIT, State.SYN_RECEIVED)
    assert states(tracker, 0) == (State.TIME_WAIT, State.CLOSED)
    assert tracker.tick(70_000_000_000)  # and both TIME-WAITs end
    assert states(tracker, 0)[0] is State.CLOSED


def test_the_oldest_syn_finds_the_latest_connection_as_it_is() -> None:
    """Three lives on: who is in TIME-WAIT then is whoever the latest connection left there."""
    again = [
        *passed(100, A, SYN, 1 << 24),
        *passed(110, B, SYN | ACK, 1 << 25, (1 << 24) + 1),
        *passed(120, A, ACK, (1 << 24) + 1, (1 << 25) + 1),
        *passed(130, B, FIN | ACK, (1 << 25) + 1, (1 << 24) + 1),
        *passed(140, A, FIN | ACK, (1 << 24) + 1, (1 << 25) + 2),
        *passed(150, B, ACK, (1 << 25) + 2, (1 << 24) + 2),
    ]
    tracker, steps = fed(
        *opened(),
        *passed(40, A, RST, 101),
        *again,
        read(160, None, State.TIME_WAIT, listener()),
        at(Moment.ARRIVED, 170, made(10, A, SYN, 100)),
        *passed(180, B, ACK, (1 << 25) + 2, (1 << 24) + 2),
        read(190, None, State.TIME_WAIT, listener()),
    )
    assert not wrong(steps)
    assert states(tracker) == (State.CLOSED, State.TIME_WAIT)
    assert len(tracker.connections) == 2


def test_a_listener_answers_another_syn_with_another_number() -> None:
    """After an old SYN was refuted, the true one comes: RFC 9293 section 3.5, figure 8 in full."""
    tracker, steps = fed(
        at(Moment.SENT, 1, made(1, A, SYN, 100)),
        read(2, State.SYN_SENT, None, listener()),
        at(Moment.ARRIVED, 3, made(0, A, SYN, 90, frame=99)),
        *passed(4, B, SYN | ACK, 500, 91),
        *passed(6, A, RST, 91),
        read(8, State.SYN_SENT, None, listener()),
        at(Moment.ARRIVED, 9, made(1, A, SYN, 100)),
        *passed(10, B, SYN | ACK, 800, 101),
        *passed(12, A, ACK, 101, 801),
        read(14, State.ESTABLISHED, State.ESTABLISHED, listener()),
    )
    assert not wrong(steps)
    assert states(tracker) == (State.ESTABLISHED, State.ESTABLISHED)


@pytest.mark.parametrize(
    ("seq", "ack", "value"),
    [
        (501 - 70_000, 101, 60),  # before everything that was received
        (501 + 70_000, 101, 60),  # beyond the window
        (501, 101 + 7, 60),  # acknowledges what was never sent
        (501, 101 - (1 << 21), 60),  # acknowledges what no window reaches back to
        (501, 101, 3),  # stale: PAWS
    ],
)
def test_a_fin_that_is_not_acceptable_closes_nothing(seq: int, ack: int, value: int) -> None:
    tracker, _ = fed(
        *opened(timestamps=(50, 50)),
        at(
            Moment.ARRIVED, 40, made(5, B, FIN | ACK, seq, ack & 0xFFFFFFFF, timestamps=(value, 50))
        ),
    )
    assert states(tracker)[0] is State.ESTABLISHED


@pytest.mark.parametrize(("echo", "state"), [(50, "ESTABLISHED"), (57, "SYN-RECEIVED")])
def test_an_ack_that_echoes_no_syn_ack_completes_no_handshake(echo: int, state: str) -> None:
    """tcp_check_req() in net/ipv4/tcp_minisocks.c: nor does the answer to a challenge ACK."""
    tracker, _ = fed(
        *opened(timestamps=(50, 50))[:4],
        *passed(30, A, ACK, 101, 501, timestamps=(60, echo)),
    )
    assert str(states(tracker)[1]) == state


def test_a_fin_without_ack_closes_nothing() -> None:
    tracker, _ = fed(*opened(), at(Moment.ARRIVED, 40, made(5, B, FIN, 501)))
    assert states(tracker)[0] is State.ESTABLISHED


def test_a_fin_whose_ack_does_not_fit_completes_no_handshake() -> None:
    tracker, _ = fed(*opened()[:4], at(Moment.ARRIVED, 40, made(30, A, FIN | ACK, 101, 900)))
    assert states(tracker)[1] is State.SYN_RECEIVED


@pytest.mark.parametrize("host", list(Side))
def test_a_reboot_ends_the_end_on_that_host_whoever_is_called_the_client(host: Side) -> None:
    """Of two that both sent a SYN, the one on the server's host came first."""
    left = (State.ESTABLISHED, None) if host is Side.SERVER else (None, State.ESTABLISHED)
    tracker, steps = fed(
        at(Moment.SENT, 1, made(1, B, SYN, 500)),
        read(2, None, State.SYN_SENT),
        at(Moment.SENT, 3, made(3, A, SYN, 100)),
        at(Moment.ARRIVED, 4, made(1, B, SYN, 500)),
        at(Moment.ARRIVED, 5, made(3, A, SYN, 100)),
        *passed(6, A, SYN | ACK, 100, 501),
        *passed(8, B, SYN | ACK, 500, 101),
        read(10, State.ESTABLISHED, State.ESTABLISHED),
        Rebooted(11, host),
        read(12, *left),
    )
    assert tracker.connections[1].client.endpoint == B
    assert not wrong(steps)


def test_who_takes_no_reset_in_time_wait_is_told_by_its_kernel_alone() -> None:
    """RFC 1337: net.ipv4.tcp_rfc1337. Before that, the claim is no more than inferred."""
    reset = [*passed(70, B, RST, 502)]
    tracker, steps = fed(*closed(), *reset)
    (one,) = tracker.connections.values()
    assert one.client.state is State.CLOSED
    assert one.client.claim.certainty is Certainty.INFERRED
    more = [
        step
        for record in [read(80, State.TIME_WAIT, None, listener())]
        for step in tracker.feed(record)
    ]
    assert not wrong([*steps, *more])
    assert (one.client.state, one.client.claim.certainty) == (State.TIME_WAIT, Certainty.SEEN)
    assert one.reset_by is None
    for record in passed(90, B, RST, 502):
        tracker.feed(record)
    assert one.client.state is State.TIME_WAIT  # it is known now


@pytest.mark.parametrize("told", [True, False])
def test_a_listener_whose_program_was_killed_is_told_by_the_kernel_alone(told: bool) -> None:
    before = read(70, State.SYN_SENT, None, listener()) if told else read(70, State.SYN_SENT, None)
    tracker, steps = fed(
        read(1, None, None, listener()),
        at(Moment.SENT, 10, made(10, A, SYN, 100)),
        before,
        read(80, State.SYN_SENT, None, listener(None)),
    )
    assert not wrong(steps)
    assert states(tracker)[1] is State.CLOSED


def test_what_an_old_syn_began_meets_its_sender_in_the_numbers_of_the_former_connection() -> None:
    """Its answer, and the reset that follows, are of the old numbers; the reset still counts."""
    tracker, steps = fed(
        *opened(),
        Rebooted(40, Side.SERVER),
        read(70, State.ESTABLISHED, None, listener()),
        OLD_SYN,
        *passed(90, B, SYN | ACK, 1 << 28, 101),
        *passed(100, A, ACK, 101, 501),
        *passed(110, B, RST, 501),
        read(120, State.CLOSED, State.SYN_RECEIVED, listener()),
    )
    assert not wrong(steps)
    assert states(tracker) == (State.CLOSED, State.SYN_RECEIVED)


def test_that_time_wait_took_no_reset_is_told_also_while_another_syn_knocks() -> None:
    syn = made(65, A, SYN, 50)
    tracker, steps = fed(
        *closed()[:6],
        *passed(40, B, FIN | ACK, 501, 101),
        *passed(50, A, FIN | ACK, 101, 502),
        *passed(60, B, ACK, 502, 102),
        read(62, None, State.TIME_WAIT),
        at(Moment.SENT, 65, syn),
        *passed(70, A, RST, 102),
        read(80, State.SYN_SENT, State.TIME_WAIT),
        at(Moment.ARRIVED, 90, syn),
        read(95, State.SYN_SENT, State.TIME_WAIT),
    )
    assert not wrong(steps)
    assert states(tracker, 0) == (State.CLOSED, State.TIME_WAIT)
    assert states(tracker)[0] is State.SYN_SENT


def test_an_old_syn_meets_the_listener_to_which_a_new_one_is_on_its_way() -> None:
    """The new SYN died; the old one is refuted by its sender in SYN-SENT (figure 8)."""
    tracker, steps = fed(
        *opened(),
        *passed(40, A, RST, 101),
        read(50, None, None, listener()),
        at(Moment.SENT, 60, made(60, A, SYN, 1 << 24)),
        OLD_SYN,
        *passed(90, B, SYN | ACK, 1 << 28, 101),
        read(95, State.SYN_SENT, State.SYN_RECEIVED, listener()),
        *passed(100, A, RST, 101),
        read(110, State.SYN_SENT, None, listener()),
    )
    assert not wrong(steps)
    assert states(tracker) == (State.SYN_SENT, State.LISTEN)


def test_who_keeps_nothing_answers_a_repeated_syn_with_another_number() -> None:
    """SYN cookies: the kernel has no socket in between."""
    syn = made(1, A, SYN, 100)
    tracker, steps = fed(
        at(Moment.SENT, 1, syn),
        at(Moment.SENT, 3, made(3, B, SYN | ACK, 500, 101)),
        read(5, State.SYN_SENT, None, listener()),
        at(Moment.SENT, 7, syn),
        at(Moment.ARRIVED, 8, syn),
        *passed(10, B, SYN | ACK, 1 << 28, 101),
        *passed(12, A, ACK, 101, (1 << 28) + 1),
        read(15, State.ESTABLISHED, State.ESTABLISHED, listener()),
    )
    assert not wrong(steps)
    assert states(tracker) == (State.ESTABLISHED, State.ESTABLISHED)


def test_what_found_no_room_was_not_received() -> None:
    """A receiver whose buffer is full drops data in its window, and says so in its next ACK."""
    lost = [*passed(40, B, ACK, 501, 101, 1000), *passed(50, A, ACK, 101, 501)]
    tracker, _ = fed(*opened(), *lost, *passed(60, B, RST, 1501))
    assert states(tracker)[0] is State.ESTABLISHED
    late = [*lost, *passed(60, A, ACK, 101, 1501)]  # an ACK that was only told of late
    tracker, _ = fed(*opened(), *late, *passed(70, B, RST, 1501))
    assert states(tracker)[0] is State.CLOSED
    tracker, _ = fed(*opened(), *lost, *passed(60, B, RST, 501))
    assert states(tracker)[0] is State.CLOSED
