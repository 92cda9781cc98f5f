"""Census: how many ends are in which state at the cursor, for how long, and how many come.

Told of every step, it writes down each end's moves and nothing else; the counts
follow the cursor along that list, forwards and backwards, so a step costs what
moved in it and never what there is. Times are the source's.

An end whose state is unknown is counted as such, not under the likeliest state.
"""

from __future__ import annotations

import heapq
import itertools
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from typing import Final

from tcpviz.core.claims import Certainty, Claim
from tcpviz.core.facts import dataclass
from tcpviz.core.states import State
from tcpviz.core.timeline import Step

STATES: Final[tuple[State | None, ...]] = (*State, None)
"""What is counted, in this order; ``None``: nobody knows."""

RATE_S: Final = 10
"""Seconds over which coming in is averaged."""

CHECK_EVERY: Final = 256
"""Moves between two looks at the clock."""

_SECOND: Final = 1_000_000_000
_CODE: Final = {state: code for code, state in enumerate(STATES)}
_UNKNOWN: Final = _CODE[None]
_CLOSED: Final = _CODE[State.CLOSED]
_NOT_KNOWN: Final = Certainty.UNKNOWN
_KINDS: Final = len(STATES)
_GONE: Final = _KINDS
"""An end that is not there (any more)."""


@dataclass(frozen=True, slots=True)
class Tally:
    """One state's figures.

    ``count``     ends in it now; ``entered``: how often one came to it so far
    ``since_ns``  when the one that is longest in it came; ``None``: nobody is in it, or CLOSED
    ``rate``      ends that came to it a second, over the last :data:`RATE_S`
    """

    state: State | None
    count: int = 0
    entered: int = 0
    since_ns: int | None = None
    rate: float = 0.0


def code_of(claim: Claim) -> int:
    """The place in :data:`STATES` of what is known of an end."""
    return _UNKNOWN if claim.certainty is Certainty.UNKNOWN else _CODE[claim.state]


