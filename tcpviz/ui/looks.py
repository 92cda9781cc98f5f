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

from tcpviz.views import roles
from tcpviz.views.roles import Look

BAR = "ui-bar"
BAR_STRONG = "ui-bar-strong"
BAR_ALARM = "ui-bar-alarm"
RULE = "ui-rule"
RULE_FOCUS = "ui-rule-focus"
TITLE_FOCUS = "ui-title-focus"
FLASH = "ui-flash"
GONE = "ui-future"


@dataclass(eq=False)
class Looks:
    """A named set of styles. ``ground`` is the background and the plain text on it."""

    name: str
    title: str
    theme: Theme
    ground: Style
    palette: Mapping[str, Look]
    ansi: Mapping[str, str] | None = None
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


def _own(fg: str, bar: str, quiet: str, accent: str, alarm: str, flash: str) -> dict[str, Look]:
    """The looks of what only the screen has: bars, rules, the flash."""
    return {
        BAR: Look(quiet, bar),
        BAR_STRONG: Look(fg, bar, bold=True),
        BAR_ALARM: Look(alarm, bar, bold=True),
        RULE: Look(quiet),
        RULE_FOCUS: Look(accent),
        TITLE_FOCUS: Look(accent, bold=True),
        FLASH: Look(bar, flash, bold=True),
        GONE: Look(quiet, dim=True),
    }


def _theme(name: str, *, dark: bool, fg: str, bg: str, bar: str, accent: str, alarm: str) -> Theme:
    return Theme(
        name=name,
        primary=accent,
        secondary=accent,
        accent=accent,
        warning=alarm,
        error=alarm,
        success=accent,
        foreground=fg,
        background=bg,
        surface=bar,
        panel=bar,
        dark=dark,
    )


def dark() -> Looks:
    """Light on dark, Okabe and Ito's hues."""
    fg, bg, bar, accent, alarm = "#e4e4e4", "#121212", "#262626", "#56b4e9", "#f0743e"
    return Looks(
        "dark",
        "dark",
        _theme("tcpviz-dark", dark=True, fg=fg, bg=bg, bar=bar, accent=accent, alarm=alarm),
        Style.parse(f"{fg} on {bg}"),
        {**roles.DARK, **_own(fg, bar, "#8a8a8a", accent, alarm, "#f0e442")},
    )


def light() -> Looks:
    """Dark on light, for projectors and bright rooms."""
    fg, bg, bar, accent, alarm = "#1c1c1c", "#fafafa", "#e4e4e4", "#00629b", "#b34700"
    return Looks(
        "light",
        "light",
        _theme("tcpviz-light", dark=False, fg=fg, bg=bg, bar=bar, accent=accent, alarm=alarm),
        Style.parse(f"{fg} on {bg}"),
        {**roles.LIGHT, **_own(fg, bar, "#5f5f5f", accent, alarm, "#6b3fa0")},
    )


def _sixteen() -> dict[str, Look]:
    """The terminal's own sixteen colours, by what a role's hue stands for.

    Only the six hues in their normal strength are used: the bright ones vanish
    on light grounds. Greys become the default colour, dimmed.
    """
    hue = {
        roles.DARK[roles.CLIENT].fg: "cyan",
        roles.DARK[roles.SERVER].fg: "yellow",
        roles.DARK[roles.BOTH].fg: "magenta",
        roles.DARK[roles.CALL].fg: "green",
        roles.DARK[roles.MARK_BAD].fg: "red",
    }
    faint = roles.DARK[roles.DIM].fg
    made: dict[str, Look] = {}
    for role, look in roles.DARK.items():
        made[role] = Look(
            fg=hue.get(look.fg),
            bold=look.bold,
            dim=look.fg == faint,
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
        {**roles.MONOCHROME, **_plain_own()},
    )


def every() -> tuple[Looks, ...]:
    """All looks, in the order in which the key goes through them."""
    return (dark(), light(), sixteen(), monochrome())
