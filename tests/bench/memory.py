"""The memory that all processes of a program take together, what they share counted once.

PSS (Documentation/filesystems/proc.rst in Linux, ``smaps_rollup``), looked at again and again: a
peak of a few milliseconds may be missed, and looking takes time, so nothing is timed here.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path

STEP_S = 0.004
RUNS = 3


def family(pid: int) -> list[int]:
    """A process and all that it has begun, and those; as far as they are still there."""
    out = [pid]
    with contextlib.suppress(OSError):
        for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            out += family(int(each))
    return out


def pss_kb(pid: int) -> int:
    """0 of one that has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def peak_mb(
    command: list[str], environment: dict[str, str] | None = None, runs: int = RUNS
) -> float:
    """The most that they took; 0 where the system does not tell.

    Of so many ``runs`` the least: what moves from one to another while they are looked at one after
    the other is counted twice.
    """
    found = []
    for _ in range(runs):
        most = 0
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            while process.poll() is None:
                most = max(most, sum(map(pss_kb, family(process.pid))))
                time.sleep(STEP_S)
        found.append(most / 1024)
    return min(found)
