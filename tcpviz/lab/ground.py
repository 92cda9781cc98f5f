"""What the three grounds have in common: where the hosts stand, and what can be asked of them.

A ground is where a scenario is played: on the cable between two namespaces, on
the loopback interface with capture, or on plain sockets with the kernel's word
alone. The stage (:mod:`tcpviz.lab.stage`) plays it the same way on each.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint
from tcpviz.lab.diag import Diag
from tcpviz.lab.frames import ETH_P_IP, ETH_P_IPV6
from tcpviz.lab.protocol import Message

SERVER_PORT = 7777
CLIENT_PORT = 40001

Event = tuple[Message, bytes]
"""A message of the protocol, and the frame's bytes where there is one."""

SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_IGNORE_OUTGOING = 23
PACKET_OUTGOING = 4
ETH_P_ALL = 3
SO_TIMESTAMPNS_NEW = 64  # include/uapi/asm-generic/socket.h
SO_TIMESTAMPNS_OLD = 35
IP_LOCAL_PORT_RANGE = 51  # include/uapi/linux/in.h, Linux 6.3


class UnavailableError(Exception):
    """This ground cannot be had here; the text says why, in one line."""


@dataclass(frozen=True, slots=True)
class Place:
    """A host: its name and address, and the port it uses unless told otherwise."""

    side: Side
    name: str
    endpoint: Endpoint


class Ground(Protocol):
    """Where a scenario is played.

    ``name``        ``cable``, ``loopback`` or ``kernel``
    ``interfaces``  names of what frames come from, by index; none without capture
    ``lockstep``    frames pass through our hands, one after the other
    ``asks``        how the kernel is asked: ``inet_diag``, or ``TCP_INFO`` where
                    that is not to be had, or empty where nothing is
    """

    name: str
    places: dict[Side, Place]
    family: int
    interfaces: tuple[str, ...]
    lockstep: bool
    asks: str

    def enter(self, side: Side) -> Callable[[], None] | None:
        """What puts a thread onto that host; ``None`` where there is nothing to do."""
        ...

    def source_port(self, real: socket.socket, count: int) -> None:
        """See that the ``count``-th connect() comes from a readable port; by the host's thread."""
        ...

    def watched(self) -> list[int]:
        """Descriptors that become readable when a frame comes."""
        ...

    def flush(self) -> None:
        """Return when the kernel has dealt with everything that was handed to it."""
        ...

    def collect(self) -> list[Event]:
        """Frames that came since the last time."""
        ...

    def due(self) -> int | None:
        """When the next frame under way is to arrive, ns; ``None`` if none is."""
        ...

    def deliver(self) -> list[Event]:
        """Hand that frame to its receiver."""
        ...

    def diags(self) -> list[tuple[Side, Diag]]:
        """Every socket of the scenario, as the kernel tells. Raises OSError."""
        ...

    def close(self) -> None:
        """Let everything go."""
        ...


