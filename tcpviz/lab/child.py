"""The lab's own process: makes the ground, plays the scenario, and dies with its parent.

A new user namespace needs a process with one thread, and everything that is
made here (namespaces, interfaces, sockets) lasts as long as this process and no
longer. It is run as a file, isolated and without site-packages: it starts in a
few hundredths of a second, and nothing in the person's directory can stand in
for a module of the library. Speaks :mod:`tcpviz.lab.protocol` on the descriptor
given as its argument.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import select
import socket
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parent.parent.parent))

from tcpviz.core.records import Side
from tcpviz.lab.ground import Ground, UnavailableError
from tcpviz.lab.peers import wakeable
from tcpviz.lab.protocol import Channel, ChannelError, Message
from tcpviz.lab.script import Lab
from tcpviz.lab.stage import ScenarioError, Stage

_LINUX = sys.platform.startswith("linux")
_FIRST_OWN_FD = 64


class _Says(io.TextIOBase):
    """Standard output of a script: each line it prints becomes a note."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._line = ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if line.strip():
                self._stage.note(line)
        return len(text)


class Play:
    """One scenario, from the start message to the end."""

    def __init__(self, channel: Channel, start: Message) -> None:
        self._channel = channel
        self._script = str(start["script"])
        self._start = start
        self._main = threading.get_ident()

    def perform(self) -> None:
        """Play it. Everything that goes wrong is told to the parent."""
        try:
            code = None
            if self._start["programs"] is not None:
                import tcpviz.lab.programs  # noqa: F401 - likewise
            else:
                source = Path(self._script).read_bytes()  # before a namespace changes our rights
                code = compile(source, self._script, "exec", dont_inherit=True)
            ground = self._ground()
        except UnavailableError as reason:
            self._channel.send({"k": "unavailable", "reason": str(reason)})
            return
        except (OSError, SyntaxError, ValueError) as error:
            self._error(f"cannot run {self._script}: {error}", 2)
            return
        if _LINUX:
            self._die_with_parent()
        wakeable()
        stage = Stage(ground, self._channel.send)
        threading.Thread(target=self._watch, args=(stage,), name="watch", daemon=True).start()
        free_low_descriptors()
        places = ground.places.values()
        self._channel.send(
            {
                "k": "ready",
                "t": time.time_ns(),
                "ground": ground.name,
                "interfaces": list(ground.interfaces),
                "hosts": [
                    {
                        "side": place.side.value,
                        "name": place.name,
                        "addr": place.endpoint.addr,
                        "port": place.endpoint.port,
                    }
                    for place in places
                ],
            }
        )
        try:
            if code is None:
                self._run_programs(stage)
            else:
                self._run(stage, code)
        finally:
            with contextlib.suppress(OSError):
                stage.close()

    def _ground(self) -> Ground:
        kind, ipv6 = self._start["ground"], bool(self._start["ipv6"])
        if kind == "cable":
            if not _LINUX:
                raise UnavailableError("network namespaces need Linux")
            from tcpviz.lab.cable import MILLISECOND, Cable

            delays = [int(float(one) * MILLISECOND) for one in self._start["delay_ms"]]
            by_sender = dict(zip(Side, delays, strict=True))
            cable = Cable(delay_ns=by_sender, ipv6=ipv6, step=bool(self._start["step"]))
            traffic = cable.traffic
            traffic.loss = dict(zip(Side, map(float, self._start["loss"]), strict=True))
            traffic.jitter_ns = int(float(self._start["jitter_ms"]) * MILLISECOND)
            traffic.chance = random.Random(self._start["seed"])  # noqa: S311 - not for secrets
            return cable
        from tcpviz.lab.loopback import Loopback, Plain

        return Loopback(ipv6=ipv6) if kind == "loopback" else Plain(ipv6=ipv6)

    def _run(self, stage: Stage, code: Any) -> None:
        says = _Says(stage)
        try:
            stage.begin()
            with contextlib.redirect_stdout(says):
                words: dict[str, Any] = {"__name__": "scenario", "__file__": self._script}
                exec(code, words)  # noqa: S102 - the person's own script, on their own order
                words["run"](Lab(stage))
                says.write("\n")
            stage.end()
        except SystemExit:
            stage.end()
        except ChannelError:
            raise
        except ScenarioError as error:
            self._error(f"{self._place(error)}: {error}", error.exit_code)
            return
        except Exception as error:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            self._error(f"{self._place(error)}: {what}", 2)
            return
        self._channel.send({"k": "end"})

    def _run_programs(self, stage: Stage) -> None:
        from tcpviz.lab.programs import Performance

        server, client = self._start["programs"]
        try:
            stage.begin()
            Performance(stage, server, client).perform()
            stage.end()
        except (ScenarioError, OSError) as error:
            with contextlib.suppress(ScenarioError):
                stage.read()  # what they said before goes first
            self._error(str(error), getattr(error, "exit_code", 1))
            return
        self._channel.send({"k": "end"})

    def _place(self, error: BaseException) -> str:
        lines = [
            row.lineno
            for row in traceback.extract_tb(error.__traceback__)
            if row.filename == self._script
        ]
        return f"{self._script}, line {lines[-1]}" if lines else self._script

    def _error(self, text: str, code: int) -> None:
        self._channel.send({"k": "error", "text": text, "code": code})

    # -- not outliving anybody ----------------------------------------------

    def _die_with_parent(self) -> None:
        from tcpviz.lab.system import die_with_parent

        die_with_parent(int(self._start["parent"]))

    def _watch(self, stage: Stage) -> None:
        """Take the person's commands; end when the parent says so or is gone.

        End also when the scenario takes too long, not counting the time in which
        a segment is under way or in the person's hand.
        """
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        limit = float(self._start["limit_s"])
        deadline = stage.clock() + limit
        while (left := deadline - stage.clock()) > 0:
            if not poll.poll(min(max(left, 0.05), 60.0) * 1000):
                continue
            try:
                came = self._channel.receive()
            except ChannelError:
                came = None
            if came is None or came[0].get("k") != "do":
                os._exit(0)  # "stop", or the end of the stream
            stage.commands.append(came[0])
            stage.peers.poke()
        text = f"{self._line_now()}: the scenario did not end within {limit:g} s (LIMIT)"
        threading.Timer(2.0, os._exit, (1,)).start()  # should the parent not even listen
        with contextlib.suppress(ChannelError):
            self._error(text, 1)
        os._exit(1)

    def _line_now(self) -> str:
        frame: FrameType | None = sys._current_frames().get(self._main)
        while frame is not None:
            if frame.f_code.co_filename == self._script:
                return f"{self._script}, line {frame.f_lineno}"
            frame = frame.f_back
        return self._script


def take_low_descriptors() -> None:
    """Fill the low descriptors, so that the lab's own become high ones.

    The peers' then begin at 3, as in a program of a student's own.
    """
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    for fd in range(3, _FIRST_OWN_FD):
        if fd != null:
            os.dup2(null, fd, inheritable=False)


def free_low_descriptors() -> None:
    """Give them back."""
    os.closerange(3, _FIRST_OWN_FD)


def main() -> None:
    """Be the child."""
    given = int(sys.argv[1])
    import fcntl

    fd = fcntl.fcntl(given, fcntl.F_DUPFD_CLOEXEC, _FIRST_OWN_FD)
    os.close(given)
    channel = Channel(socket.socket(fileno=fd))
    take_low_descriptors()
    try:
        first = channel.receive()
        if first is None or first[0].get("k") != "start":
            return
        if _LINUX:
            from tcpviz.lab.system import die_with_parent

            die_with_parent(int(first[0]["parent"]))
        Play(channel, first[0]).perform()
    except ChannelError:
        pass  # the parent is gone
    os._exit(0)  # peers may sleep in their calls for ever


if __name__ == "__main__":
    main()
