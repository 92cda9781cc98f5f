"""Readings: both ends' sockets at one moment, for the connections of the scenario.

What the kernel lists is turned into one entry for each side of every four-tuple
ever seen (state ``None`` once the kernel has no such socket any more), and one
for the server's listening socket.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from dataclasses import replace

from tcpviz.core.records import KernelReading, KernelSocket, Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.lab.diag import Diag, Info
from tcpviz.lab.ground import Ground
from tcpviz.lab.peers import Peers, Sock, addresses

_AWAITS_ANSWER = frozenset(
    {State.SYN_SENT, State.SYN_RECEIVED, State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK}
)


class Reader:
    """Asks the kernel, and remembers which connections there were.

    ``waits``  after a reading: some end has sent what is not acknowledged yet
    """

    def __init__(self, ground: Ground, peers: Peers, own: list[tuple[Side, Sock]]) -> None:
        self.waits = False
        self._ground = ground
        self._peers = peers
        self._own = own
        self._tuples: dict[tuple[Endpoint, Endpoint], None] = {}
        self._last: tuple[KernelSocket, ...] = ()

    def read(self) -> KernelReading | None:
        """One reading, now; ``None`` where the kernel cannot be asked."""
        if self._ground.asks == "inet_diag":
            sockets = self._from_diag(self._ground.diags())
        elif self._ground.asks == "TCP_INFO":
            sockets = list(self._from_info())
        else:
            return None
        homes = {place.endpoint.addr for place in self._ground.places.values()}
        self.waits = any(
            one.peer is not None
            and one.peer.addr in homes  # nobody answers for a made-up address
            and (
                one.state in _AWAITS_ANSWER
                or (one.send_queue > 0 and one.state in (State.ESTABLISHED, State.CLOSE_WAIT))
            )
            for one in sockets
        )
        self._last = tuple(sockets)
        return KernelReading(time.time_ns(), self._last, self._ground.asks)

    @property
    def last(self) -> tuple[KernelSocket, ...]:
        """What the latest reading said."""
        return self._last

    def source_of(self, peer: Endpoint) -> Endpoint | None:
        """Where the latest connection to ``peer`` came from, as far as any reading showed it."""
        for local, far in reversed(self._tuples):
            if far == peer:
                return local
        return None

    def summary(self) -> str:
        """How both ends stood at the last reading, in a few words."""
        said = [
            f"{one.side} {one.state.value}"
            for one in self._last
            if one.state is not None and (one.peer is not None or one.state is State.LISTEN)
        ]
        return ", ".join(said) or "no sockets"

    # -- inet_diag ----------------------------------------------------------

    def _from_diag(self, found: list[tuple[Side, Diag]]) -> list[KernelSocket]:
        here: dict[tuple[Side, Endpoint, Endpoint], Diag] = {}
        listeners: dict[Endpoint, Diag] = {}
        for side, one in found:
            if one.peer is None:
                if side is Side.SERVER and one.state is State.LISTEN:
                    listeners[one.local] = one
                continue
            here[side, one.local, one.peer] = one
            seen_by_client = (one.local, one.peer) if side is Side.CLIENT else (one.peer, one.local)
            self._tuples.setdefault(seen_by_client)
        server = self._ground.places[Side.SERVER].endpoint
        home = self._ground.places[Side.CLIENT].endpoint.addr
        told = [
            self._listener(local, listeners.get(local), here)
            for local in dict.fromkeys([*listeners, server])
        ]
        for client, far in self._tuples:
            if client.addr == home:  # else a made-up address: there is no kernel to ask
                told.append(_socket(Side.CLIENT, client, far, here.get((Side.CLIENT, client, far))))
            told.append(_socket(Side.SERVER, far, client, here.get((Side.SERVER, far, client))))
        return told

    def _listener(
        self,
        local: Endpoint,
        one: Diag | None,
        here: dict[tuple[Side, Endpoint, Endpoint], Diag],
    ) -> KernelSocket:
        """The listening socket and its two queues."""
        told = _socket(Side.SERVER, local, None, one)
        if one is None:
            return told
        waiting = sum(
            side is Side.SERVER and mine == local and other.state is State.SYN_RECEIVED
            for (side, mine, _), other in here.items()
        )
        limits = getattr(self._ground, "syn_limits", lambda _: None)(Side.SERVER)
        limit = None if limits is None else syn_limit(one.send_queue, *limits)
        return replace(told, syn_queue=waiting, syn_limit=limit)

    # -- TCP_INFO -----------------------------------------------------------

    def _from_info(self) -> Iterable[KernelSocket]:
        """Of our own open sockets only: it cannot tell of one that was closed."""
        for side, sock in self._own:
            real = sock.real
            if real is None or real.fileno() < 0:
                continue
            local, peer = addresses(real)
            if local is None:
                continue
            try:
                info = Info.parse(real.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256))
            except OSError:
                continue
            if info is None or info.state is None or (peer is None) != (info.state is State.LISTEN):
                continue
            yield KernelSocket(
                side,
                local,
                peer,
                info.state,
                retransmits=info.total_retrans,
                rtt_us=info.rtt_us or None,
                cwnd=info.cwnd,
            )


def _socket(side: Side, local: Endpoint, peer: Endpoint | None, one: Diag | None) -> KernelSocket:
    if one is None:
        return KernelSocket(side, local, peer, None)
    return KernelSocket(
        side,
        local,
        peer,
        one.state,
        one.timer,
        one.timer_ms,
        one.recv_queue,
        one.send_queue,
        one.retransmits,
        one.rtt_us,
        one.cwnd,
        tries=one.tries,
    )


def syn_limit(backlog: int, max_syn_backlog: int, cookies: bool) -> int:
    """How many connections in SYN-RECEIVED a listener takes before it drops SYNs.

    ``backlog`` is the listener's own (``listen()``'s, at most ``somaxconn``). The
    queue is full above it (inet_csk_reqsk_queue_is_full()); without SYN cookies,
    which would then step in, also when less than a quarter of ``tcp_max_syn_backlog``
    is free (tcp_conn_request() in net/ipv4/tcp_input.c).
    """
    limit = backlog + 1
    if not cookies:
        limit = min(limit, max_syn_backlog - (max_syn_backlog >> 2) + 1)
    return limit
