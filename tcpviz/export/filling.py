"""Text and rows with holes: made once for connections that are told alike, filled in for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from tcpviz.bulk.tables.facts import Fill
from tcpviz.bulk.tables.portions import Portion

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Hole:
    """``raw`` if it takes the place of the quotation marks around it, too."""

    fill: Fill
    raw: bool = False


class Draft:
    """Gives marks to be put where something differs, and cuts the text at them.

    ``mark``  how a mark is written in the finished text, a pattern with the number as a group
    """

    def __init__(self, mark: str) -> None:
        self._mark = re.compile(mark)
        self._holes: list[Hole] = []

    def hole(self, fill: Fill, *, raw: bool = True) -> str:
        """A mark; put it in as a text."""
        self._holes.append(Hole(fill, raw))
        return f"\x01{len(self._holes) - 1}\x01"

    def form(self, text: str) -> Form:
        """The text between the marks, and what stands at each."""
        pieces = self._mark.split(text)
        numbers = [int(each) for each in pieces[1::2]]
        layout = [pieces[0].replace("%", "%%")]
        for number, piece in zip(numbers, pieces[2::2], strict=True):
            layout += ["%s" if self._holes[number].raw else '"%s"', piece.replace("%", "%%")]
        return Form("".join(layout), [self._holes[number].fill for number in numbers])


def _filled(fills: Sequence[Fill], portion: Portion, which: Array) -> Iterator[tuple[Any, ...]]:
    """For each connection what stands in the holes; the same hole is filled in once."""
    made: dict[Fill, list[Any]] = {}
    for fill in fills:
        if fill not in made:
            made[fill] = fill(portion, which)
    return zip(*(made[fill] for fill in fills), strict=True)


class Form:
    """A line of text with holes."""

    def __init__(self, layout: str, fills: list[Fill]) -> None:
        self._layout = layout
        self._fills = fills

    def __call__(self, portion: Portion, which: Array) -> list[str]:
        """The line of each of these connections."""
        layout = self._layout
        return [layout % row for row in _filled(self._fills, portion, which)]


class Blank:
    """A row of values, some of which differ: those in ``holes``, by their place."""

    def __init__(self, values: Sequence[Any], holes: Mapping[int, Fill]) -> None:
        self._fills = [holes.get(place) or _same(value) for place, value in enumerate(values)]

    def __call__(self, portion: Portion, which: Array) -> list[tuple[Any, ...]]:
        """The row of each of these connections."""
        return list(_filled(self._fills, portion, which))


def _same(value: Any) -> Fill:
    return lambda _, which: [value] * len(which)


def number(column: Callable[[Portion], Array]) -> Fill:
    """A hole for a number of each connection."""

    def fill(portion: Portion, which: Array) -> list[Any]:
        made: list[Any] = column(portion)[which].tolist()
        return made

    return fill
