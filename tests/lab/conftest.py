"""What the lab's tests share: playing a scenario, and the path of states the kernel told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest

from tcpviz.core.claims import Disagreement
from tcpviz.core.records import KernelReading, Note, Record, Side
from tcpviz.core.states import State
from tcpviz.core.tracker import Tracker
from tcpviz.lab.feed import LabFeed
from tcpviz.lab.scenarios import load


def kernel_path(records: Iterable[Record], side: Side) -> list[str]:
    """The states of one end as the kernel told them, repetitions taken together.

    Before the connection exists, the listening socket stands for it.
    """
    path: list[str] = []
    existed = False
    for record in records:
        if not isinstance(record, KernelReading):
            continue
        mine = [one for one in record.sockets if one.side is side]
        alive = [one.state for one in mine if one.peer is not None and one.state is not None]
        listening = [one.state for one in mine if one.peer is None and one.state is not None]
        state = State.CLOSED
        if alive:
            assert len(alive) == 1
            existed, state = True, alive[0]
        elif not existed and listening:
            state = listening[0]
        if not path or path[-1] != state.value:
            path.append(state.value)
    return path[1:] if len(path) > 1 and path[0] == "CLOSED" else path


@dataclass
class Played:
    feed: LabFeed
    records: list[Record] = field(default_factory=list)
    disagreements: list[Disagreement] = field(default_factory=list)
    tracker: Tracker = field(default_factory=Tracker)

    @property
    def notes(self) -> list[str]:
        return [one.text for one in self.records if isinstance(one, Note)]

    def path(self, side: Side) -> list[str]:
        return kernel_path(self.records, side)


@pytest.fixture
def play() -> Callable[..., Played]:
    """Plays a scenario to its end, through a tracker."""

    def played(name: str, on: str | None = None, **options: object) -> Played:
        feed = LabFeed(load(name), on=on, **options)  # type: ignore[arg-type]
        result = Played(feed)
        for batch in feed.batches():
            for record in batch:
                result.records.append(record)
                for step in result.tracker.feed(record):
                    result.disagreements += step.disagreements
        return result

    return played


@pytest.fixture
def cable(play: Callable[..., Played]) -> Callable[..., Played]:
    """Plays on the cable; skips, with the machine's reason, where there is none."""

    def played(name: str, **options: object) -> Played:
        if not sys.platform.startswith("linux"):
            pytest.skip("the cable needs Linux")
        first = play("handshake")
        if first.feed.ground != "cable":
            pytest.skip(f"no cable on this machine: {first.notes[0]}")
        return play(name, "cable", **options)

    return played
