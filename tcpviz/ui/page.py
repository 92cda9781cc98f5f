"""A page of text over the whole screen: scrolls, and closes by any way back."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tcpviz.ui.lines import LinesView, Row
from tcpviz.ui.looks import BAR, BAR_STRONG, Looks
from tcpviz.ui.words import wrap
from tcpviz.views import roles
from tcpviz.views.spans import Line, Span, clean, fit, line, pad, text_width
from tcpviz.words import _

HEADING = 15
"""Cells of a paragraph's heading."""


def clean_lines(text: str, *, ascii_only: bool = False) -> str:
    """Text of several lines made safe for a terminal, its line breaks and tabs kept."""
    return "\n".join(
        "\t".join(clean(part, ascii_only) for part in one.split("\t")) for one in text.split("\n")
    )


def _headed(heading: str, text: str, cells: int) -> list[Line]:
    """A heading at the left, its text wrapped beside it."""
    left = pad((Span(heading, roles.KEY),), HEADING)
    rows = wrap((Span(text.replace("\t", " ")),), max(cells - HEADING, 10), 1000)
    blank = (Span(" " * HEADING),)
    if text_width(heading) >= HEADING:  # an IPv6 address, say: its text begins below it
        return [line(Span(heading, roles.KEY)), *(line(*blank, *row) for row in rows)]
    return [line(*(blank if number else left), *row) for number, row in enumerate(rows)]


class PageScreen(Screen[None]):
    """Shows ``text``, a paragraph a line, over everything; any way back closes it.

    A paragraph with a tab in it has a heading before the tab.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "close", "Close", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("pageup,b", "page(-1)", "Page up", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("home,g", "scroll(-100000)", "First line", show=False),
        Binding("end,G", "scroll(100000)", "Last line", show=False),
        Binding("tab", "page(1)", show=False),
        Binding("shift+tab", "page(-1)", show=False),
    ]
    CSS = """
    PageScreen { layout: vertical; overflow: hidden; background: $background; }
    #page { width: 1fr; height: 1fr; }
    #foot { width: 1fr; height: 1; }
    """

    def __init__(
        self, looks: Looks, title: str, text: str = "", *, ascii_only: bool = False
    ) -> None:
        super().__init__()
        self.top = 0
        self.heading = title
        self.text = text
        self.ascii_only = ascii_only
        self._page = LinesView(looks, id="page", ascii_only=ascii_only)
        self._foot = LinesView(looks, id="foot", ascii_only=ascii_only)

    def page(self, cells: int) -> list[Line]:
        """Every line, wrapped to ``cells``."""
        made: list[Line] = []
        for number, paragraph in enumerate(self.text.split("\n")):
            if "\t" in paragraph:
                heading, _tab, said = paragraph.partition("\t")
                made += _headed(heading, said, cells)
                continue
            role = roles.TITLE if not number or not paragraph else roles.TEXT
            made += wrap((Span(paragraph, role),), cells, 1000) or [()]
        return made

    def compose(self) -> ComposeResult:
        yield self._page
        yield self._foot

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        width, height = self.app.size
        page = max(height - 1, 1)
        lines = self.page(max(width - 2, 10))
        self.top = min(max(self.top, 0), max(len(lines) - page, 0))
        self._page.show([Row(line(" ", *one)) for one in lines[self.top : self.top + page]])
        last = min(self.top + page, len(lines))
        arrows = "Up Down" if self.ascii_only else "↑ ↓"
        place = _("lines {first} to {last} of {all}")
        place = place.format(first=self.top + 1, last=last, all=len(lines))
        foot = line(
            Span(f" {_(self.heading)}", BAR_STRONG),
            Span(f"  {place}  {arrows} PgUp PgDn", BAR),
            Span("  Esc", BAR_STRONG),
            Span(f" {_('back')}", BAR),
        )
        self._foot.show([Row(fit(foot, width, BAR))])

    def action_close(self) -> None:
        if self.app.screen is self:  # a second key that came at once must not close what is below
            self.dismiss()

    def action_scroll(self, rows: int) -> None:
        self.top += rows
        self._draw()

    def action_page(self, pages: int) -> None:
        self.action_scroll(pages * max(self.app.size.height - 2, 1))

    def on_mouse_scroll_up(self) -> None:
        self.action_scroll(-3)

    def on_mouse_scroll_down(self) -> None:
        self.action_scroll(3)
