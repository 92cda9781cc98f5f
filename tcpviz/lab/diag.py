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
from dataclasses import replace

from tcpviz.core.segment import Endpoint
from tcpviz.sources.netlink import NLM_F_ACK, NLM_F_DUMP, NLMSG_DONE, NLMSG_ERROR, messages
from tcpviz.sources.sockdiag import (
    NETLINK_SOCK_DIAG,
    SOCK_DIAG_BY_FAMILY,
    Diag,
    Info,
    parse,
    request,
    sockid,
)

__all__ = ["Asker", "Diag", "Info", "parse"]

SOCK_DESTROY = 21


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
        self._send(family, sockid(sport, dport), SOCK_DIAG_BY_FAMILY, NLM_F_DUMP)
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
        self._send(family, sockid(), SOCK_DIAG_BY_FAMILY, NLM_F_DUMP)
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
        self._socket.send(request(family, self._sequence, kind, flags, ident))


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
