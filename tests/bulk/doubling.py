"""Captures in which packets are there twice: as mirror ports, bridges and ``-i any`` give them.

``python -m tests.bulk.doubling FROM TO`` tries random ones of these seeds and tells what differs.
"""

from __future__ import annotations

import random
import struct
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tcpviz.wire.frame import Frame
from tests.bench.generate import stream, visits
from tests.bulk import transfer as transfers
from tests.bulk import variants
from tests.bulk.compare import built, differences, tables
from tests.bulk.drawing import frames_of
from tests.bulk.worlds import written
from tests.wire import packets

US, MS = 1000, 1_000_000
IDENTS = ("counted", "by sender", "zero", "zero by chance", "random", "few", "same")


@dataclass(frozen=True)
class Way:
    """How packets are there twice.

    ``share``   of them, of ``only`` one end's (the server's, which has the lower port) or of both
    ``after``   the least and the most time, nanoseconds, until the copy comes; ``times`` so many
    ``hops``    taken off the copy's TTL
    ``tagged``  bits of the IP header's second byte in the copy
    ``spoilt``  share of copies that are none: another byte of data, another number or window
    """

    share: float = 1.0
    only: bool | None = None
    after: tuple[int, int] = (US, US)
    times: int = 1
    hops: int = 0
    tagged: int = 0
    spoilt: float = 0.0


def numbered(frames: Sequence[Frame], kind: str, dice: random.Random) -> list[Frame]:
    """Ethernet frames of IPv4 with other identifications."""
    counts: dict[bytes, int] = {}
    made = []
    for each in frames:
        data = bytearray(each.data)
        if data[12:14] == b"\x08\0":
            whose = bytes(data[26:30]) if kind == "by sender" else b""
            counts[whose] = number = counts.get(whose, dice.randrange(1 << 16)) + 1 & 0xFFFF
            ident = {
                "zero": 0, "same": 7,
                "random": dice.randrange(1 << 16), "few": dice.randrange(1, 6),
                "zero by chance": number if dice.random() < 0.5 else 0,
            }.get(kind, number)  # fmt: skip
            struct.pack_into("!H", data, 18, ident)
            _summed(data)
        made.append(replace(each, data=bytes(data)))
    return made


def over_ipv6(frames: Sequence[Frame]) -> list[Frame]:
    """The same, in which nothing has an identification."""
    made = []
    for each in variants.raw(frames):
        whole = each.data + bytes(each.wire_len - len(each.data))
        data = packets.ethernet(variants.ipv6(whole), 0x86DD)
        made.append(replace(each, link_type=1, data=data, wire_len=len(data)))
    return made


def _summed(data: bytearray) -> None:
    data[24:26] = b"\0\0"
    struct.pack_into("!H", data, 24, ~packets.fold(bytes(data[14:34])) & 0xFFFF)


def doubled(frames: Sequence[Frame], way: Way, dice: random.Random) -> list[Frame]:
    """The same, with copies, in the order in which they come."""
    made = [(each.time_ns, at, each) for at, each in enumerate(frames)]
    for at, each in enumerate(frames):
        ihl = 4 * (each.data[14] & 15) if each.data[12:14] == b"\x08\0" else 40
        server = each.data[14 + ihl : 16 + ihl] < each.data[16 + ihl : 18 + ihl]
        if way.only not in (None, server) or dice.random() >= way.share:
            continue
        time = each.time_ns
        for _ in range(way.times):
            time += dice.randint(*way.after)
            copy = replace(each, data=_copy(each.data, way, dice), time_ns=time)
            made.append((time, at, copy))
    made.sort(key=lambda one: one[:2])
    return [replace(each, number=at) for at, (*_, each) in enumerate(made, 1)]


