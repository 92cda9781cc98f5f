"""Crowds: connections that are one of many alike, as floods, scans and backscatter make them.

What one connection shows ("no answer to SYN") is told otherwise where hundreds show the
same. A crowd is named from counts alone, so it is a suspicion: who sends the segments
and why is not in them. Memory is bounded by the connections that are kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tcpviz.core.records import Side
from tcpviz.core.segment import Flags

if TYPE_CHECKING:
    from tcpviz.core.connection import Connection

FLOOD: Final = 50
"""Handshakes to one listener, within :data:`FLOOD_NS`, that nobody tried twice or completed."""

FLOOD_NS: Final = 10_000_000_000

SCAN: Final = 15
"""Ports of one host, or hosts at one port, that one source tried without a connection."""

BACKSCATTER: Final = 15
"""Addresses to which one host answers SYNs that were not captured."""

_OPENING: Final = int(Flags.SYN | Flags.ACK | Flags.RST)


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many connections alike.

    ``kind``     ``syn-flood``, ``port-scan``, ``host-scan`` or ``backscatter``
    ``who``      whom it comes from: an address; for a flood with many, empty
    ``target``   the listener of a flood, the host of a port scan, the port of a host scan
    ``count``    connections of that kind, of ``of`` between the same
    ``targets``  different ports (port scan), hosts (host scan, backscatter) or sources (flood)
    ``first_ns``, ``last_ns``  when the first and the last of them began
    """

    kind: str
    who: str
    target: str
    count: int
    of: int
    targets: int
    first_ns: int
    last_ns: int


@dataclass(slots=True)
class _Group:
    """``came``: of a listener's, by source, those that came about, as far as anybody knows."""

    failed: list[Connection] = field(default_factory=list)
    all: int = 0
    came: Counter[str] = field(default_factory=Counter)


_Judge = Callable[["list[Connection]", int], Crowd | None]


def fate(c: Connection) -> str:
    """Why no connection came about; empty if one did, or nobody knows.

    ``silent``, ``half-open``, ``refused``, ``scanned`` (answered, and reset in place of the
    third segment) or ``odd`` (flags that open nothing).
    """
    client, server = c.client, c.server
    if c.midstream:
        flags = None if c.analysis is None else c.analysis.vitals.first_flags
        odd = flags is not None and not flags & _OPENING and client.rcv_nxt is None
        return "odd" if odd else ""
    if client.iss is None or c.established:
        return ""
    if c.refused:
        return "refused"
    if server.iss is None:
        return "" if server.segments or client.segments > client.syns else "silent"
    if c.reset_by is Side.CLIENT:
        return "scanned"
    return "half-open" if c.reset_by is None and client.segments == client.syns else ""


def crowds(connections: Iterable[Connection]) -> list[Crowd]:
    """The crowds among them, the largest first; each member's ``crowd`` is set, others' cleared."""
    listeners: dict[object, _Group] = defaultdict(_Group)
    pairs: dict[object, _Group] = defaultdict(_Group)
    sweeps: dict[object, _Group] = defaultdict(_Group)
    answers: dict[object, _Group] = defaultdict(_Group)
    for c in connections:
        c.crowd = None
        if c.client.iss is None and c.server.iss is not None and not c.established:
            group = answers[c.server.endpoint.addr]
            group.all += 1
            group.failed.append(c)
            continue
        how = fate(c)
        source, target = c.client.endpoint, c.server.endpoint
        for groups, key in (
            (listeners, target),
            (pairs, (source.addr, target.addr)),
            (sweeps, (source.addr, target.port)),
        ):
            if how or key in groups:
                groups[key].all += 1
            if how:
                groups[key].failed.append(c)
            elif groups is listeners and key in groups:
                groups[key].came[source.addr] += 1
    found = [
        *_made(listeners, _flood),
        *_made(pairs, _port_scan),
        *_made(sweeps, _host_scan),
        *_made(answers, _backscatter),
    ]
    found.sort(key=lambda each: -each.count)
    return found


def _strangers(group: _Group) -> list[Connection]:
    """Those that failed, without sources of which most come about: on a lossy link, some wait."""
    if not group.came:
        return group.failed
    failed = Counter(c.client.endpoint.addr for c in group.failed)
    few = {source for source, count in failed.items() if group.came[source] <= count}
    return [c for c in group.failed if c.client.endpoint.addr in few]


def _made(groups: dict[object, _Group], judge: _Judge) -> Iterable[Crowd]:
    for group in groups.values():
        members = [c for c in _strangers(group) if c.crowd is None]
        crowd = judge(members, group.all) if members else None
        if crowd is not None:
            for c in members:
                c.crowd = crowd
            yield crowd


def _times(members: list[Connection]) -> tuple[int, int]:
    begun = [c.first_ns for c in members]
    return min(begun), max(begun)


def _flood(members: list[Connection], total: int) -> Crowd | None:
    """Many handshakes at once, none completed and none tried again: their senders do not wait."""
    once = [c for c in members if fate(c) in ("silent", "half-open") and c.client.syns == 1]
    if len(once) < FLOOD or len(once) * 2 < len(members):
        return None
    bursts = Counter(c.first_ns // FLOOD_NS for c in once)
    if max(n + bursts.get(at + 1, 0) for at, n in bursts.items()) < FLOOD:
        return None
    sources = {c.client.endpoint.addr for c in once}
    who = next(iter(sources)) if len(sources) == 1 else ""
    target = str(members[0].server.endpoint)
    return Crowd("syn-flood", who, target, len(members), total, len(sources), *_times(members))


def _port_scan(members: list[Connection], total: int) -> Crowd | None:
    ports = {c.server.endpoint.port for c in members}
    if len(ports) < SCAN or len(members) * 2 < total:
        return None
    c = members[0]
    who, target = c.client.endpoint.addr, c.server.endpoint.addr
    return Crowd("port-scan", who, target, len(members), total, len(ports), *_times(members))


def _host_scan(members: list[Connection], total: int) -> Crowd | None:
    hosts = {c.server.endpoint.addr for c in members}
    if len(hosts) < SCAN or len(members) * 2 < total:
        return None
    who, target = members[0].client.endpoint.addr, str(members[0].server.endpoint.port)
    return Crowd("host-scan", who, target, len(members), total, len(hosts), *_times(members))


def _backscatter(members: list[Connection], total: int) -> Crowd | None:
    hosts = {c.client.endpoint.addr for c in members}
    if len(hosts) < BACKSCATTER:
        return None
    who = members[0].server.endpoint.addr
    return Crowd("backscatter", who, "", len(members), total, len(hosts), *_times(members))


class Crowds:
    """The crowds among connections that keep coming, counted again as they become more.

    ``found``  the latest list. It is made anew when the connections have become half as many
    again (or 16 more): some 5 us each time for each, three times that in all.
    """

    __slots__ = ("_final", "_next", "found")

    def __init__(self) -> None:
        self.found: list[Crowd] = []
        self._next = SCAN
        self._final = False

    def look(self, connections: Mapping[int, Connection], *, final: bool = False) -> bool:
        """Count if it is time to; once more at the end (``final``). Whether it was counted."""
        count = len(connections)
        if count < (SCAN if final else self._next) or (final and self._final):
            return False
        self._final = final
        self.found = crowds(connections.values())
        self._next = count + max(16, count // 2)
        return True
