"""Capture files and pipes: opened, read as their bytes come, and fed to the tracker."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import selectors
import stat
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

from tcpviz.core.records import Gap, Moment, Note, Record, SegmentRecord
from tcpviz.sources import over_ip
from tcpviz.sources.feed import FeedStatus, SourceError
from tcpviz.sources.parser import Interface, clean
from tcpviz.sources.recent import MARK, Kept, Recent
from tcpviz.sources.stream import CaptureStream
from tcpviz.wire.decoder import Decoder
from tcpviz.wire.frame import Frame

if TYPE_CHECKING:
    from tcpviz.sources.keeping import Keeping

PIECE = 256 * 1024
"""Most bytes read at a time."""

BATCH = 4096
"""Most records in a batch, roughly: a piece's last frames are not held back for it."""

# Where poll() is missing, select() does; neither minds plain files, as epoll does.
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)

# A named pipe without a writer makes open() wait where nothing can stop it. Elsewhere than
# on Linux such a pipe, opened without waiting, looks as if it were at its end.
_NO_WAIT = os.O_NONBLOCK if sys.platform == "linux" else 0


def open_capture(
    path: str, stream: Callable[[str], CaptureStream] = CaptureStream, piece: int = PIECE
) -> CaptureFile:
    """Open a capture for reading; ``-`` is standard input, ``TCP@host:port`` PCAP-over-IP.

    Raises SourceError.

    A plain file's first piece is read at once, so that a wrong file is known
    before anything is shown; a pipe is not waited for. ``stream`` makes what
    the bytes go through, at most ``piece`` of them at a time.
    """
    file, name = opened(path)
    capture = CaptureFile(file, name, owned=path != "-", stream=stream, piece=piece)
    try:
        capture.prime()
    except BaseException:
        capture.close()
        raise
    return capture


def opened(path: str) -> tuple[BinaryIO | io.RawIOBase, str]:
    """What a source's bytes come from, and its name; as :func:`open_capture`."""
    if path == "-":
        return _standard_input(), "standard input"
    name = clean(path)
    if path.startswith(over_ip.PREFIX):
        return over_ip.connect(path), name
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_WAIT | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _cannot_open(name, error) from None
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceError(f"{name}: a directory; name a capture file in it", 2)
    return os.fdopen(descriptor, "rb", buffering=0), Path(name).name or name


def _cannot_open(name: str, error: OSError | ValueError) -> SourceError:
    match error:
        case FileNotFoundError():
            return SourceError(f"{name or repr(name)}: no such file", 2)
        case PermissionError():
            return SourceError(
                f"{name}: no permission to read it; ask its owner, or read it as them: "
                "sudo cat FILE | tcpviz read -"
            )
        case OSError(errno=errno.ENXIO):
            return SourceError(f"{name}: a socket or device that cannot be read as a file", 2)
        case OSError():
            return SourceError(f"{name}: cannot be opened: {error.strerror}")
        case _:
            return SourceError(f"{name!r}: not a file name", 2)


def _standard_input() -> BinaryIO:
    stream = sys.stdin
    if stream is None or stream.closed:
        raise SourceError("standard input is closed; name a capture file", 2)
    if stream.isatty():
        raise SourceError(
            "standard input is the terminal; pipe a capture into it: "
            "tcpdump -U -w - | tcpviz read -",
            2,
        )
    return stream.buffer


