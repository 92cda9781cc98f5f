"""Vital signs of a regular connection: its shape's, with its own times, frames and counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import hops
from tcpviz.bulk.connections.beginnings import answers
from tcpviz.bulk.segments import sums
from tcpviz.bulk.segments.columns import SUM_SHIFT, rows_at
from tcpviz.bulk.tables import signals
from tcpviz.bulk.twin import twin
from tcpviz.core import seq as seqno
from tcpviz.core.connection import Connection
from tcpviz.core.halfconn import Sums
from tcpviz.core.records import Side
from tcpviz.core.segment import ACK, FIN, RST, SYN
from tcpviz.core.vitals import Signs, Vitals

Array = NDArray[Any]

FEW = 96
"""Segments of a connection of which each is looked at; of more only those that tell something."""

STRETCH = 1 << 14
"""Of more, so many at a time: what is asked of them stays in the processor's cache."""

_ASKED = ["time", "src", "sport", "flags", "seq", "ack", "length", "ttl", "bits"]
_SPECIAL = SYN | FIN | RST


class _Said:
    """What one end's own segments tell, taken one after the other.

    ``first``, ``ttl``  the first one's number and TTL
    ``syns``, ``fins``, ``rst``  time and frame of each, of the last reset
    ``last``, ``before``  the same of its last segment, and the time of the one before that;
                          ``None`` where there was none
    ``end``    the number behind what it sent last; resets do not count
    ``ack``    what it acknowledged last
    ``data``   how many have data
    ``right``, ``wrong``  whether a checksum was right; the first frame that had a wrong one
    """

    __slots__ = (
        *("first", "ttl", "syns", "fins", "rst", "last", "before", "end", "ack", "data"),
        *("right", "wrong"),
    )

    def __init__(self) -> None:
        self.first = self.ttl = self.end = self.data = 0
        self.syns: list[tuple[int, int]] = []
        self.fins: list[tuple[int, int]] = []
        self.rst: tuple[int, int] | None = None
        self.last: tuple[int, int] | None = None
        self.before: int | None = None
        self.ack: int | None = None
        self.right = False
        self.wrong: int | None = None


def own_signs(
    shape: Connection,
    columns: dict[str, Array],
    rows: Array,
    kept: Array,
    frame: Callable[[int], int],
    *,
    counted: bool = True,
) -> tuple[Vitals, Sums, Sums]:
    """The vital signs of a connection of these rows, given its shape's; what checksums are worth.

    ``kept`` are those that count for its signature; ``frame`` tells frame numbers by
    the example's. Unless they are to be ``counted`` of a long one the segments with data, and
    what checksums are worth, are the example's.
    """
    assert shape.analysis is not None
    like, whole = shape.analysis.vitals, rows
    if len(rows) > FEW:
        rows = rows[_telling(columns, rows, kept, counted=counted)]
    flags, ends = _said(columns, rows)
    if rows is not whole:
        if counted:
            ends[0].data, ends[1].data = _data(columns, whole)
        else:
            ends[0].data, ends[1].data = (like.of(side).data for side in Side)
    made = twin(like)
    made.first_flags = flags
    if made.frames is not None:
        made.frames = {what: frame(number) for what, number in made.frames.items()}
    if like.first_len:
        made.first_len = int(columns["length"][whole[0]])
    signs = {}
    for side, mine, theirs in zip(Side, ends, ends[::-1], strict=True):
        if mine.last is not None:
            signs[side] = _signs(like.of(side), mine, theirs, frame)
    made.take_signs(signs)
    signals.take(made, columns, whole)
    apart = [side for side in signs if hops.differ(like.of(side))]
    if apart:
        server = _theirs(columns, whole, int(whole[0]))
        for side in apart:
            mine = whole[server == (side is Side.SERVER)]
            hops.take(signs[side], columns["ttl"][mine], columns["flags"][mine])
    if rows is not whole and not counted:
        return made, shape.client.sums, shape.server.sums
    return made, _sums(shape.client.sums, ends[0]), _sums(shape.server.sums, ends[1])


def _said(columns: dict[str, Array], rows: Array) -> tuple[int, tuple[_Said, _Said]]:
    """The first one's flags, and what each end's segments tell, of these rows."""
    asked = rows_at(columns, rows)[_ASKED].tolist()
    first = asked[0][1:3]
    turned = answers(asked[0][3])
    ends = _Said(), _Said()
    for one, number in zip(asked, columns["frame"][rows].tolist(), strict=True):
        time, src, sport, flags, seq, ack, length, ttl, bits = one
        me = ends[(first != (src, sport)) ^ turned]
        if me.last is None:
            me.first = me.end = seq
            me.ttl = ttl
        else:
            me.before = me.last[0]
        me.last = time, number
        if flags & ACK:
            me.ack = ack
        if flags & _SPECIAL:
            if flags & SYN:
                me.syns.append((time, number))
            if flags & FIN:
                me.fins.append((time, number))
            if flags & RST:
                me.rst = time, number
        if length:
            me.data += 1
        if not flags & RST:
            me.end = (seq + length + (flags & 1) + (flags >> 1 & 1)) & 0xFFFFFFFF
        said = bits >> SUM_SHIFT & 3
        if said == sums.RIGHT:
            me.right = True
        elif said == sums.WRONG and me.wrong is None:
            me.wrong = number
    return asked[0][3] & 0x1FF, ends


