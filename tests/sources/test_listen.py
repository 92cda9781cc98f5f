"""Capturing without packet sockets: BPF devices' buffers, and scapy's socket where it runs."""

from __future__ import annotations

import ctypes
import socket
import sys

import pytest

from tcpviz.sources import access
from tcpviz.sources.listen import ScapyListener, split_bpf


class Moment(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_uint32), ("tv_usec", ctypes.c_uint32))


class Header(ctypes.Structure):
    """struct bpf_hdr of macOS: 18 bytes, and the packet after them or after padding."""

    _fields_ = (
        ("bh_tstamp", Moment),
        ("bh_caplen", ctypes.c_uint32),
        ("bh_datalen", ctypes.c_uint32),
        ("bh_hdrlen", ctypes.c_uint16),
    )


def record(data, length=None, seconds=1_700_000_000, micros=250_000):
    head = Header(Moment(seconds, micros), len(data), length or len(data), 20)
    packed = bytes(head)[:18].ljust(20, b"\0") + data
    return packed + bytes(-len(packed) % 4)


def test_a_devices_buffer_is_taken_apart():
    # More of them than functions may call themselves.
    buffer = b"".join(record(bytes([n % 256]) * (n % 7 + 1)) for n in range(5000))
    packets = split_bpf(buffer, Header, 4, 0)
    assert len(packets) == 5000
    assert [p.data for p in packets] == [bytes([n % 256]) * (n % 7 + 1) for n in range(5000)]
    assert {p.time_ns for p in packets} == {1_700_000_000_250_000_000}


def test_the_snapshot_length_cuts_and_the_length_stays():
    (packet,) = split_bpf(record(b"x" * 100, 1500), Header, 4, 64)
    assert (len(packet.data), packet.wire_len) == (64, 1500)


@pytest.mark.parametrize("buffer", [b"", b"\0" * 17, b"\0" * 64])
def test_a_buffer_with_nothing_in_it(buffer):
    assert split_bpf(buffer, Header, 4, 0) == []


@pytest.mark.skipif(
    sys.platform != "linux" or not access.own_access()[0], reason="no right to capture here"
)
def test_scapys_socket_gives_packets_with_times():
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.bind(("127.0.0.1", 0))
        port = receiver.getsockname()[1]
        try:
            listener = ScapyListener("lo", f"udp dst port {port}", 60, False)
        except OSError as error:
            pytest.skip(f"scapy cannot here: {error}")
        try:
            sender.sendto(b"z" * 500, ("127.0.0.1", port))
            receiver.recv(1000)
            packets = listener.read(10)
        finally:
            listener.close()
    assert packets
    assert {(len(p.data), p.wire_len) for p in packets} == {(60, 542)}
    assert all(p.time_ns > 1_600_000_000 * 10**9 for p in packets)
    assert listener.exists()
    assert listener.statistics() == (len(packets), 0)
