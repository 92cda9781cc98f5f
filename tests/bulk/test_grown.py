"""A file that grows: at every step the table is what reading it anew would have made.

``python -m tests.bulk.test_grown FROM TO`` tries these seeds and tells what differs.
"""

from __future__ import annotations

import random
import sys
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy")

from tcpviz.bulk.segments.reading import Reading
from tcpviz.bulk.spilling import grown
from tcpviz.bulk.spilling.grown import Grown
from tcpviz.bulk.tables.growing import Growing, Snapshot, frozen
from tcpviz.bulk.tables.table import Table
from tcpviz.wire.frame import Frame
from tests.bench import grow
from tests.bench.generate import visits
from tests.bulk import test_gaps, variants, worlds
from tests.bulk.compare import differences
from tests.bulk.drawing import connections, frames_of

SECOND = 1_000_000_000


def drawn(path: Path, dice: random.Random) -> None:
    """Write connections of some kind; of some the clock goes on so fast that timers run out."""
    kind, seed = dice.randrange(5), dice.randrange(1 << 30)
    frames = connections(path, dice, kind, seed)
    if dice.random() < 0.5:  # from a tenth of a second to some a packet
        slower, begin = dice.choice((20, 300, 2000)), frames[0].time_ns
        frames = [replace(each, time_ns=begin + (each.time_ns - begin) * slower) for each in frames]
    if dice.random() < 0.7:
        frames = sorted(frames, key=lambda each: each.time_ns)
    if dice.random() < 0.2:  # the clock is set: on by days, or back
        at, by = dice.randrange(len(frames)), dice.choice((3 * 86400, -40, 100)) * SECOND
        frames = [
            replace(each, time_ns=each.time_ns + (n > at) * by) for n, each in enumerate(frames)
        ]
    if dice.random() < 0.3:
        told = set(dice.sample(range(len(frames)), min(len(frames), dice.choice((1, 5, 20)))))
        frames = [
            one
            for n, each in enumerate(frames)
            for one in (each, *([_error(each, dice)] if n in told else ()))
        ]
    path.write_bytes(variants.pcap(frames))


def _error(frame: Frame, dice: random.Random) -> Frame:
    data = worlds.error(frame.data, dice)
    return replace(frame, data=data, wire_len=len(data), time_ns=frame.time_ns + 1000)


class Stepwise(Growing):
    """A file that is given some bytes more whenever all has been read that is there.

    ``found``  what was another table than that of the file up to there, with the step
    ``parts``  how many tables were made of a part of it only
    """

    def __init__(self, data: bytes, path: Path, cuts: list[int]) -> None:
        path.write_bytes(data[: cuts[0]])
        self._data, self._cuts, self._step = data, cuts, 0
        self._prefix = path.with_suffix(".prefix")
        self.found: list[Any] = []
        self.parts = 0
        super().__init__(str(path), follow=True)

    def _more(self) -> bool:
        before = self.latest
        self._make(whole=False)
        if self.latest is not None and self.latest is not before:
            self._compare(self.latest)
        self._step += 1
        if self._step == len(self._cuts):
            return False
        with Path(self._path).open("ab") as out:
            out.write(self._data[slice(*self._cuts[self._step - 1 : self._step + 1])])
        return True

    def _compare(self, latest: Snapshot) -> None:
        self.parts += isinstance(latest.building, Grown)
        self._prefix.write_bytes(self._data[: whole_records(self._data, self._cuts[self._step])])
        vars(latest.reading)["close"] = bool  # it goes on
        found = differences(self._prefix, latest.building)
        self.found += [(self._step, str(each)[:400]) for each in found]


def whole_records(data: bytes, size: int) -> int:
    """How far the records go that are all within so many bytes of a pcap."""
    at = 24
    while True:
        after = at + 16 + int.from_bytes(data[at + 8 : at + 12], "little")
        if at + 16 > size or after > size:
            return at
        at = after


