"""Shapes: one connection of each signature, followed by the scalar core for all of them."""

from __future__ import annotations

import enum
import itertools
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import copied
from tcpviz.bulk.connections.common import WRONG, tell
from tcpviz.bulk.connections.following import Follower
from tcpviz.bulk.connections.rounds import FAR, miss, missed
from tcpviz.bulk.connections.thinning import thin, thin_partial
from tcpviz.bulk.segments.flows import distinct, mixed
from tcpviz.bulk.segments.reading import Reading
from tcpviz.bulk.twin import twin
from tcpviz.core import routing
from tcpviz.core.connection import Connection
from tcpviz.core.records import SegmentRecord, Unreachable
from tcpviz.core.segment import NO_OPTIONS, Flags, Segment
from tcpviz.core.states import State
from tcpviz.core.timers import SYN_ACK_GIVE_UP_NS, SYN_GIVE_UP_NS, TIME_WAIT_NS
from tcpviz.core.tracker import Tracker
from tcpviz.wire.decoder import Decoder

if TYPE_CHECKING:
    from tcpviz.bulk.connections.looked import Looked

Array = NDArray[Any]

_TIMED = {
    State.SYN_SENT: SYN_GIVE_UP_NS,
    State.SYN_RECEIVED: SYN_ACK_GIVE_UP_NS,
    State.TIME_WAIT: TIME_WAIT_NS,
}
_MS = 1_000_000
_FAR = 1 << 30
_EXPIRED_NS = 600_000_000_000

MOST_TOLD = 1 << 10
"""Shapes that differ from others in what ICMP errors say; of more each is asked by itself."""

ALONE = -1
"""In ``Kind.told``: what errors say of such connections is not the same."""

SUCCESSOR = 1 << 40
"""The frame number that stands for the one by which a connection was replaced."""


class Ending(enum.IntEnum):
    """What came after a connection's last segment.

    ``NOTHING``   nothing that would move an end
    ``TIMERS``    so much time that every timer has run out
    ``REPLACED``  a connection of the same addresses and ports, which was answered
    ``BOTH``      such a connection when every timer had run out
    """

    NOTHING = 0
    TIMERS = 1
    REPLACED = 2
    BOTH = 3


_BEFORE = {Ending.REPLACED: Ending.NOTHING, Ending.BOTH: Ending.TIMERS}


class After(enum.IntEnum):
    """What there was of the same addresses and ports before: nothing, or a connection."""

    NOTHING = 0
    CLOSED = 1
    OPEN = 2


class Doubt(enum.IntEnum):
    """Whether packets were lost after a connection's last segment: before or after its ending."""

    NONE = 0
    EARLY = 1
    LATE = 2


class Kind(NamedTuple):
    """A signature, what it came after, and whether it is in doubt; what errors say makes others.

    ``partial``  its beginning, or one end's segments, were not captured
    ``losing``   the core takes every segment of its example, though few of them count
    """

    signature: int
    after: After
    doubt: Doubt = Doubt.NONE
    told: int = 0
    partial: bool = False
    losing: bool = False


Kept = tuple[tuple[tuple[Unreachable, bool], ...], int, int]
"""ICMP errors, each with whether it is about a segment of the server's, and the counts of those
that are believed and of those that are not: see :class:`tcpviz.core.analysis.Analysis`."""


class Fresh(NamedTuple):
    """What a copy of :class:`Shapes` has come to know, whose first ``before`` shapes we have.

    ``kinds``, ``rows``, ``counts``, ``common``  of each shape from ``before`` on: as
    :meth:`Shapes.number` takes them, the rows that the core takes, and which of them count
    """

    before: int
    kinds: list[Kind]
    rows: list[list[int]]
    counts: list[list[int]]
    common: list[int]
    made: dict[tuple[int, Ending], Connection]


