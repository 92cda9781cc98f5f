"""What a stretch adds to the rows of the live table: totals, numbers, FINs and resets.

Each function takes the table, the stretch's segments as sorted by
:mod:`tcpviz.bulk.live.groups`, and the row and side of each direction in it. Sequence numbers are
unsigned words of 32 bits, so that their differences are taken modulo 2^32 by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tcpviz.bulk.live import resets as liveresets
from tcpviz.bulk.live.groups import Groups, in_time
from tcpviz.core.segment import ACK, FIN, RST, SYN

if TYPE_CHECKING:
    from tcpviz.bulk.live.table import LiveTable

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.uint32]
Steps = npt.NDArray[np.int32]

_NEVER = np.int32(np.iinfo(np.int32).min)

Ended = tuple[Ints, Ints, Ints]
"""Rows whose connection a reset of this stretch ended, where that stood in the columns, and what
its sender had acknowledged."""

_NOTHING: Ended = (np.zeros(0, np.int64),) * 3


@dataclass(slots=True)
class Segments:
    """Sorted; ``row`` and ``side`` are those of each direction, ``place`` both in one number."""

    groups: Groups
    time_ns: Ints
    seq: Numbers
    ack: Numbers
    flags: npt.NDArray[Any]
    size: npt.NDArray[np.int32]
    row: Ints
    side: Ints
    place: Ints

    def where(self, places: Ints) -> Ints:
        """The place in the table of these segments' senders."""
        return np.asarray(self.place[self.groups.whose[places]], np.int64)

    def when(self, places: Ints) -> Ints:
        return np.asarray(self.time_ns[self.groups.order[places]], np.int64)


def count(table: LiveTable, c: Segments) -> None:
    """Add everything up."""
    groups = c.groups
    table.packets.reshape(-1)[c.place] += groups.counts
    # Fewer than 2^15 segments of less than 2^16 bytes fit into 32 bits. What all have sent up to
    # an end, less what all had sent before: half of the time of a sum of each.
    every = np.cumsum(c.size.view(np.uint32), dtype=np.uint32)
    sizes = every[groups.starts + groups.counts - 1]
    sizes[1:] -= sizes[:-1].copy()
    table.octets.reshape(-1)[c.place] += sizes
    table.last_ns[c.row[groups.whose[groups.last]]] = c.when(groups.last)
    syns = (c.flags & SYN != 0).nonzero()[0]
    fins = (c.flags & FIN != 0).nonzero()[0]
    resets = (c.flags & RST != 0).nonzero()[0]
    when = liveresets.reached(table, c, resets) if len(resets) else None
    if len(syns):
        _syns(table, c, syns)
    # Nobody in a connection sends a segment without ACK: a null, FIN or Xmas scan.
    speaks = c.flags & (SYN | ACK) != 0
    if len(resets):
        speaks &= c.flags & RST == 0
    if speaks.all():
        _move_on(table, c, groups.starts, groups.counts, groups.whose, c.place)
    elif speaks.any():
        _move_on(table, *_only(c, speaks.nonzero()[0]))
    ended = _NOTHING if when is None else _resets(table, c, resets, when)
    _thirds(table, c, ended)
    if len(fins):
        _fins(table, c, fins, ended)
    if len(ended[0]):
        rows, _, acked = ended
        table.reset_by[rows[liveresets.too_late(table, rows, acked)]] = -1


def _only(c: Segments, chosen: Ints) -> tuple[Segments, Ints, Ints, Ints, Ints]:
    """These segments alone; where their directions begin, how many each has, whose, and places."""
    groups = c.groups
    whose = groups.whose[chosen]
    begins = np.empty(len(chosen), np.bool_)
    begins[0] = True
    np.not_equal(whose[1:], whose[:-1], out=begins[1:])
    starts = np.flatnonzero(begins)
    counts = np.diff(starts, append=len(chosen))
    part = Segments(
        groups,
        c.time_ns,
        c.seq[chosen],
        c.ack[chosen],
        c.flags[chosen],
        c.size[chosen],
        c.row,
        c.side,
        c.place,
    )
    return part, starts, counts, np.cumsum(begins) - 1, c.place[whose[starts]]


def _syns(table: LiveTable, c: Segments, syns: Ints) -> None:
    place = c.where(syns)
    np.add.at(table.syns.reshape(-1), place, 1)
    iss = table.iss.reshape(-1)
    first = np.flatnonzero(iss[place] < 0)[::-1]
    iss[place[first]] = c.seq[syns[first]]
    rows = place >> 1
    asked = np.flatnonzero((c.flags[syns] & ACK == 0) & (table.third_ns[rows] < 0))
    if (place[asked] & 1).any():  # both ends ask: the later one counts
        asked = asked[np.argsort(c.groups.order[syns[asked]], kind="stable")]
    table.syn_ns[rows[asked]] = c.when(syns[asked])


