"""What calls and kernels tell beyond segments: silent ends, timers that ran out, full queues."""

from __future__ import annotations

import pytest

from tcpviz.core import expiry
from tcpviz.core.calls import Applications, moves_silently
from tcpviz.core.records import Call, KernelReading, KernelSocket, Moment, SegmentRecord, Side
from tcpviz.core.segment import Endpoint, Flags, FlowKey, Options, Segment
from tcpviz.core.states import Event, State
from tcpviz.core.timeline import StepKind
from tcpviz.core.tracker import Tracker

A, B = Endpoint("10.0.0.1", 40001), Endpoint("10.0.0.2", 7777)
SECOND = 1_000_000_000


def call(name, fd=3, result="0", arguments="", *, failed=False, side=Side.CLIENT, known=True):
    ends = {"local": A, "peer": B} if known else {}
    return Call(1, side, name, arguments, fd, 1, 2, result, failed, **ends)


def sock(side, state, **more):
    local, peer = (A, B) if side is Side.CLIENT else (B, A)
    return KernelSocket(side, local, peer, state, **more)


def listener(**more):
    return KernelSocket(Side.SERVER, B, None, State.LISTEN, **more)


def syn_at(moment, time_ns, seq=100, frame=1):
    return SegmentRecord(
        time_ns, Segment(time_ns, A, B, seq, 0, Flags.SYN, 64240, frame=frame), moment
    )


def answer_at(moment, time_ns, frame=2):
    flags = Flags.SYN | Flags.ACK
    return SegmentRecord(
        time_ns, Segment(time_ns, B, A, 500, 101, flags, 64240, frame=frame), moment
    )


def third_at(moment, time_ns, frame=3):
    return SegmentRecord(
        time_ns, Segment(time_ns, A, B, 101, 501, Flags.ACK, 64240, frame=frame), moment
    )


def fed(*records):
    tracker = Tracker()
    steps = [step for record in records for step in tracker.feed(record)]
    return tracker, steps


def states(tracker):
    (one,) = tracker.connections.values()
    return one.client.state, one.server.state


# -- calls ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "last", "event"),
    [
        ([], call("close"), Event.CLOSE),
        ([call("setsockopt", arguments="SO_LINGER, 0 s")], call("close"), Event.ABORT),
        ([call("setsockopt", arguments="SO_LINGER, 5 s")], call("close"), Event.CLOSE),
        ([], call("recv", result="ETIMEDOUT", failed=True), Event.USER_TIMEOUT),
        ([], call("connect", result="killed", failed=True), Event.CLOSE),
    ],
)
def test_what_a_call_shows_of_its_connection(before, last, event):
    applications = Applications()
    for one in before:
        assert applications.take(one) is None
    shown = applications.take(last)
    assert shown is not None
    assert (shown.event, shown.key, shown.listener) == (event, FlowKey.of(A, B), False)


def test_a_descriptor_that_is_given_again_is_another_socket():
    applications = Applications()
    applications.take(call("setsockopt", arguments="SO_LINGER, 0 s"))
    applications.take(call("close"))
    applications.take(call("socket", result="fd 3", known=False))
    shown = applications.take(call("close", known=False))
    assert shown is not None
    assert (shown.event, shown.key) == (Event.CLOSE, None)


@pytest.mark.parametrize(("name", "event"), [("close", Event.CLOSE), ("shutdown", Event.ABORT)])
def test_a_listening_socket_that_ends(name, event):
    applications = Applications()
    applications.take(call("listen", side=Side.SERVER, known=False))
    shown = applications.take(call(name, arguments="SHUT_RDWR", side=Side.SERVER, known=False))
    assert shown is not None
    assert (shown.event, shown.listener) == (event, True)


def test_only_what_no_segment_tells_moves_an_end():
    assert moves_silently(Event.CLOSE, State.SYN_SENT)
    assert not moves_silently(Event.CLOSE, State.ESTABLISHED)  # the FIN will tell
    assert moves_silently(Event.ABORT, State.LAST_ACK)
    assert not moves_silently(Event.ABORT, State.FIN_WAIT_1)  # the RST will tell
    assert moves_silently(Event.USER_TIMEOUT, State.ESTABLISHED)


