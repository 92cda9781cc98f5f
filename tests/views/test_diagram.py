import re
from itertools import pairwise

import pytest

from tcpviz.core.claims import Certainty, Claim, StateChange
from tcpviz.core.records import Side
from tcpviz.core.states import TRANSITIONS, Event, Opened, State, find
from tcpviz.views import roles
from tcpviz.views.diagram import (
    FIGURES,
    DiagramScene,
    Layout,
    caption,
    draw,
    layout_for,
    marker,
)
from tcpviz.views.layouts import FIGURE_ROWS, Figure, Label, Way, docking, faults
from tcpviz.views.layouts_small import SMALL
from tcpviz.views.linework import glyph
from tcpviz.views.spans import plain, plain_line, width

EVERY = pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)


def whole(figure: Figure) -> Layout:
    """The figure with two rows of captions, at the top left."""
    layout = layout_for(figure.width, figure.height + 2)
    assert layout.figure is figure
    return layout


def seen(state: State) -> Claim:
    return Claim(state, Certainty.SEEN)


def change(side: Side, before: State, event: Event, opened: Opened | None = None) -> StateChange:
    row = find(before, event, opened)
    assert row is not None
    return StateChange(side, seen(before), seen(row.after), row)


def ident(row) -> str:
    return f"{row.before}-{row.event.name}-{row.after}"


def roles_of(layout: Layout, scene: DiagramScene) -> list[list[str]]:
    """The role of every cell."""
    return [[s.role for s in row for _ in s.text] for row in draw(layout, scene)]


def chars_of(layout: Layout, scene: DiagramScene) -> list[str]:
    return ["".join(span.text for span in row) for row in draw(layout, scene)]


# -- the figures as data --------------------------------------------------------


@EVERY
def test_a_figure_has_no_fault(figure):
    assert faults(figure) == []


@EVERY
def test_every_edge_of_the_rfc_and_no_other_is_drawn(figure):
    table = {(row.before, row.after) for row in TRANSITIONS if row.figure}
    assert {way.pair for way in figure.ways if not way.shy} == table
    assert len(table) == 20
    anything = {(row.before, row.after) for row in TRANSITIONS}
    assert {way.pair for way in figure.ways if way.shy} <= anything - table


def test_the_rfc_draws_no_two_edges_between_the_same_states():
    assert len(FIGURE_ROWS) == sum(row.figure for row in TRANSITIONS)


@EVERY
def test_neighbouring_cells_of_every_way_touch(figure):
    for way in figure.ways:
        for (x, y), (next_x, next_y) in pairwise(way.cells):
            assert abs(x - next_x) + abs(y - next_y) == 1


@EVERY
def test_labels_say_what_the_table_says(figure):
    for label in figure.labels:
        row = FIGURE_ROWS[label.pair]
        text = " ".join(label.text)
        if label.short:
            assert all(word in row.label for word in re.findall(r"[A-Z0-9]+", text))
        else:
            assert text == row.label


def test_the_large_figure_labels_every_edge_in_full():
    large = FIGURES[0]
    assert {label.pair for label in large.labels} == set(FIGURE_ROWS)
    assert not any(label.short for label in large.labels)


def broken(**changes) -> list[str]:
    """Faults of the small figure with one thing changed."""
    data = {
        name: getattr(SMALL, name)
        for name in ("name", "width", "height", "boxes", "ways", "labels", "merges", "crossings")
    }
    data |= {"short_names": True} | changes
    return faults(Figure(**data))


def test_faults_are_found():
    assert broken() == []
    listen = State.LISTEN, State.SYN_SENT
    others = tuple(way for way in SMALL.ways if way.pair != listen)
    assert any("no way" in fault for fault in broken(ways=others))
    assert any(
        "through" in f for f in broken(ways=(*others, Way(*listen, ((16, 2), (8, 2), (8, 5)))))
    )
    assert any("join" in f for f in broken(ways=(*others, Way(*listen, ((16, 2), (9, 2))))))
    assert any("shares" in f for f in broken(merges=()))
    assert any("shares" in f for f in broken(crossings=frozenset()))
    assert any("no crossing" in f for f in broken(crossings=frozenset({(6, 5), (30, 0)})))
    over = Label(State.CLOSED, State.LISTEN, 4, 0, short=True)
    assert any("over a label" in f for f in broken(labels=(over,)))
    assert any("over a box" in f for f in broken(labels=(over.__class__(*listen, 2, 4),)))
    assert any("lies outside" in f for f in broken(width=30))


