"""The person's own two programs on the two hosts, from the server's start to both ends.

Each runs through ``sh -c`` under a keeper (:mod:`tcpviz.lab.keeper`) on its host,
with ``TCPVIZ_SERVER``, ``TCPVIZ_CLIENT`` and ``TCPVIZ_PORT`` in its environment.
What it prints becomes notes, and where strace may trace, its socket calls become
records. To the stage a program is one more peer, which rests when all its threads
sleep: so what the kernels say belongs to what was told before it, as in a scenario.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tcpviz.core.records import Call, Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.states import State
from tcpviz.lab import keeper, strace
from tcpviz.lab.cable import Cable
from tcpviz.lab.ground import Ground
from tcpviz.lab.loopback import Loopback
from tcpviz.lab.peers import Worker
from tcpviz.lab.scenarios import PROGRAMS_LIMIT_S
from tcpviz.lab.stage import ScenarioError, Stage
from tcpviz.sources.parser import clean

LISTEN_S = 10.0
"""How long the server may take until it listens; then the client starts all the same."""

CONNECT_S = 20.0
"""How long the client may take until it connects; then both are ended."""

QUIET_S = 0.5
"""When the client has ended: how long nothing may leave until all is over."""

LINGER_S = 10.0
"""For how long that is waited for at most."""

PATIENCE_S = 2.0
"""How long the server has to end after SIGTERM."""

MOST_LINES = 200
"""Lines of one program's output that are shown."""

LONGEST_LINE = 300
_RESTLESS_S = 0.25
_PIECE = 65536
_PIECES = 16


