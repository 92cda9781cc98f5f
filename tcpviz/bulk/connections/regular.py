"""Connections in which everything came in order, found for many flows at once.

A flow is regular here if each of its connections begins with a SYN, every
number is the next one or that of the latest data, sent again, or a keep-alive's, every
acknowledgement is of what was sent, windows are open, nothing is odd (flags,
options, TTLs, single checksums, copies), and no timer that moves an end could
have run out on the way. What the scalar core says of
such a connection follows from the order of a few kinds of segments, its
*signature* (:mod:`tcpviz.bulk.connections.signatures`); sums and times are worked out here. Every
condition is stricter than it need be: what does not meet it is followed by the
core itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import aftermath, hops, reanswers
from tcpviz.bulk.connections.work import ID_STEP, Work
from tcpviz.bulk.segments.columns import MULTIPATH, ODD, SACKED, STAMPED, congested
from tcpviz.bulk.segments.options import CUT_SCALE, NO_SCALE
from tcpviz.core.doubt import LEAST_REACH, UNKNOWN_REACH
from tcpviz.core.segment import ACK, FIN, PSH, RST, SYN
from tcpviz.core.twice import RECENT, SAME_PACKET_NS

Array = NDArray[Any]

SECOND = 1_000_000_000
ANSWER_NS = 60 * SECOND
"""Handshakes and closings that take longer are looked at one by one: timers may have run out.

The shortest, TIME-WAIT's, is 60 s; see :mod:`tcpviz.core.timers`.
"""

PATIENCE_NS = 120 * SECOND
"""The same for a SYN without an answer, which is given up after 127 s."""

STRANGE = 10_000_000
"""Ticks of a clock: an echo that is older is not in order."""


@dataclass(slots=True)
class Sums:
    """Sums over each connection, and marks that depend on windows.

    ``segments`` and ``bytes`` of client and server; ``rtt`` from the last SYN to the
    segment that completed the handshake, nanoseconds, or -1
    """

    segments: tuple[Array, Array]
    bytes: tuple[Array, Array]
    updates: Array
    repeats: Array
    full: Array
    rtt: Array


def check(work: Work) -> Array:
    """Which connections are regular in themselves."""
    return work.of_part(fits(work)) & timely(work)


def fits(work: Work) -> Array:
    """Which segments are in order with all that went before them."""
    w = work
    flags, rel, mine, theirs, back = w.flags, w.rel, w.mine, w.theirs, w.back
    heard = (back <= theirs) & (back >= np.maximum(w.acked, 1))
    both = (rel == mine) & (theirs >= 0)  # what has a number has said something before
    talk = (flags & (0x3F - FIN - PSH) == ACK) & both & heard
    talk &= ~w.closed | ((w.length == 0) & ~w.fin)
    talk |= (w.resent | w.refin) & heard
    if w.alive.any():
        talk |= w.alive & heard & _idle(w)
    special = np.flatnonzero(~talk)
    talk[special] = _special(w, special, both[special], heard[special])
    if len(w.reanswers):
        talk[w.reanswers] = reanswers.fits(w, w.reanswers)
    ok = talk & ~w.odd
    if w.urgent.any():
        ok &= ~w.urgent | (both & (flags & (SYN | RST) == 0) & ~w.answers)
    ok &= (w.window > 0) | w.rst
    usual = ordinary(w.bits)
    ok &= usual | (w.bits & SACKED != 0) if w.losing else usual
    ok &= ~w.damaged
    ok &= hops.same_ttl(w)
    after = aftermath.first_resets(w)
    if after is not None:
        ok &= aftermath.fits(w, after)
    back = backward(w)
    if len(back):
        ok[back] &= ~repeats(w)[w.part[back]]
    ok &= stamps(w)
    # No copy of a SYN.
    ok[w.again] &= w.time[w.again] - w.time[w.again - 1] > SAME_PACKET_NS
    for again in (w.again, w.reanswers):
        ok[again] &= w.length[w.first[w.part[again]]] == 0
    in_order: Array = ok
    return in_order


def backward(w: Work) -> Array:
    """Places of segments whose time is before that of the one before.

    A clock was set back, or a card with several queues gave them out of order, by microseconds.
    """
    back = np.flatnonzero(w.time[1:] < w.time[:-1]) + 1
    places: Array = back[w.part[back] == w.part[back - 1]]
    return places


def repeats(w: Work) -> Array:
    """Which connections have anything that only time tells from a copy; all else goes by order."""
    again = np.zeros(len(w.first), np.bool_)
    again[w.part[w.again]] = True
    again[w.part[w.reanswers]] = True
    again[w.part[np.flatnonzero(w.resent | w.refin | w.alive)]] = True
    return again


def ordinary(bits: Array) -> Array:
    """No odd options; those of MPTCP can be told (:func:`windows`, :mod:`.common`)."""
    fine: Array = bits & ODD == 0
    if not fine.all():
        fine |= bits & MULTIPATH != 0
    return fine


def plain(bits: Array) -> Array:
    """No odd options, and no congestion on the way."""
    usual: Array = (bits & ODD == 0) & ~congested(bits)
    return usual


def _idle(w: Work) -> Array:
    """Nothing is on its way: all is acknowledged, and was when this one's sender spoke before."""
    idle = (w.heard == w.mine) & (w.back == w.theirs) & (w.acked == w.theirs) & (w.theirs >= 0)
    idle &= ~w.closed & ~w.ended
    quiet: Array = idle & (w.mine_at >= 0) & (w.flags[w.mine_at] & SYN == 0)
    return quiet


