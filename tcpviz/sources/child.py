"""The parent's side of the capturing child: starting it, reading it, ending it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tcpviz
from tcpviz.sources.feed import SourceError
from tcpviz.sources.parser import CaptureParser
from tcpviz.sources.pcap import PcapParser, is_pcap
from tcpviz.sources.pcapng import PcapngParser
from tcpviz.sources.ring import MAGIC

_PIPE = 1 << 20  # bytes between the child and us; the most that an ordinary user may ask for
_PIECE = 1 << 18
_LONGEST_MESSAGE = 1 << 16

# Without -m, which would put the current folder (whose is it?) before the standard library,
# and under sudo run what is in it. -S: nothing of what is installed is needed on Linux.
_START = (
    "import sys; sys.path.append({root!r}); "
    "from tcpviz.sources.capture import main; sys.exit(main())"
)


def _channel() -> tuple[socket.socket | None, socket.socket | None]:
    """Both ends of what descriptors can be sent through, or nothing."""
    with contextlib.suppress(OSError, AttributeError):
        return socket.socketpair()
    return None, None


class Child:
    """One capturing process and the parser of what it writes.

    ``ring`` makes of the child, and what was read of it already, what takes the parser's place
    if it captures through rings (:mod:`tcpviz.sources.ringread`); ``channel`` is where it hands
    them over.
    ``messages`` what it said that has not been taken yet; ``returncode`` is
    None while it runs. Raises SourceError where it cannot be started.
    """

    def __init__(
        self, config: dict[str, Any], ring: Callable[[Child, bytes], Any] | None = None
    ) -> None:
        self.parser: CaptureParser | None = None
        self._ring = ring
        self.messages: list[dict[str, Any]] = []
        self._head = b""
        self._said = b""
        self._eof = False
        self._ringed = False
        root = str(Path(tcpviz.__file__).resolve().parent.parent)
        options = ["-I", "-S"] if sys.platform.startswith("linux") else ["-I"]
        names = [wanted["name"] for wanted in config.get("interfaces", [])]
        # What follows is for those who look at the list of processes.
        command = [sys.executable, *options, "-c", _START.format(root=root), "capture", *names]
        self.channel, theirs = _channel() if ring and config.get("ring") else (None, None)
        if theirs is not None:
            config = {**config, "hand_over": theirs.fileno()}
        try:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for us alone; we end the child in order
                cwd="/",
                pass_fds=() if theirs is None else (theirs.fileno(),),
            )
        except OSError as error:
            raise SourceError(f"cannot start the capturing process: {error.strerror}") from error
        finally:
            if theirs is not None:
                theirs.close()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.output = self._process.stdout.fileno()
        self.errors = self._process.stderr.fileno()
        os.set_blocking(self.errors, False)
        with contextlib.suppress(OSError, ImportError, AttributeError):
            import fcntl

            fcntl.fcntl(self.output, fcntl.F_SETPIPE_SZ, _PIPE)
        self.tell(json.dumps(config).encode() + b"\n")

    def tell(self, data: bytes) -> None:
        """Write to its input; it may have ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(data)
            self._process.stdin.flush()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ready(self) -> bool:
        """It has opened its interfaces and described them."""
        return self.parser is not None and bool(self.parser.interfaces)

    @property
    def ended(self) -> bool:
        """It has closed its output, and everything was read."""
        return self._eof

    def read(self) -> list[Any]:
        """The frames in what can be read now (waits if nothing can)."""
        if self._ringed:
            return self._read_ring()
        data = os.read(self.output, 4 if self._ring and self.parser is None else _PIECE)
        if not data:
            self._eof = True
            return []
        if self.parser is None:
            self._head += data
            if len(self._head) < 4:
                return []
            data, self._head = self._head, b""
            if self._ring and data == MAGIC:
                self.parser = self._ring(self, data)
                self._ringed = True
                return self._read_ring()
            self.parser = PcapParser() if is_pcap(data) else PcapngParser()
        return self.parser.feed(data)

    def _read_ring(self) -> list[Any]:
        reader: Any = self.parser
        made: list[Any] | None = reader.read()
        self._eof = made is None
        return made or []

    def listen(self) -> bool:
        """Take what it said into ``messages``; false when it will say nothing more."""
        try:
            data = os.read(self.errors, _PIECE)
        except BlockingIOError:
            return True
        lines = (self._said + data).split(b"\n")
        self._said = lines.pop()[:_LONGEST_MESSAGE] if data else b""
        for line in lines:
            text = line.decode(errors="replace").strip()
            if not text:
                continue
            message: Any = None
            with contextlib.suppress(ValueError):
                message = json.loads(text)
            # Whatever is not ours comes from a helper, or is Python's last word.
            self.messages.append(message if isinstance(message, dict) else {"said": text})
        return bool(data)

    def ask_to_end(self) -> None:
        """Closing its input ends it in order: what is queued still comes, and the counters."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        # Another process that we forked may hold the pipe open, too.
        if self._process.poll() is None:
            with contextlib.suppress(OSError):
                self._process.terminate()

    def close(self, patience: float = 4.0) -> int:
        """Make sure that it is gone; returns its exit code, negative for a signal.

        A watched helper is ended by its watcher, which needs a moment (seconds) for it.
        """
        self.ask_to_end()
        if self.channel is not None:
            self.channel.close()
        for pipe in (self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                self._process.kill()
            return self._process.wait()
