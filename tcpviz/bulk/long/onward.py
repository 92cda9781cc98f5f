"""The core's state carried over a run of plain segments, as if it had been given each of them.

Every variable that a plain segment changes is set to what it is behind the last one of the run
(:mod:`tcpviz.bulk.long.inorder` has them); what is only counted is added up for all runs of a
stretch together. A run ends where the core would do more than that: before the first
acknowledgement that confirms a state, before a letter of the history, at a hole that is
acknowledged. Where the core does not stand as the columns suppose, nothing is left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.long import holes
from tcpviz.bulk.long.halves import Half
from tcpviz.bulk.long.inorder import Span, Stretch, first, some, span
from tcpviz.bulk.long.legs import Between, Leg, Legs
from tcpviz.bulk.long.recall import Reader, RecentPlaces
from tcpviz.bulk.segments import sums
from tcpviz.bulk.segments.columns import SACKED, STAMPED, SUM_SHIFT, Columns
from tcpviz.core import seq as seqno
from tcpviz.core.claims import Certainty
from tcpviz.core.connection import Connection
from tcpviz.core.halfconn import REMEMBERED
from tcpviz.core.marks import MarkName
from tcpviz.core.records import Side
from tcpviz.core.states import State
from tcpviz.core.zeek_end import ZeekState

Array = NDArray[Any]

_MASK = 0xFFFFFFFF
_HALF = 1 << 31
_GONE = (ZeekState.INACTIVE, ZeekState.RESET)
_TALKING = (State.ESTABLISHED, State.FIN_WAIT_2, State.CLOSE_WAIT)


class Onward:
    """A connection that is carried over what is plain.

    ``sacked``  where each end's latest SACK blocks are, if they have not been read yet
    ``shape``  what the columns of a stretch rest on besides numbers; after a change of it they
               have to be made anew
    """

    def __init__(self, connection: Connection, reader: Reader) -> None:
        assert connection.analysis is not None
        self.connection = connection
        self._reader = reader
        self._analysis = analysis = connection.analysis
        self._halves = (
            Half(connection, analysis, Side.CLIENT),
            Half(connection, analysis, Side.SERVER),
        )
        for half in self._halves:
            half.remember_by(reader)
        marks = analysis.marks
        if not isinstance(marks._twice, RecentPlaces):
            assert marks._twice is not None
            marks._twice = RecentPlaces(marks._twice, reader)
        self.twice: RecentPlaces = marks._twice
        self.sacked: list[int | None] = [None, None]
        self.stand()

    # -- how it stands ------------------------------------------------------

    @property
    def shape(self) -> tuple[object, ...]:
        ends = [half.shape for half in self._halves]
        return (*ends, self.twice.meaningless, self.twice.copies > 0)

    def stand(self) -> None:
        """Remember how both ends stand: they are ready, and of this shape."""
        one, two = self._halves
        self._stood = (*one.stood, *two.stood, self.twice.meaningless, self.twice.copies)

    @property
    def stands(self) -> bool:
        """Nothing is other than it was then of what a segment with ACK alone can change."""
        one, two = self._halves
        twice = self.twice
        return self._stood == (*one.stood, *two.stood, twice.meaningless, twice.copies)

    def stretch(
        self, columns: Columns, rows: Array, up: bool, idents: list[list[tuple[int, int]]]
    ) -> Stretch:
        """The columns of the segments that come next; ``idents`` the ends' latest."""
        one, two = (half.standing(each) for half, each in zip(self._halves, idents, strict=True))
        stretch = Stretch(
            columns,
            rows,
            up,
            (one, two),
            meaningless=self.twice.meaningless,
            copies=self.twice.copies > 0,
            older=bool(self.connection.older),
        )
        self._between = Between(stretch)
        return stretch

    # -- over a run ---------------------------------------------------------

    def over(self, stretch: Stretch, begin: int, end: int, base: int) -> int:
        """Carry on over plain segments from ``begin``, up to ``end`` at most; how far it went.

        ``base`` is where the stretch begins among the flow's segments.
        """
        legs = self._between.legs(begin, end)
        if not self._agrees(stretch, legs):
            return begin
        until = self._until(stretch, begin, end, legs)
        if until - begin < 2:
            return begin
        if until < end:
            end, legs = until, self._between.legs(begin, until)
        for side in (0, 1):
            self._waits(stretch, side, (begin, end), legs[side], legs[1 - side])
        for side in (0, 1):
            if legs[side].start < legs[side].stop:
                self._say(stretch, side, (begin, end), legs[side])
        bits = self._analysis.completeness
        connection = self.connection
        connection.last_ns = int(stretch.time[end - 1])
        if not all(half.zeek.did_close for half in self._halves):
            self._analysis.zeek._last_ns = connection.last_ns
        if connection._third:
            connection._data_began = True
        bits.note(
            data=any(leg.low < leg.high for leg in legs),
            ack=sum(leg.high - leg.low for leg in legs) < end - begin,
        )
        self.twice.pass_over(base + begin, base + end)
        return end

    def settle(self) -> None:
        """Read the SACK blocks that both ends have said latest, as the core knows them."""
        for side, place in enumerate(self.sacked):
            if place is not None:
                self._halves[side].flow.sack = self._reader.read(place).options.sack
                self.sacked[side] = None

    def _agrees(self, stretch: Stretch, legs: Legs) -> bool:
        """Whether the core stands before a run where the columns suppose it to stand."""
        for side in (0, 1):
            half, peer, leg = self._halves[side], self._halves[1 - side], legs[side]
            end, flow, signs, known = half.end, half.flow, half.signs, stretch.ends[side]
            number = (known.next + leg.number) & _MASK
            if not number == flow.next_seq == end.snd_nxt == half.zeek.last_seq:
                return False
            theirs = stretch.ends[1 - side].next
            said = (theirs + leg.said) & _MASK
            if not said == end.rcv_nxt == peer.end.snd_una:
                return False
            if flow.last_ack != (theirs + leg.acked) & _MASK:
                return False
            # Sent after it was acknowledged: which ACK it waits for is the core's to say.
            if peer.log.behind(said):
                return False
            if said != peer.zeek.ack_seq and not holes.lost_ack(peer.zeek, said):
                return False
            if flow.window != leg.window or end.window != leg.window << known.shift:
                return False
            if signs.next is not None and (signs.next, signs.una) != (number, end.snd_una):
                return False
            if (signs.zero_since_ns is None) is (leg.window == 0):
                return False
            if flow.kept_alive or flow.probed or half.zeek.state in _GONE:
                return False
            if half.zeek.fin_count and not half.closed:
                return False  # one that need not be believed, but Zeek does
            if end.state not in _TALKING or half.longest < leg.longest:
                return False
            if known.ticks is not None:
                ticks = signs.ticks
                if ticks is None or (ticks - leg.value + 1000) & _MASK > 2000:
                    return False
                if leg.start < leg.stop:
                    recent = peer.end.ts_recent
                    if (leg.stamp - ticks) & _MASK >= _HALF:
                        return False
                    if recent is not None and (leg.stamp - recent) & _MASK >= _HALF:
                        return False
        return len(self._analysis.zeek._seen_first) > 1

    def _until(self, stretch: Stretch, begin: int, end: int, legs: Legs) -> int:
        """Where the core does more than what a plain segment does, at ``end`` at the latest."""
        zeek = self._analysis.zeek
        for side in (0, 1):
            half, peer = self._halves[side], self._halves[1 - side]
            claim = half.end.claim
            if half.closed:
                end = first(stretch.data[side], begin, end)
            if claim.certainty is not Certainty.SEEN and claim.state is State.ESTABLISHED:
                if half.end.assumed_from is not None or claim.certainty is Certainty.UNKNOWN:
                    end = first(stretch.at[side], begin, end)
                elif half.end.iss is not None:
                    end = first(stretch.bare[side], begin, end)
            if half.signs.next is None:
                end = first(stretch.data[side], begin, end)
            if len(stretch.shut[side]) and peer.zeek.state is not ZeekState.CLOSED:
                end = _before_letter(stretch.shut[side], half.zeek.zero_windows, begin, end)
            for places, letter in zip(
                (stretch.data[side], stretch.bare[side]), half.letters, strict=True
            ):
                if letter not in zeek._taken:
                    end = first(places, begin, end)
            if peer.flow.probe_end is not None:
                places = stretch.bare[side]
                low, high = span(places, begin, end)
                places = places[low:high]
                end = first(places[stretch.ack[places] == peer.flow.probe_end], begin, end)
            for number in half.unsettled if half.end.doubted else ():
                # Its peer would confirm it by acknowledging just that, and not all that it sent.
                low, high = span(stretch.at[1 - side], begin, end)
                places = stretch.at[1 - side][low:high]
                places = places[stretch.ack[places] == number]
                places = places[stretch.back[places] != stretch.theirs[places]]
                end = first(places, begin, end)
            end = holes.before_hole(half, stretch, side, (begin, end), legs)
            end = holes.before_gap(half, stretch, side, (begin, end), legs)
        return end

    def _waits(self, stretch: Stretch, side: int, run: Span, sent: Leg, acked: Leg) -> None:
        """What was sent by an end, as far as it rests on what the other acknowledges."""
        half = self._halves[side]
        data, moved = stretch.data[side], stretch.moved[1 - side]
        low, high, first, last, heard = sent.low, sent.high, acked.first, acked.last, acked.told
        if high > low or last > first:
            half.log.pass_over(stretch, side, low, high, heard)
        signs = half.signs
        if signs.next is None:
            pass  # nothing of it was ever captured that could be acknowledged
        elif last > first:
            place = int(moved[last - 1])
            signs.una = int(stretch.ack[place])
            signs.stuck = 0
            biggest = signs._biggest
            if biggest is not None and seqno.ge(signs.una, biggest[0]):
                signs.largest_acked = max(signs.largest_acked, biggest[1])
                signs._biggest = None
            if int(stretch.back[place]) < int(stretch.theirs[place]):
                signs.waiting_ns = int(stretch.time[place])
            else:
                signs.waiting_ns = None
                after = int(data.searchsorted(place))
                if after < high:
                    signs.waiting_ns = int(stretch.time[data[after]])
        elif high > low and signs.waiting_ns is None:
            signs.waiting_ns = int(stretch.time[data[low]])
        holes.pass_over(half, stretch, side, run, sent, acked)

    def _say(self, stretch: Stretch, side: int, run: Span, leg: Leg) -> None:
        """What an end has said by its latest segment of a run."""
        (begin, end), start, stop, low, high = run, leg.start, leg.stop, leg.low, leg.high
        half, peer = self._halves[side], self._halves[1 - side]
        me, flow, signs = half.end, half.flow, half.signs
        place = int(stretch.at[side][stop - 1])
        time, frame = int(stretch.time[place]), stretch.frame(place)
        # Sent.
        data = stretch.data[side]
        if high > low:
            earliest, latest = int(data[low]), int(data[high - 1])
            begun = int(stretch.seq[earliest])
            number = stretch.raw(side, int(stretch.end[latest]))
            if me.solid != begun:
                me.solid_from = begun
            ahead = int(stretch.end[latest]) - int(stretch.rel[earliest])
            if (begun - me.solid_from & _MASK) + ahead > REMEMBERED:
                me.solid_from = number - REMEMBERED & _MASK
            me.solid = me.snd_nxt = flow.next_seq = signs.next = number
            flow.next_frame, flow.next_ns = stretch.frame(latest), int(stretch.time[latest])
            half.zeek.seq_wraps += (half.zeek.last_seq + ahead) >> 32
            half.zeek.last_seq = number
            kept = stretch.kept[side]
            if len(kept):
                low, high = span(kept, begin, end)
                half.data.pass_over(kept[low:high] + self._reader.base)
        # Said.
        ack, again = int(stretch.ack[place]), stretch.again[side]
        low, high = span(stretch.renewed[side], begin, end)
        if high > low:
            latest = int(stretch.renewed[side][high - 1])
            flow.dup_frame, flow.dup_acks = stretch.frame(latest), some(again, latest, end)
        else:
            flow.dup_acks += some(again, begin, end)
        if leg.told > leg.said:
            far = stretch.raw(1 - side, leg.told)
            if not holes.lost_ack(peer.zeek, far):
                # More than half of all numbers may have been acknowledged meanwhile.
                ahead = leg.told - leg.said
                peer.zeek.ack_wraps += (peer.zeek.ack_seq + ahead) >> 32
                peer.zeek.ack_seq = far
            me.rcv_nxt = peer.end.snd_una = far
        me.last_ack = flow.last_ack = ack
        flow.last_ack_ns = time
        me.window = flow.window_bytes = int(stretch.offers[place])
        flow.window = int(stretch.window[place])
        flow.sack = ()
        self.sacked[side] = self._reader.base + place if stretch.bits[place] & SACKED else None
        peer.flow.flight_known = True
        # Signs.
        self._shut(stretch, side, run)
        before = signs.last_ns
        if stop - start > 1:
            before = int(stretch.time[stretch.at[side][stop - 2]])
        signs.before_ns, signs.last_ns, signs.last_frame = before, time, frame
        peer.signs.unanswered_alive = peer.signs.retries = 0
        if stretch.bits[place] & STAMPED:
            signs.ticks = int(stretch.value[place])
            recent = stretch.recent[side]
            at = int(recent.searchsorted(end))
            if at and int(recent[at - 1]) >= begin:
                peer.end.ts_recent = int(stretch.value[recent[at - 1]])

    def _shut(self, stretch: Stretch, side: int, run: Span) -> None:
        """The windows of zero that an end has offered, and how long each row of them lasted."""
        low, high = span(stretch.shut[side], *run)
        half, signs = self._halves[side], self._halves[side].signs
        if low == high and signs.zero_since_ns is None:
            return
        if self._halves[1 - side].zeek.state is not ZeekState.CLOSED:
            half.zeek.zero_windows += high - low
        begun = [] if signs.zero_since_ns is None else [signs.zero_since_ns]
        low, high = span(stretch.closes[side], *run)
        if high > low:
            places = stretch.closes[side][low:high]
            begun += stretch.time[places].tolist()
            signs.zero_times += high - low
            signs.show("zero", stretch.frame(int(places[0])))
            signs.show("last zero", stretch.frame(int(places[-1])), latest=True)
        low, high = span(stretch.opens[side], *run)
        ended = stretch.time[stretch.opens[side][low:high]].tolist()
        for since, until in zip(begun, ended, strict=False):
            lasted = max(0, until - since)
            signs.zero_ns += lasted
            signs.zero_longest_ns = max(signs.zero_longest_ns, lasted)
        signs.zero_since_ns = begun[-1] if len(begun) > len(ended) else None

    # -- what was left out --------------------------------------------------

    def add(self, stretch: Stretch, gone: Array) -> None:
        """Add the sums of what was left out of a stretch."""
        counts = (
            MarkName.DUPLICATE_ACK, MarkName.WINDOW_UPDATE, MarkName.WINDOW_FULL,
            MarkName.ZERO_WINDOW,
        )  # fmt: skip
        marked = stretch.repeats, stretch.updates, stretch.full, stretch.window == 0
        for side, half in enumerate(self._halves):
            mine = gone & (stretch.side == bool(side))
            count = int(np.count_nonzero(mine))
            length = stretch.length[mine]
            half.end.segments += count
            half.end.bytes += int(length.sum())
            half.zeek.packets += count
            half.zeek.ip_bytes += int(length.sum()) + self._headers(stretch, mine)
            signs = half.signs
            signs.data += int(np.count_nonzero(length))
            known = stretch.bits[mine] >> SUM_SHIFT & 3
            signs.summed += int(np.count_nonzero(known != sums.UNKNOWN))
            signs.bad_sums += int(np.count_nonzero(known == sums.WRONG))
            signs.marked += int(np.count_nonzero(stretch.congested & mine))
            if not half.vitals.accurate:
                signs.echoed += int(np.count_nonzero(stretch.echoes & mine))
            for name, each in zip(counts, marked, strict=True):
                number = int(np.count_nonzero(each & mine))
                if number:
                    self._analysis.marks.counts[half.side][name] += number

    def add_headers(self, stretch: Stretch, places: list[int]) -> None:
        """Add the headers of those of which only the data was counted."""
        which = np.zeros(stretch.count, np.bool_)
        which[places] = True
        for side, half in enumerate(self._halves):
            half.zeek.ip_bytes += self._headers(stretch, which & (stretch.side == bool(side)))

    def _headers(self, stretch: Stretch, which: Array) -> int:
        """Bytes of IP and TCP headers in all; of frames that look alike one is read.

        Unless the columns have them: a frame that was padded does not show how long it is.
        """
        if stretch.heads is not None:
            return int(stretch.heads[which].sum(dtype=np.int64))
        places = np.flatnonzero(which)
        kinds = stretch.around(places)
        total = 0
        for kind in np.flatnonzero(np.bincount(kinds)).tolist():
            alike = places[kinds == kind].tolist()
            # Of what did not come by columns it is not known how long the frames were.
            some = alike[:1] if kind >= 2 else alike
            for place in some:
                one = self._reader.read(self._reader.base + place)
                total += len(alike) // len(some) * (one.ip_len - one.payload_len)
        return total


def _before_letter(places: Array, count: int, begin: int, end: int) -> int:
    """Where of something that has happened so often Zeek writes down the next, 10th, 100th time."""
    low, high = span(places, begin, end)
    more = 10 ** len(str(count)) - count if count else 1
    return int(places[low + more - 1]) if high - low >= more else end
