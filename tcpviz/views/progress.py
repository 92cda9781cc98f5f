"""How far the reading of a file is: a bar with what is known beside it."""

from __future__ import annotations

from dataclasses import dataclass

from tcpviz.views import roles
from tcpviz.views.numbers import count, size
from tcpviz.views.spans import Line, Span, fit, line, text_width
from tcpviz.words import _

_EIGHTHS = " ▏▎▍▌▋▊▉█"
LEAST = 8
"""Cells of the shortest bar; with less room there is none."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes ``done`` of ``whole`` (0: nobody knows), bytes a second, connections so far.

    ``waiting``  all has been read, and the file may still grow
    ``on_disk``  bytes of columns that lie on disk
    """

    done: int
    whole: int
    rate: float
    connections: int
    waiting: bool = False
    on_disk: int = 0

    def texts(self) -> list[str]:
        """What stands beside the bar, the most important first."""
        if self.waiting:
            said = [_("all {size} read, waiting for more").format(size=size(self.done))]
        elif self.whole and self.done >= self.whole:
            said = [_("all {size} read, making the table").format(size=size(self.done))]
        else:
            read, whole = size(self.done), size(self.whole) if self.whole else "?"
            said = [_("{read} of {whole}").format(read=read, whole=whole)]
        said.append(_("{n} connections so far").format(n=count(self.connections)))
        if self.rate and (self.done < self.whole or not self.whole):
            said.append(_("{rate}/s").format(rate=size(int(self.rate))))
        if self.on_disk:
            said.append(_("columns: {size} on disk").format(size=size(self.on_disk)))
        return said


def bar(progress: Progress, cells: int, *, ascii_only: bool = False) -> Line:
    """One row of exactly ``cells``: the bar on the left, as many texts as there is room for."""
    texts = progress.texts()
    while len(texts) > 1 and sum(map(text_width, texts)) + 2 * len(texts) + LEAST + 4 > cells:
        texts.pop()
    said = ", ".join(texts)
    room = cells - text_width(said) - 4
    if room < LEAST:
        return fit(line(Span(f" {said}", roles.TEXT)), cells)
    share = min(progress.done / progress.whole, 1.0) if progress.whole else 0.0
    if ascii_only:
        full = int(share * room)
        drawn, rest = "#" * full, "." * (room - full)
    else:
        eighths = int(share * room * 8)
        part = _EIGHTHS[eighths % 8].strip()
        drawn = "█" * (eighths // 8) + part
        rest = "░" * (room - len(drawn))
    return fit(
        line(
            Span(" "),
            Span(drawn, roles.CLIENT),
            Span(rest, roles.DIM),
            Span(f" {said}", roles.TEXT),
        ),
        cells,
    )