def _move_on(
    table: LiveTable, c: Segments, starts: Ints, counts: Ints, whose: Ints, place: Ints
) -> None:
    """How far each end has sent and acknowledged; what it sent that was not beyond that."""
    flags, size, seq = c.flags, c.size, c.seq
    lasts = starts + counts - 1
    nxt = table.nxt.reshape(-1)
    former = nxt[place]
    # Set off from the first segment of each that has said nothing before.
    base = np.where(former < 0, seq[starts], former).astype(np.uint32)
    far = seq + size.view(np.uint32)
    far += flags & FIN
    far += flags >> 1 & 1
    far -= base.take(whose)
    ahead: Steps = far.view(np.int32)
    before = np.empty_like(ahead)
    before[0] = 0
    before[1:] = ahead[:-1]
    before[starts] = 0
    if (ahead < before).any():
        # Something is out of order: a maximum that begins anew with each direction.
        apart = np.repeat(np.arange(len(starts)) << 33, counts)
        running = np.maximum.accumulate(np.maximum(ahead, 0) + apart) - apart
        before[1:] = running[:-1]
        before[starts] = 0
        furthest = running[lasts].astype(np.uint32)
    else:
        furthest = ahead[lasts].view(np.uint32)
    again = ((ahead <= before) & (size > 0)).nonzero()[0]
    if len(again):
        np.add.at(table.again.reshape(-1), place[whose[again]], 1)
    nxt[place] = base + furthest
    # Who goes on after a reset in its name has not sent that one: core.resets.went_on().
    again = (table.reset_by[place >> 1] == place & 1) & (furthest > 0) & (former >= 0)
    if again.any():
        table.reset_by[place[again] >> 1] = -1
    _acknowledge(table, c, starts, counts, whose, place)


def _acknowledge(
    table: LiveTable,
    c: Segments,
    starts: Ints,
    counts: Ints,
    whose: Ints,
    place: Ints,
    told: Mask | None = None,
) -> None:
    """The highest that each end has acknowledged, and the same by plain segments.

    ``told``: by which segments; those that acknowledge what nobody has sent are not believed.
    """
    known, plain = table.ack.reshape(-1), table.plain.reshape(-1)
    sifted = told is not None
    told = c.flags & ACK != 0 if told is None else told
    # Of each direction the first one that acknowledges; some have none.
    first, tells = starts, np.ones(len(starts), np.bool_)
    lasts = starts + counts - 1
    if not told.all():
        acks = told.nonzero()[0]
        if not len(acks):
            return None
        before, upto = _numbers(told, starts, lasts)
        tells = upto > before
        first = acks[np.minimum(before, len(acks) - 1)]
    former = known[place]
    base = np.where(former < 0, c.ack[first], former).astype(np.uint32)
    ahead: Steps = (c.ack - base.take(whose)).view(np.int32)
    if not told.all():
        ahead *= told
    before = np.empty_like(ahead)
    before[0] = 0
    before[1:] = ahead[:-1]
    before[starts] = 0
    ordered = not (ahead < before).any()
    highest = ahead[lasts] if ordered else np.maximum(np.maximum.reduceat(ahead, starts), 0)
    highest_ack = base + highest.view(np.uint32)
    sent = table.nxt.reshape(-1)[place ^ 1]
    # One that acknowledges nothing here, a SYN alone, is not beyond anything.
    beyond = (sent >= 0) & tells
    beyond &= (highest_ack - sent.astype(np.uint32)).view(np.int32) > liveresets.reach(table)
    if not sifted and beyond.any():
        far = (c.ack - sent.astype(np.uint32)[whose]).view(np.int32) > liveresets.reach(table)
        told = told & ~(beyond[whose] & far)
        return _acknowledge(table, c, starts, counts, whose, place, told)
    known[place] = np.where(tells, highest_ack, former)
    bare = told & (c.flags & (SYN | FIN) == 0)
    if ordered:
        which = bare.nonzero()[0]
        before, upto = _numbers(bare, starts, lasts)
        said = (upto > before).nonzero()[0]
        highest, where = ahead[which[upto[said] - 1]], place[said]
    else:
        highest = np.maximum.reduceat(np.where(bare, ahead, _NEVER), starts)
        said = (highest != _NEVER).nonzero()[0]
        highest, where = highest[said], place[said]
    base = base[said]
    former = plain[where]
    held = (former.astype(np.uint32) - base).view(np.int32)
    moved = np.where(former < 0, highest, np.maximum(highest, held))
    plain[where] = base + moved.view(np.uint32)
    return None


