"""``make bench``, the start: what it costs to be told of the options, and to see the demo begin."""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from tests.bench.files import once
from tests.bench.keytime import Quick
from tests.bench.live import cpu_s
from tests.bench.report import Row, give, say
from tests.bench.screen import SIZE, until
from tests.terminal.pseudo import Terminal


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    say("start: --help")
    pairs = []
    for _ in range(options.runs):
        told = once([sys.executable, "-m", "tcpviz", "--help"])
        nothing = once([sys.executable, "-c", "pass"])
        pairs.append(1000 * (told.cpu - nothing.cpu))
    middle = statistics.median(pairs)
    give(
        Row(
            "tcpviz --help beyond python -c pass",
            measured=f"{middle:.0f} ms of CPU ({min(pairs):.0f} to {max(pairs):.0f})",
            goal="60 ms",
            short=True,
        )
    )
    say("start: the demo's first frame")
    walls, cpus = [], []
    for _ in range(max(options.runs // 4, 1)):
        began = time.perf_counter()
        quick = Quick(Terminal(["-m", "tcpviz", "demo"], SIZE))
        try:
            until(quick, b"States")
            walls.append(time.perf_counter() - began)
            cpus.append(cpu_s(quick.terminal.pid))
        finally:
            quick.terminal.close()
    told = f"{statistics.median(walls):.2f} s, {statistics.median(cpus):.2f} s of CPU"
    give(Row("the demo's first frame", measured=told, goal="0.7 s", short=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
