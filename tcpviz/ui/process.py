"""What the program itself takes of the machine."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_STATM = Path("/proc/self/statm")


def resident_bytes(pid: int | None = None) -> int | None:
    """Memory that the program takes, where the system says so (Linux's proc(5), statm).

    ``pid``: another process's.
    """
    place = _STATM if pid is None else Path(f"/proc/{pid}/statm")
    with suppress(OSError, ValueError, IndexError):
        return int(place.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None


def shared_bytes() -> int:
    """Memory without a file that the program shares with others, as far as it has touched it.

    proc(5), status: RssShmem.
    """
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("RssShmem:"):
                return int(line.split()[1]) * 1024
    return 0


def taken_bytes(feed: object) -> int:
    """Memory of the program and of the processes that capture for it (``feed.pids``).

    What they share is counted for each, so that it is rather too much.
    """
    pids: list[int] = getattr(feed, "pids", [])
    return (resident_bytes() or 0) + sum(resident_bytes(pid) or 0 for pid in pids)