class Shapes:
    """What the core says of each kind of connection.

    A connection's shape is known by a number; :meth:`number` follows the first of its
    kind, given as its rows, and :meth:`connection` tells how such a connection stands.
    """

    def __init__(self, reading: Reading, follower: Follower) -> None:
        self._reading = reading
        self._follower = follower
        self._decoder = Decoder()
        self._numbers: dict[Kind, int] = {}
        self._rows: list[list[int]] = []
        self._counts: list[list[int]] = []
        self._kinds: list[Kind] = []
        self._common: list[int] = []
        self._places: list[dict[int, int]] = []
        self._made: dict[tuple[int, Ending], Connection] = {}
        self._told: dict[int, tuple[int, Kept]] = {}

    def grown(self, reading: Reading, follower: Follower) -> Shapes:
        """The same, for a reading that has gone on; numbers stay."""
        made = Shapes(reading, follower)
        made._numbers, made._made = dict(self._numbers), dict(self._made)
        made._rows, made._kinds = list(self._rows), list(self._kinds)
        made._counts = list(self._counts)
        made._common, made._places = list(self._common), list(self._places)
        made._told = dict(self._told)
        return made

    @property
    def mark(self) -> tuple[int, int]:
        """How many shapes there are, and how many examples have been followed."""
        return len(self._rows), len(self._made)

    def since(self, mark: tuple[int, int]) -> Fresh:
        """What has come since then."""
        shapes, made = mark
        more = itertools.islice(self._made.items(), made, None)
        return Fresh(
            shapes,
            self._kinds[shapes:],
            self._rows[shapes:],
            self._counts[shapes:],
            self._common[shapes:],
            dict(more),
        )

    def join(self, fresh: Fresh) -> Array:
        """Take what has come to a copy of it; the number here of each that the copy knows."""
        numbers = list(range(fresh.before))
        every = zip(fresh.kinds, fresh.rows, fresh.counts, fresh.common, strict=True)
        for kind, rows, counts, common in every:
            known = self._numbers.get(kind)
            numbers.append(self._add(kind, rows, counts, common) if known is None else known)
        for (number, ending), connection in fresh.made.items():
            self._made.setdefault((numbers[number], ending), connection)
        return np.array(numbers, np.int64)

    def __len__(self) -> int:
        return len(self._rows)

    def known(self, kind: Kind) -> int | None:
        """The shape's number, if one of its kind has been met."""
        return self._numbers.get(kind)

    def number(
        self, kind: Kind, rows: Array, kept: Array, copies: Array | None = None, common: int = 0
    ) -> int:
        """The number of a new shape, whose first example has these rows; which of them count.

        ``copies``: which of those are copies (:mod:`tcpviz.bulk.connections.copied`), if any.
        ``common``: what is so in the whole of it (:mod:`tcpviz.bulk.connections.common`).
        """
        counts = np.flatnonzero(kept)
        if not kind.losing:
            rows, copies = rows[kept], None if copies is None else copies[kept]
            counts = np.arange(len(rows))
        return self._add(kind, copied.coded(rows, copies), counts.tolist(), common)

    def _add(self, kind: Kind, rows: list[int], counts: list[int], common: int) -> int:
        frames = self._reading.columns.array["frame"][copied.rows_of(rows)][counts]
        self._places.append({frame: place for place, frame in enumerate(frames.tolist())})
        number = self._numbers[kind] = len(self._rows)
        self._rows.append(rows)
        self._counts.append(counts)
        self._kinds.append(kind)
        self._common.append(common)
        return number

    def enter(self, looked: Looked, after: Array, which: Array, shape: Array) -> None:
        """Enter the shapes of these connections, new ones with their first example.

        ``after``: of each connection what there was before it, as :class:`After`.
        """
        work = looked.work
        keys = behind(looked.codes[which], after[which])
        unique, where, back = np.unique(keys, return_index=True, return_inverse=True)
        numbers = np.zeros(len(unique), np.int64)
        for at, code in enumerate(unique.tolist()):
            example = int(which[where[at]])
            kind = Kind(code, After(int(after[example])), partial=work.partial, losing=work.losing)
            known = self.known(kind)
            numbers[at] = self.number(kind, *looked.example(example)) if known is None else known
        shape[which] = numbers[back]

    def doubted(self, number: int, doubt: Doubt) -> int:
        """The number of the same shape in doubt."""
        return self._varied(number, self._kinds[number]._replace(doubt=doubt))

    def told(self, number: int, code: int, kept: Kept) -> int:
        """The number of the same shape with ICMP errors about it.

        ``code`` tells apart what they say; ``kept`` are those of the first of its kind. 0 is for
        all that have to be asked one by one: so are others, if there are too many.
        """
        if code and len(self._told) >= MOST_TOLD:
            code = self._numbers.get(self._kinds[number]._replace(told=code), 0) and code
        kind = self._kinds[number]._replace(told=code or ALONE)
        known = self._numbers.get(kind)
        if known is None:
            known = self._varied(number, kind)
            self._told[known] = number, kept if code else ((), 0, 0)
        return known

    def with_errors(self, number: int) -> bool | None:
        """Whether ICMP errors are about such connections; ``None``: each has others."""
        told = self._kinds[number].told
        return None if told == ALONE else bool(told)

    def told_of(self, numbers: Array) -> tuple[Array, Array] | None:
        """Of these: about which the same errors are, but for who says so; and which have others.

        ``None`` where there are none of either.
        """
        if not self._told:
            return None
        same, others = np.zeros(len(self), np.bool_), np.zeros(len(self), np.bool_)
        for number, (_, (errors, *_)) in self._told.items():
            same[number] = bool(errors)
            others[number] = self._kinds[number].told == ALONE
        return same[numbers], others[numbers]

    def _varied(self, number: int, kind: Kind) -> int:
        """The number of a kind with the example of another."""
        made = self._numbers.setdefault(kind, len(self._rows))
        if made == len(self._rows):
            self._rows.append(self._rows[number])
            self._counts.append(self._counts[number])
            self._kinds.append(kind)
            self._common.append(self._common[number])
            self._places.append(self._places[number])
        return made

    def connection(self, number: int, ending: Ending = Ending.NOTHING) -> Connection:
        """The shape's example, as the core leaves it; not to be changed."""
        made = self._made.get((number, ending))
        if made is None:
            told = self._told.get(number)
            if told is not None:
                made = _with(self.connection(told[0], ending), told[1])
            else:
                made = self._followed_by(number, ending) or self._follow(number, ending)
            self._made[number, ending] = made
        return made

    def partial(self, numbers: Array) -> Array | None:
        """Of which of these a part was not captured; ``None`` if there are none of that kind."""
        part = np.array([kind.partial for kind in self._kinds], np.bool_)
        return part[numbers] if part.any() else None

    def losing(self, numbers: Array) -> Array | None:
        """Of which of these data was lost; ``None`` if there are none of that kind."""
        lost = np.array([kind.losing for kind in self._kinds], np.bool_)
        return lost[numbers] if lost.any() else None

    def place(self, number: int, frame: int) -> int | None:
        """Which of the example's segments that count has this frame number."""
        return self._places[number].get(frame)

    def lives(self, number: int) -> int:
        """1 if a SYN would come into a connection that goes on, 0 if not, -1 if timers decide."""
        if not routing.lives(self.connection(number)):
            return 0  # a timer brings nobody to life
        if self.lasts(number) or routing.lives(self.connection(number, Ending.TIMERS)):
            return 1
        return -1

    def living(self, shape: Array, which: Array) -> Array:
        """What :meth:`lives` says of each of ``which``, given its shape; 0 of the others."""
        table = np.zeros(max(len(self), 1), np.int64)
        for number in distinct(shape[which]):
            table[number] = self.lives(number)
        return np.where(which, table[shape], 0)

    def lasts(self, number: int) -> bool:
        """Whether no timer runs on it, whatever time passes."""
        return self.longest_ns(number) == 0

    def longest_ns(self, number: int) -> int:
        """So long after its latest segment no timer of it runs any more, nanoseconds; 0: none does.

        A state was entered at that segment or before, and each timer is set when its state is
        entered or, less far, from the latest segment (:class:`tcpviz.core.timers.Timers`).
        """
        return longest_ns(self.connection(number))

    def _torn(self, rows: list[int]) -> set[int]:
        """Which of these rows packets were lost before, and after the one before."""
        lost = [one.row for one in self._reading.gaps]
        before = [bisect_right(lost, row) for row in rows] if lost else []
        return {at + 1 for at, (one, other) in enumerate(pairwise(before)) if other > one}

    def _follow(self, number: int, ending: Ending) -> Connection:
        numbers = self._rows[number]
        rows = copied.rows_of(numbers)
        kind = self._kinds[number]
        thinned = list if kind.losing else thin_partial if kind.partial else thin
        segments = list(self._reading.segments(rows, self._decoder))
        doubled = {place for place, each in enumerate(numbers) if each < 0}
        left = [each for place, each in enumerate(segments) if place not in doubled]
        common = self._common[number]
        far = bool(common & FAR)
        missing = missed(left) if far else {}
        short = thin(left, long=True) if far else thinned(left)
        segments = copied.put_back(numbers, short, segments)
        if common & sum(WRONG):
            segments = list(_summed(segments, common))
        self._follower.segments += len(segments)
        tracker = Tracker(keep=False)
        first = segments[0]
        after = self._kinds[number].after
        if after is not After.NOTHING:
            for segment in _before(first, closed=after is After.CLOSED):
                tracker.feed(SegmentRecord(segment.time_ns, segment))
        known, now = len(tracker.connections), tracker.now_ns
        torn = self._torn(rows)
        for place, (row, segment) in enumerate(zip(rows, segments, strict=True)):
            now = self._follower.come_to(tracker, row, now)
            if place in torn:
                next(reversed(tracker.connections.values())).doubt()
            if place in doubled:
                copied.count(next(reversed(tracker.connections.values())), segment, numbers[place])
            tracker.feed(SegmentRecord(segment.time_ns, segment))
            if place in missing:
                miss(next(reversed(tracker.connections.values())), missing[place], common)
        assert len(tracker.connections) == known + 1
        connection = next(reversed(tracker.connections.values()))
        doubt = self._kinds[number].doubt
        if doubt is Doubt.EARLY:
            connection.doubt()
        if ending in (Ending.TIMERS, Ending.BOTH):
            tracker.tick(tracker.now_ns + _EXPIRED_NS)
        if ending in (Ending.REPLACED, Ending.BOTH):
            for segment in _after(first, tracker.now_ns):
                tracker.feed(SegmentRecord(segment.time_ns, segment))
        if doubt is Doubt.LATE:
            connection.doubt()
        tell(connection, common)
        return connection

    def _followed_by(self, number: int, ending: Ending) -> Connection | None:
        """The example when another has taken its addresses and ports, from how it stood before.

        No segment of it has come since: only its ends may have moved. ``None`` where that is
        not all, or not what came.
        """
        before = _BEFORE.get(ending)
        if before is None or self._kinds[number].doubt is Doubt.LATE:
            return None
        like = self.connection(number, before)
        if like.former is not None:
            return None
        made = twin(like)
        made.client, made.server = twin(like.client), twin(like.server)
        tracker = Tracker(keep=False)
        tracker.connections[made.id] = tracker.followed.live[made.key] = made
        tracker.number_from(made.id + 1)
        first = next(iter(self._reading.segments(self._rows[number][:1], self._decoder)))
        for segment in _after(first, like.last_ns + _EXPIRED_NS):
            tracker.feed(SegmentRecord(segment.time_ns, segment))
        if made.superseded:
            return made
        # A number that fits by chance, or was chosen to: it has changed what both share.
        del self._made[number, before]
        return None


