"""Wrapping: a line of spans broken into rows of so many cells, in scripts with and without spaces.

Chinese may be broken between any two characters, but a row never begins with a
closing punctuation mark nor ends with an opening one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from tcpviz.views.roles import KEY
from tcpviz.views.spans import Line, Span, crop, fit_text, line, text_width

_WIDE: Final = "\u2e80-\u303e\u3041-\u33ff\u3400-\u9fff\uf900-\ufaff\uff00-\uff60"
_CLOSING: Final = "，。；：！？、）》」』】〉”’…"
_OPENING: Final = "（《「『【〈“‘"
_PIECES: Final = re.compile(
    rf"\s+|[{_OPENING}]*(?:[{_WIDE}]|[^\s{_WIDE}{_OPENING}{_CLOSING}]+)?[{_CLOSING}]*"
)


def pieces(text: str) -> list[str]:
    """``text`` cut wherever a row may end."""
    return [each for each in _PIECES.findall(text) if each]


def wrap(spans: Iterable[Span], cells: int, rows: int, more: str = "") -> list[Line]:
    """The line broken into at most ``rows``; what is too much ends in an ellipsis.

    ``more``  the key that tells the rest, named behind the ellipsis
    """
    done: list[Line] = []
    current: list[Span] = []
    used = 0
    for span in spans:
        for piece in pieces(span.text):
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
        done = [*done[: rows - 1], _shortened(done[rows - 1], cells, more)]
    return done


def wrap_text(text: str, cells: int) -> list[str]:
    """The same for plain text, with as many rows as it takes."""
    return [
        "".join(span.text for span in one).rstrip() for one in wrap((Span(text),), cells, 10_000)
    ]


def _shortened(spans: Line, cells: int, more: str) -> Line:
    """A line with an ellipsis behind its last whole word that leaves room for it."""
    kept: list[Span] = []
    used = 0
    end = (Span(" …"), *((Span(f" {more}", KEY),) if more else ()))
    room = cells - sum(text_width(span.text) for span in end)
    for span in spans:
        for piece in pieces(span.text):
            size = text_width(piece)
            if used + size > room:
                return line(*_trimmed(kept), *end)
            kept.append(Span(piece, span.role))
            used += size
    return line(*_trimmed(kept), *end)


def _trimmed(spans: list[Span]) -> list[Span]:
    """Without the blanks at the end."""
    while spans and spans[-1].text.isspace():
        spans = spans[:-1]
    return spans
