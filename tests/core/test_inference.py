"""States on traffic that is not clean: found in mid-stream, one-sided, forged, damaged, reused."""

from __future__ import annotations

import dataclasses

import pytest

from tcpviz.core import doubt
from tcpviz.core.claims import Certainty
from tcpviz.core.records import Gap, Side
from tcpviz.core.segment import Options
from tcpviz.core.timeline import StepKind
from tests.core.dialogue import Talk

C, S = Side.CLIENT, Side.SERVER


def stamps(value: int, echo: int = 0) -> Options:
    return Options(timestamps=(value, echo))


# -- evidence -----------------------------------------------------------------


def test_a_claim_names_its_segments_and_its_rule() -> None:
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("A")
    claim = talk.connection.server.claim
    assert str(claim.state) == "CLOSE-WAIT"
    assert claim.frames == (4, 5)  # the FIN, and the ACK that proves its arrival
    assert claim.rule == "RFC 9293 section 3.10.7.4"
    assert talk.connection.client.claim.frames == (4, 5)
    assert talk.certainty == ("inferred", "seen")


def test_fin_and_ack_in_one_segment_may_hide_an_earlier_fin() -> None:
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("FA")
    assert talk.states[1] == "LAST-ACK"
    assert talk.certainty[1] == "inferred"


def test_a_fin_after_a_proved_close_wait_is_last_ack_for_certain() -> None:
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("A")
    talk.server("FA")
    talk.client("A")
    assert talk.states == ("TIME-WAIT", "CLOSED")
    assert talk.certainty == ("seen", "inferred")


# -- mid-stream, one side, gaps ------------------------------------------------


def test_a_fin_in_mid_stream_may_be_the_second_one() -> None:
    talk = Talk()
    talk.server("PA", 100)
    talk.client("A")
    talk.server("FA")
    # The client was never seen to send anything: it may have closed before.
    assert talk.states[0 if talk.connection.client.endpoint.port == 80 else 1] == "FIN-WAIT-1"
    sender = talk.connection.end(talk.connection.side_of(talk.steps[-1].segment))  # type: ignore[arg-type]
    assert sender.claim.certainty is Certainty.UNKNOWN
    talk.client("A")
    receiver = talk.connection.end(sender.side.other)
    assert (str(receiver.state), receiver.claim.certainty) == ("CLOSE-WAIT", Certainty.UNKNOWN)
    talk.client("FA")
    assert (str(receiver.state), receiver.claim.certainty) == ("LAST-ACK", Certainty.INFERRED)
    talk.server("A")
    assert {str(sender.state), str(receiver.state)} == {"TIME-WAIT", "CLOSED"}


def test_the_server_alone_tells_of_its_client() -> None:
    talk = Talk()
    talk.server("SA", ack=1)
    assert talk.states == ("SYN-SENT", "SYN-RECEIVED")
    talk.server("A", ack=100)
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")
    assert talk.certainty[0] == "inferred"


def test_a_silent_side_of_a_mid_stream_capture_sends_if_it_is_acknowledged() -> None:
    talk = Talk()
    talk.client("A", ack=100)
    assert talk.certainty[1] == "unknown"
    talk.client("A", ack=2000)
    assert (talk.states[1], talk.certainty[1]) == ("ESTABLISHED", "inferred")


def test_backscatter_establishes_nothing() -> None:
    talk = Talk()
    for _ in range(3):
        talk.server("SA", seq=0, ack=1)
    assert talk.states == ("SYN-SENT", "SYN-RECEIVED")
    assert not talk.connection.established
    other = Talk()
    other.server("RA", seq=0, ack=1)
    assert other.states[1] != "ESTABLISHED"
    assert not other.connection.complete


def test_a_gap_weakens_what_was_known_and_the_next_segments_restore_it() -> None:
    talk = Talk().handshake()
    talk.client("PA", 10)
    talk.server("A")
    assert talk.certainty == ("seen", "seen")
    for expected in (("inferred", "inferred"), ("unknown", "unknown")):
        talk.tracker.feed(Gap(talk.now, 3, "the kernel"))
        if expected[0] == "unknown":
            break
        assert talk.certainty == expected
        talk.client("PA", 10)
    talk.client("A")
    talk.server("A")
    assert talk.certainty == ("seen", "seen")


def test_after_a_gap_in_both_directions_the_ends_agree_on_new_numbers() -> None:
    talk = Talk().handshake()
    talk.nxt[C] += 5_000_000
    talk.nxt[S] += 7_000_000
    talk.client("PA", 10)
    talk.server("A")
    talk.client("PA", 10)
    talk.server("FA")
    assert talk.states[1] == "FIN-WAIT-1"


