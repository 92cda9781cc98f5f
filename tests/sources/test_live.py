"""Live capture for real: on loopback, in namespaces, through helpers; and whatever ends it."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from tcpviz.core.records import Gap, SegmentRecord
from tcpviz.core.segment import Flags
from tcpviz.sources import access, bpf, helpers, live, ringside
from tcpviz.sources.feed import SourceError
from tcpviz.sources.live import LiveFeed
from tcpviz.sources.stream import CaptureStream

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 40  # empty batches (half a second each) until a test gives up

linux = pytest.mark.skipif(sys.platform != "linux", reason="packet sockets of Linux")
may_capture = pytest.mark.skipif(
    sys.platform != "linux" or not access.own_access()[0], reason="no right to capture here"
)


def exchange(port: int = 0, payload: bytes = b"x" * 1000) -> int:
    """One whole TCP connection on loopback; returns the server's port."""
    with socket.create_server(("127.0.0.1", port)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = server.accept()
            with accepted:
                client.sendall(payload)
                client.shutdown(socket.SHUT_WR)
                while accepted.recv(65536):
                    pass
            assert client.recv(1) == b""
    return port


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def collect(feed, enough):
    """The feed's records; asks it to end once ``enough(records)`` says so."""
    records = []
    idle = 0
    for batch in feed.batches():
        records += batch
        idle = 0 if batch else idle + 1
        if enough(records) or idle > PATIENCE:
            feed.stop()
    return records


def segments(records):
    return [record.segment for record in records if isinstance(record, SegmentRecord)]


def fins(count):
    return lambda records: sum(s.fin for s in segments(records)) >= count


def once(found):
    """Every segment once: nothing on an unhurried loopback is ever sent twice."""
    seen = Counter((s.src, s.dst, s.seq, s.ack, s.flags, s.payload_len, s.window) for s in found)
    return max(seen.values()) == 1


@may_capture
@pytest.mark.parametrize("interface", ["lo", "any"])
def test_every_segment_is_seen_once_at_its_time(interface):
    port = closed_port()
    feed = LiveFeed([interface], f"tcp port {port}", exclude_ssh=False)
    feed.open()
    before = time.time_ns()
    exchange(port)
    after = time.time_ns()
    found = segments(collect(feed, fins(2)))
    assert [s.flags for s in found if s.syn] == [Flags.SYN, Flags.SYN | Flags.ACK]
    assert sum(s.fin for s in found) == 2
    assert sum(s.payload_len for s in found) == 1000
    assert once(found)
    assert all(before <= s.time_ns <= after for s in found)
    assert [s.time_ns for s in found] == sorted(s.time_ns for s in found)
    assert [s.frame for s in found] == list(range(1, len(found) + 1))
    assert feed.status.frames == feed.status.segments == len(found)
    assert feed.status.dropped == 0
    assert feed.status.done
    assert feed.title == f"{interface}  tcp port {port}"


@may_capture
def test_a_web_server_and_its_client_are_seen_once(tmp_path):
    (tmp_path / "page").write_bytes(b"p" * 5000)
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            port = int(re.search(r"port (\d+)", server.stdout.readline()).group(1))
            feed = LiveFeed(["lo"], f"tcp port {port}", exclude_ssh=False)
            feed.open()
            url = f"http://127.0.0.1:{port}/page"
            if shutil.which("curl"):
                body = subprocess.run(["curl", "-s", url], capture_output=True, check=True).stdout
            else:
                with urllib.request.urlopen(url) as answer:
                    body = answer.read()
            found = segments(collect(feed, fins(2)))
        finally:
            server.terminate()
    assert body == b"p" * 5000
    assert sum(s.syn and not s.has_ack for s in found) == 1
    assert once(found)
    served = sum(s.payload_len for s in found if s.src.port == port)
    assert served > 5000


@may_capture
def test_the_filter_keeps_others_out():
    wanted, other = closed_port(), closed_port()
    feed = LiveFeed(["lo"], f"tcp port {wanted}", exclude_ssh=False)
    feed.open()
    exchange(other)
    exchange(wanted)
    found = segments(collect(feed, fins(2)))
    assert {wanted} == {s.src.port if s.src.port == wanted else s.dst.port for s in found}


@may_capture
def test_the_count_ends_it_exactly():
    port = closed_port()
    feed = LiveFeed(["lo"], f"tcp port {port}", count=3, exclude_ssh=False)
    feed.open()
    exchange(port)
    found = segments([record for batch in feed.batches() for record in batch])
    assert [s.flags for s in found] == [Flags.SYN, Flags.SYN | Flags.ACK, Flags.ACK]
    assert feed.status.frames == 3


@may_capture
@pytest.mark.parametrize("snaplen", [96, 0])
def test_what_is_captured_is_written_as_it_comes(tmp_path, snaplen):
    port = closed_port()
    path = tmp_path / "out.pcapng"
    feed = LiveFeed(["lo"], f"tcp port {port}", snaplen, write=str(path), exclude_ssh=False)
    feed.open()
    exchange(port)
    found = segments(collect(feed, fins(2)))
    stream = CaptureStream("out")
    written = [frame for frames in stream.feed(path.read_bytes()) for frame in frames]
    stream.finish()
    assert not stream.notes
    assert [i.name for i in stream.interfaces] == ["lo"]
    assert [frame.time_ns for frame in written] == [s.time_ns for s in found]
    data = next(frame for frame in written if frame.wire_len > 1000)
    assert len(data.data) == (96 if snaplen else data.wire_len)


def refuse(_channel: object) -> list[object]:
    raise PermissionError(1, "Operation not permitted")


@may_capture
@pytest.mark.parametrize("snaplen", [128, 0])
@pytest.mark.parametrize("way", ["mapped", "through a pipe", "packet by packet"])
def test_the_kernels_drops_are_counted_to_the_last_packet(monkeypatch, tmp_path, way, snaplen):
    monkeypatch.setattr(live, "BUFFER", 100_000)
    monkeypatch.setattr(live, "ring_bytes", lambda _: 1 << 20)
    if way == "through a pipe":
        monkeypatch.setattr(ringside, "adopt", refuse)
    if way == "packet by packet":
        monkeypatch.setattr(live, "why_not", lambda *_, **__: "not wanted")
    sent = 20_000
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
        path = tmp_path / "out.pcapng"
        words = f"udp dst port {port}"
        feed = LiveFeed(["lo"], words, snaplen, write=str(path), exclude_ssh=False)
        feed.open()
        for _ in range(sent):
            sender.sendto(b"x" * 200, ("127.0.0.1", port))
        gaps = []
        for batch in feed.batches():
            gaps += [record for record in batch if isinstance(record, Gap)]
            if feed.status.frames + feed.status.dropped >= sent or not batch:
                feed.stop()
    assert feed.ringed == (way != "packet by packet")
    assert ("pipe" in feed.way) == (way == "through a pipe") or not feed.ringed
    assert feed.status.dropped > 0
    assert feed.status.frames + feed.status.dropped == sent
    assert sum(gap.count for gap in gaps) == feed.status.dropped
    assert feed.status.skipped == {"UDP": feed.status.frames}
    stream = CaptureStream("out")
    assert sum(map(len, stream.feed(path.read_bytes()))) == feed.status.frames
    assert stream.dropped == feed.status.dropped


@may_capture
def test_a_killed_child_is_a_note_and_a_clean_end():
    feed = LiveFeed(["lo"], "tcp port 9", exclude_ssh=False)
    feed.open()
    (pid,) = feed.pids
    os.kill(pid, signal.SIGKILL)
    assert segments(collect(feed, lambda _: False)) == []
    assert feed.status.done
    assert "the capturing process was killed (signal 9); what was seen is shown" in (
        feed.status.notes
    )


@may_capture
def test_another_thread_may_stop_it():
    feed = LiveFeed(["lo"], "tcp port 9", exclude_ssh=False)
    feed.open()
    stopper = threading.Thread(target=feed.stop)
    stopper.start()
    assert segments([record for batch in feed.batches() for record in batch]) == []
    stopper.join()
    feed.stop()
    assert feed.status.notes == []


@may_capture
def test_stopped_before_it_began_it_leaves_nothing():
    feed = LiveFeed(["lo"], "tcp port 9", exclude_ssh=False)
    feed.stop()
    assert list(feed.batches()) == []
    assert feed.pids == []


@may_capture
def test_closed_without_iterating_it_leaves_no_child():
    feed = LiveFeed(["lo"], "tcp port 9", exclude_ssh=False)
    feed.open()
    (pid,) = feed.pids
    feed.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@may_capture
def test_the_child_has_no_privilege_and_no_terminal():
    feed = LiveFeed(["lo"], "tcp port 9", exclude_ssh=False)
    feed.open()
    try:
        (pid,) = feed.pids
        status = Path(f"/proc/{pid}/status").read_text()
        assert int(re.search(r"CapEff:\s*(\w+)", status).group(1), 16) == 0
        assert int(re.search(r"CapPrm:\s*(\w+)", status).group(1), 16) == 0
        assert os.getsid(pid) == pid
        mapped = Path(f"/proc/{pid}/maps")
        assert os.geteuid() != 0 or "numpy" not in mapped.read_text()
    finally:
        feed.close()


@may_capture
def test_ones_own_ssh_session_is_left_out_and_told(monkeypatch):
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        accepted, _ = server.accept()
        with accepted:
            near, far = client.getsockname(), server.getsockname()
            monkeypatch.setenv("SSH_CONNECTION", f"{near[0]} {near[1]} {far[0]} {far[1]}")
            monkeypatch.delenv("TMUX", raising=False)
            hiding = LiveFeed(["lo"], f"port {far[1]}")
            showing = LiveFeed(["lo"], f"port {far[1]}", exclude_ssh=False)
            hiding.open()
            showing.open()
            client.sendall(b"keys")
            accepted.recv(10)
            with socket.create_connection(far) as another:
                server.accept()[0].close()
                assert another.recv(1) == b""
        hidden = segments(collect(hiding, fins(2)))
        shown = segments(collect(showing, fins(2)))
    own = {near[1], far[1]}
    assert {s.src.port for s in shown if {s.src.port, s.dst.port} == own}
    assert not [s for s in hidden if {s.src.port, s.dst.port} == own]
    assert any(s.syn for s in hidden)
    session = f"127.0.0.1:{near[1]} -> 127.0.0.1:{far[1]}"
    assert f"leaving out your own SSH session {session}; --with-ssh shows it" in (
        hiding.status.notes
    )
    assert showing.status.notes == []


# -- wrong requests


@linux
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((["nosuch0"],), "no interface 'nosuch0' here; there are: "),
        ((["lo"], "tcp prot 80"), "filter 'tcp prot 80': "),
        ((["lo"], "tcp) or (udp"), "filter 'tcp) or (udp': "),
        ((["lo"], "", 128, 0), "the count of packets must be 1 or more"),
        ((["lo"], "", -1), "the snapshot length must be 0 (everything) or more"),
        ((["any"], "vlan 7"), "filter 'vlan 7': no VLAN support"),
        ((["any", "lo"],), "'any' is all interfaces; name it alone"),
    ],
)
def test_a_wrong_request_is_told_before_anything_starts(arguments, said):
    with pytest.raises(SourceError) as caught:
        LiveFeed(*arguments)
    assert str(caught.value).startswith(said)
    assert caught.value.exit_code == 2