def _with(like: Connection, kept: Kept) -> Connection:
    """The same connection, and ICMP errors about it that were about another of its kind."""
    errors, believed, others = kept
    made = twin(like)
    assert like.analysis is not None
    made.analysis = analysis = twin(like.analysis)
    client, server = like.client.endpoint, like.server.endpoint
    analysis.errors = tuple(
        replace(
            each,
            src=server if about else client,
            dst=client if about else server,
        )
        for each, about in errors
    )
    analysis.error_count, analysis.forged_errors = believed, others
    return made


def behind(codes: Array, after: Array | After) -> Array:
    """Numbers of signatures that also tell what came before, as :class:`After`."""
    told: Array = codes ^ mixed(np.atleast_1d(after), 1)
    return told


def longest_ns(connection: Connection) -> int:
    """As :meth:`Shapes.longest_ns`, of a connection as it stands."""
    return max(_TIMED.get(end.state, 0) for end in (connection.client, connection.server))


def _summed(segments: list[Segment], common: int) -> Iterator[Segment]:
    """The same with wrong checksums: the client's, the server's."""
    begun = segments[0]
    client = begun.dst if begun.syn and begun.has_ack else begun.src
    for one in segments:
        yield replace(one, checksum_ok=False) if common & WRONG[one.src != client] else one


