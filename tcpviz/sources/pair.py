"""Two sources of the same connections as one feed: two files, two hosts, or one of each.

Two plain files are looked through first, so that their clocks are known from the first
segment on. What comes live is joined as it comes: the estimate gets better with time, and
nothing waits longer than about three seconds for its other half.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tcpviz.core.points.joiner import Joiner
from tcpviz.core.points.ledger import Ledger, Skew, skew
from tcpviz.core.points.survey import Survey, survey
from tcpviz.core.records import Record
from tcpviz.sources import over_ip
from tcpviz.sources.feed import Feed, FeedStatus, SourceError
from tcpviz.sources.files import FileFeed
from tcpviz.sources.parser import clean

HOLD_NS = 1_000_000_000
"""So long a segment of a live source waits for its mate, once the other source has come so far."""

FILE_HOLD_NS = 5_000_000_000
"""The same in files, by their own time: acknowledgements that prove something may come late."""

LAG_NS = 1_500_000_000
"""A source that is silent is taken to be this far behind: tcpdump hands over once a second."""

START_S = 4.0
"""A live source from which nothing has come for so long is not waited for."""

LONELY_S = 15.0
"""When to say that no segment has been seen at both points yet."""

_BATCHES = 64
_TURN_S = 0.25
_BATCH = 2048


@dataclass
class PairStatus(FeedStatus):
    """Both feeds' counters together."""

    parts: tuple[FeedStatus, ...] = ()
    own: list[str] = field(default_factory=list)

    def gather(self, factor: int = 1, before: int = 0) -> None:
        """Bring them up to date; ``before``: bytes of the files read in passes before."""
        self.frames = sum(part.frames for part in self.parts)
        self.segments = sum(part.segments for part in self.parts)
        self.dropped = sum(part.dropped for part in self.parts)
        self.skipped.clear()
        for part in self.parts:
            self.skipped.update(part.skipped)
        sizes = [part.size for part in self.parts]
        self.size = None if None in sizes else factor * sum(size or 0 for size in sizes)
        self.position = before + sum(part.position for part in self.parts)
        told = {*self.notes}
        for note in (*self.own, *(note for part in self.parts for note in part.notes)):
            if note not in told:
                self.notes.append(note)
                told.add(note)