# -- what moves nobody ---------------------------------------------------------


@pytest.mark.parametrize("flags", ["FPU", "", "F", "U", "P"])
def test_scans_without_ack_move_nobody(flags: str) -> None:
    talk = Talk()
    talk.client(flags)
    assert talk.states == ("CLOSED", "LISTEN")
    assert talk.certainty == ("unknown", "unknown")
    assert talk.connection.closed_by is None
    live = Talk().handshake()
    live.client(flags)
    assert live.states == ("ESTABLISHED", "ESTABLISHED")


def test_a_fin_with_a_stale_timestamp_moves_nobody() -> None:
    talk = Talk()
    talk.client("S", options=stamps(1000))
    talk.server("SA", options=stamps(500, 1000))
    talk.client("A", options=stamps(1001, 500))
    talk.client("PA", 10, options=stamps(1002, 500))
    talk.server("A", options=stamps(510, 1002))
    forged = talk.segment(C, "FA", options=stamps(7, 500))
    talk.feed(forged)
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")
    talk.nxt[C] -= 1
    talk.client("PA", 10, options=stamps(1010, 510))
    talk.server("A", options=stamps(520, 1010))
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")
    assert talk.connection.client.fin is None


def test_timestamps_wrap() -> None:
    talk = Talk()
    talk.client("S", options=stamps(0xFFFFFFF0))
    talk.server("SA", options=stamps(0xFFFFFFFF, 0xFFFFFFF0))
    talk.client("A", options=stamps(0xFFFFFFF8, 0xFFFFFFFF))
    talk.client("FA", options=stamps(5, 0xFFFFFFFF))
    talk.server("A", options=stamps(3, 5))
    assert talk.states == ("FIN-WAIT-2", "CLOSE-WAIT")


def test_an_answer_to_a_syn_that_echoes_another_timestamp_is_a_guess() -> None:
    talk = Talk()
    talk.client("S", options=stamps(1_821_165_629))
    talk.server("RA", seq=0, options=stamps(100, 100))
    assert talk.states == ("SYN-SENT", "LISTEN")
    assert not talk.connection.refused


def test_a_damaged_segment_moves_nobody_where_checksums_are_right() -> None:
    talk = Talk()
    for side, flags in ((C, "S"), (S, "SA"), (C, "A")):
        talk.feed(dataclasses.replace(talk.segment(side, flags), checksum_ok=True))
    for flags in ("FA", "R"):
        damaged = talk.segment(C, flags, seq=1)
        talk.feed(dataclasses.replace(damaged, checksum_ok=False))
        assert talk.states == ("ESTABLISHED", "ESTABLISHED")


def test_checksums_that_the_card_fills_in_later_do_not_matter() -> None:
    talk = Talk()
    for side, flags in ((C, "S"), (S, "SA"), (C, "A"), (C, "FA"), (S, "FA"), (C, "A")):
        talk.feed(dataclasses.replace(talk.segment(side, flags), checksum_ok=side is S))
    assert talk.states == ("TIME-WAIT", "CLOSED")


def test_checksums_wrong_on_data_only_are_believed_once_they_are_acknowledged() -> None:
    talk = Talk()
    for side, flags, data in (
        (C, "S", 0),
        (S, "SA", 0),
        (C, "A", 0),
        (C, "PA", 500),
        (S, "A", 0),
        (C, "PA", 500),
        (C, "FA", 0),
        (S, "A", 0),
    ):
        made = talk.segment(side, flags, data)
        talk.feed(dataclasses.replace(made, checksum_ok=not (side is C and made.seq_len > 1)))
    assert talk.states == ("FIN-WAIT-2", "CLOSE-WAIT")


@pytest.mark.parametrize(
    ("wrong", "state"),
    [(doubt.MANY_WRONG, "FIN-WAIT-1"), (doubt.MANY_WRONG - 1, "ESTABLISHED")],
)
def test_a_checksum_is_right_by_chance_where_many_before_were_wrong(wrong: int, state: str) -> None:
    """Then the next wrong one is believed as those before; else it was damaged on its way."""
    talk = Talk()
    talk.feed(dataclasses.replace(talk.segment(C, "S"), checksum_ok=False))
    talk.feed(talk.segment(S, "SA"))
    for number in range(1, wrong + 1):
        made = talk.segment(C, "A")
        talk.feed(dataclasses.replace(made, checksum_ok=number == wrong))
    talk.feed(dataclasses.replace(talk.segment(C, "FA"), checksum_ok=False))
    assert talk.states[0] == state


