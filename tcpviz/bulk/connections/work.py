"""Some flows' segments as columns, flow by flow, each with what its ends had said before it.

Narrow and few: these columns are gone through dozens of times. What an end has
sent and acknowledged before a segment is taken from its latest segment, which is
right as long as everything came in order.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.connections import reanswers
from tcpviz.bulk.connections.clock import Clock
from tcpviz.bulk.segments import sums
from tcpviz.bulk.segments.columns import SUM_SHIFT, Columns, rows_at
from tcpviz.bulk.segments.flows import changes, spans
from tcpviz.core.marks import FAST_NS
from tcpviz.core.segment import ACK, ECN, FIN, PSH, RST, SYN, Flags
from tcpviz.core.twice import RECENT, SAME_PACKET_NS

if TYPE_CHECKING:
    from tcpviz.bulk.connections.apart import Able
    from tcpviz.bulk.connections.hops import Hops

Array = NDArray[Any]

URG = int(Flags.URG)

_OPENING = FIN | SYN | RST | ACK

ID_STEP = 4095
"""Of 16 identifications in a row that grow by no more, no two are alike."""

LONGEST = 1 << 24
"""Bytes of one segment; none is so long, and sums of two numbers stay in 32 bits."""


_PASSING = (
    *(
        "row",
        "flags",
        "signals",
        "urgent",
        "seq",
        "length",
        "window",
        "bits",
        "opening",
        "has_ack",
        "fin",
        "rst",
        "side",
    ),
    *("rel", "back", "end", "odd", "theirs_at", "mine", "theirs", "acked", "heard", "closed"),
    *("_sender", "ended", "damaged", "index", "alive", "answers", "at_once", "goes_on", "refin"),
)


class Work:
    """Segments of whole flows. Indices are places among them.

    ``row``    them as :data:`~tcpviz.bulk.segments.columns.ROW`, ``rows`` their places there
    ``part``   which connection each belongs to, ``side`` 1 if the server sent it
    ``first``, ``last``  by connection: its first and its last segment; ``answer`` the server's
               first one, ``answered`` whether there is one; ``flow`` it belongs to, which it
               ``leads`` if it is the first there; ``fin_at`` each end's first FIN (else ``count``)
    ``rel``    its number, counted from its sender's first, ``end`` the one behind it, ``back``
               what it acknowledges, counted from the other end's first (where it has ACK)
    ``mine_at``, ``theirs_at``  its sender's, and the other end's, latest segment before it in
               the connection, or -1
    ``mine``, ``theirs``  what its sender, and the other end, had sent before it: the next
               number, -1 before the first segment
    ``acked``, ``heard``  what its sender, and the other end, had acknowledged before; or -1
    ``closed``, ``ended``  whether its sender, and the other end, had sent a FIN before
    ``syns``   places of SYNs and what answers them; ``again`` of SYNs that repeat the one before
    ``reanswers``  places of SYN,ACKs that repeat the server's first; ``anew``: where each kind of
               segment counts anew for a signature; ``None``: nowhere
    ``resent``  it repeats its sender's segment before it, whose data was acknowledged later on
    ``alive``  it is a keep-alive: no data, one number below its sender's next; its ``end`` is that
               next number. ``answers``: what the other end sends next after one; ``at_once``:
               whatever it sends before the end that sent one ``goes_on``
    ``refin``  a FIN sent again by a timer, without data
    ``damaged``  its checksum is wrong, and others of its sender's are right; ``offload``: by
               client, server and connection, whether all are wrong that can be checked
    ``flags``  as they are, but for ECN's, which are its ``signals``, and URG: it is ``urgent``
    ``common`` of each connection what is so in the whole of it (:mod:`.common`), once that is known
    ``hops``   their TTLs, where those of an end differ, once that is known
    ``classes``  of each segment a number that tells more of it for a signature, below 8
    ``able``   which connections can stand beside others, where somebody asks (:mod:`.apart`)
    ``also``   segments that count for a signature whatever they are
    ``beyond``  what is common to one whose numbers come half round, or round (:mod:`.rounds`)
    ``slack``  so long, nanoseconds, after a segment there may be others that are not here
    ``torn``   packets were lost between it and the one before; ``None``: nowhere
    ``wrong``  connections against which something speaks; ``odd`` such segments
    """

    partial = losing = False
    also: Array | None = None
    anew: Array | None = None
    classes: Any = None
    able: Able | None = None
    slack = beyond = 0
    """They are of connections of which all was captured that was said in order."""
    loose = 0
    """Between so many of the first ones others are left out."""

    def earlier_of(self, which: Array) -> Array:
        """Of data that was sent again, where it was captured before; -1 if it was not."""
        return self.mine_at[which]

    @property
    def variety(self) -> Array | None:
        """Of each connection a number that tells apart what its signature does not."""
        return None

    def __init__(self, columns: Columns, clock: Clock, rows: Array, begin: Array) -> None:
        self.array, self.rows, self.begin, self.clock = columns.array, rows, begin, clock
        self.row = array = rows_at(columns.array, rows)
        self.count = count = len(rows)
        self.index = np.arange(count, dtype=np.int32)
        self.flags = array["flags"] & np.uint16(0x1F)
        self.urgent = array["flags"] & np.uint16(URG) != 0
        self.signals = array["flags"] & np.uint16(ECN)
        self.seq = np.ascontiguousarray(array["seq"])
        self.length = array["length"].astype(np.int32)
        self.time = np.ascontiguousarray(array["time"])
        self.window = array["window"].astype(np.int32)
        self.bits = np.ascontiguousarray(array["bits"])
        self.opening = self.flags & _OPENING == SYN
        self.has_ack = self.flags & ACK != 0
        self.fin, self.rst = self.flags & FIN != 0, self.flags & RST != 0
        self.syns = np.flatnonzero(self.flags & SYN != 0)
        self._split()
        self._number(array["ack"])
        self._look_back()
        self.reanswers = self._reanswers()
        self.resent = self._resent()
        self.refin = self._refin()
        self.damaged, self.offload = self._checked()
        self.torn: Array | None = None
        self.common = np.zeros(0, np.int64)
        self.hops: Hops | None = None

    def _split(self) -> None:
        """Into connections: each SYN with a new number begins one."""
        array, seq = self.row, self.seq
        src, dst, sport, dport = (array[name] for name in ("src", "dst", "sport", "dport"))
        up = src > dst
        same = np.flatnonzero(src == dst)
        up[same] = sport[same] > dport[same]
        begin = self.begin[:-1]
        fresh = np.zeros(self.count, np.bool_)
        fresh[begin] = True
        syns = np.flatnonzero(self.opening)
        before = np.roll(syns, 1)
        again = before >= begin[np.searchsorted(begin, syns, "right") - 1]
        again[:1] = False
        again &= (seq[before] == seq[syns]) & (up[before] == up[syns])
        fresh[syns[~again]] = True
        self.again = syns[again & ~fresh[syns]]
        self.first = first = np.flatnonzero(fresh)
        self.last = np.append(first[1:], self.count) - 1
        self.part = np.cumsum(fresh, dtype=np.int32) - np.int32(1)
        self.flow = np.searchsorted(begin, first, "right") - 1
        lead = begin[self.flow]
        self.leads = lead == first
        # All connections of a flow are opened by the same end, and its ends differ.
        self.wrong = (up[first] != up[lead]) | ~self.opening[first]
        self.wrong |= (src[first] == dst[first]) & (sport[first] == dport[first])
        self.side = up != up[first][self.part]
        self._sender = 2 * self.part.astype(np.intp)
        self._sender += self.side

    def firsts(self, which: Array) -> Array:
        """Of each connection the first of the given places (in their order); else ``count``."""
        out = np.full(len(self.first), self.count, np.int64)
        part = self.part[which]
        begin = np.flatnonzero(changes(part))
        out[part[begin]] = which[begin]
        return out

    @cached_property
    def third(self) -> Array:
        """Of each connection the client's first segment after its SYN; ``count`` if none is."""
        return self.firsts(np.flatnonzero(~(self.side | self.opening)))

    @cached_property
    def nameless(self) -> Array:
        """Segments that no identification tells from a copy: a sender puts one on several.

        Such a packet, or one behind it, that takes up no sequence numbers is no copy for the core,
        while nothing else is (:mod:`tcpviz.core.twice`).
        """
        at = np.flatnonzero((self.mine_at >= self.loose) & (self.index - self.mine_at <= RECENT))
        before, ident = self.mine_at[at], self.array["ident"][self.rows]
        same = np.flatnonzero((ident[at] == ident[before]) & (ident[at] != 0))
        at, before = at[same], before[same]
        differ = self.row["ack"][at] != self.row["ack"][before]
        for column in (self.seq, self.length, self.flags, self.window):
            differ |= column[at] != column[before]
        behind: Array = self.index >= self.firsts(at[differ])[self.part]
        return behind

    def of_sender(self, client: Array, server: Array) -> Array:
        """What is known of each connection's client and server, by segment of who sent it."""
        pairs = np.empty((len(self.first), 2), client.dtype)
        pairs[:, 0], pairs[:, 1] = client, server
        return pairs.ravel().take(self._sender)

    def steady(self, places: Array) -> Array:
        """The tracker's clock without its leaps, at these segments."""
        clock = self.clock
        times: Array = self.time[places] if clock.plain else clock.steady[self.rows[places]]
        return times

    def _number(self, ack: Array) -> None:
        self.answer = self.firsts(np.flatnonzero(self.side))
        self.answered = self.answer < self.count
        self.answer_at = np.minimum(self.answer, self.count - 1)
        base = self._begun(ack)
        own = self.of_sender(*base)
        rel = self.seq - own
        self.rel = rel.view(np.int32)
        self.back = (ack - self.of_sender(*base[::-1])).view(np.int32)
        took = self.length + (self.flags & FIN) + (self.flags >> 1 & 1)
        took[self.rst] = 0
        self.end = (rel + took.view(np.uint32)).view(np.int32)
        # No number comes round, and none is further from the first than half of them all.
        self.odd = (own + self.end.view(np.uint32) < own) | (self.rel < 0) | (self.end < 0)
        self.odd |= self.length.view(np.uint32) > LONGEST

    def _begun(self, ack: Array) -> tuple[Array, Array]:  # noqa: ARG002
        """Of each connection the numbers from which its client's and its server's are counted."""
        return self.seq[self.first], self.seq[self.answer_at]

    @property
    def more(self) -> Array:
        """Whether the server acknowledges more than the SYN: the client's own ACKs always do."""
        begun = self.end[self.first]
        most = 1 if (begun == 1).all() else begun[self.part]
        more: Array = self.side & self.has_ack & (self.back > most)
        return more

    def _look_back(self) -> None:
        """What each end had said by its latest segment."""
        side, index, part = self.side, self.index, self.part
        self._find_latest()
        # Behind the last place there is one that stands for none.
        sent = np.append(self.end, np.int32(-1))
        said = np.append(self.back, np.int32(-1))
        said[np.flatnonzero(~self.has_ack)] = -1
        self.mine = sent[self.mine_at]
        self._low = np.flatnonzero(self.rel < self.mine)
        self.alive = self._alive()
        self.answers = self.at_once = self.goes_on = np.zeros(self.count, np.bool_)
        if self.alive.any():
            sent[:-1] = self.end
            self.mine = sent[self.mine_at]
            self.at_once = np.append(self.alive, False)[self.theirs_at]
            self.goes_on = np.append(self.alive, False)[self.mine_at] & ~self.alive
            latest = [
                np.maximum.accumulate(np.where(self.alive & mine, index, np.int32(-1)))
                for mine in (~side, side)
            ]
            since = np.where(side, latest[0], latest[1])
            start = self.first.astype(np.int32)[part]
            self.answers = self.at_once | ((since > self.mine_at) & (since >= start))
        self.theirs = sent[self.theirs_at]
        self.acked, self.heard = said[self.mine_at], said[self.theirs_at]
        fins = np.flatnonzero(self.fin)
        there = self.side[fins]
        self.fin_at = self.firsts(fins[~there]), self.firsts(fins[there])
        self.closed = np.zeros(self.count, np.bool_)
        self.ended = np.zeros(self.count, np.bool_)
        if len(fins):
            fin_at = [each.astype(np.int32) for each in self.fin_at]
            self.closed = index > self.of_sender(*fin_at)
            self.ended = index > self.of_sender(*reversed(fin_at))

    def _reanswers(self) -> Array:
        again = reanswers.places(self)
        if len(again):
            self.anew = np.zeros(self.count, np.bool_)
            self.anew[again] = True
        return again

    def _find_latest(self) -> None:
        """Where each end had spoken last, told by where the other one begins to."""
        begins = np.zeros(self.count, np.bool_)
        begins[self.first] = True
        turns = changes(self.side)
        turns |= begins
        turn = np.flatnonzero(turns)
        opens = begins[turn]
        theirs = turn - 1
        theirs[opens] = -1
        mine = np.roll(theirs, 1)
        mine[opens] = -1
        self.theirs_at = np.zeros(self.count, np.intp)
        self.theirs_at[turn] = np.diff(theirs, prepend=0)  # summed up it is the latest one's
        np.cumsum(self.theirs_at, out=self.theirs_at)
        self.mine_at = np.arange(-1, self.count - 1)
        self.mine_at[turn] = mine

    def _alive(self) -> Array:
        """Keep-alives, where nothing else went back in their connection; sets their ``end``."""
        out = np.zeros(self.count, np.bool_)
        low = self._low
        if not ((self.length[low] == 0) & (self.flags[low] == ACK)).any():
            return out
        furthest = self.part.astype(np.int64) << 32
        furthest += self.end
        for side in (False, True):
            which = np.flatnonzero(self.side == side)
            reached = np.maximum.accumulate(furthest[which])
            before = np.append(np.int64(-1), reached[:-1])
            one = (furthest[which] + 1 == before) & (self.length[which] == 0)
            out[which[one & (self.flags[which] == ACK)]] = True
        self.end[out] += np.int32(1)
        return out

    def _resent(self) -> Array:
        """Data that its sender's latest segment carried, too, no copy and not a fast repetition.

        All that depends on how soon it comes is left out: what the capture saw twice, and
        what follows upon duplicate ACKs. So is what was never acknowledged.
        """
        out = np.zeros(self.count, np.bool_)
        maybe = self._low[self.length[self._low] > 1]
        maybe = maybe[
            (self.end[maybe] == self.mine[maybe])
            & (self.flags[maybe] & (0x3F - PSH) == ACK)
            & (self.mine_at[maybe] >= 0)
            & (self.theirs_at[maybe] >= 0)
            & ~(self.closed[maybe] | self.ended[maybe])
            & (self.heard[maybe] < self.end[maybe])
        ]
        if not len(maybe):
            return out
        before, other = self.mine_at[maybe], self.theirs_at[maybe]
        fine = (self.rel[before] == self.rel[maybe]) & (self.length[before] == self.length[maybe])
        later = self.time[maybe] - self.time[before] > SAME_PACKET_NS
        fine &= later | self.renamed(maybe, before)
        fine &= self.time[maybe] - self.time[other] >= FAST_NS
        fine &= self._acked_at_last(maybe) >= self.end[maybe]
        out[maybe[fine]] = True
        return out

    def renamed(self, these: Array, before: Array) -> Array:
        """Which of ``these`` have an identification a little above that of those ``before``."""
        ident = self.array["ident"]
        now, then = (ident[self.rows[place]].astype(np.int64) for place in (these, before))
        step = (now - then) & 0xFFFF
        renamed: Array = (now > 0) & (step > 0) & (step <= ID_STEP)
        return renamed

    def _acked_at_last(self, which: Array) -> Array:
        """How far the other end has acknowledged, in the end, what these ones' senders sent."""
        part = self.part[which]
        some = np.flatnonzero(np.bincount(part))
        sizes = self.last[some] - self.first[some] + 1
        begin = np.cumsum(sizes) - sizes
        at = spans(self.first[some], sizes)
        said, side = np.where(self.has_ack[at], self.back[at], -1), self.side[at]
        last = [np.maximum.reduceat(np.where(side == by, said, -1), begin) for by in (1, 0)]
        place = np.searchsorted(some, part)
        furthest: Array = np.where(self.side[which], last[1][place], last[0][place])
        return furthest

    def _refin(self) -> Array:
        """The same of a FIN that was sent before."""
        out = np.zeros(self.count, np.bool_)
        low = self._low
        maybe = low[(self.flags[low] == FIN | ACK) & (self.length[low] == 0) & self.closed[low]]
        maybe = maybe[(self.rel[maybe] + 1 == self.mine[maybe]) & (self.theirs_at[maybe] >= 0)]
        fine = self.time[maybe] - self.time[self.mine_at[maybe]] > SAME_PACKET_NS
        fine &= self.time[maybe] - self.time[self.theirs_at[maybe]] >= FAST_NS
        out[maybe[fine]] = True
        return out

    def _checked(self) -> tuple[Array, Array]:
        """Checksums wrong where their sender's others are right; whether all of an end's are."""
        said = self.bits >> SUM_SHIFT & 3
        wrong = said == sums.WRONG
        some, right = np.zeros((2, 2 * len(self.first)), np.bool_)
        if wrong.any():
            some[self._sender[np.flatnonzero(wrong)]] = True
            right[self._sender[np.flatnonzero(said == sums.RIGHT)]] = True
            wrong &= right.take(self._sender)
        return wrong, some.reshape(-1, 2).T

    def let_go(self) -> None:
        """Keep of each segment but the row, the time, and what :attr:`resent` is about."""
        for name in _PASSING:
            delattr(self, name)

    def of_part(self, ok: Array) -> Array:
        """Whether it holds for every segment of each connection."""
        out: Array = ~self.wrong
        out[self.part[np.flatnonzero(~ok)]] = False
        return out

    def total(self, what: Array) -> Array:
        """The sum over each connection."""
        if what.dtype == np.bool_:
            where = self.part[np.flatnonzero(what)]
            counts: Array = np.bincount(where, minlength=len(self.first))
            return counts
        sums_of: Array = np.add.reduceat(what, self.first, dtype=np.int64)
        return sums_of
