"""Roles: what a span of the screen means, and how it looks by default.

A view never names a colour; it says what a span *is*, and a theme says how
that looks. Letters and shapes carry the meaning already (``S`` for SYN,
``●`` and ``◆`` for the two ends, heavy and dashed lines): the colours below only
repeat it, so that NO_COLOR, sixteen colours and colour-blind eyes lose nothing.

The palettes are in :mod:`tcpviz.views.palettes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tcpviz.core.claims import Certainty, Claim
from tcpviz.core.records import Side
from tcpviz.core.states import State

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


def of_side(side: Side) -> str:
    """The role of an end's name and marker."""
    return CLIENT if side is Side.CLIENT else SERVER


def of_certainty(certainty: Certainty) -> str:
    """The role of a state's name by how it is known."""
    return certainty.value


def says_nothing(claim: Claim, *, midstream: bool) -> bool:
    """Whether a claim stands only for want of any word from its end.

    Of a connection found in ``midstream`` there never was a listener to be guessed at.
    """
    return midstream and claim.certainty is Certainty.UNKNOWN and claim.state is State.LISTEN
