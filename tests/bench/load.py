"""How soon a large file is on the screen, and how the screen answers while it is read.

``python -m tests.bench.load [FILE ...]`` runs the real program in a real pseudo-terminal, read by
a terminal emulator (pyte), and prints for each file:

- *first row*: from the process' start to the first row of the list that stands on the screen,
  and the CPU that had been spent by then;
- *termshark*: from its start to the first packet in its list, in alternation with the above,
  where it is installed, and the ratio of the medians;
- *key to screen*: from a key to the change that it makes on the screen, all through the load;
- *read*: until all is in the table; the peak of resident memory.

Without files it makes three: short connections, half-open ones, one long connection; ``--large``
makes the last one of ten million packets.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import generate
from tests.terminal.pseudo import Terminal

SIZE = (120, 40)
STATES = ("ESTAB", "CLOSED", "SYN-SENT", "TIME-W", "LISTEN", "FIN-W", "CLOSE-W", "LAST-A")


def cpu_of(pid: int) -> float:
    """Seconds of processor that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid: int) -> int:
    """The most resident memory that it has had, MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) >> 10
    return 0


def told(took: list[float]) -> str:
    """The median and the slowest but for one in a hundred, milliseconds."""
    if not took:
        return "no key while it was read"
    ordered = sorted(took)
    worst = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    middle = statistics.median(ordered)
    return f"{1000 * middle:.0f} ms, 99 of 100 {1000 * worst:.0f} ms ({len(took)} keys)"


def until(terminal: Terminal, fits: Callable[[], bool], patience_s: float = 300.0) -> bool:
    """Read the terminal until something stands there."""
    end = time.perf_counter() + patience_s
    while not fits():
        if time.perf_counter() > end or not terminal.pump(0.01):
            return False
    return True


def row_shown(terminal: Terminal) -> bool:
    rows = terminal.screen.display[2:6]
    return any(state in row for row in rows for state in STATES)


def first_row(path: Path) -> tuple[float, float]:
    """Seconds, and seconds of CPU, until a row stands on the screen."""
    began = time.perf_counter()
    terminal = Terminal(["-m", "tcpviz", "read", str(path)], SIZE)
    try:
        assert until(terminal, lambda: row_shown(terminal))
        return time.perf_counter() - began, cpu_of(terminal.pid)
    finally:
        terminal.close()


_SHARK = "import os, sys; os.execvp('termshark', ['termshark', '-r', sys.argv[1]])"


def termshark(path: Path) -> float | None:
    """Seconds until termshark lists a packet; ``None`` where it does not get there."""
    with tempfile.TemporaryDirectory() as home:
        began = time.perf_counter()
        env = {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home}
        terminal = Terminal(["-c", _SHARK, str(path)], SIZE, env=env)
        try:
            shown = until(terminal, lambda: " TCP " in terminal.text, 240.0)
            return time.perf_counter() - began if shown else None
        finally:
            terminal.close()


def load(path: Path, keys: int) -> None:
    """Keys all through the load; then how long it took and what it needed."""
    began = time.perf_counter()
    terminal = Terminal(["-m", "tcpviz", "read", str(path)], SIZE)
    took: list[float] = []
    try:
        assert until(terminal, lambda: "help" in terminal.screen.display[-1])

        def reading() -> bool:
            return "■" not in terminal.screen.display[-2]

        while reading() and len(took) < keys:
            before = terminal.screen.display[0]
            pressed = time.perf_counter()
            terminal.type("\t")
            until(terminal, lambda seen=before: terminal.screen.display[0] != seen, 2.0)
            took.append(time.perf_counter() - pressed)
            rest = time.perf_counter() + 0.02 + 0.007 * (len(took) % 5)
            while time.perf_counter() < rest:
                terminal.pump(0.005)
        until(terminal, lambda: not reading())
        whole = time.perf_counter() - began
        print(f"  key to screen while it is read: {told(took)}")
        print(f"  all read after {whole:.1f} s, peak {peak_mb(terminal.pid)} MB")
    finally:
        terminal.close()


def measure(path: Path, rounds: int, *, shark: bool, keys: int) -> None:
    print(f"{path.name}, {path.stat().st_size / 1e6:.0f} MB; load {os.getloadavg()[0]:.1f}")
    ours: list[float] = []
    cpu: list[float] = []
    theirs: list[float] = []
    for number in range(rounds):
        seconds, spent = first_row(path)
        ours.append(seconds)
        cpu.append(spent)
        if shark and number < 3:
            found = termshark(path)
            theirs += [] if found is None else [found]
    middle = statistics.median(ours)
    print(
        f"  first row: {middle:.2f} s ({min(ours):.2f} to {max(ours):.2f}), "
        f"{statistics.median(cpu):.2f} s of CPU"
    )
    if theirs:
        other = statistics.median(theirs)
        print(f"  termshark: {other:.2f} s ({len(theirs)} runs); ratio {middle / other:.3f}")
    load(path, keys)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keys", type=int, default=2000)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--no-termshark", action="store_true")
    options = parser.parse_args()
    shark = shutil.which("termshark") is not None and not options.no_termshark
    if options.files:
        for path in options.files:
            measure(path, options.rounds, shark=shark, keys=options.keys)
        return
    with tempfile.TemporaryDirectory() as folder:
        writers: list[tuple[str, Callable[[Path], object]]] = [
            ("visits", lambda path: generate.visits(path, 130_000)),
            ("syns", lambda path: generate.syns(path, 1_000_000)),
            ("flow", lambda path: generate.stream(path, 10**7 if options.large else 10**6)),
        ]
        for name, write in writers:
            path = Path(folder) / f"{name}.pcap"
            write(path)
            measure(path, options.rounds, shark=shark, keys=options.keys)
            path.unlink()


if __name__ == "__main__":
    main()
