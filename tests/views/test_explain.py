import string
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tcpviz.core.claims import Certainty, Claim, Disagreement, Phase, PhaseName, StateChange
from tcpviz.core.hosts import HostReading, HostSocket
from tcpviz.core.marks import Mark, MarkName, Observation
from tcpviz.core.records import Call, Gap, KernelReading, KernelSocket, Moment, Note, Side
from tcpviz.core.segment import Endpoint, Flags, Options, Segment
from tcpviz.core.states import TRANSITIONS, State
from tcpviz.core.timeline import Step, StepKind
from tcpviz.core.tracker import Tracker
from tcpviz.sources.feed import SourceError
from tcpviz.sources.files import FileFeed
from tcpviz.views import (
    explain_calls,
    explain_moves,
    explain_segments,
    explain_states,
    roles,
)
from tcpviz.views.explain import (
    OTHER,
    explain,
    explain_state,
    explain_text,
    explain_transition,
    kind_of,
    sentences,
)
from tcpviz.views.spans import plain_line
from tests.core.dialogue import Talk

A, B = Endpoint("10.0.0.1", 40000), Endpoint("10.0.0.2", 80)
C, S = Side.CLIENT, Side.SERVER
OPEN = Claim(State.ESTABLISHED, Certainty.SEEN)


def step(kind: StepKind, side: Side | None = C, **facts) -> Step:
    """A step between two open ends, to hang facts on."""
    return Step(0, 1, kind, 1, side, OPEN, OPEN, Phase(PhaseName.DATA), **facts)


def segment(flags: Flags, length: int = 0, **fields) -> Segment:
    return Segment(1, A, B, 1000, 2000, flags, 500, length, **fields)


def of_segment(flags: Flags, length: int = 0, kind=StepKind.SEGMENT, **fields) -> Step:
    made = segment(flags, length, **fields)
    ack = 20 if flags & Flags.ACK else None
    return step(kind, segment=made, relative=(10, ack))


def call(name: str, result: str | None = None, *, failed: bool = False, **fields) -> Step:
    returned = None if result is None else 5
    made = Call(1, C, name, "x", 3, 1, returned, result, failed, A, **fields)
    return step(StepKind.CALL if result is None else StepKind.RETURN, call=made)


def tables() -> Iterator[str]:
    """Every sentence there is."""
    for table in (
        explain_moves.MOVES,
        explain_moves.MOVES_ACTIVE,
        explain_moves.FOUND,
        explain_calls.CALLED,
        explain_calls.RETURNED,
        explain_calls.FAILED,
        explain_segments.KINDS,
        explain_segments.ARRIVED,
        explain_segments.LOST,
        explain_segments.ADDITIONS,
        explain_segments.MARKS,
        OTHER,
    ):
        yield from table.values()


# -- the tables -------------------------------------------------------------------


def test_every_row_of_the_machine_has_its_own_text():
    keys = [explain_moves.key_of(row) for row in TRANSITIONS]
    assert len(set(keys)) == len(TRANSITIONS)
    assert set(keys) == set(explain_moves.MOVES)
    assert len(set(explain_moves.MOVES.values())) == len(TRANSITIONS)
    assert set(explain_moves.MOVES_ACTIVE) <= set(keys)


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda r: f"{r.before}-{r.event.name}-{r.after}")
@pytest.mark.parametrize("side", Side)
def test_every_row_is_told_for_either_end(row, side):
    before, after = Claim(row.before, Certainty.SEEN), Claim(row.after, Certainty.SEEN)
    moved = step(StepKind.SEGMENT, changes=(StateChange(side, before, after, row),))
    text = explain_text(moved)
    assert text
    assert set("{}").isdisjoint(text)
    who = {C: "client", S: "server"}[side]
    assert who in text.lower() or "accept()" in text or "TIME-WAIT" in text
    guess = StateChange(side, before, Claim(row.after, Certainty.INFERRED, "of a hint"), row)
    assert explain_text(step(StepKind.SEGMENT, changes=(guess,))) == f"{text} Inferred: of a hint."


def test_texts_are_sentences_in_plain_ascii():
    for text in tables():
        assert text.isascii(), text
        assert text.endswith("."), text
        assert text[0] == text[0].upper() or text.split("(")[0].isidentifier(), text
        assert "  " not in text, text
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        assert all(name.isidentifier() for name in names), text