@may_capture
def test_a_file_that_cannot_be_written_is_told_before_anything_starts(tmp_path):
    feed = LiveFeed(["lo"], "tcp port 9", write=str(tmp_path / "no" / "file"), exclude_ssh=False)
    with pytest.raises(SourceError):
        feed.open()
    assert feed.pids == []
    assert feed.status.done


# -- without a compiler, and through helpers


@may_capture
def test_without_a_compiler_python_filters_and_says_so(monkeypatch):
    real = bpf.compile_filter

    def none(words, *rest, **named):
        if words.strip():
            raise bpf.NoCompilerError
        return real(words, *rest, **named)

    monkeypatch.setattr(bpf, "compile_filter", none)
    wanted, other = closed_port(), closed_port()
    feed = LiveFeed(["lo"], f"tcp port {wanted}", count=4, exclude_ssh=False)
    feed.open()
    exchange(other)
    exchange(wanted)
    found = segments([record for batch in feed.batches() for record in batch])
    assert len(found) == feed.status.frames == 4
    assert all(wanted in (s.src.port, s.dst.port) for s in found)
    (note,) = feed.status.notes
    assert note.startswith("filtering in tcpviz itself")
    with pytest.raises(SourceError, match="install libpcap or tcpdump") as caught:
        LiveFeed(["lo"], "udp", exclude_ssh=False)
    assert caught.value.exit_code == 2


