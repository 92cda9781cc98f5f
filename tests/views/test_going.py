"""Places as people type them: frames, times, shares; and where in a chart they are."""

from __future__ import annotations

import datetime as dt

import pytest

from tcpviz.core.timeline import Timeline
from tcpviz.core.tracker import Tracker
from tcpviz.views import going
from tcpviz.views.going import By, Place
from tcpviz.views.ladder_index import ChartIndex
from tests.ui.fakes import conversation

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "by", "value"),
    [
        ("1234", By.FRAME, 1234),
        (" #7 ", By.FRAME, 7),
        ("50%", By.SHARE, 500_000),
        ("99.9 %", By.SHARE, 999_000),
        ("1.5s", By.SINCE, 1_500_000_000),
        ("2m30s", By.SINCE, 150 * SECOND),
        ("14:03", By.CLOCK, (14 * 60 + 3) * 60 * SECOND),
        ("0:00:01.25", By.CLOCK, 1_250_000_000),
    ],
)
def test_what_can_be_typed(text: str, by: By, value: int) -> None:
    assert going.place(text) == Place(by, value)


@pytest.mark.parametrize("text", ["", "x", "101%", "24:00", "12:60", "-1", "1.5", "1:2:3:4"])
def test_what_cannot_says_what_can(text: str) -> None:
    with pytest.raises(ValueError, match="a frame"):
        going.place(text)


def test_a_time_of_the_day_is_of_the_day_it_began_on_or_of_the_next() -> None:
    began = int(dt.datetime(2026, 11, 21, 23, 30).timestamp()) * SECOND
    later = going.place("23:31:00.5").time_ns(began)
    assert later == began + 60 * SECOND + SECOND // 2
    assert going.place("0:15").time_ns(began) == began + 45 * 60 * SECOND
    assert going.place("90s").time_ns(began) == began + 90 * SECOND


def chart() -> ChartIndex:
    tracker = Tracker()
    for record in conversation(1):
        tracker.feed(record)
    timeline: Timeline = tracker.timeline
    index = ChartIndex(timeline, 1)
    assert index.find(going.place("50%")) is None
    index.extend()
    return index


def test_where_it_is_in_a_chart() -> None:
    index = chart()
    last = len(index) - 1
    assert index.find(going.place("0%")) == 0
    assert index.find(going.place("100%")) == last
    assert index.find(going.place("9h")) == last
    for place in range(len(index)):
        step = index.step(place)
        if step.segment is not None:
            found = index.find(Place(By.FRAME, step.segment.frame))
            assert found is not None
            at = index.step(found).segment
            assert at is not None
            assert at.frame == step.segment.frame
        assert index.origin is not None
        found = index.find(Place(By.SINCE, step.time_ns - index.origin.time_ns))
        assert found is not None
        assert index.step(found).time_ns == step.time_ns
