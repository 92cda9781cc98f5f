"""The table of connections as text, made from columns: the same characters as :mod:`text` writes.

A row is put together from pieces of fixed width, thousands of rows at a time. What
stands at the end of a row, and is not as long in all, is padded with zero bytes, over which
the next row is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tcpviz.bulk.segments.flows import grouped, mixed
from tcpviz.bulk.segments.pieces import at_every
from tcpviz.bulk.tables.cutting import stretches
from tcpviz.bulk.tables.headlines import headlines
from tcpviz.bulk.tables.table import Table
from tcpviz.core.connection import Connection
from tcpviz.core.segment import Endpoint, scope_text
from tcpviz.export.table_text import (
    INSIDE,
    RIGHT,
    TITLES,
    closing_lines,
    state_cell,
    without_inside,
)
from tcpviz.sources.feed import FeedStatus
from tcpviz.views import numbers
from tcpviz.views.spans import text_width

Array = NDArray[Any]

ROWS = 1 << 13
"""Rows that are made at a time: some 1 MB of them, which stay in the processor's cache."""

_SPACE, _POINT, _COLON, _ZERO = 32, 46, 58, 48

_MICRO, _STANDS = "µ".encode(), b"\xff"
"""While rows are made each letter is one byte: this, which is in no UTF-8, stands for a "µ"."""


class Layout(NamedTuple):
    """How a column's part of each row is made.

    ``size``   how many bytes each row has of it
    ``fill``   writes those of a stretch of rows, from where they begin in a row
    ``short``  how many of them are padding at its end; ``None`` where nobody asks, or none are
    """

    size: int
    fill: Callable[[slice, Array, int], None]
    short: Callable[[slice], Array] | None = None


class Cells:
    """One column: how many cells the widest of its texts takes, and how rows are made.

    ``layout`` is asked once, with the cells that there are and what stands behind the
    column. Columns are filled in from left to right.
    """

    def __init__(self, width: int, layout: Callable[[int, bytes], Layout]) -> None:
        self.width = width
        self.layout = layout


def _octets(texts: Array) -> Array:
    """Texts of one size as rows of bytes."""
    return texts.view(np.uint8).reshape(len(texts), -1)


def _alike(values: Array) -> bool:
    """Whether all of some are the same; there are some."""
    return bool(values[0] == values[-1] and (values == values[0]).all())


def _put(out: Array, texts: Array) -> None:
    """Write texts that are as wide as ``out``, each at once and not byte by byte."""
    kind = f"V{texts.itemsize}"
    out.view(kind)[:, 0] = texts.view(kind)


def _words(which: Array, texts: Sequence[str], *, right: bool = False) -> Cells:
    """Cells that are one of ``texts`` each."""
    widths = [text_width(text) for text in texts]

    def layout(size: int, behind: bytes) -> Layout:
        padded = []
        for text, width in zip(texts, widths, strict=True):
            blank = b" " * (size - width)
            said = text.encode().replace(_MICRO, _STANDS)
            padded.append((blank + said if right else said + blank) + behind)
        table = np.array(padded or [b"\0"])
        table = table.view(f"V{table.itemsize}")
        lacks = np.array([table.itemsize - len(each) for each in padded])

        def fill(rows: slice, out: Array, begin: int) -> None:
            some = which[rows]
            _put(
                out[:, begin : begin + table.itemsize],
                table.take(some[:1] if _alike(some) else some),
            )

        return Layout(
            table.itemsize, fill, (lambda rows: lacks[which[rows]]) if lacks.any() else None
        )

    return Cells(max(widths, default=0), layout)


def _four_digits() -> Array:
    """The numbers below 10 000 as four digits; then the same with spaces for leading zeros.

    Of those the first is all spaces: there are digits to its right.
    """
    rest = np.arange(20_000, dtype=np.uint32) % 10_000
    out = np.empty((20_000, 4), np.uint8)
    for place in range(3, -1, -1):
        out[:, place] = rest % 10 + _ZERO
        out[10_000:, place][rest[10_000:] == 0] = _SPACE
        rest //= 10
    return out.view("<u4").reshape(-1)


_FOUR = _four_digits()
_SPACES = 10_000  # where those with spaces begin


