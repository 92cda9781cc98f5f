"""The state diagram: both ends on the RFC's figure, as lines of spans.

Meaning is carried by shape first: a heavy frame is a state that an end is in
(dashed where that is only inferred), ``●`` and ``C`` are the client, ``◆`` and
``S`` the server (hollow: inferred; ``?``: unknown), a double line is the edge just
taken, a heavy one the client's way so far, a heavy dashed one the server's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from tcpviz.core.claims import Certainty, StateChange
from tcpviz.core.records import Side
from tcpviz.core.states import State
from tcpviz.views import roles
from tcpviz.views.diagram_draw import Canvas, draw_figure
from tcpviz.views.diagram_motion import draw_selected, draw_travellers
from tcpviz.views.diagram_scene import (
    LETTERS,
    DiagramScene,
    mark_in,
    marker,
    occupants,
    visited_states,
)
from tcpviz.views.layouts import Cell, Figure, Pair, short_label
from tcpviz.views.layouts_large import LARGE
from tcpviz.views.layouts_medium import MEDIUM
from tcpviz.views.layouts_small import SMALL
from tcpviz.views.layouts_tall import TALL
from tcpviz.views.legend import ROWS as LEGEND_ROWS
from tcpviz.views.legend import legend
from tcpviz.views.spans import Line, Span, clean, fit, fit_text, line, merge, text_width
from tcpviz.words import _

FIGURES: Final = (LARGE, MEDIUM, TALL, SMALL)
"""All figures, the largest first."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A figure in its place: ``x``, ``y`` are its top left cell in ``width`` by ``height``.

    ``figure`` is ``None`` where none fits; then the states are a list.
    ``captions`` are rows below the figure; without any, the figure's own places serve.
    """

    width: int
    height: int
    figure: Figure | None = None
    x: int = 0
    y: int = 0
    captions: int = 0

    def state_at(self, x: int, y: int) -> State | None:
        """The state whose box is at a cell, for the mouse."""
        if self.figure is None:
            return _list_cells(self).get((x, y))
        return self.figure.box_cells.get((x - self.x, y - self.y))

    def edge_at(self, x: int, y: int) -> Pair | None:
        """The edge whose line or label is at a cell, for the mouse."""
        if self.figure is None:
            return None
        cell = (x - self.x, y - self.y)
        if cell in self.figure.label_cells:
            return self.figure.label_cells[cell]
        for way in self.figure.ways:
            if not way.shy and cell in self.figure.way_cells[way.pair]:
                return way.pair
        return None


def layout_for(width: int, height: int, wanted: bool = False) -> Layout:
    """The largest figure that fits into ``width`` by ``height`` cells, centred.

    Below the figure up to two rows are kept for captions, then some for the legend, if they
    are there; ``wanted``: a smaller figure is taken so that they are. Where not even the small
    figure fits, the states are a list.
    """
    room = height - LEGEND_ROWS - 2 if wanted else height
    fitting = [f for f in FIGURES if f.width <= width and f.height <= room]
    if wanted and not any(figure.labels for figure in fitting):
        return layout_for(width, height)  # a legend is not worth the edges' words
    if not fitting:
        return Layout(max(width, 0), max(height, 0))
    figure = max(fitting, key=lambda f: f.width * f.height)
    captions = min(2, height - figure.height)
    below = captions + min(max(height - figure.height - captions, 0), LEGEND_ROWS)
    return Layout(
        width,
        height,
        figure,
        (width - figure.width) // 2,
        (height - figure.height - below) // 2,
        captions,
    )


# -- captions -----------------------------------------------------------------


def caption(scene: DiagramScene, side: Side, width: int) -> Line:
    """One line about an end: who it is, and how it moved or where it stands."""
    claim = scene.claim(side)
    certainty = claim.certainty if claim is not None else Certainty.UNKNOWN
    shape = marker(side, certainty, scene.ascii)
    head = Span(f"{shape} {LETTERS[side]} ", roles.of_side(side))
    room = width - text_width(head.text)
    changes = [change for change in scene.lit if change.side is side]
    arrow = "->" if scene.ascii else "→"
    dots = "..." if scene.ascii else "…"
    if changes:
        moves = f"   {changes[0].before.state} {arrow} {changes[-1].after.state}"
        if changes[0].transition is None and changes[0].before.certainty is Certainty.UNKNOWN:
            moves = ""  # nobody knows from where
        full, short, terse = (
            "; ".join(_change_words(change, arrow)[form] for change in changes) for form in range(3)
        )
        if text_width(full) + text_width(moves) <= room:
            return line(head, Span(full, roles.LIT_LABEL), moves)
        drawn = all(c.transition is not None and c.transition.figure for c in changes)
        choices = (full, short) if drawn else (terse, full, short)
        words = next((each for each in choices if text_width(each) <= room), choices[-1])
        return line(head, Span(fit_text(words, room, dots), roles.LIT_LABEL))
    name = clean(scene.name(side), ascii_only=scene.ascii)
    if claim is None:
        return line(
            head,
            Span(fit_text(_("{name}: not known").format(name=name), room, dots), roles.UNKNOWN),
        )
    state = claim.state.value if certainty is not Certainty.UNKNOWN else _("state unknown")
    sure = "" if certainty is Certainty.SEEN else f" ({_(str(certainty))})"
    if certainty is Certainty.UNKNOWN:
        sure = ""
    tail = f"{state}{sure}"
    spare = room - text_width(tail) - 1
    named = fit_text(name, spare, dots) if spare >= min(text_width(name), 8) else ""
    if named:
        return line(head, Span(named + " "), Span(tail, roles.of_certainty(certainty)))
    return line(head, Span(fit_text(tail, room, dots), roles.of_certainty(certainty)))


def _change_words(change: StateChange, arrow: str) -> tuple[str, str, str]:
    """A change in full, in short, and with where it led (for moves that no edge shows)."""
    row = change.transition
    if row is None:
        found = _("found in {state}").format(state=change.after.state)
        corrected = _("{found}, not {before}").format(found=found, before=change.before.state)
        known = change.before.certainty is not Certainty.UNKNOWN
        return (corrected if known else found, found, found)
    return row.label, short_label(row), f"{row.event.value} {arrow} {row.after.value}"


# -- the whole ----------------------------------------------------------------


def draw(layout: Layout, scene: DiagramScene, share: float | None = None) -> list[Line]:
    """The diagram as exactly ``layout.height`` lines of ``layout.width`` cells.

    ``share``: how far along the edges just taken their ends have come, 0 to 1 (for motion).
    """
    figure = layout.figure
    if figure is None:
        return _draw_list(layout, scene)
    canvas = Canvas(layout.width, layout.height)
    draw_figure(canvas, figure, scene, (layout.x, layout.y))
    draw_selected(canvas, figure, scene, (layout.x, layout.y))
    if share is not None:
        draw_travellers(canvas, figure, scene, (layout.x, layout.y), share)
    rows = [canvas.row(y) for y in range(layout.height)]
    return _with_captions(rows, layout, scene)


def _with_captions(rows: list[Line], layout: Layout, scene: DiagramScene) -> list[Line]:
    figure = layout.figure
    assert figure is not None
    width = figure.width
    bottom = layout.y + figure.height
    if layout.captions >= 2:
        rows[bottom] = _placed(caption(scene, Side.CLIENT, width), layout.x, layout.width)
        rows[bottom + 1] = _placed(caption(scene, Side.SERVER, width), layout.x, layout.width)
        spare = layout.height - bottom - 2
        for below, words in enumerate(legend(width, spare, scene.ascii), bottom + 2):
            rows[below] = _placed(words, layout.x, layout.width)
    elif layout.captions == 1:
        rows[bottom] = _placed(_joint(scene, width), layout.x, layout.width)
    elif figure.captions:
        place = figure.captions[0]
        y = layout.y + place.y
        start = layout.x + place.x
        rows[y] = merge((*fit(rows[y], start), *_joint(scene, place.width)))
    return [fit(row, layout.width) for row in rows]


def _placed(spans: Line, x: int, width: int) -> Line:
    return fit(line(" " * x, *spans), width)


def _joint(scene: DiagramScene, width: int) -> Line:
    """Both captions in one row; where only one end moved, the row is its alone."""
    moved = {change.side for change in scene.lit}
    if len(moved) == 1:
        return caption(scene, moved.pop(), width)
    half = (width - 2) // 2
    unseen = {c.side for c in scene.lit if c.transition is not None and not c.transition.figure}
    if len(unseen) == 1 and any(
        len(short_label(c.transition)) + 4 > half for c in scene.lit if c.transition is not None
    ):
        return caption(scene, unseen.pop(), width)  # the other's label is lit in the figure
    left, right = (_half(scene, side, half) for side in Side)
    return line(*fit(left, half), "  ", *right)


def _half(scene: DiagramScene, side: Side, width: int) -> Line:
    """A caption in little room: where its edge's own label is lit, rather the state than a stub."""
    changes = [change for change in scene.lit if change.side is side]
    drawn = all(c.transition is not None and c.transition.figure for c in changes)
    words = "; ".join(_change_words(change, "")[1] for change in changes)
    if changes and drawn and text_width(words) + 4 > width:
        return caption(replace(scene, lit=()), side, width)
    return caption(scene, side, width)


