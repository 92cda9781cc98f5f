"""Troubles: what goes wrong among many connections, each kind once, with where and how often.

A verdict says what is wrong with one connection; an operator wants to know what is
wrong with the host. So verdicts that ask for a look are put together by what
they say and by whose doing it is: a service that refuses, a program that never
closes, a peer to which much is lost. What no single connection shows is added by
:mod:`tcpviz.core.troubles_many`, and what the host's own kernel says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tcpviz.core.connection import Connection
from tcpviz.core.crowds import Crowd
from tcpviz.core.host import Host
from tcpviz.core.hosts import HostSocket
from tcpviz.core.records import Side
from tcpviz.core.troubles_many import (
    Handshakes,
    Known,
    Losses,
    Ports,
    Reuse,
    Trouble,
    mostly_answers,
    of_crowd,
    of_host,
)
from tcpviz.core.verdict_codes import Code, Fact, Severity, Verdict, signs_of
from tcpviz.core.verdicts import verdicts

MOST_GROUPS: Final = 4096
"""Kinds of trouble by place that are told apart; further ones are counted only."""

MOST_IDS: Final = 1000
"""Connections that a trouble remembers by number, and others' addresses."""

FEW_SOURCES: Final = 3
"""From so many addresses, half-open handshakes are told by where they come from."""

_SERVICE: Final = frozenset(
    {
        Code.REFUSED, Code.NO_ANSWER, Code.UNREACHABLE, Code.SLOW_HANDSHAKE, Code.CHALLENGED,
        Code.ICMP_ERROR,
    }
)  # fmt: skip
"""Whose doing it is: the service that was asked."""

_OTHER_END: Final = frozenset({Code.LOSSY, Code.PATH_MTU, Code.NEEDLESS_RETRANSMISSIONS})
"""A matter of the way between two hosts, told by the far one's address."""

_OWNED: Final = frozenset({Code.NEVER_CLOSED, Code.ZERO_WINDOW_STALL, Code.HALF_CLOSED})
"""A program's doing: told for each by itself."""

_ASKED: Final = frozenset({Code.NO_ANSWER, Code.REFUSED, Code.UNREACHABLE, Code.CHALLENGED})
"""Here it is of interest who asked."""

_QUIET: Final = frozenset({Code.SYN_FLOOD, Code.PORT_SCAN, Code.HOST_SCAN, Code.BACKSCATTER})
"""Told of the crowd."""

_CROWDED: Final = frozenset({Code.HALF_OPEN, Code.NO_ANSWER, Code.REFUSED, Code.SYN_SCAN})
"""What each of a crowd's shows by itself is told of the crowd, and not once more."""

_LARGEST: Final = frozenset({"bytes", "arrived_bytes", "mtu"})
"""Of these facts the largest counts; others are added."""


@dataclass(slots=True)
class _Group:
    severity: Severity
    where: str
    verdict: Verdict
    process: str = ""
    count: int = 0
    worst_ns: int = 0
    worst: int = 0
    sums: dict[str, Fact] = field(default_factory=dict)
    ids: list[int] = field(default_factory=list)
    peers: dict[str, int] = field(default_factory=dict)
    fds: list[int] = field(default_factory=list)


