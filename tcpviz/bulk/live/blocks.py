"""A stretch's packets as pcapng's Enhanced Packet Blocks, all at once.

Byte for byte what :class:`tcpviz.sources.writer.PcapngWriter` writes of the same frames one by
one. All headings are made as columns, and packets of the same length are copied together.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tcpviz.bulk.live.stretches import Stretch
from tcpviz.bulk.segments.pieces import at_every, gathered
from tcpviz.sources.batch import Blocks
from tcpviz.sources.pcapng import ENHANCED_PACKET
from tcpviz.sources.ring import HEADER
from tcpviz.sources.ringread import TPID_VALID, VLAN_VALID
from tcpviz.wire.frame import Frame

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

HEAD = 28
"""Bytes of a block before its packet: type, length, interface, time (2), lengths (2)."""

FEW = 12
"""Packets of one length below which they are copied one by one; more are copied together."""

WIDE = 4096
"""Bytes of a packet above which copying takes longer than to say what is to be copied."""

_FRONT = 24


class _Fronts(NamedTuple):
    """What packets begin with in place of their first bytes.

    ``made``  the bytes, :data:`_FRONT` for each; ``size`` how many of them count, ``skip`` how many
    of the packet's own they stand for
    """

    made: Bytes
    size: Ints
    skip: Ints


class StretchBlocks:
    """The packets of ``stretch``, cut at ``snaplen`` bytes (0: not): a batch to be written."""

    def __init__(self, stretch: Stretch, snaplen: int) -> None:
        self._stretch = stretch
        self._snaplen = snaplen

    def __len__(self) -> int:
        return len(self._stretch)

    def frame(self, place: int) -> Frame:
        return self._stretch.frame(place)

    def blocks(self, first: int, last: int) -> Blocks:
        rows = self._stretch.rows[first:last]
        source, starts, captured = self._stretch.packets()
        starts, captured = starts[first:last], captured[first:last]
        fronts = self._fronts(rows, source, first, starts, captured)
        more = fronts.size - fronts.skip
        whole = captured + more
        length = np.maximum(rows["len"] + more, whole)
        size = np.minimum(whole, self._snaplen) if self._snaplen else whole
        heads = np.empty((len(rows), HEAD // 4), np.uint32)
        heads[:, 0] = ENHANCED_PACKET
        heads[:, 1] = HEAD + 4 + (size + 3 & ~3)
        heads[:, 2] = rows["interface"]
        times = self._stretch.times()[first:last]
        heads[:, 3] = times >> 32
        heads[:, 4] = times & 0xFFFFFFFF
        heads[:, 5] = size
        heads[:, 6] = length
        fronts = fronts._replace(size=np.minimum(fronts.size, size))
        starts = starts + fronts.skip
        ends: Any = np.cumsum(heads[:, 1], dtype=np.int64)
        data = _put(source, starts, size, heads, fronts, ends)
        return Blocks(data, ends, int(times[-1]) if len(times) else 0)

    def _fronts(
        self, rows: npt.NDArray[Any], source: Any, first: int, starts: Ints, captured: Ints
    ) -> _Fronts:
        """What :func:`tcpviz.sources.ringread.whole` puts back, or in front.

        A VLAN tag that Linux took goes between Ethernet's addresses and its type; a cooked
        packet's ``struct sockaddr_ll`` becomes its link header (LINKTYPE_LINUX_SLL2).
        """
        count = len(rows)
        size, skip = np.zeros(count, np.int64), np.zeros(count, np.int64)
        tagged = (rows["status"] & VLAN_VALID) != 0
        cooked = np.array([is_cooked for _, is_cooked in self._stretch.links])[rows["interface"]]
        if not tagged.any() and not cooked.any():
            return _Fronts(np.zeros((0, _FRONT), np.uint8), size, skip)
        made = np.zeros((count, _FRONT), np.uint8)
        which = np.flatnonzero(cooked & ~tagged)
        raw = np.frombuffer(self._stretch.data, np.uint8).reshape(-1, self._stretch.size)
        address = raw[first + which, HEADER : HEADER + 20]
        made[which, 0:2] = address[:, 2:4]
        made[which, 4:8] = address[:, 7:3:-1]  # from the machine's order to the network's
        made[which, 8:10] = address[:, 9:7:-1]
        made[which, 10] = address[:, 10]
        made[which, 11] = np.minimum(address[:, 11], 8)
        made[which, 12:20] = address[:, 12:20]
        size[which] = 20
        which = np.flatnonzero(tagged & ~cooked & (captured >= 12))
        made[which, :12] = np.frombuffer(source, np.uint8)[starts[which, None] + np.arange(12)]
        known = (rows["status"][which] & TPID_VALID) != 0
        made[which, 12:14] = _network(np.where(known, rows["tpid"][which], 0x8100))
        made[which, 14:16] = _network(rows["tci"][which])
        size[which], skip[which] = 16, 12
        for place in np.flatnonzero(tagged & cooked).tolist():
            data = self._stretch.frame(first + place).data
            made[place] = np.frombuffer(data[:_FRONT], np.uint8)
            size[place] = _FRONT
        return _Fronts(made, size, skip)


def _network(values: npt.NDArray[Any]) -> Bytes:
    """Numbers of 16 bits in the network's order."""
    return values.astype(">u2").view(np.uint8).reshape(-1, 2)


def _put(
    source: Any,
    starts: Ints,
    size: Ints,
    heads: npt.NDArray[np.uint32],
    fronts: _Fronts,
    ends: Ints,
) -> memoryview:
    """The blocks, one behind the other.

    ``size`` of each packet with what stands in front; ``starts`` of the rest in ``source``.
    """
    if not len(ends):
        return memoryview(b"")
    out = np.empty(int(ends[-1]), np.uint8)
    begins = ends - heads[:, 1]
    at_every(out, HEAD)[begins] = heads.view(f"V{HEAD}").ravel()
    body = begins + HEAD
    for front in np.unique(fronts.size).tolist() if len(fronts.made) else []:
        if front:
            which = np.flatnonzero(fronts.size == front)
            made = np.ascontiguousarray(fronts.made[which, :front])
            at_every(out, front)[body[which]] = made.view(f"V{front}").ravel()
    _put_packets(out, body + fronts.size, source, starts, size - fronts.size)
    for pad in range(3):
        which = np.flatnonzero((-size & 3) > pad)
        out[body[which] + size[which] + pad] = 0
    out.view(np.uint32)[ends // 4 - 1] = heads[:, 1]
    return out.data


def _put_packets(out: Bytes, places: Ints, source: Any, starts: Ints, size: Ints) -> None:
    """So many bytes from each start to its place, with up to three that are behind them."""
    padded = size + 3 & ~3
    keys = padded.astype(np.uint16) if int(padded.max()) < 1 << 16 else padded
    order = np.argsort(keys, kind="stable")
    groups = np.flatnonzero(np.diff(keys[order])) + 1
    alone: list[Ints] = []
    for which in np.split(order, groups):
        width = int(padded[which[0]])
        if len(which) < FEW or width > WIDE:
            alone.append(which)
        elif width:
            at_every(out, width)[places[which]] = gathered(source, starts[which], width)
    if not alone:
        return
    rest = np.concatenate(alone)
    view, data = out.data, memoryview(source)
    columns = (each[rest].tolist() for each in (places, starts, size))
    for place, start, length in zip(*columns, strict=True):
        view[place : place + length] = data[start : start + length]
