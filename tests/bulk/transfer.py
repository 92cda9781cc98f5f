"""A long transfer between two ends that do what TCP does, captured somewhere between them.

Many segments in flight, delayed and stretched ACKs, losses before and behind the place of
capture with SACK and retransmissions, packets that overtake each other or are captured twice,
closed windows with probes and updates, keep-alives, data both ways, numbers that come round, wrong
checksums; which of it is drawn by the seed. What is written is a capture of raw IPv4.
"""

from __future__ import annotations

import heapq
import itertools
import random
import struct
from dataclasses import dataclass, field
from pathlib import Path

MASK = 0xFFFFFFFF
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MS = 1000  # microseconds


@dataclass
class Manner:
    """How a transfer goes; ``both`` ends send if it says so."""

    dice: random.Random
    both: bool = False
    size: int = 1448
    flight: int = 40
    lost_before: float = 0.0
    lost_behind: float = 0.0
    swapped: float = 0.0
    twice: float = 0.0
    stretch: int = 2
    slow: float = 0.0
    stamps: bool = True
    sack: bool = True
    scale: int | None = 7
    naming: str = "counting"
    sums: str = "right"
    captured: int = 96
    late: bool = False
    odd: float = 0.0
    end: str = "fin"
    first: tuple[int, int] = (0, 0)


def drawn(seed: int) -> Manner:
    """Any manner."""
    dice = random.Random(seed)

    def often(*values: float) -> float:
        return dice.choice((0.0, 0.0, *values))

    return Manner(
        dice,
        both=dice.random() < 0.3,
        size=dice.choice((1, 100, 1448, 1448, 1448, 17376, 65160)),
        flight=dice.choice((4, 20, 60, 200)),
        lost_before=often(0.002, 0.01, 0.05),
        lost_behind=often(0.002, 0.01, 0.05),
        swapped=often(0.002, 0.02),
        twice=often(0.002, 0.02),
        stretch=dice.choice((1, 2, 2, 4, 16)),
        slow=often(0.01, 0.1),
        stamps=dice.random() < 0.7,
        sack=dice.random() < 0.7,
        scale=dice.choice((None, 0, 2, 7, 7, 10)),
        naming=dice.choice(("counting", "counting", "zero", "any", "same", "mixed")),
        sums=dice.choice(("right", "right", "client wrong", "both wrong", "few wrong", "late")),
        captured=dice.choice((96, 96, 65535)),
        late=dice.random() < 0.15,
        odd=often(0.002, 0.02),
        end=dice.choice(("fin", "fin", "half", "reset", "nothing")),
        first=(
            dice.choice((dice.getrandbits(32), MASK - dice.randrange(1 << 20))),
            dice.choice((dice.getrandbits(32), MASK - dice.randrange(1 << 20))),
        ),
    )


@dataclass
class Host:
    """One end: what it has sent, and what has come."""

    next: int = 1
    una: int = 1
    sent: list[tuple[int, int]] = field(default_factory=list)
    heard: int = 1
    beyond: list[tuple[int, int]] = field(default_factory=list)
    waiting: int = 0
    unread: int = 0
    peer_window: int = 1 << 16
    repeats: int = 0
    again: int = 0
    recent: int = 0
    named: int = 0
    told: int = 0


