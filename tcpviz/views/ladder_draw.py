"""Drawing one row of the sequence chart on a canvas.

Order matters: lifelines, bars, arrows, states, words; what is drawn later
covers what was drawn before, so a label is never crossed by a line.
"""

from __future__ import annotations

from typing import Final

from tcpviz.core.claims import Claim
from tcpviz.core.records import Side
from tcpviz.core.states import SYNCHRONIZED, State
from tcpviz.core.timeline import Step, StepKind
from tcpviz.views import roles
from tcpviz.views.hand_words import row_text
from tcpviz.views.ladder_arrows import (
    Pen,
    draw_departures,
    draw_flight,
    draw_level,
    hidden,
    reach,
)
from tcpviz.views.ladder_canvas import Canvas
from tcpviz.views.ladder_labels import (
    call_variants,
    state_text,
)
from tcpviz.views.ladder_parts import Bar, Row, RowKind
from tcpviz.views.numbers import duration
from tcpviz.views.phase_words import BAND_ROLES, PHASES
from tcpviz.views.spans import fit_text, text_width
from tcpviz.words import _

_ONE_ARROW: Final = frozenset({StepKind.SEGMENT})


def visible(row: Row, pen: Pen) -> list[Step]:
    """The row's steps up to the cursor."""
    if pen.cursor is None:
        return row.steps
    return [step for step in row.steps if step.index <= pen.cursor]


def claims(row: Row, steps: list[Step]) -> dict[Side, Claim | None]:
    """How both ends stood after the row's visible steps."""
    now: dict[Side, Claim | None] = {Side.CLIENT: row.client, Side.SERVER: row.server}
    for step in steps:
        if step.connection is not None:
            now = {Side.CLIENT: step.client, Side.SERVER: step.server}
        else:
            for change in step.changes:
                now[change.side] = change.after
    return now


def _lifeline(claim: Claim | None) -> str:
    """Heavy where the connection stands, thin where it begins or ends, dotted where none is."""
    if claim is None or claim.state is State.CLOSED:
        return "┊"
    if claim.state in SYNCHRONIZED and claim.state is not State.TIME_WAIT:
        return "┃"
    return "│"


def draw_row(canvas: Canvas, row: Row, pen: Pen) -> None:
    """Everything but the time gutter."""
    steps = visible(row, pen)
    if row.kind is RowKind.BAND:
        _band(canvas, row, pen)
        return
    now = claims(row, steps if row.kind in (RowKind.STEP, RowKind.TEXT) else [])
    if row.kind in (RowKind.TRAVEL, RowKind.FOLD):
        now = claims(row, row.steps)
    for side in Side:
        column = pen.layout.left if side is Side.CLIENT else pen.layout.right
        canvas.put(column, _lifeline(now[side]), roles.LIFELINE)
    words = _bars(canvas, row, pen)
    if row.kind is RowKind.FOLD:
        _fold(canvas, row, pen)
        return
    for flight in row.flights:
        words += draw_flight(canvas, row, flight, pen)
    for column, text, role in words:
        canvas.put(column, text, role)
    if row.kind is RowKind.STEP:
        for step in steps:
            if step.kind in _ONE_ARROW:
                draw_level(canvas, step, pen)
        draw_departures(canvas, steps, pen)
    if row.kind is RowKind.BREAK:
        _break(canvas, row, pen)
    elif row.kind not in (RowKind.TRAVEL, RowKind.SPACE):
        _states(canvas, row, steps, now, pen)
    if row.kind is RowKind.TEXT:
        _text(canvas, row, steps, pen)


# -- bands, states, words -----------------------------------------------------


def _band(canvas: Canvas, row: Row, pen: Pen) -> None:
    layout = pen.layout
    if row.band is None:
        return
    role = BAND_ROLES[row.band.name]
    canvas.fill(0, canvas.width, "─", role)
    canvas.put(layout.left, "┼", role)
    canvas.put(layout.right, "┼", role)
    _bars(canvas, row, pen)
    taken: set[int] = set()
    for flight in row.flights:
        share = reach(flight, row, pen)
        if share is not None and not hidden(flight.step.index, pen.cursor):
            # The rule gives way to a segment on its way through it.
            right = flight.side is not Side.SERVER
            first = layout.first + share[0] if right else layout.last - share[1]
            canvas.fill(first, first + share[1] - share[0], " ", role)
            draw_flight(canvas, row, flight, pen)
            taken.update(range(first, first + share[1] - share[0]))
    phase = row.band.at(pen.cursor)
    name = _(PHASES[row.band.name], "phase")
    words = [f" {name} "]
    if phase.of:
        pips = "●" * phase.done + "○" * (phase.of - phase.done)
        words.insert(0, f" {name}  {pips}  {phase.done}/{phase.of} ")
        words.insert(1, f" {name} {phase.done}/{phase.of} ")
    room = layout.arrows
    text = next((each for each in words if text_width(each) <= room), fit_text(words[-1], room))
    size = text_width(text)
    middle = layout.first + (layout.arrows - size) // 2
    places = (middle, layout.first + 1, layout.last - 1 - size)
    free = (at for at in places if taken.isdisjoint(range(at, at + size)))
    canvas.put(next(free, middle), text, role)


