"""The decoder: frames in, segments out, everything else counted by reason."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from struct import Struct

from tcpviz.core.records import Unreachable
from tcpviz.core.segment import NO_OPTIONS, Options, Segment
from tcpviz.wire import icmp, ip, link, tcp, tunnels, wlan
from tcpviz.wire.fragments import Fragments
from tcpviz.wire.frame import Frame
from tcpviz.wire.numbers import LINK_TYPES
from tcpviz.wire.walk import Kind, Layer, Next, Skip, Walk, malformed

MAX_STEPS = 32
"""Headers on one frame before TCP's that are followed."""

MAX_REASONS = 200
"""Different reasons that are counted apart; made-up protocol numbers share one after that."""

MAX_EXTRA = 4096
"""Segments kept in ``extra`` for whoever reads it; the oldest go first."""

_TOO_DEEP = malformed(f"more than {MAX_STEPS} headers inside one another")
_OTHER = Skip("other reasons")

# Ethernet without tags, IPv4 without options, TCP: from the EtherType on.
_PLAIN = Struct("!12xHBBHHHBB10xHHIIHHHH").unpack_from

_LINK_STEPS: dict[Layer, Callable[[Walk, int], Next]] = {
    Layer.ETHERNET: link.ethernet,
    Layer.VLAN: link.vlan,
    Layer.BACKBONE: link.backbone,
    Layer.MPLS: link.mpls,
    Layer.LLC: link.llc,
    Layer.PPPOE: link.pppoe,
    Layer.PPP: link.ppp,
    Layer.PPP_WITH_DIRECTION: link.ppp_with_direction,
    Layer.CISCO_HDLC: link.cisco_hdlc,
    Layer.LOOPBACK: link.loopback,
    Layer.COOKED: link.cooked,
    Layer.COOKED2: link.cooked2,
    Layer.FDDI: link.fddi,
    Layer.WLAN: wlan.wlan,
    Layer.RADIOTAP: wlan.radiotap,
    Layer.NFLOG: link.nflog,
    Layer.IP: ip.ip,
    Layer.AUTHENTICATION: ip.authentication,
    Layer.UDP: tunnels.udp,
    Layer.GRE: tunnels.gre,
    Layer.ETHER_IP: tunnels.ether_ip,
    Layer.VXLAN: tunnels.vxlan,
    Layer.VXLAN_GPE: tunnels.vxlan_gpe,
    Layer.GENEVE: tunnels.geneve,
    Layer.GTP: tunnels.gtp,
    Layer.L2TP: tunnels.l2tp,
    Layer.TEREDO: tunnels.teredo,
    Layer.TZSP: tunnels.tzsp,
    Layer.ERSPAN_2: tunnels.erspan2,
    Layer.ERSPAN_3: tunnels.erspan3,
    Layer.ICMP: icmp.icmp,
    Layer.ICMP6: icmp.icmp6,
}


Counts = tuple[int, int, dict[str, int], dict[str, int], dict[str, int]]
"""``frames``, ``segments``, ``skipped``, ``malformed`` and ``cut`` of a decoder."""


