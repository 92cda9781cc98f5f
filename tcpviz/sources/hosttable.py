"""The program's side of the process that reads the kernel's table of sockets."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from tcpviz.core.hosts import HostReading, HostSocket, Process
from tcpviz.core.segment import Endpoint, Flags, Segment
from tcpviz.core.states import State
from tcpviz.sources import bpfvm
from tcpviz.sources.expression import Predicate
from tcpviz.sources.interfaces import ANY, Interface
from tcpviz.sources.linechild import LineChild

PART: Final = 200
"""Sockets of the first reading that are told together: some 50 ms of the screen's time."""

_STATES = {str(state): state for state in State}

Wanted = Callable[[Endpoint, Endpoint], bool]


def captured_by(
    interfaces: Sequence[Interface],
    program: Sequence[bpfvm.Instruction] | None,
    predicate: Predicate | None = None,
) -> Wanted:
    """Whether a connection between these two would be captured.

    By address: what a socket is bound to stands on one of the interfaces. By the filter,
    compiled for Ethernet: an empty ACK of either direction passes it (or ``predicate``, where
    nothing compiles).
    """
    everywhere = ANY in interfaces
    addresses = {address for interface in interfaces for address in interface.addresses}

    def wanted(local: Endpoint, peer: Endpoint) -> bool:
        if not everywhere and local.addr not in addresses:
            return False
        ways = ((local, peer), (peer, local))
        if program is None:
            return predicate is None or any(predicate(_segment(*way)) for way in ways)
        return any(bpfvm.run(program, bpfvm.specimen(one, other)) for one, other in ways)

    return wanted


def _segment(src: Endpoint, dst: Endpoint) -> Segment:
    return Segment(0, src, dst, 1, 1, Flags.ACK, 1024, 0)


class HostTable(LineChild):
    """One running process, which waits for :meth:`begin`.

    ``wanted``  which connections are of interest; listeners always are
    ``keep``    it may keep what it takes to see other users' processes
    """

    def __init__(self, wanted: Wanted, *, keep: bool = False) -> None:
        super().__init__("tcpviz.sources.tablechild", "sockets", "the sockets' table")
        self._wanted = wanted
        self._keep = keep

    def begin(self) -> None:
        """Let it read the table for the first time, with the rights that it was started with."""
        self.tell(keep=self._keep)

    def read(self) -> list[HostReading]:
        """The readings that have come; never waits. Sets ``ended`` where no more will."""
        readings: list[HostReading] = []
        for message in self.messages():
            with contextlib.suppress(ValueError, KeyError, TypeError, IndexError):
                readings += in_parts(self._reading(message))
        return readings

    def _reading(self, message: dict[str, Any]) -> HostReading:
        first = bool(message["first"])
        sockets = []
        for entry in message["sockets"]:
            sock = _socket(entry, fresh=not first, read_ns=int(message["time"]))
            if sock.peer is not None and self._wanted(sock.local, sock.peer):
                sockets.append(sock)
        for addr, port, far, far_port in message["gone"]:
            if far is not None:
                local, peer = Endpoint(addr, port), Endpoint(far, far_port)
                if self._wanted(local, peer):
                    sockets.append(HostSocket(local, peer, None))
        listeners = None
        if "listeners" in message:
            listeners = tuple(_socket(entry, fresh=False) for entry in message["listeners"])
        return HostReading(
            int(message["time"]),
            tuple(sockets),
            listeners,
            {str(name): int(count) for name, count in message["counters"].items()},
            int(message["total"]),
            int(message["left_out"]),
            int(message["cost"]),
            int(message.get("interval", 1_000_000_000)),
            first,
            message.get("time_waits"),
            message.get("ports"),
        )


def in_parts(reading: HostReading) -> list[HostReading]:
    """The first reading of a busy host in parts, so that no key waits until all is entered.

    Later ones stay whole: what is new waits for the next reading, not for the next part.
    """
    if not reading.first or len(reading.sockets) <= PART:
        return [reading]
    cuts = range(0, len(reading.sockets), PART)
    parts = [replace(reading, sockets=reading.sockets[at : at + PART]) for at in cuts]
    return [parts[0], *(replace(part, listeners=None) for part in parts[1:])]


def _socket(entry: list[Any], *, fresh: bool, read_ns: int = 0) -> HostSocket:
    (addr, port, far, far_port, state, recv_queue, send_queue, user, owner, unit, container,
     accepted, retransmits, rtt, quiet) = entry  # fmt: skip
    process = None if owner is None else Process(*owner)
    return HostSocket(
        Endpoint(addr, port),
        None if far is None else Endpoint(far, far_port),
        _STATES[state],
        recv_queue,
        send_queue,
        user,
        process,
        unit,
        container,
        accepted,
        retransmits,
        rtt,
        quiet,
        fresh,
        read_ns,
    )
