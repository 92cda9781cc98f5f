"""The tracker: dialogues of segments, and where both ends stand after each."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpviz.core.claims import Certainty
from tcpviz.core.records import (
    Call,
    KernelReading,
    KernelSocket,
    Moment,
    SegmentRecord,
    Side,
)
from tcpviz.core.segment import Endpoint, Flags
from tcpviz.core.states import State
from tcpviz.core.timeline import StepKind
from tcpviz.core.tracker import Tracker
from tests.core.dialogue import MS, Talk

C, S = Side.CLIENT, Side.SERVER


# -- opening ------------------------------------------------------------------


def test_the_handshake_step_by_step() -> None:
    talk = Talk()
    talk.client("S")
    # Nothing shows yet that the SYN arrived anywhere.
    assert talk.states == ("SYN-SENT", "LISTEN")
    assert talk.certainty == ("seen", "unknown")
    assert str(talk.steps[-1].phase) == "handshake 1/3"
    talk.server("SA")
    assert talk.states == ("SYN-SENT", "SYN-RECEIVED")
    assert str(talk.steps[-1].phase) == "handshake 2/3"
    talk.client("A")
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")
    # The client's ACK proves the client's state; whether it arrived is not proved.
    assert talk.certainty == ("seen", "inferred")
    assert str(talk.steps[-1].phase) == "handshake 3/3"
    assert str(talk.connection.phase) == "data"
    talk.server("PA", 10)
    # It might be a repetition, behind a FIN that was missed.
    assert talk.certainty == ("seen", "inferred")
    assert str(talk.steps[-1].phase) == "data"
    talk.client("PA", 10)
    talk.server("A")
    assert talk.certainty == ("seen", "seen")
    assert talk.connection.server.claim.frames == (6,)


def test_handshake_rtt_is_from_the_last_syn_to_the_third_segment() -> None:
    talk = Talk()
    talk.client("S")
    talk.now += 1000 * MS
    talk.client("S", seq=0)
    talk.server("SA")
    talk.client("A")
    assert talk.connection.handshake_rtt_ns == 2 * MS


def test_a_lost_third_segment_is_seen_when_the_syn_ack_comes_again() -> None:
    talk = Talk().handshake()
    assert talk.states[1] == "ESTABLISHED"
    talk.server("SA", seq=0, ack=1)
    assert talk.states[1] == "SYN-RECEIVED"
    talk.client("A")
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")


def test_repeated_syns_are_one_connection() -> None:
    talk = Talk()
    for _ in range(3):
        talk.client("S", seq=0)
    assert len(talk.tracker.connections) == 1
    assert talk.connection.client.syns == 3
    assert talk.path(C) == ["SYN-SENT"]


def test_a_syn_captured_after_its_syn_ack_joins_it() -> None:
    talk = Talk()
    syn = talk.segment(C, "S")
    answer = talk.segment(S, "SA")
    talk.feed(answer)
    talk.feed(syn)
    talk.client("A")
    assert len(talk.tracker.connections) == 1
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")
    assert talk.connection.client.endpoint.port == 40000


def test_simultaneous_open() -> None:
    talk = Talk()
    talk.client("S")
    talk.server("S")
    assert talk.states == ("SYN-SENT", "SYN-SENT")
    talk.client("SA", seq=0, ack=1)
    talk.server("SA", seq=0, ack=1)
    talk.client("PA", 3)
    talk.server("PA", 3)
    assert talk.path(C)[:3] == ["SYN-SENT", "SYN-RECEIVED", "ESTABLISHED"]
    assert talk.path(S)[:3] == ["SYN-SENT", "SYN-RECEIVED", "ESTABLISHED"]
    assert len(talk.tracker.connections) == 1


def test_an_ack_of_what_was_never_sent_completes_nothing() -> None:
    talk = Talk()
    talk.client("S")
    talk.server("SA")
    talk.client("A", ack=900_000)
    assert talk.states == ("SYN-SENT", "SYN-RECEIVED")
    assert str(talk.connection.phase) == "handshake 2/3"


def test_an_ack_from_outside_the_window_completes_nothing() -> None:
    talk = Talk()
    talk.client("S")
    talk.server("SA")
    talk.client("A", seq=900_000)
    assert talk.states[1] == "SYN-RECEIVED"


def test_a_forged_syn_ack_begins_nothing() -> None:
    talk = Talk()
    talk.client("S")
    talk.server("SA")
    forged = dataclasses.replace(talk.segment(C, "SA", seq=424242, ack=1))
    talk.feed(forged)
    assert len(talk.tracker.connections) == 1


def test_refused() -> None:
    talk = Talk()
    talk.client("S")
    talk.server("RA", seq=0)
    assert talk.states == ("CLOSED", "CLOSED")
    assert talk.connection.refused
    assert talk.certainty == ("inferred", "seen")


def test_a_reset_that_does_not_answer_the_syn_refuses_nothing() -> None:
    talk = Talk()
    talk.client("S")
    talk.server("RA", seq=0, ack=99)
    assert talk.states[0] == "SYN-SENT"
    assert not talk.connection.refused


def test_a_syn_scan_leaves_the_listener_listening() -> None:
    talk = Talk()
    talk.client("S")
    talk.server("SA")
    talk.client("R", seq=1)
    assert talk.states == ("CLOSED", "LISTEN")


def test_an_unanswered_syn_is_given_up_by_the_captures_own_clock() -> None:
    talk = Talk()
    talk.client("S")
    assert talk.sleep(120) == []
    steps = talk.sleep(10)
    assert [step.kind for step in steps] == [StepKind.TIMER]
    assert talk.states == ("CLOSED", "LISTEN")
    assert talk.certainty == ("inferred", "unknown")


def test_a_clock_that_is_set_lets_no_timer_run_out() -> None:
    talk = Talk()
    talk.client("S")
    other = Talk(tracker=talk.tracker, client=Endpoint("10.0.0.9", 9), start_ns=10**18)
    other.client("S")
    assert talk.path(C) == ["SYN-SENT"]
    assert [step.kind for step in other.steps] == [StepKind.SEGMENT]
    # By the new clock its time passes as before.
    assert [step.connection for step in other.sleep(200)] == [1, 2]


# -- closing ------------------------------------------------------------------


def test_client_closes_first() -> None:
    talk = Talk().handshake()
    talk.client("FA")
    # Until the ACK comes, nobody knows that the server has the FIN.
    assert talk.states == ("FIN-WAIT-1", "ESTABLISHED")
    talk.server("A")
    assert talk.states == ("FIN-WAIT-2", "CLOSE-WAIT")
    talk.server("FA")
    assert talk.states == ("FIN-WAIT-2", "LAST-ACK")
    talk.client("A")
    assert talk.states == ("TIME-WAIT", "CLOSED")
    assert str(talk.connection.phase) == "teardown 4/4"
    assert talk.path(C) == ["SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT"]
    assert talk.path(S) == [
        "SYN-RECEIVED",
        "ESTABLISHED",
        "CLOSE-WAIT",
        "LAST-ACK",
        "CLOSED",
    ]
    assert talk.connection.closed_by is C
    talk.sleep(59)
    assert talk.states[0] == "TIME-WAIT"
    talk.sleep(2)
    assert talk.states[0] == "CLOSED"


def test_server_closes_first() -> None:
    talk = Talk().handshake()
    talk.server("FA")
    talk.client("A")
    talk.client("FA")
    talk.server("A")
    assert talk.states == ("CLOSED", "TIME-WAIT")
    assert talk.connection.closed_by is S


def test_three_segments_close_when_fin_carries_the_ack() -> None:
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("FA")
    assert talk.path(S)[-2:] == ["CLOSE-WAIT", "LAST-ACK"]
    talk.client("A")
    # FIN with the ACK of ours: straight to TIME-WAIT, FIN-WAIT-2 is passed over.
    assert talk.path(C)[-2:] == ["FIN-WAIT-1", "TIME-WAIT"]
    assert talk.states == ("TIME-WAIT", "CLOSED")


def test_crossing_fins_lead_through_closing() -> None:
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("FA", ack=1)  # sent before the client's FIN arrived
    assert talk.states == ("FIN-WAIT-1", "FIN-WAIT-1")
    talk.client("A")
    assert talk.states[0] == "CLOSING"
    talk.server("A")
    assert talk.path(C)[-3:] == ["FIN-WAIT-1", "CLOSING", "TIME-WAIT"]
    assert talk.path(S)[-1] == "TIME-WAIT"
    assert talk.states == ("TIME-WAIT", "TIME-WAIT")


def test_half_close_keeps_data_flowing() -> None:
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("A")
    talk.server("PA", 100)
    talk.client("A")
    assert talk.states == ("FIN-WAIT-2", "CLOSE-WAIT")
    talk.server("FA")
    talk.client("A")
    assert talk.states == ("TIME-WAIT", "CLOSED")


def test_a_lost_last_ack_brings_last_ack_back() -> None:
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("A")
    talk.server("FA")
    talk.client("A")
    assert talk.states[1] == "CLOSED"
    talk.now += 30_000 * MS
    talk.server("FA", seq=1)
    assert talk.states == ("TIME-WAIT", "LAST-ACK")
    talk.client("A")
    assert talk.states == ("TIME-WAIT", "CLOSED")
    # Its ACK restarted TIME-WAIT: 60 s from there, not from the first time.
    talk.sleep(40)
    assert talk.states[0] == "TIME-WAIT"
    talk.sleep(21)
    assert talk.states[0] == "CLOSED"


def test_a_repeated_fin_shows_that_the_ack_had_not_come() -> None:
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("A")
    assert talk.states[0] == "FIN-WAIT-2"
    talk.client("FA", seq=1)
    assert talk.states[0] == "FIN-WAIT-1"


def test_a_fin_before_lost_data_does_not_close_its_receiver() -> None:
    talk = Talk().handshake()
    talk.client("PA", 100)
    talk.client("FA")
    talk.server("A", ack=1)  # neither data nor FIN have come
    assert talk.states == ("FIN-WAIT-1", "ESTABLISHED")
    talk.server("A", ack=101)  # data, not the FIN
    assert talk.states == ("FIN-WAIT-1", "ESTABLISHED")
    talk.server("A", ack=102)
    assert talk.states == ("FIN-WAIT-2", "CLOSE-WAIT")


# -- resets -------------------------------------------------------------------


def test_a_reset_closes_both() -> None:
    talk = Talk().handshake()
    talk.client("RA")
    assert talk.states == ("CLOSED", "CLOSED")
    assert talk.connection.reset_by is C
    assert talk.certainty == ("seen", "inferred")


@pytest.mark.parametrize("seq", [70_000, 2**31, -5])
def test_a_reset_with_a_wrong_number_moves_nobody(seq: int) -> None:
    talk = Talk().handshake()
    talk.client("PA", 10)
    talk.server("A")
    talk.client("R", seq=seq)
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")
    assert talk.connection.reset_by is None


def test_a_forged_reset_is_found_out_when_its_sender_goes_on() -> None:
    talk = Talk().handshake()
    talk.client("PA", 10)
    talk.server("A")
    talk.client("R", seq=11)
    assert talk.states == ("CLOSED", "CLOSED")
    talk.client("PA", 10)
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")
    assert talk.connection.reset_by is None


# -- who is who, and which connection -----------------------------------------


def test_reuse_of_a_four_tuple_is_a_new_connection() -> None:
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("FA")
    talk.client("A")
    again = Talk(client_iss=90_000, server_iss=80_000, tracker=talk.tracker, start_ns=talk.now)
    again.handshake()
    assert len(talk.tracker.connections) == 2
    assert again.states == ("ESTABLISHED", "ESTABLISHED")
    first = talk.tracker.connections[1]
    # Its SYN was answered: nothing is left of the connection before.
    assert (str(first.client.state), str(first.server.state)) == ("CLOSED", "CLOSED")


def test_a_reboot_without_goodbye_is_a_new_connection() -> None:
    talk = Talk().handshake()
    again = Talk(client_iss=77, server_iss=99, tracker=talk.tracker, start_ns=talk.now)
    again.client("S")
    assert len(talk.tracker.connections) == 2


def test_the_same_four_tuple_on_another_vlan_is_another_connection() -> None:
    talk = Talk()
    syn = talk.segment(C, "S")
    talk.feed(syn)
    talk.feed(dataclasses.replace(syn, scope=("vlan 7",)))
    assert len(talk.tracker.connections) == 2


def test_found_in_mid_stream() -> None:
    talk = Talk()
    talk.client("PA", 10)
    assert talk.connection.midstream
    assert talk.states[0] == "ESTABLISHED"
    assert talk.certainty == ("inferred", "unknown")
    talk.server("A")
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")
    assert talk.certainty == ("inferred", "inferred")
    assert str(talk.connection.phase) == "data"


def test_one_way_capture_of_a_client() -> None:
    talk = Talk()
    for flags, data in (("S", 0), ("A", 0), ("PA", 10), ("FA", 0)):
        talk.client(flags, data, ack=1)
    assert talk.states[0] == "FIN-WAIT-1"
    # What the silent side must have sent, the other one acknowledges.
    assert (talk.states[1], talk.certainty[1]) == ("ESTABLISHED", "inferred")


def test_the_syn_acks_receiver_is_the_client() -> None:
    talk = Talk()
    talk.nxt[C] = 1
    talk.server("SA")
    assert talk.connection.client.endpoint == Endpoint("10.0.0.1", 40000)
    talk.client("A")
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")


def test_fast_open_server_talks_in_syn_received() -> None:
    talk = Talk()
    talk.client("S", 20)
    talk.server("SA")
    talk.server("PA", 100)
    assert talk.states[1] == "SYN-RECEIVED"
    talk.client("A")
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")


@pytest.mark.parametrize("iss", [0, 1, 2**31, 2**32 - 3, 2**32 - 1])
def test_wrapping_numbers_change_nothing(iss: int) -> None:
    talk = Talk(client_iss=iss, server_iss=(iss + 2**31) % 2**32).handshake()
    talk.client("PA", 100)
    talk.server("A")
    talk.client("FA")
    talk.server("A")
    talk.server("FA")
    talk.client("A")
    assert talk.states == ("TIME-WAIT", "CLOSED")
    assert talk.steps[3].relative == (1, 1)


# -- both moments (the lab) ---------------------------------------------------


def test_sent_moves_the_sender_and_arrived_the_receiver() -> None:
    talk = Talk()
    talk.tracker.feed(
        Call(1, S, "listen", began_ns=1, returned_ns=2, result="0", local=talk.endpoint[S])
    )
    syn = talk.segment(C, "S")
    talk.sent(syn)
    assert talk.states == ("SYN-SENT", "LISTEN")
    assert talk.certainty == ("seen", "seen")
    talk.arrives(syn)
    assert talk.states == ("SYN-SENT", "SYN-RECEIVED")
    synack = talk.segment(S, "SA")
    talk.sent(synack)
    assert talk.states == ("SYN-SENT", "SYN-RECEIVED")
    talk.arrives(synack)
    assert talk.states == ("ESTABLISHED", "SYN-RECEIVED")
    ack = talk.segment(C, "A")
    talk.sent(ack)
    assert talk.states == ("ESTABLISHED", "SYN-RECEIVED")
    talk.arrives(ack)
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")
    assert talk.certainty == ("seen", "seen")


def test_a_segment_that_died_on_the_way_moves_nobody() -> None:
    talk = Talk()
    for turn in ((C, "S"), (S, "SA"), (C, "A")):
        talk.carried(*turn)
    fin = talk.segment(C, "FA")
    talk.sent(fin)
    talk.feed(fin, Moment.LOST)
    assert talk.states == ("FIN-WAIT-1", "ESTABLISHED")


def test_a_fin_beyond_a_hole_waits_for_the_hole_to_be_filled() -> None:
    talk = Talk()
    for turn in ((C, "S"), (S, "SA"), (C, "A")):
        talk.carried(*turn)
    data = talk.segment(C, "PA", 10)
    fin = talk.segment(C, "FA")
    talk.sent(data)
    talk.sent(fin)
    talk.arrives(fin)
    assert talk.states == ("FIN-WAIT-1", "ESTABLISHED")
    talk.arrives(data)
    assert talk.states == ("FIN-WAIT-1", "CLOSE-WAIT")


def test_simultaneous_close_watched() -> None:
    talk = Talk()
    for turn in ((C, "S"), (S, "SA"), (C, "A")):
        talk.carried(*turn)
    mine = talk.segment(C, "FA")
    theirs = talk.segment(S, "FA", ack=1)
    talk.sent(mine)
    talk.sent(theirs)
    assert talk.states == ("FIN-WAIT-1", "FIN-WAIT-1")
    talk.arrives(mine)
    assert talk.states == ("FIN-WAIT-1", "CLOSING")
    talk.arrives(theirs)
    assert talk.states == ("CLOSING", "CLOSING")
    talk.carried(C, "A")
    talk.carried(S, "A")
    assert talk.states == ("TIME-WAIT", "TIME-WAIT")


def test_simultaneous_open_watched() -> None:
    talk = Talk()
    mine, theirs = talk.segment(C, "S"), talk.segment(S, "S")
    talk.sent(mine)
    talk.sent(theirs)
    talk.arrives(mine)
    talk.arrives(theirs)
    assert talk.states == ("SYN-RECEIVED", "SYN-RECEIVED")
    talk.carried(C, "SA", seq=0, ack=1)
    talk.carried(S, "SA", seq=0, ack=1)
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")


def test_a_packet_captured_twice_moves_nobody_a_second_time() -> None:
    talk = Talk().handshake()
    for flags, side in (("FA", C), ("A", S), ("FA", S), ("A", C)):
        made = dataclasses.replace(talk.segment(side, flags), ip_id=100 + talk.frame)
        talk.feed(made)
        talk.feed(dataclasses.replace(made, frame=made.frame + 1000))
    assert talk.states == ("TIME-WAIT", "CLOSED")
    assert talk.connection.marks == {"captured_twice": 4}
    assert talk.connection.client.segments + talk.connection.server.segments == 3 + 8


# -- the kernel ---------------------------------------------------------------


def reading(talk: Talk, client: State | None, server: State | None) -> KernelReading:
    a, b = talk.endpoint[C], talk.endpoint[S]
    return KernelReading(
        talk.now,
        (KernelSocket(C, a, b, client), KernelSocket(S, b, a, server)),
    )


def test_a_kernel_that_agrees_makes_a_claim_seen_and_is_quiet() -> None:
    talk = Talk().handshake()
    assert talk.certainty == ("seen", "inferred")
    steps = talk.tracker.feed(reading(talk, State.ESTABLISHED, State.ESTABLISHED))
    assert talk.certainty == ("seen", "seen")
    assert [step.quiet for step in steps] == [True]


def test_a_kernel_that_disagrees_is_right_and_is_shown() -> None:
    talk = Talk().handshake()
    (step,) = talk.tracker.feed(reading(talk, State.ESTABLISHED, State.SYN_RECEIVED))
    assert not step.quiet
    assert [d.side for d in step.disagreements] == [S]
    assert talk.states == ("ESTABLISHED", "SYN-RECEIVED")
    assert talk.connection.disagreements == 1


def test_a_socket_that_is_gone_agrees_with_closed() -> None:
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("FA")
    talk.client("A")
    (step,) = talk.tracker.feed(reading(talk, State.TIME_WAIT, None))
    assert step.quiet
    assert talk.certainty == ("seen", "seen")


def test_listen_before_there_is_a_connection_comes_from_the_call() -> None:
    tracker = Tracker()
    server = Endpoint("10.0.0.2", 80)
    (begun,) = tracker.feed(Call(1, S, "listen", began_ns=1, local=server))
    assert str(begun.server.state) == "CLOSED"
    (done,) = tracker.feed(Call(1, S, "listen", began_ns=1, returned_ns=2, local=server))
    assert str(done.server.state) == "LISTEN"
    assert done.server.certainty is Certainty.SEEN
    assert done.connection is None


def test_a_failed_listen_listens_to_nothing() -> None:
    tracker = Tracker()
    call = Call(1, S, "listen", began_ns=1, returned_ns=2, result="EADDRINUSE", failed=True)
    (step,) = tracker.feed(call)
    assert str(step.server.state) == "CLOSED"


# -- bounds and properties ----------------------------------------------------


def test_connections_are_bounded_and_finished_ones_go_first() -> None:
    tracker = Tracker(max_connections=10)
    done = Talk(tracker=tracker, client=Endpoint("10.0.0.9", 9))
    done.client("S")
    done.server("RA", seq=0)
    for port in range(12):
        Talk(tracker=tracker, client=Endpoint("10.0.0.1", 1000 + port)).client("S")
    assert len(tracker.connections) == 10
    assert tracker.evicted == 3
    assert done.connection.refused is False
    assert 1 not in tracker.connections


FLAG_SETS = st.sampled_from(["S", "SA", "A", "PA", "FA", "F", "R", "RA", "SF", "FPU", ""])
TURN = st.tuples(
    st.sampled_from([C, S]),
    FLAG_SETS,
    st.integers(0, 3),
    st.one_of(st.none(), st.integers(-3, 6)),
    st.one_of(st.none(), st.integers(-3, 6)),
    st.sampled_from([Moment.SEEN, Moment.SENT, Moment.ARRIVED, Moment.LOST]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(TURN, max_size=25), st.booleans())
def test_anything_at_all_is_followed_without_harm(
    turns: list[tuple[Side, str, int, int | None, int | None, Moment]], one_point: bool
) -> None:
    talk = Talk()
    for side, flags, data, seq, ack, moment in turns:
        made = talk.segment(side, flags, data, seq=seq, ack=ack)
        talk.feed(made, Moment.SEEN if one_point else moment)
    for step in talk.steps:
        for change in step.changes:
            assert change.before.state is not change.after.state
            row = change.transition
            if row is not None:
                assert (row.before, row.after) == (change.before.state, change.after.state)
    for connection in talk.tracker.connections.values():
        assert connection.phase.done <= connection.phase.of
    last = {}
    for step in talk.tracker.timeline:
        for change in step.changes:
            key = (step.connection, change.side)
            if key in last:
                assert change.before.state is last[key]
            last[key] = change.after.state


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([C, S]), FLAG_SETS, st.integers(0, 3)), min_size=1, max_size=20
    ),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
)
def test_shifting_all_sequence_numbers_changes_nothing(
    turns: list[tuple[Side, str, int]], client_iss: int, server_iss: int
) -> None:
    def run(a: int, b: int) -> list[tuple[str, str, str, tuple[int, int | None]]]:
        talk = Talk(client_iss=a, server_iss=b)
        for side, flags, data in turns:
            made = talk.segment(side, flags, data)
            talk.feed(made)
        return [
            (str(s.client.state), str(s.server.state), str(s.phase), s.relative) for s in talk.steps
        ]

    assert run(1000, 5000) == run(client_iss, server_iss)


def test_flags_are_named_as_people_say_them() -> None:
    assert (Flags.SYN | Flags.ACK).names() == "SYN,ACK"
    assert Flags(0).names() == "none"


def test_times_going_backwards_do_not_stop_the_clock() -> None:
    talk = Talk()
    talk.client("S")
    earlier = dataclasses.replace(talk.segment(S, "SA"), time_ns=5)
    talk.tracker.feed(SegmentRecord(5, earlier))
    assert talk.tracker.now_ns > 5
    assert talk.connection.last_ns == 5