def _said(like: Segment, time_ns: int, flags: Flags, seq: int, ack: int, *, back: bool) -> Segment:
    src, dst = (like.dst, like.src) if back else (like.src, like.dst)
    return replace(
        like,
        time_ns=time_ns,
        src=src,
        dst=dst,
        flags=flags,
        seq=seq & 0xFFFFFFFF,
        ack=ack & 0xFFFFFFFF,
        payload_len=0,
        payload=b"",
        options=NO_OPTIONS,
        ip_id=0,
        checksum_ok=None,
    )


def _before(first: Segment, *, closed: bool) -> list[Segment]:
    """A connection that came, and went, before ``first``, on the same addresses and ports."""
    x, y, now = first.seq + _FAR, first.seq + 2 * _FAR, first.time_ns - 100 * _MS
    ack, fin = Flags.ACK, Flags.FIN | Flags.ACK
    talk = [
        (Flags.SYN, x, 0, False),
        (Flags.SYN | ack, y, x + 1, True),
        (ack, x + 1, y + 1, False),
        (fin, x + 1, y + 1, False),
        (fin, y + 1, x + 2, True),
        (ack, x + 2, y + 2, False),
    ]
    return [
        _said(first, now + place * _MS, flags, seq, back, back=side)
        for place, (flags, seq, back, side) in enumerate(talk if closed else talk[:3])
    ]


def _after(first: Segment, last_ns: int) -> list[Segment]:
    """A SYN with another number on the same addresses and ports, and its answer."""
    # Not the numbers of the one before: it would be a late segment of that.
    x, y = first.seq + _FAR // 2, first.seq + 5 * _FAR // 2
    like = replace(first, frame=SUCCESSOR)
    return [
        _said(like, last_ns + _MS, Flags.SYN, x, 0, back=False),
        _said(like, last_ns + 2 * _MS, Flags.SYN | Flags.ACK, y, x + 1, back=True),
    ]
