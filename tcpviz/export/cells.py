"""A screen of cells as an SVG picture in which every line joins, whatever font the viewer has.

Words are text, placed and given their length. What is drawn with characters (boxes, arrows,
markers, blocks, braille) becomes geometry: neighbouring strokes are one path, so that no font's
line height tears them apart. No style sheet, no font and nothing from elsewhere: several of
these may stand on one page, and none calls anybody when it is looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from rich.cells import cell_len

from tcpviz.views.linework import DOUBLE, HEAVY, strokes_of

FONTS: Final = "'DejaVu Sans Mono', Menlo, Consolas, 'Liberation Mono', monospace"

WIDE: Final = 9
HIGH: Final = 19
_SIZE: Final = 15
_BASE: Final = 14
"""Pixels of a cell, of its font, and from its top to the letters' base."""

_MARGIN: Final = 12


@dataclass(frozen=True, slots=True)
class Run:
    """Text in one style. Colours as ``#rrggbb``; ``bg`` is ``None`` on the picture's own ground."""

    text: str
    fg: str
    bg: str | None = None
    bold: bool = False
    italic: bool = False
    underline: bool = False


Point = tuple[float, float]

# Shapes within a cell of 9 by 19, centre 4.5, 9.5: what is filled, as a path's data.
_FILLED: Final[dict[str, str]] = {
    "▶": "m0 4.5l9 5l-9 5z", "◀": "m9 4.5l-9 5l9 5z",
    "▲": "m4.5 4l4.5 10h-9z", "▼": "m0 5h9l-4.5 10z",
    "▸": "m1.5 5.5l6 4l-6 4z", "▾": "m0.5 7h8l-4 6z",
    "●": "m0.2 9.5a4.3 4.3 0 1 0 8.6 0a4.3 4.3 0 1 0 -8.6 0z",
    "◆": "m4.5 4.2l4.7 5.3l-4.7 5.3l-4.7 -5.3z",
    "■": "m0.5 5.5h8v8h-8z", "◉": "m2 9.5a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0z",
    "•": "m2.2 9.5a2.3 2.3 0 1 0 4.6 0a2.3 2.3 0 1 0 -4.6 0z",
}  # fmt: skip
_OUTLINED: Final[dict[str, str]] = {
    "○": "m0.9 9.5a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0 -7.2 0z",
    "◌": "m0.9 9.5a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0 -7.2 0z",
    "◉": "m0.2 9.5a4.3 4.3 0 1 0 8.6 0a4.3 4.3 0 1 0 -8.6 0z",
    "◇": "m4.5 5l4 4.5l-4 4.5l-4 -4.5z",
    "▷": "m0.6 5.2l7.8 4.3l-7.8 4.3z", "◁": "m8.4 5.2l-7.8 4.3l7.8 4.3z",
    "△": "m4.5 5l4 8.6h-8z", "▽": "m0.5 5.6h8l-4 8.6z",
    "╲": "m0 0l9 19", "╱": "m9 0l-9 19", "╳": "m0 0l9 19m0 -19l-9 19",
    "⎺": "m-0.3 1.9h9.6", "⎻": "m-0.3 5.7h9.6", "⎼": "m-0.3 13.3h9.6", "⎽": "m-0.3 17.1h9.6",
}  # fmt: skip
_THICK: Final[dict[str, str]] = {"✖": "m1 6l7 7m0 -7l-7 7", "×": "m1.8 6.8l5.4 5.4m0 -5.4l-5.4 5.4"}
_SHADES: Final = {"░": 0.25, "▒": 0.5, "▓": 0.75}
_PAIR_HEADS: Final = {"⇒": "▶", "⇐": "◀", "⇑": "▲", "⇓": "▼"}


def document(
    rows: Sequence[Sequence[Run]],
    ground: str,
    title: str = "",
    *,
    window: str | None = None,
) -> str:
    """The rows as an SVG document on ``ground``.

    ``title``   is told to those who cannot see the picture
    ``window``  the words of a window's bar above it; ``None``: no window
    """
    return _Drawing(rows, ground, window).document(title)