# -- timers -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "left_ms", "after_s", "event"),
    [
        (State.TIME_WAIT, 2000, 3, Event.TIMEOUT_2MSL),
        (State.TIME_WAIT, 2000, 1, None),
        (State.LAST_ACK, 500, 1, Event.USER_TIMEOUT),
        (State.LAST_ACK, None, 100, None),
        (None, 500, 1, None),
    ],
)
def test_a_timer_that_was_told_of_explains_why_a_socket_is_gone(state, left_ms, after_s, event):
    before = sock(Side.CLIENT, state, timer="retransmit", timer_ms=left_ms)
    assert expiry.ran_out(before, 0, after_s * SECOND) is event
    assert expiry.ran_out(None, 0, after_s * SECOND) is None


@pytest.mark.parametrize(("left_ms", "disagree"), [(900, 0), (60_000, 1)])
def test_a_socket_that_is_gone_without_a_reason_is_a_disagreement(left_ms, disagree):
    timer = {"timer": "retransmit", "timer_ms": left_ms}
    tracker, steps = fed(
        syn_at(Moment.SENT, 1),
        KernelReading(2, (listener(), sock(Side.CLIENT, State.SYN_SENT, **timer))),
        KernelReading(SECOND, (listener(), sock(Side.CLIENT, None))),
    )
    assert sum(len(step.disagreements) for step in steps) == disagree
    assert states(tracker)[0] is State.CLOSED


def test_the_inference_does_not_count_down_while_the_kernel_does():
    timer = {"timer": "retransmit", "timer_ms": 400_000}
    tracker, _ = fed(
        syn_at(Moment.SENT, 1),
        KernelReading(2, (sock(Side.CLIENT, State.SYN_SENT, **timer),)),
    )
    assert tracker.tick(1000 * SECOND) == []
    assert states(tracker)[0] is State.SYN_SENT
    alone, _ = fed(syn_at(Moment.SENT, 1))
    assert [step.kind for step in alone.tick(1000 * SECOND)] == [StepKind.TIMER]


# -- full queues, old SYNs --------------------------------------------------


def test_a_full_accept_queue_keeps_the_third_segment_out():
    opened = (
        syn_at(Moment.SENT, 1),
        syn_at(Moment.ARRIVED, 2),
        answer_at(Moment.SENT, 3),
        answer_at(Moment.ARRIVED, 4),
        third_at(Moment.SENT, 5),
    )
    full = KernelReading(6, (listener(recv_queue=2, send_queue=1),))
    tracker, _ = fed(*opened, full, third_at(Moment.ARRIVED, 7))
    assert states(tracker) == (State.ESTABLISHED, State.SYN_RECEIVED)
    room = KernelReading(6, (listener(recv_queue=1, send_queue=1),))
    tracker, _ = fed(*opened, room, third_at(Moment.ARRIVED, 7))
    assert states(tracker) == (State.ESTABLISHED, State.ESTABLISHED)


def test_a_full_syn_queue_drops_the_syn_or_answers_with_a_cookie():
    full = KernelReading(1, (listener(syn_queue=2, syn_limit=2),))
    begun = (full, syn_at(Moment.SENT, 2), syn_at(Moment.ARRIVED, 3))
    tracker, _ = fed(*begun)
    assert states(tracker) == (State.SYN_SENT, State.LISTEN)
    nothing = KernelReading(
        5,
        (
            listener(syn_queue=2, syn_limit=2),
            sock(Side.CLIENT, State.SYN_SENT),
            sock(Side.SERVER, None),
        ),
    )
    tracker, steps = fed(*begun, answer_at(Moment.SENT, 4), nothing)
    assert states(tracker) == (State.SYN_SENT, State.SYN_RECEIVED)
    assert not any(step.disagreements for step in steps)


def test_a_syn_in_nobodys_name_leaves_nobody_in_syn_sent():
    tracker, steps = fed(
        syn_at(Moment.SENT, 1), KernelReading(2, (listener(), sock(Side.CLIENT, None)))
    )
    assert states(tracker)[0] is State.CLOSED
    assert not any(step.disagreements for step in steps)


