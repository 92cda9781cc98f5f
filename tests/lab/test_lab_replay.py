"""What ``-w`` saves is replayed with nothing lost: the same steps as in the run itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from tcpviz.core.records import Call, KernelReading, Moment, SegmentRecord
from tcpviz.core.tracker import Tracker
from tcpviz.lab.scenarios import list_scenarios
from tcpviz.sources.files import FileFeed
from tcpviz.sources.replay import MAGIC

ALL = list_scenarios()


def _named(one):
    """Those that wait for real timers are for another day."""
    waits = one.slow or one.section in ("loss", "queues", "windows", "timers")
    return pytest.param(one.name, marks=pytest.mark.slow if waits else ())


ANYWHERE = [one.name for one in ALL if not one.needs_cable and not one.slow]


def _replayed(path):
    feed, tracker, records = FileFeed(str(path)), Tracker(), []
    for batch in feed.batches():
        for record in batch:
            records.append(record)
            tracker.feed(record)
    return feed, tracker, records


def _compare(played, path):
    feed, tracker, records = _replayed(path)
    for place, (was, now) in enumerate(zip(played.records, records, strict=False)):
        assert now == was, f"record {place}"
    assert len(records) == len(played.records)
    live = list(played.tracker.timeline)
    for was, now in zip(live, tracker.timeline, strict=True):
        assert now == was, f"step {was.index}"
    assert len(live) > 5
    assert not feed.status.notes
    # A repetition that the cable kept back while its original was held is not in the file.
    assert feed.status.frames <= played.feed.status.frames
    return records


@pytest.mark.parametrize("name", [_named(one) for one in ALL])
def test_every_step_of_every_scenario_is_the_same_again(cable, tmp_path, name):
    out = tmp_path / "run.pcapng"
    records = _compare(cable(name, write=str(out)), out)
    moments = {record.moment for record in records if isinstance(record, SegmentRecord)}
    assert moments <= {Moment.SENT, Moment.ARRIVED, Moment.LOST}
    assert any(isinstance(record, Call) for record in records)
    assert any(isinstance(record, KernelReading) for record in records)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux")
@pytest.mark.parametrize("name", ANYWHERE)
@pytest.mark.parametrize("on", ["loopback", "kernel"])
def test_the_lesser_grounds_too(play, tmp_path, name, on):
    out = tmp_path / "run.pcapng"
    _compare(play(name, on, write=str(out)), out)


def test_over_ipv6_too(cable, tmp_path):
    out = tmp_path / "run.pcapng"
    _compare(cable("half-close", ipv6=True, write=str(out)), out)


def test_a_recording_that_was_cut_tells_what_is_there(cable, tmp_path):
    out = tmp_path / "run.pcapng"
    played = cable("echo", write=str(out))
    whole = out.read_bytes()
    for end in range(200, len(whole), 997):
        out.write_bytes(whole[:end])
        _, _, records = _replayed(out)
        assert records == played.records[: len(records)]


def _tool(name, *arguments):
    if shutil.which(name) is None:
        pytest.skip(f"needs {name}")
    done = subprocess.run([name, *arguments], capture_output=True, text=True, timeout=60)
    said = [line for line in done.stderr.splitlines() if "Running as user" not in line]
    assert done.returncode == 0, said
    assert not said
    return done.stdout


@pytest.mark.parametrize("name", ["echo", "lost-syn"])
def test_wireshark_sees_packets_comments_and_nothing_else(cable, tmp_path, name):
    out = tmp_path / "run.pcapng"
    played = cable(name, write=str(out))
    fields = [
        "frame.number",
        "frame.interface_name",
        "frame.comment",
        "tcp.analysis.retransmission",
    ]
    wanted = [word for field in fields for word in ("-e", field)]
    rows = [
        line.split("\t")
        for line in _tool("tshark", "-r", str(out), "-T", "fields", *wanted).splitlines()
    ]
    assert [int(row[0]) for row in rows] == list(range(1, played.feed.status.frames + 1))
    assert {row[1] for row in rows} == {"client", "server"}
    comments = "".join(row[2] for row in rows)
    assert "ms after it left" in comments
    assert "client: connect(10.0.0.2:7777)" in comments
    assert "kernel: client SYN-SENT" in comments
    again = sum(bool(row[3]) for row in rows)
    assert again == (1 if name == "lost-syn" else 0)
    assert "two hosts" not in _tool("capinfos", str(out))


def test_whoever_changes_the_file_leaves_a_plain_capture(cable, tmp_path):
    out, changed = tmp_path / "run.pcapng", tmp_path / "changed.pcapng"
    cable("echo", write=str(out))
    _tool("editcap", str(out), str(changed), "1")
    feed, _, records = _replayed(changed)
    if MAGIC not in changed.read_bytes():
        assert {record.moment for record in records} == {Moment.SEEN}
    assert feed.status.segments


def test_the_commands_show_the_recording(cable, tmp_path):
    out = tmp_path / "run.pcapng"
    cable("echo", write=str(out))

    def read(*options):
        command = [sys.executable, "-m", "tcpviz", "read", str(out), *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "10.0.0.1:40001" in read("--text")
    chart = read("--ladder", "1")
    assert "connect(" in chart
    assert "listen(" in chart
    connection = json.loads(read("--json").splitlines()[0])
    assert connection["certainty"] == {"client": "seen", "server": "seen"}
