"""Whatever comes, columns and the scalar core agree: traffic that nobody would send."""

from __future__ import annotations

import random
import struct
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bulk.compare import built, differences
from tests.wire import packets

ADDRESSES = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
FLAGS = (0x02, 0x12, 0x10, 0x18, 0x11, 0x14, 0x04, 0x19, 0x00, 0x29, 0xC2, 0x52, 0x30)


class Talker:
    """Two ends that mostly behave; ``dice`` decides when not."""

    def __init__(self, dice: random.Random, number: int, mischief: float) -> None:
        self.dice = dice
        self.mischief = mischief
        self.ends = (ADDRESSES[0], ADDRESSES[1 + number % 2])
        self.sent: list[bytes] = []
        self.begin()

    def begin(self) -> None:
        # Mostly ports of their own, at times those of the connection before.
        if self.dice.random() < 0.8 or not self.sent:
            self.ports = (self.dice.randrange(1024, 60000), 80)
            self.scale = self.dice.choice((b"", b"\x03\x03\x07\x01"))
            self.stamps = self.dice.random() < 0.5
        self.next = [self.dice.getrandbits(31), self.dice.getrandbits(31)]
        self.echo = [0, 0]
        self.plan = self._plan()

    def _plan(self) -> list[tuple[int, int, int]]:
        dice = self.dice
        plan = [(0, 0x02, 0)]
        kind = dice.randrange(10)
        if kind == 0:
            return plan * dice.randint(1, 3)
        if kind == 1:
            return [*plan, (1, 0x14, 0)]
        plan += [(1, 0x12, 0)]
        if kind == 2:
            return plan
        plan += [(0, 0x10, 0)]
        for _ in range(dice.randint(0, 8)):
            side = dice.randrange(2)
            data = dice.choice((0, 0, 1, 10, 1448))
            plan.append((side, 0x18 if data else 0x10, data))
            if dice.random() < 0.7:
                plan.append((1 - side, 0x10, 0))
        if kind == 3:
            return [*plan, (dice.randrange(2), dice.choice((0x04, 0x14)), 0)]
        if kind == 4:
            return plan
        first = dice.randrange(2)
        plan.append((first, 0x11, dice.choice((0, 0, 50))))
        if dice.random() < 0.5:
            plan.append((1 - first, 0x10, 0))
        if kind == 5:
            return plan
        if dice.random() < 0.3:
            plan.append((1 - first, 0x18, 300))
            if dice.random() < 0.7:
                plan.append((first, 0x10, 0))
        plan.append((1 - first, 0x11, 0))
        if kind == 6:
            return [*plan, (dice.randrange(2), 0x14, 0)]
        return [*plan, (first, 0x10, 0)] if dice.random() < 0.8 else plan

    def packet(self, now_ms: int) -> bytes:
        dice = self.dice
        if self.sent and dice.random() < self.mischief / 3:
            return dice.choice(self.sent[-4:])
        if not self.plan:
            self.begin()
        side, flags, data = self.plan.pop(0)
        seq, ack = self.next[side], self.next[1 - side] if flags & 0x10 else 0
        if flags & 0x14 == 0x14 and not flags & 1 and dice.random() < 0.5:
            seq = seq if self.sent else 0
        window = dice.choice((502, 502, 502, 400, 64240))
        ttl, tos = 64, 0
        if dice.random() < self.mischief:
            trick = dice.randrange(12)
            if trick == 0:
                flags = dice.choice(FLAGS)
            elif trick == 1:
                seq = (seq + dice.choice((-1, 1, 100, 70000, 1 << 30))) & 0xFFFFFFFF
            elif trick == 2:
                ack = (ack + dice.choice((-1, 1, -1000, 1000, 1 << 30))) & 0xFFFFFFFF
            elif trick == 3:
                window = 0
            elif trick == 4:
                ttl = dice.choice((1, 128, 255))
            elif trick == 5:
                tos = 3
            elif trick == 6:
                self.plan.insert(0, (side, flags, data))
            elif trick == 7 and self.plan:
                self.plan.pop(0)
            elif trick == 8:
                self.plan.insert(0, (0, 0x02, 0))
                self.next[0] = dice.getrandbits(31)
            elif trick == 9:
                side = 1 - side
            elif trick == 10:
                data = dice.choice((0, 1, 2, 3000))
            else:
                self.plan.reverse()
        options = b""
        if flags & 0x02:
            options += b"\x02\x04\x05\xb4" + self.scale
        if self.stamps and not flags & 0x04:
            ticks = now_ms if dice.random() > self.mischief / 4 else dice.getrandbits(32)
            options += b"\x01\x01\x08\x0a" + struct.pack("!II", ticks & 0xFFFFFFFF, self.echo[side])
            self.echo[1 - side] = ticks & 0xFFFFFFFF
        src, dst = (self.ends[side], self.ends[1 - side])
        ports = self.ports if side == 0 else (self.ports[1], self.ports[0])
        wrong = 1 if dice.random() < self.mischief / 10 else None
        head = packets.tcp(
            bytes(data), src=src, dst=dst, sport=ports[0], dport=ports[1], seq=seq, ack=ack,
            flags=flags, window=window, options=options, checksum=wrong,
        )  # fmt: skip
        ident = dice.choice((0, dice.getrandbits(16)))
        frame = packets.ipv4(head, src=src, dst=dst, ttl=ttl, tos=tos, ident=ident)
        self.next[side] = (seq + data + bool(flags & 2) + (flags & 1)) & 0xFFFFFFFF
        self.sent.append(frame)
        return frame


def traffic(path: Path, seed: int, mischief: float, count: int = 400) -> None:
    """Write ``count`` packets of some talkers, whose clocks now and then jump."""
    dice = random.Random(seed)
    talkers = [Talker(dice, number, mischief) for number in range(5)]
    now = 1_700_000_000_000_000
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for _ in range(count):
            now += dice.choice((5, 50, 900, 3_000, 40_000, 150_000, 1_100_000))
            if dice.random() < mischief / 5:
                now += dice.choice(
                    (-2_000_000, 11_000_000, 61_000_000, 130_000_000, 90_000_000_000)
                )
            data = dice.choice(talkers).packet(now // 1000)
            cut = data[: dice.choice((len(data), len(data), 60))]
            out.write(struct.pack("<IIII", now // 1_000_000, now % 1_000_000, len(cut), len(data)))
            out.write(cut)


@settings(deadline=None, max_examples=12, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 32), st.sampled_from((0.0, 0.01, 0.05, 0.2)))
def test_columns_and_core_agree(seed: int, mischief: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traffic.pcap"
        traffic(path, seed, mischief)
        assert differences(path) == []


def test_well_behaved_traffic_is_mostly_regular(tmp_path: Path) -> None:
    path = tmp_path / "traffic.pcap"
    traffic(path, 1, 0.0, 1000)
    building = built(path)
    assert len(building.array["first"]) > 10
    assert differences(path, building) == []
