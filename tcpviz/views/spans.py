"""Spans: a line of the screen as plain data, text with the role that it plays.

Views make lines of these; the UI turns roles into a theme's styles, and the
text form drops them. Widths are terminal cells, not characters: CJK takes two.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len, chop_cells


class Span(NamedTuple):
    """A run of text in one role; ``role`` is a name from :mod:`tcpviz.views.roles`.

    A tuple, as thousands of them are compared at each drawing, to find what has changed.
    """

    text: str
    role: str = "text"


Line = tuple[Span, ...]
"""One row of the screen. Empty: a blank row."""


def line(*parts: Span | str) -> Line:
    """A line of spans; a bare string plays the role ``text``. Empty parts vanish."""
    return merge(Span(part) if isinstance(part, str) else part for part in parts)


def text_width(text: str) -> int:
    """Cells that ``text`` takes."""
    return len(text) if text.isascii() else cell_len(text)


def width(spans: Iterable[Span]) -> int:
    """Cells that a line takes."""
    return sum(text_width(span.text) for span in spans)


def merge(spans: Iterable[Span]) -> Line:
    """The same line with neighbours of one role joined and empty spans left out.

    Few spans make a line cheap to draw (a strip costs by its segments).
    """
    done: list[Span] = []
    pending: list[str] = []
    role = ""
    for span in spans:
        if not span.text:
            continue
        if pending and span.role == role:
            pending.append(span.text)
            continue
        if pending:
            done.append(Span("".join(pending), role))
        pending, role = [span.text], span.role
    if pending:
        done.append(Span("".join(pending), role))
    return tuple(done)


def fit_text(text: str, cells: int, ellipsis: str = "…") -> str:
    """``text`` in at most ``cells`` cells, with ``ellipsis`` where something was cut off."""
    if cells <= 0:
        return ""
    if text_width(text) <= cells:
        return text
    mark = text_width(ellipsis)
    if mark >= cells:
        return _head(text, cells)
    return _head(text, cells - mark) + ellipsis


def _head(text: str, cells: int) -> str:
    """As much of the beginning of ``text`` as fits; a wide character is never halved."""
    if cells <= 0:
        return ""
    if text.isascii():
        return text[:cells]
    if cells == 1:  # chop_cells may give a wide character where only one cell is left
        return text[0] if text and cell_len(text[0]) <= 1 else ""
    return chop_cells(text, cells)[0] if text else ""


def crop(spans: Iterable[Span], cells: int, start: int = 0) -> Line:
    """Cells ``start`` to ``start + cells`` of a line.

    A wide character that lies across either border is replaced by spaces, so
    that everything after it stays in its column.
    """
    kept: list[Span] = []
    at, end = 0, start + cells
    for span in spans:
        size = text_width(span.text)
        if at >= end:
            break
        if at >= start and at + size <= end:
            kept.append(span)
        elif at + size > start:
            kept.append(Span(_window(span.text, start - at, end - at), span.role))
        at += size
    return merge(kept)


def _window(text: str, first: int, last: int) -> str:
    """The part of ``text`` in cells ``first`` to ``last``; halves of wide ones as spaces."""
    if text.isascii():
        return text[max(first, 0) : max(last, 0)]
    out: list[str] = []
    at = 0
    for char in text:
        size = cell_len(char)
        inside = min(at + size, last) - max(at, first)
        if size == 0:
            if first < at <= last:
                out.append(char)
        elif inside == size:
            out.append(char)
        elif inside > 0:
            out.append(" " * inside)
        at += size
    return "".join(out)


def pad(spans: Iterable[Span], cells: int, role: str = "text", align: str = "left") -> Line:
    """The line filled with spaces of ``role`` to ``cells``; longer ones are left as they are.

    ``align`` is ``left``, ``right`` or ``center``.
    """
    whole = tuple(spans)
    missing = cells - width(whole)
    if missing <= 0:
        return merge(whole)
    before = {"left": 0, "right": missing, "center": missing // 2}[align]
    return merge((Span(" " * before, role), *whole, Span(" " * (missing - before), role)))


def fit(spans: Iterable[Span], cells: int, role: str = "text") -> Line:
    """The line cropped or padded to exactly ``cells``."""
    return pad(crop(spans, cells), cells, role)


def plain_line(spans: Iterable[Span]) -> str:
    """A line's text, without trailing spaces."""
    return "".join(span.text for span in spans).rstrip()


def plain(lines: Iterable[Line]) -> str:
    """Lines as plain text, each ended by a newline."""
    return "".join(plain_line(each) + "\n" for each in lines)


# Cc controls (ESC, newlines, C1), Cf format (bidi overrides, zero-width joiners), Cs lone
# surrogates (undecodable bytes), Co private use, Cn unassigned, Zl/Zp line breaks, and
# combining marks, whose width terminals do not agree about.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Me", "Mc"})


@lru_cache(maxsize=4096)
def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t"}.get(code, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def clean(text: str, ascii_only: bool = False) -> str:
    r"""``text`` from a packet, a file or a program, made safe to put on a terminal.

    No control or format character survives: each is written as an escape
    (``\x1b``), so that captured text can neither move the cursor, change
    colours, nor turn its neighbours round. ``ascii_only`` escapes everything
    outside of ASCII too.
    """
    if text.isascii() and text.isprintable():
        return text
    if not ascii_only:
        text = unicodedata.normalize("NFC", text)
    return "".join(
        _escape(char)
        if (ascii_only and not char.isascii()) or unicodedata.category(char) in _UNSAFE
        else char
        for char in text
    )


def clean_bytes(data: bytes, limit: int | None = None) -> str:
    """Payload as text: printable ASCII as it is, the rest as escapes. ``limit`` in bytes."""
    part = data if limit is None else data[:limit]
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else _escape(chr(byte)) for byte in part)
