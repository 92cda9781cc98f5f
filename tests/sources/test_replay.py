"""A recording's objects: nothing is lost on the way, and nothing damaged is believed."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tcpviz.core.records import (
    Act,
    Call,
    Doer,
    Gap,
    Handled,
    KernelReading,
    KernelSocket,
    Moment,
    Note,
    Rebooted,
    SegmentRecord,
    Side,
    Unreachable,
)
from tcpviz.core.segment import Endpoint, Flags, Options, Segment
from tcpviz.core.states import State
from tcpviz.core.tracker import Tracker
from tcpviz.sources import replay
from tcpviz.sources.files import FileFeed
from tcpviz.sources.pcapng import CUSTOM, ENTERPRISE
from tcpviz.sources.replay import MAGIC, Replay
from tcpviz.sources.writer import PcapngWriter

A, B = Endpoint("10.0.0.1", 40001), Endpoint("fd00::2", 7777)
SEGMENT = Segment(5, A, B, 2**32 - 1, 0, Flags.SYN, 65535, frame=1)
CHANGED = Segment(
    5, A, B, 1, 2, Flags.PSH | Flags.ACK, 3, 4,
    Options(mss=1460, sack=((1, 2), (3, 4)), timestamps=(7, 8), unknown=((254, b"\0\xff"),)),
    b"\x00da\xffa", frame=1, checksum_ok=False,
)  # fmt: skip
RECORDS = [
    Call(1, Side.CLIENT, "connect", "10.0.0.2:7777", 3, 1, peer=B, app="second"),
    Call(1, Side.CLIENT, "connect", "", 3, 1, 2, "ECONNREFUSED", True, A, B),
    KernelReading(
        9,
        (
            KernelSocket(Side.SERVER, B, None, State.LISTEN, recv_queue=1, send_queue=128),
            KernelSocket(Side.CLIENT, A, B, None),
            KernelSocket(Side.CLIENT, A, B, State.TIME_WAIT, "time-wait", 60_000, cwnd=10),
        ),
        "TCP_INFO",
    ),
    Note(3, "ünïcode, and\na second line"),
    Gap(4, None, "the kernel"),
    Gap(4, 7, "the kernel"),
    Rebooted(4, Side.SERVER),
    Unreachable(6, "10.0.0.9", "10.0.0.1", A, B, 1, 4, 3, 4, mtu=1400, ttl=64),
    SegmentRecord(7, SEGMENT, Moment.ARRIVED, held_ns=5, again=True),
    SegmentRecord(7, CHANGED, Moment.ARRIVED),
    SegmentRecord(7, Segment(7, A, B, 0, 0, Flags.SYN, 0, inferred=True)),
    Handled(8, Act.DELAYED, Doer.PERSON, SEGMENT, 1, 2, 3, 4),
]


def _replay():
    made = Replay()
    for part in replay.parts(replay.head(Moment.SENT)):
        made.take(part)
    made.segment(SEGMENT)
    return made


@pytest.mark.parametrize("record", RECORDS, ids=lambda one: type(one).__name__)
def test_a_record_comes_back_as_it_was(record):
    made = _replay()
    objects = [made.take(part) for part in replay.parts(replay.record_object(record, {1: SEGMENT}))]
    assert objects == [record]
    assert not made.bad
    assert made.note() is None


def test_a_packet_of_the_file_is_named_and_not_repeated():
    made = replay.record_object(RECORDS[8], {1: SEGMENT})
    assert made["n"] == 1
    assert "segment" not in made
    assert "segment" in replay.record_object(RECORDS[9], {1: SEGMENT})


def test_what_is_too_long_for_one_option_goes_on_in_the_next():
    sockets = tuple(KernelSocket(Side.CLIENT, A, B, State.ESTABLISHED) for _ in range(3000))
    record = KernelReading(1, sockets)
    parts = replay.parts(replay.record_object(record, {}))
    assert len(parts) > 2
    made = Replay()
    assert [made.take(part) for part in parts][-1] == record
    assert replay.parts({"k": "note", "text": "x" * replay.LONGEST_OBJECT}) == []


def _part(made, more=0):
    text = made if isinstance(made, bytes) else json.dumps(made).encode()
    return MAGIC + bytes([more]) + text


CALL = {
    "k": "call",
    "id": 1,
    "side": "client",
    "name": "x",
    "arguments": "",
    "fd": 3,
    "began_ns": 1,
}
SOCKET = {"side": "client", "local": ["10.0.0.1", 1], "peer": None, "state": "LISTEN"}
SENT = {"k": "segment", "time_ns": 1, "moment": "sent"}
WHOLE = {"time_ns": 1, "src": ["1.1.1.1", 1], "dst": ["1.1.1.2", 2], "flags": 2, "window": 0}
WHOLE |= {"seq": 0, "ack": 0}
DAMAGED = {
    "no JSON": b"{",
    "no UTF-8": b"\xff\xfe{}",
    "nested too deep": b"[" * 100_000,
    "a number too long": b'{"k":"gap","time_ns":' + b"9" * 10_000 + b"}",
    "no object": [1],
    "no kind": {"time_ns": 1},
    "an unknown kind": {"k": "exec"},
    "a kind that is no text": {"k": ["call"]},
    "a missing field": {"k": "note", "time_ns": 1},
    "a wrong type": {**CALL, "name": 5},
    "a truth for a number": {**CALL, "id": True},
    "a fraction": {**CALL, "began_ns": 1.5},
    "no number": b'{"k":"gap","time_ns":NaN,"count":1,"where":""}',
    "a time beyond 64 bits": {**CALL, "began_ns": 2**64},
    "an unknown side": {**CALL, "side": "middle"},
    "a text too long": {**CALL, "name": "x" * (replay.LONGEST_TEXT + 1)},
    "a port too high": {**CALL, "peer": ["10.0.0.1", 65536]},
    "no address": {**CALL, "peer": ["localhost", 80]},
    "an address with more": {**CALL, "peer": ["fe80::1%\x1b[2J", 80]},
    "an endpoint of three": {**CALL, "peer": ["10.0.0.1", 80, 1]},
    "no list": {"k": "kernel", "time_ns": 1, "sockets": {"0": SOCKET}},
    "too many": {"k": "kernel", "time_ns": 1, "sockets": [0] * (replay.MOST_ITEMS + 1)},
    "an unknown state": {"k": "kernel", "time_ns": 1, "sockets": [{**SOCKET, "state": "OPEN"}]},
    "a negative queue": {"k": "kernel", "time_ns": 1, "sockets": [{**SOCKET, "recv_queue": -1}]},
    "no such packet": {**SENT, "moment": "arrived", "n": 99},
    "a packet that is none": {**SENT, "n": 1},
    "a packet out of nothing": {**SENT, "segment": WHOLE},
    "flags that there are not": {**SENT, "segment": {**WHOLE, "inferred": True, "flags": 512}},
    "a number too large": {**SENT, "segment": {**WHOLE, "inferred": True, "seq": 2**32}},
    "a newer version": {"k": "lab", "version": 2, "moment": "sent"},
    "an unknown moment": {"k": "lab", "version": 1, "moment": "lost"},
}


@pytest.mark.parametrize("made", DAMAGED.values(), ids=DAMAGED.keys())
def test_what_is_damaged_is_counted_and_left_out(made):
    reading = _replay()
    assert reading.take(_part(made)) is None
    assert reading.bad.total() == 1
    assert "left out" in reading.note()
    assert reading.take(_part({"k": "note", "time_ns": 1, "text": "fine"})) == Note(1, "fine")


def test_a_text_cannot_act_on_the_terminal():
    made = _replay().take(_part({"k": "note", "time_ns": 1, "text": "\x1b[2J\x07\u202e"}))
    assert "\x1b" not in made.text
    assert "\x07" not in made.text


def test_a_field_of_a_later_version_is_passed_over():
    assert _replay().take(_part({**CALL, "later": {"x": 1}})).id == 1


def test_parts_without_end_do_not_fill_the_memory():
    made = _replay()
    for _ in range(200):
        assert made.take(_part(b"x" * 48_000, more=1)) is None
        assert len(made._text) <= replay.LONGEST_OBJECT
    assert made.take(_part(b"x")) is None
    assert made.bad == {"too long": 1}


def test_what_others_keep_under_that_number_is_theirs():
    made = Replay()
    for data in (b"", b"x", b"tcpvi", MAGIC, b"somebody else's"):
        assert made.take(data) is None
    assert not made.bad


@given(st.binary(max_size=200))
def test_any_bytes_do_no_harm(data):
    made = _replay()
    made.take(_part(data))
    made.take(data)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.sampled_from(["k", "n", "side", "sockets", "segment"]), inner)
        ),
        max_leaves=12,
    ),
    st.sampled_from(sorted(replay._KINDS)),
)
def test_any_json_gives_a_record_or_nothing(made, kind):
    if isinstance(made, dict):
        made["k"] = kind
    reading = _replay()
    record = reading.take(_part(made))
    if record is not None:
        Tracker().feed(record)


# -- in a file ------------------------------------------------------------------


def _file(path, *options):
    with PcapngWriter(str(path)) as out:
        out.add_interface("client", 1)
        out.write_statistics(0, None, None, 1, options)
    return path


def _read(path):
    feed = FileFeed(str(path))
    return feed, [record for batch in feed.batches() for record in batch]


def test_a_file_without_any_packet_is_read(tmp_path):
    head = replay.parts(replay.head(Moment.SEEN))
    note = replay.parts(replay.record_object(Note(1, "hello"), {}))
    feed, records = _read(_file(tmp_path / "a.pcapng", *head, *note))
    assert records == [Note(1, "hello")]
    assert not feed.status.notes


def test_damage_is_told_in_one_line(tmp_path):
    feed, records = _read(_file(tmp_path / "a.pcapng", _part(b"{"), _part({"k": "x"})))
    assert records == []
    (note,) = feed.status.notes
    assert "2 entries of the recording cannot be used" in note


def test_other_byte_orders_and_enterprises(tmp_path):
    data = _part({"k": "note", "time_ns": 1, "text": "big"})
    for number, wanted in ((ENTERPRISE, [Note(1, "big")]), (ENTERPRISE + 1, [])):
        value = struct.pack(">I", number) + data
        padded = value + bytes(-len(value) % 4)
        option = struct.pack(">HH", CUSTOM, len(value)) + padded + bytes(4)
        blocks = b""
        for kind, body in (
            (0x0A0D0D0A, struct.pack(">IHHq", 0x1A2B3C4D, 1, 0, -1)),
            (1, struct.pack(">HHI", 1, 0, 0)),
            (5, struct.pack(">III", 0, 0, 0) + option),
        ):
            length = struct.pack(">I", 12 + len(body))
            blocks += struct.pack(">I", kind) + length + body + length
        path = tmp_path / "big.pcapng"
        path.write_bytes(blocks)
        assert _read(path)[1] == wanted


def test_a_recording_of_which_any_byte_was_changed_does_no_harm(tmp_path):
    whole = _file(
        tmp_path / "a.pcapng",
        *replay.parts(replay.head(Moment.SENT)),
        *(part for one in RECORDS for part in replay.parts(replay.record_object(one, {}))),
    ).read_bytes()
    for place in range(120, len(whole), 11):
        changed = bytearray(whole)
        changed[place] ^= 0x15
        path = tmp_path / "b.pcapng"
        path.write_bytes(changed)
        tracker = Tracker()
        for record in _read(path)[1]:
            tracker.feed(record)
