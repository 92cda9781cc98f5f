"""The dashboard: all ends by state, how old, how fast, and what is unusual about it.

A table where the room is small, beside it the state diagram with the counts in
its boxes where there is more. A bar tells the share; ``!`` and ``!!`` what is
unusual, which :func:`told` says in words for the state that is selected, or the gravest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tcpviz.core.census import Tally
from tcpviz.core.states import State
from tcpviz.views import roles
from tcpviz.views.dashboard_words import Unusual, unusual
from tcpviz.views.diagram_draw import Canvas, draw_figure
from tcpviz.views.diagram_scene import DiagramScene
from tcpviz.views.explain_states import STATES as TEXTS
from tcpviz.views.ladder_canvas import ascii_line
from tcpviz.views.layouts import Box, Figure
from tcpviz.views.layouts_large import LARGE
from tcpviz.views.layouts_medium import MEDIUM
from tcpviz.views.layouts_tall import TALL
from tcpviz.views.numbers import apart, count, duration, short_duration, thousands
from tcpviz.views.spans import Line, Span, clean, fit, line, pad, text_width, width
from tcpviz.views.wrapping import wrap
from tcpviz.words import _, counted

TABLE: Final = 50
"""Cells of the table with its bars and without its remarks."""

NARROW: Final = 41
"""The same without bars."""

NOTES: Final = 24
"""Cells of a remark."""

_TELLING: Final = (State.SYN_RECEIVED, State.CLOSE_WAIT)
"""Of several unusual states, those that tell most of the cause; SYN-SENT goes with the first."""

_SPARKS: Final = " ▁▂▃▄▅▆▇▇"
"""Never the whole cell: rows below one another would run into one column."""

_BAR: Final = 8

_AGE: Final = 9
"""Cells of a length of time, written as in the list."""


@dataclass(frozen=True, slots=True)
class Board:
    """What is shown.

    ``tallies``   each state's figures; ``recent``: how many came to it in each latest second
    ``connections``  how many there are; ``complete``: false while it is still being counted
    ``selected``  the state that is selected; ``note``: a word about how it was counted
    ``skipped``   packets that no state is of, by the reason: no TCP, a fragment ...
    """

    tallies: Sequence[Tally]
    now_ns: int
    connections: int
    selected: State | None = None
    recent: Mapping[State | None, Sequence[int]] = field(default_factory=dict)
    complete: bool = True
    note: str = ""
    skipped: Mapping[str, int] = field(default_factory=dict)
    ascii: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """The lines, and which state is where for the mouse."""

    lines: list[Line]
    rows: dict[int, State | None]
    table_x: int = 0
    figure: Figure | None = None

    def state_at(self, x: int, y: int) -> State | None:
        """The state at a cell."""
        if self.figure is not None and x < self.figure.width:
            return self.figure.box_cells.get((x, y))
        return self.rows.get(y)


def draw(board: Board, cells: int, rows: int) -> Placed:
    """Exactly ``rows`` lines of ``cells``."""
    figure = next(
        (
            each
            for each, beside in ((LARGE, TABLE), (MEDIUM, TABLE), (MEDIUM, NARROW), (TALL, NARROW))
            if each.width + 3 + beside <= cells and each.height <= rows
        ),
        None,
    )
    start = 0 if figure is None else figure.width + 3
    table, places = _table(board, cells - start, rows)
    if figure is None:
        made = table
    else:
        left = _figure(figure, board, rows)
        made = [(*pad(left[y], start), *table[y]) for y in range(rows)]
    made = [fit(one, cells) for one in made]
    if board.ascii:
        made = [ascii_line(one) for one in made]
    return Placed(made, places, start, figure)


# -- the table -----------------------------------------------------------------


def _table(board: Board, cells: int, rows: int) -> tuple[list[Line], dict[int, State | None]]:
    shown = [each for each in board.tallies if each.state is not None or each.count]
    shown = _that_fit(shown, board.selected, rows - 1)
    found = {each.state: unusual(each, board.now_ns) for each in shown}
    most = max((e.count for e in shown if e.state is not State.CLOSED), default=0)
    wide = cells >= TABLE + NOTES + 3
    made = [_header(cells, wide=wide)]
    places: dict[int, State | None] = {}
    for each in shown:
        places[len(made)] = each.state
        made.append(_row(board, each, found[each.state], most, cells if not wide else 0))
    made = made[:rows]
    room = rows - len(made)
    if room > 1:
        made += [(), *_summary(board, found, cells)[: room - 1]]
    room = rows - len(made)
    if room > 1 and board.skipped:
        made += [(), *_skipped(board.skipped, cells, room - 1)]
    return (made + [()] * rows)[:rows], places


def _that_fit(shown: list[Tally], selected: State | None, rows: int) -> list[Tally]:
    """Where not all have room: those with somebody in them, about the selected one."""
    if len(shown) <= rows:
        return shown
    busy = [each for each in shown if each.count or each.state is selected]
    place = next((n for n, each in enumerate(busy) if each.state is selected), 0)
    start = min(max(place - rows // 2, 0), max(len(busy) - rows, 0))
    return busy[start : start + max(rows, 0)]


def _header(cells: int, *, wide: bool) -> Line:
    bar = " " * (_BAR + 1) if cells >= TABLE else ""
    made = line(
        Span("  ", roles.TITLE),
        *_title(_("state"), 13, "left"),
        *_title(_("ends"), 6),
        Span(f"    {bar}", roles.TITLE),
        *_title(_("oldest"), _AGE),
        *_title(_("new/s"), 7),
    )
    return line(*made, Span(f"  {_('unusual, or new in 8 s')}" if wide else "", roles.TITLE))


def _title(text: str, cells: int, align: str = "right") -> Line:
    """A column's title: as many cells, however wide its script is."""
    return pad((Span(text, roles.TITLE),), cells, roles.TITLE, align)


