"""A thread that does what was asked last; what was asked before is broken off and forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from tcpviz.sources.feed import SourceError

Made = TypeVar("Made")
Enough = Callable[[], bool]


class Latest(Generic[Made]):
    """One job at a time; it is given a question to ask now and then: is it still wanted.

    ``busy``   something is being done, or waits to be
    ``error``  what went wrong in a job, if anything did; it is for whoever watches
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._turn = threading.Condition()
        self._job: Callable[[Enough], Made | None] | None = None
        self._asked = 0
        self._done: Made | None = None
        self._stopped = False
        self._thread: threading.Thread | None = None
        self.busy = False
        self.error: Exception | None = None

    @property
    def owes(self) -> bool:
        """Something is being done, or has been and was not taken yet."""
        with self._turn:
            return self.busy or self._done is not None

    @property
    def ready(self) -> bool:
        """Something has been done and was not taken yet."""
        with self._turn:
            return self._done is not None

    def ask(self, job: Callable[[Enough], Made | None]) -> None:
        """Do this now; returns at once."""
        with self._turn:
            self._asked += 1
            self._job, self._done, self.busy = job, None, True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._turn.notify_all()

    def check(self) -> None:
        """Raise what went wrong; SourceError where that is the file's doing."""
        error = self.error
        if error is None:
            return
        if type(error).__name__ == "Unsuited":  # by its name: the module needs numpy
            raise SourceError(f"{error}: open it again")
        raise error

    def take(self, patience_s: float = 0.0) -> Made | None:
        """What came of it, once; ``None`` as long as nothing has."""
        with self._turn:
            if self._done is None and self.busy and patience_s:
                self._turn.wait_for(lambda: not self.busy, patience_s)
            done, self._done = self._done, None
            return done

    def stop(self) -> None:
        """No more; what is being done is broken off."""
        with self._turn:
            self._stopped, self._job = True, None
            self._turn.notify_all()

    def _enough(self, number: int) -> bool:
        return self._stopped or self._asked != number

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._job is not None or self._stopped)
                if self._stopped:
                    return
                job, number = self._job, self._asked
                self._job = None
            assert job is not None
            made: Made | None = None
            try:
                made = job(partial(self._enough, number))
            except Exception as error:
                self.error = error
            with self._turn:
                if self._asked == number:
                    self._done, self.busy = made, False
                    self._turn.notify_all()
