"""At which of two capture points a connection's ends are, and so which way its segments go.

One that goes from the first point to the second shows the second clock further ahead than
it is; one that goes back, less far. So two segments in opposite directions tell, if they are
not so far apart in time that the clocks' pace could explain it; one tells where the clocks are
known. Then there is the TTL, which only falls. Where nothing tells, who began the connection
is taken to be at the first point.
"""

from __future__ import annotations

from collections import OrderedDict

from tcpviz.core.points.clock import STEEPEST, PairClock
from tcpviz.core.points.sightings import Flow, Pair, Sighting

PATHS = 1 << 15
"""Pairs of addresses of which it is remembered that their segments pass both points."""

_BOUNDS = 64


class Orientation:
    """Learns from mates, and tells the clock what they say.

    ``clock``  is told the bounds; ``slack`` (ns, by point) is how coarse the stamps are:
               they may be so much too small
    """

    def __init__(self, clock: PairClock, slack: tuple[int, int] = (0, 0)) -> None:
        self.clock = clock
        self.slack = slack
        self._paths: OrderedDict[tuple[str, str], bool] = OrderedDict()
        self._undecided: OrderedDict[int, Pair] = OrderedDict()

    def learn(self, pair: Pair, first: Sighting, second: Sighting) -> None:
        """The same segment at both points, and no doubt of it."""
        way = pair.way(first)
        bound = (way, first.time_ns, second.time_ns - first.time_ns)
        if pair.forward is None:
            forward = self._compare(pair, bound)
            if forward is None:
                pair.bounds.append(bound)
                pair.sample = first
                self._undecided[id(pair)] = pair
                if len(self._undecided) > PATHS:
                    self._undecided.popitem(last=False)
                del pair.bounds[:-_BOUNDS]
                return
            self._set(pair, forward)
            for each in pair.bounds:
                self._bound(pair, *each)
            pair.bounds.clear()
        self._bound(pair, *bound)

    def _bound(self, pair: Pair, way: int, time_ns: int, ahead_ns: int) -> None:
        forward = (way == 0) is pair.forward
        room = self.slack[1] if forward else -self.slack[0]
        self.clock.add(forward, time_ns, ahead_ns + room)

    def _compare(self, pair: Pair, bound: tuple[int, int, int]) -> bool | None:
        way, time_ns, ahead_ns = bound
        for other, then_ns, then_ahead in pair.bounds:
            if other == way:
                continue
            room = STEEPEST * abs(time_ns - then_ns) + sum(self.slack)
            if abs(ahead_ns - then_ahead) > room:
                return (ahead_ns > then_ahead) is (way == 0)
        return None

    def conclude(self) -> None:
        """There is nothing more to learn from: decide for those pairs that have told nothing."""
        for pair in list(self._undecided.values()):
            if pair.sample is not None:
                self.decide(pair, pair.sample)

    def _set(self, pair: Pair, forward: bool) -> None:
        pair.forward = forward
        self._undecided.pop(id(pair), None)
        low, high = pair.ends(0)
        self._paths[low.addr, high.addr] = forward
        self._paths[high.addr, low.addr] = not forward
        while len(self._paths) > PATHS:
            self._paths.popitem(last=False)

    def decide(self, pair: Pair, one: Sighting) -> bool:
        """Whether way 0 goes from the first point to the second: known, or the best guess.

        ``one`` is the first of the pair's segments that must be decided.
        """
        if pair.forward is not None:
            return pair.forward
        low, high = pair.ends(0)
        forward = self._paths.get((low.addr, high.addr))
        if forward is None:
            forward = self._by_clock(pair)
        if forward is None:
            forward = _by_ttl(pair, one)
        self._set(pair, forward)
        for each in pair.bounds:
            self._bound(pair, *each)
        pair.bounds.clear()
        return forward

    def _by_clock(self, pair: Pair) -> bool | None:
        if not pair.bounds or not self.clock.known:
            return None
        way, time_ns, ahead_ns = pair.bounds[0]
        return (ahead_ns > self.clock.at(time_ns).ahead) is (way == 0)

    def passes(self, flow: Flow, way: int) -> bool | None:
        """Whether a flow without a pair goes to the second point; ``None``: it need not pass it."""
        key = flow.key
        src, dst = (key.low, key.high) if way == 0 else (key.high, key.low)
        return self._paths.get((src.addr, dst.addr))


def _by_ttl(pair: Pair, one: Sighting) -> bool:
    """By the side on which the TTL is higher; else who began is at the first point."""
    way = pair.way(one)
    if one.mate is not None:
        ttls = [each.segment.ttl or 0 for each in (one, one.mate)]
        if ttls[0] != ttls[1]:
            at_sender = one.point if ttls[0] > ttls[1] else one.mate.point
            return (at_sender == 0) is (way == 0)
    segment = one.segment
    opener = way if not (segment.syn and segment.has_ack) else way ^ 1
    return opener == 0
