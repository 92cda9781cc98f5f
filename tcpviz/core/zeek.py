"""Zeek's ``conn_state``, ``history`` and sums of a connection, letter for letter.

The rules are those of Zeek 7's ``TCPSessionAdapter.cc``, ``TCP_Endpoint.cc``,
``Conn.cc`` and ``scripts/base/protocols/conn/main.zeek``. Zeek's idea of an
end's state is its own, much coarser than RFC 9293's, and moves on what an end
sends. The history's letters are upper case for the originator:

====== ============================================== ==================
letter what                                           how often
====== ============================================== ==================
s h    SYN; SYN-ACK (they share one slot: the first   again with another
       of them that an end sends decides)             sequence number
f r    FIN; RST                                       likewise
a d    pure ACK; data                                 once an end
i q    FIN with RST; SYN with FIN or with RST         once an end
c g    bad checksum; content gap                      the 1st, 10th,
t w    retransmitted payload; zero window             100th ... time
^      the ends were swapped                          each time
====== ============================================== ==================

A segment with SYN, FIN or RST gives no ``a`` or ``d``, whatever else it
carries. What needs a clock is left to whoever uses this: Zeek forgets an
unanswered SYN after 5 s and a closed connection 5 s after its end, and calls
what comes then a new connection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tcpviz.core import seq as seqno
from tcpviz.core.records import Side
from tcpviz.core.segment import ACK, FIN, RST, SYN, Segment
from tcpviz.core.zeek_end import MASK64 as _MASK64
from tcpviz.core.zeek_end import OPENING as _OPENING
from tcpviz.core.zeek_end import End as _End
from tcpviz.core.zeek_end import ZeekState

MAX_HISTORY = 1000
"""Ours, letters: resets with ever new numbers would write a letter each, without end."""

_TOO_FAR = 1048576
_CONTROL, _SYN_RST = FIN | SYN | RST, SYN | RST
_RSTOS0 = re.compile(r"\^?S[^HAFGIQ]*R.*")

LIKELY_SERVER_PORTS = frozenset(
    {
        *(21, 2811, 22, 25, 587, 80, 81, 631, 1080, 3128, 8000, 8080, 8888, 88, 110, 143),
        *(443, 563, 585, 614, 636, 989, 990, 992, 993, 995, 5223, 853, 135, 139, 445, 389),
        *(3268, 502, 20000, 1434, 3306, 3389, 5432, 5060, 5222, 5269, 53, 137, 6666, 6667),
        *(6668, 6669, 6379, 1883, 102),
    }
)
"""TCP ports that Zeek's analyzers register for (``likely_server_ports``)."""


@dataclass(frozen=True, slots=True)
class ZeekSums:
    """The numbers of a line of ``conn.log``; of packets and bytes: originator, responder.

    ``duration_ns``  between the first segment and the last one before which not both ends had
                     closed, so without the ACK of the last FIN
    ``bytes``        of payload, told from sequence numbers
    ``missed_bytes`` acknowledged data that nobody saw, both ends'
    ``ip_bytes``     by the IP headers' lengths
    """

    duration_ns: int
    bytes: tuple[int, int]
    missed_bytes: int
    packets: tuple[int, int]
    ip_bytes: tuple[int, int]


