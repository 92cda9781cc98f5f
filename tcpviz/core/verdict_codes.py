"""The vocabulary of verdicts: severities, codes, and what a verdict is made of."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from tcpviz.core.connection import Connection
from tcpviz.core.facts import dataclass, field
from tcpviz.core.records import Side
from tcpviz.core.vitals import Signs

SECOND = 1_000_000_000


class Severity(enum.IntEnum):
    """How much it matters to whoever runs the service.

    ``INFO``     as it should be
    ``NOTICE``   worth knowing; often harmless
    ``WARNING``  somebody waited, or something was cut off
    ``BAD``      it did not work
    """

    INFO = 0
    NOTICE = 1
    WARNING = 2
    BAD = 3

    def __str__(self) -> str:
        return self.name.lower()


class Code(enum.StrEnum):
    """Every verdict. Among equally severe ones, the earlier here is told first."""

    # One of many: found from all connections together.
    SYN_FLOOD = "syn-flood"
    PORT_SCAN = "port-scan"
    HOST_SCAN = "host-scan"
    BACKSCATTER = "backscatter"
    # Outcomes.
    NULL_SCAN = "null-scan"
    XMAS_SCAN = "xmas-scan"
    FIN_SCAN = "fin-scan"
    SYN_SCAN = "syn-scan"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    NO_ANSWER = "no-answer"
    HALF_OPEN = "half-open"
    CHALLENGED = "challenged"
    SYN_ACK_ALONE = "syn-ack-alone"
    SIMULTANEOUS_OPEN = "simultaneous-open"
    RESET = "reset"
    STRAY = "stray"
    GONE_SILENT = "gone-silent"
    FIN_UNANSWERED = "fin-unanswered"
    NEVER_CLOSED = "never-closed"
    HALF_CLOSED = "half-closed"
    CLOSING = "closing"
    ABANDONED = "abandoned"
    ASYMMETRIC = "asymmetric"
    KEEP_ALIVE_ONLY = "keep-alive-only"
    CLOSED_NORMALLY = "closed-normally"
    OPEN = "open"
    # Findings.
    KERNEL_DISAGREES = "kernel-disagrees"
    OTHER_DATA = "other-data"
    ZERO_WINDOW_STALL = "zero-window-stall"
    PATH_MTU = "path-mtu"
    LOSSY = "lossy"
    SLOW_HANDSHAKE = "slow-handshake"
    ICMP_ERROR = "icmp-error"
    BAD_CHECKSUMS = "bad-checksums"
    MIDDLEBOX_SUSPECTED = "middlebox-suspected"
    RESETS_IGNORED = "resets-ignored"
    SYNS_IGNORED = "syns-ignored"
    SPLIT_HANDSHAKE = "split-handshake"
    ICMP_FORGED = "icmp-forged"
    PORT_ZERO = "port-zero"
    NEEDLESS_RETRANSMISSIONS = "needless-retransmissions"
    CONGESTION_MARKED = "congestion-marked"
    CAPTURE_GAPS = "capture-gaps"
    CAPTURED_TWICE = "captured-twice"
    CHECKSUM_OFFLOAD = "checksum-offload"
    MID_STREAM = "mid-stream"
    PORTS_REUSED = "ports-reused"
    FAST_OPEN = "fast-open"
    MULTIPATH = "multipath"
    URGENT_DATA = "urgent-data"


Fact = int | str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing to say.

    ``side``   the end that it speaks of first, ``None`` where it speaks of neither
    ``facts``  what the sentence is made of: names that end in ``_ns`` are durations
               in nanoseconds, ``how`` tells the variants of a code apart
    """

    code: Code
    severity: Severity
    side: Side | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def how(self) -> str:
        """Which variant of its code it is; empty for the plain one."""
        return str(self.facts.get("how", ""))


INFO, NOTICE, WARNING, BAD = Severity


def signs_of(connection: Connection, side: Side) -> Signs:
    """An end's vital signs; blank ones where nobody has analysed the connection."""
    if connection.analysis is None:
        return Signs()
    return connection.analysis.vitals.of(side)


def span(first: int | None, last: int | None) -> int:
    """From the one moment to the other, 0 where either is missing or time ran backwards."""
    return 0 if first is None or last is None else max(0, last - first)
