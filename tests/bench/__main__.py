"""``make bench``: everything that is measured, one table each; ``--quick`` for a small form.

Ratios hold on any machine, seconds on this one only; run it when nothing else runs.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import time
from pathlib import Path

PARTS = {
    "files": [["tests.bench.files"]],
    "live": [["tests.bench.live", "--rates", "20000,100000,200000,400000"]],
    "screen": [["tests.bench.screen"]],
    "stages": [["tests.bench.stages"]],
}
QUICK = {
    "files": [
        "tests.bench.files",
        *("--runs", "1", "--visits", "3000", "--packets", "30000", "--most", "100000"),
    ],
    "live": ["tests.bench.live", "--rates", "20000", "--seconds", "2"],
    "screen": ["tests.bench.screen", "--connections", "3000", "--only", "file"],
    "stages": ["tests.bench.stages", "--connections", "1000"],
}


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, prog="make bench ARGS=...")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--quick", action="store_true", help="small inputs, one run each")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    print(time.strftime("%Y-%m-%d"), platform.system(), platform.release(), end=", ")
    print(f"{processor()}, Python {platform.python_version()}")
    failed = 0
    for part in options.parts or PARTS:
        print(f"\n== {part}", flush=True)
        commands = [QUICK[part]] if options.quick else PARTS[part]
        for command in commands:
            done = subprocess.run([sys.executable, "-m", *command], check=False)
            failed = failed or done.returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
