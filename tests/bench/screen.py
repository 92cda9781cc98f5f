"""``make bench``, on the screen: CPU, bytes and the time from a key to the screen.

In a real pseudo-terminal, 120x40, with the program in it as a person has it. CPU is the process
tree's, bytes are what it writes to the terminal; the time to the screen is taken from a key that
moves the selection to the first byte that comes after it, while a big file is read or a storm of
packets comes in, and while nothing happens.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.generate import connections
from tests.bench.live import HERE, Traffic, cpu_s, wire
from tests.terminal.pseudo import Terminal

SSH = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}


def settle(terminal: Terminal, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        terminal.pump(0.05)


def cost(terminal: Terminal, seconds: float) -> tuple[float, float]:
    """(share of a core, bytes a second) for so long."""
    before, size, began = cpu_s(terminal.pid), len(terminal.written), time.monotonic()
    settle(terminal, seconds)
    passed = time.monotonic() - began
    return (cpu_s(terminal.pid) - before) / passed, (len(terminal.written) - size) / passed


def keys(terminal: Terminal, count: int, going: Callable[[], bool] = lambda: True) -> list[float]:
    """Seconds from each of ``count`` keys to what it changes on the screen."""
    took = []
    for number in range(count):
        if not going():
            break
        # What is on its way is not the answer: wait until the title's heavy line has moved.
        before = terminal.screen.display[0]
        began = time.perf_counter()
        terminal.type("\t")
        while terminal.screen.display[0] == before and time.perf_counter() - began < 2:
            terminal.pump(0.001)
        took.append(time.perf_counter() - began)
        settle(terminal, 0.02 + 0.01 * (number % 7))
    return took


def told(took: list[float]) -> str:
    if not took:
        return "none"
    took = sorted(took)
    at99 = took[min(len(took) - 1, int(0.99 * len(took)))]
    return (
        f"{1000 * statistics.median(took):5.0f} ms, 99 of 100 {1000 * at99:5.0f} ms ({len(took)})"
    )


def file_rows(path: Path, size: tuple[int, int]) -> None:
    began = time.perf_counter()
    terminal = Terminal(["-m", "tcpviz", "read", str(path)], size)
    try:
        terminal.wait_for("10.128.0.1:80")
        rows = time.perf_counter() - began
        cpu = cpu_s(terminal.pid)
        print(f"first rows of {path.stat().st_size >> 20} MB: {rows:.2f} s, {cpu:.2f} s of CPU")
        ends = time.perf_counter() + 8

        def going() -> bool:
            return time.perf_counter() < ends

        print(f"key to screen while it is read:   {told(keys(terminal, 60, going))}")
    finally:
        terminal.close()


def idle(path: Path, size: tuple[int, int]) -> None:
    terminal = Terminal(["-m", "tcpviz", "read", str(path)], size)
    try:
        terminal.wait_for("10.128.0.1:80")
        settle(terminal, 4)
        share, octets = cost(terminal, 10)
        print(f"idle on a file: {100 * share:.2f} % of a core, {octets:.0f} bytes/s")
        print(f"key to screen when idle:          {told(keys(terminal, 60))}")
    finally:
        terminal.close()


def live(size: tuple[int, int], rate: float, env: dict[str, str], name: str) -> None:
    with wire():
        traffic = Traffic(rate, 12, together=200)
        words = ["-m", "tcpviz", "capture", "--with-ssh", "-i", HERE]
        terminal = Terminal(words, size, env=env)
        try:
            terminal.wait_for("Connections")
            settle(terminal, 2)
            share, octets = cost(terminal, 6)
            print(f"{name}: waiting {100 * share:.2f} % of a core, {octets:.0f} bytes/s", end="; ")
            thread = threading.Thread(target=traffic.run)
            thread.start()
            settle(terminal, 1)
            share, octets = cost(terminal, 6)
            print(f"{rate:.0f}/s {100 * share:.1f} %, {octets / 1000:.1f} KB/s", flush=True)
            pressed = keys(terminal, 60, thread.is_alive)
            print(f"key to screen at {rate:.0f} packets/s:  {told(pressed)}")
            thread.join()
        finally:
            terminal.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=20_000)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    size = (120, 40)
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "big.pcap", Path(folder) / "small.pcap"
        connections(small, 50)
        if options.only in ("", "file"):
            connections(path, options.connections)
            file_rows(path, size)
        if options.only in ("", "idle"):
            idle(small, size)
    if os.geteuid() != 0:
        print("live: needs root; left out")
        return 0
    if options.only in ("", "live"):
        live(size, 1000, {}, "following")
        live(size, 1000, SSH, "over SSH ")
        live(size, 100_000, {}, "storm    ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
