"""The process that asks the kernel whose sockets there are; a line of JSON for each reading.

It gets one line of JSON on its standard input: ``parent`` (pid), ``caller``
(user and group, or null), ``keep`` (whether it may keep what it takes to see
other users' processes later on). It opens what it needs, looks at every process
once with the rights that it was started with, gives them up, and then reads the
table about once a second, less often where that costs more than a twentieth of
a processor. It ends when its input is closed or its parent is gone. It never
sees a packet.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from typing import Any

from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.sources import confine, privileges
from tcpviz.sources.owners import Groups, Owners, group_names, users
from tcpviz.sources.socktable import MOST_TOLD, Gauges, HostCounters, Row, SocketTable

LEAST_INTERVAL = 1.0
"""Seconds between two readings, at least."""

SHARE = 0.05
"""Of one processor, at most, for reading the table and for looking through the processes."""

_DEATH = signal.SIGUSR1

_ACCEPTABLE = (State.ESTABLISHED, State.CLOSE_WAIT)
"""Where a socket without an inode waits for accept(); in other states its owner has left it."""


class Teller:
    """Readings as plain lists and dictionaries, ready for JSON."""

    def __init__(self) -> None:
        self.table = SocketTable()
        self.counters = HostCounters()
        self.gauges = Gauges()
        self.owners = Owners()
        self._groups = Groups()
        self._users = users()
        self._inodes: set[int] = set()
        self._ownerless: set[int] = set()
        self._uids: dict[int, int] = {}
        self._unnamed: dict[int, Row] = {}  # told before there was time to look for their owners
        self._listening: list[list[Any]] = []
        self._by_port: dict[int, list[Row]] = {}
        self._first = True
        self._next_look = 0.0
        self._left_out = 0

    def close(self) -> None:
        self.table.close()
        self.counters.close()
        self.gauges.close()

    def reading(self) -> dict[str, Any]:
        """The next one; takes as long as the kernel takes."""
        began = time.process_time()
        when = time.time_ns()
        found = self.table.read()
        # Whom there was no time to tell of is not told of later, unless it changes.
        self._left_out = min(self._left_out + found.left_out, found.total)
        listeners = self.table.listeners()
        self._find_owners(found.rows, listeners)
        self._by_port = {}
        for row in listeners:
            self._by_port.setdefault(row.local.port, []).append(row)
        named = [self._unnamed.pop(inode) for inode in list(self._unnamed) if self._has(inode)]
        told = [self._told(row) for row in (*named, *found.rows)]
        for row in found.rows:
            if row.inode in self._ownerless and len(self._unnamed) < MOST_TOLD:
                self._unnamed[row.inode] = row
        gone = [[*_ends(local, peer)] for local, peer, _ in found.gone[:MOST_TOLD]]
        self._let_go(found.gone)
        message: dict[str, Any] = {
            "time": when,
            "sockets": told,
            "gone": gone,
            "total": found.total,
            "left_out": self._left_out,
            "counters": self.counters.risen(),
            "hidden": self.owners.hidden,
            "first": self._first,
            "time_waits": self.gauges.time_waits(),
            "ports": self.gauges.ports,
        }
        listening = [self._told(row) for row in listeners[:MOST_TOLD]]
        if listening != self._listening or self._first:
            self._listening = message["listeners"] = listening
        self._first = False
        message["cost"] = int((time.process_time() - began) * 1e9)
        return message

    def _find_owners(self, rows: list[Row], listeners: list[Row]) -> None:
        """Look for processes of sockets that are new, no more often than the share allows."""
        for row in (*rows, *listeners):
            if row.inode and row.inode not in self._inodes:
                self._inodes.add(row.inode)
                self._ownerless.add(row.inode)
                self._uids[row.inode] = row.uid
        now = time.monotonic()
        if not self._ownerless or now < self._next_look:
            return
        began = time.process_time()
        wanted = self._ownerless
        waiting = self._unnamed.keys() - wanted
        for inode in waiting:
            del self._unnamed[inode]
        self.owners.look(wanted, {self._uids[inode] for inode in wanted})
        # Whom we may not see now we shall not see the next time either.
        self._ownerless = set()
        self._next_look = now + max(0.5, (time.process_time() - began) / SHARE)

    def _has(self, inode: int) -> bool:
        return self.owners.get(inode) is not None

    def _let_go(self, gone: list[tuple[Endpoint, Endpoint | None, int]]) -> None:
        inodes = {inode for _, _, inode in gone}
        self.owners.forget(inodes)
        self._inodes -= inodes
        self._ownerless -= inodes
        for inode in inodes:
            self._uids.pop(inode, None)
            self._unnamed.pop(inode, None)

    def _told(self, row: Row) -> list[Any]:
        """A socket as a list, in the order that :mod:`tcpviz.sources.hosttable` reads."""
        process = self.owners.get(row.inode)
        certain = process is not None
        if process is None and row.peer is not None and row.state in _ACCEPTABLE:
            process = self._listeners_process(row)
        group = self._groups.path(row.group) if row.group is not None else None
        if group in (None, "/") and process is not None and process.pid is not None and certain:
            group = self.owners.group(process.pid)
        unit, container = group_names(group or "")
        return [
            *_ends(row.local, row.peer),
            str(row.state),
            row.recv_queue,
            row.send_queue,
            self._users.get(row.uid, str(row.uid)) if row.inode else None,
            None
            if process is None
            else [process.name, process.pid, process.fd if certain else None, certain,
                  process.others],
            unit,
            container,
            bool(row.inode) or row.state not in _ACCEPTABLE,
            row.retransmits,
            row.rtt_us,
            row.quiet_ms,
        ]  # fmt: skip

    def _listeners_process(self, row: Row) -> Any:
        """Who listens at its port with the same user: the likeliest to have accepted it."""
        for listener in self._by_port.get(row.local.port, ()):
            if listener.uid == row.uid or not row.inode:
                return self.owners.get(listener.inode)
        return None


def _ends(local: Endpoint, peer: Endpoint | None) -> list[Any]:
    if peer is None:
        return [local.addr, local.port, None, 0]
    return [local.addr, local.port, peer.addr, peer.port]


def main() -> int:
    """Run as a child; the exit code tells whether it could."""
    try:
        config = json.loads(sys.stdin.buffer.readline())
        parent = int(config["parent"])
        signal.signal(_DEATH, lambda *_: os._exit(1) if os.getppid() != parent else None)
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        teller = Teller()
        first = json.dumps(teller.reading()).encode() + b"\n"
        keep = (privileges.CAP_SYS_PTRACE, privileges.CAP_DAC_READ_SEARCH)
        caller = tuple(config["caller"]) if config["caller"] else None
        privileges.drop(caller, (), keep if config["keep"] else ())
        privileges.die_with_parent(_DEATH)
        if os.getppid() != parent:
            return 1
        if config.get("confined", True):
            # Not Landlock: inside it, no process outside can be looked at, not even one's own
            # (hook_ptrace_access_check() in security/landlock/task.c).
            confine.seccomp()
        privileges.be_nice(10)
        _write(first)
        return _go_on(teller, parent, json.loads(first)["cost"])
    except BrokenPipeError:
        return 0
    except (OSError, ValueError, KeyError, privileges.PrivilegeError) as error:
        with contextlib.suppress(OSError):
            _write(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode() + b"\n")
        return 1


def _go_on(teller: Teller, parent: int, cost: int) -> int:
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(1, 0)
    while True:
        wait = max(LEAST_INTERVAL, cost / 1e9 / SHARE)
        until = time.monotonic() + wait
        while (left := until - time.monotonic()) > 0:
            for descriptor, event in poll.poll(left * 1000):
                if descriptor == 1 or (event and not os.read(0, 4096)):
                    return 0
        if os.getppid() != parent:
            return 0
        message = teller.reading()
        cost = message["cost"]
        message["interval"] = int(max(LEAST_INTERVAL, cost / 1e9 / SHARE) * 1e9)
        _write(json.dumps(message).encode() + b"\n")


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    sys.exit(main())
