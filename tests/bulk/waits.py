"""Visits in which somebody waits or repeats: windows that close, answers and data sent again.

``python -m tests.bulk.waits KIND COUNT FILE`` writes that many of a kind; ``... KIND FROM TO``
tries random captures of these seeds and tells what differs.
"""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from tcpviz.wire.frame import Frame
from tests.bulk import variants
from tests.bulk.drawing import try_by_hand
from tests.wire import packets

SYN, ACK, PSH, FIN, RST = 2, 16, 8, 1, 4
MS = 1_000_000
BEGIN = 1_700_000_000_000 * MS


class Talk:
    """Two ends; each says what it is told, and acknowledges all that the other one has said."""

    def __init__(self, number: int, dice: random.Random) -> None:
        self.ends = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "10.99.0.1"
        self.port, self.ident = 2000 + number % 50_000, [dice.getrandbits(16), 1]
        self.next = [dice.randrange(1 << 31), dice.randrange(1 << 31)]
        self.said: list[tuple[int, bytes]] = []
        self.time = BEGIN + number * MS // 3
        self.ticks = [dice.randrange(1, 1 << 30) for _ in range(2)] if dice.random() < 0.5 else None
        self.heard = [0, 0]
        self.asked = 0
        self.window = [502, 501]
        self.rtt = dice.choice((MS // 5, 9 * MS, 40 * MS))

    def say(self, me: int, flags: int, size: int = 0, **what: int) -> None:
        """``back`` so many numbers before its next one, ``old`` so many before the other's.

        ``after`` so many ns; ``block`` below what is acknowledged a SACK block of so many begins;
        ``push`` 0: its number stays; ``asked`` 0: a SYN,ACK echoes what came last, not the SYN
        """
        self.time += what.get("after", MS // 20)
        self.ident[me] += 1
        now = self.time // MS
        options = b""
        if flags & SYN:
            options += b"\x02\x04\x05\xb4\x01\x01\x04\x02\x01\x03\x03\x07"
        if self.ticks is not None:
            mine = (now + self.ticks[me]) & 0xFFFFFFFF
            echo = self.asked if flags & SYN and what.get("asked", 1) else self.heard[me]
            if flags & (SYN | ACK) == SYN:
                self.asked, echo = mine, 0
            options += b"\x01\x01\x08\x0a" + struct.pack("!II", mine, echo)
            self.heard[1 - me] = mine
        ack = (self.next[1 - me] - what.get("old", 0)) & 0xFFFFFFFF if flags & ACK else 0
        if "block" in what:
            left = (ack - what["block"]) & 0xFFFFFFFF
            right = (left + what.get("wide", what["block"])) & 0xFFFFFFFF
            options += b"\x01\x01\x05\x0a" + struct.pack("!II", left, right)
        src, dst = (self.ends[me], self.ends[1 - me])
        ports = (self.port, 80) if not me else (80, self.port)
        window = what.get("window", 0 if flags & RST else self.window[me])
        made = packets.tcp(
            bytes(size), src=src, dst=dst, sport=ports[0], dport=ports[1],
            seq=(self.next[me] - what.get("back", 0)) & 0xFFFFFFFF, flags=flags, ack=ack,
            window=window, options=options,
        )  # fmt: skip
        ident = self.ident[me] & 0xFFFF or 1
        self.said.append(
            (self.time, packets.ethernet(packets.ipv4(made, src=src, dst=dst, ident=ident)))
        )
        if what.get("push", 1) and not what.get("back"):
            self.next[me] = (self.next[me] + size + bool(flags & (SYN | FIN))) & 0xFFFFFFFF

    def open(self) -> None:
        self.say(0, SYN, window=64240)
        self.say(1, SYN | ACK, after=self.rtt, window=65160)
        self.say(0, ACK)

    def ask(self, dice: random.Random) -> None:
        self.say(0, PSH | ACK, dice.randint(60, 700))
        if dice.random() < 0.5:
            self.say(1, ACK, after=self.rtt)

    def answer(self, dice: random.Random) -> None:
        for part in range(dice.choice((1, 1, 1, 2, 4))):
            self.say(1, ACK | PSH * dice.randrange(2), dice.randint(100, 1448), after=self.rtt)
            if part % 2 or dice.random() < 0.3:
                self.say(0, ACK)
        self.say(0, ACK)

    def close(self, dice: random.Random) -> None:
        first, kind = dice.randrange(2), dice.random()
        if kind < 0.05:
            return
        if kind < 0.1:
            self.say(first, RST | ACK)
            return
        self.say(first, FIN | ACK)
        if dice.random() < 0.3:
            self.say(1 - first, ACK, after=self.rtt)
        self.say(1 - first, FIN | ACK, after=self.rtt)
        self.say(first, ACK)


def _odd(talk: Talk, dice: random.Random, odd: float) -> None:
    """Something that is in no order, with this chance."""
    while dice.random() < odd:
        who, what = dice.randrange(2), dice.randrange(9)
        after = dice.choice((0, 1000, MS, 30 * MS, 150 * MS, 2000 * MS, 61_000 * MS))
        if what == 0:
            talk.say(who, ACK, after=after)
        elif what == 1:
            talk.say(who, ACK | PSH, dice.choice((1, 1, 2, 500)), after=after)
        elif what == 2:
            talk.say(who, ACK, dice.choice((0, 0, 1, 2, 300)), back=1, after=after)
        elif what == 3:
            talk.say(who, ACK, dice.choice((0, 1, 300)), window=0, after=after)
        elif what == 4:
            size = dice.choice((1, 2, 100))
            talk.say(who, ACK, size, back=size, after=after)
        elif what == 5:
            talk.say(who, ACK, block=dice.choice((1, 100)), after=after)
        elif what == 6:
            talk.say(who, ACK, old=dice.choice((1, 100)), after=after)
        elif what == 7:
            talk.say(who, ACK, 1, push=0, after=after)
        else:
            talk.say(who, RST | ACK * dice.randrange(2), after=after)


def _again(talk: Talk, dice: random.Random, odd: float) -> None:
    """The SYN,ACK comes again, by a timer or upon another SYN; and so does the client's ACK."""
    talk.say(0, SYN, window=64240)
    first = len(talk.said)
    number = talk.next[1]
    talk.say(1, SYN | ACK, after=talk.rtt, window=65160)

    def more(after: int) -> None:
        was, talk.next[1] = talk.next[1], number
        back = (talk.next[0] - start) & 0xFFFFFFFF
        talk.say(
            1, SYN | ACK, after=after, window=65160, old=back, push=0,
            asked=dice.random() >= odd,
        )  # fmt: skip
        talk.next[1] = was

    start, pause = talk.next[0], 1000 * MS
    kind = dice.randrange(4)
    if kind == 0:  # the client was captured to answer late, or never
        for _ in range(dice.choice((1, 1, 2, 3))):
            more(pause)
            pause *= 2
        if dice.random() < 0.1:
            return
    elif kind == 1:  # the answer was lost behind the capture: both come again
        for _ in range(dice.choice((1, 1, 2))):
            talk.next[0] = (start - 1) & 0xFFFFFFFF
            talk.say(0, SYN, window=64240, after=pause)
            more(talk.rtt)
            pause *= 2
    _odd(talk, dice, odd)
    talk.say(0, ACK)
    if kind >= 2:  # its ACK was lost behind the capture, or not taken (TCP_DEFER_ACCEPT)
        for _ in range(dice.choice((1, 1, 2))):
            if dice.random() < 0.2 and talk.next[0] == start:
                talk.say(0, PSH | ACK, 300)
            more(dice.choice((20 * MS, pause)))
            talk.say(0, ACK)
            _odd(talk, dice, odd)
    assert len(talk.said) > first
    talk.ask(dice)
    talk.answer(dice)
    _odd(talk, dice, odd)
    talk.close(dice)


def _alive(talk: Talk, dice: random.Random, odd: float) -> None:
    """Keep-alives with a byte, as Windows sends them; who has SACK tells of the byte."""
    talk.open()
    blocks = dice.random() < 0.5
    for _ in range(dice.choice((1, 1, 2))):
        talk.ask(dice)
        talk.answer(dice)
        who = dice.randrange(2)
        for _ in range(dice.choice((1, 1, 2, 3, 12))):
            _odd(talk, dice, odd)
            pause = dice.choice((1000, 30_000)) * MS
            talk.say(who, ACK, dice.random() < 0.9, back=1, after=pause)
            if dice.random() < 0.95:
                said = {"block": 1} if blocks else {}
                talk.say(1 - who, ACK, after=talk.rtt, **said)
    _odd(talk, dice, odd)
    talk.close(dice)


def _shut(talk: Talk, dice: random.Random, odd: float) -> None:
    """A window closes and opens again; meanwhile it is probed, with a byte or without."""
    talk.open()
    who, byte = dice.randrange(2), dice.random() < 0.5
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        talk.ask(dice)
        for _ in range(dice.choice((1, 2, 3))):
            talk.say(1 - who, ACK, 1448)
        window = talk.window[who]
        talk.say(who, ACK, dice.choice((0, 0, 0, 200)), window=0)
        pause = 200 * MS
        for _ in range(dice.choice((0, 0, 1, 2, 3))):
            _odd(talk, dice, odd)
            if byte:
                talk.say(1 - who, ACK, 1, push=0, after=pause)
            else:
                talk.say(1 - who, ACK, back=1, after=pause)
            if dice.random() < 0.95:
                talk.say(who, ACK, window=0)
            pause *= 2
        if dice.random() < 0.9:
            talk.window[who] = dice.choice((window, window, 300))
            talk.say(who, ACK, after=dice.choice((1, 20, 3000)) * MS)
        _odd(talk, dice, odd)
        for _ in range(dice.choice((0, 1, 2))):
            talk.say(1 - who, ACK, 1448 if dice.random() < 0.9 else 1)
            talk.say(who, ACK)
    _odd(talk, dice, odd)
    talk.close(dice)


def _needless(talk: Talk, dice: random.Random, odd: float) -> None:
    """Data that was acknowledged is sent again, and the answer tells so by a D-SACK."""
    talk.open()
    blocks = dice.random() < 0.7
    for _ in range(dice.choice((1, 1, 2))):
        talk.ask(dice)
        talk.answer(dice)
        who, size = dice.randrange(2), dice.randint(2, 1448)
        talk.say(who, ACK | PSH, size)
        talk.say(1 - who, ACK, after=talk.rtt)
        for _ in range(dice.choice((1, 1, 1, 2))):
            _odd(talk, dice, odd)
            talk.say(who, ACK | PSH, size, back=size, after=dice.choice((30, 200)) * MS)
            said = {"block": size} if blocks else {}
            talk.say(1 - who, ACK, after=talk.rtt, **said)
    _odd(talk, dice, odd)
    talk.close(dice)


def _half(talk: Talk, dice: random.Random, odd: float) -> None:
    """One end has closed; the other sends on, waits for room, and asks whether it is there."""
    talk.open()
    talk.ask(dice)
    talk.answer(dice)
    who = dice.randrange(2)
    talk.say(who, FIN | ACK, dice.choice((0, 0, 1, 300)), window=dice.choice((0, 502, 502, 502)))
    if dice.random() < 0.9:
        talk.say(1 - who, ACK, after=talk.rtt)
    for _ in range(dice.choice((1, 2, 6))):
        _odd(talk, dice, odd)
        window, pause = dice.choice((0, 300, 501)), dice.choice((1, 200, 30_000)) * MS
        if dice.random() < 0.5:
            talk.say(1 - who, ACK | PSH, dice.randint(1, 1448), after=talk.rtt)
        else:
            talk.say(1 - who, ACK, dice.randrange(2), back=1, after=pause)
        if dice.random() < 0.9:
            talk.say(who, ACK, after=talk.rtt, window=window)
    _odd(talk, dice, odd)
    if dice.random() < 0.9:
        talk.say(1 - who, FIN | ACK, window=dice.choice((0, 501)))
        talk.say(who, ACK, after=talk.rtt)
    _odd(talk, dice, odd)


Kind = Callable[[Talk, random.Random, float], None]

KINDS: dict[str, Kind] = {
    "again": _again, "alive": _alive, "half": _half, "needless": _needless, "shut": _shut,
}  # fmt: skip


def frames(kind: str, count: int, seed: int, odd: float = 0.0) -> list[Frame]:
    """Visits of a kind (``any``: of all), in which so much is in no order."""
    dice, talks = random.Random(seed), []
    for number in range(count):
        talk = Talk(number, dice)
        KINDS[kind if kind in KINDS else dice.choice(sorted(KINDS))](talk, dice, odd)
        talks.append(talk)
    said = sorted((each for talk in talks for each in talk.said), key=lambda each: each[0])
    return [Frame(time, 1, data, len(data), at) for at, (time, data) in enumerate(said, 1)]


def write(path: Path, seed: int, kind: str = "any") -> None:
    dice = random.Random(seed)
    odd = dice.choice((0.0, 0.0, 0.05, 0.3))
    path.write_bytes(variants.pcap(frames(kind, dice.choice((20, 60)), seed, odd)))


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    if rest[1].isdigit():
        try_by_hand(lambda path, seed: write(path, seed, kind), *map(int, rest))
    else:
        Path(rest[1]).write_bytes(variants.pcap(frames(kind, int(rest[0]), 1)))
