"""The table of connections as text, made from columns: the same characters as :mod:`text` writes.

A row is put together from pieces of fixed width that are padded with zero
bytes, thousands of rows at a time; then the zero bytes are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk import together
from tcpviz.bulk.segments.flows import grouped
from tcpviz.bulk.tables.headlines import headlines
from tcpviz.bulk.tables.table import Table
from tcpviz.core.connection import Connection
from tcpviz.core.segment import Endpoint
from tcpviz.export.table_text import RIGHT, TITLES, closing_lines, state_cell
from tcpviz.sources.feed import FeedStatus
from tcpviz.views import numbers
from tcpviz.views.spans import text_width

Array = NDArray[Any]

ROWS = 1 << 13
"""Rows that are made at a time: some 1 MB of them, which stay in the processor's cache."""

_SPACE, _POINT, _COLON, _ZERO = 32, 46, 58, 48

Fill = Callable[[slice, Array], None]
Layout = tuple[int, Fill]


class Cells:
    """One column: how many cells the widest of its texts takes, and how rows are made.

    ``layout`` is asked once, with the cells that there are and what stands behind the
    column; it tells how many bytes each row has, and what fills in those of a stretch of rows.
    """

    def __init__(self, width: int, layout: Callable[[int, bytes], Layout]) -> None:
        self.width = width
        self.layout = layout


def _octets(texts: Array) -> Array:
    """Texts of one size as rows of bytes."""
    return texts.view(np.uint8).reshape(len(texts), -1)


def _words(which: Array, texts: Sequence[str], *, right: bool = False) -> Cells:
    """Cells that are one of ``texts`` each."""
    widths = [text_width(text) for text in texts]

    def layout(size: int, behind: bytes) -> Layout:
        padded = []
        for text, width in zip(texts, widths, strict=True):
            blank = b" " * (size - width)
            said = text.encode()
            padded.append((blank + said if right else said + blank) + behind)
        table = np.array(padded or [b"\0"])

        def fill(rows: slice, out: Array) -> None:
            out[:] = _octets(table[which[rows]])

        return table.itemsize, fill

    return Cells(max(widths, default=0), layout)


def _digits(values: Array, out: Array, blank: int) -> None:
    """The last decimal digits of whole numbers, as many as fit; ``blank`` in front of them."""
    last = out.shape[1] - 1
    rest = values.astype(np.uint32) if values.max(initial=0) < 1 << 32 else values
    for place in range(last, -1, -1):
        higher = rest // 10
        digit = (rest - higher * 10).astype(np.uint8)
        digit += _ZERO
        if place < last:
            digit[rest == 0] = blank
        out[:, place] = digit
        rest = higher


def _size(values: Array) -> int:
    """Digits of the greatest."""
    return len(str(int(values.max(initial=0))))


def _counts(values: Array) -> Cells:
    def layout(size: int, behind: bytes) -> Layout:
        end = np.frombuffer(behind, np.uint8)

        def fill(rows: slice, out: Array) -> None:
            _digits(values[rows], out[:, :size], _SPACE)
            out[:, size:] = end

        return size + len(end), fill

    return Cells(_size(values), layout)


_THOUSANDTHS = _octets(np.array([f".{each:03}".encode() for each in range(1000)])).view(np.uint32)


def _seconds(values: Array) -> Cells:
    """As ``numbers.seconds`` with three decimals; ``values`` are nanoseconds, none negative."""
    longest = _size(values[-1:] if len(values) and (values[-1] == values.max()) else values)
    width = max(longest - 9, 1) + 4

    def layout(size: int, behind: bytes) -> Layout:
        end = np.frombuffer(behind, np.uint8)

        def fill(rows: slice, out: Array) -> None:
            thousandths = values[rows] // 1_000_000
            whole = thousandths // 1000
            _digits(whole, out[:, : size - 4], _SPACE)
            out[:, size - 4 : size] = _octets(_THOUSANDTHS[thousandths - whole * 1000])
            out[:, size:] = end

        return size + len(end), fill

    return Cells(width, layout)


