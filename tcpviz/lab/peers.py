"""The peers: threads that make one real, blocking socket call at a time, on command.

Each call is stamped by the thread that makes it, right before and right after.
Whether a call is *blocked* is asked of the kernel: ``/proc/self/task/TID/syscall``
tells that the thread sleeps inside a call on that descriptor. So nothing here
waits for "long enough".
"""

from __future__ import annotations

import contextlib
import errno
import os
import queue
import select
import signal
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tcpviz.core.records import Call, Side
from tcpviz.core.segment import Endpoint

MAY_BLOCK = frozenset({"accept", "connect", "recv", "send", "close"})
"""Calls that can sleep for something to come; any other returns by itself."""

_WAKE = signal.SIGUSR1
"""Wakes a thread out of its call; :func:`wakeable` gives it a handler."""


def wakeable() -> None:
    """Have the signal do nothing but wake; by the main thread, once."""
    signal.signal(_WAKE, lambda *_: None)


@dataclass(eq=False)
class Sock:
    """A socket of a peer; ``real`` is ``None`` until it exists and once it is closed."""

    real: socket.socket | None = None
    name: str = ""
    listens: bool = False
    lingers: bool = False

    @property
    def fd(self) -> int | None:
        return None if self.real is None else self.real.fileno()


@dataclass(eq=False)
class Pending:
    """A call that was ordered.

    ``call``     as last recorded; ``done`` when it has returned
    ``act``      makes it, and gives its result as a person writes it; an OSError is a result too
    ``prepare``  run before it by the same thread, unrecorded
    """

    call: Call
    act: Callable[[], str]
    sock: Sock
    prepare: Callable[[], None] | None = None
    killed: bool = False
    began: threading.Event = field(default_factory=threading.Event)
    done: bool = False


def endpoint_of(address: object) -> Endpoint | None:
    """What getsockname() and getpeername() give; ``None`` for an unbound port."""
    if isinstance(address, tuple) and len(address) >= 2 and address[1]:
        return Endpoint(str(address[0]), int(address[1]))
    return None


def addresses(
    real: socket.socket | None, home: str | None = None
) -> tuple[Endpoint | None, Endpoint | None]:
    """Its own and the other end's address, as far as the kernel knows them now.

    A refused connect() leaves a socket with its port, and no address but "any":
    that of its host, ``home``, is given instead.
    """
    if real is None or real.fileno() < 0:
        return None, None
    try:
        local = endpoint_of(real.getsockname())
        if local is not None and home is not None and local.addr in ("0.0.0.0", "::"):  # noqa: S104
            local = Endpoint(home, local.port)
    except OSError:
        local = None
    try:
        peer = endpoint_of(real.getpeername())
    except OSError:
        peer = None
    return local, peer


