"""Onlookers: what is told of every step and looks at the connections now and then.

A log of ended connections, a page of metrics, a condition that ends a capture: they need the
same as the screen and as the text do, and work beside either.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Protocol

from tcpviz.core.timeline import Step
from tcpviz.core.tracker import Tracker


class Onlooker(Protocol):
    """Is told by whoever feeds the tracker, from one thread.

    ``done``       it has seen what it waited for: nothing more needs to be read
    ``attention``  a connection that a person should look at now, if there is one
    """

    @property
    def done(self) -> bool: ...

    @property
    def attention(self) -> int | None: ...

    def steps(self, steps: Sequence[Step], tracker: Tracker) -> None:
        """These have just happened."""
        ...

    def look(self, tracker: Tracker, now_ns: int) -> None:
        """Some time has passed: several times a second, whether or not anything happened.

        ``now_ns``: the moment by the source's clock, or by ours where it is live.
        """
        ...

    def end(self, tracker: Tracker, now_ns: int) -> None:
        """Nothing more comes."""
        ...


class Onlookers:
    """Several as one: each of ``several`` is told, in order."""

    def __init__(self, several: Sequence[Onlooker]) -> None:
        self._several = tuple(several)

    def __bool__(self) -> bool:
        return bool(self._several)

    @property
    def done(self) -> bool:
        return any(each.done for each in self._several)

    @property
    def attention(self) -> int | None:
        found = (each.attention for each in self._several)
        return next((ident for ident in found if ident is not None), None)

    def steps(self, steps: Sequence[Step], tracker: Tracker) -> None:
        for each in self._several:
            each.steps(steps, tracker)

    def look(self, tracker: Tracker, now_ns: int) -> None:
        for each in self._several:
            each.look(tracker, now_ns)

    def end(self, tracker: Tracker, now_ns: int) -> None:
        with ExitStack() as stack:  # each, even where another one fails
            for each in self._several:
                stack.callback(each.end, tracker, now_ns)
