"""Flows that may be connections of which a part was captured: picked out, and looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import onesided, partial
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.looked import Looked, looked
from tcpviz.bulk.connections.work import Work
from tcpviz.bulk.segments.columns import Columns
from tcpviz.bulk.segments.flows import Flows, spans, together
from tcpviz.core.segment import ACK, FIN, RST, SYN

Array = NDArray[Any]

MOST = 1 << 17
"""Segments of both ends that are looked at: all of their columns are there at once."""

CHUNK = 1 << 16
"""Segments that are worked on at a time, in whole flows."""

LEAST = 1 << 17
"""Segments of one end that are looked at a stretch at a time."""

_FEW = 64
_OPENING = SYN | ACK | FIN | RST


def among(columns: Columns, flows: Flows, which: list[int], tied: Array) -> tuple[Array, list[int]]:
    """Of these flows those that may be such connections, and the others.

    Not those that ICMP errors have ``tied``.
    """
    some = np.array(which, np.int64)
    begin, size = flows.begin[some], flows.begin[some + 1] - flows.begin[some]
    maybe = ~np.isin(some, tied) if len(tied) else np.ones(len(some), np.bool_)
    opened = columns.array["flags"][flows.order[begin]] & _OPENING == SYN
    asked = np.flatnonzero(maybe & (opened | (size > MOST)))
    for most in (_FEW, None):  # both ends speak, as a rule within the first few
        if len(asked):
            part = size[asked] if most is None else np.minimum(size[asked], most)
            maybe[asked] = _alone(columns, flows, begin[asked], part)
            asked = asked[maybe[asked]]
    return some[maybe], some[~maybe].tolist()


def _alone(columns: Columns, flows: Flows, begin: Array, size: Array) -> Array:
    """Whether so many segments from there on were all sent by the same end."""
    array = columns.array
    rows, first = flows.order[spans(begin, size)], np.repeat(flows.order[begin], size)
    other = array["src"][rows] != array["src"][first]
    other |= array["sport"][rows] != array["sport"][first]
    alone: Array = ~np.logical_or.reduceat(other, np.cumsum(size) - size)
    return alone


def looks(
    columns: Columns,
    clock: Clock,
    flows: Flows,
    which: Array,
    torn: Callable[[Work], Array] | None = None,
) -> Iterator[Looked | int]:
    """Look at these flows; one by its number that has to be followed.

    ``torn`` tells where packets were lost, if any were.
    """
    size = flows.begin[which + 1] - flows.begin[which]
    long = size > LEAST
    for flow in which[long].tolist():
        made = onesided.look(columns, clock, flows.rows(flow)) if torn is None else None
        if made is None:
            yield flow
        else:
            places, work, sums, fine = made
            at = int(flows.begin[flow]) + places
            yield looked(np.array([flow]), work, sums, fine, at)
    which, size = which[~long], size[~long]
    for some in together(size, CHUNK):
        at = spans(flows.begin[which[some]], size[some])
        edges = np.append(0, np.cumsum(size[some]))
        work = partial.Partial(columns, clock, flows.order[at].astype(np.int64), edges)
        if torn is not None:
            work.torn = torn(work)
        yield looked(which[some], work, *partial.check(work), at)
