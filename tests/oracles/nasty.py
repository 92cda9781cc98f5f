"""Random dialogues that no well-behaved pair of ends would hold, as captures.

Not a simulation: two books of numbers, and segments near them, chosen so that
every rule of the marks is met often: old data again, data beyond a gap, windows
that close, probes, keep-alives, repeated ACKs with and without SACK, resets and
SYNs in the middle, and pauses on both sides of every threshold of time.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tcpviz.core.segment import Options
from tcpviz.sources.writer import PcapngWriter
from tcpviz.wire.frame import Frame
from tests.wire import packets

M = 0xFFFFFFFF
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
ODD_OPENINGS = (
    "crossing",
    "data in the SYN",
    "data in the SYN,ACK",
    "SYN,ACK first",
    "refused",
    "scan",
    "repeated",
)
US, MS = 1_000, 1_000_000
PAUSES = (20 * US, 300 * US, 900 * US, 4 * MS, 15 * MS, 30 * MS, 250 * MS, 1_100 * MS)


@dataclass
class Book:
    """What one end has sent: from ``una`` to ``nxt``; ``got`` is what it acknowledges."""

    isn: int
    nxt: int = 0
    una: int = 0
    got: int = 0
    window: int = 8000
    sizes: tuple[tuple[int, int], ...] = ()


def encoded(options: Options) -> bytes:
    """Options on the wire (RFC 9293 section 3.2), padded with NOPs."""
    data = b""
    if options.mss is not None:
        data += struct.pack("!BBH", 2, 4, options.mss)
    if options.window_scale is not None:
        data += struct.pack("!BBB", 3, 3, options.window_scale)
    if options.sack_permitted:
        data += b"\x04\x02"
    if options.sack:
        data += struct.pack("!BB", 5, 2 + 8 * len(options.sack))
        data += b"".join(struct.pack("!II", *block) for block in options.sack)
    if options.fast_open is not None:
        data += struct.pack("!BB", 34, 2 + len(options.fast_open)) + options.fast_open
    if options.timestamps is not None:
        data += struct.pack("!BBII", 8, 10, *options.timestamps)
    return data + b"\x01" * (-len(data) % 4)


class Dialogue:
    """One four-tuple's segments from a seed; ``frames`` are ready to be written."""

    def __init__(
        self, seed: int, start_ns: int, *, calm: bool = False, takes_probes: bool = False
    ) -> None:
        self.dice = random.Random(seed)
        self.now = start_ns
        self.calm, self.takes_probes = calm, takes_probes
        self.addresses = ("10.9.0.1", "10.9.0.2")
        self.ports = (10_000 + seed % 50_000, 80)
        wraps = self.dice.random() < 0.2
        self.books = [Book(self.dice.randrange(1, M)), Book(self.dice.randrange(1, M))]
        if wraps:
            self.books[self.dice.randrange(2)].isn = M - self.dice.randrange(3000)
        self.sacks = self.dice.random() < 0.5
        self.scales = self.dice.choice((None, 0, 2, 7))
        self.packets: list[tuple[int, bytes]] = []
        self._ident = seed & 0xFFFF

    def segment(
        self,
        side: int,
        flags: int,
        length: int = 0,
        *,
        seq: int | None = None,
        ack: int | None = None,
        options: Options | None = None,
        window: int | None = None,
    ) -> None:
        """One segment; ``seq`` and ``ack`` relative to the initial numbers."""
        me, peer = self.books[side], self.books[1 - side]
        at = me.nxt if seq is None else seq
        acked = me.got if ack is None else ack
        me.window = me.window if window is None else window
        self._ident = self._ident % 0xFFFF + 1
        data = packets.tcp(
            bytes(length),
            src=self.addresses[side],
            dst=self.addresses[1 - side],
            sport=self.ports[side],
            dport=self.ports[1 - side],
            seq=(me.isn + at) & M,
            ack=(peer.isn + acked) & M if flags & ACK else 0,
            flags=flags,
            window=me.window,
            options=encoded(options or Options()),
        )
        source, target = self.addresses[side], self.addresses[1 - side]
        packet = packets.ipv4(data, src=source, dst=target, ident=self._ident)
        self.packets.append((self.now, packet))
        if not flags & RST:
            end = at + length + bool(flags & SYN) + bool(flags & FIN)
            if length:
                me.sizes = (*me.sizes[-30:], (at, length))
            me.nxt = max(me.nxt, end)
        if flags & ACK:
            me.got = acked
            peer.una = max(peer.una, min(acked, peer.nxt))

    def wait(self) -> None:
        self.now += self.dice.choice(PAUSES[:4] if self.dice.random() < 0.6 else PAUSES)

    def open(self) -> None:
        """A handshake, perhaps with pieces missing or repeated."""
        options = Options(
            mss=1460,
            window_scale=self.scales,
            sack_permitted=self.sacks,
        )
        skip = 1.0 if self.calm else self.dice.random()
        self.books[0].nxt = self.books[1].nxt = 0
        if skip > 0.1:
            self.segment(0, SYN, options=options)
            self.wait()
            if skip > 0.9 and not self.calm:
                self.segment(0, SYN, seq=0, options=options)
                self.wait()
        self.books[0].nxt, self.books[1].got = 1, 1
        if skip > 0.2:
            self.segment(1, SYN | ACK, options=options)
            self.wait()
        self.books[1].nxt, self.books[0].got = 1, 1
        if skip > 0.15:
            self.segment(0, ACK)
            self.wait()

    def open_oddly(self) -> None:
        """An opening that few programs make: crossing, with data, late, refused, or a scan."""
        dice, options = self.dice, Options(mss=1460, window_scale=self.scales)
        kind = dice.choice(ODD_OPENINGS)
        size = dice.choice((1, 10, 500))
        syn = SYN | dice.choice((0, 0, ECE | CWR))
        if kind == "crossing":
            self.segment(0, syn, options=options)
            self.wait()
            self.segment(1, SYN, options=options)
            self.books[0].got = self.books[1].got = 1
            self.wait()
            self.segment(0, SYN | ACK, seq=0, options=options)
            self.segment(1, SYN | ACK, seq=0, options=options)
        elif kind == "data in the SYN":
            cookie = dice.choice((None, b"", b"cookie12"))
            first = Options(mss=1460, window_scale=self.scales, fast_open=cookie)
            self.segment(0, syn, size, options=first)
            self.books[1].got = dice.choice((1, 1 + size))
            self.segment(1, SYN | ACK, dice.choice((0, size)), options=options)
            self.books[0].got = self.books[1].nxt
            self.wait()
            self.segment(0, ACK)
        elif kind == "data in the SYN,ACK":
            self.segment(0, syn, options=options)
            self.books[1].got = 1
            self.wait()
            self.segment(1, SYN | ACK, size, options=options)
            self.books[0].got = dice.choice((1, 1 + size))
            self.segment(0, ACK)
        elif kind == "SYN,ACK first":
            self.books[1].got = 1
            self.segment(1, SYN | ACK, options=options)
            self.segment(0, syn, options=options)
            self.books[0].got = 1
            self.wait()
            self.segment(0, ACK)
        elif kind == "refused":
            for _ in range(dice.choice((1, 2))):
                self.segment(0, syn, seq=0, options=options)
                self.books[1].got = 1
                self.now += dice.choice((1, 500)) * MS
            self.segment(1, RST | ACK, seq=0)
        elif kind == "scan":
            flags = dice.choice((0, FIN, FIN | PSH | URG, ACK, FIN | ACK, SYN | FIN, RST))
            self.segment(0, flags)
            if dice.random() < 0.5:
                self.segment(1, RST | ACK)
        elif kind == "repeated":
            for _ in range(2):
                self.segment(0, syn, seq=0, options=options)
                self.wait()
            self.books[1].got = self.books[0].got = 1
            for _ in range(dice.choice((1, 2))):
                self.segment(1, SYN | ACK, seq=0, options=options)
                self.now += dice.choice((2, 1000)) * MS
            self.segment(0, ACK)

    def go_on(self, count: int) -> None:
        """``count`` segments of any kind."""
        for _ in range(count):
            self._something()
            self.wait()

    def _something(self) -> None:
        dice = self.dice
        side = dice.randrange(2)
        me, peer = self.books[side], self.books[1 - side]
        deed = dice.choices(
            ("data", "ack", "dup", "again", "beyond", "window", "probe", "alive", "odd", "full"),
            (22, 20, 12, 14, 4, 8, 5, 5, 0 if self.calm else 2, 4),
        )[0]
        if deed == "data":
            self.segment(side, ACK | PSH, dice.choice((1, 2, 100, 536, 1000)))
        elif deed == "ack":
            me.got = dice.choice((peer.nxt, peer.nxt, peer.una, self._edge(peer)))
            self.segment(side, ACK)
        elif deed == "dup":
            for _ in range(dice.choice((1, 2, 3, 4))):
                self.segment(side, ACK, options=self._sack(peer, me.got))
                self.now += dice.choice((50 * US, 2 * MS))
        elif deed == "again" and me.sizes:
            at, length = dice.choice(me.sizes)
            if dice.random() < 0.3:
                at += dice.randrange(length)
            if dice.random() < 0.3:
                length += dice.choice((-1, 1, 100, -50))
            self.segment(side, ACK | PSH, max(1, length), seq=at)
        elif deed == "beyond":
            self.segment(
                side, ACK | PSH, dice.choice((1, 100, 500)), seq=me.nxt + dice.choice((1, 100, 700))
            )
        elif deed == "window":
            self.segment(side, ACK, window=dice.choice((0, 0, 100, 2000, 8000)))
        elif deed == "probe":
            self.segment(side, ACK, window=0)
            self.now += dice.choice((1 * MS, 220 * MS))
            peer.got = me.nxt
            for _ in range(dice.choice((1, 2))):
                at = peer.nxt
                self.segment(1 - side, ACK, 1)
                # tshark 4.0 does not know that some receivers take a probe's byte.
                taken = self.takes_probes and dice.random() < 0.2
                peer.nxt = me.got = at + taken
                self.now += 3 * MS
                self.segment(side, ACK, window=0 if dice.random() < 0.7 else 3000)
                self.now += 220 * MS
        elif deed == "alive":
            for _ in range(dice.choice((1, 2))):
                self.segment(side, ACK, dice.choice((0, 0, 1)), seq=me.nxt - 1)
                self.now += 5 * MS
                if dice.random() < 0.8:
                    self.segment(1 - side, ACK)
                self.wait()
        elif deed == "full":
            me.window = dice.choice((100, 1000))
            self.segment(side, ACK)
            self.now += MS
            scaled = me.window << (self.scales or 0)
            room = me.got + scaled - peer.nxt
            if 0 < room < 30_000:
                while room:
                    piece = min(room, 1400)
                    self.segment(1 - side, ACK | PSH, piece)
                    room -= piece
        elif deed == "odd":
            flags = dice.choice((FIN | ACK, FIN | ACK, RST, RST | ACK, ACK | URG, FIN | ACK | PSH))
            # Data in a reset takes up no numbers, which Wireshark does not know.
            self.segment(side, flags, 0 if flags & RST else dice.choice((0, 0, 10)))

    def _edge(self, peer: Book) -> int:
        if not peer.sizes:
            return peer.nxt
        at, length = self.dice.choice(peer.sizes)
        return max(peer.una, at + length)

    def _sack(self, peer: Book, got: int) -> Options | None:
        if not self.sacks or self.dice.random() < 0.3:
            return None
        above = [(at, at + n) for at, n in peer.sizes if at > got]
        if not above:
            return None
        left, right = self.dice.choice(above)
        return Options(sack=(((peer.isn + left) & M, (peer.isn + right) & M),))


def write(path: Path, dialogues: Iterable[Dialogue]) -> None:
    """All of them as one capture, in order of time."""
    every = sorted(
        (each for dialogue in dialogues for each in dialogue.packets), key=lambda each: each[0]
    )
    with PcapngWriter(path) as out:
        out.add_interface("nasty", 101)
        for number, (time_ns, data) in enumerate(every, 1):
            out.write(Frame(time_ns, 101, data, len(data), number))


def dialogue(seed: int, *, calm: bool = False) -> Dialogue:
    """The one of this seed."""
    made = Dialogue(seed, 1_700_000_000_000_000_000 + seed % 1000 * MS, calm=calm)
    made.open()
    made.go_on(20 + seed % 30)
    return made


def odd(seed: int) -> Dialogue:
    """One that begins oddly, and may end soon."""
    made = Dialogue(seed, 1_700_000_000_000_000_000 + seed % 1000 * MS, calm=True)
    made.open_oddly()
    made.go_on(made.dice.choice((0, 3, 12)))
    return made