def grow_by_steps(folder: Path, seed: int) -> Stepwise:
    """A capture of that seed, read while it grows by some steps, cut anywhere."""
    dice = random.Random(seed)
    source = folder / "source"
    drawn(source, dice)
    data = source.read_bytes()
    begin = dice.choice((0.3, 0.6, 0.9))
    steps = dice.randint(2, 8)
    cuts = sorted(
        max(200, int(len(data) * (begin + dice.random() * (1 - begin)))) for _ in range(steps)
    )
    made = Stepwise(data, folder / "grows", [*cuts, len(data)])
    try:
        made.run()
    finally:
        made.close()
    return made


@pytest.mark.parametrize("seed", range(12))
def test_at_every_step_it_is_as_if_read_anew(tmp_path: Path, seed: int) -> None:
    assert grow_by_steps(tmp_path, seed).found == []


def test_timers_move_what_no_new_packet_touches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing more comes of a connection, but time goes on with the packets of others."""
    path = tmp_path / "visits"
    visits(path, 60, 1, odd=0.1)
    frames = sorted(frames_of(path), key=lambda each: each.time_ns)
    begin, pace = frames[0].time_ns, 600 * SECOND // len(frames)
    frames = [replace(each, time_ns=begin + n * pace) for n, each in enumerate(frames)]
    data = variants.pcap(frames)
    cuts = [len(data) * n // 20 for n in range(8, 21)]
    stood: list[dict[int, tuple[int, str]]] = []
    compare = Stepwise._compare

    def looking(self: Stepwise, latest: Snapshot) -> None:
        stood.append(
            {
                c.id: (c.client.segments + c.server.segments, f"{c.client.claim}{c.server.claim}")
                for c in latest.table
            }
        )
        compare(self, latest)

    monkeypatch.setattr(Stepwise, "_compare", looking)
    made = Stepwise(data, tmp_path / "grows", cuts)
    made.run()
    made.close()
    assert made.found == []
    assert made.parts >= 4
    moved = [
        ident
        for before, after in pairwise(stood)
        for ident, (count, state) in before.items()
        if after[ident][0] == count and after[ident][1] != state
    ]
    assert len(moved) > 10


def test_only_what_is_touched_is_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "many"
    grow.many(path, 400)
    data = path.read_bytes()
    built: list[int] = []
    building = grown.PartBuilding

    def counting(part: Any, *others: Any) -> Any:
        built.append(part.columns.count)
        return building(part, *others)

    monkeypatch.setattr(grown, "PartBuilding", counting)
    most, size = len(data) * 3 // 4, (len(data) - 24) // 4000  # bytes of a packet
    made = Stepwise(data, path.with_suffix(".grows"), [most, most + 3 * size, len(data)])
    made.run()
    made.close()
    assert made.found == []
    assert built[0] <= 3 * 10


@pytest.mark.parametrize("seed", range(4))
def test_what_was_lost_before_stays_in_doubt(tmp_path: Path, seed: int) -> None:
    dice, path = random.Random(seed), tmp_path / "capture"
    visits(path, 60, seed, odd=0.03)
    frames = test_gaps.slowly(frames_of(path), dice.choice((1, 100, 1000)))
    lost = {at for at in test_gaps.drawn_from(frames, dice) if at < len(frames) * 6 // 10}
    test_gaps.losing(path, frames, lost)
    reading = Reading(str(path))
    reading.read()
    most = reading.columns.count
    assert reading.gaps[-1].row < most * 7 // 10
    before = None
    for share in (7, 8, 10):
        reading.columns.count = most * share // 10
        before = grown.grown(before, frozen(reading))
        Table(before)
    assert before is not None
    assert differences(path, before) == []


def main(begin: int, end: int) -> None:
    parts = tables = 0
    for seed in range(begin, end):
        with tempfile.TemporaryDirectory() as folder:
            made = grow_by_steps(Path(folder), seed)
        parts += made.parts
        tables += made.latest.version if made.latest else 0
        for each in made.found[:2]:
            print(seed, each, flush=True)
    print(f"{end - begin} captures; {tables} tables, {parts} of them made of a part")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
