"""The table of connections as text, made from columns: the same characters as :mod:`text` writes.

A row is put together from pieces of fixed width that are padded with zero
bytes, thousands of rows at a time; then the zero bytes are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.headlines import headlines
from tcpviz.bulk.table import Table
from tcpviz.core.connection import Connection
from tcpviz.core.segment import Endpoint
from tcpviz.export.table_text import RIGHT, TITLES, closing_lines, state_cell
from tcpviz.sources.feed import FeedStatus
from tcpviz.views import numbers
from tcpviz.views.spans import text_width

Array = NDArray[Any]

ROWS = 1 << 15
"""Rows that are made at a time: some 8 MB of them."""

_SPACE, _POINT, _COLON, _ZERO = 32, 46, 58, 48


class Cells:
    """One column: of each row its text, as bytes with zeros between, and how many cells it takes.

    ``make`` gives the bytes of a stretch of rows, as many columns for each.
    """

    def __init__(self, widths: Array, make: Callable[[slice], Array]) -> None:
        self.widths = widths.astype(np.uint16)
        self.make = make


def _words(which: Array, texts: Sequence[str]) -> Cells:
    """Cells that are one of ``texts`` each."""
    table = np.array([text.encode() for text in texts] or [b""])
    octets = table.view(np.uint8).reshape(len(table), -1)
    widths = np.array([text_width(text) for text in texts] or [0])
    return Cells(widths[which], lambda rows: octets[which[rows]])


def _digits(values: Array) -> Array:
    """Decimal digits of whole numbers that are not negative; zeros in front."""
    count = max(len(str(int(values.max(initial=0)))), 1)
    out = np.zeros((len(values), count), np.uint8)
    rest = values.astype(np.uint32) if values.max(initial=0) < 1 << 32 else values.copy()
    for place in range(count - 1, -1, -1):
        higher = rest // 10
        out[:, place] = rest - higher * 10 + _ZERO
        if place < count - 1:
            out[rest == 0, place] = 0
        rest = higher
    return out


def _lengths(values: Array) -> Array:
    """How many digits each has."""
    bounds = np.array([10**power for power in range(1, 19)], np.int64)
    return np.searchsorted(bounds, values, "right") + 1


def _counts(values: Array) -> Cells:
    return Cells(_lengths(values), lambda rows: _digits(values[rows]))


def _seconds(values: Array) -> Cells:
    """As ``numbers.seconds`` with three decimals; ``values`` are nanoseconds, none negative."""
    whole = values // 1_000_000_000

    def make(rows: slice) -> Array:
        parts = (values[rows] % 1_000_000_000) // 1_000_000
        tail = np.empty((len(parts), 4), np.uint8)
        tail[:, 0] = _POINT
        for place, unit in ((1, 100), (2, 10), (3, 1)):
            tail[:, place] = parts // unit % 10 + _ZERO
        return np.concatenate([_digits(whole[rows]), tail], axis=1)

    return Cells(_lengths(whole) + 4, make)


def _durations(values: Array, none: Array | None = None) -> Cells:
    """As ``numbers.duration``; "-" where ``none``."""
    # Three digits are written, rounded half up: what lies in one half of the last one's step
    # is written alike, so that few different ones are left.
    steps = np.ones(len(values), np.int64)
    for power in range(3, 11):
        steps[values >= 10**power] = 5 * 10 ** (power - 3)
    steps[values >= 59_000_000_000] = 1
    unique, back = np.unique(values // steps * steps, return_inverse=True)
    texts = [numbers.duration(each) for each in unique.tolist()]
    if none is not None:
        back = np.where(none, len(texts), back)
        texts.append("-")
    return _words(back, texts)


def _endpoints(table: Table, addresses: Array, ports: Array) -> Cells:
    long = addresses >> 32 > 0
    if long.any():
        both = np.stack([addresses, ports], axis=1)
        unique, back = np.unique(both, axis=0, return_inverse=True)
        ends = [str(Endpoint(table.address(int(a)), int(p))) for a, p in unique.tolist()]
        return _words(back.reshape(-1), ends)
    octet = np.array([str(each).encode() for each in range(256)]).view(np.uint8).reshape(256, 3)
    sizes = np.array([len(str(each)) for each in range(256)])
    widths = 4 + _lengths(ports)
    for shift in (24, 16, 8, 0):
        widths += sizes[addresses >> shift & 0xFF]

    def make(rows: slice) -> Array:
        part = addresses[rows]
        point = np.full((len(part), 1), _POINT, np.uint8)
        pieces = []
        for shift in (24, 16, 8, 0):
            pieces += [octet[part >> shift & 0xFF], point]
        pieces[-1] = np.full((len(part), 1), _COLON, np.uint8)
        return np.concatenate([*pieces, _digits(ports[rows])], axis=1)

    return Cells(widths, make)


def _told(table: Table, text: Callable[[Connection], str]) -> Cells:
    """What depends on a connection's shape alone."""
    texts: dict[str, int] = {}
    which = table.shaped(lambda c: texts.setdefault(text(c), len(texts)))
    return _words(which, list(texts))


