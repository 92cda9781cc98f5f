"""Short connections with losses, told by their kind's example: equal to the core's."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tcpviz.bulk.connections import losing
from tcpviz.bulk.connections.building import Building
from tests.bench import losses
from tests.bulk.compare import built, differences, stories

MS = losses.MS


class Told(losses.Talk):
    """A connection of which all data is captured; some of what is sent again is other data."""

    changed = 0.0

    def passes(
        self, side: int, flags: int, seq: int, size: int, ack: int, window: int, ident: int,
        *blocks: int,
    ) -> None:  # fmt: skip
        before = len(self.packets)
        super().passes(side, flags, seq, size, ack, window, ident, *blocks)
        for at in range(before, len(self.packets)):
            when, frame, wire = self.packets[at]
            whole = bytearray(frame.ljust(wire, b"\0"))
            if size > 3 and self.dice.random() < self.changed:
                whole[-size : 2 - size] = b"\xff\xff"  # adds nothing to the checksum either
            self.packets[at] = when, bytes(whole), wire


def any_of(dice: random.Random, count: int) -> list[losses.Manner]:
    """Visits, most of which lose, and some of any manner."""
    made = []
    for _ in range(count):
        one = losses._visit(dice) if dice.random() < 0.7 else losses.drawn(dice, 30)
        if dice.random() < 0.8:
            share = dice.choice((0.01, 0.025, 0.05, 0.1))
            one.lost = dice.choice((0, share)), dice.choice((0, share))
            one.sack, one.stamps = dice.random() < 0.7, dice.random() < 0.7
            one.late = dice.choice((0, 0, 0, 0.02))
        made.append(one)
    return made


def written(path: Path, seed: int, count: int = 60) -> Path:
    """Any such connections; of some captures all data, or with no identifications."""
    dice = random.Random(seed)
    kind = dice.choice(("heads", "data", "changed", "unnamed"))
    talk: type[losses.Talk] = Told if kind in ("data", "changed") else losses.Talk
    Told.changed = 0.02 if kind == "changed" else 0.0
    packets: list[losses.Packet] = []
    for number, manner in enumerate(any_of(dice, count)):
        if kind in ("data", "changed"):
            manner.exchanges = [(one, min(two, 9000)) for one, two in manner.exchanges]
        begin = losses.BEGUN + dice.randrange(20_000 * MS)
        packets += talk(manner, 0x0A000002, 20_000 + number, begin).run()
    if kind == "unnamed":
        packets = [(when, one[:18] + b"\0\0" + one[20:], wire) for when, one, wire in packets]
    losses.put_packets(path, packets)
    return path


def told(building: Building) -> int:
    """How many connections are told by such an example."""
    kinds = building.shapes.losing(building.array["shape"])
    return 0 if kinds is None else int(kinds.sum())


@pytest.fixture
def every(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind has an example, however few are of it."""
    monkeypatch.setattr(losing, "WORTH", 1)


@pytest.mark.usefixtures("every")
@pytest.mark.parametrize("seed", [*range(1, 9), 2011])
def test_any_connections(tmp_path: Path, seed: int) -> None:
    """``python -m tests.bulk.test_losing FROM TO`` has more of them."""
    path = written(tmp_path / "losing.pcap", seed)
    building = built(path)
    assert differences(path, building) == []
    assert told(building) > 0


@pytest.mark.parametrize(("kind", "share"), [("visits-1", 0.12), ("visits-5", 0.5)])
def test_of_visits_that_lose_little_few_are_followed(
    tmp_path: Path, kind: str, share: float
) -> None:
    path = tmp_path / "losing.pcap"
    losses.write(path, kind, 0.04)
    building = built(path)
    lost = told(building) + len(building.followed)
    assert told(building) > 20
    assert len(building.followed) < lost * share + 20
    assert differences(path, building) == []


@pytest.mark.usefixtures("every")
def test_their_stories(tmp_path: Path) -> None:
    path = written(tmp_path / "losing.pcap", 12)
    count, found = stories(path)
    assert count == 60
    assert found == []


def _no_class(work: losing.Losing) -> None:
    work.classes[:] = 0


def _all_in_time(work: losing.Losing) -> None:
    work.classes[work.classes == losing.LATE] = losing.OVERTAKEN


@pytest.mark.usefixtures("every")
@pytest.mark.parametrize("change", [_no_class, _all_in_time])
def test_what_kinds_did_not_tell_apart_would_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[losing.Losing], None]
) -> None:
    """The comparison can fail: where a class stands for another one it does."""
    whole = losing.check

    def check(work: losing.Losing) -> object:
        made = whole(work)
        change(work)
        return made

    monkeypatch.setattr(losing, "check", check)
    path, dice = tmp_path / "losing.pcap", random.Random(1)
    manners = [
        losses.Manner(dice, [(300, 24_000)], lost=(0.03, 0.03), delay=MS) for _ in range(100)
    ]
    for one in manners:
        one.late, one.sack, one.stamps = 0.02, False, False
    losses.put(path, manners, dice)
    assert differences(path)


if __name__ == "__main__":
    import sys
    import tempfile

    losing.WORTH = 1
    first, last = (int(word) for word in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, last):
            capture = written(Path(folder) / "losing.pcap", number)
            building = built(capture)
            print(number, told(building), *differences(capture, building), flush=True)