def _row(board: Board, tally: Tally, odd: Unusual | None, most: int, cells: int) -> Line:
    """A state's row; ``cells`` 0: there is room for words."""
    here = tally.state is board.selected and tally.state is not None
    name = _("not known") if tally.state is None else str(tally.state)
    closed = tally.state is State.CLOSED
    role = odd.role if odd is not None else roles.TEXT if tally.count and not closed else roles.DIM
    if tally.state is None:
        role = roles.UNKNOWN
    age = ""
    if tally.since_ns is not None and not closed:
        age = duration(max(board.now_ns - tally.since_ns, 0))
    mark = ("> " if board.ascii else "▸ ") if here else "  "
    spans = [
        Span(mark, roles.LIT),
        *pad((Span(name, roles.SELECTED if here else role),), 13, role),
        Span(f"{count(tally.count) if tally.count else '·':>6} ", role),
        Span(f"{odd.sign if odd is not None else '':<3}", role),
    ]
    if not cells or cells >= TABLE:
        spans.append(Span(_bar(0 if closed else tally.count, most) + " ", role))
    spans += [Span(f"{age:>{_AGE}}", roles.TIME), Span(f" {_rate(tally.rate):>6}", roles.TIME)]
    if cells:
        return line(*spans)
    said = odd.short if odd is not None else ""
    if closed and tally.count:
        said = _("over, or never begun")
    spans.append(Span(f"  {said}", role))
    recent = board.recent.get(tally.state)
    if recent and not said:
        spans.append(Span(_spark(recent), roles.DIM))
    return line(*spans)


