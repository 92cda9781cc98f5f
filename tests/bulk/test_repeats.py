"""Columns and core agree on what is ordinary though not in order: data sent again, ports reused.

Losses that a timer repairs, keep-alives of idle connections, SYNs into connections that go on or
have ended, answered and not, and hosts whose network card fills all checksums in.
"""

from __future__ import annotations

import random
import struct
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tcpviz.bulk.connections import building, lengthy
from tcpviz.bulk.segments.reading import Unsuited
from tests.bulk import test_hostile
from tests.bulk.compare import built, differences
from tests.wire import packets

HOSTS = ("10.0.0.1", "10.0.0.2")
SYN, ACK, FIN, PSH, RST = 2, 16, 1, 8, 4


class Pair:
    """Two hosts and one pair of ports, used by one connection after the other."""

    def __init__(self, dice: random.Random, port: int) -> None:
        self.dice = dice
        self.ports = (port, 80)
        self.offload = dice.choice(((False, False),) * 3 + ((True, False), (True, True)))
        self.ident = [dice.getrandbits(16), dice.getrandbits(16)]
        self.plan: list[tuple[int, int, int]] = []
        self.last: dict[int, tuple[int, int, int, bytes]] = {}
        self.next = [0, 0]
        self.heard = [0, 0]
        self.lasting, self.idle = dice.random() < 0.3, 0

    def begin(self) -> None:
        dice = self.dice
        self.next = [dice.getrandbits(31), dice.getrandbits(31)]
        self.heard = [0, 0]
        self.last = {}
        kind = dice.randrange(8)
        self.plan = [(0, SYN, 0)]
        if kind == 0:
            return
        if kind == 1:
            self.plan.append((1, RST | ACK, 0))
            return
        self.plan += [(1, SYN | ACK, 0), (0, ACK, 0)]
        for _ in range(dice.randint(0, 5)):
            side = dice.randrange(2)
            self.plan.append((side, PSH | ACK, dice.choice((1, 2, 40, 300, 1200))))
            if dice.random() < 0.6:
                self.plan.append((1 - side, ACK, 0))
        if kind == 2:
            return
        if kind == 3:
            self.plan.append((dice.randrange(2), RST | ACK, 0))
            return
        first = dice.randrange(2)
        self.plan.append((first, FIN | ACK, dice.choice((0, 0, 20))))
        if kind > 4:
            self.plan += [(1 - first, FIN | ACK, 0), (first, ACK, 0)]

    def packet(self) -> tuple[bytes, int]:
        """The next frame, and how many microseconds before it nothing was sent."""
        dice = self.dice
        if self.last and dice.random() < 0.07:
            side = dice.choice(list(self.last))
            wait = dice.choice((300, 25_000, 120_000, 250_000, 250_000, 1_100_000))
            seq, ack, flags, data = self.last[side]
            if dice.random() < 0.5:
                ack = self.next[1 - side]
            if data and dice.random() < 0.05:
                data = data[:-1] + b"?"
            return self.made(side, seq, ack, flags, data), wait
        if self.lasting and self.last and self.plan and dice.random() < 0.1:
            self.idle = dice.randint(1, 4)
        if self.idle and self.plan:  # a keep-alive, and mostly its answer
            self.idle -= 1
            side, wait = dice.randrange(2), dice.choice((900, 300_000, 45_000_000))
            before = self.next[side] - 1 & 0xFFFFFFFF
            ack = self.next[1 - side]
            if dice.random() < 0.8:
                self.plan.insert(0, (1 - side, ACK, 0))
            if dice.random() < 0.6:
                self.plan.insert(0, (side, ACK, 0))
            return self.made(side, before, ack, ACK, b""), wait
        if not self.plan:
            self.begin()
        side, flags, size = self.plan.pop(0)
        seq, ack = self.next[side], self.next[1 - side] if flags & ACK else 0
        if flags & ACK and not flags & SYN and dice.random() < 0.05 and self.heard[side]:
            ack = self.heard[side]
        if flags & RST and not self.last.get(1):
            seq = 0 if side else seq
        data = bytes(size)
        self.next[side] = (seq + size + bool(flags & SYN) + bool(flags & FIN)) & 0xFFFFFFFF
        self.heard[side] = ack
        if not flags & (ACK | RST) or size:
            self.last[side] = (seq, ack, flags, data)
        return self.made(side, seq, ack, flags, data), dice.choice((60, 900, 30_000))

    def made(self, side: int, seq: int, ack: int, flags: int, data: bytes) -> bytes:
        dice = self.dice
        src, dst = HOSTS[side], HOSTS[1 - side]
        self.ident[side] += dice.choice((1, 1, 1, 1, 1, 1, 1, 1, 0, 7000))
        ident = 0 if dice.random() < 0.02 else self.ident[side] & 0xFFFF
        wrong = 1 if self.offload[side] or dice.random() < 0.002 else None
        head = packets.tcp(
            data, src=src, dst=dst, sport=self.ports[side], dport=self.ports[1 - side], seq=seq,
            ack=ack, flags=flags, window=dice.choice((502, 502, 502, 64240)), checksum=wrong,
        )  # fmt: skip
        return packets.ipv4(head, src=src, dst=dst, ident=ident)


def traffic(path: Path, seed: int, count: int) -> None:
    """Write ``count`` packets of a few pairs, each in its own time, one behind the other."""
    dice = random.Random(seed)
    now = 1_700_000_000_000_000
    snap = dice.choice((65535, 60))
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snap, 101))
        for port in range(2000, 2000 + count // 12):
            pair = Pair(dice, port)
            for _ in range(12):
                data, wait = pair.packet()
                now += wait
                if dice.random() < 0.02:
                    now += dice.choice((3_000_000, 40_000_000, 200_000_000))
                cut = data[:snap]
                size = len(cut), len(data)
                out.write(struct.pack("<IIII", now // 1_000_000, now % 1_000_000, *size) + cut)


@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 32))
def test_columns_and_core_agree(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traffic.pcap"
        traffic(path, seed, 400)
        assert differences(path) == []


@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 32), st.sampled_from((3, 5, 8)), st.booleans())
def test_stretch_by_stretch_it_is_the_same(seed: int, stretch: int, hostile: bool) -> None:
    """As connections of very many segments are looked at."""
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(lengthy, "STRETCH", stretch),
        patch.object(lengthy, "BEGINNING", 1 + seed % 2),
        patch.object(lengthy, "LEAST", 1),
        patch.object(building, "CHUNK", 1),
    ):
        path = Path(folder) / "traffic.pcap"
        if hostile:
            test_hostile.traffic(path, seed, 0.01, 300)
        else:
            traffic(path, seed, 300)
        assert differences(path) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_much_of_it_is_regular(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "traffic.pcap"
    traffic(path, seed, 1200)
    made = built(path)
    numbers = np.unique(made.array["shape"]).tolist()
    marks = [made.shapes.connection(number).marks or {} for number in numbers]
    assert sum("retransmission" in each for each in marks) > 3
    assert differences(path, made) == []


def test_a_clock_that_leaps_again_and_again_is_not_followed_by_every_flow(tmp_path: Path) -> None:
    path = tmp_path / "leaps.pcap"
    pair = Pair(random.Random(1), 2000)
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for number in range(building.MAX_LEAPS + 2):
            data, _ = pair.packet()
            day = 1_700_000_000 + number * 100_000
            out.write(struct.pack("<IIII", day, 0, len(data), len(data)) + data)
    with pytest.raises(Unsuited, match="leaps"):
        built(path)
