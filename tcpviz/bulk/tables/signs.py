"""Vital signs of a regular connection: its shape's, with its own times, frames and counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments import sums
from tcpviz.bulk.segments.columns import SUM_SHIFT
from tcpviz.bulk.twin import twin
from tcpviz.core import seq as seqno
from tcpviz.core.halfconn import Sums
from tcpviz.core.records import Side
from tcpviz.core.segment import ACK, FIN, RST, SYN
from tcpviz.core.vitals import Signs, Vitals

Array = NDArray[Any]


def own_vitals(
    like: Vitals, columns: dict[str, Array], rows: Array, frame: Callable[[int], int]
) -> Vitals:
    """The vital signs of a connection of these rows, given its shape's.

    ``frame`` tells frame numbers by the example's.
    """
    begin, end = int(rows[0]), int(rows[-1]) + 1
    # One behind the other in the capture they need not be picked out.
    which = slice(begin, end) if end - begin == len(rows) else rows
    server = (columns["src"][which] != columns["src"][begin]) | (
        columns["sport"][which] != columns["sport"][begin]
    )
    flags = columns["flags"][which]
    times, frames = columns["time"][which], columns["frame"][which]
    length, said = columns["length"][which], columns["bits"][which] >> SUM_SHIFT & 3
    made = twin(like)
    made.first_flags = int(flags[0]) & 0x1FF
    special, wrong = np.flatnonzero(flags & (SYN | FIN | RST)), np.flatnonzero(said == sums.WRONG)
    places = np.flatnonzero(~server), np.flatnonzero(server)
    seq, ack = columns["seq"][which], columns["ack"][which]
    signs = {}
    for side, mine, theirs in zip(Side, places, places[::-1], strict=True):
        if not len(mine):
            continue
        at_end = side is Side.SERVER
        own = special[server[special] == at_end]
        end, heard = int(seq[mine[0]]), _latest(theirs, flags, ACK, ACK)
        una = end if heard is None else int(ack[heard])
        last = _latest(mine, flags, RST, 0)
        if last is not None:
            bits = int(flags[last])
            took = int(length[last]) + (bits & 1) + (bits >> 1 & 1)
            end = (int(seq[last]) + took) & 0xFFFFFFFF
        if like.of(side).keep_alives:
            end = seqno.later(end, una)  # a keep-alive is one below what was acknowledged
        signs[side] = _signs(
            like.of(side),
            _Own(
                flags[own],
                times[own],
                frames[own],
                int(columns["ttl"][rows[mine[0]]]),
                times[mine[-2:]],
                int(frames[mine[-1]]),
                (end, una),
                int(np.count_nonzero(length[mine])),
                frames[wrong[server[wrong] == at_end]],
                frame,
            ),
        )
    made.take_signs(signs)
    return made


def own_sums(like: Sums, columns: dict[str, Array], rows: Array) -> Sums:
    """What an end's checksums are worth, of whose segments these are the rows.

    As its shape has it where they are wrong, all of them.
    """
    said = columns["bits"][rows] >> SUM_SHIFT & 3
    if (said == sums.WRONG).any():
        return like
    return Sums.RIGHT if (said == sums.RIGHT).any() else Sums.UNTRIED


def _latest(places: Array, flags: Array, bits: int, value: int) -> int | None:
    """The last of these places whose flags have these ``bits`` at ``value``."""
    for few in (places[-4:], places):
        found = few[flags[few] & bits == value]
        if len(found):
            return int(found[-1])
    return None


class _Own(NamedTuple):
    """What an end's signs take from its connection's own segments.

    ``flags``, ``times``, ``frames``  of its segments with SYN, FIN or RST, in their order
    ``ttl``     of all that it sent
    ``latest``  the times of its last two, ``last`` the last one's frame
    ``reach``   the number behind what it sent last, and up to where the other one acknowledged it
    ``data``    how many have data, ``wrong`` the frames of those with a wrong checksum
    ``frame``   frame numbers by the example's
    """

    flags: Array
    times: Array
    frames: Array
    ttl: int
    latest: Array
    last: int
    reach: tuple[int, int]
    data: int
    wrong: Array
    frame: Callable[[int], int]


def _signs(like: Signs, own: _Own) -> Signs:
    made = twin(like)
    made.data = own.data
    # Whatever was sent again has been acknowledged since.
    made.retries = made.stuck = 0
    if made.frames is not None:
        made.frames = {what: own.frame(number) for what, number in made.frames.items()}
        if len(own.wrong):
            made.frames["sum"] = int(own.wrong[0])
    if made.next is not None:
        made.next, made.una = own.reach
    made.last_ns, made.last_frame = int(own.latest[-1]), own.last
    made.before_ns = int(own.latest[0]) if len(own.latest) > 1 else None
    for bit, name in ((SYN, "syn"), (FIN, "fin")):
        where = np.flatnonzero(own.flags & bit)
        for which, at in (("first", 0), ("last", -1)):
            if len(where):
                setattr(made, f"{which}_{name}_ns", int(own.times[where[at]]))
                setattr(made, f"{which}_{name}_frame", int(own.frames[where[at]]))
    where = np.flatnonzero(own.flags & RST)
    if len(where):
        made.rst_ns, made.rst_frame = int(own.times[where[-1]]), int(own.frames[where[-1]])
    if made.syn_ttl is not None:
        made.syn_ttl = own.ttl
    if made.rst_ttl is not None:
        made.rst_ttl = own.ttl
    if made.ttls:
        made.ttls = (own.ttl,)
    return made
