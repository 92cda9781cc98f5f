"""Outcomes: how a connection ended, or how it stands; the one verdict that each has."""

from __future__ import annotations

from tcpviz.core import seq as seqno
from tcpviz.core.claims import Certainty
from tcpviz.core.connection import Connection
from tcpviz.core.halfconn import End
from tcpviz.core.icmp_reasons import reason
from tcpviz.core.records import Side
from tcpviz.core.segment import ACK, FIN, RST, SYN, Flags
from tcpviz.core.states import State
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
    signs_of,
    span,
)
from tcpviz.core.vitals import Signs

LONG_CLOSE_WAIT_NS = 60 * SECOND
"""An end that has not closed this long after the other is probably not going to."""

SHORT_CLOSE_WAIT_NS = 5 * SECOND
"""Up to here, not having closed yet is nothing to speak of."""

SILENT_NS = 60 * SECOND
"""From here on an open connection's silence is mentioned."""

ABANDONED_NS = 7200 * SECOND
"""Silent for two hours, the shortest default of keep-alives (RFC 9293 section 3.8.4)."""

IDLE_BEFORE_RESET_NS = 10 * SECOND
"""A reset after this much silence ends an idle connection: a timeout of somebody's."""

_CLIENT, _SERVER = Side.CLIENT, Side.SERVER
_XMAS = int(Flags.FIN | Flags.PSH | Flags.URG)
_CONTROL = 0x3F


def outcome(connection: Connection, now_ns: int) -> Verdict:
    """How it ended, or how it stands at ``now_ns``."""
    c, now = connection, now_ns
    scan = _scan(c)
    if scan is not None:
        return scan
    if (c.refused or c.conn_state == "REJ") and not c.established and c.server.iss is None:
        tries = max(1, c.server.rsts)
        return Verdict(Code.REFUSED, WARNING, _SERVER, {"tries": tries})
    if c.reset_by is not None:
        return _reset(c, c.end(c.reset_by))
    if not c.midstream and not c.established:
        return _handshake(c, now)
    if c.client.fin is not None or c.server.fin is not None:
        return _teardown(c, now)
    told = None if c.sockets is None else _told(c, now)
    return told or _open(c, now)


def _told(c: Connection, now: int) -> Verdict | None:
    """What only this host's table of sockets can tell: it was so before the capture began."""
    how: dict[str, Fact] = {"how": "told"}
    states = (c.client.state, c.server.state)
    for end in (c.client, c.server):
        if end.state is State.CLOSE_WAIT and end.claim.certainty is Certainty.SEEN:
            facts = {**how, "waiting_ns": span(c.first_ns, now)}
            return Verdict(Code.NEVER_CLOSED, WARNING, end.side, facts)
    if not c.only_told:
        return None
    if State.SYN_SENT in states:
        return Verdict(Code.NO_ANSWER, BAD, _SERVER, how)
    if State.CLOSED in states:
        return Verdict(Code.CLOSING, INFO, None, {"how": "gone"})
    code = Code.OPEN if State.ESTABLISHED in states else Code.CLOSING
    return Verdict(code, INFO, None, how)


# -- openings ----------------------------------------------------------------


def _scan(c: Connection) -> Verdict | None:
    """Segments that open nothing and that no TCP sends by itself (RFC 9293 3.10.7.2)."""
    if c.analysis is None or not c.midstream:
        return None
    flags = c.analysis.vitals.first_flags
    if flags is None or flags & (SYN | ACK | RST):
        return None
    code = {0: Code.NULL_SCAN, _XMAS: Code.XMAS_SCAN, FIN: Code.FIN_SCAN}.get(flags & _CONTROL)
    if code is None or c.client.rcv_nxt is not None:
        return None  # it acknowledges: an odd segment of a real connection
    facts: dict[str, Fact] = {"segments": c.client.segments}
    if c.server.rsts:
        facts["how"] = (
            "closed"  # RFC 9293: a closed port answers with a reset, an open one does not
        )
    return Verdict(code, WARNING, _CLIENT, facts)