def _special(w: Work, at: Array, both: Array, heard: Array) -> Array:
    """Whether what opens a connection, or resets it, is in order."""
    flags, side, length = w.flags[at], w.side[at], w.length[at]
    rel, mine, theirs, back = w.rel[at], w.mine[at], w.theirs[at], w.back[at]
    empty = length == 0
    syn = flags == SYN
    # One with data is not sent again, and its data is taken (RFC 7413).
    syn &= (rel == 0) & ~side & (empty | (mine < 0))
    late = np.flatnonzero(syn & (theirs >= 0))
    syn[late] = reanswers.asked_again(w, at[late]) & empty[late]
    new = side & (mine < 0) & (back == theirs)
    answer = (flags == SYN | ACK) & new & empty
    # It may tell what the other end has acknowledged, and not its own FIN.
    both = both | (w.closed[at] & (rel + 1 == mine) & (w.heard[at] == rel))
    reset = ((flags == RST) & both) | ((flags == RST | ACK) & both & heard)
    reset |= new & (w.seq[at] == 0) & (flags == RST | ACK) & (at == w.last[w.part[at]])
    reset &= empty
    ok: Array = syn | answer | reset
    return ok


def timely(w: Work) -> Array:
    """Connections in which no timer could have run out between segments."""
    began = w.steady(w.first)
    # Until the client's first segment after its SYN the handshake's timers run.
    third = w.third
    # A round trip that took less than nothing is looked at one by one.
    ok = (third == w.count) | (w.time[np.minimum(third, w.last)] >= w.time[w.first])
    third = np.minimum(third, w.last)
    limit = np.where(w.answered, ANSWER_NS, PATIENCE_NS)
    ok &= w.steady(third) - began < limit - w.slack
    # Who answers once more waits once more.
    again = w.reanswers
    if len(again):
        waited = w.steady(reanswers.until(w, again)) - began[w.part[again]]
        ok[w.part[again[waited >= ANSWER_NS - w.slack]]] = False
    # Before both have closed there is no TIME-WAIT.
    closing = np.maximum(*w.fin_at)
    closes = np.flatnonzero(closing < w.count)
    since = w.steady(w.last[closes]) - w.steady(closing[closes])
    ok[closes] &= since < ANSWER_NS - w.slack
    in_time: Array = ok
    return in_time


