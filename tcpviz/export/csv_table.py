"""Connections as CSV: a heading and one row a connection, safe to open in a spreadsheet.

A cell that a spreadsheet would take for a formula (it begins with ``=``,
``+``, ``-``, ``@``, a tab or a return) gets an apostrophe in front, as OWASP
advises: parts of the text come from captures, and so from strangers. Columns
of numbers hold numbers and stay as they are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from typing import Final, TextIO

from tcpviz.core.connection import Connection
from tcpviz.core.segment import scope_text
from tcpviz.core.watch import Watch
from tcpviz.export.jsonl import connection_object

COLUMNS: Final = (
    "id", "client_addr", "client_port", "server_addr", "server_port", "first_ns", "last_ns",
    "client_state", "server_state", "client_certainty", "server_certainty", "phase",
    "phase_done", "phase_of", "completeness", "conn_state", "history",
    "client_segments", "server_segments", "client_bytes", "server_bytes",
    "handshake_rtt_ns", "marks", "verdict", "verdict_code", "verdict_severity", "community_id",
    "inside",
)  # fmt: skip
"""The heading; the order never changes, new columns come at the end."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe(value: object) -> object:
    """A cell that no spreadsheet runs; ``None`` is empty, numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, int):
        return value
    text = str(value)
    return "'" + text if text.startswith(_FORMULA) else text


def row(connection: Connection, now_ns: int | None = None) -> list[object]:
    """One connection's cells, in the order of :data:`COLUMNS`; ``now_ns`` as in JSON."""
    o = connection_object(connection, now_ns)
    progress = o["phase_progress"]
    marks = o["marks"]
    cells = [
        o["id"],
        o["client"]["addr"], o["client"]["port"], o["server"]["addr"], o["server"]["port"],
        o["first_ns"], o["last_ns"],
        o["states"]["client"], o["states"]["server"],
        o["certainty"]["client"], o["certainty"]["server"],
        o["phase"], progress["done"], progress["of"],
        o["completeness"], o["conn_state"], o["history"],
        o["segments"]["client"], o["segments"]["server"],
        o["bytes"]["client"], o["bytes"]["server"],
        o["handshake_rtt_ns"],
        None if marks is None else " ".join(f"{name}={n}" for name, n in sorted(marks.items())),
        o["verdict"], o["verdicts"][0]["code"], o["verdicts"][0]["severity"], o["community_id"],
        scope_text(tuple(o["inside"])),
    ]  # fmt: skip
    return [safe(cell) for cell in cells]


def write(
    connections: Iterable[Connection],
    out: TextIO,
    fits: Callable[[Connection, int], bool] | None = None,
) -> None:
    """The heading and every connection, lines ended by a newline alone.

    ``fits`` (a display filter's ``matches``): only those that fit.
    """
    kept = list(connections)
    watch = Watch(kept)
    moments = ((each, watch.until(each)) for each in kept)
    write_rows(((each, now) for each, now in moments if fits is None or fits(each, now)), out)


def write_rows(shown: Iterable[tuple[Connection, int]], out: TextIO) -> None:
    """The same of connections that were chosen, each with the moment up to which it is judged."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for connection, now in shown:
        writer.writerow(row(connection, now))


def text(connections: Iterable[Connection]) -> str:
    """The same as one string."""
    out = io.StringIO()
    write(connections, out)
    return out.getvalue()