class PairFeed:
    """Two feeds as one.

    ``names``   what the two points are called
    ``open``    makes both feeds; called a second time where ``twice`` (two plain files)
    ``skew``    what is known of the clocks; ``ledger`` what was found so far
    """

    def __init__(
        self,
        names: tuple[str, str],
        opened: Callable[[], tuple[Feed, Feed]],
        *,
        twice: bool,
    ) -> None:
        self.names = _apart(names)
        self._opened = opened
        self._twice = twice
        self._feeds = opened()
        self._stopped = threading.Event()
        self._closing: list[Callable[[], None]] = []
        self._joiner = Joiner(self.names)
        self.title = " + ".join(self.names)
        self._counts = PairStatus(parts=tuple(feed.status for feed in self._feeds))
        self.status: FeedStatus = self._counts
        self.skew: Skew | None = None
        self._counts.gather(2 if twice else 1)

    @property
    def ledger(self) -> Ledger:
        return self._joiner.ledger

    def batches(self) -> Iterator[list[Record]]:
        """One story's records, by the first point's clock. Raises SourceError."""
        try:
            yield from self._from_files() if self._twice else self._live()
        finally:
            self.skew = skew(self._joiner.clock)
            for feed in self._feeds:
                feed.stop()
            for close in self._closing:
                close()
            self._counts.gather()
            self.status.done = True

    def at_end(self, close: Callable[[], None]) -> None:
        """To be called when this has ended."""
        self._closing.append(close)

    def stop(self) -> None:
        self._stopped.set()
        for feed in self._feeds:
            feed.stop()

    # -- two plain files ----------------------------------------------------

    def _from_files(self) -> Iterator[list[Record]]:
        found = self._survey()
        if self._stopped.is_set():
            return
        self._joiner = joiner = found.joiner(self.names)
        self.skew = found.skew
        if not found.met:
            raise SourceError(
                f"{self.names[0]} and {self.names[1]} have no segment in common: "
                "are they of the same connections, taken at the same time?",
                1,
            )
        read = self.status.position
        self._feeds = self._opened()
        self._counts.parts = tuple(feed.status for feed in self._feeds)
        self._counts.gather(2, read)
        streams = [_Stream(feed) for feed in self._feeds]
        since = 0
        while not self._stopped.is_set():
            heads = [
                (joiner.moment(point, one.next_ns), point)
                for point, one in enumerate(streams)
                if one.next_ns is not None
            ]
            if not heads:
                break
            when, point = min(heads)
            for record in streams[point].take():
                joiner.take(point, record)
                since += 1
            if since >= _BATCH:
                since = 0
                batch = joiner.release(when - FILE_HOLD_NS) + joiner.hurry()
                self._counts.gather(2, read)
                if batch:
                    yield batch
        yield joiner.release(None)
        self._counts.gather(2, read)

    def _survey(self) -> Survey:
        def records(feed: Feed) -> Iterator[Record]:
            for batch in feed.batches():
                self._counts.gather(2)
                yield from batch

        return survey(records(feed) for feed in self._feeds)

    # -- as it comes --------------------------------------------------------

    def _live(self) -> Iterator[list[Record]]:
        came: queue.Queue[_Came] = queue.Queue(_BATCHES)
        threads = [
            threading.Thread(target=self._pump, args=(point, feed, came), daemon=True)
            for point, feed in enumerate(self._feeds)
        ]
        for thread in threads:
            thread.start()
        merge = _Merge(self._joiner, len(threads))
        told_alone = False
        failed: SourceError | None = None
        while merge.running and not self._stopped.is_set():
            batch: list[Record] = []
            for one in _drain(came):
                failed = merge.take(one) or failed
                batch += self._joiner.hurry()
            batch += self._joiner.release(merge.reached())
            self._look()
            if not told_alone and merge.seconds > LONELY_S and not self.ledger.pairs:
                told_alone = True
                self._counts.own.append("no segment has been seen at both points so far")
            self._counts.gather()
            yield batch
        for feed in self._feeds:
            feed.stop()
        for one in _rest(came, threads):
            failed = merge.take(one) or failed
        yield self._joiner.release(None)
        self._look()
        self._counts.gather()
        if failed is not None:
            raise failed

    def _look(self) -> None:
        if self._joiner.clock.begun:
            self.skew = skew(self._joiner.clock, self._joiner.reached(0))

    def _pump(self, point: int, feed: Feed, came: queue.Queue[_Came]) -> None:
        """In a thread of its own: what one source gives, until it ends."""
        error: SourceError | None = None
        try:
            for batch in feed.batches():
                if not self._put(came, _Came(point, batch, time.monotonic_ns())):
                    break
        except SourceError as problem:
            error = problem
        except Exception as problem:
            error = SourceError(f"{self.names[point]}: {problem}")
        self._put(came, _Came(point, [], time.monotonic_ns(), True, error))

    def _put(self, came: queue.Queue[_Came], one: _Came) -> bool:
        while True:
            try:
                came.put(one, timeout=_TURN_S)
            except queue.Full:
                if self._stopped.is_set() and not one.ended:
                    return False
            else:
                return True


@dataclass(frozen=True, slots=True)
class _Came:
    """A batch of one source, with the moment of this machine at which it came."""

    point: int
    batch: list[Record]
    at_ns: int
    ended: bool = False
    error: SourceError | None = None


