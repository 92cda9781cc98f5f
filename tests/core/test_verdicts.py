"""Verdicts: each code from the segments that make it, and not from those that do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcpviz.core.connection import Connection
from tcpviz.core.evidence import evidence
from tcpviz.core.records import Moment, SegmentRecord, Side, Unreachable
from tcpviz.core.segment import Flags, Options, Segment
from tcpviz.core.tracker import Tracker
from tcpviz.core.verdict_codes import Code, Severity, Verdict
from tcpviz.core.verdicts import verdicts
from tcpviz.core.watch import PAUSE_NS, Watch
from tcpviz.views.verdict import TEXTS, sentence, text_key
from tests.core.dialogue import CLIENT, MS, SERVER, Talk
from tests.core.watching import A, B, made

C, S = Side.CLIENT, Side.SERVER
SECOND = 1000 * MS


def said(talk: Talk, later: float = 0.0) -> list[Verdict]:
    return verdicts(talk.connection, talk.now + int(later * SECOND))


def codes(talk: Talk, later: float = 0.0) -> list[str]:
    return [str(each.code) for each in said(talk, later)]


def the(talk: Talk, code: Code, later: float = 0.0) -> Verdict:
    (found,) = [each for each in said(talk, later) if each.code is code]
    return found


def pause(talk: Talk, seconds: float) -> None:
    talk.now += int(seconds * SECOND)


def feed(talk: Talk, segment: Segment) -> None:
    talk.tracker.feed(SegmentRecord(segment.time_ns, segment))


def odd(talk: Talk, side: Side, flags: str, data: int = 0, **fields: object) -> Segment:
    """A segment with any field of Segment changed."""
    numbers = {name: fields.pop(name) for name in ("seq", "ack", "window") if name in fields}
    made = talk.segment(side, flags, data, **numbers)  # type: ignore[arg-type]
    made = replace(made, **fields)  # type: ignore[arg-type]
    feed(talk, made)
    return made


def error(talk: Talk, seq: int, kind: int = 3, code: int = 1, mtu: int | None = None) -> None:
    talk.now += MS
    talk.tracker.feed(
        Unreachable(
            talk.now, "10.0.0.254", CLIENT.addr, CLIENT, SERVER, 1000 + seq, 4, kind, code, mtu
        )
    )


# -- outcomes ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "code"), [("", Code.NULL_SCAN), ("FPU", Code.XMAS_SCAN), ("F", Code.FIN_SCAN)]
)
def test_scans_of_closed_and_open_ports(flags: str, code: Code) -> None:
    talk = Talk()
    talk.client(flags)
    found = said(talk)[0]
    assert (found.code, found.severity, found.side, found.how) == (code, Severity.WARNING, C, "")
    talk.server("RA", seq=-5000)
    assert said(talk)[0].how == "closed"


def test_a_segment_without_flags_in_a_connection_is_no_scan() -> None:
    talk = Talk().handshake()
    talk.client("", 5)
    assert "null-scan" not in codes(talk)


def test_no_answer_becomes_worse_with_time() -> None:
    talk = Talk()
    talk.client("S")
    assert said(talk)[0].severity is Severity.NOTICE
    assert said(talk, 2)[0].severity is Severity.BAD
    pause(talk, 1)
    talk.client("S", seq=0)
    found = said(talk)[0]
    assert (found.code, found.severity) == (Code.NO_ANSWER, Severity.BAD)
    assert found.facts["tries"] == 2
    assert found.facts["span_ns"] == SECOND + MS


def test_refused_and_refused_again() -> None:
    talk = Talk()
    talk.client("S")
    talk.server("RA", seq=-5000, ack=1)
    assert said(talk)[0].code is Code.REFUSED


def test_unreachable_needs_an_error_about_the_syn() -> None:
    talk = Talk()
    talk.client("S")
    error(talk, 77)
    assert codes(talk) == ["no-answer", "icmp-forged"]
    error(talk, 0)
    found = said(talk)[0]
    assert (found.code, found.severity) == (Code.UNREACHABLE, Severity.BAD)
    assert found.facts["reporter"] == "10.0.0.254"
    assert found.facts["reason"] == "host-unreachable"
    # It came through after all.
    talk.server("SA")
    talk.client("A")
    assert said(talk)[0].code is Code.ICMP_ERROR


def test_half_open() -> None:
    talk = Talk()
    talk.client("S")
    talk.server("SA")
    assert (said(talk)[0].code, said(talk)[0].severity) == (Code.HALF_OPEN, Severity.NOTICE)
    assert said(talk, 3)[0].severity is Severity.WARNING


def test_challenged() -> None:
    talk = Talk()
    talk.client("S")
    talk.server("A", seq=777, ack=-40)
    assert said(talk)[0].code is Code.CHALLENGED


def test_syn_scan_needs_that_nothing_else_was_said() -> None:
    talk = Talk()
    talk.client("S")
    talk.server("SA")
    talk.client("R")
    assert said(talk)[0].code is Code.SYN_SCAN
    talk = Talk()
    talk.client("S")
    talk.server("SA")
    talk.server("R", seq=1)
    assert (said(talk)[0].code, said(talk)[0].how) == (Code.RESET, "handshake")


def test_a_lone_syn_ack() -> None:
    talk = Talk()
    talk.server("SA", ack=1)
    assert said(talk)[0].code is Code.SYN_ACK_ALONE


def test_only_one_direction() -> None:
    talk = Talk()
    talk.client("S")
    talk.client("A", 5, ack=1)
    assert said(talk)[0].code is Code.ASYMMETRIC
    talk.client("FA")
    assert (said(talk)[0].code, said(talk)[0].how) == (Code.ASYMMETRIC, "closed")


@pytest.mark.parametrize(
    ("how", "lines"),
    [
        ("", [(0, C, "R", 0)]),
        ("receiving", [(0, S, "A", 500), (0, C, "R", 0)]),
        ("sending", [(0, C, "A", 500), (0, C, "R", 0)]),
        ("idle", [(0, C, "A", 5), (0, S, "A", 0), (60, C, "R", 0)]),
        ("after-own-fin", [(0, C, "FA", 0), (0, S, "A", 0), (0, C, "R", 0)]),
        ("after-fin", [(0, S, "FA", 0), (0, C, "A", 0), (0, C, "R", 0)]),
    ],
)
def test_what_was_going_on_at_the_reset(how: str, lines: list[tuple[int, Side, str, int]]) -> None:
    talk = Talk().handshake()
    for wait, side, flags, data in lines:
        pause(talk, wait)
        (talk.client if side is C else talk.server)(flags, data)
    found = the(talk, Code.RESET)
    assert (found.side, found.how) == (C, how)


def test_a_reset_that_acknowledges_the_data_lost_nothing() -> None:
    talk = Talk().handshake()
    talk.server("A", 500)
    talk.client("RA")
    assert the(talk, Code.RESET).how == ""


def test_given_up_by_retransmissions_and_by_keep_alives() -> None:
    talk = Talk().handshake()
    talk.client("A", 100)
    for _ in range(5):
        pause(talk, 2)
        talk.client("A", 100, seq=1)
    found = said(talk)[0]
    assert (found.code, found.side, found.severity) == (Code.GONE_SILENT, S, Severity.BAD)
    pause(talk, 2)
    talk.client("R")
    found = the(talk, Code.RESET)
    assert (found.how, found.severity, found.facts["retries"]) == ("gave-up", Severity.BAD, 5)

    talk = Talk().handshake()
    talk.client("A", 100)
    talk.server("A")
    for _ in range(4):
        pause(talk, 75)
        talk.client("A", seq=100)
    assert (said(talk)[0].code, said(talk)[0].how) == (Code.GONE_SILENT, "keep-alives")
    talk.client("R")
    assert the(talk, Code.RESET).how == "keep-alives"


def test_an_answer_ends_the_silence() -> None:
    talk = Talk().handshake()
    talk.client("A", 100)
    for _ in range(4):
        pause(talk, 1)
        talk.client("A", 100, seq=1)
    assert "gone-silent" in codes(talk)
    talk.server("A")
    assert "gone-silent" not in codes(talk)


def test_never_closed_is_told_when_it_has_lasted() -> None:
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("A")
    assert said(talk)[0].code is Code.HALF_CLOSED
    assert said(talk, 4)[0].severity is Severity.INFO
    found = said(talk, 30)[0]
    assert (found.code, found.side, found.severity) == (Code.NEVER_CLOSED, S, Severity.NOTICE)
    assert said(talk, 300)[0].severity is Severity.WARNING
    assert 300 * SECOND <= int(said(talk, 300)[0].facts["waiting_ns"]) <= 301 * SECOND


def test_who_goes_on_sending_after_the_others_fin_has_a_right_to() -> None:
    talk = Talk().handshake()
    talk.client("FA")
    for _ in range(20):
        pause(talk, 10)
        talk.server("A", 1000)
        talk.client("A")
    found = said(talk)[0]
    assert (found.code, found.how, found.severity) == (Code.HALF_CLOSED, "sending", Severity.INFO)


def test_a_fin_that_nobody_acknowledges() -> None:
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("FA")
    for _ in range(4):
        pause(talk, 1)
        talk.server("FA", seq=1)
    talk.client("A", 0, seq=2, ack=1)
    found = the(talk, Code.FIN_UNANSWERED)
    assert (found.side, found.severity, found.facts["tries"]) == (S, Severity.WARNING, 5)


def test_open_silent_abandoned() -> None:
    talk = Talk().handshake()
    assert [(said(talk, t)[0].code, said(talk, t)[0].how) for t in (0, 90, 8000)] == [
        (Code.OPEN, ""),
        (Code.OPEN, "silent"),
        (Code.ABANDONED, ""),
    ]


def test_nothing_but_keep_alives() -> None:
    talk = Talk()
    talk.client("A")
    talk.server("A")
    for _ in range(3):
        pause(talk, 30)
        talk.client("A", 1, seq=-1)
        talk.server("A")
    found = said(talk)[0]
    assert (found.code, found.severity) == (Code.KEEP_ALIVE_ONLY, Severity.INFO)


def test_where_arrivals_are_watched_a_lost_ack_closes_nothing() -> None:
    talk = Talk()
    for side, flags in ((C, "S"), (S, "SA"), (C, "A")):
        talk.carried(side, flags)
    mine = talk.segment(C, "FA")
    theirs = talk.segment(S, "FA", ack=1)
    for segment in (mine, theirs):
        talk.sent(segment)
    for segment in (mine, theirs):
        talk.arrives(segment)
    acks = [talk.segment(side, "A") for side in (C, S)]
    for ack in acks:
        talk.sent(ack)
    assert talk.states == ("CLOSING", "CLOSING")
    assert (said(talk)[0].code, str(talk.connection.phase)) == (Code.CLOSING, "teardown 2/4")
    talk.arrives(acks[0])  # the other one is dropped
    found = said(talk)[0]
    assert (found.code, found.how, found.side) == (Code.FIN_UNANSWERED, "last", C)
    assert str(talk.connection.phase) == "teardown 3/4"
    talk.arrives(acks[1])
    found = said(talk)[0]
    assert (found.code, found.how) == (Code.CLOSED_NORMALLY, "both")


# -- findings ----------------------------------------------------------------


def test_a_stall_lasts_until_the_window_opens() -> None:
    talk = Talk().handshake()
    talk.client("A", 1000)
    talk.server("A", window=0)
    found = the(talk, Code.ZERO_WINDOW_STALL, 3)
    assert (found.side, found.how, found.severity) == (S, "still", Severity.WARNING)
    pause(talk, 6)
    talk.server("A", window=5000)
    found = the(talk, Code.ZERO_WINDOW_STALL)
    assert (found.how, found.severity) == ("", Severity.BAD)
    assert found.facts["stalled_ns"] == 6 * SECOND + MS


def test_a_zero_window_of_no_length_or_without_a_sender_is_nothing() -> None:
    talk = Talk().handshake()
    talk.server("A", window=0)
    pause(talk, 9)
    talk.server("A", window=500)
    assert "zero-window-stall" not in codes(talk)
    talk = Talk().handshake()
    talk.client("A", 1000)
    talk.server("A", window=0)
    talk.server("A", window=500)
    assert "zero-window-stall" not in codes(talk)


def test_a_stall_from_before_the_capture_is_found_by_its_probes() -> None:
    """As Linux 6.18 probes: no data, the number before the next one, and an ACK that says 0."""
    talk = Talk()
    talk.client("A", seq=-1)
    talk.server("A", window=0)
    assert "zero-window-stall" not in codes(talk, 9)  # one segment may be the answer to anything
    for seconds in (4, 7, 14):
        pause(talk, seconds)
        talk.client("A", seq=-1)
        talk.server("A", window=0)
    found = said(talk)[0]
    assert (found.code, found.side, found.how) == (Code.ZERO_WINDOW_STALL, S, "still")
    assert found.severity is Severity.BAD


def test_loss_by_share() -> None:
    talk = Talk().handshake()
    for number in range(100):
        talk.client("A", 100)
        if number in (10, 20, 30):
            pause(talk, 1)
            talk.client("A", 100, seq=1 + 100 * number)
        talk.server("A")
    found = the(talk, Code.LOSSY)
    assert (found.side, found.severity) == (C, Severity.WARNING)
    assert (found.facts["again"], found.facts["data"]) == (3, 103)
    assert found.facts["before_capture"] == 0


def sent_again_after_its_ack() -> Talk:
    talk = Talk().handshake()
    talk.client("A", 100)
    talk.server("A")
    pause(talk, 1)
    talk.client("A", 100, seq=1)
    return talk


def test_what_was_acknowledged_before_was_sent_again_for_nothing() -> None:
    talk = sent_again_after_its_ack()
    assert the(talk, Code.NEEDLESS_RETRANSMISSIONS).facts["again"] == 1
    assert "lossy" not in codes(talk)


def test_what_a_dsack_tells_of_was_sent_again_for_nothing() -> None:
    """A probe for lost data before a delayed ACK (RFC 8985 section 7): both copies arrived."""
    talk = Talk().handshake()
    talk.client("A", 100)
    first = talk.frame
    talk.client("A", 100)
    pause(talk, 1)
    talk.client("A", 100, seq=101)
    talk.server("A", options=Options(sack=((1101, 1201),)))
    needless = the(talk, Code.NEEDLESS_RETRANSMISSIONS)
    assert (needless.side, needless.facts["again"], needless.facts["data"]) == (C, 1, 3)
    assert evidence(talk.connection, needless) == (first + 2,)
    assert "lossy" not in codes(talk)
    # Told once more, the same repetition is not needless twice.
    talk.server("A", options=Options(sack=((1101, 1201),)))
    assert the(talk, Code.NEEDLESS_RETRANSMISSIONS).facts["again"] == 1


@pytest.mark.parametrize("stamp", [11, 12, 13])
def test_what_was_sent_before_what_overtook_it_was_not_lost(stamp: int) -> None:
    """Wireshark takes it for a fast retransmission; its timestamp says when it was sent."""
    talk = Talk().handshake()
    stamps = [Options(timestamps=(tick, 1)) for tick in (10, 12, stamp)]
    talk.client("A", 100, options=stamps[0])
    for number in (2, 3, 4):
        talk.client("A", 100, seq=1 + 100 * number, options=stamps[1])
        talk.server("A", ack=101)
    last = talk.client("A", 100, seq=101, options=stamps[2])
    assert last.frame == talk.frame
    marks = [str(mark.name) for mark in talk.connection.observation.marks]
    assert marks == ["fast_retransmission", "retransmission"]
    talk.server("A", ack=501)
    lost = "lossy" in codes(talk)
    assert lost == (stamp >= 12)
    if lost:
        assert the(talk, Code.LOSSY).facts["before_capture"] == 1


def test_what_the_network_doubled_takes_away_no_loss() -> None:
    talk = Talk().handshake()
    talk.client("A", 100)
    talk.client("A", 100)
    pause(talk, 1)
    talk.client("A", 100, seq=1)
    talk.server("A", options=Options(sack=((1101, 1201),)))  # it was sent once only
    assert the(talk, Code.LOSSY).facts["again"] == 1
    assert "needless-retransmissions" not in codes(talk)


def test_acknowledged_before_and_told_of_by_dsack_counts_once() -> None:
    talk = sent_again_after_its_ack()
    talk.server("A", options=Options(sack=((1001, 1101),)))
    assert the(talk, Code.NEEDLESS_RETRANSMISSIONS).facts["again"] == 1
    assert "lossy" not in codes(talk)


def test_a_repeated_syn_makes_a_handshake_slow() -> None:
    talk = Talk()
    talk.client("S")
    pause(talk, 1)
    talk.client("S", seq=0)
    talk.server("SA")
    talk.client("A")
    found = the(talk, Code.SLOW_HANDSHAKE)
    assert (found.how, found.facts["tries"], found.severity) == (
        "syn-repeated",
        2,
        Severity.WARNING,
    )


@pytest.mark.parametrize(("waits", "slow"), [((2.0, 0.0), S), ((0.0, 2.0), C)])
def test_whom_a_slow_handshake_waited_for(waits: tuple[float, float], slow: Side) -> None:
    talk = Talk()
    talk.client("S")
    pause(talk, waits[0])
    talk.server("SA")
    pause(talk, waits[1])
    talk.client("A")
    assert the(talk, Code.SLOW_HANDSHAKE).side is slow


def test_path_mtu_told_and_suspected() -> None:
    talk = Talk().handshake()
    talk.client("A", 1460)
    error(talk, 1, 3, 4, 1400)
    found = the(talk, Code.PATH_MTU)
    assert (found.how, found.facts["mtu"]) == ("icmp", 1400)

    talk = Talk().handshake()
    talk.client("A", 300)
    talk.server("A")
    talk.client("A", 1460)
    for _ in range(4):
        pause(talk, 2)
        talk.client("A", 1460, seq=301)
        talk.server("A", ack=301)
    found = the(talk, Code.PATH_MTU)
    assert (found.how, found.facts["bytes"], found.facts["arrived_bytes"]) == (
        "suspected",
        1460,
        300,
    )


def test_a_black_hole_is_not_suspected_where_full_segments_arrived() -> None:
    talk = Talk().handshake()
    talk.client("A", 1460)
    talk.server("A")
    talk.client("A", 1460)
    for _ in range(4):
        pause(talk, 2)
        talk.client("A", 1460, seq=1461)
    assert "path-mtu" not in codes(talk)


def test_damage_and_offload() -> None:
    talk = Talk().handshake()
    for number in range(20):
        odd(talk, C, "A", 10, checksum_ok=number != 5)
        odd(talk, S, "A", 0, checksum_ok=False)
    assert the(talk, Code.BAD_CHECKSUMS).side is C
    assert the(talk, Code.CHECKSUM_OFFLOAD).side is S


def test_ttls_that_do_not_belong_together() -> None:
    talk = Talk()
    odd(talk, C, "S", ttl=64)
    odd(talk, S, "SA", ttl=250)
    odd(talk, C, "A", ttl=64)
    for _ in range(3):
        odd(talk, S, "A", 10, ttl=52)
    found = the(talk, Code.MIDDLEBOX_SUSPECTED)
    assert (found.side, found.how, found.facts["odd_ttl"]) == (S, "syn-ttl", 250)
    odd(talk, S, "R", ttl=61)
    hows = {v.how for v in said(talk) if v.code is Code.MIDDLEBOX_SUSPECTED}
    assert hows == {"syn-ttl", "reset-ttl"}


def test_a_ttl_that_is_one_less_is_another_route() -> None:
    talk = Talk()
    odd(talk, C, "S", ttl=64)
    odd(talk, S, "SA", ttl=53)
    odd(talk, C, "A", ttl=64)
    odd(talk, S, "A", 10, ttl=52)
    assert "middlebox-suspected" not in codes(talk)


def test_echoes_and_sacks_of_what_was_never_sent() -> None:
    talk = Talk()
    talk.client("S", options=Options(timestamps=(1000, 0)))
    talk.server("SA", options=Options(timestamps=(5000, 1000)))
    talk.client("A", options=Options(timestamps=(1001, 5000)))
    for number in range(3):
        talk.client("A", 10, options=Options(timestamps=(1002 + number, 3_000_000_000)))
        talk.server("A", options=Options(timestamps=(5001, 1000), sack=((7, 17),)))
    hows = {(v.side, v.how) for v in said(talk) if v.code is Code.MIDDLEBOX_SUSPECTED}
    assert hows == {(C, "timestamps")}  # SACK blocks near the ACK are fine
    for _ in range(2):
        talk.server("A", options=Options(sack=((2_000_000_000, 2_000_000_100),)))
    hows = {(v.side, v.how) for v in said(talk) if v.code is Code.MIDDLEBOX_SUSPECTED}
    assert hows == {(C, "timestamps"), (S, "sequence")}


def test_a_reset_far_outside_is_ignored_and_told() -> None:
    talk = Talk().handshake()
    talk.client("A", 10)
    talk.server("R", seq=900_000_000)
    talk.server("A")
    talk.client("A", 10)
    talk.server("A")
    found = the(talk, Code.RESETS_IGNORED)
    assert found.facts["resets"] == 1
    assert "open" in codes(talk)


def test_a_lost_reset_is_not_called_ignored() -> None:
    talk = Talk()
    for side, flags in ((C, "S"), (S, "SA"), (C, "A")):
        talk.carried(side, flags)
    made = talk.segment(C, "RA")
    talk.sent(made)
    talk.feed(made, Moment.LOST)
    assert "resets-ignored" not in codes(talk)


@pytest.mark.parametrize(("answer", "told"), [
    (Flags(0), True), (Flags.ECE, True), (Flags.CWR, False), (Flags.AE | Flags.CWR, False),
])  # fmt: skip
def test_an_echo_of_congestion_where_accurate_ecn_was_asked_for(answer: Flags, told: bool) -> None:
    """If the answer agrees, ECE is a digit of a counter (RFC 9768), and says nothing by itself."""
    talk = Talk()
    every = Flags.AE | Flags.CWR | Flags.ECE
    feed(talk, replace(talk.segment(C, "S"), flags=Flags.SYN | every))
    feed(talk, replace(talk.segment(S, "SA"), flags=Flags.SYN | Flags.ACK | answer))
    feed(talk, replace(talk.segment(C, "A"), flags=Flags.ACK | every))
    assert ("congestion-marked" in codes(talk)) is told
    if not told:
        odd(talk, S, "A", 5, ecn=3)
        assert the(talk, Code.CONGESTION_MARKED).facts == {"packets": 1, "echoes": 0}


def test_small_things() -> None:
    talk = Talk(client=CLIENT._replace(port=0)).handshake()
    talk.client("AU", 1)
    odd(talk, S, "A", 5, ecn=3)
    feed(talk, replace(talk.segment(C, "A"), flags=Flags.ACK | Flags.ECE))
    assert {"port-zero", "urgent-data", "congestion-marked"} <= set(codes(talk))
    mptcp = Options(unknown=((30, b"\x01\x81"),))
    talk = Talk()
    talk.client("S", options=mptcp)
    assert the(talk, Code.MULTIPATH).how == "offered"
    talk.server("SA", options=mptcp)
    assert the(talk, Code.MULTIPATH).how == ""


def test_a_packet_captured_twice_is_counted_once() -> None:
    talk = Talk().handshake()
    made = odd(talk, C, "A", 100, ip_id=7)
    feed(talk, replace(made, frame=made.frame + 1, time_ns=made.time_ns + 1000))
    assert the(talk, Code.CAPTURED_TWICE).facts["copies"] == 1
    assert "lossy" not in codes(talk)


def test_split_handshake() -> None:
    talk = Talk()
    talk.client("S")
    talk.server("S")
    talk.client("SA", seq=0)
    talk.server("A", seq=1)
    talk.client("A", 4)
    talk.server("A")
    assert "split-handshake" in codes(talk)
    assert "slow-handshake" not in codes(talk)


@pytest.mark.parametrize(("held", "how"), [(0, None), (400 * MS, None), (1100 * MS, "held")])
def test_a_handshake_that_somebody_held_is_nobodys_fault(held: int, how: str | None) -> None:
    """The lab's hand keeps a SYN back: that says nothing of the server, nor of the network."""
    tracker = Tracker(analyse=True)
    syn = made(0, A, Flags.SYN, 100)
    answer = made(1200 * MS, B, Flags.SYN | Flags.ACK, 500, 101)
    third = made(1300 * MS, A, Flags.ACK, 101, 501)
    for segment, lay in ((syn, held), (answer, 0), (third, 0)):
        for moment, time in ((Moment.SENT, 0), (Moment.ARRIVED, 50 * MS)):
            record = SegmentRecord(segment.time_ns + time, segment, moment, held_ns=lay)
            for _step in tracker.feed(record):
                pass
    (connection,) = tracker.connections.values()
    (found,) = [v for v in verdicts(connection, 0) if v.code is Code.SLOW_HANDSHAKE]
    assert found.how == (how or "")
    assert found.severity is (Severity.INFO if how else Severity.WARNING)
    assert found.side is (None if how else Side.SERVER)


