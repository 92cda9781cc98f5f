"""A packet ring of Linux, mapped into memory (TPACKET_V2), and its socket.

With the standard library alone. Reading a socket packet by packet costs a system call and a dozen
Python objects for each; here the kernel writes frames of a fixed size into memory that is ours
too, and once in :data:`PASS_S` all that have come are taken together. Nothing is looked at here
but each frame's status word; :mod:`tcpviz.bulk.live.stretches` makes columns of them.

The capturing child opens the socket. Who reads is best the process that has the screen: the child
sends it the socket's descriptor (SCM_RIGHTS, unix(7)), it maps the ring and closes the descriptor
and Python's copy of it at once (:mod:`tcpviz.sources.ringhand`). The mapping keeps the ring and
nothing else: memory cannot be bound, sent through, given another filter or made a descriptor
again. It is writable, since whoever has read a frame says so in its status word; the kernel takes
nothing else from there but that word, so that a reader gone wild could spoil what it reads itself
and no more.
(Read-only, each pass would have to wake the child for it.) The counters stay with the child, as
:data:`HEAD` on its output, about once a second and when it is asked.

Where the descriptor or the mapping is refused, the child reads the ring itself, and its output is
:data:`HEAD` and raw frames, again and again.

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
from collections.abc import Sequence
from pathlib import Path

from tcpviz.sources.packets import Instruction, PacketSocket

PASS_S = 0.033
"""Seconds between two passes over the ring: looking again until it is empty costs ten times
as much at fifty thousand packets a second."""

RING = 64 << 20
"""Bytes of the ring: at 200 000 packets a second a second and a half of standing still."""

LEAST = 4 << 20
"""Bytes below which a ring is not worth having."""

MAX_SNAPLEN = 512
"""Bytes of each packet up to which frames of one size are the way; beyond, blocks in which packets
take as much room as they need (:mod:`tcpviz.sources.blockring`)."""

MOST = 16
"""Interfaces up to which each gets a ring of its own."""

AT_ONCE = 1 << 15
"""Frames that are taken from a ring together, at most."""

AT_ONCE_BYTES = 8 << 20
"""Bytes of frames that are taken together, at most: of longer ones there are fewer."""

PATIENT_S = 0.2
"""Seconds between two passes at most, where nobody waits for each packet."""

FLOOD = 1_500_000
"""Packets a second that must not fill a ring between two such passes."""

HEAD = struct.Struct("<4sIIIQQ")
"""Magic, frames that follow, bytes of each, twice the ring's number and 1 if outgoing ones must be
left out; and of the whole time so far: packets that passed the filter, and those dropped."""

MAGIC, MAGIC_BLOCKS = b"TVRG", b"TVRB"
"""The second one says that blocks follow: their bytes are told, and 1."""

MAPPED, REFUSED, WAKE, COUNT = b"m", b"n", b"w", b"c"
"""What the child is told: that its rings are mapped, or are not; by who has mapped them, to wake
it when something comes, and to give the counters."""

HEADER = 32
"""``struct tpacket2_hdr``: status, len, snaplen (32 bits each), mac, net (16 each), seconds,
nanoseconds (32 each), VLAN's TCI and TPID (16 each), padding. ``struct sockaddr_ll`` follows."""

LINK_AT = 66
"""Where an Ethernet frame begins: the header and ``sockaddr_ll`` (20), to a multiple of 16, and
so that the IP header behind it begins at one (``tpacket_rcv()`` in net/packet/af_packet.c)."""

IP_AT = LINK_AT + 14
"""Where the IP header begins; behind Ethernet's, and where the kernel gives no link header."""

KINDS = (1, 101, 276)
"""Link types of which that is true: Ethernet and loopback, raw IP, and cooked ones."""

_SOL_PACKET = 263
_PACKET_RX_RING, _PACKET_VERSION = 5, 10
_TPACKET_V2 = 1
_PACKET_IGNORE_OUTGOING = 23
_LOOK = 1024  # statuses read at once


def in_blocks(snaplen: int) -> bool:
    """Whether so many bytes of each packet (0: all) are best taken from blocks."""
    return not 0 < snaplen <= MAX_SNAPLEN


