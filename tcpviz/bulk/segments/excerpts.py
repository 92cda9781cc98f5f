"""Some rows of a reading, with all that is needed to read their segments again elsewhere."""

from __future__ import annotations

from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.columns import ROW, Columns, Piece, Tables, rows_at
from tcpviz.bulk.segments.reading import Reading
from tcpviz.core.segment import Segment

Array = NDArray[Any]


class Excerpt:
    """To be sent; :class:`Excerpted` is made of it.

    ``array``  the columns of these rows
    ``kept``   those that are kept as objects, by their place among them
    ``data``   the bytes of those that lie in no file, one behind the other
    """

    __slots__ = ("array", "data", "kept")

    def __init__(self, reading: Reading, rows: Array) -> None:
        reading, rows = reading.origin(rows)
        columns = reading.columns
        array = columns.array
        names = set(array) - set(ROW.names or ()) - {"row"}
        self.array: Piece = {name: array[name][rows] for name in sorted(names)}
        self.array["row"] = rows_at(array, rows)
        self.kept: dict[int, Segment] = {}
        if columns.kept:
            places = np.flatnonzero(self.array["where"] == -1)
            for place, row in zip(places.tolist(), rows[places].tolist(), strict=True):
                self.kept[place] = columns.kept[row]
        where = self.array["where"]
        sent = np.flatnonzero(where != -1 if reading.file is None else where < -1)
        self.data = b"".join(reading.data(row) for row in rows[sent].tolist())
        if len(sent):
            sizes = self.array["captured"][sent].astype(np.int64)
            where[sent] = -2 - (np.cumsum(sizes) - sizes)


class Excerpted(Reading):
    """The rows of an excerpt, as a reading that is asked for single segments.

    ``file``     the capture, where those are that the excerpt has no bytes of
    ``sources``  as :class:`~tcpviz.bulk.segments.columns.Tables` has them
    """

    def __init__(
        self, excerpt: Excerpt, file: IO[bytes] | None, sources: list[tuple[int, int]]
    ) -> None:
        self._file, self._pipe = file, None
        self._spool: Any = _Bytes(excerpt.data)
        self.columns = _Columns(excerpt, sources)


class _Columns(Columns):
    def __init__(self, excerpt: Excerpt, sources: list[tuple[int, int]]) -> None:
        row = excerpt.array["row"]
        self.array = excerpt.array | {name: row[name] for name in ROW.names or ()}
        self.count, self.kept = len(row), excerpt.kept
        self.tables = Tables()
        self.tables.sources = sources


class _Bytes:
    """Read as a spool is."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, size: int, at: int) -> bytes:
        return self._data[at : at + size]
