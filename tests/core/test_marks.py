"""Marks, rule by rule, and what holds for any connection."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpviz.core.marks import MarkAnalyzer, Observation
from tcpviz.core.records import Side
from tcpviz.core.segment import Options
from tcpviz.core.sendlog import MAX_HOLES, MAX_UNACKED
from tests.core.script import HANDSHAKE, MS, script

OPEN = ("c S at=0", "s SA at=20", "c A at=21")


def run(*lines: str, analyzer: MarkAnalyzer | None = None, **facts: object) -> list[Observation]:
    analyzer = analyzer or MarkAnalyzer()
    seen = []
    for segment, side in script(*lines, **facts):  # type: ignore[arg-type]
        marks = analyzer.observe(segment, side)
        assert analyzer.last is not None
        assert marks == analyzer.last.marks
        seen.append(analyzer.last)
    return seen


def said(*lines: str, **facts: object) -> list[str]:
    """The last segment's marks."""
    return [str(mark) for mark in run(*lines, **facts)[-1].marks]


def test_a_clean_connection_has_no_marks() -> None:
    seen = run(*OPEN, "c PA len=10", "s A", "s PA len=300", "c A", "c FA", "s A", "s FA", "c A")
    assert [one.marks for one in seen] == [()] * len(seen)


def test_retransmission_after_a_timeout() -> None:
    seen = run(*OPEN, "c PA len=10 at=30", "c PA seq=1 len=10 at=300")
    (mark,) = seen[-1].marks
    assert (mark.name, mark.frame, mark.after_ns) == ("retransmission", 4, 270 * MS)
    assert seen[-1].seen_before == 10


def test_a_repeated_syn_is_a_retransmission_and_a_refused_one_another_attempt() -> None:
    assert said("c S at=0", "c S seq=0 at=1000") == ["retransmission"]
    assert said("c S at=0", "s RA at=1", "c S seq=0 at=500") == ["reused_ports"]


def test_spurious_retransmission() -> None:
    lines = (*OPEN, "c PA len=10", "s A", "c PA seq=1 len=10")
    assert said(*lines) == ["spurious_retransmission", "retransmission"]


def test_fast_retransmission_needs_two_duplicate_acks_just_before() -> None:
    data = (*OPEN, *("c A len=100 at=30",) * 5)
    acks = ("s A ack=101 at=50", "s A ack=101 at=51", "s A ack=101 at=52")
    again = "c A seq=101 len=100 at="
    assert said(*data, *acks, again + "60") == ["fast_retransmission", "retransmission"]
    assert said(*data, *acks[:2], again + "60") == ["retransmission"]
    assert said(*data, *acks, again + "90") == ["retransmission"]


def test_fast_retransmission_of_what_sack_leaves_out() -> None:
    lines = (
        *OPEN,
        *("c A len=100 at=30",) * 5,
        *("s A ack=101 at=50", "s A ack=101 at=51", "s A ack=101 at=52"),
    )
    sack = Options(sack=((1201, 1301),))
    options = {10: sack, 11: sack}
    assert said(*lines, "c A seq=301 len=100 at=55", options=options) == [
        "fast_retransmission",
        "retransmission",
    ]
    assert said(*lines, "c A seq=201 len=100 at=55", options=options) == ["retransmission"]


def test_duplicate_acks_are_numbered_and_name_the_first() -> None:
    seen = run(*OPEN, "c A len=100", "c A len=100", "s A ack=101", "s A ack=101", "s A ack=101")
    assert [str(mark) for one in seen[-2:] for mark in one.marks] == [
        "duplicate_ack #1",
        "duplicate_ack #2",
    ]
    assert seen[-1].marks[0].frame == 6
    # Another window makes it a window update, unless it carries SACK.
    lines = (*OPEN, "c A len=100", "c A len=100", "s A ack=101", "s A ack=101 win=9000")
    assert said(*lines) == ["window_update"]
    assert said(*lines, options={7: Options(sack=((1101, 1201),))}) == ["duplicate_ack #1"]


def test_an_ack_with_an_mptcp_option_other_than_dss_repeats_nothing() -> None:
    lines = (*OPEN, "c A len=100", "s A", "s A")
    assert said(*lines, options={6: Options(unknown=((30, b"\x30\x01"),))}) == []
    assert said(*lines, options={6: Options(unknown=((30, b"\x20\x01"),))}) == ["duplicate_ack #1"]


