"""One end of a connection: its variables in the words of RFC 9293 section 3.3.1.

An observer does not have the end's own variables. What stands here is what the
segments show of them: ``snd_nxt`` is the furthest that it has been seen to
send, ``rcv_nxt`` the furthest that it has acknowledged, and so on.
"""

from __future__ import annotations

import enum

from tcpviz.core import seq as seqno
from tcpviz.core.claims import Claim
from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint, Segment
from tcpviz.core.states import Opened, State


class Sums(enum.Enum):
    """What the checksums of one end's segments are worth at this place of capture.

    ``UNTRIED``  none was right so far (and none was believed in spite of being wrong)
    ``RIGHT``    some were right: a wrong one is wrong in itself
    ``OFFLOAD``  wrong ones were acknowledged, or none of many was right: the card fills them in
                 after the capture, and a right one is right by chance
    """

    UNTRIED = "untried"
    RIGHT = "right"
    OFFLOAD = "offload"


class Received:
    """What has been handed to a receiver: RCV.NXT, and what lies beyond a hole.

    ``recent`` is TS.Recent (RFC 7323), from what has arrived. Of a listener's end: ``syn_ns``
    is when the latest SYN came, ``timeouts`` counts SYN,ACKs sent again by themselves.

    Only used where arrivals are watched (the lab). At most :data:`LIMIT`
    stretches beyond holes are kept; further ones are forgotten, as a receiver
    with a full buffer would.
    """

    LIMIT = 256
    __slots__ = ("beyond", "next", "recent", "syn_ns", "timeouts")

    def __init__(self, first: int, segment: Segment) -> None:
        self.next = first
        self.syn_ns = 0
        self.timeouts = 0
        self.beyond: list[tuple[int, int]] = []
        stamps = segment.options.timestamps
        self.recent = None if stamps is None else stamps[0]

    def note_stamps(self, last_ack: int | None, segment: Segment) -> None:
        """RFC 7323 section 4.3: from segments that are not beyond the last ACK sent."""
        stamps = segment.options.timestamps
        if stamps is None or (last_ack is not None and seqno.gt(segment.seq, last_ack)):
            return
        if self.recent is None or seqno.gt(stamps[0], self.recent):
            self.recent = stamps[0]

    def add(self, start: int, end: int) -> None:
        """The stretch ``start`` up to but not including ``end`` has arrived."""
        if seqno.gt(start, self.next):
            if len(self.beyond) < self.LIMIT:
                self.beyond.append((start, end))
            return
        self.next = seqno.later(end, self.next)
        moved = True
        while moved:
            moved = False
            for stretch in self.beyond:
                if seqno.le(stretch[0], self.next):
                    self.next = seqno.later(stretch[1], self.next)
                    self.beyond.remove(stretch)
                    moved = True
                    break


def covers(fin: int | None, ack: int) -> bool:
    """``ack`` acknowledges the FIN numbered ``fin``."""
    return fin is not None and seqno.gt(ack, fin)


