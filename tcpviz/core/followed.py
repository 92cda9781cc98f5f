"""The connections that are followed: which one a segment belongs to, and which ones go.

By id in order of their first segment, and by the addresses and ports that are in
use. How it is decided where those were used more than once is in
:mod:`tcpviz.core.routing`; late segments of former users in :mod:`tcpviz.core.late`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from tcpviz.core import late, routing
from tcpviz.core.analysis import Analysis
from tcpviz.core.claims import Certainty, Claim
from tcpviz.core.connection import Connection
from tcpviz.core.host import Host
from tcpviz.core.kernels import Kernels
from tcpviz.core.records import Moment, Side, Unreachable
from tcpviz.core.segment import SYN, Endpoint, FlowKey, Segment
from tcpviz.core.states import State

MAX_SCOPES = 64
"""Different VLANs and tunnels in which the connection that an ICMP error quotes is looked for."""


class Followed:
    """The connections.

    ``connections``  by id; ``live`` by addresses and ports, whoever has them now
    ``analyse``      keep Wireshark's marks and Zeek's letters of each
    ``most``         how many are kept: finished ones go first, then the oldest, counted
                     in ``evicted``
    ``counted``      tells of a new one whether somebody else has given it a number already
    ``before``       how the ends stand before there is a connection: of the server, if that
                     was seen, it is what every connection begins with
    """

    def __init__(
        self,
        kernels: Kernels,
        host: Host,
        before: dict[Side, Claim],
        *,
        analyse: bool,
        most: int | None = None,
    ) -> None:
        self.connections: OrderedDict[int, Connection] = OrderedDict()
        self.live: dict[FlowKey, Connection] = {}
        self.evicted = 0
        self.touched: dict[int, Connection] = {}
        """Those with segments since the latest gap; the others are in doubt already."""
        self._before = before
        self._analyse = analyse
        self._most = most
        self._ids = 0
        self.counted: Callable[[FlowKey], int | None] | None = None
        self._kernels = kernels
        self._host = host
        self.scopes: dict[tuple[str, ...], None] = {}
        """VLANs and tunnels met so far, in which ICMP errors look for their connection."""

    def of(self, segment: Segment, moment: Moment) -> Connection:
        """The connection of a segment at one of its moments, a new one if need be."""
        key = segment.key
        known = self.live.get(key)
        if known is None:
            return self._open(key, segment, None)
        syn = int(segment.flags) & SYN
        if syn and known.only_told:
            # The table was faster than the packets: here it is opened.
            self._forget(known)
            fresh = self._open(key, segment, None)
            fresh.sockets = known.sockets
            return fresh
        former = known.former
        if moment is Moment.ARRIVED and _meets_listener(known, segment):
            return known
        if former is not None and not (known.watched and _took_over(known, segment, moment)):
            if routing.gave_up(known) and not known.refused and not former.over:
                known.former = None
                known = self.live[key] = former
            else:
                known = routing.choose(known, segment)
        if moment is Moment.ARRIVED and self._kernels.takes_old_syn(known, segment):
            fresh = self._open(key, segment, known)
            routing.inherit(fresh, known, segment)
            fresh.watched = True
            return fresh
        if known.older and not known.watched:
            known = self._older(known, segment)
        if moment is Moment.ARRIVED or moment is Moment.LOST:
            return known
        if syn and not known.superseded and routing.begins_anew(known, segment):
            return self._open(key, segment, known)
        return known

    def _older(self, known: Connection, segment: Segment) -> Connection:
        """The connection before this one whose late segment it is, if it is one."""
        for older in self._all_older(known):
            if late.belongs(older, known, segment):
                return older
        return known

    def _all_older(self, known: Connection) -> list[Connection]:
        """Those of the same addresses and ports before it that are still followed."""
        found = (self.connections.get(ident) for ident in known.older)
        return [one for one in found if one is not None]

    def _open(self, key: FlowKey, segment: Segment, known: Connection | None) -> Connection:
        client, server, client_claim, server_claim = routing.who_is_who(segment)
        if self._before[Side.SERVER].certainty is Certainty.SEEN:
            server_claim = self._kernels.at_port(server.port, self._before[Side.SERVER])
        ends = (client, server, client_claim, server_claim)
        connection = self.enter(key, ends, reused=known is not None)
        if known is not None:
            # Of two unanswered attempts the later one counts, and what lived before both.
            unanswered = known.former is not None and not routing.decided(known)
            former = known.former if unanswered else known
            connection.intrudes = routing.lives(former or known)
            if former is not None and former.id in self.connections:  # it may have made room
                connection.former = former
            if segment.syn and segment.has_ack:
                routing.inherit(connection, known, segment, self._all_older(known))
        self._host.claim(connection)
        return connection

    def enter(
        self,
        key: FlowKey,
        ends: tuple[Endpoint, Endpoint, Claim, Claim],
        *,
        reused: bool = False,
    ) -> Connection:
        """Follow a new one; ``ends``: client, server and how they stand."""
        ident = self.counted(key) if self.counted is not None else None
        if ident is None:
            self._ids += 1
            ident = self._ids
        analysis = Analysis(reused_ports=reused) if self._analyse else None
        connection = Connection(ident, key, *ends, analysis)
        self.connections[connection.id] = connection
        self.live[key] = connection
        if len(self.scopes) < MAX_SCOPES:
            self.scopes[key.scope] = None
        if self._most is not None and len(self.connections) > self._most:
            self._evict()
        return connection

    def number_from(self, ident: int) -> None:
        """The next connection gets this number."""
        self._ids = ident - 1

    def keep(self, most: int, *, more: bool = False) -> None:
        """Follow no more than so many from now on; ``more``: even if that is more than before."""
        self._most = most if self._most is None or more else min(most, self._most)
        while len(self.connections) > self._most:
            self._evict()

    def _evict(self) -> None:
        """Make room: a finished connection among the oldest hundred, else the oldest."""
        victim = None
        for place, connection in enumerate(self.connections.values()):
            if victim is None or connection.over:
                victim = connection
            if connection.over or place >= 100:
                break
        if victim is None:
            return
        self._forget(victim)
        self.evicted += 1

    def _forget(self, victim: Connection) -> None:
        del self.connections[victim.id]
        self.touched.pop(victim.id, None)
        self._kernels.forget(victim)
        live = self.live.get(victim.key)
        if live is victim:
            del self.live[victim.key]
        elif live is not None and live.former is victim:
            live.former = None

    def quoted(self, error: Unreachable) -> Connection | None:
        """The connection whose segment an ICMP error quotes."""
        # An error often comes back by another VLAN than the segment went out.
        scopes = (error.scope, *self.scopes)
        found = (self.live.get(key) for scope in scopes for key in error.keys(scope))
        return next((each for each in found if each is not None), None)


def _took_over(known: Connection, segment: Segment, moment: Moment) -> bool:
    """Whether the host's only socket with these addresses and ports is the new connection's.

    Of the host that sends, or to which the segment is handed. No number matters then: what
    answers or meets the former connection's segments is this one.
    """
    side = known.side_of(segment)
    end = known.end(side.other if moment is Moment.ARRIVED else side)
    return end.iss is not None or end.received is not None


def _meets_listener(known: Connection, segment: Segment) -> bool:
    """Whether a SYN, of whatever age, arrives where the latest connection's end still listens."""
    receiver = known.end(known.side_of(segment).other)
    return segment.syn and not segment.has_ack and receiver.state is State.LISTEN