# -- the drawing ------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize("ascii_only", [False, True])
def test_every_cell_of_every_edge_shows_a_line_or_a_head(figure, ascii_only):
    layout = whole(figure)
    rows = chars_of(layout, DiagramScene(ascii=ascii_only))
    heads = "^>v<" if ascii_only else "▲▶▼◀"
    for way in figure.ways:
        if way.shy:
            continue
        for cell in figure.way_cells[way.pair]:
            char = rows[layout.y + cell[1]][layout.x + cell[0]]
            assert char in ("-|+" + heads if ascii_only else "─│╭╮╯╰┤├┬┴┼" + heads), (way, cell)
        docks = docking(figure, way)
        assert docks is not None
        x, y = figure.way_cells[way.pair][-1]
        assert rows[layout.y + y][layout.x + x] in heads


@EVERY
def test_every_state_is_written(figure):
    text = plain(draw(whole(figure), DiagramScene()))
    for state in State:
        assert figure.state_name(state) in text


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize(("columns", "rows"), [(100, 36), (76, 21), (52, 28), (36, 13), (20, 11)])
def test_the_drawing_has_exactly_the_asked_size(columns, rows, ascii_only):
    scene = DiagramScene(
        seen(State.TIME_WAIT),
        Claim(State.LAST_ACK, Certainty.INFERRED),
        "客户机\x1b[31m",
        "bob",
        (change(Side.CLIENT, State.FIN_WAIT_1, Event.RCV_FIN_AND_ACK_OF_FIN),),
        ascii=ascii_only,
    )
    lines = draw(layout_for(columns, rows), scene)
    assert len(lines) == rows
    assert {width(line) for line in lines} == {columns}
    text = plain(lines)
    assert "\x1b" not in text
    if ascii_only:
        assert text.isascii()
    for line in lines:
        assert all(span.role in roles.MEANING for span in line)


def test_the_largest_fitting_figure_is_chosen_and_centred():
    def chosen(width, height):
        figure = layout_for(width, height).figure
        return figure and figure.name

    assert chosen(100, 36) == "large"
    assert chosen(99, 60) == "medium"
    assert chosen(76, 21) == "medium"
    assert chosen(54, 28) == "tall"
    assert chosen(75, 20) == "small"
    assert chosen(36, 13) == "small"
    assert chosen(35, 40) is None
    layout = layout_for(110, 40)
    assert (layout.x, layout.y, layout.captions) == (5, 0, 2)  # the legend is below


@pytest.mark.parametrize("columns", [0, 1, 5, 15, 16, 33, 48])
@pytest.mark.parametrize("rows", [0, 1, 2, 4, 11, 12, 13])
def test_any_size_is_survived(columns, rows):
    lines = draw(layout_for(columns, rows), DiagramScene(client=seen(State.ESTABLISHED)))
    assert len(lines) == rows
    assert all(width(line) == columns for line in lines)


def test_without_room_the_states_are_a_list():
    layout = layout_for(18, 13)
    lines = draw(layout, DiagramScene(seen(State.FIN_WAIT_2), seen(State.CLOSE_WAIT)))
    text = [plain_line(line) for line in lines]
    assert "●FIN-WAIT-2" in text
    assert " CLOSE-WAIT◆" in text
    assert layout.state_at(3, 0) is State.CLOSED


def test_without_room_for_a_list_the_ends_remain():
    text = plain(draw(layout_for(30, 2), DiagramScene(seen(State.LAST_ACK), None, "a", "b")))
    assert text == "● C a LAST-ACK\n? S b: not known\n"


@EVERY
@pytest.mark.parametrize("ascii_only", [False, True])
def test_both_ends_are_told_apart_by_shape(figure, ascii_only):
    layout = whole(figure)
    box = figure.box[State.ESTABLISHED]
    middle = layout.y + box.y + (box.height - 1) // 2

    def row(client, server):
        scene = DiagramScene(client, server, ascii=ascii_only)
        return chars_of(layout, scene)[middle][layout.x + box.x : layout.x + box.x + box.width]

    here = seen(State.ESTABLISHED)
    guess = Claim(State.ESTABLISHED, Certainty.INFERRED)
    blank = Claim(State.ESTABLISHED, Certainty.UNKNOWN)
    rows = {
        row(None, None),
        row(here, None),
        row(None, here),
        row(here, here),
        row(guess, None),
        row(None, guess),
        row(guess, here),
        row(blank, None),
    }
    assert len(rows) == 8
    both = row(here, guess)
    assert marker(Side.CLIENT, Certainty.SEEN, ascii_only) in both
    assert marker(Side.SERVER, Certainty.INFERRED, ascii_only) in both
    assert "?" in row(blank, None)
    assert "ESTABLISHED" in both


