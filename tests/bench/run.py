"""``make bench``: tcpviz beside other programs on the same file in the same run.

Each pair runs in alternation; what is printed are ratios of whole processes
(imports included) with their spread, and the peak memory of each. Programs
that are not installed are named and left out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.generate import connections


def once(command: list[str]) -> tuple[float, float, float]:
    """(seconds, CPU seconds, peak MB) of one run; its output is thrown away."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench: {' '.join(command)} ended with {process.returncode}")
    wall = time.perf_counter() - began
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder) / "bench.pcap"
        packets = connections(capture, options.connections)
        mine = [sys.executable, "-m", "tcpviz", "read", str(capture), "--json"]
        others = {
            "tshark -q -z conv,tcp": ["tshark", "-n", "-r", str(capture), "-q", "-z", "conv,tcp"],
            "capinfos": ["capinfos", str(capture)],
            "tcptrace": ["tcptrace", "-n", "-l", "-b", str(capture)],
            "tcpdump -w /dev/null": ["tcpdump", "-r", str(capture), "-w", "/dev/null"],
        }
        print(f"{packets} packets in {options.connections} connections, {options.runs} runs each")
        print(f"{'against':24} {'time ratio (min..max)':26} {'seconds':16} {'peak MB':14}")
        once(mine)
        for name, command in others.items():
            if shutil.which(command[0]) is None:
                print(f"{name:24} not installed")
                continue
            once(command)
            pairs = [(once(mine), once(command)) for _ in range(options.runs)]
            ratios = [a[0] / b[0] for a, b in pairs]
            mid = statistics.median
            print(
                f"{name:24} {mid(ratios):6.2f} ({min(ratios):.2f}..{max(ratios):.2f})".ljust(52)
                + f"{mid(a[0] for a, _ in pairs):.2f} / {mid(b[0] for _, b in pairs):.2f}".ljust(17)
                + f"{mid(a[2] for a, _ in pairs):.0f} / {mid(b[2] for _, b in pairs):.0f}"
            )
        start = [once([sys.executable, "-m", "tcpviz", "--help"]) for _ in range(options.runs)]
        bare = [once([sys.executable, "-c", "pass"]) for _ in range(options.runs)]
        cost = statistics.median(a[1] for a in start) - statistics.median(b[1] for b in bare)
        print(f"tcpviz --help: {cost * 1000:.0f} ms of CPU more than python -c pass")
    return 0


if __name__ == "__main__":
    sys.exit(main())
