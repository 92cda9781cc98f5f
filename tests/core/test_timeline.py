"""The timeline and its cursor: forth, back, following, and what a limit takes away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpviz.core.records import KernelReading, KernelSocket, Note, Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.core.timeline import Cursor, StepKind
from tcpviz.core.tracker import Tracker
from tests.core.dialogue import Talk

C, S = Side.CLIENT, Side.SERVER


def test_going_back_shows_the_states_of_then() -> None:
    talk = Talk().handshake()
    cursor = Cursor(talk.tracker.timeline)
    assert cursor.following
    assert cursor.step is not None
    assert str(cursor.step.client.state) == "ESTABLISHED"
    seen = []
    while cursor.back():
        seen.append(str(cursor.step.client.state) if cursor.step else "before")
    assert seen == ["SYN-SENT", "SYN-SENT", "before"]
    assert not cursor.back()
    forth = []
    while cursor.forward():
        assert cursor.step is not None
        forth.append(str(cursor.step.server.state))
    assert forth == ["LISTEN", "SYN-RECEIVED", "ESTABLISHED"]


def test_following_moves_with_the_end_and_standing_does_not() -> None:
    talk = Talk().handshake()
    cursor = Cursor(talk.tracker.timeline)
    talk.client("PA", 1)
    assert cursor.index == 3
    cursor.back()
    talk.client("PA", 1)
    assert cursor.index == 2
    assert not cursor.at_end
    cursor.follow()
    assert cursor.index == 4


def test_quiet_readings_are_stepped_over_and_loud_ones_are_not() -> None:
    talk = Talk().handshake()
    a, b = talk.endpoint[C], talk.endpoint[S]

    def kernel(server: State) -> None:
        sockets = (KernelSocket(C, a, b, State.ESTABLISHED), KernelSocket(S, b, a, server))
        talk.tracker.feed(KernelReading(talk.now, sockets))

    kernel(State.ESTABLISHED)
    talk.client("PA", 1)
    kernel(State.ESTABLISHED)
    kernel(State.CLOSE_WAIT)
    cursor = Cursor(talk.tracker.timeline)
    cursor.seek(-1)
    stops = []
    while cursor.forward():
        stops.append(cursor.index)
    # After the third segment it stands behind the reading that confirms it.
    assert stops == [0, 1, 3, 5, 6]
    back = [cursor.index]
    while cursor.back():
        back.append(cursor.index)
    assert back == [6, 5, 3, 1, 0, -1]


def test_a_connections_steps_and_the_common_ones() -> None:
    tracker = Tracker()
    tracker.feed(Note(1, "hello"))
    one = Talk(tracker=tracker).handshake()
    two = Talk(tracker=tracker, client=Endpoint("10.0.0.3", 5), start_ns=one.now).handshake()
    timeline = tracker.timeline
    assert list(timeline.of(1)) == [0, 1, 2, 3]
    assert list(timeline.of(2)) == [0, 4, 5, 6]
    assert list(timeline.of(None)) == list(range(7))
    cursor = Cursor(timeline)
    cursor.connection = 1
    cursor.seek(6)
    assert cursor.back()
    assert cursor.index == 2
    at = timeline.at(5, 1)
    assert at is not None
    assert at.index == 3
    assert timeline.at(3, 2) is None
    assert two.connection.id == 2


def test_a_limit_takes_the_oldest_and_counts_them() -> None:
    tracker = Tracker(limit=80)
    talk = Talk(tracker=tracker).handshake()
    cursor = Cursor(tracker.timeline)
    cursor.seek(0)
    for _ in range(200):
        talk.client("PA", 1)
    timeline = tracker.timeline
    assert len(timeline) == 203
    assert 80 <= len(list(timeline)) <= 90
    assert timeline.dropped == 203 - len(list(timeline))
    assert timeline.of(1)[0] == timeline.first
    with pytest.raises(IndexError):
        timeline[0]
    # A cursor that stood in what is gone stands before what is left.
    assert cursor.index == timeline.first - 1
    assert cursor.step is None
    assert cursor.forward()
    assert cursor.index == timeline.first


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_at_time_finds_the_last_step_not_later(gaps: list[int]) -> None:
    tracker = Tracker()
    now = 0
    times = []
    for gap in gaps:
        now += gap
        times.append(now)
        tracker.feed(Note(now, "x"))
    for moment in {*times, now + 5}:
        index = tracker.timeline.at_time(moment)
        assert times[index] <= moment
        assert index == len(times) - 1 or times[index + 1] > moment
    assert all(step.kind is StepKind.NOTE for step in tracker.timeline)
