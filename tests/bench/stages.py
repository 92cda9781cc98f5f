"""``make bench``: where the time goes, from the file's bytes to the connections' states.

Each stage includes those above it, on the same capture in one process; the
peak memory is the process's so far, in MB.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tcpviz.core.tracker import Tracker
from tcpviz.sources.files import FileFeed, open_capture
from tests.bench.generate import connections


def read(path: Path) -> int:
    with open_capture(str(path)) as capture:
        return sum(1 for _ in capture)


def decode(path: Path) -> int:
    return sum(len(batch) for batch in FileFeed(str(path)).batches())


def follow(path: Path) -> int:
    tracker = Tracker()
    count = 0
    for batch in FileFeed(str(path)).batches():
        for record in batch:
            tracker.feed(record)
            count += 1
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000)
    options = parser.parse_args()
    stages: dict[str, Callable[[Path], int]] = {
        "read frames": read,
        "... and decode": decode,
        "... and follow": follow,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.pcap"
        packets = connections(path, options.connections)
        print(f"{packets} packets in {options.connections} connections")
        for name, stage in stages.items():
            began = time.perf_counter()
            if stage(path) != packets:
                sys.exit(f"bench: {name}: not every packet came through")
            took = time.perf_counter() - began
            unit = 1 if sys.platform == "darwin" else 1024
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
            print(f"{name:16} {packets / took:12,.0f} packets/s {peak:8.0f} MB at most so far")
    return 0


if __name__ == "__main__":
    sys.exit(main())
