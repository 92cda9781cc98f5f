"""Packets that the capture saw twice: a property of the capture, not of the connection.

A port mirrored in both directions, a bridge and its port, ``-i any`` on a
router: each shows one packet more than once. A retransmission is a new packet.
It has a new IP identification, where the copy has the old one, and comes a
round trip or a timeout later, where the copy comes at once. tcptrace calls
such copies "hardware duplicates".
"""

from __future__ import annotations

from tcpviz.core.segment import Segment

SAME_PACKET_NS = 100_000_000
"""A copy with the same identification comes within this. Half of Linux' least RTO."""

ANONYMOUS_NS = 1_000_000
"""The same where there is no identification to compare (IPv6, or zero with DF)."""

AT_ONCE_NS = 10_000
"""Nobody sends the same data again as quickly as this."""

RECENT = 16
"""Packets of a connection, the latest, among which the original of a copy is looked for."""
_SYNS = 4


class TwiceSeen:
    """Recognises copies among the last segments of one connection.

    An identification that a sender puts on different packets (some write the
    same into all) identifies nothing. Without one, a copy cannot always be told from a quick
    repetition: duplicate ACKs are alike to the last bit. So such a segment is
    taken for a copy only where it carries data (or SYN or FIN) and comes at
    once, or where the connection has shown a proven copy already.
    """

    __slots__ = ("_idents", "_marks", "_meaningless", "_recent", "_syns", "copies", "rewritten")

    def __init__(self) -> None:
        # Fingerprints and identifications of the latest segments, and when and where they came:
        # whether one is among them is asked of each segment, which of them almost never.
        self._marks: list[int] = []
        self._idents: list[int] = []
        self._recent: list[tuple[int, int]] = []
        self._syns: list[Segment] = []
        self._meaningless = False
        self.copies = 0
        """How many copies were seen so far."""
        self.rewritten: tuple[Segment, Segment] | None = None
        """A SYN before and behind something that changed its options."""

    @property
    def meaningless(self) -> bool:
        """A sender puts the same identification on different packets."""
        return self._meaningless

    def take(self, known: TwiceSeen) -> None:
        """Go on with what another one knows, which is not to be used any more."""
        self._recent, self._syns = known._recent, known._syns
        self._marks, self._idents = known._marks, known._idents
        self._meaningless, self.copies = known._meaningless, known.copies
        self.rewritten = known.rewritten

    def remember(self, segment: Segment) -> None:
        """A segment that is no copy, known to be like none before it."""
        ident = hash((segment.src, segment.ip_id)) if segment.ip_id else 0
        self._keep(_fingerprint(segment), ident, segment)

    def _keep(self, mark: int, ident: int, segment: Segment) -> None:
        marks = self._marks
        if len(marks) >= RECENT:
            del marks[0], self._idents[0], self._recent[0]
        marks.append(mark)
        self._idents.append(ident)
        self._recent.append((segment.time_ns, segment.frame))

    def original(self, segment: Segment) -> int | None:
        """Frame number of the packet of which this is a copy, else ``None``."""
        ip_id = segment.ip_id
        if ip_id and segment.syn:
            before = self._same_syn(segment)
            if before is not None:
                self.copies += 1
                self.rewritten = self.rewritten or (before, segment)
                return before.frame
        mark = _fingerprint(segment)
        ident = hash((segment.src, ip_id)) if ip_id else 0
        marks = self._marks
        if ident and not self._meaningless and ident in self._idents:
            used = zip(self._idents, marks, strict=True)
            self._meaningless = any(ident == one and mark != known for one, known in used)
        if mark in marks:
            identified = ident and not self._meaningless
            if identified or self.copies:
                limit = SAME_PACKET_NS if identified else ANONYMOUS_NS
            else:
                limit = AT_ONCE_NS if segment.seq_len else -1
            for known, (time_ns, frame) in zip(marks, self._recent, strict=True):
                if known == mark and abs(segment.time_ns - time_ns) <= limit:
                    self.copies += 1
                    return frame
        self._keep(mark, ident, segment)
        return None

    def _same_syn(self, segment: Segment) -> Segment | None:
        """The same SYN at another place: a router lies between, and the options have changed.

        Without the other TTL it would be a second SYN of a sender that always writes the
        same identification.
        """
        for known in self._syns:
            if (
                known.ip_id == segment.ip_id
                and (known.src, known.seq, known.ack) == (segment.src, segment.seq, segment.ack)
                and known.flags == segment.flags
                and abs(known.time_ns - segment.time_ns) <= SAME_PACKET_NS
                and None not in (known.ttl, segment.ttl)
                and known.ttl != segment.ttl
                and known.options != segment.options
            ):
                return known
        if len(self._syns) < _SYNS:
            self._syns.append(segment)
        return None


def _fingerprint(segment: Segment) -> int:
    """Of all that a router leaves alone. TTL, ECN and the tags in front may change."""
    return hash(
        (
            segment.src,
            segment.dst,
            segment.ip_id,
            segment.seq,
            segment.ack,
            int(segment.flags),
            segment.window,
            segment.payload_len,
            segment.urgent,
            segment.options,
            segment.payload,
        )
    )