def cells(table: Table) -> list[Cells]:
    """The columns of :data:`tcpviz.export.table_text.TITLES`."""
    client, server = table.ends()
    origin = int(table.first_ns.min(initial=np.iinfo(np.int64).max)) if len(table) else 0
    lines, texts = headlines(table)
    took = table.last_ns - table.first_ns
    if took.min(initial=0) < 0:
        lasted = _words(np.arange(len(took)), [numbers.duration(each) for each in took.tolist()])
    else:
        lasted = _durations(took)
    return [
        _counts(np.arange(1, len(table) + 1)),
        _endpoints(table, *client),
        _endpoints(table, *server),
        _told(table, lambda c: state_cell(c.client)),
        _told(table, lambda c: state_cell(c.server)),
        _told(table, lambda c: str(c.phase)),
        _seconds(table.first_ns - origin),
        lasted,
        _counts(table.segments),
        _counts(table.bytes),
        _durations(np.maximum(table.rtt, 0), table.rtt < 0),
        _words(lines, texts),
    ]


def write(table: Table, status: FeedStatus, out: BinaryIO, *, ascii_only: bool = False) -> None:
    """The whole table and its closing lines, in UTF-8."""

    def put(text: bytes) -> None:
        out.write(text)

    if ascii_only:
        from tcpviz.views.ladder_canvas import ascii_text

        def put(text: bytes) -> None:
            out.write(ascii_text(text.decode()).encode())

    if len(table):
        columns = cells(table)
        sizes = [
            max(int(each.widths.max()), text_width(title))
            for each, title in zip(columns, TITLES, strict=True)
        ]
        heading = [
            title.rjust(size) if title in RIGHT else title.ljust(size)
            for title, size in zip(TITLES, sizes, strict=True)
        ]
        put(("  ".join(heading).rstrip() + "\n").encode())
        for start in range(0, len(table), ROWS):
            put(_rows(columns, sizes, slice(start, min(start + ROWS, len(table)))))
    put(("\n".join(closing_lines(len(table), status, table.crowds)) + "\n").encode())


def _rows(columns: list[Cells], sizes: list[int], rows: slice) -> bytes:
    pieces = []
    last = len(columns) - 1
    for at, (column, size, title) in enumerate(zip(columns, sizes, TITLES, strict=True)):
        made = column.make(rows)
        blank = size - column.widths[rows].astype(np.int64)
        widest = int(blank.max())
        pad = np.where(np.arange(widest) < blank[:, None], _SPACE, 0).astype(np.uint8)
        gap = np.full((len(blank), 2), _SPACE, np.uint8)
        if at == last:
            pieces += [made, np.full((len(blank), 1), 10, np.uint8)]
        else:
            pieces += [pad, made, gap] if title in RIGHT else [made, pad, gap]
    whole = np.concatenate(pieces, axis=1)
    text: bytes = whole[whole != 0].tobytes()
    return text
