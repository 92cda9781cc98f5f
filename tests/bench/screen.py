"""``make bench``, on the screen: CPU, bytes and the time from a key to the screen.

In a real pseudo-terminal, 120x40, with the program in it as a person has it. CPU is the process
tree's, bytes are what it writes to the terminal; a key's time is :mod:`tests.bench.keytime`'s,
while nothing happens, while a file is read, while a thousand segments a second are followed, and
in a storm. Until rows can be scrolled it is timed beside termshark.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench import generate, grow
from tests.bench.files import many
from tests.bench.keytime import Quick, Took
from tests.bench.live import HERE, Traffic, cpu_s, tree, wire
from tests.bench.report import Row, give, say, spread
from tests.terminal.pseudo import Terminal

SIZE = (120, 40)
SSH = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}
_ROWS = b"10.128.0.1"
_READING = "reading, "
PATIENCE_S = 240
"""The longest that a file may take to be all there; termshark takes a minute for the first one."""


def program(*words: str, env: dict[str, str] | None = None) -> Quick:
    return Quick(Terminal(["-m", "tcpviz", *words], SIZE, env=env))


def close(quick: Quick) -> None:
    """End it, whatever it does."""
    quick.terminal.close()


def until(quick: Quick, wanted: bytes, patience_s: float = 60) -> float:
    """Seconds until these bytes have come."""
    began = time.perf_counter()
    while not quick.saw(wanted) and time.perf_counter() - began < patience_s:
        quick.read(0.02)
    return time.perf_counter() - began


def cost(quick: Quick, seconds: float) -> tuple[float, float]:
    """(share of a core, bytes a second) for so long."""
    pid = quick.terminal.pid
    before, octets, began = cpu_s(pid), quick.octets, time.monotonic()
    quick.watch(seconds)
    passed = time.monotonic() - began
    return (cpu_s(pid) - before) / passed, (quick.octets - octets) / passed


def key_row(what: str, took: Sequence[float], goal: str = "99 of 100 under 50 ms") -> None:
    give(Row(f"key to screen, {what}", measured=str(Took.of(took)), goal=goal, short=True))


def idle(path: Path, seconds: float, keys: int) -> None:
    say("screen: idle")
    quick = program("read", str(path))
    try:
        until(quick, _ROWS)
        quick.watch(3)
        share, octets = cost(quick, seconds)
        told = f"{100 * share:.2f} % of a core, {octets:.0f} bytes/s"
        give(Row("idle on a file", measured=told, goal="0.5 %", short=True))
        key_row("idle", quick.keys(keys), "")
    finally:
        close(quick)


def reading(path: Path, packets: int) -> None:
    """First rows, and keys while it is read; keys that come later do not count."""
    say("screen: while a file is read")
    began = time.perf_counter()
    quick = program("read", str(path))
    pressed: list[float] = []
    try:
        until(quick, _ROWS)
        rows, cpu = time.perf_counter() - began, cpu_s(quick.terminal.pid)
        told = f"{rows:.2f} s, {cpu:.2f} s of CPU"
        give(Row(f"first rows of {many(packets)} packets", measured=told, goal="0.25 s",
                 short=True))  # fmt: skip

        def going() -> bool:
            """Its work is not done: it has taken more than a screen at rest does."""
            spent.append(cpu_s(quick.terminal.pid))
            return len(spent) < 20 or spent[-1] - spent[-20] > 0.4

        spent: list[float] = []
        took = quick.keys(400, going, pressed)
        ended = quick.gone_at(_READING, SIZE)
        counted = [t for t, when in zip(took, pressed, strict=True) if when + t < ended]
        key_row(f"while they are read ({ended - began:.1f} s)", counted)
    finally:
        close(quick)


def live(rate: float, env: dict[str, str], what: str, goal: str, seconds: float) -> None:
    say(f"screen: {what}")
    with wire():
        traffic = Traffic(rate, 3 * seconds + 3, together=200)
        quick = program("capture", "--no-troubles", "--with-ssh", "-i", HERE, env=env)
        try:
            until(quick, b"Connections")
            quick.watch(2)
            waiting, _ = cost(quick, 2)
            thread = threading.Thread(target=traffic.run)
            thread.start()
            first = []
            if rate > 10_000:  # what is the worst comes where it begins
                quick.watch(0.2)
                first = quick.keys(30, thread.is_alive)
            else:
                quick.watch(2.5)
            # What troubles the host has may have come by itself.
            quick.terminal.type("\x1b")
            quick.watch(0.5)
            share, octets = cost(quick, seconds)
            pressed = quick.keys(400, thread.is_alive)
            thread.join()
        finally:
            close(quick)
    told = f"{100 * share:.1f} % of a core, {octets / 1000:.1f} KB/s"
    give(Row(f"{what}, 120x40", measured=f"{told}; waiting {100 * waiting:.2f} %", goal=goal,
             short=True))  # fmt: skip
    key_row(what, first + pressed)


def _begun(
    make: Callable[[], Quick], row: bytes, ended: Callable[[Quick], bool]
) -> tuple[float, float, float]:
    """Seconds until the first rows, until all have been read, and MB for all its processes."""
    began = time.perf_counter()
    quick = make()
    try:
        first = until(quick, row)
        while not ended(quick) and time.perf_counter() - began < PATIENCE_S:
            quick.read(0.05)
        took = time.perf_counter() - began
        return first, took, sum(_resident(pid) for pid in tree(quick.terminal.pid))
    finally:
        close(quick)


def _resident(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20
    except (OSError, ValueError):
        return 0.0


def last_client(path: Path) -> bytes:
    """Who opened the last connection of a capture, as the list shows it."""
    command = [sys.executable, "-m", "tcpviz", "read", str(path), "--text"]
    done = subprocess.run(command, capture_output=True, check=True)
    rows = [line for line in done.stdout.splitlines() if b"  10.128.0.1:80  " in line]
    return rows[-1].split()[1]


def beside_termshark(path: Path, packets: int, runs: int) -> None:
    """Until the first rows are there, and until the last is, in alternation."""
    if shutil.which("termshark") is None:
        give(Row("(termshark: not installed)"))
        return
    home = {"HOME": str(path.parent), "XDG_CONFIG_HOME": str(path.parent / "config"),
            "XDG_CACHE_HOME": str(path.parent / "cache")}  # fmt: skip
    last = last_client(path)
    words = ["termshark", "-r", str(path)]
    code = f"import os; os.execvp('termshark', {words!r})"

    def theirs() -> Quick:
        return Quick(Terminal(["-c", code], SIZE, env=home))

    def quiet(quick: Quick) -> bool:
        """Its tsharks have ended."""
        names = []
        for pid in tree(quick.terminal.pid):
            try:
                names.append(Path(f"/proc/{pid}/comm").read_text().strip())
            except OSError:
                continue
        return not any(name in ("tshark", "dumpcap") for name in names)

    def ended(quick: Quick) -> bool:
        """The last connection is there when one goes to the end of the list; ours are marked."""
        quick.terminal.type("G")
        quick.watch(0.05)
        return quick.saw(last)

    ours, others = [], []
    for _ in range(runs):
        say("screen: beside termshark")
        ours.append(_begun(lambda: program("read", str(path)), _ROWS, ended))
        others.append(_begun(theirs, _ROWS, quiet))
    for place, what in enumerate(("first rows", "all rows can be scrolled")):
        give(
            Row(
                f"until {what}, {many(packets)} packets",
                "termshark",
                spread([a[place] / max(b[place], 1e-3) for a, b in zip(ours, others, strict=True)]),
                spread([a[2] / max(b[2], 1) for a, b in zip(ours, others, strict=True)])[0],
                " / ".join(
                    f"{spread([r[place] for r in each])[0]:.2f} s" for each in (ours, others)
                ),
                "0.02" if place else "",
                True,
            )
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--connections", type=int, default=1_000_000, help="of ten packets, of the file read"
    )
    parser.add_argument("--visits", type=int, default=130_000, help="connections beside termshark")
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--keys", type=int, default=150)
    parser.add_argument("--runs", type=int, default=1, help="beside termshark")
    parser.add_argument("--only", default="", help="idle, file, termshark or live")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "big.pcap", Path(folder) / "small.pcap"
        grow.many(small, 50, 10)
        if options.only in ("", "idle"):
            idle(small, options.seconds, options.keys)
        if options.only in ("", "file"):
            reading(path, grow.many(path, options.connections))
        if options.only in ("", "termshark"):
            beside_termshark(path, generate.visits(path, options.visits), options.runs)
    if os.geteuid() != 0 or shutil.which("ip") is None:
        give(Row("(live screens: need root and ip)"))
        return 0
    if options.only in ("", "live"):
        live(1000, {}, "following 1000 packets/s", "15 %, 60 KB/s", options.seconds)
        live(1000, SSH, "the same over SSH", "10 KB/s", options.seconds)
        live(100_000, {}, "a storm of 100 000/s", "", options.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
