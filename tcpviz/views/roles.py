"""Roles: what a span of the screen means, and how it looks by default.

A view never names a colour; it says what a span *is*, and a theme says how
that looks. Letters and shapes carry the meaning already (``S`` for SYN,
``●`` and ``◆`` for the two ends, heavy and dashed lines): the colours below only
repeat it, so that NO_COLOR, sixteen colours and colour-blind eyes lose nothing.

The palettes are Okabe and Ito's (2008), which stay apart under the common
kinds of colour blindness: blue for the client, orange for the server, yellow
for what just happened, vermilion for trouble. On light ground the pale ones
are darkened; every text keeps a contrast of at least 4.5:1 on its ground (a test
measures it on #ffffff and #121212).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tcpviz.core.claims import Certainty
from tcpviz.core.records import Side

TEXT: Final = "text"
DIM: Final = "dim"
FRAME: Final = "frame"
TITLE: Final = "title"
CLIENT: Final = "client"
SERVER: Final = "server"
BOTH: Final = "both"
LIT: Final = "lit"
LIT_LABEL: Final = "lit-label"
TRAIL_CLIENT: Final = "trail-client"
TRAIL_SERVER: Final = "trail-server"
TRAIL_BOTH: Final = "trail-both"
STATE: Final = "state"
STATE_VISITED: Final = "state-visited"
STATE_HERE: Final = "state-here"
EDGE: Final = "edge"
EDGE_LABEL: Final = "edge-label"
SEEN: Final = "seen"
INFERRED: Final = "inferred"
UNKNOWN: Final = "unknown"
CALL: Final = "call"
CALL_BLOCKED: Final = "call-blocked"
CALL_ERROR: Final = "call-error"
BAND_HANDSHAKE: Final = "band-handshake"
BAND_DATA: Final = "band-data"
BAND_TEARDOWN: Final = "band-teardown"
FLAG_SYN: Final = "flag-syn"
FLAG_FIN: Final = "flag-fin"
FLAG_RST: Final = "flag-rst"
FLAG_ACK: Final = "flag-ack"
DATA: Final = "data"
NUMBER: Final = "number"
MARK_NOTE: Final = "mark-note"
MARK_WARNING: Final = "mark-warning"
MARK_BAD: Final = "mark-bad"
LIFELINE: Final = "lifeline"
ARROW: Final = "arrow"
LOST: Final = "lost"
TIME: Final = "time"
CURSOR: Final = "cursor"
SELECTED: Final = "selected"
KEY: Final = "key"
GRAPH_ACK: Final = "graph-ack"
GRAPH_WINDOW: Final = "graph-window"
GRAPH_SACK: Final = "graph-sack"

MEANING: Final[dict[str, str]] = {
    TEXT: "plain text",
    DIM: "what is there but not under discussion",
    FRAME: "borders and rules",
    TITLE: "a pane's or a column's heading",
    CLIENT: "the client: who sent the first SYN",
    SERVER: "the server: who answered it",
    BOTH: "both ends at once",
    LIT: "the edge just taken, the step at the cursor",
    LIT_LABEL: "the event and action of the edge just taken",
    TRAIL_CLIENT: "the way that the client has come",
    TRAIL_SERVER: "the way that the server has come",
    TRAIL_BOTH: "an edge that both have taken",
    STATE: "a state in which nobody is or was",
    STATE_VISITED: "a state in which an end was before",
    STATE_HERE: "a state in which an end is now",
    EDGE: "an edge that nobody took",
    EDGE_LABEL: "event and action of an edge",
    SEEN: "proved by the kernel or by the end's own segment",
    INFERRED: "implied by the segments",
    UNKNOWN: "nobody knows",
    CALL: "a socket call and what it returned",
    CALL_BLOCKED: "a call that has not returned",
    CALL_ERROR: "a call that failed",
    BAND_HANDSHAKE: "the handshake's band",
    BAND_DATA: "the data's band",
    BAND_TEARDOWN: "the teardown's band",
    FLAG_SYN: "a SYN",
    FLAG_FIN: "a FIN",
    FLAG_RST: "a RST",
    FLAG_ACK: "an ACK",
    DATA: "payload",
    NUMBER: "sequence and acknowledgment numbers, counts",
    MARK_NOTE: "a mark that is worth knowing",
    MARK_WARNING: "a mark of something unusual",
    MARK_BAD: "a mark of trouble",
    LIFELINE: "an end's line through time",
    ARROW: "a segment's way",
    LOST: "a segment that did not arrive",
    TIME: "times and distances in time",
    CURSOR: "the row of the cursor",
    SELECTED: "the selected row",
    KEY: "a key that can be pressed",
    GRAPH_ACK: "a graph's line of what is acknowledged",
    GRAPH_WINDOW: "a graph's line of what the window allows",
    GRAPH_SACK: "a graph's bars of what lies beyond a hole",
}
"""Every role with what it means; themes must have each."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a role looks. Colours as ``#rrggbb``; ``None`` leaves what is underneath."""

    fg: str | None = None
    bg: str | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class _Hues:
    """The few colours that a palette is made of."""

    text: str
    quiet: str
    faint: str
    blue: str
    orange: str
    purple: str
    green: str
    alarm: str
    lit: str
    cursor: str
    selected: str


