"""Where a capture says that packets were lost: which flows that concerns, and how.

From there on nothing is as sure as before (:meth:`tcpviz.core.connection.Connection.doubt`), until
segments show it again. Where in a connection it was makes another signature. One that had ended
looks as others of its shape do, in doubt: of all that come after a connection's last segment the
first one counts, as the next doubts only who has sent since.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.shapes import Doubt, Shapes
from tcpviz.bulk.connections.work import Work
from tcpviz.bulk.segments.flows import Flows, distinct
from tcpviz.bulk.segments.reading import Lost
from tcpviz.core.records import Gap, Unreachable
from tcpviz.core.timers import SYN_ACK_GIVE_UP_NS, SYN_GIVE_UP_NS, TIME_WAIT_NS

Array = NDArray[Any]
Mask = NDArray[np.bool_]

FIRST_NS = min(TIME_WAIT_NS, SYN_ACK_GIVE_UP_NS, SYN_GIVE_UP_NS)
"""Nanoseconds before which no timer runs out."""

LONG, MOST = 80, 4
"""Flows of so many segments are followed if there were more such moments in them."""


class Gaps:
    """All of a capture's; true if there are any.

    ``rows``     the row before which each came, ``moments`` what the clock was then, nanoseconds
    ``leaping``  that clock leaps: then nothing is said of timers
    """

    def __init__(self, lost: Sequence[Lost], clock: Clock) -> None:
        self._lost = list(lost)
        self.rows = np.array([one.row for one in lost], np.int64)
        times = np.array([one.gap.time_ns for one in lost], np.int64)
        before = clock.now[np.maximum(self.rows - 1, 0)] if len(lost) and len(clock.now) else times
        self.moments = np.where(self.rows > 0, np.maximum(before, times), times)
        self.leaping = bool(clock.leaps)

    def __bool__(self) -> bool:
        return bool(self._lost)

    def of(self, whole: Array) -> Gaps:
        """The same for a part of the capture, which has these rows of it."""
        made = Gaps.__new__(Gaps)
        made._lost, made.moments, made.leaping = self._lost, self.moments, self.leaping
        made.rows = np.searchsorted(whole, self.rows).astype(np.int64)
        return made

    def within(self, flows: Flows) -> Array:
        """Of each flow, how many there are between its first and its last segment."""
        first = flows.order[flows.begin[:-1]]
        last = flows.order[flows.begin[1:] - 1]
        found: Array = np.searchsorted(self.rows, last, "right") - np.searchsorted(
            self.rows, first, "right"
        )
        return found

    def torn(self, work: Work) -> Mask:
        """Between which segments of a connection and the one before there is one."""
        count = np.searchsorted(self.rows, work.rows, "right")
        torn: Mask = np.zeros(work.count, np.bool_)
        torn[1:] = (count[1:] > count[:-1]) & (work.part[1:] == work.part[:-1])
        return torn

    @staticmethod
    def tangled(work: Work, within: Array) -> Mask:
        """Connections that are better followed, given how many there are within their flows.

        What is in doubt may be another's former one, and in a long one each makes a beginning.
        """
        several = np.bincount(work.flow, minlength=len(work.begin) - 1) > 1
        long = np.diff(work.begin) >= LONG
        found: Mask = ((within > 0) & several | (within > MOST) & long)[work.flow]
        return found

    def after(self, last: Array) -> tuple[Mask, Array]:
        """Of these rows: whether one comes after each, and when the first one does."""
        at = np.searchsorted(self.rows, last, "right")
        return at < len(self.rows), self.moments[np.minimum(at, len(self.rows) - 1)]

    def doubts(
        self, shapes: Shapes, clock: Clock, work: Work, gone: Mask, fine: Mask, shape: Array
    ) -> tuple[Array, Mask]:
        """The shapes of the connections, ``fine`` ones in doubt where they are.

        Not fine where it is open what timers did before. Of those that are ``gone`` another took
        the place before.
        """
        first, last = work.first, work.last
        later, when = self.after(work.rows[last])
        later &= fine
        if self.leaping:
            return shape, fine & ~later
        steady = clock.steady[work.rows]
        began = np.minimum(*work.fin_at)
        began = np.where(began < work.count, np.minimum(began, work.count - 1), first)
        single = (last == first) & ~work.answered
        longest = np.zeros(max(len(shapes), 1), np.int64)
        for number in distinct(shape[later]):
            longest[number] = shapes.longest_ns(number)
        longest = np.where(later, longest[shape], 0)
        since = when - steady[last]
        over = np.where(single, since >= SYN_GIVE_UP_NS, since >= longest)
        over |= gone
        early = np.where(single, since < SYN_GIVE_UP_NS, when - steady[began] < FIRST_NS)
        early = (early | (longest == 0)) & ~over
        shape = shape.copy()
        for which, doubt in ((later & early, Doubt.EARLY), (later & over, Doubt.LATE)):
            for number in distinct(shape[which]):
                shape[which & (shape == number)] = shapes.doubted(number, doubt)
        return shape, fine & (~later | early | over)

    def among(self, rows: Array) -> list[tuple[int, Gap]]:
        """Those that the core has to be told of that follows these rows, each with its own row.

        Of several between two of them it is the first.
        """
        if not self._lost or not len(rows):
            return []
        at = np.searchsorted(rows, self.rows.astype(rows.dtype))
        places, first = np.unique(at, return_index=True)
        return [
            (int(self.rows[which]), self._lost[which].gap)
            for place, which in zip(places.tolist(), first.tolist(), strict=True)
            if place
        ]

    @property
    def every(self) -> list[tuple[int, Gap]]:
        """All of them, each with its row: for a timeline, which shows what is common to all."""
        return [(row, one.gap) for row, one in zip(self.rows.tolist(), self._lost, strict=True)]

    def beside(
        self, errors: Sequence[tuple[int, Unreachable]], rows: Array | None = None
    ) -> list[tuple[int, Gap | Unreachable]]:
        """All of them and ICMP errors, in the capture's order; or those :meth:`among` ``rows``."""
        mine = None if rows is None else {id(gap) for _, gap in self.among(rows)}
        told: list[tuple[int, int, int, Gap | Unreachable]] = [
            (row, error.frame, 1, error) for row, error in errors
        ]
        for row, one in zip(self.rows.tolist(), self._lost, strict=True):
            if mine is None or id(one.gap) in mine:
                told.append((row, one.frame, 0, one.gap))
        told.sort(key=lambda each: each[:3])
        return [(row, record) for row, _, _, record in told]
