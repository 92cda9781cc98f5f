"""What may be asked of a step of the timeline: a segment, a call, a reading, a note.

The same language with another vocabulary: ``flags:syn len>0``, ``mark:retransmission``,
``from:client window:0``, ``call:accept``. Of a step that is no segment a
segment's fields are not known, and nothing fits them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, Final

from tcpviz.core.claims import PhaseName
from tcpviz.core.records import Side
from tcpviz.core.segment import Endpoint, Flags
from tcpviz.core.timeline import Step, StepKind
from tcpviz.views.filter.kinds import Choice, Host, Text
from tcpviz.views.filter.syntax import Word
from tcpviz.views.filter.vocabulary import (
    COUNT,
    MARKS,
    PORT,
    SIZE,
    STATES,
    TIME,
    WHOLE,
    Field,
    Getter,
    Vocabulary,
)
from tcpviz.views.remarks import ABOUT, ECN, Remark, remarks

_FLAG_NAMES: Final = tuple(flag.name or "" for flag in Flags)


def _of_segment(name: str) -> Getter:
    get = attrgetter(name)
    return lambda step: None if step.segment is None else get(step.segment)


def _of_observation(name: str) -> Getter:
    get = attrgetter(name)
    return lambda step: None if step.observation is None else get(step.observation)


def _flags(step: Step) -> list[str] | None:
    if step.segment is None:
        return None
    bits = int(step.segment.flags)
    return [name.lower() for name, flag in zip(_FLAG_NAMES, Flags, strict=True) if bits & flag]


def _marks(step: Step) -> list[str] | None:
    if step.observation is None:
        return None
    return [mark.name.value for mark in step.observation.marks]


def _vlans(step: Step) -> list[int] | None:
    if step.segment is None:
        return None
    tags = (entry.partition(" ") for entry in step.segment.scope)
    return [int(number) for name, _, number in tags if name == "vlan" and number.isdecimal()]


def _space(step: Step) -> int | None:
    return None if step.segment is None else step.segment.seq_len


def _reached(step: Step) -> list[Any]:
    """The states that an end came to in this step."""
    return [change.after.state for change in step.changes]


def _no_more_than_ack(step: Step) -> bool:
    """A segment that only acknowledges: no data, and no other flag."""
    segment = step.segment
    return (
        segment is not None
        and segment.has_ack
        and not segment.payload_len
        and not int(segment.flags) & int(Flags.SYN | Flags.FIN | Flags.RST)
    )


_IS: Final[dict[str, tuple[Callable[[Step], bool], str]]] = {
    "pure-ack": (_no_more_than_ack, "an ACK without data"),
    "data": (lambda s: s.segment is not None and s.segment.payload_len > 0, "it carries data"),
    "change": (lambda s: bool(s.changes), "an end changes its state"),
    "marked": (lambda s: bool(_marks(s)), "analysis has something to say"),
    "disagreement": (lambda s: bool(s.disagreements), "the kernel said otherwise"),
    "blocked": (
        lambda s: s.kind is StepKind.CALL,
        "a call begins, and blocks until it returns",
    ),
    "failed": (lambda s: s.call is not None and s.call.failed, "a call that failed"),
}


def _is(step: Step) -> list[str]:
    return [name for name, (asked, _) in _IS.items() if asked(step)]


def _fields() -> Iterator[Field]:
    src, dst = _of_segment("src"), _of_segment("dst")
    sport, dport = _of_segment("src.port"), _of_segment("dst.port")
    yield Field(
        "flags",
        Choice("a flag", {n.lower(): n.lower() for n in _FLAG_NAMES}),
        (_flags,),
        "flags that are set",
        many=True,
    )
    yield Field("len", SIZE, (_of_segment("payload_len"),), "bytes of data")
    yield Field("mark", MARKS, (_marks,), "what analysis says of it", many=True)
    yield Field(
        "remark",
        Choice("a remark", {str(r): r for r in Remark}, about={str(r): ABOUT[r] for r in Remark}),
        (remarks,),
        "ce, sack, dsack, other-data",
        many=True,
    )
    yield Field(
        "ecn",
        Choice("an ECN codepoint", {name: value for value, name in enumerate(ECN)}),
        (_of_segment("ecn"),),
        "the IP header's congestion bits",
    )
    yield Field(
        "from",
        Choice("an end", {str(side): side for side in Side}),
        (attrgetter("side"),),
        "whose doing it is",
    )
    yield Field(
        "is",
        Choice(
            "a property",
            {name: name for name in _IS},
            about={name: about for name, (_, about) in _IS.items()},
        ),
        (_is,),
        "pure-ack, data, change, marked ...",
        many=True,
    )
    yield Field(
        "kind",
        Choice("a kind of step", {kind.value: kind for kind in StepKind}),
        (attrgetter("kind"),),
        "segment, call, kernel, note ...",
    )
    yield Field(
        "seq",
        WHOLE,
        (lambda s: None if s.segment is None else s.relative[0],),
        "sequence number, counted from the initial one",
    )
    yield Field(
        "ack",
        WHOLE,
        (lambda s: None if s.segment is None else s.relative[1],),
        "acknowledgment number, counted from the initial one",
    )
    yield Field("space", SIZE, (_space,), "sequence numbers that it takes up: data, SYN and FIN")
    yield Field("window", SIZE, (_of_segment("window"),), "window as in the header, not scaled")
    yield Field("host", Host(), (src, dst), "address or network of either end")
    yield Field("src", Host(), (src,), "the sender's address or network")
    yield Field("dst", Host(), (dst,), "the receiver's address or network")
    yield Field("port", PORT, (sport, dport), "port of either end")
    yield Field("sport", PORT, (sport,), "the sender's port")
    yield Field("dport", PORT, (dport,), "the receiver's port")
    yield Field(
        "rtt", TIME, (_of_observation("ack_rtt_ns"),), "round-trip time of what it acknowledges"
    )
    yield Field(
        "in_flight",
        SIZE,
        (_of_observation("bytes_in_flight"),),
        "bytes of its sender on their way after it",
    )
    yield Field("state", STATES, (_reached,), "a state that an end comes to in it", many=True)
    yield Field(
        "phase",
        Choice("a phase", {str(name): name for name in PhaseName}),
        (attrgetter("phase.name"),),
        "handshake, data or teardown",
    )
    yield Field("frame", WHOLE, (_of_segment("frame"),), "number of its packet in the source")
    yield Field("ttl", COUNT, (_of_segment("ttl"),), "time to live, or hop limit")
    yield Field("mss", SIZE, (_of_segment("options.mss"),), "maximum segment size offered")
    yield Field("vlan", WHOLE, (_vlans,), "VLAN tags", many=True)
    yield Field("id", WHOLE, (attrgetter("connection"),), "number of its connection")
    yield Field("call", Text("a socket call's name, such as accept"),
                (lambda s: None if s.call is None else s.call.name,), "a socket call")  # fmt: skip


ALIASES: Final = {
    "flag": "flags", "length": "len", "bytes": "len", "side": "from", "win": "window",
    "ip": "host", "marks": "mark", "connection": "id",
    "tcp.flags": "flags", "tcp.len": "len", "tcp.port": "port", "ip.addr": "host",
    "tcp.srcport": "sport", "tcp.dstport": "dport", "frame.number": "frame", "ip.ttl": "ttl",
}  # fmt: skip


def _texts(step: Step) -> Iterator[str]:
    """Where free words are looked for."""
    segment = step.segment
    yield step.kind.value
    if segment is not None:
        yield segment.flags.names()
        ends: tuple[Endpoint, Endpoint] = (segment.src, segment.dst)
        yield f"{ends[0]} {ends[1]}"
        yield f"#{segment.frame}"
    yield from _marks(step) or ()
    yield from map(str, remarks(step))
    for change in step.changes:
        yield f"{change.before.state} {change.after.state}"
    if step.call is not None:
        yield f"{step.call.name} {step.call.arguments} {step.call.result or ''}"
    if step.note is not None:
        yield step.note.text
    if step.gap is not None:
        yield step.gap.where


def word(wanted: Word) -> Callable[[Step, int], bool]:
    """Whether the word is found in flags, addresses, marks, states, calls or notes."""
    needle = wanted.text.casefold()
    return lambda step, now_ns: any(  # noqa: ARG005
        needle in text.casefold() for text in _texts(step)
    )


SEGMENTS: Final = Vocabulary("segment", _fields(), ALIASES, word)
"""The fields of steps; ``matches(step, step.time_ns)``."""
