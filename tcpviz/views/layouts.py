"""Figures: how a state diagram is described, and the geometry that follows from it.

A figure is data: boxes, the way of each edge as a list of corners, labels and
captions, all in cells from the top left. What it may not contain (a way through
a box, two edges on one cell that do not declare it, a label in an edge's way)
is told by :func:`faults`, which the tests hold at nothing for every figure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tcpviz.core.states import TRANSITIONS, State, Transition
from tcpviz.views.linework import DIRECTIONS, EAST, NORTH, SOUTH, WEST

Cell = tuple[int, int]
"""Column and row, from the top left, from 0."""

Pair = tuple[State, State]
"""An edge by its ends; the RFC's figure has no two edges with the same ones."""


Stroke = tuple[Cell, tuple[bool, bool, bool, bool], Cell | None]
"""A way in one of its cells: the cell, whether it leaves it to north, east, south, west,
and the direction of the arrow's head if it ends there.
"""


@dataclass(frozen=True, slots=True)
class Box:
    """A state's box. ``height`` 1 is a bracketed name, otherwise a frame around it.

    ``below`` is a dim second line under the name.
    """

    state: State
    x: int
    y: int
    width: int
    height: int = 3
    below: str = ""

    def holds(self, cell: Cell) -> bool:
        return self.x <= cell[0] < self.x + self.width and self.y <= cell[1] < self.y + self.height

    def corner(self, cell: Cell) -> bool:
        """The cell is one of the frame's four corners, where no edge may dock."""
        return (
            self.height > 1
            and cell[0] in (self.x, self.x + self.width - 1)
            and cell[1] in (self.y, self.y + self.height - 1)
        )