def _copy(frame: bytes, way: Way, dice: random.Random) -> bytes:
    data = bytearray(frame)
    six = data[12:14] != b"\x08\0"
    if way.hops:
        data[:12] = bytes(12)
        data[21 if six else 22] = max(data[21 if six else 22] - way.hops, 0)
    if way.tagged and not six:
        data[15] |= way.tagged
    if not six:
        _summed(data)
    if dice.random() < way.spoilt:
        at = dice.choice((len(data) - 1, 14 + (40 if six else 20) + dice.randrange(4, 20)))
        data[min(at, len(data) - 1)] ^= dice.choice((1, 128))
    return bytes(data)


def ways(dice: random.Random) -> Way:
    """One of many."""
    after = dice.choice(
        ((0, 0), (US, US), (0, 30 * US), (40 * US, 60 * US), (US, 900 * US), (0, 3 * MS),
         (0, 90 * MS), (90 * MS, 110 * MS), (0, 400 * MS))
    )  # fmt: skip
    return Way(
        share=dice.choice((1.0, 1.0, 0.95, 0.5, 0.1, 0.02)),
        only=dice.choice((None, None, None, True, False)),
        after=after,
        times=dice.choice((1, 1, 1, 1, 2, 3)),
        hops=dice.choice((0, 0, 1, 2)),
        tagged=dice.choice((0, 0, 0, 3, 0x20)),
        spoilt=dice.choice((0, 0, 0, 0, 0.01)),
    )


def world(seed: int, path: Path) -> Way:
    """Write a random capture with copies."""
    dice = random.Random(seed)
    kind = dice.randrange(5)
    if kind < 3:
        visits(path, dice.choice((5, 40, 80)), seed, odd=dice.choice((0.0, 0.02, 0.2)))
    elif kind == 3:
        stream(path, dice.choice((60, 300, 1500)), lost=dice.choice((0, 0, 2)))
    else:
        path.write_bytes(written(seed))
    frames = frames_of(path)
    if kind < 4 and dice.random() < 0.2:
        frames = over_ipv6(frames)
    way = ways(dice)
    frames = numbered(frames, dice.choice(IDENTS[:5] * 3 + IDENTS), dice)
    path.write_bytes(variants.pcap(doubled(frames, way, dice)))
    return way


def transfer(seed: int, path: Path) -> Way:
    """The same of one long connection in which packets are lost, and more."""
    dice = random.Random(seed)
    transfers.write(path, transfers.drawn(seed), dice.choice((150, 400, 900)))
    way = Way(
        share=dice.choice((1.0, 1.0, 0.3, 0.02)),
        only=dice.choice((None, None, True)),
        after=dice.choice(((0, 0), (US, US), (0, 9 * US), (0, 80 * US))),
        times=dice.choice((1, 1, 2)),
        hops=dice.choice((0, 1)),
        spoilt=dice.choice((0, 0, 0, 0.003)),
    )
    frames = frames_of(path)
    if dice.random() < 0.6:
        frames = numbered(frames, dice.choice(("counted", "by sender", "zero", "random")), dice)
    frames = doubled(frames, way, dice)[dice.choice((0, 0, 0, 0, dice.randrange(1, 60))) :]
    path.write_bytes(variants.pcap([replace(one, number=at) for at, one in enumerate(frames, 1)]))
    return way


def main(begin: int, end: int) -> None:
    seen = regular = followed = copies = differ = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture"
        for seed in range(begin, end):
            way = (transfer if seed % 3 == 2 else world)(seed, path)
            building = built(path)
            seen += building.reading.columns.count
            regular += len(building.array["first"])
            copies += int(building.array["copies"].astype(int).sum())
            followed += len(building.followed)
            found = [str(each) for each in differences(path, building)]
            if not found:
                one, other = tables(path)
                found = [] if one == other else ["the table as text"]
            differ += bool(found)
            for each in found[:3]:
                print(seed, way, each[:600], flush=True)
    print(
        f"{end - begin} captures, {differ} differ; {seen} segments, {copies} copies told; ", end=""
    )
    print(f"{regular} connections regular, {followed} followed")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
