"""Tracepoints: formats of several kernels, the kernel's rings, real events of real sockets."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tcpviz.core.hosts import Process
from tcpviz.core.kernel_events import EventsLost, KernelEvent, Told
from tcpviz.core.records import Gap, SegmentRecord
from tcpviz.core.segment import Endpoint, Flags, Segment
from tcpviz.core.states import State
from tcpviz.core.timeline import StepKind
from tcpviz.core.tracker import Tracker
from tcpviz.sources import perf, tracepoints
from tcpviz.sources.kerneltrace import HOLD_S, PATIENT_HOLD_S, Interleaved, KernelTrace
from tcpviz.sources.kernelword import KernelWord
from tcpviz.sources.live import LiveFeed
from tcpviz.sources.perf import Lost, Named, Sample
from tcpviz.sources.tracechild import INTERVAL, PATIENT_INTERVAL
from tests.sources.test_live import closed_port, exchange

if sys.platform != "linux":
    pytest.skip("tracepoints are Linux's", allow_module_level=True)

HEAD = """name: {name}
ID: {ident}
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

"""
NAMES = {1: "TCP_ESTABLISHED", 2: "TCP_SYN_SENT", 7: "TCP_CLOSE"}
SYMBOLS = ", ".join(f'{{ {number}, "{name}" }}' for number, name in NAMES.items())


def layout(name, *fields, tail="", ident=300):
    """``fields``: (declaration, size, signed), placed one behind the other from 8 on."""
    at, lines = 8, []
    for what, size, signed in fields:
        lines.append(f"\tfield:{what};\toffset:{at};\tsize:{size};\tsigned:{signed};")
        at += size
    text = HEAD.format(name=name.partition("/")[2], ident=ident) + "\n".join(lines)
    return tracepoints.parse_format(name, f"{text}\n\nprint fmt: {tail}\n")


STATE_FIELDS = (
    ("const void * skaddr", 8, 0), ("int oldstate", 4, 1), ("int newstate", 4, 1),
    ("__u16 sport", 2, 0), ("__u16 dport", 2, 0), ("__u16 family", 2, 0),
    ("__u16 protocol", 2, 0), ("__u8 saddr[4]", 4, 0), ("__u8 daddr[4]", 4, 0),
    ("__u8 saddr_v6[16]", 16, 0), ("__u8 daddr_v6[16]", 16, 0),
)  # fmt: skip
PRINT = ", ".join(f"__print_symbolic(REC->{one}, {SYMBOLS})" for one in ("oldstate", "newstate"))
MAPPED = b"\0" * 10 + b"\xff\xff"


def head(flags=0, pid=42, ident=300):
    return struct.pack("=HBBi", ident, flags, 0, pid)


def state_record(family, old, new, flags=0, protocol=6, six=None):
    four = socket.inet_aton("10.0.0.1"), socket.inet_aton("10.0.0.2")
    addresses = six or (MAPPED + four[0], MAPPED + four[1])
    return head(flags) + struct.pack(
        "=QiiHHHH4s4s16s16s", 0xFFFF8880, old, new, 4000, 80, family, protocol, *four, *addresses
    )


def test_a_state_event_is_read_by_its_own_format():
    one = layout(tracepoints.STATE, *STATE_FIELDS, tail=PRINT)
    names = tracepoints.states({tracepoints.STATE: one})
    assert names == NAMES
    fired = tracepoints.decode(one, state_record(socket.AF_INET, 2, 1, flags=0x10), names)
    assert fired.ends == ("10.0.0.1", 4000, "10.0.0.2", 80)
    assert (fired.before, fired.after) == ("TCP_SYN_SENT", "TCP_ESTABLISHED")
    assert not fired.in_call
    assert tracepoints.decode(one, state_record(socket.AF_INET, 2, 1, 0x80), names).in_call
    six = tuple(socket.inet_pton(socket.AF_INET6, text) for text in ("2001:db8::1", "2001:db8::2"))
    fired = tracepoints.decode(one, state_record(socket.AF_INET6, 2, 1, six=six), names)
    assert fired.ends == ("2001:db8::1", 4000, "2001:db8::2", 80)
    mapped = tracepoints.decode(one, state_record(socket.AF_INET6, 2, 1), names)
    assert mapped.ends[0] == "10.0.0.1"
    assert tracepoints.decode(one, state_record(socket.AF_INET, 2, 1, protocol=262), names) is None


def test_fields_elsewhere_and_of_other_sizes_are_found_where_the_format_says():
    """The same record with its fields in another order, and a byte of family."""
    turned = (("__u8 family", 1, 0), *(f for f in STATE_FIELDS[::-1] if f[0] != "__u16 family"))
    one = layout(tracepoints.STATE, *turned, tail=PRINT)
    four = socket.inet_aton("10.0.0.1"), socket.inet_aton("10.0.0.2")
    data = head() + struct.pack(
        "=B16s16s4s4sHHHiiQ", socket.AF_INET, bytes(16), bytes(16), four[1], four[0],
        6, 80, 4000, 1, 7, 5,
    )  # fmt: skip
    fired = tracepoints.decode(one, data, NAMES)
    assert fired.ends == ("10.0.0.1", 4000, "10.0.0.2", 80)
    assert (fired.before, fired.after) == ("TCP_CLOSE", "TCP_ESTABLISHED")


def test_a_reset_without_a_reason_and_one_with_socket_addresses():
    """Linux 5.x has ports and addresses, 6.10 struct sockaddr and enum sk_rst_reason."""
    old = layout(
        tracepoints.RESET_SENT, ("const void * skaddr", 8, 0), ("int state", 4, 1),
        ("__u16 sport", 2, 0), ("__u16 dport", 2, 0),
        ("__u8 saddr[4]", 4, 0), ("__u8 daddr[4]", 4, 0),
    )  # fmt: skip
    four = socket.inet_aton("10.0.0.1"), socket.inet_aton("10.0.0.2")
    fired = tracepoints.decode(old, head() + struct.pack("=QiHH4s4s", 1, 1, 80, 4000, *four), NAMES)
    assert (fired.ends, fired.reason) == (("10.0.0.1", 80, "10.0.0.2", 4000), "")
    assert fired.after == "TCP_ESTABLISHED"
    new = layout(
        tracepoints.RESET_SENT, ("enum sk_rst_reason reason", 4, 0),
        ("__u8 saddr[28]", 28, 0), ("__u8 daddr[28]", 28, 0),
        tail='"%s", __print_symbolic(REC->reason, { 1, "NO_SOCKET" }, { 2, "TCP_OLD_ACK" })',
    )  # fmt: skip
    ends = [
        struct.pack("=HH4s20x", socket.AF_INET, socket.htons(80), four[0]),
        struct.pack(
            "=HHI16sI", socket.AF_INET6, socket.htons(9), 0,
            socket.inet_pton(socket.AF_INET6, "2001:db8::2"), 0,
        ),
    ]  # fmt: skip
    fired = tracepoints.decode(new, head() + struct.pack("=I", 1) + b"".join(ends), NAMES)
    assert fired.ends == ("10.0.0.1", 80, "2001:db8::2", 9)
    assert fired.reason == "no-socket"
    assert (
        tracepoints.decode(new, head() + struct.pack("=I", 9) + b"".join(ends), NAMES).reason == ""
    )


@pytest.mark.parametrize("length", range(0, 80, 7))
def test_a_record_that_is_too_short_is_none(length):
    one = layout(tracepoints.STATE, *STATE_FIELDS, tail=PRINT)
    record = state_record(socket.AF_INET, 2, 1)
    found = tracepoints.decode(one, record[:length], NAMES)
    assert found is None or length >= 40


def test_what_is_no_format_is_said(tmp_path):
    with pytest.raises(ValueError, match="no ID"):
        tracepoints.parse_format("tcp/x", "nothing")
    with pytest.raises(ValueError, match=r"no tracepoint sock:inet_sock_set_state"):
        tracepoints.read_layouts(tmp_path)


# -- rings


def record(kind, body):
    return struct.pack("=IHH", kind, 0, 8 + len(body)) + body


def test_a_ring_s_records_are_samples_names_and_what_was_lost():
    raw = b"abcd" * 3
    data = b"".join(
        (
            record(9, struct.pack("=IIQI", 7, 8, 99, len(raw)) + raw + bytes(4)),
            record(2, struct.pack("=QQ", 1, 12)),
            record(13, struct.pack("=Q", 3)),
            record(3, struct.pack("=II", 7, 7) + b"nginx\0\0\0"),
            record(3, struct.pack("=II", 7, 8) + b"thread\0\0"),
            record(7, struct.pack("=IIIIQ", 9, 7, 9, 7, 0)),
            record(4, struct.pack("=IIIIQ", 9, 7, 9, 7, 0)),
            record(77, b"unknown!"),
        )
    )
    assert list(perf.records(data)) == [
        Sample(99, 7, raw), Lost(12), Lost(3), Named(7, "nginx"), Named(9, parent=7),
        Named(9, parent=7, ended=True),
    ]  # fmt: skip
    for cut in range(len(data)):
        list(perf.records(data[:cut]))
    assert list(perf.records(struct.pack("=IHH", 9, 0, 4) + b"xxxx")) == []


def test_the_processors_are_counted():
    assert len(perf.online()) >= 1


# -- order


def at(seconds, told=None):
    when = int(seconds * 1e9)
    ends = Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2)
    if told is not None:
        return KernelEvent(when, told, *ends)
    return SegmentRecord(when, Segment(when, *ends, 1, 1, Flags.ACK, 1, 0))


def test_events_and_packets_are_put_in_order_and_packets_stay_in_theirs():
    order = Interleaved()
    packets = [at(1), at(3), at(2), at(4)]  # a clock that was set back
    order.put(packets, 100.0)
    assert order.take(100.0) == []
    events = [at(3.5, Told.STATE), at(0.5, Told.STATE), at(9, Told.RETRANSMIT)]
    order.put(events, 100.0 + HOLD_S / 2)
    taken = order.take(100.0 + HOLD_S)
    assert [one for one in taken if isinstance(one, SegmentRecord)] == packets
    assert [one.time_ns / 1e9 for one in taken] == [0.5, 1, 3, 2, 3.5, 4]
    assert len(order) == 1
    assert order.take(100.0 + 2 * HOLD_S) == [events[2]]
    order.put([at(5), Gap(0, 1, "x")], 200.0)
    assert len(order.take(200.0, everything=True)) == 2
    order.put([at(5), at(6, Told.STATE)], 300.0)
    order.forget()
    assert order.take(999.0) == []


def test_where_nobody_waits_packets_are_held_longer_and_the_order_is_the_same():
    word = KernelWord(sockets=False, keep=False, events=False)
    word.be_patient(True)
    order = word._order
    order.put([at(1), at(3)], 100.0)
    assert word.patience(0.5) == PATIENT_HOLD_S > PATIENT_INTERVAL
    assert order.take(100.0 + HOLD_S) == []
    order.put([at(2, Told.STATE)], 100.0 + PATIENT_INTERVAL)
    taken = order.take(100.0 + PATIENT_HOLD_S)
    assert [one.time_ns / 1e9 for one in taken] == [1, 2, 3]
    word.be_patient(False)
    order.put([at(4)], 200.0)
    assert word.patience(0.5) == HOLD_S > INTERVAL
    assert len(order.take(200.0 + HOLD_S)) == 1


# -- for real


def events_allowed():
    """Whether this kernel tells us: root in the first user namespace, perf events, tracefs."""
    if os.geteuid() != 0:
        return False
    trace = KernelTrace()
    try:
        return wait_until(trace, lambda: trace.ready or trace.ended) and trace.ready
    finally:
        trace.close()


def wait_until(trace, done, found=None):
    while not done():
        if trace.ended or not select.select([trace.output], [], [], 20)[0]:
            return done()
        came = trace.read()
        if found is not None:
            found += came
    return True


@pytest.fixture(scope="module")
def allowed():
    if not events_allowed():
        pytest.skip("no events from this kernel: not root, or no tracefs or perf events")


@pytest.mark.parametrize("words", [[], [True], [True, False]], ids=["", "patient", "quick again"])
def test_a_real_connection_s_states_are_told_with_who_called(allowed, words):
    trace = KernelTrace()
    found: list = []
    try:
        assert wait_until(trace, lambda: trace.ready)
        for patient in words:
            trace.be_patient(patient)
        port = exchange()
        mine = [Told.STATE, State.LAST_ACK, State.CLOSED]

        def ours():
            return [e for e in found if port in (e.local.port, e.peer.port)]

        def over():
            return any([e.told, e.before, e.after] == mine for e in ours())

        assert wait_until(trace, over, found)
        server = [(e.before, e.after) for e in ours() if e.local.port == port]
        assert server[:4] == [
            (State.CLOSED, State.LISTEN), (State.LISTEN, State.SYN_RECEIVED),
            (State.SYN_RECEIVED, State.ESTABLISHED), (State.ESTABLISHED, State.CLOSE_WAIT),
        ]  # fmt: skip
        (opened,) = [e for e in ours() if e.after is State.SYN_SENT]
        assert opened.local.port not in (0, port)
        name = Path("/proc/self/comm").read_text().strip()
        assert opened.process == Process(name, os.getpid())
        times = [e.time_ns for e in ours()]
        assert times == sorted(times)
    finally:
        trace.close()


def test_whoever_reads_has_no_rights_any_more_and_dies_with_us(allowed):
    trace = KernelTrace()
    try:
        assert wait_until(trace, lambda: trace.ready)
        status = Path(f"/proc/{trace.pid}/status").read_text()
        assert re.findall(r"^Cap(?:Inh|Prm|Eff|Amb):\s*(\w+)", status, re.M) == ["0" * 16] * 4
        assert re.search(r"^NoNewPrivs:\s*1", status, re.M)
        assert not re.search(r"^Uid:.*\b0\b", status, re.M)
        tracing = Path("/sys/kernel/tracing")
        assert not (tracing / "instances").exists() or not [
            one for one in (tracing / "instances").iterdir() if "tcpviz" in one.name
        ]
        watched = os.pidfd_open(trace.pid)
    finally:
        trace.close()
    assert select.select([watched], [], [], 10)[0]
    os.close(watched)


def test_a_killed_reader_is_told_and_leaves_nothing_switched_on(allowed):
    feed = LiveFeed(["lo"], "tcp port 9", exclude_ssh=False, events=True)
    feed.open()
    (pid,) = [pid for pid in feed.pids if pid != feed._children[0].pid]
    os.kill(pid, signal.SIGKILL)
    for _ in feed.batches():
        if feed.status.notes:
            feed.stop()
    assert feed.status.notes == ["no events from the kernel: the process that reads it has ended"]


ASK = """
import select
from tcpviz.sources.kerneltrace import KernelTrace
trace = KernelTrace()
while not (trace.ended or trace.ready):
    select.select([trace.output], [], [], 20)
    trace.read()
