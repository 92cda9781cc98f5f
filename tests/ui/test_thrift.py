"""A live capture within its memory: what goes, in which order, and what never does."""

from __future__ import annotations

import pytest

from tcpviz import cli
from tcpviz.core.records import SegmentRecord
from tcpviz.core.segment import Endpoint, Flags, Segment
from tcpviz.core.tracker import Tracker
from tcpviz.ui.process import resident_bytes, taken_bytes
from tcpviz.ui.thrift import BUDGET, LEAST_CONNECTIONS, LEAST_STEPS, Thrift

MB = 1 << 20
HERE = Endpoint("10.0.0.1", 80)


def knocked(tracker: Tracker, count: int, first: int = 0) -> None:
    """So many SYNs, each from another address."""
    for number in range(first, first + count):
        far = Endpoint(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 5000)
        one = Segment(number * 1000, far, HERE, number, 0, Flags.SYN, 1000, 0)
        tracker.feed(SegmentRecord(one.time_ns, one))


def kept(tracker: Tracker) -> int:
    return len(tracker.timeline) - tracker.timeline.first


def test_below_the_budget_nothing_goes() -> None:
    tracker = Tracker()
    knocked(tracker, 3000)
    thrift = Thrift(100 * MB)
    assert not thrift.mind(tracker, 80 * MB)
    assert (kept(tracker), len(tracker.connections), thrift.times) == (3000, 3000, 0)


def test_near_it_the_oldest_steps_go_first_and_are_counted() -> None:
    tracker = Tracker()
    knocked(tracker, 5000)
    assert Thrift(100 * MB).mind(tracker, 90 * MB)
    assert kept(tracker) == 4000
    assert tracker.timeline.dropped == 1000
    assert len(tracker.connections) == 5000, "the connections stay as long as steps can go"


def test_what_was_found_to_be_needed_stays_the_limit() -> None:
    tracker = Tracker()
    knocked(tracker, 5000)
    Thrift(100 * MB).mind(tracker, 90 * MB)
    knocked(tracker, 5000, 5000)
    assert kept(tracker) <= 4000 + 4000 // 8


def test_beyond_it_connections_go_too_and_the_counts_stay() -> None:
    tracker = Tracker()
    knocked(tracker, 5000)
    thrift = Thrift(100 * MB)
    used = 97 * MB
    for _ in range(60):
        thrift.mind(tracker, used)
        used += 2 * MB
    assert kept(tracker) == LEAST_STEPS
    assert len(tracker.connections) == LEAST_CONNECTIONS
    assert tracker.evicted + len(tracker.connections) == 5000
    assert len(tracker.timeline) == 5000


def test_memory_that_python_does_not_give_back_costs_nothing_more() -> None:
    tracker = Tracker()
    knocked(tracker, 5000)
    thrift = Thrift(100 * MB)
    assert thrift.mind(tracker, 90 * MB)
    assert not thrift.mind(tracker, 90 * MB)
    assert kept(tracker) == 4000


def test_memory_is_that_of_all_processes_of_the_feed() -> None:
    class Feed:
        pids = (1, 4194304)  # the second is gone

    alone = taken_bytes(object())
    assert alone
    assert taken_bytes(Feed()) >= (resident_bytes(1) or 0)


@pytest.mark.parametrize(
    ("words", "size"), [("256M", BUDGET), ("1g", 1 << 30), ("99999999999", 99999999999)]
)
def test_a_size_is_written_with_its_unit(words: str, size: int) -> None:
    parser = cli.build_parser()
    assert parser.parse_args(["capture", "--memory", words]).memory == size


@pytest.mark.parametrize("words", ["", "M", "1M", "-1G", "lots", "1T", "٣G"])
def test_a_size_that_is_none_is_told_in_one_line(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.build_parser().parse_args(["capture", f"--memory={words}"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "SIZE is 96M or more" in said
