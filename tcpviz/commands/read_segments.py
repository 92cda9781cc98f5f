"""``tcpviz read --segments EXPR``: the steps that fit, one a line, as they are read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from tcpviz.commands.display_filter import display_filter
from tcpviz.commands.points import feed_of
from tcpviz.commands.stream import Notes, complain
from tcpviz.core.timeline import Step
from tcpviz.core.tracker import Tracker
from tcpviz.export.text import Story, encodes
from tcpviz.sources.feed import SourceError
from tcpviz.views.filter import SEGMENTS
from tcpviz.views.numbers import plural


def run(options: argparse.Namespace) -> int:
    """Print them; returns the exit code. Nothing is kept, so a file of any size will do."""
    if options.words:
        raise SourceError(
            "--segments has conditions of its own: put host:, port: or id: into them, and leave "
            "the filter words away",
            2,
        )
    chosen = display_filter([options.segments], SEGMENTS)
    feed = feed_of(options)
    tracker, notes = Tracker(keep=False), Notes(feed)
    told: Callable[[Step], str | None] | None = None
    shown = segments = more = code = 0
    try:
        for batch in feed.batches():
            for record in batch:
                for step in tracker.feed(record):
                    segments += step.segment is not None
                    told = told or _teller(options, tracker, step.time_ns)
                    if chosen is None or chosen.matches(step, step.time_ns):
                        text = told(step)
                        if text is not None:
                            sys.stdout.write(text + "\n")
                            shown += step.segment is not None
                            more += step.segment is None
    except KeyboardInterrupt:
        feed.stop()
        complain("interrupted")
        code = 130
    except SourceError as error:
        complain(str(error))
        code = error.exit_code
    notes.tell()
    others = f", and {plural(more, 'other event')}" if more else ""
    complain(f"{shown} of {plural(segments, 'segment')} printed{others}")
    return code


def _teller(
    options: argparse.Namespace, tracker: Tracker, origin_ns: int
) -> Callable[[Step], str | None]:
    if options.json:
        from tcpviz.export import jsonl

        return lambda step: jsonl.dumps(jsonl.step_object(step, tracker))
    plain = options.ascii or not encodes(sys.stdout.encoding)
    story = Story(tracker, ascii_only=plain)
    story.begin(origin_ns)
    return story.line
