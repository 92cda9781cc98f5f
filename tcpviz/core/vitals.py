"""Vital signs: what verdicts need of a connection's segments and neither states nor marks keep.

Counted segment by segment, each end for itself: what was sent again, how long
a window was shut, since when nobody answers, with which TTL, and echoes of
things that the other end never sent. Times are the capture's, in nanoseconds.
"""

from __future__ import annotations

from tcpviz.core import seq as seqno
from tcpviz.core.flow import dsack_of
from tcpviz.core.marks import MarkName, Observation
from tcpviz.core.records import Side
from tcpviz.core.segment import ACK, ECN, FIN, RST, SYN, Flags, Segment

FAR = 1 << 26
"""No SACK block lies further than this from its ACK: 64 MB, more than Linux' largest buffers."""

STRANGE_TICKS = 10_000_000
"""A timestamp echoed this far from all that were sent was not sent: hours, in milliseconds."""

MAX_TTLS = 4
"""Different TTLs of one sender that are told apart."""

MAX_UNSURE = 64
"""Segments sent again of which a D-SACK may yet tell that they were needless; the latest ones."""

_MPTCP = 30
_CONGESTION_EXPERIENCED = 3
_URG, _ECE = int(Flags.URG), int(Flags.ECE)
_SYN_RST, _SYN_FIN = SYN | RST, SYN | FIN
_ODD = int(Flags.URG | Flags.ECE | Flags.FIN)
_SYN_ACK = SYN | ACK
_ASKS_ACCURATE = SYN | ECN
ACCURATE = frozenset(map(int, (Flags.CWR, Flags.CWR | Flags.ECE, Flags.AE, Flags.AE | Flags.CWR)))
"""What a SYN,ACK answers that agrees to accurate ECN (RFC 9768 section 3.1.1, table 2)."""
_ALIVE = (MarkName.KEEP_ALIVE, MarkName.ZERO_WINDOW_PROBE)


