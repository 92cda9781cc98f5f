"""``tcpviz read`` of a file by columns: the same output, several times as fast.

:func:`run` says ``None`` where columns are not for this capture; then nothing has
been printed, and the file is read record by record.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import os
import sys
import time
from typing import TYPE_CHECKING

from tcpviz.commands.stream import complain
from tcpviz.export.table_text import connection_rows, encodes
from tcpviz.sources.feed import FeedStatus, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tcpviz.bulk.table import Table
    from tcpviz.core.connection import Connection
    from tcpviz.views.filter import Filter

# numpy starts a thread for each processor to multiply matrices, of which we have none.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from tcpviz.bulk import together  # after the setting above
from tcpviz.bulk.load import Loaded, Unsuited, told

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


def _settle() -> None:
    """For a process that does this and then ends."""
    # Columns have few objects, and none that would ever be garbage: looking for it takes time.
    gc.set_threshold(50_000, 20, 100)
    together.share()
    with contextlib.suppress(OSError, AttributeError):
        # What one step frees the next one asks for. Given back to the system in between, each
        # page would have to be cleared again: mallopt(3), where there is glibc.
        mallopt = ctypes.CDLL(None).mallopt
        for option, size in ((-3, 1 << 22), (-1, 1 << 30)):  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
            mallopt(option, size)


def run(options: argparse.Namespace, chosen: Filter | None) -> int | None:
    """Print what was asked for; the exit code, or ``None`` (see above)."""
    if chosen is not None and not all(map(told, chosen.fields)):
        return None
    _settle()
    loaded = Loaded(getattr(options, "pipe", None) or options.file)
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
    if chosen is not None:
        from tcpviz.commands.display_filter import remark

        remark(chosen, table)
    if options.ladder is not None:
        return _ladder(options, loaded, plain)
    fits = None if chosen is None else chosen.matches
    shown: Iterable[tuple[Connection, int]]
    if chosen is not None and _steady(chosen):
        shown = _sifted(table, chosen)
    else:
        moments = zip(table, table.until_ns.tolist(), strict=True)
        shown = ((each, now) for each, now in moments if fits is None or fits(each, now))
    if options.conn_log or options.parquet:
        from tcpviz.commands import read_outlets

        kept = list(shown)
        code = read_outlets.write(options, kept)
        if code or read_outlets.alone(options):
            return code
        shown = (each for each in kept)
    if options.json:
        from tcpviz.export import jsonl

        count = 0
        for connection, now in shown:
            out.write(jsonl.dumps(jsonl.connection_object(connection, now)) + "\n")
            count += 1
        summary = jsonl.summary_object(
            status, len(table), None if fits is None else count, table.crowds
        )
        out.write(jsonl.dumps(summary) + "\n")
    elif options.csv:
        from tcpviz.export import csv_table

        csv_table.write_rows(shown, out)
    elif fits is None and (out.encoding or "").lower().replace("-", "") in ("utf8", "ascii"):
        from tcpviz.export import table_columns

        out.flush()
        table_columns.write(table, status, out.buffer, ascii_only=plain)
        out.buffer.flush()
    else:
        origin = int(table.first_ns.min()) if len(table) else 0
        out.write(
            connection_rows(
                list(shown),
                origin,
                len(table),
                status,
                ascii_only=plain,
                filtered=fits is not None,
                crowds=table.crowds,
            )
        )
    return 0


_STEADY = frozenset(
    {
        *("host", "port", "state", "certainty", "segments", "bytes", "syns", "fins", "rsts"),
        *("phase", "rtt", "duration", "id", "completeness", "conn_state", "history"),
        *("opened_by", "closed_by", "reset_by"),
    }
)
"""Filter fields that do not depend on the moment at which they are asked."""


def _steady(chosen: Filter) -> bool:
    """Whether a filter can be asked of all connections at one moment."""
    from tcpviz.views.filter.syntax import Test, Word

    def plain(node: object) -> bool:
        if isinstance(node, Word):
            return False
        if isinstance(node, Test):
            name = node.field.removeprefix("client.").removeprefix("server.")
            return name in _STEADY or node.field.startswith("mark.")
        inner = getattr(node, "items", None) or (getattr(node, "item", None),)
        return all(each is not None and plain(each) for each in inner)

    return plain(chosen.node)


def _sifted(table: Table, chosen: Filter) -> Iterable[tuple[Connection, int]]:
    """Those that fit, found by columns, each with its moment."""
    from tcpviz.bulk.sieve import Sieve
    from tcpviz.bulk.sorting import Keys

    now = int(table.until_ns.max()) if len(table) else 0
    for place in Sieve(Keys(table, now), table.connection).places(chosen).tolist():
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
