"""What may happen to a capture that runs: nothing saved is lost, what was missed is said."""

from __future__ import annotations

import os
import select
import signal
import sys

import pytest

from tcpviz.core.records import SegmentRecord
from tcpviz.core.segment import Endpoint, Flags, Segment
from tcpviz.core.tracker import Tracker
from tcpviz.sources import writer
from tcpviz.sources.clockwatch import ClockWatch, told
from tcpviz.sources.feed import SourceError
from tcpviz.sources.live import LiveFeed
from tcpviz.sources.stream import CaptureStream
from tcpviz.sources.writer import PcapngWriter
from tcpviz.wire.frame import Frame
from tests.sources.test_live import (
    VETH,
    closed_port,
    collect,
    exchange,
    fins,
    in_namespace,
    linux,
    may_capture,
    segments,
)

S = 1_000_000_000


def frames_of(path):
    stream = CaptureStream("out")
    found = [frame for frames in stream.feed(path.read_bytes()) for frame in frames]
    stream.finish()
    assert not stream.notes
    return found


# -- interfaces


@linux
@pytest.mark.parametrize("feed", ["live.LiveFeed", "RingFeed"])
def test_a_renamed_interface_is_captured_on_under_its_new_name(feed):
    """Down and up again too, where the kernel renames only what is down."""
    found = in_namespace(
        VETH + "ip addr add 10.1.1.1/24 dev one\n",
        f"""
        from tcpviz.bulk.live.feed import RingFeed
        feed = {feed}(["one"], exclude_ssh=False)
        if hasattr(feed, "spare"):
            feed.spare(256 << 20)
        feed.open()
        try:
            ip("link", "set", "one", "name", "uno")
        except subprocess.CalledProcessError:
            print(json.dumps([None, None]))
            raise SystemExit
        client, found = None, []
        for batch in feed.batches():
            found += segments(batch)
            if client is None and any("uno" in note for note in feed.status.notes):
                ip("neigh", "add", "10.1.1.2", "lladdr", "02:00:00:00:00:09", "dev", "uno")
                client = socket.socket()
                client.setblocking(False)
                client.connect_ex(("10.1.1.2", 80))
            if found:
                feed.stop()
        client.close()
        print(json.dumps([feed.status.notes, found[0].flags.names()]))
        """,
    )
    if found == [None, None]:
        pytest.skip("this kernel renames only interfaces that are down")
    assert found == [["one is called uno now; still capturing on it"], "SYN"]


# -- processes


@may_capture
def test_a_killed_table_is_a_note_and_the_capture_goes_on():
    port = closed_port()
    feed = LiveFeed(["lo"], f"tcp port {port}", exclude_ssh=False, sockets=True)
    feed.open()
    (pid,) = [pid for pid in feed.pids if pid != feed._children[0].pid]
    os.kill(pid, signal.SIGKILL)
    done = False
    found = []
    for batch in feed.batches():
        found += segments(batch)
        if not done and feed.status.notes:
            done = True
            exchange(port)
        if sum(one.fin for one in found) == 2:
            feed.stop()
    assert feed.status.notes == [
        "no word from the kernel's table of sockets any more: the process that reads it has ended"
    ]


@may_capture
def test_nobody_is_left_when_it_is_closed():
    feed = LiveFeed(["lo"], "tcp port 9", exclude_ssh=False, sockets=True)
    feed.open()
    pids = [os.pidfd_open(pid) for pid in feed.pids]
    feed.close()
    for pid in pids:
        assert select.select([pid], [], [], 10)[0]
        os.close(pid)


# -- the file


def written(path, count, size=100, first=0):
    """A writer with so many frames in its file."""
    made = PcapngWriter(str(path))
    made.add_interface("lo", 1)
    more(made, count, size, first)
    return made


def more(made, count, size=100, first=0):
    for number in range(first, first + count):
        made.write(Frame(number * S, 1, bytes([number % 256]) * size, size, number + 1, 0))
    made.flush()


def test_a_file_that_is_removed_is_written_again_with_all_that_was_in_it(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "LOOK_S", 0)
    path = tmp_path / "out.pcapng"
    made = written(path, 5)
    assert made.look_after() is None
    path.unlink()
    assert made.look_after() == (
        f"{path} was removed while it was being written: all of it was written again"
    )
    more(made, 3, first=5)
    made.close()
    assert [frame.time_ns // S for frame in frames_of(path)] == list(range(8))
    assert path.stat().st_mode & 0o777 == 0o600


def test_somebody_elses_file_in_its_place_is_not_touched(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "LOOK_S", 0)
    path = tmp_path / "out.pcapng"
    made = written(path, 5)
    path.unlink()
    path.write_text("mine")
    with pytest.raises(SourceError, match=r"was removed, and cannot be made again \(File exists\)"):
        made.look_after()
    made.close()
    assert path.read_text() == "mine"


def test_a_file_that_is_moved_is_written_on_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "LOOK_S", 0)
    path = tmp_path / "out.pcapng"
    made = written(path, 5)
    path.rename(tmp_path / "rotated")
    assert made.look_after() is None
    more(made, 1, first=5)
    made.close()
    assert len(frames_of(tmp_path / "rotated")) == 6
    assert not path.exists()