def frame_size(snaplen: int) -> int:
    """Bytes of a frame with room for ``snaplen`` bytes of the packet; a multiple of 16.

    And for the headers of IPv4 and TCP: who reads columns looks there before it knows whether
    they were captured.
    """
    return -(-(IP_AT + max(snaplen, 40)) // 16) * 16


def why_not(links: Sequence[int], *, compiled: bool) -> str:
    """Why a ring is not the way to capture so, in a few words; empty where it is.

    ``links``: the link type of each interface.
    """
    if not sys.platform.startswith("linux"):
        return "rings are Linux's"
    if platform.machine() not in ("x86_64", "i686", "i586", "AMD64"):
        return f"the order of {platform.machine()}'s memory is not known to be enough"
    other = [link for link in links if link not in KINDS]
    if other:
        return f"frames of link type {other[0]} may begin anywhere"
    if not 1 <= len(links) <= MOST:
        return f"{len(links)} interfaces are more than {MOST}"
    return "" if compiled else "the filter is not compiled"


def mapped(descriptor: int, length: int, *, alone: bool) -> mmap.mmap:
    """The socket's memory. Raises OSError where the kernel does not let it be mapped.

    ``alone``: the mapping is to hold no descriptor of the socket. Before Python 3.13 it keeps a
    copy of its own.
    """
    if not alone:
        return mmap.mmap(descriptor, length)
    if sys.version_info >= (3, 13):
        return mmap.mmap(descriptor, length, trackfd=False)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    made = mmap.mmap(descriptor, length)
    try:
        known = os.fstat(descriptor)
        for place in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                copy = int(place.name)
                if copy != descriptor and os.path.samestat(os.fstat(copy), known):
                    # Not closed: its number is what the mapping will close.
                    os.dup2(nothing, copy, inheritable=False)
    except OSError:
        made.close()
        raise
    finally:
        os.close(nothing)
    return made


class Ring:
    """A ring's memory: so many frames of ``size`` bytes, read in the order of their coming.

    ``skip_outgoing``  what leaves through loopback must be left out by whoever reads.
    ``lasts_s``  seconds for which a flood does not fill it
    ``more``   there is more than :meth:`ready` was asked for
    ``over``   set when the kernel writes no more
    ``alone``  the mapping is to hold no descriptor of the socket
    Raises OSError where the kernel does not let it be mapped.
    """

    def __init__(
        self, descriptor: int, frames: int, size: int, length: int, *, alone: bool = False
    ) -> None:
        self.frames = frames
        self.size = size
        self.length = length
        self.lasts_s = frames / FLOOD
        self.skip_outgoing = self.more = self.over = False
        self._at = 0
        self._map = mapped(descriptor, length, alone=alone)
        self._bytes = memoryview(self._map)
        self._status = self._bytes.cast("I")[:: size // 4]
        self._zeros = memoryview(bytes(4 * _LOOK)).cast("I")

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

    def share(self, count: int) -> float:
        """What part of it those are that :meth:`ready` found."""
        return count / self.frames

    def fuller(self, share: float) -> bool:
        """More than so much of it waits to be read."""
        ahead = int(share * self.frames)
        return bool(self._status[(self._at + ahead) % self.frames]) and not self.over

    def waiting(self) -> int:
        """How many are ours in all."""
        return self.ready(self.frames)

    def stretches(self, count: int) -> list[memoryview]:
        """The next ``count`` frames as they lie there; to be let go before :meth:`release`."""
        end = self._at + count
        size = self.size
        if end <= self.frames:
            return [self._bytes[self._at * size : end * size]]
        rest = end - self.frames
        return [self._bytes[self._at * size : self.frames * size], self._bytes[: rest * size]]

    def release(self, count: int) -> None:
        """Give the next ``count`` frames back to the kernel."""
        while count:
            part = min(count, _LOOK, self.frames - self._at)
            self._status[self._at : self._at + part] = self._zeros[:part]
            self._at = (self._at + part) % self.frames
            count -= part

    def close(self) -> None:
        """Let go of it, and so of what the kernel keeps for it."""
        for view in (self._status, self._bytes):
            view.release()
        with contextlib.suppress(BufferError):
            self._map.close()


class RingSocket(PacketSocket):
    """A packet socket whose packets come through a ring. Raises OSError where there is none.

    ``shape``  what :class:`Ring` must know: frames, bytes of each, bytes of all
    """

    def __init__(
        self,
        name: str,
        program: list[Instruction],
        *,
        loopback: bool,
        snaplen: int,
        cooked: bool = False,
        size: int = RING,
        promiscuous: bool = False,
    ) -> None:
        self._size = frame_size(snaplen)
        self._want = size
        self.frames = 0
        self.shape = (0, 0, 0)
        super().__init__(
            name, program, cooked=cooked, loopback=loopback, buffer=1 << 16, promiscuous=promiscuous
        )
        # Where the kernel cannot leave them out, whoever reads the frames does. (On all
        # interfaces the filter does.)
        self.skip_outgoing = bool(name) and loopback and not self._ignores_outgoing()

    def _ignores_outgoing(self) -> bool:
        with contextlib.suppress(OSError):
            return self.socket.getsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING) == 1
        return False

    def _set_version(self, number: int) -> None:
        self.socket.setsockopt(_SOL_PACKET, _PACKET_VERSION, number)

    def _before_bind(self) -> None:
        """Set the ring up before anything can come: what came earlier would lie in the queue."""
        self._set_version(_TPACKET_V2)
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
        self.shape = (frames, self._size, blocks * block)

    def map(self) -> Ring:
        """Its ring, to be read here."""
        made = Ring(self.fileno(), *self.shape)
        made.skip_outgoing = self.skip_outgoing
        return made

    def look_for_trouble(self) -> None:
        """Sets ``trouble`` where the kernel says that the interface is down or gone."""
        number = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self.trouble = OSError(number, os.strerror(number))