def test_out_of_order_within_the_round_trip_time_else_retransmission() -> None:
    lines = (*OPEN, "c A len=100 at=30", "c A seq=201 len=100 at=31")
    assert said(*lines) == ["lost_segment"]
    seen = run(*lines, "c A seq=101 len=100 at=40")
    assert [str(mark) for mark in seen[-1].marks] == ["out_of_order"]
    assert seen[-1].seen_before == 0
    assert said(*lines, "c A seq=101 len=100 at=60") == ["retransmission"]
    # Without a handshake, 3 ms is the limit.
    mid = ("c A seq=1 len=100 at=0", "c A seq=201 len=100 at=1")
    assert said(*mid, "c A seq=101 len=100 at=3") == ["out_of_order"]
    assert said(*mid, "c A seq=101 len=100 at=9") == ["retransmission"]


def test_time_that_runs_backwards_is_no_reordering() -> None:
    lines = (*OPEN, "c A len=100 at=30", "c A seq=201 len=100 at=31", "c A seq=101 len=100 at=5")
    assert said(*lines) == ["retransmission"]


def test_ack_of_something_unseen_is_said_once() -> None:
    lines = (*OPEN, "c A len=100", "s A ack=301")
    assert said(*lines) == ["ack_lost_segment"]
    assert said(*lines, "s A ack=301 win=5") == ["window_update"]
    assert said(*lines, "c A seq=301 len=10", "s A ack=311") == []
    # A hole before data that was seen.
    hole = (*OPEN, "c A len=100", "c A seq=201 len=100", "s A ack=301")
    assert said(*hole) == ["ack_lost_segment"]


def test_zero_window_probe_and_its_answer() -> None:
    lines = (*OPEN, "c A len=100", "s A win=0")
    assert said(*lines) == ["zero_window"]
    probe = (*lines, "c A len=1")
    assert said(*probe) == ["zero_window_probe"]
    # The probe's byte was not taken: the answer repeats the ACK before it.
    answered = (*probe, "s A ack=101 win=0")
    assert said(*answered) == ["zero_window", "zero_window_probe_ack"]
    # It was taken: still an answer, or a window update, and nothing is lost or unseen.
    taken = (*probe, "s A ack=102 win=0")
    assert said(*taken) == ["zero_window", "zero_window_probe_ack"]
    assert said(*probe, "s A ack=102 win=900") == ["window_update"]
    assert said(*taken, "c A seq=102 len=50") == []
    assert said(*probe, "c A seq=102 len=50", "s A ack=152 win=0") == ["zero_window"]

    # Room at last; the byte comes again, and more. That is not a retransmission.
    opened = (*answered, "s A ack=101 win=500")
    assert said(*opened) == ["window_update"]
    assert said(*opened, "c A seq=101 len=50") == []


def test_data_that_comes_behind_its_own_ack_was_not_seen_before() -> None:
    late = (*OPEN, "s A ack=101", "c A seq=101 len=50", "c A seq=1 len=100")
    assert run(*late)[-1].seen_before == 0
    assert run(*late, "c A seq=1 len=100")[-1].seen_before == 100


def test_keep_alive_and_its_answer() -> None:
    lines = (*OPEN, "c A len=100", "s A", "c A seq=100", "s A")
    seen = run(*lines)
    assert [str(mark) for one in seen[-2:] for mark in one.marks] == [
        "keep_alive",
        "keep_alive_ack",
    ]
    assert said(*lines[:-2], "c A seq=100 len=1") == ["keep_alive"]
    # A single new byte is none, and neither is the answer to it.
    assert said(*OPEN, "c A len=1", "s A") == []


def test_window_full_by_the_scaled_window() -> None:
    scaled = {1: Options(window_scale=7), 2: Options(window_scale=2)}
    lines = (*OPEN, "s A win=25", "c A len=60", "c A len=40")
    assert said(*lines, options=scaled) == ["window_full"]
    # Only one end offers scaling: then nobody scales.
    assert said(*lines[:-2], "c A len=25", options={1: Options(window_scale=7)}) == ["window_full"]
    # The SYN-ACK's own window is not scaled.
    assert said("c S", "s SA win=100", "c A", "c A len=100", options=scaled) == ["window_full"]
    # Mid-stream the scale is unknown.
    assert said("s A seq=1 win=25", "c A len=25") == []


