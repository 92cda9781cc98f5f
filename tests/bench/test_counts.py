"""The small form of the benchmark: what is measured is right; counts, never seconds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

pytest.importorskip("numpy")

import numpy as np

from tcpviz.bulk.live import sums
from tcpviz.bulk.live.table import LiveTable
from tcpviz.bulk.tables.load import Loaded
from tcpviz.core.records import Moment, SegmentRecord
from tcpviz.core.tracker import Tracker
from tcpviz.core.verdicts import Code, verdicts
from tcpviz.sources.files import open_capture
from tcpviz.ui import beating
from tcpviz.ui.app import TcpvizApp
from tcpviz.ui.lines import LinesView
from tcpviz.ui.sparing import SparingCompositor
from tcpviz.ui.terminal import Manners
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame
from tests.bench import grow
from tests.bench.__main__ import PARTS, run
from tests.bench.files import once
from tests.bench.flood import TALK, frames
from tests.bench.memory import peak_mb, pss_kb
from tests.bench.report import Row, number, table, told
from tests.bulk.ringed import stretch
from tests.ui.fakes import FakeFeed, conversation
from tests.ui.test_app import running


def followed(path):
    decoder, tracker = Decoder(verify=True), Tracker(keep=False)
    with open_capture(str(path)) as capture:
        for frame in capture:
            segment = decoder.decode(frame)
            assert segment is not None
            tracker.feed(SegmentRecord(segment.time_ns, segment, Moment.SEEN))
    return list(tracker.connections.values())


def test_the_flood_is_of_whole_connections_many_at_a_time():
    heads, sizes = frames(200, 100)
    assert len(heads) == 200 * len(TALK)
    decoder, tracker = Decoder(verify=False), Tracker(keep=False)
    most = 0
    for number_, (head, size) in enumerate(zip(heads, sizes, strict=True), 1):
        data = head.tobytes() + bytes(size)
        segment = decoder.decode(Frame(number_ * 1000, 1, data, len(data), number_))
        assert segment is not None
        tracker.feed(SegmentRecord(segment.time_ns, segment, Moment.SEEN))
        most = max(most, sum(not one.over for one in tracker.connections.values()))
    found = {verdicts(one)[0].code for one in tracker.connections.values()}
    assert len(tracker.connections) == 200
    assert found == {Code.CLOSED_NORMALLY}
    assert most >= 80


def test_what_grows_is_whole_connections_and_one_without_a_flaw(tmp_path):
    path = tmp_path / "many.pcap"
    assert grow.many(path, 120, 20) == 1200
    many = followed(path)
    assert len(many) == 120
    assert {verdicts(each)[0].code for each in many} == {Code.CLOSED_NORMALLY}
    assert grow.one(path, 1000) == 1000
    (one,) = followed(path)
    assert one.client.segments + one.server.segments == 1000
    assert not one.marks
    assert verdicts(one)[0].code is Code.CLOSED_NORMALLY


def read_so_far() -> int:
    """Bytes that this process has had from files."""
    return int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="/proc/self/io is Linux's")
def test_the_file_is_passed_over_once_and_the_table_is_what_following_finds(tmp_path):
    path = tmp_path / "many.pcap"
    grow.many(path, 300, 50)
    Loaded(str(path)).close()  # whatever is imported for it has been
    before = read_so_far()
    loaded = Loaded(str(path))
    loaded.read()
    made = loaded.build()
    passes = (read_so_far() - before) / path.stat().st_size
    assert 1 <= passes < 1.2
    expected = followed(path)
    assert len(made) == len(expected) == 300
    for place in range(0, 300, 7):
        mine, theirs = made.connection(place), expected[place]
        assert (mine.client.endpoint, mine.server.endpoint, mine.conn_state) == (
            theirs.client.endpoint, theirs.server.endpoint, theirs.conn_state
        )  # fmt: skip
        assert (mine.client.bytes, mine.server.segments, mine.last_ns) == (
            theirs.client.bytes, theirs.server.segments, theirs.last_ns
        )  # fmt: skip
    loaded.close()


def test_a_stretch_of_a_live_capture_is_counted_in_passes_that_do_not_grow_with_it(monkeypatch):
    """As many calls of numpy's sort for ten thousand packets as for a hundred."""
    heads, sizes = frames(1000, 200)
    calls = []
    sort = np.sort
    monkeypatch.setattr(np, "sort", lambda *a, **k: (calls.append(len(a[0])), sort(*a, **k))[1])
    asked = sums._acknowledge
    told = []
    monkeypatch.setattr(sums, "_acknowledge", lambda *a: (told.append(a), asked(*a))[1])
    counts = []
    for count in (100, 10_000):
        rows = zip(heads[:count], sizes[:count], strict=True)
        captured = [
            Frame(1000 * n, 1, head.tobytes(), 54 + int(size), n)
            for n, (head, size) in enumerate(rows, 1)
        ]
        live = LiveTable()
        made = stretch(captured)
        calls.clear()
        live.take(made, made.columns(live.mixer)[0])
        counts.append(len(calls))
        assert int(live.packets.sum()) == count
    assert counts[0] == counts[1] <= 2
    # What has been acknowledged is worked out once; ends of which there is but a SYN, too.
    assert len(told) == 2