class Program(Worker):
    """One program and its keeper. Raises OSError where the keeper cannot be started.

    ``status``  as of os.waitpid() once it has ended
    ``failure`` why it could not be run
    """

    def __init__(self, stage: Stage, side: Side, text: str, tracer: list[str] | None) -> None:
        super().__init__(side, stage.ground.places[side].endpoint.addr, None, stage.peers.record)
        self.status: int | None = None
        self.failure = ""
        self.last_line = ""
        self._stage = stage
        self._lines = 0
        self._unshown = 0
        self._began: dict[int, int] = {}
        self._restless: float | None = None
        self._pipes: dict[int, str] = {}
        self._text: dict[int, bytes] = {}
        self._trace = strace.Trace(side, stage.peers.next_id, self._is_ours)
        self._start(text, tracer)

    def _start(self, text: str, tracer: list[str] | None) -> None:
        control, theirs = socket.socketpair()
        pipes = {kind: os.pipe() for kind in ("out", "err", *(["trace"] if tracer else []))}
        trace = pipes["trace"][1] if tracer else None
        try:
            with _on(self._stage.ground, self.side):
                self._keeper = keeper.fork(
                    [*(tracer or []), "sh", "-c", text],
                    _environment(self._stage.ground),
                    control=theirs.fileno(),
                    trace=trace,
                    out=pipes["out"][1],
                    err=pipes["err"][1],
                )
        finally:
            theirs.close()
            for _, write in pipes.values():
                os.close(write)
        self._control = control
        control.setblocking(False)
        self._pipes = {read: kind for kind, (read, _) in pipes.items()}
        self._pipes[control.fileno()] = "control"
        for fd in self._pipes:
            os.set_blocking(fd, False)
            self._text[fd] = b""
            self._stage.watch(fd)

    # -- as a peer ----------------------------------------------------------

    @property
    def idle(self) -> bool:
        return False

    def blocked(self) -> bool:
        """Whether all its threads sleep, and everything that it said was taken."""
        # In this order: what it has said until it sleeps is there to be read.
        if not self._pull() and (self.ended or not self._busy()) and not self._pull():
            self._restless = None
            return True
        now = time.monotonic()
        self._restless = self._restless or now
        return now - self._restless > _RESTLESS_S  # it computes, or prints: nobody waits for that

    @property
    def ended(self) -> bool:
        return self.status is not None or bool(self.failure)

    def _busy(self) -> bool:
        """Whether some thread of it runs, or waits for its tracer."""
        waiting = deque([self._keeper])
        while waiting:
            pid = waiting.popleft()
            tasks = []
            with contextlib.suppress(OSError):
                tasks = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - a thousand times a second
            for task in tasks:
                with contextlib.suppress(OSError):
                    folder = Path(f"/proc/{pid}/task/{task}")
                    waiting += map(int, (folder / "children").read_text().split())
                    state = (folder / "stat").read_text(errors="replace").rpartition(") ")[2][:1]
                    if pid != self._keeper and state in "RtD":
                        return True
        return False

    # -- what it says -------------------------------------------------------

    def _pull(self) -> bool:
        """Take what is there; whether there was anything."""
        any_ = False
        for fd in list(self._pipes):
            for _ in range(_PIECES):
                try:
                    data = os.read(fd, _PIECE)
                except BlockingIOError:
                    break
                except OSError:
                    data = b""
                if not data:
                    self._end_of(fd)
                    break
                any_ = True
                self._take(fd, data)
                if len(data) < _PIECE and self._pipes.get(fd) != "trace":
                    break
            if self._pipes.get(fd) == "trace":
                self._tell_calls(self._trace.look())
        return any_

    def _take(self, fd: int, data: bytes) -> None:
        kind = self._pipes[fd]
        if kind == "trace":
            self._tell_calls(self._trace.feed(data))
            return
        if self._lines >= MOST_LINES and kind != "control":
            # Megabytes must not cost more than their reading.
            self._unshown += data.count(b"\n")
            end = data.rpartition(b"\n")[2]
            self._text[fd] = end[-LONGEST_LINE:]
            return
        *lines, rest = (self._text[fd] + data).split(b"\n")
        for line in lines:
            self._line(kind, line)
        if len(rest) > 8 * LONGEST_LINE:
            self._line(kind, rest)
            rest = b""
        self._text[fd] = rest

    def _line(self, kind: str, raw: bytes) -> None:
        text = raw.decode(errors="replace").rstrip("\r")
        if kind == "control":
            word, _, about = text.partition(" ")
            if word == "x":
                self.status = int(about)
            else:
                self.failure = about
            return
        text = clean(text.expandtabs(4)).rstrip()
        if not text:
            return
        if len(text) > LONGEST_LINE:
            text = text[: LONGEST_LINE - 1] + "…"
        if kind == "err":
            self.last_line = text
        if self._lines >= MOST_LINES:
            self._unshown += 1
            return
        self._lines += 1
        self._say(f"{self.side} {'says' if kind == 'out' else 'complains'}: {text}")

    def _say(self, text: str) -> None:
        self._stage.tell(({"k": "note", "t": time.time_ns(), "text": text}, b""))

    def _end_of(self, fd: int) -> None:
        kind = self._pipes.pop(fd)
        self._stage.unwatch(fd)
        if kind == "control":
            self._control.close()
            if not self.ended:
                self.failure = "its keeper is gone"
            return
        if kind == "trace":
            self._tell_calls(self._trace.finish())
        elif self._text[fd]:
            self._line(kind, self._text[fd])
        os.close(fd)

    def _tell_calls(self, calls: list[Call]) -> None:
        """Pass calls on; one that is read late must not stand before what was told already."""
        # A return's own stamp may be too early: strace takes the time of the call's beginning and
        # starts its stopwatch in two steps, and may have to wait between them.
        told, delivered = self._stage.told_ns, self._stage.delivered_ns
        for call in calls:
            if call.returned_ns is None:
                began = self._began[call.id] = max(call.began_ns, told)
                self._tell(replace(call, began_ns=began))
            else:
                began = self._began.pop(call.id, call.began_ns)
                self._tell(
                    replace(
                        call, began_ns=began, returned_ns=max(call.returned_ns, delivered, began)
                    )
                )

    def _is_ours(self, local: Endpoint | None, peer: Endpoint | None) -> bool:
        """Whether a socket can be one between the two hosts."""
        places = self._stage.ground.places
        homes = {place.endpoint.addr for place in places.values()} | {"0.0.0.0", "::"}  # noqa: S104
        known = [one for one in (local, peer) if one is not None]
        if any(one.addr not in homes for one in known):
            return False
        port = places[Side.SERVER].endpoint.port
        shared = places[Side.SERVER].endpoint.addr == places[Side.CLIENT].endpoint.addr
        return not known or not shared or any(one.port == port for one in known)

    # -- its end ------------------------------------------------------------

    def tell_unshown(self) -> None:
        """Say how much of its output was left out."""
        if self._unshown:
            self._say(f"{self.side}: {self._unshown} more lines of output are not shown")
            self._unshown = 0

    def how(self) -> str:
        """How it ended, in words."""
        if self.failure:
            return f"could not be run: {self.failure}"
        status = self.status or 0
        if os.WIFSIGNALED(status):
            return f"was ended by {signal.Signals(os.WTERMSIG(status)).name}"
        code = os.WEXITSTATUS(status)
        meaning = {126: " (it may not be executed)", 127: " (there is no such command)"}
        return f"ended with exit code {code}{meaning.get(code, '')}"

    def terminate(self) -> None:
        """Ask it and its process group to end."""
        self._order(b"t")

    def end_now(self) -> None:
        """End it, with everything that it started."""
        self._order(b"k")
        until = time.monotonic() + PATIENCE_S
        with contextlib.suppress(ChildProcessError):
            while not os.waitpid(self._keeper, os.WNOHANG)[0] and time.monotonic() < until:
                time.sleep(0.002)

    def _order(self, order: bytes) -> None:
        with contextlib.suppress(OSError):
            self._control.send(order)


