"""Which connections of a portion are told alike: of one shape, and of one turn at every bound.

A verdict asks whether something took longer than a bound (:mod:`tcpviz.core.outcomes`,
:mod:`tcpviz.core.findings`). Connections of one shape, ending and crowd that give the same answer
to every such question have the same verdicts; what still differs are numbers in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.shapes import Ending
from tcpviz.bulk.tables.portions import CLIENT, SERVER, Portion
from tcpviz.bulk.tables.table import Table
from tcpviz.core.connection import Connection
from tcpviz.core.findings import SLOW_NS
from tcpviz.core.outcomes import (
    ABANDONED_NS,
    IDLE_BEFORE_RESET_NS,
    LONG_CLOSE_WAIT_NS,
    SHORT_CLOSE_WAIT_NS,
    SILENT_NS,
)
from tcpviz.core.records import Side
from tcpviz.core.verdict_codes import SECOND, Verdict, signs_of
from tcpviz.core.verdicts import verdicts

Array = NDArray[Any]

_ALWAYS, _WAITS, _RESET, _CLOSES, _OPEN, _SHAKEN, _LOST = (1 << place for place in range(7))
_SIDES = (CLIENT, SERVER)

MOST = 1 << 13
"""Kinds that are remembered; beyond them all are made anew as they are met."""

_SHARES = (0.01, 0.1)
"""Of data sent again, from which on a loss is told as graver (core.findings)."""


class Kind:
    """Connections that are told alike, by one of them.

    ``shape``       how the core left the shape's example, ``number`` the shape's number among
                    all ``shapes``
    ``connection``  the first of the kind that was met, as the table gives it, ``now`` until when
                    it is judged; ``said`` are its verdicts
    ``forms``       what those who write the kind have made of it
    """

    def __init__(self, table: Table, place: int, at: int) -> None:
        building = table.building
        ending = Ending(int(building.array["ending"][at]))
        self.number = int(building.array["shape"][at])
        self.shapes = building.shapes
        self.shape = building.shapes.connection(self.number, ending)
        self.connection = table.connection(place)
        self.now = int(table.until_ns[place])
        self.said: list[Verdict] = verdicts(self.connection, self.now)
        self.forms: dict[object, Any] = {}

    def place(self, frame: int) -> int | None:
        """Which of the segments that count has this frame number in the shape's example."""
        return self.shapes.place(self.number, frame)

    @property
    def fillable(self) -> bool:
        """Nothing in it rests on another connection's segments, or on several routers' words."""
        shape, former = self.shape, self.shape.former
        if former is not None and not former.over and former.server.segments > former.server.syns:
            return False  # when that one answered is what its verdict asks
        return shape.analysis is not None and self.shapes.with_errors(self.number) is not None


