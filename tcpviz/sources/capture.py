"""The capturing child: a process of its own that has the privilege and nothing else.

It gets one line of JSON on its standard input, opens the sockets, gives up
every privilege, and writes pcapng to its standard output: a description of
each interface, the packets, and about once a second the kernel's counters.
When the reader is slow the pipe fills and this process waits; the kernel then
drops packets and counts them, so that nothing is lost in silence. On standard
error it writes messages, a line of JSON each: ``{"note": ...}`` or
``{"error": ..., "code": 1}``.

It ends when its standard input is closed (after handing over what the kernel
had queued, and the last counters), and at once when its parent is gone or
nobody reads. It has no terminal and never parses what it captures.

The line: ``parent`` (pid), ``count`` or null, ``interfaces`` (a list of
``name``, ``link_type``, ``cooked``, ``loopback``, ``program``, ``words``),
``snaplen``, ``buffer``, ``promiscuous``, ``caller`` (user and group, or null),
``application``; perhaps ``ring``, bytes of a packet ring, which tells what is
written then (:mod:`tcpviz.sources.ring`). Or, in place of the interfaces:
``helper``, the command of a program that captures, to be watched over; it
writes to our standard output.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol

from tcpviz.sources import confine, privileges
from tcpviz.sources.packets import Packet, PacketSocket, is_gone

_AT_ONCE = 512  # packets read from one socket before the others have their turn
_TICK = 1.0  # seconds between two readings of the counters
_DEATH = signal.SIGUSR1  # sent by the kernel when our parent is gone
_PATIENCE = 3.0  # seconds that a helper gets to end in order

_word = struct.Struct("<I")
_block = struct.Struct("<II")
_enhanced = struct.Struct("<IIIIIII")


class Listener(Protocol):
    """What both kinds of sockets have: ours, and scapy's where there is no AF_PACKET."""

    name: str
    trouble: OSError | None

    def fileno(self) -> int: ...
    def read(self, limit: int) -> list[Packet]: ...
    def statistics(self) -> tuple[int, int]: ...
    def shut(self) -> None: ...
    def exists(self) -> bool: ...
    def renamed(self) -> str | None: ...
    def close(self) -> None: ...


class Asked:
    """Whether SIGTERM asked us to end; looked at no later than at the next tick."""

    yes = False

    @classmethod
    def on_signal(cls, *_: object) -> None:
        cls.yes = True


def main() -> int:
    """Run as a child; the exit code tells the same as the message."""
    try:
        config = json.loads(_read_line(0))
        parent = int(config["parent"])

        def on_death(*_: object) -> None:
            # Also sent when only the thread that started us has ended.
            if os.getppid() != parent:
                os._exit(1)

        signal.signal(_DEATH, on_death)
        signal.signal(signal.SIGTERM, Asked.on_signal)
        if "helper" in config:
            return watch(config["helper"], parent)
        return _way(config, parent).run()
    except BrokenPipeError:
        return 0
    except (OSError, ValueError, KeyError) as error:
        say(error=f"{type(error).__name__}: {error}", code=1)
        return 1


def _way(config: dict[str, Any], parent: int) -> Capture:
    """Through a ring where one was asked for and is to be had, else packet by packet."""
    if config.get("ring"):
        from tcpviz.sources.ringcapture import NoRingError, RingCapture

        try:
            return RingCapture(config, parent)
        except NoRingError as error:
            # Whatever is wrong beside the ring is found, and told, on the other way too.
            say(no_ring=str(error))
    return Capture(config, parent)


def say(**message: object) -> None:
    """A message to the parent; nobody there to read it is no error."""
    with contextlib.suppress(OSError):
        os.write(2, json.dumps(message).encode() + b"\n")


