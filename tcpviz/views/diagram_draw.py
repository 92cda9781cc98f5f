"""Drawing a figure: its edges, boxes, labels and trails on a canvas of cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tcpviz.core.claims import Certainty
from tcpviz.core.records import Side
from tcpviz.core.states import State
from tcpviz.views import linework, roles
from tcpviz.views.diagram_scene import (
    LETTERS,
    DiagramScene,
    lit_edges,
    mark_in,
    occupants,
    visited_states,
)
from tcpviz.views.layouts import Box, Cell, Figure, Label, Pair
from tcpviz.views.linework import DIRECTIONS, DOUBLE, HEAVY, LIGHT, Arms
from tcpviz.views.spans import Line, Span

# -- the canvas ---------------------------------------------------------------

_QUIET: Final = frozenset(
    {roles.TEXT, roles.DIM, roles.EDGE, roles.EDGE_LABEL, roles.STATE, roles.FRAME}
)


class Canvas:
    """Cells with a character and a role each."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.chars = [[" "] * width for _ in range(height)]
        self.roles = [[roles.TEXT] * width for _ in range(height)]

    def copy(self) -> Canvas:
        """Another one with the same in it."""
        other = Canvas(0, 0)
        other.width, other.height = self.width, self.height
        other.chars = [row[:] for row in self.chars]
        other.roles = [row[:] for row in self.roles]
        return other

    def put(self, x: int, y: int, char: str, role: str) -> None:
        if 0 <= x < self.width and 0 <= y < self.height:
            self.chars[y][x] = char
            self.roles[y][x] = role

    def write(self, x: int, y: int, text: str, role: str) -> None:
        for offset, char in enumerate(text):
            self.put(x + offset, y, char, role)

    def row(self, y: int) -> Line:
        """One row; spaces go with a quiet neighbour before them, so that spans stay few."""
        chars, names = self.chars[y], self.roles[y]
        spans: list[Span] = []
        start, current = 0, names[0] if names else roles.TEXT
        for place, role in enumerate(names):
            if role == current:
                continue
            if chars[place] == " " and role == roles.TEXT and current in _QUIET:
                continue
            spans.append(Span("".join(chars[start:place]), current))
            start, current = place, role
        if names:
            spans.append(Span("".join(chars[start:]), current))
        return tuple(spans)


# -- edges --------------------------------------------------------------------

_IDLE, _CLIENT, _SERVER, _BOTH, _LIT = range(5)
_WEIGHT: Final = (LIGHT, HEAVY, HEAVY, HEAVY, DOUBLE)
_ROLE: Final = (
    roles.EDGE,
    roles.TRAIL_CLIENT,
    roles.TRAIL_SERVER,
    roles.TRAIL_BOTH,
    roles.LIT,
)
_ASCII_LINES: Final = (
    ("-", "|", "+"),
    ("=", "!", "+"),
    ("~", ":", "+"),
    ("=", "!", "+"),
    ("#", "#", "#"),
)
"""Horizontal, vertical and corner of each rank."""


@dataclass(frozen=True, slots=True)
class _Use:
    """How one edge uses one cell: its rank, its strokes, and its arrow's head if it ends here."""

    rank: int
    strokes: tuple[bool, bool, bool, bool]
    head: Cell | None
    dashed: bool
    shy: bool = False


def _rank(pair: Pair, scene: DiagramScene, lit: dict[Pair, bool]) -> int:
    if pair in lit:
        return _LIT
    return (_CLIENT if pair in scene.trail_client else 0) + (
        _SERVER if pair in scene.trail_server else 0
    )


def _uses(
    figure: Figure, scene: DiagramScene, lit: dict[Pair, bool], within: set[Cell] | None = None
) -> dict[Cell, list[_Use]]:
    """By cell, the edges that use it; ``within`` these cells, or all."""
    uses: dict[Cell, list[_Use]] = {}
    for way in figure.ways:
        if way.shy and way.pair not in lit:
            continue
        rank = _rank(way.pair, scene, lit)
        dashed = rank == _SERVER or (rank == _LIT and not lit[way.pair])
        for cell, strokes, head in figure.strokes[way.pair]:
            if within is None or cell in within:
                uses.setdefault(cell, []).append(_Use(rank, strokes, head, dashed, way.shy))
    return uses