class CaptureFile:
    """A capture being read: iterate it for its frames, in order.

    ``notes``    one-line messages, each beginning with the source's name
    ``size``     bytes of a plain file as it was when opened; None for a pipe
    ``position`` bytes taken of it so far, before any unpacking
    ``stream``   the parser's side: interfaces, losses, records that were bad

    ``first`` has been read of it already; ``ended`` says why a source ended that should not;
    ``at_end`` is asked at a plain file's end whether there is more of it now, and may wait.
    ``until``  where a read ends in any case, of a plain file
    """

    def __init__(
        self,
        file: BinaryIO | io.RawIOBase,
        name: str,
        *,
        owned: bool = True,
        stream: Callable[[str], CaptureStream] = CaptureStream,
        piece: int = PIECE,
        first: bytes | None = None,
        ended: Callable[[], str] | None = None,
    ) -> None:
        self.name = name
        self.stream = stream(name)
        self._stream = stream
        self._piece = piece
        self.position = 0
        self.size: int | None = None
        self._said: list[str] = []
        self._file = file
        self._owned = owned
        self._primed: bytes | None = first
        self._why_ended = ended
        self.at_end: Callable[[], bool] | None = None
        self.until: int | None = None
        self._plain = True
        self._stopped = threading.Event()
        self._selector: selectors.BaseSelector | None = None
        self._wake: tuple[int, ...] = ()
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        with contextlib.suppress(OSError, AttributeError):
            self._descriptor = file.fileno()
        if self._descriptor is not None:
            about = os.fstat(self._descriptor)
            self._plain = stat.S_ISREG(about.st_mode)
            if self._plain:
                self.size = about.st_size
            else:
                self._wake = os.pipe()
                self._selector = _Selector()
                self._selector.register(self._descriptor, selectors.EVENT_READ)
                self._selector.register(self._wake[0], selectors.EVENT_READ)

    @property
    def notes(self) -> list[str]:
        return self.stream.notes

    @property
    def interfaces(self) -> list[Interface]:
        """The interfaces described so far: names, link types."""
        return self.stream.interfaces

    @property
    def dropped(self) -> int:
        """Packets that the capturing program says it lost."""
        return self.stream.dropped

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        for frames in self.pieces():
            yield from frames

    def tell(self, status: FeedStatus, decoder: Decoder, more: Sequence[str] = ()) -> None:
        """Bring a feed's counters up to date; ``more`` notes besides the capture's own."""
        stream = self.stream
        bad = Counter({reason: n for reason, n in stream.bad.items() if "packet" in reason})
        status.frames = decoder.frames + bad.total()
        status.segments = decoder.segments
        status.skipped = Counter(decoder.skipped) + bad
        status.dropped = stream.dropped
        status.position = self.position
        said = [*stream.notes, *more]
        if said != self._said:
            # Others' notes stay; one whose count has grown takes the place of the old one.
            status.notes[:] = [each for each in status.notes if each not in self._said] + said
            self._said = said

    def close(self) -> None:
        """Close it; more than once does no harm."""
        self._stopped.set()
        if self._selector:
            self._selector.close()
            self._selector = None
        with self._lock:
            for descriptor in self._wake:
                os.close(descriptor)
            self._wake = ()
        if self._owned:
            self._file.close()

    def stop(self) -> None:
        """End the iteration soon, even while it waits; from any thread, any number of times."""
        self._stopped.set()
        with self._lock:  # or close() might give the descriptor's number to another file
            if self._wake:
                os.write(self._wake[1], b"x")

    def prime(self) -> None:
        """Read a plain file's first piece now. Raises SourceError if it is not a capture."""
        if not self._plain or self._primed is not None:
            return
        try:
            self._primed = self._read()
        except SourceError as error:
            raise SourceError(f"{self.name}: {error}") from None
        trial = self._stream(self.name)
        for _ in trial.feed(self._primed[:PIECE]):
            return
        if len(self._primed) < min(PIECE, self._piece):
            trial.finish()

    def pieces(self) -> Iterator[list[Frame]]:
        """Frames as they come, those of one read (or a part of it) at a time.

        Raises SourceError if it is not a capture or cannot be read.
        """
        while not self._stopped.is_set() and not self.stream.ended:
            if self._primed is not None:
                data, self._primed = self._primed, None
            else:
                self._wait(None)
                if self._stopped.is_set():
                    return
                try:
                    data = self._read()
                except SourceError as error:
                    self.stream.fail(str(error))
                    return
            if not data and self._plain and self.at_end is not None and self.at_end():
                continue
            if not data:
                self.stream.finish()
                if self._why_ended is not None:
                    self.stream.remark(self._why_ended())
                return
            self.position += len(data)
            for frames in self.stream.feed(data):
                yield frames
                if self._stopped.is_set():
                    return

    def go_on(self, position: int, frames: int) -> None:
        """Somebody else has read on to there, where a record begins; so many frames are before it.

        Only of a plain file that is not compressed.
        """
        assert self._descriptor is not None
        assert self.stream.parser is not None
        os.lseek(self._descriptor, position, os.SEEK_SET)
        self.position = position
        self.stream.parser.go_on(position, frames)

    def take_over(self, stream: CaptureStream, position: int) -> None:
        """Somebody else has read on to there, by such a stream. Only of a plain file."""
        assert self._descriptor is not None
        os.lseek(self._descriptor, position, os.SEEK_SET)
        self.stream, self.position, self._primed = stream, position, None

    def waiting(self) -> bool:
        """Whether more can be read at once."""
        return self._plain or self._wait(0)

    def _wait(self, timeout: float | None) -> bool:
        return self._selector is None or bool(self._selector.select(timeout))

    def _read(self) -> bytes:
        """What is there, at most a piece; nothing at the end."""
        while True:
            try:
                if self._descriptor is not None:
                    size = self._piece
                    if self.until is not None and self.until > self.position:
                        size = min(size, self.until - self.position)
                    return os.read(self._descriptor, size)
                return self._file.read(self._piece) or b""
            except BlockingIOError:
                self._wait(None)
                if self._stopped.is_set():
                    return b""
            except OSError as error:
                raise SourceError(f"cannot be read: {error.strerror}") from None