def _tries(end: End, signs: Signs) -> dict[str, Fact]:
    # The signs leave out what was captured twice; without analysis there are none.
    return {"tries": signs.syns or end.syns, "span_ns": span(signs.first_syn_ns, signs.last_syn_ns)}


def _handshake(c: Connection, now: int) -> Verdict:
    client, server = c.client, c.server
    if client.iss is None:
        if client.segments:
            closing = client.fin is not None or server.fin is not None
            return _teardown(c, now) if closing else _open(c, now)
        if server.segments > server.syns:
            return Verdict(Code.ASYMMETRIC, NOTICE, _SERVER, _seen(server))
        facts = _tries(server, signs_of(c, _SERVER))
        return Verdict(Code.SYN_ACK_ALONE, NOTICE, _SERVER, facts)
    tries = _tries(client, signs_of(c, _CLIENT))
    if server.iss is None:
        error = _first_error(c)
        if error is not None:
            return Verdict(Code.UNREACHABLE, BAD, _SERVER, {**error, **tries})
        if server.segments or _challenged(c):
            return Verdict(Code.CHALLENGED, WARNING, _SERVER, tries)
        if client.segments > client.syns:
            return Verdict(Code.ASYMMETRIC, NOTICE, _CLIENT, _seen(client))
        severity = _impatience(signs_of(c, _CLIENT), now, BAD)
        return Verdict(Code.NO_ANSWER, severity, _SERVER, _patiently(severity, tries))
    if client.state is State.SYN_SENT and server.state is State.SYN_SENT:
        return Verdict(Code.SIMULTANEOUS_OPEN, NOTICE, _CLIENT, tries)
    if client.fin is not None or server.fin is not None:
        return _teardown(c, now)
    if client.bytes and server.bytes:
        return _open(c, now)  # both have talked, whatever became of the third segment
    signs = signs_of(c, _SERVER)
    severity = _impatience(signs, now, WARNING)
    facts = _patiently(severity, _tries(server, signs))
    return Verdict(Code.HALF_OPEN, severity, _CLIENT, facts)


def _challenged(c: Connection) -> bool:
    """The older connection answered since its SYN came (RFC 5961 section 4.2)."""
    former = c.former
    if former is None or former.over or former.server.segments <= former.server.syns:
        return False
    told = signs_of(former, _SERVER).last_ns
    return told is not None and told >= c.first_ns


def _impatience(signs: Signs, now: int, at_last: Severity) -> Severity:
    """One try that waits for less than a retransmission's time is no trouble yet."""
    if signs.syns < 2 and span(signs.first_syn_ns, now) < SECOND:
        return NOTICE
    return at_last


def _patiently(severity: Severity, facts: dict[str, Fact]) -> dict[str, Fact]:
    """Until an answer is due, its absence is told as what it is: a moment of the handshake."""
    return {**facts, "how": "yet"} if severity is NOTICE else facts


def _seen(end: End) -> dict[str, Fact]:
    facts: dict[str, Fact] = {"segments": end.segments}
    if end.fin is not None:
        facts["how"] = "closed"
    return facts


def _first_error(c: Connection) -> dict[str, Fact] | None:
    """The first ICMP error that says that nothing comes through."""
    for error in () if c.analysis is None else c.analysis.errors:
        why = reason(error)
        if why != "too-big":
            return {"reporter": error.reporter, "reason": why}
    return None


# -- resets ------------------------------------------------------------------


