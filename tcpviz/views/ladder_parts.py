"""What a sequence chart is made of: rows, phases, segments on their way, calls.

Plain data without behaviour; :mod:`tcpviz.views.ladder_rows` puts it together.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from tcpviz.core.claims import Claim, Phase, PhaseName
from tcpviz.core.records import Act, Call, Doer, Handled, Side
from tcpviz.core.timeline import Step
from tcpviz.views.ladder_index import Stretch


class RowKind(enum.Enum):
    """What a row is.

    ``BAND``    a rule with a phase's name and progress
    ``STEP``    one step, or a call with the segment that it caused
    ``TRAVEL``  room below a departure, for the arrow to slant over
    ``TEXT``    a line of words across: a note, a gap, a timer, an ICMP error, the kernel's
                objection
    ``FOLD``    a line for a long run of plain data: its first and its last step
    ``SPACE``   to scale: time in which nothing happened; ``BREAK``: much of it
    """

    BAND = "band"
    STEP = "step"
    TRAVEL = "travel"
    TEXT = "text"
    FOLD = "fold"
    SPACE = "space"
    BREAK = "break"


@dataclass(slots=True, eq=False)
class Band:
    """A phase of the connection; ``progress`` as (step index, phase), growing."""

    name: PhaseName
    progress: list[tuple[int, Phase]]

    def at(self, cursor: int | None) -> Phase:
        """How far the phase had come right after step ``cursor`` (``None``: by now)."""
        if cursor is not None:
            for index, phase in reversed(self.progress):
                if index <= cursor:
                    return phase
            return self.progress[0][1]
        return self.progress[-1][1]


LETS_GO = frozenset({Act.RELEASED, Act.DROPPED, Act.DELAYED})
"""After these a segment is in nobody's hand."""


@dataclass(slots=True, eq=False)
class Flight:
    """A segment between its two moments.

    ``start``, ``end``  numbers of its rows; ``end`` is ``None`` while it is on its way
    ``end_step``  index of the step that ended it
    ``lost``      it ended in the middle
    ``copy``      it began there: the cable doubled it
    ``loose``     its departure was let go: of many that were under way, so many are drawn
    ``acts``      what was done to it on its way
    """

    step: Step
    side: Side
    start: int
    end: int | None = None
    end_step: int | None = None
    lost: bool = False
    copy: bool = False
    loose: bool = False
    acts: list[Step] = field(default_factory=list)

    def handled(self, cursor: int | None) -> list[Handled]:
        """What had been done to it right after step ``cursor`` (``None``: by now)."""
        return [
            step.handled
            for step in self.acts
            if step.handled is not None and (cursor is None or step.index <= cursor)
        ]

    def holder(self, cursor: int | None) -> Doer | None:
        """Who had it in the hand right after step ``cursor``; ``None``: it was on its way."""
        holder: Doer | None = None
        for each in self.handled(cursor):
            if each.act is Act.HELD or (each.act is Act.DUPLICATED and self.copy):
                holder = each.by if not each.delay_ns else None
            elif each.act in LETS_GO:
                holder = None
        return holder


@dataclass(slots=True, eq=False)
class Bar:
    """A call from the row where it was made to the row where it returned.

    ``track`` is its column in the lane: calls that overlap (threads) stand beside each other.
    """

    call: Call
    side: Side
    track: int
    start: int
    start_step: int
    end: int | None = None
    end_step: int | None = None
    returned: Call | None = None


@dataclass(frozen=True, slots=True)
class Queues:
    """The listener's two queues: connections in SYN-RECEIVED, and those that wait for accept().

    Limits as :class:`~tcpviz.core.records.KernelSocket` has them; ``None``: not told.
    """

    syn: int | None
    syn_limit: int | None
    accept: int
    accept_limit: int


@dataclass(slots=True, eq=False)
class Row:
    """One row; ``number`` counts from the chart's beginning and never changes.

    ``steps``     what happened on it, in order; for ``BAND`` and ``TRAVEL`` the step
                  that they belong to
    ``flights``, ``bars``  what starts, ends or passes here
    ``client``, ``server`` how the ends stood before it, ``None`` where not known yet
    ``shown``     which sides' states are written though they did not change (the first row)
    ``before_ns`` time of the step before, for the distance in the gutter
    ``text``, ``tone``  of a ``TEXT`` row: its words and their role
    ``stretch``   of a ``FOLD`` row: what is in it, in numbers
    ``silence_ns`` of a ``BREAK`` row: how long nothing happened
    ``queues``    the listener's queues after it, where the kernel told of them;
                  ``queues_before`` the same after the row above
    """

    kind: RowKind
    number: int
    steps: list[Step]
    flights: tuple[Flight, ...] = ()
    bars: tuple[Bar, ...] = ()
    client: Claim | None = None
    server: Claim | None = None
    shown: bool = False
    before_ns: int | None = None
    band: Band | None = None
    text: str = ""
    tone: str = "text"
    stretch: Stretch | None = None
    silence_ns: int = 0
    queues: Queues | None = None
    queues_before: Queues | None = None

    @property
    def step_index(self) -> int:
        """Index of its first step."""
        return self.steps[0].index

    @property
    def last_index(self) -> int:
        """Index of its last step."""
        return self.steps[-1].index

    def claim(self, side: Side) -> Claim | None:
        return self.client if side is Side.CLIENT else self.server
