"""Hexdump: bytes as people compare them, 16 in a row, with what of them is printable."""

from __future__ import annotations

from collections.abc import Iterator

from tcpviz.views import roles
from tcpviz.views.spans import Line, Span, line


def hexdump(data: bytes, cells: int, limit: int = 4096) -> Iterator[Line]:
    """Rows of offset, bytes and text; 8 a row where 16 do not fit. ``limit`` in bytes.

    Of the text only printable ASCII is shown: what comes from a packet can
    neither move the cursor nor change a colour.
    """
    wide = 16 if cells >= 75 else 8
    part = data[:limit]
    for start in range(0, len(part), wide):
        row = part[start : start + wide]
        pairs = [f"{byte:02x}" for byte in row]
        halves = (" ".join(pairs[:8]), " ".join(pairs[8:]))
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)
        digits = f"{halves[0]:<23}" + (f"  {halves[1]:<23}" if wide == 16 else "")
        yield line(
            Span(f"{start:06x}  ", roles.TIME),
            Span(digits + "  ", roles.NUMBER),
            Span(text, roles.DATA),
        )
    if len(data) > limit:
        yield line(Span(f"... {len(data) - limit} more bytes", roles.DIM))