class _Merge:
    """How far two live sources have come."""

    def __init__(self, joiner: Joiner, count: int) -> None:
        self._joiner = joiner
        self._came: list[tuple[int, int] | None] = [None] * count  # (stamp, when it came)
        self._ended = [False] * count
        self._began = time.monotonic_ns()

    @property
    def running(self) -> bool:
        return not all(self._ended)

    @property
    def seconds(self) -> float:
        return (time.monotonic_ns() - self._began) / 1e9

    def take(self, one: _Came) -> SourceError | None:
        """A batch; the error that its source ended with."""
        for record in one.batch:
            self._joiner.take(one.point, record)
        if one.batch:
            # Its last stamp, not its greatest: a single wrong one must not hurry the rest.
            self._came[one.point] = (one.batch[-1].time_ns, one.at_ns)
            self._assume()
        self._ended[one.point] |= one.ended
        return one.error

    def _assume(self) -> None:
        """Before any segment tells of the clocks: as if both sources took equally long to us."""
        one, two = self._came[0], self._came[1]
        if one is not None and two is not None and not self._joiner.clock.begun:
            self._joiner.clock.guess = float((two[0] - two[1]) - (one[0] - one[1]))

    def reached(self) -> int:
        """Up to where both have come, by the first clock, less what is waited for mates."""
        now = time.monotonic_ns()
        far = []
        for point, came in enumerate(self._came):
            if came is None:
                if not self._ended[point] and self.seconds < START_S:
                    return -(1 << 62)
                continue
            if self._ended[point]:
                continue
            stamp, at = came
            silent = max(0, now - at - LAG_NS)
            first = self._joiner.span(point)[0]
            if silent and first is not None:
                self._joiner.ran(point, (first, stamp + silent))
            far.append(self._joiner.moment(point, stamp + silent))
        if not far:
            return 1 << 62 if not self.running else -(1 << 62)
        return min(far) - HOLD_NS


class _Stream:
    """A file's records, as many at once as were read at once."""

    def __init__(self, feed: Feed) -> None:
        self._batches = feed.batches()
        self._batch: list[Record] = []
        self._at = 0
        self._more()

    def _more(self) -> None:
        while self._at >= len(self._batch):
            batch = next(self._batches, None)
            if batch is None:
                self._batch, self._at = [], 0
                return
            self._batch, self._at = batch, 0

    @property
    def next_ns(self) -> int | None:
        """The moment of the next record; ``None`` at the end."""
        return self._batch[self._at].time_ns if self._batch else None

    def take(self) -> list[Record]:
        """Some records: few enough that the other file is not left behind."""
        part = self._batch[self._at : self._at + 64]
        self._at += len(part)
        if self._at >= len(self._batch):
            self._batch, self._at = [], 0
            self._more()
        return part


def _drain(came: queue.Queue[_Came]) -> Iterator[_Came]:
    """What has come, waiting a moment for the first."""
    try:
        yield came.get(timeout=_TURN_S)
        for _ in range(_BATCHES):
            yield came.get_nowait()
    except queue.Empty:
        return


def _rest(came: queue.Queue[_Came], threads: list[threading.Thread]) -> Iterator[_Came]:
    """What still comes of sources that were asked to end, for a while."""
    until = time.monotonic() + 3.0
    while time.monotonic() < until:
        try:
            yield came.get(timeout=0.05)
        except queue.Empty:
            if not any(thread.is_alive() for thread in threads):
                return


def _apart(names: tuple[str, str]) -> tuple[str, str]:
    """Names that tell the points apart, and are fit to be shown."""
    one, two = (clean(name) for name in names)
    return (one, two) if one != two else (f"{one} (1)", f"{two} (2)")


def pair_of(one: str, two: str) -> PairFeed:
    """Two captures that can be read: files, ``-`` or ``TCP@host:port``. Raises SourceError."""
    if one == two:
        raise SourceError(f"{one} is both points of view: name two captures", 2)

    def opened() -> tuple[Feed, Feed]:
        first = FileFeed(one)
        try:
            return first, FileFeed(two)
        except SourceError:
            first.stop()
            raise

    return PairFeed((name_of(one), name_of(two)), opened, twice=all(map(_plain, (one, two))))


def name_of(source: str) -> str:
    """What a source is called on the screen."""
    if source == "-":
        return "standard input"
    return source if source.startswith(over_ip.PREFIX) else Path(source).name or source


def _plain(source: str) -> bool:
    try:
        return source != "-" and Path(source).is_file()
    except (OSError, ValueError):
        return False
