"""``tcpviz read`` of a file record by record, with all that only this way can do."""

from __future__ import annotations

import argparse
import sys

from tcpviz.commands import points, read_outlets
from tcpviz.commands.display_filter import remark
from tcpviz.commands.stream import Notes, complain
from tcpviz.core.crowds import crowds
from tcpviz.core.tracker import Tracker
from tcpviz.core.watch import Watch
from tcpviz.export import text
from tcpviz.export.text import encodes
from tcpviz.sources.feed import Feed, SourceError
from tcpviz.views.filter import Filter
from tcpviz.views.until import Until


def run(options: argparse.Namespace, chosen: Filter | None, until: Filter | None) -> int:
    """Read it to its end, or to the moment asked for, and print it; the exit code."""
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
