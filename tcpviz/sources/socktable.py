"""The kernel's table of TCP sockets, read again and again at a bounded cost.

Each reading is a dump by ``inet_diag``; only what differs from the reading
before is looked at closer. SYN-RECEIVED and TIME-WAIT are left out: there can be
very many, the packets tell of them, and nobody owns them. Measured: see
``tests/bench/socktable.py``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.sources.netlink import NLM_F_DUMP, NLMSG_DONE, NLMSG_ERROR, attributes
from tcpviz.sources.sockdiag import (
    INET_DIAG_INFO,
    NETLINK_SOCK_DIAG,
    SOCK_DIAG_BY_FAMILY,
    STATES,
    request,
    sockid,
)

MOST = 250_000
"""Sockets that are remembered; of further ones only the number is told."""

MOST_TOLD = 12_000
"""Sockets that are told of in one reading: a connection that is entered takes some 5 kB, and with
128 000 sockets in the table all processes together are to stay below 256 MB."""

INET_DIAG_CGROUP_ID = 21

_ESTABLISHED, _SYN_SENT, _FIN_WAIT_1, _FIN_WAIT_2, _CLOSE_WAIT = 1, 2, 4, 5, 8
_LAST_ACK, _LISTEN, _CLOSING = 9, 10, 11
_QUIET = 1 << _ESTABLISHED
# States that do not last: few sockets, of which more is asked.
_PASSING = sum(
    1 << each for each in (_SYN_SENT, _FIN_WAIT_1, _FIN_WAIT_2, _CLOSE_WAIT, _LAST_ACK, _CLOSING)
)

_message = struct.Struct("=IH")
_rest = struct.Struct("=IIIII")  # expires, receive queue, send queue, uid, inode
_HEADER = 16  # of struct nlmsghdr
_SMALLEST = _HEADER + 72  # with struct inet_diag_msg

COUNTERS = (
    "ListenOverflows",
    "ListenDrops",
    "TCPBacklogDrop",
    "TCPReqQFullDrop",
    "TCPReqQFullDoCookies",
    "SyncookiesSent",
    "TCPTimeWaitOverflow",
    "TCPAbortOnMemory",
)
"""Of ``TcpExt`` in /proc/net/netstat: what a host does when it cannot keep up."""


@dataclass(frozen=True, slots=True)
class Row:
    """A socket as the table has it; fields as in :class:`tcpviz.core.hosts.HostSocket`."""

    ident: bytes
    local: Endpoint
    peer: Endpoint | None
    state: State
    recv_queue: int
    send_queue: int
    uid: int
    inode: int
    retransmits: int = 0
    rtt_us: int | None = None
    quiet_ms: int | None = None
    group: int | None = None


@dataclass(slots=True)
class Difference:
    """What one reading found: ``gone`` are ``(local, peer, inode)``."""

    rows: list[Row] = field(default_factory=list)
    gone: list[tuple[Endpoint, Endpoint | None, int]] = field(default_factory=list)
    total: int = 0
    left_out: int = 0


class SocketTable:
    """Asks the network namespace in which it was made. Raises OSError where nobody answers."""

    def __init__(self, limit: int = MOST) -> None:
        self._limit = limit
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG
        )
        self._socket.settimeout(5.0)
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._sequence = 0
        self._done = False
        self._known: dict[bytes, bytes] = {}
        self._families = [socket.AF_INET, socket.AF_INET6]

    def close(self) -> None:
        self._socket.close()

    def read(self) -> Difference:
        """What has changed since the last time."""
        found = Difference()
        now: dict[bytes, bytes] = {}
        before = self._known
        for family in list(self._families):
            try:
                for states, info in ((_QUIET, False), (_PASSING, True)):
                    for data in self._dump(family, states, info=info):
                        self._take(data, before, now, found, closely=info)
            except OSError as error:
                if family == socket.AF_INET or error.errno not in (errno.ENOENT, errno.EINVAL):
                    raise
                self._families.remove(family)  # a kernel without IPv6
        for ident in before.keys() - now.keys():
            local, peer = _ends(_family_of(before[ident]), ident)
            found.gone.append((local, peer, int.from_bytes(before[ident][2:6], "little")))
        self._known = now
        return found

    def _take(
        self,
        data: bytes,
        before: dict[bytes, bytes],
        now: dict[bytes, bytes],
        found: Difference,
        *,
        closely: bool,
    ) -> None:
        """One datagram of a dump. Hot: a busy host has 100 000 sockets."""
        at, size = 0, len(data)
        unpack, get, limit = _message.unpack_from, before.get, self._limit
        while at + _SMALLEST <= size:
            length, kind = unpack(data, at)
            if length < _SMALLEST or kind != SOCK_DIAG_BY_FAMILY:
                self._done = kind == NLMSG_DONE
                return
            found.total += 1
            ident = data[at + 20 : at + 68]
            # Family and state, inode; of passing states the queues, too.
            what = data[at + 16 : at + 18] + data[at + 84 : at + 88]
            if closely:
                what += data[at + 72 : at + 80]
            if len(now) < limit:
                now[ident] = what
                if get(ident) != what:
                    if len(found.rows) >= MOST_TOLD:
                        found.left_out += 1
                        at += (length + 3) & ~3
                        continue
                    row = parse_row(data[at + _HEADER : at + length])
                    if row is not None:
                        found.rows.append(row)
            else:
                found.left_out += 1
            at += (length + 3) & ~3
        self._done = size - at >= _HEADER and unpack(data, at)[1] == NLMSG_DONE

    def listeners(self) -> list[Row]:
        """All sockets that listen."""
        rows = []
        for family in self._families:
            for data in self._dump(family, 1 << _LISTEN, info=False):
                at = 0
                while at + _SMALLEST <= len(data):
                    length, kind = _message.unpack_from(data, at)
                    if length < _SMALLEST or kind != SOCK_DIAG_BY_FAMILY:
                        break
                    row = parse_row(data[at + _HEADER : at + length])
                    if row is not None:
                        rows.append(row)
                    at += (length + 3) & ~3
                self._done = len(data) - at >= _HEADER and (
                    _message.unpack_from(data, at)[1] == NLMSG_DONE
                )
        return rows

    def _dump(self, family: int, states: int, *, info: bool) -> Iterator[bytes]:
        self._sequence += 1
        self._done = False
        self._socket.send(
            request(
                family,
                self._sequence,
                SOCK_DIAG_BY_FAMILY,
                NLM_F_DUMP,
                sockid(),
                states=states,
                info=info,
            )
        )
        while True:
            data = self._socket.recv(1 << 18)
            if len(data) < _HEADER + 4:
                return
            _, kind = _message.unpack_from(data)
            if kind == NLMSG_ERROR:
                (number,) = struct.unpack_from("=i", data, _HEADER)
                raise OSError(-number, os.strerror(-number), "inet_diag")
            yield data
            if kind == NLMSG_DONE or self._done:
                return


def _family_of(what: bytes) -> int:
    return what[0]


def _ends(family: int, ident: bytes) -> tuple[Endpoint, Endpoint | None]:
    """The addresses in ``struct inet_diag_sockid``; IPv4 inside IPv6 as IPv4."""
    sport, dport = struct.unpack_from("!HH", ident)
    size = 4 if family == socket.AF_INET else 16
    local = plain(socket.inet_ntop(family, ident[4 : 4 + size]))
    if not dport:
        return Endpoint(local, sport), None
    return Endpoint(local, sport), Endpoint(
        plain(socket.inet_ntop(family, ident[20 : 20 + size])), dport
    )


def plain(address: str) -> str:
    """An address as packets carry it: no IPv4 in IPv6's clothes."""
    return address.removeprefix("::ffff:") if address.startswith("::ffff:") else address


