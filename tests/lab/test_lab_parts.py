"""The lab's small parts: frames at a glance, patterns, the protocol, inference."""

from __future__ import annotations

import socket
import struct
import threading

import pytest

from tcpviz.core.records import Call, KernelReading, KernelSocket, SegmentRecord, Side
from tcpviz.core.segment import Endpoint, Flags
from tcpviz.core.states import State
from tcpviz.lab.frames import Glance, Pattern, glance
from tcpviz.lab.infer import Inference
from tcpviz.lab.peers import Peers, Pending, Sock
from tcpviz.lab.protocol import (
    Channel,
    ChannelError,
    call_in,
    call_out,
    reading_in,
    reading_out,
)

CLIENT, SERVER = Endpoint("10.0.0.1", 40001), Endpoint("10.0.0.2", 7777)


def _frame(flags, payload=b"", options=b"", six=False, protocol=6, fragment=0):
    offset = (20 + len(options)) // 4
    tcp = struct.pack("!HHIIHHHH", 40001, 7777, 1, 2, offset << 12 | flags, 512, 0, 0)
    tcp += options + payload
    if six:
        head = struct.pack("!IHBB", 6 << 28, len(tcp), protocol, 64)
        head += socket.inet_pton(socket.AF_INET6, "fd00::1")
        head += socket.inet_pton(socket.AF_INET6, "fd00::2")
        return bytes(12) + b"\x86\xdd" + head + tcp
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, fragment, 64, protocol, 0)
    head += socket.inet_aton("10.0.0.1") + socket.inet_aton("10.0.0.2")
    return bytes(12) + b"\x08\x00" + head + tcp


@pytest.mark.parametrize("six", [False, True])
def test_a_glance_tells_ends_flags_and_data(six):
    seen = glance(_frame(0x18, b"hello", b"\x01" * 12, six=six) + bytes(7))  # and a trailer
    assert seen is not None
    assert seen.flags == Flags.PSH | Flags.ACK
    assert seen.payload_len == 5
    assert (seen.src.port, seen.dst.port) == (40001, 7777)
    assert seen.src.addr == ("fd00::1" if six else "10.0.0.1")


def test_what_is_not_whole_tcp_is_not_looked_at():
    whole = _frame(0x10)
    assert glance(_frame(0x10, protocol=17)) is None
    assert glance(_frame(0x10, fragment=0x2000)) is None
    assert glance(_frame(0x10, six=True, protocol=58)) is None
    for length in range(len(whole)):
        assert glance(whole[:length]) is None


@pytest.mark.parametrize(
    ("words", "flags", "length", "fits"),
    [
        ("SYN", Flags.SYN, 0, True),
        ("SYN", Flags.SYN | Flags.ACK, 0, False),
        ("syn, ack", Flags.SYN | Flags.ACK, 0, True),
        ("SYN,ACK", Flags.SYN, 0, False),
        ("ACK", Flags.ACK, 0, True),
        ("ACK", Flags.ACK, 5, False),
        ("ACK", Flags.FIN | Flags.ACK, 0, False),
        ("FIN", Flags.FIN | Flags.ACK, 0, True),
        ("FIN", Flags.FIN | Flags.PSH | Flags.ACK, 9, True),
        ("RST", Flags.RST, 0, True),
        ("data", Flags.PSH | Flags.ACK, 1, True),
        ("data", Flags.ACK, 0, False),
        ("any", Flags.RST, 0, True),
    ],
)
def test_patterns(words, flags, length, fits):
    assert Pattern.of(words).fits(Glance(CLIENT, SERVER, flags, length)) is fits


def test_a_pattern_of_unknown_words_is_refused():
    with pytest.raises(ValueError, match="'SNY'"):
        Pattern.of("SNY")


def test_calls_and_readings_survive_the_protocol():
    call = Call(3, Side.CLIENT, "connect", "10.0.0.2:7777", 5, 10, 20, "0", False, CLIENT, SERVER)
    assert call_in(call_out(call)) == call
    listener = KernelSocket(Side.SERVER, SERVER, None, State.LISTEN, None, None, 1, 128)
    gone = KernelSocket(Side.CLIENT, CLIENT, SERVER, None)
    waits = KernelSocket(
        Side.CLIENT, CLIENT, SERVER, State.TIME_WAIT, "time-wait", 59_000, 0, 0, 2, 40, 10
    )
    reading = KernelReading(7, (listener, gone, waits))
    assert reading_in(reading_out(reading)) == reading


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_messages_carry_frames_and_end_cleanly(pair):
    ours, theirs = Channel(pair[0]), Channel(pair[1])
    ours.send({"k": "frame", "n": 1}, b"\0\xff")
    ours.send({"k": "end"})
    ours.hang_up()
    assert theirs.receive() == ({"k": "frame", "n": 1}, b"\0\xff")
    assert theirs.receive() == ({"k": "end"}, b"")
    assert theirs.receive() is None
    pair[0].close()
    with pytest.raises(ChannelError):
        theirs.send({"k": "stop"})


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack("!II", 5, 0) + b"{}",
        struct.pack("!II", 2, 0) + b"[]",
        struct.pack("!II", 2, 0) + b"{,",
        struct.pack("!II", 1 << 30, 0),
        b"\0\0",
    ],
)
def test_what_is_no_message_is_refused(pair, raw):
    pair[0].sendall(raw)
    pair[0].shutdown(socket.SHUT_WR)
    with pytest.raises(ChannelError):
        Channel(pair[1]).receive()


# -- peers ------------------------------------------------------------------


