"""The story as text: one line an event, a table of connections, one connection's chart.

Made to be read and to be searched: columns stand still, every line begins with
the time and the connection (``#3``), there are no trailing spaces, and with
``ascii_only`` nothing but ASCII.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from tcpviz.core import seq as seqno
from tcpviz.core.claims import StateChange
from tcpviz.core.connection import Connection
from tcpviz.core.records import Call, KernelReading, Side
from tcpviz.core.segment import Flags, Segment
from tcpviz.core.timeline import Step, StepKind, Timeline
from tcpviz.core.tracker import Tracker
from tcpviz.export.table_text import connection_table as connection_table
from tcpviz.export.table_text import encodes as encodes
from tcpviz.views import numbers, option_words, points
from tcpviz.views.explain_event import brief
from tcpviz.views.hand_words import text_line
from tcpviz.views.icmp_words import error_text
from tcpviz.views.ladder import Ladder, LadderSettings
from tcpviz.views.ladder_canvas import ascii_text
from tcpviz.views.ladder_labels import mark_variants
from tcpviz.views.spans import clean, plain_line
from tcpviz.words import english

ARROWS: Final = {
    # moment: from the client, from the server
    StepKind.SEGMENT: ("───▶", "◀───"),
    StepKind.SENT: ("─── ", " ───"),
    StepKind.ARRIVED: (" ──▶", "◀── "),
    StepKind.LOST: ("──✖ ", " ✖──"),
}
"""Where a segment is: crossing, leaving, arriving, lost. The client is always at the left."""

_MOMENTS: Final = {
    StepKind.SEGMENT: "",
    StepKind.SENT: "sent",
    StepKind.ARRIVED: "arrived",
    StepKind.LOST: "lost",
}

_TIMESTAMPS: Final = 8

CHART_WIDTH: Final = 120
"""Columns of a chart that goes to a file or a pipe."""


# -- one line an event ---------------------------------------------------------


class Story:
    """Tells steps as they happen.

    ``kernel``  tells the kernel's readings too where they agree
    """

    def __init__(self, tracker: Tracker, *, ascii_only: bool = False, kernel: bool = False) -> None:
        self._tracker = tracker
        self._ascii = ascii_only
        self._kernel = kernel
        self._origin: int | None = None
        self._met = 0

    def begin(self, time_ns: int) -> None:
        """Count time from this moment, and not from the first step that is told."""
        self._origin = time_ns

    def line(self, step: Step) -> str | None:
        """What to print for a step: one line or several, without the last newline.

        ``None`` where there is nothing to tell. A connection's first step is
        preceded by a line that names its ends; state changes follow the event
        that caused them, each on a line of its own.
        """
        if self._origin is None:
            self._origin = step.time_ns
        said = list(self._said(step))
        if not said:
            return None
        if step.connection is not None and step.connection > self._met:
            self._met = step.connection
            said.insert(0, self._introduction(step))
        ident = "" if step.connection is None else f"#{step.connection}"
        time = numbers.seconds(step.time_ns - self._origin)
        lead = f"{time:>12}  {ident:<4}  "
        text = "\n".join((lead + each).rstrip() for each in said)
        return ascii_text(text) if self._ascii else text

    def _introduction(self, step: Step) -> str:
        segment, side = step.segment, step.side
        if segment is None or side is None:
            known = self._tracker.connections.get(step.connection or 0)
            if known is None:
                return "new connection"
            ends = (known.client.endpoint, known.server.endpoint)
        elif side is Side.CLIENT:
            ends = (segment.src, segment.dst)
        else:
            ends = (segment.dst, segment.src)
        return f"new connection: client {ends[0]}, server {ends[1]}"

    def _said(self, step: Step) -> Iterator[str]:
        if step.handled is not None:
            yield text_line(step.handled, step.side)
        elif step.kind is StepKind.REBOOT:
            yield f"{step.side}'s host was switched off and on"
        elif step.segment is not None:
            yield segment_line(step)
        elif step.call is not None:
            yield call_line(step.call, step.side or step.call.side)
        elif step.kind is StepKind.TIMER:
            reasons = ", ".join(dict.fromkeys(c.after.because for c in step.changes))
            yield f"timer: {reasons or 'ran out'}"
        if step.event is not None:
            with english():
                yield f"kernel: {step.side}: {brief(step.event)}"
        if step.note is not None:
            yield f"note: {clean(step.note.text)}"
        if step.unreachable is not None:
            yield error_line(step)
        if step.gap is not None:
            count = step.gap.count
            lost = "packets" if count is None else numbers.plural(count, "packet")
            yield f"gap: {lost} missing here ({clean(step.gap.where)})"
        for each in step.disagreements:
            kernel = "no socket" if each.kernel is None else str(each.kernel)
            yield (
                f"disagreement: {each.side} is {kernel} by the kernel, "
                f"{each.inferred.state} ({each.inferred.certainty}) by the segments"
            )
        if step.reading is not None and self._kernel:
            yield from reading_lines(step.reading)
        for change in step.changes:
            yield change_line(change)


def segment_line(step: Step) -> str:
    """A segment: direction, moment, flags, numbers counted from the beginning, options of SYNs."""
    segment = step.segment
    if segment is None:
        raise ValueError(f"step {step.index} has no segment")
    arrow = ARROWS[step.kind][0 if step.side is not Side.SERVER else 1]
    seq, ack = step.relative
    parts = [
        f"client {arrow} server",
        f"{_MOMENTS[step.kind]:<7}",
        f"{segment.flags.names():<8}",
        f"seq {seq}" + (f":{seqno.add(seq, segment.payload_len)}" if segment.payload_len else ""),
    ]
    if ack is not None:
        parts.append(f"ack {ack}")
    parts += [f"win {segment.window}", f"len {segment.payload_len}"]
    if segment.urgent and segment.flags & Flags.URG:
        parts.append(f"urg {segment.urgent}")
    if segment.inferred:
        parts.append("(inferred, not captured)")
    options = options_text(segment, None if ack is None else seqno.add(segment.ack, -ack))
    if options:
        parts.append(f"<{options}>")
    if segment.checksum_ok is False:
        parts.append("bad checksum")
    words, _ = mark_variants(step)
    parts += words[:1]
    if step.passage is not None and step.kind is not StepKind.SENT:
        parts += points.tags(step.passage)
    return " ".join(parts)


def error_line(step: Step) -> str:
    """An ICMP error: whose segment it is about, and who says what."""
    error = step.unreachable
    if error is None:
        raise ValueError(f"step {step.index} has no ICMP error")
    return f"icmp to {step.side or Side.CLIENT}: {error_text(error, step.relative[0])}"


def options_text(segment: Segment, sack_base: int | None) -> str:
    """A segment's options as tcpdump abbreviates them; timestamps only on SYNs.

    SACK blocks are counted from ``sack_base`` where that is known.
    """
    out = [
        each.short
        for each in option_words.words(segment.options, sack_base or 0)
        if each.kind != _TIMESTAMPS or segment.syn
    ]
    if segment.options.malformed:
        out.append("malformed")
    if segment.options.cut and segment.syn:
        out.append("the rest not captured")
    return ", ".join(out)


def change_line(change: StateChange) -> str:
    """``client SYN-SENT → ESTABLISHED (seen)  rcv SYN,ACK / snd ACK``."""
    why = change.transition.label if change.transition is not None else change.after.because
    text = f"{change.side} {change.before.state} → {change.after.state}"
    text += f" ({change.after.certainty})"
    return f"{text}  {why}" if why else text


def call_line(call: Call, side: Side) -> str:
    """``client connect(10.0.0.2:80) ...`` when made, ``client connect() = 0`` when returned."""
    name = clean(call.name)
    if not call.returned:
        return f"{side} {name}({clean(call.arguments)}) ..."
    took = numbers.duration((call.returned_ns or 0) - call.began_ns)
    return f"{side} {name}() = {clean(call.result or '?')}  after {took}"


def reading_lines(reading: KernelReading) -> Iterator[str]:
    """What the kernel said of each socket."""
    for sock in reading.sockets:
        state = "no socket" if sock.state is None else str(sock.state)
        text = f"kernel: {sock.side} {state}"
        if sock.timer:
            left = f" in {numbers.duration(sock.timer_ms * 1_000_000)}" if sock.timer_ms else ""
            text += f", {clean(sock.timer)} timer{left}"
        if sock.recv_queue or sock.send_queue:
            text += f", queues {sock.recv_queue}/{sock.send_queue}"
        if sock.retransmits:
            text += f", {numbers.plural(sock.retransmits, 'retransmission')}"
        yield text


# -- one connection's chart ----------------------------------------------------


def ladder_lines(
    timeline: Timeline,
    connection: Connection,
    width: int = CHART_WIDTH,
    settings: LadderSettings | None = None,
) -> Iterable[str]:
    """The chart's lines, headings first, without newlines or trailing spaces."""
    ladder = Ladder(timeline, connection.id, settings)
    ladder.extend()
    ladder.adapt(width)
    for line in ladder.header(width):
        yield plain_line(line)
    for row in ladder.rows:
        yield plain_line(ladder.render(row, width))


def ladder_text(
    timeline: Timeline,
    connection: Connection,
    width: int = CHART_WIDTH,
    *,
    ascii_only: bool = False,
) -> str:
    """A connection's sequence chart as text of at most ``width`` columns."""
    settings = LadderSettings(ascii_only=ascii_only)
    return "".join(line + "\n" for line in ladder_lines(timeline, connection, width, settings))
