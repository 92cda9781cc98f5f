"""Zeek's conn_state and history, letter by letter."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.zeek import MAX_HISTORY, ZeekView
from tcpviz.core.zeek_gaps import MAX_BLOCKS, Gaps
from tests.core.script import HANDSHAKE, script

DATA = (*HANDSHAKE, "c PA len=10", "s A", "s PA len=300", "c A")


def view(*lines: str, zeek: ZeekView | None = None, **facts: object) -> ZeekView:
    zeek = zeek or ZeekView()
    for segment, side in script(*lines, **facts):  # type: ignore[arg-type]
        zeek.observe(segment, side)
    return zeek


def zeek(*lines: str, **facts: object) -> tuple[str, str]:
    seen = view(*lines, **facts)
    return seen.conn_state, seen.history


@pytest.mark.parametrize(
    ("lines", "state", "history"),
    [
        (("c S",), "S0", "S"),
        (("c S", "c S seq=0"), "S0", "S"),
        # The numbering begins anew with each such SYN, so that it is not "another number".
        (("c S", "c S seq=77"), "S0", "S"),
        (("c S", "s RA"), "REJ", "Sr"),
        (("c S", "s SA"), "S1", "Sh"),
        (HANDSHAKE, "S1", "ShA"),
        (DATA, "S1", "ShADad"),
        ((*DATA, "c FA", "s A"), "S2", "ShADadF"),
        ((*DATA, "s FA", "c A"), "S3", "ShADadf"),
        ((*DATA, "c FA", "s FA", "c A"), "SF", "ShADadFf"),
        ((*DATA, "c RA"), "RSTO", "ShADadR"),
        ((*DATA, "s RA"), "RSTR", "ShADadr"),
        # A reset behind the reset with another number is written again.
        ((*DATA, "c R", "c R seq=11"), "RSTO", "ShADadR"),
        ((*DATA, "c R", "c R seq=12"), "RSTO", "ShADadRR"),
        # A SYN and a reset, and nothing of the responder's: the stealthy scan.
        (("c S", "c R"), "RSTOS0", "SR"),
        (("c S", "c FA"), "SH", "SF"),
        # The responder's half only.
        (("s SA", "s PA len=3", "s FA"), "SHR", "^hdf"),
        (("s SA", "s RA"), "RSTRH", "^hr"),
        # Mid-stream.
        (("c PA seq=1 len=3", "s A seq=1"), "OTH", "Da"),
        # After both FINs a reset changes nothing.
        ((*DATA, "c FA", "s FA", "c R"), "SF", "ShADadFfR"),
        # A FIN, and a reset of the other end.
        ((*DATA, "c FA", "s R"), "RSTR", "ShADadFr"),
        # A reset of the other end, and a FIN that crossed it.
        ((*DATA, "c FA", "c R", "s FA"), "SF", "ShADadFRf"),
        # Crossing SYNs: the SYN took the slot that the SYN-ACK would have had.
        (("c S", "s S", "c SA seq=0", "s SA seq=0"), "S1", "Ss"),
        # Odd flags.
        (("c SF",), "SH", "Q"),
        (("c FR",), "OTH", "I"),
        (("c SFR",), "OTH", "I"),
        # No flags, no data: no letter.
        (("c -",), "OTH", ""),
    ],
)
def test_states_and_letters(lines: tuple[str, ...], state: str, history: str) -> None:
    assert zeek(*lines) == (state, history)


def test_the_syn_captured_behind_its_syn_ack_swaps_the_ends() -> None:
    """Where no port tells who is the server, the first segment's sender seemed to be the client."""
    ends = {"c": Endpoint("10.0.0.1", 40000), "s": Endpoint("10.0.0.2", 50000)}
    seen = view("s SA", "c S", "c A", ends=ends)
    assert (seen.conn_state, seen.history) == ("S1", "Hs^A")
    assert seen.originator is Side.CLIENT
    # With the server's port known, the flip comes first, and Zeek never sees it established.
    assert zeek("s SA", "c S", "c A") == ("OTH", "^hSA")


def test_likely_server_ports() -> None:
    ssh = {"c": Endpoint("10.0.0.1", 22), "s": Endpoint("10.0.0.2", 80)}
    # Both are likely: the lower one is the server, but a SYN-ACK swaps nothing.
    assert zeek("c A len=3", ends=ssh) == ("OTH", "^d")
    assert zeek("s A len=3", ends=ssh) == ("OTH", "D")
    assert zeek("c SA", ends=ssh) == ("OTH", "H")
    plain = ZeekView(server_ports=frozenset())
    assert view("s A len=3", zeek=plain).history == "D"


