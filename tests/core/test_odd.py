"""Rare segments, each with the right answer: states by RFC 9293, letters by Zeek's own rules."""

from __future__ import annotations

import dataclasses

import pytest

from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint, Flags
from tests.core.dialogue import Talk

C, S = Side.CLIENT, Side.SERVER
Turn = tuple[Side, str, int, dict[str, int]]


def turn(side: Side, flags: str, data: int = 0, **fields: int) -> Turn:
    return side, flags, data, fields


SYN, SYN_ACK, ACK = turn(C, "S"), turn(S, "SA"), turn(C, "A")
OPENED = (SYN, SYN_ACK, ACK)

TALKS: dict[str, tuple[tuple[Turn, ...], tuple[str, str], tuple[str, str], str]] = {
    # -- scans ------------------------------------------------------------------------------
    "SYN with FIN, no answer": (
        (turn(C, "SF"),),
        ("SYN-SENT", "LISTEN"),
        ("inferred", "unknown"),
        "SH Q",
    ),
    # It takes up two numbers, and a closed port's answer acknowledges both (3.10.7.1).
    "SYN with FIN, refused": (
        (turn(C, "SF"), turn(S, "RA", seq=-5000, ack=2)),
        ("CLOSED", "CLOSED"),
        ("inferred", "seen"),
        "RSTR Qr",
    ),
    "SYN with FIN, PSH and URG": (
        (turn(C, "SFPU"),),
        ("SYN-SENT", "LISTEN"),
        ("inferred", "unknown"),
        "SH Q",
    ),
    "xmas, refused": (
        (turn(C, "FPU"), turn(S, "RA", seq=-5000, ack=1)),
        ("CLOSED", "CLOSED"),
        ("unknown", "inferred"),
        "RSTR Fr",
    ),
    "null, refused": (
        (turn(C, ""), turn(S, "RA", seq=-5000, ack=0)),
        ("CLOSED", "CLOSED"),
        ("unknown", "inferred"),
        "RSTRH r",
    ),
    "xmas into a connection": (
        (*OPENED, turn(C, "FPU"), turn(S, "A", ack=1)),
        ("ESTABLISHED", "ESTABLISHED"),
        ("seen", "inferred"),
        "S2 ShAFa",
    ),
    "SYN with RST": ((turn(C, "SR"),), ("CLOSED", "LISTEN"), ("inferred", "unknown"), "OTH Q"),
    # -- openings ---------------------------------------------------------------------------
    "SYN,ACK with data (Zeek calls any data in a SYN repeated)": (
        (SYN, turn(S, "SA", 50), ACK, turn(C, "PA", 10), turn(S, "A")),
        ("ESTABLISHED", "ESTABLISHED"),
        ("seen", "seen"),
        "S1 ShtADa",
    ),
    "SYN,ACK whose data is not taken, and sent again": (
        (SYN, turn(S, "SA", 50), turn(C, "A", ack=1), turn(S, "PA", 50, seq=1), ACK),
        ("ESTABLISHED", "ESTABLISHED"),
        ("seen", "inferred"),
        "S1 ShtAd",
    ),
    "split handshake: ACK, then SYN of the server": (
        (SYN, turn(S, "A", seq=0, ack=1), turn(S, "S", seq=0)),
        ("SYN-SENT", "SYN-SENT"),
        ("seen", "seen"),
        "S1 Sas",
    ),
    "split handshake: the client answers with SYN,ACK": (
        (SYN, turn(S, "S", seq=0), turn(C, "SA", seq=0, ack=1)),
        ("SYN-RECEIVED", "SYN-SENT"),
        ("seen", "seen"),
        "S1 Ss",
    ),
    "split handshake, completed": (
        (
            *(SYN, turn(S, "S", seq=0), turn(C, "SA", seq=0, ack=1)),
            *(turn(S, "A", seq=1, ack=1), turn(C, "PA", 10), turn(S, "A")),
        ),
        ("ESTABLISHED", "ESTABLISHED"),
        ("inferred", "seen"),
        "S1 SsaD",
    ),
    "a SYN,ACK to a SYN,ACK that nobody asked for": (
        (turn(S, "SA", ack=1), turn(C, "R", seq=1)),
        ("CLOSED", "LISTEN"),
        ("inferred", "inferred"),
        "RSTO ^hR",
    ),
    # -- endings ----------------------------------------------------------------------------
    "RST with data, of the client": (
        (*OPENED, turn(C, "RA", 20)),
        ("CLOSED", "CLOSED"),
        ("seen", "inferred"),
        "RSTO ShART",
    ),
    "RST with data, of the server": (
        (*OPENED, turn(C, "PA", 10), turn(S, "A"), turn(S, "RA", 33)),
        ("CLOSED", "CLOSED"),
        ("inferred", "seen"),
        "RSTR ShADart",
    ),
    "FIN without ACK is dropped (3.10.7.4, fifth)": (
        (*OPENED, turn(C, "F"), turn(S, "A", ack=1)),
        ("ESTABLISHED", "ESTABLISHED"),
        ("seen", "inferred"),
        "S2 ShAFa",
    ),
    "FIN with PSH, URG and ACK is a FIN": (
        (*OPENED, turn(C, "FPUA"), turn(S, "A")),
        ("FIN-WAIT-2", "CLOSE-WAIT"),
        ("inferred", "seen"),
        "S2 ShAFa",
    ),
}


@pytest.mark.parametrize("name", TALKS)
def test_rare_segments(name: str) -> None:
    turns, states, certainty, zeek = TALKS[name]
    talk = Talk()
    for side, flags, data, fields in turns:
        made = talk.segment(side, flags, data, **fields)  # type: ignore[arg-type]
        if "R" in flags and fields.get("seq") == -5000:
            made = dataclasses.replace(made, seq=0)
        talk.feed(made)
    assert talk.states == states
    assert talk.certainty == certainty
    assert f"{talk.connection.conn_state} {talk.connection.history}" == zeek
    assert len(talk.tracker.connections) == 1


@pytest.mark.parametrize("port", [0, 65535])
def test_port_0_is_a_port(port: int) -> None:
    talk = Talk(client=Endpoint("10.0.0.1", port), server=Endpoint("10.0.0.2", 0)).handshake()
    assert talk.states == ("ESTABLISHED", "ESTABLISHED")
    other = Talk(server=Endpoint("10.0.0.2", 0))
    other.client("S")
    other.server("RA", seq=0, ack=1)
    assert other.connection.refused


def test_congestion_signals_move_nobody() -> None:
    """ECE and CWR in the handshake negotiate (RFC 3168 section 6.1.1); AE is RFC 9768's."""
    talk = Talk()
    plain = Talk()
    signs = (Flags.ECE | Flags.CWR | Flags.AE, Flags.ECE, Flags(0), Flags.CWR, Flags.ECE)
    turns = ((C, "S"), (S, "SA"), (C, "A"), (C, "FA"), (S, "A"))
    for (side, flags), sign in zip(turns, signs, strict=True):
        made = talk.segment(side, flags)
        talk.feed(dataclasses.replace(made, flags=made.flags | sign, ecn=3))
        plain.feed(plain.segment(side, flags))
    assert talk.states == plain.states == ("FIN-WAIT-2", "CLOSE-WAIT")
    assert talk.certainty == plain.certainty
    assert talk.connection.history == plain.connection.history
