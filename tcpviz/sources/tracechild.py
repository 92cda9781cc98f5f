"""The process that reads the kernel's tracepoints about TCP; a line of JSON for what has fired.

It gets one line of JSON on its standard input (``parent``: pid, ``caller``: user and group, or
null), opens the events with the rights that it was started with, gives those up, and only then
looks at what comes. It ends when its input is closed or its parent is gone, and with it
everything that it had opened in the kernel. Where tracefs is not mounted, it mounts it for
itself alone, in a mount namespace of its own.

Its lines: first ``{"ready": [names]}`` or ``{"error": why}``, then ``{"events": [...], "lost":
n}``; an event is a list in the order that :mod:`tcpviz.sources.kerneltrace` reads. Further bytes
on its input are :data:`tcpviz.sources.tracepoints.PATIENT` or ``QUICK``: how often it is to look.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

from tcpviz.sources import confine, privileges, tracepoints
from tcpviz.sources.perf import Lost, Named, Rings, Sample
from tcpviz.sources.tracepoints import PATIENT, Fired

PLACES = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
"""Where tracefs is; the second is where debugfs had it before Linux 4.1, and still shows it."""

INTERVAL = 0.03
"""Seconds between two looks; packets wait that long, and a little, to be told in order."""

PATIENT_INTERVAL = 0.15
"""The same where nobody waits for each (:data:`tcpviz.sources.tracepoints.PATIENT`)."""

SHARE = 0.1
"""Of one processor, at most; what comes meanwhile waits in the rings, or is counted as lost."""

MOST_SOCKETS = 65_536
MOST_NAMES = 65_536

_DEATH = signal.SIGUSR1
_NEW_MOUNTS, _PRIVATE, _RECURSIVE = 0x20000, 1 << 18, 1 << 14

_REPEATS = {3: "recovery", 4: "timeout", 0: "probe", 1: "probe"}
"""By enum tcp_ca_state (include/uapi/linux/tcp.h): in Loss a timer has run out, in Recovery
acknowledgements told what is missing; before either it is a tail-loss probe (RFC 8985)."""

_OPENS = ("TCP_SYN_SENT", "TCP_SYN_RECV")


def find_tracefs() -> Path:
    """Where tracefs is, mounted for this process alone if nobody else did. Raises OSError."""
    for place in map(Path, PLACES):
        if (place / "events" / tracepoints.STATE).is_dir():
            return place
    own = Path(PLACES[0])
    libc = ctypes.CDLL(None, use_errno=True)
    if not own.is_dir() or libc.unshare(_NEW_MOUNTS):
        raise FileNotFoundError(2, "tracefs is not mounted", str(own))
    # What is mounted from here on stays ours, and goes with us.
    libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None)
    if libc.mount(b"tracefs", os.fsencode(own), b"tracefs", 0, None):
        number = ctypes.get_errno()
        raise OSError(number, f"tracefs cannot be mounted: {os.strerror(number)}", str(own))
    return own


class Names:
    """Processes' names as the kernel tells them when they change; others from /proc, once."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, str] = OrderedDict()
        for entry in os.scandir("/proc"):
            if entry.name.isdigit() and len(self._known) < MOST_NAMES:
                self._read(int(entry.name))

    def _read(self, process: int) -> str:
        name = ""
        with contextlib.suppress(OSError):
            name = Path(f"/proc/{process}/comm").read_text("utf-8", "replace").rstrip("\n")
        if name:
            self._note(process, name)
        return name

    def _note(self, process: int, name: str) -> None:
        self._known[process] = "".join(c if c.isprintable() else "?" for c in name)[:64]
        self._known.move_to_end(process)
        while len(self._known) > MOST_NAMES:
            self._known.popitem(last=False)

    def learn(self, told: Named) -> None:
        if told.ended:
            return  # what it did last is still to be told; others push it out
        name = told.name or self._known.get(told.parent, "")
        if name:
            self._note(told.process, name)

    def of(self, process: int) -> str:
        return self._known.get(process) or self._read(process)


