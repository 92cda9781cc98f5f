"""A font of four signs for the page: the scan lines that the chart's slanting arrows are made of.

U+23BA to U+23BD are in every terminal's font, but in few of those that a browser
falls back to, and in none that textual-serve brings. So the page gets a TrueType
font that has only them, made here of four rectangles (Apple's TrueType Reference
Manual and the OpenType specification have the tables), with Roboto Mono's measures.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Final

EM: Final = 2048
WIDTH: Final = 1229
ASCENT, DESCENT = 2146, -555
THICK: Final = 150

STROKES: Final = {0x23BA: 0.1, 0x23BB: 0.3, 0x23BC: 0.7, 0x23BD: 0.9}
"""Each sign's middle, as a share of the line's height from above."""

_MAGIC: Final = 0x5F0F3CF5
_CHECKSUM: Final = 0xB1B0AFBA
_NAME: Final = "tcpviz strokes"


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def _sum(data: bytes) -> int:
    words = _padded(data)
    total: int = sum(struct.unpack(f">{len(words) // 4}I", words))
    return total & 0xFFFFFFFF


def _glyph(middle: int) -> bytes:
    """A rectangle over the whole width, and a little beyond: strokes side by side shall join."""
    left, right, low, high = -10, WIDTH + 10, middle - THICK // 2, middle + THICK // 2
    head = struct.pack(">5h", 1, left, low, right, high)
    ends = struct.pack(">HH", 3, 0)  # the last point, no instructions
    flags = b"\x01" * 4  # on the curve, both coordinates as 16 bits
    across = struct.pack(">4h", left, 0, right - left, 0)
    up = struct.pack(">4h", low, high - low, 0, low - high)
    return _padded(head + ends + flags + across + up)


def _cmap() -> bytes:
    """Format 4: one segment with our signs, and the one that ends every such table."""
    first, last = min(STROKES), max(STROKES)
    delta = (1 - first) & 0xFFFF
    segments = struct.pack(">HHHHHHHHH", last, 0xFFFF, 0, first, 0xFFFF, delta, 1, 0, 0)
    table = struct.pack(">7H", 4, 14 + len(segments), 0, 4, 4, 1, 0) + segments
    return struct.pack(">HHHHI", 0, 1, 3, 1, 12) + table


def _names() -> bytes:
    texts = {1: _NAME, 2: "Regular", 3: _NAME, 4: _NAME, 6: _NAME.replace(" ", "-")}
    records, store = b"", b""
    for number, text in texts.items():
        data = text.encode("utf-16-be")
        records += struct.pack(">6H", 3, 1, 0x409, number, len(data), len(store))
        store += data
    return struct.pack(">3H", 0, len(texts), 6 + len(records)) + records + store


def _os2() -> bytes:
    first, last = min(STROKES), max(STROKES)
    return struct.pack(
        ">HhHHH10hh10s4I4sHHHhhhHH",
        *(3, WIDTH, 400, 5, 0, *(0,) * 10, 0),
        *(b"\x02\0\0\x09" + b"\0" * 6, 0, 0, 0, 0, b"    "),
        *(0x40, first, last, ASCENT, DESCENT, 0, ASCENT, -DESCENT),
    ) + struct.pack(">2I2h3H", 1, 0, 1082, 1456, 0, 32, 0)


@cache
def font() -> bytes:
    """The font's file."""
    height = ASCENT - DESCENT
    glyphs = [b"", *(_glyph(round(ASCENT - share * height)) for share in STROKES.values())]
    places = [0]
    for one in glyphs:
        places.append(places[-1] + len(one))
    lowest = round(ASCENT - 0.9 * height) - THICK // 2
    highest = round(ASCENT - 0.1 * height) + THICK // 2
    box = (-10, lowest, WIDTH + 10, highest)
    tables = {
        b"OS/2": _os2(),
        b"cmap": _cmap(),
        b"glyf": b"".join(glyphs),
        b"head": struct.pack(
            ">HHIIIHHQQ4hHHhhh",
            *(1, 0, 0x10000, 0, _MAGIC, 3, EM, 0, 0, *box, 0, 8, 2, 1, 0),
        ),
        b"hhea": struct.pack(
            ">HHhhhHhhhhhhhhhhhH",
            *(1, 0, ASCENT, DESCENT, 0, WIDTH, -10, -10, WIDTH + 10, 1, *(0,) * 7, len(glyphs)),
        ),
        b"hmtx": b"".join(struct.pack(">Hh", WIDTH, -10 if one else 0) for one in glyphs),
        b"loca": struct.pack(f">{len(places)}I", *places),
        b"maxp": struct.pack(">I14H", 0x10000, len(glyphs), 4, 1, 0, 0, 1, *(0,) * 8),
        b"name": _names(),
        b"post": struct.pack(">IIhhIIIII", 0x30000, 0, -100, 50, 1, 0, 0, 0, 0),
    }
    many = len(tables)
    power = 1 << (many.bit_length() - 1)
    head = struct.pack(
        ">IHHHH", 0x10000, many, power * 16, power.bit_length() - 1, (many - power) * 16
    )
    at = len(head) + 16 * many
    directory, body, head_at = b"", b"", 0
    for tag, data in sorted(tables.items()):
        if tag == b"head":
            head_at = at + len(body)
        directory += struct.pack(">4sIII", tag, _sum(data), at + len(body), len(data))
        body += _padded(data)
    whole = bytearray(head + directory + body)
    struct.pack_into(">I", whole, head_at + 8, (_CHECKSUM - _sum(bytes(whole))) & 0xFFFFFFFF)
    return bytes(whole)
