"""The pump: order, bounds, ends and errors of a feed in its own thread."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest

from tcpviz.core.records import Note, Record
from tcpviz.sources.feed import FeedStatus, SourceError
from tcpviz.ui.pump import Pump
from tests.ui.fakes import FakeFeed

WAIT = 20


def notes(first: int, last: int) -> list[Record]:
    return [Note(n, str(n)) for n in range(first, last)]


def drained(pump: Pump) -> list[Record]:
    got: list[Record] = []
    while not pump.done:
        got += pump.records()
        pump._ended.wait(0.01)
    return got


def test_everything_comes_in_order_and_only_once() -> None:
    pump = Pump(FakeFeed(notes(0, 3), [], notes(3, 10)))
    pump.start()
    assert [one.time_ns for one in drained(pump)] == list(range(10))
    assert pump.done
    assert pump.error is None
    assert pump.stop()


def test_taking_may_stop_in_the_middle_of_a_batch() -> None:
    pump = Pump(FakeFeed(notes(0, 10)))
    pump.start()
    assert pump._ended.wait(WAIT)
    assert len(list(itertools.islice(pump.records(), 4))) == 4
    assert pump.waiting
    assert not pump.done
    assert [one.time_ns for one in pump.records()] == [4, 5, 6, 7, 8, 9]
    assert pump.done


class Endless:
    """Gives for ever; ``given`` counts the batches that somebody had room for."""

    title = "endless"

    def __init__(self) -> None:
        self.status = FeedStatus()
        self.given = 0
        self.full = threading.Event()
        self.stopped = threading.Event()

    def batches(self) -> Iterator[list[Record]]:
        while not self.stopped.is_set():
            self.given += 1
            if self.given == 5:
                self.full.set()
            yield notes(0, 1)

    def stop(self) -> None:
        self.stopped.set()


def test_a_feed_that_is_faster_than_the_screen_waits_and_can_be_stopped() -> None:
    feed = Endless()
    pump = Pump(feed, batches=4)
    pump.start()
    assert feed.full.wait(WAIT)  # four in the queue, the fifth in its hand
    assert pump.stop(WAIT)
    assert feed.given == 5


@pytest.mark.parametrize("error", [SourceError("no permission"), ValueError("a bug")])
def test_what_ends_a_feed_is_kept_and_what_came_before_it_is_given(error: Exception) -> None:
    pump = Pump(FakeFeed(notes(0, 2), error=error))
    pump.start()
    assert len(drained(pump)) == 2
    assert pump.error is error


class Deaf:
    """A feed that is stuck until the test lets it go."""

    title = "deaf"

    def __init__(self) -> None:
        self.status = FeedStatus()
        self.go = threading.Event()

    def batches(self) -> Iterator[list[Record]]:
        self.go.wait()
        yield []

    def stop(self) -> None:
        raise RuntimeError("does not know how")


def test_a_stuck_feed_does_not_hold_the_end_up() -> None:
    feed = Deaf()
    pump = Pump(feed)
    pump.start()
    assert not pump.stop(0)
    feed.go.set()
    assert pump.stop(WAIT)


def test_stopping_what_never_began() -> None:
    assert Pump(FakeFeed()).stop()