def test_certainty_shows_in_the_frame():
    layout = whole(FIGURES[0])
    solid = plain(draw(layout, DiagramScene(client=seen(State.ESTABLISHED))))
    dashed = plain(draw(layout, DiagramScene(client=Claim(State.ESTABLISHED, Certainty.INFERRED))))
    blank = plain(draw(layout, DiagramScene(client=Claim(State.ESTABLISHED, Certainty.UNKNOWN))))
    assert "┏━━━" in solid
    assert "┏╍╍╍" in dashed
    assert "┏━━━" not in dashed
    assert "┏" not in blank


@EVERY
@pytest.mark.parametrize("row", [r for r in TRANSITIONS if r.before is not r.after], ids=ident)
@pytest.mark.parametrize("side", Side)
def test_every_move_lights_up(figure, row, side):
    """Each row of the table, drawn by the figure or not, shows on the figure or as a caption."""
    layout = whole(figure)
    moved = StateChange(side, seen(row.before), seen(row.after), row)
    claims = {"client": None, "server": None, side.value: seen(row.after)}
    scene = DiagramScene(**claims, lit=(moved,))
    cells = roles_of(layout, scene)
    chars = chars_of(layout, scene)
    said = plain_line(caption(scene, side, figure.width))
    assert row.label in said or f"{row.event.value} → {row.after}" in said
    way = figure.way.get((row.before, row.after))
    if row.figure:
        assert way is not None
        assert not way.shy
    if way is None:
        return
    for x, y in figure.way_cells[way.pair]:
        assert cells[layout.y + y][layout.x + x] == roles.LIT
    stroke = {chars[layout.y + y][layout.x + x] for x, y in figure.way_cells[way.pair][:-1]}
    if row.figure:
        assert stroke <= set("═║╔╗╚╝╣╠╩╢╟╨╤╧╫╪")
        for label in figure.labels:
            if label.pair == way.pair:
                assert cells[layout.y + label.y][layout.x + label.x] == roles.LIT_LABEL
    elif len(figure.way_cells[way.pair]) > 2:
        assert stroke & set("┅┇")


@EVERY
@pytest.mark.parametrize("row", [r for r in TRANSITIONS if r.before is r.after], ids=ident)
def test_a_move_from_a_state_to_itself_lights_its_box(figure, row):
    layout = whole(figure)
    moved = StateChange(Side.CLIENT, seen(row.before), seen(row.after), row)
    scene = DiagramScene(client=seen(row.after), lit=(moved,))
    box = figure.box[row.after]
    cells = roles_of(layout, scene)
    right = layout.x + box.x + box.width - 1
    assert cells[layout.y + box.y][right] == roles.LIT
    said = plain_line(caption(scene, Side.CLIENT, figure.width))
    assert row.event.value.removeprefix("rcv ") in said


def test_a_move_without_an_edge_is_said():
    unknown = Claim(State.CLOSED, Certainty.UNKNOWN)
    found = StateChange(Side.CLIENT, unknown, seen(State.ESTABLISHED), None)
    scene = DiagramScene(client=found.after, lit=(found,))
    for cells, rows in ((36, 15), (120, 40)):
        said = plain(draw(layout_for(cells, rows), scene))
        assert "found in ESTABLISHED" in said
        assert "CLOSED →" not in said  # nobody knows from where
    put_right = StateChange(Side.CLIENT, seen(State.FIN_WAIT_2), seen(State.TIME_WAIT), None)
    scene = DiagramScene(client=put_right.after, lit=(put_right,))
    assert "found in TIME-WAIT, not FIN-WAIT-2" in plain(draw(layout_for(76, 24), scene))


PATH = (State.CLOSED, State.SYN_SENT, State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2)