# -- what random scenarios on the lab's cable have shown of Linux -------------


def at(moment, time_ns, sender, flags, seq, ack, length=0, frame=9, **options):
    """A segment at one of its moments; ``sender`` is A or B."""
    ends = (A, B) if sender is A else (B, A)
    more = {"options": Options(**options)}
    segment = Segment(time_ns, *ends, seq, ack, flags, 64240, length, frame=frame, **more)
    return SegmentRecord(time_ns, segment, moment)


def passed(time_ns, sender, flags, seq, ack, length=0, **options):
    """A segment that leaves and arrives."""
    moments = (Moment.SENT, Moment.ARRIVED)
    return [
        at(moment, time_ns + late, sender, flags, seq, ack, length, **options)
        for late, moment in enumerate(moments)
    ]


def opened(**options):
    return [
        *passed(10, A, Flags.SYN, 100, 0, **options),
        *passed(20, B, Flags.SYN | Flags.ACK, 500, 101, **options),
        *passed(30, A, Flags.ACK, 101, 501),
    ]


FIN_ACK = Flags.FIN | Flags.ACK


def disagreements(steps):
    return [one for step in steps for one in step.disagreements]


@pytest.mark.parametrize(("seq", "state"), [(501, State.TIME_WAIT), (502, State.CLOSED)])
def test_a_reset_with_the_number_of_the_fin_does_nothing_in_time_wait(seq, state):
    tracker, _ = fed(
        *opened(),
        *passed(40, A, FIN_ACK, 101, 501),
        *passed(50, B, FIN_ACK, 501, 102),
        *passed(60, A, Flags.ACK, 102, 502),
        *passed(70, B, Flags.RST, seq, 0),
    )
    assert states(tracker)[0] is state


def test_a_reset_with_the_number_of_the_fin_counts_in_close_wait():
    tracker, _ = fed(
        *opened(), *passed(40, A, FIN_ACK, 101, 501), *passed(50, A, Flags.RST, 101, 0)
    )
    assert states(tracker) == (State.CLOSED, State.CLOSED)


@pytest.mark.parametrize(
    ("sack", "seq", "state"),
    [
        (True, 301, State.CLOSED),
        (True, 251, State.ESTABLISHED),
        (False, 301, State.ESTABLISHED),
    ],
)
def test_a_reset_behind_what_was_told_with_sack_counts(sack, seq, state):
    tracker, _ = fed(
        *opened(sack_permitted=sack),
        *passed(40, A, Flags.ACK, 201, 501, 50),  # 101 to 200 are missing
        *passed(50, A, Flags.ACK, 251, 501, 50),
        *passed(60, A, Flags.RST, seq, 0),
    )
    assert states(tracker) == (State.CLOSED, state)


@pytest.mark.parametrize(("before", "after"), [("none", 0), ("SYN-RECEIVED", 1)])
def test_an_answer_that_the_kernel_does_not_remember_is_a_cookie(before, after):
    lost = (listener(), sock(Side.CLIENT, State.SYN_SENT), sock(Side.SERVER, None))
    told = State.SYN_RECEIVED if before == "SYN-RECEIVED" else None
    tracker, steps = fed(
        syn_at(Moment.SENT, 1),
        syn_at(Moment.ARRIVED, 2),
        answer_at(Moment.SENT, 3),
        KernelReading(4, (*lost[:2], sock(Side.SERVER, told))),
        KernelReading(5, lost),
        answer_at(Moment.ARRIVED, 6),
        third_at(Moment.SENT, 7),
        third_at(Moment.ARRIVED, 8),
    )
    assert len(disagreements(steps)) == after
    if not after:
        assert states(tracker) == (State.ESTABLISHED, State.ESTABLISHED)


