"""What data said, as far as it must be known to tell that the same bytes came again changed.

A retransmission repeats. Where sequence numbers come again with other data, somebody
else wrote one of the two (a forged answer that was faster than the true one, an evasion
of inspection), or something on the way rewrites. The data itself is not kept: of each of
the latest segments its beginning and a checksum, 28 bytes.
"""

from __future__ import annotations

import struct
import zlib

from tcpviz.core import seq as seqno
from tcpviz.core.segment import Segment

KEPT = 64
"""Segments of one direction that are remembered, the latest."""

HEAD = 16
"""Bytes of a segment's beginning that are remembered."""

_ENTRY = struct.Struct("<III16s")


class Contents:
    """The latest data of one direction."""

    __slots__ = ("_next", "_ring")

    def __init__(self) -> None:
        self._ring = bytearray()
        self._next = 0

    def add(self, segment: Segment) -> None:
        """Remember a segment's data; one whose data was cut off by the capture is left out."""
        payload = segment.payload
        if len(payload) < segment.payload_len or not payload:
            return
        entry = _ENTRY.pack(segment.seq, len(payload), zlib.crc32(payload), payload[:HEAD])
        if self._next * _ENTRY.size >= len(self._ring):
            self._ring += entry
        else:
            _ENTRY.pack_into(self._ring, self._next * _ENTRY.size, *_ENTRY.unpack(entry))
        self._next = (self._next + 1) % KEPT

    @property
    def is_empty(self) -> bool:
        """Nothing is remembered."""
        return not self._ring

    def latest(self, most: int) -> Contents:
        """Only so many, the latest."""
        size = _ENTRY.size
        made = Contents()
        count = min(most, len(self._ring) // size)
        for back in range(count, 0, -1):
            at = (self._next - back) % KEPT * size
            made._ring += self._ring[at : at + size]
        made._next = count % KEPT
        return made

    def differs(self, segment: Segment) -> bool:
        """Whether its numbers came before with other data, as far as that is remembered."""
        payload = segment.payload
        if not payload:
            return False
        crc: int | None = None
        for seq, length, known, head in _ENTRY.iter_unpack(bytes(self._ring)):
            if seq == segment.seq and length == len(payload) == segment.payload_len:
                crc = zlib.crc32(payload) if crc is None else crc
                if crc != known:
                    return True
                continue
            # The beginning of the one, where it lies within the other.
            begin = seqno.diff(seq, segment.seq)
            size = min(length, HEAD)
            if begin >= 0:
                ours, theirs = payload[begin : begin + size], head[:size]
            else:
                ours, theirs = payload, head[-begin:size] if -begin < size else b""
            same = min(len(ours), len(theirs))
            if ours[:same] != theirs[:same]:
                return True
        return False
