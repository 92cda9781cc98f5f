"""A packet ring of blocks (TPACKET_V3): packets one behind the other, each as long as it is.

For packets that are wanted whole, or nearly: frames of one size (:mod:`tcpviz.sources.ring`) would
have to be as long as the longest, which is 64 KB where the kernel or the card puts segments
together. With the standard library alone.

The kernel fills a block and gives it away when the next packet does not fit, or after
:data:`RETIRE_MS`. So a reader takes blocks, never part of one. Each begins with ``struct
tpacket_block_desc``; its packets are a chain of ``struct tpacket3_hdr``. Whether something was lost
stands in the block's status: before its first packet. The block that is being filled when the
capture ends is never given away; once nobody writes any more, whoever reads may take it all the
same, and knows it by the number that follows the last one's (``seq_num``).

Layouts and constants are those of ``include/uapi/linux/if_packet.h``; what the kernel does with
them is in ``prb_*()`` of net/packet/af_packet.c. What :mod:`tcpviz.sources.ring` says of who maps
the memory, what can be done with it, and of the order of reading and writing, holds here too.
"""

from __future__ import annotations

import struct

from tcpviz.sources.ring import AT_ONCE_BYTES, LEAST, Ring, RingSocket, mapped

BLOCK = 512 << 10
"""Bytes of a block: the longest packet that is kept whole is somewhat shorter."""

BLOCKS_RING = 128 << 20
"""Bytes of the ring: packets of 64 KB each fill it at 3 GB/s in 40 ms."""

RETIRE_MS = 40
"""Milliseconds after which a block that is not full is given away."""

FLOOD_BYTES = 1_250_000_000
"""Bytes a second that must not fill a ring between two passes of who is patient: 10 Gbit/s."""

DESCRIPTOR = struct.Struct("=IIIIIIQ")
"""``struct tpacket_block_desc``: version, where its private part is; status, packets, where the
first one is, bytes of all; its number. (Times follow.)"""

FRAME = struct.Struct("=IIIIIIHHIIHH8x")
"""``struct tpacket3_hdr``: where the next one is, from here; seconds, nanoseconds, bytes captured
and of the packet, status; where the link header and IP's are; hash, VLAN's TCI and TPID, padding.
``struct sockaddr_ll`` follows."""

SHIFT = FRAME.size - 32
"""All that follows the heading stands so many bytes further back than in a frame of
:mod:`tcpviz.sources.ring`, whose heading has 32."""

SHORTEST = 136
"""Bytes that a packet takes at least: heading and address (68), to a multiple of 16 behind the
Ethernet header (14); IP and TCP (40); to a multiple of 8."""

_HEADING = 48  # bytes of a block before its first packet
_USER, _LOSING = 1, 4  # TP_STATUS_*
_STATUS = 8
_TPACKET_V3 = 2
_SOL_PACKET, _PACKET_RX_RING = 263, 5


