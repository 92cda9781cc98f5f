"""What stands on a state diagram, and the signs for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tcpviz.core.claims import Certainty, Claim, StateChange
from tcpviz.core.records import Side
from tcpviz.core.states import State
from tcpviz.views.layouts import Pair
from tcpviz.words import _


@dataclass(frozen=True, slots=True)
class DiagramScene:
    """What stands on the diagram.

    ``lit``    the state changes of the step at the cursor
    ``selected``  the state or edge that a person has chosen
    ``trail_client``, ``trail_server``  edges that each has taken, by their ends
    """

    client: Claim | None = None
    server: Claim | None = None
    client_name: str = "client"
    server_name: str = "server"
    lit: tuple[StateChange, ...] = ()
    trail_client: frozenset[Pair] = frozenset()
    trail_server: frozenset[Pair] = frozenset()
    selected: State | Pair | None = None
    ascii: bool = False

    def claim(self, side: Side) -> Claim | None:
        return self.client if side is Side.CLIENT else self.server

    def name(self, side: Side) -> str:
        return _(self.client_name if side is Side.CLIENT else self.server_name)


_MARKS: Final[dict[tuple[Side, Certainty], tuple[str, str]]] = {
    (Side.CLIENT, Certainty.SEEN): ("●", "*"),
    (Side.CLIENT, Certainty.INFERRED): ("○", "o"),
    (Side.CLIENT, Certainty.UNKNOWN): ("?", "?"),
    (Side.SERVER, Certainty.SEEN): ("◆", "#"),
    (Side.SERVER, Certainty.INFERRED): ("◇", "%"),
    (Side.SERVER, Certainty.UNKNOWN): ("?", "?"),
}
LETTERS: Final = {Side.CLIENT: "C", Side.SERVER: "S"}


def marker(side: Side, certainty: Certainty, ascii_only: bool = False) -> str:
    """An end's shape in one cell: filled where its state is seen, hollow where inferred."""
    return _MARKS[side, certainty][1 if ascii_only else 0]


def lit_edges(scene: DiagramScene) -> dict[Pair, bool]:
    """The edges to light; false for a move that the RFC's figure does not draw.

    A change without a row in the table (a find in mid-stream, a correction) has no edge.
    """
    lit: dict[Pair, bool] = {}
    for change in scene.lit:
        row = change.transition
        if row is not None and row.before is not row.after:
            pair = (row.before, row.after)
            lit[pair] = lit.get(pair, False) or row.figure
    return lit


def occupants(state: State, scene: DiagramScene) -> list[Side]:
    """The ends that are, or may be, in a state."""
    sides = []
    for side in Side:
        claim = scene.claim(side)
        if claim is not None and claim.state is state:
            sides.append(side)
    return sides


def visited_states(scene: DiagramScene) -> frozenset[State]:
    """States that an end has been in, by its trail."""
    return frozenset(state for pair in scene.trail_client | scene.trail_server for state in pair)


def mark_in(side: Side, scene: DiagramScene, cells: int) -> str:
    """An end's marker for a slot of so many cells, its letter towards the name."""
    claim = scene.claim(side)
    assert claim is not None
    shape = marker(side, claim.certainty, scene.ascii)
    if cells < 3:
        return shape
    letter = LETTERS[side]
    return shape + letter if side is Side.CLIENT else letter + shape