def test_where_no_time_passed_nobody_held_a_syn() -> None:
    """A clock of whole seconds, say, and an answer that was sent again."""
    tracker = Tracker(analyse=True)
    syn, answer = made(0, A, Flags.SYN, 100), made(0, B, Flags.SYN | Flags.ACK, 500, 101)
    answer, again = replace(answer, ip_id=7), replace(answer, ip_id=8)
    for segment in (syn, answer, again, made(0, A, Flags.ACK, 101, 501)):
        tracker.feed(SegmentRecord(segment.time_ns, segment))
    (connection,) = tracker.connections.values()
    (found,) = [v for v in verdicts(connection, 0) if v.code is Code.SLOW_HANDSHAKE]
    assert found.how == "syn-ack-repeated"


# -- in general ---------------------------------------------------------------


def test_without_analysis_there_is_an_outcome() -> None:
    talk = Talk(tracker=Tracker(analyse=False)).handshake()
    talk.client("FA")
    talk.server("FA")
    talk.client("A")
    assert codes(talk) == ["closed-normally"]


def test_the_most_severe_comes_first_and_now_is_never_before_the_end() -> None:
    talk = Talk().handshake()
    talk.client("A", 1000)
    talk.server("A", window=0)
    pause(talk, 10)
    talk.server("A", window=10)
    found = verdicts(talk.connection, 0)
    assert [each.severity for each in found] == sorted((e.severity for e in found), reverse=True)
    assert found[0].code is Code.ZERO_WINDOW_STALL


