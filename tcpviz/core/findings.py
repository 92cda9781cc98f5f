"""Findings: what is worth saying of a connection besides how it stands or ended.

Each function looks for one thing and says nothing where it is not there. What
one capture point cannot show (that options were removed, say) is not guessed.
"""

from __future__ import annotations

from collections.abc import Iterator

from tcpviz.core.analysis import Analysis
from tcpviz.core.connection import Connection
from tcpviz.core.crowds import Crowd, fate
from tcpviz.core.icmp_reasons import reason
from tcpviz.core.marks import MarkName
from tcpviz.core.records import Side
from tcpviz.core.segment import Options
from tcpviz.core.verdict_codes import (
    BAD,
    INFO,
    NOTICE,
    SECOND,
    WARNING,
    Code,
    Fact,
    Severity,
    Verdict,
    span,
)
from tcpviz.core.vitals import Signs

STALL_NS = 200_000_000
"""A zero window this long is worth a word: Linux' least retransmission timeout."""

LONG_STALL_NS = 5 * SECOND
"""A zero window this long is what somebody will call about."""

SLOW_NS = SECOND
"""A handshake that takes this long took a retransmission, or a host that could not keep up."""

FULL_SIZE = 1000
"""A payload of this many bytes is a full segment, on whatever path there is today."""

DAMAGE_SHARE = 0.5
"""If more than this share of an end's checksums is wrong, they are left to the network card."""

_SIDES = (Side.CLIENT, Side.SERVER)


def findings(connection: Connection, now_ns: int) -> Iterator[Verdict]:
    """What else there is to say, in no particular order; nothing without analysis."""
    c, analysis = connection, connection.analysis
    if c.crowd is not None:
        yield _one_of_many(c, c.crowd)
    if c.disagreements:
        yield Verdict(Code.KERNEL_DISAGREES, WARNING, None, {"times": c.disagreements})
    if 0 in (c.client.endpoint.port, c.server.endpoint.port):
        zero = Side.CLIENT if c.client.endpoint.port == 0 else Side.SERVER
        yield Verdict(Code.PORT_ZERO, NOTICE, zero)
    if c.midstream:
        yield Verdict(Code.MID_STREAM, INFO)
    if analysis is None:
        return
    yield from _resets_ignored(c, analysis)
    yield from _icmp(c, analysis)
    yield from _handshake(c, analysis)
    yield from _capture(c, analysis)
    yield from _checksums(analysis)
    yield from _rewritten(c, analysis)
    for side in _SIDES:
        signs, peer = analysis.vitals.of(side), analysis.vitals.of(side.other)
        yield from _stall(c, side, signs, peer, now_ns)
        yield from _loss(side, signs)
        yield from _middlebox(c, side, signs)
        facts: dict[str, Fact]
        if signs.marked or signs.echoed:
            facts = {"packets": signs.marked, "echoes": signs.echoed}
            # Marks stand on what this end sends; echoes answer marks on what the other one sent.
            sender = side if signs.marked else side.other
            yield Verdict(Code.CONGESTION_MARKED, NOTICE, sender, facts)
        if signs.other_data:
            facts = {"segments": signs.other_data}
            yield Verdict(Code.OTHER_DATA, WARNING, side, facts)
        if signs.urgent:
            yield Verdict(Code.URGENT_DATA, INFO, side, {"segments": signs.urgent})
        if signs.stuck_len >= FULL_SIZE and signs.stuck > 2:
            yield from _black_hole(c, side, signs)
    if any(analysis.vitals.of(side).mptcp for side in _SIDES):
        both = all(analysis.vitals.of(side).mptcp for side in _SIDES)
        yield Verdict(Code.MULTIPATH, INFO, None, {} if both else {"how": "offered"})


