"""What a socket call shows of the end whose application made it.

Most moves that an application causes are seen on the wire: a SYN, a FIN, a RST.
Some are not. Linux deletes a connection without a word when a socket is closed
in SYN-SENT, or reset (``SO_LINGER`` with 0 seconds, or ``shutdown()`` of a
listening socket) in a state in which RFC 9293 section 3.10.5 sends nothing; and
a connection that was given up shows in the error of the call that waited for it
(section 3.10.8). There the call is the only witness.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tcpviz.core.records import Call, Side
from tcpviz.core.segment import FlowKey
from tcpviz.core.states import Event, State

_SILENT_ABORTS = frozenset({State.SYN_SENT, State.CLOSING, State.LAST_ACK})
"""States whose ABORT sends nothing (tcp_disconnect() in net/ipv4/tcp.c)."""

KILLED = "killed"
"""The result of a call in which its program died: the kernel closes its sockets."""

_WAITING = frozenset({"connect", "recv", "send"})


@dataclass
class _Socket:
    """What is known of one descriptor."""

    key: FlowKey | None = None
    listens: bool = False
    resets: bool = False
    defers: int = 0
    port: int = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """A move that a call shows: of the end with this key, or of the listening socket."""

    event: Event
    because: str
    key: FlowKey | None = None
    listener: bool = False


@dataclass
class Applications:
    """The sockets of the applications, by side and descriptor."""

    _sockets: dict[tuple[Side, int], _Socket] = field(default_factory=dict)

    def take(self, call: Call) -> Shown | None:
        """A call's record; what its return shows, if anything."""
        if call.fd is None:
            return None
        place = (call.side, call.fd)
        if call.returned and call.name in ("socket", "accept") and not call.failed:
            self._made(call)
            return None
        sock = self._sockets.setdefault(place, _Socket())
        if call.local is not None and call.peer is not None:
            sock.key = FlowKey.of(call.local, call.peer)
        if not call.returned:
            return None
        if call.result == KILLED:
            return self._closed(sock, place, "its program was killed")
        if call.name in _WAITING and call.failed:
            if call.result == "ETIMEDOUT" and sock.key is not None:
                why = f"{call.name}() failed with ETIMEDOUT"
                return Shown(Event.USER_TIMEOUT, why, sock.key)
            return None
        if call.failed:
            return None
        return self._succeeded(call, sock, place)

    def defers(self, port: int) -> int:
        """How often who listens at ``port`` repeats its SYN,ACK before it takes an empty ACK.

        0: it takes it at once, as it does without TCP_DEFER_ACCEPT (tcp_check_req() in
        net/ipv4/tcp_minisocks.c).
        """
        here = [one.defers for one in self._sockets.values() if one.listens and one.port == port]
        return max(here, default=0)

    def _made(self, call: Call) -> None:
        """A new socket: what accept() gave has a descriptor of its own, told in its result."""
        words = (call.result or "").split()
        fresh = int(words[1]) if len(words) > 1 and words[1].isdigit() else call.fd
        if fresh is not None:
            self._sockets[call.side, fresh] = _Socket()

    def _succeeded(self, call: Call, sock: _Socket, place: tuple[Side, int]) -> Shown | None:
        if call.local is not None:
            sock.port = call.local.port
        if call.name == "listen":
            sock.listens = True
        elif call.name == "setsockopt" and call.arguments.startswith("SO_LINGER"):
            sock.resets = call.arguments.startswith("SO_LINGER, 0")
        elif call.name == "setsockopt" and call.arguments.startswith("TCP_DEFER_ACCEPT"):
            seconds = call.arguments.split()[-1]
            sock.defers = _syn_acks_within(int(seconds)) if seconds.isdigit() else 0
        elif call.name == "shutdown" and sock.listens and call.arguments != "SHUT_WR":
            sock.listens = False
            return Shown(Event.ABORT, "shutdown() of the listening socket", listener=True)
        elif call.name == "close":
            return self._closed(sock, place, "close()")
        return None

    def _closed(self, sock: _Socket, place: tuple[Side, int], why: str) -> Shown:
        del self._sockets[place]
        if sock.listens:
            return Shown(Event.CLOSE, f"{why}: the listening socket", listener=True)
        if sock.resets:
            return Shown(Event.ABORT, f"{why}, with SO_LINGER 0", sock.key)
        return Shown(Event.CLOSE, why, sock.key)


def _syn_acks_within(seconds: int) -> int:
    """``secs_to_retrans()`` in net/ipv4/tcp.c: timers of 1, 2, 4 ... seconds in that time."""
    count = period = min(1, seconds)
    while period < seconds:
        period += 1 << min(count, 7)
        count += 1
    return count


def moves_silently(event: Event, state: State) -> bool:
    """Whether ``event`` moves an end in ``state`` without any segment that would tell."""
    if event is Event.CLOSE:
        return state is State.SYN_SENT
    if event is Event.ABORT:
        return state in _SILENT_ABORTS
    return event is Event.USER_TIMEOUT