# -- less room than any figure needs -------------------------------------------

_LIST_WIDTH: Final = 16


def _grid(layout: Layout) -> tuple[int, int]:
    """Columns and rows for the list of states, or (0, 0) where even that has no room."""
    states = len(State)
    if layout.height < 1:
        return 0, 0
    columns = -(-states // layout.height)
    if columns * _LIST_WIDTH > layout.width:
        return 0, 0
    return columns, -(-states // columns)


def _list_cells(layout: Layout) -> dict[Cell, State]:
    columns, rows = _grid(layout)
    if not columns:
        return {}
    return {
        (index // rows * _LIST_WIDTH + x, index % rows): state
        for index, state in enumerate(State)
        for x in range(_LIST_WIDTH)
    }


def _draw_list(layout: Layout, scene: DiagramScene) -> list[Line]:
    columns, rows = _grid(layout)
    visited = visited_states(scene)
    lines: list[Line] = []
    if columns:
        states = list(State)
        for row in range(rows):
            parts: list[Span] = []
            for state in states[row::rows]:
                parts += fit(_list_entry(state, scene, visited), _LIST_WIDTH)
            lines.append(merge(parts))
        used = len(lines)
        extra = [caption(scene, side, layout.width) for side in Side]
        lines += extra[: max(0, layout.height - used)]
    else:
        lines = [caption(scene, side, layout.width) for side in Side]
    lines = lines[: layout.height] + [()] * (layout.height - len(lines))
    return [fit(each, layout.width) for each in lines]


def _list_entry(state: State, scene: DiagramScene, visited: frozenset[State]) -> Iterable[Span]:
    sides = occupants(state, scene)
    slots = []
    for side in Side:
        if side in sides:
            slots.append(Span(mark_in(side, scene, 1), roles.of_side(side)))
        else:
            slots.append(Span(" "))
    role = roles.STATE_HERE if sides else (roles.STATE_VISITED if state in visited else roles.STATE)
    if state is scene.selected:
        role = roles.SELECTED
    return (slots[0], Span(state.value, role), slots[1])


__all__ = [
    "FIGURES",
    "DiagramScene",
    "Layout",
    "caption",
    "draw",
    "layout_for",
    "marker",
]
