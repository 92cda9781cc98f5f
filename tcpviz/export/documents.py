"""A connection as one document, whatever the form: who asks names it, and gets its text."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from tcpviz.core.connection import Connection
from tcpviz.core.records import Moment, Record, SegmentRecord, Side
from tcpviz.core.timeline import Step, StepKind
from tcpviz.core.tracker import Tracker
from tcpviz.core.watch import Watch
from tcpviz.sources.feed import SourceError
from tcpviz.sources.parser import clean
from tcpviz.sources.redact import Redactor
from tcpviz.sources.writer import give_to_caller, replaceable, unwritable
from tcpviz.views.ladder_labels import Notation
from tcpviz.views.layouts import Pair

SUFFIXES = {
    ".svg": "svg",
    ".html": "html",
    ".htm": "html",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
    ".puml": "plantuml",
    ".plantuml": "plantuml",
    ".md": "markdown",
    ".txt": "text",
    ".json": "json",
    ".jsonl": "json",
    ".pcapng": "pcapng",
}
"""What a file's name says of its form."""


def document(
    tracker: Tracker,
    connection: Connection,
    form: str,
    *,
    source: str,
    what: str = "chart",
    theme: str = "light",
    notation: Notation = Notation.RELATIVE,
    ascii_only: bool = False,
) -> str:
    """A connection in one of the forms of text. Needs the connection's steps in the timeline."""
    timeline = tracker.timeline
    now = Watch(list(tracker.connections.values())).until(connection)
    if what == "diagram":
        return _diagram(tracker, connection, form, theme, ascii_only=ascii_only)
    if form == "text":
        from tcpviz.export.text import ladder_text

        return ladder_text(timeline, connection, ascii_only=ascii_only)
    if form == "markdown":
        from tcpviz.export import markdown

        return markdown.report(timeline, connection, source, now, ascii_only=ascii_only)
    if form == "json":
        from tcpviz.export import jsonl

        steps = (timeline[index] for index in timeline.of(connection.id))
        lines = [jsonl.dumps(jsonl.connection_object(connection, now))]
        lines += [jsonl.dumps(jsonl.step_object(step, tracker)) for step in steps]
        return "\n".join(lines) + "\n"
    from tcpviz.export.exchange import exchange

    drawn = exchange(timeline, connection, notation=notation)
    if form == "html":
        from tcpviz.export import html_page

        return html_page.page(timeline, connection, drawn, source, now)
    if form == "mermaid":
        from tcpviz.export import mermaid

        return mermaid.chart(drawn)
    if form == "plantuml":
        from tcpviz.export import plantuml

        return plantuml.chart(drawn)
    from tcpviz.export import svg_chart

    return svg_chart.chart(drawn, theme)


def _diagram(
    tracker: Tracker, connection: Connection, form: str, theme: str, *, ascii_only: bool
) -> str:
    from tcpviz.views.diagram import draw, layout_for
    from tcpviz.views.diagram_scene import DiagramScene
    from tcpviz.views.spans import plain

    trails: dict[Side, set[Pair]] = {side: set() for side in Side}
    timeline = tracker.timeline
    for index in timeline.of(connection.id):
        step = timeline[index]
        for change in step.changes:
            row = change.transition
            if row is not None and step.connection == connection.id:
                trails[change.side].add((row.before, row.after))
    scene = DiagramScene(
        connection.client.claim,
        connection.server.claim,
        str(connection.client.endpoint),
        str(connection.server.endpoint),
        trail_client=frozenset(trails[Side.CLIENT]),
        trail_server=frozenset(trails[Side.SERVER]),
        ascii=ascii_only,
    )
    lines = draw(layout_for(100, 40), scene)
    if form == "text":
        return plain(lines)
    if form != "svg":
        raise SourceError(f"the diagram comes as svg or text, not as {form}", 2)
    from tcpviz.export.picture import picture

    return picture(lines, "TCP states", theme)


_MOMENTS = {
    StepKind.SEGMENT: Moment.SEEN,
    StepKind.SENT: Moment.SENT,
    StepKind.ARRIVED: Moment.ARRIVED,
    StepKind.LOST: Moment.LOST,
}


def redacted(tracker: Tracker, connection: Connection) -> tuple[Tracker, Connection]:
    """The connection with other addresses, told anew from its own steps to a new tracker.

    Raises SourceError where the timeline has none of its steps.
    """
    redactor, anew = Redactor(), Tracker()
    timeline = tracker.timeline
    for index in timeline.of(connection.id):
        record = _record(timeline[index])
        if record is not None:
            anew.feed(redactor.record(record))
    if not anew.connections:
        raise SourceError("nothing of this connection is kept any more", 1)
    return anew, next(iter(anew.connections.values()))


def _record(step: Step) -> Record | None:
    """What a step was made of."""
    if step.handled is not None:
        return step.handled
    if step.segment is not None and step.kind in _MOMENTS:
        return SegmentRecord(step.time_ns, step.segment, _MOMENTS[step.kind])
    return step.call or step.reading or step.unreachable or step.note or step.gap


def write_file(path: str, text: str) -> None:
    """Write a document, for its owner only, so that a failure leaves what was there before.

    Raises SourceError.
    """
    replaceable(path)
    target = Path(path)
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(beside, flags, 0o600), "w", encoding="utf-8") as file:
            give_to_caller(file.fileno())
            file.write(text)
        beside.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise unwritable(clean(path), error) from None
