"""What comes after a reset, and closings that take minutes: shapes tell what the core tells."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tcpviz.wire.frame import Frame
from tests.bulk import variants
from tests.bulk.compare import built, differences
from tests.wire import packets

_SYN, _ACK, _PSH, _FIN, _RST = 2, 16, 8, 1, 4
_MS = 1_000_000


class _Talk:
    """Two ends; each says what it is told, and acknowledges all that the other one has said."""

    def __init__(self, number: int, dice: random.Random) -> None:
        self.ends = f"10.0.{number >> 8}.{number & 255}", "10.1.0.1"
        self.port, self.ident = 2000 + number, 1
        self.next = [dice.randrange(1 << 31), dice.randrange(1 << 31)]
        self.time = dice.randrange(1000 * _MS)
        self.said: list[tuple[int, bytes]] = []
        self.say(0, _SYN)
        self.say(1, _SYN | _ACK)
        self.say(0, _ACK)

    def say(self, me: int, flags: int, size: int = 0, **what: int) -> None:
        """``below`` its next number, or what the other one has said; ``after`` so many ns."""
        self.time += what.get("after", 5 * _MS)
        self.ident += 1
        src, dst = (self.ends[me], self.ends[1 - me])
        ports = (self.port, 80) if not me else (80, self.port)
        made = packets.tcp(
            bytes(size), src=src, dst=dst, sport=ports[0], dport=ports[1],
            seq=self.next[me] - what.get("below", 0), flags=flags,
            ack=self.next[1 - me] - what.get("old", 0) if flags & _ACK else 0,
            window=0 if flags & _RST else 8192,
        )  # fmt: skip
        ip = packets.ipv4(made, src=src, dst=dst, ident=self.ident)
        self.said.append((self.time, packets.ethernet(ip)))
        if not what.get("below"):
            self.next[me] += size + bool(flags & (_SYN | _FIN))


def _abort(talk: _Talk, dice: random.Random, *, odd: bool) -> None:
    """One end closes or not, and resets; the other one's data was under way."""
    talk.say(0, _ACK | _PSH, 300)
    for _ in range(dice.randrange(3)):
        talk.say(1, _ACK, dice.choice((0, 700)))
    who, fin = dice.randrange(2), dice.random() < 0.5
    talk.say(who, _ACK)
    if fin:
        talk.say(who, _ACK | _FIN)
    for _ in range(dice.randrange(1, 7)):
        low = int(fin and dice.random() < 0.6)
        if dice.random() < 0.5:
            after = dice.choice((_MS, _MS, 400 * _MS)) if odd else _MS
            talk.say(who, dice.choice((_RST, _RST | _ACK)), below=low, after=after)
        elif dice.random() < 0.9 or not odd:
            talk.say(1 - who, _ACK, dice.choice((0, 700, 1)), old=int(fin), after=_MS)
        else:
            talk.say(dice.randrange(2), dice.choice((_ACK, _ACK | _FIN, _RST)))


def _late(talk: _Talk, dice: random.Random) -> None:
    """One closes, and the other one does so minutes later, or never."""
    who = dice.randrange(2)
    talk.say(who, _ACK | _PSH, 200)
    talk.say(who, _ACK | _FIN)
    talk.say(1 - who, _ACK)
    if dice.random() < 0.8:
        talk.say(1 - who, _ACK | _FIN, after=dice.choice((5, 70, 130, 1000)) * 1000 * _MS)
        talk.say(who, _ACK, after=dice.choice((1, 30_000, 65_000)) * _MS)


def _written(path: Path, talks: list[_Talk]) -> None:
    said = sorted((each for talk in talks for each in talk.said), key=lambda each: each[0])
    begin = 1_700_000_000_000 * _MS
    path.write_bytes(
        variants.pcap(
            [Frame(begin + time, 1, data, len(data), at) for at, (time, data) in enumerate(said, 1)]
        )
    )


@pytest.mark.parametrize("seed", range(4))
def test_resets_and_what_was_under_way(tmp_path: Path, seed: int) -> None:
    dice, path = random.Random(seed), tmp_path / "aborted.pcap"
    talks = [_Talk(number, dice) for number in range(80)]
    for talk in talks:
        _abort(talk, dice, odd=bool(seed % 2))
    _written(path, talks)
    building = built(path)
    assert differences(path, building) == []
    if not seed % 2:
        assert len(building.followed) < 40


@pytest.mark.parametrize("seed", range(4))
def test_one_that_is_captured_twice_is_no_other(tmp_path: Path, seed: int) -> None:
    dice, path = random.Random(seed), tmp_path / "aborted.pcap"
    talks = [_Talk(number, dice) for number in range(60)]
    for talk in talks:
        _abort(talk, dice, odd=False)
        for time, data in list(talk.said):
            if data[47] & _RST and dice.random() < 0.3:
                talk.said.append((time + dice.choice((0, 1000, 2 * _MS)), data))
    _written(path, talks)
    assert differences(path) == []


@pytest.mark.parametrize("seed", range(2))
def test_closings_that_take_minutes(tmp_path: Path, seed: int) -> None:
    dice, path = random.Random(seed), tmp_path / "late.pcap"
    talks = [_Talk(number, dice) for number in range(60)]
    for talk in talks:
        _late(talk, dice)
    _written(path, talks)
    building = built(path)
    assert differences(path, building) == []
    assert len(building.followed) < 30
