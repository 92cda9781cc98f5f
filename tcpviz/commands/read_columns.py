"""``tcpviz read`` of a file by columns: the same output, several times as fast.

:func:`run` says ``None`` where columns are not for this capture; then nothing has
been printed, and the file is read record by record.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from typing import TYPE_CHECKING, Any

from tcpviz.bulk import forks, sole
from tcpviz.bulk.segments.windows import windows_of
from tcpviz.bulk.tables.load import Loaded, Unsuited, told
from tcpviz.commands.stream import complain
from tcpviz.export.table_text import connection_rows, encodes
from tcpviz.sources.feed import FeedStatus, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tcpviz.bulk.tables.table import Table
    from tcpviz.core.connection import Connection
    from tcpviz.views.filter import Filter

_BEAT_S = 0.1


class _Progress:
    """How far it is, on a terminal's standard error: one line that is wiped out at the end."""

    def __init__(self) -> None:
        self._shown = False
        self._wanted = sys.stderr.isatty()
        self._next = time.monotonic() + _BEAT_S

    def __call__(self, status: FeedStatus) -> None:
        now = time.monotonic()
        if not self._wanted or not status.size or now < self._next:
            return
        self._next = now + _BEAT_S
        self._shown = True
        share = min(100, 100 * status.position // status.size)
        sys.stderr.write(f"\rreading: {share} %, {status.segments} segments\x1b[K")
        sys.stderr.flush()

    def done(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def run(options: argparse.Namespace, chosen: Filter | None) -> int | None:
    """Print what was asked for; the exit code, or ``None`` (see above)."""
    if chosen is not None and not _answerable(chosen):
        return None
    sole.settle()
    try:
        with forks.shared():
            return _run(options, chosen)
    finally:
        gc.unfreeze()


def _run(options: argparse.Namespace, chosen: Filter | None) -> int | None:
    windows = windows_of(options.memory)
    path = getattr(options, "pipe", None) or options.file
    loaded = Loaded(path, windows, heads=bool(options.conn_log))
    progress = _Progress()
    code = 0
    try:
        try:
            loaded.read(progress)
        except KeyboardInterrupt:
            loaded.stop()
            progress.done()
            complain("interrupted; what was read so far follows")
            code = 130
        except SourceError as error:
            complain(str(error))
            if not loaded.status.segments:
                return error.exit_code
            code = error.exit_code
        finally:
            progress.done()
        loaded.build()
        for note in loaded.status.notes:
            complain(note)
        return _result(options, loaded, chosen) or code
    except Unsuited:
        return None
    finally:
        loaded.close()


def _result(options: argparse.Namespace, loaded: Loaded, chosen: Filter | None) -> int:
    out, table, status = sys.stdout, loaded.table, loaded.status
    plain = options.ascii or not encodes(out.encoding)
    if options.troubles:
        return _troubles(options, table, chosen)
    if chosen is not None:
        from tcpviz.commands.display_filter import remark

        remark(chosen, table.examples())
    if options.ladder is not None:
        return _ladder(options, loaded, plain)
    places = _all(table) if chosen is None else _places(table, chosen)
    if options.conn_log or options.parquet:
        from tcpviz.commands import read_outlets
        from tcpviz.export import conn_log_columns, parquet_columns

        rows = parquet_columns.rows(table, places)
        lines = conn_log_columns.texts(table, places)
        code = read_outlets.write(options, (), rows, lines)
        if code or read_outlets.alone(options):
            return code
    if options.json:
        from tcpviz.export import json_columns, jsonl

        for text in json_columns.texts(table, places):
            out.write(text)
        summary = jsonl.summary_object(
            status, len(table), None if chosen is None else len(places), table.crowds
        )
        out.write(jsonl.dumps(summary) + "\n")
    elif options.csv:
        from tcpviz.export import csv_columns

        out.write(csv_columns.heading())
        for text in csv_columns.texts(table, places):
            out.write(text)
    elif (out.encoding or "").lower().replace("-", "") in ("utf8", "ascii"):
        from tcpviz.export import table_columns

        out.flush()
        some = None if chosen is None else places
        table_columns.write(table, status, out.buffer, ascii_only=plain, places=some)
        out.buffer.flush()
    else:
        origin = int(table.first_ns.min()) if len(table) else 0
        out.write(
            connection_rows(
                list(_moments(table, places)),
                origin,
                len(table),
                status,
                ascii_only=plain,
                filtered=chosen is not None,
                crowds=table.crowds,
            )
        )
    return 0


def _troubles(options: argparse.Namespace, table: Table, chosen: Filter | None) -> int:
    from tcpviz.commands import read_troubles
    from tcpviz.export.gathering_columns import gather

    places = _all(table) if chosen is None else _places(table, chosen)
    gathering = gather(table, places)
    many = table.crowds if chosen is None else table.crowds_of(places)
    read_troubles.report(options, gathering, many)
    return 0


def _answerable(chosen: Filter) -> bool:
    if all(map(told, chosen.fields)):
        return True
    from tcpviz.bulk.tables import sieve

    return sieve.answerable(chosen)


def _all(table: Table) -> NDArray[Any]:
    import numpy as np  # tcpviz.bulk has told it what to begin with

    return np.arange(len(table))


def _places(table: Table, chosen: Filter) -> NDArray[Any]:
    """Where those are that fit, each asked at its own moment."""
    from tcpviz.bulk.tables.sieve import Sieve
    from tcpviz.bulk.tables.sorting import Keys

    def whole(place: int) -> Connection:
        row, building = table.first_row(place), table.building
        return dict(building.follow(building.flows.flow_of(row))[1])[row]

    return Sieve(Keys(table, None), table.connection, whole).places(chosen)


def _moments(table: Table, places: NDArray[Any]) -> Iterator[tuple[Connection, int]]:
    """Connections, each with the moment up to which it is judged."""
    for place in places.tolist():
        yield table.connection(place), int(table.until_ns[place])


def _ladder(options: argparse.Namespace, loaded: Loaded, plain: bool) -> int:
    from tcpviz.export.text import ladder_text

    count = len(loaded.table)
    if not 1 <= options.ladder <= count:
        known = f"connections 1 to {count}" if count else "no connections"
        complain(f"no connection {options.ladder}: {options.file} has {known}")
        return 2
    timeline, connection = loaded.story(options.ladder - 1)
    sys.stdout.write(ladder_text(timeline, connection, ascii_only=plain))
    return 0
