"""Captures of any size in a moment, for growth: whole connections, or one that never ends.

Written by numpy, so that ten million packets take seconds. Each packet is its headers alone, cut
off behind them as an operator's snapshot would.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from tests.bench.flood import ACK, DATA, FIN, HEAD, PSH, TALK, frames

AT_ONCE = 50_000
_START_US = 1_700_000_000_000_000
_FILE = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 96, 1)


def _summed(heads: np.ndarray, sizes: np.ndarray) -> None:
    """Put in the right checksums, of data that is zeros (RFC 9293 section 3.1)."""
    heads[:, 50:52] = 0
    words = np.ascontiguousarray(heads[:, 26:HEAD]).view(">u2").astype(np.int64)
    total = words.sum(axis=1) + 6 + 20 + sizes
    for _ in range(2):
        total = (total & 0xFFFF) + (total >> 16)
    heads[:, 50:52] = (~total & 0xFFFF).astype(">u2").view(np.uint8).reshape(-1, 2)


def _records(heads: np.ndarray, sizes: np.ndarray, first: int) -> bytes:
    """pcap records, twelve microseconds apart; ``first``: how many came before."""
    _summed(heads, sizes)
    out = np.zeros((len(heads), 16 + HEAD), np.uint8)
    when = _START_US + 12 * (first + np.arange(len(heads)))
    words = np.zeros((len(heads), 4), "<u4")
    words[:, 0], words[:, 1] = when // 1_000_000, when % 1_000_000
    words[:, 2], words[:, 3] = HEAD, HEAD + sizes
    out[:, :16] = words.view(np.uint8)
    out[:, 16:] = heads
    return out.tobytes()


def many(path: Path, connections: int, at_a_time: int = 2000) -> int:
    """So many whole connections of ten packets; returns how many packets."""
    written = 0
    with path.open("wb") as out:
        out.write(_FILE)
        for first in range(0, connections, AT_ONCE):
            count = min(AT_ONCE, connections - first)
            heads, sizes = frames(count, at_a_time, seed=first + 1)
            # Each fifty thousand come from another client.
            client = np.array([0x0A000002 + first // AT_ONCE], ">u4").view(np.uint8)
            outward = heads[:, 36:38].copy().view(">u2")[:, 0] == 80
            heads[outward, 26:30] = client
            heads[~outward, 30:34] = client
            out.write(_records(heads, sizes, written))
            written += len(heads)
    return written


def one(path: Path, packets: int) -> int:
    """One connection of so many packets: two of data, an acknowledgement, and so on."""
    opening, closing = TALK[:4], TALK[-3:]
    middle = max(packets - len(opening) - len(closing), 3)
    template, _ = frames(1, 1)
    ways = {side: template[[talk[0] for talk in TALK].index(side)] for side in (0, 1)}
    with path.open("wb") as out:
        out.write(_FILE)
        written = 0
        x, y = 1000, 5000

        def write(side: np.ndarray, flags: np.ndarray, data: np.ndarray, x0: int, y0: int) -> None:
            nonlocal written
            took = data + (flags & FIN) + (flags >> 1 & 1)
            said = [np.cumsum(np.where(side == each, took, 0)) for each in (0, 1)]
            before = [x0 + said[0] - np.where(side == 0, took, 0)]
            before.append(y0 + said[1] - np.where(side == 1, took, 0))
            seq = np.where(side == 0, before[0], before[1])
            ack = np.where(side == 0, before[1], before[0])
            ack = np.where(flags & ACK, ack, 0)
            heads = np.where(side[:, None] == 0, ways[0], ways[1]).astype(np.uint8)
            heads[:, 38:42] = (seq % 2**32).astype(">u4").view(np.uint8).reshape(-1, 4)
            heads[:, 42:46] = (ack % 2**32).astype(">u4").view(np.uint8).reshape(-1, 4)
            heads[:, 47] = flags
            heads[:, 16:18] = (40 + data).astype(">u2").view(np.uint8).reshape(-1, 2)
            out.write(_records(heads, data, written))
            written += len(side)

        for part in (opening, None, closing):
            if part is not None:
                side, flags, data = (np.array(each) for each in zip(*part, strict=True))
                write(side, flags, data, x, y)
                for one_side, bits, size in part:
                    took = size + (bits & FIN) + (bits >> 1 & 1)
                    x, y = (x + took, y) if one_side == 0 else (x, y + took)
                continue
            left = middle
            while left > 0:
                count = min(left, 300_000)
                turn = np.arange(count) % 3
                data = np.where(turn < 2, 14 * DATA, 0)
                flags = np.where(turn == 1, PSH | ACK, ACK)
                write((turn < 2).astype(np.int64), flags, data, x, y)
                y += int(data.sum())
                left -= count
    return written