class FileFeed:
    """A capture file or pipe as a feed of segments. Raises SourceError if it cannot be opened.

    ``path``  of a file that can be read again, ``None`` where nothing can
    """

    def __init__(self, path: str | CaptureFile, batch: int = BATCH) -> None:
        self._capture = open_capture(path) if isinstance(path, str) else path
        self._keeping: Keeping | None = None
        self._described = 0
        self._decoder = Decoder()
        # Who reads by columns needs none of it.
        from tcpviz.sources.replay import Replay

        self._replay = Replay()
        self._batch = batch
        self._began = False
        self._lock = threading.Lock()
        self.title = self._capture.name
        self.status = FeedStatus(size=self._capture.size)
        again = isinstance(path, str) and path != "-" and self._capture.size is not None
        self.path = str(path) if again else None
        self._recent: Recent | None = None

    def keep(self, keeping: Keeping) -> None:
        """Write or serve the frames too; it is closed with this feed."""
        self._keeping = keeping

    def remember(self) -> None:
        """Keep the latest frames of what cannot be read again."""
        if self.path is None:
            self._recent = Recent()

    def kept(self) -> Kept | None:
        """The latest frames, where they are kept; from any thread."""
        if self._recent is None:
            return None
        names = [each.name for each in self._capture.interfaces]
        return Kept(self._recent.frames(), names, whole=not self._recent.gone)

    def batches(self) -> Iterator[list[Record]]:
        """Segments in batches; of a pipe at once, when nothing more is waiting.

        A Gap stands before a segment where the file says that packets were lost there.
        """
        with self._lock:
            self._began = True
        try:
            batch: list[Record] = []
            for frames in self._capture.pieces():
                self._decode(frames, batch)
                if len(batch) >= self._batch or not self._capture.waiting():
                    self._tell()
                    if batch:
                        yield batch
                        batch = []
            self._decoder.finish()
            self._take_extra(batch)
            self._tell()
            if batch:
                yield batch
            error = self._end_keeping()
            if error is not None:
                raise error
        finally:
            self._tell()
            self.status.done = True
            self._end_keeping()
            self._capture.close()

    def stop(self) -> None:
        self._capture.stop()
        with self._lock:
            if not self._began:
                self._capture.close()

    def _decode(self, frames: list[Frame], batch: list[Record]) -> None:
        decode = self._decoder.decode
        losses = self._capture.stream.losses
        if self._keeping is not None:
            self._pass_on(self._keeping, frames, losses)
        customs = deque(self._capture.stream.customs)
        recent = self._recent
        for frame in frames:
            if recent is not None:
                recent.add(frame)
            if customs:
                self._take_customs(customs, frame.number, batch)
            if losses and frame.number in losses:
                batch.append(Gap(frame.time_ns, losses[frame.number], "the capturing program"))
            if frame.comment is not None and MARK in frame.comment:
                batch.extend(_marks(frame))
            recorded = self._replay.recorded
            segment = decode(self._replay.numbered(frame) if recorded else frame)
            if segment is not None and recorded:
                batch.append(self._replay.segment(segment))
            elif segment is not None:
                batch.append(SegmentRecord(segment.time_ns, segment, Moment.SEEN))
            if self._decoder.extra:
                self._take_extra(batch)
            if self._decoder.errors:
                batch.extend(self._decoder.errors)
                self._decoder.errors.clear()

        self._take_customs(customs, None, batch)

    def _pass_on(self, keeping: Keeping, frames: list[Frame], losses: Mapping[int, int]) -> None:
        fresh = self._capture.interfaces[self._described :]
        if fresh:
            self._described += len(fresh)
            keeping.describe([(one.name or self.title, one.link_type) for one in fresh], "")
        for frame in frames:
            keeping.take(frame, losses.get(frame.number, 0))
        keeping.look_after(self.status.dropped)

    def _end_keeping(self) -> SourceError | None:
        """Close the file; why it could not be written to its end, if it could not."""
        keeping, self._keeping = self._keeping, None
        if keeping is None:
            return None
        keeping.finish(self._described, self.status.dropped)
        keeping.close()
        return keeping.error

    def _take_customs(
        self, customs: deque[tuple[int, bytes]], before: int | None, batch: list[Record]
    ) -> None:
        """What a recording of the lab tells before that frame, beside its packets."""
        while customs and (before is None or customs[0][0] < before):
            record = self._replay.take(customs.popleft()[1])
            if record is not None:
                batch.append(record)

    def _take_extra(self, batch: list[Record]) -> None:
        """Segments beyond one a frame: an A-MSDU's others, fragments given up."""
        extra = self._decoder.extra
        while extra:
            segment = extra.popleft()
            batch.append(SegmentRecord(segment.time_ns, segment, Moment.SEEN))

    def _tell(self) -> None:
        """Bring the counters up to date."""
        damage = self._replay.note()
        more = [] if damage is None else [f"{self.title}: {damage}"]
        self._capture.tell(self.status, self._decoder, more)


def _marks(frame: Frame) -> Iterator[Note]:
    """What a person has marked here, as the comments tell it."""
    for line in (frame.comment or "").splitlines():
        if line.startswith(MARK):
            yield Note(frame.time_ns, line.removeprefix("tcpviz ")[:200])