@pytest.fixture(params=["dumpcap", "tcpdump"])
def helper(request, monkeypatch):
    """A helper that may capture, while we ourselves may not."""
    program = helpers.find(request.param)
    if sys.platform != "linux" or program is None:
        pytest.skip(f"{request.param} is not here")
    works, reason = helpers.may_capture(program, "lo")
    if not works:
        pytest.skip(f"{request.param} may not capture: {reason}")
    monkeypatch.setattr(helpers, "NAMES", (request.param,))
    monkeypatch.setattr(access, "own_access", lambda: (False, "AF_PACKET needs root"))
    return program


@pytest.mark.parametrize("interfaces", [["lo"], ["lo", "any"]])
def test_a_helper_captures_where_we_may_not(helper, interfaces, tmp_path):
    if len(interfaces) > 1:
        interfaces = ["lo", *(name for _, name in socket.if_nameindex() if name != "lo")]
        if len(interfaces) == 1:
            pytest.skip("there is no second interface")
    port = closed_port()
    path = tmp_path / "out.pcapng"
    feed = LiveFeed(interfaces, f"tcp port {port}", write=str(path), exclude_ssh=False)
    try:
        feed.open()
    except SourceError as error:
        pytest.skip(f"an interface here cannot be captured: {error}")
    exchange(port)
    found = segments(collect(feed, fins(2)))
    assert feed.status.notes[0] == f"AF_PACKET needs root; {helper} captures for us"
    assert [s.flags for s in found if s.syn] == [Flags.SYN, Flags.SYN | Flags.ACK]
    assert once(found)
    stream = CaptureStream("out")
    assert sum(map(len, stream.feed(path.read_bytes()))) == len(found)
    assert [i.name for i in stream.interfaces] == [i.name for i in feed.interfaces]
    down = [name for name in interfaces if f"{name} is down; not captured" in feed.status.notes]
    assert sorted([*down, *(i.name for i in feed.interfaces)]) == sorted(interfaces)