class Capture:
    """The sockets, and the loop that carries packets from them to the pipe."""

    def __init__(self, config: dict[str, Any], parent: int) -> None:
        self._config = config
        self._parent = parent
        self._left: int | None = config["count"]
        self._sockets: list[Listener] = []
        self._alive: set[int] = set()
        self._gone: set[int] = set()
        self._delivered: list[int] = []
        self._began_ns = time.time_ns()
        self._poll = select.poll()
        self._out = bytearray()

    def run(self) -> int:
        """Until the input is closed, the count is reached or no interface is left."""
        try:
            if not self._open():
                return 1
            privileges.drop(tuple(self._config["caller"]) if self._config["caller"] else None)
            privileges.die_with_parent(_DEATH)
            if os.getppid() != self._parent:
                return 1
            if self._config.get("confined", True):
                confine.confine()
            privileges.be_nice()
            self._describe()
            self._loop()
        finally:
            for listener in self._sockets:
                listener.close()
        return 0

    def _open(self) -> bool:
        for wanted in self._config["interfaces"]:
            name = wanted["name"]
            try:
                listener = _listener(wanted, self._config)
            except OSError as error:
                kind = "permission" if isinstance(error, PermissionError) else "failed"
                if is_gone(error):
                    kind = "gone"
                text = f"{name}: {error.strerror or error}"
                say(error=text, kind=kind, code=1)
                return False
            self._adopt(listener)
        return True

    def _adopt(self, listener: Listener) -> None:
        self._alive.add(len(self._sockets))
        self._sockets.append(listener)
        self._delivered.append(0)
        self._poll.register(listener.fileno(), select.POLLIN)

    def _describe(self) -> None:
        application = str(self._config["application"]).encode()
        body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options((4, application))
        self._out += block(0x0A0D0D0A, body)
        for wanted in self._config["interfaces"]:
            words = b"\0" + wanted["words"].encode(errors="replace")
            body = struct.pack("<HHI", wanted["link_type"], 0, self._config["snaplen"])
            name = wanted["name"].encode(errors="replace")
            self._out += block(1, body + options((2, name), (9, b"\x09"), (11, words)))
        self._flush()

    def _loop(self) -> None:
        self._poll.register(0, select.POLLIN)
        self._poll.register(1, 0)  # only whether its reader is gone
        next_tick = time.monotonic() + _TICK
        stopping = False
        while not (stopping or Asked.yes) and self._lasts and self._left != 0:
            wait = max(0.0, next_tick - time.monotonic())
            for descriptor, event in self._poll.poll(wait * 1000):
                if descriptor == 1 and event & (select.POLLERR | select.POLLHUP):
                    return
                if descriptor == 0 and not os.read(0, 4096):
                    stopping = True
            self._carry()
            if time.monotonic() >= next_tick:
                next_tick = time.monotonic() + _TICK
                self._count()
                self._look_for_new_names()
                if os.getppid() != self._parent:
                    return
            self._flush()
        for listener in self._sockets:
            listener.shut()
        while self._left != 0 and self._carry():
            self._flush()
        self._count()
        self._flush()

    def _carry(self) -> int:
        """Move what has arrived to the output; returns how many packets that was."""
        packets: list[tuple[int, int, Packet]] = []
        for number, listener in enumerate(self._sockets):
            got = listener.read(_AT_ONCE)
            packets.extend((packet.time_ns, number, packet) for packet in got)
            if listener.trouble is not None:
                self._lament(number, listener)
            elif got and number not in self._alive:
                self._alive.add(number)
                self._gone.discard(number)
                say(note=f"{listener.name} is up again")
        if len(self._sockets) > 1:
            packets.sort(key=lambda entry: entry[0])
        if self._left is not None:
            del packets[self._left :]
            self._left -= len(packets)
        for _, number, packet in packets:
            self._delivered[number] += 1
            self._out += packet_block(number, packet)
        return len(packets)

    @property
    def _lasts(self) -> bool:
        """An interface is there; that it is down now does not say that it will not be up again."""
        return len(self._gone) < len(self._sockets)

    def _lament(self, number: int, listener: Listener) -> None:
        """An interface is down or gone: say so once, and go on with the others."""
        error, listener.trouble = listener.trouble, None
        failed = error is not None and not is_gone(error)
        gone = not listener.exists()
        if gone:
            # Its socket will never give anything again, except what is queued.
            with contextlib.suppress(KeyError):
                self._poll.unregister(listener.fileno())
        if number in self._gone or not (gone or failed or number in self._alive):
            return
        self._alive.discard(number)
        what = "is gone" if gone else "is down"
        if failed and error is not None:
            what = f"failed: {error.strerror}"
        if gone or failed:
            self._gone.add(number)
        others = [self._sockets[other].name for other in sorted(self._alive)]
        down = [each.name for at, each in enumerate(self._sockets) if at not in self._gone]
        rest = "no interface is left"
        if others:
            rest = f"still capturing on {', '.join(others)}"
        elif down:
            rest = f"waiting for {', '.join(down)} to be up again"
        say(note=f"{listener.name} {what}; {rest}")

    def _look_for_new_names(self) -> None:
        """A renamed interface is the same one to its socket; say how it is called now.

        Of one that is taken away while it is down the kernel says nothing.
        """
        for number, listener in enumerate(self._sockets):
            if number not in self._alive | self._gone and not listener.exists():
                self._lament(number, listener)
            before, now = listener.name, listener.renamed()
            if now is not None:
                say(note=f"{before} is called {now} now; still capturing on it")

    def _count(self) -> None:
        """An Interface Statistics Block for each interface: received, dropped, delivered."""
        now = time.time_ns()
        for number, listener in enumerate(self._sockets):
            accepted, dropped = listener.statistics()
            body = _word.pack(number) + _ticks(now)
            body += options(
                (2, _ticks(self._began_ns)),
                (3, _ticks(now)),
                (4, struct.pack("<Q", accepted)),
                (7, struct.pack("<Q", dropped)),
                (8, struct.pack("<Q", self._delivered[number])),
            )
            self._out += block(5, body)

    def _flush(self) -> None:
        view = memoryview(bytes(self._out))
        self._out.clear()
        while view:
            view = view[os.write(1, view) :]


