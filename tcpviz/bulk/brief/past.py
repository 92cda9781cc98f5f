"""The core taken past a plain segment, as if it had been given it, without an object for it.

Plain is what goes on where its sender stands, in an open connection: data, acknowledgements, and
duplicate ones with their SACK blocks. What the core does then in each of its views stands here once
more, without what it does of anything else; and before it, in :meth:`Past._stays`, what must hold
so that it does nothing else. Where that does not hold nothing is changed, and the core has to take
the segment itself.
"""

from __future__ import annotations

from collections.abc import Callable

from tcpviz.bulk.brief import elsewhere, unseen
from tcpviz.bulk.brief.half import Half
from tcpviz.bulk.brief.rows import (
    ECHOED,
    KEPT,
    LAST,
    MARKED,
    RIGHT,
    SELECTIVE,
    SHUT,
    TIMED,
    Row,
    Rows,
)
from tcpviz.bulk.long.recall import Reader
from tcpviz.core import arrivals, departures
from tcpviz.core.claims import StateChange
from tcpviz.core.connection import Connection, Moves
from tcpviz.core.doubt import LEAST_REACH, may_vindicate
from tcpviz.core.halfconn import Sums
from tcpviz.core.marks import MarkName
from tcpviz.core.records import Side
from tcpviz.core.segment import Segment
from tcpviz.core.sendlog import MAX_UNACKED, Sent
from tcpviz.core.states import State
from tcpviz.core.zeek_gaps import (
    MAX_ABOVE_HOLE_WITHOUT_ACKS,
    MAX_BLOCKS,
    MAX_WITHOUT_FURTHER_ACKS,
    Gaps,
)

_MASK, _HALF = 0xFFFFFFFF, 1 << 31


