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

DASHBOARD_LOW = 13
"""A title, headings and eleven states."""

CHART_COMFORT = 64
"""The chart gets this much before the diagram gets a larger figure."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes for one screen.

    ``panes``    width and height of each visible pane; absent: not shown
    ``beside``   diagram and chart stand side by side (else one over the other)
    ``tabs``     panes that take turns in one place; empty where none do
    ``explain``, ``keys``  rows for the explanation and for the key hints
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
) -> Plan:
    """Lay the panes out; ``active`` is shown where only one of several can be.

    ``banner``: rows that are needed for a message and the hand. ``wanted``: the list will never
    have more connections than this; ``None``: nobody knows. ``host``: all connections are looked
    at and none in particular, so there is no chart.
    """
    if host and active is Pane.CHART:
        active = Pane.DIAGRAM
    made = _plan(width, height, active, maximised, banner, wanted, host)
    return replace(made, host=host)


def _plan(
    width: int,
    height: int,
    active: Pane,
    maximised: Pane | None,
    banner: int,
    wanted: int | None,
    host: bool,
) -> Plan:
    if width < MIN_WIDTH or height < MIN_HEIGHT:
        return Plan(width, height, {}, explain=0, keys=0)
    explain = 2 if width < 160 and height >= 14 else 1
    keys = 1 if height >= 12 else 0
    room = height - explain - 1 - keys - banner  # one row of status, always
    if maximised is not None:
        return Plan(width, height, {maximised: (width, room)}, explain=explain, keys=keys)
    upper = _list_height(height)
    if wanted is not None:
        upper = max(3, min(upper, wanted + 2))
    lower = room - upper
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


def _list_height(height: int) -> int:
    """Title, heading and connections: two of them on 24 rows, more as there is room."""
    return max(3, min(4 + (height - 24) // 4, 20)) if height >= 20 else 3


def _diagram_width(width: int, lower: int) -> int:
    """The largest layout that fits in height and leaves the chart comfortable."""
    for wide, high in FIGURES:
        if lower > high and width - wide - 3 >= CHART_COMFORT:
            return wide + 2
    return DIAGRAM.narrow
