"""Fragmented datagrams put together again, as far as TCP needs it, in bounded memory.

A receiver sees a fragmented segment only when its last missing piece arrives;
so does the tracker: the frame that completes it gives the segment. Pieces are
accounted by what their headers say, so snapshots that cut them do not matter as
long as the TCP header itself was captured.

Overlaps are handled as Linux does since 4.19 (net/ipv4/inet_fragment.c,
inet_frag_queue_insert; RFC 5722 for IPv6): a piece that lies within what is
there already is a duplicate and ignored, any other overlap condemns the whole
datagram.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass

from tcpviz.wire.walk import Kind, Skip, Walk

LIFETIME_NS = 30_000_000_000
"""How long a datagram waits for its pieces by the capture's clock; Linux's ipfrag_time."""

MAX_DATAGRAMS = 256
MAX_BYTES = 1 << 20
"""Bytes held for all unfinished datagrams, pieces' bookkeeping included."""

HEADER_BYTES = 512
"""What is kept of a datagram where nobody wants payloads: headers, generously."""

_PIECE_COST = 120  # about what one piece's tuple, bytes object and list slots take
_MAX_DATAGRAM = 65535

_HELD = Skip(", held until its datagram is whole")
_DUPLICATE = Skip(", received before")
_CONDEMNED = Skip(" of a datagram whose fragments overlap", Kind.MALFORMED)
_EMPTY = Skip(" without data", Kind.MALFORMED)
_UNEVEN = Skip(" whose length is not a multiple of 8", Kind.MALFORMED)
_TOO_LONG = Skip(" beyond the longest possible datagram", Kind.MALFORMED)
_CONTRADICTS = Skip(" that contradicts its datagram's end", Kind.MALFORMED)


@dataclass(frozen=True, slots=True)
class Whole:
    """A datagram's content: captured bytes from its beginning, and its true length."""

    data: bytes
    length: int


class Datagram:
    """Pieces of one datagram. ``runs`` are the covered ranges, sorted and merged."""

    __slots__ = ("born_ns", "condemned", "cost", "first", "length", "pieces", "runs")

    def __init__(self, born_ns: int) -> None:
        self.born_ns = born_ns
        self.runs: list[tuple[int, int]] = []
        self.pieces: list[tuple[int, int, bytes]] = []
        self.length: int | None = None
        self.first: Walk | None = None
        self.cost = _PIECE_COST
        self.condemned = False

    def covered(self) -> int:
        """How far the datagram is covered from its beginning without a gap."""
        return self.runs[0][1] if self.runs and self.runs[0][0] == 0 else 0

    def prefix(self) -> bytes:
        """Its captured bytes from the beginning, up to the first that is missing."""
        parts: list[bytes] = []
        place = 0
        for start, _, data in sorted(self.pieces, key=lambda piece: piece[0]):
            if start != place:
                break
            parts.append(data)
            place += len(data)
        return b"".join(parts)


class Fragments:
    """Unfinished datagrams. ``abandoned`` counts those given up before they were ``whole``."""

    def __init__(self, keep_payload: bool) -> None:
        self._open: OrderedDict[tuple[object, ...], Datagram] = OrderedDict()
        self._keep = _MAX_DATAGRAM if keep_payload else HEADER_BYTES
        self._cost = 0
        self.abandoned = self.whole = 0
        self.given_up: list[tuple[Walk, Whole]] = []

    def __len__(self) -> int:
        return len(self._open)

    def add(
        self,
        key: tuple[object, ...],
        walk: Walk,
        offset: int,
        start: int,
        more: bool,
        unit: int,
    ) -> Whole | Skip:
        """One more piece, whose content begins at ``offset`` of the walk's data.

        ``unit`` is 8 where an uneven length is an error (IPv6), 1 where the surplus
        is ignored (IPv4, as Linux does). The skips' reasons are endings for
        "IPv4 fragment" or "IPv6 fragment".
        """
        self.expire(walk.time_ns)
        end = start + walk.end - offset
        if more and end % 8:
            if unit == 8:
                return _UNEVEN
            end &= ~7
        if end <= start:
            return _EMPTY
        if end > _MAX_DATAGRAM:
            return _TOO_LONG
        datagram = self._open.get(key)
        if datagram is None:
            datagram = self._open[key] = Datagram(walk.time_ns)
            self._cost += datagram.cost
        result = self._insert(datagram, walk, offset, start, end, more)
        if isinstance(result, Whole):
            del self._open[key]
            self._cost -= datagram.cost
            self.whole += 1
        while len(self._open) > MAX_DATAGRAMS or self._cost > MAX_BYTES:
            self._give_up_oldest()
        return result

    def _insert(
        self, datagram: Datagram, walk: Walk, offset: int, start: int, end: int, more: bool
    ) -> Whole | Skip:
        if datagram.condemned:
            return _CONDEMNED
        runs = datagram.runs
        known = datagram.length
        if more:
            if known is not None and end > known:
                return _CONTRADICTS
        elif known not in (None, end) or (runs and runs[-1][1] > end):
            return _CONTRADICTS
        place = bisect_right(runs, start, key=lambda run: run[0])
        before = runs[place - 1] if place else None
        if before is not None and before[1] >= end:
            return _DUPLICATE
        after = runs[place] if place < len(runs) else None
        if (before is not None and before[1] > start) or (after is not None and after[0] < end):
            self._condemn(datagram)
            return _CONDEMNED
        if not more:
            datagram.length = end
        low, high, left, right = start, end, place, place
        if before is not None and before[1] == start:
            low, left = before[0], place - 1
        if after is not None and after[0] == end:
            high, right = after[1], place + 1
        runs[left:right] = [(low, high)]
        self._keep_piece(datagram, walk, offset, start, end)
        if runs[0] == (0, datagram.length):
            return Whole(datagram.prefix(), runs[0][1])
        return _HELD

    def _keep_piece(
        self, datagram: Datagram, walk: Walk, offset: int, start: int, end: int
    ) -> None:
        cost = _PIECE_COST
        if start < self._keep:
            stop = min(walk.limit, offset + min(end, self._keep) - start)
            data = walk.data[offset:stop]
            datagram.pieces.append((start, end, data))
            cost += len(data)
        if start == 0:
            first = Walk(b"", 0, walk.time_ns, walk.number, walk.interface)
            first.scope = walk.scope
            first.src, first.dst = walk.src, walk.dst
            first.ttl, first.ip_id, first.ecn = walk.ttl, walk.ip_id, walk.ecn
            datagram.first = first
        datagram.cost += cost
        self._cost += cost

    def _condemn(self, datagram: Datagram) -> None:
        self._cost -= datagram.cost - _PIECE_COST
        datagram.cost = _PIECE_COST
        datagram.condemned = True
        datagram.pieces = []
        datagram.runs = []
        datagram.first = None

    def expire(self, now_ns: int) -> None:
        """Give up the datagrams that have waited longer than ``LIFETIME_NS``."""
        while self._open:
            oldest = next(iter(self._open.values()))
            if now_ns - oldest.born_ns <= LIFETIME_NS:
                return
            self._give_up_oldest()

    def _give_up_oldest(self) -> None:
        _, datagram = self._open.popitem(last=False)
        self._cost -= datagram.cost
        self.abandoned += 1
        if datagram.first is not None:
            length = datagram.length or datagram.covered()
            self.given_up.append((datagram.first, Whole(datagram.prefix(), length)))

    def finish(self) -> None:
        """Nothing more will come: every unfinished datagram is given up."""
        while self._open:
            self._give_up_oldest()
