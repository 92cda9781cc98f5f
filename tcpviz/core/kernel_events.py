"""What a host's kernel says at the very moment: its tracepoints about TCP, as plain records.

The table of sockets (:mod:`tcpviz.core.hosts`) is asked once a second and knows how things
stand; tracepoints tell each change when it happens, and in whose call.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tcpviz.core.hosts import Process
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State


class Told(enum.Enum):
    """Which tracepoint it was; values are their names without the system.

    ``STATE``       ``sock:inet_sock_set_state``
    ``RETRANSMIT``  ``tcp:tcp_retransmit_skb``, ``tcp:tcp_retransmit_synack``
    ``RESET_SENT``, ``RESET_RECEIVED``  ``tcp:tcp_send_reset``, ``tcp:tcp_receive_reset``
    """

    STATE = "inet_sock_set_state"
    RETRANSMIT = "tcp_retransmit_skb"
    RESET_SENT = "tcp_send_reset"
    RESET_RECEIVED = "tcp_receive_reset"


@dataclass(frozen=True, slots=True)
class KernelEvent:
    """One tracepoint that fired for a socket whose own end is ``local``.

    ``before``, ``after``  its states; of the others than ``STATE`` only ``after``: where it
                stands. ``None`` where no socket has to do with it. CLOSED is also what the
                kernel says when a time-wait socket takes over from the full one
    ``reason``  of a reset the kernel's own word (``enum sk_rst_reason``, Linux 6.10 on, in small
                letters with hyphens); of a repetition ``timeout``, ``recovery``, ``probe`` or
                ``syn-ack``; empty where the kernel does not tell
    ``process`` in whose call it happened; ``None`` in an interrupt, where whoever runs has
                nothing to do with it
    """

    time_ns: int
    told: Told
    local: Endpoint
    peer: Endpoint
    before: State | None = None
    after: State | None = None
    reason: str = ""
    process: Process | None = None


_CALLS = frozenset({State.SYN_SENT, State.FIN_WAIT_1, State.LAST_ACK})
_ABORTED = frozenset({State.SYN_SENT, State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSE_WAIT})


def is_call(event: KernelEvent) -> bool:
    """Whether its process has made it happen: other events are segments that it found waiting.

    Only a call leads to SYN-SENT, FIN-WAIT-1 and LAST-ACK.
    """
    if event.process is None:
        return False
    return event.told is Told.STATE and event.after in _CALLS


def may_be_call(event: KernelEvent) -> bool:
    """The same, or an end without a FIN, which is a call's doing unless a reset came."""
    if event.process is None or is_call(event):
        return event.process is not None
    if event.told is Told.STATE:
        return event.after is State.CLOSED and event.before in _ABORTED
    return event.told is Told.RESET_SENT


@dataclass(frozen=True, slots=True)
class EventsLost:
    """The kernel had no room for so many events, for nobody took them fast enough."""

    time_ns: int
    count: int
