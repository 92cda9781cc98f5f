"""Frames laid out as the kernel lays them into a TPACKET_V2 ring."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from tcpviz.bulk.live.stretches import Stretch
from tcpviz.sources.ring import LINK_AT, frame_size
from tcpviz.wire.frame import Frame

USER, LOSING, VLAN = 1, 4, 0x50
_head = struct.Struct("=IIIHHIIHH")


def stretch(
    frames: Sequence[Frame], *, snaplen: int = 128, number: int = 1, lost_at: int | None = None
) -> Stretch:
    """A stretch of these frames, cut at ``snaplen``; packets were lost before ``lost_at``."""
    size = frame_size(snaplen)
    made = bytearray(len(frames) * size)
    for place, frame in enumerate(frames):
        data = frame.data[:snaplen]
        seconds, fraction = divmod(frame.time_ns, 1_000_000_000)
        status = USER | (LOSING if place == lost_at else 0)
        row = (status, frame.wire_len, len(data), LINK_AT, LINK_AT + 14, seconds & 0xFFFFFFFF)
        _head.pack_into(made, place * size, *row, fraction, 0, 0)
        made[place * size + LINK_AT : place * size + LINK_AT + len(data)] = data
    return Stretch(made, size, number=number, lost=0 if lost_at is None else 7)
