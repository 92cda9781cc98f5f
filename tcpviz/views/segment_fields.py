"""A segment's fields, each with a sentence about what it says in this segment.

Numbers are relative to each end's first one, as on the chart; the header's own
stand in the box. ``{who}`` is the sender.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tcpviz.core.connection import Connection
from tcpviz.core.marks import Observation
from tcpviz.core.records import Side
from tcpviz.core.segment import Flags, Segment
from tcpviz.core.timeline import Step
from tcpviz.views.explain_fill import NAMES, capital
from tcpviz.views.numbers import duration, plural
from tcpviz.views.option_words import words
from tcpviz.words import _

EPHEMERAL = 32768
"""Where Linux' local ports begin (net.ipv4.ip_local_port_range)."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field's name, its value in this segment, and a sentence about it."""

    name: str
    value: str
    sentence: str


FLAG_WORDS = (
    (Flags.SYN, "SYN", "opens: the sequence number is the sender's first one"),
    (Flags.FIN, "FIN", "closes the sender's direction; takes up one number"),
    (Flags.RST, "RST", "ends the connection at once; is never acknowledged"),
    (Flags.ACK, "ACK", "the acknowledgment number is valid"),
    (Flags.PSH, "PSH", "nothing more follows for now: hand it to the application"),
    (Flags.URG, "URG", "the urgent pointer is valid"),
    (Flags.ECE, "ECE", "congestion was marked on the way here; in a SYN: I understand ECN"),
    (Flags.CWR, "CWR", "I have slowed down because of that; in a SYN: I understand ECN"),
    (Flags.AE, "AE", "a third bit for counting congestion marks (RFC 9768)"),
)
"""Each bit with what it says when it is set."""


def fields(step: Step, segment: Segment, connection: Connection | None) -> Iterator[Field]:
    """Every field of the header, in its order."""
    side = step.side or Side.CLIENT
    who, peer = _(NAMES[side]), _(NAMES[side.other])
    yield Field(_("Source Port"), str(segment.src.port), _port(segment.src.port, side, who))
    yield Field(_("Dest. Port"), str(segment.dst.port), _port(segment.dst.port, side.other, peer))
    yield _sequence(step, segment, who)
    yield _acknowledgment(step, segment, who, peer)
    yield _offset(segment)
    set_bits = [(name, text) for bit, name, text in FLAG_WORDS if segment.flags & bit]
    yield Field(
        _("Flags"),
        segment.flags.names(),
        "; ".join(f"{name}: {_(text)}" for name, text in set_bits) or _("none is set"),
    )
    yield _window(segment, side, connection, who)
    yield _checksum(segment)
    urgent = _("not valid: the URG bit is not set")
    if segment.flags & Flags.URG:
        urgent = _("urgent data ends so many bytes behind the sequence number (RFC 9293, 3.8.5)")
    yield Field(_("Urgent Pointer"), str(segment.urgent), urgent)
    ack = step.relative[1]
    for option in words(segment.options, 0 if ack is None else segment.ack - ack):
        yield Field(option.short, f"({option.kind})", f"{_(option.name)}: {_(option.meaning)}")


def _port(port: int, side: Side, who: str) -> str:
    if side is Side.SERVER:
        return _("{who}'s: where it was asked for the connection").format(who=who)
    if port >= EPHEMERAL:
        return _("{who}'s: chosen by its kernel for this connection").format(who=who)
    return _("{who}'s: tells its connections apart").format(who=who)


def _sequence(step: Step, segment: Segment, who: str) -> Field:
    seq = step.relative[0]
    name = _("Sequence", "field")
    if segment.syn:
        text = _("{who}'s first number (the SYN's own); its first byte will be {next}").format(
            who=who, next=seq + 1
        )
    elif not segment.seq_len:
        text = _("the next byte that {who} will send; this segment takes up no number").format(
            who=who
        )
    elif segment.payload_len:
        last = seq + segment.payload_len - 1
        text = _("of the first of {bytes}, the last of which has {last}").format(
            bytes=plural(segment.payload_len, "byte"), last=last
        )
        if segment.fin:
            text += _("; the FIN has {number}").format(number=last + 1)
    else:
        text = _("the FIN's own; its ACK will be {next}").format(next=seq + 1)
    return Field(name, str(seq), text)


def _acknowledgment(step: Step, segment: Segment, who: str, peer: str) -> Field:
    ack, seen = step.relative[1], step.observation
    name = _("Acknowledgment")
    if ack is None:
        return Field(name, "-", _("not valid: the ACK bit is not set"))
    text = _("{who} has everything of {peer}'s before {ack} and expects that next").format(
        who=who, peer=peer, ack=ack
    )
    if seen is not None and seen.acks_frame is not None:
        text += _("; it acknowledges frame {frame}").format(frame=seen.acks_frame)
        if seen.ack_rtt_ns is not None:
            text += _(", {time} after that").format(time=duration(seen.ack_rtt_ns))
    if segment.options.sack:
        text += _("; beyond a hole it has what SACK tells")
    return Field(name, str(ack), text)


def _offset(segment: Segment) -> Field:
    name = _("Data Offset")
    if not segment.header_len:
        return Field(name, "?", _("not known here"))
    text = _("words of four bytes: a header of {all} bytes").format(all=segment.header_len)
    if segment.header_len > 20:
        text += _(", {count} of them options").format(count=segment.header_len - 20)
    return Field(name, str(segment.header_len // 4), text)


def _window(segment: Segment, side: Side, connection: Connection | None, who: str) -> Field:
    name, value = _("Window"), str(segment.window)
    if segment.window == 0:
        return Field(name, value, _("shut: nothing more may be sent to {who} now").format(who=who))
    bytes_ = _("{bytes} more may be sent to {who}").format(
        bytes=plural(segment.window, "byte"), who=who
    )
    if segment.rst:
        return Field(name, value, _("means nothing in a reset"))
    if segment.syn:
        return Field(name, value, bytes_ + _("; a SYN's window is never scaled"))
    if connection is None or connection.end(side).iss is None:
        return Field(
            name,
            value,
            _("in a unit that was told in {who}'s SYN, which was not captured").format(who=who),
        )
    me, peer = connection.end(side), connection.end(side.other)
    if me.scale_cut or peer.scale_cut:
        return Field(
            name, value, _("in a unit that the SYNs told, whose options the capture has cut off")
        )
    if me.window_scale is None or (peer.iss is not None and peer.window_scale is None):
        return Field(name, value, bytes_ + _("; not scaled: not both SYNs offered it"))
    scale = 1 << me.window_scale
    text = _("times {scale} (its SYN's scale): {bytes} more may be sent to {who}").format(
        scale=scale, bytes=plural(segment.window * scale, "byte"), who=who
    )
    return Field(name, value, text)


def _checksum(segment: Segment) -> Field:
    value = "?" if segment.checksum is None else f"0x{segment.checksum:04x}"
    if segment.checksum_ok is None:
        text = _("not checked: not all of it was captured, or the card computes it later")
    elif segment.checksum_ok:
        text = _("right: header and data are as they were sent")
    else:
        text = _("wrong: the receiver's kernel drops it, or the sender's card corrects it later")
    return Field(_("Checksum"), value, text)


def computed(step: Step, segment: Segment, since_ns: int | None) -> Iterator[Field]:
    """What no field says but the segments before it do; ``since_ns``: since the one before."""
    seen: Observation | None = step.observation
    yield Field(
        _("Takes up"),
        str(segment.seq_len),
        _("sequence numbers: its data, and one each for SYN and FIN (SEG.LEN)"),
    )
    if since_ns is not None:
        yield Field(_("After"), duration(since_ns), _("since the connection's segment before it"))
    if seen is None:
        return
    if seen.bytes_in_flight is not None:
        text = _("sent by this end and not acknowledged, up to this segment's last byte")
        yield Field(_("In flight"), plural(seen.bytes_in_flight, "byte"), text)
    if seen.ack_rtt_ns is not None:
        text = _("from frame {frame} to this acknowledgement of it, where it was captured").format(
            frame=seen.acks_frame
        )
        if seen.ack_ambiguous:
            text += _("; that was sent more than once, so it is no measure (Karn)")
        yield Field(_("RTT"), duration(seen.ack_rtt_ns), text)
    if seen.seen_before:
        text = _("of its sequence numbers were captured before")
        yield Field(_("Repeated"), str(seen.seen_before), text)
    if seen.dsack is not None:
        text = _("its first SACK block tells what arrived twice (RFC 2883)")
        yield Field("D-SACK", plural((seen.dsack[1] - seen.dsack[0]) & 0xFFFFFFFF, "byte"), text)
    if seen.other_data:
        text = _("the same sequence numbers were captured before with other data")
        yield Field(_("Other data"), "!", text)


__all__ = ["FLAG_WORDS", "Field", "capital", "computed", "fields"]
