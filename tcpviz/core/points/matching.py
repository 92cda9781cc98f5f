"""Which segment at one capture point is which at the other: whole ones, and cut or joined ones.

A segment that arrives as it left has the same numbers, length and timestamps. Where several
have (a repetition without timestamps, duplicate ACKs), the IP identification tells them
apart if it is kept on the way (RFC 791; Linux counts it up for each socket), and else what is
usual of the way's delays. Segmentation and receive offload (TSO, GRO, LRO) cut and join
data: then bytes are looked for instead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from tcpviz.core import seq as seqno
from tcpviz.core.points.sightings import Key, Pair, Sighting, Way

AT_ONCE_NS = 10_000
"""Nobody sends or doubles a segment as quickly: the capture has seen it twice."""

SAME_PACKET_NS = 100_000_000
"""The same with the same IP identification (see :mod:`tcpviz.core.twice`)."""

_ROOM_NS = 2_000_000
"""So much later than usual is nothing to wonder at, whatever the spread."""

_LOOK_AT = 4096
"""Pieces that are looked through for the bytes of one segment."""

_FOREVER = 1 << 80

Delay = Callable[[Sighting, Sighting], int | None]
"""Of a segment that left and one that arrived, by one clock; ``None``: not known yet."""


def match(pair: Pair, one: Sighting, delay: Delay) -> Sighting | None:
    """The mate of a segment that has just come, if it is there already; both are joined."""
    way, key = pair.ways[pair.way(one)], pair.key(one)
    others = way.free[1 - one.point].get(key)
    mate = _choose(pair, way, one, others, delay) if others else None
    if mate is None:
        way.free[one.point].setdefault(key, []).append(one)
        if one.segment.payload_len:
            _tidy(way.data[one.point])
            way.data[one.point].append(one)
        return None
    assert others is not None
    one.sure = mate.sure = (
        len(others) == 1 and key not in way.delivered and key not in way.free[one.point]
    )
    others.remove(mate)
    if not others:
        del way.free[1 - one.point][key]
    _join(way, one, mate)
    return mate


def _join(way: Way, one: Sighting, mate: Sighting) -> None:
    """The two are the same segment."""
    one.mate, mate.mate = mate, one
    ids = one.segment.ip_id, mate.segment.ip_id
    if one.sure and ids[0] and ids[1]:
        if ids[0] == ids[1]:
            way.same_ids += 1
        else:
            way.other_ids += 1


def latest(way: Way, otherwise: float) -> int:
    """How long after it left a segment of this way has arrived, if it does at all."""
    if way.least_ns is None:
        return round(2 * otherwise) + _ROOM_NS
    return round(way.usual_ns + 4 * way.spread_ns) + _ROOM_NS


def _choose(
    pair: Pair, way: Way, one: Sighting, others: list[Sighting], delay: Delay
) -> Sighting | None:
    ident = one.segment.ip_id
    if ident:
        same = next((each for each in others if each.segment.ip_id == ident), None)
        if same is not None:
            return same
        if way.identified:
            others = [each for each in others if not each.segment.ip_id]
    if not others:
        return None
    if len(others) == 1 and way.least_ns is None:
        return others[0]
    leaves = pair.leaves(one)
    usual = latest(way, 0.0)
    least = (way.least_ns or 0) - way.spread_ns - _ROOM_NS
    late = None
    for each in others:
        passed = delay(one, each) if leaves else delay(each, one)
        if passed is None:
            return each
        if passed < least:
            continue  # it was there before: another copy of it
        if passed <= usual:
            return each
        if leaves:
            return late or each  # the first that comes behind it
        late = each  # of several that left so long before, the last
    return late


def forget(pair: Pair, one: Sighting) -> None:
    """It is decided without a mate: nothing is matched with it any more."""
    way, key = pair.ways[pair.way(one)], pair.key(one)
    free = way.free[one.point]
    waiting = free.get(key)
    if waiting and one in waiting:
        waiting.remove(one)
        if not waiting:
            del free[key]
    one.settled = True
    _tidy(way.data[one.point])


def _tidy(data: deque[Sighting]) -> None:
    while data and (data[0].settled or data[0].mate is not None):
        data.popleft()


# -- bytes ---------------------------------------------------------------------


def pieces_of(pair: Pair, one: Sighting, delay: Delay) -> list[tuple[int, int, Sighting]]:
    """What arrived of a segment that left: (first, last + 1, by which), in order of arrival.

    Counted in bytes of ``one``. Only what is in no other segment that left.
    """
    way = pair.ways[pair.way(one)]
    seq, _ = pair.numbers(one)
    size = one.segment.payload_len
    stamps = one.segment.options.timestamps if pair.stamps else None
    least = (way.least_ns or 0) - way.spread_ns - _ROOM_NS
    found = []
    for each in _waiting(way, 1 - one.point):
        first = seqno.diff(pair.numbers(each)[0], seq)
        last = first + each.segment.payload_len
        if first >= size or last <= 0:
            continue
        theirs = each.segment.options.timestamps if pair.stamps else None
        if stamps and theirs and stamps[0] != theirs[0]:
            continue
        passed = delay(one, each)
        if passed is not None and passed < least:
            continue
        found.append((max(first, 0), min(last, size), each))
    return found


def _waiting(way: Way, point: int) -> Iterator[Sighting]:
    for number, each in enumerate(way.data[point]):
        if number >= _LOOK_AT:
            return
        if each.mate is None and not each.settled:
            yield each


def spans(pieces: list[tuple[int, int, Sighting]]) -> list[tuple[int, int]]:
    """The stretches that pieces make together, in order."""
    made: list[tuple[int, int]] = []
    for first, last, _ in sorted(pieces, key=lambda one: one[:2]):
        if made and first <= made[-1][1]:
            made[-1] = (made[-1][0], max(made[-1][1], last))
        else:
            made.append((first, last))
    return made


# -- what the other direction says ---------------------------------------------


def note(pair: Pair, one: Sighting) -> None:
    """Remember how far it goes, and what it acknowledges of the other direction."""
    seq, ack = pair.numbers(one)
    segment = one.segment
    way = pair.ways[pair.way(one)]
    if segment.seq_len:
        end = seqno.add(seq, segment.seq_len)
        before = way.sent_to[one.point]
        way.sent_to[one.point] = end if before is None else seqno.later(before, end)
        way.got[one.point].append((one.time_ns, seq, end))
    if segment.has_ack:
        echoes = pair.ways[pair.way(one) ^ 1].echoes[one.point]
        sack = segment.options.sack
        if sack and pair.rewritten and one.point == 1:
            by = -pair.shift[pair.way(one) ^ 1]
            sack = tuple((seqno.add(low, by), seqno.add(high, by)) for low, high in sack)
        if not echoes or seqno.gt(ack, echoes[-1][1]) or sack:
            echoes.append((one.time_ns, ack, sack))


def acknowledged(pair: Pair, one: Sighting, first: int, last: int) -> int | None:
    """When, by the other point's clock, something there acknowledged these bytes of ``one``."""
    way = pair.ways[pair.way(one)]
    if last <= first:
        return None
    seq, _ = pair.numbers(one)
    low, high = seqno.add(seq, first), seqno.add(seq, last)
    for time_ns, ack, sack in way.echoes[1 - one.point]:
        told = any(seqno.le(left, low) and seqno.ge(right, high) for left, right in sack)
        if told or (seqno.ge(ack, high) and seqno.diff(ack, high) < 1 << 24):
            return time_ns
    return None


