"""Work that several threads share: numpy lets others run while it goes through an array.

But within :func:`shared` all is done by the caller's thread: beside a screen
that has to answer at once, others would only be in its way.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Generic, TypeVar

from tcpviz.bulk.processors import processors

T = TypeVar("T")
R = TypeVar("R")

MOST = 4
"""Threads that work at most: what none but Python can do they would only wait for."""

_TURN_S = 0.0002
"""How long a thread keeps the interpreter to itself while others wait, seconds.

An array is gone through in some ten microseconds; Python's usual 5 ms between two
such passes would let nobody help.
"""

_hands = 1


@contextmanager
def shared(most: int = MOST) -> Iterator[None]:
    """Meanwhile work is shared by as many threads as we have processors, ``most`` at most."""
    global _hands
    before, turn = _hands, sys.getswitchinterval()
    _hands = min(processors(), most)
    if _hands > 1:
        sys.setswitchinterval(_TURN_S)
    try:
        yield
    finally:
        _hands = before
        sys.setswitchinterval(turn)


def hands() -> int:
    """How many threads work, the caller's among them."""
    return _hands


class _Task(Generic[T, R]):
    """One call: whoever begins it makes it, and everybody can wait for it."""

    def __init__(self, call: Callable[[T], R], item: T) -> None:
        self._call, self._item = call, item
        self._begun, self._done = Lock(), Lock()
        self._done.acquire()
        self._made: list[R] = []
        self._error: BaseException | None = None

    def begin(self) -> bool:
        """Whether nobody had begun it yet."""
        return self._begun.acquire(blocking=False)

    def run(self) -> None:
        """Make it, once begun."""
        try:
            self._made.append(self._call(self._item))
        except BaseException as error:  # raised where it is asked for
            self._error = error
        finally:
            self._done.release()

    def ready(self) -> bool:
        """Whether it is made."""
        return not self._done.locked()

    def wait(self) -> None:
        """Wait until it is made."""
        with self._done:
            pass

    def value(self) -> R:
        """What came of it, once it is ready; raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._made[0]


def _help(queue: SimpleQueue[_Task[T, R] | None]) -> None:
    while (task := queue.get()) is not None:
        if task.begin():
            task.run()
        del task  # not to keep what came of it while waiting for the next one


def in_order(call: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """What ``call`` makes of each item, in the order of the items, as :func:`map` has it.

    Items are taken and results given in the caller's thread; a few of them are made
    meanwhile. Exceptions, of ``items`` too, come after the results before them.
    """
    if _hands == 1:
        yield from map(call, items)
        return
    queue: SimpleQueue[_Task[T, R] | None] = SimpleQueue()
    helpers = [Thread(target=_help, args=(queue,), daemon=True) for _ in range(_hands - 1)]
    for helper in helpers:
        helper.start()
    tasks: deque[_Task[T, R]] = deque()
    source = iter(items)
    failure: BaseException | None = None
    more = True
    try:
        while True:
            while more and len(tasks) < _hands:
                try:
                    tasks.append(_Task(call, next(source)))
                    queue.put(tasks[-1])
                except StopIteration:
                    more = False
                except Exception as error:
                    more, failure = False, error
            if not tasks:
                break
            if tasks[0].ready():
                yield tasks.popleft().value()
                continue
            mine = next((task for task in tasks if task.begin()), None)
            if mine is not None:
                mine.run()
            else:
                tasks[0].wait()
        if failure is not None:
            raise failure
    finally:
        for task in tasks:
            task.begin()  # and nobody else will
        for _ in helpers:
            queue.put(None)
        for helper in helpers:
            helper.join()