def _digits(values: Array, out: Array) -> None:
    """The last decimal digits of whole numbers, as many as fit, with spaces in front of them."""
    end = out.shape[1]
    rest = values.astype(np.uint32) if values.max(initial=0) < 1 << 32 else values.astype(np.uint64)
    while end > 0:
        higher = rest // 10_000
        group = rest - higher * 10_000
        group += (higher == 0) * np.uint32(_SPACES)
        text = _FOUR.take(group)
        if end >= 4:
            _put(out[:, end - 4 : end], text)
        else:
            for place in range(end):
                out[:, place] = _octets(text)[:, 4 - end + place]
        if end == out.shape[1]:
            out[:, -1][values == 0] = _ZERO
        rest = higher
        end -= 4


def _size(values: Array) -> int:
    """Digits of the greatest."""
    return len(str(int(values.max(initial=0))))


def _counts(values: Array) -> Cells:
    def layout(size: int, behind: bytes) -> Layout:
        end = np.frombuffer(behind, np.uint8)
        wide = size + len(end)

        def fill(rows: slice, out: Array, begin: int) -> None:
            out = out[:, begin : begin + wide]
            some = values[rows]
            if _alike(some):
                out[:] = np.frombuffer(str(some[0]).rjust(size).encode() + behind, np.uint8)
                return
            _digits(some, out[:, :size])
            out[:, size:] = end

        return Layout(wide, fill)

    return Cells(_size(values), layout)


_THOUSANDTHS = np.array([f".{each:03}".encode() for each in range(1000)])


def _seconds(values: Array) -> Cells:
    """As ``numbers.seconds`` with three decimals; ``values`` are nanoseconds, none negative."""
    longest = _size(values[-1:] if len(values) and (values[-1] == values.max()) else values)
    width = max(longest - 9, 1) + 4

    def layout(size: int, behind: bytes) -> Layout:
        end = np.frombuffer(behind, np.uint8)
        wide = size + len(end)

        def fill(rows: slice, out: Array, begin: int) -> None:
            out = out[:, begin : begin + wide]
            thousandths = values[rows] // 1_000_000
            whole = thousandths // 1000
            _digits(whole, out[:, : size - 4])
            _put(out[:, size - 4 : size], _THOUSANDTHS[thousandths - whole * 1000])
            out[:, size:] = end

        return Layout(wide, fill)

    return Cells(width, layout)


_LEAST = (*(10**power for power in range(3, 11)), 59_000_000_000)
_HALVES = np.array([1, *(5 * 10 ** (power - 3) for power in range(3, 11)), 1 << 62])
_CODES = 2000  # each step has fewer halves
"""Nanoseconds from which on the digits written are others; half a step of the last one of them."""


def _durations(values: Array, none: Array | None = None) -> Cells:
    """As ``numbers.duration``; "-" where ``none``."""
    if len(values) and _alike(values) and (none is None or _alike(none)):
        text = "-" if none is not None and none[0] else numbers.duration(int(values[0]))
        return _words(np.zeros(len(values), np.uint8), [text], right=True)
    # Three digits are written, rounded half up: what lies in one half of the last one's step
    # is written alike, so that few different ones are left. From a minute on it is not so.
    power = np.zeros(len(values), np.uint8)
    for least in _LEAST:
        power += values >= least
    code = values // _HALVES.take(power) + power.astype(np.int64) * _CODES
    long = np.flatnonzero(power == len(_LEAST))
    if len(long):
        code[long] = len(_HALVES) * _CODES + np.unique(values[long], return_inverse=True)[1]
    _, first, back = grouped(code)
    texts = [numbers.duration(each) for each in values[first].tolist()]
    if none is not None:
        back = np.where(none, len(texts), back)
        texts.append("-")
    return _words(back, texts, right=True)


def _little(texts: Sequence[str]) -> Array:
    """Short texts as numbers, their first letter the lowest octet."""
    return np.array([int.from_bytes(each.encode(), "little") for each in texts], np.uint64)


_FEW_BITS, _MOST_FEW, _TRIED = 16, 256, 1 << 12
"""Of a number by which ends are told apart; ends that are written once; rows tried at first."""

