"""Two segments side by side: what differs, and by how much in time, numbers and window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tcpviz.core import seq as seqno
from tcpviz.core.records import Side
from tcpviz.core.segment import Segment
from tcpviz.core.timeline import Step
from tcpviz.views import roles
from tcpviz.views.ladder_canvas import ascii_line
from tcpviz.views.ladder_labels import MARKS, marks_of, segment_role, segment_variants, state_text
from tcpviz.views.numbers import duration, seconds
from tcpviz.views.option_words import words
from tcpviz.views.segment_detail import MOMENTS
from tcpviz.views.spans import Line, Span, clean, fit, fit_text, line, text_width
from tcpviz.words import _

NAME: Final = 17
LEAST_COLUMN: Final = 14


@dataclass(frozen=True, slots=True)
class Pair:
    """One field of both segments; ``by`` tells how far they are apart, where that has a number.

    ``alike``  what stands there is no field's value: it says whether they differ by itself
    """

    name: str
    left: str
    right: str
    by: str = ""
    alike: bool | None = None

    @property
    def differs(self) -> bool:
        return self.left != self.right if self.alike is None else not self.alike


def pairs(left: Step, right: Step, zero_ns: int = 0) -> Iterator[Pair]:
    """Every field, in the header's order, then what was made of it.

    Both steps must be of segments. Raises ValueError for others.
    """
    a, b = left.segment, right.segment
    if a is None or b is None:
        raise ValueError("only segments can be compared")
    apart = right.time_ns - left.time_ns
    moment = "" if not apart else duration(apart) if apart < 0 else f"+{duration(apart)}"
    yield Pair(_("time"), _time(left, zero_ns), _time(right, zero_ns), moment)
    yield Pair(_("moment"), _(MOMENTS.get(left.kind, "")), _(MOMENTS.get(right.kind, "")))
    yield Pair(_("from"), _who(left, a), _who(right, b))
    yield Pair(_("Flags"), a.flags.names(), b.flags.names())
    same = left.side is right.side and left.connection == right.connection
    other = left.connection == right.connection and left.side is not right.side
    yield Pair(
        _("Sequence", "field"),
        _number(left.relative[0], a.seq),
        _number(right.relative[0], b.seq),
        _apart(seqno.diff(b.seq, a.seq)) if same else "",
    )
    acks = a.has_ack and b.has_ack
    yield Pair(
        _("Acknowledgment"),
        _number(left.relative[1], a.ack) if a.has_ack else "-",
        _number(right.relative[1], b.ack) if b.has_ack else "-",
        _apart(seqno.diff(b.ack, a.ack)) if acks and same else "",
    )
    yield Pair(_("data"), _size(a), _size(b), _apart(b.payload_len - a.payload_len))
    yield Pair(_("Window"), str(a.window), str(b.window), _apart(b.window - a.window))
    yield Pair(_("Urgent Pointer"), str(a.urgent), str(b.urgent))
    yield from _options(left, a, right, b)
    yield Pair("TTL", _known(a.ttl), _known(b.ttl))
    yield Pair(_("IP id"), _known(a.ip_id), _known(b.ip_id))
    yield Pair("ECN", str(a.ecn), str(b.ecn))
    yield Pair(_("Checksum"), _checksum(a), _checksum(b))
    yield Pair(_("frame"), str(a.frame or "-"), str(b.frame or "-"))
    yield Pair(_("marks"), _marks(left), _marks(right))
    yield Pair(_("bytes in flight"), _flight(left), _flight(right))
    yield Pair(_("client then"), state_text(left.client, 12), state_text(right.client, 12))
    yield Pair(_("server then"), state_text(left.server, 12), state_text(right.server, 12))
    if a.payload_len and b.payload_len and a.payload and b.payload:
        equal = a.payload == b.payload
        yield Pair(_("the data"), "", _("the same") if equal else _("other"), alike=equal)
    if other and b.has_ack and a.seq_len:
        beyond = seqno.diff(b.ack, a.seq_end)
        said = _("acknowledges all of it") if beyond >= 0 else _("does not acknowledge it")
        yield Pair(_("to each other"), "", said, alike=True)
    elif same and a.seq_len and b.seq == a.seq:
        said = _("begins at the same number: sent again")
        yield Pair(_("to each other"), "", said, alike=True)


def compare(
    left: Step, right: Step, cells: int, *, zero_ns: int = 0, ascii_only: bool = False
) -> list[Line]:
    """The page: two columns, what differs in the role of what is lit, and how far apart."""
    # What both have takes more room than how far apart they are.
    column = max((cells - NAME - 6) * 3 // 8, LEAST_COLUMN)
    last = max(cells - NAME - 2 * column - 6, 0)
    title = (
        Span("  "),
        Span(_pad(fit_text(_("two segments"), NAME - 1), NAME), roles.TITLE),
        Span(_pad(_("the marked one"), column) + "  ", roles.TITLE),
        Span(_pad(_("at the cursor"), column) + "  ", roles.TITLE),
        Span(fit_text(_("difference"), last), roles.TITLE),
    )
    made: list[Line] = [line(*title)]
    made.append(
        line(
            Span(_pad("", NAME + 2)),
            Span(_pad(_label(left, column), column) + "  ", _role(left)),
            Span(_pad(_label(right, column), column), _role(right)),
        )
    )
    made.append(())
    for pair in pairs(left, right, zero_ns):
        tone = roles.LIT if pair.differs else roles.DIM
        made.append(
            line(
                Span("≠ " if pair.differs else "  ", roles.LIT),
                Span(
                    _pad(fit_text(pair.name, NAME - 1), NAME),
                    roles.TEXT if pair.differs else roles.DIM,
                ),
                Span(_pad(fit_text(pair.left, column), column) + "  ", tone),
                *(
                    (
                        Span(_pad(fit_text(pair.right, column), column) + "  ", tone),
                        Span(fit_text(pair.by, last), roles.NUMBER),
                    )
                    if pair.by
                    else (Span(fit_text(pair.right, column + 2 + last), tone),)
                ),
            )
        )
    drawn = [fit(one, cells) for one in made]
    return [ascii_line(one) for one in drawn] if ascii_only else drawn


def _pad(text: str, cells: int) -> str:
    return text + " " * max(cells - text_width(text), 0)


def _role(step: Step) -> str:
    return roles.TEXT if step.segment is None else segment_role(step.segment)


def _label(step: Step, cells: int) -> str:
    return next((one for one in segment_variants(step) if text_width(one) <= cells), "")


def _time(step: Step, zero_ns: int) -> str:
    return f"{seconds(step.time_ns - zero_ns)} s"


def _who(step: Step, segment: Segment) -> str:
    side = step.side or Side.CLIENT
    sign = "●" if side is Side.CLIENT else "◆"
    return f"{sign} {_(str(side))} {clean(str(segment.src))}"


def _number(relative: int | None, absolute: int) -> str:
    return str(absolute) if relative is None else f"{relative} ({absolute})"


def _apart(number: int) -> str:
    return f"{number:+d}" if number else ""


def _size(segment: Segment) -> str:
    return f"{segment.payload_len} B"


def _known(value: int | None) -> str:
    return "?" if value is None else str(value)


def _checksum(segment: Segment) -> str:
    return {None: _("not checked"), True: _("right"), False: _("wrong")}[segment.checksum_ok]


def _marks(step: Step) -> str:
    return ", ".join(MARKS[mark.name][1] for mark in marks_of(step)) or "-"


def _flight(step: Step) -> str:
    seen = step.observation
    return "-" if seen is None or seen.bytes_in_flight is None else str(seen.bytes_in_flight)


def _options(left: Step, a: Segment, right: Step, b: Segment) -> Iterator[Pair]:
    """Options that either has, by their names."""
    told: dict[str, list[str]] = {}
    for place, (step, segment) in enumerate(((left, a), (right, b))):
        ack = step.relative[1]
        for option in words(segment.options, 0 if ack is None else segment.ack - ack):
            told.setdefault(option.name, ["-", "-"])[place] = clean(option.short)
    for name, (one, two) in told.items():
        yield Pair(_(name), one, two)
