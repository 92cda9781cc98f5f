"""Connections of which the beginning, or what one end sent, was not captured, as regular ones.

The capture was begun in their midst, or is of one direction: a one-way tap, asymmetric routing, an
answer to somebody who took the address of another, a flood of anything but SYNs. What is asked of
the segments here is what :mod:`tcpviz.bulk.connections.regular` asks where both ends are seen from
their SYNs on; numbers are counted from the first that was captured of the sender, those of who
was not heard yet from what is acknowledged first.

What the core makes of such a connection (who is the client; states, which are inferred; Zeek's
letters and state; the verdict) follows from its signature, too: from who sends what kind of
segment after which others, whether it acknowledges more than the first one did, and by the ports,
from which Zeek concludes who was asked. Windows whose scale nobody told are never full.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import hops, regular
from tcpviz.bulk.connections.beginnings import answers
from tcpviz.bulk.connections.regular import ANSWER_NS, STRANGE, Sums
from tcpviz.bulk.connections.work import URG, Work
from tcpviz.bulk.segments.columns import SACKED, STAMPED
from tcpviz.bulk.segments.options import CUT_SCALE
from tcpviz.core.segment import ACK, FIN, PSH, RST, SYN
from tcpviz.core.twice import SAME_PACKET_NS
from tcpviz.core.zeek import LIKELY_SERVER_PORTS

Array = NDArray[Any]

_LIKELY = np.zeros(1 << 16, np.bool_)
_LIKELY[sorted(LIKELY_SERVER_PORTS)] = True
_SEEN = np.uint64(1 << 40)
"""Tells signatures of these connections from others."""


class Partial(Work):
    """Segments of whole flows, each one connection: :class:`Work` that counts from other numbers.

    ``both``    of each connection, whether both ends were captured
    ``theirs``  what the other end is known to have sent; of one that was not captured that is
                what is acknowledged
    """

    partial = True

    def _split(self) -> None:
        row = self.row
        src, dst, sport, dport = (row[name] for name in ("src", "dst", "sport", "dport"))
        seq, up = self.seq, src > dst
        itself = np.flatnonzero(src == dst)
        up[itself] = sport[itself] > dport[itself]
        self.first = first = self.begin[:-1].astype(np.intp)
        self.last = self.begin[1:].astype(np.intp) - 1
        self.part = np.repeat(np.arange(len(first), dtype=np.int32), np.diff(self.begin))
        self.flow = np.arange(len(first))
        self.leads = np.ones(len(first), np.bool_)
        self.wrong = (src[first] == dst[first]) & (sport[first] == dport[first])
        # Where a SYN comes later another connection begins, unless it repeats the one before.
        later = self.syns[self.syns != first[self.part[self.syns]]]
        same = (self.flags[later] == self.flags[later - 1]) & (seq[later] == seq[later - 1])
        same &= (up[later] == up[later - 1]) & (row["ack"][later] == row["ack"][later - 1])
        self.again = later[same]
        self.wrong[self.part[later[~same]]] = True
        cut = self.array["scale"][self.rows[self.syns]] == CUT_SCALE
        self.wrong[self.part[self.syns[cut]]] = True
        self.side = up != up[first][self.part]
        self.both = np.zeros(len(first), np.bool_)
        self.both[self.part[np.flatnonzero(self.side)]] = True
        begun = self.flags[first]
        # What opens nothing is alone, or refused: a scan.
        self._probes = begun & (SYN | ACK | RST) == 0
        self._refused = self._probes & self.both & (self.last == first + 1)
        self._refused &= self.rst[self.last]
        self.wrong |= self._probes & (self.last > first) & ~self._refused
        # Who is heard of from the middle on has acknowledged something.
        self.wrong |= self.both & (begun & (SYN | ACK) != ACK) & ~self._refused
        self._turned = answers(self.flags[first])
        self.side ^= self._turned[self.part]
        self._sender = 2 * self.part.astype(np.intp)
        self._sender += self.side

    def _begun(self, ack: Array) -> tuple[Array, Array]:
        said = self.firsts(np.flatnonzero(self.has_ack))
        mine, theirs = self.seq[self.first], ack[np.minimum(said, self.count - 1)]
        turned = self._turned
        return np.where(turned, theirs, mine), np.where(turned, mine, theirs)

    def _number(self, ack: Array) -> None:
        super()._number(ack)
        # Zeek begins one below the first that was captured: that comes round.
        bare = (self.flags[self.first] & SYN == 0)[self.part]
        self.odd |= (self.seq == self.rel.view(np.uint32)) & (self.length > 0) & bare
        refusal = self.last[self._refused]
        said = ack[refusal] - self.seq[refusal - 1]
        fits = (said <= self.end[refusal - 1].view(np.uint32)) | ~self.has_ack[refusal]
        self.wrong[self.part[refusal[~fits]]] = True
        # It has no number of its own.
        self.rel[refusal], self.end[refusal], self.odd[refusal] = 0, 0, False
        self.back[refusal] = said.view(np.int32)

    def _look_back(self) -> None:
        super()._look_back()
        both = self.both[self.part]
        said = np.maximum(np.where(self.has_ack, self.back, -1), self.acked)
        self.theirs = np.where(both, np.maximum(self.theirs, 0), said)

    def let_go(self) -> None:
        super().let_go()
        # For a timer runs by what was captured of it.
        self.answered = np.ones(len(self.first), np.bool_)

    @property
    def more(self) -> Array:
        """It acknowledges more than was acknowledged when the capture began."""
        more: Array = self.has_ack & (self.back > 0)
        return more

    def _reanswers(self) -> Array:
        return np.zeros(0, np.intp)

    def _resent(self) -> Array:
        return np.zeros(self.count, np.bool_)

    _refin = _resent

    @property
    def probes(self) -> Array:
        """Segments that open nothing, and are those of a scan where they are all there is."""
        probes: Array = self._probes[self.part] & (self.index == self.first[self.part])
        return probes

    @property
    def variety(self) -> Array:
        """Of each connection a number that tells apart what its signature does not."""
        first = self.first
        sport, dport = self.row["sport"][first], self.row["dport"][first]
        syn = self.flags[first] & SYN != 0
        # Zeek's WantConnection(), as in tcpviz.core.zeek.
        flips = _LIKELY[sport] & (~_LIKELY[dport] | (~syn & (sport < dport)))
        flips &= self.flags[first] & (SYN | ACK) != SYN
        numbers: Array = flips.astype(np.uint64) + _SEEN
        flags = self.flags[first] | self.urgent[first] * np.uint16(URG)
        numbers += np.where(self._probes, 2 * flags + 2, 0).astype(np.uint64)
        return numbers


def check(work: Partial) -> tuple[Sums, Array]:
    """Sums over each connection, and which ones are in order."""
    *marked, ok = windows(work)
    ok &= fits(work)
    sums = regular.summed(work, marked, np.full(len(work.first), -1, np.int64))
    return sums, work.of_part(ok) & timely(work)


def fits(w: Partial) -> Array:
    """Which segments go on where their sender stands, and are odd in nothing."""
    flags, empty = w.flags, w.length == 0
    heard = w.has_ack & (w.back >= np.maximum(w.acked, 0)) & (w.back <= w.theirs)
    on = w.rel == np.maximum(w.mine, 0)
    ok = (flags & (0x3F - FIN - PSH) == ACK) & heard
    ok &= ~w.closed | (empty & ~w.fin)
    reset = (flags == RST) | ((flags == RST | ACK) & heard)
    ok |= reset & empty & (w.index == w.last[w.part])
    ok |= w.probes & empty
    ok |= ((flags == SYN) | ((flags == SYN | ACK) & heard)) & empty & (w.index == w.first[w.part])
    again = w.again
    on[again] = w.rel[again] == 0
    # No copy of it.
    ok[again] = (w.length[again] == 0) & (w.time[again] - w.time[again - 1] > SAME_PACKET_NS)
    ok &= on & ~w.odd & ~w.damaged & (~w.urgent | w.probes)
    ok &= (w.window > 0) | w.rst
    # SACK blocks matter to who sent what they tell of, and nobody has seen that.
    sacked = w.bits & SACKED != 0
    ok &= regular.ordinary(w.bits) | (sacked & ~w.both[w.part] if sacked.any() else sacked)
    ok &= hops.same_ttl(w)
    ok &= _stamps(w)
    back = regular.backward(w)
    if len(back):
        ok[back] &= ~regular.repeats(w)[w.part[back]]
    in_order: Array = ok
    return in_order


def _stamps(w: Partial) -> Array:
    """All segments of an end have timestamps or none has; they grow, and echo lately sent ones."""
    stamped: Array = w.bits & STAMPED != 0
    ok: Array = ~stamped
    if not stamped.any():
        return ok
    value, echo = (np.ascontiguousarray(w.row[name]) for name in ("value", "echo"))
    ok = stamped == w.of_sender(stamped[w.first], stamped[w.answer_at])
    ok |= w.rst & ~stamped
    grown = (value - value[w.mine_at]).view(np.int32) >= 0
    known = (w.theirs_at >= 0) & w.has_ack & (echo != 0) & stamped[w.theirs_at]
    ok &= ~stamped | ((grown | (w.mine_at < 0)) & (~known | (value[w.theirs_at] - echo < STRANGE)))
    return ok


def windows(w: Partial) -> tuple[Array, Array, Array, Array]:
    """Window updates, repeated ACKs, full windows, and what is none that was captured twice."""
    quiet = (w.length == 0) & w.has_ack & (w.back == w.acked) & (w.mine_at >= 0)
    quiet = np.flatnonzero(quiet & (w.flags & (SYN | FIN | RST) == 0))
    # What has SACK blocks repeats an ACK, whatever its window.
    changed = w.window[quiet] != w.window[w.mine_at[quiet]]
    updates, repeats = regular.repeated(w, quiet, changed & (w.bits[quiet] & SACKED == 0))
    ok = np.ones(w.count, np.bool_)
    apart = regular.told_apart(w, quiet)
    ok[quiet] = apart if apart.all() else apart | w.nameless[quiet]
    return updates, repeats, np.zeros(w.count, np.bool_), ok


def timely(w: Partial) -> Array:
    """Connections in which no timer could have run out between segments."""
    opening = w.flags[w.first] & SYN != 0
    goes_on = w.firsts(np.flatnonzero(w.flags & SYN == 0))
    until = np.minimum(goes_on, w.last)
    ok: Array = ~opening | (w.steady(until) - w.steady(w.first) < ANSWER_NS - w.slack)
    closing = np.minimum(*w.fin_at)
    closes = np.flatnonzero(closing < w.count)
    ok[closes] &= w.steady(w.last[closes]) - w.steady(closing[closes]) < ANSWER_NS - w.slack
    return ok
