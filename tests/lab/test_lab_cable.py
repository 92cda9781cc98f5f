"""On the cable the kernel itself shows every state, at the step where it belongs."""

from __future__ import annotations

import shutil
import struct
import subprocess

import pytest

from tcpviz.core.records import Call, KernelReading, Moment, SegmentRecord, Side
from tcpviz.core.segment import Flags
from tcpviz.lab.scenarios import load
from tcpviz.sources.feed import SourceError

# One segment after the other, one connection; the whole gallery is test_gallery.py's.
SCENARIOS = [
    "handshake",
    "echo",
    "client-closes-first",
    "server-closes-first",
    "half-close",
    "refused",
    "reset",
    "simultaneous-open",
    "simultaneous-close",
    "lost-syn",
    "lost-syn-ack",
    "lost-ack",
]


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_kernel_walks_the_expected_path(cable, name):
    played = cable(name)
    scenario = load(name)
    for side in Side:
        assert played.path(side) == [state.value for state in scenario.expected(side)], side
    assert not played.disagreements
    assert not played.feed.status.skipped


@pytest.mark.parametrize("name", ["client-closes-first", "refused", "simultaneous-close"])
def test_the_same_over_ipv6(cable, name):
    played = cable(name, ipv6=True)
    scenario = load(name)
    for side in Side:
        assert played.path(side) == [state.value for state in scenario.expected(side)]
    segment = next(one.segment for one in played.records if isinstance(one, SegmentRecord))
    assert (str(segment.src), str(segment.dst)) == ("[fd00::1]:40001", "[fd00::2]:7777")


def _place(records, wanted):
    places = [place for place, record in enumerate(records) if wanted(record)]
    assert len(places) == 1, places
    return places[0]


def _at(moment, flags):
    def wanted(record):
        return (
            isinstance(record, SegmentRecord)
            and record.moment is moment
            and record.segment.flags == flags
            and record.segment.payload_len == 0
        )

    return wanted


def _returned(name):
    return lambda record: isinstance(record, Call) and record.name == name and record.returned


def test_connect_returns_on_the_second_segment_and_accept_on_the_third(cable):
    records = cable("handshake").records
    syn_ack = _place(records, _at(Moment.ARRIVED, Flags.SYN | Flags.ACK))
    connect = _place(records, _returned("connect"))
    third = _place(records, _at(Moment.ARRIVED, Flags.ACK))
    accept = _place(records, _returned("accept"))
    assert syn_ack < connect < third < accept
    times = [records[place].time_ns for place in (syn_ack, connect, third, accept)]
    assert times == sorted(times)
    assert times[1] < times[2], "in real time, not only in the order of telling"


@pytest.mark.parametrize("name", SCENARIOS)
def test_records_are_in_times_order_and_every_segment_has_its_end(cable, name):
    records = cable(name).records
    times = [record.time_ns for record in records]
    assert times == sorted(times)
    under_way = set()
    for record in records:
        if isinstance(record, SegmentRecord):
            assert record.segment.checksum_ok, "the kernel computed it, not a card"
            if record.moment is Moment.SENT:
                assert record.segment.frame not in under_way
                under_way.add(record.segment.frame)
            else:
                under_way.remove(record.segment.frame)
    assert not under_way


def test_one_segment_at_a_time_and_the_kernel_is_read_in_between(cable):
    records = cable("client-closes-first").records
    moved = False
    for record in records:
        if isinstance(record, SegmentRecord) and record.moment is Moment.ARRIVED:
            assert not moved, "two arrivals without a reading between them"
            moved = True
        elif isinstance(record, KernelReading):
            moved = False


def test_calls_begin_and_return_once_under_one_id(cable):
    calls = [one for one in cable("echo").records if isinstance(one, Call)]
    began = [one.id for one in calls if not one.returned]
    returned = [one.id for one in calls if one.returned]
    assert sorted(began) == sorted(set(began)) == sorted(returned)
    received = [one.result for one in calls if one.name == "recv" and one.returned]
    assert received == ["13 bytes", "13 bytes", "0 (end of file)"]
    fds = {one.name: one.result for one in calls if one.name == "accept" and one.returned}
    assert fds["accept"] == "fd 4 from 10.0.0.1:40001"


def test_timers_and_queues_are_the_kernels(cable):
    readings = [
        one for one in cable("client-closes-first").records if isinstance(one, KernelReading)
    ]
    sockets = [sock for reading in readings for sock in reading.sockets]
    waiting = [sock for sock in sockets if sock.state and sock.state.value == "TIME-WAIT"]
    assert waiting
    assert all(sock.timer == "time-wait" and 0 < sock.timer_ms <= 60_000 for sock in waiting)
    listening = [sock for sock in sockets if sock.state and sock.state.value == "LISTEN"]
    assert {sock.send_queue for sock in listening} == {128}
    established = [sock for sock in sockets if sock.state and sock.state.value == "ESTABLISHED"]
    assert all(sock.rtt_us and sock.cwnd for sock in established)


def test_a_lost_segment_is_told_as_lost_and_repeated_by_the_kernel(cable):
    records = cable("lost-syn").records
    syns = [
        record
        for record in records
        if isinstance(record, SegmentRecord) and record.segment.flags == Flags.SYN
    ]
    assert [record.moment for record in syns] == [
        Moment.SENT,
        Moment.LOST,
        Moment.SENT,
        Moment.ARRIVED,
    ]
    assert syns[0].segment.seq == syns[2].segment.seq


def test_the_file_has_each_frame_once_with_both_sides(cable, tmp_path):
    out = tmp_path / "lab.pcapng"
    played = cable("lost-syn-ack", write=str(out))
    data = out.read_bytes()
    place, blocks = 0, []
    while place < len(data):
        kind, length = struct.unpack_from("<II", data, place)
        blocks.append((kind, data[place : place + length]))
        place += length
    assert [kind for kind, _ in blocks].count(1) == 2, "an interface for each host"
    packets = [body for kind, body in blocks if kind == 6]
    assert len(packets) == played.feed.status.frames
    assert sum(b"never arrived: dropped by the scenario" in body for body in packets) == 1
    assert sum(b" ms after it left" in body for body in packets) == len(packets) - 1
    sides = [struct.unpack_from("<I", body, 8)[0] for body in packets]
    sent = [
        record.segment.interface
        for record in played.records
        if isinstance(record, SegmentRecord) and record.moment is Moment.SENT
    ]
    assert sides == sent


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
def test_tshark_reads_the_file_without_complaint(cable, tmp_path):
    out = tmp_path / "lab.pcapng"
    cable("echo", write=str(out))
    fields = ["-T", "fields", "-e", "frame.interface_name", "-e", "tcp.checksum.status"]
    done = subprocess.run(
        ["tshark", "-r", str(out), "-o", "tcp.check_checksum:TRUE", *fields],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert {name for name, _ in rows} == {"client", "server"}
    assert {status for _, status in rows} == {"1"}, "every checksum is good"


def test_a_file_that_cannot_be_written_is_told_before_anything_runs(cable, tmp_path):
    with pytest.raises(SourceError) as told:
        cable("handshake", write=str(tmp_path / "none" / "lab.pcapng"))
    assert "none" in str(told.value)