@dataclass(frozen=True, slots=True)
class Way:
    """An edge's way: its corners, from the cell outside of one box to that outside of the other.

    ``shy`` ways are no edges of the RFC's figure; they are drawn only while
    the edge is lit, dashed, over whatever is there (but never through a box).
    """

    before: State
    after: State
    corners: tuple[Cell, ...]
    shy: bool = False

    @property
    def pair(self) -> Pair:
        return (self.before, self.after)

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell from the first corner to the last."""
        out = [self.corners[0]]
        for x, y in self.corners[1:]:
            at_x, at_y = out[-1]
            if x != at_x and y != at_y:
                raise ValueError(f"{self.before} to {self.after}: a slanting stretch at {x},{y}")
            step_x, step_y = (x > at_x) - (x < at_x), (y > at_y) - (y < at_y)
            while (at_x, at_y) != (x, y):
                at_x, at_y = at_x + step_x, at_y + step_y
                out.append((at_x, at_y))
        return tuple(out)


@dataclass(frozen=True, slots=True)
class Label:
    """An edge's event and action, written from ``x``, ``y`` on, one line below the other.

    The text comes from the table of transitions: ``lines`` is how many lines
    it is broken into (after the slash, or at a space where there is none);
    ``short`` leaves out "rcv", "snd" and the housekeeping.
    """

    before: State
    after: State
    x: int
    y: int
    lines: int = 1
    short: bool = False

    @property
    def pair(self) -> Pair:
        return (self.before, self.after)

    @property
    def text(self) -> tuple[str, ...]:
        row = FIGURE_ROWS[self.pair]
        whole = short_label(row) if self.short else row.label
        if self.lines == 1:
            return (whole,)
        if " / " in whole:
            event, action = whole.split(" / ", 1)
            return (f"{event} /", action)
        words = whole.split(" ")
        cut = (len(words) + 1) // 2
        return (" ".join(words[:cut]), " ".join(words[cut:]))

    @property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(
            (self.x + i, self.y + j) for j, text in enumerate(self.text) for i in range(len(text))
        )


@dataclass(frozen=True, slots=True)
class Remark:
    """A word about a part of the figure, such as "active close"."""

    x: int
    y: int
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """Room within the figure for the captions, ``width`` cells in each of ``height`` rows."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Figure:
    """A whole diagram.

    ``merges``     sets of edges that may share cells (they run into one another)
    ``crossings``  cells where two edges that do not meet cross
    ``names``      how states are written where the RFC's name is too long
    ``captions``   where the captions go if no row below the figure is free for them
    """

    name: str
    width: int
    height: int
    boxes: tuple[Box, ...]
    ways: tuple[Way, ...]
    labels: tuple[Label, ...] = ()
    remarks: tuple[Remark, ...] = ()
    merges: tuple[frozenset[Pair], ...] = ()
    crossings: frozenset[Cell] = frozenset()
    captions: tuple[Place, ...] = ()
    short_names: bool = False

    @cached_property
    def box(self) -> dict[State, Box]:
        return {box.state: box for box in self.boxes}

    @cached_property
    def way(self) -> dict[Pair, Way]:
        return {way.pair: way for way in self.ways}

    @cached_property
    def box_cells(self) -> dict[Cell, State]:
        return {
            (x, y): box.state
            for box in self.boxes
            for x in range(box.x, box.x + box.width)
            for y in range(box.y, box.y + box.height)
        }

    @cached_property
    def way_cells(self) -> dict[Pair, tuple[Cell, ...]]:
        return {way.pair: way.cells for way in self.ways}

    @cached_property
    def lonely(self) -> frozenset[Cell]:
        """Cells that are all of a way."""
        return frozenset(cells[0] for cells in self.way_cells.values() if len(cells) == 1)

    @cached_property
    def docks(self) -> dict[Pair, tuple[Cell, Cell]]:
        """Each way's direction of leaving its first box and of entering its last one."""
        docks: dict[Pair, tuple[Cell, Cell]] = {}
        for way in self.ways:
            found = docking(self, way)
            if found is None:
                raise ValueError(f"{self.name}: {way.before} to {way.after} joins no boxes")
            docks[way.pair] = found
        return docks

    @cached_property
    def strokes(self) -> dict[Pair, tuple[Stroke, ...]]:
        """Each way cell by cell."""
        return {way.pair: tuple(self._strokes(way)) for way in self.ways}

    def _strokes(self, way: Way) -> Iterator[Stroke]:
        cells = self.way_cells[way.pair]
        leave, enter = self.docks[way.pair]
        for place, (x, y) in enumerate(cells):
            last = place == len(cells) - 1
            back = (-leave[0], -leave[1])
            if place:
                back = (cells[place - 1][0] - x, cells[place - 1][1] - y)
            ahead = enter if last else (cells[place + 1][0] - x, cells[place + 1][1] - y)
            n, e, s, w = (direction in (back, ahead) for direction in DIRECTIONS)
            yield (x, y), (n, e, s, w), ahead if last else None

    @cached_property
    def label_cells(self) -> dict[Cell, Pair]:
        return {cell: label.pair for label in self.labels for cell in label.cells}

    @cached_property
    def remark_cells(self) -> frozenset[Cell]:
        return frozenset((r.x + i, r.y) for r in self.remarks for i in range(len(r.text)))

    @cached_property
    def taken(self) -> frozenset[Cell]:
        """Cells that something occupies: boxes, edges of the figure, labels, remarks."""
        ways = {c for way in self.ways if not way.shy for c in self.way_cells[way.pair]}
        return frozenset(ways | self.box_cells.keys() | self.label_cells.keys() | self.remark_cells)

    def state_name(self, state: State) -> str:
        return "SYN-RCVD" if self.short_names and state is State.SYN_RECEIVED else state.value


FIGURE_ROWS: dict[Pair, Transition] = {
    (row.before, row.after): row for row in TRANSITIONS if row.figure
}
"""The rows that the RFC's figure draws, by their ends."""


def short_label(row: Transition) -> str:
    """A row's event and action for narrow figures: what arrives or is called / what is sent."""
    event = row.event.value.removeprefix("rcv ").removeprefix("timeout ")
    sent = row.action.removeprefix("snd ") if row.action.startswith("snd ") else ""
    if event == "ACK of SYN":
        event = "ACK"
    return f"{event} / {sent}" if sent else event


def docking(figure: Figure, way: Way) -> tuple[Cell, Cell] | None:
    """The directions in which a way leaves its first box and enters its last one.

    ``None`` where it does not lie against its boxes, docks at a corner of a
    frame, or bends in its last cell, where the arrow's head is.
    """
    cells = figure.way_cells[way.pair]
    leaving = [(-x, -y) for x, y in _towards(figure.box[way.before], cells[0])]
    entering = _towards(figure.box[way.after], cells[-1])
    if len(cells) == 1:
        through = [direction for direction in leaving if direction in entering]
        return (through[0], through[0]) if through else None
    first = (cells[1][0] - cells[0][0], cells[1][1] - cells[0][1])
    last = (cells[-1][0] - cells[-2][0], cells[-1][1] - cells[-2][1])
    if not leaving or last not in entering:
        return None
    return (first if first in leaving else leaving[0]), last


