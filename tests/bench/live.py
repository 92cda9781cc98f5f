"""``make bench``, live: CPU and drops at rising rates, beside ``tcpdump -w`` in the same run.

The traffic is :mod:`tests.bench.flood`'s, from a network namespace made for it through a veth
pair. Needs root; takes both ends away again. CPU is that of the whole process tree, kernel's
work on its behalf included, from the start of the traffic to its end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPACE, HERE, THERE = "tcpvizbench", "tvbench0", "tvbench1"
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Result:
    """``cpu`` as a share of one core; ``lost`` of the packets sent."""

    cpu: float
    sent: int
    seen: int
    lost: int
    rate: float

    @property
    def clean(self) -> bool:
        return self.lost == 0 and self.seen >= self.sent


@contextlib.contextmanager
def wire() -> Iterator[None]:
    """A veth pair whose far end is in a namespace of its own."""

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, stderr=subprocess.DEVNULL)

    with contextlib.suppress(subprocess.CalledProcessError):
        ip("netns", "del", SPACE)
    ip("netns", "add", SPACE)
    try:
        ip("link", "add", HERE, "type", "veth", "peer", "name", THERE)
        ip("link", "set", THERE, "netns", SPACE)
        quiet = f"/proc/sys/net/ipv6/conf/{HERE}/disable_ipv6"
        with contextlib.suppress(OSError):
            Path(quiet).write_text("1")
        ip("link", "set", HERE, "up")
        ip("-n", SPACE, "link", "set", THERE, "up")
        yield
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("link", "del", HERE)
        with contextlib.suppress(subprocess.CalledProcessError):
            ip("netns", "del", SPACE)


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for at in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{at}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def cpu_s(pid: int) -> float:
    """CPU seconds of a process tree so far, to a nanosecond where the scheduler tells."""
    total = 0.0
    for each in tree(pid):
        with contextlib.suppress(OSError, ValueError):
            for task in Path(f"/proc/{each}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0]) / 1e9
    return total


class Traffic:
    """The generator, ready to begin."""

    def __init__(self, rate: float, seconds: float, together: int = 2000) -> None:
        command = ["nice", "-n", "-10", "ip", "netns", "exec", SPACE, sys.executable]
        command += ["-m", "tests.bench.flood", THERE, "--rate", str(rate)]
        command += ["--seconds", str(seconds), "--open", str(together), "--wait"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def run(self) -> tuple[int, float]:
        """Packets sent, and the rate that was reached."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        self.process.wait()
        return told["sent"], told["sent"] / told["seconds"]


def plain(command: list[str], ready: str, counted: str, rate: float, seconds: float) -> Result:
    """A program that says on standard error when it captures, and at its end what it saw."""
    traffic = Traffic(rate, seconds)
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        if ready:
            for line in process.stderr:
                if ready in line:
                    break
        time.sleep(1.0)  # until it sleeps in its loop
        before = cpu_s(process.pid)
        sent, reached = traffic.run()
        time.sleep(0.3)
        used = cpu_s(process.pid) - before
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    match = re.search(counted, said)
    seen = int(match.group(1)) if match else 0
    dropped = re.search(r"(\d+)(?: packets)? dropped", said)
    lost = int(dropped.group(1)) if dropped else 0
    return Result(used / (sent / reached), sent, seen, lost, reached)


def tcpdump(rate: float, seconds: float) -> Result:
    command = ["tcpdump", "-i", HERE, "-n", "-s", "128", "-w", "/dev/null", "tcp"]
    return plain(command, "listening on", r"(\d+) packets captured", rate, seconds)


def headless(rate: float, seconds: float) -> Result:
    command = [sys.executable, "-m", "tcpviz", "capture", "-i", HERE, "--json"]
    return plain(command, "", r"(\d+) packets,", rate, seconds)


def on_screen(rate: float, seconds: float, size: tuple[int, int] = (120, 40)) -> Result:
    """The program as a person has it, on a pseudo-terminal."""
    from tests.terminal.pseudo import Terminal

    traffic = Traffic(rate, seconds)
    terminal = Terminal(["-m", "tcpviz", "capture", "-i", HERE], size)
    try:
        terminal.wait_for("Connections")
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            terminal.pump(0.1)
        before = cpu_s(terminal.pid)
        import threading

        told: list[tuple[int, float]] = []
        sending = threading.Thread(target=lambda: told.append(traffic.run()))
        sending.start()
        while sending.is_alive():
            terminal.pump(0.05)
        used = cpu_s(terminal.pid) - before
        sent, reached = told[0]
        until = time.monotonic() + 2.0
        while time.monotonic() < until:
            terminal.pump(0.1)
        text = terminal.text
        (Path("/tmp") / "bench-screen.txt").write_text(text)
        counted = re.search(r"([\d ]+) frames", text)
        dropped = re.search(r"([\d ]+) dropped", text)
        seen = int(counted.group(1).replace(" ", "")) if counted else 0
        lost = int(dropped.group(1).replace(" ", "")) if dropped else 0
        return Result(used / (sent / reached), sent, seen, lost, reached)
    finally:
        terminal.type("q")
        terminal.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", default="20000,100000,200000")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("ip") is None:
        print("live: needs root and ip; left out")
        return 0
    ways = {"tcpdump -w": tcpdump, "tcpviz --json": headless, "tcpviz, screen": on_screen}
    print(f"{'way':16} {'rate':>9} {'CPU %':>7} {'seen of sent':>20} {'dropped':>9}")
    with wire():
        for rate in options.rates.split(","):
            for name, way in ways.items():
                if options.only and options.only not in name:
                    continue
                r = way(float(rate), options.seconds)
                print(
                    f"{name:16} {r.rate:9,.0f} {100 * r.cpu:7.1f} "
                    f"{r.seen:>9}/{r.sent:<10} {r.lost:9}",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
