"""``tcpviz read``: a capture file as a screen, a table, JSON lines, CSV, or one chart."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tcpviz.commands import onlooking, points, read_outlets, serving
from tcpviz.commands.display_filter import display_filter, remark
from tcpviz.commands.stream import Notes, complain
from tcpviz.core.crowds import crowds
from tcpviz.core.tracker import Tracker
from tcpviz.core.watch import Watch
from tcpviz.export import text
from tcpviz.export.text import encodes
from tcpviz.sources.feed import Feed, SourceError
from tcpviz.ui.terminal import in_browser
from tcpviz.views.filter import Filter
from tcpviz.views.until import Until

SMALL = 1 << 18
"""Bytes of a file up to which it is read record by record: sooner done than numpy is imported."""


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code."""
    as_text = options.text or options.json or options.csv or options.ladder is not None
    try:
        serve = serving.wanted(options)
        if options.segments is not None:
            from tcpviz.commands import read_segments

            return read_segments.run(options)
        if options.troubles:
            from tcpviz.commands import read_troubles

            return read_troubles.run(options)
        as_text = as_text or read_outlets.wanted(options)
        chosen = display_filter(options.words)
        until = onlooking.check(options, screen=False)
        if chosen is not None and options.ladder is not None:
            raise SourceError("--ladder prints one connection's chart: leave the filter away", 2)
        if serve:
            return _serve(options)
        if not as_text and (sys.stdout.isatty() or in_browser()):
            from tcpviz.ui import start

            if until is None:
                return start.read(options)
            ends: list[Until] = []

            def look(feed: Feed) -> Until:
                ends.append(Until(until, feed.stop, feed.status.notes.append))
                return ends[0]

            return start.read(options, look) or ends[0].exit_code
        return _print(options, chosen, until)
    except SourceError as error:
        complain(str(error))
        return error.exit_code


def _serve(options: argparse.Namespace) -> int:
    """The file in a browser; it is opened once first, to tell here what is wrong with it."""
    if options.file == "-":
        raise SourceError("standard input can be read once: --serve needs a file", 2)
    try:
        with Path(options.file).open("rb"):
            pass
    except OSError as error:
        raise SourceError(f"{options.file}: {error.strerror}", 2) from None
    return serving.run(options, f"tcpviz: {Path(options.file).name}")


def _print(options: argparse.Namespace, chosen: Filter | None, until: Filter | None) -> int:
    # Columns know neither Zeek's sums nor the moment at which something first fits.
    fast = until is None and not options.conn_log and points.other(options) is None
    code = _by_columns(options, chosen) if fast else None
    return _one_by_one(options, chosen, until) if code is None else code


def _by_columns(options: argparse.Namespace, chosen: Filter | None) -> int | None:
    """All segments at once, where there are enough of them to be worth numpy's start."""
    try:
        if Path(options.file).stat().st_size < SMALL:
            return None
    except (OSError, ValueError):
        return None
    from tcpviz.commands import read_columns

    return read_columns.run(options, chosen)


def _one_by_one(options: argparse.Namespace, chosen: Filter | None, until: Filter | None) -> int:
    feed = points.feed_of(options)
    tracker = Tracker(keep=options.ladder is not None)
    notes = Notes(feed)
    end = None if until is None else Until(until, feed.stop, feed.status.notes.append)
    code = 0
    try:
        for batch in feed.batches():
            for record in batch:
                if end is None:
                    tracker.feed(record)
                elif not end.done:
                    end.steps(tracker.feed(record), tracker)
            if end is not None:
                end.look(tracker, tracker.now_ns)
    except KeyboardInterrupt:
        feed.stop()
        complain("interrupted; what was read so far follows")
        code = 130
    except SourceError as error:
        complain(str(error))
        code = error.exit_code
        if not tracker.connections:
            return code
    if end is not None:
        end.end(tracker, tracker.now_ns)
        code = code or end.exit_code
    notes.tell()
    return _result(options, feed, tracker, chosen) or code


def _result(
    options: argparse.Namespace, feed: Feed, tracker: Tracker, chosen: Filter | None
) -> int:
    out = sys.stdout
    connections = list(tracker.connections.values())
    many = crowds(connections)
    plain = options.ascii or not encodes(out.encoding)
    fits = None if chosen is None else chosen.matches
    if chosen is not None:
        remark(chosen, connections)
    if read_outlets.wanted(options):
        watch = Watch(connections)
        moments = ((each, watch.until(each)) for each in connections)
        code = read_outlets.write(
            options, (pair for pair in moments if fits is None or fits(*pair))
        )
        if code or read_outlets.alone(options):
            return code
    if options.ladder is not None:
        connection = tracker.connections.get(options.ladder)
        if connection is None:
            known = f"connections 1 to {len(connections)}" if connections else "no connections"
            complain(f"no connection {options.ladder}: {options.file} has {known}")
            return 2
        out.write(text.ladder_text(tracker.timeline, connection, ascii_only=plain))
    elif options.json:
        from tcpviz.export import jsonl

        watch = Watch(connections)
        shown = 0
        for connection in connections:
            until = watch.until(connection)
            if fits is None or fits(connection, until):
                out.write(jsonl.dumps(jsonl.connection_object(connection, until)) + "\n")
                shown += 1
        summary = jsonl.summary_object(
            feed.status, len(connections), None if fits is None else shown, many
        )
        summary["summary"].update(points.summary(feed))
        out.write(jsonl.dumps(summary) + "\n")
    elif options.csv:
        from tcpviz.export import csv_table

        csv_table.write(connections, out, fits)
    else:
        out.write(
            text.connection_table(
                connections, feed.status, ascii_only=plain, fits=fits, crowds=many
            )
        )
        out.write(points.closing(feed, ascii_only=plain))
    return 0