def _one_of_many(c: Connection, crowd: Crowd) -> Verdict:
    """Which crowd it belongs to, and how it fared itself."""
    facts: dict[str, Fact] = {"members": crowd.count, "targets": crowd.targets}
    facts |= {"source": crowd.who, "target": crowd.target}
    if crowd.kind == "syn-flood":
        facts["how"] = "" if crowd.who else "many"
        return Verdict(Code.SYN_FLOOD, BAD, Side.CLIENT, facts)
    if crowd.kind == "backscatter":
        return Verdict(Code.BACKSCATTER, NOTICE, Side.SERVER, facts)
    facts["how"] = fate(c)
    return Verdict(Code(crowd.kind), BAD, Side.CLIENT, facts)


def _resets_ignored(c: Connection, analysis: Analysis) -> Iterator[Verdict]:
    """Resets that did not fit, and SYNs into a connection: somebody tried, or lagged behind."""
    # Where arrivals are watched, a reset that moved nobody may simply have been lost.
    alive = c.established and not c.midstream and not c.watched
    if alive and c.reset_by is None:
        # Once an end has closed, a reset answers a late segment: the usual end of things.
        closed = c.client.fin is not None or c.server.fin is not None
        resets = c.client.rsts + c.server.rsts
        if resets and not closed:
            yield Verdict(Code.RESETS_IGNORED, NOTICE, None, {"resets": resets})
    if alive and analysis.vitals.late_syns:
        yield Verdict(Code.SYNS_IGNORED, NOTICE, None, {"syns": analysis.vitals.late_syns})


def _icmp(c: Connection, analysis: Analysis) -> Iterator[Verdict]:
    if analysis.forged_errors:
        yield Verdict(Code.ICMP_FORGED, NOTICE, None, {"errors": analysis.forged_errors})
    told: set[tuple[str, str]] = set()
    for error in analysis.errors:
        why = reason(error)
        if (why, error.reporter) in told:
            continue
        told.add((why, error.reporter))
        side = Side.CLIENT if error.src == c.client.endpoint else Side.SERVER
        if why == "too-big":
            facts: dict[str, Fact] = {"reporter": error.reporter, "how": "icmp"}
            if error.mtu is not None:
                facts["mtu"] = error.mtu
            else:
                facts["how"] = "icmp-silent"
            yield Verdict(Code.PATH_MTU, NOTICE, side, facts)
        elif c.established:
            facts = {"reporter": error.reporter, "reason": why}
            yield Verdict(Code.ICMP_ERROR, WARNING, side, facts)


def _handshake(c: Connection, analysis: Analysis) -> Iterator[Verdict]:
    counts = analysis.marks.totals
    if counts.get(MarkName.REUSED_PORTS):
        yield Verdict(Code.PORTS_REUSED, INFO)
    if counts.get(MarkName.TFO_ACK):
        yield Verdict(Code.FAST_OPEN, INFO, Side.CLIENT)
    elif counts.get(MarkName.TFO_IGNORED):
        yield Verdict(Code.FAST_OPEN, NOTICE, Side.CLIENT, {"how": "ignored"})
    elif counts.get(MarkName.TFO_SYN):
        yield Verdict(Code.FAST_OPEN, INFO, Side.CLIENT, {"how": "asked"})
    client, server = analysis.vitals.of(Side.CLIENT), analysis.vitals.of(Side.SERVER)
    if client.bare_syns and server.bare_syns and c.established:
        yield Verdict(Code.SPLIT_HANDSHAKE, NOTICE, Side.SERVER)
    if not c.established or c.midstream or client.first_syn_ns is None:
        return
    answered = span(client.last_syn_ns, server.first_syn_ns)
    whole = answered
    if c.handshake_rtt_ns is not None and client.last_syn_ns is not None:
        whole = span(client.first_syn_ns, client.last_syn_ns + c.handshake_rtt_ns)
    facts: dict[str, Fact] = {
        "took_ns": whole,
        "tries": client.bare_syns,
        "answered_ns": answered,
        "completed_ns": max(0, (c.handshake_rtt_ns or 0) - answered),
    }
    if server.bare_syns:
        return  # crossing SYNs: repeated or not, they wait for nobody
    if whole < SLOW_NS and client.bare_syns < 2 and server.syns < 2:
        return
    severity = WARNING if whole >= SLOW_NS else NOTICE
    # Neither end's doing, nor the network's: somebody kept its SYNs.
    if c.held_ns and c.held_ns * 2 >= whole:
        facts |= {"how": "held", "held_ns": c.held_ns}
        yield Verdict(Code.SLOW_HANDSHAKE, INFO, None, facts)
    elif client.bare_syns > 1 and span(client.first_syn_ns, server.first_syn_ns) > answered:
        facts["how"] = "syn-repeated"
        yield Verdict(Code.SLOW_HANDSHAKE, severity, Side.SERVER, facts)
    elif server.syns > 1:
        facts["how"] = "syn-ack-repeated"
        facts["tries"] = server.syns
        yield Verdict(Code.SLOW_HANDSHAKE, severity, Side.CLIENT, facts)
    elif whole >= SLOW_NS:
        slower = Side.SERVER if answered * 2 >= whole else Side.CLIENT
        yield Verdict(Code.SLOW_HANDSHAKE, severity, slower, facts)


