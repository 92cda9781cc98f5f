"""Playback: when the cursor moves, by a clock that the test holds."""

from __future__ import annotations

import pytest

from tcpviz.core.timeline import Cursor
from tcpviz.core.tracker import Tracker
from tcpviz.ui.playback import SECONDS, Mode, Pace, Playback
from tests.ui.fakes import conversation, scenario


def played(records: list, *, story: bool) -> Playback:
    tracker = Tracker()
    for record in records:
        tracker.feed(record)
    return Playback(Cursor(tracker.timeline), Pace(1.0), story=story)


def test_a_story_begins_before_its_first_step_and_takes_one_each_pace() -> None:
    playback = played(conversation(), story=True)
    assert playback.cursor.index == -1
    assert playback.advance(100.0)
    assert playback.cursor.index == 0
    assert not playback.advance(100.9)
    assert playback.advance(101.0)
    assert playback.cursor.index == 1


def test_after_a_stall_it_goes_on_where_it_was() -> None:
    playback = played(conversation(), story=True)
    playback.advance(0)
    assert playback.advance(50)
    assert not playback.advance(50.5)
    assert playback.cursor.index == 1


def test_it_waits_at_the_end_and_goes_on_at_once_when_more_comes() -> None:
    tracker = Tracker()
    records = conversation()
    playback = Playback(Cursor(tracker.timeline), Pace(1.0), story=True)
    assert not playback.advance(0)
    tracker.feed(records[0])
    assert playback.advance(5)
    assert not playback.advance(7)
    tracker.feed(records[1])
    assert playback.advance(7.1)


def test_quiet_readings_are_passed_over() -> None:
    playback = played(scenario(), story=True)
    seen = []
    now = 0.0
    while playback.advance(now):
        step = playback.cursor.step
        assert step is not None
        seen.append(step.index)
        now += 1
    assert playback.cursor.at_end
    assert len(seen) < len(playback.cursor.timeline)


def test_pause_keeps_the_place_while_the_recording_goes_on() -> None:
    tracker = Tracker()
    playback = Playback(Cursor(tracker.timeline), Pace(), story=False)
    records = conversation()
    tracker.feed(records[0])
    playback.toggle(0, live=True)
    assert playback.mode is Mode.PAUSED
    for record in records[1:]:
        tracker.feed(record)
    assert playback.cursor.index == 0
    playback.toggle(0, live=True)
    assert playback.mode is Mode.FOLLOWING
    assert playback.cursor.index == len(tracker.timeline) - 1


def test_going_on_plays_a_file_and_follows_a_live_view() -> None:
    for live, after in ((False, Mode.PLAYING), (True, Mode.FOLLOWING)):
        playback = played(conversation(), story=False)
        playback.back()
        assert playback.mode is Mode.PAUSED
        playback.toggle(0, live=live)
        assert playback.mode is after


def test_first_and_replay() -> None:
    playback = played(conversation(), story=False)
    playback.first()
    assert playback.cursor.index == 0
    playback = played(conversation(), story=True)
    playback.follow()
    playback.first()
    assert playback.cursor.index == -1
    assert playback.mode is Mode.PAUSED
    playback.replay(3)
    assert playback.mode is Mode.PLAYING
    assert playback.advance(3)
    assert playback.cursor.index == 0


def test_a_quicker_pace_counts_at_once() -> None:
    playback = played(conversation(), story=True)
    playback.pace = Pace(8.0)
    playback.advance(0)
    while playback.pace.seconds > SECONDS[0]:
        playback.hurry(True, 0)
    assert playback.advance(0.1)


@pytest.mark.parametrize("start", [0.05, 0.1, 1.0, 1.2, 8.0, 60.0])
def test_paces_go_up_and_down_and_stay_in_their_bounds(start: float) -> None:
    pace = Pace(start)
    assert SECONDS[0] <= pace.faster().seconds <= max(start, SECONDS[0])
    assert SECONDS[-1] >= pace.slower().seconds >= min(start, SECONDS[-1])


def test_time_goes_as_it_went_times_the_factor() -> None:
    """Steps come when their own times say so, whatever is between them."""
    playback = played(conversation(), story=True)
    playback.pace = Pace(factor=0.1)
    times = [step.time_ns for step in playback.cursor.timeline]
    now, came = 100.0, {}
    while not playback.cursor.at_end:
        before = playback.cursor.index
        if playback.advance(now):
            for index in range(before + 1, playback.cursor.index + 1):
                came[index] = now
        now += 0.001
    for index, moment in came.items():
        assert moment - came[0] == pytest.approx((times[index] - times[0]) / 1e9 / 0.1, abs=0.003)


def test_a_stall_is_no_time_and_the_next_step_is_told_in_seconds() -> None:
    playback = played(conversation(), story=True)
    playback.pace = Pace(factor=0.01)
    playback.advance(0.0)
    playback.advance(0.001)
    index = playback.cursor.index
    assert playback.next_in() == pytest.approx(0.1, abs=0.01)
    playback.advance(50.0)
    assert playback.cursor.index <= index + 3  # a quarter of a second at most has passed


def test_factors_go_from_a_hundredth_to_a_hundred_and_back_to_steps() -> None:
    pace = Pace(1.2).turned()
    assert str(pace) == "1x"
    for _ in range(20):
        pace = pace.slower()
    assert str(pace) == "0.01x"
    for _ in range(20):
        pace = pace.faster()
    assert str(pace) == "100x"
    assert str(pace.turned()) == "1.2 s a step"


def test_playing_goes_by_the_stride_that_is_set() -> None:
    playback = played(scenario(), story=True)
    timeline = playback.cursor.timeline
    moves = [step.index for step in timeline if step.changes]
    playback.leap = lambda here: next((one for one in moves if one > here), None)
    seen = []
    now = 0.0
    while playback.advance(now):
        seen.append(playback.cursor.index)
        now += 1
    assert seen == moves
