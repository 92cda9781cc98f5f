"""The display filter over steps: segments, calls, changes."""

from __future__ import annotations

import pytest

from tcpviz.core.records import Call, Note, Side
from tcpviz.core.segment import Flags
from tcpviz.core.timeline import Step
from tcpviz.views import filter as language
from tcpviz.views.filter import SEGMENTS, FilterError
from tests.core.dialogue import CLIENT, SERVER, Talk


@pytest.fixture(scope="module")
def steps() -> list[Step]:
    """0-2 handshake, 3 data, 4 its ACK, 5 the data again, 6 FIN, 7 a call, 8 a note."""
    talk = Talk().handshake()
    talk.client("PA", 100)
    talk.server("A", window=0)
    talk.client("PA", 100, seq=1)
    talk.client("FA")
    call = Call(
        1, Side.SERVER, "accept", "", 3, talk.now, talk.now + 1, "fd 4", False, SERVER, CLIENT
    )
    talk.steps += talk.tracker.feed(call)
    talk.steps += talk.tracker.feed(Note(talk.now + 2, "the client closes first"))
    return talk.steps


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ("flags:syn", [0, 1]),
        ("flags:syn not flags:ack", [0]),
        ("flag:fin,syn", [0, 1, 6]),
        ("len>0", [3, 5]),
        ("space>0", [0, 1, 3, 5, 6]),
        ("from:server", [1, 4, 7]),
        ("side:server kind:segment", [1, 4]),
        ("mark:*retransmission", [5]),
        ("mark:zero_window", [4]),
        ("is:pure-ack", [2, 4]),
        ("not is:pure-ack kind:segment", [0, 1, 3, 5, 6]),
        ("is:marked", [4, 5]),
        ("is:change state:fin-wait-1", [6]),
        ("seq:1 len:100", [3, 5]),
        ("ack:101", [4]),
        ("window:0", [4]),
        ("src:10.0.0.2", [1, 4]),
        ("dst:10.0.0.2:80", [0, 2, 3, 5, 6]),
        ("host:10.0.0.0/24", [0, 1, 2, 3, 4, 5, 6]),
        ("sport:80", [1, 4]),
        ("port:40000", [0, 1, 2, 3, 4, 5, 6]),
        ("phase:teardown kind:segment", [6]),
        ("rtt:1ms", [1, 2, 4]),
        ("in_flight>=100", [3, 5]),
        ("frame:2-3", [1, 2]),
        ("vlan:1", []),
        ("ttl>0", []),
        ("call:accept", [7]),
        ("accept", [7]),
        ("fin-wait-1", [6]),
        ('"closes first"', [8]),
        ("syn,ack", [1]),
        ("id:1 kind:note", []),
    ],
)
def test_what_is_found(steps: list[Step], text: str, found: list[int]) -> None:
    made = language.compile(text, SEGMENTS)
    hits = [n for n, step in enumerate(steps) if made.matches(step, step.time_ns)]
    assert hits == found
    assert language.parse(language.write(made.node), SEGMENTS) == made.node


def test_every_flag_has_its_word(steps: list[Step]) -> None:
    for flag in Flags:
        made = language.compile(f"flags:{flag.name}", SEGMENTS)
        wanted = [s for s in steps if s.segment is not None and s.segment.flags & flag]
        assert [s for s in steps if made.matches(s, 0)] == wanted


def test_a_connections_field_is_none_of_a_segment() -> None:
    with pytest.raises(FilterError, match="no field verdict of a segment"):
        language.compile("verdict:refused", SEGMENTS)
    with pytest.raises(FilterError, match="no field len of a connection"):
        language.compile("len>1")


def test_completion_knows_the_vocabulary() -> None:
    assert next(c.text for c in language.complete("fl", 2, SEGMENTS)) == "flags:"
    assert "syn" in [c.text for c in language.complete("flags:", 6, SEGMENTS)]
