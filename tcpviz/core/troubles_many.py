"""Troubles that no single connection shows: slow handshakes, ports, losses, the host's queues."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from tcpviz.core.connection import Connection
from tcpviz.core.crowds import Crowd
from tcpviz.core.host import Host
from tcpviz.core.hosts import HostReading
from tcpviz.core.records import Side
from tcpviz.core.states import State
from tcpviz.core.verdict_codes import BAD, SECOND, WARNING, Fact, Severity, signs_of, span

EPHEMERAL: Final = 28_232
"""Ports that Linux gives to clients of its own accord (net.ipv4.ip_local_port_range)."""

MOST_TIMES: Final = 100_000
"""Handshakes measured for each service and peer; percentiles are of the first that many."""

MOST_IDS: Final = 1000

SLOW_NS: Final = 100_000_000
"""A tenth of a second: a 95th percentile below it troubles nobody."""

ENOUGH: Final = 20
"""Of fewer handshakes no percentiles are told."""

SOME: Final = 20
"""Where fewer than one in so many handshakes stood still the service is there: SYNs were lost."""

HERE: Final = "this host"
"""Where a trouble is that belongs to no connection and no listener."""

AGAIN_NS: Final = 60 * SECOND
"""As long as Linux keeps TIME-WAIT: ports used again sooner find the former connection there."""


_Key = TypeVar("_Key")


class Known(Protocol):
    """Connections by number, as far as they are still there."""

    def get(self, ident: int, /) -> Connection | None: ...


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong in one place.

    ``code``      a verdict's code, a crowd's kind, or one of this module's own
    ``where``     an address, an address with a port, or an interface
    ``count``     connections that show it, of ``of`` in the same place
    ``worst_ns``  the longest time among them, where the verdict has one
    ``facts``     further numbers and names: sums over the connections, percentiles in ``_ns``
    ``ids``       the first connections' numbers; ``worst`` the one whose ladder shows it best
    """

    code: str
    severity: Severity
    where: str
    count: int
    of: int
    worst_ns: int = 0
    facts: dict[str, Fact] = field(default_factory=dict)
    ids: tuple[int, ...] = ()
    worst: int = 0


def mostly_answers(unanswered: int, connections: int) -> bool:
    """Whether a service is there of which so many handshakes had no answer."""
    return unanswered * SOME < connections


