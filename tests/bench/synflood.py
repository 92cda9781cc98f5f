"""A SYN flood and a port scan against a running screen: memory, processor time, keys, drops.

``python -m tests.bench.synflood [--syns 1000000] [--rate 50000] [--memory 256M]`` makes a veth
pair into a namespace of its own, runs ``tcpviz capture`` in a pseudo-terminal beside it, floods
it with SYNs of as many addresses and ports as there are SYNs, and prints what it took as JSON:
the greatest resident memory of all its processes together, what the kernel dropped, how many
connections it has counted, and how long a key took to be answered (``?`` and Esc, in
milliseconds). Needs root.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from tests.bench.flood import HEAD, SYN
from tests.bench.live import HERE, ROOT, SPACE, THERE, tree, wire
from tests.terminal.pseudo import terminal


def syns(count: int, *, scan: bool, seed: int = 1) -> np.ndarray:
    """Headers of so many SYNs: each from another address, or all from one to every port."""
    dice = np.random.default_rng(seed)
    row = np.zeros((count, HEAD), np.uint8)
    row[:, 0:6], row[:, 6:12], row[:, 12:14] = (2, 0, 0, 0, 0, 1), (2, 0, 0, 0, 0, 2), (8, 0)
    row[:, 14], row[:, 17], row[:, 22], row[:, 23] = 0x45, 40, 64, 6
    source = (
        np.full(count, 0x0A090909, ">u4")
        if scan
        else dice.integers(0x0B000000, 0xDF000000, count, dtype=np.uint32).astype(">u4")
    )
    row[:, 26:30] = source.view(np.uint8).reshape(-1, 4)
    hosts = 0x0A800001 + (np.arange(count) // 65535 if scan else np.zeros(count, np.int64))
    row[:, 30:34] = hosts.astype(">u4").view(np.uint8).reshape(-1, 4)
    ports = dice.integers(1024, 65536, count, dtype=np.uint16).astype(">u2")
    row[:, 34:36] = ports.view(np.uint8).reshape(-1, 2)
    aims = (1 + np.arange(count) % 65535 if scan else np.full(count, 80)).astype(">u2")
    row[:, 36:38] = aims.view(np.uint8).reshape(-1, 2)
    row[:, 38:42] = dice.integers(0, 256, (count, 4), dtype=np.uint8)
    row[:, 46], row[:, 47], row[:, 48] = 0x50, SYN, 0xFA
    return row


def resident(pids: list[int]) -> dict[int, int]:
    """Kilobytes of each."""
    found = {}
    for pid in pids:
        try:
            found[pid] = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4
        except OSError:
            continue
    return found


class Sampler(threading.Thread):
    """The most that the processes below ``pid`` took together, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.most, self.each, self.going = pid, 0, {}, True

    def run(self) -> None:
        while self.going:
            now = resident(tree(self.pid))
            if sum(now.values()) > self.most:
                self.most, self.each = sum(now.values()), now
            time.sleep(0.1)


FLOOD = """
import sys
from tests.bench import flood, synflood
import numpy as np
count, rate, scan = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "scan"
rows = synflood.syns(count, scan=scan)
sender = flood.Sender(sys.argv[4], rows, np.zeros(count, np.int64))
print(sender.run(rate, count / rate), sender.sent, flush=True)
"""


def measure(count: int, rate: float, memory: str, *, scan: bool) -> dict[str, object]:
    """One run; see the module."""
    with wire():
        argv = ["-m", "tcpviz", "capture", "--no-troubles", "-i", HERE, "--memory", memory]
        with terminal(argv, size=(120, 40)) as screen:
            screen.wait_for("live, following")
            sampler = Sampler(screen.pid)
            sampler.start()
            how = "scan" if scan else "flood"
            began, before = time.monotonic(), os.times()
            flood = subprocess.Popen(
                ["ip", "netns", "exec", SPACE, sys.executable, "-c", FLOOD,
                 str(count), str(rate), how, THERE],
                cwd=ROOT, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            waits: list[float] = []
            seen = len(screen.written)
            while flood.poll() is None or len(waits) < 8:
                asked = time.monotonic()
                screen.type("?")
                screen.wait_for("Esc back")
                waits.append(time.monotonic() - asked)
                asked = time.monotonic()
                screen.type("\x1b")
                screen.wait_for("live, following")
                waits.append(time.monotonic() - asked)
                until = time.monotonic() + 0.3
                while time.monotonic() < until:
                    screen.pump(0.05)
            took, written = time.monotonic() - began, len(screen.written) - seen
            sent = flood.stdout.read().split() if flood.stdout else []
            until = time.monotonic() + 3
            while time.monotonic() < until:
                screen.pump(0.1)
            sampler.going = False
            shown = screen.text
            screen.type("q")
            screen.ends()
    waits.sort()
    return {
        "what": how,
        "sent": int(sent[1]) if len(sent) > 1 else None,
        "flood_s": round(float(sent[0]), 2) if sent else None,
        "memory_mb": round(sampler.most / 1024, 1),
        "each_mb": [round(size / 1024, 1) for size in sampler.each.values()],
        "key_ms": [round(1000 * waits[len(waits) * at // 100], 1) for at in (50, 90, 99)],
        "terminal_bytes_s": int(written / took),
        "status": [line for line in shown.splitlines() if "frames" in line][-1:],
        "title": shown.splitlines()[0],
        "cpu_s": round(sum(os.times()[2:4]) - sum(before[2:4]), 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--syns", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=50_000)
    parser.add_argument("--memory", default="256M")
    parser.add_argument("--scan", action="store_true", help="a port scan only")
    options = parser.parse_args()
    made = measure(options.syns, options.rate, options.memory, scan=options.scan)
    print(json.dumps(made, indent=1), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
