"""``make bench``, files: whole processes on the same file, in alternation, beside other programs.

What is given are ratios of time with their spread, and of peak memory; tcpviz's own work is the
table of all connections. Each pair runs as often as its share of the time allows, once at least.
Programs that are not installed are named and left out.
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
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench import generate, grow, traffic
from tests.bench.memory import peak_mb
from tests.bench.report import Row, give, number, say, spread

MOST_RUNS = 5
LEAST_RUNS = 2
"""However long a pair takes: of one alone nobody knows what it is worth."""

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
SCAPY = """
import sys
from scapy.layers.inet import IP, TCP
from scapy.utils import PcapReader
table = {}
for packet in PcapReader(sys.argv[1]):
    ip, tcp = packet[IP], packet[TCP]
    key = (ip.src, ip.dst, tcp.sport, tcp.dport)
    count, size = table.get(key, (0, 0))
    table[key] = (count + 1, size + ip.len - 4 * ip.ihl - 4 * tcp.dataofs)
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


# An installed program has its bytecode beside it, and is not compiled anew each time.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}


def once(command: list[str]) -> Run:
    """One run of a process; its output is thrown away. Raises SystemExit if it fails."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _SMALL, *command],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    code, seconds, cpu, peak = done.stdout.split()
    if int(code):
        raise SystemExit(f"bench: {' '.join(command)} ended with {code}")
    unit = 1e6 if sys.platform == "darwin" else 1024
    return Run(float(seconds), float(cpu), int(peak) / unit)


TSHARK, TCPTRACE, ARGUS, CAPINFOS = "tshark -q -z conv,tcp", "tcptrace", "argus, ra", "capinfos"
TCPDUMP, DPKT_NAME, SCAPY_NAME = "tcpdump -w /dev/null", "dpkt, a dict", "scapy, a dict"


def peers(path: str) -> dict[str, list[str]]:
    """The others' commands, by name; whichever are installed, the others are named once."""
    commands = {
        TSHARK: ["tshark", "-n", "-r", path, "-q", "-z", "conv,tcp"],
        TCPTRACE: ["tcptrace", "-n", "-l", "-b", path],
        ARGUS: ["sh", "-c", f"argus -X -r '{path}' -w - | ra -n -r - >/dev/null"],
        CAPINFOS: ["capinfos", path],
        TCPDUMP: ["tcpdump", "-n", "-r", path, "-w", "/dev/null"],
        DPKT_NAME: [sys.executable, "-c", DPKT, path],
        SCAPY_NAME: [sys.executable, "-c", SCAPY, path],
    }
    there = {}
    for name, command in commands.items():
        program = "argus" if name == ARGUS else command[0]
        found = shutil.which(program) is not None
        if name in (DPKT_NAME, SCAPY_NAME):
            module = name.split(",")[0]
            tried = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True)
            found = tried.returncode == 0
        if found:
            there[name] = command
        elif name not in _TOLD:
            _TOLD.add(name)
            give(Row(f"({name}: not installed)"))
    return there


_TOLD: set[str] = set()


def tcpviz(path: str, *how: str) -> list[str]:
    return [sys.executable, "-m", "tcpviz", "read", path, *(how or ("--text",))]


def outputs(what: str, path: Path) -> None:
    """What each other way of writing the table costs, beside the text."""
    text = min((once(tcpviz(str(path))) for _ in range(2)), key=lambda run: run.seconds)
    for how in ("--csv", "--json", "--parquet"):
        say(f"  {what}, {how}")
        more = (how, str(path.with_suffix(".parquet"))) if how == "--parquet" else (how,)
        try:
            run = once(tcpviz(str(path), *more))
        except SystemExit as error:
            give(Row(f"({error})"))
            continue
        ratio = run.seconds / text.seconds
        told = f"{run.seconds:.2f} s ({run.cpu:.2f} of CPU), {run.mb:.0f} MB"
        give(Row(f"{what}, {how}", "--text", (ratio, ratio, ratio), run.mb / text.mb, told))


def compare(name: str, path: Path, goals: dict[str, str], share_s: float, *, short: bool) -> None:
    """A row for each peer in ``goals``: the ratio of the times, and of the memories.

    ``share_s``: seconds that one pair may take; no third run begins that would go beyond it.
    """
    mine = tcpviz(str(path))
    # A process's own peak says nothing of those that it begins.
    together = max(once(mine).mb, peak_mb(mine, ENVIRONMENT))
    others = peers(str(path))
    for peer, goal in goals.items():
        if peer not in others:
            continue
        say(f"  {name} beside {peer}")
        began = time.monotonic()
        pairs: list[tuple[Run, Run]] = []
        while len(pairs) < MOST_RUNS:
            passed = time.monotonic() - began
            if len(pairs) >= LEAST_RUNS and passed * (len(pairs) + 1) / len(pairs) > share_s:
                break
            try:
                pairs.append((replace(once(mine), mb=together), once(others[peer])))
            except SystemExit as error:
                give(Row(f"{name}: {error}", peer))
                break
        if pairs:
            give(_row(name, peer, goal, pairs, short=short))


def beside(name: str, path: Path, goals: dict[str, str], share_s: float) -> None:
    """The same, each of ours beside one of every peer's: for what takes us long.

    ``share_s``: seconds for all of them; two rounds at least.
    """
    mine = tcpviz(str(path))
    together = peak_mb(mine, ENVIRONMENT, runs=1)
    others = {peer: command for peer, command in peers(str(path)).items() if peer in goals}
    pairs: dict[str, list[tuple[Run, Run]]] = {peer: [] for peer in others}
    say(f"  {name} beside {', '.join(others)}")
    began, rounds = time.monotonic(), 0
    while rounds < MOST_RUNS:
        passed = time.monotonic() - began
        if rounds >= LEAST_RUNS and passed * (rounds + 1) / rounds > share_s:
            break
        ours, rounds = once(mine), rounds + 1
        ours = replace(ours, mb=max(together, ours.mb))
        for peer, command in others.items():
            pairs[peer].append((ours, once(command)))
    for peer, found in pairs.items():
        give(_row(name, peer, goals[peer], found, short=False))