def _listener(wanted: dict[str, Any], config: dict[str, Any]) -> Listener:
    program = [(row[0], row[1], row[2], row[3]) for row in wanted["program"]]
    if not sys.platform.startswith("linux"):
        from tcpviz.sources.listen import ScapyListener

        return ScapyListener(
            wanted["name"], wanted["words"], config["snaplen"], config["promiscuous"]
        )
    return PacketSocket(
        "" if wanted["name"] == "any" else wanted["name"],
        program,
        cooked=wanted["cooked"],
        loopback=wanted["loopback"],
        buffer=config["buffer"],
        promiscuous=config["promiscuous"],
    )


def block(kind: int, body: bytes) -> bytes:
    """A pcapng block around a body whose length is a multiple of four."""
    length = _word.pack(len(body) + 12)
    return _word.pack(kind) + length + body + length


def options(*pairs: tuple[int, bytes]) -> bytes:
    """Options of a pcapng block with their end mark."""
    parts = [
        struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)
        for code, value in pairs
    ]
    return b"".join(parts) + bytes(4)


def packet_block(interface: int, packet: Packet) -> bytes:
    """An Enhanced Packet Block; with the drop count where something was lost before it."""
    time_ns, data, wire_len, lost = packet
    tail = options((4, struct.pack("<Q", lost))) if lost else b""
    padding = -len(data) % 4
    length = 32 + len(data) + padding + len(tail)
    return b"".join(
        (
            _enhanced.pack(
                6,
                length,
                interface,
                time_ns >> 32 & 0xFFFFFFFF,
                time_ns & 0xFFFFFFFF,
                len(data),
                wire_len,
            ),
            data,
            bytes(padding),
            tail,
            _word.pack(length),
        )
    )


def _ticks(time_ns: int) -> bytes:
    return struct.pack("<II", time_ns >> 32 & 0xFFFFFFFF, time_ns & 0xFFFFFFFF)


def watch(command: Sequence[str], parent: int) -> int:
    """Run a capturing program that writes to our output; end it when we are to end.

    By itself it would notice only at its next packet that nobody reads.
    """
    # A helper that got its right from its file does not hear of our death; we must not die first.
    helper = subprocess.Popen(  # noqa: S603 - by full path
        command,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: privileges.die_with_parent(signal.SIGTERM),
    )
    # Only the helper must hold the output, so that its end is the end of the stream.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    poll = select.poll()
    poll.register(0, select.POLLIN)
    stopping = False
    while not (stopping or Asked.yes) and helper.poll() is None and os.getppid() == parent:
        stopping = any(not os.read(0, 4096) for _ in poll.poll(200))
    for number in (signal.SIGINT, signal.SIGKILL):
        if helper.poll() is None:
            with contextlib.suppress(OSError):
                helper.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                helper.wait(_PATIENCE)
    return helper.poll() or 0


def _read_line(descriptor: int) -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(descriptor, 65536)
        if not piece:
            raise ValueError("no configuration")
        line += piece
    return bytes(line)


if __name__ == "__main__":
    sys.exit(main())
