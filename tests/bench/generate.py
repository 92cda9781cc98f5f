"""Captures for the benchmark: whole connections, written record by record as pcap."""

from __future__ import annotations

import heapq
import random
import struct
from pathlib import Path
from typing import BinaryIO

SYN, ACK, PSH, FIN, RST = 0x02, 0x10, 0x08, 0x01, 0x04


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


# -- what is like real traffic -------------------------------------------------

SNAPLEN = 96


class _Writer:
    """pcap records with TCP timestamps, cut at :data:`SNAPLEN` as an operator would."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self.packets = 0
        self._ticks: dict[tuple[int, int, int, int], int] = {}
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, 1))

    def packet(
        self,
        when_us: int,
        src: int,
        dst: int,
        ports: tuple[int, int],
        seq: int,
        ack: int,
        bits: int,
        data: int,
        window: int = 502,
        ident: int = 0,
    ) -> None:
        """One packet; ``bits`` as in the header."""
        ticks = (when_us // 1000) & 0xFFFFFFFF
        echo = self._ticks.get((dst, src, ports[1], ports[0]), 0) if bits & ACK else 0
        if bits & FIN:
            self._ticks.pop((src, dst, *ports), None)
        elif not bits & RST:
            self._ticks[src, dst, *ports] = ticks
        if bits & SYN:
            options = b"\x02\x04\x05\xb4\x04\x02\x08\x0a" + struct.pack("!II", ticks, echo)
            options += b"\x01\x03\x03\x07"
        else:
            options = b"\x01\x01\x08\x0a" + struct.pack("!II", ticks, echo)
        if bits & RST:
            options = b""
        head = 20 + len(options)
        tcp = struct.pack(
            "!HHIIBBHHH", *ports, seq, ack, head << 2, bits, 0 if bits & RST else window, 0, 0
        )
        # The data is zeros, and adds nothing to the sum.
        whole = struct.pack("!IIHH", src, dst, 6, head + data) + tcp + options
        total = int.from_bytes(whole, "big") % 65535
        tcp = tcp[:16] + struct.pack("!H", 65535 - total) + tcp[18:]
        ip = struct.pack(
            "!BBHHHBBHII", 0x45, 0, 20 + head + data, ident, 0x4000, 64, 6, 0, src, dst
        )
        frame = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0" + ip + tcp + options
        size = len(frame) + data
        frame += b"\0" * min(data, SNAPLEN - len(frame))
        stamp = struct.pack("<IIII", when_us // 1_000_000, when_us % 1_000_000, len(frame), size)
        self._out.write(stamp + frame)
        self.packets += 1


def _visit(dice: random.Random, kind: int, x: int, y: int) -> list[tuple[int, int, int, int, int]]:
    """One connection: (microseconds after the one before, side, flags, data, ACK lag)."""
    talk = [(0, 0, SYN, 0, 0)]
    if kind == 1:  # nobody there
        return [*talk, (1_000_000, 0, SYN, 0, 0)] if dice.random() < 0.5 else talk
    if kind == 2:  # refused
        return [*talk, (90, 1, RST | ACK, 0, 0)]
    rtt = dice.choice((200, 9_000, 40_000))
    talk += [(rtt, 1, SYN | ACK, 0, 0), (60, 0, ACK, 0, 0)]
    for _ in range(dice.choice((1, 1, 1, 1, 1, 2))):
        talk.append((50, 0, PSH | ACK, dice.randint(60, 700), 0))
        if dice.random() < 0.5:
            talk.append((rtt, 1, ACK, 0, 0))
        whole = dice.choice((1, 1, 1, 2))
        for part in range(whole):
            last = part == whole - 1
            size = dice.randint(100, 1448) if last else 1448
            talk.append((70, 1, (PSH if last else 0) | ACK, size, 0))
            if part % 2 or last:
                talk.append((80, 0, ACK, 0, 0))
    if kind == 3:  # cut off
        return [*talk, (100, 0, RST | ACK, 0, 0)]
    if kind == 4:  # still open
        return talk
    first = dice.randint(0, 1)
    if kind == 5:  # both close at once
        talk += [(50, first, FIN | ACK, 0, 0), (3, 1 - first, FIN | ACK, 0, 1)]
        return [*talk, (90, first, ACK, 0, 0), (3, 1 - first, ACK, 0, 0)]
    talk += [(50, first, FIN | ACK, 0, 0)]
    if dice.random() < 0.3:
        talk.append((40, 1 - first, ACK, 0, 0))
    return [*talk, (300, 1 - first, FIN | ACK, 0, 0), (60, first, ACK, 0, 0)]


def visits(path: Path, count: int, seed: int = 1, odd: float = 0.01) -> int:
    """Write ``count`` connections of web clients, interleaved; returns the number of packets.

    Most end in order, some in other ways, and in a share of ``odd`` a segment is lost
    and sent again. Ports come round again after 28 000 connections of a client.
    """
    dice = random.Random(seed)
    server = 0x0A800001
    waiting: list[tuple[int, int, tuple[int, ...]]] = []
    serial = 0
    with path.open("wb") as out:
        writer = _Writer(out)
        for number in range(count):
            began = 1_700_000_000_000_000 + number * 300
            while waiting and waiting[0][0] <= began:
                writer.packet(*heapq.heappop(waiting)[2])
            client, port = 0x0A000002 + number % 4, 32768 + number // 4 % 28_000
            kind = dice.choices((0, 1, 2, 3, 4, 5), (90, 1, 1, 2, 2, 4))[0]
            numbers = [dice.getrandbits(31), dice.getrandbits(31)]
            acked = list(numbers)
            now, ident = began, dice.getrandbits(16)
            lossy = dice.random() < odd
            for pause, side, bits, data, lag in _visit(dice, kind, *numbers):
                now += pause
                ident += 1
                ends = (client, server) if side == 0 else (server, client)
                ports = (port, 80) if side == 0 else (80, port)
                seq = numbers[side] if not (kind == 2 and side) else 0
                ack = (acked[0 if side else 1] if lag else numbers[1 - side]) if bits & ACK else 0
                packet = (now, *ends, ports, seq, ack, bits, data, 502, ident & 0xFFFF)
                serial += 1
                heapq.heappush(waiting, (now, serial, packet))
                acked[side] = numbers[side]
                if not (bits & SYN and pause == 1_000_000):
                    numbers[side] += data + bool(bits & (SYN | FIN))
                if lossy and data > 1000:
                    now += 200_000
                    serial += 1
                    heapq.heappush(waiting, (now, serial, (now, *packet[1:-1], ident + 1)))
                    ident += 1
                    lossy = False
        while waiting:
            writer.packet(*heapq.heappop(waiting)[2])
        return writer.packets


def syns(path: Path, count: int, seed: int = 1) -> int:
    """Write ``count`` SYNs, each of another connection; returns their number."""
    dice = random.Random(seed)
    with path.open("wb") as out:
        writer = _Writer(out)
        for number in range(count):
            now = 1_700_000_000_000_000 + number * 20
            port = dice.randint(1024, 65535)
            writer.packet(now, dice.getrandbits(32), 0x0A800001, (port, 80), dice.getrandbits(32),
                          0, SYN, 0, 64240, dice.getrandbits(16))  # fmt: skip
        return writer.packets


def stream(path: Path, count: int, seed: int = 1, lost: int = 0, size: int = 1448) -> int:
    """Write one connection of about ``count`` packets; ``lost`` segments are sent again.

    ``size``  bytes of data in each
    """
    dice = random.Random(seed)
    ends, ports = ((0x0A000002, 0x0A800001), (0x0A800001, 0x0A000002)), ((4000, 80), (80, 4000))
    x, y, now, ident = 1000, 5000, 1_700_000_000_000_000, 1
    again = set(dice.sample(range(10, count - 10), lost)) if lost else set()
    with path.open("wb") as out:
        writer = _Writer(out)
        writer.packet(now, *ends[0], ports[0], x - 1, 0, SYN, 0)
        writer.packet(now + 40, *ends[1], ports[1], y - 1, x, SYN | ACK, 0)
        writer.packet(now + 80, *ends[0], ports[0], x, y, ACK, 0)
        writer.packet(now + 90, *ends[0], ports[0], x, y, ACK | PSH, 100)
        x += 100
        now += 90
        while writer.packets < count - 3:
            burst = dice.randint(1, 4)
            for _ in range(burst):
                now += 12
                ident += 1
                writer.packet(
                    now, *ends[1], ports[1], y & 0xFFFFFFFF, x, ACK, size, 502, ident & 0xFFFF
                )
                y += size
                if writer.packets in again:
                    now += 250_000
                    ident += 1
                    writer.packet(
                        now,
                        *ends[1],
                        ports[1],
                        (y - size) & 0xFFFFFFFF,
                        x,
                        ACK,
                        size,
                        502,
                        ident & 0xFFFF,
                    )
            now += 15
            writer.packet(
                now, *ends[0], ports[0], x, y & 0xFFFFFFFF, ACK, 0, 400 + dice.randint(0, 99)
            )
        writer.packet(now + 50, *ends[1], ports[1], y & 0xFFFFFFFF, x, FIN | ACK, 0)
        writer.packet(now + 90, *ends[0], ports[0], x, (y + 1) & 0xFFFFFFFF, FIN | ACK, 0)
        writer.packet(now + 140, *ends[1], ports[1], (y + 1) & 0xFFFFFFFF, x + 1, ACK, 0)
        return writer.packets
