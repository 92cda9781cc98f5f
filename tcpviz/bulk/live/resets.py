"""Which resets of a stretch count: by what each end had sent and acknowledged when they came.

As :mod:`tcpviz.core.resets` and :mod:`tcpviz.core.arrivals` judge them. A row says only how far
both ends are after the whole stretch, so that of connections with resets, which are few, it is
worked out how far they were at each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from tcpviz.bulk.live.groups import PLACE
from tcpviz.bulk.live.states import beyond
from tcpviz.core.segment import ACK, FIN, RST, SYN

if TYPE_CHECKING:
    from tcpviz.bulk.live.sums import Segments
    from tcpviz.bulk.live.table import LiveTable

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_MASK, _HALF = 0xFFFFFFFF, 1 << 31

BEYOND = 1 << 16
"""So far beyond what was sent nobody acknowledges: :data:`tcpviz.core.doubt.LEAST_REACH`."""


def reach(table: LiveTable) -> int:
    """The same; where packets were missed there is no saying how much was sent."""
    return BEYOND if not table.gaps else _HALF - 1


class Reached(NamedTuple):
    """How far the ends were when each of some resets came; -1 where that is not known.

    ``nxt``  what its sender would have sent next, ``acked`` what it had acknowledged;
    ``expected`` what its receiver had acknowledged, ``sent`` what that would have sent next
    """

    nxt: Ints
    acked: Ints
    expected: Ints
    sent: Ints


def reached(table: LiveTable, c: Segments, resets: Ints) -> Reached:
    """Before anything of the stretch has been added to the table."""
    groups = c.groups
    mine = groups.whose[resets]
    place = c.place[mine]
    marked = np.zeros(len(groups.flow), np.bool_)
    marked[groups.owner[mine]] = True
    chosen = marked[groups.owner][groups.whose] & (c.flags & RST == 0)
    chosen &= c.flags & (SYN | ACK) != 0
    segments = chosen.nonzero()[0]
    whose = groups.whose[segments]
    nxt, ack = table.nxt.reshape(-1), table.ack.reshape(-1)
    if not len(segments):
        return Reached(nxt[place], ack[place], ack[place ^ 1], nxt[place ^ 1])
    begins = np.empty(len(segments), np.bool_)
    begins[0] = True
    np.not_equal(whose[1:], whose[:-1], out=begins[1:])
    number = np.cumsum(begins) - 1
    flags = c.flags[segments]
    ends = c.seq[segments].astype(np.int64) + c.size[segments]
    ends += (flags & FIN) + (flags >> 1 & 1)
    of = c.place[whose]
    far = _furthest(ends, np.ones(len(segments), np.bool_), begins, number, nxt[of])
    acks = c.ack[segments].astype(np.int64)
    # What acknowledges more than was ever sent is not believed.
    lasts = np.append(begins[1:], True).nonzero()[0]
    own = nxt[c.place]
    own[whose[lasts]] = far[lasts]
    theirs = _opposite(c, whose[lasts])
    most = np.where(theirs >= 0, own[theirs], nxt[c.place[whose[lasts]] ^ 1])[number]
    far_off = ((acks - most + _HALF) & _MASK) - _HALF > reach(table)
    told = (flags & ACK != 0) & ~((most >= 0) & far_off)
    acked = _furthest(acks, told, begins, number, ack[of])
    keys = whose << PLACE | groups.order[segments]

    def at(side: Ints, values: Ints, former: Ints) -> Ints:
        """The value of these directions just before their resets."""
        found = np.searchsorted(keys, side << PLACE | groups.order[resets]) - 1
        inside = (found >= 0) & (whose[found] == side)
        return np.where(inside, values[found], former)

    theirs = _opposite(c, mine)
    return Reached(
        at(mine, far, nxt[place]),
        at(mine, acked, ack[place]),
        at(theirs, acked, ack[place ^ 1]),
        at(theirs, far, nxt[place ^ 1]),
    )


def _opposite(c: Segments, mine: Ints) -> Ints:
    """The other direction of the same connections; -1 where it said nothing in this stretch."""
    owner = c.groups.owner
    after = np.minimum(mine + 1, len(owner) - 1)
    before = np.maximum(mine - 1, 0)
    is_after = (owner[after] == owner[mine]) & (after != mine)
    is_before = (owner[before] == owner[mine]) & (before != mine)
    return np.where(is_after, after, np.where(is_before, before, -1))


def _furthest(numbers: Ints, told: Mask, begins: Mask, number: Ints, former: Ints) -> Ints:
    """Of each direction the highest number so far, modulo 2^32; -1 before the first.

    ``told``: which of them count; ``former``: of each one's direction, before these.
    """
    first = np.maximum.accumulate(np.where(told, np.arange(len(told)), -1))
    # The first that counts in each direction is what all are measured from.
    starts = begins.nonzero()[0]
    count = np.cumsum(told)
    before: Ints = (count - told)[starts][number]
    base_at = np.searchsorted(count, before + 1)
    base = np.where(former >= 0, former, numbers[np.minimum(base_at, len(told) - 1)])
    ahead = ((numbers - base + _HALF) & _MASK) - _HALF
    apart = number << 33
    running = np.maximum.accumulate(np.where(told, np.maximum(ahead, 0), 0) + apart) - apart
    known = (former >= 0) | (first >= starts[number])
    return np.where(known, (base + running) & _MASK, -1)


def counts(table: LiveTable, c: Segments, resets: Ints, when: Reached) -> Mask:
    """Whether its receiver would take it: RFC 5961 section 3, as far as an observer knows.

    The number must be one that its sender has not been acknowledged yet, or the next one. Of one
    that answers a SYN the acknowledgement must be right (RFC 9293 section 3.10.7.3).
    """
    place = c.place[c.groups.whose[resets]]
    acks = c.flags[resets] & ACK != 0
    seq, ack = c.seq[resets].astype(np.int64), c.ack[resets].astype(np.int64)
    room = (when.nxt - when.expected) & _MASK
    room[(when.nxt < 0) | (room >= _HALF)] = 0
    within = (seq - when.expected) & _MASK <= room
    answers = acks & (when.sent >= 0) & (ack == when.sent)
    iss = table.iss.reshape(-1)
    refuses = (iss[place ^ 1] >= 0) & (iss[place] < 0)
    open_yet = answers | ~refuses & (~acks | (when.sent < 0))
    return np.asarray(np.where(when.expected >= 0, within, open_yet), np.bool_)


def too_late(table: LiveTable, rows: Ints, acked: Ints) -> Mask:
    """Of these, just ended by a reset: whose receiver had closed before, and is no longer there.

    ``acked``: what the reset's sender had acknowledged then.
    """
    mine = table.reset_by[rows]
    theirs = 1 - mine
    fin, fin_ack = table.fin[rows, theirs], table.fin_ack[rows, theirs]
    passive = (table.closed_by[rows] == mine) & beyond(fin_ack, table.fin[rows, mine])
    return np.asarray(passive & beyond(acked, fin), np.bool_)
