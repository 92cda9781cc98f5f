"""A capture on its way into a table: the table of what has been read so far, again and again.

While the file is read, its beginning is made into a table from time to time; each is exact for
the packets that it was made of, numbers its connections as the last one will, and stays valid
when the next one takes its place. Making them takes at most about a quarter of the time; none is
made that would be there hardly before the last one, which it would only put off. Of a file that
grows only what is new is worked on (:mod:`tcpviz.bulk.spilling.grown`), in half of the time.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tcpviz.bulk import forks
from tcpviz.bulk.connections.building import Building
from tcpviz.bulk.forerunner import Forerunner
from tcpviz.bulk.segments.columns import Columns
from tcpviz.bulk.segments.reading import Reading, Unsuited
from tcpviz.bulk.segments.windows import ROW_BYTES, Windows
from tcpviz.bulk.spilling.grown import Grown, grown
from tcpviz.bulk.tables.filetally import tallies
from tcpviz.bulk.tables.table import Table
from tcpviz.core.connection import Connection
from tcpviz.sources.feed import FeedStatus, SourceError
from tcpviz.sources.pipes import Pipe

FIRST = 1 << 20
"""Bytes read before the first table is made."""

SHARE = 3
"""Reading between two tables takes at least so many times as long as making the last one."""

GROWING_SHARE = 1
"""The same of a file that grows, where the last one was made of a part only."""

LEAST_S = 0.25
"""The least time between two tables."""

TELLING = 1 << 17
"""A table of fewer segments does not tell how long a larger one takes."""

SOON_S = 1.0
"""What is read in less time needs no such table before."""

LONG = 4096
"""A connection of more segments than this is made when the table is, not when it is looked at."""

MOST_LONG = 500
"""The longest ones, at most so many."""

LOOK_S = 0.2
"""How often a file that may still grow is looked at."""

FRESH_S = 3.0
"""A file that was written to so lately when its end is reached is taken for one that grows."""

PATIENCE_S = 10.0
"""After so long without a byte more, such a file is taken to be complete."""


class Snapshot:
    """A table with the building and the reading that it rests on.

    ``version``  counts from 1
    ``whole``    it is the last one
    ``end_ns``   the latest moment in it
    ``tallies``  its ends by state
    ``enough``   is asked while it is made: what comes of it then is of no use
    ``windows``  for what is more than memory may take
    ``before``   what was built of its beginning
    ``lock``     is held while one of its connections is made: the shapes behind it are shared
    """

    def __init__(
        self,
        reading: Reading,
        version: int,
        *,
        whole: bool,
        enough: Callable[[], bool] | None = None,
        windows: Windows | None = None,
        before: Building | None = None,
    ) -> None:
        self.version, self.whole = version, whole
        self.lock = threading.RLock()
        self.reading = reading
        self.building = grown(before, reading, enough, windows)
        self.table = Table(self.building)
        self.tallies = tallies(self.table)
        # To make one of these takes as long as it has segments: here, where nobody waits.
        sizes = self.table.segments
        long = np.flatnonzero(sizes > LONG)
        longest = long[np.argsort(-sizes[long], kind="stable")[:MOST_LONG]].tolist()
        self._long = {place: self.table.connection(place) for place in longest}
        self.end_ns = int(self.table.last_ns.max()) if len(self.table) else 0
        if len(self.building.clock.now):
            self.end_ns = max(self.end_ns, int(self.building.clock.now[-1]))

    def __len__(self) -> int:
        return len(self.table)

    def connection(self, place: int) -> Connection:
        """The connection at a place of the table; soon, however long it is."""
        made = self._long.get(place)
        if made is None:
            with self.lock:
                made = self.table.connection(place)
        return made


class Growing:
    """Reads ``path``, a file or a pipe, by :meth:`run`, in a thread of its own.

    ``latest``   the newest table; another object each time
    ``status``   as a feed's
    ``follow``   wait for more at the file's end for as long as nobody stops it; ``None``: only
                 while the file is being written
    ``windows``  where columns are put that are more than memory may take
    ``columns``  makes them
    ``ahead``    a process that has begun to read it; it is closed
    ``waiting``  all has been read, and more may come
    """

    def __init__(
        self,
        path: str | Pipe,
        *,
        follow: bool | None = None,
        windows: Windows | None = None,
        columns: Callable[..., Columns] = Columns,
        ahead: Forerunner | None = None,
    ) -> None:
        self._path = path if isinstance(path, str) else ""
        self._follow = follow
        self.windows = windows
        self._reading = Reading(path, windows, columns=columns)
        self._reading.wait_with(self._more, self._idle)
        self.title = self._reading.title
        self.status: FeedStatus = self._reading.status
        self.latest: Snapshot | None = None
        self.waiting = False
        self._stopped = threading.Event()
        self._made_at = self._took = 0.0
        self._rows = self._position = 0
        self._grows, self._apart = False, True
        self._ahead = ahead
        self._versions = 0
        self._before: Building | None = None

    def stop(self) -> None:
        """End the reading soon; from any thread."""
        self._stopped.set()
        self._reading.stop()
        if self._ahead is not None:
            self._ahead.stop()

    def close(self) -> None:
        """Nothing more is asked of any of its tables."""
        self._reading.close()

    def run(self, told: Callable[[], None] = lambda: None) -> None:
        """Read all of it; ``told`` is called after each table.

        Raises SourceError (the table of what came before is there) and Unsuited.
        """
        self._told = told
        trouble: SourceError | None = None
        try:
            if self._ahead is not None:
                self._hear(self._ahead)
            self._reading.read(self._progress)
        except SourceError as error:
            trouble = error
        self.waiting = False
        if not self._stopped.is_set():
            self._make(whole=True)
        if trouble is not None:
            raise trouble

    def _hear(self, ahead: Forerunner) -> None:
        """Take what another process reads and makes, and go on where it ends.

        If it ends too soon, from the beginning. Raises Unsuited.
        """
        from tcpviz.bulk.tables import forerun

        for told in forerun.heard(ahead, self._reading, self.windows):
            if isinstance(told, Snapshot):
                self._adopt(told)
                continue
            if told.columns.count < self._rows:
                told.columns.move()  # what the last table has of the rest must not change
            self._reading.go_on(told)
            self._before = None if self.latest is None else self.latest.building
            if self.windows is not None:
                self.windows.shared = told.columns.count * ROW_BYTES

    def _progress(self, status: FeedStatus) -> None:
        if self._stopped.is_set():
            return
        self.waiting = False
        now = time.monotonic()
        if not self._versions:
            due = status.position >= FIRST
        else:
            # Fewer there are where another process had come further, and is gone.
            more = self._reading.columns.count > self._rows
            due = more and self._due() and self._is_worth_it(now)
        if due:
            self._make(whole=False)

    def _is_worth_it(self, now: float) -> bool:
        """Whether reading what is left takes longer than making a table of what is there."""
        left = (self.status.size or 0) - self.status.position
        read = self.status.position - self._position
        if left <= 0 or read <= 0:
            return True  # nobody knows how much comes: a pipe, a file that grows
        if (hands := forks.hands()) > 1:
            from tcpviz.bulk.segments.ahead import PART

            left = max(left - PART * (hands - 1), left // hands)  # others have read that, maybe
        takes = self._took * self._reading.columns.count / max(self._rows, 1)
        if self._rows < TELLING:
            takes = min(takes, SOON_S)
        return left * (now - self._made_at) / read > takes

    def _make(self, *, whole: bool) -> None:
        reading = frozen(self._reading)
        count, latest = reading.columns.count, self.latest
        if latest is not None and count == self._rows:
            latest.whole = latest.whole or whole
            return
        began = time.monotonic()
        made = Snapshot(
            reading,
            self._versions + 1,
            whole=whole,
            enough=self._stopped.is_set,
            windows=self.windows,
            before=self._before,
        )
        if self._stopped.is_set():
            return  # it may be half of one
        self._before = made.building
        self._took = time.monotonic() - began
        if self._grows:
            self._apart = isinstance(made.building, Grown)
        self._adopt(made)

    def _adopt(self, made: Snapshot) -> None:
        """A table that has been made."""
        self.latest = made
        self._versions = made.version
        self._rows = made.reading.columns.count
        self._position = self.status.position
        if self.windows is not None:
            self.windows.rest()
            self.status.notes += filter(None, [self.windows.beyond()])
        self._made_at = time.monotonic()
        self._told()

    # -- a file that grows ------------------------------------------------------

    def _more(self) -> bool:
        """At the file's end: true once there is more, false if no more is waited for."""
        if self._follow is False:
            return False
        path, at = Path(self._path), self.status.position
        began = time.monotonic()
        while not self._stopped.is_set():
            try:
                about = path.stat()
            except OSError:
                return False
            if about.st_size > at:
                self.waiting, self._grows = False, True
                self.status.size = about.st_size
                self._news()
                return True
            if self._follow is None:
                if not self.waiting and time.time() - about.st_mtime > FRESH_S:
                    return False
                if time.monotonic() - began > PATIENCE_S:
                    return False
            self.waiting = self._grows = True
            self._news()
            self._stopped.wait(LOOK_S)
        return False

    def _idle(self) -> None:
        """Of a pipe nothing comes: a table is made of what has come since the last one."""
        self.waiting = self._grows = True
        self._news()

    def _news(self) -> None:
        """Nothing more is there for now: a table of what is, if it is time for one."""
        if self._rows != self._reading.columns.count and self._due():
            self._make(whole=False)

    def _due(self) -> bool:
        share = SHARE
        if self._grows and self._apart:
            latest = self.latest
            # The last one may have been made of all, which says nothing of the next one.
            partly = latest is not None and isinstance(latest.building, Grown)
            share = GROWING_SHARE if partly else 0
        return time.monotonic() - self._made_at >= max(share * self._took, LEAST_S)


def frozen(reading: Reading) -> Reading:
    """The reading as it stands, for a table to rest on while it goes on."""
    made = copy.copy(reading)
    columns = made.columns = copy.copy(reading.columns)
    columns.array = columns.so_far()
    made.errors, made.gaps = reading.errors.frozen(), list(reading.gaps)
    return made


__all__ = ["Growing", "Snapshot", "Unsuited", "frozen"]