class Kinds:
    """The kinds that a table has, each made when it is first met."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known: dict[tuple[int, int, int], Kind] = {}
        self._asked: dict[int, int] = {}

    def of(self, portion: Portion) -> Iterator[tuple[Kind, Array]]:
        """The kinds in a portion, and which of its connections are of each, ascending."""
        if not len(portion):
            return
        if len(self._known) > MOST:
            self._known.clear()
        pair = portion.column("shape").astype(np.int64) << 2 | portion.column("ending")
        crowd = self._table.crowd[portion.places].astype(np.int64)
        bases, back = np.unique((crowd + 1) << 32 | pair, return_inverse=True)
        bits = _bits(portion, np.array([self._asks(each) for each in bases.tolist()])[back])
        both = bits * len(bases) + back
        order = np.argsort(both, kind="stable")
        edges = np.flatnonzero(np.diff(both[order], prepend=-1))
        for begin, end in zip(edges.tolist(), [*edges[1:].tolist(), len(order)], strict=True):
            which = order[begin:end]
            first = int(which[0])
            key = int(pair[first]), int(crowd[first]), int(bits[first])
            kind = self._known.get(key)
            if kind is None:
                place, at = int(portion.places[first]), int(portion.at[first])
                kind = self._known[key] = Kind(self._table, place, at)
            yield kind, which

    def _asks(self, base: int) -> int:
        pair = base & 0xFFFFFFFF
        asked = self._asked.get(pair)
        if asked is None:
            connection = self._table.building.shapes.connection(pair >> 2, Ending(pair & 3))
            asked = self._asked[pair] = _asks(connection)
        return asked


def _asks(c: Connection) -> int:
    """Which questions matter for connections of a shape."""
    fins = (c.client.fin is not None) + (c.server.fin is not None)
    asked = _ALWAYS | (_SHAKEN if c.established else _WAITS)
    if c.reset_by is not None:
        asked |= _RESET
    elif fins and not (c.client.fin_acked and c.server.fin_acked):
        asked |= _CLOSES
    elif not fins:
        asked |= _OPEN
    if any(signs_of(c, side).again >= 3 for side in Side):
        asked |= _LOST
    return asked


def _bits(p: Portion, asked: Array) -> Array:
    """The answers to all questions that matter, one bit each."""
    bits = np.zeros(len(p), np.int64)
    size = 0
    for question, count, answers in _QUESTIONS:
        matters = asked & question != 0
        if matters.any():
            for place, answer in enumerate(answers(p), size):
                bits |= (answer & matters).astype(np.int64) << place
        size += count  # the same bit for the same question in every portion
    return bits


def _ports(p: Portion) -> Iterator[Array]:
    yield from (p.port(side) == 0 for side in _SIDES)


def _waits(p: Portion) -> Iterator[Array]:
    yield from (p.since("first_syn", side) < SECOND for side in _SIDES)


def _shaken(p: Portion) -> Iterator[Array]:
    whole, answered = p.handshake(), p.answered()
    begun = p.between(("first_syn", CLIENT), ("first_syn", SERVER))
    yield from (whole < SLOW_NS, begun > answered, answered * 2 >= whole, whole == 0)


def _reset(p: Portion) -> Iterator[Array]:
    yield from (p.outstanding(side) > 0 for side in _SIDES)
    yield from (p.idle(side) >= IDLE_BEFORE_RESET_NS for side in _SIDES)


def _closes(p: Portion) -> Iterator[Array]:
    for side in _SIDES:
        waited = p.since("first_fin", side)
        yield from (waited < SECOND, waited < SHORT_CLOSE_WAIT_NS, waited >= LONG_CLOSE_WAIT_NS)
        last, there = p.time("last", 1 - side)
        spoke = p.between(("first_fin", side), ("last", 1 - side)) > SECOND
        yield spoke & there & (p.now - last < SILENT_NS)


def _open(p: Portion) -> Iterator[Array]:
    silent = p.now - p.last_ns
    yield from (silent >= SILENT_NS, silent >= ABANDONED_NS)


def _lossy(p: Portion) -> Iterator[Array]:
    for side in _SIDES:
        share = _lost(p, side) / np.maximum(p.data(side), 1)
        yield from (share >= bound for bound in _SHARES)


_QUESTIONS = (
    (_ALWAYS, 2, _ports),
    (_WAITS, 2, _waits),
    (_SHAKEN, 4, _shaken),
    (_RESET, 4, _reset),
    (_CLOSES, 8, _closes),
    (_OPEN, 2, _open),
    (_LOST, 4, _lossy),
)
"""Whom it matters to, how many answers there are, and what gives them."""


def _lost(p: Portion, side: int) -> Array:
    """Segments sent again of an end, those for nothing left out: the same in all of a shape."""
    pair = p.column("shape").astype(np.int64) << 2 | p.column("ending")
    unique, back = np.unique(pair, return_inverse=True)
    shapes, whose = p.table.building.shapes, Side.SERVER if side else Side.CLIENT
    lost = []
    for each in unique.tolist():
        signs = signs_of(shapes.connection(each >> 2, Ending(each & 3)), whose)
        lost.append(signs.again - signs.needless)
    out: Array = np.array(lost)[back]
    return out