def _capture(c: Connection, analysis: Analysis) -> Iterator[Verdict]:
    """What is the capture's doing and nobody else's."""
    missed = analysis.marks.totals.get(MarkName.ACK_LOST_SEGMENT, 0)
    if missed and c.established and c.client.segments and c.server.segments:
        yield Verdict(Code.CAPTURE_GAPS, INFO, None, {"gaps": missed})
    copies = analysis.vitals.copies
    if copies:
        total = c.client.segments + c.server.segments
        yield Verdict(Code.CAPTURED_TWICE, INFO, None, {"copies": copies, "segments": total})


def _stall(c: Connection, side: Side, signs: Signs, peer: Signs, now: int) -> Iterator[Verdict]:
    """An end whose receive buffer was full, while the other end had more to send.

    Where the capture began in the middle, that data may have come before it: Linux probes a
    closed window without any (net/ipv4/tcp_output.c, tcp_xmit_probe_skb()), and who asks again
    and again has something to send.
    """
    if not signs.zero_times:
        return
    still = signs.zero_since_ns is not None and c.reset_by is None and c.end(side.other).fin is None
    total = signs.zero_window_ns(now) if still else signs.zero_ns
    longest = signs.zero_longest_ns
    facts: dict[str, Fact] = {"times": signs.zero_times, "stalled_ns": total}
    if still:
        current = span(signs.zero_since_ns, now)
        longest = max(longest, current)
        if current >= STALL_NS:
            facts["how"] = "still"
    facts["longest_ns"] = longest
    waits = peer.data or (c.midstream and c.end(side.other).segments > 1)
    if not waits or longest < STALL_NS:
        return
    severity = WARNING if longest >= SECOND else NOTICE
    if longest >= LONG_STALL_NS:
        severity = BAD
    yield Verdict(Code.ZERO_WINDOW_STALL, severity, side, facts)


def _loss(side: Side, signs: Signs) -> Iterator[Verdict]:
    lost = signs.again - signs.needless
    if signs.needless:
        facts: dict[str, Fact] = {"again": signs.needless, "data": signs.data}
        yield Verdict(Code.NEEDLESS_RETRANSMISSIONS, NOTICE, side, facts)
    if lost <= 0:
        return
    share = lost / signs.data
    severity: Severity = INFO if lost < 3 else NOTICE
    if lost >= 3 and share >= 0.01:
        severity = BAD if share >= 0.1 and lost >= 5 else WARNING
    facts = {"again": lost, "data": signs.data, "before_capture": signs.again_unseen}
    yield Verdict(Code.LOSSY, severity, side, facts)


