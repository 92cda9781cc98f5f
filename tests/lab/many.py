"""``python -m tests.lab.many``: random scenarios by the thousand, some side by side.

Each line that is printed is a seed whose run did not agree; its report (see ``randomly``)
goes into the folder that is named. The last line counts runs, steps and readings; interrupted, it
comes when those that have begun have ended.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import tempfile
import threading
from pathlib import Path

from tests.lab.randomly import Watched


class Total:
    """What all runs together have shown."""

    def __init__(self) -> None:
        self.runs = self.steps = self.readings = 0
        self.wrong: list[int] = []
        self.lock = threading.Lock()

    def __str__(self) -> str:
        seeds = " ".join(map(str, sorted(self.wrong))) or "none"
        return (
            f"{self.runs} runs, {self.steps} steps, {self.readings} comparisons with a kernel's"
            f" word; seeds that disagree: {seeds}"
        )


def _work(
    seeds: itertools.count, last: int, reports: Path, total: Total, halt: threading.Event
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            if seed > last or halt.is_set():
                return
            run = Watched(seed, Path(folder))
            result = run.play()
            with total.lock:
                total.runs += 1
                total.steps += result.steps
                total.readings += result.readings
                if result.good:
                    continue
                total.wrong.append(seed)
                print(f"{seed}: {result.wrong[0]}", flush=True)
            (reports / f"{seed}.txt").write_text(run.report())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1000, help="the first seed")
    parser.add_argument("--count", type=int, default=1000, help="how many")
    parser.add_argument("--at-once", type=int, default=4, help="runs side by side")
    parser.add_argument("--reports", type=Path, default=Path("random-reports"))
    options = parser.parse_args()
    options.reports.mkdir(parents=True, exist_ok=True)
    total, seeds = Total(), itertools.count(options.first)
    last = options.first + options.count - 1
    halt = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: halt.set())
    threads = [
        threading.Thread(target=_work, args=(seeds, last, options.reports, total, halt))
        for _ in range(options.at_once)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(total)
    return bool(total.wrong)


if __name__ == "__main__":
    sys.exit(main())