class Census:
    """Counts ends. What :meth:`forget` was told of is forgotten; the rest can be gone back to."""

    def __init__(self) -> None:
        self._head: dict[int, int] = {}
        self._now: dict[int, int] = {}
        # Each move: the step's index, its time, whose it was, from where (with the time of
        # coming there) to where. A place is a state's code and a time: time * 16 + code.
        self._index, self._key = array("q"), array("q")
        # (Lists: a moment since the epoch times 16 does not fit into 64 bits.)
        self._from: list[int] = []
        self._to: list[int] = []
        self._lost = 0
        self._done = 0
        self._counts = [0] * _KINDS
        self._entered = [0] * _KINDS
        self._oldest: list[list[tuple[int, int]]] = [[] for _ in range(_KINDS)]
        self._seconds: list[int] = []
        self._so_far: list[tuple[int, ...]] = []
        self._total = [0] * _KINDS
        self._first_ns: int | None = None

    # -- what goes in -------------------------------------------------------

    def add(self, step: Step) -> None:
        """Take the next step."""
        connection = step.connection
        if connection is None:
            return
        key, head = connection * 2, self._head
        for claim in (step.client, step.server):
            # code_of(), twice for each segment
            code = _UNKNOWN if claim.certainty is _NOT_KNOWN else _CODE[claim.state]
            before = head.get(key)
            if before is None or before & 15 != code:
                self._note(step.index, step.time_ns, key, before, code)
            key += 1

    def _note(self, index: int, time_ns: int, key: int, before: int | None, code: int) -> None:
        second = time_ns // _SECOND
        if self._first_ns is None:
            self._first_ns = time_ns
        if not self._seconds or second > self._seconds[-1]:
            self._seconds.append(second)
            self._so_far.append(tuple(self._total))
        after = time_ns << 4 | code
        self._index.append(index)
        self._key.append(key)
        self._from.append(_GONE if before is None else before)
        self._to.append(after)
        if code == _GONE:
            del self._head[key]
        else:
            self._head[key] = after
            self._total[code] += 1

    def keep_only(self, connections: Iterable[int], index: int, time_ns: int) -> None:
        """Connections that are not among these were forgotten by whoever keeps them."""
        there = set(connections)
        for key in [key for key in self._head if key >> 1 not in there]:
            self._note(index, time_ns, key, self._head[key], _GONE)

    def forget(self, first: int) -> None:
        """Steps before ``first`` are no longer there: the cursor cannot go back to them."""
        count = bisect_left(self._index, first)
        if count < 4096:
            return
        while self._done < self._lost + count:
            self._forward()
        del self._index[:count], self._key[:count], self._from[:count], self._to[:count]
        self._lost += count
        place = max(bisect_left(self._seconds, self._seconds[-1] - 3600), 0)
        del self._seconds[:place], self._so_far[:place]

    # -- going where the cursor is -------------------------------------------

    def seek(self, index: int, enough: Callable[[], bool] | None = None) -> bool:
        """Count as of step ``index``; false where ``enough()`` said so before it was reached."""
        target = self._lost + bisect_right(self._index, index)
        if target < self._done - target and not self._lost:
            self._begin()
        moves = 0
        while self._done != target:
            if self._done < target:
                self._forward()
            else:
                self._back()
            moves += 1
            if enough is not None and moves % CHECK_EVERY == 0 and enough():
                return False
        return True

    def _begin(self) -> None:
        """To before the first move."""
        self._now.clear()
        self._done = 0
        self._counts, self._entered = [0] * _KINDS, [0] * _KINDS
        self._oldest = [[] for _ in range(_KINDS)]

    def _forward(self) -> None:
        at = self._done - self._lost
        key, before, after = self._key[at], self._from[at], self._to[at]
        self._leave(before & 15)
        self._enter(key, after)
        if after & 15 < _KINDS:
            self._entered[after & 15] += 1
        self._done += 1

    def _back(self) -> None:
        self._done -= 1
        at = self._done - self._lost
        key, before, after = self._key[at], self._from[at], self._to[at]
        self._leave(after & 15)
        if after & 15 < _KINDS:
            self._entered[after & 15] -= 1
        self._enter(key, before)

    def _leave(self, code: int) -> None:
        if code < _KINDS:
            self._counts[code] -= 1

    def _enter(self, key: int, place: int) -> None:
        code = place & 15
        if code >= _KINDS:
            self._now.pop(key, None)
            return
        self._counts[code] += 1
        self._now[key] = place
        if code != _CLOSED:
            heap = self._oldest[code]
            heapq.heappush(heap, (place, key))
            if len(heap) > 2 * self._counts[code] + 1024:
                fresh = [one for one in heap if self._now.get(one[1]) == one[0]]
                self._oldest[code] = fresh
                heapq.heapify(fresh)

    # -- what comes out -----------------------------------------------------

    def tallies(self, now_ns: int) -> tuple[Tally, ...]:
        """Each of :data:`STATES` as of where :meth:`seek` went, the clock being ``now_ns``."""
        past, span_s = self._before(now_ns)
        return tuple(
            Tally(
                state,
                self._counts[code],
                self._entered[code],
                self._since(code),
                max(self._entered[code] - past[code], 0) / span_s,
            )
            for code, state in enumerate(STATES)
        )

    @property
    def connections(self) -> int:
        """How many connections those ends belong to: both or none of a connection's are there."""
        return self.ends // 2

    @property
    def ends(self) -> int:
        """How many ends there are."""
        return sum(self._counts)

    def _since(self, code: int) -> int | None:
        heap = self._oldest[code]
        while heap and self._now.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] >> 4 if heap else None

    def _before(self, now_ns: int) -> tuple[tuple[int, ...], float]:
        """How often each was entered before the time that rates are of, and its length."""
        start = now_ns // _SECOND - RATE_S
        place = bisect_left(self._seconds, start)
        past = self._so_far[place] if place < len(self._so_far) else tuple(self._total)
        begin_ns = max(start * _SECOND, self._first_ns or 0)
        return past, max((now_ns - begin_ns) / _SECOND, 1.0)

    def recent(self, state: State | None, now_ns: int, seconds: int) -> list[int]:
        """How many came to a state in each of the latest whole ``seconds``, the oldest first."""
        code, last = _CODE[state], now_ns // _SECOND
        ends = []
        for second in range(last - seconds, last + 1):
            place = bisect_left(self._seconds, second)
            known = place < len(self._so_far)
            ends.append(self._so_far[place][code] if known else self._total[code])
        return [after - before for before, after in itertools.pairwise(ends)]
