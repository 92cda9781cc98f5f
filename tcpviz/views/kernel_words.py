"""The kernel's own word about both ends at one moment: queues, timers, windows, in few cells.

Made of the last :class:`~tcpviz.core.records.KernelReading` before the cursor.
Where the segments said otherwise, both opinions stand there, in the role of trouble.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tcpviz.core.claims import Disagreement
from tcpviz.core.records import KernelReading, KernelSocket, Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.views import roles
from tcpviz.views.ladder_labels import SHORT_STATES
from tcpviz.views.numbers import duration
from tcpviz.views.spans import Span, text_width
from tcpviz.words import _

TIMERS: Final = {
    "time-wait": ("{state} {left} left", "{left} left"),
    "retransmit": ("sends again in {left}", "again in {left}"),
    "keepalive": ("keep-alive in {left}", "alive? in {left}"),
    "probe": ("window probe in {left}", "probe in {left}"),
}
"""A running timer in words, and in fewer. ``time-wait`` is the timer of a socket without a
program, which may be in FIN-WAIT-2 too (net/ipv4/tcp_minisocks.c, tcp_time_wait())."""

_OWN_FIN: Final = frozenset({State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK})
_FIN_CAME: Final = frozenset({State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK})
"""Here the kernel's queues count a FIN as a byte (net/ipv4/tcp_diag.c, tcp_diag_get_info())."""

_SYNTIMERS: Final = frozenset({State.SYN_SENT, State.SYN_RECEIVED})


def socket_of(
    reading: KernelReading, side: Side, ends: tuple[Endpoint, Endpoint] | None
) -> KernelSocket | None:
    """The socket of ``side`` of the connection between ``ends`` (client, server).

    ``None`` where the kernel told of none.
    """
    if ends is None:
        return None
    mine = ends if side is Side.CLIENT else (ends[1], ends[0])
    return next(
        (
            one
            for one in reading.sockets
            if one.side is side and (one.local, one.peer) == mine and one.state is not None
        ),
        None,
    )


def listener_of(reading: KernelReading, server: Endpoint | None) -> KernelSocket | None:
    """The listening socket at ``server``'s port, else the first one that listens."""
    listening = [one for one in reading.sockets if one.state is State.LISTEN]
    port = None if server is None else server.port
    return next((one for one in listening if one.local.port == port), next(iter(listening), None))


def timer_text(socket: KernelSocket, passed_ns: int = 0, *, short: bool = False) -> str:
    """The timer that runs: ``TIME-WAIT 57.3 s left``; empty where none does.

    ``passed_ns`` since the kernel was asked: the timer has gone on.
    """
    words = TIMERS.get(socket.timer or "")
    if words is None or socket.timer_ms is None:
        return ""
    left = max(socket.timer_ms - passed_ns // 1_000_000, 0)
    return _(words[1 if short else 0]).format(left=f"{left / 1000:.1f} s", state=socket.state)


def accept_limit(backlog: int) -> int:
    """How many may wait for accept(): one more than listen() was told.

    ``sk_acceptq_is_full()`` in include/net/sock.h. Told so everywhere, or a full queue would
    stand at 2 of 1.
    """
    return backlog + 1


def queues_text(listener: KernelSocket, *, short: bool = False) -> str:
    """``syn queue 1/129  accept queue 0/129``, as lengths and limits."""
    syn = listener.syn_queue
    limit = "" if listener.syn_limit is None else f"/{listener.syn_limit}"
    accept = f"{listener.recv_queue}/{accept_limit(listener.send_queue)}"
    if short:
        head = "" if syn is None else _("syn q {queue} ").format(queue=f"{syn}{limit}")
        return head + _("acc q {queue}").format(queue=accept)
    head = "" if syn is None else _("syn queue {queue}  ").format(queue=f"{syn}{limit}")
    return head + _("accept queue {queue}").format(queue=accept)


def _variants(socket: KernelSocket, passed_ns: int) -> list[str]:
    """What to say of a connection's socket, from ample to terse."""
    timer, brief = timer_text(socket, passed_ns), timer_text(socket, passed_ns, short=True)
    tries = _("try {n}").format(n=socket.tries + 1) if socket.tries else ""
    rtt = "" if socket.rtt_us is None else f"RTT {duration(socket.rtt_us * 1000)}"
    window = "" if socket.cwnd is None else f"cwnd {socket.cwnd}"
    unacked = socket.send_queue - (socket.state in _OWN_FIN)
    waiting = socket.recv_queue - (socket.state in _FIN_CAME)
    unsent = _("{n} B unacked").format(n=unacked) if unacked > 0 else ""
    unread = _("{n} B unread").format(n=waiting) if waiting > 0 else ""
    if socket.state in _SYNTIMERS or socket.state is State.TIME_WAIT:
        rtt = window = unsent = unread = ""
    every = (
        (timer, tries, unsent, unread, window, rtt),
        (timer, unsent, unread, window),
        (brief, unread, window),
        (brief, unread),
        (brief,) if brief else (unread,) if unread else (window,),
    )
    return [", ".join(part for part in parts if part) for parts in every]


def kernel_spans(
    reading: KernelReading,
    side: Side,
    ends: tuple[Endpoint, Endpoint] | None,
    cells: int,
    *,
    disagreements: Sequence[Disagreement] = (),
    passed_ns: int = 0,
) -> Span:
    """What the kernel says of one end's connection in at most ``cells``; empty if nothing.

    A disagreement goes before everything else.
    """
    for one in disagreements:
        if one.side is side:
            kernel = _("no socket") if one.kernel is None else SHORT_STATES[one.kernel]
            thought = SHORT_STATES[one.inferred.state]
            both = _("kernel: {kernel}, segments: {thought}")
            said = (both.format(kernel=kernel, thought=thought), f"{kernel} / {thought}?")
            return Span(_first(said, cells), roles.MARK_BAD)
    socket = socket_of(reading, side, ends)
    if socket is None:
        return Span("")
    return Span(_first(_variants(socket, passed_ns), cells), roles.TIME)


def listener_span(reading: KernelReading, server: Endpoint | None, cells: int) -> Span:
    """The listener's two queues in at most ``cells``; full ones in the role of trouble."""
    listener = listener_of(reading, server)
    if listener is None:
        return Span("")
    said = (queues_text(listener), queues_text(listener, short=True))
    syns, most = listener.syn_queue, listener.syn_limit
    full = listener.recv_queue >= accept_limit(listener.send_queue) or (
        syns is not None and most is not None and syns >= most > 0
    )
    waiting = bool(listener.recv_queue or syns)
    role = roles.MARK_BAD if full else roles.SERVER if waiting else roles.TIME
    return Span(_first(said, cells), role)


def _first(variants: Sequence[str], cells: int) -> str:
    """The first that fits; empty where none does."""
    return next((each for each in variants if text_width(each) <= cells), "")
