"""What lies over the finished diagram: what is selected, and what runs along an edge."""

from __future__ import annotations

from tcpviz.core.claims import Certainty
from tcpviz.core.states import State
from tcpviz.views import roles
from tcpviz.views.diagram_draw import Canvas
from tcpviz.views.diagram_scene import DiagramScene, marker
from tcpviz.views.layouts import Cell, Figure


def draw_selected(canvas: Canvas, figure: Figure, scene: DiagramScene, at: Cell) -> None:
    """The selected state's box, or the selected edge with its label, on its own ground."""
    chosen = scene.selected
    if chosen is None:
        return
    if isinstance(chosen, State):
        box = figure.box[chosen]
        cells = [
            (x, y)
            for x in range(box.x, box.x + box.width)
            for y in range(box.y, box.y + box.height)
        ]
    else:
        if chosen not in figure.way:
            return
        cells = list(figure.way_cells[chosen])
        cells += [cell for label in figure.labels if label.pair == chosen for cell in label.cells]
    for x, y in cells:
        if 0 <= at[1] + y < canvas.height and 0 <= at[0] + x < canvas.width:
            canvas.roles[at[1] + y][at[0] + x] = roles.SELECTED


def draw_travellers(
    canvas: Canvas, figure: Figure, scene: DiagramScene, at: Cell, share: float
) -> None:
    """Each end that just moved, ``share`` (0 to 1) of its edge's way along."""
    for change in scene.lit:
        row = change.transition
        if row is None or (row.before, row.after) not in figure.way:
            continue
        cells = figure.way_cells[row.before, row.after]
        x, y = cells[min(int(share * len(cells)), len(cells) - 1)]
        shape = marker(change.side, Certainty.SEEN, scene.ascii)
        canvas.put(at[0] + x, at[1] + y, shape, roles.of_side(change.side))
