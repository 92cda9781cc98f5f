"""Settings of a process that does nothing else than read a capture, or help somebody who does."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal

_MALLOPT = (-3, 1 << 25), (-1, 1 << 30), (-8, 1)
"""M_MMAP_THRESHOLD and M_TRIM_THRESHOLD, bytes; M_ARENA_MAX: what one frees another takes."""

_PR_SET_PDEATHSIG = 1


def settle() -> None:
    """Spare what a process that ends soon does not need; ``gc.unfreeze()`` undoes a part of it."""
    # Columns have few objects, and none that would ever be garbage: looking for it takes time.
    gc.set_threshold(50_000, 20, 100)
    gc.freeze()  # nor is what has been imported
    with contextlib.suppress(OSError, AttributeError):
        # What one step frees the next one asks for. Given back to the system in between, each
        # page would have to be cleared again: mallopt(3), where there is glibc.
        mallopt = ctypes.CDLL(None).mallopt
        for option, size in _MALLOPT:
            mallopt(option, size)


def tie(parent: int) -> None:
    """In a fork of ``parent``: end when that does, however it comes (prctl(2)).

    Where the system does not know such a thing a fork ends when nobody reads what it writes.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it was too late
        os._exit(0)
