"""The sequence chart as a Mermaid ``sequenceDiagram``, for READMEs, wikis and issue trackers.

Source: https://mermaid.js.org/syntax/sequenceDiagram.html. Mermaid knows neither
slanted nor crossing arrows: a segment stands where it left, and one that died
has a cross (``-x``). A call is a note where it was made and where it returned.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tcpviz.core.records import Side
from tcpviz.export.exchange import Exchange, Message, in_order
from tcpviz.views.spans import clean

_LETTERS = {Side.CLIENT: "C", Side.SERVER: "S"}
# ";" ends a statement and "#" begins an entity; "end" as a word closes a block in some versions.
_SPECIAL = re.compile(r"[#;<>{}\[\]\"%]|\bend\b")


def words(text: str) -> str:
    """``text`` with what Mermaid would read as its own written as entities."""

    def entity(found: re.Match[str]) -> str:
        return "".join(f"#{ord(char)};" for char in found.group()[:1]) + found.group()[1:]

    return _SPECIAL.sub(entity, clean(text))


def chart(exchange: Exchange) -> str:
    """The whole diagram; to be put between ``` ```mermaid ``` fences in Markdown."""
    return "\n".join(_lines(exchange)) + "\n"


def _lines(e: Exchange) -> Iterator[str]:
    yield "sequenceDiagram"
    yield f"  participant C as client {words(e.client)}"
    yield f"  participant S as server {words(e.server)}"
    yield f"  Note over C,S: {words(e.verdict)}"
    yield from in_order(
        e,
        band=lambda band: f"  Note over C,S: {band.name.value}",
        beside=_beside,
        message=_arrow,
        remark=lambda text: f"  Note over C,S: {words(text)}",
    )


def _beside(side: Side, text: str) -> str:
    where = "left" if side is Side.CLIENT else "right"
    return f"  Note {where} of {_LETTERS[side]}: {words(text)}"


def _arrow(m: Message) -> str:
    died = m.lost is not None and m.arrived is None
    kind = "-x" if died else "->>" if m.level or m.arrived is not None else "--)"
    text = " ".join([m.label, *m.marks])
    return f"  {_LETTERS[m.side]}{kind}{_LETTERS[m.side.other]}: {words(text)}"
