"""The rows in which a lesson asks and tells: plain-data lines, and where each answer stands."""

from __future__ import annotations

from dataclasses import dataclass

from tcpviz.ui.lesson import Asked, Lesson, Stage
from tcpviz.ui.looks import BAR, BAR_STRONG
from tcpviz.views import roles
from tcpviz.views.explain import explain, name_roles
from tcpviz.views.spans import Line, Span, clean, fit, line, text_width, width
from tcpviz.views.wrapping import wrap
from tcpviz.words import _

LOW, TALL, ROOMY = 3, 5, 34
"""The panel's rows on a low screen and on one that has ``ROOMY`` rows."""

_GAP = 3


def height(lesson: Lesson, rows: int) -> int:
    """How many rows the panel takes on a screen of ``rows``; 0 where there is no lesson."""
    if not lesson.on or rows < 14:
        return 0
    return TALL if rows >= ROOMY else LOW


@dataclass(frozen=True, slots=True)
class Hit:
    """Cells of the panel that a click answers with: option ``place``; -1 goes on."""

    row: int
    start: int
    end: int
    place: int


def key_line(lesson: Lesson, cells: int) -> Line | None:
    """What the keys do while a question is open; ``None``: what they always do."""
    if lesson.stage is not Stage.ASKING:
        return None
    pairs = (
        ("1 2 3 4", _("answer", "hint")),
        ("0", _("show it", "hint")),
        ("P", _("no more questions", "hint")),
    )
    spans = [Span(" ")]
    for key, what in pairs:
        spans += [Span(key, roles.KEY), Span(f" {what}  ", roles.EDGE_LABEL)]
    return fit(spans, cells)


def panel(
    lesson: Lesson, cells: int, rows: int, *, ascii_only: bool = False
) -> tuple[list[Line], list[Hit]]:
    """Exactly ``rows`` lines of ``cells``, and what can be clicked on them."""
    heading, entries, places = _content(lesson, cells, rows - 1, ascii_only)
    lines: list[Line] = [_top(lesson, heading, cells, ascii_only), *entries]
    blank = line(Span(" " * cells))
    lines = [fit(one, cells) for one in lines[:rows]] + [blank] * (rows - len(lines))
    waits = lesson.stage not in (Stage.RUNNING, Stage.ASKING)
    hits = places or ([Hit(row, 0, cells, -1) for row in range(rows)] if waits else [])
    return lines, hits


def _top(lesson: Lesson, heading: Line, cells: int, ascii_only: bool) -> Line:
    """The heading, and at the right how many were right."""
    score = ""
    if lesson.predict:
        score = _("right: {n} of {all}").format(n=lesson.right, all=lesson.total)
    waits = lesson.stage not in (Stage.RUNNING, Stage.ASKING)
    said = [_("Space goes on"), score] if waits else [score]
    tail = " | ".join(each for each in said if each)
    tail = clean(f"{tail} ", ascii_only)
    if width(heading) + text_width(tail) >= cells and waits:
        tail = clean(f"{score} ", ascii_only)
    room = cells - text_width(tail) - 1
    head = fit(heading, max(room, 0), BAR_STRONG)
    return line(*head, Span(" ", BAR), Span(tail, BAR))


def _content(
    lesson: Lesson, cells: int, rows: int, ascii_only: bool
) -> tuple[Line, list[Line], list[Hit]]:
    """(heading, rows under it, what can be clicked)."""
    question, asked = lesson.question, lesson.asked
    if question is not None and asked is not None:
        number = ""
        if len(asked.questions) > 1:
            number = f"{len(asked.answers) + 1}/{len(asked.questions)} "
        options: list[Line] = [
            (Span(f" {place} ", BAR_STRONG), Span(f" {option}"))
            for place, option in enumerate(question.options, 1)
        ]
        lines, hits = _flow(options, cells, rows)
        return _strong(f" ? {number}{question.text}"), lines, hits
    if lesson.stage is Stage.REVEALED and asked is not None:
        first, *others = _verdicts(asked, ascii_only)
        lines, _none = _flow(others, cells, rows)
        return line(" ", *first), lines, []
    heading, text = _told(lesson, ascii_only)
    body = name_roles(clean(text, ascii_only)) if text else ()
    return _strong(f" {heading}"), [line(" ", *one) for one in wrap(body, cells - 2, rows)], []


def _strong(text: str) -> Line:
    return (Span(text, BAR_STRONG),)


def _verdicts(asked: Asked, ascii_only: bool) -> list[Line]:
    """Each question's answer, and whether it was the right one: by sign and word."""
    signs = ("+", "x", ">") if ascii_only else ("✓", "✗", "▸")
    made: list[Line] = []
    for question, given in zip(asked.questions, asked.answers, strict=True):
        if given == question.right:
            made.append((Span(f" {signs[0]} ", roles.SEEN), Span(question.answer)))
        elif given is None:
            made.append((Span(f" {signs[2]} ", roles.DIM), Span(question.answer)))
        else:
            wrong = _("(not {answer})").format(answer=question.options[given])
            made.append(
                (
                    Span(f" {signs[1]} ", roles.MARK_BAD),
                    Span(question.answer),
                    Span(f" {wrong}", roles.DIM),
                )
            )
    return made


def _told(lesson: Lesson, ascii_only: bool) -> tuple[str, str]:
    story = lesson.story
    if lesson.stage is Stage.OPENING and story is not None:
        return _(story.title), _(story.ask) or _("Watch both ends' states.")
    if lesson.stage is Stage.CLOSING and story is not None:
        if lesson.predict:
            said = _("{n} of {all} were right.").format(n=lesson.right, all=lesson.total)
            return _("The end"), f"{said} {_(story.shows)}"
        return _("What it showed"), _(story.shows)
    if lesson.stage is Stage.POINT and lesson.point is not None:
        return f"? {_('Before it goes on:')}", _(lesson.point.ask)
    if lesson.stage is Stage.TOLD:
        if lesson.point is not None:
            return _("Answer") if lesson.point.ask else _("Note"), _(lesson.point.answer)
        return _("What happened"), _explained(lesson, ascii_only)
    if lesson.predict:
        return _("Predict: the next question comes before the next segment."), ""
    return _("Story: it stops where there is something to ask."), ""


def _explained(lesson: Lesson, ascii_only: bool) -> str:
    """The step at the cursor in the other register than the explanation line's."""
    session = lesson.session
    step = session.step
    if step is None:
        return ""
    known = session.tracker.connections
    connection = None if step.connection is None else known.get(step.connection)
    plain = not session.plain_words
    said = explain(step, connection, ascii_only=ascii_only, plain=plain)
    return "".join(span.text for span in said)


def _flow(entries: list[Line], cells: int, rows: int) -> tuple[list[Line], list[Hit]]:
    """Entries beside each other in columns of one width, as many as fit, in rows."""
    widest = max((width(entry) for entry in entries), default=1) + _GAP
    across = max((cells - 1) // widest, 1)
    if -(-len(entries) // across) > rows:
        across = -(-len(entries) // max(rows, 1))
        widest = max((cells - 1) // across, 1)
    lines: list[Line] = []
    hits: list[Hit] = []
    for place, entry in enumerate(entries):
        row, column = divmod(place, across)
        if not column:
            lines.append(line(" "))
        lines[row] = line(*lines[row], *fit(entry, widest))
        start = 1 + column * widest
        hits.append(Hit(row + 1, start, start + min(width(entry), widest), place))
    return lines, hits
