"""The segment's page: header, every field in a sentence, what was made of it, and its data.

What each end's state machine did with it is told from the step alone: its
changes, and the claims after it where an end stayed where it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from tcpviz.core.claims import Certainty, Claim, StateChange
from tcpviz.core.connection import Connection
from tcpviz.core.marks import MarkName
from tcpviz.core.records import Side
from tcpviz.core.segment import Segment, scope_text
from tcpviz.core.timeline import Step, StepKind
from tcpviz.views import points, roles
from tcpviz.views.explain import name_roles, sentences
from tcpviz.views.explain_fill import NAMES, capital
from tcpviz.views.explain_segments import MARKS as MARK_TEXTS
from tcpviz.views.header_box import WIDTH, header_box
from tcpviz.views.hexdump import hexdump
from tcpviz.views.ladder_canvas import ascii_line
from tcpviz.views.ladder_labels import MARKS
from tcpviz.views.numbers import plural
from tcpviz.views.segment_fields import Field, computed, fields
from tcpviz.views.spans import Line, Span, clean, crop, line, pad, text_width
from tcpviz.views.wrapping import wrap
from tcpviz.words import _

TWO_COLUMNS = 132
"""From so many cells on the header stands beside what is told of it."""

NAME_WIDTH = 23

MOMENTS: Final = {
    StepKind.SENT: "sent",
    StepKind.ARRIVED: "arrives",
    StepKind.LOST: "lost",
    StepKind.SEGMENT: "captured",
}
"""What a segment does at a step, in a word before its time."""

_ECN = {1: "ECT(1)", 2: "ECT(0)", 3: "CE, congestion experienced"}


_MORE_EXACT = {MarkName.FAST_RETRANSMISSION, MarkName.SPURIOUS_RETRANSMISSION}
"""With these the plain retransmission's sentence would say another cause."""


def detail(
    step: Step,
    segment: Segment,
    connection: Connection | None,
    cells: int,
    *,
    before: Step | None = None,
    zero_ns: int = 0,
    plain: bool = False,
    ascii_only: bool = False,
) -> list[Line]:
    """The page, as long as it is.

    ``before``  the connection's segment step before this one
    ``zero_ns`` the moment from which times count
    ``plain``   explained in plain words first
    """
    head = _heading(step, segment, zero_ns, ascii_only)
    box = header_box(segment, step.relative, ascii_only=ascii_only) if cells >= WIDTH else []
    inner = cells if cells < TWO_COLUMNS else cells - WIDTH - 3
    words = _explained(step, connection, plain=plain)
    told = list(_told(step, segment, connection, before, inner, words, ascii_only))
    made: list[Line] = [head, ()]
    if cells < TWO_COLUMNS:
        made += [*box, *told]
    else:
        right = told[1:]  # its first row is the gap below the header
        for number in range(max(len(box), len(right))):
            left = box[number] if number < len(box) else ()
            beside = right[number] if number < len(right) else ()
            made.append(line(*pad(left, WIDTH + 3), *beside))
    made = [crop(one, cells) for one in (*made, *_payload(segment, cells))]
    return [ascii_line(one) for one in made] if ascii_only else made


def _explained(step: Step, connection: Connection | None, *, plain: bool) -> Line:
    said = sentences(step, connection)
    if plain:
        said = [*sentences(step, connection, plain=True), *said]
    return name_roles(" ".join(said))


def _heading(step: Step, segment: Segment, zero_ns: int, ascii_only: bool) -> Line:
    side = step.side or Side.CLIENT
    arrow = "->" if ascii_only else "→"
    at = (step.time_ns - zero_ns) / 1e9
    frame = f"{_('frame')} {segment.frame}  " if segment.frame else ""
    made = [
        Span(f"{segment.src}", roles.of_side(side)),
        Span(f" {arrow} "),
        Span(f"{segment.dst}", roles.of_side(side.other)),
        Span(f"  {segment.flags.names()}", roles.TITLE),
        Span(f"  {frame}{_(MOMENTS.get(step.kind, ''))} {at:.6f} s", roles.TIME),
    ]
    if segment.inferred:
        made.append(Span(_("  not captured: implied by the kernel's states"), roles.INFERRED))
    return line(*made)


