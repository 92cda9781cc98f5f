"""Updates of the screen in few bytes: only the cells that changed, and of colours what is other.

Textual writes a changed part of a row from where its widget begins, the same row once more for
each further part, and every style in full with a reset behind it. Over a slow line that is most of
what is sent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rich.color import ColorSystem
from rich.style import Style
from textual._compositor import Compositor, CompositorUpdate
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tcpviz.ui.lines import one_update

if TYPE_CHECKING:
    from rich.console import Console


class Stretch(NamedTuple):
    """The cells of a row, from ``first`` up to ``last``, in which one widget is seen.

    ``x``, ``y`` the widget's own corner on the screen.
    """

    first: int
    last: int
    widget: Widget
    x: int
    y: int


class SparingCompositor(Compositor):
    """Textual's own, but for how a part of the screen is made and written out.

    It asks every widget for all its rows that lie around what has changed, and cuts each where
    any widget begins. Here a widget is asked for what has changed of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: object = None
        self._stretches: dict[int, list[Stretch]] = {}

    def render_partial_update(self) -> SparingUpdate | None:  # type: ignore[override]
        """What has changed since the last time; ``None`` if nothing has."""
        spans = list(self._regions_to_spans(self._dirty_regions))
        self._dirty_regions.clear()
        if not spans:
            return None
        made: list[Piece] = []
        with one_update():
            for y, first, last in spans:
                for start, end, widget, x, top in self._row(y):
                    if start < last and end > first:
                        left, right = max(start, first), min(end, last)
                        wanted = Region(left - x, y - top, right - left, 1)
                        made += [Piece(left, y, strip) for strip in widget.render_lines(wanted)]
        return SparingUpdate(made)

    def _row(self, y: int) -> list[Stretch]:
        """Who is seen where in a row, from the left."""
        layers = self.layers_visible  # another list after each change of the layout
        if self._known is not layers:
            self._known = layers
            self._stretches = {}
        found = self._stretches.get(y)
        if found is None:
            found = []
            if 0 <= y < len(layers):
                free = [(0, self.size.width)]
                for widget, seen, whole in layers[y]:  # from the front
                    covered = seen.x, seen.x + seen.width
                    for start, end in free:
                        left, right = max(start, covered[0]), min(end, covered[1])
                        if left < right:
                            found.append(Stretch(left, right, widget, whole.x, whole.y))
                    free = [part for each in free for part in _without(each, covered)]
            found.sort(key=lambda each: each.first)
            self._stretches[y] = found
        return found


def _without(part: tuple[int, int], covered: tuple[int, int]) -> list[tuple[int, int]]:
    """What is left of a part of a row."""
    start, end = part
    left = (start, min(end, covered[0])), (max(start, covered[1]), end)
    return [each for each in left if each[0] < each[1]]


class Piece(NamedTuple):
    """A strip and where on the screen it belongs."""

    x: int
    y: int
    strip: Strip


class SparingUpdate(CompositorUpdate):
    """The changed cells of each row and nothing else."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces = pieces

    def render_segments(self, console: Console) -> str:
        """Escape sequences and text for the terminal."""
        out: list[str] = []
        system = console._color_system or ColorSystem.TRUECOLOR
        now = ""  # the codes in force
        for x, y, strip in self.pieces:
            out.append(f"\x1b[{y + 1};{x + 1}H")
            for text, style, control in strip:
                if control:
                    continue
                codes = _codes(style, system) if style is not None else ""
                if codes != now:
                    out.append(step(now, codes))
                    now = codes
                out.append(text)
        if now:
            out.append("\x1b[0m")
        return "".join(out)


def _codes(style: Style, system: ColorSystem) -> str:
    """The parameters of the sequence that sets it, by rich."""
    return style._make_ansi_codes(system)


@lru_cache(maxsize=2048)
def step(before: str, after: str) -> str:
    """The shortest sequence from one style's parameters to another's."""
    if not after:
        return "\x1b[0m"
    old, new = _parts(before), _parts(after)
    whole = f"\x1b[{'0;' if before else ''}{after}m"
    if not before or old[0] != new[0]:
        return whole  # what is on can be taken away only all at once
    if (old[1] and not new[1]) or (old[2] and not new[2]):
        return whole
    changed = [mine for mine, theirs in zip(new[1:], old[1:], strict=True) if mine != theirs]
    return f"\x1b[{';'.join(changed)}m"


def _parts(codes: str) -> tuple[str, str, str]:
    """Attributes, the colour of the text and that of the ground."""
    attributes: list[str] = []
    text = ground = ""
    left = codes.split(";") if codes else []
    while left:
        code = left.pop(0)
        number = int(code)
        if number in (38, 48):
            size = 4 if left[0] == "2" else 2
            told = ";".join([code, *left[:size]])
            del left[:size]
        else:
            told = code
        if number in range(30, 40) or number in range(90, 98):
            text = told
        elif number in range(40, 50) or number in range(100, 108):
            ground = told
        else:
            attributes.append(told)
    return ";".join(attributes), text, ground
