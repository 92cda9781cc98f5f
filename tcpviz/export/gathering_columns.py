"""What goes wrong in a table's connections, gathered from those that are told alike at once.

:class:`tcpviz.core.troubles.Gathering` takes connections one by one. Here one of each kind
stands for all: it is given each one's own number, ends and times, and the facts of its verdicts.
What each of a crowd shows by itself is told of the crowd, and not once more.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.shapes import Ending
from tcpviz.bulk.tables.branches import Kind, Kinds
from tcpviz.bulk.tables.facts import Unfit, facts
from tcpviz.bulk.tables.portions import CLIENT, SERVER, Portion, portions
from tcpviz.bulk.tables.table import Table
from tcpviz.bulk.twin import twin
from tcpviz.core.connection import Connection
from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.troubles import Gathering
from tcpviz.core.verdict_codes import Severity, Verdict, signs_of
from tcpviz.core.verdicts import verdicts
from tcpviz.export import alike

Array = NDArray[Any]

_FORMER = -1
"""The number by which a connection names the one before it."""

_SIDES = ((CLIENT, Side.CLIENT), (SERVER, Side.SERVER))


def gather(table: Table, places: Array) -> Gathering:
    """The connections at these places of a table, in that order."""
    return Gatherer(table).gather(places)


class Gatherer:
    """Takes a table's connections, some at a time; what it gives is the same object each time.

    ``lock``     is held while a connection is made: others may make some of the same table
    """

    def __init__(
        self,
        table: Table,
        *,
        lock: contextlib.AbstractContextManager[Any] | None = None,
    ) -> None:
        self._table = table
        self._lock = lock or contextlib.nullcontext()
        self._known: dict[int, Connection] = {}
        self._gathering = Gathering(known=self._known)
        self._kinds = Kinds(table)

    def gather(self, places: Array) -> Gathering:
        """Take those at these places too."""
        for part, regular in portions(self._table, places):
            until = self._table.until_ns[part].tolist()
            told: list[tuple[_Stand, tuple[Any, ...]] | None] = [None] * len(part)
            among = np.flatnonzero(regular)
            if len(among):
                portion = Portion(self._table, part[among])
                with self._lock:
                    kinds = [(self._stand(kind), which) for kind, which in self._kinds.of(portion)]
                for stand, which in kinds:
                    if stand is not None:
                        for place, row in zip(
                            among[which].tolist(), stand.rows(portion, which), strict=True
                        ):
                            told[place] = stand, row
            for place, (now, one) in enumerate(zip(until, told, strict=True)):
                if one is None:
                    self._alone(int(part[place]), now)
                else:
                    stand, row = one
                    stand.add(self._gathering, self._known, row, now)
        return self._gathering

    def _stand(self, kind: Kind) -> _Stand | None:
        if self not in kind.forms:
            try:
                kind.forms[self] = _Stand(kind, self._table) if kind.fillable else None
            except Unfit:
                kind.forms[self] = None
        stand: _Stand | None = kind.forms[self]
        return stand

    def _alone(self, place: int, now: int) -> None:
        """One that the core followed, or that is written by itself."""
        table = self._table
        with self._lock:
            one = table.connection(place)
        c = twin(one)  # one that the core followed is others' too
        at = table.standing(place)
        former = table.building.formers.get(id(one))
        if len(at) and c.older:
            ((pair, last_ns),) = _before(table, at)
            former = _as_former(table, pair)
            former.last_ns = last_ns
        c.older = ()
        if former is not None:
            c.older, self._known[_FORMER] = (_FORMER,), former
        self._gathering.add(c, now)


def _before(table: Table, at: Array) -> list[tuple[int, int]]:
    """Shape and ending of the connections before these on the same ends, and when they ended.

    Of one that was followed where it stands, below zero.
    """
    at, array = table.formers(at), table.building.array
    pair = array["shape"][at].astype(np.int64) << 2 | array["ending"][at]
    last_ns = array["last_ns"][at].astype(np.int64)
    for place in np.flatnonzero(table.among(at)).tolist():
        apart = table.apart(int(at[place]))
        assert apart is not None
        pair[place], last_ns[place] = ~at[place], apart.last_ns
    return list(zip(pair.tolist(), last_ns.tolist(), strict=True))


def _as_former(table: Table, pair: int) -> Connection:
    """How a connection that :func:`_before` tells of stands to the one after it."""
    apart = table.apart(~pair) if pair < 0 else None
    return copy.copy(apart or table.building.shapes.connection(pair >> 2, Ending(pair & 3)))


class _Stand:
    """A connection that stands for all of its kind. Raises Unfit."""

    def __init__(self, kind: Kind, table: Table) -> None:
        made = self._made = kind.connection
        self._follows = bool(made.older)
        made.older = (_FORMER,) if made.older else ()
        self._timed = made.handshake_rtt_ns is not None
        self._signs = tuple(signs_of(made, side) for _, side in _SIDES)
        said = [each for each in verdicts(made, kind.now) if each.severity > Severity.INFO]
        self._said = [(each, facts(each)) for each in said]
        self._table = table
        self._formers: dict[int, Connection] = {}

    def rows(self, p: Portion, which: Array) -> Iterator[tuple[Any, ...]]:
        """What is each one's own: its place, ends, times and facts."""
        columns: list[Any] = [(p.places[which] + 1).tolist()]
        for side, _ in _SIDES:
            columns += [alike.address(side)(p, which), p.port(side)[which].tolist()]
        columns += [p.first_ns[which].tolist(), p.last_ns[which].tolist(), p.rtt[which].tolist()]
        for name, side in (
            *(("first_syn", CLIENT), ("last_syn", CLIENT)),
            *(("first_fin", CLIENT), ("first_fin", SERVER)),
        ):
            columns.append(p.time(name, side)[0][which].tolist())
        columns.append(_before(p.table, p.at[which]) if self._follows else [()] * len(which))
        for _, differ in self._said:
            own = [column(p)[which].tolist() for column in differ.values()]
            columns.append(list(zip(*own, strict=True)) if own else [()] * len(which))
        return zip(*columns, strict=True)

    def add(
        self, gathering: Gathering, known: dict[int, Connection], row: tuple[Any, ...], now: int
    ) -> None:
        """Give the next one to ``gathering``."""
        made = self._made
        made.id, client, client_port, server, server_port, *rest = row
        made.client.endpoint = Endpoint(client, client_port)
        made.server.endpoint = Endpoint(server, server_port)
        made.first_ns, made.last_ns, rtt, first_syn, last_syn, *rest = rest
        if self._timed:
            made.handshake_rtt_ns = rtt
        *fins, former = rest[:3]
        client_signs = self._signs[CLIENT]
        if client_signs.first_syn_ns is not None:
            client_signs.first_syn_ns, client_signs.last_syn_ns = first_syn, last_syn
        for signs, fin in zip(self._signs, fins, strict=True):
            if signs.first_fin_ns is not None:
                signs.first_fin_ns = fin
        if self._follows:
            known[_FORMER] = self._former(*former)
        said = [
            each if not own else Verdict(
                each.code, each.severity, each.side,
                {**each.facts, **dict(zip(names, own, strict=True))},
            )
            for (each, names), own in zip(self._said, rest[3:], strict=True)
        ]  # fmt: skip
        gathering.add(made, now, said)

    def _former(self, pair: int, last_ns: int) -> Connection:
        former = self._formers.get(pair)
        if former is None:
            former = self._formers[pair] = _as_former(self._table, pair)
        former.last_ns = last_ns
        return former