def test_a_worker_is_blocked_while_its_call_sleeps_and_only_then():
    peers = Peers()
    worker = peers.add(Side.SERVER, "127.0.0.1", None)
    ours, theirs = socket.socketpair()
    sock = Sock(ours)
    finished = threading.Event()

    def act():
        try:
            return f"{len(ours.recv(10))} bytes"
        finally:
            finished.set()

    with ours, theirs:
        worker.order(Pending(Call(1, Side.SERVER, "recv"), act, sock))
        while not worker.blocked():
            assert not worker.idle
        assert peers.settled()
        theirs.send(b"abc")
        assert finished.wait(10)
        while not worker.idle:
            pass
        assert not worker.blocked()
        calls = peers.take()
    assert [call.returned for call in calls] == [False, True]
    assert calls[1].result == "3 bytes"
    assert calls[0].began_ns == calls[1].began_ns <= calls[1].returned_ns
    peers.close()


# -- inference --------------------------------------------------------------


def _call(ident, side, name, began, returned=None, result="0", arguments="", failed=False):
    local, peer = (CLIENT, SERVER) if side is Side.CLIENT else (SERVER, CLIENT)
    if name == "accept":
        peer = None
    if returned is None:
        result = None
    return Call(ident, side, name, arguments, 4, began, returned, result, failed, local, peer)


def _both(*arguments, **options):
    """The call as it began and as it returned."""
    ident, side, name, began, _ = arguments
    return [
        _call(ident, side, name, began, arguments=options.get("arguments", "")),
        _call(*arguments, **options),
    ]


def _spoken(records):
    rows = []
    for record in records:
        if isinstance(record, SegmentRecord):
            segment = record.segment
            who = "client" if segment.src == CLIENT else "server"
            rows.append(f"{who} {segment.flags.names()} {segment.seq}:{segment.ack}")
        elif isinstance(record, Call):
            rows.append(f"{record.name}{'=' if record.returned else '('}")
    return rows


def _reading(time_ns, client, server, queue=0):
    return KernelReading(
        time_ns,
        (
            KernelSocket(Side.CLIENT, CLIENT, SERVER, client, send_queue=queue),
            KernelSocket(Side.SERVER, SERVER, CLIENT, server),
        ),
    )


def _connected():
    inference = Inference()
    accept = [_call(1, Side.SERVER, "accept", 1)]
    inference.batch(accept)
    rows = [
        _call(2, Side.CLIENT, "connect", 2),
        _call(1, Side.SERVER, "accept", 1, 5, "fd 4"),  # returned first, by its thread's clock
        _call(2, Side.CLIENT, "connect", 2, 6),
        _reading(7, State.ESTABLISHED, State.ESTABLISHED),
    ]
    return inference, inference.batch(rows)


def test_a_handshake_stands_before_the_first_return_that_needs_it():
    _, records = _connected()
    assert _spoken(records) == [
        "connect(",
        "client SYN 0:0",
        "server SYN,ACK 0:1",
        "client ACK 1:1",
        "accept=",
        "connect=",
    ]
    times = [record.time_ns for record in records]
    assert times == sorted(times)


def test_data_stands_before_the_recv_that_gets_it_and_its_ack_is_the_kernels_word():
    inference, _ = _connected()
    recv = _call(4, Side.SERVER, "recv", 11, 21, "5 bytes")
    send = _both(3, Side.CLIENT, "send", 20, 22, result="5 bytes")
    waiting = inference.batch(
        [send[0], recv, send[1], _reading(23, State.ESTABLISHED, State.ESTABLISHED, queue=5)]
    )
    assert _spoken(waiting) == ["send(", "client PSH,ACK 1:1", "recv=", "send="]
    done = inference.batch([_reading(24, State.ESTABLISHED, State.ESTABLISHED)])
    assert _spoken(done) == ["server ACK 1:6"]


def test_each_close_sends_one_fin_and_shutdown_before_it_no_second_one():
    inference, _ = _connected()
    rows = _both(3, Side.CLIENT, "shutdown", 20, 21, arguments="SHUT_WR")
    rows.append(_reading(22, State.FIN_WAIT_2, State.CLOSE_WAIT))
    assert _spoken(inference.batch(rows)) == [
        "shutdown(",
        "client FIN,ACK 1:1",
        "shutdown=",
        "server ACK 1:2",
    ]
    assert _spoken(inference.batch(_both(4, Side.CLIENT, "close", 30, 31))) == ["close(", "close="]
    rows = [*_both(5, Side.SERVER, "close", 40, 41), _reading(42, State.TIME_WAIT, None)]
    assert _spoken(inference.batch(rows)) == [
        "close(",
        "server FIN,ACK 1:2",
        "close=",
        "client ACK 2:2",
    ]


def test_unread_data_makes_close_a_reset():
    inference, _ = _connected()
    inference.batch(_both(3, Side.CLIENT, "send", 20, 21, result="5 bytes"))
    assert _spoken(inference.batch(_both(4, Side.SERVER, "close", 30, 31))) == [
        "close(",
        "server RST,ACK 1:6",
        "close=",
    ]


def test_a_refusal_is_a_reset_and_a_timeout_is_silence():
    refused = Inference().batch(
        _both(1, Side.CLIENT, "connect", 1, 2, result="ECONNREFUSED", failed=True)
    )
    assert _spoken(refused) == ["connect(", "client SYN 0:0", "server RST,ACK 0:1", "connect="]
    silent = Inference().batch(
        _both(1, Side.CLIENT, "connect", 1, 2, result="ETIMEDOUT", failed=True)
    )
    assert _spoken(silent) == ["connect(", "client SYN 0:0", "connect="]
    local = Inference().batch(
        _both(1, Side.CLIENT, "connect", 1, 2, result="EADDRNOTAVAIL", failed=True)
    )
    assert _spoken(local) == ["connect(", "connect="]