def test_no_window_is_full_whose_unit_was_cut_off() -> None:
    cut, known = Options(cut=True), Options(window_scale=2)
    lines = ("c S", "s SA win=100", "c A win=100", "c A len=100", "s A len=100")
    assert said(*lines, options={1: cut, 2: cut}) == []
    # One that told its unit before the cut ...
    assert said("c S", "s SA win=25", "s A win=25", "c A len=100", options={2: known}) == []
    told = {1: cut, 2: Options(window_scale=2, cut=True)}
    assert said("c S", "s SA win=25", "s A win=25", "c A len=100", options=told) == ["window_full"]
    # ... and where the other end has none nobody scales, whatever was cut off.
    assert said(*lines[:2], "c A", "c A len=100", options={2: cut}) == ["window_full"]


def test_fast_open() -> None:
    cookie = {1: Options(fast_open=b"12345678")}
    seen = run("c S len=10", "s SA ack=11", options=cookie)
    assert [str(mark) for one in seen for mark in one.marks] == ["tfo_syn", "tfo_ack"]
    assert said("c S len=10", "s SA ack=1", options=cookie) == ["tfo_ignored"]
    # Without a cookie nobody could expect the data to be taken; it may be nevertheless.
    assert said("c S len=10", "s SA ack=1") == []
    assert said("c S len=10", "s SA ack=11") == ["tfo_ack"]
    assert said("c S", options={1: Options(fast_open=b"")}) == []
    # Linux sends the SYN again without its data, which may have been taken nevertheless.
    again = ("c S len=10", "c S seq=0 at=1000")
    assert said(*again, "s SA ack=11", options=cookie) == ["tfo_ack"]
    assert said(*again, "s SA ack=1", options=cookie) == ["tfo_ignored"]
    other = said(*again, "c S seq=700 at=2000", "s SA ack=701", options=cookie)
    assert not {"tfo_ack", "tfo_ignored"} & set(other)


def test_reused_ports_at_the_first_syn() -> None:
    seen = run(*HANDSHAKE, analyzer=MarkAnalyzer(reused_ports=True))
    assert [[str(mark) for mark in one.marks] for one in seen] == [["reused_ports"], [], []]


def test_a_packet_captured_twice_is_no_retransmission() -> None:
    lines = (*OPEN, "c PA len=10 id=77 at=30", "c PA seq=1 len=10 id=77 at=30")
    assert said(*lines) == ["captured_twice"]
    assert said(*lines, analyzer=MarkAnalyzer(spot_copies=False)) == ["retransmission"]
    # Another identification, or much later: a new packet.
    assert said(*lines[:-1], "c PA seq=1 len=10 id=78 at=30") == ["retransmission"]
    assert said(*lines[:-1], "c PA seq=1 len=10 id=77 at=300") == ["retransmission"]


def test_an_identification_that_is_always_the_same_identifies_nothing() -> None:
    lines = tuple(f"{line} id=1" for line in (*OPEN, "c A len=100", "s A", "s A", "s A"))
    assert said(*lines) == ["duplicate_ack #2"]


def test_without_identification_only_data_at_once_is_a_copy() -> None:
    lines = tuple(f"{line} id=0" for line in (*OPEN, "c A len=100 at=30", "s A at=40"))
    assert said(*lines, "s A at=40 id=0") == ["duplicate_ack #1"]
    assert said(*lines[:-1], "c A seq=1 len=100 at=30 id=0") == ["captured_twice"]


def test_round_trip_times_and_karns_rule() -> None:
    seen = run(*OPEN, "c A len=10 at=30", "c A len=10 at=31", "s A ack=21 at=80")
    last = seen[-1]
    assert (last.acks_frame, last.ack_rtt_ns, last.ack_ambiguous) == (5, 49 * MS, False)
    seen = run(*OPEN, "c A len=10 at=30", "c A seq=1 len=10 at=300", "s A ack=11 at=320")
    last = seen[-1]
    assert (last.acks_frame, last.ack_rtt_ns, last.ack_ambiguous) == (4, 290 * MS, True)


