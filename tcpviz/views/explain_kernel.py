"""What the kernel said when it was asked: the sentence of a reading at the cursor."""

from __future__ import annotations

from typing import Final

from tcpviz.core.connection import Connection
from tcpviz.core.records import KernelSocket
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.core.timeline import Step
from tcpviz.views.explain_fill import Fill
from tcpviz.views.kernel_words import accept_limit
from tcpviz.views.spans import clean
from tcpviz.words import _, counted, listed

READING: Final[dict[str, str]] = {
    "agrees": "The kernel was asked ({source}): {told}, as the segments showed.",
    "tells": "The kernel was asked ({source}): {told}.",
    "silent": "The kernel was asked ({source}) and has no socket of this connection.",
}

TIMERS: Final[dict[str, str]] = {
    "time-wait": "{left} of {state} left",
    "retransmit": "retransmission in {left}",
    "keepalive": "keep-alive in {left}",
    "probe": "window probe in {left}",
}


def reading(step: Step, connection: Connection | None, fill: Fill) -> str:
    """What the kernel told of this connection's sockets (of all, where there is none)."""
    assert step.reading is not None
    sockets = [sock for sock in step.reading.sockets if _belongs(sock, connection)]
    source = clean(step.reading.source)
    told = _("; ").join(_socket(sock, fill) for sock in sockets[:4])
    if not told:
        name = "silent" if connection is not None else "tells"
        return fill(READING[name], source=source, told="-")
    # Of what only the kernel has told of, no segment has shown anything.
    agrees = connection is not None and not connection.only_told and not step.changes
    return fill(READING["agrees" if agrees else "tells"], source=source, told=told)


def _belongs(sock: KernelSocket, connection: Connection | None) -> bool:
    if connection is None:
        return True
    ends: set[Endpoint] = {connection.client.endpoint, connection.server.endpoint}
    return sock.peer is not None and {sock.local, sock.peer} == ends


def _socket(sock: KernelSocket, fill: Fill) -> str:
    if sock.state is None:
        return fill(_("{who} has no socket"), sock.side)
    parts = [fill(_("{who} is in {state}"), sock.side, state=sock.state)]
    if sock.state is State.LISTEN and sock.send_queue:
        queue = _("accept queue {length} of {limit}")
        parts.append(queue.format(length=sock.recv_queue, limit=accept_limit(sock.send_queue)))
    elif sock.recv_queue or sock.send_queue:
        queues = _("{unread} bytes unread, {unacked} not acknowledged")
        parts.append(queues.format(unread=sock.recv_queue, unacked=sock.send_queue))
    if sock.timer in TIMERS and sock.timer_ms is not None:
        left = f"{sock.timer_ms / 1000:.1f} s"
        parts.append(_(TIMERS[sock.timer]).format(left=left, state=sock.state))
    if sock.retransmits:
        parts.append(counted(sock.retransmits, "repetition"))
    return listed(parts)