def test_a_reset_is_taken_back_when_its_receiver_goes_on_for_seconds() -> None:
    talk = Talk().handshake()
    talk.client("PA", 10)
    talk.client("R")
    assert talk.states == ("CLOSED", "CLOSED")
    talk.now += 3_000_000_000
    talk.server("PA", 50, ack=1)
    assert talk.states == ("CLOSED", "ESTABLISHED")
    assert talk.certainty[1] == "inferred"


# -- SYNs into a connection; addresses and ports used again --------------------


def intruder(talk: Talk) -> None:
    talk.nxt[C] = 12
    syn = dataclasses.replace(talk.segment(C, "S", seq=700_000))
    talk.nxt[C] = 11
    talk.feed(syn)


def opened() -> Talk:
    talk = Talk().handshake()
    talk.client("PA", 10)
    talk.server("A")
    return talk


def test_a_syn_into_a_connection_is_challenged_and_the_connection_lives() -> None:
    talk = opened()
    intruder(talk)
    first, second = talk.tracker.connections.values()
    assert second.client.claim.certainty is Certainty.UNKNOWN
    talk.server("A")  # the challenge
    talk.client("PA", 10)
    talk.server("FA")
    assert talk.steps[-1].connection == first.id
    assert str(first.server.state) == "FIN-WAIT-1"
    assert str(second.server.state) == "LISTEN"


def test_a_host_that_lost_the_connection_resets_it_and_opens_it_anew() -> None:
    talk = opened()
    intruder(talk)
    first, second = talk.tracker.connections.values()
    talk.server("A")
    talk.client("R", seq=11)  # what the challenge acknowledged
    assert talk.steps[-1].connection == first.id
    assert (str(first.client.state), str(first.server.state)) == ("CLOSED", "CLOSED")
    intruder(talk)
    assert talk.steps[-1].connection == second.id
    answer = talk.segment(S, "SA", seq=9_000_000, ack=700_001)
    talk.feed(answer)
    assert str(second.server.state) == "SYN-RECEIVED"
    talk.client("A", seq=700_001, ack=9_000_001)
    assert (str(second.client.state), str(second.server.state)) == ("ESTABLISHED", "ESTABLISHED")


def test_an_answer_to_the_new_syn_ends_the_old_connection() -> None:
    talk = opened()
    intruder(talk)
    first, second = talk.tracker.connections.values()
    steps = talk.feed(talk.segment(S, "SA", seq=9_000_000, ack=700_001))
    assert [step.kind for step in steps] == [StepKind.NOTE, StepKind.SEGMENT]
    assert (str(first.client.state), str(first.server.state)) == ("CLOSED", "CLOSED")
    assert first.client.claim.certainty is Certainty.INFERRED
    assert str(second.server.state) == "SYN-RECEIVED"


def test_a_refused_new_syn_tells_that_nothing_is_left_of_the_old_connection() -> None:
    talk = opened()
    intruder(talk)
    first, second = talk.tracker.connections.values()
    talk.feed(talk.segment(S, "RA", seq=-5000, ack=700_001))
    # A RST,ACK in answer to a SYN has the number 0.
    zero = dataclasses.replace(talk.segment(S, "RA", ack=700_001), seq=0)
    talk.feed(zero)
    assert second.refused
    assert str(first.server.state) == "CLOSED"


def test_time_wait_answers_an_old_syn_with_its_own_numbers() -> None:
    talk = Talk().handshake()
    talk.server("FA")
    talk.client("A")
    talk.client("FA")
    talk.server("A")
    assert talk.states == ("CLOSED", "TIME-WAIT")
    old = dataclasses.replace(talk.segment(C, "S", seq=-90_000))
    talk.nxt[C] = 2
    talk.feed(old)
    first, second = talk.tracker.connections.values()
    talk.server("A", seq=2, ack=2)
    assert talk.steps[-1].connection == first.id
    assert str(first.server.state) == "TIME-WAIT"
    assert str(second.client.state) == "SYN-SENT"


def test_a_refused_syn_sent_again_is_another_attempt_of_the_same_connection() -> None:
    talk = Talk()
    for _ in range(3):
        talk.client("S", seq=0)
        assert talk.states == ("SYN-SENT", "LISTEN")
        talk.server("RA", seq=0, ack=1)
        assert talk.states == ("CLOSED", "CLOSED")
        assert talk.connection.refused
    assert len(talk.tracker.connections) == 1
    talk.client("S", seq=0)
    talk.server("SA", seq=0, ack=1)
    talk.client("A", seq=1, ack=1)
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")
    assert not talk.connection.refused
    assert not talk.connection.over


