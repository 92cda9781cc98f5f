"""Flows that the core follows segment by segment, each by itself: in portions, which can be shared.

Nothing that it makes of one depends on another. So of a large file with many such flows other
processes follow some (:mod:`tcpviz.bulk.crew`, :mod:`tcpviz.bulk.connections.hand`); what comes
of it is the same, in the same order. Where there may be forks these do: they have all they need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk import forks
from tcpviz.bulk.connections.beside import Along, beside
from tcpviz.bulk.connections.briefly import Briefly, Neighbours
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.connections.following import Follower
from tcpviz.bulk.connections.shares import hands
from tcpviz.bulk.processors import processors
from tcpviz.bulk.segments.columns import Piece, rows_at
from tcpviz.bulk.segments.reading import Reading
from tcpviz.bulk.segments.windows import ROW_BYTES
from tcpviz.core.connection import Connection
from tcpviz.core.records import Gap, Unreachable
from tcpviz.core.segment import FIN
from tcpviz.core.tracker import Tracker

if TYPE_CHECKING:
    from tcpviz.bulk.crew import Crew
    from tcpviz.bulk.segments.excerpts import Excerpt

Array = NDArray[Any]

Opened = list[tuple[int, Connection]]
"""Connections, each with the row of its first segment."""

HAND = "tcpviz.bulk.connections.hand"
"""What the other processes run."""

MOST = 8
"""Other processes, however many processors there are."""

PORTION = 3000
"""Segments that are followed at a time, in whole flows: a twentieth of a second's work.

Beside a screen a sixth of that: it waits while pickle takes what others give back.
"""

YIELDING = 5
"""By so much others give way to everybody else, beside a screen (nice(2))."""

WORTH = 10_000
"""Segments to follow that are worth another process."""

LONG = 80
"""Segments of a flow that may be worth the columns of a stretch (:mod:`.skipping`)."""

WORTH_COLUMNS = 400
"""Segments that are, where all go on where their sender stands.

By measurement the columns take 2 ms, and 0.5 us a segment; without, it is 5 us a segment.
"""

INSTEAD = 12
"""Where one does not go on, they save no more by so many."""

ONE_WAY = 1 << 16
"""Segments of a flow up to which the numbers of all may be there at once: 400 bytes each."""

SKIPPED = 16
"""Of so many segments of a long flow the core takes one, or far fewer."""

TINY = 6
"""Segments of a job up to which handing it over and taking it back costs more than doing it."""

LARGEST = 1 << 20
"""Segments of a flow that another process is given: their columns go through a pipe."""

ROOM = 1 << 26
"""Bytes of memory that another process takes, with what it is given."""


_COPIES = 2 * ROW_BYTES
"""Bytes that a row takes while it is given to another."""


class Job(NamedTuple):
    """A flow, or several that ICMP errors tie together.

    ``rows``    of its segments, in their order
    ``told``    what else the core is told, each with the row before which it comes
    ``scopes``  VLANs and tunnels that it is to know of beforehand
    ``long``    the core is carried over what is plain
    ``beside``  it is one connection of several on the same ends, and what matters of the others
    """

    rows: Array
    told: Sequence[tuple[int, Unreachable | Gap]] = ()
    scopes: dict[tuple[str, ...], None] | None = None
    long: bool = False
    beside: Neighbours | None = None


def is_long(array: Piece, rows: Array) -> bool:
    """Whether a flow may be worth the columns of a stretch.

    They rest on what both ends have said: not those of which one end alone was captured.
    """
    if len(rows) < LONG or len(rows) > ONE_WAY:
        return len(rows) >= LONG
    # Both speak, as a rule within the first few.
    for some in (rows[:LONG], rows):
        for name in ("src", "sport"):
            who = array[name][some]
            if (who != who[0]).any():
                return True
    return False


def _worth(array: Piece, flows: Sequence[Array]) -> list[bool]:
    """Which of these flows are worth them: those in which most goes on where its sender stands.

    And all of more than :data:`ONE_WAY` segments, which nobody follows briefly.
    """
    worth = [len(rows) > ONE_WAY for rows in flows]
    asked = [at for at, known in enumerate(worth) if not known and len(flows[at])]
    if not asked:
        return worth
    sizes = np.array([len(flows[at]) for at in asked])
    rows = np.concatenate([flows[at] for at in asked])
    row, part = rows_at(array, rows), np.repeat(np.arange(len(asked)), sizes)
    first = (np.cumsum(sizes) - sizes)[part]
    there = (row["src"] == row["src"][first]) & (row["sport"] == row["sport"][first])
    flags, seq = row["flags"], row["seq"]
    end = seq + row["length"] + (flags & FIN) + (flags >> 1 & 1)
    order = np.argsort(2 * part + there, kind="stable")
    part, there = part[order], there[order]
    odd = (seq[order][1:] != end[order][:-1].astype(np.uint32)) & (there[1:] == there[:-1])
    odd &= part[1:] == part[:-1]
    count = np.bincount(part[1:][odd], minlength=len(asked))
    worth_it = sizes - INSTEAD * count >= WORTH_COLUMNS
    for at, known in zip(asked, worth_it.tolist(), strict=True):
        worth[at] = known
    return worth


def _size(job: Job) -> int:
    return len(job.rows)


def _cost(job: Job) -> int:
    """How many segments the core takes of it, or fewer."""
    return len(job.rows) // SKIPPED if job.long else len(job.rows)


def done(
    job: Job,
    reading: Reading,
    clock: Clock,
    follower: Follower,
    copies: tuple[Array, Along] | None = None,
) -> Opened:
    """Follow a job's rows to their end; those of a long one that are not the known ``copies``."""
    if job.long:
        from tcpviz.bulk.connections import skipping  # not wanted where none is long

        if copies is not None and not clock.leaps:
            left, along = copies
            short = skipping.Skipping(reading, clock, left, along=along)
            opened = short.follow()
            follower.segments += short.segments
            if len(opened) == 1:
                return opened
        long = skipping.Skipping(reading, clock, job.rows, job.told, job.scopes or ())
        opened = long.follow()
        follower.segments += long.segments
        return opened
    tracker = None
    if job.scopes is not None:
        tracker = Tracker(keep=False)
        tracker.followed.scopes |= job.scopes
    return follower.follow(job.rows.tolist(), job.told, tracker=tracker)[1]