def test_no_text_is_longer_than_two_rows_of_a_small_terminal():
    for text in tables():
        assert len(text) <= 200, (len(text), text)


def test_every_mark_has_a_text():
    assert {str(name) for name in MarkName} <= set(explain_segments.MARKS)


@pytest.mark.parametrize("state", State)
def test_every_state_is_told_under_its_headings(state):
    text = explain_state(state)
    assert text.startswith(f"{state}: ")
    for heading in ("The application: ", "What ends it: ", "Linux: ", "RFC 9293, 3."):
        assert f"\n{heading}" in text
    assert set(explain_states.STATES) == set(State)


@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda r: f"{r.before}-{r.event.name}")
def test_every_edge_is_told_with_its_section(row):
    text = explain_transition(row)
    assert row.label in text
    assert text.endswith(f"RFC 9293, {row.section}")
    assert row.note in text


# -- segments -------------------------------------------------------------------


def test_every_combination_of_flags_has_a_text():
    seen = set()
    for bits in range(0x200):
        for length in (0, 1, 7):
            for kind in (StepKind.SEGMENT, StepKind.SENT, StepKind.ARRIVED, StepKind.LOST):
                text = explain_text(of_segment(Flags(bits), length, kind))
                assert text
                assert text != OTHER["nothing"]
                assert set("{}").isdisjoint(text)
            seen.add(kind_of(segment(Flags(bits), length)))
    assert seen == set(explain_segments.KINDS) - {"ack-of-syn", "data-again"}


@pytest.mark.parametrize(
    ("flags", "length", "kind"),
    [
        (Flags.SYN, 0, "syn"),
        (Flags.SYN, 5, "syn-data"),
        (Flags.SYN | Flags.ACK, 0, "syn-ack"),
        (Flags.SYN | Flags.FIN | Flags.ACK, 0, "syn-fin"),
        (Flags.SYN | Flags.RST, 0, "syn-rst"),
        (Flags.FIN | Flags.RST | Flags.ACK, 0, "fin-rst"),
        (Flags.ACK, 0, "ack"),
        (Flags.ACK | Flags.PSH, 3, "data"),
        (Flags.ACK | Flags.FIN, 0, "fin"),
        (Flags.ACK | Flags.FIN | Flags.PSH, 9, "fin-data"),
        (Flags.RST, 0, "rst"),
        (Flags.RST | Flags.ACK, 0, "rst-ack"),
        (Flags.RST | Flags.ACK, 4, "rst-data"),
        (Flags(0), 0, "none"),
        (Flags.FIN, 0, "no-ack"),
        (Flags.ECE | Flags.CWR, 0, "no-ack"),
        (Flags.FIN | Flags.PSH | Flags.URG, 0, "xmas"),
    ],
)
def test_kinds(flags, length, kind):
    assert kind_of(segment(flags, length)) == kind


def test_numbers_are_relative_and_end_exclusive():
    text = explain_text(of_segment(Flags.ACK | Flags.PSH, 5))
    assert "5 bytes of data, numbers 10 to 14" in text
    assert "before 20" in text
    assert "with 15" in text
    assert "1 byte of data, number 10," in explain_text(of_segment(Flags.ACK, 1))
    fin = explain_text(of_segment(Flags.FIN | Flags.ACK, 5))
    assert "its last 5 bytes" in fin
    assert "16" in fin
    assert "number 10" in explain_text(of_segment(Flags.FIN | Flags.ACK))


def test_additions():
    assert "offer ECN" in explain_text(of_segment(Flags.SYN | Flags.ECE | Flags.CWR))
    assert "accurate ECN" in explain_text(of_segment(Flags.SYN | Flags.ECE | Flags.CWR | Flags.AE))
    assert "agrees to ECN" in explain_text(of_segment(Flags.SYN | Flags.ACK | Flags.ECE))
    assert "congestion" in explain_text(of_segment(Flags.ACK | Flags.ECE))
    assert "reduced" in explain_text(of_segment(Flags.ACK | Flags.CWR))
    assert "offset 7" in explain_text(of_segment(Flags.ACK | Flags.URG, 9, urgent=7))
    bad = of_segment(Flags.ACK, options=Options(malformed=True), checksum_ok=False, inferred=True)
    text = explain_text(bad)
    for word in ("options", "checksum", "No packet was captured"):
        assert word in text
    assert bad.segment is not None
    closed = replace(bad, segment=replace(bad.segment, window=0))
    assert "window is 0" in explain_text(closed)


