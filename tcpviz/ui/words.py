"""Words on the screen: the explanation of the step at the cursor, and wrapping."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tcpviz.ui.session import Session
from tcpviz.views import roles
from tcpviz.views.explain import explain
from tcpviz.views.spans import Line, Span, crop, fit_text, line, text_width

_PIECES = re.compile(r"\s+|\S+")


def explanation(session: Session, *, ascii_only: bool = False) -> Line:
    """One sentence about the step at the cursor."""
    step = session.step
    if step is None:
        return line(Span(_nothing_yet(session), roles.DIM))
    connection = (
        None if step.connection is None else session.tracker.connections.get(step.connection)
    )
    return explain(step, connection, ascii_only=ascii_only)


def _nothing_yet(session: Session) -> str:
    if session.pump.done and not len(session.timeline):
        return "The source has ended without a single TCP segment."
    if session.story:
        return "Before the first step: nothing has been sent. The server's host is on the right."
    if session.live:
        return "Waiting for the first TCP segment ..."
    return "Before the first step."


def wrap(spans: Iterable[Span], cells: int, rows: int) -> list[Line]:
    """The line broken at spaces into at most ``rows``; what is too much ends in an ellipsis."""
    done: list[Line] = []
    current: list[Span] = []
    used = 0
    for span in spans:
        for piece in _PIECES.findall(span.text):
            size = text_width(piece)
            if used + size > cells and not piece.isspace() and used:
                done.append(line(*current))
                current, used = [], 0
            if piece.isspace() and not used:
                continue
            if size > cells:
                piece, size = fit_text(piece, cells), min(size, cells)
            current.append(Span(piece, span.role))
            used += size
    if current:
        done.append(line(*current))
    done = [crop(one, cells) for one in done]
    if len(done) > rows:
        done = [*done[: rows - 1], _shortened(done[rows - 1], cells)]
    return done


def _shortened(spans: Line, cells: int) -> Line:
    """A line with an ellipsis behind its last whole word that leaves room for it."""
    kept: list[Span] = []
    used = 0
    for span in spans:
        for piece in _PIECES.findall(span.text):
            size = text_width(piece)
            if used + size > cells - 2:
                return line(*_trimmed(kept), Span(" …"))
            kept.append(Span(piece, span.role))
            used += size
    return line(*_trimmed(kept), Span(" …"))


def _trimmed(spans: list[Span]) -> list[Span]:
    """Without the blanks at the end."""
    while spans and spans[-1].text.isspace():
        spans = spans[:-1]
    return spans
