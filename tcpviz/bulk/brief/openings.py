"""Handshakes that went well, by their kind: the core takes two of each, the others are copied.

A kind is all that is said in a SYN, its answer and the ACK upon that, but for numbers, times and
addresses (:mod:`tcpviz.bulk.brief.learned`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tcpviz.bulk.brief.learned import Unexplained, learned
from tcpviz.bulk.brief.rows import TIMED, Row, Rows
from tcpviz.core.connection import Connection
from tcpviz.core.records import Moment
from tcpviz.core.segment import ACK, FIN, RST, SYN, Endpoint, FlowKey, Options, Segment
from tcpviz.core.tracker import Tracker

_MASK, _HALF = 0xFFFFFFFF, 1 << 31
_SECOND = 1_000_000_000
_MS = 1_000_000

_CONTROL = FIN | SYN | RST | ACK

LONGEST_NS = 60 * _SECOND
"""While a handshake goes on timers run, the shortest of which takes longer."""

MOST = 256
"""Kinds that are told apart; others are followed."""

_Three = tuple[Row, Row, Row]
_Make = Callable[[Sequence[Any]], Any]


class Openings:
    """What the core makes of handshakes; those of one kind are learned once there are two."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], _Make | None] = {}

    def opened(self, rows: Rows, flow: int) -> Connection | None:
        """The connection behind the first three segments of a flow, if they are a handshake.

        ``None``: the core has to take them.
        """
        begin, end = rows.begin[flow], rows.begin[flow + 1]
        if end - begin < 3:
            return None
        told: _Three = (rows.told[begin], rows.told[begin + 1], rows.told[begin + 2])
        flags = rows.flags[begin : begin + 3]
        there = rows.there[begin + 1], rows.there[begin + 2]
        if there != (False, True) or not rows.bare[begin + 2] or not _fits(told, flags):
            return None
        one, two = rows.segment(begin), rows.segment(begin + 1)
        if not (_usual(one) and _usual(two)):
            return None
        kind = (
            *flags,
            *((row[0], row[6], row[7], row[10]) for row in told),
            *((_said(each.options), each.ecn, each.checksum_ok) for each in (one, two)),
        )
        make = self._known.get(kind)
        if make is None:
            if kind in self._known or len(self._known) >= MOST:
                return None
            # The last one is made as it always is.
            three = rows.without_data(begin + 2, (one.src, one.dst, one.scope))
            make = self._known[kind] = _learn((one, two, three))
            if make is None:
                return None
        made: Connection = make(_given(told, one.src, one.dst, one.key))
        return made


def _usual(segment: Segment) -> bool:
    """Nothing in it but what every stack says."""
    said = segment.options
    odd = said.unknown or said.malformed or said.cut or said.fast_open is not None
    return not (odd or said.sack or segment.payload_len)


def _said(options: Options) -> tuple[Any, ...]:
    return options.mss, options.window_scale, options.sack_permitted


def _fits(told: _Three, flags: Sequence[int]) -> bool:
    """Whether they are a SYN, its answer and the ACK upon that, one shortly behind the other."""
    syn, answer, third = told
    if [each & _CONTROL for each in flags] != [SYN, SYN | ACK, ACK]:
        return False
    if syn[5] or answer[5] or third[5] or max(syn[3], answer[3]) > _MASK - 2:
        return False
    if answer[4] != syn[3] + 1 or third[4] != answer[3] + 1 or third[3] != syn[3] + 1:
        return False
    if not syn[1] <= answer[1] <= third[1] < syn[1] + LONGEST_NS:
        return False
    stamped = [each[0] & TIMED for each in told]
    if not any(stamped):
        return True
    echoes = answer[9] == syn[8] and third[9] == answer[8] and syn[8] and answer[8]
    grows = 0 < third[8] - syn[8] < _HALF or third[8] == syn[8]
    return all(stamped) and bool(echoes) and grows


def _given(told: _Three, client: Endpoint, server: Endpoint, key: FlowKey) -> list[Any]:
    """What goes in."""
    syn, answer, third = told
    begun, then, now = syn[1], answer[1], third[1]
    return [
        syn[3], syn[3] + 1, answer[3], answer[3] + 1, begun, then, now, then - begun, now - then,
        now - begun, syn[2], answer[2], third[2], syn[8], answer[8], third[8], client, server, key,
    ]  # fmt: skip


def _learn(like: tuple[Segment, Segment, Segment]) -> _Make | None:
    one, one_in = _example(like, 1)
    other, other_in = _example(like, 2)
    try:
        return learned(one, other, one_in, other_in)
    except Unexplained:
        return None


def _example(
    like: tuple[Segment, Segment, Segment], which: int
) -> tuple[Connection, Sequence[Any]]:
    """Such a handshake with numbers of its own, none of them near another, and what is made."""
    client, server = (
        Endpoint(f"192.0.2.{which}", 40_000 + which),
        Endpoint(f"198.51.100.{which}", 9),
    )
    first, second = 100_000_007 * which, 900_000_011 + 50_000_017 * which
    begun = (1_700_000_000 + 1000 * which) * _SECOND
    times = begun, begun + (3 + which) * _MS + which, begun + (11 + 4 * which) * _MS + 5 * which
    frames = 1_000_003 * which, 1_000_003 * which + 101, 1_000_003 * which + 211 * which + 307
    stamps = 3_000_000_019 + 7919 * which, 2_000_000_011 + 104_729 * which
    values = stamps[0], stamps[1], stamps[0] + 13 + 4 * which
    ends = (client, server), (server, client), (client, server)
    numbers = (first, 0), (second, first + 1), (first + 1, second + 1)
    echoes = 0, values[0], values[1]
    tracker = Tracker(keep=False)
    made: list[Connection] = []
    segments = []
    for at, segment in enumerate(like):
        options = segment.options
        if options.timestamps is not None:
            options = replace(options, timestamps=(values[at], echoes[at]))
        (src, dst), (seq, ack) = ends[at], numbers[at]
        segments.append(
            replace(
                segment, src=src, dst=dst, seq=seq, ack=ack, time_ns=times[at], frame=frames[at],
                options=options, ip_id=at + 1,
            )
        )  # fmt: skip
    for segment in segments:
        tracker.tick(segment.time_ns)
        if not made:
            made.append(tracker.followed.of(segment, Moment.SEEN))
        tracker.take(made[0], segment)
    analysis = made[0].analysis
    assert analysis is not None
    analysis.marks._twice = None  # nobody compares packets
    told: list[Any] = [
        (0, segment.time_ns, segment.frame, segment.seq, segment.ack, 0, 0, 0, value, 0, 0)
        for segment, value in zip(segments, values, strict=True)
    ]
    if like[0].options.timestamps is None:
        told = [(*row[:8], 0, 0, 0) for row in told]
    return made[0], _given((told[0], told[1], told[2]), client, server, segments[0].key)
