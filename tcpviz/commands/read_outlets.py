"""``tcpviz read --conn-log`` and ``--parquet``: a file's connections for other programs."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tcpviz.commands import onlooking
from tcpviz.commands.stream import complain
from tcpviz.core.connection import Connection
from tcpviz.export.outlets import Sink, conn_log_sink

if TYPE_CHECKING:
    from tcpviz.export.parquet import Row


def wanted(options: argparse.Namespace) -> bool:
    """Whether connections go elsewhere than to the screen or standard output."""
    return bool(options.conn_log or options.parquet)


def alone(options: argparse.Namespace) -> bool:
    """Whether nothing else was asked for."""
    others = options.text or options.json or options.csv or options.ladder is not None
    return wanted(options) and not others


def write(
    options: argparse.Namespace,
    shown: Iterable[tuple[Connection, int]],
    rows: Iterable[list[Row]] | None = None,
    lines: Iterable[list[str]] | None = None,
) -> int:
    """Write ``shown``, each with the moment up to which it is judged; returns the exit code.

    ``rows`` for Parquet, ``lines`` for the ``conn.log``: the same, where they are made sooner by
    themselves. Raises SourceError.
    """
    onlooking.check(options, screen=False)
    sinks: list[tuple[str, Sink]] = []
    if options.conn_log:
        log = conn_log_sink(options.conn_log, append=False, tell=complain)
        sinks.append((options.conn_log, log))
    if options.parquet:
        from tcpviz.export.parquet import ParquetSink

        parquet = ParquetSink(options.parquet, complain)
        sinks.append((options.parquet, parquet))
    taking = [sink for _, sink in sinks]
    try:
        if lines is not None and options.conn_log:
            taking.remove(log)
            for texts in lines:
                log.add(texts)
        if rows is not None and options.parquet:
            taking.remove(parquet)
            for some in rows:
                parquet.add(some)
        for connection, now in shown if taking else ():
            for sink in taking:
                sink.take(connection, now)
    finally:
        for _, sink in sinks:
            sink.close()
    for path, sink in sinks:
        if path != "-" and not sink.lost:
            complain(f"{path}: {sink.written} connections")
    return int(any(sink.lost for _, sink in sinks))
