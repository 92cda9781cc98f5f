"""``make bench``: everything that is measured, as one table; ``--quick`` for a small form.

Runs by itself, in a quarter of an hour (two with ``--quick``). What is missing (a program,
root) is named, and where one part fails or takes too long the others are there all the same.
Ratios hold on any machine, seconds on this one only; run it when nothing else runs.
"""

from __future__ import annotations

import argparse
import os
import platform
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.report import Row, say, table, taken

ROOT = Path(__file__).resolve().parents[2]

PARTS = {
    "start": ["tests.bench.start"],
    "live": ["tests.bench.live"],
    "screen": ["tests.bench.screen"],
    "keys": ["tests.bench.bigkeys"],
    "files": ["tests.bench.files"],
    "growth": ["tests.bench.files", "--growth"],
}
"""In their order: what a machine that warms up would harm most comes first."""

QUICK = {
    "start": ["--runs", "4"],
    "live": ["--rates", "200000", "--seconds", "2", "--runs", "1", "--most", "0"],
    "screen": ["--connections", "100000", "--visits", "5000", "--seconds", "2", "--keys", "30"],
    "keys": ["--connections", "30000", "--segments", "200000"],
    "files": ["--share", "0.5", "--visits", "5000", "--packets", "50000"],
    "growth": ["--most", "100000"],
}
LONGEST_S = {"start": 45, "live": 160, "screen": 300, "keys": 150, "files": 520, "growth": 200}
"""After so long a part is ended; what it has measured counts."""


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def machine() -> str:
    """When and where, in one line."""
    load = os.getloadavg()[0]
    return (
        f"{time.strftime('%Y-%m-%d')}, {platform.system()} {platform.release()}, {processor()} "
        f"({os.cpu_count()} cores, load {load:.1f}), Python {platform.python_version()}"
    )


def lines(command: list[str], longest_s: float) -> Iterator[str]:
    """What a part says, line by line; RuntimeError where it fails, or takes too long."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    came: queue.Queue[str | None] = queue.Queue()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            came.put(line)
        came.put(None)

    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    until = time.monotonic() + longest_s
    try:
        while (line := came.get(timeout=max(until - time.monotonic(), 0.01))) is not None:
            yield line
        if process.wait(10):
            raise RuntimeError(f"ended with {process.returncode}")
    except queue.Empty:
        raise RuntimeError(f"had not ended after {longest_s:.0f} s") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        listening.join(5)
        if process.stdout is not None and not listening.is_alive():
            process.stdout.close()


def run(part: str, more: list[str], longest_s: float) -> list[Row]:
    """A part's rows; one more that says so where it fails."""
    found: list[Row] = []
    began = time.monotonic()
    try:
        for line in lines([sys.executable, "-m", *PARTS[part], *more], longest_s):
            row = taken(line)
            if row is not None:
                found.append(row)
    except RuntimeError as error:
        found.append(Row(f"({part}: {error})"))
    say(f"{part}: {time.monotonic() - began:.0f} s")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="make bench ARGS=...")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="small inputs, one run each")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    where, began = machine(), time.monotonic()
    rows: list[Row] = []
    for part in options.parts or PARTS:
        rows += run(part, QUICK[part] if options.quick else [], LONGEST_S[part])
    took = f"{time.monotonic() - began:.0f} s"
    print(f"{where}; {'the small form, ' if options.quick else ''}{took}.\n\n{table(rows)}")
    if not options.quick:
        print(f"\nFor README.md:\n\n{table(rows, short=True)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
