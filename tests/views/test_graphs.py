"""The graphs: tracks against plain lists, axes, and what a page says of a real dialogue."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from tcpviz.core.records import Moment, SegmentRecord, Side
from tcpviz.core.segment import Options
from tcpviz.core.tracker import Tracker
from tcpviz.views.graphs import axes, draw
from tcpviz.views.graphs.dots import Dots, Grain, Pen
from tcpviz.views.graphs.plot import Plot, Window
from tcpviz.views.graphs.series import Flow, Series
from tcpviz.views.graphs.tracks import BLOCK, Track
from tcpviz.views.spans import plain, width
from tests.core.dialogue import Talk

MS = 1_000_000


def talk_of(lose: bool = True) -> tuple[Talk, Series]:
    """Ten segments of data, the third of them lost before the server and sent again."""
    talk = Talk()
    talk.handshake()
    for number in range(10):
        if not (lose and number == 2):
            talk.client("PA", 100, seq=1 + number * 100)
            talk.server("A", ack=201 if lose and number > 2 else 101 + number * 100)
    if lose:
        talk.client("PA", 100, seq=201)
        talk.server("A", ack=1001)
    connection = next(iter(talk.tracker.connections.values()))
    series = Series(talk.tracker.timeline, connection)
    assert series.extend()
    return talk, series


@pytest.mark.parametrize("size", [0, 1, 7, BLOCK, 3 * BLOCK + 5])
def test_a_track_tells_what_going_through_all_its_points_tells(size):
    chance = random.Random(size)
    track, points = Track(), []
    for _ in range(size):
        low = chance.randrange(1000)
        time_ns, high = len(points) * 3, low + chance.randrange(50)
        points.append((time_ns, low, high))
        track.add(time_ns, low, high)
    for _ in range(60):
        start = chance.randrange(-5, 3 * size + 5)
        end = start + chance.randrange(3 * size + 5)
        inside = [point for point in points if start <= point[0] < end]
        expected = (min(p[1] for p in inside), max(p[2] for p in inside)) if inside else None
        assert track.span(start, end) == expected
        earlier = [point for point in points if point[0] < start]
        assert track.before(start) == (earlier[-1][2] if earlier else None)


def test_a_clock_that_is_set_back_does_not_disorder_a_track():
    track = Track()
    for time_ns in (10, 20, 5, 30):
        track.add(time_ns, time_ns)
    assert list(track.times) == [10, 20, 20, 30]


def test_numbers_go_on_where_32_bits_turn_over():
    flow = Flow()
    flow._near = 0xFFFFFFF0
    assert flow.number(0x10) == 0x1_0000_0010
    assert flow.number(0xFFFFFF00) == 0xFFFFFF00


@pytest.mark.parametrize("span", [1, 9, 10, 11, 999, 12_345, 10**9, 7 * 10**11])
def test_ticks_are_round_and_few(span):
    by = axes.step(span, 5)
    assert str(by).rstrip("0") in ("1", "2", "5")
    made = axes.ticks(0, span, by)
    assert 1 <= len(made) <= 6
    assert all(after - before == by for before, after in pairwise(made))
    assert axes.top(span) >= span


def test_labels_of_one_axis_are_all_different():
    for low, by in ((10_500, 5), (1_000_000, 500), (0, 20_000), (3 * 10**9, 10**9)):
        unit = axes.numbers_by(by)
        labels = [unit(value) for value in range(low // by * by, low + 5 * by, by)]
        assert len(set(labels)) == len(labels)


def test_braille_blocks_and_ascii():
    pen = Pen("data", 1, "|")
    for grain, expected in ((Grain.BRAILLE, "⣿"), (Grain.BLOCKS, "█"), (Grain.ASCII, "|")):
        dots = Dots(1, 1, grain)
        for x in range(dots.width):
            dots.upright(x, -5, 99, pen)
        assert "".join(span.text for span in dots.line(0)) == expected


def test_series_of_a_lost_segment():
    _, series = talk_of()
    flow = series.flows[Side.CLIENT]
    assert flow.data.high[-1] == 1001
    assert flow.acks.high[-1] == 1001
    assert list(flow.points["order"].low) + list(flow.points["again"].low) == [201]
    assert len(flow.points["double"]) >= 3
    assert flow.sent.high[-1] == flow.got.high[-1] == 1000
    assert flow.flight.high[-1] == 0
    assert max(flow.flight.high) == 800


def test_only_the_cables_own_moments_count_where_both_are_seen():
    source = talk_of(lose=False)[0]
    tracker = Tracker()
    for step in source.tracker.timeline:
        segment = step.segment
        assert segment is not None
        for moment, late in ((Moment.SENT, 0), (Moment.ARRIVED, 4 * MS)):
            tracker.feed(SegmentRecord(segment.time_ns + late, segment, moment))
    series = Series(tracker.timeline, next(iter(tracker.connections.values())))
    series.extend()
    flow = series.flows[Side.CLIENT]
    assert len(flow.data) == 11  # a SYN and ten of data, each once
    first_ack = flow.acks.times[1] - series.first_ns
    assert first_ack % MS == 0
    assert min(flow.rtt.low) > 4 * MS  # with the ACK's way back


def page_text(series, side=Side.CLIENT, cells=80, rows=23, **more):
    view = draw.View(side, more.pop("window", draw.whole(series)), **more)
    page = draw.page(series, view, cells, rows)
    assert len(page.lines) == rows
    assert all(width(one) == cells for one in page.lines)
    return plain(page.lines)


def test_a_page_at_80_columns():
    _, series = talk_of()
    at = series.last_ns
    text = page_text(series, cursor_ns=at)
    assert "client 10.0.0.1:40000" in text
    for word in ("data", "ACK", "window", "SYN", "dup ACK", "throughput"):
        assert word in text
    assert "sent 1001" in text
    assert "acked 1001" in text
    assert "in flight 0 B" in text
    assert "▲" in text
    assert any(0x2800 < ord(char) < 0x2900 for char in text)


@pytest.mark.parametrize("cells", range(40, 130, 7))
def test_how_much_was_sent_is_said_whole_or_shortly(cells):
    """Never cut in the middle: what is counted are bars, without the ACKs alone."""
    _, series = talk_of()
    head = page_text(series, cells=cells).splitlines()[0].rstrip()
    short = head.endswith("   1 kB") or (cells < 52 and head.endswith(":80"))
    assert head.endswith("   11 segments with data, SYN or FIN, 1 kB") or short, head
    assert short == (cells < 80), head


def test_a_cursor_outside_of_what_is_seen_stands_at_that_side():
    _, series = talk_of()
    assert "▸" in page_text(series, cursor_ns=series.last_ns + 10_000 * MS)
    later = draw.Window(series.first_ns + MS, series.last_ns)
    text = page_text(series, window=later, cursor_ns=series.first_ns)
    assert "└◂" in text
    assert "▲" not in text


@pytest.mark.parametrize("size", [(40, 10), (80, 23), (120, 39), (200, 59), (20, 6)])
def test_every_size_and_grain_is_filled_exactly(size):
    _, series = talk_of()
    for side in Side:
        for grain in Grain:
            text = page_text(series, side, *size, grain=grain, cursor_ns=series.first_ns)
            assert grain is not Grain.ASCII or text.isascii()


def test_a_story_does_not_tell_what_comes_later():
    _, series = talk_of()
    until = series.first_ns + 3 * MS
    early = page_text(series, until_ns=until, window=draw.whole(series, until), cursor_ns=until)
    assert "dup ACK" not in early
    assert "1 001" not in early


def test_zooming_keeps_the_moment_under_the_pointer():
    window = Window(0, 1000)
    near = window.zoomed(0.5, 250)
    assert near == Window(125, 625)
    assert near.zoomed(2, 250) == window
    assert window.moved(0.25) == Window(250, 1250)


def test_windows_sacks_and_an_unknown_scale():
    talk = Talk()
    talk.client("PA", 100, seq=1, ack=1)
    options = Options(sack=((301, 401),))
    talk.server("A", ack=101, options=options, window=5)
    connection = next(iter(talk.tracker.connections.values()))
    series = Series(talk.tracker.timeline, connection)
    series.extend()
    flow = series.flows[Side.CLIENT]
    assert flow.unscaled  # no SYN was captured
    assert len(flow.sacks) == 1
    assert flow.sacks.high[0] - flow.sacks.low[0] == 100


def test_two_sack_blocks_of_one_ack_are_not_drawn_as_one():
    plot = Plot(1, 10, Grain.ASCII, Window(0, 100), 0, 90)
    track = Track()
    track.add(5, 0, 10)
    track.add(5, 70, 90)
    plot.bars(track, Pen("data", 1, "s"))
    column = "".join(plot.dots.line(row)[0].text for row in range(10))
    assert column == "sss     ss"