@pytest.mark.parametrize("name", MarkName)
def test_marks_come_before_the_flags(name):
    made = of_segment(Flags.ACK, 5)
    seen = Observation(1, C, (Mark(name, 3),))
    said = sentences(replace(made, observation=seen))
    names = {"Who": "The client", "who": "the client", "Peer": "The server", "peer": "the server"}
    expected = explain_segments.MARKS[str(name)].format_map(names | {"ack": 20, "number": 3})
    assert said[0] == expected
    if name is MarkName.DUPLICATE_ACK:
        assert "(number 3)" in said[0]


def test_a_fast_retransmission_is_not_told_twice():
    made = of_segment(Flags.ACK, 5)
    seen = Observation(1, C, (Mark(MarkName.FAST_RETRANSMISSION), Mark(MarkName.RETRANSMISSION)))
    text = explain_text(replace(made, observation=seen))
    assert "fast retransmission" in text
    assert "timer went off" not in text


def test_what_fills_a_hole_may_be_acknowledged_with_all_that_lies_beyond():
    """In the scenario fast-retransmission 1:1449 comes again, and the answer is ACK 14481."""
    made = of_segment(Flags.ACK, 5)
    assert "will acknowledge with 15." in explain_text(made)
    for name in ("FAST_RETRANSMISSION", "RETRANSMISSION", "OUT_OF_ORDER"):
        seen = Observation(1, C, (Mark(MarkName[name]),))
        text = explain_text(replace(made, observation=seen))
        assert "will acknowledge with 15, or with more" in text


def test_the_third_segment_is_told_as_such():
    talk = Talk()
    talk.client("S")
    talk.server("SA")
    talk.client("A")
    said = sentences(talk.steps[-1], talk.connection)
    assert said[0].startswith("The client gets its SYN acknowledged")
    assert said[1].startswith("The handshake's last ACK")
    assert "third segment" in said[-1]
    talk.client("A", 0)
    assert "third segment" not in explain_text(talk.steps[-1], talk.connection)


def test_a_simultaneous_open_has_no_queue_and_no_accept():
    talk = Talk()
    syns = [talk.segment(C, "S"), talk.segment(S, "S")]
    for made in syns:
        talk.sent(made)
    for made in syns:
        talk.arrives(made)
    answers = [talk.segment(C, "SA", seq=0, ack=1), talk.segment(S, "SA", seq=0, ack=1)]
    for made in answers:
        talk.sent(made)
        again = explain_text(talk.steps[-1], talk.connection)
        assert "timer went off" not in again
    for made in answers:
        talk.arrives(made)
        text = explain_text(talk.steps[-1], talk.connection)
        assert "simultaneous open is complete" in text
        assert "queue" not in text
    returned = Call(1, C, "connect", "x", 3, 1, 5, "0", False, A, B)
    text = explain_text(step(StepKind.RETURN, call=returned), talk.connection)
    assert "crossed" in text


# -- calls ------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*explain_calls.CALLED, *explain_calls.ALIASES, "ioctl"])
def test_calls_and_their_returns_are_told(name):
    made, returned = explain_text(call(name)), explain_text(call(name, "0"))
    assert made
    assert returned
    assert made != returned


def test_what_returns_say():
    assert "end of file" in explain_text(call("recv", "0 (end of file)", peer=B))
    assert "end of file" in explain_text(call("read", "0", peer=B))
    assert "end of file" not in explain_text(call("recv", "5 bytes", peer=B))
    assert "second segment" in explain_text(call("connect", "0", peer=B))
    assert "third segment" in explain_text(call("accept", "fd 5"))
    assert "does not say that they" in explain_text(call("send", "5 bytes", peer=B))


@pytest.mark.parametrize("key", explain_calls.FAILED)
def test_failures_by_call(key):
    name, error = key.split("/")
    assert error in explain_calls.ERRORS
    assert error in explain_text(call(name, error, failed=True))
    assert name in explain_calls.CALLED