@pytest.mark.parametrize(
    ("queue", "other_closes", "said", "count"),
    [
        (100, False, State.FIN_WAIT_1, 1),  # everything has left: where is the FIN?
        (101, False, State.FIN_WAIT_1, 0),
        (101, True, State.LAST_ACK, 0),
        (101, False, State.LAST_ACK, 1),
    ],
)
def test_a_fin_may_wait_behind_data(queue, other_closes, said, count):
    fin = passed(40, B, FIN_ACK, 501, 101) if other_closes else []
    far = State.FIN_WAIT_1 if other_closes else State.ESTABLISHED
    ack = 502 if other_closes else 501
    tracker, steps = fed(
        *opened(),
        *fin,
        at(Moment.SENT, 50, A, Flags.ACK, 101, ack, 100),
        KernelReading(60, (sock(Side.CLIENT, said, send_queue=queue), sock(Side.SERVER, far))),
        at(Moment.SENT, 70, A, Flags.FIN | Flags.ACK, 201, ack, 1),
    )
    assert len(disagreements(steps)) == count
    assert states(tracker)[0] is said
    assert not [one for one in steps[-1].changes if one.side is Side.CLIENT]


@pytest.mark.parametrize(("timer", "count"), [("time-wait", 0), (None, 1)])
def test_a_closed_end_in_fin_wait_2_takes_any_reset_in_its_window(timer, count):
    half = sock(Side.CLIENT, State.FIN_WAIT_2, timer=timer, timer_ms=60_000 if timer else None)
    tracker, steps = fed(
        *opened(),
        *passed(40, A, FIN_ACK, 101, 501),
        *passed(50, B, Flags.ACK, 501, 102),
        at(Moment.SENT, 60, B, Flags.ACK, 501, 102, 100),
        at(Moment.LOST, 61, B, Flags.ACK, 501, 102, 100),
        KernelReading(70, (listener(), half, sock(Side.SERVER, State.CLOSE_WAIT))),
        *passed(80, B, Flags.RST | Flags.ACK, 601, 102),
        KernelReading(90, (listener(), sock(Side.CLIENT, None), sock(Side.SERVER, None))),
    )
    assert len(disagreements(steps)) == count
    assert states(tracker)[0] is State.CLOSED
    (one,) = tracker.connections.values()
    assert one.reset_by is (None if count else Side.SERVER)


@pytest.mark.parametrize(("port", "state"), [(7777, State.SYN_RECEIVED), (40_000, State.LISTEN)])
def test_time_wait_takes_a_new_syn_only_where_somebody_listens(port, state):
    where = KernelSocket(Side.SERVER, Endpoint(B.addr, port), None, State.LISTEN)
    rest = (sock(Side.CLIENT, None), sock(Side.SERVER, State.TIME_WAIT))
    tracker, steps = fed(
        *opened(),
        *passed(40, B, FIN_ACK, 501, 101),
        *passed(50, A, FIN_ACK, 101, 502),
        *passed(60, B, Flags.ACK, 502, 102),
        KernelReading(70, (where, *rest)),
        *passed(80, A, Flags.SYN, 100_000, 0),
    )
    assert not disagreements(steps)
    _, new = tracker.connections.values()
    assert (new.client.state, new.server.state) == (State.SYN_SENT, state)


def test_a_syn_to_a_port_at_which_nobody_listens_finds_it_closed():
    elsewhere = KernelSocket(Side.SERVER, Endpoint(B.addr, 40_000), None, State.LISTEN)
    tracker, steps = fed(
        call("listen", side=Side.SERVER, known=False),
        KernelReading(5, (elsewhere,)),
        *passed(10, A, Flags.SYN, 100, 0),
        *passed(20, B, Flags.RST | Flags.ACK, 0, 101),
    )
    assert states(tracker) == (State.CLOSED, State.CLOSED)
    assert all(change.transition for step in steps for change in step.changes)


def test_a_socket_that_listens_at_another_port_is_not_this_one():
    elsewhere = KernelSocket(Side.SERVER, Endpoint(B.addr, 40_000), None, State.LISTEN)
    tracker, steps = fed(
        call("listen", side=Side.SERVER, known=False),
        syn_at(Moment.SENT, 10),
        KernelReading(20, (elsewhere, sock(Side.CLIENT, State.SYN_SENT), sock(Side.SERVER, None))),
    )
    assert not disagreements(steps)
    assert states(tracker) == (State.SYN_SENT, State.CLOSED)


