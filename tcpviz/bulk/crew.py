"""Work in Python that other processes share: threads would only wait for the interpreter.

Each is a fresh interpreter, not a fork of ours, which has threads. What they are given and what
they make of it go through their standard input and output, pickled; nobody waits for anybody. They
cannot lose anything: what one of them does not give back, whatever the reason, is done here. So
nothing is said of one that cannot be started, or dies.
"""

from __future__ import annotations

import contextlib
import functools
import heapq
import itertools
import os
import pickle
import selectors
import signal
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

import tcpviz
from tcpviz.bulk.forks import WIDE, widen

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 2
"""Items that another holds: it goes on with the second while we are busy."""

PATIENCE_S = 1.0
"""Nobody has given anything back for so long: what is with others is done here, too."""

_BEAT_S = 0.1

_SIZE = struct.Struct("=Q")  # of what comes next

# As in tcpviz.sources.child; what is pickled here has to be ours there, whatever else is installed.
_START = (
    "import sys; sys.path[:] = {ours!r}; import tcpviz; "
    "sys.path[:] = {path!r}; from {module} import main; main()"
)


class _Task(Generic[T, R]):
    """One item; ``made`` is what came of it, once ``done``. ``ours``: it is done here, too."""

    def __init__(self, item: T, cost: int) -> None:
        self.item, self.cost = item, cost
        self.done = self.ours = False
        self.made: R


class _Hand(Generic[T, R]):
    """One process, and what it ``held`` of ours, in order. Raises OSError where none starts."""

    def __init__(self, module: str, files: Sequence[int]) -> None:
        root = str(Path(tcpviz.__file__).resolve().parent.parent)
        # The current folder may be anybody's: what we need of it is in one of the others.
        path = [each for each in sys.path if each not in ("", str(Path.cwd()), root)] + [root]
        start = _START.format(ours=[root], path=path, module=module)
        command = [sys.executable, "-I", "-S", "-c", start]
        command += ["helps", str(os.getpid())]  # for those who look at the list of processes
        self._process = subprocess.Popen(  # noqa: S603 - ourselves
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=files,
            start_new_session=True,  # Ctrl-C is for us alone
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.input, self.output = self._process.stdin.fileno(), self._process.stdout.fileno()
        for pipe in (self.input, self.output):
            os.set_blocking(pipe, False)
            widen(pipe)
        self.held: deque[_Task[T, R]] = deque()
        self._telling: deque[memoryview] = deque()
        self._heard = bytearray()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def telling(self) -> bool:
        """Not all that it is told is written."""
        return bool(self._telling)

    def tell(self, what: object) -> None:
        data = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
        self._telling += [memoryview(_SIZE.pack(len(data))), memoryview(data)]
        self.write()

    def write(self) -> None:
        """As much as it takes now. Raises OSError if it is gone."""
        with contextlib.suppress(BlockingIOError):
            while self._telling:
                done = os.write(self.input, self._telling[0])
                if done == len(self._telling[0]):
                    self._telling.popleft()
                else:
                    self._telling[0] = self._telling[0][done:]

    def read(self) -> list[Any]:
        """What it has said in full. Raises EOFError if it is gone."""
        heard, found = self._heard, []
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.output, WIDE):
                heard += data
            raise EOFError
        while len(heard) >= _SIZE.size:
            end = _SIZE.size + _SIZE.unpack_from(heard)[0]
            if len(heard) < end:
                break
            found.append(pickle.loads(heard[_SIZE.size : end]))  # noqa: S301 - it is ourselves
            del heard[:end]
        return found

    def close(self) -> None:
        """It is gone; it has nothing that would be missed."""
        with contextlib.suppress(OSError):
            self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()
        self._process.wait()