def all_done(
    jobs: Sequence[Job], reading: Reading, clock: Clock, follower: Follower
) -> list[Opened]:
    """Follow the rows of several jobs, each to its end."""
    short = [place for place, job in enumerate(jobs) if not (job.long or job.told or job.scopes)]
    long = [place for place, job in enumerate(jobs) if job.long and not (job.told or job.scopes)]
    copies = dict(zip(long, beside(reading, [jobs[place].rows for place in long]), strict=True))
    along, flows = {}, [jobs[place].rows for place in short]
    left = [each[0] if each else jobs[place].rows for place, each in copies.items()]
    for place, rows, worth in zip(long, left, _worth(reading.columns.array, left), strict=True):
        if worth:
            continue
        if (each := copies[place]) is not None:
            along[len(short)] = each[1]
        short.append(place)
        flows.append(rows)
    if not short:
        return [
            done(job, reading, clock, follower, copies.get(place)) for place, job in enumerate(jobs)
        ]
    neighbours = {at: near for at, place in enumerate(short) if (near := jobs[place].beside)}
    briefly = Briefly(reading, clock, flows, along, neighbours)
    known = dict(zip(short, map(briefly.follow, range(len(short))), strict=True))
    follower.segments += briefly.segments
    out = []
    for place, job in enumerate(jobs):
        opened = known.get(place)
        if opened is None and job.beside:
            opened = []  # it cannot be followed by itself
        if opened is None:
            beyond = None if place in known else copies.get(place)
            opened = done(job, reading, clock, follower, beyond)
        out.append(opened)
    return out


class Portion(NamedTuple):
    """Jobs as another process is given them: their rows are those of the excerpt, from 0 on.

    ``rows``  which they are in the capture
    ``now``, ``steady``  of each what the clock tells
    """

    rows: Array
    excerpt: Excerpt
    now: Array
    steady: Array
    jobs: list[Job]


class Start(NamedTuple):
    """What such a process is told first; the clock is one without rows, ``nice`` as nice(2)'s."""

    nice: int
    clock: Clock
    file: int | None
    sources: list[tuple[int, int]]


class Made(NamedTuple):
    """What comes of a portion, and how many segments the core has taken for it."""

    opened: list[Opened]
    segments: int


def followed(
    jobs: Iterable[Job],
    reading: Reading,
    clock: Clock,
    follower: Follower,
    enough: Callable[[], bool] | None = None,
) -> Iterator[Opened]:
    """The connections of each job, in their order; fewer, if it was ``enough`` before.

    Others may begin while there are more jobs to come. Raises Unsuited.
    """
    all_of_them = Jobs(reading, clock, follower)
    try:
        for job in jobs:
            all_of_them.add(job)
        yield from all_of_them.results(enough or bool)
    finally:
        all_of_them.close()


