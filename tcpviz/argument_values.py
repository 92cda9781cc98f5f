"""The command line's words: what may be one, and what is said, in one line, of what may not."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn

THEMES = ("dark", "light", "contrast", "safe", "ansi", "mono")
"""What ``--theme`` takes: the names in ``tcpviz.ui.looks``, which costs too much to ask here."""


USAGE = 2


class Parser(argparse.ArgumentParser):
    """Errors in one line, with exit code 2.

    ``rest``: the argument that takes words also from behind an option, where
    argparse would not know them any more (``read FILE --text port:443``).
    """

    rest = ""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        options, unknown = super().parse_known_args(args, namespace)
        if self.rest and unknown and not any(word.startswith("-") for word in unknown):
            setattr(options, self.rest, [*getattr(options, self.rest), *unknown])
            unknown = []
        if unknown:  # told here, where it is known which command's help to name
            known = [name for action in self._actions for name in action.option_strings]
            self.error(f"unrecognized arguments: {' '.join(unknown)}{near(unknown[0], known)}")
        return options, unknown

    def _check_value(self, action: argparse.Action, value: object) -> None:
        # As of -w "$OUT" where OUT is not set: as if it had not been asked for, nothing is saved.
        if value == "" != action.const and action.option_strings and action.dest != "filter":
            raise argparse.ArgumentError(action, f"{action.metavar or action.dest} is empty")
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            meant = near(str(value), [str(choice) for choice in action.choices or ()])
            raise argparse.ArgumentError(action, error.message + meant) from None

    def error(self, message: str) -> NoReturn:
        words = message.replace("argument COMMAND: ", "")
        self.exit(USAGE, f"tcpviz: {words} (see {self.prog} --help)\n")


def near(word: str, known: Sequence[str]) -> str:
    """What was probably meant by a word, as the end of a sentence; empty where nothing is near."""
    import difflib

    close = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {close[0]}?" if close else ""


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