def _towards(box: Box, cell: Cell) -> list[Cell]:
    """Directions in which ``cell`` has a side of ``box`` next to it."""
    near = []
    for direction in DIRECTIONS:
        neighbour = (cell[0] + direction[0], cell[1] + direction[1])
        if box.holds(neighbour) and not box.corner(neighbour):
            near.append(direction)
    return near


def faults(figure: Figure) -> list[str]:
    """What is wrong with a figure, in words; an empty list for a sound one."""
    wrong: list[str] = []
    size = {(x, y) for x in range(figure.width) for y in range(figure.height)}
    wrong += [f"{state}: no box" for state in State if state not in figure.box]
    count = sum(box.width * box.height for box in figure.boxes)
    if count != len(figure.box_cells):
        wrong.append("boxes overlap")
    if not set(figure.box_cells) <= size:
        wrong.append("a box lies outside")
    for box in figure.boxes:
        if len(figure.state_name(box.state)) + (4 if box.height > 1 else 2) > box.width:
            wrong.append(f"{box.state}: its name does not fit")
    for pair in FIGURE_ROWS:
        if pair not in figure.way or figure.way[pair].shy:
            wrong.append(f"{pair[0]} to {pair[1]}: no way")
    user: dict[Cell, Pair] = {}
    for way in figure.ways:
        who = f"{way.before} to {way.after}"
        cells = figure.way_cells[way.pair]
        if len(set(cells)) != len(cells):
            wrong.append(f"{who}: goes over itself")
        if not set(cells) <= size:
            wrong.append(f"{who}: lies outside")
        if docking(figure, way) is None:
            wrong.append(f"{who}: does not join its boxes")
        for cell in cells:
            if cell in figure.box_cells:
                wrong.append(f"{who}: through {figure.box_cells[cell]} at {cell}")
            if cell in figure.label_cells:
                wrong.append(f"{who}: over a label at {cell}")
            if cell in figure.remark_cells and not way.shy:
                wrong.append(f"{who}: over a remark at {cell}")
        if way.shy:
            continue
        for cell in cells:
            other = user.setdefault(cell, way.pair)
            if other == way.pair or cell in figure.crossings:
                continue
            if not any({other, way.pair} <= merge for merge in figure.merges):
                wrong.append(f"{who}: shares {cell} with {other[0]} to {other[1]}")
    wrong += _crossing_faults(figure)
    wrong += _label_faults(figure, size)
    return wrong


def _crossing_faults(figure: Figure) -> list[str]:
    """A crossing is a cell where one edge goes straight across and another straight down."""
    wrong = []
    for cell in figure.crossings:
        x, y = cell
        ways = set()
        for way in figure.ways:
            cells = figure.way_cells[way.pair]
            if way.shy or cell not in cells[1:-1]:
                continue
            place = cells.index(cell)
            around = {cells[place - 1], cells[place + 1]}
            if around == {(x - 1, y), (x + 1, y)}:
                ways.add("across")
            elif around == {(x, y - 1), (x, y + 1)}:
                ways.add("down")
            else:
                ways.add("bent")
        start = {w.pair for w in figure.ways if not w.shy and figure.way_cells[w.pair][0] == cell}
        if start:  # an edge that begins there, straight on from its box, also goes down
            ways.add("down")
        if ways != {"across", "down"}:
            wrong.append(f"no crossing at {cell}: {sorted(ways)}")
    return wrong


def _label_faults(figure: Figure, size: set[Cell]) -> list[str]:
    wrong = []
    used: set[Cell] = set()
    for label in figure.labels:
        who = f"label of {label.before} to {label.after}"
        cells = set(label.cells)
        if not cells <= size:
            wrong.append(f"{who}: lies outside")
        if cells & figure.box_cells.keys():
            wrong.append(f"{who}: over a box")
        if cells & used:
            wrong.append(f"{who}: over another label")
        used |= cells
    for cell in figure.remark_cells:
        if cell not in size or cell in figure.box_cells or cell in used:
            wrong.append(f"a remark lies over something at {cell}")
    return wrong


__all__ = [
    "EAST",
    "FIGURE_ROWS",
    "NORTH",
    "SOUTH",
    "WEST",
    "Box",
    "Cell",
    "Figure",
    "Label",
    "Pair",
    "Place",
    "Remark",
    "Way",
    "docking",
    "faults",
    "short_label",
]
