"""Connections as a Parquet file, where pyarrow is installed: types, units, and what was made of it.

Columns and names are those of the CSV form; moments are timestamps (nanoseconds, UTC), lengths
of time integers of nanoseconds, marks a map from name to count. Each column's metadata tells its
unit and meaning. The file takes its name when it is complete, for a torso cannot be read.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import tcpviz
from tcpviz.core.connection import Connection
from tcpviz.export.jsonl import Object, connection_object
from tcpviz.sources.feed import SourceError
from tcpviz.sources.parser import clean
from tcpviz.sources.writer import give_to_caller, replaceable, unwritable, why_unwritable

ROWS: Final = 10_000
"""Connections in a row group."""

MISSING: Final = (
    "--parquet needs pyarrow, which is not installed: pip install pyarrow (into tcpviz's own "
    "environment), or take --csv"
)

Get = Callable[[Object], Any]
Row = tuple[Any, ...]


def _of(*path: str) -> Get:
    def get(o: Object) -> Any:
        for key in path:
            o = o[key]
        return o

    return get


def _verdict(key: str) -> Get:
    return lambda o: o["verdicts"][0][key]


def _names(key: str) -> Get:
    return lambda o: [each[key] for each in o["verdicts"]]


COLUMNS: Final[tuple[tuple[str, str, str, Get], ...]] = (
    # name, type, unit or meaning, from the JSON form
    ("id", "uint64", "number in order of the first segment", _of("id")),
    ("client_addr", "string", "IP address", _of("client", "addr")),
    ("client_port", "uint16", "TCP port", _of("client", "port")),
    ("server_addr", "string", "IP address", _of("server", "addr")),
    ("server_port", "uint16", "TCP port", _of("server", "port")),
    ("first", "time", "first segment, ns since 1970 UTC", _of("first_ns")),
    ("last", "time", "last segment, ns since 1970 UTC", _of("last_ns")),
    ("client_state", "name", "RFC 9293 section 3.3.2", _of("states", "client")),
    ("server_state", "name", "RFC 9293 section 3.3.2", _of("states", "server")),
    ("client_certainty", "name", "seen, inferred, unknown", _of("certainty", "client")),
    ("server_certainty", "name", "seen, inferred, unknown", _of("certainty", "server")),
    ("phase", "name", "handshake, data, teardown", _of("phase")),
    ("completeness", "uint8", "Wireshark's tcp.completeness", _of("completeness")),
    ("conn_state", "name", "Zeek's conn_state", _of("conn_state")),
    ("history", "string", "Zeek's history", _of("history")),
    ("client_segments", "uint64", "segments", _of("segments", "client")),
    ("server_segments", "uint64", "segments", _of("segments", "server")),
    ("client_bytes", "uint64", "bytes of payload, repeats too", _of("bytes", "client")),
    ("server_bytes", "uint64", "bytes of payload, repeats too", _of("bytes", "server")),
    ("handshake_rtt", "int64", "ns", _of("handshake_rtt_ns")),
    ("marks", "counts", "segments by mark (tcp.analysis.*)", _of("marks")),
    ("verdict", "string", "in words", _of("verdict")),
    ("verdict_code", "name", "tcpviz help verdicts", _verdict("code")),
    ("verdict_severity", "name", "info, notice, warning, bad", _verdict("severity")),
    ("verdict_codes", "names", "all that is said of it", _names("code")),
    ("community_id", "string", "Community ID version 1", _of("community_id")),
    ("inside", "names", "VLANs and tunnels, outermost first", _of("inside")),
)
"""The order never changes; new columns come at the end."""


def require() -> None:
    """Raises SourceError (2) where there is no pyarrow."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise SourceError(MISSING, 2) from None


def schema() -> Any:
    """The file's schema, each field with its metadata."""
    import pyarrow as pa

    types = {
        "time": pa.timestamp("ns", tz="UTC"),
        "name": pa.dictionary(pa.int32(), pa.string()),
        "names": pa.list_(pa.string()),
        "counts": pa.map_(pa.string(), pa.uint64()),
        **{each: getattr(pa, each)() for each in ("string", "uint8", "uint16", "uint64", "int64")},
    }
    fields = [
        pa.field(name, types[kind], metadata={"unit": unit}) for name, kind, unit, _ in COLUMNS
    ]
    return pa.schema(fields, metadata={"creator": f"tcpviz {tcpviz.__version__}"})


class ParquetSink:
    """Writes connections to ``path``. Raises SourceError where it cannot be made.

    ``lost``  connections that could not be written
    """

    def __init__(self, path: str, tell: Callable[[str], None] = lambda _: None) -> None:
        replaceable(path)
        require()
        import pyarrow.parquet as pq

        self._path = Path(path)
        self._tell = tell
        self._beside = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        self._rows: list[Row] = []
        self.lost = self.written = 0
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            self._file = os.fdopen(os.open(self._beside, flags, 0o600), "wb")
        except (OSError, ValueError) as error:
            raise unwritable(clean(path), error) from None
        give_to_caller(self._file.fileno())
        self._schema = schema()
        self._writer: Any = pq.ParquetWriter(self._file, self._schema, compression="zstd")

    def take(self, connection: Connection, now_ns: int) -> None:
        """A connection, judged as of ``now_ns``."""
        self.add([row(connection, now_ns)])

    def add(self, rows: Sequence[Row]) -> None:
        """Connections as :func:`row` gives them."""
        self._rows += rows
        while len(self._rows) >= ROWS:
            self._put()

    def flush(self) -> None:
        """Nothing can be read before the end."""

    def close(self) -> None:
        """Write what is left and give the file its name; more than once does no harm."""
        if self._file.closed:
            return
        self._put()
        try:
            if self._writer is not None:
                self._writer.close()
            self._file.close()
            if not self.lost:
                self._beside.replace(self._path)
                return
        except OSError as error:
            self._fail(error)
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._beside.unlink()

    def _put(self) -> None:
        import pyarrow as pa

        rows, self._rows = self._rows[:ROWS], self._rows[ROWS:]
        if self.lost or not rows:
            self.lost += len(rows) if self.lost else 0
            return
        columns = zip(*rows, strict=True)
        arrays = [
            pa.array(column, type=field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        try:
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
            self.written += len(rows)
        except OSError as error:
            self._fail(error)
            self.lost += len(rows) + self.written

    def _fail(self, error: OSError) -> None:
        if not self.lost:  # ending the file fails for the same reason again
            name = clean(str(self._path))
            self._tell(f"{name}: cannot be written: {why_unwritable(error)}; it is not there")
        self.lost = self.lost or 1


def row(connection: Connection, now_ns: int) -> Row:
    """What a connection has in each of :data:`COLUMNS`."""
    o = connection_object(connection, now_ns)
    return tuple(
        counted(value) if kind == "counts" and value is not None else value
        for value, kind in ((get(o), kind) for _, kind, _, get in COLUMNS)
    )


def counted(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Counts by name as a map's entries."""
    return sorted(counts.items())