def _reset(c: Connection, end: End) -> Verdict:
    """Reset by ``end``, and what was going on: that is what an operator asks next."""
    peer = c.end(end.side.other)
    mine, theirs = signs_of(c, end.side), signs_of(c, peer.side)
    if not c.established:
        clean_rst = end.side is _CLIENT and mine.iss is not None and c.server.iss is not None
        if clean_rst and end.segments == end.syns + end.rsts and not end.bytes:
            return Verdict(Code.SYN_SCAN, NOTICE, _CLIENT, {"tries": end.syns})
        how = "handshake" if theirs.first_fin_ns is None else "after-fin"
        return Verdict(Code.RESET, WARNING, end.side, {"how": how})
    if c.midstream and not end.bytes and end.segments == end.rsts:
        return Verdict(Code.STRAY, NOTICE, end.side, {"segments": peer.segments})
    facts: dict[str, Fact] = {}
    idle = span(max(mine.before_ns or 0, _before(theirs, mine.rst_ns)) or None, mine.rst_ns)
    if end.fin is not None:
        return Verdict(Code.RESET, NOTICE, end.side, {"how": "after-own-fin"})
    if peer.fin is not None:
        return Verdict(Code.RESET, NOTICE, end.side, {"how": "after-fin"})
    severity = WARNING
    if mine.unanswered_alive >= 2:
        severity = BAD
        facts = {"how": "keep-alives", "keep_alives": mine.unanswered_alive}
    elif mine.retries >= 2:
        severity = BAD
        waited = span(mine.waiting_ns, mine.rst_ns)
        facts = {"how": "gave-up", "retries": mine.retries, "waiting_ns": waited}
    elif theirs.zero_since_ns is not None:
        facts = {"how": "stalled", "stalled_ns": span(theirs.zero_since_ns, mine.rst_ns)}
    elif theirs.outstanding:
        facts = {"how": "receiving", "bytes": theirs.outstanding}
    elif mine.outstanding:
        facts = {"how": "sending", "bytes": mine.outstanding}
    elif idle >= IDLE_BEFORE_RESET_NS:
        facts = {"how": "idle", "idle_ns": idle}
    return Verdict(Code.RESET, severity, end.side, facts)


def _before(signs: Signs, moment: int | None) -> int:
    """When an end last spoke before ``moment``."""
    if signs.last_ns is None:
        return 0
    if moment is None or signs.last_ns < moment:
        return signs.last_ns
    return signs.before_ns or 0


# -- closings ----------------------------------------------------------------


def _teardown(c: Connection, now: int) -> Verdict:
    first = c.closed_by or (_CLIENT if c.client.fin is not None else _SERVER)
    me, peer = c.end(first), c.end(first.other)
    mine, theirs = signs_of(c, first), signs_of(c, first.other)
    if me.fin is None:
        me, peer, mine, theirs = peer, me, theirs, mine
    if not peer.segments:
        return Verdict(Code.ASYMMETRIC, NOTICE, me.side, _seen(me))
    if peer.fin is None:
        if not c.fin_heard(me):
            return _fin_unanswered(me, mine, now)
        return _not_closed(peer, mine, theirs, now)
    heard = c.fin_heard(me), c.fin_heard(peer)
    if all(heard):
        facts: dict[str, Fact] = {}
        if _crossed(me, peer):
            facts["how"] = "both"
        elif c.midstream:
            facts["how"] = "mid-stream"
        return Verdict(Code.CLOSED_NORMALLY, INFO, me.side, facts)
    if not any(heard):
        return Verdict(Code.CLOSING, INFO, me.side)
    waiting = peer if heard[0] else me
    return _fin_unanswered(waiting, signs_of(c, waiting.side), now, "last")


def _fin_unanswered(end: End, signs: Signs, now: int, how: str = "") -> Verdict:
    waiting = span(signs.first_fin_ns, now)
    facts: dict[str, Fact] = {
        "tries": end.fins,
        "span_ns": span(signs.first_fin_ns, signs.last_fin_ns),
        "waiting_ns": waiting,
    }
    if how:
        facts["how"] = how
    severity = INFO if end.fins < 2 and waiting < SECOND else NOTICE
    return Verdict(Code.FIN_UNANSWERED, WARNING if end.fins > 2 else severity, end.side, facts)


