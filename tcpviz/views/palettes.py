"""Palettes: which colours the roles have in each theme.

The hues were looked for by machine: as far apart as they can be, for the usual eye and under
Machado, Oliveira and Fernandes' (2009) simulation of protanopia, deuteranopia and tritanopia,
while each keeps WCAG 2's contrast on every ground on which it may stand. A test measures both.
Blue is the client, orange the server, yellow (violet on light ground) what just happened,
vermilion trouble; in ``SAFE`` no two hues of a palette come near one another for any eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tcpviz.views import roles
from tcpviz.views.roles import Look


@dataclass(frozen=True, slots=True)
class Hues:
    """The few colours that a palette is made of.

    ``ground``, ``cursor``, ``selected``, ``bar`` are what text stands on: the screen's ground,
    the cursor's row, the selected connection's, the bar at the foot. ``rule`` is for lines
    alone, which need less contrast than words.
    """

    ground: str
    cursor: str
    selected: str
    bar: str
    text: str
    quiet: str
    faint: str
    rule: str
    blue: str
    orange: str
    purple: str
    green: str
    alarm: str
    lit: str


DARK_HUES: Final = Hues(
    ground="#121212",
    cursor="#2a2a2a",
    selected="#18304a",
    bar="#262626",
    text="#e4e4e4",
    quiet="#b4b4b4",
    faint="#9a9a9a",
    rule="#7a7a7a",
    blue="#75cefe",
    orange="#fca103",
    purple="#ce82ec",
    green="#90f597",
    alarm="#fe7662",
    lit="#fbd531",
)

LIGHT_HUES: Final = Hues(
    ground="#fafafa",
    cursor="#e6e6e6",
    selected="#d5e8f4",
    bar="#e4e4e4",
    text="#1c1c1c",
    quiet="#525252",
    faint="#636363",
    rule="#7c7c7c",
    blue="#2a6d91",
    orange="#935a04",
    purple="#5d007e",
    green="#004a31",
    alarm="#8a0000",
    lit="#8146cd",
)

CONTRAST_HUES: Final = Hues(
    ground="#000000",
    cursor="#262626",
    selected="#002448",
    bar="#1c1c1c",
    text="#ffffff",
    quiet="#d8d8d8",
    faint="#c0c0c0",
    rule="#b0b0b0",
    blue="#78b7fe",
    orange="#f5c760",
    purple="#d5a1c3",
    green="#acffba",
    alarm="#fe956c",
    lit="#f2f119",
)

SAFE_HUES: Final = Hues(
    ground="#101010",
    cursor="#2a2a2a",
    selected="#14263a",
    bar="#262626",
    text="#f2f2f2",
    quiet="#b0b0b0",
    faint="#9a9a9a",
    rule="#767676",
    blue="#4fa1ff",
    orange="#faa000",
    purple="#b17fb8",
    green="#a5e1a7",
    alarm="#ec682e",
    lit="#ffd914",
)


def _palette(hues: Hues) -> dict[str, Look]:
    h = hues
    return {
        roles.TEXT: Look(h.text),
        roles.DIM: Look(h.faint),
        roles.FRAME: Look(h.rule),
        roles.TITLE: Look(h.text, bold=True),
        roles.CLIENT: Look(h.blue, bold=True),
        roles.SERVER: Look(h.orange, bold=True),
        roles.BOTH: Look(h.purple, bold=True),
        roles.LIT: Look(h.lit, bold=True),
        roles.LIT_LABEL: Look(h.lit, bold=True),
        roles.TRAIL_CLIENT: Look(h.blue),
        roles.TRAIL_SERVER: Look(h.orange),
        roles.TRAIL_BOTH: Look(h.purple),
        roles.STATE: Look(h.quiet),
        roles.STATE_VISITED: Look(h.text),
        roles.STATE_HERE: Look(h.text, bold=True),
        roles.EDGE: Look(h.rule),
        roles.EDGE_LABEL: Look(h.faint),
        roles.SEEN: Look(h.text, bold=True),
        roles.INFERRED: Look(h.quiet, italic=True),
        roles.UNKNOWN: Look(h.faint, italic=True),
        roles.CALL: Look(h.green),
        roles.CALL_BLOCKED: Look(h.quiet),
        roles.CALL_ERROR: Look(h.alarm, bold=True),
        roles.BAND_HANDSHAKE: Look(h.green, bold=True),
        roles.BAND_DATA: Look(h.quiet, bold=True),
        roles.BAND_TEARDOWN: Look(h.purple, bold=True),
        roles.FLAG_SYN: Look(h.green, bold=True),
        roles.FLAG_FIN: Look(h.purple, bold=True),
        roles.FLAG_RST: Look(h.alarm, bold=True),
        roles.FLAG_ACK: Look(h.text),
        roles.DATA: Look(h.blue),
        roles.NUMBER: Look(h.text),
        roles.MARK_NOTE: Look(h.blue),
        roles.MARK_WARNING: Look(h.orange, bold=True),
        roles.MARK_BAD: Look(h.alarm, bold=True),
        roles.LIFELINE: Look(h.quiet),
        roles.ARROW: Look(h.text),
        roles.LOST: Look(h.alarm),
        roles.TIME: Look(h.quiet),
        roles.CURSOR: Look(bg=h.cursor, bold=True),
        roles.SELECTED: Look(bg=h.selected, bold=True),
        roles.KEY: Look(h.lit, bold=True),
        roles.GRAPH_ACK: Look(h.green),
        roles.GRAPH_WINDOW: Look(h.lit),
        roles.GRAPH_SACK: Look(h.purple),
    }


DARK: Final[dict[str, Look]] = _palette(DARK_HUES)
LIGHT: Final[dict[str, Look]] = _palette(LIGHT_HUES)
CONTRAST: Final[dict[str, Look]] = _palette(CONTRAST_HUES)
SAFE: Final[dict[str, Look]] = _palette(SAFE_HUES)

MONOCHROME: Final[dict[str, Look]] = {
    role: Look(
        bold=look.bold,
        dim=role in {roles.DIM, roles.EDGE, roles.EDGE_LABEL, roles.FRAME},
        underline=role in {roles.LIT, roles.LIT_LABEL},
        reverse=role in {roles.CURSOR, roles.SELECTED},
    )
    for role, look in DARK.items()
}
"""For NO_COLOR: weight, underline and reverse only."""
