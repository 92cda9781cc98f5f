"""What is said of many connections, asked once for all that are told alike.

The kinds are those of :mod:`tcpviz.bulk.tables.branches`. What has none is left to whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from tcpviz.bulk.tables.branches import Kind, Kinds
from tcpviz.bulk.tables.facts import Fill, Unfit, text
from tcpviz.bulk.tables.portions import Portion, portions
from tcpviz.bulk.tables.table import Table
from tcpviz.views.verdict import sentence

Array = NDArray[Any]


def told_alike(table: Table, places: Array) -> Iterator[tuple[Kind, Portion, Array] | Array]:
    """The kinds at these places, with who are of each; and places of those that have none.

    ``(kind, portion, which)``: the connections at ``portion.places[which]`` are of that kind.
    """
    kinds = Kinds(table)
    for part, regular in portions(table, places):
        if regular.any():
            portion = Portion(table, part[regular])
            for kind, which in kinds.of(portion):
                yield (kind, portion, which) if kind.fillable else portion.places[which]
        if not regular.all():
            yield part[~regular]


def sentences(table: Table, places: Array, most: int) -> Iterator[tuple[Array, list[Any]] | Array]:
    """Sentences of the connections at these places, of ``most`` verdicts of each at most.

    ``(where, columns)``: a column for each verdict of the connections at ``where``, the most
    severe one's first: a sentence that all of them share, or a list with each one's own. And
    places of those that have to be asked one by one.
    """
    for found in told_alike(table, places):
        if not isinstance(found, tuple):
            yield found
            continue
        kind, portion, which = found
        where = portion.places[which]
        fills = _fills(kind, portion, which, most)
        if fills is None:
            yield where
        else:
            texts = (
                each if isinstance(each, str) else each(portion, which) for each in fills[:most]
            )
            yield where, list(texts)


def _fills(kind: Kind, portion: Portion, which: Array, most: int) -> list[Fill | str] | None:
    """What gives a kind's sentences; ``None`` where nothing does."""
    known: list[Fill | str] | None
    key = sentences, most
    if key in kind.forms:
        known = kind.forms[key]
        return known
    midstream = kind.connection.midstream
    known = []
    for verdict in kind.said[:most]:
        itself = sentence(verdict, midstream=midstream)
        try:
            fill = text(kind, verdict, str)
        except Unfit:
            known = None
            break
        # It must give what the kind was made of: the first of ``which``.
        if fill is not None and fill(portion, which[:1]) != [itself]:
            known = None
            break
        known.append(itself if fill is None else fill)
    kind.forms[key] = known
    return known