# -- timers -------------------------------------------------------------------


def test_established_is_for_ever() -> None:
    talk = Talk().handshake()
    assert talk.sleep(30 * 86_400) == []
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")


def test_a_syn_that_is_still_repeated_is_not_given_up() -> None:
    talk = Talk()
    talk.client("S")
    for _ in range(4):
        talk.now += 60_000_000_000
        talk.client("S", seq=0)
    assert talk.states[0] == "SYN-SENT"
    talk.sleep(300)
    assert talk.states[0] == "CLOSED"


def test_a_clock_that_is_set_back_lets_nobody_give_up() -> None:
    talk = Talk()
    talk.client("S")
    talk.now -= 668_000_000_000_000
    talk.server("SA")
    talk.now += 668_000_000_000_000
    talk.client("A")
    talk.client("PA", 10)
    talk.server("A")
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")


def test_who_was_thought_to_have_given_up_and_goes_on_had_not() -> None:
    talk = Talk()
    talk.client("S")
    talk.server("SA")
    talk.sleep(500)
    assert talk.states == ("CLOSED", "CLOSED")
    talk.server("SA", seq=0, ack=1)
    assert talk.states == ("CLOSED", "SYN-RECEIVED")
    talk.client("A", seq=1)
    talk.client("PA", 10)
    talk.server("A")
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")


def test_a_second_answer_with_another_number_is_the_one_that_may_count() -> None:
    """SYN cookies: who keeps nothing numbers each of its answers anew."""
    talk = Talk()
    talk.client("S")
    talk.server("SA")
    talk.client("S", seq=0)
    talk.iss[S] = 7_000_000
    talk.server("SA", seq=0)
    talk.nxt[S] = 1
    talk.client("A")
    talk.client("PA", 10)
    talk.server("A")
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")
    assert talk.certainty == ("seen", "seen")
    assert len(talk.tracker.connections) == 1


def test_a_fin_captured_after_its_acknowledgement_has_arrived_all_the_same() -> None:
    talk = Talk().handshake()
    fin = talk.segment(C, "FA")
    talk.server("A")
    talk.feed(fin)
    assert talk.states == ("FIN-WAIT-2", "CLOSE-WAIT")
    last = talk.segment(S, "FA")
    talk.client("A")
    talk.feed(last)
    assert talk.states == ("TIME-WAIT", "CLOSED")
    assert str(talk.connection.phase) == "teardown 4/4"


def test_a_fin_behind_a_hole_is_no_more_than_inferred() -> None:
    talk = Talk().handshake()
    talk.client("FA", seq=500)
    assert (talk.states[0], talk.certainty[0]) == ("FIN-WAIT-1", "inferred")
    whole = Talk().handshake()
    whole.client("PA", 499)
    whole.client("FA")
    assert (whole.states[0], whole.certainty[0]) == ("FIN-WAIT-1", "seen")


def test_a_guess_beside_the_right_number_says_nothing_of_what_was_sent() -> None:
    """In the window, but a hole before it, and it acknowledges what nobody sent."""
    talk = Talk().handshake()
    talk.server("PA", 100)
    talk.client("A")
    talk.client("PA", 30, seq=6, ack=108)
    talk.nxt[C] = 1
    talk.client("FA", seq=1)
    talk.server("A")
    assert talk.states == ("FIN-WAIT-2", "CLOSE-WAIT")
    assert talk.certainty[1] == "seen"


def test_who_answers_a_syn_with_another_number_has_given_its_own_up() -> None:
    """No simultaneous open: the answer is a listener's."""
    talk = Talk()
    talk.client("S")
    talk.now += 50_000_000_000
    talk.server("S")
    talk.iss[C] = 9_000_000
    talk.nxt[C] = 0
    talk.client("SA")
    talk.server("A")
    assert len(talk.tracker.connections) == 1
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")
    talk.client("PA", 5)
    talk.server("A")
    assert talk.certainty[1] == "seen"


def test_a_damaged_segment_is_not_shown_by_an_ack_of_more() -> None:
    talk = Talk()
    for side, flags in ((C, "S"), (S, "SA"), (C, "A")):
        talk.feed(dataclasses.replace(talk.segment(side, flags), checksum_ok=True))
    talk.feed(dataclasses.replace(talk.segment(C, "FA"), checksum_ok=False))
    talk.nxt[C] = 1
    talk.server("PA", 30, ack=9)
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")