def _checksums(analysis: Analysis) -> Iterator[Verdict]:
    """Wrong ones: all of an end's are the capture's doing, a few are damage on the way."""
    off: list[Side] = []
    for side in _SIDES:
        signs = analysis.vitals.of(side)
        if signs.bad_sums > signs.summed * DAMAGE_SHARE:
            off.append(side)
        elif signs.bad_sums:
            facts: dict[str, Fact] = {"bad": signs.bad_sums, "checked": signs.summed}
            yield Verdict(Code.BAD_CHECKSUMS, WARNING, side, facts)
    if len(off) == 1:
        yield Verdict(Code.CHECKSUM_OFFLOAD, INFO, off[0])
    elif off:
        yield Verdict(Code.CHECKSUM_OFFLOAD, INFO, None, {"how": "both"})


def _middlebox(c: Connection, side: Side, signs: Signs) -> Iterator[Verdict]:
    """Signs that somebody between the ends writes segments, or rewrites them."""
    ttls = signs.ttls
    if len(ttls) == 1 and signs.syn_ttl is not None and abs(signs.syn_ttl - ttls[0]) > 1:
        facts: dict[str, Fact] = {"how": "syn-ttl", "ttl": ttls[0], "odd_ttl": signs.syn_ttl}
        yield Verdict(Code.MIDDLEBOX_SUSPECTED, NOTICE, side, facts)
    usual = ttls or (() if signs.syn_ttl is None else (signs.syn_ttl,))
    if signs.rst_ttl is not None and usual and all(abs(signs.rst_ttl - t) > 1 for t in usual):
        facts = {"how": "reset-ttl", "ttl": usual[0], "odd_ttl": signs.rst_ttl}
        severity = WARNING if c.reset_by is side else NOTICE
        yield Verdict(Code.MIDDLEBOX_SUSPECTED, severity, side, facts)
    if signs.strange_echoes > 1:
        facts = {"how": "timestamps", "segments": signs.strange_echoes}
        yield Verdict(Code.MIDDLEBOX_SUSPECTED, NOTICE, side, facts)
    if signs.strange_sacks > 1:
        facts = {"how": "sequence", "blocks": signs.strange_sacks}
        yield Verdict(Code.MIDDLEBOX_SUSPECTED, WARNING, side, facts)


def _rewritten(c: Connection, analysis: Analysis) -> Iterator[Verdict]:
    """Two capture points saw one SYN, and something between them changed its options."""
    if analysis.marks.rewritten is None:
        return
    first, second = analysis.marks.rewritten
    # The sender's side is where the packet could still take more hops.
    before, after = sorted((first, second), key=lambda each: -(each.ttl or 0))
    changes = ", ".join(_changes(before.options, after.options)) or "others of its options"
    side = c.side_of(first)
    yield Verdict(Code.MIDDLEBOX_SUSPECTED, NOTICE, side, {"how": "rewritten", "what": changes})


def _changes(before: Options, after: Options) -> Iterator[str]:
    for name, value in (
        ("MSS", "mss"),
        ("window scale", "window_scale"),
        ("SACK", "sack_permitted"),
        ("timestamps", "timestamps"),
        ("fast open", "fast_open"),
    ):
        old, new = getattr(before, value), getattr(after, value)
        lost = (old in (None, False) and before.cut) or (new in (None, False) and after.cut)
        if old == new or lost:
            continue
        if old in (None, False):
            yield f"{name} added"
        elif new in (None, False):
            yield f"{name} removed"
        else:
            yield f"{name} {old} to {new}" if isinstance(old, int) else f"{name} changed"


def _black_hole(c: Connection, side: Side, signs: Signs) -> Iterator[Verdict]:
    """Full segments never arrive and smaller ones do, and nobody says why (RFC 2923 2.1)."""
    if signs.largest_acked >= signs.stuck_len or not signs.largest_acked:
        return
    if c.reset_by is side.other:
        return
    facts: dict[str, Fact] = {
        "how": "suspected",
        "bytes": signs.stuck_len,
        "arrived_bytes": signs.largest_acked,
        "retries": signs.stuck,
    }
    yield Verdict(Code.PATH_MTU, WARNING, side, facts)