def stamps(w: Work) -> Array:
    """Timestamps grow, and echo what the other end sent lately; those of SYNs the latest.

    An end may leave them away, or something on the way takes them out: then it goes by the latest
    that has them. A snapshot of 68 bytes has cut off those of SYNs.
    """
    stamped = w.bits & STAMPED != 0
    if not stamped.any():
        return np.ones(w.count, np.bool_)
    value, echo = (np.ascontiguousarray(w.row[name]) for name in ("value", "echo"))
    oldest = w.of_sender(value[w.answer_at], value[w.first])
    age = value[w.theirs_at] - echo
    grown = (value - value[w.mine_at]).view(np.int32) >= 0
    fresh = (age < STRANGE) & ((echo - oldest).view(np.int32) >= 0)
    lacking = np.zeros(len(w.first), np.bool_)
    lacking[w.part[np.flatnonzero(~stamped)]] = True
    # Where all have them that is all there is to it, but for the first ones.
    ok = grown & fresh
    if lacking.any():
        ok &= ~lacking[w.part]
    at = np.flatnonzero(~ok)
    mine, theirs = _stamped_before(w, stamped, at, lacking)
    begun = np.where(w.side[at], stamped[w.first][w.part[at]], stamped[w.answer_at][w.part[at]])
    age = (value[theirs] - echo[at]).view(np.int32).astype(np.int64)
    growing = (mine < 0) | ((value[at] - value[mine]).view(np.int32) >= 0)
    # What was taken out may have been echoed nevertheless.
    fine = (np.abs(age) < STRANGE) & (~begun | ((echo[at] - oldest[at]).view(np.int32) >= 0))
    # Nothing is known of the other end's clock before it has told its time.
    unknown = (theirs < 0) | ~w.has_ack[at] | (echo[at] == 0)
    # What answers a SYN echoes the latest.
    fine &= (age == 0) | (w.answer[w.part[at]] != at)
    ok[at] = (growing & (fine | unknown)) | ~stamped[at]
    answers = w.answer[w.answered]
    late = (value[w.theirs_at[answers]] != echo[answers]) & (echo[answers] != 0)
    ok[answers] &= ~(late & w.has_ack[answers]) | lacking[w.part[answers]]
    ordinary: Array = ok
    return ordinary


def _stamped_before(w: Work, stamped: Array, at: Array, lacking: Array) -> tuple[Array, Array]:
    """Of these segments their sender's, and the other end's, latest with timestamps; or -1.

    Those of ``lacking`` connections, where some have none, are all among them.
    """
    mine, theirs = w.mine_at[at], w.theirs_at[at]
    where = np.flatnonzero(lacking[w.part[at]])
    some = at[where]
    if len(some):
        side, begin = w.side[some], w.first[w.part[some]]
        latest = np.full((2, len(some) + 1), -1, np.int64)
        for end in (0, 1):
            told = np.where(stamped[some] & (side == bool(end)), some, -1)
            np.maximum.accumulate(told, out=latest[end, 1:])
        one, other = latest[0, :-1], latest[1, :-1]
        for out, found in (
            (mine, np.where(side, other, one)),
            (theirs, np.where(side, one, other)),
        ):
            out[where] = np.where(found >= begin, found, -1)
    return mine, theirs


def sums_of(work: Work, regular: Array) -> tuple[Sums, Array]:
    """Sums, and which connections are regular once windows have been looked at."""
    *marked, ok = windows(work, whole=True)
    return summed(work, marked, round_trip(work)), regular & work.of_part(ok)


def summed(work: Work, marked: Sequence[Array], rtt: Array) -> Sums:
    """Sums over each connection; ``marked`` as :func:`windows` tells."""
    w = work
    updates, repeats, full = map(w.total, marked)
    sent, there = w.total(w.length), w.total(w.length * w.side)
    counts, servers = w.last - w.first + 1, w.total(w.side)
    return Sums((counts - servers, servers), (sent - there, there), updates, repeats, full, rtt)