@pytest.mark.parametrize("error", explain_calls.ERRORS)
def test_every_error_is_told_for_any_call(error):
    text = explain_text(call("listen", error, failed=True))
    assert error in text or error == "EWOULDBLOCK"
    assert len(text) > len(f"listen() fails with {error}.")


def test_unknown_errors_are_quoted_and_safe():
    text = explain_text(call("recv", "EWEIRD\x1b[2J", failed=True))
    assert "EWEIRD\\x1b[2J" in text
    assert explain_text(call("recv", "EWOULDBLOCK", failed=True)) == explain_text(
        call("recv", "EAGAIN", failed=True)
    )


def test_how_long_it_blocked():
    made = Call(1, S, "accept", "", 3, 0, 24_800_000, "fd 4", False, B)
    assert "It blocked for 24.8 ms." in explain_text(step(StepKind.RETURN, S, call=made))
    quick = replace(made, returned_ns=900_000)
    assert "blocked for" not in explain_text(step(StepKind.RETURN, S, call=quick))


def test_close_by_where_it_stands():
    assert "without a connection" in explain_text(call("close"))
    made = call("close", peer=B)
    assert "then the FIN, on its own" in explain_text(made)
    waiting = replace(made, client=Claim(State.CLOSE_WAIT, Certainty.SEEN))
    assert "passive close" in explain_text(waiting)
    talk = Talk().handshake()
    talk.client("RA")
    assert "over at once" in explain_text(call("close", "0", peer=B), talk.connection)


# -- the kernel, timers, notes, gaps ------------------------------------------------


def test_the_kernel_agrees():
    sockets = (
        KernelSocket(C, A, B, State.TIME_WAIT, "time-wait", 57_300),
        KernelSocket(S, B, A, None),
        KernelSocket(S, B, None, State.LISTEN, None, None, 1, 128),
    )
    reading = KernelReading(1, sockets)
    text = explain_text(step(StepKind.KERNEL, None, reading=reading))
    assert "the client is in TIME-WAIT, 57.3 s of TIME-WAIT left" in text
    assert "the server has no socket" in text
    assert "accept queue 1 of 129" in text
    talk = Talk(A, B).handshake()
    own = explain_text(step(StepKind.KERNEL, None, reading=reading), talk.connection)
    assert "as the segments showed" in own
    assert "LISTEN" not in own
    none = step(StepKind.KERNEL, None, reading=KernelReading(1, ()))
    assert "no socket of this connection" in explain_text(none, talk.connection)


def test_where_nothing_was_captured_the_segments_have_shown_nothing():
    tracker = Tracker()
    tracker.feed(HostReading(1, (HostSocket(A, B, State.ESTABLISHED),), None, first=True))
    (connection,) = tracker.connections.values()
    reading = KernelReading(1, (KernelSocket(C, A, B, State.ESTABLISHED),))
    text = explain_text(step(StepKind.KERNEL, None, reading=reading), connection)
    assert "the client is in ESTABLISHED" in text
    assert "segments" not in text


def test_a_note_before_the_kernels_word_ends_in_a_full_stop():
    sockets = (KernelSocket(C, A, B, State.ESTABLISHED),)
    made = step(
        StepKind.NOTE, None, note=Note(1, "there before"), reading=KernelReading(1, sockets)
    )
    assert explain_text(made).startswith("There before. The kernel was asked")


def test_the_kernel_disagrees():
    thought = Claim(State.ESTABLISHED, Certainty.INFERRED, "was sent the ACK of its SYN")
    for said, words in (
        (State.SYN_RECEIVED, "is in SYN-RECEIVED, not in ESTABLISHED"),
        (None, "no"),
    ):
        wrong = Disagreement(1, S, thought, said)
        made = step(
            StepKind.KERNEL,
            None,
            reading=KernelReading(1, ()),
            disagreements=(wrong,),
            changes=(StateChange(S, thought, OPEN, None),),
        )
        text = explain_text(made)
        assert "the server" in text
        assert words in text
        assert "was sent the ACK of its SYN" in text
        assert text.count("thought") <= 1


