"""What can be taken of a batch: the plainest frames first, then the others, many at once.

What neither :mod:`tcpviz.bulk.segments.plain` nor :mod:`tcpviz.bulk.segments.walking` takes is
left to :mod:`tcpviz.wire`, record by record; all come to what that would make of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments import plain
from tcpviz.bulk.segments.columns import Piece, Tables
from tcpviz.bulk.segments.records import Batch

if TYPE_CHECKING:
    from tcpviz.bulk.segments.icmp import Errors
    from tcpviz.bulk.segments.quoted import Quoted

Array = NDArray[Any]

WORTH = 32
"""Frames that are worth being walked with at once; fewer are sooner decoded one by one."""


@dataclass(slots=True)
class Gathered:
    """``rows``: of these frames of the batch ``piece`` has the segments, in order.

    ``alike``  frames without a segment: of each group, the first and their number;
               all of a group are skipped for the same reason
    ``slow``   the other frames, in order
    ``errors``  ICMP errors about TCP among ``alike``, if there are any
    """

    rows: Array
    piece: Piece
    alike: list[tuple[int, int]]
    slow: Array
    errors: Quoted | None


def gather(batch: Batch, tables: Tables, taken: plain.Taken | None, told: Errors) -> Gathered:
    """What can be taken of a batch; ``taken`` is what :func:`plain.take` has of it.

    ``told`` numbers the VLANs and tunnels that ICMP errors came in.
    """
    found: list[tuple[Array, Piece]] = []
    slow = np.ones(len(batch), np.bool_)
    if taken is not None:
        rows, piece = taken
        found.append((rows, plain.named(batch, piece, tables)))
        if len(rows) == len(batch):
            return Gathered(*found[0], [], rows[:0], None)
        slow[rows] = False
    alike: list[tuple[int, int]] = []
    errors: Quoted | None = None
    others = np.flatnonzero(slow & (batch.wire <= plain.LONGEST))
    if len(others) >= WORTH:
        from tcpviz.bulk.segments import walking  # not wanted where all is plain

        walked = walking.walk(batch, tables, others, told)
        found.append((walked.rows, walked.piece))
        slow[walked.rows] = False
        errors = walked.errors
        for group in walked.alike:
            slow[group] = False
            alike.append((int(group[0]), len(group)))
    rows, piece = _merged(found)
    return Gathered(rows, piece, alike, np.flatnonzero(slow), errors)


def _merged(found: list[tuple[Array, Piece]]) -> tuple[Array, Piece]:
    """What was found in several ways, in the order of the frames."""
    some = [each for each in found if len(each[0])]
    if not some:
        return np.zeros(0, np.int64), {"time": np.zeros(0, np.int64)}
    if len(some) == 1:
        return some[0]
    rows = np.concatenate([each[0] for each in some])
    order = np.argsort(rows, kind="stable")
    names = some[0][1]
    piece = {name: np.concatenate([each[1][name] for each in some])[order] for name in names}
    return rows[order], piece
