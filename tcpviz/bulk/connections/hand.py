"""Another process that follows flows for :mod:`tcpviz.bulk.connections.jobs`, and its ``main``."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable

from tcpviz.bulk.connections.following import Follower
from tcpviz.bulk.connections.jobs import Made, Portion, Start, all_done
from tcpviz.bulk.crew import serve
from tcpviz.bulk.segments.excerpts import Excerpted


def main() -> None:
    """What it does until nobody wants more of it."""
    gc.freeze()
    gc.disable()  # what a portion leaves behind is looked for when it is done
    serve(begin)


def begin(start: Start) -> Callable[[Portion], Made]:
    """What makes of a portion what comes of it."""
    os.nice(start.nice)
    file = None if start.file is None else os.fdopen(start.file, "rb", buffering=0)

    def do(portion: Portion) -> Made:
        reading = Excerpted(portion.excerpt, file, start.sources)
        clock = start.clock.of_rows(portion.now, portion.steady)
        follower = Follower(reading, clock)
        rows = portion.rows
        opened = [
            [(int(rows[row]), each) for row, each in found]
            for found in all_done(portion.jobs, reading, clock, follower)
        ]
        gc.collect()
        return Made(opened, follower.segments)

    return do