class Transfer:
    """The two ends, and the cable with the place of capture in its middle."""

    def __init__(self, manner: Manner, count: int) -> None:
        self.manner, self.dice, self.count = manner, manner.dice, count
        self.hosts = Host(named=self.dice.getrandbits(16)), Host(named=self.dice.getrandbits(16))
        self.room = self.dice.choice((1 << 15, 1 << 18, 1 << 22))
        if manner.scale is None:
            self.room = 60_000
        self.delay = self.dice.choice((50, 2 * MS, 20 * MS))
        self.queue: list[tuple[int, int, str, int, tuple[int, ...]]] = []
        self.order = itertools.count()
        self.now = 0
        self.packets: list[tuple[int, bytes, int]] = []

    # -- time ---------------------------------------------------------------

    def at(self, delay: int, what: str, side: int, *facts: int) -> None:
        heapq.heappush(self.queue, (self.now + delay, next(self.order), what, side, facts))

    def run(self) -> None:
        manner = self.manner
        if manner.late:
            self.at(1, "push", 0)
        else:
            self.packet(0, SYN, 0, 0)
            self.now += self.delay
            self.packet(1, SYN | ACK, 0, 1)
            self.now += self.delay
            self.packet(0, ACK, 1, 1)
            self.at(1, "push", 0)
        if manner.both:
            self.at(1, "push", 1)
        self.at(20 * self.delay, "timer", 0)
        self.at(20 * self.delay, "timer", 1)
        while self.queue and len(self.packets) < self.count:
            self.now, _, what, side, facts = heapq.heappop(self.queue)
            getattr(self, what)(side, *facts)
        self.finish()

    def finish(self) -> None:
        one, two = self.hosts
        if self.manner.end == "nothing":
            return
        self.now += 300 * MS
        self.packet(1, ACK, two.next, one.next)
        self.packet(0, ACK, one.next, two.next)
        if self.manner.end == "reset":
            self.packet(0, RST | ACK, one.next, two.next)
            return
        self.packet(0, FIN | ACK, one.next, two.next)
        one.next += 1
        self.packet(1, ACK, two.next, one.next)
        if self.manner.end == "half":
            for _ in range(200):
                self.now += 50
                self.packet(1, ACK, two.next, one.next, 1448)
                two.next += 1448
            self.packet(0, ACK, one.next, two.next)
        self.packet(1, FIN | ACK, two.next, one.next)
        self.packet(0, ACK, one.next, two.next + 1)

    # -- what ends do -------------------------------------------------------

    def push(self, side: int) -> None:
        """Send as much as there is room for."""
        me, manner = self.hosts[side], self.manner
        while me.next - me.una < min(me.peer_window, manner.flight * manner.size):
            size = manner.size
            if self.dice.random() < 0.1:
                size = self.dice.randint(1, size)
            size = min(size, me.una + me.peer_window - me.next)
            if size <= 0:
                break
            self.data(side, me.next, size)
            me.sent.append((me.next, size))
            me.next += size
            if self.dice.random() < 0.02:
                self.at(self.dice.choice((100, 5 * MS)), "push", side)
                break

    def data(self, side: int, seq: int, size: int) -> None:
        me, manner, dice = self.hosts[side], self.manner, self.dice
        me.waiting = 0
        if dice.random() < manner.lost_before:
            return
        late = self.delay // 2 if dice.random() < manner.swapped else 0
        self.at(self.spent(side) + late, "passes", side, seq, size, me.heard, self.window(side))

    def spent(self, side: int) -> int:
        """Packets leave one after the other."""
        me = self.hosts[side]
        me.told = max(me.told + 1, self.now)
        return me.told - self.now

    def passes(self, side: int, seq: int, size: int, ack: int, window: int) -> None:
        """A packet comes by the place of capture."""
        dice, manner = self.dice, self.manner
        me = self.hosts[side]
        blocks = me.beyond[-3:][::-1] if manner.sack and me.beyond else []
        flags = ACK | (PSH if size and dice.random() < 0.2 else 0)
        self.packet(side, flags, seq, ack, size, window, blocks)
        if dice.random() < manner.twice:
            self.packets.append((self.now + dice.choice((0, 1, 20)), *self.packets[-1][1:]))
        if dice.random() < manner.lost_behind:
            return
        self.at(self.delay, "comes", 1 - side, seq, size, ack, window)

    def comes(self, side: int, seq: int, size: int, ack: int, window: int) -> None:
        """A packet arrives at its receiver."""
        me = self.hosts[side]
        if ack > me.una:
            me.una, me.repeats, me.again = ack, 0, 0
            me.sent = [each for each in me.sent if sum(each) > ack]
        elif ack == me.una and not size and me.next > me.una and window == me.peer_window:
            me.repeats += 1
            if me.repeats == 3 and me.sent:
                self.data(side, *me.sent[0])
        me.peer_window = window
        if size:
            self.taken(side, seq, size)
        self.push(side)

    def taken(self, side: int, seq: int, size: int) -> None:
        me, dice = self.hosts[side], self.dice
        end = seq + size
        if seq > me.heard:
            me.beyond.append((seq, end))
            self.answer(side)
            return
        if end <= me.heard:
            self.answer(side)
            return
        if dice.random() < self.manner.slow:
            me.unread = self.room  # nobody reads for a while
            self.at(dice.choice((3, 40)) * MS, "read", side)
        me.heard = end
        for one in sorted(me.beyond):
            if one[0] <= me.heard:
                me.heard = max(me.heard, one[1])
        me.beyond = [one for one in me.beyond if one[0] > me.heard]
        me.waiting += 1
        if me.waiting >= self.manner.stretch or dice.random() < 0.1:
            self.answer(side)
        else:
            self.at(4 * MS, "delayed", side)

    def delayed(self, side: int) -> None:
        if self.hosts[side].waiting:
            self.answer(side)

    def answer(self, side: int) -> None:
        me = self.hosts[side]
        me.waiting = 0
        self.at(self.spent(side), "passes", side, me.next, 0, me.heard, self.window(side))

    def read(self, side: int) -> None:
        self.hosts[side].unread = 0
        self.answer(side)

    def timer(self, side: int) -> None:
        """Nothing was acknowledged for long: once more, a probe, or a keep-alive."""
        me, dice = self.hosts[side], self.dice
        self.at(max(20 * self.delay, 5 * MS), "timer", side)
        if me.sent and me.una == me.again:
            self.data(side, *me.sent[0])
        elif me.peer_window == 0 and not me.sent:
            if dice.random() < 0.5:
                self.at(0, "passes", side, me.next - 1, 0, me.heard, self.window(side))
            else:
                self.at(0, "passes", side, me.next, 1, me.heard, self.window(side))
        elif dice.random() < 0.05:
            self.at(
                0, "passes", side, me.next - 1, dice.choice((0, 1)), me.heard, self.window(side)
            )
        me.again = me.una

    def window(self, side: int) -> int:
        free = self.room - self.hosts[side].unread
        if self.dice.random() < 0.05:
            free = free * self.dice.randint(50, 100) // 100
        scale = self.manner.scale or 0
        return min(free >> scale, 0xFFFF) << scale

    # -- what is captured ---------------------------------------------------

    def name(self, side: int) -> int:
        me, kind = self.hosts[side], self.manner.naming
        if kind == "mixed":
            kind = self.dice.choice(("counting", "counting", "zero")) if side else "any"
        if kind == "counting":
            me.named = (me.named + self.dice.choice((1, 1, 45))) & 0xFFFF
        elif kind == "any":
            me.named = self.dice.getrandbits(16)
        return {"zero": 0, "same": 4711}.get(kind, me.named)

    def packet(
        self,
        side: int,
        flags: int,
        seq: int,
        ack: int,
        size: int = 0,
        window: int = 1 << 16,
        blocks: list[tuple[int, int]] | tuple[()] = (),
    ) -> None:
        manner, dice = self.manner, self.dice
        me, peer = self.hosts[side], self.hosts[1 - side]
        mine, theirs = manner.first[side], manner.first[1 - side]
        options = b""
        if flags & SYN:
            options += b"\x02\x04\x05\xb4"
            if manner.sack:
                options += b"\x01\x01\x04\x02"
            if manner.scale is not None:
                options += b"\x01\x03\x03" + bytes([manner.scale])
        shown = min(window >> (0 if flags & SYN else manner.scale or 0), 0xFFFF)
        if manner.stamps:
            stamp = (self.now // MS + 77) & MASK
            options += b"\x01\x01\x08\x0a" + struct.pack("!II", stamp, peer.recent)
            me.recent = stamp
        if blocks:
            options += b"\x01\x01\x05" + bytes([2 + 8 * len(blocks)])
            for pair in blocks:
                options += struct.pack("!II", *((theirs + each) & MASK for each in pair))
        ttl = 64 - side
        if dice.random() < manner.odd:
            trick = dice.randrange(7)
            if trick == 0:
                flags |= 0x40
            elif trick == 1:
                ttl = dice.choice((1, 99, 200, 201, 202, 203))
            elif trick == 2:
                seq += dice.choice((-1, 1, -100_000, 100_000))
            elif trick == 3:
                ack += dice.choice((-1, 1, -100_000, 100_000))
            elif trick == 4 and len(options) <= 36:
                options += b"\xfe\x04ab"
            elif trick == 5:
                shown = dice.getrandbits(16)
            else:
                flags |= 0x20
        ports = (5201, 40000) if side else (40000, 5201)
        bits = (20 + len(options)) // 4 << 12 | flags
        numbers = (mine + seq) & MASK, (theirs + ack) & MASK if flags & ACK else 0
        tcp = struct.pack("!HHIIHHHH", *ports, *numbers, bits, shown, 0, 0) + options
        total = min(20 + len(tcp) + size, 65535)
        size = total - 20 - len(tcp)
        kept = min(size, manner.captured)  # the rest is not written
        data = bytes(kept) if dice.random() < 0.99 else bytes([7]) * kept
        addresses = b"\x0a\0\0\1\x0a\0\0\2" if side == 0 else b"\x0a\0\0\2\x0a\0\0\1"
        head = struct.pack("!BBHHHBBH", 0x45, 0, total, self.name(side), 0x4000, ttl, 6, 0)
        whole = addresses + struct.pack("!HH", 6, total - 20) + tcp + data
        right = 65535 - int.from_bytes(whole + b"\0" * (len(whole) % 2), "big") % 65535
        if self.wrong(side, size):
            right ^= 0x1234
        tcp = tcp[:16] + struct.pack("!H", right) + tcp[18:]
        frame = head + addresses + tcp + data
        self.packets.append((self.now, frame[: manner.captured], total))

    def wrong(self, side: int, size: int) -> bool:
        kind = self.manner.sums
        if kind == "by chance":  # all of the client's are filled in later, and some are right
            return side == 0 and self.dice.random() > 0.004
        if kind == "late":
            return side == 0 and size > 0 and len(self.packets) > self.count // 3
        return (
            (kind == "client wrong" and side == 0)
            or kind == "both wrong"
            or (kind == "few wrong" and self.dice.random() < 0.01)
        )


def write(path: Path, manner: Manner, count: int) -> int:
    """Write about ``count`` packets of a transfer; returns how many there are."""
    transfer = Transfer(manner, count)
    transfer.run()
    begun = 1_700_000_000_000_000
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for when, data, size in transfer.packets:
            seconds, part = divmod(begun + when, 1_000_000)
            out.write(struct.pack("<IIII", seconds, part, len(data), size) + data)
    return len(transfer.packets)
