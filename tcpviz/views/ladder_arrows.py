"""Arrows of the sequence chart: level, slanted, on their way, lost, and held in a hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tcpviz.core.records import Act, Doer, Side
from tcpviz.core.segment import Segment
from tcpviz.core.timeline import Step, StepKind
from tcpviz.views import points, roles
from tcpviz.views.hand_words import HAND_LEFT, HAND_RIGHT, by_whom, held_time, times
from tcpviz.views.ladder_canvas import Canvas
from tcpviz.views.ladder_labels import (
    Fins,
    Notation,
    mark_variants,
    segment_role,
    segment_variants,
)
from tcpviz.views.ladder_layout import Layout
from tcpviz.views.ladder_parts import LETS_GO, Flight, Row
from tcpviz.views.ladder_slopes import Height, crossing, heights, stroke
from tcpviz.views.spans import text_width
from tcpviz.words import _


@dataclass(frozen=True, slots=True)
class Pen:
    """What drawing needs besides the row.

    ``cursor`` hides later steps (``None``: nothing); ``tip`` is the number of the
    last visible row, where segments on their way have got to; ``end`` the number
    of the chart's next row. ``travelled`` tells of a segment on its way which part
    of the way it has come by now, 0 to 1 (``None``: nobody knows).
    ``flipped``: the client's lifeline is the right one; ``prefix`` goes before labels;
    ``role`` is everybody's instead of the segment's own; ``midstream``: no SYN was seen.
    """

    layout: Layout
    notation: Notation
    fins: Fins
    payload: bool
    detail: bool
    cursor: int | None
    tip: int
    end: int
    travelled: Callable[[Flight], float | None] | None = None
    flipped: bool = False
    prefix: str = ""
    role: str = ""
    midstream: bool = False

    def rightward(self, side: Side | None) -> bool:
        """Whether what this side sends goes from left to right."""
        return (side is not Side.SERVER) is not self.flipped

    def role_of(self, segment: Segment) -> str:
        """The role of an arrow and its label."""
        return self.role or segment_role(segment)


def hidden(index: int, cursor: int | None) -> bool:
    """Whether a step comes after the cursor."""
    return cursor is not None and index > cursor


def _label(step: Step, room: int, pen: Pen) -> tuple[str, str, str]:
    """The most telling (label, marks, marks' role) in at most ``room`` cells; empty if none fits.

    A mark outweighs a label's details: its words go before the label gets short.
    """
    variants = segment_variants(step, pen.notation, pen.fins, pen.payload, pen.detail)
    if pen.prefix:
        variants = [f"{pen.prefix} {one}" for one in variants]
    marks, tone = mark_variants(step)
    tails = [f" {mark}" for mark in marks] or [""]
    for variant in variants[:-1]:
        for tail in tails:
            if text_width(variant) + text_width(tail) <= room:
                return variant, tail, tone
    least = variants[-1]
    if text_width(least) + text_width(tails[-1]) <= room:
        return least, tails[-1], tone
    return (least, "", tone) if text_width(least) <= room else ("", "", tone)


def _put_label(canvas: Canvas, at: int, label: tuple[str, str, str], role: str) -> None:
    text, tail, tone = label
    canvas.put(at, f" {text}", role)
    if tail:
        canvas.put(at + 1 + text_width(text), tail, tone)
    canvas.put(at + 1 + text_width(text) + text_width(tail), " ", role)


def _label_width(label: tuple[str, str, str]) -> int:
    """Cells of a label with its marks and a blank at each end."""
    return text_width(label[0]) + text_width(label[1]) + 2


def draw_level(canvas: Canvas, step: Step, pen: Pen) -> None:
    """An arrow seen at one moment: level, from lifeline to lifeline."""
    layout, segment = pen.layout, step.segment
    if segment is None or layout.arrows < 1:
        return
    right = pen.rightward(step.side)
    role = pen.role_of(segment)
    canvas.fill(layout.first, layout.last, "╌" if segment.inferred else "─", role)
    canvas.put(layout.last - 1 if right else layout.first, "▶" if right else "◀", role)
    _leave(canvas, layout, right, role)
    label = _label(step, layout.arrows - 6, pen)
    if not label[0]:
        label = _label(step, layout.arrows - 3, pen)
    if label[0]:
        at = layout.first + (layout.arrows - _label_width(label)) // 2
        _put_label(canvas, at, label, role)


def _leave(canvas: Canvas, layout: Layout, right: bool, role: str) -> None:
    """The knot at the lifeline that an arrow leaves."""
    column = layout.left if right else layout.right
    heavy = canvas.at(column) == "┃"
    canvas.put(column, ("┣" if heavy else "├") if right else ("┫" if heavy else "┤"), role)


def reach(flight: Flight, row: Row, pen: Pen) -> tuple[int, int, int] | None:
    """(first, last + 1, rows) of an arrow on this row, in cells from where it left.

    ``None`` where it is not on this row. The way is divided evenly over the
    rows from departure to end, half a share for the first and the last. One that
    lay in a hand goes half its way at once, waits there, and goes on when let go.
    """
    cells = pen.layout.arrows
    k = row.number - flight.start
    if _was_held(flight, pen):
        return _held_reach(flight, k, cells, pen)
    end = flight.end
    if end is None:
        # On its way: as if it arrived just below what is drawn.
        end = max(pen.end + 1, flight.start + 3)
    if flight.lost:
        cells = max(cells // 2, 1)
    rows = end - flight.start
    if rows == 0:  # a copy, or a departure that nobody saw
        return (cells // 2 if flight.copy or flight.loose else 0), cells, 0
    if not 0 <= k <= rows:
        return None
    # The first row's share reaches past the label, so that the line is seen to go on.
    lead = min(max(cells // (2 * rows), _label_reach(flight.step, pen)), 3 * cells // 5)
    first = 0 if k == 0 else lead + (2 * k - 2) * (cells - lead) // (2 * rows - 1)
    last = cells if k == rows else lead + (2 * k) * (cells - lead) // (2 * rows - 1)
    if flight.end is None and pen.travelled is not None:
        part = pen.travelled(flight)
        if part is not None:
            tip = pen.end - 1 - flight.start
            far = lead + (2 * max(tip, 1)) * (cells - lead) // (2 * rows - 1)
            last = min(last, lead + int(part * (far - lead)))
            if last <= first:
                return None
    return first, max(last, first + 1), rows


def _was_held(flight: Flight, pen: Pen) -> bool:
    """It has lain in a hand, or does now (a copy that waits there too).

    What the script alone held, so that segments cross, is an arrow like any other once it has
    arrived: the crossing is what is to be seen.
    """
    arrived = flight.end_step is not None and not hidden(flight.end_step, pen.cursor)
    done = flight.handled(pen.cursor)
    if arrived and not flight.copy and all(each.by is Doer.SCRIPT for each in done):
        return any(each.held_ns >= _WORTH_TELLING_NS for each in done)
    return any(each.act is Act.HELD or (flight.copy and not each.delay_ns) for each in done)


def _hand_at(flight: Flight, cells: int, pen: Pen) -> tuple[int, int]:
    """(end of the first row's share, the cell where it is held), counted from its sender."""
    lead = min(_label_reach(flight.step, pen), 3 * cells // 5)
    middle = min(max(cells * 11 // 20, lead + 2), max(cells - 2, 1))
    return min(lead, middle), middle


def _held_reach(flight: Flight, k: int, cells: int, pen: Pen) -> tuple[int, int, int] | None:
    lead, middle = _hand_at(flight, cells, pen)
    rows = pen.end - flight.start if flight.end is None else flight.end - flight.start
    if not 0 <= k <= rows:
        return None
    if k == rows and flight.end is not None:
        if flight.lost:
            return middle - 1, middle, rows
        return (lead if rows == 1 and not flight.copy else middle - 1), cells, rows
    if k == 0:
        return None if flight.copy else (0, max(lead, 1), rows)
    if k == 1 and not flight.copy:
        return lead, max(middle, lead + 1), rows
    return middle - 1, middle, rows


def _label_reach(step: Step, pen: Pen) -> int:
    """Cells from its sender to the end of a departing segment's label and a bit of line."""
    if step.kind is not StepKind.SENT:
        return 0
    lead = _lead(pen)
    return lead + _label_width(_label(step, pen.layout.arrows - lead - 2, pen)) + 3


def _lead(pen: Pen) -> int:
    """Cells of line before a departing segment's label."""
    return 3 if pen.layout.arrows >= 20 else 1


Words = tuple[int, str, str]
"""Column, text and role of what is put on top when every arrow is drawn."""


def draw_flight(canvas: Canvas, row: Row, flight: Flight, pen: Pen) -> list[Words]:
    """One row's share of a slanted arrow; returns the words beside it."""
    layout = pen.layout
    segment = flight.step.segment
    if segment is None or layout.arrows < 1 or hidden(flight.step.index, pen.cursor):
        return []
    share = reach(flight, row, pen)
    if share is None:
        return []
    first, last, _ = share
    right = pen.rightward(flight.side)
    role = pen.role_of(segment)
    k = row.number - flight.start
    ended = flight.end_step is not None and not hidden(flight.end_step, pen.cursor)
    here = ended and row.number == flight.end
    held = _was_held(flight, pen)
    slope: list[Height | None] = list(_slope(flight, row, share, pen))
    if held and last - first == 1 and not here:
        glyphs: list[str] = ["╎"]
        slope = [None]
    else:
        glyphs = [stroke(height) if height else "─" for height in slope]
        if segment.inferred:  # dashed
            glyphs = [" " if place % 2 else glyph for place, glyph in enumerate(glyphs)]
    holder = None if ended else flight.holder(pen.cursor)
    in_hand = holder is not None and k == 1
    head = ""
    if here:
        head = "✖" if flight.lost else ("▶" if right else "◀")
    elif in_hand:
        head = HAND_RIGHT if right else HAND_LEFT
    elif not held and not ended and _is_tip(flight, row, pen):
        head = "▷" if right else "◁"
    if head:
        glyphs[-1], slope[-1] = head, None
    for place, (glyph, height) in enumerate(zip(glyphs, slope, strict=True), first):
        column = layout.first + place if right else layout.last - 1 - place
        if not layout.first <= column < layout.last:
            continue
        there = canvas.heights.get(column)
        if height is not None and there is not None:
            if crossing(height, there):
                glyph = "╳"
            elif column % 2:
                continue  # both lines can be followed where each has every other cell
        if height is None:
            canvas.heights.pop(column, None)
        else:
            canvas.heights[column] = height
        tone = roles.LOST if glyph == "✖" else roles.LIT if glyph in _HANDS else role
        canvas.put(column, glyph, tone)
    if k == 0 and not flight.copy and not flight.loose:
        _leave(canvas, layout, right, role)
    if in_hand and holder is not None:
        return _hand_words(holder, last, right, layout)
    words = _words_at_end(flight, row, last - first - 5, pen) if here else ""
    return _end_words(words, last, flight, right, role, layout) if words else []


def _slope(flight: Flight, row: Row, share: tuple[int, int, int], pen: Pen) -> tuple[Height, ...]:
    """How the arrow falls on this row: from the middle of its first one to that of its last."""
    first, last, rows = share
    k = row.number - flight.start
    whole = last
    if pen.travelled is not None and flight.end is None:
        full = reach(flight, row, replace(pen, travelled=None))
        whole = last if full is None else full[1]
    right = pen.rightward(flight.side)
    if k == 0 and rows:  # level as far as the label reaches, for that is level too
        level = min(max(_label_reach(flight.step, pen) - 3, 0), whole)
        fall = heights(level, 0.5, 0.5, right=right)
        fall += heights(whole - level, 0.5, 1.0, right=right)
    else:
        end = 0.5 if k == rows else 1.0
        fall = heights(whole - first, 0.0 if rows else 0.5, end, right=right)
    return fall[: last - first]


def _is_tip(flight: Flight, row: Row, pen: Pen) -> bool:
    """Whether the arrow's head, as far as it has come, is on this row."""
    if pen.travelled is None or flight.end is not None:
        return row.number == pen.tip
    part = pen.travelled(flight)
    if part is None:
        return row.number == pen.tip
    below = row.number - flight.start + 1
    following = Row(row.kind, flight.start + below, row.steps)
    return row.number == pen.tip or reach(flight, following, pen) is None


def _hand_words(holder: Doer, last: int, right: bool, layout: Layout) -> list[Words]:
    """Whose hand it is, beside the sign, as far as there is room."""
    room = layout.arrows - last - 2
    for words in (_(IN_HAND[holder]), _("held")):
        if text_width(words) <= room:
            at = layout.first + last + 1 if right else layout.last - last - 1 - text_width(words)
            return [(at, words, roles.LIT)]
    return []


def _words_at_end(flight: Flight, row: Row, room: int, pen: Pen) -> str:
    """What to say where an arrow ends: what became of it, else which one it is."""
    done = flight.handled(pen.cursor)
    if flight.lost:
        dropped = next((each for each in done if each.act is Act.DROPPED), None)
        return _("lost") if dropped is None else by_whom(dropped.by)
    passage = flight.step.passage
    said = [_("copy")] if flight.copy else []
    if passage is not None and flight.copy:
        told = points.short_doubt(passage)
        which = segment_variants(flight.step, pen.notation, pen.fins)[:-1] if told else []
        whole = (f"{each}, {told}" for each in which)
        said = [next((each for each in whole if text_width(each) <= room), told)] if told else said
    if any(each.act is Act.CORRUPTED for each in done):
        said.append(_("corrupted"))
    let_go = [each for each in done if each.act in LETS_GO]
    held_ns = max((each.held_ns for each in let_go), default=0)
    again = max((each.count for each in done), default=0)
    if held_ns >= _WORTH_TELLING_NS:
        said.append(_("held {time}").format(time=held_time(held_ns)))
    if again:
        said.append(_("sent again {times}").format(times=times(again)))
    if said:
        while text_width(_(", ").join(said)) > room and len(said) > 1:
            said.pop()
        return _(", ").join(said)
    if row.number - flight.start > 4 or len(row.flights) > 1 or flight.loose:
        # Far from its departure, or among others: say once more which one it is.
        variants = segment_variants(flight.step, pen.notation, pen.fins)
        found = next((each for each in variants[:-1] if text_width(each) <= room), "")
        if found:
            return found
    time = "" if passage is None else points.way_time(passage)
    return time if text_width(time) <= room else ""


_HANDS = frozenset({HAND_RIGHT, HAND_LEFT})
IN_HAND = {
    Doer.PERSON: "in your hand",
    Doer.SCRIPT: "held by the scenario",
    Doer.CHANCE: "held",
    Doer.CABLE: "held by the cable",
}
_WORTH_TELLING_NS = 100_000_000
"""Shorter than a tenth of a second nobody has held anything."""


def _end_words(
    words: str, last: int, flight: Flight, right: bool, role: str, layout: Layout
) -> list[Words]:
    """Words beside an arrow's end: behind a cross, before a head."""
    if flight.lost:
        at = layout.first + last + 1 if right else layout.last - last - 1 - text_width(words)
        if layout.first <= at and at + text_width(words) <= layout.last:
            return [(at, words, roles.LOST)]
        # One that died in a hand has no line behind it on this row: there is room.
        at = layout.first + last - 2 - text_width(words) if right else layout.last - last + 2
        held = any(each.act is Act.HELD for each in flight.handled(None))
        if held and layout.first < at and at + text_width(words) < layout.last:
            return [(at, words, roles.LOST)]
        return [] if words == "lost" else _end_words("lost", last, flight, right, role, layout)
    at = layout.last - 3 - text_width(words) if right else layout.first + 3
    if layout.first <= at - 1 and at + text_width(words) < layout.last:
        return [(at - 1, f" {words} ", role)]
    return []


def draw_departures(canvas: Canvas, steps: list[Step], pen: Pen) -> None:
    """The label of a segment that leaves on this row, over its own line near its sender."""
    layout = pen.layout
    for step in steps:
        if step.kind is not StepKind.SENT or step.segment is None:
            continue
        right = pen.rightward(step.side)
        role = pen.role_of(step.segment)
        lead = _lead(pen)
        label = _label(step, layout.arrows - lead - 2, pen)
        if not label[0]:
            continue
        size = _label_width(label)
        at = layout.first + lead if right else layout.last - lead - size
        _put_label(canvas, at, label, role)