class Handshakes:
    """What handshakes took, from the first SYN on, by service and by who asked it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._services: dict[str, list[tuple[int, int]]] = {}
        self._peers: dict[tuple[str, str], list[tuple[int, int]]] = {}

    def add(self, c: Connection) -> None:
        if c.handshake_rtt_ns is None:
            return
        service = str(c.server.endpoint)
        signs = signs_of(c, Side.CLIENT)
        # What the client waited: a SYN that had to be sent again is part of it.
        one = (c.handshake_rtt_ns + span(signs.first_syn_ns, signs.last_syn_ns), c.id)
        self._put(self._services, service, one)
        self._put(self._peers, (service, c.client.endpoint.addr), one)

    def _put(
        self, times: dict[_Key, list[tuple[int, int]]], key: _Key, one: tuple[int, int]
    ) -> None:
        known = times.get(key)
        if known is None and len(times) < self._most:
            known = times[key] = []
        if known is not None and len(known) < MOST_TIMES:
            known.append(one)

    def troubles(self) -> Iterator[Trouble]:
        """Services reached quickly by most and slowly by some; peers that are slower than most."""
        for service, times in self._services.items():
            half, most, nearly, ordered = _percentiles(times)
            if len(ordered) >= ENOUGH and most > SLOW_NS and most > 3 * half:
                slow = [ident for time, ident in ordered if time > 3 * half]
                facts: dict[str, Fact] = {"half_ns": half, "most_ns": most, "nearly_ns": nearly}
                yield Trouble(
                    "slow-handshakes", WARNING, service, len(slow), len(ordered), ordered[-1][0],
                    facts, tuple(slow[:MOST_IDS]), ordered[-1][1],
                )  # fmt: skip
        for (service, peer), times in self._peers.items():
            rest = len(self._services.get(service, ())) - len(times)
            half, most, nearly, ordered = _percentiles(times)
            usual = _percentiles(self._services.get(service, []))[0]
            if min(len(ordered), rest) >= ENOUGH and half > SLOW_NS and half > 3 * usual:
                facts = {
                    "half_ns": half, "most_ns": most, "nearly_ns": nearly, "usual_ns": usual,
                    "peer": peer,
                }  # fmt: skip
                yield Trouble(
                    "slow-peer", WARNING, service, len(ordered), rest + len(ordered),
                    ordered[-1][0], facts, tuple(i for _, i in ordered[:MOST_IDS]), ordered[-1][1],
                )  # fmt: skip


def _percentiles(
    times: list[tuple[int, int]],
) -> tuple[int, int, int, list[tuple[int, int]]]:
    """The 50th, 95th and 99th, and all in order."""
    ordered = sorted(times)
    if not ordered:
        return 0, 0, 0, ordered
    half, most, nearly = (ordered[len(ordered) * p // 100][0] for p in (50, 95, 99))
    return half, most, nearly, ordered


class Ports:
    """A client's ports towards one service that are taken: open, or in TIME-WAIT (3.6.1)."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: dict[tuple[str, str], list[int]] = {}
        self._waiting: dict[tuple[str, str], int] = {}

    def add(self, c: Connection) -> None:
        waits = c.client.state is State.TIME_WAIT
        if not waits and (c.over or c.reset_by is not None):
            return
        key = (c.client.endpoint.addr, str(c.server.endpoint))
        if key not in self._taken and len(self._taken) >= self._most:
            return
        self._taken.setdefault(key, []).append(c.id)
        if waits:
            self._waiting[key] = self._waiting.get(key, 0) + 1

    def troubles(self, reading: HostReading | None) -> Iterator[Trouble]:
        """From half of them on: the other half goes in as little time."""
        ports = (None if reading is None else reading.ports) or EPHEMERAL
        for key, ids in self._taken.items():
            share = len(ids) * 100 // ports
            if share >= 50:
                severity = BAD if share >= 90 else WARNING
                waiting = self._waiting.get(key, 0)
                yield Trouble(
                    "ports-running-out", severity, f"{key[0]} to {key[1]}", len(ids), ports,
                    facts={"share": share, "waiting": waiting}, ids=tuple(ids[:MOST_IDS]),
                    worst=ids[-1],
                )  # fmt: skip
        waits = None if reading is None else reading.time_waits
        if waits is not None and waits * 2 >= ports:
            most = max(self._waiting, key=lambda key: self._waiting[key], default=None)
            facts: dict[str, Fact] = {"share": waits * 100 // ports}
            ids = [] if most is None else self._taken[most]
            if most is not None:
                facts |= {"most": f"{most[0]} to {most[1]}", "most_count": self._waiting[most]}
            yield Trouble(
                "time-waits", WARNING, HERE, waits, ports, facts=facts,
                ids=tuple(ids[:MOST_IDS]), worst=ids[-1] if ids else 0,
            )  # fmt: skip


class Reuse:
    """Addresses and ports that are used again while the former connection may still be known."""

    def __init__(self, most: int, known: Known) -> None:
        self._most = most
        self._known = known
        self._again: dict[tuple[str, str], list[int]] = {}
        self._shortest: dict[tuple[str, str], int] = {}
        self._open: dict[tuple[str, str], int] = {}

    def add(self, c: Connection) -> None:
        former = self._known.get(c.older[0]) if c.older else None
        if former is None or not 0 <= c.first_ns - former.last_ns < AGAIN_NS:
            return
        key = (c.client.endpoint.addr, str(c.server.endpoint))
        if key not in self._again and len(self._again) >= self._most:
            return
        self._again.setdefault(key, []).append(c.id)
        gap = c.first_ns - former.last_ns
        if gap <= self._shortest.get(key, gap):
            self._shortest[key] = gap
        closed = former.reset_by is not None or former.complete or former.refused
        self._open[key] = self._open.get(key, 0) + (not closed)

    def troubles(self) -> Iterator[Trouble]:
        for key, ids in self._again.items():
            still = self._open[key]
            if len(ids) < 3 and not still:
                continue
            facts: dict[str, Fact] = {"shortest_ns": self._shortest[key], "open": still}
            yield Trouble(
                "ports-reused", WARNING, f"{key[0]} to {key[1]}", len(ids), len(ids),
                self._shortest[key], facts, tuple(ids[:MOST_IDS]), ids[0],
            )  # fmt: skip


class Losses:
    """Repetitions by the interface whose address this host's end has."""

    def __init__(self, interfaces: Mapping[str, str]) -> None:
        self._interfaces = interfaces
        self._sums: dict[str, list[int]] = {}
        self._ids: dict[str, list[int]] = {}
        self._peers: dict[str, set[str]] = {}
        self._worst: dict[str, tuple[int, int]] = {}

    def add(self, c: Connection) -> None:
        for end, far in ((c.client, c.server), (c.server, c.client)):
            name = self._interfaces.get(end.endpoint.addr)
            signs = signs_of(c, end.side)
            if name is None or not signs.data:
                continue
            again = max(signs.again - signs.needless, 0)
            sums = self._sums.setdefault(name, [0, 0])
            sums[0] += again
            sums[1] += signs.data
            if not again:
                continue
            ids = self._ids.setdefault(name, [])
            if len(ids) < MOST_IDS and c.id not in ids[-1:]:
                ids.append(c.id)
            peers = self._peers.setdefault(name, set())
            if len(peers) < MOST_IDS:
                peers.add(far.endpoint.addr)
            self._worst[name] = max(self._worst.get(name, (0, 0)), (again, c.id))

    def troubles(self) -> Iterator[Trouble]:
        """Where two peers or more are concerned, it is not one peer's way that loses."""
        for name, (again, data) in self._sums.items():
            ids, peers = self._ids.get(name, []), self._peers.get(name, set())
            if again < 3 or again * 100 < data or len(peers) < 2:
                continue
            severity = BAD if again * 10 >= data else WARNING
            facts: dict[str, Fact] = {"again": again, "data": data, "peers": len(peers)}
            yield Trouble(
                "lossy-interface", severity, name, len(ids), len(ids), 0, facts, tuple(ids),
                self._worst[name][1],
            )  # fmt: skip


def of_crowd(crowd: Crowd) -> Trouble:
    """A flood or a scan: many connections of which none shows it."""
    where = crowd.target if crowd.kind in ("syn-flood", "port-scan") else crowd.who
    facts: dict[str, Fact] = {"who": crowd.who, "target": crowd.target, "targets": crowd.targets}
    severity = WARNING if crowd.kind == "backscatter" else BAD
    return Trouble(crowd.kind, severity, where, crowd.count, crowd.of, 0, facts)


def of_host(host: Host) -> Iterable[Trouble]:
    """Listeners that cannot keep up, by the host's own table and counters."""
    reading = host.latest
    if reading is None:
        return
    overflowed = reading.counters.get("ListenOverflows", 0)
    full = False
    for sock in host.listeners.values():
        # It holds one more than listen() was told (sk_acceptq_is_full() in include/net/sock.h).
        if sock.recv_queue <= sock.send_queue:
            continue
        full = True
        facts: dict[str, Fact] = {"overflowed": overflowed}
        if sock.process is not None:
            facts["process"] = f"{sock.process.name} ({sock.process.pid})"
        yield Trouble(
            "accept-queue", BAD, str(sock.local), sock.recv_queue, sock.send_queue + 1, 0, facts
        )
    if overflowed and not full:
        yield Trouble("accept-queues", WARNING, HERE, overflowed, 0)
    dropped = reading.counters.get("TCPReqQFullDrop", 0)
    cookies = reading.counters.get("TCPReqQFullDoCookies", 0)
    if dropped or cookies:
        facts = {"dropped": dropped, "cookies": cookies}
        severity = BAD if dropped else WARNING
        yield Trouble("syn-queue", severity, HERE, dropped + cookies, 0, 0, facts)
    memory = reading.counters.get("TCPAbortOnMemory", 0)
    if memory:
        yield Trouble("out-of-memory", BAD, HERE, memory, 0)
