"""The benchmark's table: each part gives rows as it measures them, and they are printed as one."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

MARK = "ROW "


@dataclass(frozen=True)
class Row:
    """One line. ``what`` was measured, ``against`` which peer (or nobody).

    ``ratio``  ours to theirs: middle, least and greatest; of a time unless ``measured`` says else
    ``memory`` ratio of the peak memories; ``measured``: the figures themselves, with units
    ``goal``   what it is to be at most, as a number for ``ratio`` or in words
    ``short``  it belongs to the short table, too
    """

    what: str
    against: str = ""
    ratio: tuple[float, float, float] | None = None
    memory: float | None = None
    measured: str = ""
    goal: str = ""
    short: bool = False


def give(row: Row) -> None:
    """Hand a row to whoever started this part."""
    print(MARK + json.dumps(asdict(row)), flush=True)


def say(text: str) -> None:
    """Something for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def taken(line: str) -> Row | None:
    """The row in a line of a part's output, if it is one."""
    if not line.startswith(MARK):
        return None
    found = json.loads(line[len(MARK) :])
    if found["ratio"] is not None:
        found["ratio"] = tuple(found["ratio"])
    return Row(**found)


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Middle, least and greatest."""
    return statistics.median(values), min(values), max(values)


def number(value: float) -> str:
    """A ratio with as many digits as tell something."""
    return f"{value:.3f}" if value < 0.095 else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def told(ratio: tuple[float, float, float]) -> str:
    """A ratio with its spread, where there is one."""
    middle, low, high = ratio
    if low == high:
        return number(middle)
    return f"{number(middle)} ({number(low)} to {number(high)})"


_HEAD = ("what", "against", "ratio (least to greatest)", "memory", "goal", "measured")


def table(rows: Sequence[Row], *, short: bool = False) -> str:
    """All rows as Markdown; ``short``: only those for the README, without the figures."""
    lines = []
    for row in rows:
        if short and not row.short:
            continue
        ratio = "" if row.ratio is None else told(row.ratio)
        memory = "" if row.memory is None else number(row.memory)
        cells = [row.what, row.against, ratio, memory, row.goal, row.measured]
        if short:
            cells = [row.what, row.against, ratio or row.measured, memory, row.goal]
        lines.append(cells)
    head = list(_HEAD[:5] if short else _HEAD)
    if short:
        head[2] = "measured"
    return "\n".join(
        "| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *lines]
    )
