"""The sequence chart as PlantUML, for documents that are built from text.

Source: https://plantuml.com/sequence-diagram. Arrows are level: what PlantUML has
for slanted ones (``->(20)``) the versions of stable distributions do not know. A
segment that died ends in a cross (``->x``).
"""

from __future__ import annotations

from collections.abc import Iterator

from tcpviz.core.records import Side
from tcpviz.export.exchange import Exchange, Message, in_order
from tcpviz.views.spans import clean

_LETTERS = {Side.CLIENT: "C", Side.SERVER: "S"}


def words(text: str) -> str:
    """``text`` with what PlantUML's Creole markup would take for its own escaped by ``~``."""
    out = clean(text).replace("~", "~~")
    for special in ('"', "--", "**", "//", "__", "[[", "<", "|", "\\"):
        out = out.replace(special, "~" + special)
    return out


def chart(exchange: Exchange) -> str:
    """The whole diagram, from ``@startuml`` to ``@enduml``."""
    return "\n".join(_lines(exchange)) + "\n"


def _lines(e: Exchange) -> Iterator[str]:
    yield "@startuml"
    yield "hide footbox"
    yield f"title {words(e.verdict)}"
    yield f'participant "client\\n{e.client}" as C'
    yield f'participant "server\\n{e.server}" as S'
    yield from in_order(
        e,
        band=lambda band: f"== {band.name.value} ==",
        beside=_beside,
        message=_arrow,
        remark=lambda text: f"note over C, S : {words(text)}",
    )
    yield "@enduml"


def _beside(side: Side, text: str) -> str:
    where = "left" if side is Side.CLIENT else "right"
    return f"note {where} of {_LETTERS[side]} : {words(text)}"


def _arrow(m: Message) -> str:
    arrow = "->x" if m.lost is not None and m.arrived is None else "->"
    text = " ".join([m.label, *m.marks])
    return f"{_LETTERS[m.side]} {arrow} {_LETTERS[m.side.other]} : {words(text)}"