@EVERY
@pytest.mark.parametrize("ascii_only", [False, True])
def test_the_trails_differ_in_more_than_colour(figure, ascii_only):
    layout = whole(figure)
    trail = frozenset(pairwise(PATH))
    client = DiagramScene(trail_client=trail, ascii=ascii_only)
    server = DiagramScene(trail_server=trail, ascii=ascii_only)
    both = DiagramScene(trail_client=trail, trail_server=trail, ascii=ascii_only)
    drawn = [plain(draw(layout, scene)) for scene in (client, server, both)]
    assert len(set(drawn)) == 3
    used = {role for row in roles_of(layout, both) for role in row}
    assert {roles.TRAIL_BOTH, roles.CLIENT, roles.SERVER} <= used
    assert drawn[0] != plain(draw(layout, DiagramScene(ascii=ascii_only)))


@EVERY
def test_the_mouse_finds_states_and_edges(figure):
    layout = layout_for(figure.width + 6, figure.height + 6)
    assert layout.figure is figure
    for box in figure.boxes:
        assert layout.state_at(layout.x + box.x, layout.y + box.y) is box.state
    for way in figure.ways:
        if not way.shy:
            x, y = figure.way_cells[way.pair][0]
            assert layout.edge_at(layout.x + x, layout.y + y) is not None
            assert layout.state_at(layout.x + x, layout.y + y) is None
    for label in figure.labels:
        assert layout.edge_at(layout.x + label.x, layout.y + label.y) == label.pair
    assert layout.edge_at(0, 0) is None


@EVERY
def test_few_spans_a_line(figure):
    """A strip costs by its segments: an idle line is a handful of them."""
    lines = draw(whole(figure), DiagramScene())
    assert max(len(line) for line in lines) <= 12
    assert sum(len(line) for line in lines) <= 5 * len(lines)


def test_glyphs_join_weights():
    assert glyph((1, 0, 1, 1)) == "┤"
    assert glyph((2, 0, 2, 1)) == "┨"
    assert glyph((3, 0, 3, 1)) == "╢"
    assert glyph((3, 0, 3, 2)) == "╢"  # heavy and double never meet: light instead
    assert glyph((0, 1, 1, 0), rounded=True) == "╭"
    assert glyph((0, 2, 0, 2), dashed=True) == "╍"
    assert glyph((0, 0, 3, 0)) == "║"


SMALL_GOLDEN = """\
   ┏━━━━C━━━━━[CLOSED]◀────────────╮
   ┃             S▼ ▲              │
   ┃    ╭────────[LISTEN]          │
   ▼    ▼           S▼ ▲           │
 [SYN-SENT]────────▶[SYN-RCVD]     │
  ╭───┃─────────────╯    ╏         │
  │   ┗C▶[ESTABLISHED]◀╍S┛         │
  ▼       ▼C        ║              │
●FIN-WAIT-1┃────╮   ╚▶╏CLOSE-WAIT◇ │
     ▼          ▼           ▼      │
[FIN-WAIT-2] [CLOSING] [LAST-ACK]──┤
     │           ▼                 │
     ╰────▶[TIME-WAIT]─────────────╯
● C alice FIN-WAIT-1
◇ S rcv FIN / snd ACK
"""


def test_the_small_figure_as_text():
    scene = DiagramScene(
        seen(State.FIN_WAIT_1),
        Claim(State.CLOSE_WAIT, Certainty.INFERRED),
        "alice",
        "bob",
        (change(Side.SERVER, State.ESTABLISHED, Event.RCV_FIN),),
        frozenset(pairwise(PATH[:4])),
        frozenset(
            {
                (State.CLOSED, State.LISTEN),
                (State.LISTEN, State.SYN_RECEIVED),
                (State.SYN_RECEIVED, State.ESTABLISHED),
                (State.ESTABLISHED, State.CLOSE_WAIT),
            }
        ),
    )
    assert plain(draw(layout_for(36, 15), scene)) == SMALL_GOLDEN


def test_little_room_for_two_captions_is_not_spent_on_stubs():
    scene = DiagramScene(
        seen(State.SYN_SENT),
        seen(State.SYN_RECEIVED),
        lit=(
            change(Side.CLIENT, State.CLOSED, Event.ACTIVE_OPEN),
            change(Side.SERVER, State.LISTEN, Event.RCV_SYN),
        ),
    )
    last = plain(draw(layout_for(76, 21), scene)).splitlines()[-1]
    assert "● C SYN-SENT" in last
    assert "◆ S" in last
    assert "…" not in last
