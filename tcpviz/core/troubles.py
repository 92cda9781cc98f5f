"""Troubles: what goes wrong among many connections, each kind once, with where and how often.

A verdict says what is wrong with one connection; an operator wants to know what is
wrong with the host. So verdicts that ask for a look are put together by what
they say and by whose doing it is: a service that refuses, a host that never
closes, a peer to which much is lost. What no single connection shows is added:
handshakes that are slow for a part of those who come, and ports that run out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tcpviz.core.connection import Connection
from tcpviz.core.records import Side
from tcpviz.core.states import State
from tcpviz.core.verdict_codes import Code, Severity, Verdict
from tcpviz.core.verdicts import verdicts

MOST_GROUPS: Final = 4096
"""Kinds of trouble by place that are told apart; further ones are counted only."""

MOST_IDS: Final = 1000
"""Connections that a trouble remembers by number."""

MOST_TIMES: Final = 100_000
"""Handshakes measured for each service; percentiles are of the first that many."""

EPHEMERAL: Final = 28_232
"""Ports that Linux takes for clients of its own accord (net.ipv4.ip_local_port_range)."""

SLOW_NS: Final = 100_000_000
"""A tenth of a second: a 95th percentile below it troubles nobody."""

_SERVICE: Final = frozenset(
    {
        Code.REFUSED, Code.NO_ANSWER, Code.UNREACHABLE, Code.HALF_OPEN, Code.SLOW_HANDSHAKE,
        Code.CHALLENGED, Code.ICMP_ERROR,
    }
)  # fmt: skip
"""Whose doing it is: the service that was asked."""

_OTHER_END: Final = frozenset({Code.LOSSY, Code.PATH_MTU, Code.NEEDLESS_RETRANSMISSIONS})
"""A matter of the way between two hosts, told by the far one's address."""

_QUIET: Final = frozenset(
    {Code.SYN_FLOOD, Code.PORT_SCAN, Code.HOST_SCAN, Code.BACKSCATTER, Code.MID_STREAM}
)
"""Told of all connections already, or of none."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong in one place.

    ``code``      a verdict's code, or ``slow-handshakes``, ``ports-running-out``
    ``where``     an address, or an address with a port
    ``count``     connections that show it, of ``of`` in the same place
    ``worst_ns``  the longest time among them, where the verdict has one
    ``facts``     further numbers: sums over the connections, percentiles in ``_ns``
    ``ids``       the first connections' numbers
    """

    code: str
    severity: Severity
    where: str
    count: int
    of: int
    worst_ns: int = 0
    facts: dict[str, int] = field(default_factory=dict)
    ids: tuple[int, ...] = ()


@dataclass(slots=True)
class _Group:
    severity: Severity
    count: int = 0
    worst_ns: int = 0
    sums: dict[str, int] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)


class Gathering:
    """Connections in, one by one; troubles out, the gravest and most frequent first.

    ``left_out``  verdicts for which there was no room any more
    """

    def __init__(self) -> None:
        self.left_out = 0
        self._groups: dict[tuple[str, str], _Group] = {}
        self._of: dict[str, int] = {}
        self._rtts: dict[str, list[int]] = {}
        self._waiting: dict[tuple[str, str], list[int]] = {}

    def add(self, c: Connection, now_ns: int | None = None) -> None:
        """Take a connection as it stands at ``now_ns``."""
        service, client = str(c.server.endpoint), c.client.endpoint.addr
        for place in {service, client, c.server.endpoint.addr}:
            self._count(self._of, place)
        if c.handshake_rtt_ns is not None:
            times = self._rtts.get(service)
            if times is None and len(self._rtts) < MOST_GROUPS:
                times = self._rtts[service] = []
            if times is not None and len(times) < MOST_TIMES:
                times.append(c.handshake_rtt_ns)
        if c.client.state is State.TIME_WAIT:
            self._waits(client, service, c.id)
        for verdict in verdicts(c, now_ns):
            if verdict.severity > Severity.INFO and verdict.code not in _QUIET:
                self._take(c, verdict)

    def troubles(self) -> list[Trouble]:
        """All there are so far."""
        found = [
            Trouble(
                code, each.severity, where, each.count, max(self._of.get(where, 0), each.count),
                each.worst_ns, dict(each.sums), tuple(each.ids),
            )
            for (code, where), each in self._groups.items()
            if each.severity >= Severity.WARNING
        ]  # fmt: skip
        found += self._slow()
        found += self._running_out()
        return sorted(found, key=lambda t: (-t.severity, -t.count, t.code, t.where))

    # -- how ----------------------------------------------------------------

    def _take(self, c: Connection, verdict: Verdict) -> None:
        key = (str(verdict.code), _where(c, verdict))
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= MOST_GROUPS:
                self.left_out += 1
                return
            group = self._groups[key] = _Group(verdict.severity)
        group.severity = max(group.severity, verdict.severity)
        group.count += 1
        if len(group.ids) < MOST_IDS:
            group.ids.append(c.id)
        for name, fact in verdict.facts.items():
            if isinstance(fact, str):
                continue
            if name.endswith("_ns"):
                group.worst_ns = max(group.worst_ns, fact)
            else:
                group.sums[name] = group.sums.get(name, 0) + fact

    @staticmethod
    def _count(counts: dict[str, int], place: str) -> None:
        if place in counts or len(counts) < 16 * MOST_GROUPS:
            counts[place] = counts.get(place, 0) + 1

    def _waits(self, client: str, service: str, ident: int) -> None:
        key = (client, service)
        if key in self._waiting or len(self._waiting) < MOST_GROUPS:
            ids = self._waiting.setdefault(key, [])
            ids.append(ident)

    def _slow(self) -> Iterable[Trouble]:
        """Services that most reach quickly and some only slowly: RTT of the handshake."""
        for service, times in self._rtts.items():
            if len(times) < 20:
                continue
            ordered = sorted(times)
            half, most, nearly = (ordered[len(ordered) * p // 100] for p in (50, 95, 99))
            if most > SLOW_NS and most > 3 * half:
                slow = sum(time > 3 * half for time in ordered)
                facts = {"half_ns": half, "most_ns": most, "nearly_ns": nearly}
                yield Trouble(
                    "slow-handshakes", Severity.WARNING, service, slow, len(ordered), ordered[-1],
                    facts,
                )  # fmt: skip

    def _running_out(self) -> Iterable[Trouble]:
        """A client's ports towards one service, held by TIME-WAIT (RFC 9293, 3.6.1)."""
        for (client, service), ids in self._waiting.items():
            share = len(ids) * 100 // EPHEMERAL
            if share >= 50:
                severity = Severity.BAD if share >= 90 else Severity.WARNING
                yield Trouble(
                    "ports-running-out", severity, f"{client} to {service}", len(ids), EPHEMERAL,
                    facts={"share": share}, ids=tuple(ids[:MOST_IDS]),
                )  # fmt: skip


def _where(c: Connection, verdict: Verdict) -> str:
    if verdict.code in _SERVICE or verdict.side is None:
        return str(c.server.endpoint)
    side = verdict.side.other if verdict.code in _OTHER_END else verdict.side
    # A client's port says nothing; a server's is the service.
    return str(c.server.endpoint) if side is Side.SERVER else c.client.endpoint.addr