class Tap:
    """An ``AF_PACKET`` socket on one interface, each frame once, with the kernel's time stamps.

    Raises OSError where capture is not allowed.
    """

    def __init__(
        self, interface: str, protocol: int = ETH_P_ALL, program: bytes | None = None
    ) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        # Protocol 0: nothing comes in before it is bound to its interface.
        self._socket = socket.socket(socket.AF_PACKET, kind, 0)
        try:
            if program is not None:
                attach_filter(self._socket, program)
            ask_for_stamps(self._socket)
            try:
                self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            except OSError as error:
                if error.errno != errno.ENOPROTOOPT:  # before Linux 4.20: told apart below
                    raise
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
            self._socket.bind((interface, protocol))
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> tuple[int, bytes] | None:
        """The next frame and when it came, ns since the epoch; ``None`` if there is none."""
        while True:
            try:
                data, ancillary, _, address = self._socket.recvmsg(1 << 17, 64)
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno == errno.ENETDOWN:
                    return None
                raise
            now = time.time_ns()
            if address[2] == PACKET_OUTGOING:
                continue
            # A clock that was set in between must not put a frame into the future.
            return min(stamp_in(ancillary) or now, now), data

    def wait(self, seconds: float) -> bool:
        """Whether a frame is there, within that time."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def send(self, frame: bytes) -> None:
        self._socket.send(frame)

    def dropped(self) -> int:
        """Frames that the kernel dropped for want of room since the last time."""
        raw = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        return int(struct.unpack("II", raw)[1])

    def close(self) -> None:
        self._socket.close()


def ask_for_stamps(real: socket.socket) -> None:
    """Have the kernel stamp what this socket receives with the moment it came."""
    for option in (SO_TIMESTAMPNS_NEW, SO_TIMESTAMPNS_OLD):
        try:
            real.setsockopt(socket.SOL_SOCKET, option, 1)
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT:
                raise
        else:
            return


def stamp_in(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """The kernel's time stamp among recvmsg()'s ancillary data, ns since the epoch."""
    for level, _, value in ancillary:
        if level == socket.SOL_SOCKET and len(value) == 16:
            seconds, nanoseconds = struct.unpack("qq", value)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return None


def await_stamps() -> None:
    """Wait until the kernel stamps packets as they come; some socket must have asked already.

    It switches that on some milliseconds after the first request
    (``net_enable_timestamp()`` in net/core/dev.c); until then a packet has the
    time at which it is read, and would seem to come after what followed it.
    Sends datagrams to itself on the loopback interface.
    """
    until = time.monotonic() + 5.0  # a work queue does it, which a busy machine keeps waiting
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        ask_for_stamps(probe)
        probe.settimeout(0.2)
        probe.bind(("127.0.0.1", 0))
        while time.monotonic() < until:
            probe.sendto(b"?", probe.getsockname())
            time.sleep(0.0005)
            before_reading = time.time_ns()
            stamp = stamp_in(probe.recvmsg(16, 64)[1])
            if stamp is not None and stamp < before_reading:
                return


def attach_filter(real: socket.socket, program: bytes) -> None:
    """Give a socket a classic BPF program (``struct sock_filter`` after each other)."""
    import ctypes

    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("HL", len(program) // 8, ctypes.addressof(buffer))
    real.setsockopt(socket.SOL_SOCKET, 26, fprog)  # SO_ATTACH_FILTER


def tcp_port_filter(family: int, port: int) -> bytes:
    """BPF for TCP from or to ``port`` in Ethernet: a busy loopback must not fill our buffer."""
    load_half, load_byte, load_index = 0x28, 0x30, 0xB1  # ldh [k]; ldb [k]; ldx 4*([k]&0xf)
    half_at_x, jump_equal, give = 0x48, 0x15, 0x06  # ldh [x+k]; jeq; ret
    if family == socket.AF_INET:
        rows = [
            (load_half, 0, 0, 12),
            (jump_equal, 0, 8, ETH_P_IP),
            (load_byte, 0, 0, 23),
            (jump_equal, 0, 6, socket.IPPROTO_TCP),
            (load_index, 0, 0, 14),
            (half_at_x, 0, 0, 14),
            (jump_equal, 2, 0, port),
            (half_at_x, 0, 0, 16),
            (jump_equal, 0, 1, port),
            (give, 0, 0, 0x40000),
            (give, 0, 0, 0),
        ]
    else:
        rows = [
            (load_half, 0, 0, 12),
            (jump_equal, 0, 7, ETH_P_IPV6),
            (load_byte, 0, 0, 20),
            (jump_equal, 0, 5, socket.IPPROTO_TCP),
            (load_half, 0, 0, 54),
            (jump_equal, 2, 0, port),
            (load_half, 0, 0, 56),
            (jump_equal, 0, 1, port),
            (give, 0, 0, 0x40000),
            (give, 0, 0, 0),
        ]
    return b"".join(struct.pack("HBBI", *row) for row in rows)


def free_port(family: int, address: str, wanted: int) -> tuple[int, socket.socket | None]:
    """``wanted``, or the next port above it that can be bound, or any; and what keeps it ours.

    After a demo in which the server closed first, its port is in TIME-WAIT for a minute.
    Asked without SO_REUSEADDR, as most scenarios will: with it, a port may be had whose
    TIME-WAIT belongs to somebody else's server.

    A port that was free when asked may be taken when the scenario comes to use it, by another
    demo that asked as well. So each holds, until it closes the second result, a name of the
    port's own (an abstract Unix socket: Linux has them per network namespace, unix(7)).
    Raises OSError if there is none.
    """
    for port in (*range(wanted, wanted + 50), 0):
        with socket.socket(family, socket.SOCK_STREAM) as real:
            try:
                keeper = _keep(port)
                try:
                    real.bind((address, port))
                except OSError:
                    _let(keeper)
                    raise
            except OSError as error:
                if error.errno in (errno.EADDRINUSE, errno.EACCES):
                    continue
                raise
            return int(real.getsockname()[1]), keeper
    raise OSError(errno.EADDRINUSE, "no free port", f"{address}:{wanted}")


def _keep(port: int) -> socket.socket | None:
    if not port or not sys.platform.startswith("linux"):
        return None
    keeper = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        keeper.bind(f"\0tcpviz-lab-port-{port}")
    except OSError:
        keeper.close()
        raise
    return keeper


def _let(keeper: socket.socket | None) -> None:
    if keeper is not None:
        keeper.close()
