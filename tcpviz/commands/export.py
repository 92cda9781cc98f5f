"""``tcpviz export``: one connection as a picture, a page, a diagram's source, a ticket, a slice."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tcpviz.commands.points import feed_of
from tcpviz.commands.stream import Notes, complain
from tcpviz.core.connection import Connection
from tcpviz.core.tracker import Tracker
from tcpviz.export.documents import SUFFIXES, document, write_file
from tcpviz.export.text import encodes
from tcpviz.sources.feed import Feed, SourceError
from tcpviz.sources.redact import Redactor
from tcpviz.views.ladder_labels import Notation

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
        feed = feed_of(options)
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
