"""A stretch's packets as pcapng's Enhanced Packet Blocks, all at once.

Byte for byte what :class:`tcpviz.sources.writer.PcapngWriter` writes of the same frames one by
one. All headings are made as columns. Short packets are laid into rows of one length, from which
what is too much is taken out again; of longer ones the pieces are put together as they lie.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tcpviz.bulk.live.stretches import Stretch
from tcpviz.sources.batch import Blocks
from tcpviz.sources.pcapng import ENHANCED_PACKET
from tcpviz.sources.ring import HEADER
from tcpviz.sources.ringread import TPID_VALID, VLAN_VALID
from tcpviz.wire.frame import Frame

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

HEAD = 28
"""Bytes of a block before its packet: type, length, interface, time (2), lengths (2)."""

NARROW = 256
"""Bytes of a packet up to which rows of one length are quicker than pieces."""

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
        widest = int(size.max(initial=0))
        fit = int(starts.max(initial=0)) + widest <= len(source)
        put = _in_rows if widest <= NARROW and fit else _in_pieces
        data = put(source, starts, size, heads, fronts)
        ends: Any = np.cumsum(heads[:, 1], dtype=np.int64)
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


def _in_rows(
    source: Any, starts: Ints, size: Ints, heads: npt.NDArray[np.uint32], fronts: _Fronts
) -> memoryview:
    """Every block in a row as long as the longest, then the rest of each row taken out."""
    count, widest = len(heads), int(size.max(initial=0))
    rows = np.empty((count, HEAD + (widest + 3 & ~3) + 4), np.uint8)
    rows[:, :HEAD] = heads.view(np.uint8)
    if len(fronts.made):
        rows[:, HEAD : HEAD + _FRONT] = fronts.made[:, : rows.shape[1] - HEAD]
        for begin in np.unique(fronts.size).tolist():
            which = np.flatnonzero(fronts.size == begin)
            data = _gathered(source, starts[which], widest - begin)
            rows[which, HEAD + begin : HEAD + widest] = data
    else:
        rows[:, HEAD : HEAD + widest] = _gathered(source, starts, widest)
    for pad in range(3):
        which = np.flatnonzero((-size & 3) > pad)
        rows[which, HEAD + size[which] + pad] = 0
    words = rows.view(np.uint32)
    last = heads[:, 1] // 4 - 1
    words[np.arange(count), last] = heads[:, 1]
    if count and last.min() == words.shape[1] - 1:
        return words.data.cast("B")
    kept = words[np.arange(words.shape[1], dtype=np.uint32) <= last[:, None]]
    return kept.data.cast("B")


def _gathered(source: Any, starts: Ints, width: int) -> Bytes:
    """So many bytes from each of these places."""
    if width <= 0 or not len(starts):
        return np.empty((len(starts), max(width, 0)), np.uint8)
    every = np.ndarray((len(source) - width + 1,), f"V{width}", source, 0, (1,))
    return every[starts].view(np.uint8).reshape(-1, width)


def _in_pieces(
    source: Any, starts: Ints, size: Ints, heads: npt.NDArray[np.uint32], fronts: _Fronts
) -> memoryview:
    """Packets as they lie, and between each two the end of one block and the head of the next."""
    count = len(heads)
    # Padding (4), the length again (4), the head, the front.
    between = np.zeros((count + 1, 8 + HEAD + _FRONT), np.uint8)
    between[1:, 4:8] = heads[:, 1:2].copy().view(np.uint8)
    between[:-1, 8 : 8 + HEAD] = heads.view(np.uint8)
    if len(fronts.made):
        between[:-1, 8 + HEAD :] = fronts.made
    at = np.arange(count + 1) * between.shape[1]
    begins = at + 8
    begins[1:] -= 4 + (-size & 3)
    ends = at + 8
    ends[:-1] += HEAD + fronts.size
    view, joints = memoryview(source), between.reshape(-1).data
    stops = starts + size - fronts.size
    pieces: list[memoryview] = []
    both = zip(begins.tolist(), ends.tolist(), starts.tolist(), stops.tolist(), strict=False)
    for begin, end, start, stop in both:
        pieces.append(joints[begin:end])
        pieces.append(view[start:stop])
    pieces.append(joints[int(begins[-1]) : int(ends[-1])])
    return memoryview(b"".join(pieces))
