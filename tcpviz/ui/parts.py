"""What of the main screen may be hidden while something else is discussed; pure data."""

from __future__ import annotations

import enum
from typing import Final

from tcpviz.ui.plan import Pane


class Part(enum.Enum):
    """The parts, in the order of their keys while one chooses."""

    LIST = "connections"
    DIAGRAM = "states"
    CHART = "chart"
    CALLS = "calls"
    KERNEL = "kernel"
    TIME = "time line"
    WORDS = "explanation"
    STATUS = "status"
    KEYS = "keys"


PANE_OF: Final = {Part.LIST: Pane.LIST, Part.DIAGRAM: Pane.DIAGRAM, Part.CHART: Pane.CHART}


class Light(enum.Enum):
    """What stays bright on the chart: all, the row pointed at, or its phase."""

    ALL = "all"
    ROW = "row"
    PHASE = "phase"