def _on(ground: Ground, side: Side) -> contextlib.AbstractContextManager[None]:
    """Do something as that host."""
    return ground.on(side) if isinstance(ground, Cable) else contextlib.nullcontext()


def _environment(ground: Ground) -> dict[str, str]:
    server, client = (ground.places[side].endpoint for side in (Side.SERVER, Side.CLIENT))
    told = {
        "TCPVIZ_SERVER": server.addr,
        "TCPVIZ_CLIENT": client.addr,
        "TCPVIZ_PORT": str(server.port),
    }
    # Python buffers what goes into a pipe; the class wants to see it when it is printed.
    return {"PYTHONUNBUFFERED": "1", **os.environ, **told}


class Performance:
    """Both programs, from the server's start to the end."""

    def __init__(self, stage: Stage, server: str, client: str) -> None:
        self._stage = stage
        self._texts = {Side.SERVER: server, Side.CLIENT: client}
        self._programs: dict[Side, Program] = {}
        self._at = stage.ground.places[Side.SERVER].endpoint

    def perform(self) -> None:
        """Raises ScenarioError where there is nothing to show; both are ended in any case."""
        ground = self._stage.ground
        if isinstance(ground, Cable | Loopback):
            ground.any_family()
        if isinstance(ground, Cable):
            ground.sysctl(Side.CLIENT, "net.ipv4.ip_local_port_range", "40001 60999")
        tracer = strace.command(keeper.TRACE)
        if tracer is None:
            why = strace.why_not()
            self._stage.note(f"{why}: segments and the kernels' states are shown, but no calls")
        try:
            self._play(tracer)
        finally:
            for program in self._programs.values():
                program.end_now()

    def _play(self, tracer: list[str] | None) -> None:
        stage = self._stage
        server = self._run(Side.SERVER, tracer)
        self._until(lambda: self._listens() or server.ended, LISTEN_S)
        if server.ended and not self._listens():
            raise ScenarioError(f"the server {server.how()} before it listened{_because(server)}")
        if not self._listens():
            stage.note(
                f"the server does not listen on {self._at} after {LISTEN_S:g} s"
                " (TCPVIZ_PORT tells it where); the client is started all the same"
            )
        client = self._run(Side.CLIENT, tracer)
        self._until(lambda: client.ended or self._connected(), CONNECT_S)
        self._settle()
        if not self._connected():
            if client.ended:
                what = f"the client {client.how()} before it connected{_because(client)}"
            else:
                where = "(TCPVIZ_SERVER and TCPVIZ_PORT tell it where)"
                what = f"the client has not connected to {self._at} after {CONNECT_S:g} s {where}"
            raise ScenarioError(what)
        stage.until(lambda: client.ended, PROGRAMS_LIMIT_S, "the client is still running")
        self._settle()
        client.tell_unshown()
        stage.note(f"the client {client.how()}")
        self._quiet()
        self._end(server)

    def _run(self, side: Side, tracer: list[str] | None) -> Program:
        text = self._texts[side]
        self._stage.note(f"{side} starts: {clean(text)}")
        program = self._programs[side] = Program(self._stage, side, text, tracer)
        self._stage.peers.workers[side, "program"] = program
        return program

    def _end(self, server: Program) -> None:
        """The client is gone and all is quiet: the server has nothing left to do."""
        asked = not server.ended
        if asked:
            server.terminate()
            self._until(lambda: server.ended, PATIENCE_S)
        stubborn = not server.ended
        if stubborn:
            server.end_now()
        self._settle()
        server.tell_unshown()
        if stubborn:
            self._stage.note("the server did not end on SIGTERM; it was killed")
        elif asked and os.WIFSIGNALED(server.status or 0):
            self._stage.note("the server was told to end (SIGTERM), and did")
        else:
            self._stage.note(f"the server {server.how()}" + (" on SIGTERM" if asked else ""))

    def _quiet(self) -> None:
        """Until nothing has left for a while."""
        stage = self._stage
        until = time.monotonic() + LINGER_S
        left = -1
        while left != stage.seen and time.monotonic() < until:
            left = stage.seen
            stage.wait(QUIET_S)

    def _settle(self) -> None:
        self._stage.settle()
        self._stage.read()

    def _until(self, done: Callable[[], bool], seconds: float) -> None:
        """Wait for it, for so long at most."""
        with contextlib.suppress(ScenarioError):
            self._stage.until(done, seconds, "")

    def _listens(self) -> bool:
        return any(
            side is Side.SERVER and one.state is State.LISTEN and one.local.port == self._at.port
            for side, one in self._stage.ground.diags()
        )

    def _connected(self) -> bool:
        """Whether the client has sent anything yet, answered or not."""
        return self._stage.seen > 0


def _because(program: Program) -> str:
    return f": {program.last_line}" if program.last_line else ""
