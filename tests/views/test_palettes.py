"""Themes as numbers: words can be read, and hues stay apart for every eye."""

from __future__ import annotations

from dataclasses import asdict
from itertools import combinations
from math import dist

import pytest

from tcpviz.views import palettes, roles
from tcpviz.views.palettes import Hues

THEMES = [
    pytest.param(palettes.DARK_HUES, palettes.DARK, 4.5, id="dark"),
    pytest.param(palettes.LIGHT_HUES, palettes.LIGHT, 4.5, id="light"),
    pytest.param(palettes.CONTRAST_HUES, palettes.CONTRAST, 7.0, id="contrast"),
    pytest.param(palettes.SAFE_HUES, palettes.SAFE, 4.5, id="safe"),
]
RULES = {roles.FRAME, roles.EDGE}
"""Roles of lines alone: WCAG 2 asks 3 to 1 of graphics, on the plain ground."""

# Machado, Oliveira, Fernandes (2009), severity 1.0, on linear RGB.
EYES = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
HUES = ("text", "quiet", "blue", "orange", "purple", "green", "alarm", "lit")

Colour = tuple[float, float, float]


def linear(colour: str) -> Colour:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return r, g, b


def contrast(one: str, other: str) -> float:
    """WCAG 2's ratio."""

    def luminance(colour: str) -> float:
        r, g, b = linear(colour)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def seen(colour: str, eye: str) -> Colour:
    """The colour in Ottosson's OKLab, as that eye sees it."""
    rgb = linear(colour)
    r, g, b = (
        min(max(sum(m * c for m, c in zip(row, rgb, strict=True)), 0.0), 1.0) for row in EYES[eye]
    )
    lms = (
        0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b,
        0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b,
        0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b,
    )
    x, y, z = (each ** (1 / 3) for each in lms)
    return (
        0.2104542553 * x + 0.7936177850 * y - 0.0040720468 * z,
        1.9779984951 * x - 2.4285922050 * y + 0.4505937099 * z,
        0.0259040371 * x + 0.7827717662 * y - 0.8086757660 * z,
    )


def nearest(hues: Hues) -> dict[tuple[str, str], float]:
    """For each two hues how near they come for any eye, in hundredths of OKLab."""
    named = {name: value for name, value in asdict(hues).items() if name in HUES}
    return {
        (a, b): min(100 * dist(seen(named[a], eye), seen(named[b], eye)) for eye in EYES)
        for a, b in combinations(named, 2)
    }


@pytest.mark.parametrize(("hues", "palette", "least"), THEMES)
def test_every_word_can_be_read_on_every_ground(hues, palette, least):
    assert set(palette) == set(roles.MEANING) == set(palettes.MONOCHROME)
    for role, look in palette.items():
        if look.fg is None:
            continue
        grounds = [look.bg] if look.bg else [hues.ground, hues.cursor, hues.selected]
        if role in RULES:
            assert contrast(look.fg, hues.ground) >= 3, role
            continue
        for ground in grounds:
            assert contrast(look.fg, ground) >= least, (role, ground)
    for name in ("text", "faint", "alarm"):
        assert contrast(getattr(hues, name), hues.bar) >= least, name


@pytest.mark.parametrize(("hues", "palette", "least"), THEMES)
def test_hues_stay_apart_for_every_eye(hues, palette, least):
    """About 2 is the least that anybody sees; words and thin lines need some more."""
    near = nearest(hues)
    assert min(near.values()) > 6, min(near.items(), key=lambda pair: pair[1])


def test_in_the_safe_theme_no_two_hues_come_near():
    near = nearest(palettes.SAFE_HUES)
    assert min(near.values()) >= 10, min(near.items(), key=lambda pair: pair[1])


def test_the_measure_itself():
    """Red and green that a deuteranope famously takes for one another; black on white."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    red, green = "#a06a00", "#6f7d00"
    usual = dist(seen(red, "usual"), seen(green, "usual"))
    assert dist(seen(red, "deuteranopia"), seen(green, "deuteranopia")) < usual / 2


def test_without_colours_nothing_has_one():
    assert all(look.fg is None and look.bg is None for look in palettes.MONOCHROME.values())