print(trace.complaint)
trace.close()
"""


@pytest.mark.skipif(not shutil.which("unshare"), reason="no unshare to give up rights with")
def test_without_the_right_it_says_why_in_a_line():
    """Root of a user namespace only."""
    command = ["unshare", "-Ur", sys.executable, "-c", ASK]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ})
    if "unshare" in done.stderr:
        pytest.skip("no user namespaces here")
    assert done.stderr == ""
    assert done.stdout.splitlines() in (
        ["tracefs cannot be mounted: Operation not permitted"],
        ["tracefs is not mounted"],
        ["Permission denied"],
        ["Operation not permitted"],
    )


DIALOGUES = {
    "the client closes first": lambda port: exchange(port),
    "a reset with unread data": lambda port: unread(port),
    "refused": lambda port: refused(port),
    "the server closes first, half closed": lambda port: half(port),
}


def unread(port):
    with (
        socket.create_server(("127.0.0.1", port)) as server,
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        accepted, _ = server.accept()
        client.sendall(b"never read")
        select.select([accepted], [], [], 5)
        accepted.close()
        with contextlib.suppress(OSError):
            client.recv(1)


def refused(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port))


def half(port):
    with (
        socket.create_server(("127.0.0.1", port)) as server,
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        accepted, _ = server.accept()
        accepted.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        client.sendall(b"more")
        assert accepted.recv(10) == b"more"
        client.close()
        assert accepted.recv(1) == b""
        accepted.close()


def test_with_the_kernel_s_events_it_is_the_same_story_only_surer(allowed):
    """Every dialogue twice through the tracker: with its events, and with its segments alone."""
    port = closed_port()
    feed = LiveFeed(["lo"], f"tcp port {port}", exclude_ssh=False, events=True)
    feed.open()
    assert wait_until(feed._kernel._trace, lambda: feed._kernel._trace.ready)

    def play():
        for dialogue in DIALOGUES.values():
            dialogue(port)
        refused(port)

    thread = threading.Thread(target=play)
    thread.start()
    records, idle = [], 0
    for batch in feed.batches():
        records += batch
        idle = 0 if batch or thread.is_alive() else idle + 1
        if idle > 2:
            feed.stop()
    thread.join()
    both, alone = Tracker(), Tracker()
    for one in records:
        both.feed(one)
        if isinstance(one, SegmentRecord):
            alone.feed(one)
    end = max(one.time_ns for one in records) + 10**9
    both.tick(end)
    alone.tick(end)
    assert len(both.connections) == len(DIALOGUES) + 1 == len(alone.connections)
    for mine, others in zip(both.connections.values(), alone.connections.values(), strict=True):
        assert mine.disagreements == 0
        assert (mine.client.state, mine.server.state) == (others.client.state, others.server.state)
        assert mine.reset_by is others.reset_by
        assert mine.closed_by is others.closed_by
        told = [s for s in both.timeline if s.connection == mine.id and s.kind is StepKind.EVENT]
        assert told
    assert not [e for e in records if isinstance(e, EventsLost)]