def _numbers(those: Mask, starts: Ints, lasts: Ints) -> tuple[Ints, Ints]:
    """How many of those there are before the first segment of each direction, and to its last."""
    number: Ints = np.cumsum(those)
    return number[starts] - those[starts], number[lasts]


def _before(table: LiveTable, c: Segments, places: Ints, ended: Ended) -> Mask:
    """Which of these segments came before a reset ended their connection, if one did."""
    rows = c.where(places) >> 1
    before: Mask = table.reset_by[rows] < 0
    which, when, _ = ended
    if len(which):
        at = np.minimum(np.searchsorted(which, rows), len(which) - 1)
        before |= (which[at] == rows) & (c.groups.order[places] < when[at])
    return before


def _thirds(table: LiveTable, c: Segments, ended: Ended) -> None:
    """When the client acknowledged the server's SYN, if that was in this stretch."""
    asked = (c.side == 0).nonzero()[0]
    row = c.row[asked]
    waits = (table.third_ns[row] < 0) & (table.syn_ns[row] >= 0)
    waits &= table.iss.reshape(-1)[2 * row + 1] >= 0
    asked = asked[waits]
    if not len(asked):
        return
    third = c.flags & (SYN | ACK | RST) == ACK
    fit = third.nonzero()[0]
    starts = c.groups.starts[asked]
    at = np.cumsum(third)[starts] - third[starts]
    inside = at < len(fit)
    asked, starts, first = asked[inside], starts[inside], fit[at[inside]]
    found = (first < starts + c.groups.counts[asked]) & _before(table, c, first, ended)
    asked, starts, first = asked[found], starts[found], first[found]
    rows, when = c.row[asked], c.when(first)
    table.third_ns[rows] = when
    for at in np.flatnonzero(table.syn_ns[rows] > when).tolist():
        # A SYN once more, behind it: that is not the one that was answered.
        begin, end = int(starts[at]), int(first[at])
        syns = np.flatnonzero(c.flags[begin:end] & (SYN | ACK) == SYN) + begin
        answered = c.when(syns[-1:])[0] if len(syns) else table.first_ns[rows[at]]
        table.syn_ns[rows[at]] = answered


def _fins(table: LiveTable, c: Segments, fins: Ints, ended: Ended) -> None:
    place = c.where(fins)
    np.add.at(table.fins.reshape(-1), place, 1)
    fin, fin_ack = table.fin.reshape(-1), table.fin_ack.reshape(-1)
    sent = table.nxt.reshape(-1)[place ^ 1]
    beyond = (c.ack[fins] - sent.astype(np.uint32)).view(np.int32) > liveresets.reach(table)
    right = (c.flags[fins] & (ACK | SYN | RST) == ACK) & ~((sent >= 0) & beyond)
    right &= _before(table, c, fins, ended)
    if not right.all():
        fins, place = fins[right], place[right]
    # Of a FIN that is sent again the first copy tells whether its sender had got the other's.
    first = np.flatnonzero(fin[place] < 0)[::-1]
    which = fins[first]
    fin_ack[place[first]] = c.ack[which]
    fin[place[first]] = c.seq[which] + c.size[which].view(np.uint32)
    unknown = np.flatnonzero(table.closed_by[place >> 1] < 0)
    place = c.where(in_time(c.groups, fins[unknown])[::-1])
    table.closed_by[place >> 1] = place & 1


def _resets(table: LiveTable, c: Segments, resets: Ints, when: liveresets.Reached) -> Ended:
    np.add.at(table.rsts.reshape(-1), c.where(resets), 1)
    moved = (table.nxt.reshape(-1)[c.where(resets)] - when.nxt) & 0xFFFFFFFF
    went_on = (when.nxt >= 0) & (when.expected >= 0) & (moved > 0) & (moved < 1 << 31)
    taken = liveresets.counts(table, c, resets, when) & ~went_on
    taken &= table.reset_by[c.where(resets) >> 1] < 0
    if not taken.any():
        return _NOTHING
    resets, acked = resets[taken], when.acked[taken]
    order = c.groups.order[resets]
    timed = np.argsort(order, kind="stable")
    place = c.where(resets[timed])
    rows, first = np.unique(place >> 1, return_index=True)  # of several the first
    table.reset_by[rows] = place[first] & 1
    return rows, order[timed][first], acked[timed][first]
