"""Captures written for the equality tests: of frames, of dialogues told in a line."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from tests.wire import packets

FLAGS = {"S": 2, "A": 16, "F": 1, "R": 4, "P": 8, "U": 32, "E": 64, "C": 128}
ENDS = (("10.0.0.1", 40000), ("10.0.0.2", 80))
ISS = (1000, 500_000)


def said(line: str, number: int = 0, iss: tuple[int, int] = ISS) -> bytes:
    """A segment as an IPv4 packet: ``"> PA 1:100 1"``, whose, flags, number:length, ack.

    Numbers count from each end's first; ``number`` becomes the identification.
    """
    who, flags, place, *rest = line.split()
    seq, _, length = place.partition(":")
    side = int(who == "<")
    (src, sport), (dst, dport) = ENDS[side], ENDS[1 - side]
    ack = (iss[1 - side] + int(rest[0])) & 0xFFFFFFFF if rest else 0
    bits = 0
    for letter in flags:
        bits |= FLAGS[letter]
    head = packets.tcp(
        bytes(int(length or 0)), src=src, dst=dst, sport=sport, dport=dport,
        seq=(iss[side] + int(seq)) & 0xFFFFFFFF, ack=ack, flags=bits,
    )  # fmt: skip
    return packets.ipv4(head, src=src, dst=dst, ident=number)


def pcap(path: Path, frames: Iterable[tuple[int, bytes]], link: int = 101) -> None:
    """Write frames with their times in microseconds."""
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link))
        for time, data in frames:
            head = (time // 1_000_000, time % 1_000_000, len(data), len(data))
            out.write(struct.pack("<IIII", *head) + data)
