"""Filling sentences in: the ends' names, numbers with their nouns, lengths of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tcpviz.core.records import Side
from tcpviz.core.timeline import Step
from tcpviz.views.spans import clean
from tcpviz.words import _

NAMES: Final = {Side.CLIENT: "the client", Side.SERVER: "the server"}
"""What the ends are called in a sentence where they have no better names."""


def capital(text: str) -> str:
    """``text`` as a sentence begins."""
    return text[:1].upper() + text[1:]


def people(side: Side, names: Mapping[Side, str]) -> dict[str, object]:
    """The names that a sentence about ``side`` may need: who, peer, and both with a capital."""
    who, peer = clean(_(names[side])), clean(_(names[side.other]))
    return {"who": who, "Who": capital(who), "peer": peer, "Peer": capital(peer)}


def fill(text: str, values: Mapping[str, object]) -> str:
    """``text`` in the reader's language, with ``values`` in it."""
    return _(text).format_map(values)


def time_text(nanoseconds: int) -> str:
    """A duration in the unit that suits it."""
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds} ns"


class Fill:
    """Fills sentences in with what a step knows."""

    def __init__(self, step: Step, names: Mapping[Side, str]) -> None:
        self.names = names
        self.side = step.side or Side.CLIENT

    def __call__(self, text: str, side: Side | None = None, /, **more: object) -> str:
        return fill(text, people(side or self.side, self.names) | more)
