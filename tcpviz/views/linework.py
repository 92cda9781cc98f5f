"""Linework: which box-drawing character joins which arms, and what stands for it in ASCII.

A cell of a drawing is described by the weights of the four strokes that leave
its middle, north, east, south, west: 0 none, 1 light, 2 heavy, 3 double. The
characters come from Unicode's own names of the block U+2500 to U+257F, so the
table is complete and cannot hold a typing error.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

Arms = tuple[int, int, int, int]
"""Weights of the strokes to north, east, south and west."""

LIGHT: Final = 1
HEAVY: Final = 2
DOUBLE: Final = 3

NORTH: Final = (0, -1)
EAST: Final = (1, 0)
SOUTH: Final = (0, 1)
WEST: Final = (-1, 0)
DIRECTIONS: Final = (NORTH, EAST, SOUTH, WEST)

HEADS: Final = {NORTH: "▲", EAST: "▶", SOUTH: "▼", WEST: "◀"}
DOUBLE_HEADS: Final = {NORTH: "⇑", EAST: "⇒", SOUTH: "⇓", WEST: "⇐"}
ASCII_HEADS: Final = {NORTH: "^", EAST: ">", SOUTH: "v", WEST: "<"}

ROUNDED: Final[dict[Arms, str]] = {
    (0, 1, 1, 0): "╭",
    (0, 0, 1, 1): "╮",
    (1, 0, 0, 1): "╯",
    (1, 1, 0, 0): "╰",
}

DASHES: Final[dict[int, tuple[str, str]]] = {
    LIGHT: ("╌", "╎"),
    HEAVY: ("╍", "╏"),
    DOUBLE: ("┅", "┇"),  # Unicode has no dashed double line; the heavy one stands in
}
"""Horizontal and vertical dash of a weight."""

_WEIGHTS = {"LIGHT": LIGHT, "SINGLE": LIGHT, "HEAVY": HEAVY, "DOUBLE": DOUBLE}
_STROKES = {
    "UP": (0,),
    "RIGHT": (1,),
    "DOWN": (2,),
    "LEFT": (3,),
    "VERTICAL": (0, 2),
    "HORIZONTAL": (1, 3),
}


def _parse(name: str) -> Arms | None:
    """The arms that a character's name tells, or ``None`` for dashes, arcs and diagonals."""
    words = name.removeprefix("BOX DRAWINGS ").split()
    if {"DASH", "ARC", "DIAGONAL"} & set(words):
        return None
    arms = [0, 0, 0, 0]
    if words[0] in _WEIGHTS:  # HEAVY DOWN AND RIGHT: one weight for all
        weight = _WEIGHTS[words[0]]
        if any(word in _WEIGHTS for word in words[1:]):
            return None  # LIGHT LEFT AND HEAVY RIGHT: never needed
        for word in words[1:]:
            for stroke in _STROKES.get(word, ()):
                arms[stroke] = weight
        return (arms[0], arms[1], arms[2], arms[3])
    group: list[int] = []
    for word in words:  # DOWN LIGHT AND RIGHT UP HEAVY: directions, then their weight
        if word in _WEIGHTS:
            for stroke in group:
                arms[stroke] = _WEIGHTS[word]
            group = []
        else:
            group.extend(_STROKES.get(word, ()))
    return None if group else (arms[0], arms[1], arms[2], arms[3])


def _table() -> dict[Arms, str]:
    table: dict[Arms, str] = {}
    for code in range(0x2500, 0x2580):
        arms = _parse(unicodedata.name(chr(code)))
        if arms is not None and sum(map(bool, arms)) > 1:
            table[arms] = chr(code)
    return table


_GLYPHS: Final = _table()


@lru_cache(maxsize=512)
def strokes_of(char: str) -> tuple[Arms, str] | None:
    """What a box-drawing character is made of, for whoever draws it as lines.

    Its arms, and how they are drawn: plainly (an empty string), as a rounded corner (``arc``),
    dashed (``dash``, two or three) or dotted (``dots``, four). ``None`` for any other character.
    """
    for arms, rounded in ROUNDED.items():
        if char == rounded:
            return arms, "arc"
    if not "\u2500" <= char <= "\u257f":
        return None
    name = unicodedata.name(char)
    kind = "dots" if "QUADRUPLE" in name else "dash" if "DASH" in name else ""
    if kind:
        weight = HEAVY if "HEAVY" in name else LIGHT
        upright = name.endswith("VERTICAL")
        return ((weight, 0, weight, 0) if upright else (0, weight, 0, weight)), kind
    arms_found = _parse(name)
    if arms_found is None and " AND " in name and "DIAGONAL" not in name:  # ╼: LEFT, ╾: RIGHT
        arms_found = {"╼": (0, 2, 0, 1), "╾": (0, 1, 0, 2), "╽": (1, 0, 2, 0), "╿": (2, 0, 1, 0)}[
            char
        ]
    return None if arms_found is None else (arms_found, "")


def glyph(arms: Arms, rounded: bool = False, dashed: bool = False) -> str:
    """The character with these arms.

    Heavy and double strokes never meet in Unicode; there the heavy ones are
    drawn light. A single arm is drawn as a whole line. ``rounded`` rounds light
    corners, ``dashed`` dashes straight runs (corners have no dashed form).
    """
    if sum(map(bool, arms)) == 1:
        weight = max(arms)
        arms = (weight, 0, weight, 0) if arms[0] or arms[2] else (0, weight, 0, weight)
    if dashed:
        if arms[0] and arms[0] == arms[2] and not arms[1] and not arms[3]:
            return DASHES[arms[0]][1]
        if arms[1] and arms[1] == arms[3] and not arms[0] and not arms[2]:
            return DASHES[arms[1]][0]
    if rounded and arms in ROUNDED:
        return ROUNDED[arms]
    found = _GLYPHS.get(arms)
    if found is None:
        n, e, s, w = (LIGHT if arm == HEAVY else arm for arm in arms)
        found = _GLYPHS.get((n, e, s, w))
    if found is None:
        top = max(arms)
        n, e, s, w = (top if arm else 0 for arm in arms)
        found = _GLYPHS.get((n, e, s, w), " ")
    return found