class ZeekView:
    """Follows one connection as Zeek does.

    Who sent the first segment is the originator, unless the ports tell otherwise.

    ``ignore_checksums``  as ``zeek -C``: bad checksums are not looked at
    ``payload_kept``      segments have their payload as far as it was captured, so that
                          what the snapshot length cut off is missing, as Zeek sees it;
                          else all payload counts as captured
    ``server_ports``      ports that make the end which has one a likely server
    """

    __slots__ = (
        "_first_ns",
        "_ignore_checksums",
        "_last_ns",
        "_orig",
        "_orig_side",
        "_partial",
        "_payload_kept",
        "_ports",
        "_resp",
        "_seen_first",
        "_taken",
        "history",
    )

    def __init__(
        self,
        *,
        ignore_checksums: bool = False,
        payload_kept: bool = True,
        server_ports: frozenset[int] = LIKELY_SERVER_PORTS,
    ) -> None:
        self._ignore_checksums = ignore_checksums
        self._payload_kept = payload_kept
        self._ports = server_ports
        self._orig = _End(is_orig=True)
        self._resp = _End(is_orig=False)
        self._orig_side: Side | None = None
        self.history = ""
        """The letters so far; empty before the first segment."""
        # Slots that are taken, in the letter's case; who has sent anything (True: originator).
        self._taken = ""
        self._seen_first: frozenset[bool] = frozenset()
        self._partial = False
        self._first_ns = self._last_ns = 0

    @property
    def originator(self) -> Side | None:
        """Whom Zeek takes for the originator now; ``None`` before the first segment."""
        return self._orig_side

    @property
    def conn_state(self) -> str:
        """``S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH`` (``main.zeek``)."""
        state = ZeekState
        orig, resp = self._orig.state, self._resp.state
        orig_silent = orig in (state.INACTIVE, state.PARTIAL)
        resp_silent = resp in (state.INACTIVE, state.PARTIAL)
        if resp is state.RESET:
            nothing = not self._orig.size(self._resp) and not self._resp.size(self._orig)
            if orig in _OPENING or (orig is state.RESET and nothing):
                return "REJ"
            return "RSTRH" if orig_silent else "RSTR"
        if orig is state.RESET:
            if not resp_silent:
                return "RSTO"
            return "RSTOS0" if _RSTOS0.fullmatch(self.history) else "OTH"
        if orig is state.CLOSED and resp is state.CLOSED:
            return "SF"
        if orig is state.CLOSED:
            return "SH" if resp_silent else "S2"
        if resp is state.CLOSED:
            return "SHR" if orig_silent else "S3"
        if orig is state.SYN_SENT and resp is state.INACTIVE:
            return "S0"
        if orig is state.ESTABLISHED and resp is state.ESTABLISHED:
            return "S1"
        return "OTH"

    @property
    def sums(self) -> ZeekSums:
        """What the connection comes to."""
        orig, resp = self._orig, self._resp
        return ZeekSums(
            max(0, self._last_ns - self._first_ns),
            (orig.size(resp), resp.size(orig)),
            orig.missed + resp.missed,
            (orig.packets, resp.packets),
            (orig.ip_bytes, resp.ip_bytes),
        )

    def observe(self, segment: Segment, side: Side) -> None:
        """Take the next segment, sent by ``side``."""
        if self._orig_side is None:
            self._orig_side = side
            self._first_ns = self._last_ns = segment.time_ns
            if self._flips(segment):
                self._flip()
        is_orig = side is self._orig_side
        end, peer = (self._orig, self._resp) if is_orig else (self._resp, self._orig)
        end.packets += 1
        end.ip_bytes += segment.ip_len
        if segment.checksum_ok is False and not self._ignore_checksums:
            end.wrong_checksums += 1
            self._scaled("C", end, end.wrong_checksums)
            return
        if not (end.did_close and peer.did_close):
            self._last_ns = segment.time_ns
        if is_orig not in self._seen_first:
            self._note_partial(segment, is_orig=is_orig)
        bits, length = int(segment.flags), segment.payload_len
        control, has_ack = bits & _CONTROL, bits & ACK
        # What a RST carries is not part of the stream.
        seg_len = (0 if bits & RST else length) + (bits >> 1 & 1) + (bits & 1)
        past = (segment.seq + seg_len) & seqno.MASK
        if bits & SYN or end.state is ZeekState.INACTIVE:
            _begin(end, segment, past)
        rel = end.relative(segment.seq, end.last_seq, end.seq_wraps)
        if control:
            self._letters(segment, end, rel)
        elif length:
            self._once("D", "D", end)
        elif has_ack:
            self._once("A", "A", end)
        if not segment.window:
            self._zero_window(segment, end, peer)
        if bits & FIN:
            end.fin_count += 1
            end.fin_seq = (rel + seg_len) & _MASK64
        rel_ack = self._acknowledge(segment, peer) if has_ack else 0
        self._advance(segment, end, past)
        # In every other state only these three move an end.
        if control or end.state is ZeekState.INACTIVE:
            self._transition(segment, end, peer, is_orig=is_orig)
        if has_ack:
            self._find_gaps(rel_ack, end, peer)
        if is_orig not in self._seen_first:
            self._seen_first |= {is_orig}
        whole = not self._payload_kept or len(segment.payload) >= length
        if length and whole and not bits & RST and rel >= 0:
            start = rel + 1 if bits & SYN else rel
            acked = (end.ack_wraps << 32) + end.ack_seq - end.start_seq
            end.gaps.seen(start, start + length, acked=acked, any_acked=not end.nothing_acked)

    # -- who is who ---------------------------------------------------------

    def _flips(self, segment: Segment) -> bool:
        """``TCPAnalyzer::WantConnection``: a first segment other than a SYN, from a server's port.

        Where both ports are likely ones, the lower is the server's, except for a
        SYN-ACK (so as not to hide stealth scans).
        """
        if segment.syn and not segment.has_ack:
            return False
        if segment.src.port not in self._ports:
            return False
        if segment.dst.port in self._ports:
            return not segment.syn and segment.src.port < segment.dst.port
        return True

    def _flip(self) -> None:
        assert self._orig_side is not None
        self._orig_side = self._orig_side.other
        self._orig, self._resp = self._resp, self._orig
        self._orig.is_orig, self._resp.is_orig = True, False
        self._seen_first = frozenset(not first for first in self._seen_first)
        self._partial = False
        self.history += "^"

    def _note_partial(self, segment: Segment, *, is_orig: bool) -> None:
        if is_orig:
            self._partial = not segment.syn or segment.has_ack
        elif not self._partial:
            self._partial = not segment.syn

    # -- letters ------------------------------------------------------------

    def _add(self, letter: str, end: _End) -> None:
        if len(self.history) < MAX_HISTORY:
            self.history += letter if end.is_orig else letter.lower()

    def _once(self, slot: str, letter: str, end: _End) -> bool:
        """Write the letter if this end's slot is still free; true where it was taken."""
        slot = slot if end.is_orig else slot.lower()
        if slot in self._taken:
            return True
        self._taken += slot
        self._add(letter, end)
        return False

    def _scaled(self, letter: str, end: _End, count: int) -> None:
        """The 1st, 10th, 100th ... time."""
        while count % 10 == 0:
            count //= 10
        if count == 1:
            self._add(letter, end)

    def _letters(self, segment: Segment, end: _End, rel: int) -> None:
        """Of a segment with SYN, FIN or RST."""
        syn, fin, rst = segment.syn, segment.fin, segment.rst
        length = segment.payload_len
        if syn + fin + rst > 1:
            if fin and rst:
                self._once("I", "I", end)
            else:
                self._once("Q", "Q", end)
        elif syn:
            letter = "H" if segment.has_ack else "S"
            if self._once("S", letter, end) and rel != end.last_syn:
                self._add(letter, end)
            end.last_syn = rel
        elif fin:
            # A FIN's own number comes behind the data in its segment.
            if self._once("F", "F", end) and rel + length != end.last_fin:
                self._add("F", end)
            end.last_fin = rel + length
        elif rst:
            if self._once("R", "R", end) and rel != end.last_rst:
                self._add("R", end)
            end.last_rst = rel

    def _zero_window(self, segment: Segment, end: _End, peer: _End) -> None:
        """Not of resets, not after this end's reset, not once the peer has sent its FIN."""
        if (
            segment.window == 0
            and not segment.rst
            and peer.state is not ZeekState.CLOSED
            and end.state is not ZeekState.RESET
        ):
            end.zero_windows += 1
            self._scaled("W", end, end.zero_windows)

    # -- sequence numbers ---------------------------------------------------

    def _acknowledge(self, segment: Segment, peer: _End) -> int:
        """The ACK number relative to the peer's first one; 0 where it is before it."""
        ack = segment.ack
        if peer.state is ZeekState.INACTIVE:
            peer.restart(seqno.add(ack, -1), seqno.add(ack, -1))
            return 1
        rel = peer.relative(ack, peer.ack_seq, peer.ack_wraps)
        if rel < 0:
            return 0
        if ack != peer.ack_seq and not segment.rst:
            ahead = seqno.diff(ack, peer.ack_seq)
            # A zero far ahead is more likely a broken ACK than a long connection.
            if ahead > 0 and not (ack == 0 and ahead > _TOO_FAR):
                if ack < peer.ack_seq:
                    peer.ack_wraps += 1
                peer.ack_seq = ack
        return rel

    def _advance(self, segment: Segment, end: _End, past: int) -> None:
        """Move the end's furthest number on; payload that does not is retransmitted."""
        ahead = seqno.diff(past, end.last_seq)
        bits = int(segment.flags)
        if bits & _SYN_RST and abs(ahead) > _TOO_FAR:
            return
        after_syn = bits & FIN and end.last_seq == seqno.add(end.start_seq, 1)
        if not after_syn:
            if end.state is ZeekState.RESET:
                return
            if ahead <= 0:
                if segment.payload_len:
                    end.retransmitted += 1
                    self._scaled("T", end, end.retransmitted)
                return
        if past < end.last_seq:
            end.seq_wraps += 1
        end.last_seq = past

    def _find_gaps(self, rel_ack: int, end: _End, peer: _End) -> None:
        """The peer's data that this end acknowledges and nobody saw."""
        upto = rel_ack
        if peer.fin_count and upto >= peer.fin_seq:
            upto = peer.fin_seq - 1
        gaps = peer.gaps
        if upto <= gaps.trimmed:
            return
        before = gaps.missed
        count = gaps.acknowledged(upto, partial=self._partial)
        if count and end.clean and peer.clean:
            peer.missed += gaps.missed - before
            for _ in range(count):
                peer.gap_count += 1
                self._scaled("G", peer, peer.gap_count)

    # -- states -------------------------------------------------------------

    def _transition(self, segment: Segment, end: _End, peer: _End, *, is_orig: bool) -> None:
        state = ZeekState
        if end.state is state.INACTIVE:
            self._from_inactive(segment, end, peer, is_orig=is_orig)
        elif end.state in _OPENING:
            if segment.fin:
                end.move(state.CLOSED)
            if segment.rst:
                end.move(state.RESET)
        elif end.state in (state.ESTABLISHED, state.PARTIAL):
            if (
                segment.syn
                and not segment.has_ack
                and end.state is state.PARTIAL
                and peer.state is state.INACTIVE
            ):
                end.move(state.SYN_SENT)
            if segment.fin and not segment.rst:
                end.move(state.CLOSED)
                # The peer had sent a FIN before its RST: after all, both have closed.
                if peer.state is state.RESET and peer.previous is state.CLOSED:
                    peer.move(state.CLOSED)
            if segment.rst:
                end.move(state.RESET)
        elif end.state is state.CLOSED and segment.rst and peer.state is not state.CLOSED:
            end.move(state.RESET)

    def _from_inactive(self, segment: Segment, end: _End, peer: _End, *, is_orig: bool) -> None:
        state = ZeekState
        if segment.syn:
            if is_orig:
                end.move(state.SYN_ACK_SENT if segment.has_ack else state.SYN_SENT)
            else:
                reversed_pair = (
                    not segment.has_ack
                    and peer.state is state.SYN_ACK_SENT
                    and segment.seq == end.start_seq
                )
                if reversed_pair:
                    # The SYN-ACK was captured before its SYN.
                    self._flip()
                    peer.move(state.ESTABLISHED)
                    self._seen_first |= {True}
                if peer.state is state.SYN_SENT:
                    peer.move(state.ESTABLISHED)
                end.move(state.ESTABLISHED)
        if segment.fin:
            end.move(state.CLOSED)
        if segment.rst:
            end.move(state.RESET)
        if end.state is not state.INACTIVE:
            return
        waiting = not is_orig and not segment.payload_len and self._orig.state is state.SYN_SENT
        if waiting:
            # Some answer a SYN with an ACK before their SYN-ACK.
            return
        if segment.has_ack and peer.state is state.ESTABLISHED:
            # Only the SYN was missed.
            end.move(state.ESTABLISHED)
            self._partial = False
            self._seen_first |= {is_orig}
        else:
            end.move(state.PARTIAL)


def _begin(end: _End, segment: Segment, past: int) -> None:
    """Where an end's numbering begins: its SYN, or as if one had come just before."""
    state = ZeekState
    if end.state is state.INACTIVE:
        if segment.syn:
            end.restart(segment.seq, past)
        else:
            end.restart(seqno.add(segment.seq, -1), segment.seq)
    elif not segment.syn:
        return
    elif end.state in _OPENING:
        if segment.seq != end.start_seq:
            end.restart(segment.seq, past)
    elif end.state in (state.ESTABLISHED, state.PARTIAL) or (
        end.state is state.RESET and end.previous is state.INACTIVE
    ):
        end.restart(segment.seq, past)
