"""Captures of links that lose, as somebody opens them in the night; some 300 000 packets each.

Two ends that do what TCP does (RFC 9293, 5681, 6298, 6582, 2018) and a cable between them with the
place of capture in its middle; a connection at a time, then put in time's order. ``python -m
tests.bench.losses FOLDER [KIND ...]`` writes them, ``--size 0.1`` a tenth of each.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MASK = 0xFFFFFFFF
MS = 1000  # microseconds
SNAPLEN = 96
SERVER = 0x0A800001
LONGEST = 900_000 * MS

Packet = tuple[int, bytes, int]
"""Microseconds, the frame as far as it was captured, its length."""


@dataclass
class Manner:
    """How a connection goes.

    ``exchanges``  bytes of each question and of its answer
    ``lost``       share of packets lost before, and behind, the place of capture
    ``late``       share that others overtake
    ``reads``      the client takes so much from its buffer at a time, each ``pause`` (0: at once)
    ``half``       the client sends its FIN with its last question
    ``alive``      so many keep-alives before the end, one each ``idle``
    ``missed``     share of packets that the capturing program lost
    ``told``       a router answers the client's packet of this number with an ICMP error
    """

    dice: random.Random
    exchanges: list[tuple[int, int]]
    lost: tuple[float, float] = (0.0, 0.0)
    late: float = 0.0
    sack: bool = True
    stamps: bool = True
    delay: int = 10 * MS
    flight: int = 40
    room: int = 1 << 18
    reads: int = 0
    pause: int = 0
    half: bool = False
    alive: int = 0
    idle: int = 10_000 * MS
    missed: float = 0.0
    told: int = 0


class End:
    """One end; numbers are counted from its first one."""

    def __init__(self, first: int, ident: int) -> None:
        self.first, self.ident = first, ident
        self.una = self.next = self.far = 0
        self.wrote = 1
        self.closes = False
        self.fin = -1
        self.heard = 0
        self.beyond: list[tuple[int, int]] = []
        self.sacked: list[tuple[int, int]] = []
        self.unread = 0
        self.owed = 0
        self.offered = 1 << 16
        self.repeats = 0
        self.recover = -1
        self.mended = 0
        self.window = 10
        self.timer = self.backoff = 0
        self.recent = 0
        self.shown = self.told = -1


class Talk:
    """A connection from its first SYN on, as it was captured: ``packets``."""

    def __init__(self, manner: Manner, client: int, port: int, begin: int) -> None:
        self.manner, self.dice = manner, manner.dice
        self.addresses, self.ports = (client, SERVER), (port, 80)
        bits = self.dice.getrandbits
        self.ends = End(bits(32), bits(16)), End(bits(32), bits(16))
        self.packets: list[Packet] = []
        self.now = begin
        self._queue: list[tuple[int, int, Callable[..., None], tuple[int, ...]]] = []
        self._serial = itertools.count()
        self._asked = self._answered = 1
        self._turn = 0
        self._alive = manner.alive
        self._sent = 0

    def run(self) -> list[Packet]:
        self.push(0)
        end = self.now + LONGEST
        while self._queue and self.now < end:
            self.now, _, call, facts = heapq.heappop(self._queue)
            call(*facts)
        return self.packets

    def after(self, delay: int, call: Callable[..., None], *facts: int) -> None:
        heapq.heappush(self._queue, (self.now + delay, next(self._serial), call, facts))

    # -- sending ------------------------------------------------------------

    def push(self, side: int) -> None:
        me = self.ends[side]
        if me.next == 0 and (side == 0 or me.heard):
            self.send(side, 0, 1)
            me.next = me.far = 1
            self.arm(side)
        manner = self.manner
        while me.una and me.next < me.wrote:
            allowed = min(me.offered, min(me.window, manner.flight) * 1448)
            size = min(1448, me.wrote - me.next, me.una + allowed - me.next)
            if size <= 0 or (size < 1448 and me.next + size < me.wrote and me.una < me.next):
                break
            self.send(side, me.next, size)
            me.next += size
        if me.una and me.closes and me.fin < 0 and me.next == me.wrote:
            me.fin = me.next
            self.send(side, me.next, 1)
            me.next += 1
        me.far = max(me.far, me.next)
        if me.una < me.next or (me.una and me.next < me.wrote):
            self.arm(side, again=False)

    def arm(self, side: int, *, again: bool = True) -> None:
        me = self.ends[side]
        if again or not me.timer:
            me.timer = next(self._serial)
            least = 1000 * MS if not me.una else 200 * MS + 2 * self.manner.delay
            self.after(least << min(me.backoff, 6), self.timeout, side, me.timer)

    def timeout(self, side: int, number: int) -> None:
        me = self.ends[side]
        if me.timer != number:
            return
        me.timer = 0
        if me.una >= me.next and me.next >= me.wrote:
            return
        me.backoff += 1
        if me.backoff > 6:
            return
        if me.una == me.next:  # the window is closed: a probe
            self.emit(side, ACK, me.next - 1, 0)
        else:
            me.recover, me.window, me.repeats, me.mended = me.next, 1, 0, me.una
            self.again(side, me.una)
        self.arm(side)

    def again(self, side: int, seq: int) -> None:
        me = self.ends[side]
        end = me.fin if 0 <= seq < me.fin else me.next
        size = 1 if seq in (0, me.fin) else min(1448, end - seq)
        for low, _ in me.sacked:
            if low > seq:
                size = min(size, low - seq)
        self.send(side, seq, size)
        me.mended = seq + size

    def send(self, side: int, seq: int, size: int) -> None:
        me = self.ends[side]
        if seq == 0:
            self.emit(side, SYN | (ACK if side else 0), 0, 0)
        elif seq == me.fin:
            self.emit(side, FIN | ACK, seq, 0)
        else:
            last = seq + size >= me.wrote
            self.emit(side, ACK | (PSH if last else 0), seq, size)

    # -- hearing ------------------------------------------------------------

    def comes(self, side: int, flags: int, seq: int, size: int, ack: int, window: int,
              *blocks: int) -> None:  # fmt: skip
        """A packet reaches ``side``."""
        me = self.ends[side]
        if flags & ACK:
            self.acknowledged(side, ack, window, bool(size or flags & (SYN | FIN)), blocks)
        took = size + (flags & FIN) + (flags >> 1 & 1)
        if took:
            self.taken(side, seq, took, at_once=bool(flags & (SYN | FIN)))
        elif seq < me.heard and self.now - me.told >= 100 * MS:
            me.told = self.now
            self.answer(side)  # a probe, or a keep-alive
        self.push(side)
        self.goes_on()

    def acknowledged(
        self, side: int, ack: int, window: int, says: bool, blocks: tuple[int, ...]
    ) -> None:
        me = self.ends[side]
        me.sacked = sorted({*zip(blocks[::2], blocks[1::2], strict=True), *me.sacked})
        me.sacked = [one for one in me.sacked if one[1] > ack]
        if ack > me.una:
            me.una, me.backoff, me.timer = ack, 0, 0
            me.repeats = 0
            me.window = min(me.window + 1, 400)
            if me.recover >= 0 and ack < me.recover:
                if me.mended <= ack:
                    self.again(side, ack)
            else:
                me.recover = -1
            if me.una < me.next:
                self.arm(side)
        elif ack == me.una < me.next and not says and window == me.offered:
            me.repeats += 1
            if me.repeats == 3 and me.recover < 0:
                me.recover, me.window = me.next, max(me.window // 2, 2)
                self.again(side, ack)
            elif me.repeats > 3 and me.sacked and me.recover >= 0:
                hole = max(me.mended, me.una)
                for low, high in me.sacked:
                    if low <= hole < high:
                        hole = high
                if hole < me.sacked[-1][0]:
                    self.again(side, hole)
        if window and not me.offered:
            me.backoff = me.timer = 0
        me.offered = window

    def taken(self, side: int, seq: int, took: int, *, at_once: bool) -> None:
        me = self.ends[side]
        end = seq + took
        if end <= me.heard or seq > me.heard:
            if seq > me.heard:
                me.beyond = [(seq, end), *(one for one in me.beyond if one != (seq, end))]
            self.answer(side)
            return
        before = me.heard
        me.heard = end
        for low, high in sorted(me.beyond):
            if low <= me.heard:
                me.heard = max(me.heard, high)
        filled = len(me.beyond)
        me.beyond = [one for one in me.beyond if one[1] > me.heard]
        if side == 0 and self.manner.pause:
            me.unread += me.heard - before
        me.owed += 1
        if at_once or filled or me.owed >= 2:
            self.answer(side)
        else:
            self.after(40 * MS, self.delayed, side)

    def delayed(self, side: int) -> None:
        if self.ends[side].owed:
            self.answer(side)

    def answer(self, side: int) -> None:
        me = self.ends[side]
        if me.next:
            self.emit(side, ACK, me.next, 0)
        elif side == 1:
            self.push(1)

    def read(self) -> None:
        """The client takes from its buffer, and tells of room if there was hardly any."""
        me, manner = self.ends[0], self.manner
        little = manner.room - me.unread < 2 * 1448
        me.unread = max(0, me.unread - manner.reads)
        if little and manner.room - me.unread >= 2 * 1448:
            self.emit(0, ACK, me.next, 0)
        if not me.beyond and self.ends[1].fin >= 0 and me.heard > self.ends[1].fin:
            return
        self.after(manner.pause, self.read)

    # -- what the programs do -----------------------------------------------

    def goes_on(self) -> None:
        one, two = self.ends
        if self._turn == 0 and one.una and one.heard:
            self._turn = 1
            self._ask()
            if self.manner.pause:
                self.after(self.manner.pause, self.read)
        elif self._turn > 0 and self._turn % 2 and two.heard >= self._asked:
            self._turn += 1
            size = self.manner.exchanges[self._turn // 2 - 1][1]
            two.wrote += size
            self._answered = two.wrote
            self.push(1)
        elif self._turn > 0 and self._turn % 2 == 0 and one.heard >= self._answered:
            if self._turn // 2 < len(self.manner.exchanges):
                self._turn += 1
                self._ask()
            elif self._alive:
                self._turn = -1
                self.after(self.manner.idle, self.keep_alive)
            else:
                self._close()
        if two.fin < 0 and one.fin >= 0 and two.heard > one.fin and two.wrote > 1:
            done = not self.manner.half or two.una >= two.wrote
            if done and self._turn < 0:
                two.closes = True
                self.push(1)

    def _ask(self) -> None:
        one = self.ends[0]
        one.wrote += self.manner.exchanges[self._turn // 2][0]
        self._asked = one.wrote
        if self.manner.half and self._turn // 2 + 1 == len(self.manner.exchanges):
            one.closes = True
        self.push(0)

    def _close(self) -> None:
        self._turn = -1
        self.ends[0].closes = True
        self.push(0)
        if self.manner.half:
            self.ends[1].closes = True
            self.push(1)

    def keep_alive(self) -> None:
        one = self.ends[0]
        self._alive -= 1
        self.emit(0, ACK, one.next - 1, 0)
        if self._alive:
            self.after(self.manner.idle, self.keep_alive)
        else:
            self.after(self.manner.idle, self._close)

    # -- on the cable -------------------------------------------------------

    def emit(self, side: int, flags: int, seq: int, size: int) -> None:
        me, manner, dice = self.ends[side], self.manner, self.dice
        me.ident = (me.ident + 1) & 0xFFFF
        me.owed = 0
        room = manner.room - me.unread - sum(high - low for low, high in me.beyond)
        window = 0 if room < 2 * 1448 and manner.pause and side == 0 else max(room, 0) >> 7 << 7
        if flags & SYN:
            window = 64240
        blocks = [each for pair in me.beyond[:3] for each in pair] if manner.sack else []
        ack = me.heard if flags & ACK else 0
        # Packets of one end leave one behind the other.
        spent = max(me.shown + 1, self.now)
        me.shown = spent
        if dice.random() < manner.lost[0]:
            return
        late = manner.delay // 2 + 600 if dice.random() < manner.late else 0
        facts = side, flags, seq, size, ack, window, me.ident, *blocks
        self.after(spent - self.now + late + 5, self.passes, *facts)

    def passes(
        self, side: int, flags: int, seq: int, size: int, ack: int, window: int, ident: int,
        *blocks: int,
    ) -> None:  # fmt: skip
        """It comes by the place of capture."""
        manner, dice = self.manner, self.dice
        self._sent += side == 0
        frame = self.frame(side, flags, seq, size, ack, window, ident, blocks)
        if dice.random() >= manner.missed:
            self.packets.append((self.now, frame[:SNAPLEN], len(frame) + size))
        if side == 0 and self._sent == manner.told:
            self.packets.append((self.now + 300, *_unreachable(frame)))
        if dice.random() >= manner.lost[1]:
            self.after(manner.delay, self.comes, 1 - side, flags, seq, size, ack, window, *blocks)

    def frame(
        self, side: int, flags: int, seq: int, size: int, ack: int, window: int, ident: int,
        blocks: tuple[int, ...],
    ) -> bytes:  # fmt: skip
        me, peer, manner = self.ends[side], self.ends[1 - side], self.manner
        options = b""
        if flags & SYN:
            options += b"\x02\x04\x05\xb4\x01\x03\x03\x07" + b"\x01\x01\x04\x02" * manner.sack
        if manner.stamps:
            stamp = self.now // MS & MASK
            options += b"\x01\x01\x08\x0a" + struct.pack("!II", stamp, peer.recent)
            me.recent = stamp
        if blocks:
            options += b"\x01\x01\x05" + bytes([2 + 4 * len(blocks)])
            options += struct.pack(f"!{len(blocks)}I", *((peer.first + b) & MASK for b in blocks))
        head = 20 + len(options)
        ports = self.ports if side == 0 else self.ports[::-1]
        ends = self.addresses if side == 0 else self.addresses[::-1]
        shown = window if flags & SYN else min(window >> 7, 0xFFFF)
        numbers = (me.first + seq) & MASK, (peer.first + ack) & MASK if flags & ACK else 0
        tcp = struct.pack("!HHIIBBHHH", *ports, *numbers, head << 2, flags, shown, 0, 0) + options
        # The data is zeros, and adds nothing to the sum.
        whole = struct.pack("!IIHH", *ends, 6, head + size) + tcp
        total = 65535 - int.from_bytes(whole, "big") % 65535
        tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
        ip = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + head + size, ident, 0x4000, 64 - side, 6, 0,
                         *ends)  # fmt: skip
        frame = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\0" + ip + tcp
        return frame + bytes(max(0, min(size, SNAPLEN - len(frame))))


def _unreachable(frame: bytes) -> tuple[bytes, int]:
    """A router's word about a packet: its host cannot be reached."""
    body = struct.pack("!BBHI", 3, 1, 0, 0) + frame[14 : 14 + 28]
    total = 65535 - int.from_bytes(body, "big") % 65535
    body = body[:2] + struct.pack("!H", total) + body[4:]
    to = int.from_bytes(frame[26:30], "big")
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(body), 0, 0, 63, 1, 0, 0x0A090909, to)
    made = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0" + ip + body
    return made, len(made)


