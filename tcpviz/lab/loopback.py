"""The two lesser grounds: the loopback interface with capture, and plain sockets without.

On both, client and server stand on one host and the kernel hands segments over
by itself, in microseconds: there is nothing to hold, and states are read only
when everything has come to rest.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import socket
import struct
import sys
import time
from collections.abc import Callable

from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint
from tcpviz.lab.diag import Asker, Diag
from tcpviz.lab.ground import (
    CLIENT_PORT,
    IP_LOCAL_PORT_RANGE,
    SERVER_PORT,
    Event,
    Place,
    Tap,
    UnavailableError,
    await_stamps,
    free_port,
    tcp_port_filter,
)

_LINUX = sys.platform.startswith("linux")


class Plain:
    """The ground named ``kernel``: plain sockets, calls, and what the kernel says of them."""

    name = "kernel"
    lockstep = False

    def __init__(self, *, ipv6: bool = False) -> None:
        self.family: int = socket.AF_INET6 if ipv6 else socket.AF_INET
        self.interfaces: tuple[str, ...] = ()
        address = "::1" if ipv6 else "127.0.0.1"
        try:
            server, self._keeper = free_port(self.family, address, SERVER_PORT)
            self._first, keeper = free_port(self.family, address, CLIENT_PORT)
            if keeper is not None:
                keeper.close()  # another demo's client may have the same: its server is another
        except OSError as error:
            what = f"no loopback sockets on {address}: {error.strerror}"
            raise UnavailableError(what) from error
        self.places = {
            Side.CLIENT: Place(Side.CLIENT, "client", Endpoint(address, self._first)),
            Side.SERVER: Place(Side.SERVER, "server", Endpoint(address, server)),
        }
        self.asks = ""
        self._asker: Asker | None = None
        # What is there already, of earlier demos or of others, is not of this scenario.
        self._stale: set[tuple[Endpoint, Endpoint | None]] = set()
        if _LINUX:
            self.asks = "TCP_INFO"
            with contextlib.suppress(OSError):  # no tcp_diag in this kernel, or forbidden
                self._asker = Asker()
                self._stale = {(one.local, one.peer) for _, one in self.diags()}
                self.asks = "inet_diag"

    def enter(self, side: Side) -> Callable[[], None] | None:
        del side
        return None

    def source_port(self, real: socket.socket, count: int) -> None:
        taken = {local.port for local, peer in self._stale if peer is not None}
        free = (port for port in range(self._first, 65536) if port not in taken)
        port = next(itertools.islice(free, count, None), 0)
        with contextlib.suppress(OSError):  # before Linux 6.3: the kernel chooses
            real.setsockopt(
                socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("I", port << 16 | port)
            )

    def watched(self) -> list[int]:
        return []

    def flush(self) -> None:
        return None

    def collect(self) -> list[Event]:
        return []

    def due(self) -> int | None:
        return None

    def deliver(self) -> list[Event]:
        return []

    def diags(self) -> list[tuple[Side, Diag]]:
        if self._asker is None:
            return []
        port = self.places[Side.SERVER].endpoint.port
        served = self._asker.sockets(self.family, sport=port)
        asking = self._asker.sockets(self.family, dport=port)
        found = [(Side.SERVER, one) for one in served] + [(Side.CLIENT, one) for one in asking]
        return [(side, one) for side, one in found if (one.local, one.peer) not in self._stale]

    def any_family(self) -> None:
        """Know sockets of both families: programs are not ours, and often take IPv6 for all."""
        if self._asker is not None:
            self._asker.home = self.places[Side.SERVER].endpoint.addr

    def close(self) -> None:
        if self._asker is not None:
            self._asker.close()
        if self._keeper is not None:
            self._keeper.close()


class Loopback(Plain):
    """The ground named ``loopback``. Raises :class:`UnavailableError`.

    Where capture on ``lo`` is allowed it is the machine's own; otherwise the one
    of a network namespace made for it, for which this process is taken over.
    """

    name = "loopback"

    def __init__(self, *, ipv6: bool = False) -> None:
        if not _LINUX:
            raise UnavailableError("capturing the lab's loopback needs Linux's AF_PACKET")
        _allow_capture()
        super().__init__(ipv6=ipv6)
        self.interfaces = ("lo",)
        self._count = 0
        port = self.places[Side.SERVER].endpoint.port
        try:
            self._tap = Tap("lo", program=tcp_port_filter(self.family, port))
            await_stamps()
        except OSError as error:
            raise UnavailableError(f"no capture on lo: {error.strerror}") from error

    def watched(self) -> list[int]:
        return [self._tap.fileno()]

    def collect(self) -> list[Event]:
        events: list[Event] = []
        while (came := self._tap.receive()) is not None:
            self._count += 1
            head = {"k": "frame", "n": self._count, "t": came[0], "if": 0, "moment": "seen"}
            events.append((head, came[1]))
        lost = self._tap.dropped()
        if lost:
            head = {"k": "gap", "t": time.time_ns(), "count": lost, "where": "the kernel, on lo"}
            events.append((head, b""))
        return events

    def close(self) -> None:
        self._tap.close()
        super().close()


def _allow_capture() -> None:
    """See that this process may capture on a loopback interface, if need be one of its own."""
    from tcpviz.lab import system
    from tcpviz.lab.netlink import Links

    system.stay_on_one_cpu()
    try:
        Tap("lo").close()
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EACCES):
            raise UnavailableError(f"no capture on lo: {error.strerror}") from error
    else:
        return
    try:
        system.own_network()
        with Links() as links:
            links.up("lo")
        Tap("lo").close()
    except OSError as error:
        raise UnavailableError(system.why_refused(error)) from error
