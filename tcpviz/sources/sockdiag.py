"""What the kernel tells of TCP sockets: ``inet_diag`` messages and ``struct tcp_info``.

Layouts: include/uapi/linux/inet_diag.h and tcp.h; both have only ever grown at
their ends. Asking needs no privilege. Linux only.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.sources.netlink import NLM_F_REQUEST, attributes

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
INET_DIAG_INFO = 2
ALL_STATES = 0xFFFFFFFF

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


def request(
    family: int,
    sequence: int,
    kind: int,
    flags: int,
    ident: bytes,
    *,
    states: int = ALL_STATES,
    info: bool = True,
) -> bytes:
    """A netlink message with ``struct inet_diag_req_v2``.

    ``ident``   ``struct inet_diag_sockid``, 48 bytes; a dump looks at its ports only
    ``states``  one bit for each of the kernel's state numbers
    ``info``    ask for ``struct tcp_info`` too, for which the kernel locks each socket
    """
    wanted = 1 << (INET_DIAG_INFO - 1) if info else 0
    body = struct.pack("BBBxI", family, socket.IPPROTO_TCP, wanted, states) + ident
    return struct.pack("IHHII", 16 + len(body), kind, NLM_F_REQUEST | flags, sequence, 0) + body


def sockid(sport: int = 0, dport: int = 0) -> bytes:
    """``struct inet_diag_sockid`` of whatever has these ports (0: any)."""
    return struct.pack("!HH", sport, dport) + bytes(32 + 4) + b"\xff" * 8


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
