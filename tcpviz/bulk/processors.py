"""How many processors we may use: those that there are, that we are given, and no more than that.

A container is often given fewer than there are: by an affinity, or by a quota of time (cgroups,
``cpu.max``: microseconds of each period; Documentation/admin-guide/cgroup-v2.rst in Linux).
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path, PurePosixPath

_GROUPS = Path("/sys/fs/cgroup")
_MINE = Path("/proc/self/cgroup")


def processors() -> int:
    """At least one."""
    try:
        there = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        there = os.cpu_count() or 1
    return max(1, min(there, _quota(_GROUPS, _MINE) or there))


def _quota(groups: Path, mine: Path) -> int:
    """As many as the least quota of our group and those above it lets run; 0: as many as like."""
    found: list[int] = []
    with contextlib.suppress(OSError, ValueError):
        lines = mine.read_text().splitlines()
        path = next((line[3:] for line in lines if line.startswith("0::")), "/")
        for each in (PurePosixPath(path), *PurePosixPath(path).parents):
            with contextlib.suppress(OSError, ValueError):
                told = (groups / str(each).lstrip("/") / "cpu.max").read_text()
                quota, period = map(int, told.split())  # "max" is no number
                found.append(max(1, -(-quota // period)))
    return min(found, default=0)