async def test_what_a_key_draws_and_sends_and_that_nothing_is_sent_when_nothing_happens(
    monkeypatch,
):
    """Tab: two rules and the hints; 31 KB it was when Textual drew all of the screen."""
    monkeypatch.setattr(beating, "resident_bytes", lambda: 90 << 20)  # it is shown, and it changes
    feed = FakeFeed([record for n in range(30) for record in conversation(n)])
    app = TcpvizApp(feed, behaviour=Manners(motion=False))
    sent: list[str] = []
    whole: list[object] = []
    drawn: list[object] = []
    partly, wholly = SparingCompositor.render_partial_update, SparingCompositor.render_full_update

    def partial(self):
        update = partly(self)
        if update is not None:
            sent.append(update.render_segments(app.console))
        return update

    def full(self, **more):
        whole.append(1)
        return wholly(self, **more)

    monkeypatch.setattr(SparingCompositor, "render_partial_update", partial)
    monkeypatch.setattr(SparingCompositor, "render_full_update", full)
    draw = LinesView._draw
    monkeypatch.setattr(
        LinesView, "_draw", lambda self, row, width: (drawn.append(row), draw(self, row, width))[1]
    )
    async with running(app) as pilot:
        for _ in range(3):  # each pane has had the focus once, and what it draws is known
            await pilot.press("tab")
            await pilot.pause()
        sent.clear()
        whole.clear()
        for _ in range(20):
            app._main.beat()
            await pilot.pause()
        assert sum(map(len, sent)) == 0
        drawn.clear()
        await pilot.press("tab")
        await pilot.pause()
        await pilot.pause()
        assert 0 < sum(len(each.encode()) for each in sent) < 4000
        assert len(drawn) <= 6
        assert whole == []


def test_the_table_is_markdown_and_what_failed_or_is_missing_has_its_row():
    rows = [
        Row("a file", "tshark", (0.0461, 0.04, 0.05), 0.2, "1 s / 20 s", "0.06", short=True),
        Row("(dpkt: not installed)"),
    ]
    whole, short = table(rows), table(rows, short=True)
    assert "| a file | tshark | 0.046 (0.040 to 0.050) | 0.20 | 0.06 | 1 s / 20 s |" in whole
    assert "dpkt: not installed" in whole
    assert short.count("\n") == 2
    assert len({line.count("|") for line in whole.splitlines()}) == 1
    assert (number(12.4), told((2, 2, 2))) == ("12", "2.00")


def test_a_part_that_fails_or_does_not_end_leaves_the_others_alone(monkeypatch):
    monkeypatch.setitem(PARTS, "start", ["tests.bench.no_such_part"])
    (row,) = run("start", [], 60)
    assert "ended with 1" in row.what
    monkeypatch.setitem(PARTS, "start", ["http.server"])
    (row,) = run("start", ["0"], 0.5)
    assert "had not ended" in row.what


@pytest.mark.skipif(not pss_kb(os.getpid()), reason="this system does not tell a process's PSS")
def test_memory_is_that_of_all_processes():
    two = "import os; os.fork(); data = b'x' * 20_000_000; sum(data)"
    assert 38 < peak_mb([sys.executable, "-I", "-S", "-c", two]) < 80
    one = two.replace("os.fork(); ", "")
    assert 19 < peak_mb([sys.executable, "-I", "-S", "-c", one]) < 38


def test_a_run_is_that_of_the_command_and_not_of_who_starts_it():
    ballast = bytearray(80_000_000)
    measured = once([sys.executable, "-I", "-S", "-c", "sum(range(10**6))"])
    assert 0 < measured.mb < 60
    assert measured.cpu > 0
    assert len(ballast) == 80_000_000
    with pytest.raises(SystemExit, match="ended with 3"):
        once([sys.executable, "-I", "-S", "-c", "raise SystemExit(3)"])