@pytest.mark.parametrize(("seconds", "answers"), [(0, 0), (1, 1), (2, 2), (3, 2), (8, 4)])
def test_deferring_accept_waits_for_data_or_so_many_answers(seconds, answers):
    applications = Applications()
    for one in (
        call("setsockopt", arguments=f"TCP_DEFER_ACCEPT, {seconds}", side=Side.SERVER, known=False),
        Call(2, Side.SERVER, "listen", "5", 3, 1, 2, "0", local=B),
    ):
        applications.take(one)
    assert (applications.defers(7777), applications.defers(1)) == (answers, 0)


@pytest.mark.parametrize(
    ("length", "answers", "state"),
    [(0, 1, State.SYN_RECEIVED), (10, 1, State.ESTABLISHED), (0, 2, State.ESTABLISHED)],
)
def test_an_empty_third_segment_waits_where_accept_is_deferred(length, answers, state):
    option = call("setsockopt", arguments="TCP_DEFER_ACCEPT, 1", side=Side.SERVER, known=False)
    tracker, _ = fed(
        option,
        Call(2, Side.SERVER, "listen", "5", 3, 3, 4, "0", local=B),
        *opened()[:2],
        *[
            one
            for number in range(answers)
            for one in passed(20 + number * SECOND, B, Flags.SYN | Flags.ACK, 500, 101)
        ],
        *passed(30 * SECOND, A, Flags.ACK, 101, 501, length),
    )
    assert states(tracker)[1] is state


@pytest.mark.parametrize(("cwnd", "state"), [(None, State.SYN_RECEIVED), (10, State.ESTABLISHED)])
def test_a_full_queue_keeps_out_nobody_who_stands_in_it(cwnd, state):
    """Fast Open makes a socket at the SYN, and the last place in the queue is its own."""
    full = listener(recv_queue=1, send_queue=0)
    mine = sock(Side.SERVER, State.SYN_RECEIVED, cwnd=cwnd)
    tracker, steps = fed(
        *opened()[:4],
        KernelReading(25, (full, sock(Side.CLIENT, State.ESTABLISHED), mine)),
        *opened()[4:],
    )
    assert states(tracker)[1] is state
    assert not disagreements(steps)


def test_a_listener_that_comes_late_takes_the_syn_that_is_repeated():
    tracker, steps = fed(
        KernelReading(1, (listener(),)),
        syn_at(Moment.SENT, 2),
        KernelReading(3, (sock(Side.CLIENT, State.SYN_SENT), sock(Side.SERVER, None))),
        syn_at(Moment.ARRIVED, 4),
        KernelReading(5, (listener(), sock(Side.CLIENT, State.SYN_SENT))),
        syn_at(Moment.ARRIVED, 6),
        answer_at(Moment.SENT, 7),
    )
    assert states(tracker) == (State.SYN_SENT, State.SYN_RECEIVED)
    assert not disagreements(steps)
    assert all(change.transition for step in steps for change in step.changes)


@pytest.mark.parametrize(("left_ms", "count"), [(300, 0), (60_000, 1)])
def test_a_dead_socket_that_is_still_held_was_given_up_by_a_timer(left_ms, count):
    open_both = (
        sock(Side.CLIENT, State.ESTABLISHED, timer="probe", timer_ms=left_ms),
        sock(Side.SERVER, State.ESTABLISHED),
    )
    dead = (sock(Side.CLIENT, State.CLOSED), sock(Side.SERVER, State.ESTABLISHED))
    tracker, steps = fed(*opened(), KernelReading(100, open_both), KernelReading(SECOND, dead))
    assert len(disagreements(steps)) == count
    assert states(tracker) == (State.CLOSED, State.ESTABLISHED)


def test_a_cookie_defers_nothing():
    option = call("setsockopt", arguments="TCP_DEFER_ACCEPT, 1", side=Side.SERVER, known=False)
    nothing = (listener(), sock(Side.CLIENT, State.ESTABLISHED), sock(Side.SERVER, None))
    tracker, steps = fed(
        option,
        Call(2, Side.SERVER, "listen", "5", 3, 3, 4, "0", local=B),
        *opened()[:4],
        KernelReading(25, nothing),
        *opened()[4:],
    )
    assert states(tracker)[1] is State.ESTABLISHED
    assert not disagreements(steps)


