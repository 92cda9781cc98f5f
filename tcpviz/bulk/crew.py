"""Work in Python that other processes share: threads would only wait for the interpreter.

Each is a fresh interpreter, not a fork of ours, which has threads. What they are given and what
they make of it go through their standard input and output, pickled. They cannot lose anything:
what one of them does not give back, whatever the reason, is done here. So nothing is said of
one that cannot be started, or dies.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import pickle
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Condition, Thread
from typing import IO, Any, Generic, TypeVar

import tcpviz

T = TypeVar("T")
R = TypeVar("R")

PATIENCE_S = 1.0
"""Nobody has given anything back for so long: what is with others is done here, too."""

_BEAT_S = 0.1

_SIZE = struct.Struct("=Q")
"""Bytes that come next."""

# Without -m, which puts the current folder first; as in tcpviz.sources.child.
_START = "import sys; sys.path[:] = {path!r}; from {module} import main; main()"


class _Hand:
    """One process. Raises OSError where it cannot be started."""

    def __init__(self, module: str, files: Sequence[int]) -> None:
        root = str(Path(tcpviz.__file__).resolve().parent.parent)
        path = [*dict.fromkeys([*(each for each in sys.path if each), root])]
        command = [sys.executable, "-I", "-S", "-c", _START.format(path=path, module=module)]
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=files,
            start_new_session=True,  # Ctrl-C is for us alone
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, data: bytes) -> None:
        _write(self._input, data)

    def hear(self) -> bytes:
        return _read(self._output)

    def kill(self) -> None:
        """It has nothing that would be missed; from any thread."""
        with contextlib.suppress(OSError):
            self._process.kill()

    def close(self) -> None:
        """It is gone."""
        self.kill()
        for pipe in (self._input, self._output):
            with contextlib.suppress(OSError):
                pipe.close()
        self._process.wait()


def _write(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(_SIZE.pack(len(data)))
    pipe.write(data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes:
    """What was written at once. Raises EOFError at the end."""
    size = pipe.read(_SIZE.size)
    if len(size) < _SIZE.size:
        raise EOFError
    data = pipe.read(*_SIZE.unpack(size))
    if len(data) < _SIZE.unpack(size)[0]:
        raise EOFError
    return data


def _packed(what: object) -> bytes:
    return pickle.dumps(what, pickle.HIGHEST_PROTOCOL)


class _Task(Generic[T, R]):
    """One item; ``made`` is what came of it, once ``done``."""

    def __init__(self, item: T, cost: int) -> None:
        self.item, self.cost = item, cost
        self.done = False
        self.made: R


class Crew(Generic[T, R]):
    """Items done by ``here`` in this thread, or packed by ``pack`` for others' ``module``.

    ``module``  whose ``main`` the others run (:func:`serve`)
    ``files``   descriptors that they have, too, by the same numbers
    ``first``   what each is told first
    ``pack``    of an item what another is given, in any thread
    ``most``    how many others there are at most
    ``each``    the cost of items that is worth another, beside what is worth those before it

    An item's cost is in whatever measure. Closing ends the others at once.
    """

    def __init__(
        self,
        module: str,
        files: Sequence[int],
        first: object,
        pack: Callable[[T], object],
        here: Callable[[T], R],
        *,
        most: int,
        each: int,
    ) -> None:
        self._module, self._files, self._first = module, tuple(files), first
        self._pack, self._here = pack, here
        self._most, self._each = most, each
        self._tasks: list[_Task[T, R]] = []
        # The dearest first: what is begun last is soon done.
        self._waiting: list[tuple[int, int, _Task[T, R]]] = []
        self._out: list[_Task[T, R]] = []
        self._idle = 0
        self._turns = itertools.count()
        self._changed = Condition()
        self._closed = False
        self._cost = 0
        self._threads: list[Thread] = []
        self._hands: list[_Hand] = []

    @property
    def pids(self) -> list[int]:
        """Those that have been started and are not known to be gone."""
        return [hand.pid for hand in self._hands]

    def add(self, item: T, cost: int) -> None:
        """Another item; others may begin with it at once."""
        task: _Task[T, R] = _Task(item, cost)
        self._tasks.append(task)
        with self._changed:
            self._put(task)
            self._changed.notify()
        self._cost += cost
        if len(self._threads) < self._most and self._cost >= (len(self._threads) + 1) * self._each:
            thread = Thread(target=self._share, daemon=True)
            self._threads.append(thread)
            thread.start()

    def results(self, enough: Callable[[], bool] = bool) -> list[R]:
        """What came of all items, in their order; nothing if it was ``enough`` before.

        Raises what ``here`` raises.
        """
        while not enough():
            task = self._mine()
            if task is not None:
                made = self._here(task.item)
                with self._changed:
                    self._done(task, made)
            elif all(each.done for each in self._tasks):
                return [each.made for each in self._tasks]
        return []

    def _put(self, task: _Task[T, R]) -> None:
        heapq.heappush(self._waiting, (-task.cost, next(self._turns), task))

    def _done(self, task: _Task[T, R], made: R) -> None:
        if not task.done:
            task.made, task.done = made, True

    def _mine(self) -> _Task[T, R] | None:
        """What to do here; nothing, after a moment, while all is with others."""
        with self._changed:
            if self._waiting:
                return heapq.heappop(self._waiting)[-1]
            if not self._out:
                return None
            self._idle = 0 if self._changed.wait(_BEAT_S) else self._idle + 1
            if self._idle * _BEAT_S < PATIENCE_S:
                return None
            return next((each for each in self._out if not each.done), None)

    # -- with the others, each in a thread ---------------------------------------

    def _share(self) -> None:
        hand: _Hand | None = None
        held: list[_Task[T, R]] = []
        try:
            hand = _Hand(self._module, self._files)
            with self._changed:
                self._hands.append(hand)
            hand.tell(_packed(self._first))
            while self._take(held, wait=True):
                hand.tell(_packed(self._pack(held[0].item)))
                while held:
                    # It need not wait for what comes next.
                    data = None
                    if self._take(held, wait=False):
                        data = _packed(self._pack(held[1].item))
                    answer = hand.hear()
                    if data is not None:
                        hand.tell(data)
                    made = pickle.loads(answer)  # noqa: S301 - it is ourselves
                    self._give(held.pop(0), made)
        except Exception:  # noqa: S110 - whatever it was: it is done here, and said there
            pass
        finally:
            with self._changed:
                for task in held:
                    self._out.remove(task)
                    if not task.done:
                        self._put(task)
                if hand is not None and hand in self._hands:
                    self._hands.remove(hand)
                self._changed.notify_all()
            if hand is not None:
                hand.close()

    def _take(self, held: list[_Task[T, R]], *, wait: bool) -> bool:
        """Hold another one, if there is one, or will be."""
        with self._changed:
            while wait and not self._waiting and not self._closed:
                self._changed.wait()
            if not self._waiting or self._closed:
                return False
            held.append(heapq.heappop(self._waiting)[-1])
            self._out.append(held[-1])
            return True

    def _give(self, task: _Task[T, R], made: R) -> None:
        with self._changed:
            self._out.remove(task)
            self._done(task, made)
            self._changed.notify_all()

    def close(self) -> None:
        """No other is there any more; more than once does no harm."""
        with self._changed:
            self._closed = True
            for hand in self._hands:
                hand.kill()
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()


def serve(begin: Callable[[Any], Callable[[Any], object]]) -> None:
    """What such a process does: ``begin`` with what it is told first, then item by item.

    Until its input ends, or nobody takes its output any more. What is printed goes nowhere.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    given, taken = _aside(0, "rb", os.O_RDONLY), _aside(1, "wb", os.O_WRONLY)
    with contextlib.suppress(EOFError, BrokenPipeError):
        do = begin(pickle.loads(_read(given)))  # noqa: S301 - from ourselves
        while True:
            _write(taken, _packed(do(pickle.loads(_read(given)))))  # noqa: S301
    os._exit(0)  # there is nothing to tidy up


def _aside(number: int, mode: str, how: int) -> IO[bytes]:
    """A standard descriptor, with nothing in its place."""
    kept: IO[bytes] = os.fdopen(os.dup(number), mode)
    nothing = os.open(os.devnull, how)
    os.dup2(nothing, number)
    os.close(nothing)
    return kept