class _Drawing:
    def __init__(self, rows: Sequence[Sequence[Run]], ground: str, window: str | None) -> None:
        self.ground, self.window = ground, window
        self.left = _MARGIN
        self.top = _MARGIN if window is None else 40
        self.columns = max((sum(cell_len(run.text) for run in row) for row in rows), default=1)
        self.width = self.columns * WIDE + 2 * _MARGIN
        self.height = len(rows) * HIGH + self.top + _MARGIN
        self.grounds: list[str] = []
        self.texts: dict[tuple[str, bool, bool, bool], list[str]] = defaultdict(list)
        self.lines: dict[tuple[str, int, str], dict[tuple[bool, float], list[Point]]] = {}
        self.arcs: dict[tuple[str, int, str], list[str]] = defaultdict(list)
        self.filled: dict[str, list[str]] = defaultdict(list)
        self.outlined: dict[tuple[str, float], list[str]] = defaultdict(list)
        self.shaded: list[str] = []
        for number, row in enumerate(rows):
            self._row(number, row)

    def document(self, title: str) -> str:
        out = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" font-family="{FONTS}" '
            f'font-size="{_SIZE}" xml:space="preserve">'
        ]
        if title:
            out.append(f"<title>{escape(title)}</title>")
        corner = ' rx="8"' if self.window is not None else ""
        out.append(f'<rect width="100%" height="100%" fill="{self.ground}"{corner}/>')
        out += self._window()
        out += self.grounds
        out += self.shaded
        out += self._strokes()
        for (fg, bold, italic, under), texts in self.texts.items():
            look = (
                (' font-weight="bold"' if bold else "")
                + (' font-style="italic"' if italic else "")
                + (' text-decoration="underline"' if under else "")
            )
            out += [f'<g fill="{fg}"{look}>', *texts, "</g>"]
        return "\n".join([*out, "</svg>"]) + "\n"

    def _window(self) -> Iterator[str]:
        """A bar with three knobs, as everybody draws one: this is a terminal."""
        if self.window is None:
            return
        knobs = "".join(f'<circle cx="{20 + 18 * n}" cy="19" r="5.5"/>' for n in range(3))
        yield f'<g fill="#8a8a8a" fill-opacity="0.55">{knobs}</g>'
        yield (
            f'<text x="{self.width / 2:g}" y="24" fill="#8a8a8a" text-anchor="middle" '
            f'font-size="13">{escape(self.window)}</text>'
        )

    # -- one row ------------------------------------------------------------

    def _row(self, number: int, row: Sequence[Run]) -> None:
        x, y = self.left, self.top + number * HIGH
        for bg, together in groupby(row, key=lambda run: run.bg or self.ground):
            start = x
            for run in together:
                self._run(run, x, y)
                x += cell_len(run.text) * WIDE
            if bg != self.ground and x > start:
                self.grounds.append(
                    f'<rect x="{start}" y="{y}" width="{x - start}" height="{HIGH}" fill="{bg}"/>'
                )

    def _run(self, run: Run, x: int, y: int) -> None:
        """Words to text, the rest to geometry; a single blank does not part words."""
        begun, word = x, ""
        for char in run.text:
            cells = cell_len(char)
            # Two blanks, and what is drawn, end a word.
            drawn = word.endswith(" ") if char == " " else self._shape(char, run, x, y)
            if drawn:
                self._word(word, run, begun, y)
                word = ""
            else:
                if not word:
                    begun = x
                word += char
            x += cells * WIDE
        self._word(word, run, begun, y)

    def _word(self, word: str, run: Run, x: int, y: int) -> None:
        text = word.rstrip(" ")
        inner = text.lstrip(" ")
        if not inner:
            return
        x += (len(text) - len(inner)) * WIDE
        wide = cell_len(inner) * WIDE
        self.texts[run.fg, run.bold, run.italic, run.underline].append(
            f'<text x="{x}" y="{y + _BASE}" textLength="{wide}">{escape(inner)}</text>'
        )

    def _shape(self, char: str, run: Run, x: int, y: int) -> bool:
        """Draw a character as geometry; false where it is one to be written."""
        if char.isascii():
            return False
        strokes = strokes_of(char)
        if strokes is not None:
            self._box(run.fg, *strokes, x, y)
            return True
        char = _PAIR_HEADS.get(char, char)
        drawn = False
        if char in _FILLED:
            self.filled[run.fg].append(f"M{x} {y}{_FILLED[char]}")
            drawn = True
        if char in _OUTLINED:
            # In some looks bold is what tells an arrow from the rest.
            self.outlined[run.fg, 1.8 if run.bold else 1.3].append(f"M{x} {y}{_OUTLINED[char]}")
            drawn = True
        if char in _THICK:
            self.outlined[run.fg, 2.4].append(f"M{x} {y}{_THICK[char]}")
            drawn = True
        if drawn:
            return True
        if char in _SHADES:
            self.shaded.append(
                f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" fill="{run.fg}" '
                f'fill-opacity="{_SHADES[char]}"/>'
            )
            return True
        code = ord(char)
        if 0x2580 <= code <= 0x2590:
            self._block(code, run.fg, x, y)
            return True
        if 0x2800 <= code <= 0x28FF:
            self._braille(code, run.fg, x, y)
            return True
        return False

    def _block(self, code: int, fg: str, x: int, y: int) -> None:
        """Eighths from below (2581 to 2588), from the left (2589 to 258F), and the two halves."""
        if code == 0x2580:
            box = (0.0, 0.0, float(WIDE), HIGH / 2)
        elif code == 0x2590:
            box = (WIDE / 2, 0.0, WIDE / 2, float(HIGH))
        elif code <= 0x2588:
            high = HIGH * (code - 0x2580) / 8
            box = (0.0, HIGH - high, float(WIDE), high)
        else:
            box = (0.0, 0.0, WIDE * (0x2590 - code) / 8, float(HIGH))
        left, up, wide, high = box
        self.filled[fg].append(f"M{x + left:g} {y + up:g}h{wide:g}v{high:g}h{-wide:g}z")

    def _braille(self, code: int, fg: str, x: int, y: int) -> None:
        """Unicode 2800: dots 1 to 3 and 7 stand left, 4 to 6 and 8 right, from above."""
        for bit, (column, line) in enumerate(
            ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
        ):
            if code & 1 << bit:
                left, up = x + 0.75 + 4.5 * column, y + 0.9 + 4.75 * line
                self.filled[fg].append(f"M{left:g} {up:g}h3v3h-3z")

    # -- strokes ------------------------------------------------------------

    def _box(self, fg: str, arms: tuple[int, ...], kind: str, x: int, y: int) -> None:
        """Half a stroke for each arm of a box-drawing character; a rounded corner is an arc."""
        cx, cy = x + WIDE / 2, y + HIGH / 2
        if kind == "arc":
            north, east, _south, west = arms
            across = x + WIDE if east else x
            along = y if north else y + HIGH
            bend = 4 if west else -4
            turn = 4 if north else -4
            self.arcs[fg, 1, ""].append(
                f"M{across:g} {cy:g}H{cx - bend:g}Q{cx:g} {cy:g} {cx:g} {cy - turn:g}V{along:g}"
            )
            return
        ends = ((cy, y), (cx, x + WIDE), (cy, y + HIGH), (cx, x))
        for place, weight in enumerate(arms):
            if not weight:
                continue
            upright = place in (0, 2)
            low, high = sorted(ends[place])
            stretches = self.lines.setdefault((fg, weight, kind), {})
            stretches.setdefault((upright, cx if upright else cy), []).append((low, high))

    def _strokes(self) -> Iterator[str]:
        """Light ones first; a double one is a wide stroke with the ground's colour within."""
        dashes = {
            "": "",
            "dash": ' stroke-dasharray="3.2 2.8"',
            "dots": ' stroke-dasharray="1.6 3"',
        }
        for fg, paths in self.filled.items():
            yield f'<path fill="{fg}" d="{"".join(paths)}"/>'
        for (fg, wide), shapes in self.outlined.items():
            yield f'<path fill="none" stroke="{fg}" stroke-width="{wide}" d="{"".join(shapes)}"/>'
        keys = sorted({*self.lines, *self.arcs}, key=lambda key: (key[1], key[2], key[0]))
        for key in keys:
            fg, weight, kind = key
            path = "".join(
                f"M{at:g} {low:g}V{high:g}" if upright else f"M{low:g} {at:g}H{high:g}"
                for (upright, at), stretches in self.lines.get(key, {}).items()
                for low, high in _joined(stretches)
            )
            path += "".join(self.arcs.get(key, ()))
            wide = {HEAVY: 2.6, DOUBLE: 4.6}.get(weight, 1.3)
            cap = ' stroke-linecap="square"' if weight == HEAVY and not kind else ""
            yield (
                f'<path fill="none" stroke="{fg}" stroke-width="{wide}"{cap}{dashes[kind]} '
                f"d={quoteattr(path)}/>"
            )
            if weight == DOUBLE:
                yield f'<path stroke="{self.ground}" stroke-width="1.8" d={quoteattr(path)}/>'


def _joined(stretches: Iterable[Point]) -> Iterator[Point]:
    """Stretches of one line, those that touch joined."""
    low = high = None
    for begin, end in sorted(stretches):
        if low is None or high is None:
            low, high = begin, end
        elif begin <= high:
            high = max(high, end)
        else:
            yield low, high
            low, high = begin, end
    if low is not None and high is not None:
        yield low, high
