"""``tcpviz export``: one connection as a picture, a page, a diagram's source, a ticket, a slice."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tcpviz.commands.stream import Notes, complain
from tcpviz.core.connection import Connection
from tcpviz.core.records import Side
from tcpviz.core.tracker import Tracker
from tcpviz.core.watch import Watch
from tcpviz.export.text import encodes
from tcpviz.sources.feed import Feed, SourceError
from tcpviz.sources.files import FileFeed
from tcpviz.sources.redact import Redactor
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

_SCENARIO = "demo:"


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    try:
        form = _form(options)
        if form == "pcapng" and options.redact:
            raise SourceError("--redact does not rewrite packets: choose another form", 2)
        if form == "pcapng" and options.out == "-" and sys.stdout.isatty():
            raise SourceError("a pcapng is not for a terminal: name a file with -o", 2)
        tracker, source = _read(options)
        connection = _chosen(tracker, options)
        if form == "pcapng":
            return _slice(options, connection)
        made = document(
            tracker,
            connection,
            form,
            source="a capture" if options.redact else source,
            what=options.what,
            theme=options.theme or "light",
            notation=Notation(options.notation),
            ascii_only=options.ascii,
        )
        return _put(made, options)
    except SourceError as error:
        complain(str(error))
        return error.exit_code


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


# -- where it comes from and goes to ---------------------------------------------


def _form(options: argparse.Namespace) -> str:
    if options.form is not None:
        return str(options.form)
    suffix = Path(options.out).suffix.lower()
    if options.out == "-":
        return "text"
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    known = ", ".join(sorted(set(SUFFIXES.values())))
    raise SourceError(f"what form is {options.out} to have? Say it with --to ({known})", 2)


def _read(options: argparse.Namespace) -> tuple[Tracker, str]:
    feed: Feed
    if options.file.startswith(_SCENARIO):
        from tcpviz.lab.feed import LabFeed
        from tcpviz.lab.scenarios import load

        if options.form == "pcapng" or options.out.endswith(".pcapng"):
            raise SourceError("a demo is saved by: tcpviz demo SCENARIO --text -w OUT.pcapng", 2)
        feed = LabFeed(load(options.file.removeprefix(_SCENARIO)))
    else:
        feed = FileFeed(options.file)
    tracker = Tracker()
    notes = Notes(feed)
    redactor = Redactor(all_ports=options.redact == "all") if options.redact else None
    try:
        for batch in feed.batches():
            for record in batch:
                tracker.feed(record if redactor is None else redactor.record(record))
    except SourceError as error:
        complain(str(error))
        if not tracker.connections:
            raise SourceError("nothing could be read, so nothing was exported", 1) from None
    notes.tell()
    return tracker, feed.title


def _chosen(tracker: Tracker, options: argparse.Namespace) -> Connection:
    count = len(tracker.connections)
    if options.number is None:
        if count == 1:
            return next(iter(tracker.connections.values()))
        if not count:
            raise SourceError(f"{options.file} has no TCP connection", 1)
        raise SourceError(f"{options.file} has {count} connections: say which with -n N", 2)
    connection = tracker.connections.get(options.number)
    if connection is None:
        known = f"connections 1 to {count}" if count else "no connections"
        raise SourceError(f"no connection {options.number}: {options.file} has {known}", 2)
    return connection


def _slice(options: argparse.Namespace, connection: Connection) -> int:
    from tcpviz.sources.cutout import cut_out

    if options.file == "-":
        raise SourceError("standard input cannot be read twice: save it to a file first", 2)
    if options.out != "-" and _same(options.file, options.out):
        raise SourceError(f"{options.out} is the capture itself: choose another name", 2)
    count = cut_out(options.file, connection, options.out)
    if options.out != "-":
        complain(f"{count} packets of connection {connection.id} are in {options.out}")
    return 0


def _same(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:
        return False


def _put(made: str, options: argparse.Namespace) -> int:
    if options.out == "-":
        plain = not encodes(sys.stdout.encoding)
        sys.stdout.write(made.encode("ascii", "replace").decode() if plain else made)
        return 0
    if options.file != "-" and _same(options.file, options.out):
        raise SourceError(f"{options.out} is the capture itself: choose another name", 2)
    write_file(options.out, made)
    complain(f"wrote {options.out}")
    return 0


def write_file(path: str, text: str) -> None:
    """Write a document so that a failure leaves what was there before. Raises SourceError."""
    target = Path(path)
    beside = target.with_name(f".{target.name}.part")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise SourceError(f"cannot write {path}: {error.strerror}", 1) from None
