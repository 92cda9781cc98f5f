"""Talk is what a stretch that is worked on whole makes of it; up to its end all is in order."""

from __future__ import annotations

import copy
import random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from tcpviz.bulk.connections import lengthy
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.lengthy import _Sofar, look
from tcpviz.bulk.connections.rounds import Rounds
from tcpviz.bulk.connections.talking import Talk, Talking
from tcpviz.bulk.segments import sums
from tcpviz.bulk.segments.columns import DTYPES, ECN_SHIFT, ODD, SACKED, STAMPED, SUM_SHIFT, Columns
from tcpviz.bulk.segments.options import CUT_SCALE, NO_SCALE

FIN, SYN, RST, PSH, ACK, URG, CWR = 1, 2, 4, 8, 16, 32, 128
TOP = (1 << 32) - 1

STRANGE: dict[str, tuple[int, ...]] = {
    "time": (-1, -(10**9), 10**9),
    "seq": (1, -1, 1448, -1448, 1 << 30, 1 << 31),
    "ack": (1, -1, 1448, -1448, -70_000, 70_000, 1 << 30, 1 << 31),
    "flags": (FIN | ACK, RST, SYN, ACK | URG, ACK | CWR, PSH, 0, ACK | 1 << 9),
    "window": (0, 0, 1, 65535),
    "length": (1, -1, 1448),
    "ident": (0, -1, 200, 5000, 1 << 15),
    "ttl": (1, -1),
    "bits": (STAMPED, ODD, SACKED, 3 << ECN_SHIFT, 1 << SUM_SHIFT, 3 << SUM_SHIFT),
    "scale": (1,),
    "value": (-1, 1, 1 << 31, 11_000_000),
    "echo": (-1, -2, 1, 1 << 31, -11_000_000),
}
"""What is put in the place of flags and windows, or added to what there is."""

Row = dict[str, int]


def transfer(dice: random.Random, count: int) -> list[Row]:
    """A connection of about so many segments in which both ends send, all in order."""
    near = dice.random() < 0.1
    numbers = [TOP - dice.randrange(40_000) if near else dice.getrandbits(31) for _ in "ab"]
    known = [-1, -1]
    stamped = dice.random() < 0.6
    clock, now = [dice.getrandbits(32), dice.getrandbits(32)], 1_700_000_000_000_000_000
    told = [0, 0]
    right = dice.choice((0, sums.RIGHT, sums.WRONG)) << SUM_SHIFT
    scales = dice.choice(((7, 7), (7, NO_SCALE), (CUT_SCALE, 3), (0, 14), (CUT_SCALE, NO_SCALE)))
    same = dice.random() < 0.1  # both ends on one host
    ident, both = [1, 9], dice.random() < 0.5
    made: list[Row] = []

    def say(side: int, flags: int, length: int = 0) -> None:
        nonlocal now
        now += dice.choice((1, 12_000, 12_000, 25_000_000))
        clock[side] += dice.randrange(2)
        ident[side] += 1
        if dice.random() < 0.8:
            known[side] = numbers[1 - side]
        hosts, ports = (5, 5 if same else 9), (4000, 80)
        bits = right | (STAMPED if stamped else 0)
        made.append(
            {
                "time": now, "src": hosts[side], "dst": hosts[1 - side], "length": length,
                "sport": ports[side], "dport": ports[1 - side], "flags": flags,
                "seq": numbers[side] & TOP, "ack": known[side] & TOP if flags & ACK else 0,
                "window": dice.choice((502, 502, 503, 900)), "ident": ident[side] & 0xFFFF,
                "ttl": 64 - side, "bits": bits, "scale": scales[side] if flags & SYN else 255,
                "value": clock[side] & TOP, "echo": told[1 - side] & TOP,
            }
        )  # fmt: skip
        told[side] = clock[side] if stamped else 0
        numbers[side] += length + bool(flags & (SYN | FIN))

    say(0, SYN)
    known[:] = numbers[1], numbers[0]
    say(1, SYN | ACK)
    known[:] = numbers[1], numbers[0]
    say(0, ACK)
    while len(made) < count:
        side = dice.randrange(2) if both else 1
        for _ in range(dice.randint(1, 4)):
            say(side, ACK | dice.choice((0, PSH)), dice.choice((0, 1, 1448, 1448, 40_000)))
        say(1 - side, ACK)
    return made


def spoilt(dice: random.Random, rows: list[Row]) -> None:
    """Change something somewhere, or put in what does not go on."""
    at = dice.randrange(3, len(rows))
    row = rows[at]
    before = next((each for each in rows[at - 1 :: -1] if each["sport"] == row["sport"]), row)
    other = next((each for each in rows[at - 1 :: -1] if each["sport"] != row["sport"]), row)
    kind = dice.choice((*STRANGE, "again", "alive", "silent", "turned", "longer", "full"))
    if kind == "again":
        rows.insert(at, dict(rows[at - 1], time=row["time"]))
    elif kind == "alive":
        rows.insert(at, dict(rows[at - 1], seq=rows[at - 1]["seq"] - 1 & TOP, length=0, flags=ACK))
    elif kind == "silent":  # one end says nothing more
        rows[at:] = [each for each in rows[at:] if each["sport"] == row["sport"]]
    elif kind == "turned":
        for one, two in (("src", "dst"), ("sport", "dport")):
            row[one], row[two] = row[two], row[one]
    elif kind == "longer":  # and all goes on behind it
        by = dice.choice((500, 70_000, 1 << 24, 1 << 25, 1 << 30))
        for each in rows[at + 1 :]:
            name = "seq" if each["sport"] == row["sport"] else "ack"
            if name == "seq" or each["ack"] - row["seq"] & TOP not in (0, TOP):
                each[name] = each[name] + by & TOP
        row["length"] += by
    elif kind == "full":
        other["window"] = row["seq"] + row["length"] - other["ack"] & 0xFFFF
    elif dice.random() < 0.2:
        row[kind] = before[kind]
    else:
        by, size = dice.choice(STRANGE[kind]), 8 * np.dtype(DTYPES[kind]).itemsize
        told = {"value": before["value"], "echo": rows[row["sport"] == 4000]["value"]}
        begun = 0 if kind in ("flags", "window") else told.get(kind, row[kind])
        row[kind] = begun + by & (1 << size) - 1
        if kind == "echo" and dice.random() < 0.3:
            row[kind] = 0