def _cell(users: list[_Use], crossing: bool, ascii_only: bool, single: bool) -> tuple[str, str]:
    """The character and role of a cell by the edges that use it."""
    top = max(use.rank for use in users)
    ranks = {use.rank for use in users}
    if top == _SERVER and _CLIENT in ranks:
        top = _BOTH
    best = [use for use in users if use.rank == top or (top == _BOTH and use.rank)]
    role = _ROLE[top]
    heads = [use.head for use in best if use.head]
    if heads:
        if ascii_only:
            return linework.ASCII_HEADS[heads[0]], role
        if top == _LIT and single:
            return linework.DOUBLE_HEADS[heads[0]], role
        return linework.HEADS[heads[0]], role
    if any(use.shy for use in best):  # drawn over what is there, not joined to it
        users = best
    if crossing:  # one passes in front of the other; the busier one, else the upright one
        upright = [use for use in best if use.strokes[0] and use.strokes[2]]
        users = best = (upright or best)[:1]
    strokes = [any(use.strokes[i] for use in users) for i in range(4)]
    if ascii_only:
        across, down, corner = _ASCII_LINES[top]
        mine = [any(use.strokes[i] for use in best) for i in range(4)]
        joined = mine if crossing else strokes
        if not joined[0] and not joined[2]:
            return across, role
        if not joined[1] and not joined[3]:
            return down, role
        return corner, role
    n, e, s, w = (
        max((_WEIGHT[use.rank] for use in users if use.strokes[i]), default=0) for i in range(4)
    )
    dashed = all(use.dashed for use in best)
    return linework.glyph((n, e, s, w), rounded=True, dashed=dashed), role


_Drawn = dict[Cell, tuple[str, str]]
_at_rest: dict[tuple[int, bool], tuple[Figure, _Drawn]] = {}


def _resting(figure: Figure, ascii_only: bool) -> _Drawn:
    """The ways where nobody went and nothing is lit: made once, most cells are always so."""
    kept = _at_rest.get((id(figure), ascii_only))
    if kept is None or kept[0] is not figure:
        uses = _uses(figure, DiagramScene(ascii=ascii_only), {})
        kept = _at_rest[id(figure), ascii_only] = (figure, _cells(figure, uses, ascii_only))
    return kept[1]


def _cells(figure: Figure, uses: dict[Cell, list[_Use]], ascii_only: bool) -> _Drawn:
    lonely = figure.lonely
    return {
        cell: _cell(users, cell in figure.crossings, ascii_only, cell in lonely)
        for cell, users in uses.items()
    }


def _draw_ways(canvas: Canvas, figure: Figure, scene: DiagramScene, at: Cell) -> None:
    lit = lit_edges(scene)
    drawn = _resting(figure, scene.ascii)
    busy = (lit.keys() | scene.trail_client | scene.trail_server) & figure.strokes.keys()
    if busy:
        within = {cell for pair in busy for cell, _, _ in figure.strokes[pair]}
        uses = _uses(figure, scene, lit, within)
        drawn = drawn | _cells(figure, uses, scene.ascii)
    for cell, (char, role) in drawn.items():
        canvas.put(at[0] + cell[0], at[1] + cell[1], char, role)


# -- boxes --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Frame:
    """How a box is framed."""

    weight: int
    dashed: bool
    role: str


def _frame(box: Box, scene: DiagramScene, visited: frozenset[State]) -> _Frame:
    turning = {
        change.transition.after
        for change in scene.lit
        if change.transition is not None and change.transition.before is change.transition.after
    }
    here = [
        side
        for side in occupants(box.state, scene)
        if (claim := scene.claim(side)) is not None and claim.certainty is not Certainty.UNKNOWN
    ]
    if box.state in turning:  # an edge from a state to itself lights the frame
        return _Frame(DOUBLE, False, roles.LIT)
    if here:
        sure = any(
            (claim := scene.claim(side)) is not None and claim.certainty is Certainty.SEEN
            for side in here
        )
        role = roles.BOTH if len(here) > 1 else roles.of_side(here[0])
        return _Frame(HEAVY, not sure, role)
    return _Frame(LIGHT, False, roles.STATE_VISITED if box.state in visited else roles.STATE)


