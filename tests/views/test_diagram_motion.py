"""What lies over the diagram: the selection, and the marker that runs along the edge just taken."""

from __future__ import annotations

import pytest

from tcpviz.core.claims import Certainty, Claim, StateChange
from tcpviz.core.records import Side
from tcpviz.core.states import Event, State, find
from tcpviz.ui.diagrampane import ORDER
from tcpviz.views import roles
from tcpviz.views.diagram import FIGURES, DiagramScene, draw, layout_for
from tcpviz.views.layouts import FIGURE_ROWS

EVERY = pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)


def scene(**more) -> DiagramScene:
    row = find(State.ESTABLISHED, Event.CLOSE)
    assert row is not None
    before = Claim(State.ESTABLISHED, Certainty.SEEN)
    after = Claim(State.FIN_WAIT_1, Certainty.SEEN)
    return DiagramScene(after, before, lit=(StateChange(Side.CLIENT, before, after, row),), **more)


def cells(figure, drawn: DiagramScene, share=None) -> list[list[tuple[str, str]]]:
    layout = layout_for(figure.width, figure.height + 2)
    return [
        [(char, span.role) for span in one for char in span.text]
        for one in draw(layout, drawn, share)
    ]


@EVERY
def test_the_marker_goes_from_the_edges_beginning_to_its_end(figure):
    way = figure.way_cells[State.ESTABLISHED, State.FIN_WAIT_1]
    still = cells(figure, scene())
    for share, (x, y) in ((0, way[0]), (1, way[-1])):
        moved = cells(figure, scene(), share)
        assert moved[y][x] == ("●", roles.CLIENT)
        moved[y][x] = still[y][x]
        assert moved == still  # and nothing else is other than without it
    assert sum(cells(figure, scene(ascii=True), 0.5)[y][x][0] == "*" for x, y in way) == 1


@EVERY
def test_what_is_selected_lies_on_its_own_ground(figure):
    for chosen in ORDER:
        drawn = cells(figure, scene(selected=chosen))
        where = {
            (x, y)
            for y, one in enumerate(drawn)
            for x, (_, role) in enumerate(one)
            if role == roles.SELECTED
        }
        if isinstance(chosen, State):
            box = figure.box[chosen]
            assert where >= {(x, box.y) for x in range(box.x, box.x + box.width)}
        else:
            assert where >= set(figure.way_cells[chosen])


def test_up_and_down_reach_every_state_and_every_edge_once():
    assert set(ORDER) == set(State) | set(FIGURE_ROWS)
    assert len(ORDER) == len(set(ORDER))


def test_a_list_of_states_shows_the_selection_too():
    drawn = draw(layout_for(34, 6), DiagramScene(selected=State.CLOSING))
    chosen = [span.text for one in drawn for span in one if span.role == roles.SELECTED]
    assert chosen == ["CLOSING"]
