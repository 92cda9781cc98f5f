"""A packet ring of Linux, mapped into memory (TPACKET_V2), and how its frames are handed on.

Runs in the capturing child with the standard library alone. Reading a socket packet by packet
costs a system call and a dozen Python objects for each; here the kernel writes frames of a fixed
size into memory that is ours too, and once in :data:`PASS_S` all that have come go on in as few
writes as there are stretches. Nothing is looked at but each frame's status word.

The output is not pcapng but :data:`HEAD` and raw frames, again and again: who reads it makes
columns of a whole stretch at once (:mod:`tcpviz.bulk.stretches`).

Constants and layouts are those of ``include/uapi/linux/if_packet.h``; see also
``Documentation/networking/packet_mmap.rst``. A frame's data must not be read before its status
says that it is ours, nor its status given back before the data were read. Python has no fence for
that; x86 keeps loads in order, and stores behind earlier loads, by itself. So only there.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import platform
import socket
import struct
import sys

from tcpviz.sources.packets import Instruction, PacketSocket

PASS_S = 0.033
"""Seconds between two passes over the ring: looking again until it is empty costs ten times
as much at fifty thousand packets a second."""

RING = 64 << 20
"""Bytes of the ring: at 200 000 packets a second a second and a half of standing still."""

LEAST = 4 << 20
"""Bytes below which a ring is not worth having."""

MAX_SNAPLEN = 1024
"""Bytes of each packet up to which a ring holds enough packets to be of use."""

HEAD = struct.Struct("<4sIIIQQ")
"""Magic, frames that follow, bytes of each, 1 if outgoing ones must be left out; and of the whole
time so far: packets that passed the filter, and those of them that were dropped."""

MAGIC = b"TVRG"

HEADER = 32
"""``struct tpacket2_hdr``: status, len, snaplen (32 bits each), mac, net (16 each), seconds,
nanoseconds (32 each), VLAN's TCI and TPID (16 each), padding. ``struct sockaddr_ll`` follows."""

LINK_AT = 66
"""Where an Ethernet frame begins: the header and ``sockaddr_ll`` (20), to a multiple of 16, and
so that the IP header behind it begins at one (``tpacket_rcv()`` in net/packet/af_packet.c)."""

_SOL_PACKET = 263
_PACKET_RX_RING, _PACKET_VERSION = 5, 10
_TPACKET_V2 = 1
_PACKET_IGNORE_OUTGOING = 23
_LOOK = 1024  # statuses read at once


def frame_size(snaplen: int) -> int:
    """Bytes of a frame with room for ``snaplen`` bytes of the packet; a multiple of 16."""
    return -(-(LINK_AT + snaplen) // 16) * 16


def why_not(snaplen: int, link_type: int, *, interfaces: int, compiled: bool) -> str:
    """Why a ring is not the way to capture so, in a few words; empty where it is."""
    if not sys.platform.startswith("linux"):
        return "rings are Linux's"
    if platform.machine() not in ("x86_64", "i686", "i586", "AMD64"):
        return f"the order of {platform.machine()}'s memory is not known to be enough"
    if not 0 < snaplen <= MAX_SNAPLEN:
        return f"more than {MAX_SNAPLEN} bytes of each packet are wanted"
    if interfaces != 1 or link_type != 1:
        return "a ring is for one Ethernet interface or loopback"
    return "" if compiled else "the filter is not compiled"


def try_it(snaplen: int) -> tuple[int, str]:
    """How many packets a ring on loopback would hold; 0 and the reason where there is none."""
    reason = why_not(snaplen, 1, interfaces=1, compiled=True)
    if reason:
        return 0, reason
    nothing: list[Instruction] = [(0x06, 0, 0, 0)]
    try:
        made = RingSocket("lo", nothing, loopback=True, snaplen=snaplen)
    except OSError as error:
        return 0, error.strerror or str(error)
    try:
        return made.frames, ""
    finally:
        made.close()


class RingSocket(PacketSocket):
    """A packet socket whose packets come through a ring. Raises OSError where there is none."""

    def __init__(
        self,
        name: str,
        program: list[Instruction],
        *,
        loopback: bool,
        snaplen: int,
        size: int = RING,
        promiscuous: bool = False,
    ) -> None:
        self._size = frame_size(snaplen)
        self._want = size
        self.frames = 0
        self._map: mmap.mmap | None = None
        super().__init__(
            name, program, cooked=False, loopback=loopback, buffer=1 << 16, promiscuous=promiscuous
        )
        # Where the kernel cannot leave them out, whoever reads the frames does.
        self.skip_outgoing = loopback and not self._ignores_outgoing()
        self._at = 0

    def _ignores_outgoing(self) -> bool:
        with contextlib.suppress(OSError):
            return self.socket.getsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING) == 1
        return False

    def _before_bind(self) -> None:
        """Set the ring up before anything can come: what came earlier would lie in the queue."""
        self.socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
        # Frames fill blocks without a remainder, so that they stand one behind the other in
        # memory over all blocks; a block is just below a power of two of pages, as the kernel
        # takes pages by such powers.
        least = math.lcm(self._size, mmap.PAGESIZE)
        block = least * max((1 << 20) // least, 1)
        want = self._want
        while True:
            blocks = max(want // block, 1)
            frames = blocks * block // self._size
            request = struct.pack("=IIII", block, blocks, self._size, frames)
            try:
                self.socket.setsockopt(_SOL_PACKET, _PACKET_RX_RING, request)
                break
            except OSError:
                want //= 2
                if want < LEAST:
                    raise
        self.frames = frames
        self._map = mmap.mmap(self.socket.fileno(), blocks * block)
        self._bytes = memoryview(self._map)
        self._status = self._bytes.cast("I")[:: self._size // 4]
        self._zeros = memoryview(bytes(4 * _LOOK)).cast("I")

    @property
    def seconds_at(self) -> float:
        """How long the ring holds out at 200 000 packets a second, in seconds."""
        return self.frames / 200_000

    def ready(self, most: int) -> int:
        """How many frames, at most ``most``, are ours now."""
        found = 0
        most = min(most, self.frames)
        while found < most:
            at = (self._at + found) % self.frames
            look = min(_LOOK, most - found, self.frames - at)
            status = self._status[at : at + look].tolist()
            if 0 in status:  # TP_STATUS_KERNEL
                return found + int(status.index(0))
            found += look
        return found

    def stretches(self, count: int) -> list[memoryview]:
        """The next ``count`` frames as they lie there; to be let go before :meth:`release`."""
        end = self._at + count
        size = self._size
        if end <= self.frames:
            return [self._bytes[self._at * size : end * size]]
        rest = end - self.frames
        return [self._bytes[self._at * size :], self._bytes[: rest * size]]

    def release(self, count: int) -> None:
        """Give the next ``count`` frames back to the kernel."""
        while count:
            part = min(count, _LOOK, self.frames - self._at)
            self._status[self._at : self._at + part] = self._zeros[:part]
            self._at = (self._at + part) % self.frames
            count -= part

    def look_for_trouble(self) -> None:
        """Sets ``trouble`` where the kernel says that the interface is down or gone."""
        number = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self.trouble = OSError(number, os.strerror(number))

    def close(self) -> None:
        if self._map is not None:
            for view in (self._status, self._bytes):
                view.release()
            with contextlib.suppress(BufferError):
                self._map.close()
            self._map = None
        super().close()