# Each octet with what stands behind it.
_OCTET, _LAST = (_little([f"{each}{mark}" for each in range(256)]) for mark in ".:")
_BITS = np.array([8 * len(f"{each}.") for each in range(256)], np.uint64)
_POWERS = np.array([0, *(10 ** (5 - size) for size in range(1, 6))], np.uint32)
# By how many of eight letters there are: their bits, and spaces for the others.
_LETTERS = np.array([256**size - 1 for size in range(9)], np.uint64)
_BLANK = ~_LETTERS & np.uint64(0x2020202020202020)


def _few(addresses: Array, ports: Array) -> tuple[Array, list[int]] | None:
    """Which of few different ends each is, and where each of those is first; ``None``: many."""
    for part in (slice(_TRIED), slice(None)):  # what is many is so from the beginning
        address, port = addresses[part], ports[part]
        code = (mixed(address) ^ mixed(port, 1)) >> np.uint64(64 - _FEW_BITS)
        _, first, which = grouped(code.astype(np.int64))
        if len(first) > _MOST_FEW:
            return None
        alike = (address[first][which] == address) & (port[first][which] == port)
        if not alike.all():
            return None
    return which, first.tolist()


def _endpoints(table: Table, addresses: Array, ports: Array) -> Cells:
    if (addresses >> 32).any():
        both = np.stack([addresses, ports], axis=1)
        unique, back = np.unique(both, axis=0, return_inverse=True)
        ends = [str(Endpoint(table.address(int(a)), int(p))) for a, p in unique.tolist()]
        return _words(back.reshape(-1), ends)
    few = _few(addresses, ports)
    if few is not None:
        which, firsts = few
        said = [str(Endpoint(table.address(int(addresses[at])), int(ports[at]))) for at in firsts]
        return _words(which, said)
    octets = addresses.astype("<u4").view(np.uint8).reshape(-1, 4)
    digits = np.ones(len(addresses), np.uint8)
    for bound in (10, 100, 1000, 10_000):
        digits += ports >= bound
    width = digits.copy()
    for place in range(4):
        width += (_BITS.take(octets[:, place]) >> np.uint64(3)).astype(np.uint8)

    def layout(size: int, behind: bytes) -> Layout:
        wide = size + len(behind)

        def fill(rows: slice, out: Array, begin: int) -> None:
            out[:, begin : begin + wide] = _SPACE
            # Eight letters at a time, each time from where those before end. What comes with
            # them behind the column are spaces, and others will write there.
            words = at_every(out.reshape(-1), 8)
            at = np.arange(begin, out.size, out.shape[1])
            part = octets[rows]
            for one, other, ends in (
                (part[:, 3], part[:, 2], _OCTET),
                (part[:, 1], part[:, 0], _LAST),
            ):
                bits = _BITS.take(one)
                text = _OCTET.take(one) | ends.take(other) << bits
                letters = (bits + _BITS.take(other) >> np.uint64(3)).astype(np.intp)
                words[at] = _eight(text, letters)
                at += letters
            count = digits[rows]
            scaled = ports[rows].astype(np.uint32) * _POWERS.take(count)
            high = scaled // 10
            text = (scaled - high * 10 + _ZERO).astype(np.uint64) << np.uint64(32)
            text |= _FOUR.take(high)
            words[at] = _eight(text & _LETTERS.take(count), count)

        return Layout(wide, fill)

    return Cells(int(width.max(initial=0)), layout)


def _eight(text: Array, letters: Array) -> Array:
    """So many letters, each as a number, with as many spaces behind them as make them eight."""
    eight: Array = (text | _BLANK.take(letters)).astype("<u8").view("V8")
    return eight


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


def _inside(table: Table, places: Array | None) -> Cells:
    """VLANs and tunnels, as wide as nothing where there are none."""
    texts = [scope_text(names) for _, names in table.scope_names]
    if not any(texts):
        return _words(np.zeros(len(table), np.intp), [""])
    used, _, which = grouped(table.scopes)
    return _shown(which, [texts[each] for each in used.tolist()], places)