def test_ends_found_in_midstream_and_corrected():
    talk = Talk()
    talk.client("A", 10)
    text = explain_text(talk.steps[-1], talk.connection)
    assert "appears in ESTABLISHED" in text
    assert "not seen" in text
    wrong = Claim(State.TIME_WAIT, Certainty.INFERRED)
    right = Claim(State.CLOSING, Certainty.SEEN, "repeats its FIN: the ACK had not reached it")
    made = step(StepKind.SEGMENT, changes=(StateChange(C, wrong, right, None),))
    assert "in CLOSING, not in TIME-WAIT as was thought (repeats its FIN" in explain_text(made)


def test_timers():
    talk = Talk().handshake()
    talk.client("FA")
    talk.server("FA")
    talk.client("A")
    steps = talk.sleep(61)
    assert steps[-1].kind is StepKind.TIMER
    assert explain_text(steps[-1], talk.connection).startswith("TIME-WAIT is over")
    assert "timers went off" in explain_text(step(StepKind.TIMER))


def test_notes_and_gaps_are_told_safely():
    note = step(StepKind.NOTE, None, note=Note(1, "look \x1b]0;owned\x07 here {who}"))
    assert explain_text(note) == "look \\x1b]0;owned\\x07 here {who}"
    gone = (StateChange(S, OPEN, Claim(State.CLOSED, Certainty.INFERRED, "of a hint"), None),)
    note = step(StepKind.NOTE, None, note=Note(1, "connection 2 took its place"), changes=gone)
    assert explain_text(note).startswith("Connection 2 took its place. ")
    gap = step(StepKind.GAP, None, gap=Gap(1, 1, "the kernel"))
    assert explain_text(gap).startswith("1 packet missing here, dropped by the kernel")
    many = step(StepKind.GAP, None, gap=Gap(1, 12, "the kernel"))
    assert "12 packets" in explain_text(many)
    unknown = step(StepKind.GAP, None, gap=Gap(1, None, "the capturing program"))
    assert "nobody knows how much" in explain_text(unknown)
    assert explain_text(step(StepKind.NOTE)) == OTHER["nothing"]


def test_arguments_cannot_break_the_texts_or_the_terminal():
    made = call("connect")
    assert made.call is not None
    evil = replace(made, call=replace(made.call, arguments="{who.__class__}%s\x9b31m‮"))
    text = explain_text(evil)
    assert "{who.__class__}%s\\x9b31m\\u202e" in text


# -- the line -----------------------------------------------------------------------


def test_the_line_shows_the_ends_in_their_roles():
    talk = Talk().handshake()
    spans = explain(talk.steps[1], talk.connection)
    assert {span.role for span in spans} == {roles.TEXT, roles.CLIENT, roles.SERVER}
    assert plain_line(spans) == explain_text(talk.steps[1], talk.connection)
    for span in spans:
        if span.role != roles.TEXT:
            assert span.text.lower() in ("the client", "the server")


def test_the_ends_may_have_names():
    talk = Talk().handshake()
    names = {C: "alice", S: "bob"}
    spans = explain(talk.steps[0], talk.connection, names=names)
    text = plain_line(spans)
    assert text.startswith("Alice opens actively")
    assert "client" not in text
    odd = {C: "a.*\x1b", S: "客户"}
    assert "\x1b" not in plain_line(explain(talk.steps[0], talk.connection, names=odd))
    escaped = plain_line(explain(talk.steps[1], talk.connection, names=odd, ascii_only=True))
    assert escaped.isascii()


@pytest.mark.parametrize(
    "name", ["zeek-206_example_b.pcap", "suricata-with_evasion_linux.pcap", "tcptrace-zwnd.dmp.gz"]
)
def test_real_captures_are_told_from_end_to_end(captures, name):
    tracker = Tracker(limit=5000)
    try:
        for batch in FileFeed(str(captures / name)).batches():
            for record in batch:
                tracker.feed(record)
    except SourceError:
        assert len(tracker.timeline)
    for each in tracker.timeline:
        connection = None if each.connection is None else tracker.connections[each.connection]
        said = sentences(each, connection)
        assert said != [OTHER["nothing"]]
        assert all(text.isprintable() for text in said)


def test_a_lost_segment_by_its_kind():
    talk = Talk()
    made = talk.segment(C, "S")
    talk.sent(made)
    talk.feed(made, Moment.LOST)
    assert "SYN is lost on the way" in explain_text(talk.steps[-1], talk.connection)