class Crew(Generic[T, R]):
    """Items done by ``here`` in this process, or packed by ``pack`` for others' ``module``.

    ``module``  whose ``main`` the others run (:func:`serve`)
    ``files``   descriptors that they have, too, by the same numbers
    ``first``   what each is told first
    ``pack``    of an item what another is given
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
        self._own: list[_Task[T, R]] = []
        self._turns = itertools.count()
        self._left = self._cost = self._started = 0
        self._hands: list[_Hand[T, R]] = []
        self._selector = selectors.DefaultSelector()

    @property
    def pids(self) -> list[int]:
        """Of the others that are there, as far as is known."""
        return [hand.pid for hand in self._hands]

    def add(self, item: T, cost: int, *, alone: bool = False) -> None:
        """Another item; others may begin with it at once, unless we do it ``alone``."""
        self._tasks.append(_Task(item, cost))
        self._left += 1
        if alone:
            self._own.append(self._tasks[-1])
            return
        self._put(self._tasks[-1])
        self._cost += cost
        if self._started < self._most and self._cost >= (self._started + 1) * self._each:
            self._started += 1
            # No program, or no such way to start one: then it is done here.
            with contextlib.suppress(OSError, TypeError, ValueError):
                self._start()
        self.turn()

    def results(self, enough: Callable[[], bool] = bool) -> list[R]:
        """What came of all items, in their order; nothing if it was ``enough`` before.

        Raises what ``here`` raises.
        """
        idle = 0
        while not enough():
            if not self._left:
                return [each.made for each in self._tasks]
            self.turn()
            task = self._mine()
            if task is None and self.turn(_BEAT_S):
                idle = 0
            elif task is None:
                idle += 1
                if idle * _BEAT_S >= PATIENCE_S:
                    task = next((each for each in self._tasks if not each.done), None)
            if task is not None:
                task.ours = True
                made = self._here(task.item)
                self._done(task, made)
        return []

    def turn(self, wait: float = 0.0) -> bool:
        """Take what others give, and give them more; whether anything came (within seconds)."""
        came = False
        for key, events in self._selector.select(wait) if self._hands else ():
            hand: _Hand[T, R] = key.data
            if hand not in self._hands:
                continue
            try:
                if events & selectors.EVENT_WRITE:
                    hand.write()
                    self._mind(hand)
                if events & selectors.EVENT_READ:
                    for made in hand.read():
                        self._give(hand, made)
                        came = True
            except Exception:  # whatever it is: it is done here, and said there
                self._lose(hand)
        for hand in list(self._hands):
            while len(hand.held) < AHEAD and self._waiting and hand in self._hands:
                hand.held.append(heapq.heappop(self._waiting)[-1])
                self._tell(hand, functools.partial(self._pack, hand.held[-1].item))
        return came

    def close(self) -> None:
        """No other is there any more; more than once does no harm."""
        while self._hands:
            self._hands.pop().close()
        self._selector.close()

    # -- one of them ------------------------------------------------------------

    def _put(self, task: _Task[T, R]) -> None:
        heapq.heappush(self._waiting, (-task.cost, next(self._turns), task))

    def _done(self, task: _Task[T, R], made: R) -> None:
        if not task.done:
            task.made, task.done = made, True
            self._left -= 1

    def _mine(self) -> _Task[T, R] | None:
        """What is to be done here next, first what others could do: they are not to wait for us."""
        if self._waiting:
            return heapq.heappop(self._waiting)[-1]
        return self._own.pop() if self._own else self._spare()

    def _spare(self) -> _Task[T, R] | None:
        """What another holds and has not begun with, it seems."""
        held = (hand.held[-1] for hand in self._hands if len(hand.held) > 1)
        return next((task for task in held if not task.done and not task.ours), None)

    def _start(self) -> None:
        hand: _Hand[T, R] = _Hand(self._module, self._files)
        self._hands.append(hand)
        self._selector.register(hand.output, selectors.EVENT_READ, hand)
        self._tell(hand, lambda: self._first)

    def _tell(self, hand: _Hand[T, R], what: Callable[[], object]) -> None:
        try:
            hand.tell(what())
            self._mind(hand)
        except Exception:
            self._lose(hand)

    def _mind(self, hand: _Hand[T, R]) -> None:
        """Wait for its input only while there is something to write."""
        minded = hand.input in self._selector.get_map()
        if hand.telling and not minded:
            self._selector.register(hand.input, selectors.EVENT_WRITE, hand)
        elif minded and not hand.telling:
            self._selector.unregister(hand.input)

    def _give(self, hand: _Hand[T, R], made: R) -> None:
        self._done(hand.held.popleft(), made)

    def _lose(self, hand: _Hand[T, R]) -> None:
        """It is of no use any more; what it held is done by somebody else."""
        self._hands.remove(hand)
        for pipe in (hand.input, hand.output):
            with contextlib.suppress(KeyError):
                self._selector.unregister(pipe)
        hand.close()
        for task in hand.held:
            if not task.done and not task.ours:
                self._put(task)


def serve(begin: Callable[[Any], Callable[[Any], object]]) -> None:
    """What such a process does: ``begin`` with what it is told first, then item by item.

    Until its input ends, or nobody takes its output any more. What is printed goes nowhere.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    given, taken = _aside(0, "rb", os.O_RDONLY), _aside(1, "wb", os.O_WRONLY)
    with contextlib.suppress(EOFError, BrokenPipeError):
        do = begin(_next(given))
        while True:
            data = pickle.dumps(do(_next(given)), pickle.HIGHEST_PROTOCOL)
            taken.write(_SIZE.pack(len(data)) + data)
            taken.flush()
    os._exit(0)  # there is nothing to tidy up


def _next(given: IO[bytes]) -> Any:
    size = given.read(_SIZE.size)
    if len(size) < _SIZE.size:
        raise EOFError
    return pickle.loads(given.read(*_SIZE.unpack(size)))  # noqa: S301 - from ourselves


def _aside(number: int, mode: str, how: int) -> IO[bytes]:
    """A standard descriptor, with nothing in its place."""
    kept: IO[bytes] = os.fdopen(os.dup(number), mode)
    nothing = os.open(os.devnull, how)
    os.dup2(nothing, number)
    os.close(nothing)
    return kept