def _fold(canvas: Canvas, row: Row, pen: Pen) -> None:
    """A run of data in one line: how many segments, how much, and what was wrong."""
    layout, stretch = pen.layout, row.stretch
    if stretch is None:
        return
    role = roles.MARK_WARNING if stretch.problems else roles.DATA
    canvas.fill(layout.first, layout.last, "┄", roles.DIM)
    texts = [f" ▸ {text} " for text in stretch.variants()]
    text = next((one for one in texts if len(one) <= layout.arrows), "")
    canvas.put(layout.first + (layout.arrows - text_width(text)) // 2, text, role)


def _break(canvas: Canvas, row: Row, pen: Pen) -> None:
    """To scale, but for this: time in which nothing happened, and how much of it."""
    layout = pen.layout
    text = f" ⋯ {duration(row.silence_ns)} ⋯ "
    if len(text) > layout.arrows:
        text = fit_text(text.strip(), layout.arrows)
    canvas.put(layout.first + (layout.arrows - text_width(text)) // 2, text, roles.TIME)
    for column in (layout.left, layout.right):
        canvas.put(column, "┊", roles.LIFELINE)


def _states(
    canvas: Canvas, row: Row, steps: list[Step], now: dict[Side, Claim | None], pen: Pen
) -> None:
    layout = pen.layout
    if not layout.state:
        return
    changed = {change.side for step in steps for change in step.changes}
    for side in Side:
        claim = now[side]
        if claim is None or not (side in changed or row.shown):
            continue
        text = state_text(claim, layout.state, midstream=pen.midstream)
        role = roles.of_certainty(claim.certainty)
        if side is Side.CLIENT:
            canvas.put(layout.state_left + layout.state - text_width(text), text, role)
        else:
            canvas.put(layout.state_right, text, role)


def _text(canvas: Canvas, row: Row, steps: list[Step], pen: Pen) -> None:
    layout = pen.layout
    moved = {change.side for step in steps for change in step.changes}
    at, end = layout.first + 1, layout.last - 1
    text = row.text
    if len(row.steps) > len(steps) > 0 and row.steps[0].handled is not None:
        text = row_text(steps)  # as it was then
    if text_width(text) > end - at and layout.state:
        # Too long: over the lifelines and the states too, but for a state that is written there.
        if Side.CLIENT not in moved:
            at = layout.state_left
        if Side.SERVER not in moved:
            end = layout.state_right + layout.state
        canvas.fill(at, end, " ", row.tone)
    canvas.put(at, fit_text(text, max(end - at, 0)), row.tone)


# -- calls --------------------------------------------------------------------

_GLYPHS: Final = {
    # (begins here, returns here): client's, server's
    (True, False): ("┐", "┌"),
    (False, True): ("┘", "└"),
    (False, False): ("│", "│"),
    (True, True): ("╴", "╶"),
}


def _bars(canvas: Canvas, row: Row, pen: Pen) -> list[tuple[int, str, str]]:
    """Draw the bars; returns the words beside them, (column, text, role), to be put on top."""
    layout = pen.layout
    words: list[tuple[int, str, str]] = []
    if not layout.tracks:
        return words
    for bar in row.bars:
        if hidden(bar.start_step, pen.cursor):
            continue
        returned = bar.end_step is not None and not hidden(bar.end_step, pen.cursor)
        begins = bar.start == row.number
        ends = returned and bar.end == row.number
        if returned and bar.end is not None and row.number > bar.end:
            continue
        track = min(bar.track, layout.tracks - 1)
        client = bar.side is Side.CLIENT
        column = layout.bar_left - track if client else layout.bar_right + track
        call = bar.returned if ends and bar.returned is not None else bar.call
        role = roles.CALL_BLOCKED
        if ends or (begins and returned):
            role = roles.CALL
        if ends and call.failed:
            role = roles.CALL_ERROR
        canvas.put(column, _GLYPHS[begins, ends][0 if client else 1], role)
        if row.kind is RowKind.STEP and (begins or ends):
            tone = roles.CALL_ERROR if ends and call.failed else roles.CALL
            words.append((*_call_words(bar, call_variants(call, begins, ends), pen), tone))
    return words


def _call_words(bar: Bar, variants: list[str], pen: Pen) -> tuple[int, str]:
    """A call's words as far as there is room, and the column where they begin."""
    layout = pen.layout
    client = bar.side is Side.CLIENT
    room = layout.lane or max(layout.arrows - 2, 0)
    text = next((each for each in variants if text_width(each) <= room), None)
    if text is None:
        text = fit_text(variants[-1], room)
    if layout.lane:
        at = layout.lane_left + layout.lane - text_width(text) if client else layout.lane_right
    else:
        at = layout.first + 1 if client else layout.last - 1 - text_width(text)
    return at, text
