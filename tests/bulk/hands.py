"""Another process for the tests of :mod:`tcpviz.bulk.crew`: what its items ask of it."""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Callable

from tcpviz.bulk.crew import serve

MODULE = "tests.bulk.hands"

FIND, DIE, STOP, FAIL, SAY = range(-5, 0)
"""Items; any other is multiplied."""


def main() -> None:
    serve(begin)


def begin(factor: int) -> Callable[[int], tuple[int, int]]:
    return lambda item: (os.getpid(), _asked(item) * factor)


def _asked(item: int) -> int:
    if item == FIND:
        importlib.import_module("beside_tcpviz")
    elif item == DIE:
        os.kill(os.getpid(), signal.SIGKILL)
    elif item == STOP:
        os.kill(os.getpid(), signal.SIGSTOP)
    elif item == FAIL:
        raise ValueError("in another process")
    elif item == SAY:
        os.kill(os.getpid(), signal.SIGINT)
        os.write(1, b"nobody is to see this")
        os.write(2, b"nor this")
    return item
