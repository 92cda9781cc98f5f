"""Some connections of a real capture, and what may become of them on the way to a file.

``python -m tests.bulk.really_sent FILE FROM TO`` draws by these seeds from an Ethernet capture of
IPv4 and TCP in pcap, and tells what columns and core, by whichever way, do not say alike.
"""

from __future__ import annotations

import mmap
import os
import random
import struct
import sys
import tempfile
import traceback
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tcpviz.bulk import forks
from tcpviz.bulk.connections import shares
from tcpviz.bulk.connections.building import Building
from tcpviz.wire.frame import Frame
from tests.bulk import clocks, habits, parts, signals, test_gaps, variants, worlds
from tests.bulk.compare import differences, stories
from tests.bulk.doubling import IDENTS, doubled, numbered, over_ipv6, ways
from tests.bulk.drawing import frames_of
from tests.bulk.test_buckets import dealt
from tests.bulk.test_grown import Stepwise

Frames = list[Frame]
Step = Callable[[Frames, random.Random], Frames]

MS = 1_000_000

STRETCH = 400_000
"""Packets among which one capture's connections are looked for."""


class Recorded:
    """A pcap of many packets (little-endian), of which some connections are taken at a time."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._begin = array("Q")
        at, end, data = 24, len(self._data), self._data
        while at + 16 <= end:
            self._begin.append(at)
            at += 16 + struct.unpack_from("<I", data, at + 8)[0]
        if at != end:
            self._begin.pop()  # it was still being written

    def some(self, path: Path, dice: random.Random, most: int) -> Frames:
        """All segments, within a stretch, of connections of about ``most`` of them together.

        Writes them to ``path``. A pair of addresses and ports is taken with all that is on it.
        """
        begin = dice.randrange(max(len(self._begin) - STRETCH // 4, 1))
        flows: dict[bytes, list[int]] = defaultdict(list)
        for at in self._begin[begin : begin + dice.choice((STRETCH // 8, STRETCH))]:
            ends = self._data[at + 42 : at + 54]
            one, other = ends[:4] + ends[8:10], ends[4:8] + ends[10:]
            flows[min(one + other, other + one)].append(at)
        often = dice.random() < 0.3  # ports that are used again, rather than others
        names = sorted(flows, key=lambda each: -len(flows[each]) if often else 0)
        if often:
            names = names[: max(len(names) // 20, 1)]
        dice.shuffle(names)
        kept: list[int] = []
        for name in names:
            if len(kept) >= most:
                break
            kept += flows[name][: 2 * most]
        said = [self._data[:24]]
        for at in sorted(kept):
            size = struct.unpack_from("<I", self._data, at + 8)[0]
            said.append(self._data[at : at + 16 + size])
        path.write_bytes(b"".join(said))
        return frames_of(path)


def in_order(frames: Frames) -> Frames:
    return _numbered(sorted(frames, key=lambda each: each.time_ns))


def _numbered(frames: Frames) -> Frames:
    return [replace(each, number=at) for at, each in enumerate(frames, 1)]


# -- what may become of them -------------------------------------------------


def _folded(frames: Frames, dice: random.Random) -> Frames:
    """Connections of several ports come on one port: at their own times, or behind each other."""
    flows = list(habits.flows(frames).values())
    dice.shuffle(flows)
    together = dice.choice((2, 3, 6, 30))
    pause = dice.choice((None, -40 * MS, -1 * MS, 0, 10 * MS, 70_000 * MS))
    made = list(frames)
    for begin in range(0, len(flows), together):
        some = flows[begin : begin + together]
        port = max(frames[some[0][0]].data[34:36], frames[some[0][0]].data[36:38])
        now = frames[some[0][0]].time_ns
        for places in some:
            shift = 0 if pause is None else now - frames[places[0]].time_ns
            for at in places:
                each = frames[at]
                place = 34 if each.data[34:36] > each.data[36:38] else 36
                data = habits.patched(each.data, place, port)
                made[at] = replace(each, data=data, time_ns=each.time_ns + shift)
            now = max(made[at].time_ns for at in places) + (pause or 0)
    return in_order(made)


def _lost(frames: Frames, dice: random.Random) -> Frames:
    share = dice.choice((0.003, 0.02, 0.1))
    return [each for each in frames if dice.random() >= share]


def _late(frames: Frames, dice: random.Random) -> Frames:
    """Some come later than they were sent; the times stay in order, or only the places do."""
    share, most = dice.choice((0.01, 0.05)), dice.choice((50_000, 2_000_000, 50_000_000))
    due = [each.time_ns + (dice.randrange(most) if dice.random() < share else 0) for each in frames]
    order = sorted(range(len(frames)), key=due.__getitem__)
    if dice.random() < 0.3:
        return _numbered([frames[at] for at in order])
    return _numbered([replace(frames[at], time_ns=due[at]) for at in order])


def _parted(frames: Frames, dice: random.Random) -> Frames:
    seen = dice.choice(("cstmoa", "aaam", "aaac", "m", "cs", "o", "s"))
    return parts.parted(frames, dice.getrandbits(32), ways=seen, lone=dice.choice((0.0, 0.1)))


def _cut(frames: Frames, dice: random.Random) -> Frames:
    """From some moment on, or up to one."""
    at = dice.randrange(len(frames))
    return _numbered(frames[at:] if dice.random() < 0.7 else frames[: at + 1])


def _signalled(frames: Frames, dice: random.Random) -> Frames:
    if dice.random() < 0.5:
        return signals.anything(frames, dice.getrandbits(32))
    return signals.with_option(frames, dice.choice(sorted(signals.OPTIONS)))


def _doubled(frames: Frames, dice: random.Random) -> Frames:
    frames = numbered(frames, dice.choice(IDENTS), dice) if dice.random() < 0.3 else frames
    return doubled(frames, ways(dice), dice)


def _habits(frames: Frames, dice: random.Random) -> Frames:
    return habits.changed(frames, dice.getrandbits(32), dice.choice(habits.ALL), 0.5)


def _said_again(frames: Frames, dice: random.Random) -> Frames:
    return habits.said_again(frames, dice.getrandbits(32), dice.choice((0.02, 0.2)))


def _without_stamps(frames: Frames, dice: random.Random) -> Frames:
    return habits.changed(frames, dice.getrandbits(32), habits.unstamped, 1.0)


def _clock(frames: Frames, dice: random.Random) -> Frames:
    """The clock goes slower, so that timers run out, or is set."""
    if dice.random() < 0.5:
        return clocks.slower(frames, dice.choice((0.1, 5, 100, 1000)))
    return clocks.strange(frames, dice)


def _errors(frames: Frames, dice: random.Random) -> Frames:
    """Routers' words about some."""
    out = []
    for each in frames:
        out.append(each)
        if dice.random() < 0.005:
            data = worlds.error(each.data, dice)
            out.append(replace(each, data=data, wire_len=len(data)))
    return _numbered(out)