_DARK_HUES = _Hues(
    text="#e4e4e4",
    quiet="#a8a8a8",
    faint="#828282",
    blue="#56b4e9",
    orange="#e69f00",
    purple="#cc79a7",
    green="#2fc79b",
    alarm="#f0743e",
    lit="#f0e442",
    cursor="#303030",
    selected="#1f3f57",
)

_LIGHT_HUES = _Hues(
    text="#1c1c1c",
    quiet="#5f5f5f",
    faint="#717171",
    blue="#00629b",
    orange="#8f5f00",
    purple="#9c3f74",
    green="#00704f",
    alarm="#b34700",
    lit="#6b3fa0",
    cursor="#e4e4e4",
    selected="#cfe4f2",
)


def _palette(hues: _Hues) -> dict[str, Look]:
    h = hues
    return {
        TEXT: Look(h.text),
        DIM: Look(h.faint),
        FRAME: Look(h.faint),
        TITLE: Look(h.text, bold=True),
        CLIENT: Look(h.blue, bold=True),
        SERVER: Look(h.orange, bold=True),
        BOTH: Look(h.purple, bold=True),
        LIT: Look(h.lit, bold=True),
        LIT_LABEL: Look(h.lit, bold=True),
        TRAIL_CLIENT: Look(h.blue),
        TRAIL_SERVER: Look(h.orange),
        TRAIL_BOTH: Look(h.purple),
        STATE: Look(h.quiet),
        STATE_VISITED: Look(h.text),
        STATE_HERE: Look(h.text, bold=True),
        EDGE: Look(h.faint),
        EDGE_LABEL: Look(h.faint),
        SEEN: Look(h.text, bold=True),
        INFERRED: Look(h.quiet, italic=True),
        UNKNOWN: Look(h.faint, italic=True),
        CALL: Look(h.green),
        CALL_BLOCKED: Look(h.quiet),
        CALL_ERROR: Look(h.alarm, bold=True),
        BAND_HANDSHAKE: Look(h.green, bold=True),
        BAND_DATA: Look(h.quiet, bold=True),
        BAND_TEARDOWN: Look(h.purple, bold=True),
        FLAG_SYN: Look(h.green, bold=True),
        FLAG_FIN: Look(h.purple, bold=True),
        FLAG_RST: Look(h.alarm, bold=True),
        FLAG_ACK: Look(h.text),
        DATA: Look(h.blue),
        NUMBER: Look(h.text),
        MARK_NOTE: Look(h.blue),
        MARK_WARNING: Look(h.orange, bold=True),
        MARK_BAD: Look(h.alarm, bold=True),
        LIFELINE: Look(h.quiet),
        ARROW: Look(h.text),
        LOST: Look(h.alarm),
        TIME: Look(h.quiet),
        CURSOR: Look(bg=h.cursor, bold=True),
        SELECTED: Look(bg=h.selected, bold=True),
        KEY: Look(h.lit, bold=True),
        GRAPH_ACK: Look(h.green),
        GRAPH_WINDOW: Look(h.lit),
        GRAPH_SACK: Look(h.purple),
    }


DARK: Final[dict[str, Look]] = _palette(_DARK_HUES)
LIGHT: Final[dict[str, Look]] = _palette(_LIGHT_HUES)

MONOCHROME: Final[dict[str, Look]] = {
    role: Look(
        bold=look.bold,
        dim=role in {DIM, EDGE, EDGE_LABEL, FRAME},
        underline=role in {LIT, LIT_LABEL},
        reverse=role in {CURSOR, SELECTED},
    )
    for role, look in DARK.items()
}
"""For NO_COLOR: weight, underline and reverse only."""


def of_side(side: Side) -> str:
    """The role of an end's name and marker."""
    return CLIENT if side is Side.CLIENT else SERVER


def of_certainty(certainty: Certainty) -> str:
    """The role of a state's name by how it is known."""
    return certainty.value
