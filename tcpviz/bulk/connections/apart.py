"""Many connections of the same ends of which a few are odd: only these are followed.

A connection on the same addresses and ports touches those around it: it takes the place of the one
before, the one behind takes its own, and late segments may belong to any of those before it that
the core remembers. So the core takes each odd one together with these, and of what comes out only
the odd one is kept, if all the others came out as the columns have them. If one did not, the whole
flow is followed. In ``Building.array`` an odd one stands with its sums, and the shape and ending of
the one before it, so that who asks for neighbours finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.looked import Looked
from tcpviz.bulk.connections.shapes import SUCCESSOR, Ending
from tcpviz.bulk.connections.work import Work
from tcpviz.core.connection import Connection
from tcpviz.core.routing import MOST_OLDER
from tcpviz.core.segment import SYN

if TYPE_CHECKING:
    from tcpviz.bulk.connections.building import Building
    from tcpviz.bulk.connections.jobs import Opened

Array = NDArray[np.int64]
Bools = NDArray[np.bool_]

BEFORE = MOST_OLDER + 1
"""Connections before an odd one that the core takes too: the next to it has its older ones then."""

WORTH = BEFORE + 3
"""Connections of a flow for each odd one; in others the whole is followed."""


class Run(NamedTuple):
    """Connections of a flow that lie side by side: places in the flows' order from ``begin`` on.

    ``odd``  where the odd ones begin
    """

    flow: int
    begin: int
    end: int
    odd: tuple[int, ...]


def opened(work: Work, fine: Bools) -> Bools | None:
    """Connections that were opened as they should be; ``None`` where nobody asks.

    Each of its ends has one first number, by which its late SYNs are known again.
    """
    if fine.all() or len(fine) < WORTH:
        return None
    well: Bools = work.answered & ~work.wrong & (work.flags[work.answer_at] & SYN != 0)
    well[work.part[work.syns[work.rel[work.syns] != 0]]] = False
    return well


def odd(looked: Looked, fine: Bools) -> Bools:
    """Connections that are not fine, and can be followed apart from the others of their flow."""
    work = looked.work
    apart = np.zeros(len(fine), np.bool_)
    bad = np.flatnonzero(~fine)
    if not len(bad) or work.opened is None or type(looked) is not Looked:
        return apart
    sizes = np.bincount(work.flow)
    flow = work.flow[bad]
    few = np.bincount(flow, minlength=len(sizes)) * WORTH <= sizes
    bad = bad[few[flow] & ~work.leads[bad] & (bad + 1 < len(fine))]
    bad = bad[~work.leads[bad + 1]]
    # Those beside it were answered, too: it took the place of one, and the other its own.
    bad = bad[work.opened[bad - 1] & work.opened[bad] & work.opened[bad + 1]]
    apart[bad] = True
    # All bad ones of a flow are, or none is.
    whole = np.bincount(work.flow[~(fine | apart)], minlength=len(sizes)) == 0
    apart &= whole[work.flow]
    return apart


def before(odd: Bools) -> Array:
    """Of each of these odd ones the latest before it that is not; there is one."""
    latest: Array = np.maximum.accumulate(np.where(odd, 0, np.arange(len(odd))))
    return latest[odd]


def runs(looked: Looked, apart: Bools) -> Iterator[Run]:
    """What the core has to take of connections that were looked at."""
    at = np.flatnonzero(apart)
    if not len(at):
        return
    work = looked.work
    flow, begin = looked.flows[work.flow], looked.places(slice(None))
    size = work.last - work.first + 1
    reach: list[list[int]] = []
    for each in at.tolist():
        low = each
        while low > 0 and each - low < BEFORE and flow[low - 1] == flow[each]:
            low -= 1
        if reach and reach[-1][1] >= low and flow[reach[-1][1]] == flow[each]:
            reach[-1][1] = each + 1
            reach[-1].append(each)
        else:
            reach.append([low, each + 1, each])
    for low, high, *those in reach:
        places = tuple(begin[those].tolist())
        yield Run(int(flow[low]), int(begin[low]), int(begin[high] + size[high]), places)


class _Neighbours:
    """The connections of a building, by where they begin."""

    def __init__(self, building: Building) -> None:
        self._array, self._begin = building.array, building.flows.begin
        self._shapes, self._order = building.shapes, building.by_place()
        self._place = building.array["place"][self._order]
        self._frames = building.reading.columns.array["frame"]

    def kept(self, run: Run, opened: Opened) -> Opened | None:
        """The odd ones of what a run came to; ``None`` if the others are not as they should be."""
        low, high = np.searchsorted(self._place, [run.begin, run.end])
        at = self._order[low:high]
        mine = {name: self._array[name][at].tolist() for name in _ASKED}
        if [row for row, _ in opened] != mine["first"]:
            return None
        made = [each for _, each in opened]
        lead = int(self._begin[run.flow]) == run.begin
        odd = set(run.odd)
        is_odd = [place in odd for place in mine["place"]]
        counts = list(zip(mine["client_segments"], mine["server_segments"], strict=True))
        # Those before one, the latest first; as tcpviz.bulk.connections.former has it.
        older: tuple[int, ...] = ()
        for place, one in enumerate(made):
            if is_odd[place]:
                if one.refused or not one.superseded:
                    return None
            elif (one.client.segments, one.server.segments) != counts[place]:
                return None
            answered = mine["answered"][place]
            if place and answered and (one.intrudes or one.inherits or one.former is not None):
                return None
            if answered and place >= (1 if lead else BEFORE) and one.older != older:
                return None
            if answered or (lead and not place):
                older = (one.id, *older)[:MOST_OLDER]
            if not is_odd[place] and place + 1 < len(made) and is_odd[place + 1]:
                pair = mine["shape"][place], Ending(mine["ending"][place])
                frame = int(self._frames[mine["first"][place + 1]])
                if not _replaced(one, self._shapes.connection(*pair), frame):
                    return None
        return [each for each, apart in zip(opened, is_odd, strict=True) if apart]


_ASKED = ("first", "place", "client_segments", "server_segments", "answered", "shape", "ending")


def _replaced(one: Connection, like: Connection, frame: int) -> bool:
    """Whether it was left as its shape's example is, where this frame stands for the successor."""
    if not one.superseded or like.refused:
        return False
    for end, other in ((one.client, like.client), (one.server, like.server)):
        if end.state is not other.state:
            return False
        if (end.claim.frame == frame) is not (other.claim.frame == SUCCESSOR):
            return False
    return True


def kept(
    building: Building, runs: Sequence[Run], opened: Iterable[Opened]
) -> tuple[Opened, list[int]]:
    """What is kept of what these came to, each in its turn; and flows that have to be followed."""
    near = _Neighbours(building)
    made: list[tuple[Run, Opened | None]] = []
    for run, each in zip_longest(runs, opened):
        made.append((run, None if each is None else near.kept(run, each)))
    whole = dict.fromkeys(run.flow for run, each in made if each is None)
    return [one for run, each in made if run.flow not in whole for one in each or ()], [*whole]
