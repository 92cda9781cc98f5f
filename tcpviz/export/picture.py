"""A screenful of lines as an SVG picture: the state diagram for a slide, say."""

from __future__ import annotations

from collections.abc import Sequence

from tcpviz.export.cells import Run, document
from tcpviz.export.svg_chart import GROUNDS
from tcpviz.views import roles
from tcpviz.views.roles import Look
from tcpviz.views.spans import Line


def picture(lines: Sequence[Line], title: str, theme: str = "light") -> str:
    """``lines`` as an SVG document; ``theme`` is ``light`` or ``dark``."""
    ground, looks = GROUNDS[theme]
    plain = looks[roles.TEXT].fg or "#888888"

    def run(text: str, role: str) -> Run:
        look = looks.get(role, Look())
        return Run(text, look.fg or plain, look.bg, bold=look.bold, italic=look.italic)

    return document([[run(span.text, span.role) for span in line] for line in lines], ground, title)
