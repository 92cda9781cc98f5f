"""``tcpviz read FILE --troubles``: what goes wrong, once each, with where and how often."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable

from tcpviz.commands.display_filter import display_filter
from tcpviz.commands.points import feed_of, other
from tcpviz.commands.stream import Notes, complain
from tcpviz.core.crowds import Crowd, crowds
from tcpviz.core.tracker import Tracker
from tcpviz.core.troubles import Gathering
from tcpviz.core.watch import Watch
from tcpviz.sources.feed import SourceError
from tcpviz.views import troubles


def run(options: argparse.Namespace) -> int:
    """Run the command; returns the exit code. Raises SourceError."""
    chosen = display_filter(options.words)
    if other(options) is None:
        from tcpviz.commands import read

        done = read.by_columns(options, chosen)
        if done is not None:
            return done
    feed = feed_of(options)
    tracker = Tracker(keep=False)
    code = 0
    try:
        for batch in feed.batches():
            for record in batch:
                tracker.feed(record)
    except SourceError as error:
        complain(str(error))
        code = error.exit_code
        if not tracker.connections:
            return code
    Notes(feed).tell()
    connections = list(tracker.connections.values())
    watch, gathering = Watch(connections), Gathering(known=tracker.connections)
    # First: what each of a crowd shows by itself is told of the crowd, and not once more.
    many = crowds(connections)
    met: set[int] = set()
    for connection in connections:
        until = watch.until(connection)
        if chosen is None or chosen.matches(connection, until):
            gathering.add(connection, until)
            met.add(id(connection.crowd))
    report(options, gathering, [each for each in many if chosen is None or id(each) in met])
    return code


def report(options: argparse.Namespace, gathering: Gathering, many: Iterable[Crowd]) -> None:
    """Print what was gathered, and what many connections show together.

    ``many``: with a filter those crowds of which a member fits.
    """
    found = gathering.troubles(crowds=many)
    if options.json:
        for each in found:
            made = {
                "code": each.code,
                "severity": each.severity.name.lower(),
                "where": each.where,
                "connections": each.count,
                "of": each.of,
                "worst_ns": each.worst_ns,
                "facts": each.facts,
                "ids": list(each.ids),
                "worst": each.worst or None,
                "text": troubles.sentence(each),
                "details": troubles.details(each),
                "filter": troubles.words(each),
            }
            sys.stdout.write(json.dumps({"trouble": made}) + "\n")
    else:
        sys.stdout.write(troubles.text(found, gathering.left_out))
