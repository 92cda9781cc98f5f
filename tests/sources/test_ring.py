"""Packet rings: handed over to who has the screen, and nothing but the memory with them."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from tcpviz.core.records import SegmentRecord
from tcpviz.sources import access, live, ring, ringside
from tcpviz.sources.interfaces import list_interfaces
from tcpviz.sources.live import LiveFeed
from tcpviz.sources.ring import Ring
from tcpviz.sources.ringhand import adopt, hand_over, kind_of
from tcpviz.sources.ringread import told_unread

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not access.own_access()[0] or ring.why_not([1], compiled=True) != "",
    reason="no right to capture here, or no ring",
)
EVERYTHING = [(0x06, 0, 0, 262144)]


OTHER = next(
    (i.name for i in list_interfaces() if i.up and i.link_type == 1 and i.name != "lo"), ""
)


def refuse(_channel: object) -> list[Ring]:
    raise PermissionError(1, "Operation not permitted")


def packet_sockets(pid: int) -> set[str]:
    """Inodes of the packet sockets of which that process has a descriptor."""
    told = Path("/proc/net/packet").read_text().splitlines()[1:]
    inodes = {f"socket:[{line.split()[-1]}]" for line in told}
    found = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(str(each.readlink()))
        except OSError:
            continue
    return found & inodes


def rings_mapped() -> dict[str, str]:
    """Where sockets' memory is mapped here, and how."""
    found = {}
    for line in Path("/proc/self/maps").read_text().splitlines():
        words = line.split(maxsplit=5)
        if len(words) == 6 and words[5].startswith("socket:"):
            found[words[0]] = words[1]
    return found


@pytest.mark.parametrize("snaplen", [128, 0])
def test_whoever_reads_a_ring_has_its_memory_and_no_socket(snaplen):
    feed = LiveFeed(["lo"], "udp port 9", snaplen, exclude_ssh=False)
    before = len(list(Path("/proc/self/fd").iterdir()))
    feed.open()
    try:
        assert feed.way.startswith("a ring of ")
        ((place, mode),) = rings_mapped().items()
        assert mode == "rw-s"
        assert packet_sockets(os.getpid()) == set()
        assert packet_sockets(feed.pids[0]) != set()
        # Nor does a way lead from the memory back to the socket.
        with pytest.raises(OSError, match=r"No such device|not permitted|denied") as caught:
            os.open(f"/proc/self/map_files/{place}", os.O_RDWR)
        assert caught.value.errno in (errno.ENXIO, errno.EPERM, errno.EACCES, errno.ENOENT)
    finally:
        feed.close()
    assert rings_mapped() == {}
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


@pytest.mark.parametrize("snaplen", [128, 0])
def test_a_descriptor_is_closed_also_where_its_ring_cannot_be_mapped(monkeypatch, snaplen):
    def cannot(*_: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    here, there = socket.socketpair()
    opened = kind_of(snaplen)("lo", EVERYTHING, loopback=True, snaplen=snaplen)
    hand_over(there.detach(), [opened])
    opened.close()
    monkeypatch.setattr(ring.mmap, "mmap", cannot)
    with here, pytest.raises(OSError, match="allocate"):
        adopt(here)
    assert packet_sockets(os.getpid()) == set()


@pytest.mark.parametrize("snaplen", [128, 0])
@pytest.mark.parametrize("mapped", [True, False])
@pytest.mark.parametrize("interfaces", [["lo"], ["any"], ["lo", OTHER]])
def test_a_ring_gives_what_reading_packet_by_packet_gives(monkeypatch, interfaces, mapped, snaplen):
    if "" in interfaces:
        pytest.skip("there is one interface only")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        words = f"tcp port {port} and host 127.0.0.1"
        with monkeypatch.context() as without:
            without.setattr(live, "why_not", lambda *_, **__: "not wanted")
            one_by_one = LiveFeed(interfaces, words, snaplen=0, exclude_ssh=False)
        if not mapped:
            monkeypatch.setattr(ringside, "adopt", refuse)
        ringed = LiveFeed(interfaces, words, snaplen=snaplen, exclude_ssh=False)
        found = []
        for feed in (one_by_one, ringed):
            feed.open()
            feed.remember()
        with socket.create_connection(server.getsockname()) as client:
            accepted, _ = server.accept()
            client.sendall(b"hello" * 8000)
            accepted.recv(40_000, socket.MSG_WAITALL)
            accepted.close()
            client.recv(9)
        for feed in (one_by_one, ringed):
            fins = 0
            for batch in feed.batches():
                fins += sum(r.segment.fin for r in batch if isinstance(r, SegmentRecord))
                if fins == 2 or not batch:
                    feed.stop()
            found.append(
                sorted(
                    (
                        f.interface,
                        f.time_ns,
                        f.link_type,
                        f.wire_len,
                        f.data[: (snaplen and 80) or None],
                    )
                    for f in feed.kept().frames
                )
            )
    assert (one_by_one.ringed, ringed.ringed) == (False, True)
    assert ("through a pipe" in ringed.way) != mapped
    assert len(found[0]) >= 8
    assert ("any length" in ringed.way) == (snaplen == 0) or not mapped
    assert max(len(row[4]) for row in found[1]) == (80 if snaplen else max(r[3] for r in found[1]))

    # The clock is read for each socket by itself.
    def timeless(rows):
        return sorted((number, *rest) for number, _, *rest in rows)

    assert timeless(found[0]) == timeless(found[1])
    times = [row[1] for row in found[1]]
    assert all(abs(a[1] - b) < 10**9 for a, b in zip(found[0], times, strict=True))


@pytest.mark.parametrize("snaplen", [128, 0])
def test_what_lies_in_the_ring_when_nobody_reads_any_more_is_counted_and_said(snaplen):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        feed = LiveFeed(["lo"], "udp port 9", snaplen, exclude_ssh=False)
        feed.open()
        for _ in range(70):
            sender.sendto(b"x", ("127.0.0.1", 9))
        feed.close()
    assert feed.status.notes == [told_unread(70)]
    assert feed.status.notes[0].startswith("70 packets had come and were not read")


@pytest.mark.parametrize("snaplen", [128, 0])
def test_what_the_end_leaves_no_time_for_is_counted_too(monkeypatch, snaplen):
    monkeypatch.setattr("tcpviz.sources.ringread.LEFT_S", -1.0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        feed = LiveFeed(["lo"], "udp port 9", snaplen, exclude_ssh=False)
        feed.open()
        # What is stopped says no more that something has come.
        os.kill(feed.pids[0], signal.SIGSTOP)
        os.waitid(os.P_PID, feed.pids[0], os.WSTOPPED | os.WNOWAIT)
        for _ in range(70):
            sender.sendto(b"x", ("127.0.0.1", 9))
        os.kill(feed.pids[0], signal.SIGKILL)
        reader = feed._mapped
        reader.due = None  # no pass before the end is seen
        for _ in feed.batches():
            pass
    assert told_unread(70) in feed.status.notes


def test_why_there_is_none_is_told(monkeypatch):
    assert "link type 127" in ring.why_not([1, 127], compiled=True)
    assert "17 interfaces" in ring.why_not([1] * 17, compiled=True)
    assert "compiled" in ring.why_not([276], compiled=False)
    monkeypatch.setattr(ring.platform, "machine", lambda: "aarch64")
    assert "aarch64" in ring.why_not([1], compiled=True)
    way = live.LiveFeed(["lo"], "", 0, exclude_ssh=False).way
    assert way.startswith("packet by packet: the order of aarch64's memory")
