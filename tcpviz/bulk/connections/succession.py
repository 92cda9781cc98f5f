"""What came after each connection: others on the same addresses and ports, timers, or nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.gaps import FIRST_NS
from tcpviz.bulk.connections.shapes import Ending, Shapes
from tcpviz.bulk.connections.work import Work
from tcpviz.bulk.segments.flows import changes, distinct
from tcpviz.core.segment import SYN
from tcpviz.core.timers import SYN_GIVE_UP_NS, TIME_WAIT_NS

Array = NDArray[Any]

_SURE_NS = SYN_GIVE_UP_NS + 2 * TIME_WAIT_NS


def endings(
    work: Work, clock: Clock, shapes: Shapes, shape: Array, fine: Array
) -> tuple[Array, Array]:
    """What came after each; not fine where it cannot be told without the exact deadlines."""
    steady, first, last = clock.steady[work.rows], work.first, work.last
    # Timers ran until the capture's end, or until another connection took the place, between
    # its SYN and the answer.
    by = replaced(work)
    gone = by >= 0
    answer = work.answer_at[by]
    low = np.where(gone, steady[first[by]], clock.steady_end)
    high = np.where(gone, steady[answer], clock.steady_end)
    since_last = low - steady[last] - work.slack
    closing = np.maximum(*work.fin_at)
    began = steady[np.where(closing < work.count, np.minimum(closing, work.count - 1), first)]
    if not clock.plain:
        began = _soonest(work, clock, began, np.where(gone, answer, -1))
    single = (last == first) & ~work.answered
    longest = np.zeros(max(len(shapes), 1), np.int64)
    for number in distinct(shape[fine]):
        longest[number] = shapes.longest_ns(number)
    longest = np.where(fine, longest[shape], _SURE_NS)
    lasting = longest == 0
    over = np.where(single, since_last >= SYN_GIVE_UP_NS, since_last >= longest)
    early = np.where(single, high - steady[last] < SYN_GIVE_UP_NS, high - began < FIRST_NS)
    over &= ~lasting
    ending = np.where(over, Ending.TIMERS, Ending.NOTHING)
    ending += np.where(gone, Ending.REPLACED, 0)
    return ending, fine & (over | early | lasting)


def _soonest(work: Work, clock: Clock, began: Array, until: Array) -> Array:
    """From when at the soonest the timers ran that may have run out, given when closing ``began``.

    The handshake's deadline may still stand then, and ends TIME-WAIT if that began so long
    before by the segments' own times: these may lie behind the clock, and a leap puts all of
    them far behind.

    ``until`` which segment timers ran, -1: to the capture's end.
    """
    now, steady, first = clock.now[work.rows], clock.steady[work.rows], work.first
    behind = np.maximum.reduceat(now - work.time, first)
    leapt = np.where(until < 0, clock.end - clock.steady_end, now[until] - steady[until])
    leaps = now[first] - steady[first] != leapt
    soonest: Array = np.where(leaps, steady[first], np.maximum(began - behind, steady[first]))
    return soonest


def replaced(work: Work) -> Array:
    """Of each connection the one that took its place, the next that was answered; -1 if none did.

    An unanswered SYN that is not the first takes nobody's place, and has none.
    """
    count = len(work.first)
    answered = np.where(work.answered, np.arange(count), count)
    later = np.full(count, count)
    later[:-1] = np.minimum.accumulate(answered[::-1])[::-1][1:]
    flow = np.append(work.flow, -1)
    had = (work.answered | work.leads) & (flow[later] == work.flow)
    return np.where(had, later, -1)


def flows_fine(work: Work, fine: Array) -> Array:
    """Regular also in how the connections of one flow follow upon each other, each by itself."""
    first, leads, fine = work.first, work.leads, fine.copy()
    # What answers the new SYN must not fit the connection before by chance: that is, the
    # latest that was answered or came first; unanswered ones between count for nothing.
    mine = np.flatnonzero(~work.side)
    latest = mine[np.flatnonzero(changes(work.part[mine]))[1:] - 1]
    latest = np.append(latest, mine[-1])  # each has one, which opened it
    number = work.seq[first] + work.end[latest].view(np.uint32)
    later = np.flatnonzero(~leads)
    if len(later):
        standing: Array = np.where(work.answered | leads, np.arange(len(first)), 0)
        before = np.maximum.accumulate(standing)[later - 1]
        fits = work.seq[first[later]] + np.uint32(1)
        fine[later] &= (fits != number[before]) & (fits != number[later - 1])
    # A SYN or its answer with a number that was used before is a late one of that time.
    answer = work.answer_at
    syn = work.answered & (work.flags[answer] & SYN != 0)
    several = ~leads
    several[:-1] |= ~leads[1:]
    which = np.flatnonzero(several)
    flow = work.flow[which]
    numbers = (work.seq[first], np.where(syn, work.seq[answer], np.int64(-1)))
    for number in (each[which].astype(np.int64) for each in numbers):
        order = np.argsort(flow << 33 | number + 1, kind="stable")
        one, other = order[1:], order[:-1]
        same = (number[one] == number[other]) & (flow[one] == flow[other]) & (number[one] >= 0)
        fine[which[one[same]]] = False
    return fine


def whole_flows(work: Work, fine: Array) -> Array:
    """Fine are only flows all of whose connections are."""
    wrong = np.zeros(len(work.begin) - 1, np.bool_)
    wrong[work.flow[~fine]] = True
    return ~wrong[work.flow]