class End:
    """One end: its address, its claim, and its variables.

    ``claim``         where it stands now, and how that is known
    ``opened``        actively or passively; ``None`` while unknown
    ``iss``           its initial sequence number, ``None`` if its SYN was not seen
    ``sack``          its SYN said that it understands selective acknowledgements
    ``syn_end``       the number after its SYN and the data in it (Fast Open)
    ``snd_una``       SND.UNA as shown by the other end's acknowledgements
    ``snd_nxt``       SND.NXT as shown by what it has sent, and by what was acknowledged
    ``solid``         the end of the furthest SYN, data or FIN that was captured: beyond it,
                      up to ``snd_nxt``, a FIN may hide that was not
    ``solid_from``    where the captured run without a hole begins that ends at ``solid``, or
                      :data:`REMEMBERED` before that: no number is half a round behind
    ``rcv_nxt``       RCV.NXT as shown by the acknowledgements it has sent
    ``fin``           sequence number of its FIN
    ``fin_ack``       highest acknowledgement that one of its FIN segments carried
    ``fin_first``     one copy of its FIN shows that it had not got the other end's by then
    ``fin_second``    it is proved to have got the other end's FIN before it sent its own
    ``got_fin``       the other end's FIN is known to have reached it
    ``peer_fin``      sequence number of a FIN that arrived, in order or not (lab only)
    ``assumed_from``  the state it had before an arrival that nothing has proved yet;
                      it goes back there if what it sends contradicts the arrival
    ``window``        the window it last offered, in bytes (scaled where the scale is known)
    ``scale_cut``     the capture cut off its SYN's options before one told a scale
    ``first_seq``     lowest sequence number seen: what relative numbers count from
                      where the SYN was not seen (as Wireshark does)
    ``ts_recent``     TS.Recent of RFC 7323: what it compares the other end's timestamps with
    ``ts_sent``       the first and the latest timestamp it sent with its SYN
    ``closed_told``   its kernel has told that it is closed, and its FIN was not captured yet
    ``reset_ns``      when a reset that it sent, or that was sent to it, closed it
    ``doubted``       segments in its name that nobody needs to believe yet
    ``sums``          what its checksums are worth: see :mod:`tcpviz.core.doubt`
    ``wrong_sums``    how many were wrong before any was right, as far as that is asked
    """

    __slots__ = (
        "assumed_from",
        "bytes",
        "claim",
        "closed_told",
        "doubted",
        "endpoint",
        "fin",
        "fin_ack",
        "fin_acked",
        "fin_first",
        "fin_frame",
        "fin_second",
        "fins",
        "first_seq",
        "got_fin",
        "iss",
        "last_ack",
        "mss",
        "opened",
        "peer_fin",
        "rcv_nxt",
        "received",
        "reset_ns",
        "rsts",
        "sack",
        "scale_cut",
        "segments",
        "side",
        "snd_nxt",
        "snd_una",
        "solid",
        "solid_from",
        "sums",
        "syn_end",
        "syn_frame",
        "syns",
        "time_wait_since",
        "ts_recent",
        "ts_sent",
        "window",
        "window_scale",
        "wrong_sums",
    )

    def __init__(self, side: Side, endpoint: Endpoint, claim: Claim) -> None:
        self.side = side
        self.endpoint = endpoint
        self.claim = claim
        self.opened: Opened | None = None
        self.iss: int | None = None
        self.syn_end: int | None = None
        self.syn_frame = 0
        self.first_seq: int | None = None
        self.snd_una: int | None = None
        self.snd_nxt: int | None = None
        self.solid: int | None = None
        self.solid_from = 0
        self.rcv_nxt: int | None = None
        self.last_ack: int | None = None
        self.received: Received | None = None
        self.fin: int | None = None
        self.fin_ack: int | None = None
        self.fin_acked = False
        self.fin_first = False
        self.fin_second = False
        self.fin_frame = 0
        self.got_fin = False
        self.peer_fin: int | None = None
        self.assumed_from: State | None = None
        self.window: int | None = None
        self.window_scale: int | None = None
        self.scale_cut = False
        self.mss: int | None = None
        self.sack = False
        self.ts_recent: int | None = None
        self.ts_sent: tuple[int, int] | None = None
        self.time_wait_since: int | None = None
        self.closed_told = False
        self.reset_ns: int | None = None
        self.doubted: list[Segment] | None = None
        self.sums = Sums.UNTRIED
        self.wrong_sums = 0
        self.segments = 0
        self.bytes = 0
        self.syns = 0
        self.fins = 0
        self.rsts = 0

    def take(self, other: End) -> None:
        """Stand where ``other``, the same host's end in another connection, stands.

        With all its variables; not its counts, which are of that connection's segments.
        """
        for name in _VARIABLES:
            setattr(self, name, getattr(other, name))

    def begin_again(self) -> None:
        """A listener has gone back to LISTEN and answers another SYN: nothing holds any more."""
        blank = End(self.side, self.endpoint, self.claim)
        blank.sums, blank.wrong_sums, blank.doubted = self.sums, self.wrong_sums, None
        self.take(blank)

    @property
    def state(self) -> State:
        return self.claim.state

    @property
    def may_have_closed(self) -> bool:
        """A FIN of it may have been missed: before the capture began, or in a hole."""
        return self.fin is None and (self.solid is None or self.solid != self.snd_nxt)

    def not_closed_before(self, ack: int) -> bool:
        """Nothing up to ``ack`` of what this end sent was a FIN, seen or missed.

        What lies behind a hole is no proof of what was in the hole: it may be forged.
        """
        if self.doubted is not None or self.solid is None:
            return False
        last = self.solid if self.fin is None else self.fin
        return seqno.le(ack, last) and seqno.gt(ack, self.solid_from)

    def count(self, segment: Segment) -> None:
        """Add a segment that this end sent to its totals (``bytes`` of payload, repeats too)."""
        self.segments += 1
        self.bytes += segment.payload_len
        bits = int(segment.flags)
        if bits & 7:
            self.syns += bits >> 1 & 1
            self.fins += bits & 1
            self.rsts += bits >> 2 & 1

    def note_sent(self, segment: Segment, peer: End) -> None:
        """Move this end's variables on, after the segment's meaning has been taken.

        Not for resets, which tell nothing of them.
        """
        bits = int(segment.flags)
        length = segment.payload_len
        end = segment.seq
        if bits & 2:
            end = self._note_syn(segment, peer)
        elif length or bits & 1:
            end = (end + length + (bits & 1)) & 0xFFFFFFFF
        if self.first_seq is None:
            self.first_seq = segment.seq
        nxt = self.snd_nxt
        if nxt is None or (end - nxt - 1) & 0xFFFFFFFF < 0x7FFFFFFF:
            self.snd_nxt = end
        if length or bits & 3:
            solid, seq = self.solid, segment.seq
            if seq == solid:
                self.solid = end
                if (end - self.solid_from) & 0xFFFFFFFF > REMEMBERED:
                    self.solid_from = (end - REMEMBERED) & 0xFFFFFFFF
            else:
                self._note_solid(seq, end)
        window = segment.window
        if self.window_scale and not bits & 2 and peer.window_scale is not None:
            window <<= self.window_scale
        self.window = window
        if bits & 16:
            self._note_ack(segment.ack, peer)
        stamps = segment.options.timestamps
        if stamps is not None:
            self._note_stamps(segment, stamps, peer, syn=bits & 2 != 0)

    def _note_solid(self, seq: int, end: int) -> None:
        """Data, SYN or FIN elsewhere than right behind what was captured so far."""
        if self.solid is None or seqno.gt(seq, self.solid):
            self.solid, self.solid_from = end, seq
        elif seqno.ge(end, self.solid_from):
            self.solid = seqno.later(end, self.solid)
            if seqno.lt(seq, self.solid_from):
                self.solid_from = seq

    def _note_syn(self, segment: Segment, peer: End) -> int:
        options = segment.options
        if self.iss is None:
            self.iss = self.first_seq = segment.seq
            self.syn_frame = segment.frame
            self.syn_end = seqno.add(segment.seq, 1 + segment.payload_len)
        self.mss = options.mss
        self.sack = options.sack_permitted
        scale = options.window_scale
        self.window_scale = None if scale is None else min(scale, 14)
        if scale is not None or not options.cut:
            self.scale_cut = False
            if scale is None:
                peer.scale_cut = False  # nobody scales unless both do
        else:
            self.scale_cut = peer.iss is None or peer.window_scale is not None or peer.scale_cut
        return segment.seq_end  # a FIN in it, too, if somebody sends such a thing

    def _note_ack(self, ack: int, peer: End) -> None:
        self.last_ack = ack
        if self.received is not None:
            self.received.next = ack  # where there was no room for what came, it was dropped
        mine = self.rcv_nxt
        if mine is None or (ack - mine - 1) & 0xFFFFFFFF < 0x7FFFFFFF:
            self.rcv_nxt = ack
        una = peer.snd_una
        if una is None or (ack - una - 1) & 0xFFFFFFFF < 0x7FFFFFFF:
            peer.snd_una = ack
            sent = peer.snd_nxt
            if sent is None or (ack - sent - 1) & 0xFFFFFFFF < 0x7FFFFFFF:
                peer.snd_nxt = ack  # it was sent, though not captured
            if peer.fin is not None and seqno.gt(ack, peer.fin):
                peer.fin_acked = True
        if peer.first_seq is None:
            # Its first byte to come is the best origin there is for its numbers.
            peer.first_seq = ack

    def _note_stamps(
        self, segment: Segment, stamps: tuple[int, int], peer: End, *, syn: bool
    ) -> None:
        value = stamps[0]
        if syn:
            self.ts_sent = (value if self.ts_sent is None else self.ts_sent[0], value)
        # RFC 7323 section 4.3: from segments that are not beyond what was acknowledged.
        if syn or peer.rcv_nxt is None or seqno.le(segment.seq, peer.rcv_nxt):
            recent = peer.ts_recent
            if recent is None or seqno.gt(value, recent):
                peer.ts_recent = value


REMEMBERED = 1 << 30
"""Numbers that are known to have been captured: as many as can be on their way at most."""

_VARIABLES = tuple(
    name
    for name in End.__slots__
    if name not in ("side", "endpoint", "segments", "bytes", "syns", "fins", "rsts")
)