def parse_row(message: bytes) -> Row | None:
    """``struct inet_diag_msg`` with its attributes; ``None`` for a state that TCP has not."""
    state = STATES.get(message[1])
    if state is None or message[0] not in (socket.AF_INET, socket.AF_INET6):
        return None
    ident = message[4:52]
    local, peer = _ends(message[0], ident)
    _, recv_queue, send_queue, uid, inode = _rest.unpack_from(message, 52)
    retransmits, rtt, quiet, group = 0, None, None, None
    for kind, value in attributes(message[72:]):
        if kind == INET_DIAG_INFO and len(value) >= 104:
            (quiet,) = struct.unpack_from("=I", value, 52)  # tcpi_last_data_recv
            rtt = struct.unpack_from("=I", value, 68)[0] or None
            (retransmits,) = struct.unpack_from("=I", value, 100)
        elif kind == INET_DIAG_CGROUP_ID and len(value) == 8:
            (group,) = struct.unpack("=Q", value)
    return Row(
        ident, local, peer, state, recv_queue, send_queue, uid, inode, retransmits, rtt, quiet,
        group,
    )  # fmt: skip


class HostCounters:
    """The counters of /proc/net/netstat, and by how much they have risen since it was made."""

    def __init__(self, path: Path = Path("/proc/thread-self/net/netstat")) -> None:
        # Kept open, for there is no opening any more once everything was given up.
        self._file = path.open("rb", buffering=0)
        self._before = self._read()

    def close(self) -> None:
        self._file.close()

    def risen(self) -> dict[str, int]:
        """Those that have risen."""
        now = self._read()
        risen = {name: now[name] - self._before.get(name, 0) for name in now}
        return {name: more for name, more in risen.items() if more > 0}

    def _read(self) -> dict[str, int]:
        self._file.seek(0)
        lines = self._file.read(1 << 16).decode("ascii", "replace").splitlines()
        found: dict[str, int] = {}
        for names, values in zip(lines[::2], lines[1::2], strict=False):
            if names.startswith("TcpExt:"):
                pairs = zip(names.split()[1:], values.split()[1:], strict=False)
                found = {name: int(value) for name, value in pairs if name in COUNTERS}
        return found


class Gauges:
    """What the host has and gives: sockets in TIME-WAIT, and ports for clients.

    ``ports``  how many it gives out by itself; ``None`` where nobody tells
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self.ports = _ports(proc / "sys/net/ipv4/ip_local_port_range")
        self._file: BinaryIO | None = None
        with contextlib.suppress(OSError):
            self._file = (proc / "thread-self/net/sockstat").open("rb", buffering=0)

    def time_waits(self) -> int | None:
        """Sockets in TIME-WAIT now; ``None`` where nobody tells."""
        if self._file is None:
            return None
        self._file.seek(0)
        words = self._file.read(4096).decode("ascii", "replace").partition("TCP:")[2].split()
        pairs = dict(zip(words[::2], words[1::2], strict=False))
        return int(pairs["tw"]) if pairs.get("tw", "").isdigit() else None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _ports(path: Path) -> int | None:
    try:
        first, last = map(int, path.read_text("ascii").split())
    except (OSError, ValueError):
        return None
    return max(last - first + 1, 1)
