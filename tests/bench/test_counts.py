"""The small form of the benchmark: what is measured is right; counts, and never seconds."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("numpy")

from tcpviz.core.records import Moment, SegmentRecord
from tcpviz.core.tracker import Tracker
from tcpviz.core.verdicts import Code, verdicts
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame
from tests.bench.files import once
from tests.bench.flood import TALK, frames


def test_the_flood_is_of_whole_connections_many_at_a_time():
    heads, sizes = frames(200, 100)
    assert len(heads) == 200 * len(TALK)
    decoder, tracker = Decoder(verify=False), Tracker(keep=False)
    most = 0
    for number, (head, size) in enumerate(zip(heads, sizes, strict=True), 1):
        data = head.tobytes() + bytes(size)
        segment = decoder.decode(Frame(number * 1000, 1, data, len(data), number))
        assert segment is not None
        tracker.feed(SegmentRecord(segment.time_ns, segment, Moment.SEEN))
        most = max(most, sum(not one.over for one in tracker.connections.values()))
    found = {verdicts(one)[0].code for one in tracker.connections.values()}
    assert len(tracker.connections) == 200
    assert found == {Code.CLOSED_NORMALLY}
    assert most >= 80


def test_a_run_is_that_of_the_command_and_not_of_who_starts_it():
    ballast = bytearray(80_000_000)
    run = once([sys.executable, "-I", "-S", "-c", "sum(range(10**6))"])
    assert 0 < run.mb < 60
    assert run.cpu > 0
    assert len(ballast) == 80_000_000
    with pytest.raises(SystemExit, match="ended with 3"):
        once([sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"])