class Past:
    """A connection that the core has taken up, the only one of its flow; ``rows`` has the flow.

    ``count_before``  has the core told of what is counted beside it, up to a place; it is called
                      where Zeek counts or writes anything itself, if there is
    """

    count_before: Callable[[int], None] | None = None

    def __init__(self, connection: Connection, rows: Rows) -> None:
        self._join(connection, Reader(rows.segment, rows.seq_and_length))
        self.rows = rows
        self._analysis.marks._twice = None  # there are none
        client, server = connection.client.endpoint, connection.server.endpoint
        scope = connection.key.scope
        self._ways = (client, server, scope), (server, client, scope)

    def _join(self, connection: Connection, reader: Reader) -> None:
        assert connection.analysis is not None
        self.connection, self._analysis = connection, connection.analysis
        self.reader = reader
        self._halves: tuple[Half, Half] | None = None
        self._viewed = self._open = False

    def _both(self) -> tuple[Half, Half]:
        connection, analysis = self.connection, self._analysis
        return (
            Half(connection, analysis, Side.CLIENT, self.reader),
            Half(connection, analysis, Side.SERVER, self.reader),
        )

    def took(self, segment: Segment, place: int) -> bool:
        """The core has taken that segment; whether it stands so that what is plain could come."""
        for end in (self.connection.client, self.connection.server):
            if end.doubted and end.doubted[-1] is segment:
                end.doubted[-1] = self.rows.segment(place)  # that is kept
        return self.ready()

    def ready(self) -> bool:
        """Whether it stands so that what is plain could come."""
        connection, analysis = self.connection, self._analysis
        marks, zeek = analysis.marks, analysis.zeek
        self._viewed, self._open = False, True
        # Without both SYNs nothing more comes of the handshake.
        partly = connection.client.iss is None or connection.server.iss is None
        begun = connection._third or connection.client.claim.state is State.ESTABLISHED
        if not (begun or partly):
            return False
        if zeek._orig._gaps is None or zeek._resp._gaps is None:
            return False  # nor are they made here
        if len(zeek._seen_first) < 2 or len(analysis.vitals._sides) < 2:
            return self._one_stands()
        if self._halves is None or self._halves[0].unseen or self._halves[1].unseen:
            self._halves = self._both()
        one, two = self._halves
        if one.flow is not marks._client or (one.zeek is zeek._orig) is not (one.letters == "DA"):
            self._halves = one, two = self._both()
        self._viewed = (
            one.viewed
            and two.viewed
            and (connection._third or (partly and connection.last_syn_ns is None))
            and (marks.initial_rtt_ns is not None or marks._syn_ns is None)
            and not (connection.watched or connection.superseded)
            and connection.former is None
        )
        self._open = one.offers and two.offers
        return self._viewed and one.stands and two.stands

    def _one_stands(self) -> bool:
        """The same where nothing was captured of the other end."""
        connection, analysis = self.connection, self._analysis
        if not unseen.ready(connection, analysis):
            return False
        heard = Side.CLIENT if connection.client.segments else Side.SERVER
        if self._halves is None:
            self._halves = unseen.both(connection, analysis, self.reader, heard)
        one, two = self._halves
        flow, zeek = analysis.marks._client, analysis.zeek
        if one.flow is not flow or (one.zeek is zeek._orig) is not (one.letters == "DA"):
            self._halves = one, two = unseen.both(connection, analysis, self.reader, heard)
        me, peer = (one, two) if heard is Side.CLIENT else (two, one)
        return unseen.stands(me, peer)

    def partly(self, server: bool, place: int) -> tuple[StateChange, ...] | None:
        """The core takes what its ends are moved by, and its views by numbers; how they moved.

        ``None`` where that is not all; else whether it is :meth:`ready` has to be asked again.
        """
        rows, connection = self.rows, self.connection
        if not (self._viewed and rows.partly[place]):
            return None
        assert self._halves is not None
        one, two = self._halves
        me, peer = (two, one) if server else (one, two)
        told, fin = rows.told[place], rows.flags[place] & 1
        if connection.older and not elsewhere.newest(me, peer, told):
            return None
        if not elsewhere.fits(me, peer, told, fin):
            return None
        segment = rows.without_data(place, self._ways[server])
        mine, theirs, time = me.end, peer.end, told[1]
        mine.count(segment)
        if fin:
            self._analysis.zeek.observe(segment, me.side)
        else:
            elsewhere.in_zeek(self._analysis, me, peer, told)
        anything = elsewhere.views(self._analysis, me, peer, told, self._sack, fin)
        self._said(me, told[0] & ~KEPT if anything else told[0], place)
        connection.last_ns = time
        if connection._third:
            connection._data_began = True
        moves = Moves(connection, told[2], time)
        if departures.sent(moves, mine, theirs, segment):
            mine.note_sent(segment, theirs)
            arrivals.assumed(moves, theirs, mine, segment)
        elif mine.doubted and mine.doubted[-1] is segment:
            mine.doubted[-1] = rows.segment(place)
        return moves.changes

    def over(self, server: bool, told: Row, place: int) -> bool:
        """Go past a segment that the ``server``, or the client, has sent; false: it is not plain.

        Only behind one that it :meth:`took`, if it told so.
        """
        assert self._halves is not None
        one, two = self._halves
        me, peer = (two, one) if server else (one, two)
        if self.connection.older and not elsewhere.newest(me, peer, told):
            return False
        if told[0] & ECHOED and me.vitals.accurate:
            told = (told[0] & ~ECHOED, *told[1:])
        plain = self._open and not peer.unseen and self._stays(me, peer, told)
        if not plain:
            if peer.unseen:
                if not unseen.stays(me, peer, told):
                    return False
                plain = unseen.in_order(me, told)
            elif not elsewhere.stays(me, peer, told):
                return False
        counted = self.count_before
        if counted is not None and (not plain or self._writes(me, told)):
            counted(place)
        kind = told[0]
        if plain:
            self._go(me, peer, told)
        else:
            if elsewhere.go(self.connection, self._analysis, me, peer, told, self._sack):
                kind &= ~KEPT
            self._open = one.offers and two.offers
        self._said(me, kind, place)
        return True

    def _writes(self, me: Half, told: Row) -> bool:
        """Whether Zeek writes a letter of a plain segment."""
        return me.letters[0 if told[5] else 1] not in self._analysis.zeek._taken

    @staticmethod
    def _said(me: Half, kind: int, place: int) -> None:
        """What is read again of it if anybody asks: its data, and its SACK blocks."""
        if kind & KEPT:
            me.data.add_place(place)
        if kind & SELECTIVE:
            me.sacked = place
        elif me.flow.sack or me.sacked is not None:
            me.flow.sack, me.sacked = (), None

    def segment(self, server: bool, place: int) -> Segment:
        """The segment at a place, for the core to take it now: it finds all that it may ask.

        Its data is read only if it may be compared with what came before.
        """
        rows = self.rows
        self.reader.place = place
        self.settle()
        if not rows.bare[place]:
            return rows.segment(place)
        kind, _, _, seq, _, length, *_ = rows.told[place]
        if length:
            if self._halves is None:
                return rows.segment(place)
            me = self._halves[server]
            if me.unseen:
                return rows.segment(place)
            known = me.flow.next_seq
            again = known is None or (seq - known) & _MASK >= _HALF
            if length == 1 or (again and me.data.near(seq, length)):
                return rows.segment(place)
            if kind & KEPT:
                me.data.add_place(place)
        return rows.without_data(place, self._ways[server])

    def settle(self) -> None:
        """Read the SACK blocks that were said latest."""
        for half in self._halves or ():
            self._sack(half)

    def _sack(self, half: Half) -> elsewhere.Blocks:
        """Those that an end has said latest."""
        if half.sacked is not None:
            half.flow.sack = self.reader.read(half.sacked).options.sack
            half.sacked = None
        return half.flow.sack

    def close(self) -> None:
        """Nothing comes any more: forget what was kept to judge it."""
        self.settle()
        for half in self._halves or ():
            half.flow.contents = None

    # -- what must hold -------------------------------------------------------

    @staticmethod
    def _stays(me: Half, peer: Half, told: Row) -> bool:
        """Whether the core does nothing of a segment but what is done here."""
        kind, _, _, seq, ack, length, _, _, value, echo, _ = told
        fwd, rev, mine, theirs, my_zeek = me.flow, peer.flow, me.end, peer.end, me.zeek
        if me.knows < (1 if length else 2) or me.round or peer.round or seq > LAST:
            return False
        # It goes on, and acknowledges what was sent and captured, not much less than all.
        if not seq == fwd.next_seq == mine.snd_nxt == my_zeek.last_seq:
            return False
        sent, captured, heard, last = theirs.snd_nxt, rev.next_seq, peer.signs.next, rev.last_ack
        if sent is None or captured is None or last is None:
            return False
        if (sent - ack) & _MASK > LEAST_REACH:
            return False
        if theirs.doubted is not None and may_vindicate(theirs, ack):
            return False
        if (captured - ack) & _MASK >= _HALF:
            return False
        if heard is not None and (heard - ack) & _MASK >= _HALF:
            return False
        if rev.log._holes:
            hole = rev.log.first_hole
            if hole is not None and (hole - ack) & _MASK >= _HALF:
                return False
        # Numbers come round nowhere; what Zeek has is not behind them.
        zeek, gaps = peer.zeek, peer.gaps
        start = zeek.start_seq
        if not start <= zeek.ack_seq <= ack < start + _HALF:
            return False
        if ack - start > gaps.done and ack - start > gaps.trimmed:
            return False
        start = my_zeek.start_seq
        if not start <= my_zeek.ack_seq <= seq < start + (_HALF >> 1):
            return False
        if kind & TIMED:
            recent = theirs.ts_recent
            if recent is not None and (value - recent) & _MASK >= _HALF:
                return False
            if elsewhere.strange(peer, echo):
                return False
        if kind & RIGHT and mine.sums is Sums.UNTRIED:
            return False
        if kind >= MARKED and (kind & SHUT or not elsewhere.counted(me, kind)):
            return False
        if not length:
            # One that repeats may be an answer to a keep-alive.
            return ack != fwd.last_ack or not rev.kept_alive
        if length == 1 and not rev.window:
            return False
        end = (seq + length) & _MASK
        if rev.scale is not None and end == (last + rev.window_bytes) & _MASK:
            return False
        if (end - last - 1) & _MASK >= _HALF - 1:
            return False  # acknowledged before it was captured
        # Zeek may give up on what waits for much.
        gaps, begin = me.gaps, seq - start
        if gaps.off:
            return True
        blocks = gaps._blocks
        if not blocks:
            low = gaps.done if gaps.done < begin else begin
            if begin < gaps.trimmed:
                return False
        else:
            low = blocks[0][0] if blocks[0][0] < gaps.done else gaps.done
            if begin < blocks[-1][1] or len(blocks) >= MAX_BLOCKS:
                return False
        waits = begin + length - low
        if waits <= MAX_ABOVE_HOLE_WITHOUT_ACKS:
            return True
        return waits <= MAX_WITHOUT_FURTHER_ACKS and not my_zeek.nothing_acked

    # -- what is done ---------------------------------------------------------

    def _go(self, me: Half, peer: Half, told: Row) -> None:
        """All views take the segment; each part is as the core's module that it names."""
        kind, time, frame, seq, ack, length, window, *_, size = told
        connection, analysis = self.connection, self._analysis
        end = seq + length
        # vitals.Signs, of who sent it, and of the other end
        elsewhere.take_sent(me.signs, told)
        if length:
            elsewhere.take_data(me.signs, told, end)
        elsewhere.take_received(peer.signs, ack, time)
        # halfconn.End, connection.Connection, completeness.Completeness
        elsewhere.in_end(me.end, peer.end, told)
        connection.last_ns = time
        if connection._third:
            connection._data_began = True
        analysis.completeness._value |= 8 if length else 4
        # marks.MarkAnalyzer
        fwd, rev = me.flow, peer.flow
        rev.flight_known = True
        if ack != fwd.last_ack:
            fwd.dup_frame, fwd.dup_acks = frame, 0
        elif not length:
            counts = analysis.marks.counts[me.side]
            if window != fwd.window and not kind & SELECTIVE:
                counts[MarkName.WINDOW_UPDATE] += 1
            else:
                fwd.dup_acks += 1
                counts[MarkName.DUPLICATE_ACK] += 1
        if length:
            log = fwd.log
            waiting = log._unacked
            if me.parted or len(waiting) >= MAX_UNACKED or (waiting and waiting[-1].seq > seq):
                log.add(seq, end, frame, time)
            else:
                waiting.append(Sent(seq, end, frame, time))
                if len(waiting) == 1 or (end - log.high) & _MASK < _HALF:
                    log.high = end
            fwd.next_seq, fwd.next_frame, fwd.next_ns = end, frame, time
        fwd.probed = fwd.kept_alive = False
        fwd.window, fwd.window_bytes = window, window << (fwd.scale or 0)
        fwd.last_ack, fwd.last_ack_ns = ack, time
        log = rev.log
        if peer.parted or log._holes or (log._unacked and log._unacked[0].seq != ack):
            log.acknowledge(ack, time)
        # zeek.ZeekView
        letters, zeek = analysis.zeek, me.zeek
        letters._last_ns = time
        zeek.packets += 1
        zeek.ip_bytes += size
        slot = me.letters[0 if length else 1]
        if slot not in letters._taken:
            letters._once(slot.upper(), slot.upper(), zeek)
        other, gaps = peer.zeek, peer.gaps
        if peer.unseen:
            other.restart((ack - 1) & _MASK, (ack - 1) & _MASK)
        else:
            other.ack_seq = ack
        said = ack - other.start_seq
        if said > gaps.trimmed:
            gaps.trimmed = said
            gaps._blocks = [block for block in gaps._blocks if block[1] > said]
        if length:
            zeek.last_seq = end
            _seen(me.gaps, seq - zeek.start_seq, end - zeek.start_seq)


def _seen(gaps: Gaps, begin: int, upto: int) -> None:
    """As :meth:`tcpviz.core.zeek_gaps.Gaps.seen`, of what comes behind all of it."""
    if gaps.off:
        return
    blocks = gaps._blocks
    if blocks and blocks[-1][1] == begin:
        begin = blocks[-1][0]
        blocks[-1] = begin, upto
    else:
        blocks.append((begin, upto))
    if begin <= gaps.done < upto:
        gaps.done = upto
