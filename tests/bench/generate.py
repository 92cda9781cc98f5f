"""Captures for the benchmark: whole connections, written record by record as pcap."""

from __future__ import annotations

import random
import struct
from pathlib import Path

SYN, ACK, PSH, FIN = 0x02, 0x10, 0x08, 0x01


def _record(
    when_us: int,
    src: int,
    dst: int,
    ports: tuple[int, int],
    seq: int,
    ack: int,
    bits: int,
    data: int,
) -> bytes:
    tcp = struct.pack("!HHIIBBHHH", *ports, seq, ack, 5 << 4, bits, 64240, 0, 0)
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, 40 + data, 0, 0, 64, 6, 0, src, dst)
    head = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0" + ip + tcp
    stamp = struct.pack("<IIII", when_us // 1_000_000, when_us % 1_000_000, len(head), 54 + data)
    return stamp + head


def connections(path: Path, count: int, exchanges: int = 1, seed: int = 1) -> int:
    """Write ``count`` connections, some overlapping; returns the number of packets."""
    dice = random.Random(seed)
    packets = 0
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 128, 1))
        for number in range(count):
            now = 1_700_000_000_000_000 + number * 500
            a, b = 0x0A000000 + number // 50_000, 0x0A800001
            there, back = (10_000 + number % 50_000, 80), (80, 10_000 + number % 50_000)
            x, y = dice.getrandbits(32), dice.getrandbits(32)
            talk = [(0, SYN, 0), (1, SYN | ACK, 0), (0, ACK, 0)]
            for _ in range(exchanges):
                talk += [(0, PSH | ACK, 300), (1, ACK, 0), (1, PSH | ACK, 1200), (0, ACK, 0)]
            talk += [(0, FIN | ACK, 0), (1, FIN | ACK, 0), (0, ACK, 0)]
            for side, bits, data in talk:
                now += 40
                seq, ack = (x, y) if side == 0 else (y, x)
                out.write(
                    _record(
                        now,
                        a if side == 0 else b,
                        b if side == 0 else a,
                        there if side == 0 else back,
                        seq,
                        ack if bits & ACK else 0,
                        bits,
                        data,
                    )
                )
                took = data + (bits & 1) + ((bits >> 1) & 1)
                if side == 0:
                    x = (x + took) % 2**32
                else:
                    y = (y + took) % 2**32
                packets += 1
    return packets
