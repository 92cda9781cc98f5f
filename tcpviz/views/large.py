"""Large letters: both ends' states as a class reads them from the back row.

A letter is made of dots, two of them in each cell (half blocks), or one dot two cells wide
and a row high where there is room for it. Where only ASCII can be drawn the letters are
set apart instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tcpviz.core.claims import Certainty, Claim
from tcpviz.views.ladder_labels import SHORT_STATES
from tcpviz.views.spans import Line, Span, fit, fit_text, line, text_width

ROWS: Final = 4
"""Three rows of half blocks, and one that says whose state it is."""

TALL_ROWS: Final = 6
TALL_ROOM: Final = (176, 44)
"""From so many columns and rows on, letters are twice as wide and high."""

_SHAPES: Final = """
A .#. #.# ### #.# #.#
B ##. #.# ##. #.# ##.
C .## #.. #.. #.. .##
D ##. #.# #.# #.# ##.
E ### #.. ##. #.. ###
F ### #.. ##. #.. #..
G .## #.. #.# #.# .##
H #.# #.# ### #.# #.#
I # # # # #
K #.# #.# ##. #.# #.#
L #.. #.. #.. #.. ###
M #...# ##.## #.#.# #...# #...#
N #..# ##.# #.## #..# #..#
O .#. #.# #.# #.# .#.
R ##. #.# ##. #.# #.#
S .## #.. .#. ..# ##.
T ### .#. .#. .#. .#.
V #.# #.# #.# #.# .#.
W #...# #...# #.#.# ##.## #...#
Y #.# #.# .#. .#. .#.
1 .# ## .# .# .#
2 ##. ..# .#. #.. ###
- .. .. ## .. ..
? ##. ..# .#. ... .#.
~ ..... .#... #.#.# ...#. .....
"""

GLYPHS: Final = {row.split()[0]: tuple(row.split()[1:]) for row in _SHAPES.strip().splitlines()}
"""Five rows of dots for each character that a state's name has."""

_HALVES: Final = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


@dataclass(frozen=True, slots=True)
class End:
    """One end: its name and sign, and what is claimed of its state."""

    name: str
    sign: str
    role: str
    claim: Claim | None


def dots(text: str) -> int:
    """How many dots wide a text is, with one between its characters."""
    return sum(len(GLYPHS[char][0]) + 1 for char in text) - 1


def letters(text: str, *, double: bool = False) -> list[str]:
    """A text as rows of cells: three of half blocks, or five, each dot two cells wide.

    Raises KeyError for a character that no state's name has.
    """
    rows = [".".join(GLYPHS[char][row] for char in text) for row in range(5)]
    if double:
        return ["".join("██" if dot == "#" else "  " for dot in row) for row in rows]
    rows.append("." * len(rows[0]))
    return [
        "".join(
            _HALVES[upper == "#", lower == "#"]
            for upper, lower in zip(rows[top], rows[top + 1], strict=True)
        )
        for top in (0, 2, 4)
    ]


def rows_for(width: int, height: int, *, ascii_only: bool = False) -> int:
    """How many rows :func:`lines` takes on such a screen."""
    if ascii_only:
        return 2
    wide, high = TALL_ROOM
    return TALL_ROWS if width >= wide and height >= high else ROWS


def lines(client: End, server: End, width: int, rows: int) -> list[Line]:
    """Both ends side by side, the client left, the server right; exactly ``rows`` lines."""
    half = max((width - 3) // 2, 1)
    left, right = _end(client, half, rows), _end(server, half, rows)
    made = []
    for mine, theirs in zip(left, right, strict=True):
        gap = width - 2 - _width(mine) - _width(theirs)
        made.append(fit(line(Span(" "), *mine, Span(" " * max(gap, 0)), *theirs), width))
    return made


def _width(spans: Line) -> int:
    return sum(text_width(span.text) for span in spans)


def _end(end: End, room: int, rows: int) -> list[Line]:
    """One end in at most ``room`` cells: who, and below it the state."""
    said = f"{end.sign} {end.name}" if end.sign else end.name
    head: Line = line(Span(fit_text(said, room), end.role))
    if rows < ROWS:  # no half blocks
        name = _chosen(end.claim, lambda text: len(text) * 2 - 1 <= room)
        return [head, line(Span(" ".join(name)[:room], end.role))][:rows]
    double = rows >= TALL_ROWS
    name = _chosen(end.claim, lambda text: dots(text) * (2 if double else 1) <= room)
    drawn = letters(name, double=double)
    return [head, *(line(Span(row[:room], end.role)) for row in drawn)][:rows]


def _chosen(claim: Claim | None, fits: Callable[[str], bool]) -> str:
    """The state's whole name where that fits, else its short one; with its certainty's sign."""
    if claim is None:
        return "-"
    before = "~" if claim.certainty is Certainty.INFERRED else ""
    after = "?" if claim.certainty is Certainty.UNKNOWN else ""
    for name in (str(claim.state), SHORT_STATES[claim.state]):
        made = f"{before}{name}{after}".upper()
        if fits(made):
            return made
    return made
