"""Timers of the kernel that run out without a segment and without a call that would tell.

Linux gives up an end whose application has closed it already (an *orphan*), or
that no application has yet (SYN-RECEIVED), when nobody answers: the socket is
gone at the next reading. The inference could only guess when. That it was a
timer, and not a mistake of the inference, is shown by the reading before, in
which the kernel told which timer ran and how long it had to go.
"""

from __future__ import annotations

from tcpviz.core.records import KernelSocket
from tcpviz.core.states import Event, State

_SLACK_NS = 100_000_000
"""The kernel rounds what is left of a timer, and goes by a clock of a few milliseconds."""

_EVENTS = {
    State.SYN_SENT: Event.USER_TIMEOUT,
    State.SYN_RECEIVED: Event.USER_TIMEOUT,
    State.ESTABLISHED: Event.USER_TIMEOUT,
    State.FIN_WAIT_1: Event.USER_TIMEOUT,
    State.FIN_WAIT_2: Event.USER_TIMEOUT,
    State.CLOSE_WAIT: Event.USER_TIMEOUT,
    State.CLOSING: Event.USER_TIMEOUT,
    State.LAST_ACK: Event.USER_TIMEOUT,
    State.TIME_WAIT: Event.TIMEOUT_2MSL,
}


def ran_out(before: KernelSocket | None, read_ns: int, now_ns: int) -> Event | None:
    """The timer's event, if ``before`` (read at ``read_ns``) had one that is due by ``now_ns``."""
    if before is None or before.state is None or before.timer_ms is None:
        return None
    if read_ns + before.timer_ms * 1_000_000 > now_ns + _SLACK_NS:
        return None
    return _EVENTS.get(before.state)
