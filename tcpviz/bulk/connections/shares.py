"""What a fork makes of some flows of a capture, and which ones it is given."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk import forks
from tcpviz.bulk.connections.apart import Run
from tcpviz.bulk.connections.shapes import Fresh
from tcpviz.bulk.segments.flows import Flows
from tcpviz.bulk.segments.reading import Reading

Array = NDArray[Any]

Span = tuple[int, int]
"""Flows: the first, and the one behind the last."""

WORTH = 100_000
"""Segments that are worth a fork: a tenth of a second's work, of which it takes a twentieth."""


class Share(NamedTuple):
    """The connections of some flows, as a copy of a building has entered them.

    ``array``      as the building's
    ``kept``       of its places ``span``
    ``irregular``  flows that have to be followed, ``runs`` parts of others
    ``shapes``     what it has come to know, and ``segments`` how many objects it has made for it
    """

    array: dict[str, Array]
    span: slice
    kept: Array
    irregular: list[int]
    runs: list[Run]
    shapes: Fresh
    segments: int


def stretches(flows: Flows, most: int, done: Array | None) -> list[Span]:
    """Flows in stretches of about so many segments, not those that are all ``done``."""
    begin = flows.begin
    out, at = [], 0
    while at < len(flows):
        end = int(np.searchsorted(begin, begin[at] + most, "right")) - 1
        end = min(max(end, at + 1), len(flows))
        if done is None or not done[at:end].all():
            out.append((at, end))
        at = end
    return out


def hands(reading: Reading) -> int:
    """How many processes may work on what has been read, this one among them."""
    columns = reading.root.columns
    if columns.windows is None:
        return forks.hands()
    return min(forks.hands(), 1 + columns.windows.helpers(columns.count))


def shares(reading: Reading, flows: Flows, spans: list[Span]) -> list[list[Span]]:
    """Stretches of flows dealt out to this process and to others, as they lie; all may be ours."""
    reached = [0]
    for begin, end in spans:
        reached.append(reached[-1] + int(flows.begin[end] - flows.begin[begin]))
    count = max(1, min(hands(reading), reached[-1] // WORTH, len(spans)))
    out: list[list[Span]] = [[] for _ in range(count)]
    for span, before in zip(spans, reached, strict=False):
        out[before * count // reached[-1]].append(span)
    return [each for each in out if each] or [[]]
