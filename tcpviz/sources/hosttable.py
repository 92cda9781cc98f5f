"""The program's side of the process that reads the kernel's table of sockets."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import tcpviz
from tcpviz.core.hosts import HostReading, HostSocket, Process
from tcpviz.core.segment import Endpoint, Flags, Segment
from tcpviz.core.states import State
from tcpviz.sources import bpfvm, privileges
from tcpviz.sources.expression import Predicate
from tcpviz.sources.interfaces import ANY, Interface

_PIECE = 1 << 18
_LONGEST = 64 << 20  # bytes of one line: 20 000 sockets take some 4 MB

PART: Final = 200
"""Sockets of the first reading that are told together: some 50 ms of the screen's time."""

_START = (
    "import sys; sys.path.append({root!r}); "
    "from tcpviz.sources.tablechild import main; sys.exit(main())"
)
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


class HostTable:
    """One running process, which waits for :meth:`begin`.

    ``complaint`` is why it cannot tell anything, where it cannot.
    ``wanted``  which connections are of interest; listeners always are
    ``keep``    it may keep what it takes to see other users' processes
    """

    def __init__(self, wanted: Wanted, *, keep: bool = False) -> None:
        self.complaint: str | None = None
        self.ended = False
        self._wanted = wanted
        self._buffer = bytearray()
        root = str(Path(tcpviz.__file__).resolve().parent.parent)
        command = [sys.executable, "-I", "-S", "-c", _START.format(root=root), "sockets"]
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.output = self._process.stdout.fileno()
        os.set_blocking(self.output, False)
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(self.output, fcntl.F_SETPIPE_SZ, 1 << 20)
        self._config = {"parent": os.getpid(), "caller": privileges.sudo_caller(), "keep": keep}

    def begin(self) -> None:
        """Let it read the table for the first time, with the rights that it was started with."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(self._config).encode() + b"\n")
            self._process.stdin.flush()

    @property
    def pid(self) -> int:
        return self._process.pid

    def read(self) -> list[HostReading]:
        """The readings that have come; never waits. Sets ``ended`` where no more will."""
        readings: list[HostReading] = []
        while True:
            try:
                data = os.read(self.output, _PIECE)
            except BlockingIOError:
                return readings
            if not data:
                self.ended = True
                return readings
            self._buffer += data
            if len(self._buffer) > _LONGEST:
                self.ended = True
                self.complaint = "the process that reads the sockets' table went mad"
                return readings
            while (end := self._buffer.find(b"\n")) >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                reading = self._parse(line)
                if reading is not None:
                    readings += in_parts(reading)

    def _parse(self, line: bytes) -> HostReading | None:
        try:
            message: dict[str, Any] = json.loads(line)
            if "error" in message:
                self.complaint = str(message["error"])
                return None
            return self._reading(message)
        except (ValueError, KeyError, TypeError, IndexError):
            return None

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

    def close(self) -> None:
        """Make sure that it is gone."""
        process = self._process
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        with contextlib.suppress(OSError):
            process.terminate()
        try:
            process.wait(2.0)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                process.kill()
            process.wait()
        self.ended = True


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
