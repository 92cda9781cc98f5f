"""A capture that comes only once, as through a pipe, read from its beginning as often as need be.

Whoever reads it keeps what comes in a :class:`~tcpviz.sources.spool.Spool`; whoever reads it
next is given that first, and then what comes. One reads at a time.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from tcpviz.sources import over_ip
from tcpviz.sources.feed import SourceError
from tcpviz.sources.files import PIECE, CaptureFile, opened
from tcpviz.sources.spool import Spool
from tcpviz.sources.stream import CaptureStream
from tcpviz.wire.frame import Frame

LOOK_S = 0.2
"""How often who waits for more is told that nothing has come."""

GATHER_S = 0.02
"""For so long bytes that come without a pause are gathered to a larger piece."""

_WIDE = 1 << 20


def comes_once(path: str) -> bool:
    """Whether what is there is gone once it has been read: a pipe, standard input, a socket."""
    if path == "-" or path.startswith(over_ip.PREFIX):
        return True
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


class Pipe:
    """Raises SourceError if it cannot be opened.

    ``kept``     what has come so far
    ``keeping``  what comes is kept; without that it can only be read on
    ``trouble``  why nothing more can be kept, and ``spare`` what had come by then
    ``over``     nothing more comes, or nothing more is wanted; ``interrupted`` by the person,
                 who is told of it once all that has come has been read
    ``name``     as a capture's
    """

    def __init__(self, path: str) -> None:
        self.file, self.name = opened(path)
        self._owned = path != "-"
        self.kept = Spool()
        self.keeping = True
        self.over = self.interrupted = False
        self.trouble = ""
        self.spare = b""
        with contextlib.suppress(ImportError, OSError, AttributeError, ValueError):
            import fcntl

            fcntl.fcntl(self.file.fileno(), fcntl.F_SETPIPE_SZ, _WIDE)

    def capture(
        self,
        stream: Callable[[str], CaptureStream] = CaptureStream,
        piece: int = PIECE,
        *,
        gather_s: float = GATHER_S,
        strict: bool = True,
    ) -> PipeCapture:
        """It from its beginning; ``gather_s`` and ``strict`` as there."""
        return PipeCapture(self, stream, piece, gather_s, strict)

    def fill(self, size: int) -> bool:
        """Wait for so many bytes; false if there are not so many, or they cannot be kept."""
        with self.capture(gather_s=0) as capture:
            while self.kept.size < size and capture.take():
                pass
        return self.kept.size >= size and self.keeping

    def frames(self) -> Iterator[Frame]:
        """What has been kept, up to now. Raises SourceError."""
        stream, end, at = CaptureStream(self.name), self.kept.size, 0
        while at < end:
            data = self.kept.read(min(PIECE, end - at), at)
            at += len(data)
            for frames in stream.feed(data):
                yield from frames

    def close(self) -> None:
        """Nothing of it is read any more."""
        self.over = True
        self.kept.close()
        if self._owned:
            self.file.close()


class PipeCapture(CaptureFile):
    """As :class:`CaptureFile`, of a pipe that is being kept.

    ``idle``      is called again and again while nothing comes
    ``gather_s``  for so long a piece is filled up by what still comes
    ``strict``    what comes must be kept; else it is read on without that
    ``position``  bytes taken of it, as there
    """

    def __init__(
        self,
        pipe: Pipe,
        stream: Callable[[str], CaptureStream],
        piece: int,
        gather_s: float,
        strict: bool,
    ) -> None:
        super().__init__(pipe.file, pipe.name, owned=False, stream=stream, piece=piece)
        self._plain = False  # or its first piece would be read and not kept
        self.pipe = pipe
        self.gather_s, self.strict = gather_s, strict
        self.idle: Callable[[], None] = lambda: None
        self._at = 0

    def prime(self) -> None:
        """Nothing is read before it is asked for."""

    def waiting(self) -> bool:
        return self._at < self.pipe.kept.size or self.pipe.over or super()._wait(0)

    def pieces(self) -> Iterator[list[Frame]]:
        """As there. Raises SourceError, too, where what comes cannot be kept any more."""
        try:
            yield from super().pieces()
        except _UnkeptError:
            raise SourceError(f"{self.name}: {self.pipe.trouble}") from None

    def take(self) -> bool:
        """Keep what comes next, once something does; false if nothing can be kept any more."""
        if not self.pipe.over:
            self._wait(None)
            self._more()
        return not self.pipe.over and self.pipe.keeping

    def hurry(self, size: int, gap_s: float) -> bool:
        """Wait for the first bytes; whether so many then come without such a gap between them."""
        kept = self.pipe.kept
        going = self.take()
        while going and kept.size < size and CaptureFile._wait(self, gap_s):
            self._more()
            going = self.pipe.keeping and not self.pipe.over and not self._stopped.is_set()
        return kept.size >= size

    def _wait(self, timeout: float | None) -> bool:
        pipe = self.pipe
        if self._at < pipe.kept.size or pipe.over or pipe.spare:
            return True
        if timeout is not None:
            return super()._wait(timeout)
        try:
            while not super()._wait(LOOK_S):
                self.idle()
        except KeyboardInterrupt:
            # What has come so far is looked at first.
            pipe.over = pipe.interrupted = True
        return True

    def _read(self) -> bytes:
        pipe, kept = self.pipe, self.pipe.kept
        while pipe.keeping and not pipe.over and kept.size - self._at < self._piece:
            if kept.size > self._at and not self._goes_on():
                break
            self._more()
            if self._stopped.is_set():
                break
        if kept.size > self._at:
            data = kept.read(self._piece, self._at)
            self._at += len(data)
            return data
        if pipe.interrupted:
            pipe.interrupted = False
            raise KeyboardInterrupt
        if pipe.trouble and self.strict:
            raise _UnkeptError
        if pipe.spare:
            data, pipe.spare = pipe.spare, b""
            return data
        return b"" if pipe.over or pipe.keeping else super()._read()

    def _goes_on(self) -> bool:
        """More has come, or comes soon enough to be worth waiting for."""
        return super()._wait(self.gather_s)

    def _more(self) -> None:
        """Keep what comes next."""
        pipe = self.pipe
        if self._stopped.is_set() or pipe.over:
            return
        data = super()._read()
        if not data:
            pipe.over = not self._stopped.is_set()
            return
        try:
            pipe.kept.append(data)
        except SourceError as why:
            pipe.keeping, pipe.trouble, pipe.spare = False, str(why), data


class _UnkeptError(Exception):
    """What came cannot be kept."""
