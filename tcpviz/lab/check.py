"""The check: scenarios without a screen, inference against kernel against expectation.

Each scenario is played on the cable and fed to a tracker. At every reading the
tracker compares its own inference with both kernels' states; at the end, the
paths that the kernels told are held against those that the script expects. What
a run took of the machine's edges is added up over all runs, and each edge that
none took must be one that a real kernel cannot show, for the reason given in
:data:`CANNOT`.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tcpviz.core.records import Side
from tcpviz.core.states import TRANSITIONS, Event, Opened, State, Transition
from tcpviz.core.timeline import Step, StepKind
from tcpviz.core.tracker import Tracker
from tcpviz.lab.edges import Coverage
from tcpviz.lab.feed import LabFeed
from tcpviz.lab.paths import Paths
from tcpviz.lab.scenarios import Scenario
from tcpviz.sources.feed import SourceError

AT_ONCE = 4
"""How many scenarios run side by side: most of the time they wait for the kernel's timers."""

_BY_EDGES = (StepKind.SENT, StepKind.ARRIVED, StepKind.CALL, StepKind.RETURN, StepKind.TIMER)
"""Steps at which an end moves along an edge of the table, or not at all."""

CANNOT: dict[tuple[State, Event, Opened | None], str] = {
    (
        State.LISTEN,
        Event.ACTIVE_OPEN,
        None,
    ): "Linux: connect() on it fails with EISCONN; see listener-misused",
    (State.LISTEN, Event.SEND, None): "Linux: send() on it fails with EPIPE; see listener-misused",
    (State.SYN_RECEIVED, Event.RCV_NEW_SYN, Opened.PASSIVE): (
        "Linux stays, and answers with a challenge ACK (RFC 5961); see starts-over"
    ),
    (State.TIME_WAIT, Event.ABORT, None): (
        "Linux: it belongs to no descriptor any more, so no call can; see abort-in-time-wait"
    ),
}
"""Edges that no real Linux takes, why, and the scenario that shows what it does instead.

The key is before, event, opened.
"""


@dataclass
class Result:
    """One scenario's run.

    ``readings``  how many times an end was compared with its kernel
    ``edges``     the table's rows that it took
    ``wrong``     what was not as it should be, a line each
    """

    scenario: Scenario
    steps: int = 0
    readings: int = 0
    edges: set[Transition] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return not self.wrong

    @property
    def verdict(self) -> str:
        if self.good:
            return "agrees"
        more = f" (and {len(self.wrong) - 1} more)" if len(self.wrong) > 1 else ""
        return f"WRONG: {self.wrong[0]}{more}"


class Run:
    """One scenario being checked; :meth:`stop` ends it early, from any thread."""

    def __init__(self, scenario: Scenario, *, ipv6: bool = False) -> None:
        self.result = Result(scenario)
        self._feed = LabFeed(scenario, on="cable", ipv6=ipv6)
        self._tracker = Tracker(keep=False)
        self._coverage = Coverage()
        self._paths = Paths()
        self._began_ns: int | None = None

    def stop(self) -> None:
        self._feed.stop()

    def play(self) -> Result:
        """Play it to its end. Never raises for what the scenario or the machine does wrong."""
        began = time.monotonic()
        result = self.result
        try:
            for batch in self._feed.batches():
                for record in batch:
                    for step in self._tracker.feed(record):
                        self._take(step)
        except SourceError as error:
            result.wrong.append(str(error))
        else:
            if self._feed.ground != "cable":
                notes = self._feed.status.notes
                result.wrong.append(notes[0] if notes else "it did not run on the cable")
            else:
                result.wrong += self._unexpected()
        result.edges = self._coverage.taken
        result.seconds = time.monotonic() - began
        return result

    def _take(self, step: Step) -> None:
        result = self.result
        result.steps += 1
        if self._began_ns is None:
            self._began_ns = step.time_ns
        at = f"at {(step.time_ns - self._began_ns) / 1e9:.6f}"
        for one in step.disagreements:
            said = "no socket" if one.kernel is None else one.kernel
            result.wrong.append(
                f"{at} the {one.side} was inferred to be in {one.inferred.state}"
                f" ({one.inferred.because}); the kernel says {said}"
            )
        if step.kind in _BY_EDGES:
            for change in step.changes:
                if change.transition is None:
                    result.wrong.append(
                        f"{at} the {change.side} moved from {change.before.state} to"
                        f" {change.after.state} ({change.after.because}): no edge leads there"
                    )
        self._coverage.take(step)
        if step.reading is not None:
            result.readings += 1 if step.connection is None else 2
            if step.connection is None:
                result.wrong += [
                    f"{at} the {change.side}'s listening socket was inferred to be in"
                    f" {change.before.state}; the kernel says {change.after.state}"
                    for change in step.changes
                ]
            self._paths.take(step.reading)

    def _unexpected(self) -> Iterator[str]:
        scenario = self.result.scenario
        for number, expected in enumerate(scenario.paths):
            for side in Side:
                wanted = expected[side is Side.SERVER]
                took = self._paths.of(number, side)
                if took != wanted:
                    which = f" of connection {number + 1}" if number else ""
                    yield (
                        f"the {side}{which} was to take {_arrows(wanted)};"
                        f" its kernel took {_arrows(took)}"
                    )