def test_every_text_belongs_to_a_code_and_every_code_has_one() -> None:
    assert {key.partition("/")[0] for key in TEXTS} == {str(code) for code in Code}
    assert all(text == text.strip() and not text.endswith(".") for text in TEXTS.values())


def test_a_sentence_takes_the_variant_for_many() -> None:
    one = Verdict(Code.NO_ANSWER, Severity.BAD, S, {"tries": 1, "span_ns": 0})
    assert sentence(one) == "no answer to SYN, 1 try"
    many = Verdict(Code.NO_ANSWER, Severity.BAD, S, {"tries": 3, "span_ns": 3 * SECOND})
    assert sentence(many) == "no answer to SYN, 3 tries in 3 s"
    assert text_key(many) == "no-answer/many"


def test_what_strangers_say_reaches_no_terminal_raw() -> None:
    bad = Verdict(Code.ICMP_ERROR, Severity.BAD, S, {"reporter": "\x1b[2J", "reason": "\x07"})
    assert "\x1b" not in sentence(bad)
    assert "\x07" not in sentence(bad)


def test_the_watch_ends_where_nobody_listened_any_more() -> None:
    def span(first: int, last: int) -> Connection:
        talk = Talk().handshake()
        talk.connection.first_ns, talk.connection.last_ns = first, last
        return talk.connection

    early, other, late = span(0, 10), span(5, 500), span(600 + PAUSE_NS, 700 + PAUSE_NS)
    back = span(50, 40)  # a clock that was set back
    watch = Watch([late, early, back, other])
    assert watch.until(early) == 500
    assert watch.until(back) == 500
    assert watch.until(late) == 700 + PAUSE_NS
