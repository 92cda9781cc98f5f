"""One interface's packets through a Linux packet socket (packet(7)), as an iterator of tuples.

Runs in the capturing child with the standard library alone. Constants are
those of ``include/uapi/linux/if_packet.h`` and ``asm-generic/socket.h``.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import socket
import struct
import time
from typing import NamedTuple

Instruction = tuple[int, int, int, int]

_ETH_P_ALL = 3
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP, _PACKET_STATISTICS, _PACKET_AUXDATA = 1, 6, 8
_PACKET_IGNORE_OUTGOING = 23
_PACKET_MR_PROMISC = 1
_PACKET_OUTGOING = 4
_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_SO_RXQ_OVFL = 40
_ARPHRD_LOOPBACK = 772
_VLAN_VALID, _VLAN_TPID_VALID = 0x10, 0x40
_ETH_P_8021Q = 0x8100
_SIOCGIFINDEX = 0x8933
_IP_VERSIONS = {0x0800: 4, 0x86DD: 6}

_MAX_PACKET = 262144 + 64
_ANCILLARY = 256  # room for the time, the drop count and the auxiliary data

_auxdata = struct.Struct("=IIIHHHH")  # status, len, snaplen, mac, net, vlan_tci, vlan_tpid
_membership = struct.Struct("=iHH8s")
_cooked = struct.Struct("!HHiHBB8s")  # LINKTYPE_LINUX_SLL2


class Packet(NamedTuple):
    """``lost``: packets that the kernel dropped on this socket just before this one."""

    time_ns: int
    data: bytes
    wire_len: int
    lost: int


class PacketSocket:
    """An open socket on one interface, or on all of them where ``name`` is empty.

    The filter is in place before the socket is bound, and an unbound socket
    (protocol 0) gets nothing: so no packet gets past the filter.
    ``buffer`` is the kernel's receive buffer, bytes. Raises OSError.
    """

    def __init__(
        self,
        name: str,
        program: list[Instruction],
        *,
        cooked: bool,
        loopback: bool,
        buffer: int,
        promiscuous: bool = False,
        label: str = "",
    ) -> None:
        self.name = label or name or "any"
        self.trouble: OSError | None = None
        self._cooked = cooked
        self._dropped = 0  # by SO_RXQ_OVFL
        self._accepted = 0
        self._drops = 0  # by PACKET_STATISTICS, which resets when it is read
        self._indexes: dict[str, int] = {}
        self._buffer = bytearray(_MAX_PACKET)
        self._view = memoryview(self._buffer)
        kind = socket.SOCK_DGRAM if cooked else socket.SOCK_RAW
        self.socket = socket.socket(socket.AF_PACKET, kind, 0)
        try:
            self.socket.setblocking(False)
            self._attach(program)
            for option in (_SO_TIMESTAMPNS, _SO_RXQ_OVFL):
                with contextlib.suppress(OSError):
                    self.socket.setsockopt(socket.SOL_SOCKET, option, 1)
            self.socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            self._grow(buffer)
            # Everything on a loopback interface passes twice, on its way out and on its way in.
            self._skip_outgoing = loopback or not name
            if loopback and name:
                with contextlib.suppress(OSError):  # before Linux 4.20: by the packet's type
                    self.socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            self._before_bind()
            if name:
                self.socket.bind((name, _ETH_P_ALL))
            else:
                self._bind_to_all()
            if promiscuous and name and not loopback:
                request = _membership.pack(socket.if_nametoindex(name), _PACKET_MR_PROMISC, 0, b"")
                self.socket.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, request)
        except BaseException:
            self.socket.close()
            raise

    def _before_bind(self) -> None:
        """For who reads otherwise than packet by packet."""

    def _bind_to_all(self) -> None:
        """Bind to interface 0; ``socket.bind`` takes names only, and there is none for that."""
        address = struct.pack(
            "=HHiHBB8s", socket.AF_PACKET, socket.htons(_ETH_P_ALL), 0, 0, 0, 0, b""
        )
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.bind(self.socket.fileno(), address, len(address)) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def fileno(self) -> int:
        return self.socket.fileno()

    def close(self) -> None:
        self.socket.close()

    def read(self, limit: int) -> list[Packet]:
        """Up to ``limit`` packets that have arrived; sets ``trouble`` where the kernel says so."""
        packets: list[Packet] = []
        receive = self.socket.recvmsg_into
        buffers = [self._buffer]
        while len(packets) < limit:
            try:
                size, ancillary, _, address = receive(buffers, _ANCILLARY)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                if self.trouble is not None and not is_gone(error):
                    break
                # The kernel tells of the error once, before what is still queued.
                self.trouble = error
                continue
            # Whatever the socket's kind, the packet's own type decides on loopback (PACKET_*).
            if (
                self._skip_outgoing
                and address[2] == _PACKET_OUTGOING
                and address[3] == _ARPHRD_LOOPBACK
            ):
                continue
            packets.append(self._packet(bytes(self._view[:size]), ancillary, address))
        return packets

    def _packet(
        self,
        data: bytes,
        ancillary: list[tuple[int, int, bytes]],
        address: tuple[str, int, int, int, bytes],
    ) -> Packet:
        time_ns = 0
        wire_len = len(data)
        lost = 0
        tag = b""
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                seconds, fraction = struct.unpack("@qq" if len(value) == 16 else "@ii", value)
                time_ns = seconds * 1_000_000_000 + fraction
            elif level == _SOL_PACKET and kind == _PACKET_AUXDATA and len(value) >= 20:
                status, wire_len, _, _, _, tci, tpid = _auxdata.unpack_from(value)
                if status & _VLAN_VALID:
                    tpid = tpid if status & _VLAN_TPID_VALID else _ETH_P_8021Q
                    tag = struct.pack("!HH", tpid, tci)
            elif level == socket.SOL_SOCKET and kind == _SO_RXQ_OVFL and len(value) == 4:
                total = struct.unpack("=I", value)[0]
                lost = (total - self._dropped) & 0xFFFFFFFF
                self._dropped = total
        if self._cooked:
            name, protocol, packet_type, hardware, link = address
            # Two tags, of which Linux took one: from 6.11 on it tells the innermost type, yet
            # the packet begins with the second tag.
            if tag and begins_with_tag(data, protocol):
                protocol = _ETH_P_8021Q
            if tag:  # the tag goes where the protocol was, and the protocol behind it
                data = tag[2:] + protocol.to_bytes(2, "big") + data
                protocol = int.from_bytes(tag[:2], "big")
                wire_len += 4
            # For a device without a link header, wire_len counts what there is.
            data = (
                _cooked.pack(
                    protocol, 0, self._index(name), hardware, packet_type, len(link), link[:8]
                )
                + data
            )
            wire_len += _cooked.size
        elif tag and len(data) >= 12:
            data = data[:12] + tag + data[12:]
            wire_len += 4
        return Packet(time_ns or time.time_ns(), data, max(wire_len, len(data)), lost)

    def _index(self, name: str) -> int:
        index = self._indexes.get(name)
        if index is None:
            index = self._ask_index(name)
            if len(self._indexes) < 65536:
                self._indexes[name] = index
        return index

    def _ask_index(self, name: str) -> int:
        """The kernel's number of an interface; asked through this socket, as no other may be made.

        (``socket.if_nametoindex`` opens one, which :mod:`tcpviz.sources.confine` refuses.)
        """
        request = struct.pack("16s24x", name.encode(errors="surrogateescape")[:15])
        try:
            answer = fcntl.ioctl(self.socket.fileno(), _SIOCGIFINDEX, request)
        except OSError:
            return 0
        return int(struct.unpack_from("=i", answer, 16)[0])

    def statistics(self) -> tuple[int, int]:
        """Packets that passed the filter, and those of them that were dropped, since the start."""
        with contextlib.suppress(OSError):
            raw = self.socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
            accepted, drops = struct.unpack("=II", raw)
            self._accepted += accepted
            self._drops += drops
        return self._accepted, self._drops

    def shut(self) -> None:
        """Let nothing more in, so that what is queued can be read to its end."""
        with contextlib.suppress(OSError):
            self._attach([(0x06, 0, 0, 0)])

    def exists(self) -> bool:
        """Whether the interface is still there (it may be down)."""
        if self.name == "any":
            return True
        # By the kernel's number: one removed and made anew has the name but not this socket.
        return bool(self.socket.getsockname()[0])

    def renamed(self) -> str | None:
        """What the interface is called now, where that is not what it was called before."""
        if self.name == "any":
            return None
        now = str(self.socket.getsockname()[0])
        if not now or now == self.name:
            return None
        self.name = now
        return now

    def _attach(self, program: list[Instruction]) -> None:
        packed = b"".join(struct.pack("=HBBI", *row) for row in program)
        # struct sock_fprog points at the instructions; the kernel copies them.
        held = ctypes.create_string_buffer(packed, len(packed))
        request = struct.pack("@HP", len(program), ctypes.addressof(held))
        self.socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, request)

    def _grow(self, size: int) -> None:
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
        except OSError:  # not allowed: as far as net.core.rmem_max lets us
            with contextlib.suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def begins_with_tag(data: bytes, protocol: int) -> bool:
    """Whether a packet that is said to be IP begins with a VLAN tag that leads to it."""
    version = _IP_VERSIONS.get(protocol)
    if version is None or len(data) < 4 or data[0] >> 4 == version:
        return False
    return int.from_bytes(data[2:4], "big") == protocol


def is_gone(error: OSError) -> bool:
    """Whether this is how a packet socket says that its interface went down or away."""
    return error.errno in (errno.ENETDOWN, errno.ENXIO, errno.ENODEV)
