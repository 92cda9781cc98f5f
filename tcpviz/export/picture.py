"""A screenful of lines as an SVG picture: the state diagram for a slide, say.

Every span is placed and given its length, so that nothing shifts whatever
font the viewer has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from tcpviz.export.svg_chart import FONTS, GROUNDS
from tcpviz.views import roles
from tcpviz.views.roles import Look
from tcpviz.views.spans import Line, text_width

_CELL: Final = 8.4
_LINE: Final = 17.0
_SIZE: Final = 14
_MARGIN: Final = 12.0


def picture(lines: Sequence[Line], title: str, theme: str = "light") -> str:
    """``lines`` as an SVG document; ``theme`` is ``light`` or ``dark``."""
    ground, looks = GROUNDS[theme]
    columns = max((sum(text_width(span.text) for span in line) for line in lines), default=1)
    width = columns * _CELL + 2 * _MARGIN
    height = len(lines) * _LINE + 2 * _MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-family="{FONTS}" '
        f'font-size="{_SIZE}" xml:space="preserve">',
        f"<title>{escape(title)}</title>",
        f'<rect width="100%" height="100%" fill="{ground}"/>',
    ]
    plain = looks[roles.TEXT].fg or "#888888"
    for row, line in enumerate(lines):
        at = 0
        for span in line:
            cells = text_width(span.text)
            x, y = _MARGIN + at * _CELL, _MARGIN + (row + 0.78) * _LINE
            at += cells
            look = looks.get(span.role, Look())
            if look.bg is not None:
                out.append(
                    f'<rect x="{x:.1f}" y="{_MARGIN + row * _LINE:.1f}" '
                    f'width="{cells * _CELL:.1f}" height="{_LINE}" fill="{look.bg}"/>'
                )
            if not span.text.strip():
                continue
            weight = ' font-weight="bold"' if look.bold else ""
            slant = ' font-style="italic"' if look.italic else ""
            out.append(
                f'<text x="{x:.1f}" y="{y:.1f}" fill="{look.fg or plain}"{weight}{slant} '
                f'textLength="{cells * _CELL:.1f}" lengthAdjust="spacingAndGlyphs">'
                f"{escape(span.text)}</text>"
            )
    return "\n".join([*out, "</svg>"]) + "\n"