# -- kinds -----------------------------------------------------------------

BEGUN = 1_700_000_000_000_000


def _visit(dice: random.Random, **facts: object) -> Manner:
    exchanges = [
        (dice.randint(80, 900), dice.randint(200, 24_000)) for _ in range(dice.choice((1, 1, 2)))
    ]
    return Manner(dice, exchanges, delay=dice.choice((1, 10, 40)) * MS, **facts)  # type: ignore[arg-type]


def _long(dice: random.Random, size: float, **facts: object) -> Manner:
    packets = int(size * 15_000 / 1.5)
    asked = 300
    return Manner(dice, [(asked, packets * 1448)], delay=dice.choice((1, 5, 20)) * MS, **facts)  # type: ignore[arg-type]


def _visits(size: float, dice: random.Random, **facts: object) -> list[Manner]:
    return [_visit(dice, **facts) for _ in range(max(int(10_000 * size), 1))]


def _longs(size: float, dice: random.Random, **facts: object) -> list[Manner]:
    # A few whole ones rather than many that are not long.
    count = max(int(20 * min(1, 4 * size)), 1)
    return [_long(dice, size * 20 / count, **facts) for _ in range(count)]


def _told(size: float, dice: random.Random) -> list[Manner]:
    made = _visits(size, dice, lost=(0.002, 0.002))
    for one in made[::10]:
        one.told = dice.randint(1, 8)
    return made