def told_apart(w: Work, quiet: Array, *, whole: bool = False) -> Array:
    """Which of these are no copies: what repeats an ACK to the last bit could be one.

    Their identifications are none that their senders have just used, or tell nothing (core.twice).
    """
    ident = w.array["ident"]
    at = w.mine_at[quiet]
    now, then = (ident[w.rows[place]].astype(np.int64) for place in (quiet, at))
    step = (now - then) & 0xFFFF
    apart: Array = (now == 0) | ((step > 0) & (step <= ID_STEP))
    unsure = np.flatnonzero(~apart & (step > 0))
    if whole and len(unsure):
        now, at = now[unsure], quiet[unsure]
        used = np.zeros(len(unsure), np.bool_)
        for _ in range(RECENT):
            at = np.where(at >= 0, w.mine_at[at], -1)
            used |= (at >= 0) & (ident[w.rows[at]] == now)
        apart[unsure] = ~used
    if whole and not apart.all():
        apart |= w.nameless[quiet]
    return apart


def repeated(w: Work, quiet: Array, changed: Array) -> tuple[Array, Array]:
    """Window updates, and repeated ACKs; of what says nothing else, ``changed`` have a new window.

    Both are of all segments.
    """
    updates, repeats = np.zeros((2, w.count), np.bool_)
    updates[quiet[changed]] = True
    repeats[quiet[~changed]] = True
    several = np.flatnonzero(w.bits & MULTIPATH)
    repeats[several] = False  # such an ACK repeats nothing (RFC 8684 section 3.3.2)
    return updates, repeats


def round_trip(w: Work) -> Array:
    """From each connection's last SYN to the segment that completes the handshake, or -1."""
    third = w.third
    safe = np.minimum(third, w.count - 1)
    syn = w.first.copy()
    syn[w.part[w.again]] = w.again  # the last one stays
    took: Array = np.where((third < w.count) & ~w.rst[safe], w.time[safe] - w.time[syn], -1)
    return took


def windows(w: Work, *, whole: bool = False) -> tuple[Array, Array, Array, Array]:
    """Window updates, repeated ACKs, full windows, and what is still in order.

    ``whole``  all that was said before is there
    """
    scale = w.array["scale"]
    asked = scale[w.rows[w.first]], np.where(w.answered, scale[w.rows[w.answer_at]], NO_SCALE)
    # Nobody scales where one does not; of one whose options were cut off nothing is known.
    scaled = (asked[0] != NO_SCALE) & (asked[1] != NO_SCALE)
    known = [~scaled | (each != CUT_SCALE) for each in asked]
    shift = [
        np.where(scaled & told, np.minimum(each, 14), 0).astype(np.int32)
        for each, told in zip(asked, known, strict=True)
    ]
    part = w.part
    offered = w.window << w.of_sender(*shift)
    offered[w.syns] = w.window[w.syns]
    ok = np.ones(w.count, np.bool_)
    ok[w.again] = scale[w.rows[w.again]] == asked[0][part[w.again]]
    control = w.flags & (SYN | FIN | RST) != 0
    empty = w.length == 0
    quiet = np.flatnonzero(empty & (w.back == w.acked) & ~control & (w.mine_at >= 0))
    # What has SACK blocks repeats an ACK, whatever its window.
    changed = (w.window[quiet] != w.window[w.mine_at[quiet]]) & (w.bits[quiet] & SACKED == 0)
    updates, repeats = repeated(w, quiet, changed)
    ok[quiet] = told_apart(w, quiet, whole=whole)
    if w.alive.any():
        updates &= ~w.alive
        repeats &= ~(w.alive | w.at_once)
    full = (w.end - w.heard == offered[w.theirs_at]) & ~empty & ~control
    full &= (w.theirs_at >= 0) & (w.heard >= 0)
    unsure = ~(known[0] & known[1])
    if unsure.any():
        full &= np.where(w.side, known[0][part], known[1][part])
    far = np.flatnonzero((w.theirs - w.back > LEAST_REACH) & w.has_ack & ~control)
    mine, theirs = w.mine_at[far], w.theirs_at[far]
    reach = np.maximum(
        np.where(mine >= 0, offered[mine], 0), np.where(theirs >= 0, offered[theirs], 0)
    )
    reach[unsure[part[far]]] = UNKNOWN_REACH
    ok[far] &= w.theirs[far] - w.back[far] <= reach
    return updates, repeats, full, ok
