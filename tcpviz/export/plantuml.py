"""The sequence chart as PlantUML, for documents that are built from text.

Source: https://plantuml.com/sequence-diagram. Arrows are level: what PlantUML has
for slanted ones (``->(20)``) the versions of stable distributions do not know. A
segment that died ends in a cross (``->x``).
"""

from __future__ import annotations

from collections.abc import Iterator

from tcpviz.core.records import Side
from tcpviz.export.exchange import Exchange, Message
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
    for side, begin in zip(Side, e.begin, strict=True):
        if begin:
            yield from _beside(side, begin)
    rows: dict[int, list[str]] = {}
    for band in e.bands:
        rows.setdefault(band.row, []).append(f"== {band.name.value} ==")
    for bar in e.bars:
        if bar.returned is not None and bar.returned > bar.began:
            call, _, result = bar.text.rpartition(" = ")
            rows.setdefault(bar.began, []).extend(_beside(bar.side, call))
            after = f"{bar.call.name}() = {result}"
            rows.setdefault(bar.returned, []).extend(_beside(bar.side, after))
        else:
            rows.setdefault(bar.began, []).extend(_beside(bar.side, bar.text))
    for message in e.messages:
        rows.setdefault(message.row, []).append(_arrow(message))
    for remark in e.remarks:
        rows.setdefault(remark.row, []).append(f"note over C, S : {words(remark.text)}")
    for change in e.changes:
        rows.setdefault(change.row, []).extend(_beside(change.side, change.state))
    for row in sorted(rows):
        yield from rows[row]
    if e.left_out:
        yield f"note over C, S : and {e.left_out} more segments"
    yield "@enduml"


def _beside(side: Side, text: str) -> Iterator[str]:
    where = "left" if side is Side.CLIENT else "right"
    yield f"note {where} of {_LETTERS[side]} : {words(text)}"


def _arrow(m: Message) -> str:
    arrow = "->x" if m.lost is not None and m.arrived is None else "->"
    text = " ".join([m.label, *m.marks])
    return f"{_LETTERS[m.side]} {arrow} {_LETTERS[m.side.other]} : {words(text)}"