class Gathering:
    """Connections in, one by one; troubles out, the gravest and most frequent first.

    ``interfaces`` this host's addresses and the names of the interfaces that have them
    ``known``      the connections by number, to look back at former ones
    ``left_out``   verdicts for which there was no room any more
    """

    def __init__(
        self,
        interfaces: Mapping[str, str] | None = None,
        known: Known | None = None,
    ) -> None:
        self.left_out = 0
        self._losses = Losses(interfaces or {})
        self._groups: dict[tuple[str, ...], _Group] = {}
        self._of: dict[str, int] = {}
        self._handshakes = Handshakes(MOST_GROUPS)
        self._ports = Ports(MOST_GROUPS)
        self._reuse = Reuse(MOST_GROUPS, {} if known is None else known)

    def add(
        self, c: Connection, now_ns: int | None = None, said: Iterable[Verdict] | None = None
    ) -> None:
        """Take a connection as it stands at ``now_ns``; ``said`` of it, where that is known."""
        service, client = str(c.server.endpoint), c.client.endpoint.addr
        for place in {service, client, c.server.endpoint.addr}:
            self._count(self._of, place)
        self._handshakes.add(c)
        self._ports.add(c)
        self._reuse.add(c)
        self._losses.add(c)
        told = _QUIET if c.crowd is None else _QUIET | _CROWDED
        for verdict in verdicts(c, now_ns) if said is None else said:
            if verdict.severity > Severity.INFO and verdict.code not in told:
                self._take(c, verdict, now_ns)

    def troubles(self, host: Host | None = None, crowds: Iterable[Crowd] = ()) -> list[Trouble]:
        """All there are so far, those of the host and the crowds with them."""
        found = [
            self._made(group)
            for key, group in self._groups.items()
            if group.severity >= Severity.WARNING and key[0] != Code.HALF_OPEN
        ]
        found += self._half_open()
        slow = list(self._handshakes.troubles())
        told = {each.where for each in slow}
        found = [each for each in found if each.code != "slow-handshake" or each.where not in told]
        found += slow
        found += self._ports.troubles(None if host is None else host.latest)
        found += self._reuse.troubles()
        found += self._losses.troubles()
        found += map(of_crowd, crowds)
        if host is not None:
            found += of_host(host)
        return sorted(found, key=lambda t: (-t.severity, -t.count, t.code, t.where))

    # -- how ----------------------------------------------------------------

    def _take(self, c: Connection, verdict: Verdict, now_ns: int | None) -> None:
        sock = _socket(c, verdict)
        owned = verdict.code in _OWNED or verdict.code in _ASKED
        process = _process(sock) if owned else ""
        where = _where(c, verdict)
        key: tuple[str, ...] = (str(verdict.code), where)
        if verdict.code in _OWNED:
            key = (*key, process)
        elif verdict.code is Code.RESET:
            key = (*key, str(c.reset_in or ""))
        elif verdict.code is Code.HALF_OPEN:
            key = (*key, c.client.endpoint.addr)
        elif verdict.code is Code.PATH_MTU:
            key = (*key, verdict.how)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= MOST_GROUPS:
                self.left_out += 1
                return
            group = self._groups[key] = _Group(verdict.severity, where, verdict, process)
        group.severity = max(group.severity, verdict.severity)
        group.count += 1
        if len(group.ids) < MOST_IDS:
            group.ids.append(c.id)
        longest = self._note_facts(group, verdict)
        if verdict.code is Code.NEVER_CLOSED:
            longest = _note_close_wait(group, c, verdict, sock, now_ns) or longest
        if longest > group.worst_ns or not group.worst:
            group.worst_ns, group.worst = longest, c.id
        if verdict.code is Code.RESET:
            group.sums["state"] = str(c.reset_in or "")
            group.sums["reason"] = c.reset_why or group.sums.get("reason", "")
        elif verdict.code in (Code.LOSSY, Code.HALF_OPEN, Code.NO_ANSWER):
            peer = c.client.endpoint.addr
            if verdict.code is Code.HALF_OPEN:
                peer = str(c.server.endpoint)
            if peer in group.peers or len(group.peers) < MOST_IDS:
                group.peers[peer] = group.peers.get(peer, 0) + 1

    @staticmethod
    def _note_facts(group: _Group, verdict: Verdict) -> int:
        """Add its facts; returns the longest time among them."""
        longest = 0
        for name, fact in verdict.facts.items():
            if isinstance(fact, str):
                continue
            if name.endswith("_ns"):
                longest = max(longest, fact)
            else:
                before = group.sums.get(name, 0)
                assert isinstance(before, int)
                group.sums[name] = max(before, fact) if name in _LARGEST else before + fact
        return longest

    def _made(self, group: _Group) -> Trouble:
        facts: dict[str, Fact] = dict(group.sums)
        if group.process:
            facts["process"] = group.process
        if group.fds:
            facts["fds"] = ", ".join(map(str, group.fds[:3]))
        if group.peers:
            facts["peers"] = len(group.peers)
        if group.verdict.how and group.verdict.code is Code.PATH_MTU:
            facts["how"] = group.verdict.how
        total, severity = max(self._of.get(group.where, 0), group.count), group.severity
        if group.verdict.code is Code.NO_ANSWER and mostly_answers(group.count, total):
            severity = min(severity, Severity.WARNING)
        return Trouble(
            str(group.verdict.code), severity, group.where, group.count, total, group.worst_ns,
            facts, tuple(group.ids), group.worst,
        )  # fmt: skip

    def _half_open(self) -> Iterable[Trouble]:
        """By source, or, where they are many, by service."""
        by_service: dict[str, list[_Group]] = {}
        for key, group in self._groups.items():
            if key[0] == Code.HALF_OPEN:
                by_service.setdefault(group.where, []).append(group)
        for service, groups in by_service.items():
            if max(group.severity for group in groups) < Severity.WARNING:
                continue
            count = sum(group.count for group in groups)
            worst = max(groups, key=lambda group: group.worst_ns)
            facts: dict[str, Fact] = {"sources": len(groups)}
            if len(groups) <= FEW_SOURCES:
                names = sorted(key[2] for key in self._groups if key[:2] == ("half-open", service))
                facts["source"] = ", ".join(names)
            yield Trouble(
                "half-open", Severity.WARNING, service, count,
                max(self._of.get(service, 0), count), worst.worst_ns, facts,
                tuple(one for group in groups for one in group.ids)[:MOST_IDS], worst.worst,
            )  # fmt: skip

    @staticmethod
    def _count(counts: dict[str, int], place: str) -> None:
        if place in counts or len(counts) < 16 * MOST_GROUPS:
            counts[place] = counts.get(place, 0) + 1