def test_a_helper_stops_at_the_count(helper):
    port = closed_port()
    feed = LiveFeed(["lo"], f"tcp port {port}", count=2, exclude_ssh=False)
    feed.open()
    exchange(port)
    found = segments([record for batch in feed.batches() for record in batch])
    assert [s.flags for s in found] == [Flags.SYN, Flags.SYN | Flags.ACK]


# -- the parent's end


def wait_for_end(*pids, patience=20.0):
    """Wait until these processes are gone (or zombies that nobody takes)."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            ready, _, _ = select.select([descriptor], [], [], patience)
        finally:
            os.close(descriptor)
        assert ready, f"process {pid} lives on"


PARENT = """
import os, subprocess, sys, signal
from tcpviz.sources import access, helpers
from tcpviz.sources.live import LiveFeed
if sys.argv[1] != "own":
    helpers.NAMES = (sys.argv[1],)
    access.own_access = lambda: (False, "AF_PACKET needs root")
feed = LiveFeed(["lo"], "tcp port 9", exclude_ssh=False)
feed.open()
below = []
for pid in feed.pids:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        below += file.read().split()
if sys.argv[2] == "handled":
    signal.signal(signal.SIGINT, lambda *_: feed.stop())
if sys.argv[2] == "forked" and os.fork() == 0:  # holds our ends of the pipes open
    os.close(1)
    signal.pause()