def columns_of(rows: list[Row], dice: random.Random) -> tuple[Columns, Any]:
    """These rows, and now and then others' in between."""
    columns = Columns()
    mixed, places = [], []
    between = dice.choice((0.0, 0.0, 0.3))
    for row in rows:
        while dice.random() < between:
            mixed.append(dict(row, src=77, seq=3))
        places.append(len(mixed))
        mixed.append(row)
    columns.append({name: np.array([row.get(name, 0) for row in mixed]) for name in DTYPES})
    columns.close()
    return columns, np.array(places, np.uint32)


def state(sofar: _Sofar) -> dict[str, Any]:
    """What a connection's first stretches have left."""
    out = {
        name: getattr(sofar, name)
        for name in ("kinds", "latest", "spoke", "alive", "fins", "answer", "back", "repeats")
    }
    for name in ("segments", "bytes", "marks", "wrong", "right"):
        out[name] = getattr(sofar, name).tolist()
    out |= {"places": sorted({int(one) for each in sofar.places for one in each})}
    return out | rounds(sofar)


def rounds(sofar: _Sofar) -> dict[str, Any]:
    """How far the numbers have come."""
    known = sofar.rounds
    if known is None:
        return {}
    return {"sent": known.sent, "said": known.said, "far": known.far, "up": known.given_up}


def twin(known: Rounds | None) -> Rounds | None:
    if known is None:
        return None
    made = copy.copy(known)
    for name in ("sent", "said", "milestones", "_mile"):
        setattr(made, name, list(getattr(known, name)))
    made._strange = [copy.copy(each) for each in known._strange]
    return made


class Held:
    """Hold what talk says against what :meth:`_Sofar._take` does."""

    def __init__(self) -> None:
        self.taken = self.refused = 0
        self._talk = _Sofar._talk

    def talk(self, sofar: _Sofar, begin: int, end: int) -> int:
        before = copy.copy(sofar)
        for name in ("kinds", "latest", "spoke", "alive", "fins", "places"):
            setattr(before, name, copy.copy(getattr(sofar, name)))
        for name in ("segments", "bytes", "marks", "wrong", "right"):
            setattr(before, name, getattr(sofar, name).copy())
        before.rounds = twin(sofar.rounds)
        until = self._talk(sofar, begin, end)
        if until < 0:
            assert not before._take(begin, end) or (before.wrong & before.right).any()
        elif until > begin:
            taken = before._take(begin, until)
            if taken or before.rounds is None or before.rounds.known:
                assert taken
                assert state(before) == state(sofar)
            self.taken += until - begin
        else:
            assert state(before) == state(sofar)
            self.refused += 1
        return until


@pytest.fixture
def held() -> Any:
    made = Held()
    with patch.object(_Sofar, "_talk", lambda *each: made.talk(*each)):
        yield made


@pytest.mark.parametrize("seed", range(6))
def test_it_is_what_the_whole_work_says(held: Held, seed: int) -> None:
    dice = random.Random(seed)
    told = 0
    for _ in range(80):
        rows = transfer(dice, dice.choice((20, 60, 200)))
        for _ in range(dice.choice((0, 1, 1, 2))):
            spoilt(dice, rows)
        columns, places = columns_of(rows, dice)
        stretch, beginning = dice.choice((4, 16, 64, 1000)), dice.choice((1, 2, 8))
        with (
            patch.object(lengthy, "STRETCH", stretch),
            patch.object(lengthy, "BEGINNING", beginning),
        ):
            clock = Clock(columns.array["time"])
            made = look(columns, clock, places)
        told += made is not None
    assert held.taken > 2000
    assert held.refused > 60
    assert told > 15


def test_what_is_in_order_is_told_as_talk(held: Held) -> None:
    dice = random.Random(3)
    for _ in range(10):
        rows = transfer(dice, 3000)
        columns, places = columns_of(rows, dice)
        with patch.object(lengthy, "BEGINNING", 64):
            made = look(columns, Clock(columns.array["time"]), places)
        if made is not None:
            assert len(made.places) < 20


def test_it_says_up_to_where_it_goes() -> None:
    dice = random.Random(5)
    ends = set()
    for _ in range(300):
        rows = transfer(dice, 300)
        clean, places = columns_of(rows, random.Random(0))
        latest = [max(at for at in range(100) if rows[at]["sport"] == port) for port in (4000, 80)]
        met = np.zeros((2, 256), np.bool_)
        met[:, [row["ttl"] for row in rows]] = True
        clock = Clock(clean.array["time"])
        fine = Talking(clean, clock, places, 1, met).take(100, 300, latest, set())
        if not isinstance(fine, Talk):
            continue
        at = dice.randrange(101, 300)
        rows[at]["ttl"] = 3
        columns, places = columns_of(rows, random.Random(0))
        clock = Clock(columns.array["time"])
        assert Talking(columns, clock, places, 1, met).take(100, 300, latest, set()) == at
        ends.add(at)
    assert len(ends) > 50
