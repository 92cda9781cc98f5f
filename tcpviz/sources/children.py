"""The capturing children of one capture, and all that is waited for with them."""

from __future__ import annotations

import contextlib
import os
import selectors
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tcpviz.sources import access
from tcpviz.sources.child import Child
from tcpviz.sources.feed import SourceError
from tcpviz.sources.helpers import complaint
from tcpviz.sources.kernelword import KernelWord
from tcpviz.sources.ringread import MappedReader

START_S = 15.0
"""Seconds that a child may take to begin."""

Came = list[tuple[Child, list[Any]]]
"""Frames, or what a reader makes of them, by the child that they came from."""


class Children:
    """None are started before :meth:`start`; each is an entry, in its order.

    ``kernel`` is waited for too. :meth:`nudge` ends a waiting, from any thread.
    """

    def __init__(self, kernel: KernelWord) -> None:
        self.selector: selectors.BaseSelector | None = None
        self._kernel = kernel
        self._all: list[Child] = []
        self._lock = threading.Lock()
        self._wake: tuple[int, ...] = ()

    def __iter__(self) -> Iterator[Child]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, place: int) -> Child:
        return self._all[place]

    def index(self, child: Child) -> int:
        return self._all.index(child)

    @property
    def ended(self) -> bool:
        """All have, and everything was read."""
        return all(child.ended for child in self._all)

    # -- beginning ----------------------------------------------------------

    def start(
        self, configs: Sequence[dict[str, Any]], ring: Callable[[Child, bytes], Any]
    ) -> selectors.BaseSelector:
        """One for each line; what waits for them. ``ring`` as a child's. Raises SourceError."""
        with self._lock:
            self._wake = os.pipe()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self._wake[0], selectors.EVENT_READ, None)
        for config in configs:
            child = Child(config, ring)
            self._all.append(child)
            self.selector.register(child.output, selectors.EVENT_READ, (child, "output"))
            self.selector.register(child.errors, selectors.EVENT_READ, (child, "errors"))
        return self.selector

    def await_start(self, stopping: threading.Event) -> Came:
        """Until each has begun, or nobody wants it any more; what came meanwhile.

        Raises SourceError where one cannot, with its reason.
        """
        deadline = time.monotonic() + START_S
        waiting: Came = []
        while not all(child.ready for child in self._all):
            if time.monotonic() > deadline:
                raise SourceError("the capturing process does not start; try again")
            waiting += self.turn(deadline - time.monotonic())
            for child in self._all:
                if child.ended and not child.ready:
                    raise self._failure(child)
            if stopping.is_set():
                break
        return waiting

    def _failure(self, child: Child) -> SourceError:
        """Why a child ended before it began."""
        assert self.selector is not None
        while child.listen():
            if not self.selector.select(1.0) or child.ended:
                break
        said = [message for message in child.messages if "error" in message]
        if said and said[0].get("kind") == "permission":
            return SourceError(access.WAYS_OUT)
        if said:
            return SourceError(f"cannot capture: {said[0]['error']}")
        words = "\n".join(str(message.get("said", "")) for message in child.messages)
        return SourceError(f"cannot capture: {complaint(words)}")

    # -- running ------------------------------------------------------------

    @property
    def mapped(self) -> MappedReader | None:
        """Who reads rings here, while that lasts."""
        reader = self._all[0].parser if self._all else None
        return reader if isinstance(reader, MappedReader) and not reader.ended else None

    def turn(self, wait: float) -> Came:
        """Wait for something (seconds at most), read it; what came."""
        came: Came = []
        reader = self.mapped
        if reader is not None and reader.due is not None:
            wait = min(wait, reader.due - time.monotonic())
        self._read(wait, came)
        reader = self.mapped
        if reader is not None and reader.due is not None and time.monotonic() >= reader.due:
            made = reader.pull()
            if made:
                came.append((self._all[0], made))
        return came

    def _read(self, wait: float, came: Came) -> None:
        assert self.selector is not None
        for key, _ in self.selector.select(max(0.0, wait)):
            if key.data is None:
                with contextlib.suppress(OSError):
                    os.read(self._wake[0], 64)
                continue
            if not isinstance(key.data, tuple):
                if not self._kernel.read(key.data):
                    self.selector.unregister(key.fd)
                continue
            child, what = key.data
            if what == "errors":
                if not child.listen():
                    self.selector.unregister(key.fd)
                continue
            frames = child.read()
            if child.ended:
                self.selector.unregister(key.fd)
            came.append((child, frames))

    def nudge(self) -> None:
        """Whoever waits here looks up; from any thread."""
        with self._lock:  # or close() might give the descriptor's number to another file
            if self._wake:
                with contextlib.suppress(OSError):
                    os.write(self._wake[1], b"x")

    # -- ending -------------------------------------------------------------

    def ask_to_end(self) -> None:
        """In order: what is queued still comes."""
        for child in self._all:
            child.ask_to_end()

    def hear_out(self) -> None:
        """Take the last words of those that have ended."""
        assert self.selector is not None
        for child in self._all:
            deadline = time.monotonic() + 1.0
            while child.ended and child.listen() and time.monotonic() < deadline:
                self.selector.select(0.1)

    def close(self) -> None:
        """Nothing is waited for any more; more than once does no harm."""
        if self.selector:
            self.selector.close()
            self.selector = None
        with self._lock:
            for descriptor in self._wake:
                os.close(descriptor)
            self._wake = ()