def _told(
    step: Step,
    segment: Segment,
    connection: Connection | None,
    before: Step | None,
    cells: int,
    words: Line,
    ascii_only: bool,
) -> Iterator[Line]:
    yield from _section(_("What the ends make of it"))
    yield from _machines(step, cells, ascii_only)
    yield from _section(_("In words"))
    yield from (line("  ", *row) for row in wrap(words, cells - 3, 30))
    seen = step.observation
    if seen is not None and seen.marks:
        yield from _section(_("Marks"))
        told = {mark.name for mark in seen.marks}
        for mark in seen.marks:
            if mark.name is MarkName.RETRANSMISSION and told & _MORE_EXACT:
                continue  # another mark says why
            sign, name, role = MARKS[mark.name]
            why = MARK_TEXTS.get(str(mark.name), "")
            who = {"who": _(NAMES[seen.side]), "peer": _(NAMES[seen.side.other])}
            said = _(why).format(
                **who,
                Who=capital(who["who"]),
                Peer=capital(who["peer"]),
                number=mark.number,
                seq=step.relative[0],
                ack=step.relative[1],
                bytes=plural(segment.payload_len, "byte"),
                next=step.relative[0] + segment.seq_len,
            )
            if mark.frame:
                said += " " + _("It refers to frame {frame}.").format(frame=mark.frame)
            yield from _entry(f"[{sign}] {_(name)}", "", said, cells, role)
    yield from _section(_("Computed"))
    since = None if before is None else max(step.time_ns - before.time_ns, 0)
    yield from _entries(computed(step, segment, since), cells)
    if step.passage is not None:
        yield from _section(_("Between the two points"))
        for each in points.sentences(step.passage):
            yield from (line("  ", *row) for row in wrap((Span(each),), cells - 3, 20))
    yield from _section(_("Fields"))
    yield from _entries(fields(step, segment, connection), cells)
    yield from _section("IP")
    yield from _entries(_ip(segment), cells)


def _section(title: str) -> Iterator[Line]:
    yield ()
    yield line(Span(title, roles.TITLE))


def _entries(entries: Iterable[Field], cells: int) -> Iterator[Line]:
    for each in entries:
        yield from _entry(each.name, each.value, each.sentence, cells)


def _entry(
    name: str, value: str, sentence: str, cells: int, role: str = roles.DIM
) -> Iterator[Line]:
    """Name and value at the left, the sentence wrapped beside them."""
    left = [Span(f"  {name} ", role), Span(value, roles.NUMBER)]
    size = sum(text_width(span.text) for span in left)
    if size >= NAME_WIDTH:
        yield line(*left)
        left, size = [], 0
    for number, row in enumerate(wrap((Span(sentence),), max(cells - NAME_WIDTH, 12), 20)):
        start = left if not number else []
        yield line(*pad(start, NAME_WIDTH), *row)


# -- states -------------------------------------------------------------------


def _machines(step: Step, cells: int, ascii_only: bool) -> Iterator[Line]:
    arrow = "->" if ascii_only else "→"
    for side in Side:
        changes = [change for change in step.changes if change.side is side]
        claim = step.claim(side)
        name = capital(_(NAMES[side]))
        if not changes:
            stays = _("stays in {state}").format(state=claim.state)
            if claim.certainty is Certainty.UNKNOWN:
                stays = _("state not known")
            yield from _entry(name, "", f"{stays} ({_evidence(claim)})", cells, roles.of_side(side))
        for change in changes:
            yield from _entry(name, "", _moved(change, arrow), cells, roles.of_side(side))


def _moved(change: StateChange, arrow: str) -> str:
    row = change.transition
    way = f"{change.before.state} {arrow} {change.after.state}"
    if row is None:
        return f"{way}: {_('no edge of the RFC leads there')} ({_evidence(change.after)})"
    note = f" {_(row.note)}." if row.note else ""
    return f"{way}: {row.label} (RFC 9293, {row.section}; {_evidence(change.after)}).{note}"


def _evidence(claim: Claim) -> str:
    """How sure it is, why, and by which frames."""
    said = _(str(claim.certainty))
    if claim.because:
        said += f": {clean(_(claim.because))}"
    if claim.frames:
        said += "; " + _("by frame {frames}").format(frames=", ".join(map(str, claim.frames)))
    return said


# -- below and above TCP ----------------------------------------------------------


def _ip(segment: Segment) -> Iterator[Field]:
    version = "IPv6" if ":" in segment.src.addr else "IPv4"
    yield Field(version, "", f"{segment.src.addr} {_('to')} {segment.dst.addr}")
    if segment.ttl is not None:
        name = "Hop Limit" if version == "IPv6" else "TTL"
        text = _("hops that it may still make; hosts begin with 64, 128 or 255")
        yield Field(name, str(segment.ttl), text)
    if segment.ip_id is not None and version == "IPv4":
        yield Field(_("Identification"), str(segment.ip_id), _("the same in all its fragments"))
    if segment.ecn:
        text = _("the sender understands ECN; routers may mark instead of dropping")
        yield Field("ECN", _ECN[segment.ecn], text)
    if segment.scope:
        yield Field(_("Inside"), clean(scope_text(segment.scope)), _("VLANs and tunnels"))


def _payload(segment: Segment, cells: int) -> Iterator[Line]:
    yield ()
    got = len(segment.payload)
    title = _("Data: none")
    if segment.payload_len:
        title = _("Data: {all}, {got} of it captured").format(
            all=plural(segment.payload_len, "byte"), got=got
        )
    yield line(Span(title, roles.TITLE))
    if segment.payload_len and not got:
        yield line(
            Span(_("  only headers are kept; -s 0 (or a capture with data) shows it"), roles.DIM)
        )
    yield from (line("  ", *row) for row in hexdump(segment.payload, cells - 2))