def _durations(values: Array, none: Array | None = None) -> Cells:
    """As ``numbers.duration``; "-" where ``none``."""
    # Three digits are written, rounded half up: what lies in one half of the last one's step
    # is written alike, so that few different ones are left.
    steps = np.ones(len(values), np.int64)
    for power in range(3, 11):
        steps[values >= 10**power] = 5 * 10 ** (power - 3)
    steps[values >= 59_000_000_000] = 1
    unique, _, back = grouped(values // steps * steps)
    texts = [numbers.duration(each) for each in unique.tolist()]
    if none is not None:
        back = np.where(none, len(texts), back)
        texts.append("-")
    return _words(back, texts, right=True)


# Each octet with what stands behind it; zero bytes in front of the digits.
_OCTET, _LAST = (
    _octets(np.array([f"{each}{mark}".rjust(4, "\0").encode() for each in range(256)])).view(
        np.uint32
    )
    for mark in ".:"
)
_OCTET_SIZE = np.array([len(str(each)) for each in range(256)], np.uint8)


def _endpoints(table: Table, addresses: Array, ports: Array) -> Cells:
    if (addresses >> 32).any():
        both = np.stack([addresses, ports], axis=1)
        unique, back = np.unique(both, axis=0, return_inverse=True)
        ends = [str(Endpoint(table.address(int(a)), int(p))) for a, p in unique.tolist()]
        return _words(back.reshape(-1), ends)
    octets = addresses.astype("<u4").view(np.uint8).reshape(-1, 4)
    widths = np.full(len(addresses), 4 + 1, np.uint8)
    for bound in (10, 100, 1000, 10_000):
        widths += ports >= bound
    for place in range(4):
        widths += _OCTET_SIZE[octets[:, place]]

    def layout(size: int, behind: bytes) -> Layout:
        pads = _octets(np.array([b" " * blank + behind for blank in range(size + 1)]))

        def fill(rows: slice, out: Array) -> None:
            part = octets[rows]
            for place, each in enumerate((_OCTET, _OCTET, _OCTET, _LAST)):
                out[:, 4 * place : 4 * place + 4] = _octets(each[part[:, 3 - place]])
            _digits(ports[rows], out[:, 16:21], 0)
            out[:, 21:] = pads[size - widths[rows]]

        return 21 + pads.shape[1], fill

    return Cells(int(widths.max(initial=0)), layout)


def _told(table: Table, places: Array | None, text: Callable[[Connection], str]) -> Cells:
    """What depends on a connection's shape alone."""
    texts: dict[str, int] = {}
    which = table.shaped(lambda c: texts.setdefault(text(c), len(texts)))
    return _shown(which, list(texts), places)


def _shown(which: Array, texts: Sequence[str], places: Array | None) -> Cells:
    """Cells that are one of ``texts`` each; of some places, without those that none is there."""
    if places is None:
        return _words(which, texts)
    unique, _, back = grouped(which[places])
    return _words(back, [texts[each] for each in unique.tolist()])


def cells(table: Table, places: Array | None = None) -> list[Cells]:
    """The columns of :data:`tcpviz.export.table_text.TITLES`; of some connections, or of all."""

    def pick(column: Array) -> Array:
        return column if places is None else column[places]

    client, server = ((pick(one), pick(other)) for one, other in table.ends())
    origin = int(table.first_ns.min(initial=np.iinfo(np.int64).max)) if len(table) else 0
    lines, texts = headlines(table)
    took = pick(table.last_ns - table.first_ns)
    rtt = pick(table.rtt)
    if took.min(initial=0) < 0:
        told = [numbers.duration(each) for each in took.tolist()]
        lasted = _words(np.arange(len(took)), told, right=True)
    else:
        lasted = _durations(took)
    return [
        _counts(pick(np.arange(1, len(table) + 1))),
        _endpoints(table, *client),
        _endpoints(table, *server),
        _told(table, places, lambda c: state_cell(c.client)),
        _told(table, places, lambda c: state_cell(c.server)),
        _told(table, places, lambda c: str(c.phase)),
        _seconds(pick(table.first_ns - origin)),
        lasted,
        _counts(pick(table.segments)),
        _counts(pick(table.bytes)),
        _durations(np.maximum(rtt, 0), rtt < 0),
        _shown(lines, texts, places),
    ]


def write(
    table: Table,
    status: FeedStatus,
    out: BinaryIO,
    *,
    ascii_only: bool = False,
    places: Array | None = None,
) -> None:
    """The whole table, or these of its connections, and its closing lines, in UTF-8."""

    def put(text: bytes) -> None:
        out.write(text)

    if ascii_only:
        from tcpviz.views.ladder_canvas import ascii_text

        def put(text: bytes) -> None:
            out.write(ascii_text(text.decode()).encode())

    count = len(table) if places is None else len(places)
    if count:
        columns = cells(table, places)
        sizes = [
            max(each.width, text_width(title)) for each, title in zip(columns, TITLES, strict=True)
        ]
        heading = [
            title.rjust(size) if title in RIGHT else title.ljust(size)
            for title, size in zip(TITLES, sizes, strict=True)
        ]
        put(("  ".join(heading).rstrip() + "\n").encode())
        # Nothing is padded behind the last one.
        fields = [
            each.layout(size, b"  ") for each, size in zip(columns[:-1], sizes[:-1], strict=True)
        ]
        fields.append(columns[-1].layout(0, b"\n"))
        parts = [slice(at, min(at + ROWS, count)) for at in range(0, count, ROWS)]
        for text in together.in_order(lambda part: _rows(fields, part), parts):
            put(text)
    of_all = b"" if places is None else f"{count} of ".encode()
    put(of_all + ("\n".join(closing_lines(len(table), status, table.crowds)) + "\n").encode())


def _rows(fields: list[Layout], rows: slice) -> bytes:
    out = np.empty((rows.stop - rows.start, sum(size for size, _ in fields)), np.uint8)
    at = 0
    for size, fill in fields:
        fill(rows, out[:, at : at + size])
        at += size
    return out.tobytes().translate(None, b"\0")
