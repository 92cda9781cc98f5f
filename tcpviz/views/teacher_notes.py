"""The teacher's notes: what the class does not see, as lines of text for another terminal."""

from __future__ import annotations

from collections.abc import Sequence

from tcpviz.views.spans import clean, text_width
from tcpviz.views.wrapping import wrap_text
from tcpviz.words import _


def block(heading: str, entries: Sequence[tuple[str, str]], cells: int) -> list[str]:
    """A heading, and each entry as its name and its text, wrapped to ``cells``.

    Entries without text are left out. Nothing in it can move a terminal's cursor.
    """
    shown = [(_(name), clean(text)) for name, text in entries if text]
    left = max((text_width(name) for name, _text in shown), default=0) + 3
    lines = [f"== {clean(heading)} =="]
    for name, text in shown:
        rows = wrap_text(text, max(cells - left, 20))
        lead = f"{name}:"
        lines.append(lead + " " * (left - text_width(lead)) + rows[0])
        lines += [" " * left + row for row in rows[1:]]
    return lines
