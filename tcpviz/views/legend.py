"""The legend: what the shapes and lines of the state diagram mean, in as many rows as there are."""

from __future__ import annotations

from typing import Final

from tcpviz.views import roles
from tcpviz.views.spans import Line, Span, line, width
from tcpviz.words import _

ROWS: Final = 4
"""As many rows as the whole legend takes, with the blank one above it."""


def legend(cells: int, rows: int, ascii_only: bool = False) -> list[Line]:
    """At most ``rows`` rows of at most ``cells`` cells: lines first, then ends and frames.

    In each row the most needed stands first; what does not fit whole is left out.
    """
    # A sign, the same in ASCII, its role, what it means.
    lines = (
        ("══", "##", roles.LIT, _("just taken")),
        ("━━", "==", roles.TRAIL_CLIENT, _("client's way")),
        ("╍╍", "~~", roles.TRAIL_SERVER, _("server's")),
        ("──", "--", roles.EDGE, _("not taken")),
    )
    ends = (
        ("●", "*", roles.CLIENT, _("client")),
        ("◆", "#", roles.SERVER, _("server")),
        ("○ ◇", "o %", roles.INFERRED, _("inferred")),
        ("?", "?", roles.UNKNOWN, _("nobody knows")),
    )
    boxes = (
        ("┃ ┃", "H H", roles.STATE_HERE, _("an end is here")),
        ("╏ ╏", ": :", roles.STATE_HERE, _("inferred")),
        ("│ │", "| |", roles.STATE, _("nobody")),
    )
    whole = [_row(entries, cells, ascii_only) for entries in (lines, ends, boxes)]
    return ([()] if rows >= ROWS else []) + whole[: max(rows, 0)]


def _row(entries: tuple[tuple[str, str, str, str], ...], cells: int, ascii_only: bool) -> Line:
    parts: Line = ()
    for sign, plain, role, meaning in entries:
        gap = "   " if parts else ""
        more = line(*parts, gap, Span(plain if ascii_only else sign, role), f" {meaning}")
        if width(more) > cells:
            break
        parts = more
    return parts
