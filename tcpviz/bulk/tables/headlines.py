"""What the list says of each connection: one sentence, worked out once for all that are alike.

A verdict rests on how a connection stands, on the crowd that it is in, and on
times. Where times matter only as being longer or shorter than a bound, all
within it share the sentence; where a time stands in the sentence, each has its own, filled in
(:mod:`tcpviz.bulk.tables.telling`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.flows import grouped
from tcpviz.bulk.tables.signs import FEW
from tcpviz.bulk.tables.table import Table
from tcpviz.bulk.tables.telling import sentences
from tcpviz.core.connection import Connection
from tcpviz.core.findings import SLOW_NS
from tcpviz.core.outcomes import ABANDONED_NS, IDLE_BEFORE_RESET_NS, SILENT_NS
from tcpviz.core.records import Side
from tcpviz.core.verdict_codes import SECOND, Verdict
from tcpviz.core.verdicts import verdicts
from tcpviz.views.verdict import sentence

Array = NDArray[Any]

_OWN = frozenset({"bytes", "packets", "echoes", "data"})
"""Facts that count what each has of its own."""

LOST = 3
"""Segments sent again from which on :mod:`tcpviz.core.findings` looks at their share."""


def headlines(table: Table) -> tuple[Array, list[str]]:
    """Of each connection the number of its sentence, and the sentences."""
    texts: dict[str, int] = {}
    out = np.zeros(len(table), np.int64)
    kinds, alone = kinds_of(table)
    places = np.flatnonzero(~alone)
    if len(places):
        unique, first, back = grouped(kinds if len(places) == len(kinds) else kinds[places])
        numbers = np.zeros(len(unique), np.int64)
        for at, where in enumerate(first.tolist()):
            place = int(places[where])
            connection, said = _asked(table, place)
            own = any(map(tells_time, said))
            text = _sentence(connection, said)
            numbers[at] = -1 if own else texts.setdefault(text, len(texts))
        out[places] = numbers[back]
        alone[places[numbers[back] < 0]] = True
    for found in sentences(table, np.flatnonzero(alone), 1):
        if isinstance(found, tuple):
            where, (said_of,) = found
            if isinstance(said_of, str):
                out[where] = texts.setdefault(said_of, len(texts))
            else:
                out[where] = [texts.setdefault(text, len(texts)) for text in said_of]
            continue
        for place in found.tolist():
            text = _sentence(*_asked(table, place))
            out[place] = texts.setdefault(text, len(texts))
    return out, list(texts)


def _asked(table: Table, place: int) -> tuple[Connection, list[Verdict]]:
    """The connection at ``place``, and what is said of it."""
    until = int(table.until_ns[place])
    connection = table.connection(place, counted=False)
    said = verdicts(connection, until)
    long = connection.client.segments + connection.server.segments > FEW
    if long and any("data" in verdict.facts for verdict in said):
        connection = table.connection(place)
        said = verdicts(connection, until)
    return connection, said


def _sentence(connection: Connection, said: list[Verdict]) -> str:
    return sentence(said[0], midstream=connection.midstream)


def tells_time(verdict: Verdict) -> bool:
    """A fact of it may be another one in a connection of the same kind."""
    return any(
        name in _OWN or (name.endswith("_ns") and (name != "span_ns" or value))
        for name, value in verdict.facts.items()
    )


def kinds_of(table: Table) -> tuple[Array, Array]:
    """A number that is equal only where the sentence is; and who needs to be looked at alone."""
    kinds, alone = table.kinds()
    first, last, until = table.first_ns, table.last_ns, table.until_ns
    whole, since = last - first, until - last
    kinds = kinds * 2 + (until - first >= SECOND)
    kinds = kinds * 2 + (since >= SILENT_NS)
    kinds = kinds * 2 + (since >= ABANDONED_NS)
    # Somewhere in it lies the moment from which a bound counts.
    several = table.column(table.sizes > 1, lambda _: 1).astype(np.bool_)
    alone |= several & (until - first >= SECOND) & (since < SECOND)
    alone |= several & (table.shaped(_established) > 0) & (
        np.where(table.rtt >= 0, table.rtt, whole) >= SLOW_NS
    )  # fmt: skip
    # What share was lost counts from three segments on.
    alone |= several & (table.shaped(_again) >= LOST)
    reset = table.shaped(lambda c: int(c.reset_by is not None))
    alone |= (reset > 0) & (whole >= IDLE_BEFORE_RESET_NS)
    return kinds, alone


def _again(c: Connection) -> int:
    if c.analysis is None:
        return 0
    return max(c.analysis.vitals.of(side).again for side in Side)


def _established(c: Connection) -> int:
    return int(c.established)
