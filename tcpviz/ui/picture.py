"""What is on the screen as rows of runs, for a picture of it (:mod:`tcpviz.export.cells`).

The colours of a terminal of sixteen are the terminal's own; pictures take those of xterm's
successors, on a dark ground.
"""

from __future__ import annotations

from typing import Any, Final

from rich.color import Color, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual._context import visible_screen_stack
from textual.app import App

from tcpviz.export.cells import Run, document

TERMINAL: Final = TerminalTheme(
    (16, 16, 16),
    (208, 208, 208),
    [
        (46, 52, 54), (224, 82, 82), (78, 170, 60), (206, 162, 30),
        (92, 140, 220), (190, 130, 200), (40, 165, 175), (208, 208, 208),
    ],
    [
        (120, 124, 120), (250, 110, 110), (130, 220, 100), (250, 220, 90),
        (130, 175, 240), (220, 160, 225), (90, 220, 225), (238, 238, 238),
    ],
)  # fmt: skip
"""What the terminal's own sixteen colours are taken for, in pictures."""

DIMMED: Final = 0.45
"""How far faint text goes towards its ground; terminals take about half."""


def _hex(triplet: ColorTriplet) -> str:
    return triplet.hex


def run_of(text: str, style: Style | None) -> Run:
    """A piece of text as it is drawn: reverse and faint put into its colours."""
    style = style or Style.null()
    fg = (style.color or Color.default()).get_truecolor(TERMINAL, foreground=True)
    bg = (style.bgcolor or Color.default()).get_truecolor(TERMINAL, foreground=False)
    if style.reverse:
        fg, bg = bg, fg
    if style.dim:
        fg = blend_rgb(fg, bg, DIMMED)
    return Run(
        text,
        _hex(fg),
        _hex(bg),
        bold=bool(style.bold),
        italic=bool(style.italic),
        underline=bool(style.underline),
    )


def rows_of(app: App[Any]) -> list[list[Run]]:
    """The application's screen as it is now, with what lies over it."""
    # As App.export_screenshot does it, whose own drawing tears boxes apart.
    visible_screen_stack.set(app._background_screens)
    strips = app.screen._compositor.render_strips()
    return [
        [run_of(segment.text, segment.style) for segment in strip if segment.text]
        for strip in strips
    ]


def picture(app: App[Any], title: str, window: str | None = None) -> str:
    """The screen as an SVG document."""
    rows = rows_of(app)
    counts: dict[str, int] = {}
    for row in rows:
        for run in row:
            counts[run.bg or ""] = counts.get(run.bg or "", 0) + len(run.text)
    ground = max(counts, key=lambda colour: counts[colour]) if counts else "#121212"
    return document(rows, ground, title, window=window)
