"""Of each connection of a capture a part: one direction, what came later, all but its SYNs.

And what is sent to many with no connection at all: ACKs, answers, resets, segments of scans.
"""

from __future__ import annotations

import random
import struct
from collections import defaultdict
from dataclasses import replace

from tcpviz.wire.frame import Frame
from tests.wire import packets

_FLAGS = (0x10, 0x10, 0x12, 0x14, 0x04, 0x18, 0x11, 0x01, 0x00, 0x29, 0x52, 0x90, 0x28, 0x09)


def _ports(data: bytes) -> tuple[int, int, int, int]:
    """Where the ports of a TCP packet in a frame of raw IP or Ethernet stand, and what is sent."""
    at = 14 if data[:1] not in (b"\x45", b"\x60") else 0
    head = at + (20 if data[at] >> 4 == 4 else 40)
    return (*struct.unpack_from("!HH", data, head), data[head + 13], at)


def parted(
    frames: list[Frame], seed: int, *, ways: str = "cstmoa", lone: float = 0.1
) -> list[Frame]:
    """Captures of which each connection was seen in one of these ways, by dice.

    ``c``, ``s`` only what the client, the server, sent; ``t`` that without its SYN; ``m`` from
    the middle on; ``o`` all but SYNs; ``a`` all of it. Beside them so many segments alone.
    """
    dice = random.Random(seed)
    flows: dict[frozenset[tuple[bytes, int]], list[int]] = defaultdict(list)
    said = []
    for place, frame in enumerate(frames):
        source, target, flags, at = _ports(frame.data)
        six = frame.data[at] >> 4 == 6
        begin, size = (8, 16) if six else (12, 4)
        src = frame.data[at + begin : at + begin + size]
        dst = frame.data[at + begin + size : at + begin + 2 * size]
        said.append(((src, source), flags))
        flows[frozenset({(src, source), (dst, target)})].append(place)
    kept: list[int] = []
    for places in flows.values():
        way = dice.choice(ways)
        client = said[places[0]][0]
        theirs = [said[place][0] != client for place in places]
        if way == "a":
            kept += places
            continue
        if way in "cst":
            side = way == "s" or (way == "t" and dice.random() < 0.5)
            places = [place for place, other in zip(places, theirs, strict=True) if other == side]
        if way in "to":
            places = [place for place in places if not said[place][1] & 2]
        if way == "m" and places:
            places = places[dice.randrange(len(places)) :]
        kept += places
    out = [frames[place] for place in sorted(kept)]
    for _ in range(int(len(flows) * lone)):
        at = dice.randrange(len(out) + 1)
        out[at:at] = _alone(dice, dice.choice(frames))
    for place, frame in enumerate(out):
        time = max(frame.time_ns, out[place - 1].time_ns) if place else frame.time_ns
        out[place] = replace(frame, number=place + 1, time_ns=time)
    return out


def _alone(dice: random.Random, like: Frame) -> list[Frame]:
    """A segment of no connection, in the envelope of another frame; an ACK may be refused."""
    flags = dice.choice(_FLAGS)
    ports = [dice.randrange(3000, 60_000), dice.choice((80, 443, 7777))]
    ends = [f"10.7.0.{dice.randint(1, 30)}", "10.128.0.9"]
    if dice.random() < 0.5:
        ports.reverse()
        ends.reverse()
    size = dice.choice((0, 0, 0, 40)) if flags & 0x10 and not flags & 6 else 0
    seq, ack = dice.choice((0, dice.getrandbits(32))), dice.getrandbits(32) * (flags >> 4 & 1)
    said = [(flags, size, seq, ack, dice.choice((0, 512, 1024)))]
    if flags & 0x17 == 0x10 and dice.random() < 0.5:
        said.append((0x04, 0, ack, 0, 0))
    if not flags & 0x16 and dice.random() < 0.6:
        said.append((0x14, 0, 0, (seq + (flags & 1)) & 0xFFFFFFFF, 0))
    out = []
    for place, (bits, length, number, back, window) in enumerate(said):
        src, dst = ends[:: 1 - 2 * place]
        sport, dport = ports[:: 1 - 2 * place]
        made = packets.tcp(
            bytes(length), src=src, dst=dst, sport=sport, dport=dport,
            seq=number, ack=back, flags=bits, window=window,
        )  # fmt: skip
        data = packets.ipv4(made, src=src, dst=dst, ident=dice.randrange(1, 60_000))
        if like.data[:1] not in (b"\x45", b"\x60"):
            data = packets.ethernet(data)
        out.append(replace(like, data=data, wire_len=len(data)))
    return out