class Teller:
    """What has fired as plain lists, in order of time, ready for JSON."""

    def __init__(self) -> None:
        self.layouts = tracepoints.read_layouts(find_tracefs())
        self._by_ident = {each.ident: each for each in self.layouts.values()}
        self._states = tracepoints.states(self.layouts)
        self._congestion: OrderedDict[int, int] = OrderedDict()
        self._nameless: OrderedDict[int, list[Any]] = OrderedDict()
        self.rings = Rings(self._by_ident)
        self.names = Names()

    def read(self) -> dict[str, Any]:
        """All since the last time; ``lost`` is how many the kernel had no room for."""
        between = time.time_ns() - time.monotonic_ns()
        lost = 0
        samples: list[Sample] = []
        for each in self.rings.read():
            if isinstance(each, Lost):
                lost += each.count
            elif isinstance(each, Named):
                self.names.learn(each)
            else:
                samples.append(each)
        samples.sort(key=lambda sample: sample.mono_ns)
        events: list[list[Any]] = []
        for sample in samples:
            events += self._events(sample, between)
        return {"events": events, "lost": lost}

    def _events(self, sample: Sample, between: int) -> list[list[Any]]:
        layout = self._by_ident.get(int.from_bytes(sample.data[:2], sys.byteorder))
        fired = layout and tracepoints.decode(layout, sample.data, self._states)
        if not fired:
            return []
        if fired.name == tracepoints.CONGESTION:
            self._remember(fired.sock, fired.number or 0)
            return []
        reason = self._reason(fired)
        process: list[Any] | None = None
        if fired.in_call and sample.process > 0:
            process = [self.names.of(sample.process), sample.process]
        when = sample.mono_ns + between
        told = [when, fired.name, *fired.ends, fired.before, fired.after, reason, process]
        if not fired.ends[1]:
            # connect() sets the state before it chooses a port (tcp_v4_connect()): the socket's
            # next event tells it.
            self._nameless[fired.sock] = told
            while len(self._nameless) > MOST_SOCKETS:
                self._nameless.popitem(last=False)
            return []
        earlier = self._nameless.pop(fired.sock, None)
        if earlier is None:
            return [told]
        earlier[2:6] = fired.ends
        return [earlier, told]

    def _remember(self, sock: int, state: int) -> None:
        self._congestion[sock] = state
        self._congestion.move_to_end(sock)
        while len(self._congestion) > MOST_SOCKETS:
            self._congestion.popitem(last=False)

    def _reason(self, fired: Fired) -> str:
        """Why a segment is repeated, from how the socket stands with its losses."""
        if fired.name == tracepoints.STATE:
            if fired.after in _OPENS:
                self._remember(fired.sock, 0)
            elif fired.after == "TCP_CLOSE":
                self._congestion.pop(fired.sock, None)
        if fired.name == tracepoints.SYN_ACK:
            return "syn-ack"
        if fired.name == tracepoints.RETRANSMIT:
            if fired.after == "TCP_SYN_SENT":
                return "timeout"
            if tracepoints.CONGESTION in self.layouts:
                return _REPEATS.get(self._congestion.get(fired.sock, -1), "")
            return ""
        return fired.reason


def main() -> int:
    """Run as a child; the exit code tells whether it could."""
    try:
        config = json.loads(sys.stdin.buffer.readline())
        parent = int(config["parent"])
        signal.signal(_DEATH, lambda *_: os._exit(1) if os.getppid() != parent else None)
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        teller = Teller()
        privileges.drop(tuple(config["caller"]) if config["caller"] else None)
        privileges.die_with_parent(_DEATH)
        if os.getppid() != parent:
            return 1
        confine.confine(("/proc",))
        privileges.be_nice(5)
        _say({"ready": sorted(teller.layouts)})
        return _go_on(teller, parent)
    except BrokenPipeError:
        return 0
    except (OSError, ValueError, KeyError, privileges.PrivilegeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        with contextlib.suppress(OSError):
            _say({"error": f"{why}"})
        return 1


def _go_on(teller: Teller, parent: int) -> int:
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.register(1, 0)
    for descriptor in teller.rings.fds:
        poll.register(descriptor, select.POLLIN)
    rest = interval = INTERVAL
    while True:
        for descriptor, _ in poll.poll(rest * 1000):
            word = os.read(0, 4096) if descriptor == 0 else b""
            if descriptor in (0, 1) and not word:
                return 0
            if word:
                interval = PATIENT_INTERVAL if word.endswith(PATIENT) else INTERVAL
        if os.getppid() != parent:
            return 0
        began = time.process_time()
        message = teller.read()
        if message["events"] or message["lost"]:
            _say(message)
        spent = time.process_time() - began
        rest = interval
        if spent / SHARE > rest:
            time.sleep(min(spent / SHARE, 2.0))  # a full ring would wake us at once
            rest = 0.0


def _say(message: dict[str, Any]) -> None:
    data = json.dumps(message, separators=(",", ":")).encode() + b"\n"
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    sys.exit(main())
