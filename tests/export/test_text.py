"""The story as text: the events in order, stable columns, nothing that a terminal obeys."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tcpviz.core.records import (
    Call,
    Gap,
    KernelReading,
    KernelSocket,
    Moment,
    Note,
    Side,
    Unreachable,
)
from tcpviz.core.segment import Endpoint, Options
from tcpviz.core.states import State
from tcpviz.core.timeline import Step
from tcpviz.core.tracker import Tracker
from tcpviz.export import text
from tcpviz.sources.feed import FeedStatus
from tcpviz.views.explain import explain_text
from tests.core.dialogue import CLIENT, MS, SERVER, Talk

C, S = Side.CLIENT, Side.SERVER


def told(talk: Talk, **options: bool) -> list[str]:
    story = text.Story(talk.tracker, **options)
    lines: list[str] = []
    for step in talk.tracker.timeline:
        said = story.line(step)
        if said is not None:
            lines += said.split("\n")
    return lines


def test_a_connection_from_beginning_to_end() -> None:
    talk = Talk()
    talk.client("S", options=Options(mss=1460, window_scale=7, sack_permitted=True))
    talk.server("SA")
    talk.client("A")
    talk.client("PA", 5)
    talk.client("FA")
    talk.server("A")
    talk.server("FA")
    talk.client("A")
    talk.sleep(61)
    lines = told(talk)
    assert lines[0] == (
        "    0.000000  #1    new connection: client 10.0.0.1:40000, server 10.0.0.2:80"
    )
    assert lines[1] == (
        "    0.000000  #1    client ───▶ server         SYN      seq 0 win 64240 len 0 "
        "<mss 1460, sackOK, wscale 7>"
    )
    assert lines[2].endswith("client CLOSED → SYN-SENT (seen)  active OPEN / snd SYN")
    assert any("client ◀─── server         SYN,ACK  seq 0 ack 1" in line for line in lines)
    assert any("PSH,ACK  seq 1:6 ack 1 win 64240 len 5" in line for line in lines)
    path = [re.search(r"client \S+ → (\S+)", line) for line in lines]
    assert [m.group(1) for m in path if m] == [
        "SYN-SENT",
        "ESTABLISHED",
        "FIN-WAIT-1",
        "FIN-WAIT-2",
        "TIME-WAIT",
        "CLOSED",
    ]
    assert any("timer: 60 s of TIME-WAIT are over" in line for line in lines)
    assert not any(line != line.rstrip() for line in lines)


def test_both_moments_and_a_loss() -> None:
    talk = Talk()
    talk.carried(C, "S")
    lost = talk.segment(S, "SA")
    talk.sent(lost)
    talk.feed(lost, Moment.LOST)
    segments = [line for line in told(talk) if "win" in line]
    assert ["client ───  server sent " in s for s in segments] == [True, False, False, False]
    assert "client  ──▶ server arrived SYN " in segments[1]
    assert "client  ─── server sent    SYN,ACK" in segments[2]
    assert "client  ✖── server lost    SYN,ACK" in segments[3]


def test_calls_notes_gaps_and_the_kernel() -> None:
    talk = Talk()
    feed = talk.tracker.feed
    feed(Call(1, C, "connect", "10.0.0.2:80", began_ns=talk.now))
    feed(Call(1, C, "connect", "10.0.0.2:80", None, talk.now, talk.now + 2 * MS, "0"))
    feed(Note(talk.now, "on a cable"))
    feed(Gap(talk.now, 1, "our queue"))
    talk.handshake()
    agrees = KernelSocket(C, CLIENT, SERVER, State.ESTABLISHED, "keepalive", 7000)
    feed(KernelReading(talk.now, (agrees,)))
    feed(KernelReading(talk.now, (KernelSocket(C, CLIENT, SERVER, State.CLOSE_WAIT),)))
    lines = told(talk)
    assert any(line.endswith("client connect(10.0.0.2:80) ...") for line in lines)
    assert any(line.endswith("client connect() = 0  after 2 ms") for line in lines)
    assert any(line.endswith("note: on a cable") for line in lines)
    assert any("gap: 1 packet missing here (our queue)" in line for line in lines)
    assert any("disagreement: client is CLOSE-WAIT by the kernel" in line for line in lines)
    assert not any("kernel:" in line for line in lines)
    asked = told(talk, kernel=True)
    assert any("kernel: client ESTABLISHED, keepalive timer in 7 s" in line for line in asked)


def test_nothing_captured_reaches_the_terminal_raw() -> None:
    talk = Talk()
    nasty = "\x1b]0;owned\x07\n\u202e"
    talk.tracker.feed(Call(1, C, nasty, nasty, began_ns=talk.now))
    talk.tracker.feed(Call(1, C, nasty, nasty, None, talk.now, talk.now, nasty))
    talk.tracker.feed(Note(talk.now, nasty))
    talk.tracker.feed(Gap(talk.now, 1, nasty))
    for line in told(talk):
        assert line.isprintable()
    status = FeedStatus(skipped=Counter({nasty: 1}))
    assert text.connection_table([], status).rstrip("\n").isprintable()


def test_ascii_only() -> None:
    talk = Talk().handshake()
    assert all(line.isascii() for line in told(talk, ascii_only=True))
    assert any("client ---> server" in line for line in told(talk, ascii_only=True))
    assert text.ladder_text(talk.tracker.timeline, talk.connection, 80, ascii_only=True).isascii()
    assert text.connection_table([talk.connection], ascii_only=True).isascii()


def test_which_encodings_hold_the_arrows() -> None:
    assert text.encodes("utf-8")
    assert not text.encodes("ascii")
    assert not text.encodes("latin-1")
    assert not text.encodes(None)
    assert not text.encodes("no such encoding")


def test_the_table_is_whole_and_aligned() -> None:
    tracker = Tracker()
    Talk(tracker=tracker).handshake()
    six = Talk(tracker=tracker)
    six.endpoint = {C: Endpoint("2001:db8::1:2:3", 50000), S: Endpoint("2001:db8::9", 443)}
    six.client("S")
    status = FeedStatus(frames=6, segments=4, skipped=Counter({"not IP": 2}))
    lines = text.connection_table(list(tracker.connections.values()), status).splitlines()
    assert len(lines) == 4
    column = lines[0].index("server")
    assert lines[1][column:].startswith("10.0.0.2:80")
    assert lines[2][column:].startswith("[2001:db8::9]:443")
    assert "~ESTABLISHED" in lines[1]
    assert "LISTEN?" in lines[2]
    assert "no answer to SYN yet" in lines[2]
    assert lines[3] == "2 connections, 4 segments in 6 frames; skipped 2: 2 not IP"


def test_an_empty_table_says_so() -> None:
    assert text.connection_table([], FeedStatus()) == "0 connections, 0 segments in 0 frames\n"


def test_the_chart_of_a_real_capture(captures: Path) -> None:
    """Every connection of every capture draws at three widths, no line too wide."""
    from tcpviz.sources.files import FileFeed
    from tcpviz.views.spans import text_width

    drawn = 0
    for name in ("zeek-fin_retransmission.pcap", "pcapplusplus-one_http_stream_rst.pcap"):
        tracker = Tracker()
        for batch in FileFeed(str(captures / name)).batches():
            for record in batch:
                tracker.feed(record)
        for connection in tracker.connections.values():
            for cells in (40, 80, 160):
                for line in text.ladder_lines(tracker.timeline, connection, cells):
                    assert text_width(line) <= cells
                    drawn += 1
    assert drawn > 50


def test_a_segment_line_needs_a_segment() -> None:
    talk = Talk()
    talk.tracker.feed(Note(talk.now, "x"))
    step: Step = talk.tracker.timeline[0]
    with pytest.raises(ValueError, match="no segment"):
        text.segment_line(step)


def test_an_icmp_error_is_told_with_its_connection() -> None:
    talk = Talk()
    talk.client("S")
    error = Unreachable(talk.now + 1, "10.0.0.254", CLIENT.addr, CLIENT, SERVER, 1000, 4, 3, 3)
    steps = talk.tracker.feed(error)
    story = text.Story(talk.tracker)
    (line,) = [line for step in steps if (line := story.line(step))]
    assert line.splitlines()[-1].endswith(
        "#1    icmp to client: 10.0.0.254 says: port unreachable (about seq 0)"
    )
    chart = text.ladder_text(talk.tracker.timeline, talk.connection)
    assert "⚠ 10.0.0.254 says: port unreachable (about seq 0)" in chart
    assert text.ladder_text(talk.tracker.timeline, talk.connection, ascii_only=True).isascii()
    assert explain_text(steps[0]).startswith("10.0.0.254 says: port unreachable")
    # One about nobody's segment makes no step at all.
    stranger = replace(error, src=Endpoint("10.9.9.9", 9))
    assert talk.tracker.feed(stranger) == []