_ASCII_FRAMES: Final = {LIGHT: ("-", "|", "+"), HEAVY: ("=", "H", "#"), DOUBLE: ("#", "#", "#")}
_ASCII_DASHED: Final = ("~", ":", "+")


def _frame_chars(frame: _Frame, ascii_only: bool) -> tuple[str, str, tuple[str, str, str, str]]:
    """Horizontal, vertical and the four corners, clockwise from the top left."""
    if ascii_only:
        across, down, corner = _ASCII_DASHED if frame.dashed else _ASCII_FRAMES[frame.weight]
        return across, down, (corner,) * 4
    w = frame.weight
    arms: tuple[Arms, ...] = ((0, w, w, 0), (0, 0, w, w), (w, 0, 0, w), (w, w, 0, 0))
    a, b, c, d = (linework.glyph(each) for each in arms)
    across = linework.glyph((0, w, 0, w), dashed=frame.dashed)
    down = linework.glyph((w, 0, w, 0), dashed=frame.dashed)
    return across, down, (a, b, c, d)


def _draw_box(
    canvas: Canvas,
    figure: Figure,
    box: Box,
    scene: DiagramScene,
    at: Cell,
    visited: frozenset[State],
) -> None:
    x, y = at[0] + box.x, at[1] + box.y
    frame = _frame(box, scene, visited)
    across, down, corners = _frame_chars(frame, scene.ascii)
    right, bottom = x + box.width - 1, y + box.height - 1
    if box.height > 1:
        for column in range(x + 1, right):
            canvas.put(column, y, across, frame.role)
            canvas.put(column, bottom, across, frame.role)
        for row in range(y + 1, bottom):
            canvas.put(x, row, down, frame.role)
            canvas.put(right, row, down, frame.role)
        for corner, char in zip(
            ((x, y), (right, y), (right, bottom), (x, bottom)), corners, strict=True
        ):
            canvas.put(*corner, char, frame.role)
    elif frame.weight > LIGHT:
        canvas.put(x, y, down, frame.role)
        canvas.put(right, y, down, frame.role)
    else:
        canvas.put(x, y, "[", frame.role)
        canvas.put(right, y, "]", frame.role)
    name = figure.state_name(box.state)
    sides = occupants(box.state, scene)
    role = (
        roles.STATE_HERE
        if sides
        else (roles.STATE_VISITED if box.state in visited else roles.STATE)
    )
    middle = y + (box.height - 1) // 2
    start = x + (box.width - len(name)) // 2
    canvas.write(start, middle, name, role)
    canvas.write(x + (box.width - len(box.below)) // 2, middle + 1, box.below, roles.DIM)
    inset = 1 if box.height > 1 else 0
    left_room = start - x - inset
    right_room = x + box.width - inset - (start + len(name))
    for side in sides:
        room = left_room if side is Side.CLIENT else right_room
        mark = mark_in(side, scene, room)
        spare = 1 if room > len(mark) + 1 else 0
        if side is Side.CLIENT:
            canvas.write(x + inset + spare, middle, mark, roles.CLIENT)
        else:
            end = x + box.width - inset - spare
            canvas.write(end - len(mark), middle, mark, roles.SERVER)


def _draw_docks(canvas: Canvas, figure: Figure, scene: DiagramScene, at: Cell) -> None:
    """Where an edge leaves a frame, a stub joins the two."""
    if scene.ascii:
        return
    lit, visited = lit_edges(scene), visited_states(scene)
    for way in figure.ways:
        box = figure.box[way.before]
        if box.height == 1 or (way.shy and way.pair not in lit):
            continue
        leave = figure.docks[way.pair][0]
        first = figure.way_cells[way.pair][0]
        border = (first[0] - leave[0], first[1] - leave[1])
        if border in {
            (first[0] - leave[0], first[1] - leave[1])
            for other in figure.ways
            if other.after is way.before
            and (not other.shy or other.pair in lit)
            and figure.way_cells[other.pair][-1] == first
        }:
            continue  # the same cell is another edge's head
        frame = _frame(box, scene, visited)
        stroke = _WEIGHT[_rank(way.pair, scene, lit)]
        if {stroke, frame.weight} == {HEAVY, DOUBLE}:
            stroke = frame.weight  # Unicode joins heavy and double nowhere
        arms = [0, 0, 0, 0]
        for i, direction in enumerate(DIRECTIONS):
            if direction == leave:
                arms[i] = stroke
            elif direction != (-leave[0], -leave[1]):
                arms[i] = frame.weight
        char = linework.glyph((arms[0], arms[1], arms[2], arms[3]))
        canvas.put(at[0] + border[0], at[1] + border[1], char, frame.role)


# -- words --------------------------------------------------------------------


def _draw_label(
    canvas: Canvas, label: Label, scene: DiagramScene, lit: dict[Pair, bool], at: Cell
) -> None:
    if lit.get(label.pair):
        role = roles.LIT_LABEL
    else:
        role = _ROLE[_rank(label.pair, scene, {})]
        role = roles.EDGE_LABEL if role == roles.EDGE else role
    for offset, text in enumerate(label.text):
        canvas.write(at[0] + label.x, at[1] + label.y + offset, text, role)


def _initials(pair: Pair, scene: DiagramScene) -> list[Side]:
    trails = ((Side.CLIENT, scene.trail_client), (Side.SERVER, scene.trail_server))
    return [side for side, trail in trails if pair in trail]


def _draw_initials(canvas: Canvas, figure: Figure, scene: DiagramScene, at: Cell) -> None:
    """C and S on the ways come: in the line where it is long, else beside it."""
    lit = lit_edges(scene)
    marked = {
        way.pair: _initials(way.pair, scene)
        for way in figure.ways
        if not way.shy and way.pair not in lit
    }
    busy: dict[Cell, int] = {}
    for pair, cells in figure.way_cells.items():
        if pair in lit or marked.get(pair):
            for cell in cells:
                busy[cell] = busy.get(cell, 0) + 1
    written: set[Cell] = set()
    for pair, sides in marked.items():
        if not sides:
            continue
        cells = figure.way_cells[pair]
        places = _inline(figure, cells, busy, len(sides))
        places = places or _beside(figure, cells, len(sides), written)
        written.update(places)
        for side, (x, y) in zip(sides, sorted(places), strict=False):
            canvas.put(at[0] + x, at[1] + y, LETTERS[side], roles.of_side(side))


def _inline(
    figure: Figure, cells: tuple[Cell, ...], busy: dict[Cell, int], count: int
) -> list[Cell]:
    """``count`` neighbouring cells in the middle of the longest straight stretch, if it is long."""
    best: list[Cell] = []
    run: list[Cell] = []
    for before, cell, after in zip(cells, cells[1:], cells[2:], strict=False):
        straight = before[0] == after[0] or before[1] == after[1]
        if straight and busy[cell] == 1 and cell not in figure.crossings:
            run = [*run, cell] if run and run[-1] == before else [cell]
            if len(run) > len(best):
                best = run
        else:
            run = []
    if len(best) < count:
        return []
    middle = (len(best) - count) // 2
    return best[middle : middle + count]


def _beside(figure: Figure, cells: tuple[Cell, ...], count: int, written: set[Cell]) -> list[Cell]:
    """``count`` free cells next to the way, best with air around them; none if there are none."""
    choices: list[list[Cell]] = []
    for x, y in cells:
        for start in (x + 1, x - count):
            row = [(start + i, y) for i in range(count)]
            if all(
                cell not in figure.taken and cell not in written and 0 <= cell[0] < figure.width
                for cell in row
            ):
                choices.append(row)
    for row in choices:
        around = {(row[0][0] - 1, row[0][1]), (row[-1][0] + 1, row[0][1])}
        if len(around & figure.taken) <= 1:
            return row
    return choices[0] if choices else []


def draw_figure(canvas: Canvas, figure: Figure, scene: DiagramScene, at: Cell) -> None:
    """All of it but the captions, its top left cell at ``at``."""
    lit, visited = lit_edges(scene), visited_states(scene)
    for remark in figure.remarks:
        canvas.write(at[0] + remark.x, at[1] + remark.y, remark.text, roles.EDGE_LABEL)
    for label in figure.labels:
        _draw_label(canvas, label, scene, lit, at)
    _draw_ways(canvas, figure, scene, at)
    _draw_initials(canvas, figure, scene, at)
    for box in figure.boxes:
        _draw_box(canvas, figure, box, scene, at, visited)
    _draw_docks(canvas, figure, scene, at)