def _bar(value: int, most: int) -> str:
    """A bar of at most eight cells, a cell's eighth for the smallest that is not nothing."""
    if not value or not most:
        return " " * _BAR
    eighths = max(value * _BAR * 8 // most, 1)
    full, part = divmod(eighths, 8)
    # A rule's height, not the whole cell's: bars below one another stay apart.
    return f"{'━' * full + ('╸' if part >= 4 or not full else ''):<{_BAR}}"


def _spark(values: Sequence[int]) -> str:
    top = max(values)
    if not top:
        return ""
    return "".join(_SPARKS[-(-value * 8 // top)] for value in values)


def _rate(rate: float) -> str:
    if rate <= 0:
        return ""
    return f"{rate:.1f}" if rate < 100 else count(round(rate))


def _summary(board: Board, found: Mapping[State | None, Unusual | None], cells: int) -> list[Line]:
    """On one row, or where that is too narrow a row for each thing said."""
    ends = sum(each.count for each in board.tallies)
    odd = sum(each is not None for each in found.values())
    said = _("{connections}, {ends}").format(
        connections=apart(counted(board.connections, "connection"), board.connections),
        ends=apart(counted(ends, "end"), ends),
    )
    spans = [Span(said, roles.TITLE)]
    if not board.complete:
        spans.append(Span(_("  counting ..."), roles.LIT))
    elif odd:
        text = _("  unusual: {count}").format(count=odd)
        spans.append(Span(text, roles.MARK_WARNING))
    if board.note:
        spans.append(Span(f"  {board.note}", roles.TIME))
    if width(spans) + 2 <= cells:
        return [line("  ", *spans)]
    rows = [row for each in spans for row in wrap((_bare(each),), cells - 2, 3)]
    return [line("  ", *row) for row in rows]


def _bare(span: Span) -> Span:
    return Span(span.text.lstrip(" "), span.role)


def _skipped(reasons: Mapping[str, int], cells: int, rows: int) -> list[Line]:
    """How many packets are in no connection, and why: the most frequent reason first."""
    each = sorted(reasons.items(), key=lambda one: (-one[1], one[0]))
    text = _("skipped {n}: {reasons}").format(
        n=thousands(sum(reasons.values())),
        reasons=", ".join(f"{thousands(number)} {clean(why)}" for why, number in each),
    )
    return [line("  ", *one) for one in wrap((Span(text, roles.TIME),), cells - 2, rows)]


def told(board: Board) -> Line:
    """About the state that is selected; without one, about the gravest that is unusual."""
    found = {each.state: unusual(each, board.now_ns) for each in board.tallies}
    state = board.selected
    if state is None:
        grave = [(each, odd) for each, odd in found.items() if odd is not None and each is not None]
        grave.sort(key=lambda one: (one[1].role != roles.MARK_BAD, one[0] not in _TELLING))
        if not grave:
            return line(
                Span(
                    _(
                        "No state is unusual. Up, Down: a state; Enter: its connections; "
                        "e: what it means."
                    ),
                    roles.DIM,
                )
            )
        state = grave[0][0]
    odd = found.get(state)
    if odd is not None:
        return line(Span(f"{state} {odd.sign} ", odd.role), Span(odd.why))
    return line(Span(f"{state}: ", roles.TITLE), Span(_(TEXTS[state].meaning)))


# -- the diagram with counts ------------------------------------------------------


def _figure(figure: Figure, board: Board, rows: int) -> list[Line]:
    canvas = _empty(figure, rows, board.ascii)
    for tally in board.tallies:
        if tally.state is None:
            continue
        box = figure.box[tally.state]
        odd = unusual(tally, board.now_ns)
        name = figure.state_name(tally.state)
        busy = bool(tally.count) and tally.state is not State.CLOSED
        role = odd.role if odd else roles.TITLE if busy else roles.STATE
        if tally.state is board.selected:
            role = roles.SELECTED
        middle = box.y + (box.height - 1) // 2
        canvas.write(box.x + (box.width - len(name)) // 2, middle, name, role)
        if not tally.count:
            continue
        ages = [""]
        if busy and tally.since_ns is not None:
            old = max(board.now_ns - tally.since_ns, 0)
            ages = [f", {duration(old)}", f", {short_duration(old)}"]
        sign = f" {odd.sign}" if odd else ""
        said = next(
            (
                each
                for each in (f" {count(tally.count)}{age}{sign} " for age in ages)
                if text_width(each) <= box.width - 2
            ),
            f" {count(tally.count)} ",
        )
        _write_below(canvas, box, said, odd.role if odd else roles.NUMBER)
    return [canvas.row(y) for y in range(rows)]


_EMPTY: Final[dict[tuple[str, int, bool], Canvas]] = {}


def _empty(figure: Figure, rows: int, ascii_only: bool) -> Canvas:
    """The figure with nobody in it: what is drawn anew at each beat are only the counts."""
    key = (figure.name, rows, ascii_only)
    if key not in _EMPTY:
        if len(_EMPTY) > 8:
            _EMPTY.clear()
        canvas = _EMPTY[key] = Canvas(figure.width, rows)
        draw_figure(canvas, figure, DiagramScene(ascii=ascii_only), (0, 0))
    return _EMPTY[key].copy()


def _write_below(canvas: Canvas, box: Box, said: str, role: str) -> None:
    """Into the box's lower line, in its middle or beside where an edge leaves it."""
    bottom = box.y + box.height - 1
    middle = box.x + (box.width - len(said)) // 2
    for away in sorted(range(-box.width, box.width), key=abs):
        start = middle + away
        cells = range(start, start + len(said))
        inside = box.x < start and start + len(said) < box.x + box.width
        if inside and all(canvas.chars[bottom][x] in "─-" for x in cells):
            canvas.write(start, bottom, said, role)
            return
    canvas.write(middle, bottom, said, role)
