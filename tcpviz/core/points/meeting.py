"""Which connection at one capture point is which at the other.

Most have the same addresses and ports at both. Where something on the way translates them
(NAT), the numbers tell: sequence number, acknowledgement and length together are some 64
bits, the timestamps option (RFC 7323) is 64 more, and nobody meets both by chance. Where
something writes the numbers themselves anew (firewalls that choose initial sequence numbers),
the timestamps and lengths must agree several times, always with the same shift.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator

from tcpviz.core import seq as seqno
from tcpviz.core.points.sightings import NO_ACK, Flow, Pair, Sighting, key_of
from tcpviz.core.segment import Segment

REMEMBERED = 1 << 16
"""Segments of each point, of connections without a pair, that are looked for at the other."""

FLOWS = 1 << 16
"""Connections of each point that are remembered; those that have been quiet longest go."""

ENOUGH = 3
"""So much must speak for it: one segment's numbers are worth two, a SYN's alone one."""

SAME_PORTS = 2
"""So much more where the addresses and ports are the same too."""

_Flows = OrderedDict[tuple[str, int, str, int, tuple[str, ...]], tuple[Flow, int]]
_Sighting = tuple[Flow, int, int, int]


class Meeting:
    """Follows the flows of both points; :meth:`take` says when a pair was found."""

    def __init__(self) -> None:
        # By both directions' addresses and ports: quicker to look up than a FlowKey is to make.
        self._flows: tuple[_Flows, _Flows] = (OrderedDict(), OrderedDict())
        self._seen: tuple[
            OrderedDict[tuple[object, ...], _Sighting], OrderedDict[tuple[object, ...], _Sighting]
        ] = (OrderedDict(), OrderedDict())
        self._votes: OrderedDict[tuple[int, int, bool], tuple[Counter[int], Counter[int]]] = (
            OrderedDict()
        )
        self.forgotten = 0

    def flow(self, point: int, segment: Segment) -> tuple[Flow, int]:
        """The flow of a segment, a new one if need be, and which way it goes."""
        src, dst, flows = segment.src, segment.dst, self._flows[point]
        key = (src.addr, src.port, dst.addr, dst.port, segment.scope)
        known = flows.get(key)
        if known is not None:
            flows.move_to_end(key)
            return known
        other = flows.get((dst.addr, dst.port, src.addr, src.port, segment.scope))
        flow = other[0] if other is not None else Flow(point, segment.key)
        found = flows[key] = (flow, int(src != flow.key.low))
        if len(flows) > 2 * FLOWS:
            flows.popitem(last=False)
            self.forgotten += 1
        return found

    def anew(self, pair: Pair) -> None:
        """A new connection on the same ports: its numbers are shifted otherwise."""
        for flow in pair.flows:
            flow.pair = None

    def take(self, one: Sighting) -> Pair | None:
        """A segment of a flow without a pair; the pair that it brings together."""
        found = None
        for signature, weight in _signatures(one):
            other = self._seen[1 - one.point].get(signature)
            if other is not None and other[0].pair is None and found is None:
                found = self._vote(one, other, weight)
            seen = self._seen[one.point]
            seen[signature] = (one.flow, one.way, one.segment.seq, _ack(one))
            if len(seen) > REMEMBERED:
                seen.popitem(last=False)
        return found

    def _vote(self, one: Sighting, other: _Sighting, weight: int) -> Pair | None:
        mine = (one.flow, one.way, one.segment.seq, _ack(one))
        first, second = (mine, other) if one.point == 0 else (other, mine)
        way, crossed = first[1], first[1] != second[1]
        key = (id(first[0]), id(second[0]), crossed)
        votes = self._votes.setdefault(key, (Counter(), Counter()))
        if len(self._votes) > REMEMBERED:
            self._votes.popitem(last=False)
        weight += SAME_PORTS * (_ports(first[0]) == _ports(second[0]))
        votes[way][seqno.diff(second[2], first[2])] += weight
        if first[3] != NO_ACK and second[3] != NO_ACK:
            votes[way ^ 1][seqno.diff(second[3], first[3])] += weight
        best = [each.most_common(1)[0] if each else (0, 0) for each in votes]
        shift = (best[0][0], best[1][0])
        spoken = best[0][1], best[1][1]
        if shift == (0, 0):
            found = max(spoken) >= ENOUGH
        else:  # nothing but the same shift, again and again, and of both ways
            found = min(spoken) > 0 and sum(spoken) >= 2 * ENOUGH
        if not found:
            return None
        del self._votes[key]
        stamps = one.segment.options.timestamps is not None
        pair = Pair((first[0], second[0]), crossed, shift, stamps)
        first[0].pair = second[0].pair = pair
        return pair


def _ack(one: Sighting) -> int:
    return one.segment.ack if one.segment.has_ack else NO_ACK


def _ports(flow: Flow) -> tuple[object, ...]:
    return flow.key.low, flow.key.high


def _signatures(one: Sighting) -> Iterator[tuple[tuple[object, ...], int]]:
    """What may be the same at the other point, and what it is worth."""
    segment = one.segment
    stamps = segment.options.timestamps
    ack = _ack(one)
    if not segment.rst or ack != NO_ACK:
        # A SYN alone has 32 bits; with a timestamp it has as many as another.
        worth = 2 if ack not in (NO_ACK, 0) or stamps else 1
        yield ("numbers", *key_of(segment, segment.seq, segment.ack, stamps=False)), worth
    if stamps is not None and (stamps[1] or segment.syn):
        flags = int(segment.flags) & 0x3F
        yield ("stamps", stamps, segment.payload_len, flags), 2 if segment.syn else 1
    elif segment.syn and stamps is None:
        yield ("ports", segment.src, segment.dst, int(segment.flags) & 0x12), 1
