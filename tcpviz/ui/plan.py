"""Where the panes go on a screen of a given size: pure arithmetic, no Textual.

Sizes are cells. A pane's height includes its title row.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

MIN_WIDTH = 40
MIN_HEIGHT = 10


class Pane(enum.Enum):
    """The three panes, in the order of their keys and of Tab."""

    LIST = "connections"
    DIAGRAM = "diagram"
    CHART = "chart"


@dataclass(frozen=True, slots=True)
class Shape:
    """What a pane wants: below ``narrow`` x ``low`` it is not worth showing beside another."""

    narrow: int
    low: int


FIGURES = ((100, 34), (76, 21), (50, 27), (36, 13))
"""Width and height of the diagram's hand-laid figures, largest first (a test compares them)."""

DIAGRAM = Shape(37, 16)
"""The smallest figure with a margin; with its title and its two captions."""

CHART = Shape(40, 8)

TALL = 36
"""From so many rows on an explanation may take one more of them."""

DASHBOARD_LOW = 13
"""A title, headings and eleven states."""

CHART_COMFORT = 64
"""The chart gets this much before the diagram gets a larger figure."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines under the panes, and which of them are wanted."""

    explain: bool = True
    status: bool = True
    keys: bool = True


ALL_LINES = Lines()


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes for one screen.

    ``panes``    width and height of each visible pane; absent: not shown
    ``beside``   diagram and chart stand side by side (else one over the other)
    ``tabs``     panes that take turns in one place; empty where none do
    ``explain``, ``status``, ``keys``  rows for the explanation, the status, the key hints
    ``host``     made for looking at all connections
    """

    width: int
    height: int
    panes: dict[Pane, tuple[int, int]]
    beside: bool = True
    tabs: tuple[Pane, ...] = ()
    explain: int = 1
    keys: int = 1
    host: bool = False
    status: int = 1

    @property
    def too_small(self) -> bool:
        return not self.panes


def plan(
    width: int,
    height: int,
    active: Pane,
    maximised: Pane | None = None,
    banner: int = 0,
    wanted: int | None = None,
    host: bool = False,
    hidden: frozenset[Pane] = frozenset(),
    lines: Lines = ALL_LINES,
) -> Plan:
    """Lay the panes out; ``active`` is shown where only one of several can be.

    ``banner``: rows that are needed for a message and the hand. ``wanted``: the list will never
    have more connections than this; ``None``: nobody knows. ``host``: all connections are looked
    at and none in particular, so there is no chart. ``hidden``: panes that nobody wants to see
    now (never all of them); ``lines``: which of the lines below are wanted.
    """
    left = [pane for pane in Pane if pane not in hidden and not (host and pane is Pane.CHART)]
    if host and active is Pane.CHART:
        active = Pane.DIAGRAM
    if left and active not in left:
        active = left[-1]
    if len(left) == 1:
        maximised = left[0]
    two = tuple(left) if len(left) == 2 and not host else ()
    made = _plan(width, height, active, maximised, banner, wanted, host, two, lines)
    return replace(made, host=host, status=int(lines.status))


def _plan(
    width: int,
    height: int,
    active: Pane,
    maximised: Pane | None,
    banner: int,
    wanted: int | None,
    host: bool,
    two: tuple[Pane, ...],
    lines: Lines,
) -> Plan:
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return Plan(width, height, {}, explain=0, keys=0)
    explain = (2 if width < 160 and height >= 14 else 1) if lines.explain else 0
    if explain and height >= TALL:
        explain += 1  # no explanation is cut where there is room for all of it
    keys = 1 if height >= 12 and lines.keys else 0
    room = height - explain - lines.status - keys - banner
    if maximised is not None:
        return Plan(width, height, {maximised: (width, room)}, explain=explain, keys=keys)
    upper = _list_height(height)
    if wanted is not None:
        upper = max(3, min(upper, wanted + 2))
    lower = room - upper
    if two:
        return _two(width, height, two, active, room, upper, explain, keys)
    if host and lower >= DASHBOARD_LOW:
        panes = {Pane.LIST: (width, upper), Pane.DIAGRAM: (width, lower)}
        return Plan(width, height, panes, beside=False, explain=explain, keys=keys)
    if host:
        tabs = (Pane.LIST, Pane.DIAGRAM)
        return Plan(width, height, {active: (width, room)}, tabs=tabs, explain=explain, keys=keys)
    halves = (Pane.DIAGRAM, Pane.CHART)
    if width >= DIAGRAM.narrow + 1 + CHART.narrow and lower >= CHART.low:
        left = _diagram_width(width, lower)
        if lower >= DIAGRAM.low - 3:
            return Plan(
                width,
                height,
                {
                    Pane.LIST: (width, upper),
                    Pane.DIAGRAM: (left, lower),
                    Pane.CHART: (width - left - 1, lower),
                },
                explain=explain,
                keys=keys,
            )
    if lower >= DIAGRAM.low + CHART.low + 2:
        top = DIAGRAM.low
        return Plan(
            width,
            height,
            {
                Pane.LIST: (width, upper),
                Pane.DIAGRAM: (width, top),
                Pane.CHART: (width, lower - top),
            },
            beside=False,
            explain=explain,
            keys=keys,
        )
    if lower >= CHART.low:
        shown = active if active in halves else Pane.CHART
        return Plan(
            width,
            height,
            {Pane.LIST: (width, upper), shown: (width, lower)},
            tabs=halves,
            explain=explain,
            keys=keys,
        )
    return Plan(
        width, height, {active: (width, room)}, tabs=tuple(Pane), explain=explain, keys=keys
    )


def _two(
    width: int,
    height: int,
    two: tuple[Pane, ...],
    active: Pane,
    room: int,
    upper: int,
    explain: int,
    keys: int,
) -> Plan:
    """Where one of the three panes is hidden: the other two have its room."""
    first, second = two
    if first is Pane.LIST:
        least = CHART.low if second is Pane.CHART else DIAGRAM.low - 3
        if room - upper < least:
            panes = {active: (width, room)}
            return Plan(width, height, panes, tabs=two, explain=explain, keys=keys)
        panes = {first: (width, upper), second: (width, room - upper)}
        return Plan(width, height, panes, beside=False, explain=explain, keys=keys)
    if width >= DIAGRAM.narrow + 1 + CHART.narrow and room >= DIAGRAM.low - 3:
        left = _diagram_width(width, room)
        panes = {first: (left, room), second: (width - left - 1, room)}
        return Plan(width, height, panes, explain=explain, keys=keys)
    if room >= DIAGRAM.low + CHART.low:
        panes = {first: (width, DIAGRAM.low), second: (width, room - DIAGRAM.low)}
        return Plan(width, height, panes, beside=False, explain=explain, keys=keys)
    panes = {active: (width, room)}
    return Plan(width, height, panes, tabs=two, explain=explain, keys=keys)


def _list_height(height: int) -> int:
    """Title, heading and connections: two of them on 24 rows, more as there is room."""
    return max(3, min(4 + (height - 24) // 4, 20)) if height >= 20 else 3


def _diagram_width(width: int, lower: int) -> int:
    """The largest layout that fits in height and leaves the chart comfortable."""
    for wide, high in FIGURES:
        if lower > high and width - wide - 3 >= CHART_COMFORT:
            return wide + 2
    return DIAGRAM.narrow
