"""Pump: a feed iterated in its own thread, its batches handed over through a bounded queue.

The feed's thread waits when the screen falls behind (a file can wait; a live
feed drops by its own rules and counts it). The screen's thread never waits.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator

from tcpviz.core.records import Record
from tcpviz.sources.feed import Feed

BATCHES = 64
"""How many batches may wait; what is beyond that stays with the feed."""

MOST_RECORDS = 32_768
"""How many records may wait in them before no further batch is taken (about 1 kB each)."""

PATIENCE_S = 0.2
"""How long the feed's thread waits for room before it looks whether it should end."""


class Pump:
    """Runs ``feed`` from :meth:`start` to :meth:`stop`.

    ``error`` is what ended the feed early, if anything did; ``done`` is true
    when it has ended and everything that it gave was taken.
    """

    def __init__(self, feed: Feed, batches: int = BATCHES) -> None:
        self.feed = feed
        self.error: Exception | None = None
        self._queue: queue.Queue[list[Record]] = queue.Queue(batches)
        self._put_in = self._taken_out = 0  # records; each written by one thread only
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._batch: list[Record] = []
        self._at = 0
        self._thread: threading.Thread | None = None

    @property
    def done(self) -> bool:
        return self._ended.is_set() and not self.waiting

    @property
    def waiting(self) -> bool:
        """Something has come that was not taken yet."""
        return self._at < len(self._batch) or not self._queue.empty()

    @property
    def behind(self) -> int:
        """Batches that wait; as many as may where the records in them are as many as may."""
        waiting = self._put_in - self._taken_out
        return BATCHES if waiting > MOST_RECORDS else self._queue.qsize()

    def batch(self) -> list[Record] | None:
        """The next batch, if one waits: whole, as the feed gave it."""
        self._batch, self._at = [], 0
        try:
            batch = self._queue.get_nowait()
        except queue.Empty:
            return None
        self._taken_out += len(batch)
        return batch

    def start(self) -> None:
        """Begin to read. May be called once."""
        self._thread = threading.Thread(target=self._run, name="tcpviz-feed", daemon=True)
        self._thread.start()

    def stop(self, patience_s: float = 2.0) -> bool:
        """Ask the feed to end and wait that long for it; true if it has ended.

        A feed that is stuck in a read is left behind: its thread is a daemon and
        ends with the process.
        """
        self._stopping.set()
        with contextlib.suppress(Exception):
            self.feed.stop()
        if self._thread is None:
            return True
        self._thread.join(patience_s)
        return not self._thread.is_alive()

    def records(self) -> Iterator[Record]:
        """What has come so far, one by one, without waiting; ends where nothing is there now.

        It may be left in the middle: the next call goes on where this one stopped.
        """
        while True:
            while self._at < len(self._batch):
                self._at += 1
                yield self._batch[self._at - 1]
            try:
                self._batch, self._at = self._queue.get_nowait(), 0
            except queue.Empty:
                return
            self._taken_out += len(self._batch)

    def _run(self) -> None:
        try:
            for batch in self.feed.batches():
                if not self._put(batch):
                    return
        except Exception as error:
            self.error = error
        finally:
            self._ended.set()

    def _put(self, batch: list[Record]) -> bool:
        """False where the pump was stopped before there was room."""
        while not self._stopping.is_set():
            if self._put_in - self._taken_out > MOST_RECORDS:
                self._stopping.wait(PATIENCE_S / 20)
                continue
            try:
                self._queue.put(batch, timeout=PATIENCE_S)
            except queue.Full:
                continue
            self._put_in += len(batch)
            return True
        return False