class Decoder:
    """Turns frames into segments and counts those that give none.

    ``frames``    frames handed in
    ``segments``  segments given out, those of :attr:`extra` included
    ``skipped``   frames without a segment, by reason
    ``malformed`` the part of ``skipped`` whose frames are wrong in themselves
    ``cut``       the part of ``skipped`` whose snapshot ends before the TCP header does
    ``extra``     segments that :meth:`decode` had no place for, see below; whoever
                  reads them takes them out
    ``errors``    ICMP errors about TCP segments, to be taken out likewise

    What is in ``skipped`` only is something else than TCP. One frame may hold
    several segments (an 802.11 A-MSDU): the first is returned, the others are in
    ``extra``. A fragmented segment is returned for the frame that makes it whole;
    one that never became whole, but whose TCP header was seen, comes to ``extra``
    when it is given up, with the time and number of its first fragment and, as
    payload length, what is known to have been sent. That happens when pieces have
    not come for 30 s by the capture's clock (told by :meth:`tick`, or by the next
    fragment), when too many wait, and at the end (:meth:`finish`): so a capture whose
    filter lets only first fragments through loses nothing.

    ``keep_payload`` false leaves ``Segment.payload`` empty (lengths stay true);
    ``verify`` false leaves ``checksum_ok`` at ``None``.

    Nothing raises, whatever the bytes are.
    """

    def __init__(self, keep_payload: bool = True, verify: bool = True) -> None:
        self.keep_payload = keep_payload
        self.verify = verify
        self.frames = 0
        self.segments = 0
        self.skipped: Counter[str] = Counter()
        self.malformed: Counter[str] = Counter()
        self.cut: Counter[str] = Counter()
        self.extra: deque[Segment] = deque(maxlen=MAX_EXTRA)
        self.errors: deque[Unreachable] = deque(maxlen=MAX_EXTRA)
        self._fragments = Fragments(keep_payload)

    @property
    def abandoned(self) -> int:
        """Fragmented datagrams given up before they were whole (too old, or too many)."""
        return self._fragments.abandoned

    @property
    def reassembled(self) -> int:
        """Datagrams of several fragments that became whole."""
        return self._fragments.whole

    def decode(self, frame: Frame) -> Segment | None:
        """The segment that ``frame`` carries, or ``None``, counted in ``skipped``."""
        self.frames += 1
        data = frame.data
        captured = len(data)
        if frame.link_type == 1 and captured >= 54:
            (
                ethertype,
                first,
                tos,
                total,
                ident,
                fragment,
                ttl,
                protocol,
                _,
                _,
                seq,
                ack,
                bits,
                window,
                checksum,
                urgent,
            ) = _PLAIN(data)
            if (
                ethertype == 0x0800
                and first == 0x45
                and protocol == 6
                and not fragment & 0x3FFF
                and bits >= 0x5000
            ):
                # The road of nearly every packet, without a step's cost; equal to the
                # long road (a test holds them together).
                inside = 34 + (bits >> 12) * 4
                end = 14 + total
                if inside <= end and (end <= captured or end <= frame.wire_len):
                    whole = end <= captured
                    if inside == 54:
                        options: Options = NO_OPTIONS
                    elif inside <= captured:
                        options = tcp.read_options(data[54:inside])
                    else:
                        options = tcp.read_options(data[54:], True)
                    src, dst = tcp.endpoints(data[26:38])
                    self.segments += 1
                    return Segment(
                        frame.time_ns,
                        src,
                        dst,
                        seq,
                        ack,
                        tcp.FLAGS[bits & 0x1FF],
                        window,
                        end - inside,
                        options,
                        data[inside:end] if self.keep_payload else b"",
                        urgent,
                        frame.number,
                        (),
                        ttl,
                        ident,
                        tos & 3,
                        (bits >> 9) & 7,
                        frame.interface,
                        tcp.check(data[26:end], total - 20, checksum)
                        if whole and self.verify
                        else None,
                        False,
                        inside - 34,
                        checksum,
                        total,
                    )
        return self._long_way(frame)

    def skip_alike(self, frame: Frame, count: int) -> None:
        """Count ``count`` frames that are all skipped, for the same reason as this one."""
        before = (self.skipped, self.malformed, self.cut)
        copies = [Counter(each) for each in before]
        self.decode(frame)
        for now, then in zip(before, copies, strict=True):
            for reason in now:
                now[reason] += (now[reason] - then[reason]) * (count - 1)
        self.frames += count - 1

    @property
    def counts(self) -> Counts:
        """What it has counted, as it is now."""
        reasons = dict(self.skipped), dict(self.malformed), dict(self.cut)
        return self.frames, self.segments, *reasons

    def add(self, counts: Counts) -> bool:
        """Count what another has counted; nothing, and false, where that is too many reasons."""
        frames, segments, *reasons = counts
        if len(self.skipped.keys() | reasons[0].keys()) >= MAX_REASONS:
            return False
        self.frames += frames
        self.segments += segments
        for mine, theirs in zip((self.skipped, self.malformed, self.cut), reasons, strict=True):
            mine.update(theirs)
        return True

    @property
    def idle(self) -> bool:
        """Whether no frame so far needed, or needs, another one beside it."""
        fragments = self._fragments
        return not (self.extra or len(fragments) or fragments.whole or fragments.abandoned)

    def tick(self, now_ns: int) -> None:
        """It is ``now_ns`` by the capture's clock: what waited too long comes to ``extra``."""
        self._fragments.expire(now_ns)
        self._collect_given_up()

    def finish(self) -> None:
        """The source has ended: segments whose fragments never all came go to ``extra``."""
        self._fragments.finish()
        self._collect_given_up()

    def _long_way(self, frame: Frame) -> Segment | None:
        layer = LINK_TYPES.get(frame.link_type)
        if layer is None:
            self._skip(Skip(f"unknown link type {frame.link_type}"))
            return None
        walk = Walk(frame.data, frame.wire_len, frame.time_ns, frame.number, frame.interface)
        result = self._follow(walk, layer, 0)
        found = result if isinstance(result, Segment) else None
        # Those found while reading these join the same list, whose length is bounded.
        for other, layer, offset in walk.more:
            another = self._follow(other, layer, offset)
            if isinstance(another, Segment):
                self.segments += 1
                if found is None:
                    found = another
                else:
                    self.extra.append(another)
        if isinstance(result, Segment):
            self.segments += 1
        elif found is None:
            self._skip(result)
        if walk.errors:
            self.errors.extend(walk.errors)
        if self._fragments.given_up:
            self._collect_given_up()
        return found

    def _follow(self, walk: Walk, layer: Layer, offset: int) -> Segment | Skip:
        """Step by step from ``layer`` at ``offset`` to a segment or the reason for none."""
        for _ in range(MAX_STEPS):
            if layer is Layer.TCP:
                return tcp.tcp(walk, offset, self.keep_payload, self.verify)
            following: Next
            if layer is Layer.IPV4:
                following = ip.ipv4(walk, offset, self._fragments)
            elif layer is Layer.IPV6:
                following = ip.ipv6(walk, offset, self._fragments)
            else:
                following = _LINK_STEPS[layer](walk, offset)
            if not isinstance(following, tuple):
                return following
            layer, offset = following
        return _TOO_DEEP

    def _skip(self, skip: Skip) -> None:
        if skip.reason not in self.skipped and len(self.skipped) >= MAX_REASONS:
            skip = Skip(_OTHER.reason, skip.kind)
        self.skipped[skip.reason] += 1
        if skip.kind is Kind.MALFORMED:
            self.malformed[skip.reason] += 1
        elif skip.kind is Kind.CUT:
            self.cut[skip.reason] += 1

    def _collect_given_up(self) -> None:
        for walk, whole in self._fragments.given_up:
            walk.data = whole.data
            walk.limit = len(whole.data)
            walk.end = whole.length
            walk.ip_at = -20 if len(walk.src) == 4 else -40
            segment = tcp.tcp(walk, 0, self.keep_payload, verify=False)
            if isinstance(segment, Segment):
                self.segments += 1
                self.extra.append(segment)
        self._fragments.given_up.clear()