class BlockRing(Ring):
    """As a ring of frames; counts are of packets all the same, and ``size`` is 0.

    ``frames``  how many of the shortest it holds
    ``length``  bytes of all
    """

    def __init__(self, descriptor: int, blocks: int, length: int, *, alone: bool = False) -> None:
        self.frames = length // SHORTEST
        self.size = 0
        self.length = length
        self.lasts_s = length / FLOOD_BYTES
        self.skip_outgoing = self.more = self.over = False
        self._blocks = blocks
        self._block = length // blocks
        self._at = 0
        self._number: int | None = None
        self._found: list[tuple[int, int, int]] = []
        self._map = mapped(descriptor, length, alone=alone)
        self._bytes = memoryview(self._map)
        self._status = self._bytes.cast("I")

    def _look(self, ahead: int, number: int | None) -> tuple[int, int, int] | None:
        """Packets, bytes and number of the block that comes so far behind the next one."""
        start = (self._at + ahead) % self._blocks * self._block
        if not self._status[(start + _STATUS) // 4] & _USER:
            if not self.over:
                return None
            # Nobody writes any more: is it the one that was being filled?
            _, _, status, count, _, size, found = DESCRIPTOR.unpack_from(self._bytes, start)
            if found != (1 if number is None else number + 1) or status & _USER:
                return None
        else:
            _, _, _, count, _, size, found = DESCRIPTOR.unpack_from(self._bytes, start)
        return count, min(size, self._block), found

    def ready(self, most: int) -> int:
        """Packets of as many blocks as have no more than ``most``; at least those of one.

        ``more``: further blocks are there.
        """
        self._found, self.more = [], False
        packets, size, number = 0, 0, self._number
        while len(self._found) < self._blocks:
            block = self._look(len(self._found), number)
            if block is None:
                break
            if packets and (packets + block[0] > most or size + block[1] > AT_ONCE_BYTES):
                self.more = True
                break
            self._found.append(block)
            packets, size, number = packets + block[0], size + block[1], block[2]
        if not packets and not self.over:
            self.release(0)  # with nothing in them
        return packets

    def share(self, count: int) -> float:  # noqa: ARG002 - of ready()
        return len(self._found) / self._blocks

    def fuller(self, share: float) -> bool:
        return self._look(int(share * self._blocks), None) is not None and not self.over

    def waiting(self) -> int:
        packets, number = 0, self._number
        for ahead in range(self._blocks):
            block = self._look(ahead, number)
            if block is None:
                break
            packets, number = packets + block[0], block[2]
        return packets

    def stretches(self, count: int) -> list[memoryview]:  # noqa: ARG002 - of ready()
        """The blocks that :meth:`ready` found, without what is free in them."""
        views = []
        for ahead, (_, size, _) in enumerate(self._found):
            start = (self._at + ahead) % self._blocks * self._block
            views.append(self._bytes[start : start + size])
        return views

    def release(self, count: int) -> None:  # noqa: ARG002 - of ready()
        """Give them back to the kernel."""
        for _, _, number in self._found:
            self._status[(self._at * self._block + _STATUS) // 4] = 0
            self._at = (self._at + 1) % self._blocks
            self._number = number
        self._found = []


class BlockSocket(RingSocket):
    """A packet socket whose packets come through a ring of blocks. Raises OSError."""

    def _before_bind(self) -> None:
        self._set_version(_TPACKET_V3)
        want = self._want
        while True:
            blocks = max(want // BLOCK, 2)
            # A frame's size says nothing here, but must be one.
            numbers = (BLOCK, blocks, 2048, blocks * (BLOCK // 2048), RETIRE_MS, 0, 0)
            try:
                self.socket.setsockopt(_SOL_PACKET, _PACKET_RX_RING, struct.pack("=7I", *numbers))
                break
            except OSError:
                want //= 2
                if want < LEAST:
                    raise
        self.shape = (blocks, 0, blocks * BLOCK)
        self.frames = blocks * BLOCK // SHORTEST

    def map(self) -> Ring:
        made = BlockRing(self.fileno(), self.shape[0], self.shape[2])
        made.skip_outgoing = self.skip_outgoing
        return made


def chain(data: bytes | bytearray | memoryview) -> tuple[list[int], list[int]]:
    """Where in these blocks each packet's heading is; and which ones something was lost before.

    Of what is not as it must be the rest is left out.
    """
    found: list[int] = []
    losing: list[int] = []
    words = memoryview(data)[: len(data) & ~3].cast("B").cast("I")
    at = 0
    while at + _HEADING <= len(data):
        _, _, status, count, first, size, _ = DESCRIPTOR.unpack_from(data, at)
        end = at + size
        if size < _HEADING or end > len(data) or first % 4:
            break
        if status & _LOSING and count:
            losing.append(len(found))
        place, last = (at + first) >> 2, (end - FRAME.size) >> 2
        for _ in range(count):
            if place > last:
                break
            found.append(place << 2)
            step = words[place] >> 2
            if not step:
                break
            place += step
        at = end
    return found, losing