class Jobs:
    """Jobs of one reading, done together in the end: :meth:`results`. Close it after that."""

    def __init__(self, reading: Reading, clock: Clock, follower: Follower) -> None:
        self._reading, self._clock, self._follower = reading, clock, follower
        self._crew: Crew[list[Job], Made] | None = None
        self._portions: list[tuple[list[Job], int]] = []
        self._size = self._cost = 0
        self._hands = hands(reading)
        self._beside_screen = forks.beside_screen()
        self._enough = PORTION // 6 if self._beside_screen else PORTION
        self._largest = largest(reading)

    def add(self, job: Job) -> None:
        """One more; others may begin with it soon."""
        if not self._portions or self._size >= self._enough:
            self._hand_over()
            self._portions.append(([], 0))
            self._size = 0
        jobs, _ = self._portions[-1]
        jobs.append(job)
        self._size += len(job.rows)
        self._cost += self._shared(job)
        self._portions[-1] = jobs, self._size

    def _shared(self, job: Job) -> int:
        """How many segments the core would take of what another may do."""
        count = len(job.rows)
        if count <= TINY or count > self._largest:
            return 0
        return _cost(job)

    def results(self, enough: Callable[[], bool]) -> Iterator[Opened]:
        """Of each job; see :func:`followed`."""
        self._hand_over()
        if self._crew is not None:
            every = iter(self._crew.results(enough))
        else:
            portions = [jobs for jobs, _ in self._portions]
            costs = [sum(map(_cost, jobs)) for jobs in portions]
            every = forks.in_order(self._done_here, portions, self._hands, costs)
        while not enough():
            made = next(every, None)
            if made is None:
                return
            self._follower.segments += made.segments
            yield from made.opened

    def close(self) -> None:
        """End the other processes, if there are any."""
        if self._crew is not None:
            self._crew.close()

    def _hand_over(self) -> None:
        """Let others begin, once there is enough for one of them; forks begin when all is known."""
        if self._hands > 1:
            return
        if self._crew is None:
            # Of a single portion nobody can take a part.
            worth = self._cost >= WORTH and len(self._portions) > 1
            most = others(self._reading) if worth else 0
            if most < 1:
                return
            self._crew = self._gathered(most)
        for jobs, cost in self._portions:
            alone = max(map(_size, jobs)) > self._largest or cost <= TINY * len(jobs)
            self._crew.add(jobs, cost, alone=alone)
        self._portions = []

    def _gathered(self, most: int) -> Crew[list[Job], Made]:
        from tcpviz.bulk.crew import Crew  # not wanted where all is regular

        whole, none = self._reading.root, np.zeros(0, np.int64)
        clock = self._clock.of_rows(none, none)
        nice = YIELDING if self._beside_screen else 0
        start = Start(nice, clock, whole.file, list(whole.columns.tables.sources))
        files = () if start.file is None else (start.file,)
        return Crew(HAND, files, start, self._portion, self._done_here, most=most, each=WORTH)

    def _here(self, jobs: list[Job]) -> Made:
        before = self._follower.segments
        opened = all_done(jobs, self._reading, self._clock, self._follower)
        return Made(opened, self._follower.segments - before)

    def _done_here(self, jobs: list[Job]) -> Made:
        """By this process; what is counted of it is what is taken of it."""
        made = self._here(jobs)
        self._follower.segments -= made.segments
        return made

    def _portion(self, jobs: list[Job]) -> Portion:
        """What another process needs for these."""
        from tcpviz.bulk.segments.excerpts import Excerpt

        rows = np.concatenate([job.rows for job in jobs]).astype(np.int64)
        clock, at, own = self._clock, 0, []
        for job in jobs:
            # What is told comes before the same segment.
            told = [(at + int(np.searchsorted(job.rows, row)), each) for row, each in job.told]
            own.append(job._replace(rows=np.arange(at, at + len(job.rows)), told=told))
            at += len(job.rows)
        now = clock.now[rows]
        steady = now if clock.steady is clock.now else clock.steady[rows]
        return Portion(rows, Excerpt(self._reading, rows), now, steady, own)


def largest(reading: Reading) -> int:
    """Segments of a flow that another is given: with its copies no more than an eighth of all."""
    windows = reading.root.columns.windows
    return LARGEST if windows is None else min(LARGEST, windows.limit // (8 * _COPIES))


def others(reading: Reading) -> int:
    """How many processes there may be besides this one."""
    columns = reading.root.columns
    windows = columns.windows
    room = MOST if windows is None else windows.spare(columns.count) // ROOM
    return min(processors() - 1, room, MOST)
