"""What is unusual about a state's figures, and why, in words.

Thresholds are what Linux does by itself, so that what is told is more than the
kernel's ordinary patience: a SYN is repeated after one second, a closed socket
leaves FIN-WAIT-2 and TIME-WAIT after 60 (net/ipv4/tcp.c, include/net/tcp.h).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tcpviz.core.census import Tally
from tcpviz.core.states import State
from tcpviz.views import roles
from tcpviz.views.numbers import duration
from tcpviz.words import _

_SECOND: Final = 1_000_000_000
_MINUTE: Final = 60 * _SECOND

MANY = 20
"""So many in a state that lasts no longer than a round trip are not by chance."""

EPHEMERAL = 28_232
"""Local ports that Linux gives to clients (net.ipv4.ip_local_port_range, 32768 to 60999)."""


@dataclass(frozen=True, slots=True)
class Unusual:
    """``role``  how grave it is; ``short`` for a column, ``why`` a sentence or two."""

    role: str
    short: str
    why: str

    @property
    def sign(self) -> str:
        """The same without colour."""
        return {roles.MARK_BAD: "!!", roles.MARK_WARNING: "!"}.get(self.role, "")


@dataclass(frozen=True, slots=True)
class _Rule:
    """When a state is unusual.

    ``old_ns``, ``very_old_ns``  from which age of the oldest on it is unusual, and grave
    (0: not judged); ``many``, ``too_many`` the same of the count
    """

    old_ns: int
    very_old_ns: int
    many: int
    too_many: int
    why: str


RULES: Final = {
    State.SYN_SENT: _Rule(
        3 * _SECOND,
        15 * _SECOND,
        MANY,
        100,
        "SYNs without an answer, which should take one round trip: the other host is down, a "
        "firewall drops them, or somebody scans.",
    ),
    State.SYN_RECEIVED: _Rule(
        3 * _SECOND,
        15 * _SECOND,
        MANY,
        100,
        "Half-open: the handshake's last ACK is missing. Many from many places are a SYN "
        "flood; old ones: ACKs are lost, or it is no real client.",
    ),
    State.FIN_WAIT_1: _Rule(
        5 * _SECOND,
        _MINUTE,
        MANY,
        200,
        "A FIN that nobody acknowledges: segments are lost, the other end is gone, or its zero "
        "window keeps data before the FIN.",
    ),
    State.FIN_WAIT_2: _Rule(
        _MINUTE,
        10 * _MINUTE,
        200,
        2_000,
        "The other end does not close: half-closed on purpose, or its program forgot. A closed "
        "socket is given up after 60 s.",
    ),
    State.CLOSE_WAIT: _Rule(
        _MINUTE,
        5 * _MINUTE,
        50,
        500,
        "The other end has closed, this one's program has not: it misses recv() = 0, hangs or "
        "loses descriptors. The kernel never ends it.",
    ),
    State.CLOSING: _Rule(
        5 * _SECOND,
        _MINUTE,
        MANY,
        200,
        "Both FINs crossed and an ACK is missing, which should take half a round trip: segments "
        "are lost.",
    ),
    State.LAST_ACK: _Rule(
        5 * _SECOND,
        _MINUTE,
        MANY,
        200,
        "The last ACK does not come: it is lost, or the other end forgot the connection.",
    ),
    State.TIME_WAIT: _Rule(
        0,
        0,
        EPHEMERAL // 2,
        EPHEMERAL * 9 // 10,
        "Each keeps its ports for 60 s: a client with this many to one place runs out of its "
        "28 232 (EADDRNOTAVAIL). Keep connections open.",
    ),
}
"""States that pass quickly, or that should; ESTABLISHED and LISTEN may be many and old."""


def unusual(tally: Tally, now_ns: int) -> Unusual | None:
    """What is unusual about one state's figures, ``None`` if nothing is."""
    rule = RULES.get(tally.state) if tally.state is not None else None
    if rule is None or not tally.count:
        return None
    age = max(now_ns - tally.since_ns, 0) if tally.since_ns is not None else 0
    old = rule.old_ns > 0 and age >= rule.old_ns
    many = tally.count >= rule.many
    if not old and not many:
        return None
    grave = tally.count >= rule.too_many or (rule.very_old_ns > 0 and age >= rule.very_old_ns)
    short = (
        _("{count} at once").format(count=tally.count)
        if many
        else _("for {time} already").format(time=duration(age))
    )
    return Unusual(roles.MARK_BAD if grave else roles.MARK_WARNING, short, _(rule.why))