def _where(c: Connection, verdict: Verdict) -> str:
    if verdict.code in _SERVICE or verdict.code is Code.HALF_OPEN or verdict.side is None:
        return str(c.server.endpoint)
    side = verdict.side.other if verdict.code in _OTHER_END else verdict.side
    if verdict.code in _OTHER_END:
        return c.end(side).endpoint.addr
    # A client's port says nothing; a server's is the service.
    return str(c.server.endpoint) if side is Side.SERVER else c.client.endpoint.addr


def _socket(c: Connection, verdict: Verdict) -> HostSocket | None:
    """This host's socket of the end whose doing it is; of those who asked, the client's."""
    side = Side.CLIENT if verdict.code in _ASKED else verdict.side
    return None if side is None or c.sockets is None else c.sockets.get(side)


def _process(sock: HostSocket | None) -> str:
    if sock is None or sock.process is None:
        return ""
    process = sock.process
    sure = "" if process.certain else "?"
    place = f" in container {sock.container}" if sock.container else ""
    number = "" if process.pid is None else f" ({process.pid})"
    return f"{process.name}{sure}{number}{place}"


def _note_close_wait(
    group: _Group, c: Connection, verdict: Verdict, sock: HostSocket | None, now_ns: int | None
) -> int:
    """When the FIN came, and what lies unread; returns how long ago, 0 where nobody knows."""
    assert verdict.side is not None
    fin_ns = signs_of(c, verdict.side.other).first_fin_ns
    if sock is not None:
        if fin_ns is None and sock.quiet_ms is not None:
            fin_ns = sock.read_ns - sock.quiet_ms * 1_000_000
        unread = max(sock.recv_queue - 1, 0)  # the FIN counts as one (tcp_diag_get_info())
        if unread:
            _add(group, "unread", unread)
            _add(group, "unread_in", 1)
        fd = None if sock.process is None else sock.process.fd
        if fd is not None and len(group.fds) < MOST_IDS:
            group.fds.append(fd)
    if fin_ns is None:
        return 0
    waited = (c.last_ns if now_ns is None else now_ns) - fin_ns
    before = group.sums.get("fin_at")
    if not isinstance(before, int) or fin_ns < before:
        group.sums["fin_at"] = fin_ns
    return max(waited, 0)


def _add(group: _Group, name: str, more: int) -> None:
    before = group.sums.get(name, 0)
    assert isinstance(before, int)
    group.sums[name] = before + more
