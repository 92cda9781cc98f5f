"""A person's own colouring rules, from the file ``colours`` in the configuration folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tcpviz.views.colours import Colours, RuleError, read
from tcpviz.views.filter import SEGMENTS

LONGEST = 64 * 1024
"""Bytes of that file which are read."""


@dataclass(frozen=True, slots=True)
class Colouring:
    """Rules for connections and for segments; ``problem``: why the person's own are not used."""

    connections: Colours
    segments: Colours
    problem: str = ""


USUAL = Colouring(Colours(), Colours((), SEGMENTS))


def place(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where the file is looked for: ``$XDG_CONFIG_HOME/tcpviz/colours``, or in ``~/.config``."""
    base, home = environment.get("XDG_CONFIG_HOME"), environment.get("HOME")
    if base and base.startswith("/"):
        return Path(base, "tcpviz", "colours")
    return Path(home, ".config", "tcpviz", "colours") if home else None


def load(path: Path | None = None) -> Colouring:
    """The rules of the file; the usual ones where there is none, or it cannot be used."""
    path = path or place()
    if path is None:
        return USUAL
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST).decode()
    except FileNotFoundError:
        return USUAL
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        return Colouring(USUAL.connections, USUAL.segments, f"{path}: {why}; not used")
    try:
        return Colouring(*read(text))
    except RuleError as error:
        return Colouring(USUAL.connections, USUAL.segments, f"{path}: {error}; not used")
