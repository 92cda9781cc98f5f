"""The frames that verdicts rest on, and data that comes again changed."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tcpviz.core.contents import KEPT, Contents
from tcpviz.core.evidence import MOST, WHERE, evidence
from tcpviz.core.records import Side
from tcpviz.core.segment import Options
from tcpviz.core.tracker import Tracker
from tcpviz.core.verdicts import Code, Verdict, verdicts
from tcpviz.sources.files import FileFeed
from tcpviz.views.verdict import sentences
from tests.core.dialogue import Talk

C, S = Side.CLIENT, Side.SERVER


def frames(talk: Talk) -> dict[str, tuple[int, ...]]:
    return {str(each.code): evidence(talk.connection, each) for each in verdicts(talk.connection)}


def test_every_code_says_what_it_rests_on() -> None:
    assert set(WHERE) == set(Code)


def test_a_refusal_rests_on_the_syn_and_its_reset() -> None:
    talk = Talk()
    talk.client("S")
    talk.server("RA", seq=-5000, ack=1)
    assert frames(talk)["refused"] == (1, 2)


def test_loss_and_a_reset() -> None:
    talk = Talk().handshake()
    talk.client("PA", 100)
    for _ in range(5):
        talk.sleep(1)
        talk.client("PA", 100, seq=1)
    talk.client("R")
    found = frames(talk)
    assert found["reset"] == (2, 10)
    assert found["lossy"] == (5, 9)


def test_a_shut_window() -> None:
    talk = Talk().handshake()
    talk.client("PA", 100)
    talk.server("A", window=0)
    talk.sleep(3)
    talk.server("A", window=900)
    assert frames(talk)["zero-window-stall"] == (5,)


def test_frames_are_of_the_connection_and_bounded(captures: Path) -> None:
    """In every shared capture that is small: ascending, few, and each one really there."""
    looked = 0
    for path in sorted(captures.glob("*.pcap*")):
        if path.stat().st_size > 300_000:
            continue
        tracker = Tracker(keep=False)
        of: dict[int, set[int]] = {}
        for batch in FileFeed(str(path)).batches():
            for record in batch:
                for step in tracker.feed(record):
                    if step.connection is not None and step.segment is not None:
                        of.setdefault(step.connection, set()).add(step.segment.frame)
                    if step.connection is not None and step.unreachable is not None:
                        of.setdefault(step.connection, set()).add(step.unreachable.frame)
        for connection in tracker.connections.values():
            for each in verdicts(connection):
                found = evidence(connection, each)
                assert list(found) == sorted(set(found))
                assert len(found) <= MOST
                assert set(found) <= of[connection.id], f"{path.name} {each}"
                looked += bool(found)
    assert looked > 300


def test_data_that_comes_again_changed_is_told() -> None:
    talk = Talk().handshake()
    first = talk.segment(S, "PA", 30)
    talk.feed(dataclasses.replace(first, payload=b"HTTP/1.1 302 Found\r\nLocation:x"))
    talk.client("A")
    again = talk.segment(S, "PA", 40, seq=1)
    talk.feed(dataclasses.replace(again, payload=b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n1234"))
    assert frames(talk)["other-data"] == (6,)
    said = next(each for each in verdicts(talk.connection) if each.code is Code.OTHER_DATA)
    assert said == Verdict(Code.OTHER_DATA, said.severity, S, {"segments": 1})


def test_what_repeats_truly_is_not() -> None:
    talk = Talk().handshake()
    first = dataclasses.replace(talk.segment(S, "PA", 4), payload=b"abcd")
    talk.feed(first)
    wrong = dataclasses.replace(talk.segment(S, "PA", 4, seq=1), payload=b"zzzz", checksum_ok=False)
    for each in (
        dataclasses.replace(first, frame=9, time_ns=talk.now),
        dataclasses.replace(talk.segment(S, "PA", 8, seq=1), payload=b"abcdefgh"),
        wrong,  # its receiver drops it
        dataclasses.replace(talk.segment(S, "A", 1, seq=8), payload=b"\0"),  # a keep-alive
    ):
        talk.feed(each)
    assert "other-data" not in frames(talk)


TEXT = bytes(random.Random(1).randrange(256) for _ in range(4000))


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 900)), max_size=KEPT + 20),
    st.integers(0, 1 << 32),
)
def test_pieces_of_one_text_never_differ_however_they_are_cut(
    pieces: list[tuple[int, int]], base: int
) -> None:
    contents, talk = Contents(), Talk()
    plain = talk.segment(C, "PA", 1)
    for at, size in pieces:
        payload = TEXT[at : at + size]
        piece = dataclasses.replace(
            plain, seq=(base + at) & 0xFFFFFFFF, payload=payload, payload_len=len(payload)
        )
        assert not contents.differs(piece)
        contents.add(piece)
        # The same place with another first byte is told: that much is always remembered.
        other = bytes([payload[0] ^ 1]) + payload[1:]
        assert contents.differs(dataclasses.replace(piece, payload=other))
    assert len(contents._ring) <= KEPT * 28


def syn_twice(**changes: object) -> tuple[Talk, list[str]]:
    """A SYN, and a millisecond later once more with these fields changed."""
    talk = Talk()
    options = Options(mss=1460, window_scale=7, sack_permitted=True, timestamps=(5, 0))
    syn = dataclasses.replace(talk.segment(C, "S", options=options), ttl=64, ip_id=77)
    talk.feed(syn)
    after = dataclasses.replace(syn, frame=2, time_ns=syn.time_ns + 1_000_000)
    fields = {"ttl": 63, **changes}
    talk.feed(dataclasses.replace(after, **fields))  # type: ignore[arg-type]
    return talk, [text for _, text in sentences(talk.connection)]


def test_a_syn_whose_options_a_box_changed_is_one_syn() -> None:
    talk, said = syn_twice(options=Options(mss=1400, window_scale=7))
    assert said[1:] == [
        "client's SYN was changed between two points of capture: MSS 1460 to 1400, "
        "SACK removed, timestamps removed",
        "1 of 2 packets were captured twice",
    ]
    assert talk.connection.client.claim.state.value == "SYN-SENT"


def test_a_syn_that_was_sent_again_with_other_options_is_another() -> None:
    other = Options(mss=1400)
    for changes in ({"ttl": 64}, {"ip_id": 78}, {"ip_id": 0}):
        _, said = syn_twice(options=other, **changes)
        assert not any("changed" in text or "twice" in text for text in said)