def cells(table: Table, places: Array | None = None) -> tuple[Cells, ...]:
    """The columns of :data:`tcpviz.export.table_text.TITLES`; of some connections, or of all."""

    def pick(column: Array) -> Array:
        return column if places is None else column[places]

    client, server = ((pick(one), pick(other)) for one, other in table.ends())
    lines, texts = headlines(table)
    took = pick(table.last_ns - table.first_ns)
    rtt = pick(table.rtt)
    if took.min(initial=0) < 0:
        told = [numbers.duration(each) for each in took.tolist()]
        lasted = _words(np.arange(len(took)), told, right=True)
    else:
        lasted = _durations(took)
    return (
        _counts(pick(np.arange(1, len(table) + 1) + table.begin)),
        _endpoints(table, *client),
        _endpoints(table, *server),
        _inside(table, places),
        _told(table, places, lambda c: state_cell(c, c.client)),
        _told(table, places, lambda c: state_cell(c, c.server)),
        _told(table, places, lambda c: str(c.phase)),
        _seconds(pick(table.first_ns - table.origin)),
        lasted,
        _counts(pick(table.segments)),
        _counts(pick(table.bytes)),
        _durations(np.maximum(rtt, 0), rtt < 0),
        _shown(lines, texts, places),
    )


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
    parts = list(_parts(table, places)) if count else []
    alone = cells(*parts[0]) if len(parts) == 1 else None
    if count:
        sizes = tuple(text_width(title) for title in TITLES)
        titles, inside = TITLES, False
        for part in parts:
            widths = _widths(part, alone)
            inside = inside or widths[INSIDE] > 0
            sizes = tuple(map(max, sizes, widths))
        if not inside:
            titles, sizes = without_inside(titles), without_inside(sizes)
        heading = [
            title.rjust(size) if title in RIGHT else title.ljust(size)
            for title, size in zip(titles, sizes, strict=True)
        ]
        put(("  ".join(heading).rstrip() + "\n").encode())
    for some, chosen in parts:
        columns = cells(some, chosen) if alone is None else alone
        columns = columns if inside else without_inside(columns)
        # Nothing is padded behind the last one.
        fields = [
            each.layout(size, b"  ") for each, size in zip(columns[:-1], sizes[:-1], strict=True)
        ]
        fields.append(columns[-1].layout(0, b"\n"))
        rows = len(some) if chosen is None else len(chosen)
        spans = [slice(at, min(at + ROWS, rows)) for at in range(0, rows, ROWS)]
        for span in spans:  # to give one away through a pipe takes as long as to make it
            put(_rows(fields, span))
    of_all = b"" if places is None else f"{count} of ".encode()
    put(of_all + ("\n".join(closing_lines(len(table), status, table.crowds)) + "\n").encode())


_Part = tuple[Table, Array | None]
"""Some of a table's connections, and which of them are wanted if not all."""


def _parts(table: Table, places: Array | None) -> Iterator[_Part]:
    """A table in stretches that have something wanted in them."""
    for some in stretches(table):
        if places is None or some is table:
            yield some, places
            continue
        low, high = np.searchsorted(places, [some.begin, some.begin + len(some)])
        if low < high:
            yield some, places[low:high] - some.begin


def _widths(part: _Part, columns: tuple[Cells, ...] | None) -> list[int]:
    return [each.width for each in columns or cells(*part)]


def _rows(fields: list[Layout], rows: slice) -> bytes:
    count, wide = rows.stop - rows.start, sum(each.size for each in fields)
    out = np.empty((count, wide), np.uint8)
    at = 0
    for field in fields:
        field.fill(rows, out, at)
        at += field.size
    short = fields[-1].short
    if short is not None:
        out = _together(out, wide - short(rows))
    text = out.tobytes().replace(_STANDS, _MICRO)
    # A text that is longer in bytes than in cells left others shorter, somewhere in the row.
    return text.translate(None, b"\0") if b"\0" in text else text


def _together(out: Array, sizes: Array) -> Array:
    """Rows of which only the first so many bytes count, one behind the other."""
    wide, ends = out.shape[1], np.cumsum(sizes)
    made = np.empty(int(ends[-1]) + wide, np.uint8)
    # In their order: each is written over what the one before has too much.
    at_every(made, wide)[ends - sizes] = out.view(f"V{wide}")[:, 0]
    return made[: ends[-1]]