print(*feed.pids, *below, flush=True)
batches = 0
for batch in feed.batches():
    batches += 1
    if batches == 1:
        print("running", flush=True)
print("ended", feed.status.done, feed.status.notes, flush=True)
"""


def start_parent(kind, how=""):
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, kind, how],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@may_capture
@pytest.mark.parametrize("kind", ["own", "dumpcap", "tcpdump"])
def test_a_parent_that_is_killed_leaves_nobody_behind(kind):
    if kind != "own":
        program = helpers.find(kind)
        if program is None or not helpers.may_capture(program, "lo")[0]:
            pytest.skip(f"{kind} is not here or may not capture")
    with start_parent(kind) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == (1 if kind == "own" else 2)
        parent.kill()
    wait_for_end(*pids)


@may_capture
def test_a_killed_parents_child_ends_also_where_others_hold_its_pipes():
    with start_parent("own", "forked") as parent:
        (pid,) = (int(word) for word in parent.stdout.readline().split())
        parent.kill()
        parent.wait()
        wait_for_end(pid)
        os.killpg(parent.pid, signal.SIGKILL)  # the one that held them


@may_capture
def test_ctrl_c_ends_it_in_order():
    with start_parent("own", "handled") as parent:
        (pid,) = (int(word) for word in parent.stdout.readline().split())
        assert parent.stdout.readline() == "running\n"
        parent.send_signal(signal.SIGINT)
        assert parent.stdout.readline() == "ended True []\n"
        assert parent.wait() == 0
    wait_for_end(pid)


@may_capture
def test_ctrl_c_while_it_waits_loses_nothing(monkeypatch):
    port = closed_port()
    feed = LiveFeed(["lo"], f"tcp port {port}", exclude_ssh=False)
    feed.open()
    exchange(port)
    turn = feed._children.turn

    def interrupted(_):
        monkeypatch.setattr(feed._children, "turn", turn)
        raise KeyboardInterrupt

    monkeypatch.setattr(feed._children, "turn", interrupted)
    found = segments([record for batch in feed.batches() for record in batch])
    assert sum(s.syn for s in found) == sum(s.fin for s in found) == 2


# -- in a namespace of one's own, as an ordinary user may


def in_namespace(setup, code, flags="-Urn"):
    """What the code prints as JSON, run where the setup (shell) has made the network."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("no unshare or no iproute2")
    allowed = subprocess.run(["unshare", flags, "true"], capture_output=True, text=True)
    if allowed.returncode:
        pytest.skip(f"no namespaces of one's own here: {allowed.stderr.strip()}")
    prelude = f"""
import json, os, socket, subprocess, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_live import *
def ip(*words):
    subprocess.run(["ip", *words], check=True)
"""
    script = prelude + textwrap.dedent(code)
    command = ["unshare", flags, "sh", "-ec", setup + '\nexec "$@"', "sh"]
    done = subprocess.run(
        [*command, sys.executable, "-W", "error", "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@linux
def test_an_ordinary_user_captures_in_a_namespace_of_its_own():
    found = in_namespace(
        "ip link set lo up",
        """
        feed = LiveFeed([], exclude_ssh=False)
        feed.open()
        exchange()
        found = segments(collect(feed, fins(2)))
        print(json.dumps([feed.title, once(found), [s.flags.names() for s in found if s.syn],
                          feed.status.notes]))
        """,
    )
    assert found == ["lo  tcp", True, ["SYN", "SYN,ACK"], []]


@linux
def test_an_interface_that_is_down_is_told_with_the_way_out():
    said, code = in_namespace(
        "true",
        """
        try:
            LiveFeed(["lo"], exclude_ssh=False)
        except SourceError as error:
            print(json.dumps([str(error), error.exit_code]))
        """,
    )
    assert said == "lo: down, so that nothing passes; bring it up: ip link set lo up"
    assert code == 1


VETH = """
ip link set lo up
ip link add one type veth peer name two
ip link set one up
ip link set two up
"""


@linux
def test_an_interface_that_vanishes_is_a_note_and_the_others_go_on():
    found = in_namespace(
        VETH,
        """
        feed = LiveFeed(["lo", "one"], exclude_ssh=False)
        feed.open()
        exchange()
        ip("link", "del", "one")
        records, again = [], False
        for batch in feed.batches():
            records += batch
            if feed.status.notes and not again:
                again = True
                exchange()
            if again and fins(4)(records):
                feed.stop()
        found = segments(records)
        print(json.dumps([feed.status.notes, sum(s.syn for s in found), once(found)]))
        """,
    )
    assert found == [["one is gone; still capturing on lo"], 4, True]


@linux
def test_the_last_interfaces_end_is_the_end():
    found = in_namespace(
        VETH,
        """
        feed = LiveFeed(["one"], exclude_ssh=False)
        feed.open()
        ip("link", "del", "one")
        records = collect(feed, lambda _: False)
        print(json.dumps([feed.status.notes, feed.status.done]))
        """,
    )
    assert found == [["one is gone; no interface is left"], True]


@linux
@pytest.mark.parametrize("rings", [True, False])
def test_a_link_that_flaps_ends_no_capture(rings):
    """The only interface goes down, up, down, and then away."""
    found = in_namespace(
        VETH + "ip addr add 10.1.1.1/24 dev one\n",
        f"""
        from tcpviz.sources import live
        if not {rings}:
            live.why_not = lambda *a, **k: "no"
        feed = LiveFeed(["one"], "not icmp6", exclude_ssh=False)
        feed.open()
        ip("link", "set", "one", "down")
        told = frames = 0
        for batch in feed.batches():
            notes = len(feed.status.notes)
            if told == notes or (notes == 2 and not feed.status.frames):
                continue  # it is asked three times, a second apart
            told = notes
            if told == 1:
                ip("link", "set", "one", "up")
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                    sender.sendto(b"who", ("10.1.1.2", 9))  # asks for an address by ARP
            elif told == 2:
                frames = feed.status.frames
                ip("link", "set", "one", "down")
            elif told == 3:
                ip("link", "del", "one")
        print(json.dumps([feed.status.notes, frames > 0, feed.status.done, feed.ringed]))
        """,
    )
    waits = "one is down; waiting for one to be up again"
    notes = [waits, "one is up again", waits, "one is gone; no interface is left"]
    assert found == [notes, True, True, rings]


@linux
def test_an_interface_that_comes_back_is_captured_again():
    found = in_namespace(
        VETH + "ip addr add 10.1.1.1/24 dev one\n",
        """
        feed = LiveFeed(["lo", "one"], "not icmp6", exclude_ssh=False)
        feed.open()
        ip("link", "set", "one", "down")
        back = False
        for batch in feed.batches():
            if len(feed.status.notes) == 1 and not back:
                back = True
                ip("link", "set", "one", "up")
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                    sender.sendto(b"who", ("10.1.1.2", 9))  # asks for an address by ARP
            if len(feed.status.notes) > 1:
                feed.stop()
        print(json.dumps(feed.status.notes))
        """,
    )
    assert found == ["one is down; still capturing on lo", "one is up again"]


TAGGED = """
import struct
def syn(*tags):
    tcp = struct.pack("!HHIIBBHHH", 1234, 80, 7, 0, 0x50, 2, 64, 0, 0)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 40, 1, 0, 64, 6, 0)
    packet = head + bytes([10, 1, 1, 1, 10, 1, 1, 2]) + tcp
    link = bytes([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1])
    return link + b"".join(struct.pack("!HH", *tag) for tag in tags) + b"\\x08\\x00" + packet
def send(*frames):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        for frame in frames:
            sender.sendto(frame, ("one", 0))
""".replace("\\\\", "\\")


@linux
@pytest.mark.parametrize(
    ("interface", "words"),
    [(i, w) for i in ("two", "one", "any") for w in ("", "vlan 7 and tcp") if i != "any" or not w],
)
def test_vlan_tags_that_the_kernel_took_out_are_put_back(interface, words):
    """On the receiving side the kernel keeps the outer tag beside the frame."""
    if "vlan" in words and "libpcap" not in (bpf.compiler() or ""):
        pytest.skip("libpcap is not here")
    found = in_namespace(
        VETH,
        TAGGED
        + f"""
feed = LiveFeed([{interface!r}], {words!r}, exclude_ssh=False)
feed.open()
send(syn((0x8100, 8)), syn((0x8100, 7)), syn((0x88A8, 7), (0x8100, 9)), syn())
found = segments(collect(feed, lambda _: True))
print(json.dumps([[s.flags.names(), s.src.addr, " ".join(s.scope)] for s in found]))
""",
    )
    scopes = Counter(scope for flags, address, scope in found)
    assert {(flags, address) for flags, address, _ in found} == {("SYN", "10.1.1.1")}
    seven = [scope for scope in scopes if "7" in scope and "9" not in scope]
    both = [scope for scope in scopes if "7" in scope and "9" in scope]
    eight = [scope for scope in scopes if "8" in scope and "7" not in scope]
    if words == "":
        assert len(seven) == len(both) == len(eight) == 1
        each = 2 if interface == "any" else 1  # out of one, into two
        assert scopes[""] == scopes[eight[0]] == each
        # On its way out of one, a cooked socket does not get to see the second tag.
        assert scopes[seven[0]] + scopes[both[0]] == 2 * each
    if words.startswith("vlan"):
        assert len(seven) == 1
        assert eight == []
        assert scopes[""] == 0


@linux
def test_a_tunnel_without_link_headers_is_read_as_raw_ip():
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("no /dev/net/tun for this user")
    found = in_namespace(
        "ip tuntap add dev tunnel mode tun && ip addr add 10.1.1.1/24 dev tunnel",
        """
        import fcntl, struct
        device = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(device, 0x400454CA, struct.pack("16sH22x", b"tunnel", 0x1001))
        ip("link", "set", "tunnel", "up")
        feed = LiveFeed(["tunnel"], "tcp port 80", exclude_ssh=False)
        feed.open()
        with socket.socket() as client:
            client.setblocking(False)
            client.connect_ex(("10.1.1.2", 80))
            found = segments(collect(feed, lambda records: segments(records)))
        print(json.dumps([feed.interfaces[0].link_type, [s.flags.names() for s in found]]))
        """,
    )
    assert found == [101, ["SYN"]]


@linux
def test_no_permission_names_each_way_out():
    """A user namespace without a network namespace has no right over the host's interfaces."""
    said, code, can = in_namespace(
        "true",
        """
        try:
            LiveFeed(["lo"], exclude_ssh=False)
        except SourceError as error:
            print(json.dumps([str(error), error.exit_code, live.can_capture()[0]]))
        """,
        flags="-Ur",
    )
    assert code == 1
    assert can is False
    assert "\n" not in said
    for way in ("sudo", "setcap", "dumpcap", "tcpdump", "tcpviz read -"):
        assert way in said