KINDS: dict[str, Callable[[float, random.Random], list[Manner]]] = {
    "visits-1": lambda size, dice: _visits(size, dice, lost=(0.005, 0.005)),
    "visits-5": lambda size, dice: _visits(size, dice, lost=(0.025, 0.025)),
    "visits-20": lambda size, dice: _visits(size, dice, lost=(0.1, 0.1)),
    "long-0.1-sack": lambda size, dice: _longs(size, dice, lost=(0.0005, 0.0005)),
    "long-1-sack": lambda size, dice: _longs(size, dice, lost=(0.005, 0.005)),
    "long-5-sack": lambda size, dice: _longs(size, dice, lost=(0.025, 0.025)),
    "long-0.1": lambda size, dice: _longs(size, dice, lost=(0.0005, 0.0005), sack=False),
    "long-1": lambda size, dice: _longs(size, dice, lost=(0.005, 0.005), sack=False),
    "long-5": lambda size, dice: _longs(size, dice, lost=(0.025, 0.025), sack=False),
    "late-1": lambda size, dice: _longs(size, dice, late=0.01),
    "late-10": lambda size, dice: _longs(size, dice, late=0.1),
    "visits-late": lambda size, dice: _visits(size, dice, late=0.03),
    "slow": lambda size, dice: _longs(size, dice, reads=20_000, pause=30 * MS, room=1 << 16),
    "alive": lambda size, dice: [
        _visit(dice, alive=dice.randint(1, 60)) for _ in range(max(int(4000 * size), 1))
    ],
    "half": lambda size, dice: _longs(size, dice, half=True),
    "half-lossy": lambda size, dice: _longs(size, dice, half=True, lost=(0.002, 0.002)),
    "missed": lambda size, dice: (
        _visits(size / 2, dice, missed=0.01) + _longs(size / 2, dice, missed=0.01)
    ),
    "told": _told,
}  # fmt: skip


