"""What an ICMP error means for TCP, under stable names (RFC 792, 1122 3.2.2.1, 1812, 4443)."""

from __future__ import annotations

from typing import Final

from tcpviz.core.records import Unreachable

REASONS: Final[dict[tuple[int, int, int], str]] = {
    # (IP version, type, code)
    (4, 3, 0): "network-unreachable",
    (4, 3, 1): "host-unreachable",
    (4, 3, 2): "protocol-unreachable",
    (4, 3, 3): "port-unreachable",
    (4, 3, 4): "too-big",
    (4, 3, 5): "source-route-failed",
    (4, 3, 6): "network-unknown",
    (4, 3, 7): "host-unknown",
    (4, 3, 8): "host-isolated",
    (4, 3, 9): "prohibited",
    (4, 3, 10): "prohibited",
    (4, 3, 11): "network-unreachable",
    (4, 3, 12): "host-unreachable",
    (4, 3, 13): "prohibited",
    (4, 3, 14): "prohibited",
    (4, 3, 15): "prohibited",
    (4, 11, 0): "ttl-exceeded",
    (4, 11, 1): "reassembly-timeout",
    (6, 1, 0): "no-route",
    (6, 1, 1): "prohibited",
    (6, 1, 2): "beyond-scope",
    (6, 1, 3): "host-unreachable",
    (6, 1, 4): "port-unreachable",
    (6, 1, 5): "prohibited",
    (6, 1, 6): "route-rejected",
    (6, 2, 0): "too-big",
    (6, 3, 0): "ttl-exceeded",
    (6, 3, 1): "reassembly-timeout",
}

OTHERS: Final[dict[tuple[int, int], str]] = {
    (4, 3): "unreachable",
    (4, 11): "ttl-exceeded",
    (4, 12): "header-problem",
    (6, 1): "unreachable",
    (6, 2): "too-big",
    (6, 3): "ttl-exceeded",
    (6, 4): "header-problem",
}
"""By version and type alone: where the code is one that nobody has defined."""


def reason(error: Unreachable) -> str:
    """The error's meaning as a word that never changes: ``port-unreachable``, ``too-big`` ..."""
    known = REASONS.get((error.version, error.type, error.code))
    return known or OTHERS.get((error.version, error.type), "unreachable")
