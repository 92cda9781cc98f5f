"""Some flows that were looked at, each by itself: what is in order, and of which kind.

What the core has to say of them, and whose each segment is, comes after that
(:mod:`tcpviz.bulk.connections.building`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import hops
from tcpviz.bulk.connections.common import common, told
from tcpviz.bulk.connections.regular import Sums
from tcpviz.bulk.connections.signatures import signatures
from tcpviz.bulk.connections.work import Work

Array = NDArray[Any]

Example = tuple[Array, Array, Array | None, int]
"""A connection's rows, those that count, and which of them are copies: :mod:`.copied`.

And what is so in the whole of it: :mod:`.common`.
"""


@dataclass(slots=True)
class Looked:
    """Some flows, by their numbers, each looked at by itself.

    ``at``     the places of the segments in ``work`` in the flows' order
    ``fine``   connections that are regular
    ``codes``  their signatures, for which ``kept`` segments count
    """

    flows: Array
    work: Work
    sums: Sums
    fine: Array
    codes: Array
    kept: Array
    at: Array

    def places(self, which: Array | slice) -> Array:
        """Where in the flows' order these connections begin."""
        places: Array = self.at[self.work.first[which]]
        return places

    def last_ns(self, which: Array | slice) -> Array:
        """When the last segment of each of these came."""
        times: Array = self.work.time[self.work.last[which]]
        return times

    def doubles(self, which: Array | slice) -> Array | int:  # noqa: ARG002
        """How many packets of each of these were captured twice."""
        return 0

    def example(self, which: int) -> Example:
        """One of them, from which the core is to tell how all of its kind are."""
        span = slice(int(self.work.first[which]), int(self.work.last[which]) + 1)
        return self.work.rows[span], self.kept[span], None, told(self.work, which)


def looked(flows: Array, work: Work, sums: Sums, fine: Array, at: slice | Array) -> Looked:
    """The same, given what has been found out."""
    work.common, work.hops = common(work), hops.different(work)
    codes, kept = signatures(work)
    if isinstance(at, slice):
        at = np.arange(at.start, at.stop)
    work.let_go()  # several are there at a time
    return Looked(flows, work, sums, fine, codes, kept, at)