def drawn(dice: random.Random, most: int) -> Manner:
    """Any manner, of about ``most`` packets."""

    def often(*values: float) -> float:
        return dice.choice((0.0, 0.0, *values))

    exchanges = [
        (dice.randint(1, 3000), dice.randint(1, 1 + dice.choice((1, 10, most)) * 1448))
        for _ in range(dice.choice((1, 1, 2, 5)))
    ]
    slow = dice.random() < 0.2
    return Manner(
        dice,
        exchanges,
        lost=(often(0.005, 0.03, 0.1), often(0.005, 0.03, 0.1)),
        late=often(0.01, 0.1),
        sack=dice.random() < 0.7,
        stamps=dice.random() < 0.7,
        delay=dice.choice((1, 10, 40)) * MS,
        flight=dice.choice((4, 40, 200)),
        room=1 << (16 if slow else 18),
        reads=20_000 if slow else 0,
        pause=30 * MS if slow else 0,
        half=dice.random() < 0.4,
        alive=dice.choice((0, 0, 0, 1, 3, 20)),
        idle=dice.choice((300, 10_000, 45_000)) * MS,
        missed=often(0.003, 0.03),
        told=dice.choice((0, 0, 0, dice.randint(1, 20))),
    )


def write(path: Path, kind: str, size: float = 1.0, seed: int = 1) -> int:
    """Write a capture of a kind; returns how many packets there are."""
    dice = random.Random(f"{kind} {seed}")
    return put(path, KINDS[kind](size, dice), dice)


def put(path: Path, manners: list[Manner], dice: random.Random) -> int:
    """Write connections that go like this; returns how many packets there are."""
    packets: list[Packet] = []
    for number, manner in enumerate(manners):
        client, port = 0x0A000002 + number // 20_000, 20_000 + number % 20_000
        packets += Talk(manner, client, port, BEGUN + dice.randrange(20_000 * MS)).run()
    put_packets(path, packets)
    return len(packets)


def put_packets(path: Path, packets: list[Packet]) -> None:
    """Write a capture of these, in time's order."""
    packets.sort(key=lambda one: one[0])
    with path.open("wb") as out:
        longest = max([SNAPLEN, *(len(data) for _, data, _ in packets)])
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, longest, 1))
        for when, data, length in packets:
            stamp = when // 1_000_000, when % 1_000_000
            out.write(struct.pack("<IIII", *stamp, len(data), length) + data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--size", type=float, default=1.0)
    options = parser.parse_args()
    for kind in options.kinds:
        count = write(options.folder / f"{kind}.pcap", kind, options.size)
        print(kind, count, flush=True)


if __name__ == "__main__":
    main()
