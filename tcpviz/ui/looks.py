"""Looks: from what a span means to how a terminal shows it.

One :class:`Looks` holds a palette of :mod:`tcpviz.views.roles` as Rich styles.
Styles are put together once and kept; drawing a line costs a dictionary look-up
for each of its spans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rich.color import Color
from rich.style import Style
from textual.theme import BUILTIN_THEMES, Theme

from tcpviz.views import palettes, roles
from tcpviz.views.palettes import Hues
from tcpviz.views.roles import Look

BAR = "ui-bar"
BAR_STRONG = "ui-bar-strong"
BAR_ALARM = "ui-bar-alarm"
RULE = "ui-rule"
RULE_FOCUS = "ui-rule-focus"
TITLE_FOCUS = "ui-title-focus"
FLASH = "ui-flash"
GONE = "ui-future"
POINTER = "ui-pointer"


@dataclass(eq=False)
class Looks:
    """A named set of styles. ``ground`` is the background and the plain text on it.

    ``legend``: rather a smaller figure with its legend than a larger one without.
    """

    name: str
    title: str
    theme: Theme
    ground: Style
    palette: Mapping[str, Look]
    ansi: Mapping[str, str] | None = None
    legend: bool = False
    _styles: dict[tuple[str, str | None], Style] = field(default_factory=dict)

    def style(self, role: str, under: str | None = None) -> Style:
        """The style of ``role``; ``under`` is the row's role, whose background lies beneath.

        A role that no palette knows is drawn as plain text.
        """
        try:
            return self._styles[role, under]
        except KeyError:
            style = self._make(role, under)
            self._styles[role, under] = style
            return style

    def _make(self, role: str, under: str | None) -> Style:
        style = self.ground
        if under is not None:
            # The row lends its ground (and reverse), not its weight: a bold row would
            # flatten the difference between what is bold in it and what is not.
            row = self.palette.get(under, Look())
            style += _rich(Look(bg=row.bg, reverse=row.reverse), self.ansi)
            if row.reverse:  # a hue would become the ground of its words alone
                look = self.palette.get(role, Look())
                return style + _rich(replace(look, fg=None, dim=False), self.ansi)
        return style + _rich(self.palette.get(role, Look()), self.ansi)


def _rich(look: Look, ansi: Mapping[str, str] | None) -> Style:
    def colour(name: str | None) -> Color | None:
        if name is None:
            return None
        return Color.parse(name if ansi is None else ansi.get(name, name))

    # None, not False: an attribute that a look does not name stays as it is underneath.
    return Style(
        color=colour(look.fg),
        bgcolor=colour(look.bg),
        bold=look.bold or None,
        dim=look.dim or None,
        italic=look.italic or None,
        underline=look.underline or None,
        reverse=look.reverse or None,
    )


def _own(hues: Hues) -> dict[str, Look]:
    """The looks of what only the screen has: bars, rules, the flash."""
    h = hues
    return {
        BAR: Look(h.faint, h.bar),
        BAR_STRONG: Look(h.text, h.bar, bold=True),
        BAR_ALARM: Look(h.alarm, h.bar, bold=True),
        RULE: Look(h.rule),
        RULE_FOCUS: Look(h.blue),
        TITLE_FOCUS: Look(h.blue, bold=True),
        FLASH: Look(h.ground, h.lit, bold=True),
        GONE: Look(h.rule),
        POINTER: Look(h.lit, h.selected, bold=True),
    }


def _coloured(name: str, title: str, hues: Hues, palette: Mapping[str, Look]) -> Looks:
    """Looks with colours of their own, and Textual's theme in the same ones."""
    h = hues
    theme = Theme(
        name=f"tcpviz-{name}",
        primary=h.blue,
        secondary=h.blue,
        accent=h.blue,
        warning=h.alarm,
        error=h.alarm,
        success=h.blue,
        foreground=h.text,
        background=h.ground,
        surface=h.bar,
        panel=h.bar,
        dark=name != "light",
    )
    ground = Style.parse(f"{h.text} on {h.ground}")
    return Looks(name, title, theme, ground, {**palette, **_own(hues)})


def dark() -> Looks:
    """Light on dark."""
    return _coloured("dark", "dark", palettes.DARK_HUES, palettes.DARK)


def light() -> Looks:
    """Dark on light, for projectors and bright rooms."""
    return _coloured("light", "light", palettes.LIGHT_HUES, palettes.LIGHT)


def contrast() -> Looks:
    """White on black, every word at least 7 to 1, and the legend large."""
    made = _coloured("contrast", "high contrast", palettes.CONTRAST_HUES, palettes.CONTRAST)
    return replace(made, legend=True)


def safe() -> Looks:
    """Hues that no colour-blind eye takes for one another."""
    return _coloured("safe", "colour-blind safe", palettes.SAFE_HUES, palettes.SAFE)


def _sixteen() -> dict[str, Look]:
    """The terminal's own sixteen colours, by what a role's hue stands for.

    Only the six hues in their normal strength are used: the bright ones vanish
    on light grounds. Greys become the default colour, dimmed.
    """
    hue = {
        palettes.DARK[roles.CLIENT].fg: "cyan",
        palettes.DARK[roles.SERVER].fg: "yellow",
        palettes.DARK[roles.BOTH].fg: "magenta",
        palettes.DARK[roles.CALL].fg: "green",
        palettes.DARK[roles.MARK_BAD].fg: "red",
    }
    faint = {palettes.DARK[roles.DIM].fg, palettes.DARK[roles.EDGE].fg}
    made: dict[str, Look] = {}
    for role, look in palettes.DARK.items():
        made[role] = Look(
            fg=hue.get(look.fg),
            bold=look.bold,
            dim=look.fg in faint,
            italic=look.italic,
            underline=look.underline or role in {roles.LIT, roles.LIT_LABEL},
            reverse=look.bg is not None,
        )
    return made


def _plain_own() -> dict[str, Look]:
    return {
        BAR: Look(reverse=True),
        BAR_STRONG: Look(bold=True, reverse=True),
        BAR_ALARM: Look(bold=True, reverse=True, underline=True),
        RULE: Look(dim=True),
        RULE_FOCUS: Look(bold=True),
        TITLE_FOCUS: Look(bold=True, reverse=True),
        FLASH: Look(reverse=True),
        GONE: Look(dim=True),
        POINTER: Look(bold=True, reverse=True),
    }


def _ansi_theme(name: str) -> Theme:
    """Textual's own sixteen-colour theme under our name: its widgets need its variables."""
    return replace(BUILTIN_THEMES["ansi-dark"], name=name)


def sixteen() -> Looks:
    """The terminal's own colours on its own ground."""
    return Looks(
        "ansi",
        "16 colours",
        _ansi_theme("tcpviz-ansi"),
        Style.parse("default on default"),
        {**_sixteen(), **_plain_own()},
    )


def monochrome() -> Looks:
    """No colour at all: weight, underline and reverse."""
    return Looks(
        "mono",
        "no colour",
        _ansi_theme("tcpviz-mono"),
        Style.parse("default on default"),
        {**palettes.MONOCHROME, **_plain_own()},
    )


def every() -> tuple[Looks, ...]:
    """All looks, in the order in which the key goes through them."""
    return (dark(), light(), contrast(), safe(), sixteen(), monochrome())
