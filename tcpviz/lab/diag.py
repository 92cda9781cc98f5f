"""The kernel's own word about its TCP sockets, by netlink ``inet_diag`` (what ``ss`` asks).

Linux only; needs no privilege. Gives every socket of a network namespace,
SYN-RECEIVED (request sockets) and TIME-WAIT included, with timers, queues and
TCP_INFO. Layouts are of include/uapi/linux/inet_diag.h and tcp.h.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.lab.netlink import (
    NLM_F_ACK,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    attributes,
    messages,
)

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
SOCK_DESTROY = 21
NLM_F_DUMP = 0x300
INET_DIAG_INFO = 2

STATES = {  # include/net/tcp_states.h; 12 is a request socket, reported as 3 by most kernels
    1: State.ESTABLISHED,
    2: State.SYN_SENT,
    3: State.SYN_RECEIVED,
    4: State.FIN_WAIT_1,
    5: State.FIN_WAIT_2,
    6: State.TIME_WAIT,
    7: State.CLOSED,
    8: State.CLOSE_WAIT,
    9: State.LAST_ACK,
    10: State.LISTEN,
    11: State.CLOSING,
    12: State.SYN_RECEIVED,
}
_TIMERS = {1: "retransmit", 2: "keepalive", 3: "time-wait", 4: "probe"}


@dataclass(frozen=True, slots=True)
class Diag:
    """One socket as the kernel tells it; units as in :class:`KernelSocket`."""

    state: State
    local: Endpoint
    peer: Endpoint | None
    timer: str | None
    timer_ms: int | None
    recv_queue: int
    send_queue: int
    retransmits: int
    rtt_us: int | None
    cwnd: int | None
    tries: int = 0


class Asker:
    """A netlink socket that asks the namespace in which it was made. Close it after use.

    ``home``  its host's address, where sockets may also be IPv6 ones that carry IPv4, or
              listen on every address, as programs' do: both kinds are given as if they were not
    """

    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG
        )
        self._socket.settimeout(2.0)
        self._sequence = 0
        self.home: str | None = None

    def close(self) -> None:
        self._socket.close()

    def sockets(self, family: int, *, sport: int = 0, dport: int = 0) -> list[Diag]:
        """Every TCP socket of ``family``, or only those with that local or remote port.

        Raises OSError where the kernel has no ``tcp_diag`` or does not answer.
        """
        if self.home is None:
            return self._asked(family, sport, dport)
        found = self._asked(family, sport, dport)
        if family == socket.AF_INET:
            with contextlib.suppress(OSError):  # a kernel without IPv6
                found += self._asked(socket.AF_INET6, sport, dport)
        return [_plain(one, self.home) for one in found]

    def _asked(self, family: int, sport: int, dport: int) -> list[Diag]:
        ports = struct.pack("!HH", sport, dport) + bytes(32 + 4) + b"\xff" * 8
        self._send(family, ports, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP)
        return [one for answer in self._answers() if (one := parse(answer)) is not None]

    def _answers(self) -> Iterator[bytes]:
        while True:
            for kind, answer in messages(self._socket.recv(1 << 18)):
                if kind == NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR:
                    (number,) = struct.unpack_from("i", answer)
                    raise OSError(-number, os.strerror(-number), "inet_diag")
                yield answer

    def destroy_all(self, family: int) -> None:
        """Have the kernel drop every socket of ``family`` (``ss -K``).

        Raises OSError where it cannot: it needs CONFIG_INET_DIAG_DESTROY and CAP_NET_ADMIN.
        Established ones send a RST.
        """
        self._send(family, bytes(4 + 32 + 4) + b"\xff" * 8, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP)
        idents = [answer[4:52] for answer in self._answers()]  # struct inet_diag_sockid
        for ident in idents:
            self._send(family, ident, SOCK_DESTROY, NLM_F_ACK)
            for kind, answer in messages(self._socket.recv(1 << 16)):
                if kind == NLMSG_ERROR:
                    (number,) = struct.unpack_from("i", answer)
                    if -number in (errno.EOPNOTSUPP, errno.EPERM):
                        raise OSError(-number, os.strerror(-number), "SOCK_DESTROY")

    def _send(self, family: int, ident: bytes, kind: int, flags: int) -> None:
        self._sequence += 1
        request = struct.pack(
            "BBBxI", family, socket.IPPROTO_TCP, 1 << (INET_DIAG_INFO - 1), 0xFFFFFFFF
        )
        body = request + ident
        header = struct.pack(
            "IHHII", 16 + len(body), kind, NLM_F_REQUEST | flags, self._sequence, 0
        )
        self._socket.send(header + body)


def _plain(one: Diag, home: str) -> Diag:
    """A socket with IPv4 addresses as such, and "every address" as its host's own."""
    local, peer = one.local, one.peer
    if local.addr in ("0.0.0.0", "::"):  # noqa: S104
        local = Endpoint(home, local.port)
    if local.addr.startswith("::ffff:"):
        local = Endpoint(local.addr.removeprefix("::ffff:"), local.port)
    if peer is not None and peer.addr.startswith("::ffff:"):
        peer = Endpoint(peer.addr.removeprefix("::ffff:"), peer.port)
    return replace(one, local=local, peer=peer)


def parse(message: bytes) -> Diag | None:
    """``struct inet_diag_msg`` and its attributes; ``None`` for a state that TCP has not."""
    if len(message) < 72:
        return None
    family, state, timer, retrans = struct.unpack_from("BBBB", message)
    sport, dport = struct.unpack_from("!HH", message, 4)
    expires, recv_queue, send_queue = struct.unpack_from("III", message, 52)
    known = STATES.get(state)
    if known is None:
        return None
    size = 4 if family == socket.AF_INET else 16
    local = Endpoint(socket.inet_ntop(family, message[8 : 8 + size]), sport)
    peer = Endpoint(socket.inet_ntop(family, message[24 : 24 + size]), dport) if dport else None
    rtt = cwnd = None
    tries = retrans
    for kind, value in attributes(message[72:]):
        if kind == INET_DIAG_INFO:
            info = Info.parse(value)
            if known is not State.LISTEN and info is not None:
                rtt, cwnd, retrans = info.rtt_us or None, info.cwnd, info.total_retrans
    return Diag(
        known,
        local,
        peer,
        _TIMERS.get(timer),
        expires if timer in _TIMERS else None,
        recv_queue,
        send_queue,
        retrans,
        rtt,
        cwnd,
        tries,
    )


@dataclass(frozen=True, slots=True)
class Info:
    """What is used of ``struct tcp_info``: its layout has only ever grown at its end."""

    state: State | None
    rtt_us: int
    cwnd: int
    total_retrans: int

    @classmethod
    def parse(cls, data: bytes) -> Info | None:
        """``None`` where the kernel gave less than the fields of Linux 2.6."""
        if len(data) < 104:
            return None
        (rtt,) = struct.unpack_from("I", data, 68)
        (cwnd,) = struct.unpack_from("I", data, 80)
        (total,) = struct.unpack_from("I", data, 100)
        return cls(STATES.get(data[0]), rtt, cwnd, total)
