"""``make bench``, live: CPU beside ``tcpdump -w`` in the same run, and the highest rates of both.

The traffic is :mod:`tests.bench.flood`'s, from a network namespace made for it through a veth
pair. Needs root; takes both ends away again. CPU is that of the whole process tree, kernel's
work on its behalf included, from a second after the traffic's start to its end.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.flood import INSIDE as FORMS
from tests.bench.report import Row, give, say, spread

ROOT = Path(__file__).resolve().parents[2]
_OWN = os.getpid() % 1_000_000
SPACE, HERE, THERE = f"tcpvizbench{_OWN}", f"tvbench{_OWN}a", f"tvbench{_OWN}b"
"""Names of our own: somebody else may measure, or have been killed, in the same place."""
INSIDE = ""
"""What is around the traffic, and for a VXLAN the words that let it through: ``--inside``."""
BEGINNING_S = 1.0
"""Of the traffic, before its CPU is measured: until then it is found out what can be followed."""


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

    # Whoever ends us takes both away as well.
    former = signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
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
        signal.signal(signal.SIGTERM, former)


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
        command += ["--inside", INSIDE]
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


def words() -> list[str]:
    """A filter that lets the traffic through."""
    vlans = ["vlan", "and", "vlan", "and", "tcp"]
    return {"vxlan": ["udp", "port", "4789"], "vlans": vlans}.get(INSIDE, ["tcp"])


def tcpdump(rate: float, seconds: float) -> Result:
    # As much memory for what waits as ours has.
    command = ["tcpdump", "-i", HERE, "-n", "-s", "128", "-B", "65536", "-w", "/dev/null"]
    command += words()
    return plain(command, "listening on", r"(\d+) packets received", rate, seconds)


def on_screen(rate: float, seconds: float, size: tuple[int, int] = (120, 40)) -> Result:
    """The program as a person has it, on a pseudo-terminal.

    While traffic comes its bytes are only counted: an emulator would take a core of its own.
    """
    from tests.bench.keytime import Quick
    from tests.terminal.pseudo import Terminal

    traffic = Traffic(rate, seconds + BEGINNING_S)
    command = ["-m", "tcpviz", "capture", "--no-troubles", "--with-ssh", "-i", HERE]
    terminal = Terminal(command + (words() if INSIDE == "vxlan" else []), size)
    try:
        terminal.wait_for("Connections")
        quick = Quick(terminal)
        quick.watch(1.5)
        told: list[tuple[int, float]] = []
        sending = threading.Thread(target=lambda: told.append(traffic.run()))
        sending.start()
        quick.watch(BEGINNING_S)
        before, began = cpu_s(terminal.pid), time.monotonic()
        while sending.is_alive():
            quick.read(0.05)
        used = (cpu_s(terminal.pid) - before) / (time.monotonic() - began)
        sent, reached = told[0]
        quick.watch(1.5)
        # Esc closes the sheet of troubles, which comes by itself; anew: all of it is drawn.
        terminal.type("\x1b")
        quick.watch(0.3)
        terminal.resize(size[0] - 1, size[1])
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            terminal.pump(0.1)
        text = terminal.text
        counted = re.search(r"([\d ]+) frames", text)
        dropped = re.search(r"([\d ]+) DROPPED", text)
        seen = int(counted.group(1).replace(" ", "")) if counted else 0
        lost = int(dropped.group(1).replace(" ", "")) if dropped else 0
        return Result(used, sent, seen, lost, reached)
    finally:
        terminal.type("q")
        terminal.close()


def told(found: Sequence[Result]) -> str:
    """CPU, and what was lost, of some runs."""
    cpu = statistics.median(r.cpu for r in found)
    lost = sum(max(r.lost, r.sent - r.seen, 0) for r in found)
    return f"{100 * cpu:.1f} % of a core, " + (f"{lost} LOST" if lost else "nothing lost")


def beside(rate: float, seconds: float, runs: int, deadline: float) -> None:
    """CPU at one rate, in alternation."""
    pairs: list[tuple[Result, Result]] = []
    while len(pairs) < runs and (not pairs or time.monotonic() < deadline):
        say(f"live: {rate:.0f} packets/s, {len(pairs) + 1}")
        pairs.append((on_screen(rate, seconds), tcpdump(rate, seconds)))
    give(
        Row(
            f"live, {rate / 1000:.0f} 000 packets/s, states kept and screen on: CPU"
            + (f" ({INSIDE})" if INSIDE else ""),
            "tcpdump -w",
            spread([a.cpu / max(b.cpu, 1e-4) for a, b in pairs]),
            None,
            " / ".join(told([pair[side] for pair in pairs]) for side in (0, 1)),
            "8, nothing lost",
            True,
        )
    )


def highest(way: Callable[[float, float], Result], most: float, seconds: float) -> Result | None:
    """The highest rate without a loss, to a tenth; None where even the lowest has one.

    Where the generator has no more, what it had.
    """
    low: Result | None = None
    rate, top = 100_000.0, most
    while rate <= top * 1.01:
        found = way(rate, seconds)
        say(f"live: {way.__name__} at {found.rate:.0f}: {found.lost} lost, {found.seen} seen")
        if not found.clean:
            top = rate
            break
        low = found
        if found.rate < 0.95 * rate:
            return found  # all that there is to be had
        rate *= 1.6
    if low is None:
        return None
    while top / low.rate > 1.12:
        found = way((top * low.rate) ** 0.5, seconds)
        say(f"live: {way.__name__} at {found.rate:.0f}: {found.lost} lost, {found.seen} seen")
        if found.clean and found.rate > low.rate:
            low = found
        else:
            top = min(top, found.rate) if not found.clean else low.rate
    return low


def search(most: float, seconds: float) -> None:
    """The highest rates without a loss."""
    ours, theirs = highest(on_screen, most, seconds), highest(tcpdump, most, seconds)
    if ours is None or theirs is None:
        give(Row("live, highest rate without a loss", measured="lost some at 100 000/s already"))
        return
    ratio = ours.rate / theirs.rate
    give(
        Row(
            "live, highest rate without a loss (more is better)",
            "tcpdump -w",
            (ratio, ratio, ratio),
            None,
            f"{ours.rate:,.0f}/s / {theirs.rate:,.0f}/s".replace(",", " "),
            "0.8 at least",
            True,
        )
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rates", default="200000")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--most", type=float, default=1_000_000, help="0: no search")
    parser.add_argument("--share", type=float, default=40, help="seconds for each rate")
    parser.add_argument("--inside", choices=FORMS, default="", help="what is around the traffic")
    options = parser.parse_args()
    global INSIDE
    INSIDE = options.inside
    missing = [name for name in ("ip", "tcpdump") if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        why = f"{', '.join(missing)} not installed" if missing else "needs root"
        give(Row(f"(live: {why})"))
        return 0
    with wire():
        for rate in options.rates.split(","):
            beside(float(rate), options.seconds, options.runs, time.monotonic() + options.share)
        if options.most:
            search(options.most, min(options.seconds, 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
