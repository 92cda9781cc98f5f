"""A stretch's segments put together by flow and direction: one sort, and what begins anew.

What a live table adds up is then added up for each direction of each connection at once, and
what a pass touches of the table is as many rows as there are connections in it, not as many as
there are segments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tcpviz.bulk.live.stretches import Columns

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

PLACE: Final = 15
"""Bits of a segment's place in its stretch: :data:`tcpviz.sources.ring.AT_ONCE`."""

FLOW: Final = np.uint64((1 << 64) - 2)
"""The bits of a number for two ends that tell the flow; the lowest one is the direction's."""

_ONE, _SHORT = np.uint64(1), np.uint64(48)


@dataclass(slots=True)
class Groups:
    """Segments in the order of flow, direction, capture.

    ``order``   where each stood in the columns
    ``starts``, ``counts``  of the directions: their first segment in that order, and how many
    ``src``     of each direction, who sends; ``owner``: its connection
    ``flow``    of each connection; ``first``, ``last``: its segments in the capture
    ``whose``   the direction of each segment
    """

    order: Ints
    starts: Ints
    counts: Ints
    src: Words
    owner: Ints
    flow: Words
    first: Ints
    last: Ints
    whose: Ints


def group(columns: Columns, pairs: Words) -> Groups:
    """By flow and direction; ``pairs``: a number for both ends of each segment."""
    if len(columns) > 1 << PLACE:
        raise ValueError(f"more than {1 << PLACE} at once")
    keys = pairs & FLOW
    keys |= columns.src > columns.dst
    # The highest 15 bits and the direction: numbers of 16 bits are sorted in a seventh of the
    # time. Flows that these do not tell apart are put in order afterwards.
    short = ((keys >> _SHORT) & FLOW | keys & _ONE).astype(np.uint16)
    order = np.argsort(short, kind="stable")
    keys, short = keys[order], np.asarray(short[order] >> 1, np.uint16)
    flows = keys >> _ONE
    mixed = ((short[1:] == short[:-1]) & (flows[1:] != flows[:-1])).nonzero()[0]
    if len(mixed):
        alike = np.zeros(1 << 15, np.bool_)
        alike[short[mixed]] = True
        places = alike[short].nonzero()[0]
        right = places[np.argsort(keys[places], kind="stable")]
        order[places], keys[places] = order[right], keys[right]
    groups = _cut(order, keys, columns)
    groups.flow <<= _ONE
    return groups


def _cut(order: Ints, keys: Words, columns: Columns) -> Groups:
    """Where directions and connections begin among sorted keys, whose lowest bit is the side."""
    starts = np.concatenate((_ZERO, (keys[1:] != keys[:-1]).nonzero()[0] + 1))
    ends = np.append(starts[1:], len(keys))
    counts = ends - starts
    flows = keys[starts] >> _ONE
    begins = np.empty(len(starts), np.bool_)
    begins[0] = True
    np.not_equal(flows[1:], flows[:-1], out=begins[1:])
    owner = np.cumsum(begins) - 1
    firsts = begins.nonzero()[0]
    # Of two directions the one that spoke first, and the one that spoke last.
    lasts = np.append(firsts[1:], len(starts)) - 1
    one, two = starts[firsts], starts[lasts]
    first = np.where(order[two] < order[one], two, one)
    one, two = ends[firsts] - 1, ends[lasts] - 1
    last = np.where(order[two] < order[one], one, two)
    whose = np.zeros(len(keys), np.int64)
    whose[starts[1:]] = 1
    whose = np.cumsum(whose, out=whose)
    src = columns.src[order[starts]]
    return Groups(order, starts, counts, src, owner, flows[firsts], first, last, whose)


_ZERO = np.zeros(1, np.int64)


def divided(groups: Groups, columns: Columns, anew: Ints) -> tuple[Groups, Ints, Mask]:
    """The same where connections begin at further segments (``anew``, places in the order).

    Also gives which connection each was part of before, and which begin at one of those.
    """
    flows = groups.owner[groups.whose]
    asked = np.zeros(len(flows), np.bool_)
    asked[anew] = True
    fresh = asked.copy()
    fresh[groups.first] = True
    # In the order of the capture each flow's segments belong to what began last.
    timed = np.argsort(flows << PLACE | groups.order)
    begun = np.cumsum(fresh[timed]) - 1
    number = np.empty(len(flows), np.int64)
    number[timed] = begun
    sides = (columns.src > columns.dst)[groups.order]
    keys = (number << 1 | sides) << PLACE | groups.order
    keys.sort()
    order = keys & (1 << PLACE) - 1
    made = _cut(order, (keys >> PLACE).astype(np.uint64), columns)
    begins = timed[fresh[timed]]
    former = flows[begins]
    made.flow = groups.flow[former]
    return made, former, asked[begins]


def in_time(groups: Groups, places: Ints) -> Ints:
    """These places in the order, as their segments came."""
    return places[np.argsort(groups.order[places].astype(np.uint16), kind="stable")]
