"""Saving while capturing, beside ``tcpdump -w``: CPU at some rates, and the highest without a loss.

``python -m tests.bench.saving --ways=-s0,-s128 --rates 100000,200000`` sends
:mod:`tests.bench.flood`'s connections through a veth pair of its own, and has both write what
comes to a file in memory (``--place``, else /dev/shm): no disk is measured. Ours runs with ``-q``:
every connection is counted, and nothing drawn. Needs root. Nothing was lost only where the file
has every packet that was sent.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.live import HERE, ROOT, Result, Traffic, cpu_s, wire
from tests.bench.report import Row, give, say, spread

BEGINNING_S = 2.0
"""Of the traffic, before CPU is measured: until then it is found out what can be followed."""

AHEAD: list[str] = []
"""What puts both programs before all others, where the machine has other work to do."""


def run(command: list[str], out: Path, counted: str, rate: float, seconds: float) -> Result:
    """A program that saves into ``out`` and says at its end what it saw."""
    traffic = Traffic(rate, seconds + BEGINNING_S)
    with subprocess.Popen(
        [*AHEAD, *command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for _ in range(200):
            if out.exists():
                break
            time.sleep(0.05)
        time.sleep(1.5)  # until it sleeps in its loop
        told: list[tuple[int, float]] = []
        sending = threading.Thread(target=lambda: told.append(traffic.run()))
        sending.start()
        time.sleep(BEGINNING_S)
        before, began = cpu_s(process.pid), time.monotonic()
        sending.join()
        used = (cpu_s(process.pid) - before) / (time.monotonic() - began)
        sent, reached = told[0]
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    match = re.search(counted, said)
    dropped = re.search(r"(\d+)(?: packets)? dropped", said)
    lost = int(dropped.group(1)) if dropped else 0
    saved = records(out)
    seen = min(int(match.group(1)) if match else 0, saved)
    out.unlink(missing_ok=True)
    return Result(used, sent, seen, lost, reached)


def records(out: Path) -> int:
    """How many packets the file has, as capinfos or we ourselves count them."""
    if not out.exists():
        return 0
    if shutil.which("capinfos"):
        said = subprocess.run(
            ["capinfos", "-cM", str(out)], capture_output=True, text=True, check=False
        ).stdout
        found = re.search(r"Number of packets:\s*(\d+)", said)
        return int(found.group(1)) if found else 0
    from tcpviz.sources.files import open_capture

    with open_capture(str(out)) as capture:
        return sum(1 for _ in capture)


def ours(snaplen: int, place: Path) -> Callable[[float, float], Result]:
    """``tcpviz capture -q -w``."""

    def way(rate: float, seconds: float) -> Result:
        out = place / f"tcpviz-{os.getpid()}.pcapng"
        words = ["-q", "-i", HERE, "-s", str(snaplen), "-w", str(out), "--with-ssh"]
        command = [sys.executable, "-m", "tcpviz", "capture", *words]
        return run(command, out, r"(\d+) packets, ", rate, seconds)

    return way


def theirs(snaplen: int, place: Path) -> Callable[[float, float], Result]:
    """``tcpdump -w``, with as much memory for what waits."""

    def way(rate: float, seconds: float) -> Result:
        out = place / f"tcpdump-{os.getpid()}.pcap"
        words = ["-i", HERE, "-n", "-s", str(snaplen), "-B", "65536", "-w", str(out)]
        # As root, or it could not write there.
        command = ["tcpdump", "-Z", "root", *words, "tcp"]
        return run(command, out, r"(\d+) packets captured", rate, seconds)

    return way


def told(result: Result) -> str:
    lost = max(result.lost, result.sent - result.seen, 0)
    return f"{100 * result.cpu:.1f} %, " + (f"{lost} of {result.sent} LOST" if lost else "all")


def beside(snaplen: int, rates: list[float], seconds: float, runs: int, place: Path) -> None:
    """CPU of both at each rate, in alternation."""
    for rate in rates:
        pairs = []
        for _ in range(runs):
            pair = (ours(snaplen, place)(rate, seconds), theirs(snaplen, place)(rate, seconds))
            say(f"saving, -s {snaplen}, {rate:.0f}/s: {told(pair[0])} / {told(pair[1])}")
            pairs.append(pair)
        best = [min((pair[side] for pair in pairs), key=lambda r: r.cpu) for side in (0, 1)]
        give(
            Row(
                f"saving, -s {snaplen}, {rate / 1000:.0f} 000 packets/s, counted meanwhile: CPU",
                "tcpdump -w",
                spread([a.cpu / max(b.cpu, 1e-4) for a, b in pairs]),
                None,
                " / ".join(told(each) for each in best),
            )
        )


def highest(way: Callable[[float, float], Result], rates: list[float], seconds: float) -> float:
    """The highest of these rates at which all was saved; a loss is tried once more."""
    best = 0.0
    for rate in rates:
        for _ in range(2):
            found = way(rate, seconds)
            say(f"saving at {found.rate:.0f}/s: {told(found)}")
            if found.clean:
                break
        else:
            return best
        best = found.rate
        if found.rate < 0.95 * rate:
            break
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snaplens", default="128,0")
    parser.add_argument("--rates", default="20000,100000,200000")
    parser.add_argument("--search", default="", help="rates to try for the highest, rising")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--place", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--busy", action="store_true", help="others are at work: chrt -r 1")
    options = parser.parse_args()
    if options.busy:
        AHEAD[:] = ["chrt", "-r", "1"]
    missing = [name for name in ("ip", "tcpdump") if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        give(Row("(saving: needs root, ip and tcpdump)"))
        return 0
    rates = [float(each) for each in options.rates.split(",") if each]
    search = [float(each) for each in options.search.split(",") if each]
    with wire():
        for snaplen in map(int, options.snaplens.split(",")):
            beside(snaplen, rates, options.seconds, options.runs, options.place)
            if not search:
                continue
            ways = {"tcpviz": ours, "tcpdump": theirs}
            found = {
                name: highest(way(snaplen, options.place), search, options.seconds)
                for name, way in ways.items()
            }
            measured = " / ".join(f"{name} {rate:,.0f}/s" for name, rate in found.items())
            ratio = found["tcpviz"] / max(found["tcpdump"], 1.0)
            title = f"saving, -s {snaplen}, highest rate without a loss"
            give(Row(title, "tcpdump -w", (ratio,) * 3, None, measured.replace(",", " ")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