def _arrows(path: Iterable[State]) -> str:
    return " → ".join(str(state) for state in path) or "nothing"


def check(
    scenarios: Sequence[Scenario], *, at_once: int = AT_ONCE, ipv6: bool = False
) -> Generator[Result]:
    """Run them, some side by side, and yield the results in the order given.

    Ended early (``close()``, Ctrl-C), it stops what still runs.
    """
    runs = [Run(scenario, ipv6=ipv6) for scenario in scenarios]
    # The longest first: the whole then takes hardly longer than they do.
    waiting: queue.SimpleQueue[Run] = queue.SimpleQueue()
    for run in sorted(runs, key=lambda one: -one.result.scenario.limit_s):
        waiting.put(run)
    done = {id(run): threading.Event() for run in runs}
    halt = threading.Event()

    def work() -> None:
        while not halt.is_set():
            try:
                run = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                run.play()
            except BaseException as error:  # told with the scenario, whatever it is
                run.result.wrong.append(f"{type(error).__name__}: {error}")
            finally:
                done[id(run)].set()

    workers = [
        threading.Thread(target=work, name=f"check-{number}", daemon=True)
        for number in range(min(at_once, len(runs)))
    ]
    for worker in workers:
        worker.start()
    try:
        for run in runs:
            done[id(run)].wait()
            yield run.result
    finally:
        halt.set()
        for run in runs:
            run.stop()
        for worker in workers:
            worker.join()


# -- the machine's edges ----------------------------------------------------


def reason(row: Transition) -> str | None:
    """Why a real kernel cannot show this edge; ``None`` where it can."""
    return CANNOT.get((row.before, row.event, row.opened))


@dataclass(frozen=True)
class Edge:
    """One row of the table after a check.

    ``by``      the scenarios that took it
    ``reason``  why none can; ``None`` where one should
    """

    row: Transition
    by: tuple[str, ...]
    reason: str | None

    @property
    def good(self) -> bool:
        """Taken, or impossible; not both, for then the reason is wrong."""
        return bool(self.by) != bool(self.reason)

    @property
    def verdict(self) -> str:
        if self.by and self.reason:
            return f"taken by {self.by[0]}, although the reason says: {self.reason}"
        return self.reason or ("taken" if self.by else "not taken by any scenario")


def edges(results: Iterable[Result]) -> list[Edge]:
    """Every row of the table, with the scenarios that took it."""
    taken = [(result.scenario.name, result.edges) for result in results]
    return [
        Edge(row, tuple(name for name, rows in taken if row in rows), reason(row))
        for row in TRANSITIONS
    ]


# -- as text and as JSON ----------------------------------------------------


def header(scenarios: Sequence[Scenario]) -> str:
    """The table's first line."""
    width = _width(scenarios)
    return f"{'scenario':<{width}}  steps  compared  edges  seconds  verdict"


def line(result: Result, scenarios: Sequence[Scenario]) -> str:
    """One scenario's line."""
    width = _width(scenarios)
    return (
        f"{result.scenario.name:<{width}}  {result.steps:>5}  {result.readings:>8}"
        f"  {len(result.edges):>5}  {result.seconds:>7.1f}  {result.verdict}"
    )


def _width(scenarios: Sequence[Scenario]) -> int:
    return max([len("scenario"), *(len(one.name) for one in scenarios)])


def edge_lines(found: Sequence[Edge]) -> list[str]:
    """What is to be said of the machine's edges after a check of all."""
    taken = sum(bool(one.by) for one in found)
    lines = [f"{taken} of the machine's {len(found)} edges were taken."]
    rest = [one for one in found if not one.by or not one.good]
    if rest:
        lines.append("The others, and why a real kernel does not show them:")
        names = [_name(one.row) for one in rest]
        width = max(len(name) for name in names)
        for name, one in zip(names, rest, strict=True):
            lines.append(f"  {name:<{width}}  {'' if one.good else 'WRONG: '}{one.verdict}")
    return lines


def _name(row: Transition) -> str:
    opened = f" ({row.opened.value})" if row.opened else ""
    return f"{row.before} → {row.after}{opened}: {row.label}"


def result_object(result: Result) -> dict[str, Any]:
    """A scenario's run as a JSON object."""
    return {
        "type": "scenario",
        "name": result.scenario.name,
        "agrees": result.good,
        "steps": result.steps,
        "compared": result.readings,
        "edges": [_row_object(row) for row in TRANSITIONS if row in result.edges],
        "seconds": round(result.seconds, 3),
        "wrong": result.wrong,
    }


def edge_object(edge: Edge) -> dict[str, Any]:
    """An edge of the machine as a JSON object."""
    return {
        "type": "edge",
        **_row_object(edge.row),
        "taken_by": list(edge.by),
        "reason": edge.reason,
        "agrees": edge.good,
    }


def _row_object(row: Transition) -> dict[str, Any]:
    return {
        "before": str(row.before),
        "event": row.event.value,
        "action": row.action,
        "after": str(row.after),
        "opened": None if row.opened is None else row.opened.value,
        "section": row.section,
    }