def test_retransmissions_are_counted_by_powers_of_ten() -> None:
    again = ("c PA seq=1 len=10",)
    assert zeek(*DATA, *again * 1)[1] == "ShADadT"
    assert zeek(*DATA, *again * 9)[1] == "ShADadT"
    assert zeek(*DATA, *again * 10)[1] == "ShADadTT"
    assert zeek(*DATA, *again * 99)[1] == "ShADadTT"
    assert zeek(*DATA, *again * 100)[1] == "ShADadTTT"


def test_zero_windows() -> None:
    assert zeek(*DATA, "s A win=0")[1] == "ShADadw"
    # Not of resets, and not once the peer has closed.
    assert zeek(*DATA, "s R win=0")[1] == "ShADadr"
    assert zeek(*DATA, "c FA", "s A win=0")[1] == "ShADadF"
    assert zeek(*DATA, "c FA", "c A win=0")[1] == "ShADadFW"


def test_gaps_are_told_by_the_ack() -> None:
    assert zeek(*DATA, "s PA seq=401 len=10")[1] == "ShADad"
    assert zeek(*DATA, "s PA seq=401 len=10", "c A ack=411")[1] == "ShADadg"
    # Two holes, two gaps; ten gaps, a second letter.
    two = ("s PA seq=401 len=10", "s PA seq=501 len=10", "c A ack=511")
    assert zeek(*DATA, *two)[1] == "ShADadg"
    ten = (*(f"s PA seq={401 + 100 * n} len=10" for n in range(10)), "c A ack=1400")
    assert zeek(*DATA, *ten)[1] == "ShADadgg"
    # What the snapshot length cut off was not seen either.
    assert zeek(*HANDSHAKE, "c PA len=100 cap=20", "s A")[1] == "ShADaG"
    whole = ZeekView(payload_kept=False)
    assert view(*HANDSHAKE, "c PA len=100 cap=20", "s A", zeek=whole).history == "ShADa"


def test_bad_checksums_are_counted_and_otherwise_not_seen() -> None:
    bad = {4: {"checksum_ok": False}}
    assert zeek(*HANDSHAKE, "c PA len=10", more=bad) == ("S1", "ShAC")
    ignoring = ZeekView(ignore_checksums=True)
    assert view(*HANDSHAKE, "c PA len=10", more=bad, zeek=ignoring).history == "ShAD"


def test_a_storm_of_resets_does_not_fill_the_memory() -> None:
    storm = (f"s R seq={2 + 7 * n}" for n in range(2 * MAX_HISTORY))
    assert len(zeek("c S", *storm)[1]) == MAX_HISTORY


def test_nothing_yet() -> None:
    assert (ZeekView().conn_state, ZeekView().history) == ("OTH", "")


@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(1, 40), st.integers(0, 400)), max_size=60)
)
@settings(deadline=None)
def test_gaps_never_come_back_and_memory_is_bounded(
    events: list[tuple[int, int, int]],
) -> None:
    gaps = Gaps()
    acked = 1
    for start, length, ack in events:
        before = gaps.done
        gaps.seen(start, start + length, acked=acked, any_acked=True)
        acked = max(acked, ack)
        gaps.acknowledged(acked, partial=False)
        assert gaps.done >= max(before, acked)
        assert gaps.acknowledged(acked, partial=False) == 0
        assert len(gaps._blocks) <= MAX_BLOCKS


@given(
    st.lists(
        st.tuples(
            st.sampled_from("cs"),
            st.sampled_from(["S", "SA", "A", "PA", "FA", "R", "RA", "-"]),
            st.integers(0, 40),
            st.integers(0, 20),
            st.integers(0, 40),
        ),
        max_size=25,
    ),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=200, deadline=None)
def test_shifting_the_sequence_numbers_changes_nothing(
    lines: list[tuple[str, str, int, int, int]], client: int, server: int
) -> None:
    written = [f"{w} {f} seq={s} len={n} ack={a}" for w, f, s, n, a in lines]
    assert zeek(*written, iss=(1000, 5000)) == zeek(*written, iss=(client, server))
