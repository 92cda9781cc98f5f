"""A connection from its own packets only, whole or by windows, is what it is among all others."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tcpviz.bulk.tables.growing import Growing, Snapshot
from tcpviz.bulk.tables.stories import Stories
from tcpviz.core.timeline import Step
from tcpviz.core.tracker import Tracker
from tcpviz.sources.files import FileFeed
from tests.bench import generate
from tests.bulk import transfer

CAPTURES: dict[str, Callable[[Path], object]] = {
    "visits": lambda path: generate.visits(path, 250),
    "flow": lambda path: generate.stream(path, 1500),
    "lossy": lambda path: generate.stream(path, 1500, lost=20),
}


def told(step: Step) -> tuple[object, ...]:
    """All that a ladder shows of a step."""
    segment, seen = step.segment, step.observation
    return (
        step.time_ns,
        step.kind,
        step.connection,
        step.side,
        step.client.state,
        step.client.certainty,
        step.server.state,
        step.server.certainty,
        step.phase,
        step.relative,
        None if segment is None else (segment.seq, segment.ack, segment.frame, segment.options),
        () if seen is None else tuple((mark.name, mark.frame) for mark in seen.marks),
    )


def scalar(path: Path) -> Tracker:
    tracker = Tracker()
    for batch in FileFeed(str(path)).batches():
        for record in batch:
            tracker.feed(record)
    return tracker


def snapshot(path: Path) -> Snapshot:
    growing = Growing(str(path), follow=False)
    growing.run()
    assert growing.latest is not None
    return growing.latest


@pytest.mark.parametrize("kind", CAPTURES)
def test_a_story_is_what_the_core_says_of_the_whole_capture(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    CAPTURES[kind](path)
    everything, made = scalar(path), snapshot(path)
    stories, joined = Stories(made), 0
    for ident in range(1, len(made) + 1):
        whole = [told(everything.timeline[at]) for at in everything.timeline.of(ident)]
        begin = 0
        while True:
            story = stories.tell(ident, begin, 200)
            mine = [told(each) for each in story.tracker.timeline if each.connection == ident]
            if story.begin:
                joined += story.joint is not None
                frame = next(each[10][2] for each in mine if each[10])  # type: ignore[index]
                at = next(n for n, each in enumerate(whole) if each[10] and each[10][2] == frame)  # type: ignore[index]
                assert mine == whole[at : at + len(mine)]
            else:
                assert mine == whole[: len(mine)]
            if story.end >= story.total:
                assert mine[-1] == whole[-1]
                break
            begin = story.end - 20
    assert joined >= (0 if kind == "visits" else 6)
    made.reading.close()


@pytest.mark.parametrize("seed", [2, 3])
def test_where_nothing_is_quiet_the_core_is_led_there(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tcpviz.bulk.tables.stories.LEAD", 0)  # nor is it after a loss
    path = tmp_path / "a.pcap"
    lost = {2: 0.0, 3: 0.004}[seed]
    manner = transfer.Manner(random.Random(seed), flight=60, lost_behind=lost, lost_before=lost)
    packets = transfer.write(path, manner, 6000)
    everything, made = scalar(path), snapshot(path)
    steps = [everything.timeline[at] for at in everything.timeline.of(1)]
    whole, found = [told(each) for each in steps], [each.observation for each in steps]
    assert len(whole) == packets
    stories = Stories(made)
    for begin in (900, 2048, 3000, 4100, 5205, packets - 100):
        story = stories.tell(1, begin, 200)
        window, mine = slice(begin, begin + 200), list(story.tracker.timeline)
        assert story.joint == 0
        assert [told(each) for each in mine] == whole[window]
        assert [each.observation for each in mine] == found[window]
        client, known = story.tracker.connections[1].client, everything.connections[1].client
        assert (client.bytes, client.segments) == (known.bytes, known.segments)
    made.reading.close()


def test_where_nothing_is_quiet_it_is_told_what_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tcpviz.bulk.tables.stories.LEAD", 200)
    monkeypatch.setattr("tcpviz.bulk.tables.carried.MOST_TAKEN", 0)  # too far to be led there
    path = tmp_path / "a.pcap"
    generate.stream(path, 1500)
    made = snapshot(path)
    # The server's acknowledgements are gone: never is all acknowledged again.
    made.reading.columns.array["ack"] = made.reading.columns.array["ack"].copy()
    made.reading.columns.array["ack"][100:] = made.reading.columns.array["ack"][99]
    story = Stories(made).tell(1, 900, 200)
    assert story.joint is None
    assert (story.begin, story.end, story.total) == (900, 1100, 1501)
    timeline = story.tracker.timeline
    assert timeline.dropped  # the opening, and what tells of the gap
    assert str(next(iter(timeline)).server.certainty) == "unknown"
    made.reading.close()
