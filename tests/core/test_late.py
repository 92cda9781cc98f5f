"""Addresses and ports used again: whose a late segment is, and whom it moves (nobody)."""

from __future__ import annotations

import dataclasses

import pytest

from tcpviz.core.claims import Certainty
from tcpviz.core.records import Side
from tcpviz.core.routing import MOST_OLDER
from tcpviz.core.segment import Options, Segment
from tests.core.dialogue import Talk

C, S = Side.CLIENT, Side.SERVER
MANY = 1 << 20


def stamps(value: int, echo: int = 0) -> Options:
    return Options(timestamps=(value, echo))


def closed_then_opened(
    isses: tuple[int, int] = (MANY * 40, MANY * 90), **fields: object
) -> tuple[Talk, Talk]:
    """A connection from handshake to FINs, and another one on its addresses and ports."""
    first = Talk().handshake()
    first.client("PA", 100)
    first.server("A")
    first.client("FA")
    first.server("FA")
    first.client("A")
    return first, once_more(first, *isses)


def once_more(before: Talk, client_iss: int, server_iss: int) -> Talk:
    talk = Talk(
        client_iss=client_iss,
        server_iss=server_iss,
        tracker=before.tracker,
        start_ns=before.now + 1_000_000_000,
    )
    talk.frame = before.frame + 100
    return talk.handshake()


def at(talk: Talk, time_ns: int, segment: Segment) -> int | None:
    """Feed a segment of another talk, captured late; whose it is."""
    late = dataclasses.replace(segment, time_ns=time_ns)
    talk.now = time_ns
    return talk.feed(late)[-1].connection


@pytest.mark.parametrize(
    ("side", "flags", "data", "seq"),
    [(C, "PA", 100, 1), (C, "FA", 0, 101), (S, "FA", 0, 1), (S, "A", 0, 2), (S, "R", 0, 2)],
)
def test_a_late_segment_is_of_the_connection_that_sent_it(
    side: Side, flags: str, data: int, seq: int
) -> None:
    first, second = closed_then_opened()
    ack = 102 if side is S else 1
    assert at(second, second.now + 1, first.segment(side, flags, data, seq=seq, ack=ack)) == 1
    assert second.states == ("ESTABLISHED", "ESTABLISHED")
    assert second.tracker.connections[1].end(side).segments > 0
    # And the new connection goes on as if nothing had been.
    second.client("PA", 10)
    second.server("A")
    assert second.certainty == ("seen", "seen")
    assert second.connection.client.segments == 3


def test_timestamps_tell_late_segments_where_numbers_do_not() -> None:
    first = Talk()
    first.client("S", options=stamps(1000))
    first.server("SA", options=stamps(500, 1000))
    first.client("A", options=stamps(1001, 500))
    late = first.segment(C, "PA", 50, options=stamps(1002, 501))
    first.nxt[C] -= 50
    first.client("RA", options=stamps(1003, 501))
    second = Talk(client_iss=1100, server_iss=5100, tracker=first.tracker, start_ns=first.now)
    second.client("S", options=stamps(2000))
    second.server("SA", options=stamps(1500, 2000))
    second.client("A", options=stamps(2001, 1500))
    assert at(second, second.now + 1, late) == 1
    assert second.connection.client.bytes == 0
    fresh = dataclasses.replace(late, options=stamps(2002, 1500))
    assert at(second, second.now + 1, fresh) == 2


def test_of_several_connections_each_gets_its_own_late_segments() -> None:
    talks = list(closed_then_opened())
    for number in range(2, 4):
        talks[-1].client("RA")
        talks.append(once_more(talks[-1], MANY * (200 * number), MANY * (300 * number)))
    latest = talks[-1]
    for number, talk in enumerate(talks[:-1], 1):
        late = talk.segment(C, "A", seq=1)
        assert at(latest, latest.now + 1, late) == number
    assert latest.states == ("ESTABLISHED", "ESTABLISHED")
    assert len(latest.connection.older) == min(MOST_OLDER, 3)


def test_an_old_syn_again_is_of_its_connection_and_begins_nothing() -> None:
    first, second = closed_then_opened()
    assert at(second, second.now + 1, first.segment(C, "S", seq=0)) == 1
    assert len(second.tracker.connections) == 2
    assert second.states == ("ESTABLISHED", "ESTABLISHED")
    # RFC 5961 section 4: it is challenged, in the living connection's numbers.
    second.server("A", seq=1, ack=1)
    assert second.steps[-1].connection == 2


@pytest.mark.parametrize("between", [False, True])
def test_what_answers_an_old_syn_finds_its_sender_in_time_wait(between: bool) -> None:
    """RFC 9293 section 3.5, figure 8, captured at one place."""
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("FA")
    talk.client("A")
    if between:
        old, talk = talk, once_more(talk, MANY * 40, MANY * 90)
        talk.client("FA")
        talk.server("FA")
        talk.client("A")
    else:
        old = talk
    assert talk.states == ("TIME-WAIT", "CLOSED")
    at(talk, talk.now + 1, old.segment(C, "S", seq=0))
    answer = dataclasses.replace(old.segment(S, "SA", seq=0, ack=1), seq=MANY * 700)
    at(talk, talk.now + 1, answer)
    assert talk.states == ("TIME-WAIT", "SYN-RECEIVED")
    assert talk.certainty[1] == "seen"
    talk.client("A")  # in TIME-WAIT's own numbers
    assert talk.states == ("TIME-WAIT", "SYN-RECEIVED")


def test_the_old_connection_was_not_gone_if_both_ends_go_on() -> None:
    """Somebody forged a SYN and its answer: nothing but its own traffic can tell."""
    talk = Talk().handshake()
    talk.client("PA", 10)
    talk.server("A")
    once_more(talk, MANY * 40, MANY * 90)
    first, second = talk.tracker.connections.values()
    assert (str(first.client.state), str(first.server.state)) == ("CLOSED", "CLOSED")
    talk.now += 5_000_000_000
    talk.client("PA", 10)
    assert talk.steps[-1].connection == 1
    assert str(first.client.state) == "CLOSED"  # it may be a late one
    talk.server("A")
    assert (str(first.client.state), str(first.server.state)) == ("ESTABLISHED", "ESTABLISHED")
    assert first.client.claim.certainty is Certainty.INFERRED
    talk.client("FA")
    talk.server("A")
    assert (str(first.client.state), str(first.server.state)) == ("FIN-WAIT-2", "CLOSE-WAIT")
    assert str(second.client.state) == "ESTABLISHED"