def test_initial_rtt() -> None:
    analyzer = MarkAnalyzer()
    run("c S at=0", "c S seq=0 at=1000", "s SA at=1020", "c A at=1021", analyzer=analyzer)
    assert analyzer.initial_rtt_ns == 21 * MS
    refused = MarkAnalyzer()
    run("c S at=0", "s RA at=5", analyzer=refused)
    assert refused.initial_rtt_ns is None


def test_bytes_in_flight() -> None:
    seen = run(*OPEN, "c A len=100", "c A len=100", "s A ack=51", "c A len=100")
    assert [one.bytes_in_flight for one in seen] == [None, None, None, 100, 200, None, 250]
    # Less what was selectively acknowledged.
    seen = run(
        *OPEN,
        *("c A len=100",) * 3,
        "s A ack=101",
        "c A len=50",
        options={7: Options(sack=((1201, 1301),))},
    )
    assert seen[-1].bytes_in_flight == 150
    # After a gap, unknown until the other end acknowledges something.
    seen = run(*OPEN, "c A len=100", "c A seq=500 len=10", "s A ack=101", "c A len=10")
    assert [one.bytes_in_flight for one in seen[3:]] == [100, None, None, 20]


def test_dsack() -> None:
    sack = {5: Options(sack=((1001, 1011),)), 6: Options(sack=((1301, 1311), (1201, 1401)))}
    seen = run(*OPEN, "c A len=100", "s A", "s A", options=sack)
    assert [one.dsack for one in seen[-2:]] == [(1001, 1011), (1301, 1311)]


def test_totals_and_counts() -> None:
    analyzer = MarkAnalyzer()
    run(*OPEN, "c PA len=10", "c PA seq=1 len=10 at=900", "s A", "s A", analyzer=analyzer)
    assert analyzer.totals == {"retransmission": 1, "duplicate_ack": 1}
    assert analyzer.counts[Side.CLIENT] == {"retransmission": 1}


def test_memory_is_bounded() -> None:
    """One-way captures never acknowledge; a lossy one has holes without end."""
    analyzer = MarkAnalyzer()
    count = 4 * MAX_UNACKED
    run(*(f"c A seq={1 + 200 * n} len=100" for n in range(count)), analyzer=analyzer)
    log = analyzer._client.log
    assert len(log._unacked) <= MAX_UNACKED
    assert len(log._holes) <= MAX_HOLES
    assert sys.getsizeof(analyzer._twice._recent) < 1000  # type: ignore[union-attr]


LINES = st.lists(
    st.builds(
        lambda who, flags, seq, length, ack, win, gap: (who, flags, seq, length, ack, win, gap),
        st.sampled_from("cs"),
        st.sampled_from(["A", "PA", "FA", "S", "SA", "R", "RA", "-"]),
        st.integers(0, 60),
        st.integers(0, 20),
        st.integers(0, 60),
        st.integers(0, 3),
        st.integers(0, 40),
    ),
    max_size=25,
)


@given(LINES, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_shifting_the_sequence_numbers_changes_nothing(
    lines: list[tuple[str, str, int, int, int, int, int]], client: int, server: int
) -> None:
    now = 0
    written = []
    for who, flags, seq, length, ack, win, gap in lines:
        now += gap
        written.append(f"{who} {flags} seq={seq} len={length} ack={ack} win={win} at={now}")
    here = run(*written, iss=(1000, 5000))
    there = run(*written, iss=(client, server))
    assert here == there


@given(LINES)
@settings(max_examples=100, deadline=None)
def test_naming_the_ends_the_other_way_round_changes_nothing_else(
    lines: list[tuple[str, str, int, int, int, int, int]],
) -> None:
    analyzers = MarkAnalyzer(), MarkAnalyzer()
    written = [
        f"{who} {flags} seq={seq} len={length} ack={ack} win={win}"
        for who, flags, seq, length, ack, win, _ in lines
    ]
    for segment, side in script(*written):
        marks = [
            analyzer.observe(segment, name)
            for analyzer, name in zip(analyzers, (side, side.other), strict=True)
        ]
        assert marks[0] == marks[1]


@pytest.mark.parametrize("number", [0, 2**32 - 1])
def test_a_sequence_number_of_zero_is_a_number(number: int) -> None:
    lines = (*OPEN, "c A len=100", "s A", "c A seq=1 len=100")
    assert said(*lines, iss=(number, number)) == ["spurious_retransmission", "retransmission"]
