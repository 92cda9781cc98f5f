"""One of our processes that tells what it sees in lines of JSON: starting, reading, ending it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import tcpviz
from tcpviz.sources import privileges

_PIECE: Final = 1 << 18

_LONGEST: Final = 64 << 20  # bytes of one line: 20 000 sockets take some 4 MB

_PIPE: Final = 1 << 20  # bytes between it and us; the most that an ordinary user may ask for

# Without -m, which would put the current folder (whose is it?) before the standard library,
# and under sudo run what is in it. -S: nothing of what is installed is needed.
_START: Final = "import sys; sys.path.append({root!r}); from {module} import main; sys.exit(main())"


class LineChild:
    """A running process, which waits for its first line: :meth:`tell`.

    ``what``  it reads, for the complaint; ``name`` stands in the list of processes
    ``output``  its descriptor, that polls may wait for
    ``complaint``  why it cannot tell anything, where it cannot
    ``ended``  no more will come
    """

    def __init__(self, module: str, name: str, what: str) -> None:
        self.complaint: str | None = None
        self.ended = False
        self._what = what
        self._buffer = bytearray()
        # Asked now: when it is told to begin we may have stepped down, and know no more.
        self._caller = privileges.sudo_caller()
        root = str(Path(tcpviz.__file__).resolve().parent.parent)
        start = _START.format(root=root, module=module)
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-I", "-S", "-c", start, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us alone; we end it in order
            cwd="/",
        )
        assert self._process.stdout is not None
        self.output = self._process.stdout.fileno()
        os.set_blocking(self.output, False)
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(self.output, fcntl.F_SETPIPE_SZ, _PIPE)

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, **config: Any) -> None:
        """Let it begin, with the rights that it was started with; what it needs to know."""
        assert self._process.stdin is not None
        told = {"parent": os.getpid(), "caller": self._caller, **config}
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(told).encode() + b"\n")
            self._process.stdin.flush()

    def say(self, word: bytes) -> None:
        """A word for one that runs; it reads that when it comes to it."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(word)
            self._process.stdin.flush()

    def messages(self) -> Iterator[dict[str, Any]]:
        """What it has said until now; never waits. What is no message is passed over."""
        while True:
            try:
                data = os.read(self.output, _PIECE)
            except BlockingIOError:
                return
            if not data:
                self.ended = True
                return
            self._buffer += data
            if len(self._buffer) > _LONGEST:
                self.ended = True
                self.complaint = f"the process that reads {self._what} went mad"
                return
            while (end := self._buffer.find(b"\n")) >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                message: Any = None
                with contextlib.suppress(ValueError):
                    message = json.loads(line)
                if not isinstance(message, dict):
                    continue
                if "error" in message:
                    self.complaint = str(message["error"])
                else:
                    yield message

    def close(self) -> None:
        """Make sure that it is gone, and whatever it had opened with it."""
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
