"""A flood: whole TCP connections, many at a time, sent into an interface at a chosen rate.

``python -m tests.bench.flood IFACE --rate 100000 --seconds 5`` sends frames through a packet
socket with ``sendmmsg``, a thousand in one call, and prints how many the kernel took. Each
connection opens, exchanges data and closes; sequence numbers, acknowledgements and lengths are
right, so that a program that follows states has its full work. Needs root, and an interface
made for it: whatever is at the other end gets everything.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import socket
import sys
import time

import numpy as np

SYN, ACK, PSH, FIN = 0x02, 0x10, 0x08, 0x01
HEAD = 54
DATA = 100
AT_ONCE = 1024

# side, flags, bytes of data
TALK = (
    (0, SYN, 0),
    (1, SYN | ACK, 0),
    (0, ACK, 0),
    (0, PSH | ACK, DATA),
    (1, ACK, 0),
    (1, PSH | ACK, DATA),
    (0, ACK, 0),
    (0, FIN | ACK, 0),
    (1, FIN | ACK, 0),
    (0, ACK, 0),
)


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("len", ctypes.c_size_t))


class _Message(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_long),  # an int and, to the next word, nothing
        ("sent", ctypes.c_long),
    )


def frames(connections: int, at_a_time: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Headers (one row of 54 bytes each) in sending order, and the bytes of data behind each.

    ``at_a_time`` connections are open together.
    """
    dice = np.random.default_rng(seed)
    count = np.arange(connections)
    isns = dice.integers(0, 2**32, (2, connections), dtype=np.uint64)
    heads = np.zeros((connections, len(TALK), HEAD), np.uint8)
    sizes = np.zeros((connections, len(TALK)), np.int64)
    sent = [0, 0]
    for place, (side, flags, data) in enumerate(TALK):
        row = heads[:, place]
        row[:, 0:6] = (2, 0, 0, 0, 0, 1 + side)
        row[:, 6:12] = (2, 0, 0, 0, 0, 2 - side)
        row[:, 12:14] = (8, 0)
        row[:, 14], row[:, 22], row[:, 23] = 0x45, 64, 6
        client = (0x0A000000 + 2 + count // 50_000).astype(">u4").view(np.uint8).reshape(-1, 4)
        server = np.array([0x0A800001], ">u4").view(np.uint8)
        row[:, 26 + 4 * side : 30 + 4 * side] = client
        row[:, 30 - 4 * side : 34 - 4 * side] = server
        high = (10_000 + count % 50_000).astype(">u2").view(np.uint8).reshape(-1, 2)
        row[:, 34 + 2 * side : 36 + 2 * side] = high
        row[:, 36 - 2 * side : 38 - 2 * side] = (0, 80)
        row[:, 16:18] = np.array([40 + data], ">u2").view(np.uint8)
        seq = (isns[side] + sent[side]).astype(np.uint32).astype(">u4")
        row[:, 38:42] = seq.view(np.uint8).reshape(-1, 4)
        if flags & ACK:
            ack = (isns[1 - side] + sent[1 - side]).astype(np.uint32).astype(">u4")
            row[:, 42:46] = ack.view(np.uint8).reshape(-1, 4)
        row[:, 46], row[:, 47], row[:, 48:50] = 0x50, flags, (0xFA, 0xF0)
        sizes[:, place] = data
        sent[side] += data + (flags & 1) + (flags >> 1 & 1)
    # Connection n speaks for the k-th time in round n / at_a_time + k: so many are open together.
    rounds = (count // max(at_a_time // len(TALK), 1))[:, None] + np.arange(len(TALK))
    order = np.argsort(rounds.ravel(), kind="stable")
    return heads.reshape(-1, HEAD)[order], sizes.ravel()[order]


INSIDE = ("", "vlan", "vlans", "vxlan")
"""What may be around all of it: a VLAN's tag, two of them, a VXLAN."""


def within(heads: np.ndarray, sizes: np.ndarray, inside: str) -> np.ndarray:
    """The same headers in one of :data:`INSIDE`; connections are in four VLANs or VXLANs."""
    ports = np.where(heads[:, 5] == 1, heads[:, 35], heads[:, 37])[:, None]  # the client's
    which = 5 + ports % 4
    if inside in ("vlan", "vlans"):
        tag = np.zeros((len(heads), 4), np.uint8)
        tag[:, 0], tag[:, 3:] = 0x81, which
        service = np.tile(np.array([0x88, 0xA8, 0, 7], np.uint8), (len(heads), 1))
        between = [service, tag] if inside == "vlans" else [tag]
        return np.concatenate([heads[:, :12], *between, heads[:, 12:]], axis=1)
    if inside == "vxlan":
        outer = np.zeros((len(heads), 50), np.uint8)
        outer[:, :14] = heads[:, :14]
        outer[:, 14:34] = heads[:, 14:34]
        outer[:, 23] = 17
        for at, more in ((16, 36), (38, 16)):  # IP's length, UDP's
            length = sizes + HEAD + more
            outer[:, at : at + 2] = length.astype(">u2").view(np.uint8).reshape(-1, 2)
        outer[:, 34:38] = np.array([50000, 4789], ">u2").view(np.uint8)
        outer[:, 42], outer[:, 48:49] = 8, which
        return np.concatenate([outer, heads], axis=1)
    return heads


class Sender:
    """Sends prepared frames round and round."""

    def __init__(self, interface: str, heads: np.ndarray, sizes: np.ndarray) -> None:
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.bind((interface, 0))
        # PACKET_QDISC_BYPASS
        self.socket.setsockopt(263, 20, 1)
        self.heads = np.ascontiguousarray(heads)
        self.data = np.zeros(DATA, np.uint8)
        self.count = len(heads)
        self.vectors = (_Iovec * (2 * self.count))()
        view = np.frombuffer(self.vectors, np.uint64).reshape(-1, 4)
        view[:, 0] = self.heads.ctypes.data + np.arange(self.count) * self.heads.shape[1]
        view[:, 1] = self.heads.shape[1]
        view[:, 2] = self.data.ctypes.data
        view[:, 3] = sizes
        self.messages = (_Message * self.count)()
        words = np.frombuffer(self.messages, np.uint64).reshape(self.count, -1)
        words[:, 2] = ctypes.addressof(self.vectors) + np.arange(self.count) * 32
        words[:, 3] = 2
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.sent = 0

    def send(self, most: int) -> None:
        at = self.sent % self.count
        size = min(most, self.count - at, AT_ONCE)
        start = ctypes.addressof(self.messages) + at * ctypes.sizeof(_Message)
        done = self.libc.sendmmsg(
            self.socket.fileno(), ctypes.c_void_p(start), ctypes.c_uint(size), 0
        )
        if done < 0:
            number = ctypes.get_errno()
            if number not in (11, 105):
                raise OSError(number, os.strerror(number))
            return
        self.sent += done

    def run(self, rate: float, seconds: float) -> float:
        """Send at ``rate`` a second; returns how long it took."""
        total = int(rate * seconds)
        began = time.perf_counter()
        while self.sent < total:
            passed = time.perf_counter() - began
            due = min(int(passed * rate) + 1, total) - self.sent
            if due < 64 and self.sent + due < total:
                time.sleep(0.0005)
                continue
            self.send(due)
            if passed > 3 * seconds:
                break
        return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("interface")
    parser.add_argument("--rate", type=float, default=20_000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--open", type=int, default=2000, help="connections open together")
    parser.add_argument("--wait", action="store_true", help="begin at a line on standard input")
    parser.add_argument("--inside", choices=INSIDE, default="", help="what is around all of it")
    options = parser.parse_args()
    packets = int(options.rate * options.seconds)
    heads, sizes = frames(min(packets // len(TALK) + 1, 400_000), options.open)
    sender = Sender(options.interface, within(heads, sizes, options.inside), sizes)
    if options.wait:
        print("ready", flush=True)
        sys.stdin.readline()
    took = sender.run(options.rate, options.seconds)
    print(json.dumps({"sent": sender.sent, "seconds": took}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
