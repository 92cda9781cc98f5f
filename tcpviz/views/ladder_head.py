"""What stands above the chart: who the ends are, how they stand, what their kernels say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tcpviz.core.claims import Claim
from tcpviz.core.records import KernelReading, Side
from tcpviz.core.segment import Endpoint
from tcpviz.core.timeline import Step
from tcpviz.views import roles
from tcpviz.views.kernel_words import kernel_spans, listener_span, socket_of
from tcpviz.views.ladder_canvas import Canvas
from tcpviz.views.ladder_labels import state_text
from tcpviz.views.ladder_layout import LEAST, Layout
from tcpviz.views.ladder_parts import Queues
from tcpviz.views.ladder_queues import head_queues
from tcpviz.views.spans import Line, Span, fit_text, text_width
from tcpviz.words import _


@dataclass(frozen=True, slots=True)
class Head:
    """What the headings need of a chart.

    ``layout``  of the chart, ``width`` cells of the whole line: behind the chart there may be
                the lane of ``queues``
    ``title``   over the times; ``names`` and ``ends`` of client and server (empty, ``None``:
                not known)
    ``midstream``  no SYN was seen
    """

    layout: Layout
    width: int
    title: str
    names: tuple[str, str]
    ends: tuple[Endpoint | None, Endpoint | None]
    queues: Queues | None
    ascii_only: bool
    midstream: bool = False


def header(head: Head, now: Mapping[Side, Claim | None]) -> list[Line]:
    """Two lines: the ends, and their states ``now``."""
    where, width = head.layout, head.layout.width
    canvas, states = Canvas(head.width), Canvas(head.width)
    half = max((width - where.lane_left) // 2 - 1, 0)
    client, server = head.names
    ends = (
        (Side.CLIENT, "●", head.ends[0], client or _("client")),
        (Side.SERVER, "◆", head.ends[1], server or _("server")),
    )
    # With their addresses both, or neither.
    whole = [f"{marker} {name}  {end or ''}".rstrip() for _side, marker, end, name in ends]
    if max(map(text_width, whole)) > half:
        whole = [f"{marker} {name}" for _side, marker, _end, name in ends]
    for (side, *_rest), words in zip(ends, whole, strict=True):
        role = roles.of_side(side)
        text = fit_text(words, half)
        size = text_width(text)
        left = side is Side.CLIENT
        line = where.left if left else where.right
        at = line - size // 2
        low, high = where.lane_left, width
        if left:
            high = where.left + 1 + where.arrows // 2 - 1
        else:
            low = where.left + 1 + (where.arrows + 1) // 2 + 1
        canvas.put(max(min(at, high - size), low), text, role)
        claim = now.get(side)
        if claim is None:
            continue
        state = state_text(claim, max(half, 8), midstream=head.midstream)
        size = text_width(state)
        at = max(min(line - size // 2, high - size), low)
        states.put(at, state, roles.of_certainty(claim.certainty))
    if where.gutter:
        canvas.put(where.gutter_at + where.gutter - text_width(head.title), head.title, roles.TITLE)
    if head.queues is not None:
        head_queues(canvas, states, head.queues, head.width)
    return [canvas.line(head.ascii_only), states.line(head.ascii_only)]


def kernel_lines(
    head: Head, step: Step, rows: int, passed_ns: int, now: Mapping[Side, Claim | None]
) -> list[Line]:
    """What the kernels said at ``step``, in so many rows; ``passed_ns`` ago.

    An end that is ``now`` in another state than its kernel told of has no such timer any more:
    nothing is said of it until the kernel has been asked again.
    """
    reading, where = step.reading, head.layout
    if reading is None or where.width < LEAST:
        return []
    client, server = head.ends
    ends = None if client is None or server is None else (client, server)
    half = max((where.width - where.lane_left) // 2 - 1, 0)
    said = [
        kernel_spans(
            reading, side, ends, half, disagreements=step.disagreements, passed_ns=passed_ns
        )
        if step.disagreements or not _moved_on(reading, side, ends, now.get(side))
        else Span("")
        for side in Side
    ]
    if head.queues is not None:
        return [_kernel_line(head, said, _("kernel"))]
    listener = listener_span(reading, server, half)
    if rows < 2:
        queued = listener.role != roles.TIME
        if not said[1].text or (queued and said[1].role != roles.MARK_BAD):
            said[1] = listener
        made = [said]
    else:
        made = [said, [Span(""), listener]]
    titles = (_("kernel"), _("queues"))
    return [_kernel_line(head, one, title) for one, title in zip(made, titles, strict=False)]


def _moved_on(
    reading: KernelReading,
    side: Side,
    ends: tuple[Endpoint, Endpoint] | None,
    claim: Claim | None,
) -> bool:
    socket = socket_of(reading, side, ends)
    return socket is not None and claim is not None and claim.state is not socket.state


def _kernel_line(head: Head, said: Sequence[Span], name: str) -> Line:
    where = head.layout
    canvas = Canvas(head.width)
    if where.gutter and any(span.text for span in said):
        title = fit_text(name, where.gutter)
        canvas.put(where.gutter_at + where.gutter - text_width(title), title, roles.TITLE)
    middle = where.left + 1 + where.arrows // 2
    for side, span in zip(Side, said, strict=True):
        size = text_width(span.text)
        if side is Side.CLIENT:
            low, high, at = where.lane_left, middle - 1, where.left - size // 2
        else:
            low, high, at = middle + 1, where.width, where.right - size // 2
        canvas.put(max(min(at, high - size), low), span.text, span.role)
    return canvas.line(head.ascii_only)