@may_capture
def test_a_capture_whose_file_and_folder_are_removed_goes_on_and_says_it_at_the_end(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(writer, "LOOK_S", 0)
    port = closed_port()
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "out.pcapng"
    feed = LiveFeed(["lo"], f"tcp port {port}", write=str(path), exclude_ssh=False)
    feed.open()
    path.unlink()
    folder.rmdir()
    exchange(port)
    found = []

    def follow():
        for batch in feed.batches():
            found.extend(segments(batch))
            if sum(one.fin for one in found) == 2:
                feed.stop()

    with pytest.raises(SourceError, match="cannot be made again"):
        follow()
    assert sum(one.syn for one in found) == 2
    assert any("capturing goes on without writing" in note for note in feed.status.notes)


@linux
def test_a_full_disk_keeps_what_was_written_whole_and_the_capture_goes_on():
    found = in_namespace(
        "ip link set lo up; mount -t tmpfs -o size=64k tmpfs /mnt",
        """
        feed = LiveFeed(["lo"], "", 0, write="/mnt/out.pcapng", exclude_ssh=False)
        feed.open()
        records, said = [], ""
        port = exchange(payload=b"x" * 200_000)
        exchange(port)
        try:
            for batch in feed.batches():
                records += batch
                if fins(4)(records):
                    feed.stop()
        except SourceError as error:
            said = str(error)
        stream = CaptureStream("out")
        with open("/mnt/out.pcapng", "rb") as file:
            kept = sum(map(len, stream.feed(file.read())))
        stream.finish()
        print(json.dumps([said, feed.status.notes, kept, len(segments(records)), stream.notes]))
        """,
        flags="-Urmn",
    )
    said, notes, kept, segments_seen, complaints = found
    assert said.startswith("/mnt/out.pcapng: cannot be written: no space left on the disk")
    assert notes == [f"{said}; capturing goes on without writing"]
    assert 0 < kept < segments_seen
    assert complaints == []


@may_capture
def test_a_file_that_may_not_be_opened_any_more_is_written_to_its_end(tmp_path):
    """Rights that are taken away count for the next who opens it."""
    port = closed_port()
    path = tmp_path / "out.pcapng"
    feed = LiveFeed(["lo"], f"tcp port {port}", write=str(path), exclude_ssh=False)
    feed.open()
    path.chmod(0)
    tmp_path.chmod(0o500)
    exchange(port)
    found = segments(collect(feed, fins(2)))
    tmp_path.chmod(0o700)
    path.chmod(0o600)
    assert len(frames_of(path)) == len(found)


# -- the clock


def test_a_clock_that_is_set_is_told_and_one_that_is_slewed_is_not():
    now = {"wall": 1_000 * S, "steady": 5 * S}
    watch = ClockWatch(lambda: now["wall"], lambda: now["steady"])

    def on(wall, steady=1.0):
        now["wall"] += int(wall * S)
        now["steady"] += int(steady * S)
        return watch.look()

    assert on(1) == 0
    assert [on(1.2) for _ in range(10)] == [0] * 10
    assert on(1 - 3600) == -3600 * S
    assert on(1) == 0
    assert on(31) == 30 * S
    assert told(-3600 * S) == (
        "this machine's clock was set back by 60 min; times of packets jump with it"
    )
    assert "forward (or the machine slept) by 30.0 s" in told(30 * S)


@may_capture
def test_a_capture_says_that_the_clock_was_set_back():
    feed = LiveFeed(["lo"], "tcp port 9", exclude_ssh=False)
    feed._clock = ClockWatch(iter((5 * S, 1 * S, 1 * S)).__next__, lambda: 0)
    feed._clock._wall, steps = (lambda: next(steps, S)), iter((S,))
    feed.open()
    for _ in feed.batches():
        feed.stop()
    assert feed.status.notes == [told(-4 * S)]


def test_time_does_not_go_back_for_the_connections():
    """Segments keep their own times; ages and timers go by the latest moment there was."""
    tracker = Tracker()
    here, there = Endpoint("10.0.0.1", 4000), Endpoint("10.0.0.2", 80)

    def feed(seconds, src, dst, flags, seq, ack=0):
        one = Segment(seconds * S, src, dst, seq, ack, flags, 1000, 0)
        return tracker.feed(SegmentRecord(one.time_ns, one))

    feed(5000, here, there, Flags.SYN, 100)
    feed(5000, there, here, Flags.SYN | Flags.ACK, 500, 101)
    feed(1400, here, there, Flags.ACK, 101, 501)  # an hour back
    (connection,) = tracker.connections.values()
    assert connection.established
    assert tracker.now_ns == 5000 * S
    steps = feed(1401, here, there, Flags.FIN | Flags.ACK, 101, 501)
    assert steps[0].time_ns == 1401 * S
    assert str(connection.phase) == "teardown 1/4"


if sys.platform != "linux":
    pytestmark = pytest.mark.skip(reason="packet sockets of Linux")
