"""Work that forks of this process share: they have all that it has read, and it need not be told.

Only within :func:`shared`, which is for a program that reads a file, writes what it found, and
ends: beside a screen there are threads, whose locks a fork would have and nobody who opens them.
What they make comes back through pipes, pickled. They cannot lose anything: what one of them does
not give back, whatever the reason, is made here. So nothing is said of one that cannot be started,
or dies.
"""

from __future__ import annotations

import contextlib
import gc
import heapq
import os
import pickle
import signal
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from tcpviz.bulk.processors import processors
from tcpviz.bulk.sole import tie

T = TypeVar("T")
R = TypeVar("R")

MOST = 8
"""Processes that work at most, this one among them."""

WIDE = 1 << 20
"""Bytes that a pipe holds; the most that an ordinary user may ask for (fcntl(2), F_SETPIPE_SZ)."""

_SIZE = struct.Struct("=Q")

_TASKS = Path("/proc/self/task")

_hands = 1
_alone = True


class Lost(Exception):  # noqa: N818 - it is no failure: it is made here then
    """A fork did not give back what it was to make."""


@contextlib.contextmanager
def shared(most: int = MOST) -> Iterator[None]:
    """Meanwhile there may be as many processes as we have processors, ``most`` at most."""
    global _hands, _alone
    before = _hands, _alone
    _hands, _alone = (min(processors(), most) if single() else 1), False
    try:
        yield
    finally:
        _hands, _alone = before


def single() -> bool:
    """Whether this is Linux, and this process has one thread; numpy's libraries may have some."""
    if not sys.platform.startswith("linux"):
        return False
    with contextlib.suppress(OSError):
        return sum(1 for _ in _TASKS.iterdir()) == 1
    return False


def hands() -> int:
    """How many processes may work, this one among them."""
    return _hands


def beside_screen() -> bool:
    """Whether somebody else has to answer at once: that is so but within :func:`shared`."""
    return _alone


def widen(pipe: int) -> None:
    """Have a pipe hold :data:`WIDE`, given either end's descriptor, where that can be."""
    with contextlib.suppress(OSError, ImportError, AttributeError):
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, WIDE)


def forked(work: Callable[[int], None]) -> tuple[int, int]:
    """A process that does this, given the pipe into which it writes, and ends, as it does with us.

    Its number, and the pipe's other end. Whatever is raised in it, it says nothing: it is missed.
    Raises OSError where there is no room.
    """
    output, into = os.pipe()
    try:
        widen(into)
        parent = os.getpid()
        pid = os.fork()
    except OSError:
        os.close(output)
        os.close(into)
        raise
    if pid:
        os.close(into)
        return pid, output
    try:
        with contextlib.suppress(BaseException):
            tie(parent)
            os.close(output)
            work(into)
    finally:
        os._exit(0)


class Fork(Generic[R]):
    """One of them, which makes what ``make`` gives. Raises OSError where there is no room."""

    def __init__(self, make: Callable[[], Iterable[R]], others: Sequence[Fork[R]]) -> None:
        self._from: int
        # Whose reading end nobody else has is told by the system when we are gone.
        heard = [each._from for each in others]
        self._pid, self._from = forked(partial(_work, make, heard))

    def take(self) -> R:
        """What it made next. Raises Lost."""
        try:
            data, *arrays = [self._read(size) for size in self._sizes()]
            made: R = pickle.loads(data, buffers=arrays)  # noqa: S301 - it is ourselves
        except (OSError, EOFError, MemoryError, pickle.UnpicklingError):
            raise Lost from None
        return made

    def _sizes(self) -> list[int]:
        """Of what comes next: a pickle, and the arrays that are not in it."""
        count = _SIZE.unpack(self._read(_SIZE.size))[0]
        sizes = self._read(count * _SIZE.size)
        return [each[0] for each in _SIZE.iter_unpack(sizes)]

    def _read(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            done = os.readv(self._from, [view])
            if not done:
                raise EOFError
            view = view[done:]
        return data

    def close(self) -> None:
        """It ends at once; it has nothing that would be missed."""
        with contextlib.suppress(OSError):
            os.kill(self._pid, signal.SIGKILL)
        os.close(self._from)
        with contextlib.suppress(OSError):
            os.waitpid(self._pid, 0)


def _work(make: Callable[[], Iterable[Any]], heard: Iterable[int], into: int) -> None:
    """What a fork does; ``heard``: the pipes of those before it."""
    for each in heard:
        os.close(each)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that it works for
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gc.disable()
    for each in make():
        arrays: list[pickle.PickleBuffer] = []
        data = pickle.dumps(each, pickle.HIGHEST_PROTOCOL, buffer_callback=arrays.append)
        parts = [memoryview(data), *(array.raw() for array in arrays)]
        sizes = [len(parts), *map(len, parts)]
        for view in (memoryview(b"".join(map(_SIZE.pack, sizes))), *parts):
            while view:
                view = view[os.write(into, view) :]


class Forks(Generic[R]):
    """A fork for each of these calls, each of which makes one thing. Closing ends them at once."""

    def __init__(self, calls: Sequence[Callable[[], R]]) -> None:
        self._each = begun([partial(_once, call) for call in calls])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._each)

    def take(self, place: int) -> R:
        """Wait for what that call made. Raises Lost."""
        if place >= len(self._each):
            raise Lost
        return self._each[place].take()


def _once(call: Callable[[], R]) -> Iterator[R]:
    yield call()


def begun(makes: Iterable[Callable[[], Iterable[R]]]) -> list[Fork[R]]:
    """As many of them as can be begun. Close each."""
    made: list[Fork[R]] = []
    with contextlib.suppress(OSError):
        for make in makes:
            made.append(Fork(make, made))
    return made


def _end(forks: Iterable[Fork[Any]]) -> None:
    for each in forks:
        each.close()


def in_order(
    call: Callable[[T], R],
    items: Sequence[T],
    count: int = MOST,
    costs: Sequence[int] | None = None,
) -> Iterator[R]:
    """What ``call`` makes of each item, in the order of the items, as :func:`map` has it.

    With n processes (``count`` at most) each makes every n-th, or by what they cost the next one
    is whose work is least so far; and each is as far ahead as its pipe is wide.
    """
    count = min(_hands, count, len(items))
    if count <= 1:
        yield from map(call, items)
        return
    whose = _dealt(costs or [1] * len(items), count)
    forks: list[Fork[R] | None] = [None]
    forks += begun(
        partial(map, call, [item for item, hand in zip(items, whose, strict=True) if hand == each])
        for each in range(1, count)
    )
    forks += [None] * (count - len(forks))
    try:
        for item, hand in zip(items, whose, strict=True):
            fork = forks[hand]
            if fork is not None:
                try:
                    made = fork.take()
                except Lost:
                    fork.close()
                    fork = forks[hand] = None
            yield call(item) if fork is None else made
    finally:
        _end(each for each in forks if each is not None)


def _dealt(costs: Sequence[int], count: int) -> list[int]:
    """Who makes each: the one who has least to do so far, the first of them where several have."""
    work = [(0, hand) for hand in range(count)]
    whose = []
    for cost in costs:
        least, hand = work[0]
        heapq.heapreplace(work, (least + cost, hand))
        whose.append(hand)
    return whose