class Worker(threading.Thread):
    """One application: a thread in its host's namespace.

    ``home``    its host's address
    ``enter``   puts the thread into that namespace (``None``: stays where it is)
    ``app``     its name, where a host has several
    ``tell``    is given each call's record, from this thread, as it begins and returns
    """

    def __init__(
        self,
        side: Side,
        home: str,
        enter: Callable[[], None] | None,
        tell: Callable[[Call], None],
        app: str = "",
    ) -> None:
        super().__init__(name=f"peer-{side}-{app}", daemon=True)
        self.side = side
        self.app = app
        self.home = home
        self.pending: Pending | None = None
        self.received = b""
        self._enter = enter
        self._tell = tell
        self._orders: queue.SimpleQueue[Pending] = queue.SimpleQueue()
        self._failed: OSError | None = None
        self._ready = threading.Event()
        self._syscall = -1

    def begin(self) -> None:
        """Start the thread; returns when it is in its namespace. Raises OSError."""
        self.start()
        self._ready.wait()
        if self._failed is not None:
            raise self._failed

    def run(self) -> None:
        try:
            if self._enter is not None:
                self._enter()
        except OSError as error:
            self._failed = error
            return
        finally:
            with contextlib.suppress(OSError):  # kept open: opening takes a descriptor each time
                name = f"/proc/self/task/{threading.get_native_id()}/syscall"
                self._syscall = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            self._ready.set()
        while True:
            self._perform(self._orders.get())

    @property
    def idle(self) -> bool:
        return self.pending is None or self.pending.done

    def without_proc(self) -> None:
        """Do as where the system has no ``/proc/self/task``."""
        if self._syscall >= 0:
            os.close(self._syscall)
        self._syscall = -1

    def order(self, pending: Pending) -> None:
        """Have the call made; returns once the thread is about to make it."""
        self.pending = pending
        self._orders.put(pending)
        pending.began.wait()

    def _perform(self, pending: Pending) -> None:
        if pending.prepare is not None:
            pending.prepare()
        local, peer = addresses(pending.sock.real, self.home)
        call = replace(pending.call, began_ns=time.time_ns(), fd=pending.sock.fd)
        if local is not None:
            call = replace(call, local=local, peer=peer or call.peer)
        pending.call = call
        self._tell(call)
        pending.began.set()
        failed = False
        try:
            result = pending.act()
        except OSError as error:
            failed = True
            result = errno.errorcode.get(error.errno or 0, str(error))
        if pending.killed:
            failed, result = True, "killed"
        returned = time.time_ns()
        local, peer = addresses(pending.sock.real, self.home)
        pending.call = replace(
            call,
            returned_ns=returned,
            result=result,
            failed=failed,
            fd=call.fd if call.fd is not None else pending.sock.fd,
            local=local or call.local,
            peer=peer or call.peer,
        )
        self._tell(pending.call)
        pending.done = True

    @property
    def called(self) -> str:
        """As a person says it: ``client``, or ``client (browser)``."""
        return f"{self.side} ({self.app})" if self.app else str(self.side)

    def kill(self, socks: list[Sock], *, silently: bool = False) -> None:
        """Let the program die: the kernel closes its sockets, and its call ends nowhere.

        ``silently`` makes the kernel forget them at once (a RST leaves, if anything).
        Waits until the call is over.
        """
        pending = self.pending
        if pending is not None and not pending.done:
            pending.killed = True
        for sock in socks:
            real, sock.real = sock.real, None
            if real is None or real.fileno() < 0:
                continue
            if silently and not sock.listens:
                with contextlib.suppress(OSError):
                    real.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            # Not real.close(): a call that sleeps in it holds the kernel's side open, and
            # must find no descriptor when the signal below has woken it.
            os.close(real.detach())
        until = time.monotonic() + 5.0
        while not self.idle and time.monotonic() < until:
            signal.pthread_kill(self.ident or 0, _WAKE)
            time.sleep(0.001)

    def blocked(self) -> bool:
        """Whether it sleeps in its call, as the kernel tells (false: it runs, or has returned)."""
        pending = self.pending
        if pending is None or pending.done:
            return False
        call = pending.call
        if call.fd is None or call.name not in MAY_BLOCK:
            return False
        if call.name == "close" and not pending.sock.lingers:
            return False
        try:
            words = os.pread(self._syscall, 256, 0).split()
        except OSError:
            return self._seems_blocked(call)
        # "running", or number, then arguments: the first of all these calls is the descriptor.
        return len(words) > 2 and words[1] == hex(call.fd).encode()

    def _seems_blocked(self, call: Call) -> bool:
        """Where there is no such file (macOS): nothing is ready for it, and still is not."""
        wanted = select.POLLIN if call.name in ("accept", "recv") else select.POLLOUT
        poll = select.poll()
        try:
            poll.register(call.fd or 0, wanted)
            return not poll.poll(5)
        except OSError:
            return False


class Peers:
    """All workers and the calls they record; ``wake`` becomes readable when there are some.

    ``workers``  by side and application; the first of a side has no name
    """

    def __init__(self) -> None:
        self.workers: dict[tuple[Side, str], Worker] = {}
        self._calls: deque[Call] = deque()
        self.wake, self._poke = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(self._poke, False)
        self._ids = 0

    def add(self, side: Side, home: str, enter: Callable[[], None] | None, app: str = "") -> Worker:
        """A worker for ``side``, in its namespace. Raises OSError."""
        worker = self.workers[side, app] = Worker(side, home, enter, self.record, app)
        worker.begin()
        return worker

    def record(self, call: Call) -> None:
        """Take a call's record; from any thread."""
        self._calls.append(call)
        self.poke()

    def poke(self) -> None:
        """Wake whoever waits for calls; from any thread."""
        with contextlib.suppress(OSError):  # full of pokes, so somebody will look; or closed
            os.write(self._poke, b".")

    def next_id(self) -> int:
        """A number for a call, from 1, never given twice."""
        self._ids += 1
        return self._ids

    def take(self) -> list[Call]:
        """The calls recorded since the last time."""
        try:
            while os.read(self.wake, 4096):
                pass
        except BlockingIOError:
            pass
        calls = []
        while self._calls:
            calls.append(self._calls.popleft())
        return calls

    def close(self) -> None:
        """Give the wake-up pipe back; the threads end with the process."""
        os.close(self.wake)
        os.close(self._poke)

    def settled(self) -> bool:
        """Every worker has nothing to do or sleeps in its call."""
        return all(worker.idle or worker.blocked() for worker in self.workers.values())