def _telling(columns: dict[str, Array], rows: Array, kept: Array, *, counted: bool) -> Array:
    """Places of those segments of many on which signs rest, those of checksums if ``counted``."""
    # SYNs, FINs and resets count for a signature, and so does the first of each end.
    begin, places = int(rows[0]), np.flatnonzero(kept)
    special = columns["flags"][rows[places]] & _SPECIAL != 0
    special[np.flatnonzero(_theirs(columns, rows[places], begin))[:1]] = True
    found = [np.zeros(1, np.int64), places[special], *_latest(columns, rows)]
    unsure = [False, True] if counted else []
    for at, some in _stretches(rows):
        if not unsure:
            break
        said = columns["bits"][some] >> SUM_SHIFT & 3
        tried, server = (said == sums.RIGHT) | (said == sums.WRONG), _theirs(columns, some, begin)
        for side in tuple(unsure):
            first = np.flatnonzero(tried & (server == side))[:1]
            if len(first):  # all of an end's checksums are wrong, or none
                unsure.remove(side)
                found.append(at + first)
    return np.array(sorted(set(np.concatenate(found).tolist())))


def _data(columns: dict[str, Array], rows: Array) -> tuple[int, int]:
    """How many of the client's segments have data, and how many of the server's."""
    both = theirs = 0
    for _, some in _stretches(rows):
        full = columns["length"][some] > 0
        both += int(np.count_nonzero(full))
        theirs += int(np.count_nonzero(full & _theirs(columns, some, int(rows[0]))))
    return both - theirs, theirs


def _stretches(rows: Array) -> Iterator[tuple[int, slice | Array]]:
    """These rows a stretch at a time, each with its place among them."""
    begin, count = int(rows[0]), len(rows)
    together = int(rows[-1]) - begin + 1 == count  # they need not be picked out
    for at in range(0, count, STRETCH):
        end = min(at + STRETCH, count)
        yield at, slice(begin + at, begin + end) if together else rows[at:end]


def _theirs(columns: dict[str, Array], rows: slice | Array, first: int) -> Array:
    """Which of these rows the server sent, in a connection that begins with ``first``."""
    # Where the addresses are the same, ports tell.
    name = "sport" if columns["src"][first] == columns["dst"][first] else "src"
    there: Array = columns[name][rows] != columns[name][first]
    return ~there if answers(columns["flags"][first]) else there


def _latest(columns: dict[str, Array], rows: Array) -> list[Array]:
    """Places of each end's last two, its last acknowledgement, and its last that is no reset."""
    count, tail = len(rows), FEW
    while True:
        begin = max(count - tail, 0)
        some = rows[begin:]
        flags, server = columns["flags"][some], _theirs(columns, some, int(rows[0]))
        out, enough = [], True
        for mine in (~server, server):
            for which, few in (
                (mine, 2),
                (mine & (flags & ACK != 0), 1),
                (mine & (flags & RST == 0), 1),
            ):
                out.append(begin + np.flatnonzero(which)[-few:])
                enough = enough and len(out[-1]) == few
        if enough or not begin:
            return out
        tail *= 8


def _sums(like: Sums, own: _Said) -> Sums:
    """What an end's checksums are worth: as its shape has it where they are wrong, all of them."""
    if own.wrong is not None:
        return like
    return Sums.RIGHT if own.right else Sums.UNTRIED


def _signs(like: Signs, own: _Said, theirs: _Said, frame: Callable[[int], int]) -> Signs:
    made = twin(like)
    made.data = own.data
    # Whatever was sent again has been acknowledged since.
    made.retries = made.stuck = 0
    if made.frames is not None:
        made.frames = {what: frame(number) for what, number in made.frames.items()}
        if own.wrong is not None:
            made.frames["sum"] = own.wrong
    if made.next is not None:
        end, una = own.end, own.first if theirs.ack is None else theirs.ack
        if like.keep_alives:
            end = seqno.later(end, una)  # a keep-alive is one below what was acknowledged
        made.next, made.una = end, una
    if own.last is not None:
        made.last_ns, made.last_frame = own.last
    made.before_ns = own.before
    if own.syns:
        made.first_syn_ns, made.first_syn_frame = own.syns[0]
        made.last_syn_ns, made.last_syn_frame = own.syns[-1]
    if own.fins:
        made.first_fin_ns, made.first_fin_frame = own.fins[0]
        made.last_fin_ns, made.last_fin_frame = own.fins[-1]
    if own.rst is not None:
        made.rst_ns, made.rst_frame = own.rst
    if hops.differ(made):
        return made
    if made.syn_ttl is not None:
        made.syn_ttl = own.ttl
    if made.rst_ttl is not None:
        made.rst_ttl = own.ttl
    if made.ttls:
        made.ttls = (own.ttl,)
    return made
