"""A shape's example with packets that were captured twice.

Among an example's rows a copy is told by a number below zero. It is made anew of what is left of
its original once the example has been thinned, and comes as long after that as it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.core.connection import Connection
from tcpviz.core.segment import Segment

Array = NDArray[Any]

COPY, LETTER = 1, 2
"""What stands for a copy that counts: Zeek writes no letter at it, or one."""

_BEFORE = {COPY: 1, LETTER: 9}
"""So many copies with data as Zeek may have counted before it."""


def coded(rows: Array, copied: Array | None) -> list[int]:
    """Rows, of which these are copies (0: it is none), as the numbers of an example."""
    if copied is None:
        plain: list[int] = rows.tolist()
        return plain
    rows = rows.astype(np.int64)
    numbers: list[int] = np.where(copied > 0, ~(rows * 2 + (copied == LETTER)), rows).tolist()
    return numbers


def rows_of(numbers: Sequence[int]) -> list[int]:
    """The rows that the numbers of an example stand for."""
    return [~each >> 1 if each < 0 else each for each in numbers]


def kind_of(number: int) -> int:
    """What a number stands for: as above, or 0 for no copy."""
    if number >= 0:
        return 0
    return LETTER if ~number & 1 else COPY


def put_back(
    numbers: Sequence[int], thinned: Sequence[Segment], all_of_them: Sequence[Segment]
) -> list[Segment]:
    """The copies among the others, which have been ``thinned``."""
    left = iter(thinned)
    latest: dict[tuple[object, ...], Segment] = {}
    out: list[Segment] = []
    for number, one in zip(numbers, all_of_them, strict=True):
        what = (one.src, one.seq, one.ack, int(one.flags), one.window, one.payload_len, one.ip_id)
        if number < 0:
            made = replace(latest[what], time_ns=one.time_ns, frame=one.frame, ttl=one.ttl)
        else:
            made = latest[what] = next(left)
        out.append(made)
    return out


def count(connection: Connection, segment: Segment, number: int) -> None:
    """Have Zeek count the next copy, if it has data, as the one that it was."""
    assert connection.analysis is not None
    zeek = connection.analysis.zeek
    end = zeek._orig if connection.side_of(segment) is zeek.originator else zeek._resp
    end.retransmitted = _BEFORE[kind_of(number)]