class Signs:
    """One end's signs; what is counted is what this end sent, unless said otherwise.

    ``data``, ``again``   segments with data, and those of them sent again
    ``again_unseen``      of ``again``: the first copy was lost before the capture point; not what
                          an older timestamp than its sender's latest shows to be overtaken only
    ``needless``          sent again though all of it was acknowledged, or though the first copy
                          arrived as well: the other end says so by D-SACK (RFC 3708)
    ``keep_alives``       keep-alives, and ``unanswered_alive`` those since the other end's
                          latest segment
    ``bare_syns``         SYNs without ACK, copies left out
    ``syns``              SYNs (and SYN,ACKs), the first with number ``iss``; the first and
                          the last at ``first_syn_ns``, ``last_syn_ns``
    ``first_fin_ns``, ``last_fin_ns``, ``rst_ns``  ``None`` where there was none
    ``last_ns``, ``before_ns``  its latest segment and the one before that
    ``waiting_ns``        since when data is out of which nothing was acknowledged, ``None`` if
                          there is none; ``stuck`` how often data was sent again since then,
                          ``stuck_len`` its length, and ``retries`` the part of it since the
                          other end last said anything at all
    ``largest_acked``     longest payload known to have arrived
    ``zero_since_ns``     since when its window is zero; ``zero_ns`` the sum of earlier times,
                          ``zero_longest_ns`` the longest of them, ``zero_times`` their number
    ``syn_ttl``, ``ttls``, ``rst_ttl``  TTLs of its SYN, of what followed, and of its reset
    ``strange_echoes``    timestamps echoed that the other end never sent
    ``strange_sacks``     SACK blocks far from anything that the other end sent
    ``summed``, ``bad_sums``  segments whose checksum could be checked, and was wrong
    ``marked``, ``echoed``    packets marked "congestion experienced"; segments with ECE
    ``urgent``            segments with URG
    ``other_data``        segments whose numbers had been captured with other data
    ``mptcp``             it speaks Multipath TCP
    ``frames``            frames that show some of these, by :data:`EVIDENCE`'s names; those of
                          SYNs, FIN, RST and the latest segment in ``..._frame``, 0 where none
    """

    __slots__ = (
        "_biggest",
        "_unsure",
        "again",
        "again_unseen",
        "bad_sums",
        "bare_syns",
        "before_ns",
        "data",
        "echoed",
        "first_fin_frame",
        "first_fin_ns",
        "first_syn_frame",
        "first_syn_ns",
        "frames",
        "iss",
        "keep_alives",
        "largest_acked",
        "last_fin_frame",
        "last_fin_ns",
        "last_frame",
        "last_ns",
        "last_syn_frame",
        "last_syn_ns",
        "marked",
        "mptcp",
        "needless",
        "next",
        "other_data",
        "retries",
        "rst_frame",
        "rst_ns",
        "rst_ttl",
        "strange_echoes",
        "strange_sacks",
        "stuck",
        "stuck_len",
        "summed",
        "syn_ttl",
        "syns",
        "ticks",
        "ttls",
        "una",
        "unanswered_alive",
        "urgent",
        "waiting_ns",
        "zero_longest_ns",
        "zero_ns",
        "zero_since_ns",
        "zero_times",
    )

    def __init__(self) -> None:
        self.data = self.again = self.again_unseen = self.needless = 0
        self.keep_alives = self.unanswered_alive = 0
        self.iss: int | None = None
        self.syns = self.bare_syns = 0
        self.first_syn_ns: int | None = None
        self.last_syn_ns: int | None = None
        self.first_fin_ns: int | None = None
        self.last_fin_ns: int | None = None
        self.rst_ns: int | None = None
        self.last_ns: int | None = None
        self.before_ns: int | None = None
        self.next: int | None = None
        self.una: int | None = None
        self.waiting_ns: int | None = None
        self.retries = self.stuck = self.stuck_len = 0
        self.largest_acked = 0
        self._biggest: tuple[int, int] | None = None
        # Sent again, nobody knows yet whether for nothing: from, up to, frame.
        self._unsure: list[tuple[int, int, int]] | None = None
        self.zero_since_ns: int | None = None
        self.zero_ns = self.zero_longest_ns = self.zero_times = 0
        self.syn_ttl: int | None = None
        self.ttls: tuple[int, ...] = ()
        self.rst_ttl: int | None = None
        self.ticks: int | None = None
        self.strange_echoes = self.strange_sacks = 0
        self.summed = self.bad_sums = 0
        self.marked = self.echoed = self.urgent = self.other_data = 0
        self.mptcp = False
        self.first_syn_frame = self.last_syn_frame = self.rst_frame = 0
        self.first_fin_frame = self.last_fin_frame = self.last_frame = 0
        self.frames: dict[str, int] | None = None

    def show(self, what: str, frame: int, *, latest: bool = False) -> None:
        """``frame`` shows ``what``; the first one is kept, or the ``latest``."""
        if self.frames is None:
            self.frames = {}
        if latest or what not in self.frames:
            self.frames[what] = frame

    @property
    def outstanding(self) -> int:
        """Sequence numbers sent and, as far as captured, not acknowledged."""
        if self.next is None or self.una is None:
            return 0
        return max(0, seqno.diff(self.next, self.una))

    def zero_window_ns(self, now_ns: int) -> int:
        """How long its window has been zero in all, up to ``now_ns``."""
        if self.zero_since_ns is None:
            return self.zero_ns
        return self.zero_ns + max(0, now_ns - self.zero_since_ns)

    def take_sent(
        self, segment: Segment, observation: Observation | None, *, accurate: bool = False
    ) -> None:
        """A segment that this end sent; ``accurate`` as in :class:`Vitals`."""
        flags, now = int(segment.flags), segment.time_ns
        self.before_ns, self.last_ns = self.last_ns, now
        self.last_frame = segment.frame
        if flags & _SYN_RST:
            self._take_syn_or_rst(segment, flags, now)
        elif segment.ttl is not None and segment.ttl not in self.ttls:
            self.ttls = (*self.ttls, segment.ttl)[:MAX_TTLS]
        if flags & _ODD:
            self._take_odd_flags(segment.frame, flags & ~_ECE if accurate else flags, now)
        if segment.ecn == _CONGESTION_EXPERIENCED:
            self.marked += 1
            self.show("marked", segment.frame)
        if segment.checksum_ok is not None:
            self.summed += 1
            if not segment.checksum_ok:
                self.bad_sums += 1
                self.show("sum", segment.frame)
        if flags & RST:
            return
        if segment.window == 0 or self.zero_since_ns is not None:
            self._window(segment, flags, now)
        timestamps = segment.options.timestamps
        if timestamps is not None and (self.ticks is None or seqno.gt(timestamps[0], self.ticks)):
            self.ticks = timestamps[0]
        marks = () if observation is None else observation.marks
        if marks and any(mark.name in _ALIVE for mark in marks):
            self.keep_alives += 1
            self.unanswered_alive += 1
            self.show("alive", segment.frame, latest=True)
        elif segment.payload_len or flags & _SYN_FIN:
            self._take_data(segment, observation, now)

    def take_received(self, segment: Segment, sender: Signs) -> None:
        """A segment that the other end sent to this one."""
        self.unanswered_alive = self.retries = 0
        flags = int(segment.flags)
        if flags & ACK and self.next is not None:
            beyond = seqno.diff(segment.ack, self.next)
            if beyond > 0:
                if flags & RST or beyond >= FAR:
                    return
                self.next = segment.ack  # what the capture missed
            if self.una is None or seqno.gt(segment.ack, self.una):
                self.una = segment.ack
                self.stuck = 0
                self.waiting_ns = None if segment.ack == self.next else segment.time_ns
                if self._biggest is not None and seqno.ge(segment.ack, self._biggest[0]):
                    self.largest_acked = max(self.largest_acked, self._biggest[1])
                    self._biggest = None
        if flags & RST:
            return
        options = segment.options
        if options.sack:
            if self._unsure:
                self._take_double(segment, self._unsure)
            for left, _ in options.sack:
                if abs(seqno.diff(left, segment.ack)) > FAR:
                    sender.strange_sacks += 1
                    sender.show("sack", segment.frame)
        if (
            options.timestamps is not None
            and self.ticks is not None
            and options.timestamps[1]
            and flags & ACK
            and abs(seqno.diff(options.timestamps[1], self.ticks)) > STRANGE_TICKS
        ):
            sender.strange_echoes += 1
            sender.show("echo", segment.frame)

    def _take_double(self, segment: Segment, unsure: list[tuple[int, int, int]]) -> None:
        """What came twice was not lost; a packet that the network doubled was not sent again."""
        double = dsack_of(segment)
        if double is None:
            return
        for place, (seq, end, frame) in enumerate(unsure):
            if seqno.le(double[0], seq) and seqno.le(end, double[1]):
                self.needless += 1
                self.show("needless", frame)
                del unsure[place]
                return

    def note_again(self, seq: int, end: int, frame: int) -> None:
        """``[seq, end)`` was sent again in ``frame``: a D-SACK may tell that it was for nothing."""
        if self._unsure is None:
            self._unsure = []
        self._unsure.append((seq, end, frame))
        if len(self._unsure) > MAX_UNSURE:
            del self._unsure[0]

    def _take_odd_flags(self, frame: int, flags: int, now: int) -> None:
        if flags & FIN and not flags & RST:
            if self.first_fin_ns is None:
                self.first_fin_ns, self.first_fin_frame = now, frame
            self.last_fin_ns, self.last_fin_frame = now, frame
        if flags & _URG:
            self.urgent += 1
            self.show("urgent", frame)
        if flags & _ECE and not flags & SYN:
            self.echoed += 1
            self.show("echoed", frame)

    def _take_syn_or_rst(self, segment: Segment, flags: int, now: int) -> None:
        if flags & RST:
            self.rst_ns, self.rst_frame = now, segment.frame
            self.rst_ttl = segment.ttl
            return
        self.syns += 1
        self.bare_syns += not flags & ACK
        self.iss = segment.seq if self.iss is None else self.iss
        self.syn_ttl = segment.ttl
        if self.first_syn_ns is None:
            self.first_syn_ns, self.first_syn_frame = now, segment.frame
        self.last_syn_ns, self.last_syn_frame = now, segment.frame
        self.mptcp = any(kind == _MPTCP for kind, _ in segment.options.unknown)

    def _window(self, segment: Segment, flags: int, now: int) -> None:
        """A window of zero that anybody could wait for: not in a SYN, not behind a FIN."""
        if segment.window == 0 and flags & ACK and not flags & (SYN | FIN):
            if self.zero_since_ns is None:
                self.zero_since_ns = now
                self.zero_times += 1
                self.show("zero", segment.frame)
                self.show("last zero", segment.frame, latest=True)
        elif self.zero_since_ns is not None:
            lasted = max(0, now - self.zero_since_ns)
            self.zero_ns += lasted
            self.zero_longest_ns = max(self.zero_longest_ns, lasted)
            self.zero_since_ns = None

    def _take_data(self, segment: Segment, observation: Observation | None, now: int) -> None:
        end, length = segment.seq_end, segment.payload_len
        if self.una is None:
            self.una = segment.seq
        repeated, names = False, frozenset[MarkName]()
        if observation is not None:
            repeated = observation.seen_before > 0
            if observation.other_data:
                self.other_data += 1
                self.show("other data", observation.frame)
            if observation.marks:
                names = frozenset(mark.name for mark in observation.marks)
        # All acknowledged before, and never captured: it may simply be captured late.
        spurious = MarkName.SPURIOUS_RETRANSMISSION in names
        again = repeated or (MarkName.RETRANSMISSION in names and not spurious)
        # Nor was sent again what its clock shows to be sent before what came first: it was
        # overtaken, though Wireshark may take it for a retransmission.
        stamps = segment.options.timestamps
        if again and not repeated and stamps is not None and self.ticks is not None:
            again = not seqno.lt(stamps[0], self.ticks)
        if length:
            self.data += 1
            if again:
                self.again += 1
                self.again_unseen += not repeated
                self.show("again", segment.frame)
                self.show("last again", segment.frame, latest=True)
                if spurious:
                    self.needless += 1
                    self.show("needless", segment.frame)
                else:
                    self.note_again(segment.seq, end, segment.frame)
            if length > self.largest_acked and (self._biggest is None or length > self._biggest[1]):
                self._biggest = (end, length)
        if again and length and seqno.le(segment.seq, self.una):
            self.retries += 1
            self.stuck += 1
            self.stuck_len = length
        if self.next is None or seqno.gt(end, self.next):
            self.next = end
        if self.waiting_ns is None and seqno.gt(end, self.una):
            self.waiting_ns = now


