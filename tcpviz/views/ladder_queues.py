"""The listener's two queues as a lane down the chart: a bar as long as a connection waits in one.

The kernel is asked after each step of the lab, so the lane shows how the SYN moves a
connection into the first queue, the handshake's end into the second, accept() out of it.
"""

from __future__ import annotations

from typing import Final

from tcpviz.views import roles
from tcpviz.views.ladder_canvas import Canvas
from tcpviz.views.ladder_parts import Queues, Row, RowKind

QUEUE_LANE: Final = 14
"""Cells of the lane, with a margin before it."""

QUEUE_ROOM: Final = 100
"""Below so many cells the queues are told above the chart instead."""

_SYN, _ACCEPT = 7, 1
"""Columns of the two queues, counted from the right edge."""


def head_queues(names: Canvas, limits: Canvas, queues: Queues, width: int) -> None:
    """The lane's heading: the queues' names, and how many each may hold."""
    names.put(width - 13, "queues:", roles.TITLE)
    names.put(width - 13, "  SYN accept", roles.TITLE)
    limit = "" if queues.syn_limit is None else f"/{queues.syn_limit}"
    limits.put(width - _SYN - len(limit) - 1, limit, roles.TIME)
    limit = f"/{queues.accept_limit}"
    limits.put(width - _ACCEPT - len(limit), limit, roles.TIME)


def draw_queues(canvas: Canvas, row: Row, width: int) -> None:
    """How long both queues are after this row: a number where that changes, else a bar."""
    now, before = row.queues, row.queues_before
    if now is None or row.kind is RowKind.BAND:
        return
    told = before is None
    lanes = (
        (now.syn, None if before is None else before.syn, now.syn_limit, _SYN + 1),
        (now.accept, None if before is None else before.accept, now.accept_limit, _ACCEPT),
    )
    for length, was, limit, right in lanes:
        if length is None:
            continue
        full = limit is not None and length >= limit > 0
        role = roles.MARK_BAD if full else roles.SERVER if length else roles.DIM
        text = str(length) if told or length != was else "┃" if length else ""
        canvas.put(width - right - len(text), text, role)