STEPS: dict[str, Step] = {
    "folded": _folded,
    "lost": _lost,
    "late": _late,
    "parted": _parted,
    "cut": _cut,
    "signalled": _signalled,
    "doubled": _doubled,
    "habits": _habits,
    "said again": _said_again,
    "without stamps": _without_stamps,
    "clock": _clock,
    "errors": _errors,
}
OFTEN = ("folded", "folded", "folded", "lost", "late", "parted", "cut", "doubled", "clock")


def write(path: Path, source: Recorded, seed: int) -> list[str]:
    """A capture drawn from ``source``; the steps that were done to it."""
    dice = random.Random(seed)
    frames = source.some(path, dice, dice.choice((60, 300, 300, 1000, 3000)))
    done = [dice.choice([*OFTEN, *STEPS]) for _ in range(dice.choice((0, 1, 1, 1, 2, 3)))]
    for name in done:
        if frames:
            frames = STEPS[name](frames, dice)
    if not frames:
        done.append("nothing is left")
    if dice.random() < 0.15:
        size = dice.choice((54, 60, 66, 68, 80))
        done.append(f"cut at {size}")
        frames = variants.cut(frames, size)
    elif dice.random() < 0.05 and not {"errors", "parted"} & {*done}:
        done.append("IPv6")
        frames = over_ipv6(frames)
    if dice.random() < 0.1 and len(frames) > 1:
        done.append("drop counters")
        test_gaps.losing(path, frames, test_gaps.drawn_from(frames, dice))
    else:
        path.write_bytes(variants.pcap(frames))
    return done


# -- by whichever way --------------------------------------------------------


@contextmanager
def in_forks(hands: int = 3) -> Iterator[None]:
    """Small stretches, each made by whichever process has time."""
    before = Building.chunk, shares.WORTH, forks._hands
    Building.chunk, shares.WORTH, forks._hands = 256, 100, hands
    try:
        yield
    finally:
        Building.chunk, shares.WORTH, forks._hands = before


def _grown(path: Path, dice: random.Random) -> list[Any]:
    data = path.read_bytes()
    begin = dice.choice((0.3, 0.6, 0.9))
    cuts = sorted(
        max(200, int(len(data) * (begin + dice.random() * (1 - begin))))
        for _ in range(dice.randint(2, 4))
    )
    made = Stepwise(data, path.with_suffix(".grows"), [*cuts, len(data)])
    try:
        made.run()
    finally:
        made.close()
    return made.found


def unlike(path: Path, dice: random.Random, *, every: bool = False) -> list[str]:
    """What is not the core's, after the way by which it was made; some ways, or ``every`` one."""
    found = [f"at once: {each}" for each in differences(path)]
    if found:
        return found
    if every or dice.random() < 0.5:
        with in_forks():
            found += [f"in forks: {each}" for each in differences(path)]
    if every or dice.random() < 0.4:
        found += [f"on disk: {each}" for each in differences(path, dealt(path))]
    if every or dice.random() < 0.2:
        found += [f"as stories: {each}" for each in stories(path)[1]]
    if path.read_bytes()[:4] != b"\n\r\r\n" and (every or dice.random() < 0.15):
        found += [f"growing: {each}" for each in _grown(path, dice)]
    return found


def main(source: Path, begin: int, end: int) -> None:
    recorded = Recorded(source)
    differ = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture"
        for seed in range(begin, end):
            done = write(path, recorded, seed)
            try:
                found = unlike(path, random.Random(seed))
            except Exception:
                found = [traceback.format_exc()[-1500:]]
            differ += bool(found)
            if found and (keep := os.environ.get("KEEP")):
                (Path(keep) / f"{source.stem}-{seed}").write_bytes(path.read_bytes())
            for each in found[:2]:
                print(source.name, seed, done, each[:700], flush=True)
    print(f"{source.name}: {end - begin} captures, {differ} differ")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:4]))