class Vitals:
    """Both ends' signs.

    ``copies``        packets that the capture saw twice; they count for nothing else
    ``first_flags``   the flags of the very first segment, and ``first_len`` its data
    ``late_syns``     SYNs with another number into a connection that has one already
    ``accurate``      ECE is one digit of a counter of marks (RFC 9768), and no echo by itself
    ``frames``        the first ``copy``, and the first ``gap`` that an ACK shows
    """

    __slots__ = (
        *("_sides", "accurate", "copies", "first_flags", "first_len", "frames", "late_syns"),
    )

    def __init__(self) -> None:
        self._sides: dict[Side, Signs] = {}
        self.copies = 0
        self.first_flags: int | None = None
        self.first_len = 0
        self.late_syns = 0
        self.accurate = False
        self.frames: dict[str, int] | None = None

    def of(self, side: Side) -> Signs:
        """An end's signs; made when first asked for, since most ends of a scan never speak."""
        signs = self._sides.get(side)
        if signs is None:
            signs = self._sides[side] = Signs()
        return signs

    def take_signs(self, signs: dict[Side, Signs]) -> None:
        """Have these signs instead: for what was worked out elsewhere."""
        self._sides = signs

    def observe(self, segment: Segment, side: Side, observation: Observation | None) -> None:
        """Take the next segment, sent by ``side``, with what the marks say of it."""
        if observation is not None and observation.is_copy:
            self.copies += 1
            self._show("copy", segment.frame)
            return
        if observation is not None and observation.marks and _shows_gap(observation):
            self._show("gap", segment.frame)
        flags = int(segment.flags)
        if self.first_flags is None:
            self.first_flags = flags
            self.first_len = segment.payload_len
        sides = self._sides
        me = sides.get(side) or self.of(side)
        peer = sides.get(Side.SERVER if side is Side.CLIENT else Side.CLIENT)
        if flags & SYN and not flags & RST and peer is not None and peer.last_ns is not None:
            self.late_syns += me.iss not in (None, segment.seq)
        if flags & _SYN_ACK == _SYN_ACK and self.first_flags & _ASKS_ACCURATE == _ASKS_ACCURATE:
            self.accurate = flags & ECN in ACCURATE
        me.take_sent(segment, observation, accurate=self.accurate)
        if peer is not None:
            peer.take_received(segment, me)

    def _show(self, what: str, frame: int) -> None:
        if self.frames is None:
            self.frames = {}
        self.frames.setdefault(what, frame)


def _shows_gap(observation: Observation) -> bool:
    return any(mark.name is MarkName.ACK_LOST_SEGMENT for mark in observation.marks)