def test_an_answer_to_a_repeated_syn_is_no_sign_that_the_deferral_is_over():
    option = call("setsockopt", arguments="TCP_DEFER_ACCEPT, 1", side=Side.SERVER, known=False)
    tracker, _ = fed(
        option,
        Call(2, Side.SERVER, "listen", "5", 3, 3, 4, "0", local=B),
        *opened()[:2],
        *[one for _ in range(2) for one in opened()[2:4]],
        syn_at(Moment.ARRIVED, 25, frame=8),
        *passed(30, A, Flags.ACK, 101, 501),
    )
    assert states(tracker)[1] is State.SYN_RECEIVED


def test_an_attempt_that_was_given_up_leaves_the_time_wait_before_it_in_mind():
    gone = (sock(Side.CLIENT, None), sock(Side.SERVER, State.TIME_WAIT))
    tracker, steps = fed(
        call("listen", side=Side.SERVER, known=False),
        *opened(),
        *passed(40, B, FIN_ACK, 501, 101),
        *passed(50, A, FIN_ACK, 101, 502),
        *passed(60, B, Flags.ACK, 502, 102),
        at(Moment.SENT, 70, A, Flags.SYN, 100_000, 0),
        KernelReading(75, (sock(Side.CLIENT, State.SYN_SENT), gone[1])),
        call("close", side=Side.SERVER, known=False),
        call("close"),
        KernelReading(80, gone),
        at(Moment.SENT, 90, A, Flags.SYN, 200_000, 0),
        KernelReading(95, (sock(Side.CLIENT, State.SYN_SENT), gone[1])),
    )
    assert not disagreements(steps)
    assert len(tracker.connections) == 3


@pytest.mark.parametrize(("fins", "count"), [(2, 0), (1, 1)])
def test_an_end_that_repeats_its_fin_in_vain_is_given_up_before_anybody_asks(fins, count):
    there = (sock(Side.CLIENT, State.ESTABLISHED), sock(Side.SERVER, State.ESTABLISHED))
    tracker, steps = fed(
        *opened(),
        KernelReading(35, there),
        *[at(Moment.SENT, 40 + number, A, FIN_ACK, 101, 501) for number in range(fins)],
        KernelReading(60, (sock(Side.CLIENT, None), there[1])),
    )
    assert len(disagreements(steps)) == count
    assert states(tracker)[0] is State.CLOSED


@pytest.mark.parametrize(("kept", "count"), [(None, 0), (State.SYN_RECEIVED, 1)])
def test_a_late_ack_that_fits_a_cookie_opens_a_connection_of_which_nobody_else_knows(kept, count):
    """Only the kernel can tell; where it kept the SYN, there is no such thing."""
    before = (listener(), sock(Side.CLIENT, State.SYN_SENT), sock(Side.SERVER, kept))
    after = (listener(), sock(Side.CLIENT, State.TIME_WAIT), sock(Side.SERVER, State.ESTABLISHED))
    tracker, steps = fed(
        *opened()[:3],
        KernelReading(22, before),
        *opened()[3:],
        *passed(40, A, FIN_ACK, 101, 501),
        *passed(50, B, FIN_ACK, 501, 102),
        *passed(60, A, Flags.ACK, 102, 502),
        at(Moment.ARRIVED, 70, A, Flags.ACK, 102, 502),
        KernelReading(80, after),
    )
    assert len(disagreements(steps)) == count
    assert states(tracker) == (State.TIME_WAIT, State.ESTABLISHED)


def test_a_syn_that_comes_late_finds_that_nobody_listens_any_more():
    tracker, steps = fed(
        KernelReading(1, (listener(),)),
        syn_at(Moment.SENT, 2),
        KernelReading(3, ()),
        syn_at(Moment.ARRIVED, 4),
        *passed(20, B, Flags.RST | Flags.ACK, 0, 101),
    )
    assert states(tracker) == (State.CLOSED, State.CLOSED)
    assert all(change.transition for step in steps for change in step.changes)
