"""Who talks in each connection: columns of its first segment, which many ask for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.columns import Columns, rows_at

Array = NDArray[Any]

ENDS = ("scope", "src", "dst", "sport", "dport")

_AT_ONCE = 1 << 15


def ends_at(columns: Columns, rows: Array) -> dict[str, Array]:
    """:data:`ENDS` of these rows of a capture.

    They are far between: each is fetched from memory once, and not for every column.
    """
    array = columns.array
    made = {name: np.empty(len(rows), array[name].dtype) for name in ENDS}
    for at in range(0, len(rows), _AT_ONCE):
        span = slice(at, at + _AT_ONCE)
        some = rows_at(array, rows[span])
        for name, column in made.items():
            column[span] = some[name]
    return made
