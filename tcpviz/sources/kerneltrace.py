"""The program's side of the process that reads the kernel's tracepoints."""

from __future__ import annotations

import contextlib
import select
import time
from collections import deque
from collections.abc import Iterable
from heapq import merge
from typing import Any, Final

from tcpviz.core.hosts import Process
from tcpviz.core.kernel_events import EventsLost, KernelEvent, Told
from tcpviz.core.records import Record
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.sources.linechild import LineChild
from tcpviz.sources.tracepoints import PATIENT, QUICK

HOLD_S: Final = 0.08
"""Seconds that packets wait for the kernel's events of the same moment, so that a cause is told
before its effect: longer than the reading process sleeps, and not felt."""

PATIENT_HOLD_S: Final = 0.2
"""The same where that process sleeps longer, since nobody waits for each packet."""

MOST_HELD: Final = 50_000
"""Records that wait, at most."""

_STATES: Final = {
    "TCP_ESTABLISHED": State.ESTABLISHED,
    "TCP_SYN_SENT": State.SYN_SENT,
    "TCP_SYN_RECV": State.SYN_RECEIVED,
    "TCP_NEW_SYN_RECV": State.SYN_RECEIVED,
    "TCP_FIN_WAIT1": State.FIN_WAIT_1,
    "TCP_FIN_WAIT2": State.FIN_WAIT_2,
    "TCP_TIME_WAIT": State.TIME_WAIT,
    "TCP_CLOSE": State.CLOSED,
    "TCP_CLOSE_WAIT": State.CLOSE_WAIT,
    "TCP_LAST_ACK": State.LAST_ACK,
    "TCP_LISTEN": State.LISTEN,
    "TCP_CLOSING": State.CLOSING,
}
_TOLD: Final = {
    "sock/inet_sock_set_state": Told.STATE,
    "tcp/tcp_retransmit_skb": Told.RETRANSMIT,
    "tcp/tcp_retransmit_synack": Told.RETRANSMIT,
    "tcp/tcp_send_reset": Told.RESET_SENT,
    "tcp/tcp_receive_reset": Told.RESET_RECEIVED,
}


class KernelTrace(LineChild):
    """One running process.

    ``ready`` once it has opened everything and given up its rights; ``tracepoints`` are those.
    """

    def __init__(self) -> None:
        super().__init__("tcpviz.sources.tracechild", "kernel-events", "the kernel's events")
        self.ready = False
        self.tracepoints: list[str] = []
        self._patient = False
        self.tell()

    def be_patient(self, patient: bool) -> None:
        """Nobody waits for each event; each waking costs as much as reading a hundred."""
        if patient != self._patient:
            self._patient = patient
            self.say(PATIENT if patient else QUICK)

    def read(self) -> list[Record]:
        """The events that have come; never waits. Sets ``ended`` where no more will."""
        found: list[Record] = []
        for message in self.messages():
            with contextlib.suppress(ValueError, KeyError, TypeError, IndexError):
                found += self._records(message)
        return found

    def _records(self, message: dict[str, Any]) -> list[Record]:
        if "ready" in message:
            self.ready = True
            self.tracepoints = [str(name) for name in message["ready"]]
            return []
        found: list[Record] = [_event(entry) for entry in message["events"]]
        if message["lost"]:
            found.append(EventsLost(time.time_ns(), int(message["lost"])))
        return found


def try_it(seconds: float = 10.0) -> tuple[list[str], str]:
    """The tracepoints that this kernel tells us, or none and why; tried for real."""
    trace = KernelTrace()
    until = time.monotonic() + seconds
    try:
        while not (trace.ready or trace.ended):
            left = until - time.monotonic()
            if left <= 0 or not select.select([trace.output], [], [], left)[0]:
                return [], "no answer"
            trace.read()
        return trace.tracepoints, "" if trace.ready else trace.complaint or "it ended"
    finally:
        trace.close()


def _event(entry: list[Any]) -> KernelEvent:
    when, name, addr, port, far, far_port, before, after, reason, process = entry
    return KernelEvent(
        int(when),
        _TOLD[name],
        Endpoint(addr, port),
        Endpoint(far, far_port),
        _STATES.get(before),
        _STATES.get(after),
        reason,
        None if process is None else Process(*process),
    )


class Interleaved:
    """Packets and kernel events put in the order of their moments, each kind in its own order.

    They come by different ways, and each way takes its time: what comes waits for
    ``hold_s`` seconds, and goes on together with what happened before it.
    """

    def __init__(self) -> None:
        self.hold_s = HOLD_S
        self._records: deque[tuple[float, Record]] = deque()
        self._events: list[tuple[float, KernelEvent | EventsLost]] = []

    def __len__(self) -> int:
        return len(self._records) + len(self._events)

    def put(self, records: Iterable[Record], now: float) -> None:
        """Records in the order in which they were captured; ``now``: seconds of a steady clock."""
        for record in records:
            if isinstance(record, KernelEvent | EventsLost):
                self._events.append((now, record))
            else:
                self._records.append((now, record))

    def take(self, now: float, *, everything: bool = False) -> list[Record]:
        """What has waited long enough, and the events that were before it."""
        due: list[Record] = []
        held, long_ago = self._records, now - self.hold_s
        while held and (everything or held[0][0] <= long_ago or len(held) > MOST_HELD):
            due.append(held.popleft()[1])
        until = due[-1].time_ns if due else None
        ready: list[Record] = []
        waiting: list[tuple[float, KernelEvent | EventsLost]] = []
        for came, event in self._events:
            before = until is not None and event.time_ns <= until
            if everything or before or came <= long_ago or len(self._events) > MOST_HELD:
                ready.append(event)
            else:
                waiting.append((came, event))
        self._events = waiting
        ready.sort(key=lambda record: record.time_ns)
        return list(merge(due, ready, key=lambda record: record.time_ns))

    def forget(self) -> None:
        """What waits is not wanted any more."""
        self._records.clear()
        self._events.clear()
