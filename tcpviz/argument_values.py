"""Numbers and sizes on the command line, and what is said of those that cannot be."""

from __future__ import annotations

import argparse
from collections.abc import Callable

THEMES = ("dark", "light", "contrast", "safe", "ansi", "mono")
"""What ``--theme`` takes: the names in ``tcpviz.ui.looks``, which costs too much to ask here."""


def whole(name: str, low: int, high: int) -> Callable[[str], int]:
    """A whole number in these bounds; of a ``high`` beyond what anybody means nothing is said."""

    def parse(text: str) -> int:
        try:
            found = int(text)
        except ValueError:
            found = low - 1
        if not low <= found <= high:
            below = f" to {high}" if high < 2**60 else " or more"
            message = f"{name} is a whole number, {low}{below}, not {text!r}"
            raise argparse.ArgumentTypeError(message)
        return found

    return parse


def size(text: str, least: int = 96) -> int:
    """Bytes of ``256M`` and such; ``least`` in MiB."""
    units = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
    digits, unit = text[:-1], units.get(text[-1:].lower())
    if unit is None:
        digits, unit = text, 1
    found = (
        int(digits) * unit if digits.isascii() and digits.isdecimal() and len(digits) < 16 else 0
    )
    if found < least << 20:
        message = f"SIZE is {least}M or more, such as 256M or 1G, not {text!r}"
        raise argparse.ArgumentTypeError(message)
    return found


def number(name: str, low: float, high: float) -> Callable[[str], float]:
    """A number in these bounds."""

    def parse(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = low - 1
        if not low <= found <= high:
            message = f"{name} is a number from {low:g} to {high:g}, not {text!r}"
            raise argparse.ArgumentTypeError(message)
        return found

    return parse


def pace(text: str) -> float:
    """Seconds for a step."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.01 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"SECONDS is 0.01 to 3600, not {text!r}")
    return seconds
