"""``make bench``, files: whole processes on the same file, in alternation, beside other programs.

What is printed are ratios of time with their spread, and of peak memory; tcpviz's own work is the
table of all connections. Programs that are not installed are named and left out.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench import generate, traffic

DPKT = """
import dpkt, sys
table = {}
for _, data in dpkt.pcap.Reader(open(sys.argv[1], "rb")):
    ip = dpkt.ethernet.Ethernet(data).data
    tcp = ip.data
    key = (ip.src, ip.dst, tcp.sport, tcp.dport)
    count, size = table.get(key, (0, 0))
    table[key] = (count + 1, size + len(tcp.data))
print(len(table))
"""


@dataclass(frozen=True)
class Run:
    seconds: float
    cpu: float
    mb: float


# A process begins as a copy of the one that starts it, and the kernel counts that into its peak:
# so a small one starts it, and not this one, which has made captures.
_SMALL = """
import os, sys, time
null = os.open(os.devnull, os.O_RDWR)
began = time.perf_counter()
files = [(os.POSIX_SPAWN_DUP2, null, number) for number in (0, 1, 2)]
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=files)
_, status, usage = os.wait4(pid, 0)
took = time.perf_counter() - began
code = os.waitstatus_to_exitcode(status)
print(code, took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""


def once(command: list[str]) -> Run:
    """One run of a process; its output is thrown away. Raises SystemExit if it fails."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _SMALL, *command],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    code, seconds, cpu, peak = done.stdout.split()
    if int(code):
        raise SystemExit(f"bench: {' '.join(command)} ended with {code}")
    unit = 1e6 if sys.platform == "darwin" else 1024
    return Run(float(seconds), float(cpu), int(peak) / unit)


def peers(path: str) -> dict[str, list[str]]:
    """The others' commands, by name; whichever are installed."""
    commands = {
        "tshark -q -z conv,tcp": ["tshark", "-n", "-r", path, "-q", "-z", "conv,tcp"],
        "tcptrace -n -l -b": ["tcptrace", "-n", "-l", "-b", path],
        "argus, ra": ["sh", "-c", f"argus -X -r '{path}' -w - | ra -n -r - >/dev/null"],
        "capinfos": ["capinfos", path],
        "tcpdump -w /dev/null": ["tcpdump", "-n", "-r", path, "-w", "/dev/null"],
        "dpkt, a dict": [sys.executable, "-c", DPKT, path],
    }
    there = {}
    for name, command in commands.items():
        program = "argus" if name.startswith("argus") else command[0]
        found = shutil.which(program) is not None
        if name.startswith("dpkt"):
            found = subprocess.run([sys.executable, "-c", "import dpkt"], capture_output=True)
            found = found.returncode == 0
        if found:
            there[name] = command
        else:
            print(f"  {name}: not installed")
    return there


def tcpviz(path: str) -> list[str]:
    return [sys.executable, "-m", "tcpviz", "read", path, "--text"]


def middle(values: list[float]) -> str:
    return f"{statistics.median(values):6.2f} ({min(values):.2f}..{max(values):.2f})"


def compare(path: Path, runs: int) -> None:
    """A line for each peer: the ratio of the times, and of the memories."""
    mine = tcpviz(str(path))
    once(mine)
    others = peers(str(path))
    print(f"  {'against':22} {'time, ratio':22} {'CPU':>6} {'memory':>7}   seconds      MB")
    for name, command in others.items():
        once(command)
        pairs = [(once(mine), once(command)) for _ in range(runs)]
        mid = statistics.median
        cpu = mid(a.cpu / max(b.cpu, 1e-3) for a, b in pairs)
        memory = mid(a.mb / b.mb for a, b in pairs)
        a, b = (mid(pair[side].seconds for pair in pairs) for side in (0, 1))
        big, small = (mid(pair[side].mb for pair in pairs) for side in (0, 1))
        times = middle([a.seconds / b.seconds for a, b in pairs])
        print(
            f"  {name:22} {times:22} {cpu:6.2f} {memory:7.2f}   {a:5.2f}/{b:<5.2f} "
            f"{big:5.0f}/{small:<5.0f}",
            flush=True,
        )


def growth(folder: Path, packets: list[int]) -> None:
    """Cost a packet and memory as files grow: in ever more connections, and in one."""
    print(f"  {'packets':>10} {'connections':>12} {'ns a packet':>12} {'MB':>6}")
    for count in packets:
        for name, make in (("many", generate.connections), ("one", generate.stream)):
            path = folder / f"{name}.pcap"
            many = max(count // 10, 1)
            there = make(path, many if name == "many" else count)
            run = min((once(tcpviz(str(path))) for _ in range(2)), key=lambda r: r.cpu)
            flows = many if name == "many" else 1
            print(
                f"  {there:10} {flows:12} {1e9 * run.cpu / there:12.0f} {run.mb:6.0f}", flush=True
            )
            path.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--visits", type=int, default=130_000, help="connections of the first file")
    parser.add_argument("--packets", type=int, default=1_000_000, help="of the others")
    parser.add_argument("--most", type=int, default=1_000_000, help="packets to grow to")
    options = parser.parse_args()
    inputs: dict[str, tuple[Callable[..., int], int]] = {
        "visits, as of a web server": (generate.visits, options.visits),
        "SYNs, each of another connection": (generate.syns, options.packets),
        "one long flow": (generate.stream, options.packets),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.pcap"
        for name, (make, count) in inputs.items():
            there = make(path, count)
            print(f"{name}: {there} packets, {path.stat().st_size >> 20} MB")
            compare(path, options.runs)
        for name, programs, capture in (
            ("nginx and wrk", ("nginx", "wrk"), traffic.web),
            ("iperf3", ("iperf3",), traffic.bulk),
        ):
            reason = traffic.missing(*programs)
            there = 0 if reason else capture(path)
            print(f"{name}: {reason or f'{there} packets, really sent'}")
            if there:
                compare(path, options.runs)
        print("growth: tcpviz read --text")
        sizes = [size for size in (10_000, 100_000, 1_000_000, 10_000_000) if size <= options.most]
        growth(Path(folder), sizes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