def delivered(pair: Pair, one: Sighting, first: int, last: int, by_ns: int) -> bool:
    """Whether the other point saw any of these bytes until then, by its clock."""
    way = pair.ways[pair.way(one)]
    low = seqno.add(pair.numbers(one)[0], first)
    for time_ns, start, end in way.got[1 - one.point]:
        if time_ns <= by_ns and seqno.diff(start, low) < last - first and seqno.gt(end, low):
            return True
    return False


def passed_over(pair: Pair, one: Sighting, first: int, last: int) -> bool:
    """Its sender, at the other point, has sent what comes behind it, and these bytes never."""
    sent_to = pair.ways[pair.way(one)].sent_to[1 - one.point]
    if last <= first or sent_to is None:
        return False
    end = seqno.add(pair.numbers(one)[0], last)
    if not 0 <= seqno.diff(sent_to, end) < 1 << 24:
        return False
    return not delivered(pair, one, first, last, _FOREVER)


def prune(pair: Pair, before: tuple[int, int]) -> None:
    """Forget what was acknowledged before these moments, by each point's clock."""
    for way in pair.ways:
        for point in (0, 1):
            echoes = way.echoes[point]
            while len(echoes) > 1 and echoes[0][0] < before[point]:
                echoes.popleft()


def twice(way: Way, key: Key, one: Sighting, *, leaves: bool) -> bool:
    """The capture saw the same packet before, a moment ago.

    Where it leaves, no host gives two packets one identification. Where it arrives, the
    network may have doubled it, which takes longer than a capture does.
    """
    known = way.delivered.get(key)
    before = known if known is None or known.point == one.point else known.mate
    if before is None or before is one:
        return False
    apart = abs(one.time_ns - before.time_ns)
    ident = one.segment.ip_id
    if ident and ident != before.segment.ip_id:
        return False
    if ident and leaves and one.segment.ttl == before.segment.ttl:
        return apart <= SAME_PACKET_NS
    return apart <= AT_ONCE_NS