def _not_closed(open_end: End, closed: Signs, still: Signs, now: int) -> Verdict:
    """One end has closed, and the other has not: on purpose, late, or never."""
    waited = span(closed.first_fin_ns, now)
    spoke = span(closed.first_fin_ns, still.last_ns)
    facts: dict[str, Fact] = {"waiting_ns": waited}
    if spoke > SECOND and still.last_ns is not None and now - still.last_ns < SILENT_NS:
        facts["how"] = "sending"
        return Verdict(Code.HALF_CLOSED, INFO, open_end.side, facts)
    if waited < SHORT_CLOSE_WAIT_NS:
        return Verdict(Code.HALF_CLOSED, INFO, open_end.side, facts)
    severity = WARNING if waited >= LONG_CLOSE_WAIT_NS else NOTICE
    return Verdict(Code.NEVER_CLOSED, severity, open_end.side, facts)


def _crossed(me: End, peer: End) -> bool:
    """Neither end's FIN acknowledged the other's: both closed before they heard of it."""
    return all(
        one.fin_ack is not None and two.fin is not None and seqno.le(one.fin_ack, two.fin)
        for one, two in ((me, peer), (peer, me))
    )


# -- open --------------------------------------------------------------------


def _open(c: Connection, now: int) -> Verdict:
    client, server = c.client, c.server
    for end, other in ((client, server), (server, client)):
        if end.segments and not other.segments:
            return Verdict(Code.ASYMMETRIC, NOTICE, end.side, _seen(end))
    for end in (client, server):
        signs = signs_of(c, end.side)
        if signs.retries >= 2 and signs.waiting_ns is not None:
            facts: dict[str, Fact] = {
                "retries": signs.retries,
                "waiting_ns": span(signs.waiting_ns, now),
            }
            if _shut(signs_of(c, end.side.other)):
                continue  # it answers, but takes nothing: told as a stall
            severity = BAD if signs.retries > 2 else WARNING
            return Verdict(Code.GONE_SILENT, severity, end.side.other, facts)
    alive = _alive_only(c)
    if alive is not None:
        return alive
    silent = span(c.last_ns, now)
    if silent >= ABANDONED_NS:
        return Verdict(Code.ABANDONED, NOTICE, None, {"silent_ns": silent})
    how = "mid-stream" if c.midstream else ""
    facts = {}
    if silent >= SILENT_NS:
        facts["silent_ns"] = silent
        how = how + "-silent" if how else "silent"
    if not how and c.client.iss is None:
        how = "no-syn"
    if how:
        facts["how"] = how
    return Verdict(Code.OPEN, INFO, None, facts)


def _shut(signs: Signs) -> bool:
    return signs.zero_since_ns is not None


def _alive_only(c: Connection) -> Verdict | None:
    """Nothing but keep-alives, from whichever end sends them."""
    mine, theirs = signs_of(c, _CLIENT), signs_of(c, _SERVER)
    if mine.data or theirs.data:
        # Data was there once; keep-alives that nobody answers still mean something.
        for side, signs in ((_CLIENT, mine), (_SERVER, theirs)):
            if signs.unanswered_alive >= 3:
                facts: dict[str, Fact] = {"how": "keep-alives"}
                facts["keep_alives"] = signs.unanswered_alive
                return Verdict(Code.GONE_SILENT, BAD, side.other, facts)
        return None
    count = mine.keep_alives + theirs.keep_alives
    if count < 2:
        return None
    side = _CLIENT if mine.keep_alives >= theirs.keep_alives else _SERVER
    facts = {"keep_alives": count, "span_ns": span(c.first_ns, c.last_ns)}
    unanswered = max(mine.unanswered_alive, theirs.unanswered_alive) >= 3
    if unanswered:
        facts["how"] = "unanswered"
    return Verdict(Code.KEEP_ALIVE_ONLY, BAD if unanswered else INFO, side, facts)
