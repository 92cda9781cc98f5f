"""Who talks in each connection: columns of its first segment, which many ask for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.columns import Columns, rows_at
from tcpviz.core.segment import ACK, SYN

Array = NDArray[Any]

_SYN_ACK = SYN | ACK

ENDS = ("scope", "src", "dst", "sport", "dport")

_AT_ONCE = 1 << 15


def answers(flags: Array) -> Array:
    """Of first segments, which answer a SYN that was not captured: whom they go to is the client.

    As :func:`tcpviz.core.routing.who_is_who` has it.
    """
    turned: Array = flags & _SYN_ACK == _SYN_ACK
    return turned


def ends_at(columns: Columns, rows: Array) -> dict[str, Array]:
    """:data:`ENDS` of these rows of a capture: ``src`` is the client, ``dst`` the server.

    They are far between: each is fetched from memory once, and not for every column.
    """
    array = columns.array
    made = {name: np.empty(len(rows), array[name].dtype) for name in ENDS}
    for at in range(0, len(rows), _AT_ONCE):
        span = slice(at, at + _AT_ONCE)
        some = rows_at(array, rows[span])
        for name, column in made.items():
            column[span] = some[name]
        turned = np.flatnonzero(answers(some["flags"]))
        for one, other in (("src", "dst"), ("sport", "dport")) if len(turned) else ():
            made[one][span][turned], made[other][span][turned] = (
                some[other][turned],
                some[one][turned],
            )
    return made
