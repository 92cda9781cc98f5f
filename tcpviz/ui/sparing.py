"""Updates of the screen in few bytes: only the cells that changed, and of colours what is other.

Textual writes a changed part of a row from where its widget begins, the same row once more for
each further part, and every style in full with a reset behind it. Over a slow line that is most of
what is sent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rich.color import ColorSystem
from rich.style import Style
from textual._compositor import ChopsUpdate, Compositor

if TYPE_CHECKING:
    from rich.console import Console


class SparingCompositor(Compositor):
    """Textual's own, but for how a part of the screen is written out."""

    def render_partial_update(self) -> ChopsUpdate | None:
        update = super().render_partial_update()
        if update is None:
            return None
        return SparingUpdate(update.chops, update.spans, update.chop_ends)


class SparingUpdate(ChopsUpdate):
    """The changed cells of each row and nothing else."""

    def render_segments(self, console: Console) -> str:
        """Escape sequences and text for the terminal."""
        out: list[str] = []
        system = console._color_system or ColorSystem.TRUECOLOR
        now = ""  # the codes in force
        for y, first, last in self.spans:
            line = self.chops[y]
            for end, (x, strip) in zip(self.chop_ends[y], line.items(), strict=False):
                if strip is None or x >= last or end <= first:
                    continue
                left, right = max(first, x), min(last, end)
                if (left, right) != (x, end):
                    strip = strip.crop(left - x, right - x)
                out.append(f"\x1b[{y + 1};{left + 1}H")
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