def sent(path: Path, packets: int, share_s: float) -> None:
    """What kernels really sent, as far as the programs for it are there; about so many packets."""
    for name, (capture, part, programs) in traffic.SENT.items():
        say(f"files: traffic of {name}")
        reason, count = traffic.missing(*programs), 0
        if not reason:
            try:
                count = capture(path, int(part * packets))
                reason = "" if count else "nothing was captured"
            except subprocess.CalledProcessError as error:
                reason = f"{' '.join(map(str, error.cmd))} ended with {error.returncode}"
        if reason:
            give(Row(f"({name}: {reason})"))
            continue
        goals = dict.fromkeys((TSHARK, TCPTRACE, ARGUS, CAPINFOS), "")
        beside(f"{many(count)} packets of {name}, really sent", path, goals, share_s)


def _row(name: str, peer: str, goal: str, pairs: list[tuple[Run, Run]], *, short: bool) -> Row:
    mid = statistics.median
    ours, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    figures = " / ".join(
        f"{mid([r.seconds for r in runs]):.2f} s ({mid([r.cpu for r in runs]):.2f} of CPU), "
        f"{mid([r.mb for r in runs]):.0f} MB"
        for runs in (ours, theirs)
    )
    cpu = mid([a.cpu / max(b.cpu, 1e-3) for a, b in pairs])
    return Row(
        name,
        peer,
        spread([a.seconds / b.seconds for a, b in pairs]),
        mid([a.mb / b.mb for a, b in pairs]),
        f"{figures}; CPU {number(cpu)}, {len(pairs)} times",
        goal,
        short,
    )


def growth(folder: Path, packets: list[int]) -> None:
    """Cost a packet and memory as files grow: in ever more connections, and in one."""
    path = folder / "growth.pcap"
    grow.many(path, 2)
    start = min(once(tcpviz(str(path))).cpu for _ in range(4))
    for count in packets:
        for in_many in (True, False):
            flows = max(count // 10, 1) if in_many else 1
            there = grow.many(path, flows) if in_many else grow.one(path, count)
            say(f"  growth: {there} packets in {flows} connections")
            run = min(
                (once(tcpviz(str(path))) for _ in range(1 if count > 5_000_000 else 2)),
                key=lambda r: r.cpu,
            )
            together = max(run.mb, peak_mb(tcpviz(str(path)), ENVIRONMENT))
            path.unlink()
            words = f"{grouped(there)} packets in {grouped(flows)} connection{'s' * in_many}"
            cost = 1e6 * max(run.cpu - start, 0) / there
            told = (
                f"{cost:.2f} us of CPU a packet beyond the start's {start:.2f} s, {together:.0f} MB"
            )
            give(Row(words, measured=told, goal="flat a packet", short=count >= 1_000_000))


def grouped(count: int) -> str:
    return f"{count:,}".replace(",", " ")


def many(count: int) -> str:
    """In millions where there are so many."""
    return f"{count / 1e6:.1f} M" if count >= 950_000 else grouped(count)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=10, help="seconds for each pair")
    parser.add_argument("--visits", type=int, default=130_000, help="connections of the first file")
    parser.add_argument("--packets", type=int, default=1_000_000, help="of the others")
    parser.add_argument("--most", type=int, default=10_000_000, help="packets to grow to")
    parser.add_argument("--growth", action="store_true", help="that alone")
    parser.add_argument("--sent", action="store_true", help="what kernels really send, alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.growth:
            sizes = (10_000, 100_000, 1_000_000, 10_000_000)
            growth(folder, [size for size in sizes if size <= options.most])
            return 0
        path = folder / "bench.pcap"
        if options.sent:
            sent(path, options.packets, 2 * options.share)
            return 0
        say("files: making visits, as of a web server")
        count = generate.visits(path, options.visits)
        what = f"{many(count)} packets in {many(options.visits)} connections"
        goals = {TSHARK: "0.10, memory 0.20", TCPTRACE: "0.30", ARGUS: "1.0", CAPINFOS: "1.3",
                 TCPDUMP: "", DPKT_NAME: ""}  # fmt: skip
        compare(what, path, goals, options.share, short=True)
        outputs(what, path)
        if shutil.which("editcap"):
            other = folder / "bench.pcapng"
            subprocess.run(["editcap", "-F", "pcapng", path, other], check=True)
            compare("the same as pcapng", other, {TSHARK: ""}, options.share / 2, short=False)
            other.unlink()
        small = folder / "small.pcap"
        count = generate.visits(small, max(options.visits // 40, 500))
        compare(f"{many(count)} packets like it", small, {SCAPY_NAME: ""},
                options.share, short=False)  # fmt: skip
        say("files: making SYNs")
        count = generate.syns(path, options.packets)
        goals = {TSHARK: "0.12, memory 0.20", ARGUS: ""}
        if count < 500_000:  # of a million it takes 27 s and 8 GB
            goals[TCPTRACE] = ""
        compare(f"{many(count)} SYNs, each another connection", path, goals, options.share,
                short=True)  # fmt: skip
        count = grow.one(path, options.packets)
        compare(f"{many(count)} packets in one flow", path,
                {TSHARK: "0.06", TCPTRACE: "near 1", ARGUS: "", CAPINFOS: ""}, options.share,
                short=True)  # fmt: skip
        sent(path, options.packets, 2 * options.share)
    return 0


if __name__ == "__main__":
    sys.exit(main())
