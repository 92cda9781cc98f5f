"""What this host's kernel says beside the packets: its table of sockets, and its events.

Each is read by a process of its own; here they are started, looked after and ended together,
and what they tell is put in order with what is captured.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Iterable

from tcpviz.core.records import Record
from tcpviz.sources.hosttable import HostTable, Wanted
from tcpviz.sources.kerneltrace import HOLD_S, PATIENT_HOLD_S, Interleaved, KernelTrace

Teller = HostTable | KernelTrace


class KernelWord:
    """``sockets`` and ``events`` say what is asked; ``keep`` is :class:`HostTable`'s.

    ``notes`` has a line for each that cannot tell any more, and why.
    """

    def __init__(self, *, sockets: bool, keep: bool, events: bool) -> None:
        self.notes: list[str] = []
        self._ask = (sockets, keep, events)
        self._host: HostTable | None = None
        self._trace: KernelTrace | None = None
        self._order = Interleaved()
        self._came: list[Record] = []

    def open(self, wanted: Callable[[], Wanted], selector: selectors.BaseSelector) -> None:
        """Start who is asked; before privileges are given up.

        ``wanted`` tells which connections are of interest, if anybody is asked about them.
        """
        sockets, keep, events = self._ask
        if sockets:
            self._host = HostTable(wanted(), keep=keep)
        if events:
            self._trace = KernelTrace()
        for teller in self._tellers():
            selector.register(teller.output, selectors.EVENT_READ, teller)

    def begin(self) -> None:
        """The packets come; the table of sockets may be read for the first time."""
        if self._host is not None:
            self._host.begin()

    def _tellers(self) -> list[Teller]:
        return [each for each in (self._host, self._trace) if each is not None]

    @property
    def pids(self) -> list[int]:
        return [each.pid for each in self._tellers()]

    def read(self, teller: Teller) -> bool:
        """Take what one of them says; false if it will say nothing more."""
        self._came += teller.read()
        if not teller.ended:
            return True
        why = teller.complaint or "the process that reads it has ended"
        if isinstance(teller, HostTable):
            self.notes.append(f"no word from the kernel's table of sockets any more: {why}")
        else:
            self.notes.append(f"no events from the kernel: {why}")
            self._trace = None
            teller.close()
        return False

    def be_patient(self, patient: bool) -> None:
        """Nobody waits for each event, as long as they come in order."""
        self._order.hold_s = PATIENT_HOLD_S if patient else HOLD_S
        if self._trace is not None:
            self._trace.be_patient(patient)

    # -- in order -----------------------------------------------------------

    def patience(self, idle: float) -> float:
        """Seconds after which :meth:`among` may have something: ``idle``, if nothing waits."""
        return self._order.hold_s if len(self._order) else idle

    def among(self, packets: Iterable[Record], *, over: bool = False) -> list[Record]:
        """What has come and may go on; ``over``: nothing will come any more."""
        records = [*packets, *self._came]
        self._came.clear()
        if self._trace is None and not len(self._order):
            return records  # nothing to be put in order, and so nothing to wait for
        now = time.monotonic()
        self._order.put(records, now)
        return self._order.take(now, everything=over or self._trace is None)

    def forget(self) -> None:
        """What waits is told anew by somebody else."""
        self._order.forget()

    def close(self) -> None:
        """Make sure that they are gone."""
        for teller in self._tellers():
            teller.close()
